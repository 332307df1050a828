/* SPDX-License-Identifier: Apache-2.0 */
#include "store/pq.h"

#include <dlfcn.h>
#include <stddef.h>

#define SYMBOL(name)                                                                               \
    {                                                                                              \
        "PQ" #name, offsetof(struct pq, name)                                                      \
    }

static const struct {
    const char *name;
    size_t at;
} symbols[] = {
    SYMBOL(enterPipelineMode),
    SYMBOL(exitPipelineMode),
    SYMBOL(sendQueryPrepared),
    SYMBOL(pipelineSync),
    SYMBOL(getResult),
    SYMBOL(conninfoParse),
    SYMBOL(conninfoFree),
    SYMBOL(connectdb),
    SYMBOL(finish),
    SYMBOL(reset),
    SYMBOL(status),
    SYMBOL(socket),
    SYMBOL(errorMessage),
    SYMBOL(exec),
    SYMBOL(prepare),
    SYMBOL(execPrepared),
    SYMBOL(resultStatus),
    SYMBOL(resultErrorField),
    SYMBOL(cmdStatus),
    SYMBOL(ntuples),
    SYMBOL(getvalue),
    SYMBOL(getlength),
    SYMBOL(clear),
    SYMBOL(consumeInput),
    SYMBOL(notifies),
    SYMBOL(freemem),
    SYMBOL(setNoticeReceiver),
};

int pq_load(const struct pq **out, struct err *err)
{
    static struct pq pq;
    static void *library;

    *out = &pq;
    if (library != NULL)
        return 0;
    void *handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "a PostgreSQL store needs libpq.so.5; install the package libpq5");
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *symbol = dlsym(handle, symbols[i].name);
        if (symbol == NULL) {
            dlclose(handle);
            return err_set(err, ERR_UNSUPPORTED, "libpq.so.5 is too old: it lacks %s",
                           symbols[i].name);
        }
        memcpy((char *)&pq + symbols[i].at, &symbol, sizeof(symbol));
    }
    library = handle;
    return 0;
}
