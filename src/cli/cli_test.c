/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the command that need no platform: arguments, kinds, output, what refusals say. */
#include "base/fd.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "cli/posture_view.h"
#include "cli/sign_in.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const struct cli_option options[] = {
    CLIENT_OPTIONS, OUTPUT_OPTION, {"--quiet", NULL, "a switch"}, {0}};

const struct cli_command cli_commands[] = {
    {"try", "ONE [TWO]", "for the tests", options}, {"bare", "", "without options", NULL}, {0}};

/* ------------------------------------------------------------------ arguments */

struct taken {
    struct client_options options;
    bool quiet;
};

static void take(void *ctx, const struct cli_args *args)
{
    struct taken *taken = ctx;

    if (!client_take_option(&taken->options, args))
        taken->quiet = true;
}

/* The words of a command line, split at blanks. */
static enum cli_exit read_line(const char *command, const char *line, struct taken *taken,
                               const char *words[2])
{
    static char text[256];
    char *argv[16] = {text};
    int argc = 0;

    snprintf(text, sizeof(text), "%s", line);
    for (char *at = text; *at != '\0'; at += *at == ' ') {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at == ' ')
            *at++ = '\0';
        at -= *at == ' ';
    }
    *taken = (struct taken){.options = CLIENT_OPTIONS_INIT};
    struct cli_args args = cli_args_of(command, argc, argv);
    return cli_read(&args, take, taken, words, 2);
}

static void options_and_arguments_may_be_mixed(void **state UNUSED)
{
    struct taken taken;
    const char *words[2];

    assert_int_equal(read_line("try", "try a -n team --quiet b -o=json", &taken, words), CLI_OK);
    assert_string_equal(words[0], "a");
    assert_string_equal(words[1], "b");
    assert_string_equal(taken.options.namespace, "team");
    assert_string_equal(taken.options.output, "json");
    assert_true(taken.quiet);
    assert_int_equal(read_line("try", "try", &taken, words), CLI_OK);
    assert_null(words[0]);
    assert_string_equal(taken.options.namespace, "default");
}

static void behind_two_dashes_all_are_arguments(void **state UNUSED)
{
    struct taken taken;
    const char *words[2];

    assert_int_equal(read_line("try", "try -- --quiet -n", &taken, words), CLI_OK);
    assert_string_equal(words[0], "--quiet");
    assert_string_equal(words[1], "-n");
    assert_false(taken.quiet);
    assert_int_equal(read_line("try", "try -", &taken, words), CLI_OK);
    assert_string_equal(words[0], "-");
}

static void a_wrong_command_line_is_told(void **state UNUSED)
{
    static const struct {
        const char *command;
        const char *line;
    } wrong[] = {{"try", "try a b c"},     {"try", "try --unknown"},  {"try", "try -n"},
                 {"try", "try --quiet=1"}, {"bare", "bare --server"}, {"try", "try --quie"}};
    struct taken taken;
    const char *words[2];

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(read_line(wrong[i].command, wrong[i].line, &taken, words), CLI_USAGE);
}

static void exit_codes_follow_the_error(void **state UNUSED)
{
    static const struct {
        enum err_code code;
        int exit;
    } cases[] = {{ERR_INVALID, CLI_FAILED},      {ERR_NOT_FOUND, CLI_FAILED},
                 {ERR_DENIED, CLI_DENIED},       {ERR_UNAUTHENTICATED, CLI_DENIED},
                 {ERR_TIMEOUT, CLI_UNREACHABLE}, {ERR_UNAVAILABLE, CLI_UNREACHABLE}};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        err_set(&err, cases[i].code, "why");
        assert_int_equal(cli_fail(&err), cases[i].exit);
    }
}

/* ------------------------------------------------------------------ kinds */

static void a_kind_has_many_names(void **state UNUSED)
{
    static const char *const names[] = {"modelservice", "ModelService", "modelservices", "msvc",
                                        "modelservices.drun.io"};
    const struct kube_kind *kind;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(kinds_find(names[i], &kind, &err), 0);
        assert_string_equal(kind->kind, "ModelService");
    }
    assert_int_equal(kinds_find("modelservices.apps", &kind, &err), -1);
    assert_int_equal(kinds_find("model", &kind, &err), 0);
    assert_string_equal(kind->kind, "Model");
    assert_int_equal(kinds_find("", &kind, &err), -1);
    assert_int_equal(kinds_of_object("drun.io/v1", "ModelService", &kind, &err), 0);
    assert_int_equal(kinds_of_object("v1", "ModelService", &kind, &err), -1);
}

static void paths_follow_group_and_namespace(void **state UNUSED)
{
    const struct kube_kind *secret;
    const struct kube_kind *control;
    struct err err = ERR_INIT;

    assert_int_equal(kinds_find("configmap", &secret, &err), 0);
    assert_int_equal(kinds_find("control", &control, &err), 0);
    CLEANUP_FREE char *one = kinds_path(secret, "team", "a");
    CLEANUP_FREE char *everywhere = kinds_path(secret, NULL, NULL);
    CLEANUP_FREE char *whole = kinds_path(control, "team", "en-1");
    assert_string_equal(one, "/api/v1/namespaces/team/configmaps/a");
    assert_string_equal(everywhere, "/api/v1/configmaps");
    CLEANUP_FREE char *odd = kinds_path(secret, "a b", "system:x/../y?z#%\xc3\xa4");
    assert_string_equal(whole, "/apis/drun.io/v1/controls/en-1");
    assert_string_equal(odd,
                        "/api/v1/namespaces/a%20b/configmaps/system:x%2F..%2Fy%3Fz%23%25%C3%A4");
}

/* ------------------------------------------------------------------ output */

/* What a function prints. */
static char *printed(void (*print)(const void *), const void *ctx)
{
    struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    int out = memfd_create("out", MFD_CLOEXEC);

    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(out >= 0 && saved >= 0 && dup2(out, STDOUT_FILENO) >= 0);
    print(ctx);
    fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0 && lseek(out, 0, SEEK_SET) == 0);
    assert_int_equal(fd_read_all(out, "out", &text, &err), 0);
    close(saved);
    close(out);
    buf_put(&text, "", 0);
    char *copy = mem_strdup(buf_text(&text));
    buf_free(&text);
    return copy;
}

static void width_is_what_a_terminal_shows(void **state UNUSED)
{
    assert_int_equal(output_width("plain"), 5);
    assert_int_equal(output_width(""), 0);
    assert_int_equal(output_width("传输加密"), 8);
    assert_int_equal(output_width("é"), 1);
    assert_int_equal(output_width("e\xcc\x81"), 1); /* with a combining accent */
    assert_int_equal(output_width("\033[31mred\033[0m"), 3);
    assert_int_equal(output_width("\xff\xfe"), 2);
    assert_int_equal(output_width("\033["), 0);
}

static void print_cjk(const void *ctx UNUSED)
{
    CLEANUP_JSON json_t *header = json_pack("[s, s]", "A", "B");
    CLEANUP_JSON json_t *rows = json_pack("[[s, s], [s, s]]", "密钥", "x", "long one", "y");

    output_table(header, rows);
}

static void columns_line_up_whatever_the_script(void **state UNUSED)
{
    CLEANUP_FREE char *text = printed(print_cjk, NULL);

    assert_string_equal(text, "A          B\n密钥       x\nlong one   y\n");
}

static void ages_are_short(void **state UNUSED)
{
    static const struct {
        int64_t now;
        const char *age;
    } cases[] = {{1000000000, "0s"}, {1000000119, "119s"}, {1000000120, "2m"}, {1000007199, "119m"},
                 {1000007200, "2h"}, {1000172800, "2d"},   {999999999, "0s"}};
    char age[OUTPUT_AGE_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        output_age("2001-09-09T01:46:40Z", cases[i].now, age);
        assert_string_equal(age, cases[i].age);
    }
    output_age("", 0, age);
    assert_string_equal(age, "-");
    output_age("soon", 0, age);
    assert_string_equal(age, "-");
}

static void an_unknown_format_is_refused(void **state UNUSED)
{
    CLEANUP_JSON json_t *object = json_object();
    struct err err = ERR_INIT;

    assert_int_equal(output_object(object, "xml", &err), -1);
    assert_non_null(strstr(err.msg, "table, json, yaml or name"));
}

/* ------------------------------------------------------------------ posture */

static json_t *control(const char *id, const char *verdict, const char *version)
{
    return json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s}}", "metadata", "name", id,
                     "resourceVersion", version, "spec", "id", id, "title", "T", "status",
                     "verdict", verdict, "evidence", "one\ntwo\n");
}

static void print_posture(const void *controls)
{
    posture_print(controls, true, 0);
}

static void posture_counts_and_shows_evidence(void **state UNUSED)
{
    CLEANUP_JSON json_t *list = json_pack("{s:[o, o, o, o]}", "items", control("A", "proven", "1"),
                                          control("B", "degraded", "1"),
                                          control("C", "failed", "1"), control("D", "absent", "1"));
    CLEANUP_FREE char *text = printed(print_posture, list);
    struct posture_count count;

    posture_tally(list, &count);
    assert_int_equal(count.proven, 1);
    assert_int_equal(count.degraded, 1);
    assert_int_equal(count.failed, 1);
    assert_int_equal(count.absent, 1);
    assert_non_null(strstr(text, "A         proven     -         T\n       one\n       two\nB "));
    assert_non_null(strstr(text, "\n1 proven, 1 degraded, 1 failed, 1 absent\n"));
}

static void an_unknown_verdict_counts_as_failed(void **state UNUSED)
{
    CLEANUP_JSON json_t *list = json_pack("{s:[o]}", "items", control("A", "fine", "1"));
    struct posture_count count;

    posture_tally(list, &count);
    assert_int_equal(count.failed, 1);
}

static void a_control_is_renewed_when_its_object_changed(void **state UNUSED)
{
    CLEANUP_JSON json_t *before =
        json_pack("{s:[o, o]}", "items", control("a", "proven", "1"), control("b", "proven", "2"));
    CLEANUP_JSON json_t *now =
        json_pack("{s:[o, o]}", "items", control("a", "proven", "3"), control("b", "proven", "2"));
    CLEANUP_JSON json_t *started = json_pack("[s, s]", "a", "b");
    const char *next;

    assert_int_equal(posture_renewed(before, now, started, &next), 1);
    assert_string_equal(next, "b");
    assert_int_equal(posture_renewed(before, before, started, &next), 0);
    assert_string_equal(next, "a");
}

/* ------------------------------------------------------------------ refusals */

static void refusals_keep_their_sentence(void **state UNUSED)
{
    static const struct {
        unsigned status;
        const char *body;
        enum err_code code;
        const char *text;
    } cases[] = {
        {403, "{\"kind\":\"Status\",\"message\":\"may not\"}", ERR_DENIED, "may not"},
        {429, "{\"error\":{\"message\":\"too fast\"}}", ERR_LIMITED, "too fast"},
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"old\"}", ERR_INVALID, "old"},
        {409, "{\"title\":\"Conflict\",\"detail\":\"is there\"}", ERR_CONFLICT, "is there"},
        {404, "{\"title\":\"Not Found\"}", ERR_NOT_FOUND, "Not Found"},
        {502, "<html>bad gateway</html>", ERR_UNAVAILABLE, "the platform answered 502"},
        {500, "", ERR_INTERNAL, "the platform answered 500"},
        {401, "{\"message\":\"who?\"}", ERR_UNAUTHENTICATED,
         "not signed in; `drun login` does that: who?"},
        {400, "{\"message\":7}", ERR_INVALID, "the platform answered 400"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(client_refusal(cases[i].status, span_str(cases[i].body), &err), -1);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.msg, cases[i].text);
    }
}

/* ------------------------------------------------------------------ signing in */

static void forms_are_escaped(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(256);
    const char *const form[] = {"a b", "x&y=z", "u", "https://h/p?q#é", "s", "-._~9Z", NULL};

    login_put_form(form, &text);
    assert_string_equal(buf_text(&text),
                        "a%20b=x%26y%3Dz&u=https%3A%2F%2Fh%2Fp%3Fq%23%C3%A9&s=-._~9Z");
}

static void only_the_own_sign_in_is_accepted(void **state UNUSED)
{
    CLEANUP(sign_in_free) struct sign_in sign_in = {.issuer = mem_strdup("https://drun")};
    struct err err = ERR_INIT;

    assert_int_equal(sign_in_begin(&sign_in, &err), 0);
    assert_int_equal(strlen(sign_in.verifier), 43);
    assert_string_not_equal(sign_in.verifier, sign_in.challenge);
    assert_int_equal(sign_in_accept(&sign_in, "c", NULL, NULL, NULL, &err), -1);
    assert_int_equal(sign_in_accept(&sign_in, "c", "other", NULL, NULL, &err), -1);
    assert_int_equal(sign_in_accept(&sign_in, "c", sign_in.state, "https://evil", NULL, &err), -1);
    assert_int_equal(sign_in_accept(&sign_in, "c", sign_in.state, NULL, "access_denied", &err), -1);
    assert_int_equal(sign_in_accept(&sign_in, "", sign_in.state, NULL, NULL, &err), -1);
    assert_null(sign_in.code);
    assert_int_equal(sign_in_accept(&sign_in, "c", sign_in.state, "https://drun", NULL, &err), 0);
    assert_string_equal(sign_in.code, "c");
}

static void the_challenge_is_the_hash_of_the_verifier(void **state UNUSED)
{
    CLEANUP(sign_in_free)
    struct sign_in sign_in = {.authorize_url = mem_strdup("https://drun/oauth2/authorize"),
                              .redirect = mem_strdup("http://127.0.0.1:1/callback")};

    /* RFC 7636 appendix B */
    snprintf(sign_in.verifier, sizeof(sign_in.verifier), "%s",
             "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    sign_in_set_challenge(&sign_in);
    assert_string_equal(sign_in.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    CLEANUP_FREE char *url = sign_in_url(&sign_in);
    assert_non_null(strstr(url,
                           "https://drun/oauth2/authorize?response_type=code&client_id=drun-cli"
                           "&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback"));
    assert_non_null(strstr(url, "code_challenge_method=S256"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_may_be_mixed),
        cmocka_unit_test(behind_two_dashes_all_are_arguments),
        cmocka_unit_test(a_wrong_command_line_is_told),
        cmocka_unit_test(exit_codes_follow_the_error),
        cmocka_unit_test(a_kind_has_many_names),
        cmocka_unit_test(paths_follow_group_and_namespace),
        cmocka_unit_test(width_is_what_a_terminal_shows),
        cmocka_unit_test(columns_line_up_whatever_the_script),
        cmocka_unit_test(ages_are_short),
        cmocka_unit_test(an_unknown_format_is_refused),
        cmocka_unit_test(posture_counts_and_shows_evidence),
        cmocka_unit_test(an_unknown_verdict_counts_as_failed),
        cmocka_unit_test(a_control_is_renewed_when_its_object_changed),
        cmocka_unit_test(refusals_keep_their_sentence),
        cmocka_unit_test(forms_are_escaped),
        cmocka_unit_test(only_the_own_sign_in_is_accepted),
        cmocka_unit_test(the_challenge_is_the_hash_of_the_verifier),
    };

    unsetenv("LANG");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
