/* SPDX-License-Identifier: Apache-2.0 */
/* What is SecLang, and what the message is when it is not. */
#include "waf/run/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void refused(const char *rules, const char *message)
{
    const char *said = rig_refuses(rules);

    if (strncmp(said, message, strlen(message)) != 0)
        fail_msg("wanted \"%s\", got \"%s\"", message, said);
}

static void taken(const char *rules)
{
    const char *said = rig_refuses(rules);

    if (said[0] != '\0')
        fail_msg("%s: %s", rules, said);
}

static void errors_say_where(void **state UNUSED)
{
    refused("SecFoo On\n", "rules:1:1: there is no directive \"SecFoo\"");
    refused("\n# x\nSecRule ARGS|NOPE \"x\" \"id:1\"\n",
            "rules:3:14: there is no variable \"NOPE\"");
    refused("SecRule ARGS \"@nope x\" \"id:1\"\n", "rules:1:15: there is no operator \"@nope\"");
    refused("SecRule ARGS \"x\" \"id:1,\\\n  foo\"\n", "rules:2:3: there is no action \"foo\"");
    refused("SecRule ARGS \"x\" \"phase:1\"\n", "rules:1:1: the rule has no id");
    refused("SecRule ARGS \"x\" \"id:1,phase:9\"\n", "rules:1:24: ");
    refused("SecRule ARGS \"(x\" \"id:1\"\n", "rules:1:15: the pattern is wrong");
    refused("SecRule ARGS \"x\n", "rules:1:14: this quotation mark is never closed");
    refused("SecAction \"id:1\"\nSecAction \"id:1\"\n", "rules:2:12: id 1 is taken already");
    refused("SecRuleEngine Maybe\n", "rules:1:15: SecRuleEngine cannot be \"Maybe\"");
    refused("Include /nowhere/*.conf\n", "rules:1:9: there is no file /nowhere/*.conf");
    refused("SecRule ARGS \"@pmFromFile /nowhere\" \"id:1\"\n", "rules:1:15: cannot open /nowhere");
    refused("SecRule REQUEST_URI:x \"x\" \"id:1\"\n", "rules:1:9: this variable takes no key");
}

static void what_is_not_done_is_refused(void **state UNUSED)
{
    refused("SecRuleScript x.lua\n", "rules:1:1: SecRuleScript is not supported");
    refused("SecAction \"id:1,exec:/bin/sh\"\n", "rules:1:17: the action exec is not supported");
    refused("SecRule ARGS \"@inspectFile x\" \"id:1\"\n", "rules:1:15: @inspectFile");
}

static void chains_are_checked(void **state UNUSED)
{
    refused("SecRule ARGS \"x\" \"id:1,chain\"\n", "rules:1:1: the rule says \"chain\"");
    refused("SecRule ARGS \"x\" \"id:1,chain\"\nSecMarker X\n", "rules:2:1: a SecRule must follow");
    refused("SecRule ARGS \"x\" \"id:1,chain\"\nSecRule ARGS \"y\" \"deny\"\n",
            "rules:2:19: this action belongs to the first rule");
}

static void forms_of_words(void **state UNUSED)
{
    taken("SecRule ARGS x id:1\n");
    taken(
        "secrule \"args|!ARGS:/^a|b$/|&ARGS:'c d'|XML:/*|XML://@*\" \"!@rx x\" \"id:'1', deny, \\\n"
        "   msg:'It\\'s, a \\\"message\\\"',setvar:tx.a=1,setvar:'tx.b=+%{tx.a}'\"\n");
    taken("SecRule ARGS:/a\\/b/ x id:1\r\nSecAction 'id:2,pass'\r\n");
    taken("SecRuleRemoveById 1 2-5 \"7 8-9\"\nSecRuleUpdateTargetById 5 \"!ARGS:x\"\n"
          "SecRuleUpdateActionById 7 \"deny,status:404\"\n");
    taken("SecDefaultAction \"phase:2,log,deny,status:405\"\nSecAuditLogParts ABIJDEFHZ\n"
          "IncludeOptional /nowhere/*.conf\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(what_is_not_done_is_refused),
        cmocka_unit_test(chains_are_checked),
        cmocka_unit_test(forms_of_words),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
