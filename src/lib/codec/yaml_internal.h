/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of one YAML stream: yaml.c has its events, errors and ceilings, yaml_node.c makes
 * values of them. */
#ifndef DRUN_CODEC_YAML_INTERNAL_H
#define DRUN_CODEC_YAML_INTERNAL_H

#include "codec/codec_internal.h"
#include "codec/yaml.h"

#include <yaml.h>

struct codec_yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const char *what;
    struct span text;
    json_t *anchors; /* of the current document: name to finished node */
    size_t nodes;    /* of the whole stream, aliases expanded */
    size_t bytes;
};

/* An error at a mark, and at the current event. They return -1. */
#define codec_yaml_refuse(reader, mark, err, ...)                                                  \
    codec_refuse(err, (reader)->what, (mark)->line + 1, (mark)->column + 1, __VA_ARGS__)
#define codec_yaml_refuse_here(reader, err, ...)                                                   \
    codec_yaml_refuse(reader, &(reader)->event.start_mark, err, __VA_ARGS__)

int codec_yaml_next(struct codec_yaml_reader *reader, struct err *err) MUST_USE;
/* Counts one node and its text, so that a few bytes cannot grow into a billion. */
int codec_yaml_charge(struct codec_yaml_reader *reader, size_t bytes, struct err *err) MUST_USE;
/* `depth` is the number of collections around the one that begins. */
int codec_yaml_check_depth(struct codec_yaml_reader *reader, size_t depth,
                           struct err *err) MUST_USE;

/* True for the node of an empty document, which counts as none. */
bool codec_yaml_is_empty(const yaml_event_t *event);

/* From the node's first event, which is the current one, to its last. */
int codec_yaml_read_node(struct codec_yaml_reader *reader, unsigned depth, json_t **out,
                         struct err *err) MUST_USE;

#endif
