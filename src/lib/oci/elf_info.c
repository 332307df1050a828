/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/elf_info.h"

#include "base/mem.h"
#include "base/num.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADERS_MAX = 256,
    DYNAMIC_MAX = 4096, /* entries */
    STRINGS_MAX = 4 << 20,
    PATH_LEN_MAX = 4096,
};

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
#error "this architecture's ELF number is to be added"
#endif

struct file {
    elf_read_fn *read;
    void *ctx;
    Elf64_Phdr *headers;
    size_t header_count;
    char *strings; /* NUL-terminated one past the end */
    size_t strings_len;
};

static void file_close(struct file *file)
{
    free(file->headers);
    free(file->strings);
}

void elf_info_free(struct elf_info *info)
{
    for (size_t i = 0; i < info->needed_count; i++)
        free(info->needed[i]);
    free(info->needed);
    free(info->interpreter);
    free(info->search);
    *info = (struct elf_info){0};
}

static int read_headers(struct file *file, struct err *err)
{
    Elf64_Ehdr header;

    TRY(file->read(file->ctx, 0, &header, sizeof(header), err));
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return err_set(err, ERR_INVALID, "it is no ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != MACHINE)
        return err_set(err, ERR_INVALID, "it is for another machine");
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        return err_set(err, ERR_INVALID, "it is neither a program nor a library");
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
        header.e_phnum > HEADERS_MAX)
        return err_set(err, ERR_INVALID, "its program headers are damaged");
    file->header_count = header.e_phnum;
    file->headers = mem_new_array(header.e_phnum, sizeof(Elf64_Phdr));
    return file->read(file->ctx, header.e_phoff, file->headers, header.e_phnum * sizeof(Elf64_Phdr),
                      err);
}

static const Elf64_Phdr *header_of(const struct file *file, uint32_t type)
{
    for (size_t i = 0; i < file->header_count; i++)
        if (file->headers[i].p_type == type)
            return &file->headers[i];
    return NULL;
}

static int read_interpreter(struct file *file, struct elf_info *out, struct err *err)
{
    const Elf64_Phdr *header = header_of(file, PT_INTERP);

    if (header == NULL)
        return 0;
    if (header->p_filesz < 2 || header->p_filesz > PATH_LEN_MAX)
        return err_set(err, ERR_INVALID, "its interpreter's name is damaged");
    out->interpreter = mem_new(header->p_filesz + 1);
    TRY(file->read(file->ctx, header->p_offset, out->interpreter, header->p_filesz, err));
    if (out->interpreter[0] != '/' || strlen(out->interpreter) != header->p_filesz - 1)
        return err_set(err, ERR_INVALID, "its interpreter's name is damaged");
    return 0;
}

/* Where in the file the bytes at this address of memory come from. */
static int offset_of(const struct file *file, uint64_t address, uint64_t *out, struct err *err)
{
    for (size_t i = 0; i < file->header_count; i++) {
        const Elf64_Phdr *header = &file->headers[i];
        if (header->p_type == PT_LOAD && address >= header->p_vaddr &&
            address - header->p_vaddr < header->p_filesz &&
            num_add(header->p_offset, address - header->p_vaddr, out))
            return 0;
    }
    return err_set(err, ERR_INVALID, "its dynamic section names a place that is not loaded");
}

static const Elf64_Dyn *entry_of(const Elf64_Dyn *entries, size_t count, int64_t tag)
{
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
        if (entries[i].d_tag == tag)
            return &entries[i];
    return NULL;
}

static int read_strings(struct file *file, const Elf64_Dyn *entries, size_t count, struct err *err)
{
    const Elf64_Dyn *at = entry_of(entries, count, DT_STRTAB);
    const Elf64_Dyn *size = entry_of(entries, count, DT_STRSZ);
    uint64_t offset = 0;

    if (at == NULL || size == NULL || size->d_un.d_val == 0 || size->d_un.d_val > STRINGS_MAX)
        return err_set(err, ERR_INVALID, "its table of names is missing or too large");
    TRY(offset_of(file, at->d_un.d_ptr, &offset, err));
    file->strings_len = size->d_un.d_val;
    file->strings = mem_new(file->strings_len + 1);
    return file->read(file->ctx, offset, file->strings, file->strings_len, err);
}

static int copy_string(const struct file *file, uint64_t at, char **out, struct err *err)
{
    if (at >= file->strings_len || strlen(file->strings + at) > PATH_LEN_MAX ||
        file->strings[at] == '\0')
        return err_set(err, ERR_INVALID, "a name in its dynamic section is damaged");
    *out = mem_strdup(file->strings + at);
    return 0;
}

static int read_names(const struct file *file, const Elf64_Dyn *entries, size_t count,
                      struct elf_info *out, struct err *err)
{
    const Elf64_Dyn *search = entry_of(entries, count, DT_RUNPATH);

    if (search == NULL)
        search = entry_of(entries, count, DT_RPATH);
    if (search != NULL && search->d_un.d_val < file->strings_len &&
        file->strings[search->d_un.d_val] != '\0')
        TRY(copy_string(file, search->d_un.d_val, &out->search, err));
    out->needed = mem_new_array(ELF_NEEDED_MAX, sizeof(*out->needed));
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag != DT_NEEDED)
            continue;
        if (out->needed_count == ELF_NEEDED_MAX)
            return err_set(err, ERR_INVALID, "it needs more than %d libraries", ELF_NEEDED_MAX);
        TRY(copy_string(file, entries[i].d_un.d_val, &out->needed[out->needed_count], err));
        out->needed_count++;
    }
    return 0;
}

static int read_dynamic(struct file *file, struct elf_info *out, struct err *err)
{
    const Elf64_Phdr *header = header_of(file, PT_DYNAMIC);

    if (header == NULL)
        return 0;
    size_t count = header->p_filesz / sizeof(Elf64_Dyn);
    if (count == 0 || count > DYNAMIC_MAX)
        return err_set(err, ERR_INVALID, "its dynamic section is damaged");
    CLEANUP_FREE Elf64_Dyn *entries = mem_new_array(count, sizeof(Elf64_Dyn));
    TRY(file->read(file->ctx, header->p_offset, entries, count * sizeof(Elf64_Dyn), err));
    out->is_dynamic = true;
    TRY(read_strings(file, entries, count, err));
    return read_names(file, entries, count, out, err);
}

int elf_parse(elf_read_fn *read, void *ctx, struct elf_info *out, struct err *err)
{
    CLEANUP(file_close) struct file file = {.read = read, .ctx = ctx};
    CLEANUP(elf_info_free) struct elf_info info = {0};

    TRY(read_headers(&file, err));
    TRY(read_interpreter(&file, &info, err));
    TRY(read_dynamic(&file, &info, err));
    *out = info;
    info = (struct elf_info){0};
    return 0;
}

static int read_fd(void *ctx, uint64_t offset, void *out, size_t len, struct err *err)
{
    size_t done = 0;

    if (offset > INT64_MAX - len)
        return err_set(err, ERR_INVALID, "it is cut short");
    while (done < len) {
        ssize_t got = pread(*(int *)ctx, (char *)out + done, len - done, (off_t)(offset + done));
        if (got < 0)
            return err_sys(err, "cannot read it");
        if (got == 0)
            return err_set(err, ERR_INVALID, "it is cut short");
        done += (size_t)got;
    }
    return 0;
}

int elf_parse_fd(int fd, struct elf_info *out, struct err *err)
{
    return elf_parse(read_fd, &fd, out, err);
}
