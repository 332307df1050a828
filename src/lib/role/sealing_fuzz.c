/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor and the command read of each other's words, and what the supervisor reads of
 * a role that fails: what is taken is written back to the same bytes, and can be shown to a person.
 */
#include "role/control.h"
#include "role/sealing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void status(struct span bytes)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(1 << 20);
    struct sealing_status status;
    struct err err = ERR_INIT;

    if (sealing_get_status(bytes, &status, &err) < 0)
        return;
    INVARIANT(sealing_state_name(status.state) != NULL);
    sealing_put_status(&status, &again);
    INVARIANT(span_eq(bytes, buf_span(&again)));
}

static void failure(struct span bytes)
{
    struct err why = ERR_INIT;
    struct err err = ERR_INIT;

    if (control_get_failure(bytes, &why, &err) < 0)
        return;
    INVARIANT(why.code > ERR_NONE && why.code < ERR_CODE_COUNT);
    for (const char *c = why.msg; *c != '\0'; c++)
        INVARIANT((uint8_t)*c >= ' ' && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    status(span_of(data, size));
    failure(span_of(data, size));
    return 0;
}
