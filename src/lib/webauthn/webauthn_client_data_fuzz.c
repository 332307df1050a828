/* SPDX-License-Identifier: Apache-2.0 */
/* Client data of any bytes: it is refused with a reason, or it names the challenge. */
#include "webauthn/webauthn_internal.h"

#define CHALLENGE "Y2hhbGxlbmdlLW9mLXRoaXJ0eS10d28tYnl0ZXMtLS0tLS0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct webauthn_site site = {"drun.example", "https://drun.example"};
    const struct webauthn_ceremony how = {.site = &site, .challenge = span_str(CHALLENGE)};
    struct err err = ERR_INIT;

    if (client_data_check(span_of(data, size), "webauthn.get", &how, &err) < 0)
        INVARIANT(err.code != ERR_NONE && err.msg[0] != '\0');
    else
        INVARIANT(size >= strlen(CHALLENGE));
    return 0;
}
