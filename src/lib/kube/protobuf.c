/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' protobuf into JSON, driven by the numbers in the schema. Current kubectls send the
 * built-in kinds so. The writer at the other end writes empty texts and zeros for members that are
 * not set; they are left out.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/enc.h"
#include "codec/json.h"
#include "kube/schema.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct item {
    uint64_t number;
    unsigned wire;
    uint64_t value;    /* of a varint */
    struct span bytes; /* of a length-prefixed one */
};

static uint64_t read_varint(struct cursor *cursor)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(cursor);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    cursor->failed = true;
    return 0;
}

/* False at the end or when something is wrong; the cursor knows which. */
static bool next_item(struct cursor *cursor, struct item *item)
{
    if (cursor->left == 0 || cursor->failed)
        return false;
    uint64_t tag = read_varint(cursor);
    *item = (struct item){.number = tag >> 3, .wire = tag & 7};
    switch (item->wire) {
    case VARINT: item->value = read_varint(cursor); break;
    case FIXED64: cursor_bytes(cursor, 8); break;
    case FIXED32: cursor_bytes(cursor, 4); break;
    case BYTES: {
        uint64_t len = read_varint(cursor);
        if (len > cursor->left)
            cursor->failed = true;
        else
            item->bytes = cursor_bytes(cursor, (size_t)len);
        break;
    }
    default: cursor->failed = true;
    }
    return !cursor->failed;
}

static int wrong(const struct kube_field *field, struct err *err)
{
    return err_set(err, ERR_INVALID, "the protobuf member %s is malformed", field->name);
}

static int read_object(struct span bytes, const struct kube_shape *shape, json_t *object,
                       struct err *err);

/* Time is a message: seconds (1) and nanoseconds (2). */
static json_t *read_time(struct span bytes)
{
    struct cursor cursor = cursor_of(bytes);
    char text[CLOCK_TEXT_SIZE];
    struct item item;
    int64_t sec = 0;

    while (next_item(&cursor, &item))
        if (item.number == 1 && item.wire == VARINT)
            sec = (int64_t)item.value;
    if (cursor.failed || sec <= 0 || sec > 253402300799LL)
        return NULL;
    clock_format_sec(sec, text);
    return json_string(text);
}

static json_t *read_text(const struct kube_field *field, struct span bytes)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(8 << 20);

    if (field->format != KUBE_BYTES) {
        if (memchr(bytes.p != NULL ? bytes.p : (const uint8_t *)"", '\0', bytes.len) != NULL)
            return NULL;
        return json_stringn((const char *)bytes.p, bytes.len);
    }
    enc_base64_put(ENC_BASE64, bytes, &text);
    return json_stringn(buf_text(&text), text.len);
}

/* A new value of the type, or NULL. */
static json_t *read_value(const struct kube_field *field, enum kube_type type,
                          const struct item *item, struct err *err)
{
    bool number = type == KUBE_BOOL || type == KUBE_INT32 || type == KUBE_INT64;

    if (item->wire != (number ? VARINT : BYTES))
        return NULL;
    if (type == KUBE_BOOL)
        return json_boolean(item->value != 0);
    if (number)
        return json_integer((json_int_t)item->value);
    if (type == KUBE_STRING)
        return read_text(field, item->bytes);
    json_t *object = json_object();
    if (type == KUBE_OBJECT && read_object(item->bytes, field->shape, object, err) == 0)
        return object;
    json_decref(object);
    return NULL;
}

/* An entry is a message: the name (1) and the value (2). */
static int read_entry(const struct kube_field *field, const struct item *item, json_t *map,
                      struct err *err)
{
    struct cursor cursor = cursor_of(item->bytes);
    CLEANUP_JSON json_t *value = NULL;
    struct span name = {0};
    struct item part;

    while (next_item(&cursor, &part)) {
        if (part.number == 1 && part.wire == BYTES)
            name = part.bytes;
        if (part.number != 2)
            continue;
        json_decref(value);
        value = read_value(field, field->item, &part, err);
        if (value == NULL)
            return wrong(field, err);
    }
    if (value == NULL)
        value = json_string("");
    if (item->wire != BYTES || cursor.failed || name.len == 0 ||
        memchr(name.p, '\0', name.len) != NULL ||
        json_object_setn(map, (const char *)name.p, name.len, value) < 0)
        return wrong(field, err);
    return 0;
}

static json_t *member(json_t *object, const char *name, json_t *fresh)
{
    json_t *value = json_object_get(object, name);

    if (value == NULL) {
        json_object_set(object, name, fresh);
        value = fresh;
    }
    json_decref(fresh);
    return value;
}

static bool is_unset(const json_t *value)
{
    return (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_integer(value) && json_integer_value(value) == 0);
}

static int read_member(const struct kube_field *field, const struct item *item, json_t *object,
                       struct err *err)
{
    json_t *value;

    if (field->type == KUBE_ANY)
        return 0;
    if (field->type == KUBE_MAP)
        return read_entry(field, item, member(object, field->name, json_object()), err);
    if (field->type == KUBE_STRING && field->format == KUBE_TIME) {
        value = item->wire == BYTES ? read_time(item->bytes) : NULL;
        if (value != NULL)
            json_object_set_new(object, field->name, value);
        return 0;
    }
    bool list = field->type == KUBE_LIST;
    value = read_value(field, list ? field->item : field->type, item, err);
    if (value == NULL)
        return err->code != ERR_NONE ? -1 : wrong(field, err);
    if (list)
        json_array_append_new(member(object, field->name, json_array()), value);
    else if (is_unset(value))
        json_decref(value);
    else
        json_object_set_new(object, field->name, value);
    return 0;
}

static const struct kube_field *field_numbered(const struct kube_shape *shape, uint64_t number)
{
    for (const struct kube_field *field = shape->fields; field->name != NULL; field++)
        if (field->wire != 0 && field->wire == number)
            return field;
    return NULL;
}

static int read_object(struct span bytes, const struct kube_shape *shape, json_t *object,
                       struct err *err)
{
    struct cursor cursor = cursor_of(bytes);
    struct item item;

    while (next_item(&cursor, &item)) {
        const struct kube_field *field = field_numbered(shape, item.number);
        if (field != NULL)
            TRY(read_member(field, &item, object, err));
    }
    if (cursor.failed)
        return err_set(err, ERR_INVALID, "the protobuf of %s is malformed", shape->name);
    return 0;
}

/* The envelope: type (1: apiVersion 1, kind 2), the object (2), encoding (3), content type (4). */
static const struct kube_field type_fields[] = {
    {"apiVersion", KUBE_STRING, "", .wire = 1},
    {"kind", KUBE_STRING, "", .wire = 2},
    {0},
};

static const struct kube_shape type_shape = {"the envelope", "", type_fields};

int kube_protobuf_parse(struct span bytes, const struct kube_shape *shape, json_t **out,
                        struct err *err)
{
    static const uint8_t magic[4] = {'k', '8', 's', 0};
    CLEANUP_JSON json_t *object = json_object();
    struct cursor cursor = cursor_of(bytes);
    struct span start = cursor_bytes(&cursor, sizeof(magic));
    struct item item;

    if (!span_eq(start, span_of(magic, sizeof(magic))))
        return err_set(err, ERR_INVALID, "the body is not Kubernetes' protobuf");
    while (next_item(&cursor, &item)) {
        if (item.number == 1 && item.wire == BYTES)
            TRY(read_object(item.bytes, &type_shape, object, err));
        if (item.number == 2 && item.wire == BYTES)
            TRY(read_object(item.bytes, shape, object, err));
        if (item.number == 3 && item.bytes.len > 0)
            return err_set(err, ERR_INVALID, "the protobuf is encoded once more");
    }
    TRY(cursor_done(&cursor, "the protobuf", err));
    *out = json_incref(object);
    return 0;
}
