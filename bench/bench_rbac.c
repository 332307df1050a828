/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions a second on one core at 100,000 bindings, and the ratio to the evaluator straight over
 * the objects (its peer in the same run). The bar is 5,000,000 a second.
 *
 * The population: 1,000 namespaces, each with 100 bindings of one of 50 roles to a user or a group
 * of its own; the built-in roles and bindings. A request is a user's of a namespace, who has four
 * groups, for `invoke` on a model: three of four are allowed.
 */
#include "bench.h"

#include "base/mem.h"
#include "codec/json.h"
#include "rbac/rbac.h"

enum {
    NAMESPACES = 1000,
    PER_NAMESPACE = 100,
    ROLES = 50,
    ASKED = 16384,
    ACTIVE = 1024,
    GROUPS = 4
};

struct asked {
    struct rbac_request request;
    struct span groups[GROUPS];
    char user[16];
    char group[16];
    char namespace[16];
};

struct world {
    struct rbac_model *model;
    struct snapshot *policy;
    struct asked *asked;
    uint64_t active; /* how many of the requests are made, over and over */
    uint64_t allowed;
    uint64_t made;
};

static void put(struct rbac_model *model, json_t *object)
{
    struct err err = ERR_INIT;

    if (rbac_model_put(model, object, &err) < 0)
        err_bug(__FILE__, __LINE__, err.msg);
    json_decref(object);
}

static void put_roles(struct rbac_model *model)
{
    for (int i = 0; i < ROLES; i++) {
        CLEANUP_FREE char *name = mem_printf("role-%d", i);
        json_t *role =
            json_pack("{s:s, s:s, s:{s:s}, s:[{s:[sss], s:[s], s:[sss]}, {s:[s], s:[s], s:[s]}]}",
                      "apiVersion", RBAC_API_GROUP "/v1", "kind", "ClusterRole", "metadata", "name",
                      name, "rules", "verbs", "get", "list", "watch", "apiGroups", "", "resources",
                      "pods", "pods/log", "configmaps", "verbs", i % 2 == 0 ? "invoke" : "get",
                      "apiGroups", "drun.io", "resources", "models");
        put(model, role);
    }
}

static void put_bindings(struct rbac_model *model)
{
    for (int i = 0; i < NAMESPACES * PER_NAMESPACE; i++) {
        CLEANUP_FREE char *namespace = mem_printf("team-%d", i / PER_NAMESPACE);
        CLEANUP_FREE char *name = mem_printf("binding-%d", i % PER_NAMESPACE);
        CLEANUP_FREE char *role = mem_printf("role-%d", (i / 10 + i) % ROLES);
        CLEANUP_FREE char *subject = mem_printf("%s-%d", i % 10 == 0 ? "group" : "user", i);
        put(model, json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}, s:[{s:s, s:s}]}", "apiVersion",
                             RBAC_API_GROUP "/v1", "kind", "RoleBinding", "metadata", "name", name,
                             "namespace", namespace, "roleRef", "kind", "ClusterRole", "name", role,
                             "subjects", "kind", i % 10 == 0 ? "Group" : "User", "name", subject));
    }
}

static struct span print(char room[16], const char *name, int number)
{
    snprintf(room, 16, "%s%d", name, number);
    return span_str(room);
}

static struct asked *make_requests(void)
{
    struct asked *asked = mem_new_array(ASKED, sizeof(*asked));
    uint64_t seed = 88172645463325252ULL;

    for (int i = 0; i < ASKED; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        int n = (int)(seed >> 33) % (NAMESPACES * PER_NAMESPACE);
        n += n % 10 == 0;
        struct asked *one = &asked[i];
        one->groups[0] = span_str("system:authenticated");
        one->groups[1] = span_str("employees");
        one->groups[2] = print(one->group, "group-", n / 10 * 10);
        one->groups[3] = span_str("on-call");
        one->request = (struct rbac_request){
            .user = {print(one->user, "user-", n), one->groups, GROUPS},
            .verb = span_str("invoke"),
            .api_group = span_str("drun.io"),
            .resource = span_str("models"),
            .namespace = print(one->namespace, "team-", n / PER_NAMESPACE),
            .name = span_str("llama"),
        };
    }
    return asked;
}

static void compile(struct world *world)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct err err = ERR_INIT;
    uint64_t start = bench_cpu_ns();

    INVARIANT(rbac_model_compile(world->model, builder, &err) == 0);
    INVARIANT(policy_builder_finish(builder, &file, &err) == 0);
    uint64_t middle = bench_cpu_ns();
    INVARIANT(snapshot_from_bytes(&policy_snapshot, buf_span(&file), &world->policy, &err) == 0);
    printf("compiled in %.1f ms to %.1f MB, loaded and checked in %.1f ms\n",
           (double)(middle - start) / 1e6, (double)file.len / 1e6,
           (double)(bench_cpu_ns() - middle) / 1e6);
}

static void decide(void *ctx, uint64_t i)
{
    struct world *world = ctx;

    world->made++;
    world->allowed += rbac_decide(world->policy, &world->asked[i % world->active].request, NULL);
}

static void decide_naively(void *ctx, uint64_t i)
{
    struct world *world = ctx;

    (void)rbac_model_decide(world->model, &world->asked[i % ASKED].request, NULL);
}

int main(void)
{
    struct world world = {.model = rbac_model_new(), .asked = make_requests()};
    CLEANUP_JSON json_t *defaults = rbac_default_objects();
    json_t *object;
    size_t i;

    json_array_foreach (defaults, i, object)
        put(world.model, json_incref(object));
    put_roles(world.model);
    put_bindings(world.model);
    compile(&world);
    for (i = 0; i < 1000; i++)
        INVARIANT(rbac_decide(world.policy, &world.asked[i].request, NULL) ==
                  rbac_model_decide(world.model, &world.asked[i].request, NULL));
    world.active = ACTIVE;
    double rate = bench_print("compiled, 1,024 callers", decide, &world);
    world.active = ASKED;
    bench_print("compiled, 16,384 callers", decide, &world);
    double naive = bench_print_step("naive, the same objects", decide_naively, &world, 1);
    printf("of them allowed: %.2f\n", (double)world.allowed / (double)world.made);
    printf("ratio compiled / naive: %.0f; to the bar of 5,000,000/s: %.2f\n", rate / naive,
           rate / 5e6);
    return 0;
}
