/* SPDX-License-Identifier: Apache-2.0 */
/* Pairwise subjects (OpenID Connect Core section 8.1): clients of different sectors cannot tell by
 * them that two of their users are one. */
#include "idp/idp_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"

#define SUBJECTS "subjects"

bool subject_is_pairwise(const struct client *client)
{
    return strcmp(client_text(client, "subjectType"), "pairwise") == 0;
}

/* The host of the redirect URIs, when no sector is named. */
static void put_sector(const struct client *client, struct buf *out)
{
    const char *uri = json_string_value(json_array_get(client->redirects, 0));
    const char *sector = client_text(client, "sectorIdentifier");
    const char *host = uri == NULL ? NULL : strstr(uri, "://");

    if (sector[0] != '\0')
        buf_put_str(out, sector);
    else if (host != NULL)
        buf_put(out, host + 3, strcspn(host + 3, ":/?"));
    else
        buf_put_str(out, client->id);
}

static int remember(struct idp *idp, const char *subject, const char *user, const char *uid,
                    struct err *err)
{
    CLEANUP_JSON json_t *record = json_pack("{s:s, s:s}", "user", user, "uid", uid);

    if (record_put_new(idp, SUBJECTS, subject, record, err) == 0)
        return 0;
    if (err->code != ERR_EXISTS)
        return -1;
    err_clear(err);
    return 0;
}

int subject_of(struct idp *idp, const struct client *client, const char *user, const char *uid,
               char out[SUBJECT_SIZE], struct err *err)
{
    CLEANUP(buf_free) struct buf input = BUF_INIT(8192);
    CLEANUP(buf_free) struct buf text = BUF_INIT(SUBJECT_SIZE);
    uint8_t mac[CRYPTO_HASH_LEN];

    snprintf(out, SUBJECT_SIZE, "%s", uid);
    if (!subject_is_pairwise(client))
        return 0;
    buf_put_str(&input, "pairwise ");
    put_sector(client, &input);
    buf_printf(&input, " %s", uid);
    TRY(buf_check(&input, "the sector", err));
    crypto_hmac_sha256(span_of(idp->pepper, sizeof(idp->pepper)), buf_span(&input), mac);
    enc_base64_put(ENC_BASE64URL, span_of(mac, sizeof(mac)), &text);
    snprintf(out, SUBJECT_SIZE, "%s", buf_text(&text));
    return remember(idp, out, user, uid, err);
}

int subject_find(struct idp *idp, const char *subject, json_t **out, struct err *err)
{
    return record_get(idp, SUBJECTS, subject, out, err);
}
