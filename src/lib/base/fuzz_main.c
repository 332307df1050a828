/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of the folders that are named, as libFuzzer would; so every
 * corpus is also a regression test with an ordinary compiler. */
#include "base/buf.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4 * 1024 * 1024 };

static int replay_dir(const char *path, struct err *err)
{
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, path, err);
    int count = 0;

    if (dir_fd < 0)
        return -1;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return err_sys(err, "cannot list %s", path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        CLEANUP(buf_free) struct buf input = BUF_INIT(INPUT_MAX);
        if (entry->d_name[0] == '.')
            continue;
        if (fd_read_file(dir_fd, entry->d_name, &input, err) < 0)
            break;
        LLVMFuzzerTestOneInput(input.data != NULL ? input.data : (const uint8_t *)"", input.len);
        count++;
    }
    closedir(dir);
    return err->code == ERR_NONE ? count : -1;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    for (int i = 1; i < argc; i++) {
        int count = replay_dir(argv[i], &err);
        if (count == 0)
            err_set(&err, ERR_NOT_FOUND, "%s has no corpus file", argv[i]);
        if (count <= 0) {
            fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
        printf("%s: %d inputs replayed\n", argv[i], count);
    }
    return 0;
}
