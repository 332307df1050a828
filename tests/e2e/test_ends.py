# SPDX-License-Identifier: Apache-2.0
"""How things end: namespaces with all they hold, objects that others wait for, objects that lose their owner; and who
somebody is, asked by another program."""
import json

import pytest

from cluster import Cluster, binding, config_map, path_of, rule, unique

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
REVIEWS = "/apis/authentication.k8s.io/v1/"
RIGHTS = "/apis/authorization.k8s.io/v1/"


@pytest.fixture(scope="module")
def cluster(platform):
    return Cluster(platform)


@pytest.fixture(scope="module")
def ns(cluster):
    return cluster.namespace("ends")


def is_gone(cluster, kind, namespace, name):
    return cluster.call("GET", path_of(kind, namespace, name)).status_code == 404


def fill(cluster, ns, count=3):
    """Something of every owner of kinds."""
    for i in range(count):
        cluster.create("configmaps", ns, config_map(f"c{i}", a="1"))
        cluster.create("secrets", ns, SECRET | {"metadata": {"name": f"s{i}"}})
    return cluster.account(ns, "bob", rule("", "configmaps", "get"))


def make_namespace(cluster, name):
    return cluster.call("POST", path_of("namespaces"), json={
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def assert_empty(cluster, ns):
    for kind in ("configmaps", "secrets", "drun.io/apikeys", "serviceaccounts", "rbac/roles", "rbac/rolebindings",
                 "drun.io/models", "drun.io/modelservices"):
        assert cluster.list(kind, ns)["items"] == [], kind


# ------------------------------------------------------------------ namespaces

def test_a_namespace_that_goes_takes_nothing_new_and_waits_for_finalizers(cluster, platform):
    ns = cluster.namespace("held")
    assert cluster.get("namespaces", None, ns)["spec"]["finalizers"] == ["kubernetes"]
    fill(cluster, ns)
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.create("configmaps", ns, held)
    answer = cluster.delete("namespaces", None, ns).json()
    assert answer["status"]["phase"] == "Terminating" and answer["metadata"]["deletionTimestamp"]
    platform.wait_until("a refusal", lambda: cluster.call(
        "POST", path_of("configmaps", ns), params={"dryRun": "All"}, json=config_map("late")).status_code == 403)
    for kind, body in (("configmaps", config_map("late")), ("secrets", SECRET)):
        refused = cluster.call("POST", path_of(kind, ns), 403, json=body).json()
        assert "being terminated" in refused["message"]

    def told():
        return [c for c in cluster.get("namespaces", None, ns)["status"].get("conditions", [])
                if c["type"] == "NamespaceFinalizersRemaining"]
    condition = platform.wait_until("what it waits for", told)[0]
    assert "configmaps/held" in condition["message"] and "example.com/wait" in condition["message"]
    assert [o["metadata"]["name"] for o in cluster.list("configmaps", ns)["items"]] == ["held"]
    assert make_namespace(cluster, ns).status_code == 409
    # Nobody skips the emptying by taking the platform's finalizer away.
    cluster.call("PATCH", path_of("namespaces", name=ns), 200, json={"spec": {"finalizers": None}},
                 headers={"Content-Type": "application/merge-patch+json"})
    assert cluster.get("namespaces", None, ns)["spec"]["finalizers"] == ["kubernetes"]
    cluster.call("PATCH", path_of("configmaps", ns, "held"), 200, json={"metadata": {"finalizers": None}},
                 headers={"Content-Type": "application/merge-patch+json"})
    platform.wait_until("the end of the namespace", lambda: is_gone(cluster, "namespaces", None, ns))
    assert make_namespace(cluster, ns).status_code == 201
    assert_empty(cluster, ns)
    cluster.delete("namespaces", None, ns)


def test_a_namespace_s_own_finalizer_keeps_it_when_it_is_empty(cluster, platform):
    ns = unique("watched")
    cluster.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": ns, "finalizers": ["example.com/after"]}})
    cluster.create("configmaps", ns, config_map("x"))
    cluster.delete("namespaces", None, ns)
    platform.wait_until("an empty namespace", lambda: not cluster.get("namespaces", None, ns)["spec"].get("finalizers"))
    assert cluster.list("configmaps", ns)["items"] == []
    cluster.call("PATCH", path_of("namespaces", name=ns), 200, json={"metadata": {"finalizers": None}},
                 headers={"Content-Type": "application/merge-patch+json"})
    assert is_gone(cluster, "namespaces", None, ns)


def test_tokens_of_service_accounts_end_with_their_namespace(cluster, platform):
    ns = cluster.namespace("tokens")
    fill(cluster, ns, 1)
    made = cluster.call("POST", path_of("serviceaccounts", ns, "bob") + "/token", 201, json={}).json()
    bob = Cluster(platform, made["status"]["token"])
    bob.call("GET", path_of("configmaps", ns, "c0"), 200)
    cluster.delete("namespaces", None, ns)
    platform.wait_until("the end of the namespace", lambda: is_gone(cluster, "namespaces", None, ns))
    platform.wait_until("the end of the token", lambda: bob.call("GET", "/version").status_code == 401)
    assert make_namespace(cluster, ns).status_code == 201
    fill(cluster, ns, 1)
    assert bob.call("GET", path_of("configmaps", ns, "c0")).status_code == 401
    made = cluster.call("POST", path_of("serviceaccounts", ns, "bob") + "/token", 201, json={}).json()
    platform.wait_until("the new tenant's token", lambda: Cluster(platform, made["status"]["token"]).call(
        "GET", path_of("configmaps", ns, "c0")).status_code == 200)
    cluster.delete("namespaces", None, ns)


def test_tokens_end_with_their_service_account(cluster, platform, ns):
    cluster.account(ns, "eve", rule("", "configmaps", "list"))
    cluster.call("POST", path_of("serviceaccounts", ns, "nobody") + "/token", 404, json={})
    token = cluster.call("POST", path_of("serviceaccounts", ns, "eve") + "/token", 201, json={}).json()["status"]["token"]
    eve = Cluster(platform, token)
    eve.list("configmaps", ns)
    cluster.delete("serviceaccounts", ns, "eve")
    platform.wait_until("the end of the token", lambda: eve.call("GET", "/version").status_code == 401)
    cluster.create("serviceaccounts", ns, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "eve"}})
    token = cluster.call("POST", path_of("serviceaccounts", ns, "eve") + "/token", 201, json={}).json()["status"]["token"]
    platform.wait_until("the new account's token", lambda: Cluster(platform, token).call(
        "GET", path_of("configmaps", ns)).status_code == 200)
    assert eve.call("GET", "/version").status_code == 401


def test_every_removal_is_in_the_audit_log(cluster, platform):
    ns = cluster.namespace("logged")
    cluster.create("secrets", ns, SECRET)
    cluster.delete("namespaces", None, ns)
    platform.wait_until("the end of the namespace", lambda: is_gone(cluster, "namespaces", None, ns))
    records = cluster.call("GET", f"/apis/audit.drun.io/v1/namespaces/{ns}/auditevents", 200, params={"limit": 500}).text
    removals = [e["event"] for e in json.loads(records)["items"] if "system:drun:namespace-controller" in json.dumps(e)]
    assert any('"secrets"' in json.dumps(e) and '"delete"' in json.dumps(e) for e in removals), records[-3000:]


@pytest.mark.parametrize("role", ["api", "idp", "secrets", "audit"])
def test_a_namespace_ends_whatever_dies_meanwhile(own_platform, role):
    platform = own_platform.start()
    cluster = Cluster(platform)
    names = [unique("killed") for _ in range(3)]
    for name in names:
        make_namespace(cluster, name)
        fill(cluster, name, 20)
    for name in names:
        cluster.delete("namespaces", None, name)
    for _ in range(3):
        platform.wait_for_role(role, platform.kill(role))

    def all_gone():
        try:
            fresh = Cluster(platform)
            return all(fresh.call("GET", path_of("namespaces", name=name)).status_code == 404 for name in names)
        except (OSError, AssertionError, ValueError):
            return False
    platform.wait_until("the end of the namespaces", all_gone, timeout=60)
    cluster = Cluster(platform)
    for name in names:
        assert make_namespace(cluster, name).status_code == 201
        assert_empty(cluster, name)


# ------------------------------------------------------------------ owners

def owned(name, *owners, block=False):
    made = config_map(name)
    made["metadata"]["ownerReferences"] = [
        {"apiVersion": o["apiVersion"], "kind": o["kind"], "name": o["metadata"]["name"], "uid": o["metadata"]["uid"],
         "blockOwnerDeletion": block} for o in owners]
    return made


def test_what_loses_its_owner_goes(cluster, platform, ns):
    owner = cluster.create("configmaps", ns, config_map("owner"))
    other = cluster.create("configmaps", ns, config_map("other"))
    child = cluster.create("configmaps", ns, owned("child", owner))
    cluster.create("configmaps", ns, owned("grandchild", child))
    cluster.create("configmaps", ns, owned("shared", owner, other))
    cluster.create("secrets", ns, SECRET | {"metadata": owned("x", owner)["metadata"] | {"name": "kept-by-owner"}})
    cluster.delete("configmaps", ns, "owner")
    platform.wait_until("the end of the child", lambda: is_gone(cluster, "configmaps", ns, "child"))
    platform.wait_until("the end of the grandchild", lambda: is_gone(cluster, "configmaps", ns, "grandchild"))
    platform.wait_until("one owner less", lambda: len(
        cluster.get("configmaps", ns, "shared")["metadata"]["ownerReferences"]) == 1)
    platform.wait_until("the end of another role's dependent",
                        lambda: is_gone(cluster, "secrets", ns, "kept-by-owner"), timeout=90)
    cluster.delete("configmaps", ns, "other")
    platform.wait_until("the end of the shared one", lambda: is_gone(cluster, "configmaps", ns, "shared"))


def test_an_owner_that_never_was_owns_nothing(cluster, platform, ns):
    stranger = config_map("stranger") | {"metadata": {"name": "stranger", "uid": "00000000-0000-4000-8000-000000000000"}}
    cluster.create("configmaps", ns, owned("foundling", stranger))
    platform.wait_until("the end of the foundling", lambda: is_gone(cluster, "configmaps", ns, "foundling"))
    # A kind that nobody here knows is nobody's to judge.
    outside = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "uid": "1"}}
    cluster.create("configmaps", ns, owned("guest", outside))
    owner = cluster.create("configmaps", ns, config_map("last"))
    cluster.create("configmaps", ns, owned("child-of-last", owner))
    cluster.delete("configmaps", ns, "last")
    platform.wait_until("the end of the last", lambda: is_gone(cluster, "configmaps", ns, "child-of-last"))
    cluster.get("configmaps", ns, "guest")


@pytest.mark.parametrize("policy", ["Orphan", "Foreground", "Background"])
def test_deletion_follows_its_policy(cluster, platform, ns, policy):
    owner = cluster.create("configmaps", ns, config_map(f"owner-{policy.lower()}"))
    name, child = owner["metadata"]["name"], f"child-{policy.lower()}"
    body = owned(child, owner, block=True)
    body["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.create("configmaps", ns, body)
    cluster.call("DELETE", path_of("configmaps", ns, name), 200, json={
        "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy})
    if policy == "Foreground":
        platform.wait_until("a marked child", lambda: "deletionTimestamp" in cluster.get("configmaps", ns, child)["metadata"])
        assert "deletionTimestamp" in cluster.get("configmaps", ns, name)["metadata"]
    else:
        platform.wait_until("the end of the owner", lambda: is_gone(cluster, "configmaps", ns, name))
    if policy == "Orphan":
        assert "ownerReferences" not in cluster.get("configmaps", ns, child)["metadata"]
    cluster.call("PATCH", path_of("configmaps", ns, child), 200, json={"metadata": {"finalizers": None}},
                 headers={"Content-Type": "application/merge-patch+json"})
    if policy == "Orphan":
        assert "deletionTimestamp" not in cluster.get("configmaps", ns, child)["metadata"]
        cluster.delete("configmaps", ns, child)
    platform.wait_until("the end of the owner", lambda: is_gone(cluster, "configmaps", ns, name))
    platform.wait_until("the end of the child", lambda: is_gone(cluster, "configmaps", ns, child))


def test_a_policy_that_does_not_exist_is_refused(cluster, ns):
    cluster.create("configmaps", ns, config_map("stays"))
    refused = cluster.call("DELETE", path_of("configmaps", ns, "stays"), 400, params={"propagationPolicy": "Sideways"})
    assert "propagationPolicy" in refused.json()["message"]
    cluster.get("configmaps", ns, "stays")


def test_dependents_are_found_again_after_a_crash(own_platform):
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("crash")
    owner = cluster.create("configmaps", ns, config_map("owner"))
    for i in range(150):
        cluster.create("configmaps", ns, owned(f"child{i}", owner))
    cluster.delete("configmaps", ns, "owner")
    platform.wait_for_role("api", platform.kill("api"))

    def none_left():
        try:
            return Cluster(platform).list("configmaps", ns)["items"] == []
        except (OSError, AssertionError, ValueError):
            return False
    platform.wait_until("the end of all dependents", none_left, timeout=60)


# ------------------------------------------------------------------ who is that, and may he

def review(cluster, path, kind, spec, expect=201):
    group = path.split("/")[2]
    return cluster.call("POST", path, expect, json={"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}).json()


def test_who_am_i(cluster, platform, ns):
    bob, user = cluster.account(ns, "whoami", rule("", "configmaps", "get"))
    info = bob.call("POST", REVIEWS + "selfsubjectreviews", 201, json={
        "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).json()["status"]["userInfo"]
    assert info["username"] == user
    assert {"system:serviceaccounts", f"system:serviceaccounts:{ns}", "system:authenticated"} <= set(info["groups"])


def test_a_token_is_reviewed(cluster, platform, ns):
    bob, user = cluster.account(ns, "reviewed", rule("", "configmaps", "get"))
    path = REVIEWS + "tokenreviews"
    good = review(cluster, path, "TokenReview", {"token": bob.token})
    assert good["status"]["authenticated"] is True and good["status"]["user"]["username"] == user
    assert bob.token not in json.dumps(good)
    token = cluster.call("POST", path_of("serviceaccounts", ns, "reviewed") + "/token", 201, json={}).json()["status"]["token"]
    assert review(cluster, path, "TokenReview", {"token": token})["status"]["user"]["username"] == user
    assert review(cluster, path, "TokenReview", {"token": token, "audiences": ["drun"]})["status"]["audiences"] == ["drun"]
    for spec in ({"token": "nonsense"}, {"token": token[:-3] + "AAA"}, {"token": "sk-drun-" + "A" * 49},
                 {"token": "x" * 20000}, {"token": token, "audiences": ["elsewhere"]}):
        bad = review(cluster, path, "TokenReview", spec)["status"]
        assert bad["authenticated"] is False and bad["error"] and "user" not in bad
    review(cluster, path, "TokenReview", {}, expect=422)
    review(bob, path, "TokenReview", {"token": token}, expect=403)
    cluster.delete("drun.io/apikeys", ns, "reviewed")
    assert review(cluster, path, "TokenReview", {"token": bob.token})["status"]["authenticated"] is False


def test_rights_of_others_are_reviewed_by_those_who_may(cluster, platform, ns):
    bob, user = cluster.account(ns, "asked", rule("", "configmaps", "get"))
    attributes = {"namespace": ns, "verb": "get", "resource": "configmaps"}
    path, local = RIGHTS + "subjectaccessreviews", RIGHTS + f"namespaces/{ns}/localsubjectaccessreviews"
    for kind, where in (("SubjectAccessReview", path), ("LocalSubjectAccessReview", local)):
        assert review(cluster, where, kind, {"user": user, "resourceAttributes": attributes})["status"]["allowed"] is True
        assert review(cluster, where, kind, {
            "user": user, "resourceAttributes": attributes | {"resource": "secrets"}})["status"]["allowed"] is False
        review(bob, where, kind, {"user": user, "resourceAttributes": attributes}, expect=403)
    review(cluster, local, "LocalSubjectAccessReview", {
        "user": user, "resourceAttributes": attributes | {"namespace": "default"}}, expect=400)
    review(cluster, path, "SubjectAccessReview", {"resourceAttributes": attributes}, expect=422)
    # Kubernetes' own role for programs that ask on behalf of others.
    delegate, name = cluster.account(ns, "delegate")
    cluster.create("rbac/clusterrolebindings", None, binding(
        unique("delegate"), "system:auth-delegator", name, role_kind="ClusterRole", kind="ClusterRoleBinding"))
    assert review(delegate, REVIEWS + "tokenreviews", "TokenReview", {"token": bob.token})["status"]["authenticated"] is True
    assert review(delegate, path, "SubjectAccessReview", {"user": user, "resourceAttributes": attributes})["status"]["allowed"]
