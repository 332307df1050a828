/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way of a call, from the client library through a channel and the role's threads to a
 * real nginx and a real slapd, each with TLS on the loopback. */
#include "exporter/exporter_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

static char dir[] = "/tmp/drun-exporter-XXXXXX";
static pid_t nginx, slapd;
static unsigned https_port, ldaps_port, ldap_port, silent_port;
static struct buf authority = BUF_INIT(16 * 1024);

static struct exporter exporter;
static struct loop *loop;
static struct ipc_client *channel; /* as idp */
static struct egress *egress;

/* ------------------------------------------------------------------ servers */

static pid_t run(char *const argv[])
{
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static void shell(const char *format, ...) PRINTF_LIKE(1, 2);

static void shell(const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(8192);
    va_list args;
    int status;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    char *const argv[] = {(char[]){"sh"}, (char[]){"-ec"}, (char *)text.data, NULL};
    INVARIANT(waitpid(run(argv), &status, 0) > 0);
    INVARIANT(status == 0);
}

/* A socket that is bound and given up again: the port is free a moment later. */
static unsigned free_port(int *keep)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    INVARIANT(bind(fd, (struct sockaddr *)&address, len) == 0);
    INVARIANT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    if (keep != NULL)
        *keep = fd;
    else
        close(fd);
    return ntohs(address.sin_port);
}

static void wait_for_port(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int i = 0; i < 2000; i++) {
        CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    INVARIANT(!"the server listens");
}

static void write_file(const char *name, const char *format, ...) PRINTF_LIKE(2, 3);

static void write_file(const char *name, const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(16 * 1024);
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, dir, &err);
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    INVARIANT(fd_replace_file(dir_fd, name, 0600, buf_span(&text), false, &err) == 0);
}

static const char nginx_conf[] =
    "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr crit;\n"
    "events { worker_connections 64; }\n"
    "http {\n"
    "  access_log off;\n"
    "  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;\n"
    "  scgi_temp_path t5;\n"
    "  server { listen 127.0.0.1:%u ssl; ssl_protocols TLSv1.2; server_name localhost;\n"
    "    ssl_certificate server.pem; ssl_certificate_key server.key;\n"
    "    location = /hello { add_header X-Drun yes; return 200 \"$request_method $http_x_a\"; }\n"
    "    location = /moved { return 302 https://169.254.169.254/; }\n"
    "    location = /large { root %s; } }\n"
    "}\n";

static const char slapd_conf[] = "include /etc/ldap/schema/core.schema\n"
                                 "include /etc/ldap/schema/cosine.schema\n"
                                 "include /etc/ldap/schema/inetorgperson.schema\n"
                                 "modulepath /usr/lib/ldap\nmoduleload back_mdb\n"
                                 "pidfile %1$s/slapd.pid\n"
                                 "TLSCertificateFile %1$s/server.pem\n"
                                 "TLSCertificateKeyFile %1$s/server.key\n"
                                 "security simple_bind=128\n"
                                 "database mdb\nsuffix dc=example\nrootdn cn=drun,dc=example\n"
                                 "rootpw service\ndirectory %1$s/db\n";

static const char people[] =
    "dn: dc=example\nobjectClass: domain\ndc: example\n\n"
    "dn: uid=ada,dc=example\nobjectClass: inetOrgPerson\nuid: ada\ncn: Ada\nsn: L\n"
    "mail: ada@example\nmail: countess@example\nuserPassword: difference\n\n"
    "dn: uid=bob,dc=example\nobjectClass: inetOrgPerson\nuid: bob\ncn: Bob\nsn: B\n"
    "userPassword: builder\n";

static void start_servers(void)
{
    struct err err = ERR_INIT;
    int silent;

    https_port = free_port(NULL);
    ldap_port = free_port(NULL);
    ldaps_port = free_port(NULL);
    silent_port = free_port(&silent);
    INVARIANT(listen(silent, 16) == 0); /* never accepts, never answers */
    /* libldap takes localhost for this machine's own name. */
    shell(
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-keyout server.key -out server.pem -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost,DNS:$(hostname) && mkdir db && head -c 65536 /dev/zero >large",
        dir);
    write_file("nginx.conf", nginx_conf, https_port, dir);
    write_file("slapd.conf", slapd_conf, dir);
    write_file("people.ldif", "%s", people);
    shell("/usr/sbin/slapadd -f %s/slapd.conf -l %s/people.ldif", dir, dir);
    CLEANUP_FREE char *pem = mem_printf("%s/server.pem", dir);
    INVARIANT(fd_read_file(AT_FDCWD, pem, &authority, &err) == 0);
    CLEANUP_FREE char *prefix = mem_printf("%s/", dir);
    char *const nginx_argv[] = {(char[]){"/usr/sbin/nginx"},
                                (char[]){"-p"},
                                prefix,
                                (char[]){"-c"},
                                (char[]){"nginx.conf"},
                                NULL};
    CLEANUP_FREE char *conf = mem_printf("%s/slapd.conf", dir);
    CLEANUP_FREE char *urls =
        mem_printf("ldap://127.0.0.1:%u ldaps://127.0.0.1:%u", ldap_port, ldaps_port);
    char *const slapd_argv[] = {(char[]){"/usr/sbin/slapd"},
                                (char[]){"-d"},
                                (char[]){"0"},
                                (char[]){"-f"},
                                conf,
                                (char[]){"-h"},
                                urls,
                                NULL};
    nginx = run(nginx_argv);
    slapd = run(slapd_argv);
    wait_for_port(https_port);
    wait_for_port(ldap_port);
    wait_for_port(ldaps_port);
}

static struct ipc_client *connect_as(enum role_id peer)
{
    struct err err = ERR_INIT;
    int client_fd, server_fd;

    INVARIANT(ipc_pair(&client_fd, &server_fd, &err) == 0);
    INVARIANT(ipc_server_add(loop, &server_fd, peer, &exporter_table, &exporter, &err) == 0);
    return ipc_client_new(&client_fd, "exporter");
}

static int start(void **state UNUSED)
{
    struct err err = ERR_INIT;

    INVARIANT(mkdtemp(dir) != NULL);
    start_servers();
    INVARIANT(loop_new(&loop, &err) == 0);
    exporter = (struct exporter){.loop = loop, .scratch_dir = dir};
    INVARIANT(pool_new(loop, &exporter.pool, &err) == 0);
    channel = connect_as(ROLE_IDP);
    return egress_new(loop, channel, &egress, &err);
}

static int stop(void **state UNUSED)
{
    struct err err = ERR_INIT;

    egress_free(egress);
    ipc_client_free(channel);
    bool ended = pool_free(exporter.pool);
    if (ended)
        loop_free(loop);
    kill(nginx, SIGKILL);
    kill(slapd, SIGKILL);
    waitpid(nginx, NULL, 0);
    waitpid(slapd, NULL, 0);
    buf_free(&authority);
    return fd_remove_tree(dir, &err);
}

/* ------------------------------------------------------------------ calls */

struct outcome {
    bool told;
    struct err err;
    unsigned status;
    char body[256];
    size_t body_len;
    char header[64];
    char dn[128];
    char mail[128]; /* all values, with a space behind each */
    size_t entries;
};

static void on_answer(void *ctx, const struct egress_answer *answer, const struct err *why)
{
    struct outcome *outcome = ctx;

    assert_false(outcome->told);
    outcome->told = true;
    if (why != NULL) {
        outcome->err = *why;
        return;
    }
    struct span header = egress_answer_header(answer, "x-drun");
    outcome->status = answer->status;
    outcome->body_len = answer->body.len;
    snprintf(outcome->body, sizeof(outcome->body), "%.*s", SPAN_ARG(answer->body));
    snprintf(outcome->header, sizeof(outcome->header), "%.*s", SPAN_ARG(header));
}

static void on_found(void *ctx, const struct egress_directory *found, const struct err *why)
{
    struct outcome *outcome = ctx;

    assert_false(outcome->told);
    outcome->told = true;
    if (why != NULL) {
        outcome->err = *why;
        return;
    }
    outcome->entries = found->entry_count;
    if (found->entry_count == 0)
        return;
    snprintf(outcome->dn, sizeof(outcome->dn), "%.*s", SPAN_ARG(found->entries[0].dn));
    const struct egress_attribute *mail = egress_entry_attribute(&found->entries[0], "MAIL");
    for (size_t i = 0; mail != NULL && i < mail->value_count; i++) {
        size_t len = strlen(outcome->mail);
        snprintf(outcome->mail + len, sizeof(outcome->mail) - len, "%.*s ",
                 SPAN_ARG(mail->values[i]));
    }
}

static void wait_for(const struct outcome *outcome)
{
    uint64_t deadline = clock_mono_ns() + 60 * 1000000000ULL;
    struct err err = ERR_INIT;

    while (!outcome->told && clock_mono_ns() < deadline)
        assert_int_equal(loop_turn(loop, 1000, &err), 0);
    assert_true(outcome->told);
}

static struct egress_endpoint here(void)
{
    return (struct egress_endpoint){
        .name = "OidcProvider/test", .ca_pem = buf_span(&authority), .private_network = true};
}

static struct outcome fetch_with(struct egress_request request, const char *format, unsigned port)
{
    struct outcome outcome = {.told = false};
    struct err err = ERR_INIT;
    char url[128];

    snprintf(url, sizeof(url), "https://localhost:%u%s", port, format);
    request.url = url;
    request.method = request.method == NULL ? "GET" : request.method;
    if (egress_fetch(egress, &request, on_answer, &outcome, NULL, &err) < 0) {
        outcome.err = err;
        return outcome;
    }
    assert_false(outcome.told); /* never from inside */
    wait_for(&outcome);
    return outcome;
}

static void an_answer_has_its_status_body_and_the_wanted_headers(void **state UNUSED)
{
    static const char *const headers[] = {"X-A: b", NULL};
    static const char *const wanted[] = {"X-Drun", "X-None", NULL};
    struct outcome outcome = fetch_with((struct egress_request){.endpoint = here(),
                                                                .method = "POST",
                                                                .headers = headers,
                                                                .answer_headers = wanted,
                                                                .body = span_str("a=b")},
                                        "/hello", https_port);

    assert_int_equal(outcome.err.code, ERR_NONE);
    assert_int_equal(outcome.status, 200);
    assert_string_equal(outcome.body, "POST b");
    assert_string_equal(outcome.header, "yes");
}

static void a_redirect_is_an_answer_and_not_followed(void **state UNUSED)
{
    struct outcome outcome =
        fetch_with((struct egress_request){.endpoint = here()}, "/moved", https_port);

    assert_int_equal(outcome.status, 302);
}

static void a_private_address_is_refused_unless_the_endpoint_is_in_one(void **state UNUSED)
{
    struct egress_request request = {.endpoint = here()};

    request.endpoint.private_network = false;
    struct outcome outcome = fetch_with(request, "/hello", https_port);
    assert_int_equal(outcome.err.code, ERR_DENIED);
    assert_non_null(strstr(outcome.err.msg, "loopback"));
}

static void the_operators_networks_need_no_word_of_the_endpoint(void **state UNUSED)
{
    struct egress_request request = {.endpoint = here()};
    struct err err = ERR_INIT;

    request.endpoint.private_network = false;
    assert_int_equal(egress_networks_add(&exporter.networks, "127.0.0.0/8", &err), 0);
    struct outcome outcome = fetch_with(request, "/hello", https_port);
    exporter.networks.count = 0;
    assert_int_equal(outcome.status, 200);
}

static void another_authority_is_not_trusted(void **state UNUSED)
{
    struct egress_request request = {.endpoint = here()};

    request.endpoint.ca_pem = span_of(NULL, 0); /* the system's */
    struct outcome outcome = fetch_with(request, "/hello", https_port);
    assert_int_equal(outcome.err.code, ERR_DENIED);
    request.endpoint.ca_pem = span_str("no PEM at all");
    assert_int_equal(fetch_with(request, "/hello", https_port).err.code, ERR_INVALID);
}

static void nobody_there_no_name_and_no_answer_are_told_apart(void **state UNUSED)
{
    struct outcome outcome = {.told = false};
    struct err err = ERR_INIT;

    assert_int_equal(
        fetch_with((struct egress_request){.endpoint = here()}, "/hello", free_port(NULL)).err.code,
        ERR_UNAVAILABLE);
    assert_int_equal(fetch_with((struct egress_request){.endpoint = here(), .timeout_ms = 300},
                                "/hello", silent_port)
                         .err.code,
                     ERR_TIMEOUT);
    struct egress_request request = {
        .endpoint = here(), .method = "GET", .url = "https://no-such-host.invalid/"};
    assert_int_equal(egress_fetch(egress, &request, on_answer, &outcome, NULL, &err), 0);
    wait_for(&outcome);
    assert_int_equal(outcome.err.code, ERR_UNAVAILABLE);
}

static void an_answer_over_its_ceiling_is_an_error(void **state UNUSED)
{
    struct egress_request request = {.endpoint = here()};

    assert_int_equal(fetch_with(request, "/large", https_port).body_len, 65536);
    request.answer_max = 65535;
    assert_int_equal(fetch_with(request, "/large", https_port).err.code, ERR_TOO_LARGE);
}

static void one_slow_destination_holds_no_other_up(void **state UNUSED)
{
    struct outcome slow[20] = {{.told = false}};
    struct err err = ERR_INIT;
    char url[64];

    snprintf(url, sizeof(url), "https://localhost:%u/", silent_port);
    struct egress_request request = {
        .endpoint = here(), .method = "GET", .url = url, .timeout_ms = 20000};
    egress_call calls[ARRAY_LEN(slow)];
    for (size_t i = 0; i < ARRAY_LEN(slow); i++)
        assert_int_equal(egress_fetch(egress, &request, on_answer, &slow[i], &calls[i], &err), 0);
    struct outcome outcome =
        fetch_with((struct egress_request){.endpoint = here()}, "/hello", https_port);
    assert_int_equal(outcome.status, 200);
    for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
        assert_false(slow[i].told);
        egress_cancel(egress, calls[i]);
    }
}

static void what_is_malformed_does_not_leave(void **state UNUSED)
{
    static const char *const smuggled[] = {"X-A: b\r\nX-Evil: c", NULL};
    struct outcome outcome = {.told = false};
    struct err err = ERR_INIT;
    struct egress_request plain = {.endpoint = here(), .method = "GET", .url = "http://localhost/"};

    assert_int_equal(
        fetch_with((struct egress_request){.endpoint = here(), .headers = smuggled}, "/hello", 1)
            .err.code,
        ERR_INVALID);
    assert_int_equal(egress_fetch(egress, &plain, on_answer, &outcome, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

/* As in the message table: the gateway's keeper binds to no directory, and api asks for nothing. */
static void only_the_named_senders_are_served(void **state UNUSED)
{
    struct outcome outcome = {.told = false};
    struct err err = ERR_INIT;
    struct ipc_client *other = connect_as(ROLE_API);
    struct egress *client;
    char url[64];

    snprintf(url, sizeof(url), "https://localhost:%u/hello", https_port);
    struct egress_request request = {.endpoint = here(), .method = "GET", .url = url};
    assert_int_equal(egress_new(loop, other, &client, &err), 0);
    assert_int_equal(egress_fetch(client, &request, on_answer, &outcome, NULL, &err), 0);
    wait_for(&outcome);
    assert_int_equal(outcome.err.code, ERR_DENIED);
    egress_free(client);
    ipc_client_free(other);
}

static void calls_that_are_out_learn_that_the_exporter_died(void **state UNUSED)
{
    struct outcome outcome = {.told = false};
    struct err err = ERR_INIT;
    int client_fd, server_fd;
    char url[64];

    snprintf(url, sizeof(url), "https://localhost:%u/hello", https_port);
    struct egress_request request = {.endpoint = here(), .method = "GET", .url = url};
    assert_int_equal(ipc_pair(&client_fd, &server_fd, &err), 0);
    struct ipc_client *lone = ipc_client_new(&client_fd, "exporter");
    struct egress *client;
    assert_int_equal(egress_new(loop, lone, &client, &err), 0);
    assert_int_equal(egress_fetch(client, &request, on_answer, &outcome, NULL, &err), 0);
    fd_close(&server_fd);
    wait_for(&outcome);
    assert_int_equal(outcome.err.code, ERR_UNAVAILABLE);
    assert_int_equal(egress_fetch(client, &request, on_answer, &outcome, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    egress_free(client);
    ipc_client_free(lone);
}

/* ------------------------------------------------------------------ directories */

static struct outcome bind_with(struct egress_bind bind, const char *scheme, unsigned port)
{
    struct outcome outcome = {.told = false};
    struct err err = ERR_INIT;
    char url[128];

    snprintf(url, sizeof(url), "%slocalhost:%u", scheme, port);
    bind.url = url;
    bind.dn = bind.dn == NULL ? "cn=drun,dc=example" : bind.dn;
    if (bind.password.p == NULL)
        bind.password = span_str("service");
    if (egress_bind(egress, &bind, on_found, &outcome, NULL, &err) < 0)
        outcome.err = err;
    else
        wait_for(&outcome);
    if (outcome.err.code != ERR_NONE)
        print_message("# %s\n", outcome.err.msg);
    return outcome;
}

static void a_service_account_finds_a_user(void **state UNUSED)
{
    static const char *const wanted[] = {"mail", NULL};
    struct egress_bind bind = {.endpoint = here(),
                               .base = "dc=example",
                               .scope = EGRESS_SCOPE_SUBTREE,
                               .filter = "(uid=ada)",
                               .attributes = wanted};

    for (int i = 0; i < 2; i++) {
        struct outcome outcome = i == 0 ? bind_with(bind, "ldaps://", ldaps_port)
                                        : bind_with(bind, "ldap://", ldap_port);
        assert_int_equal(outcome.err.code, ERR_NONE);
        assert_int_equal(outcome.entries, 1);
        assert_string_equal(outcome.dn, "uid=ada,dc=example");
        assert_string_equal(outcome.mail, "ada@example countess@example ");
    }
}

static void a_users_password_is_checked(void **state UNUSED)
{
    struct egress_bind bind = {
        .endpoint = here(), .dn = "uid=ada,dc=example", .password = span_str("difference")};

    struct outcome good = bind_with(bind, "ldaps://", ldaps_port);
    assert_int_equal(good.err.code, ERR_NONE);
    assert_int_equal(good.entries, 0);
    bind.password = span_str("wrong");
    assert_int_equal(bind_with(bind, "ldaps://", ldaps_port).err.code, ERR_UNAUTHENTICATED);
    bind.password = span_of("", 0); /* which the directory would take for anonymous */
    assert_int_equal(bind_with(bind, "ldaps://", ldaps_port).err.code, ERR_UNAUTHENTICATED);
}

static void a_search_that_finds_too_much_or_nowhere_is_an_error(void **state UNUSED)
{
    struct egress_bind bind = {.endpoint = here(),
                               .base = "dc=example",
                               .scope = EGRESS_SCOPE_SUBTREE,
                               .filter = "(objectClass=inetOrgPerson)",
                               .entries_max = 1};

    assert_int_equal(bind_with(bind, "ldaps://", ldaps_port).err.code, ERR_TOO_LARGE);
    bind.entries_max = 2;
    assert_int_equal(bind_with(bind, "ldaps://", ldaps_port).entries, 2);
    bind.base = "dc=elsewhere,dc=example";
    assert_int_equal(bind_with(bind, "ldaps://", ldaps_port).err.code, ERR_NOT_FOUND);
}

static void a_directory_is_verified_like_any_other_server(void **state UNUSED)
{
    struct egress_bind bind = {.endpoint = here()};

    bind.endpoint.private_network = false;
    assert_int_equal(bind_with(bind, "ldaps://", ldaps_port).err.code, ERR_DENIED);
    bind.endpoint.private_network = true;
    bind.endpoint.ca_pem = span_of(NULL, 0);
    assert_int_equal(bind_with(bind, "ldaps://", ldaps_port).err.code, ERR_DENIED);
    assert_int_equal(bind_with(bind, "ldap://", ldap_port).err.code, ERR_DENIED);
    bind.endpoint = here();
    bind.timeout_ms = 500;
    assert_int_equal(bind_with(bind, "ldaps://", silent_port).err.code, ERR_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_its_status_body_and_the_wanted_headers),
        cmocka_unit_test(a_redirect_is_an_answer_and_not_followed),
        cmocka_unit_test(a_private_address_is_refused_unless_the_endpoint_is_in_one),
        cmocka_unit_test(the_operators_networks_need_no_word_of_the_endpoint),
        cmocka_unit_test(another_authority_is_not_trusted),
        cmocka_unit_test(nobody_there_no_name_and_no_answer_are_told_apart),
        cmocka_unit_test(an_answer_over_its_ceiling_is_an_error),
        cmocka_unit_test(what_is_malformed_does_not_leave),
        cmocka_unit_test(only_the_named_senders_are_served),
        cmocka_unit_test(calls_that_are_out_learn_that_the_exporter_died),
        cmocka_unit_test(a_service_account_finds_a_user),
        cmocka_unit_test(a_users_password_is_checked),
        cmocka_unit_test(a_search_that_finds_too_much_or_nowhere_is_an_error),
        cmocka_unit_test(a_directory_is_verified_like_any_other_server),
        cmocka_unit_test(one_slow_destination_holds_no_other_up),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("exporter", tests, start, stop);
}
