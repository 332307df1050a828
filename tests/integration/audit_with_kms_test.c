/* SPDX-License-Identifier: Apache-2.0 */
/* The audit service with a real kms in a process of its own: data keys, signatures, rotation,
 * sealing, and the events that kms has to report. */
#include "kms/kms_fixture.h"

#include "audit/verify.h"
#include "base/fd.h"
#include "base/mem.h"
#include "keys/keys.h"

#include "../../src/roles/audit/kms_keys.h"
#include "../../src/roles/audit/service.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ORIGIN "drun/audit/integration"

static const char *peer_name(unsigned peer)
{
    return role_name((enum role_id)peer);
}

struct subject {
    char dir[80];
    struct loop *loop;
    struct kms_keys keys;
    struct audit_service *service;
};

static void open_subject(struct fixture *fixture, struct subject *subject)
{
    struct err err = ERR_INIT;

    snprintf(subject->dir, sizeof(subject->dir), "%s/audit", fixture->path);
    assert_int_equal(fd_make_dirs(subject->dir, 0700, &err), 0);
    assert_int_equal(loop_new(&subject->loop, &err), 0);
    subject->keys = (struct kms_keys){.kms = fixture->as[ROLE_AUDIT], .origin = ORIGIN};
    struct audit_service_config config = {
        .loop = subject->loop,
        .dir = subject->dir,
        .log = {.origin = ORIGIN, .keys = kms_keys_functions(&subject->keys)},
        .load_signers = kms_keys_signers,
        .kms = fixture->as[ROLE_AUDIT],
        .peer_name = peer_name,
    };
    assert_int_equal(audit_service_new(&config, &subject->service, &err), 0);
}

static void close_subject(struct subject *subject)
{
    audit_service_free(subject->service);
    loop_free(subject->loop);
}

static void remove_log(const struct subject *subject)
{
    static const char *const names[] = {"00000000000000000000.seg", "00000000000000000000.ckpt",
                                        "tree"};
    struct err err = ERR_INIT;
    CLEANUP_FD int fd = fd_open_dir(AT_FDCWD, subject->dir, &err);

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlinkat(fd, names[i], 0);
    rmdir(subject->dir);
}

static int find_reason(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    char *reason = ctx;

    snprintf(reason, 256, "%.*s|%.*s|%.*s", SPAN_ARG(found->event->role),
             SPAN_ARG(found->event->actor.name), SPAN_ARG(found->event->reason));
    return 1;
}

static void newest(struct subject *subject, const char *event, char reason[256])
{
    struct audit_query query = {.event = span_str(event), .outcome = -1, .start = AUDIT_FROM_END};
    uint64_t next;
    struct err err = ERR_INIT;

    reason[0] = '\0';
    assert_int_equal(audit_log_query(audit_service_log(subject->service), &query, find_reason,
                                     reason, &next, NULL, &err),
                     0);
}

static void what_kms_has_to_report_is_recorded_and_signed(void **state)
{
    struct fixture *fixture = *state;
    struct subject subject;
    struct note_keys signers;
    struct audit_verdict verdict;
    CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
    char reason[256];
    struct err err = ERR_INIT;

    open_subject(fixture, &subject);
    /* The api may not sign checkpoints. */
    assert_int_equal(
        keys_sign(fixture->as[ROLE_API], "audit", NULL, span_str("forged"), &sig, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    audit_service_tick(subject.service);
    newest(&subject, AUDIT_KMS_DENIED, reason);
    assert_non_null(strstr(reason, "kms|system:drun:api|"));
    assert_true(audit_log_newest_size(audit_service_log(subject.service)) > 0);
    err_clear(&err);
    assert_int_equal(kms_keys_signers(&subject.keys, &signers, &err), 0);
    close_subject(&subject);
    struct audit_log_keys functions = kms_keys_functions(&subject.keys);
    struct audit_verify_options options = {
        .keys = &signers, .origin = ORIGIN, .decrypt = &functions};
    CLEANUP_FD int fd = fd_open_dir(AT_FDCWD, subject.dir, &err);
    assert_int_equal(audit_verify(fd, &options, &verdict, &err), 0);
    if (!verdict.good)
        fail_msg("%s: %s", verdict.file, verdict.what);
    assert_int_equal(verdict.opened, verdict.size);
    remove_log(&subject);
}

static void a_start_waits_for_kms_to_be_unsealed(void **state)
{
    struct fixture *fixture = *state;
    struct subject subject;
    struct audit_event event = {.event = span_str("drun.test")};
    struct err err = ERR_INIT;

    fixture_start(fixture, false);
    assert_int_equal(keys_seal(fixture->as[ROLE_SUPERVISOR], &err), 0);
    open_subject(fixture, &subject);
    assert_null(audit_service_log(subject.service));
    assert_int_equal(audit_service_record(subject.service, &event, 1, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    audit_service_tick(subject.service);
    assert_null(audit_service_log(subject.service));
    close_subject(&subject);
    remove_log(&subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_kms_has_to_report_is_recorded_and_signed,
                                        fixture_setup_running, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_start_waits_for_kms_to_be_unsealed, fixture_setup,
                                        fixture_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("audit with kms", tests, NULL, NULL);
}
