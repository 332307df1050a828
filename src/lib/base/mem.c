/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include "base/err.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *allocated)
{
    if (allocated == NULL)
        err_bug(__FILE__, __LINE__, "memory is available");
    return allocated;
}

void *mem_new(size_t size)
{
    return must(calloc(1, size > 0 ? size : 1));
}

void *mem_new_array(size_t count, size_t size)
{
    return must(calloc(count > 0 ? count : 1, size));
}

void *mem_resize_array(void *old, size_t count, size_t size)
{
    return must(reallocarray(old, count > 0 ? count : 1, size));
}

char *mem_strdup(const char *text)
{
    return must(strdup(text));
}

char *mem_strndup(const char *text, size_t len)
{
    return must(strndup(text, len));
}

char *mem_printf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    return must(len < 0 ? NULL : text);
}

void mem_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len); /* OPENSSL_cleanse() goes eight bytes at a time */
}

bool mem_equal_ct(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void mem_free_ptr(void *pointer_to_pointer)
{
    void *pointer;

    memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
    free(pointer);
}
