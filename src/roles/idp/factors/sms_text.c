/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/factors/sms.h"

#include "base/enc.h"
#include "idp/oauth/oauth.h"

bool sms_number(const char *typed, char out[SMS_NUMBER_SIZE])
{
    size_t len = 1;

    while (*typed == ' ')
        typed++;
    if (*typed == '+')
        typed++;
    else if (typed[0] == '0' && typed[1] == '0')
        typed += 2;
    else
        return false;
    out[0] = '+';
    for (; *typed != '\0'; typed++) {
        if (strchr(" -.()", *typed) != NULL)
            continue;
        if (*typed < '0' || *typed > '9' || len == SMS_NUMBER_SIZE - 1)
            return false;
        out[len++] = *typed;
    }
    out[len] = '\0';
    return len >= 1 + 8 && out[1] != '0';
}

void sms_mask(const char *number, char out[SMS_NUMBER_SIZE])
{
    size_t len = strlen(number);

    snprintf(out, SMS_NUMBER_SIZE, "%.3s…%s", number, len > 3 ? number + len - 3 : "");
}

static bool is_json(const char *template)
{
    return template[strspn(template, " ")] == '{';
}

static void put_value(const char *value, bool json, struct buf *out)
{
    CLEANUP(buf_free_wiped) struct buf quoted = BUF_INIT(4096);

    if (!json) {
        enc_percent_put(value, out);
        return;
    }
    oauth_put_json(&quoted, span_str(value));
    if (quoted.len >= 2) /* the template has the quotes */
        buf_put(out, quoted.data + 1, quoted.len - 2);
}

void sms_put_body(const char *template, const char *number, const char *text, struct buf *out)
{
    bool json = is_json(template);

    while (*template != '\0') {
        if (strncmp(template, "{to}", 4) == 0) {
            put_value(number, json, out);
            template += 4;
        } else if (strncmp(template, "{text}", 6) == 0) {
            put_value(text, json, out);
            template += 6;
        } else {
            buf_put_u8(out, (uint8_t) * template ++);
        }
    }
}

const char *sms_content_type(const char *template)
{
    return is_json(template) ? "application/json" : "application/x-www-form-urlencoded";
}
