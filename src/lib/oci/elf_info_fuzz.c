/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/elf_info.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct memory {
    const uint8_t *data;
    size_t len;
};

static int read_memory(void *ctx, uint64_t offset, void *out, size_t len, struct err *err)
{
    const struct memory *memory = ctx;

    if (offset > memory->len || memory->len - offset < len)
        return err_set(err, ERR_INVALID, "it is cut short");
    memcpy(out, memory->data + offset, len);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory = {data, len};
    CLEANUP(elf_info_free) struct elf_info info = {0};
    struct err err = ERR_INIT;

    if (elf_parse(read_memory, &memory, &info, &err) < 0) {
        INVARIANT(err.code == ERR_INVALID);
        return 0;
    }
    INVARIANT(info.needed_count <= ELF_NEEDED_MAX);
    for (size_t i = 0; i < info.needed_count; i++)
        INVARIANT(info.needed[i][0] != '\0');
    return 0;
}
