/* SPDX-License-Identifier: Apache-2.0 */
#include "opt/opt.h"

#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct settings {
    bool tls;
    uint64_t workers;
    char *note;
    char *data;
    unsigned level;
    struct opt_list names;
    uint64_t ttl_ms;
    uint64_t size;
    struct opt_listen listen;
    char *unset;
};

static const char *const levels[] = {"debug", "info", "warn", NULL};
static const char *const old_sizes[] = {"segment-bytes", "log.size", NULL};

static const struct opt server_options[] = {
    {.name = "server.tls",
     .type = OPT_BOOL,
     .offset = offsetof(struct settings, tls),
     .def = "true",
     .brief = "Speak TLS."},
    {.name = "server.workers",
     .type = OPT_U64,
     .offset = offsetof(struct settings, workers),
     .def = "2",
     .min = 1,
     .max = 64,
     .unit = "processes",
     .brief = "How many workers there are.",
     .more =
         "One for each core is right for most machines; with more of them than cores, they wait "
         "for each other, and nothing is won by it."},
    {.name = "server.listen",
     .type = OPT_LISTEN,
     .offset = offsetof(struct settings, listen),
     .def = "[::]:8443",
     .brief = "Where to listen."},
    {.name = "server.names",
     .type = OPT_LIST,
     .offset = offsetof(struct settings, names),
     .def = "localhost,yes",
     .brief = "Names of this server."},
    {0},
};

static const struct opt log_options[] = {
    {.name = "log.level",
     .type = OPT_ENUM,
     .offset = offsetof(struct settings, level),
     .def = "info",
     .choices = levels,
     .brief = "What is logged."},
    {.name = "log.segment.size",
     .type = OPT_SIZE,
     .offset = offsetof(struct settings, size),
     .def = "64MiB",
     .min = 4096,
     .old_names = old_sizes,
     .brief = "Size of a segment."},
    {.name = "log.segment.ttl",
     .type = OPT_DURATION,
     .offset = offsetof(struct settings, ttl_ms),
     .def = "1h30m",
     .max = 7 * 86400000,
     .brief = "How long it is kept."},
    {.name = "data-dir",
     .type = OPT_PATH,
     .offset = offsetof(struct settings, data),
     .def = "/var/lib/drun",
     .brief = ".Where - and \\ where - data lies."},
    {.name = "note",
     .type = OPT_TEXT,
     .offset = offsetof(struct settings, note),
     .def = "a: \"b\" # c",
     .brief = "Anything."},
    {.name = "unset",
     .type = OPT_TEXT,
     .offset = offsetof(struct settings, unset),
     .brief = "Nothing."},
    {0},
};

struct fixture {
    struct settings settings;
    struct opt_group groups[3];
    char warning[256];
};

static void on_warning(void *ctx, const char *message)
{
    struct fixture *fixture = ctx;

    snprintf(fixture->warning, sizeof(fixture->warning), "%s", message);
}

static void fixture_init(struct fixture *fixture)
{
    struct err err = ERR_INIT;

    *fixture = (struct fixture){.warning = ""};
    fixture->groups[0] = (struct opt_group){"Server", server_options, &fixture->settings};
    fixture->groups[1] = (struct opt_group){"Log", log_options, &fixture->settings};
    assert_int_equal(opt_set_defaults(fixture->groups, &err), 0);
}

static void fixture_clear(struct fixture *fixture)
{
    opt_free(fixture->groups);
}

#define FIXTURE(name)                                                                              \
    CLEANUP(fixture_clear) struct fixture name;                                                    \
    fixture_init(&name)

static int load(struct fixture *fixture, const char *text, struct err *err)
{
    return opt_load_text(fixture->groups, span_str(text), "s.yaml", on_warning, fixture, err);
}

static void assert_refused(const char *text, const char *message)
{
    struct err err = ERR_INIT;
    FIXTURE(fixture);

    assert_int_equal(load(&fixture, text, &err), -1);
    assert_string_equal(err.msg, message);
}

static void assert_set_refused(const char *assignment, const char *message)
{
    struct err err = ERR_INIT;
    FIXTURE(fixture);

    assert_int_equal(opt_set(fixture.groups, assignment, &err), -1);
    assert_string_equal(err.msg, message);
}

static void assert_defaults(const struct settings *settings)
{
    assert_true(settings->tls);
    assert_int_equal(settings->workers, 2);
    assert_string_equal(settings->listen.host, "::");
    assert_int_equal(settings->listen.port, 8443);
    assert_int_equal(settings->names.count, 2);
    assert_string_equal(settings->names.items[0], "localhost");
    assert_string_equal(settings->names.items[1], "yes");
    assert_int_equal(settings->level, 1);
    assert_int_equal(settings->size, 64 << 20);
    assert_int_equal(settings->ttl_ms, 90 * 60 * 1000);
    assert_string_equal(settings->data, "/var/lib/drun");
    assert_string_equal(settings->note, "a: \"b\" # c");
    assert_null(settings->unset);
}

static void defaults_are_those_of_the_tables(void **state UNUSED)
{
    FIXTURE(fixture);

    assert_defaults(&fixture.settings);
}

static void the_sample_parses_to_the_defaults(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf sample = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;
    FIXTURE(fixture);

    opt_put_sample(fixture.groups, &sample);
    opt_free(fixture.groups);
    if (load(&fixture, buf_text(&sample), &err) < 0)
        fail_msg("%s\n%s", err.msg, buf_text(&sample));
    assert_defaults(&fixture.settings);
    assert_non_null(strstr(buf_text(&sample), "  # Takes a whole number from 1 up to 64 processes."
                                              "\n  workers: 2\n"));
    assert_non_null(strstr(buf_text(&sample), "# Takes text; not set.\n#unset:\n"));
}

static void a_file_sets_what_it_names(void **state UNUSED)
{
    struct err err = ERR_INIT;
    FIXTURE(fixture);

    assert_int_equal(load(&fixture,
                          "server:\n  tls: false\n  listen: 127.0.0.1:80\n  names: [a, b, c]\n"
                          "log: {level: warn, segment: {size: 8192, ttl: 250ms}}\n"
                          "log.segment.size.x: ~\n",
                          &err),
                     -1);
    assert_int_equal(load(&fixture,
                          "server:\n  tls: false\n  listen: 127.0.0.1:80\n  names: [a, b, c]\n"
                          "log: {level: warn, segment: {size: 8192, ttl: 250ms}}\n"
                          "unset: \"\"\n",
                          &err),
                     0);
    assert_false(fixture.settings.tls);
    assert_string_equal(fixture.settings.listen.host, "127.0.0.1");
    assert_int_equal(fixture.settings.names.count, 3);
    assert_int_equal(fixture.settings.level, 2);
    assert_int_equal(fixture.settings.size, 8192);
    assert_int_equal(fixture.settings.ttl_ms, 250);
    assert_string_equal(fixture.settings.unset, "");
    assert_int_equal(fixture.settings.workers, 2);
    assert_int_equal(load(&fixture, "# nothing\n", &err), 0);
    assert_int_equal(load(&fixture, "server:\n", &err), 0);
}

static void an_old_name_is_taken_with_a_warning(void **state UNUSED)
{
    struct err err = ERR_INIT;
    FIXTURE(fixture);

    assert_int_equal(load(&fixture, "segment-bytes: 5000\n", &err), 0);
    assert_int_equal(fixture.settings.size, 5000);
    assert_string_equal(fixture.warning,
                        "s.yaml: \"segment-bytes\" is now called \"log.segment.size\"");
    assert_refused("log:\n  size: 5000\n  segment:\n    size: 6000\n",
                   "s.yaml:4:5: \"log.segment.size\" is set twice");
}

static void unknown_names_are_refused_with_the_nearest_one(void **state UNUSED)
{
    assert_refused("server:\n  workrs: 2\n",
                   "s.yaml:2:3: there is no option \"server.workrs\"; did you mean "
                   "\"server.workers\"?");
    assert_refused("log:\n  segment: {}\nworkers: 2\n",
                   "s.yaml:3:1: there is no option \"workers\"; did you mean \"server.workers\"?");
    assert_refused("quite-another: 2\n", "s.yaml:1:1: there is no option \"quite-another\"");
    assert_refused("serve:\n  tls: true\n", "s.yaml:1:1: there is no option \"serve\"");
    assert_refused("server: 5\n", "s.yaml:1:1: there is no option \"server\"");
    assert_set_refused("log.levl=info",
                       "there is no option \"log.levl\"; did you mean \"log.level\"?");
    assert_set_refused("log.level", "\"log.level\" is not of the form name=value");
}

static void wrong_values_are_refused_with_their_place(void **state UNUSED)
{
    assert_refused("server:\n  tls: 1\n", "s.yaml:2:3: server.tls: it must be true or false");
    assert_refused("server: {workers: 65}", "s.yaml:1:10: server.workers: 65 is more than 64");
    assert_refused("server: {workers: 0}", "s.yaml:1:10: server.workers: 0 is less than 1");
    assert_refused("server: {workers: -1}",
                   "s.yaml:1:10: server.workers: the value \"-1\" is not a whole number");
    assert_refused("server: {workers: {a: 1}}",
                   "s.yaml:1:10: server.workers: it must be a whole number from 1 up to 64 "
                   "processes");
    assert_refused("server: {names: [a, 1]}",
                   "s.yaml:1:10: server.names: item 2 of the list is no text; quote it");
    assert_refused("log: {level: loud}",
                   "s.yaml:1:7: log.level: \"loud\" is none of debug, info, warn");
    assert_refused("log: {segment: {size: 1KiB}}",
                   "s.yaml:1:17: log.segment.size: 1024 bytes is less than 4096");
    assert_refused("log: {segment: {ttl: 8d}}",
                   "s.yaml:1:17: log.segment.ttl: 691200000 ms is more than 604800000");
    assert_refused("log: {segment: {ttl: 5}}",
                   "s.yaml:1:17: log.segment.ttl: it must be a duration such as 15m up to "
                   "604800000 milliseconds");
    assert_refused("data-dir: x", "s.yaml:1:1: data-dir: \"x\" is no absolute path");
    assert_refused("note: 5", "s.yaml:1:1: note: it must be text");
    assert_refused("[a]", "s.yaml:1:1: settings are a mapping of names");
    assert_refused("a: 1\n---\nb: 2", "s.yaml has more than one document");
    assert_refused("a: 1\na: 2", "s.yaml:2:1: \"a\" is there twice");
}

static void the_command_line_sets_one_option(void **state UNUSED)
{
    struct err err = ERR_INIT;
    FIXTURE(fixture);

    assert_int_equal(opt_set(fixture.groups, "note=a=b", &err), 0);
    assert_string_equal(fixture.settings.note, "a=b");
    assert_int_equal(opt_set(fixture.groups, "server.names=", &err), 0);
    assert_int_equal(fixture.settings.names.count, 0);
    assert_int_equal(opt_set(fixture.groups, "server.names=x,y", &err), 0);
    assert_int_equal(fixture.settings.names.count, 2);
    assert_int_equal(opt_set(fixture.groups, "log.segment.ttl=1d2h3m4s5ms", &err), 0);
    assert_int_equal(fixture.settings.ttl_ms, 93784005);
    assert_int_equal(opt_set(fixture.groups, "log.size=1GiB", &err), 0);
    assert_int_equal(fixture.settings.size, 1 << 30);
    assert_set_refused("server.tls=yes", "server.tls: \"yes\" is neither true nor false");
}

static void broken_quantities_and_addresses_are_refused(void **state UNUSED)
{
    static const char *const assignments[] = {
        "log.segment.ttl=",
        "log.segment.ttl=5",
        "log.segment.ttl=m",
        "log.segment.ttl=1h ",
        "log.segment.ttl=-1m",
        "log.segment.ttl=1.5h",
        "log.segment.ttl=99999999999999999999d",
        "log.segment.ttl=18446744073709551615d",
        "log.segment.size=",
        "log.segment.size=64M",
        "log.segment.size=64MiB1",
        "log.segment.size=16777216TiB",
        "server.listen=8443",
        "server.listen=:8443",
        "server.listen=::8443",
        "server.listen=[::]",
        "server.listen=[::]:0",
        "server.listen=[::]:65536",
        "server.listen=host:80",
        "server.listen=[127.0.0.1]:80",
        "server.listen=]:80",
        "server.listen=[:80",
        "server.listen=",
        "server.listen=127.0.0.1:080",
        "server.listen=[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1",
    };

    for (size_t i = 0; i < ARRAY_LEN(assignments); i++) {
        struct err err = ERR_INIT;
        FIXTURE(fixture);
        if (opt_set(fixture.groups, assignments[i], &err) == 0)
            fail_msg("%s was taken", assignments[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void a_file_is_read_from_disk(void **state UNUSED)
{
    struct err err = ERR_INIT;
    char dir[] = "/tmp/opt_test_XXXXXX";
    char path[64];
    FIXTURE(fixture);

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s.yaml", dir);
    assert_int_equal(opt_load_file(fixture.groups, path, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(
        fd_replace_file(AT_FDCWD, path, 0600, span_str("log:\n  level: debug\n"), false, &err), 0);
    assert_int_equal(opt_load_file(fixture.groups, path, NULL, NULL, &err), 0);
    assert_int_equal(fixture.settings.level, 0);
    unlink(path);
    rmdir(dir);
}

static void the_man_section_escapes_roff(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf man = BUF_INIT(1 << 16);
    const struct opt_group groups[] = {{"Log", log_options, NULL}, {0}};

    opt_put_man(groups, &man);
    assert_non_null(strstr(buf_text(&man), ".SS Log\n.TP\n.B log.level\nWhat is logged.\nTakes one "
                                           "of debug, info, warn; default\n.BR info .\n"));
    assert_non_null(strstr(buf_text(&man), "\n.B data\\-dir\n\\&.Where \\- and \\e where \\- data "
                                           "lies.\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_tables),
        cmocka_unit_test(the_sample_parses_to_the_defaults),
        cmocka_unit_test(a_file_sets_what_it_names),
        cmocka_unit_test(an_old_name_is_taken_with_a_warning),
        cmocka_unit_test(unknown_names_are_refused_with_the_nearest_one),
        cmocka_unit_test(wrong_values_are_refused_with_their_place),
        cmocka_unit_test(the_command_line_sets_one_option),
        cmocka_unit_test(broken_quantities_and_addresses_are_refused),
        cmocka_unit_test(a_file_is_read_from_disk),
        cmocka_unit_test(the_man_section_escapes_roff),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
