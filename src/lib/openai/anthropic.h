/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request of Anthropic's Messages API in the words of OpenAI's, for engines that speak that. It
 * has been through openai_request_scan(OPENAI_MESSAGES).
 */
#ifndef DRUN_OPENAI_ANTHROPIC_H
#define DRUN_OPENAI_ANTHROPIC_H

#include "openai/openai.h"

enum { ANTHROPIC_BODY_MAX = 256 * 1024 * 1024 };

/* Appends the body of a chat completion, with `model` for the engine and the usage asked for. */
int anthropic_to_openai(struct span body, struct span model, struct buf *out,
                        struct err *err) MUST_USE;

#endif
