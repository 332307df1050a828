/* SPDX-License-Identifier: Apache-2.0 */
/* No header gets in without a credential that was given out; and a key that has the right form is
 * what it was. */
#include "auth/auth.h"
#include "base/fd.h"
#include "base/mem.h"
#include "snapshot/identity.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct auth *known_identities(void)
{
    static const uint8_t pepper[IDENTITY_PEPPER_LEN];
    static struct auth *auth; /* kept from input to input */
    CLEANUP(identity_builder_free_ptr)
    struct identity_builder *builder = identity_builder_new(pepper);
    CLEANUP(snapshot_publisher_free_ptr) struct snapshot_publisher *publisher = NULL;
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    char dir[] = "/tmp/credential_fuzz.XXXXXX";
    struct auth_input input = {.now = 1};
    struct auth_principal principal;
    struct err err = ERR_INIT;
    uint64_t generation;

    if (auth != NULL)
        return auth;
    INVARIANT(mkdtemp(dir) != NULL);
    int read_fd = fd_open_dir(AT_FDCWD, dir, &err);
    int write_fd = fd_open_dir(AT_FDCWD, dir, &err);
    INVARIANT(snapshot_publisher_open(&identity_snapshot, &write_fd, &publisher, &err) == 0);
    INVARIANT(identity_builder_finish(builder, &file, &err) == 0);
    INVARIANT(snapshot_publish(publisher, &file, &generation, &err) == 0);
    auth = auth_new(&read_fd, 4);
    INVARIANT(auth_check(auth, &input, &principal, &err) == 0);
    for (int i = 0; i < 2; i++) {
        CLEANUP_FREE char *path = mem_printf("%s/identity.%s", dir, i == 0 ? "snap" : "gen");
        unlink(path);
    }
    rmdir(dir);
    return auth;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_input input = {.authorization = span_of(data, size), .now = 1800000000};
    struct auth_input cookie = {.session_cookie = span_of(data, size), .now = 1800000000};
    struct auth_principal principal;
    struct err err = ERR_INIT;

    if (size == 0)
        return 0;
    INVARIANT(auth_check(known_identities(), &input, &principal, &err) < 0);
    INVARIANT(err.code == ERR_UNAUTHENTICATED);
    INVARIANT(auth_check(known_identities(), &cookie, &principal, &err) < 0);
    if (auth_key_check(input.authorization, &err) == 0)
        INVARIANT(size == AUTH_KEY_LEN && span_has_prefix(input.authorization, AUTH_KEY_PREFIX));
    return 0;
}
