/* SPDX-License-Identifier: Apache-2.0 */
/* Where the platform listens, and what it is called there. */
#include "role/settings.h"

static const char *const names[SETTINGS_LISTENERS] = {
    [SETTINGS_LISTEN] = "listen",
    [SETTINGS_LISTEN_MTLS] = "listen-mtls",
    [SETTINGS_LISTEN_PROXY] = "listen-proxy",
    [SETTINGS_LISTEN_SECOND] = "listen-second",
};

const char *settings_listener_name(enum settings_listener which)
{
    return names[which];
}

const struct opt_listen *settings_listener(const struct settings *settings,
                                           enum settings_listener which)
{
    const struct opt_listen *const all[SETTINGS_LISTENERS] = {
        [SETTINGS_LISTEN] = &settings->listen,
        [SETTINGS_LISTEN_MTLS] = &settings->listen_mtls,
        [SETTINGS_LISTEN_PROXY] = &settings->edge.listen_proxy,
        [SETTINGS_LISTEN_SECOND] = &settings->listen_second,
    };

    return all[which];
}

enum settings_listener settings_listener_of(enum role_id gateway)
{
    return gateway == ROLE_GATEWAY2 ? SETTINGS_LISTEN_SECOND : SETTINGS_LISTEN;
}

unsigned settings_gateways(const struct settings *settings)
{
    return settings->listen_second.port != 0 ? 2 : 1;
}

struct opt_listen settings_listener_here(const struct settings *settings,
                                         enum settings_listener which)
{
    struct opt_listen here = *settings_listener(settings, which);

    if (strcmp(here.host, "0.0.0.0") == 0)
        snprintf(here.host, sizeof(here.host), "127.0.0.1");
    else if (strcmp(here.host, "::") == 0)
        snprintf(here.host, sizeof(here.host), "::1");
    return here;
}

void settings_address_text(const struct opt_listen *listen, char *out, size_t size)
{
    bool bracketed = strchr(listen->host, ':') != NULL;

    snprintf(out, size, bracketed ? "[%s]:%u" : "%s:%u", listen->host, listen->port);
}

void settings_listener_text(const struct settings *settings, enum settings_listener which,
                            char *out, size_t size)
{
    settings_address_text(settings_listener(settings, which), out, size);
}

int settings_check_listeners(const struct settings *settings, struct err *err)
{
    for (unsigned i = 0; i < SETTINGS_LISTENERS; i++)
        for (unsigned j = i + 1; j < SETTINGS_LISTENERS; j++) {
            const struct opt_listen *one = settings_listener(settings, i);
            const struct opt_listen *other = settings_listener(settings, j);
            if (one->port != 0 && one->port == other->port && strcmp(one->host, other->host) == 0)
                return err_set(err, ERR_INVALID,
                               "%s and %s are both %s port %u; each needs an address of its own",
                               names[i], names[j], one->host, one->port);
        }
    return 0;
}

void settings_public_url(const struct settings *settings, char *out, size_t size)
{
    char listen[64];

    settings_listener_text(settings, SETTINGS_LISTEN, listen, sizeof(listen));
    if (settings->public_url != NULL)
        snprintf(out, size, "%s", settings->public_url);
    else
        snprintf(out, size, "https://%s", listen);
}

/* Where the host of a URL ends: at its port, its path or its end. */
static size_t host_end(const char *url)
{
    const char *host = strstr(url, "://");
    size_t start = host == NULL ? 0 : (size_t)(host + 3 - url);

    if (url[start] == '[')
        start += strcspn(url + start, "]");
    return start + strcspn(url + start, ":/");
}

void settings_mtls_url(const struct settings *settings, char *out, size_t size)
{
    char url[1024];

    out[0] = '\0';
    if (settings->listen_mtls.port == 0)
        return;
    settings_public_url(settings, url, sizeof(url));
    snprintf(out, size, "%.*s:%u", (int)host_end(url), url, settings->listen_mtls.port);
}
