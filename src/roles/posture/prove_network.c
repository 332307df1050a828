/* SPDX-License-Identifier: Apache-2.0 */
/* NW-2: the firewall refuses attacks wherever the platform is called, and nothing that only looks
 * like one; and it withholds answers that leak. */
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "front.h"

#include <time.h>

/* An installation compiles its rules once, for some seconds of CPU; other proofs wait meanwhile. */
enum { WAIT_MS = 10000, LOOK_MS = 250 };

struct sample {
    const char *what;
    const char *query; /* encoded */
};

static const char *const parts[] = {
    "/api", "/apis/drun.io/v1/modelservices", "/oauth2/authorize", "/session", "/", "/v1/models"};

static const struct sample attacks[] = {
    {"an injection of SQL", "1%27%20OR%20%271%27%3D%271%27%20UNION%20SELECT%20a%20FROM%20b--%20-"},
    {"an injection of a script", "%3Cscript%3Ealert(document.cookie)%3C/script%3E"},
    {"a path to a file", "../../../../etc/passwd"},
    {"an injection of a command", "%3B%20cat%20/etc/passwd%20%7C%20sh"},
};

static const struct sample look_alikes[] = {
    {"a name with a quote", "O%27Reilly%20and%20sons"},
    {"a sentence with select and from", "select%20a%20drink%20from%20the%20menu"},
    {"a comparison", "a%20%3C%20b%20and%20b%20%3E%20c"},
};

/* Whether it says this, of a request or of its answer. */
static bool says(struct proof *proof, unsigned status, const char *words)
{
    struct span body = front_body(proof->front);

    return status == 403 && memmem(body.p, body.len, words, strlen(words)) != NULL;
}

static bool is_refusal(struct proof *proof, unsigned status)
{
    return says(proof, status, "looks like an attack");
}

/* By our own name, so that whoever reads the log can leave these out.
 * 1: refused, in these words; 0: not; -1: it cannot be measured, which the proof says. */
static int visit_for(struct proof *proof, const char *path, const char *header, const char *words)
{
    struct err err = ERR_INIT;
    unsigned status;

    if (front_visit(proof->front, "GET", path, NULL, header, NULL, &status, NULL, &err) == 0)
        return says(proof, status, words);
    proof_broken(proof, &err);
    return -1;
}

static int visit(struct proof *proof, const char *path, const char *header)
{
    return visit_for(proof, path, header, "looks like an attack");
}

static int try_query(struct proof *proof, const char *part, const struct sample *sample)
{
    CLEANUP_FREE char *path = mem_printf("%s?q=%s", part, sample->query);

    return visit(proof, path, NULL);
}

/* Some rule set has never been compiled yet, well or badly. */
static bool is_new(struct proof *proof)
{
    CLEANUP_JSON json_t *list = NULL;
    struct err err = ERR_INIT;
    unsigned status;
    json_t *item;
    size_t i;

    if (front_call(proof->front, "GET", "/apis/drun.io/v1/wafrulesets", NULL, NULL, &status, &list,
                   &err) < 0)
        return false;
    json_array_foreach (json_object_get(list, "items"), i, item)
        if (codec_json_at(item, "status", "phase", NULL) == NULL)
            return true;
    return false;
}

static bool wait_for_rules(struct proof *proof)
{
    uint64_t deadline = clock_mono_ns() + WAIT_MS * UINT64_C(1000000);

    while (is_new(proof)) {
        if (clock_mono_ns() >= deadline)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return true;
}

static void prove_part(struct proof *proof, const char *part)
{
    const char *cookie = "Cookie: a=%3Cscript%3Ealert(1)%3C/script%3E";

    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        proof_expect(proof, try_query(proof, part, &attacks[i]) == 1,
                     "%s in a query at %s is refused", attacks[i].what, part);
    proof_expect(proof, visit(proof, part, cookie) == 1, "a script in a cookie at %s is refused",
                 part);
    for (size_t i = 0; i < ARRAY_LEN(look_alikes); i++)
        proof_expect(proof, try_query(proof, part, &look_alikes[i]) == 0,
                     "%s in a query at %s passes", look_alikes[i].what, part);
}

/* A model that there is none of: who passes the firewall gets the answer of an unknown one. */
static int call(struct proof *proof, const char *user, const char *content)
{
    CLEANUP_JSON json_t *request =
        json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "model", "no-such-tenant/model", "user", user,
                  "messages", "role", "user", "content", content);
    struct err err = ERR_INIT;
    unsigned status;

    if (front_call(proof->front, "POST", "/v1/chat/completions", NULL, request, &status, NULL,
                   &err) == 0)
        return is_refusal(proof, status);
    proof_broken(proof, &err);
    return -1;
}

static void prove_bodies(struct proof *proof)
{
    static const char script[] = "<script>alert(document.cookie)</script>";
    CLEANUP_JSON json_t *named = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind",
                                           "ConfigMap", "metadata", "name", script);
    struct err err = ERR_INIT;
    unsigned status;

    proof_expect(proof, call(proof, script, "Hello.") == 1,
                 "a script in a parameter of a model call is refused");
    proof_expect(proof, call(proof, "me", script) == 0, "a question about a script passes");
    if (front_call(proof->front, "POST", "/api/v1/namespaces/" FRONT_NAMESPACE "/configmaps", NULL,
                   named, &status, NULL, &err) < 0) {
        proof_broken(proof, &err);
        return;
    }
    proof_expect(proof, is_refusal(proof, status), "a script as the name of an object is refused");
}

/* Roles say again what they were asked for, in the errors that they answer with. A name that is the
 * error of a database makes such an answer what a program would leak. */
static void prove_answers(struct proof *proof)
{
    static const char leak[] = "You%20have%20an%20error%20in%20your%20SQL%20syntax%20near";
    static const char plain[] = "there%20is%20an%20error%20in%20this%20name";
    static const char *const echoes[] = {"/api/v1/namespaces/", "/oauth2/authorize?client_id="};

    for (size_t i = 0; i < ARRAY_LEN(echoes); i++) {
        CLEANUP_FREE char *leaks = mem_printf("%s%s", echoes[i], leak);
        CLEANUP_FREE char *plainly = mem_printf("%s%s", echoes[i], plain);
        proof_expect(proof, visit_for(proof, leaks, NULL, "was withheld") == 1,
                     "an answer of %s with the error of a database in it is withheld", echoes[i]);
        proof_expect(proof, visit_for(proof, plainly, NULL, "was withheld") == 0,
                     "an answer of %s with an error of its own passes", echoes[i]);
    }
}

static void prove_gateway(struct proof *proof)
{
    for (size_t i = 0; i < ARRAY_LEN(parts) && proof->verdict != PROOF_FAILED; i++)
        prove_part(proof, parts[i]);
    prove_bodies(proof);
    prove_answers(proof);
}

/* It has workers of its own, which take up the rules by themselves. */
static void prove_second(struct proof *proof)
{
    proof_say(proof, "The same at listen-second:");
    front_turn(proof->front, SETTINGS_LISTEN_SECOND);
    prove_gateway(proof);
    front_turn(proof->front, SETTINGS_LISTEN);
}

void prove_nw2(struct proof *proof)
{
    if (!wait_for_rules(proof)) {
        proof_degrade(proof, "the rules are still being compiled for the first time");
        return;
    }
    prove_gateway(proof);
    if (settings_gateways(role_settings(proof->role)) > 1)
        prove_second(proof);
}
