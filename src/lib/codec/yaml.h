/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as Kubernetes uses it (the core schema of YAML 1.2 over libyaml) to and from jansson values.
 * Every error has line and column. Refused: duplicate names, anchors that expand beyond
 * CODEC_YAML_NODES_MAX nodes or CODEC_YAML_BYTES_MAX bytes of text, unknown tags, U+0000, numbers
 * that do not fit or that JSON does not have (.inf, .nan), nesting over CODEC_DEPTH_MAX.
 *
 * Two readers must not understand one manifest differently. So plain yes, no, on, off, y, n,
 * 1_000, 0b1 and -0x1, which kubectl reads as truth values or numbers and YAML 1.2 as text, are
 * refused with the advice to quote them. 0644 is octal, as kubectl reads it. A plain name may be a
 * whole decimal number or a truth value, and is then its text; other names that are no text must be
 * quoted. Merge keys (<<) are carried out; what a mapping says itself wins.
 */
#ifndef DRUN_CODEC_YAML_H
#define DRUN_CODEC_YAML_H

#include "codec/json.h"

enum { CODEC_YAML_NODES_MAX = 200000, CODEC_YAML_BYTES_MAX = 16 * 1024 * 1024 };

/* Every document of the stream, as one array; empty documents are left out. JSON is YAML, so this
 * reads both. */
int codec_yaml_parse(struct span text, const char *what, json_t **out_documents,
                     struct err *err) MUST_USE;
/* Block style, strings quoted only where they need it, also for readers of YAML 1.1. Parses back to
 * an equal value. */
void codec_yaml_put(const json_t *value, struct buf *out);

/* Where a member of a text that parsed is, for an error about its value. The path is its names and
 * places in lists, joined by dots, "spec.containers.0.name"; the document is its place in the array
 * of codec_yaml_parse(). Lines and columns start at 1. False when it is not written there, such as
 * when an alias or a merge brought it. */
bool codec_yaml_locate(struct span text, size_t document, const char *path, size_t *out_line,
                       size_t *out_column);

#endif
