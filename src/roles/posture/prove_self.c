/* SPDX-License-Identifier: Apache-2.0 */
/* PF-5: what the platform says of itself is fresh, complete and claims nothing that is not proved.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "front.h"
#include "role/settings.h"

#include <stdlib.h>

static const struct control *control_of(const json_t *object)
{
    const char *id = json_string_value(codec_json_at(object, "spec", "id", NULL));

    for (const struct control *control = controls; id != NULL && control->id != NULL; control++)
        if (strcmp(control->id, id) == 0)
            return control;
    return NULL;
}

/* Seconds since the verdict was found; -1 when it never was. */
static int64_t age_of(const json_t *object)
{
    const char *at = json_string_value(codec_json_at(object, "status", "checkedAt", NULL));
    struct err err = ERR_INIT;
    int64_t sec;

    if (at == NULL || clock_parse(span_str(at), &sec, &err) < 0)
        return -1;
    return clock_wall_sec() - sec;
}

static void examine(struct proof *proof, const json_t *list)
{
    int64_t limit_sec = (int64_t)(2 * role_settings(proof->role)->posture_period_ms / 1000);
    size_t fresh = 0;
    size_t absent = 0;
    json_t *object;
    size_t i;

    json_array_foreach (json_object_get(list, "items"), i, object) {
        const struct control *control = control_of(object);
        const char *verdict = json_string_value(codec_json_at(object, "status", "verdict", NULL));
        bool claims = verdict != NULL && strcmp(verdict, "absent") != 0;
        if (control == NULL || verdict == NULL) {
            proof_expect(proof, false, "the control %s is one of the catalogue",
                         codec_json_text(json_object_get(object, "metadata"), "name", "?"));
            continue;
        }
        if (control->prove != NULL && control->prove != prove_pf5 && !claims)
            proof_expect(proof, false, "%s shows the verdict of its proof", control->id);
        if (control->prove == NULL && claims)
            proof_expect(proof, false, "%s has no proof and claims nothing", control->id);
        if (claims &&
            strlen(codec_json_text(json_object_get(object, "status"), "evidence", "")) == 0)
            proof_expect(proof, false, "%s shows its evidence", control->id);
        int64_t age = age_of(object);
        if (claims && control->prove != prove_pf5)
            proof_expect(proof, age >= 0 && age <= limit_sec, "the verdict on %s is fresh (%lld s)",
                         control->id, (long long)age);
        fresh += claims;
        absent += !claims;
    }
    size_t known = 0;
    while (controls[known].id != NULL)
        known++;
    proof_expect(proof, fresh + absent == known,
                 "all %zu controls are shown: %zu with a verdict, "
                 "%zu absent",
                 known, fresh, absent);
}

/* A verdict is found, never written: not even by who may read them all. */
static void prove_read_only(struct proof *proof)
{
    CLEANUP_JSON json_t *lie =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", "drun.io/v1", "kind", "Control",
                  "metadata", "name", "bk-1", "status", "verdict", "proven");
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "PUT", "/apis/drun.io/v1/controls/bk-1", NULL, lie, &status, NULL,
                   &err) < 0)
        proof_broken(proof, &err);
    else
        proof_expect(proof, status == 403 || status == 405, "a verdict cannot be written (%u)",
                     status);
}

void prove_pf5(struct proof *proof)
{
    CLEANUP_JSON json_t *list = NULL;
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "GET", "/apis/drun.io/v1/controls", NULL, NULL, &status, &list,
                   &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    if (proof_expect(proof, status == 200, "the posture can be read (%u)", status))
        examine(proof, list);
    prove_read_only(proof);
}
