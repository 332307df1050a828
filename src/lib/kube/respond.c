/* SPDX-License-Identifier: Apache-2.0 */
/* Content negotiation (RFC 9110 section 12.5.1, and the parameters as, g, v of Kubernetes). */
#include "kube/kube_internal.h"

#include "codec/yaml.h"

#include <stdarg.h>

static bool next_part(struct span *rest, char separator, struct span *part)
{
    if (rest->len == 0)
        return false;
    const uint8_t *end = memchr(rest->p, separator, rest->len);
    size_t len = end != NULL ? (size_t)(end - rest->p) : rest->len;
    *part = span_of(rest->p, len);
    size_t skip = len + (end != NULL);
    *rest = span_of(rest->p + skip, rest->len - skip);
    while (part->len > 0 && (part->p[0] == ' ' || part->p[0] == '\t'))
        *part = span_of(part->p + 1, part->len - 1);
    while (part->len > 0 && (part->p[part->len - 1] == ' ' || part->p[part->len - 1] == '\t'))
        part->len--;
    return true;
}

struct range {
    struct span type, as, group, version;
    double q;
};

static void parse_range(struct span text, struct range *range)
{
    struct span part;

    *range = (struct range){.q = 1};
    if (!next_part(&text, ';', &range->type))
        return;
    while (next_part(&text, ';', &part)) {
        const uint8_t *equals = memchr(part.p, '=', part.len);
        if (equals == NULL)
            continue;
        struct span name = span_of(part.p, (size_t)(equals - part.p));
        struct span value = span_of(equals + 1, part.len - name.len - 1);
        char number[8] = "";
        if (span_eq_str(name, "as"))
            range->as = value;
        else if (span_eq_str(name, "g"))
            range->group = value;
        else if (span_eq_str(name, "v"))
            range->version = value;
        else if (span_eq_str(name, "q") && value.len < sizeof(number)) {
            memcpy(number, value.p, value.len);
            range->q = strtod(number, NULL);
        }
    }
}

static bool is_type(struct span type, const char *name)
{
    return type.len == strlen(name) && strncasecmp((const char *)type.p, name, type.len) == 0;
}

static bool take_form(const struct range *range, struct kube_accept *out)
{
    static const struct {
        const char *as, *group;
        enum kube_form form;
    } forms[] = {
        {"Table", "meta.k8s.io", KUBE_FORM_TABLE},
        {"PartialObjectMetadata", "meta.k8s.io", KUBE_FORM_METADATA},
        {"PartialObjectMetadataList", "meta.k8s.io", KUBE_FORM_METADATA_LIST},
        {"APIGroupDiscoveryList", "apidiscovery.k8s.io", KUBE_FORM_DISCOVERY},
    };

    if (range->as.len == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (!span_eq_str(range->as, forms[i].as) || !span_eq_str(range->group, forms[i].group))
            continue;
        bool discovery = forms[i].form == KUBE_FORM_DISCOVERY;
        out->form = forms[i].form;
        out->beta = span_eq_str(range->version, discovery ? "v2beta1" : "v1beta1");
        return out->beta || span_eq_str(range->version, discovery ? "v2" : "v1");
    }
    return false;
}

/* False when this range cannot be served. */
static bool take_range(const struct range *range, bool discovery, bool proto,
                       struct kube_accept *out)
{
    *out = (struct kube_accept){0};
    if (proto &&
        is_type(range->type, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")) {
        out->form = KUBE_FORM_PROTOBUF;
        return true;
    }
    if (proto &&
        is_type(range->type, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")) {
        out->form = KUBE_FORM_PROTOBUF;
        return true;
    }
    if (is_type(range->type, "application/yaml")) {
        out->yaml = true;
        return range->as.len == 0;
    }
    if (!is_type(range->type, "application/json") && !is_type(range->type, "application/*") &&
        !is_type(range->type, "*/*"))
        return false;
    return take_form(range, out) && (discovery || out->form != KUBE_FORM_DISCOVERY);
}

int kube_negotiate(struct kube_call *call)
{
    const char *text = call->request->accept;
    struct span rest = span_str(text != NULL ? text : ""), part;
    enum kube_route_what what = call->route.what;
    bool discovery = what == KUBE_ROUTE_CORE || what == KUBE_ROUTE_GROUPS;
    double best = 0;

    call->accept = (struct kube_accept){0};
    if (rest.len == 0)
        return 0;
    while (next_part(&rest, ',', &part)) {
        struct kube_accept accept;
        struct range range;
        parse_range(part, &range);
        if (range.q <= best ||
            !take_range(&range, discovery, what == KUBE_ROUTE_OPENAPI_V2, &accept))
            continue;
        best = range.q;
        call->accept = accept;
    }
    if (best > 0)
        return 0;
    return kube_refuse(call, 406, "NotAcceptable", NULL,
                       "only the following media types are accepted: application/json, "
                       "application/yaml");
}

void kube_put(struct kube_call *call, unsigned code, const json_t *value)
{
    struct kube_answer *answer = call->answer;
    struct err err = ERR_INIT;

    buf_reset(&answer->body);
    answer->status = code;
    answer->content_type = call->accept.yaml ? "application/yaml" : "application/json";
    if (call->accept.yaml) {
        codec_yaml_put(value, &answer->body);
    } else {
        codec_json_put(value, &answer->body);
        buf_put_str(&answer->body, "\n");
    }
    if (buf_check(&answer->body, "the answer", &err) < 0)
        kube_answer_error(answer, &err);
}

static json_t *metadata_list(const json_t *list, bool beta)
{
    json_t *items = json_array();
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(list, "items"), i, item)
        json_array_append_new(items, kube_metadata_only(item, beta));
    return json_pack("{s:s, s:s, s:O, s:o}", "kind", "PartialObjectMetadataList", "apiVersion",
                     beta ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1", "metadata",
                     json_object_get(list, "metadata"), "items", items);
}

json_t *kube_metadata_only(const json_t *object, bool beta)
{
    return json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion",
                     beta ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1", "metadata",
                     json_object_get(object, "metadata"));
}

static json_t *as_table(struct kube_call *call, json_t *object)
{
    json_t *items = json_object_get(object, "items");
    CLEANUP_JSON json_t *one = NULL;

    if (items == NULL) {
        one = json_pack("[O]", object);
        items = one;
    }
    return kube_table(call->kind, items, json_object_get(object, "metadata"), &call->accept,
                      kube_query(call, "includeObject"), true);
}

void kube_respond(struct kube_call *call, unsigned code, json_t *object)
{
    CLEANUP_JSON json_t *shown = NULL;
    bool list = json_object_get(object, "items") != NULL;

    if (kube_is_scale(call)) {
        shown = kube_scale_of(object);
        kube_put(call, code, shown);
        return;
    }
    switch (call->accept.form) {
    case KUBE_FORM_TABLE: shown = as_table(call, object); break;
    case KUBE_FORM_METADATA_LIST:
    case KUBE_FORM_METADATA:
        shown = list ? metadata_list(object, call->accept.beta)
                     : kube_metadata_only(object, call->accept.beta);
        break;
    default: shown = json_incref(object); break;
    }
    kube_put(call, code, shown);
}

/* RFC 9111's old section 5.5: 299, no agent, a quoted text. */
void kube_warn(struct kube_call *call, const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf header = BUF_INIT(4096);
    va_list args;

    if (call->answer->warning_count == KUBE_WARNINGS_MAX)
        return;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    buf_put_str(&header, "299 - \"");
    for (const char *p = buf_text(&text); *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            buf_put_u8(&header, '\\');
        buf_put_u8(&header, (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : (uint8_t)*p);
    }
    buf_put_str(&header, "\"");
    char *copy = arena_copy(call->arena, buf_span(&header));
    if (copy != NULL)
        call->answer->warnings[call->answer->warning_count++] = copy;
}
