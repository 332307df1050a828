/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/module/path.h"

#include "base/attr.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int digit(uint8_t c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == 0 ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* What is taken has no second reading: decoded, it has nothing to resolve and no byte that ends
 * something. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *plain = mem_new(size + 2);
    size_t len = 0;

    if (edge_path_fault(span_of(data, size)) != NULL)
        return 0;
    for (size_t i = 0; i < size; i++) {
        int c = data[i];
        if (c == '%') {
            INVARIANT(i + 2 < size && digit(data[i + 1]) >= 0 && digit(data[i + 2]) >= 0);
            c = digit(data[i + 1]) << 4 | digit(data[i + 2]);
            i += 2;
        }
        INVARIANT(c >= ' ' && c != 0x7f && c != '\\');
        plain[len++] = (char)c;
    }
    plain[len] = '/';
    INVARIANT(plain[0] == '/');
    INVARIANT(strstr(plain, "/./") == NULL && strstr(plain, "/../") == NULL);
    plain[len] = '\0';
    INVARIANT(strstr(plain, "//") == NULL);
    return 0;
}
