/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the waf role for each compilation, and `drun waf test|explain`. What I hold: rules
 * and an image. Who may speak to me: who started me.
 */
#include "tool.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"compile", tool_compile}, {"test", tool_try}, {"explain", tool_explain}};

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "usage: drun waf test|explain|hits\n");
    return 2;
}
