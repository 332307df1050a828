/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the service of breached passwords: what is found stands in the answer. */
#include "idp/people/breached.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct breached_question question = {
        .prefix = "E38AD", .suffix = "214943DAAD1D64C102FAEC29DE4AFE9DA3D"};
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    struct err err = ERR_INIT;
    bool found;

    if (breached_range_find(span_of(data, size), &question, &found, &err) < 0)
        return 0;
    INVARIANT(size == 0 || memchr(data, ':', size) != NULL);
    INVARIANT(!found || strcasestr(text, question.suffix) != NULL);
    return 0;
}
