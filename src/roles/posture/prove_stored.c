/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent can see for us. EN-2: nothing on the disk is readable; MO-5: the audit log cannot
 * be changed unnoticed; ML-3: an engine is shut in. */
#include "audit/report.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "front.h"
#include "wire/proofs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ------------------------------------------------------------------ EN-2 */

enum { CANARY_LEN = 24, HEX_LEN = 2 * CANARY_LEN + 1 };

static bool put_object(struct proof *proof, const char *path, const json_t *object)
{
    CLEANUP_JSON json_t *answer = NULL;
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "POST", path, NULL, object, &status, &answer, &err) < 0) {
        proof_broken(proof, &err);
        return false;
    }
    return proof_expect(proof, status == 201, "an object with the canary is stored (%s: %u%s%s)",
                        path, status, status == 201 ? "" : " ",
                        status == 201 ? "" : codec_json_text(answer, "message", ""));
}

static void drop_object(struct proof *proof, const char *path)
{
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "DELETE", path, NULL, NULL, &status, NULL, &err) < 0)
        proof_broken(proof, &err);
}

/* The canary as it is, in hex and in base64: each alone would be found. */
static json_t *needles_of(const char *canary)
{
    CLEANUP(buf_free) struct buf base64 = BUF_INIT(256);
    CLEANUP(buf_free) struct buf base64_hex = BUF_INIT(512);
    CLEANUP(buf_free) struct buf text_hex = BUF_INIT(512);
    CLEANUP(buf_free) struct buf hex_hex = BUF_INIT(1024);

    enc_base64_put(ENC_BASE64, span_str(canary), &base64);
    enc_hex_put(span_str(canary), &text_hex);
    enc_hex_put(buf_span(&base64), &base64_hex);
    enc_hex_put(buf_span(&text_hex), &hex_hex);
    return json_pack("{s:[s, s, s]}", "needles", buf_text(&text_hex), buf_text(&base64_hex),
                     buf_text(&hex_hex));
}

void proof_search_disk(struct proof *proof, const char *text, const char *what)
{
    CLEANUP_JSON json_t *question = needles_of(text);
    CLEANUP_JSON json_t *answer = NULL;
    CLEANUP(buf_free) struct buf body = BUF_INIT(IPC_BODY_MAX);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);
    struct err err = ERR_INIT;

    codec_json_put(question, &body);
    if (ipc_call(proof_peer(proof, ROLE_AGENT), AGENT_SCAN_FILES, buf_span(&body), &reply, NULL,
                 &err) < 0 ||
        codec_json_parse(buf_span(&reply), "the agent's answer", &answer, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    const json_t *found = json_object_get(answer, "found");
    const json_t *first = json_array_get(found, 0);
    proof_say(proof, "%lld files with %lld bytes were searched as they are on the disk",
              (long long)json_integer_value(json_object_get(answer, "files")),
              (long long)json_integer_value(json_object_get(answer, "bytes")));
    proof_expect(proof, json_is_true(json_object_get(answer, "complete")),
                 "every file could be searched");
    proof_expect(proof, json_array_size(found) == 0,
                 "%s is nowhere in them, plain, in base64 or in hex%s%s", what,
                 first != NULL ? "; found in " : "",
                 first != NULL ? codec_json_text(first, "path", "?") : "");
}

static void prove_run_dir(struct proof *proof)
{
    struct statfs fs;

    bool in_memory = statfs(role_run_dir(proof->role), &fs) == 0 && fs.f_type == TMPFS_MAGIC;
    proof_expect(proof, in_memory, "what is not sealed (%s) is in memory only",
                 role_run_dir(proof->role));
}

void prove_en2(struct proof *proof)
{
    static const char secrets[] = "/api/v1/namespaces/" FRONT_NAMESPACE "/secrets";
    static const char configs[] = "/api/v1/namespaces/" FRONT_NAMESPACE "/configmaps";
    uint8_t random[CANARY_LEN];
    char canary[HEX_LEN];
    struct err err = ERR_INIT;

    if (crypto_random(random, sizeof(random), &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    enc_hex(span_of(random, sizeof(random)), canary);
    CLEANUP_FREE char *name = mem_printf("canary-%s", canary);
    CLEANUP_FREE char *secret_path = mem_printf("%s/%s", secrets, name);
    CLEANUP_FREE char *config_path = mem_printf("%s/%s", configs, name);
    CLEANUP_JSON json_t *secret =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", "v1", "kind", "Secret", "metadata",
                  "name", name, "stringData", "canary", canary);
    CLEANUP_JSON json_t *config =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap",
                  "metadata", "name", name, "data", "canary", canary);
    if (put_object(proof, secrets, secret) && put_object(proof, configs, config))
        proof_search_disk(proof, canary, "the canary");
    drop_object(proof, secret_path);
    drop_object(proof, config_path);
    prove_run_dir(proof);
}

/* ------------------------------------------------------------------ MO-5 */

enum { COPY_MAX = 256 * 1024 * 1024, NAME_MAX_LEN = 256 };

struct copy {
    char *dir;
    char *key_path;
    size_t bytes;
    char *newest; /* a segment's file */
};

static int copy_bytes(int from, const char *path, size_t *total, struct err *err)
{
    CLEANUP_FREE uint8_t *room = mem_new(64 * 1024);
    CLEANUP_FD int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (to < 0)
        return err_sys(err, "cannot write %s", path);
    for (;;) {
        ssize_t got = read(from, room, 64 * 1024);
        if (got < 0)
            return err_sys(err, "cannot read the audit log");
        if (got == 0)
            return 0;
        *total += (size_t)got;
        if (*total > COPY_MAX)
            return err_set(err, ERR_TOO_LARGE,
                           "the audit log is larger than %d MiB; verify it with "
                           "`drun audit verify`",
                           COPY_MAX >> 20);
        TRY(fd_write_all(to, span_of(room, (size_t)got), path, err));
    }
}

/* 0: copied, 1: there is no such file. */
static int copy_file(struct proof *proof, struct copy *copy, uint32_t number, struct err *err)
{
    CLEANUP(buf_free) struct buf name = BUF_INIT(NAME_MAX_LEN);
    CLEANUP(buf_free) struct buf body = BUF_INIT(4);
    CLEANUP(ipc_fds_close) struct ipc_fds fds = {0};

    buf_put_u32(&body, number);
    if (ipc_call(proof_peer(proof, ROLE_AGENT), AGENT_AUDIT_FILE, buf_span(&body), &name, &fds,
                 err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 1;
    }
    if (strchr(buf_text(&name), '/') != NULL || fds.count != 1)
        return err_set(err, ERR_INVALID, "the agent's answer is none");
    CLEANUP_FREE char *path = mem_printf("%s/%s", copy->dir, buf_text(&name));
    size_t len = strlen(path);
    if (len > 4 && strcmp(path + len - 4, ".seg") == 0 &&
        (copy->newest == NULL || strcmp(path, copy->newest) > 0)) {
        free(copy->newest);
        copy->newest = mem_strdup(path);
    }
    return copy_bytes(fds.fd[0], path, &copy->bytes, err);
}

static int copy_log(struct proof *proof, struct copy *copy, struct err *err)
{
    int more = 0;

    TRY(fd_remove_tree(copy->dir, err));
    TRY(fd_make_dirs(copy->dir, 0700, err));
    for (uint32_t number = 0; more == 0; number++)
        more = copy_file(proof, copy, number, err);
    return more < 0 ? -1 : 0;
}

static int verify(const struct copy *copy, struct buf *text, struct err *err)
{
    /* Taken while it is written: the newest batch may be there by half. */
    struct audit_report_options options = {
        .dir = copy->dir, .public_key_file = copy->key_path, .live = true};

    return audit_report_verify(&options, text, err);
}

static int flip_a_byte(const char *path, struct err *err)
{
    struct stat st;
    uint8_t byte;
    CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "cannot open %s", path);
    off_t at = st.st_size / 2;
    if (pread(fd, &byte, 1, at) != 1)
        return err_sys(err, "cannot read %s", path);
    byte ^= 1;
    return pwrite(fd, &byte, 1, at) == 1 ? 0 : err_sys(err, "cannot write %s", path);
}

static void tamper(struct proof *proof, struct copy *copy)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 * 1024);
    CLEANUP(buf_free) struct buf after = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;

    int good = verify(copy, &text, &err);
    if (good < 0) {
        proof_broken(proof, &err);
        return;
    }
    proof_expect(proof, good == 1, "a copy of the audit log (%zu bytes) verifies", copy->bytes);
    if (copy->newest == NULL || flip_a_byte(copy->newest, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    int bad = verify(copy, &after, &err);
    proof_expect(proof, bad != 1, "with one flipped byte it does not: %.*s",
                 (int)strcspn(bad < 0 ? err.msg : buf_text(&after), "\n"),
                 bad < 0 ? err.msg : buf_text(&after));
}

void prove_mo5(struct proof *proof)
{
    CLEANUP_FREE char *dir = mem_printf("%s/log", role_own_run_dir(proof->role));
    CLEANUP_FREE char *key = mem_printf("%s/audit/public.keys", role_run_dir(proof->role));
    struct copy copy = {.dir = dir, .key_path = key};
    struct err err = ERR_INIT;

    if (copy_log(proof, &copy, &err) < 0)
        proof_broken(proof, &err);
    else
        tamper(proof, &copy);
    free(copy.newest);
    err_clear(&err);
    if (fd_remove_tree(dir, &err) < 0)
        proof_broken(proof, &err);
}

/* ------------------------------------------------------------------ ML-3 */

static void prove_attempts(struct proof *proof, const json_t *answer)
{
    json_t *attempt;
    size_t i;

    json_array_foreach (json_object_get(answer, "tried"), i, attempt)
        proof_expect(proof, json_is_true(json_object_get(attempt, "refused")),
                     "inside the sandbox %s is refused: %s", codec_json_text(attempt, "name", "?"),
                     codec_json_text(attempt, "detail", ""));
    proof_expect(proof, json_array_size(json_object_get(answer, "tried")) > 0,
                 "the probe made its attempts in %s", codec_json_text(answer, "sandbox", "?"));
}

void prove_ml3(struct proof *proof)
{
    CLEANUP_JSON json_t *answer = NULL;
    CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);
    struct err err = ERR_INIT;

    if (ipc_call(proof_peer(proof, ROLE_AGENT), AGENT_PROBE_SANDBOX, span_of(NULL, 0), &reply, NULL,
                 &err) < 0) {
        if (err.code == ERR_NOT_FOUND)
            proof_degrade(proof, "no engine runs in a sandbox; apply a model service to have it "
                                 "proved");
        else
            proof_broken(proof, &err);
        return;
    }
    if (codec_json_parse(buf_span(&reply), "the agent's answer", &answer, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    prove_attempts(proof, answer);
    CLEANUP(buf_free) struct buf host = BUF_INIT(4096);
    codec_json_put(json_object_get(answer, "host"), &host);
    proof_say(proof, "host: %s", buf_text(&host));
}
