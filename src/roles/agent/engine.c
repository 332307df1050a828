/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/engine.h"

#include "agent/quantity.h"
#include "base/mem.h"
#include "base/num.h"

#include <sched.h>
#include <string.h>

enum { PIDS_DEFAULT = 512 };

static const char socket_inside[] = "/run/engine/engine.sock";

void engine_free(struct engine *engine)
{
    for (size_t i = 0; i < engine->arg_count; i++)
        free(engine->args[i]);
    for (size_t i = 0; i < engine->env_count; i++)
        free(engine->env[i]);
    oci_files_free(&engine->files);
    free(engine->program);
    *engine = (struct engine){.program = NULL};
}

static int add(struct engine *engine, char *arg, struct err *err)
{
    if (engine->arg_count == ENGINE_ARGS_MAX) {
        free(arg);
        return err_set(err, ERR_INVALID, "the engine has more than %d arguments", ENGINE_ARGS_MAX);
    }
    engine->args[engine->arg_count++] = arg;
    return 0;
}

/* The places that an argument may name, and what stands there. */
struct places {
    const char *names[3];
    const char *values[3];
};

static char *replace(const char *text, const struct places *places)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(64 * 1024);

    while (*text != '\0') {
        size_t i, len = 0;
        for (i = 0; i < ARRAY_LEN(places->names); i++) {
            len = strlen(places->names[i]);
            if (strncmp(text, places->names[i], len) == 0)
                break;
        }
        if (i < ARRAY_LEN(places->names))
            buf_put_str(&out, places->values[i]);
        else
            buf_put_u8(&out, (uint8_t)text[0]);
        text += i < ARRAY_LEN(places->names) ? len : 1;
    }
    return mem_strdup(buf_text(&out));
}

static int add_list(struct engine *engine, const json_t *list, size_t from,
                    const struct places *places, struct err *err)
{
    for (size_t i = from; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text != NULL)
            TRY(add(engine, replace(text, places), err));
    }
    return 0;
}

static unsigned cpus_for(const struct oci_limits *limits)
{
    cpu_set_t set;
    unsigned here = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    unsigned allowed = limits->cpu_milli > 0 ? (unsigned)((limits->cpu_milli + 999) / 1000) : here;

    return NUM_MAX(1U, NUM_MIN(here, allowed));
}

/* llama.cpp's server, told everything that the service says of itself. */
static int add_llama(struct engine *engine, const json_t *spec, const struct places *places,
                     struct err *err)
{
    json_int_t context =
        json_integer_value(json_object_get(json_object_get(spec, "limits"), "contextTokens"));
    const char *const plain[] = {"-m",        places->values[0], "--host",     places->values[1],
                                 "--alias",   places->values[2], "--no-webui", "--jinja",
                                 "--no-slots"};

    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        TRY(add(engine, mem_strdup(plain[i]), err));
    TRY(add(engine, mem_strdup("-t"), err));
    TRY(add(engine, mem_printf("%u", cpus_for(&engine->limits)), err));
    if (context > 0) {
        TRY(add(engine, mem_strdup("-c"), err));
        TRY(add(engine, mem_printf("%lld", (long long)context), err));
    }
    return 0;
}

static int take_limit(const json_t *limits, const char *name, uint64_t *out, struct err *err)
{
    const char *text = codec_json_text(limits, name, "");

    return text[0] == '\0' ? 0 : quantity_milli(text, name, out, err);
}

static int take_limits(struct engine *engine, const json_t *spec, struct err *err)
{
    const json_t *limits = json_object_get(json_object_get(spec, "resources"), "limits");
    uint64_t memory_milli = 0, pids_milli = PIDS_DEFAULT * 1000;

    TRY(take_limit(limits, "cpu", &engine->limits.cpu_milli, err));
    TRY(take_limit(limits, "memory", &memory_milli, err));
    TRY(take_limit(limits, "pids", &pids_milli, err));
    engine->limits.memory_bytes = memory_milli / 1000;
    engine->limits.pids = pids_milli / 1000;
    return 0;
}

static int take_env(struct engine *engine, const json_t *list, const struct places *places,
                    struct err *err)
{
    size_t i;
    json_t *one;

    engine->env[engine->env_count++] = mem_strdup("PATH=/usr/bin:/bin");
    engine->env[engine->env_count++] = mem_strdup("HOME=/tmp");
    json_array_foreach (list, i, one) {
        const char *name = codec_json_text(one, "name", "");
        CLEANUP_FREE char *value = replace(codec_json_text(one, "value", ""), places);
        if (engine->env_count == ENGINE_ARGS_MAX)
            return err_set(err, ERR_INVALID, "the engine's environment is too large");
        if (name[0] == '\0' || strchr(name, '=') != NULL)
            return err_set(err, ERR_INVALID, "\"%.60s\" is no name of a variable", name);
        engine->env[engine->env_count++] = mem_printf("%s=%s", name, value);
    }
    return 0;
}

/* The program, its first arguments, those of its kind, and those of the spec. */
static int take_args(struct engine *engine, const struct host *host, const json_t *spec,
                     const struct places *places, struct err *err)
{
    const json_t *of = json_object_get(spec, "engine");
    const json_t *command = json_object_get(of, "command");
    bool llama = strcmp(codec_json_text(of, "kind", ""), "llama.cpp") == 0;
    const char *program = json_string_value(json_array_get(command, 0));

    if (program == NULL && !llama)
        return err_set(err, ERR_INVALID, "spec.engine.command is needed with this engine.kind");
    TRY(host_engine(host, program != NULL ? program : "llama-server", &engine->program, err));
    TRY(add(engine, mem_strdup(engine->program), err));
    TRY(add_list(engine, command, 1, places, err));
    if (llama)
        TRY(add_llama(engine, spec, places, err));
    engine->health_path = llama ? "/health" : "/v1/models";
    return add_list(engine, json_object_get(of, "args"), 0, places, err);
}

int engine_of(const struct host *host, const char *namespace, const char *name, const json_t *spec,
              const char *file_name, struct engine *out, struct err *err)
{
    CLEANUP(engine_free) struct engine engine = {.program = NULL};
    CLEANUP_FREE char *model = mem_printf("/model/%s", file_name);
    CLEANUP_FREE char *alias = mem_printf("%s/%s", namespace, name);
    const struct places places = {{"{model}", "{socket}", "{name}"}, {model, socket_inside, alias}};

    TRY(take_limits(&engine, spec, err));
    TRY(take_args(&engine, host, spec, &places, err));
    TRY(take_env(&engine, json_object_get(json_object_get(spec, "engine"), "env"), &places, err));
    TRY(oci_files_of(engine.program, &engine.files, err));
    *out = engine;
    engine = (struct engine){.program = NULL};
    return 0;
}
