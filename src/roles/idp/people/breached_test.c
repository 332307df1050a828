/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/people/breached.h"

#include "base/fd.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int file_of(const char *text)
{
    char path[] = "/tmp/breached_test.XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static bool is_in(int fd, const char *password)
{
    struct err err = ERR_INIT;
    bool found;

    if (breached_find(fd, password, &found, &err) < 0)
        fail_msg("%s", err.msg);
    return found;
}

/* SHA-1: "password1" e38ad214943daad1d64c102faec29de4afe9da3d, "letmein"
 * b7a875fc1ea228b9061041b7cec4bd3c52ab3ce3, "hunter2" f3bbbd66a63d4bf1747940578ec3d0103530e21d */
static void hashes_are_found(void **state UNUSED)
{
    static const char *const files[] = {
        ("B7A875FC1EA228B9061041B7CEC4BD3C52AB3CE3:12\r\n"
         "E38AD214943DAAD1D64C102FAEC29DE4AFE9DA3D:2427158\r\n"),
        "b7a875fc1ea228b9061041b7cec4bd3c52ab3ce3\ne38ad214943daad1d64c102faec29de4afe9da3d",
        "b7a875fc1e\nc000000000\nd000000000\ne38ad21494\n",
    };

    for (size_t i = 0; i < 3; i++) {
        CLEANUP_FD int fd = file_of(files[i]);
        struct err err = ERR_INIT;
        assert_int_equal(breached_check_file(fd, "list", &err), 0);
        assert_true(is_in(fd, "letmein"));
        assert_true(is_in(fd, "password1"));
        assert_false(is_in(fd, "hunter2"));
        assert_false(is_in(fd, "correct horse battery staple"));
    }
}

static void each_line_of_many_is_found(void **state UNUSED)
{
    char text[64];
    CLEANUP(buf_free) struct buf all = BUF_INIT(1 << 20);

    /* Lines of different lengths, and the one that is looked for in their middle. */
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), "%08x%0*d:%u\n", i * 0x200000U, 32, 0, i * i);
        buf_put_str(&all, text);
        if (i * 0x200000U < 0xb7a875fc && (i + 1) * 0x200000U > 0xb7a875fc)
            buf_put_str(&all, "b7a875fc1ea228b9061041b7cec4bd3c52ab3ce3:3\n");
    }
    CLEANUP_FD int fd = file_of(buf_text(&all));
    assert_true(is_in(fd, "letmein"));
    assert_false(is_in(fd, "password1"));
}

static void another_file_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "hello\n",
        "b7a875fc\n",
        "e38ad214943daad1d64c102faec29de4afe9da3d\nb7a875fc1ea228b9061041b7cec4bd3c52ab3ce3\n",
        "e38ad214943daad1d64c102faec29de4afe9da3d00\n",
        ("e38ad214943daad1d64c102faec29de4afe9da3d:1111111111111111111111111111111111111111"
         "11111111111111111111111111111111111111111111\n"),
    };

    for (size_t i = 0; i < 5; i++) {
        CLEANUP_FD int fd = file_of(bad[i]);
        struct err err = ERR_INIT;
        assert_int_equal(breached_check_file(fd, "list", &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
    CLEANUP_FD int empty = file_of("");
    struct err err = ERR_INIT;
    assert_int_equal(breached_check_file(empty, "list", &err), 0);
    assert_false(is_in(empty, "letmein"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_found),
        cmocka_unit_test(each_line_of_many_is_found),
        cmocka_unit_test(another_file_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
