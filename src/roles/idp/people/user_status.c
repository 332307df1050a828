/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a User's status says: written when a user is made, gets a password or signs in, never for a
 * request in between. Nobody else writes it: what comes with a change from outside is put aside.
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "codec/json.h"

static void put_state(json_t *status, const json_t *spec)
{
    bool disabled = json_is_true(json_object_get(spec, "disabled"));
    bool invited = !json_is_true(json_object_get(status, "passwordSet")) &&
                   json_object_get(status, "lastLogin") == NULL;

    json_object_set_new(status, "state",
                        json_string(disabled  ? "Disabled"
                                    : invited ? "Invited"
                                              : "Active"));
}

void user_status_admit(struct kube_change *change)
{
    const json_t *old = json_object_get(change->old, "status");
    json_t *status = old == NULL ? json_object() : json_deep_copy(old);

    if (change->old == NULL)
        json_object_set_new(status, "passwordSet", json_false());
    /* A user from before there were states keeps none until the next sign-in tells. */
    if (json_object_size(status) > 0)
        put_state(status, json_object_get(change->object, "spec"));
    json_object_set_new(change->object, "status", status);
}

/* `member` and what it is now; consumes `value`. */
static int note(struct idp *idp, const char *name, const char *member, json_t *value,
                struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    CLEANUP_JSON json_t *status = json_object();
    CLEANUP_JSON json_t *news = value;
    struct kube_server *kube = serve_kube(idp->serve);

    TRY(kube_object_get(kube, &kube_user, "", name, &object, err));
    json_object_update(status, json_object_get(object, "status"));
    json_object_set(status, member, news);
    put_state(status, json_object_get(object, "spec"));
    return kube_object_put_status(kube, &kube_user, "", name, status, err);
}

int user_status_has_password(struct idp *idp, const char *name, struct err *err)
{
    return note(idp, name, "passwordSet", json_true(), err);
}

int user_status_signed_in(struct idp *idp, const char *name, struct err *err)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format_sec(clock_wall_sec(), now);
    return note(idp, name, "lastLogin", json_string(now), err);
}
