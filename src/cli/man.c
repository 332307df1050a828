/* SPDX-License-Identifier: Apache-2.0 */
/* drun man: the man page, out of the command table and the settings' option table. docs/man/drun.1
 * is what it prints. */
#include "base/buf.h"
#include "cli/command.h"
#include "role/settings.h"

enum { MAN_MAX = 1024 * 1024 };

/* Nothing in a text may be taken for a request or an escape; "-" is the ASCII one. */
static void put(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\\')
            buf_put_str(out, "\\e");
        else if (*c == '-')
            buf_put_str(out, "\\-");
        else if ((*c == '.' || *c == '\'') && c == text)
            buf_printf(out, "\\&%c", *c);
        else
            buf_put_u8(out, (uint8_t)*c);
    }
}

static void put_options(const struct cli_command *command, struct buf *out)
{
    for (const struct cli_option *option = command->options; option != NULL && option->name != NULL;
         option++) {
        buf_put_str(out, ".TP\n\\fB");
        put(out, option->name);
        buf_put_str(out, "\\fR");
        if (option->value != NULL) {
            buf_put_str(out, " \\fI");
            put(out, option->value);
            buf_put_str(out, "\\fR");
        }
        buf_put_u8(out, '\n');
        put(out, option->doc);
        buf_put_u8(out, '\n');
    }
}

static void put_command(const struct cli_command *command, struct buf *out)
{
    buf_put_str(out, ".SS drun ");
    put(out, command->name);
    if (command->arguments[0] != '\0') {
        buf_put_u8(out, ' ');
        put(out, command->arguments);
    }
    buf_put_str(out, "\n");
    buf_put_u8(out, (uint8_t)(command->summary[0] - 'a' + 'A'));
    put(out, command->summary + 1);
    buf_put_str(out, ".\n");
    put_options(command, out);
}

static void put_page(struct buf *out)
{
    buf_put_str(out,
                ".TH DRUN 1 \"\" \"drun " DRUN_VERSION "\" \"User commands\"\n"
                ".SH NAME\ndrun \\- the security plane of a shared AI compute platform\n"
                ".SH SYNOPSIS\n\\fBdrun\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n"
                ".SH DESCRIPTION\n"
                "\\fBdrun up\\fR starts the platform on this machine; the other commands speak "
                "to a platform over HTTPS.\n"
                "They find it by \\fB\\-\\-server\\fR or \\fB$DRUN_SERVER\\fR; else by "
                "\\fB\\-\\-data\\fR or \\fB$DRUN_DATA\\fR, as its operator, whom the platform "
                "knows by the user id; else by the sign\\-in that \\fBdrun login\\fR keeps; "
                "else it is the platform on /var/lib/drun.\n"
                ".SH COMMANDS\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (!command->hidden)
            put_command(command, out);
    buf_put_str(out, ".SH SETTINGS\n"
                     "Of \\fBdrun up\\fR, in its \\fB\\-\\-config\\fR file (YAML) or with "
                     "\\fB\\-\\-set\\fR.\n");
    settings_put_man(out);
    buf_put_str(out,
                ".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\nIt failed, or the answer is no.\n"
                ".TP\n2\nThe command line is wrong.\n.TP\n3\nNot signed in, or not allowed.\n"
                ".TP\n4\nThe platform cannot be reached.\n"
                ".SH ENVIRONMENT\n.TP\n\\fBDRUN_SERVER\\fR, \\fBDRUN_TOKEN\\fR, \\fBDRUN_CA\\fR\n"
                "The platform, an access token or API key, and a file with the authority of the "
                "server's certificate.\n.TP\n\\fBDRUN_DATA\\fR\nThe data directory of a platform "
                "on this machine.\n.TP\n\\fBNO_COLOR\\fR\nNo colour, also on a terminal.\n"
                ".SH FILES\n.TP\n\\fI$XDG_CONFIG_HOME/drun/login.json\\fR\n"
                "The sign\\-in, readable by its user alone.\n.TP\n\\fI/var/lib/drun\\fR\n"
                "Everything that the platform keeps.\n");
}

int cli_man(int argc, char **argv)
{
    CLEANUP(buf_free) struct buf page = BUF_INIT(MAN_MAX);
    struct cli_args args = cli_args_of("man", argc, argv);

    enum cli_exit read = cli_read(&args, NULL, NULL, NULL, 0);
    if (read != CLI_OK)
        return read;
    put_page(&page);
    fputs(buf_text(&page), stdout);
    return CLI_OK;
}
