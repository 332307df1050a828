/* SPDX-License-Identifier: Apache-2.0 */
/* The platform on one screen: each process, whom it may call, and what it listens on. What it may
 * do is const data in its own folder (`NAME_lockdown`), what it answers in its message table. */
#include "cli/role_table.h"

#include "agent/agent.h"
#include "api/api.h"
#include "audit/audit_role.h"
#include "exporter/exporter.h"
#include "gateway/gateway_role.h"
#include "idp/idp.h"
#include "kms/kms.h"
#include "posture/posture.h"
#include "secrets/secrets.h"
#include "waf/waf_role.h"

#define KMS      IPC_FROM(ROLE_KMS)
#define AUDIT    IPC_FROM(ROLE_AUDIT)
#define API      IPC_FROM(ROLE_API)
#define IDP      IPC_FROM(ROLE_IDP)
#define SECRETS  IPC_FROM(ROLE_SECRETS)
#define AGENT    IPC_FROM(ROLE_AGENT)
#define EXPORTER IPC_FROM(ROLE_EXPORTER)

static bool is_second_wanted(const struct settings *settings)
{
    return settings_gateways(settings) > 1;
}

const struct role_entry role_table[] = {
    {.id = ROLE_KMS, .main = kms_main},
    {.id = ROLE_AUDIT, .main = audit_main, .calls = KMS, .http = true},
    {.id = ROLE_API, .main = api_main, .calls = KMS | AUDIT, .http = true},
    {.id = ROLE_SECRETS, .main = secrets_main, .calls = KMS | AUDIT | API, .http = true},
    {.id = ROLE_IDP,
     .main = idp_main,
     .calls = KMS | AUDIT | API | SECRETS,
     .calls_late = EXPORTER,
     .http = true},
    {.id = ROLE_EXPORTER,
     .main = exporter_main,
     .calls = AUDIT | API | SECRETS,
     .calls_late = API | SECRETS},
    {.id = ROLE_AGENT,
     .main = agent_main,
     .calls = KMS | AUDIT | API,
     .calls_late = API,
     .keeps_root = true},
    {.id = ROLE_POSTURE, .main = posture_main, .calls = KMS | AUDIT | IDP | AGENT, .http = true},
    {.id = ROLE_WAF, .main = waf_main, .calls = AUDIT | API, .calls_late = API},
    {.id = ROLE_GATEWAY,
     .main = gateway_main,
     .calls = KMS | AUDIT | AGENT | API,
     .calls_late = EXPORTER},
    {.id = ROLE_GATEWAY2,
     .main = gateway_main,
     .calls = KMS | AUDIT | AGENT | API,
     .calls_late = EXPORTER,
     .wanted = is_second_wanted},
    {0},
};
