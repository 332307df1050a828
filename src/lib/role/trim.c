/* SPDX-License-Identifier: Apache-2.0 */
#include "role/control.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is this large has a mapping of its own and goes back when it is freed. */
enum { MAPPED_FROM = 256 * 1024 };

/* Read-only pages of one program file: the kernel reads those that are needed again from its cache.
 */
static int drop_object(struct dl_phdr_info *info, size_t size UNUSED, void *ctx)
{
    uintptr_t page = *(const uintptr_t *)ctx;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0)
            continue;
        uintptr_t begin = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        /* Only a hint: a page that stays costs memory, nothing else. */
        (void)madvise((void *)begin, end - begin,
                      MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
    }
    return 0;
}

void role_arrange_memory(void)
{
    /* One arena: one for each thread would keep what that thread needed once. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
}

void role_trim_memory(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    malloc_trim(0);
    dl_iterate_phdr(drop_object, &page);
}
