# SPDX-License-Identifier: Apache-2.0
"""Who may do what: rights that change while they are used, rights that cannot be given away, and namespaces."""
import http.client
import socket
import time

import pytest
import requests

from cluster import RBAC, Cluster, binding, config_map, path_of, role, rule, unique

LIVE_SEC = 0.1


@pytest.fixture(scope="module")
def cluster(platform):
    return Cluster(platform)


@pytest.fixture
def ns(cluster):
    return cluster.namespace("rbac")


def until(status, ask, what):
    """How long it took until the answer had this status; it must be less than LIVE_SEC."""
    began = time.monotonic()
    while True:
        asked = time.monotonic() - began
        answer = ask()
        if answer.status_code == status:
            assert asked <= LIVE_SEC, f"{what} took {asked:.3f} s"
            return
        assert asked < 5, f"{what} did not happen: {answer.status_code} {answer.text}"


def review(cluster, user, verb, resource, ns=None, name=None, group="", groups=()):
    attributes = {"verb": verb, "group": group, "resource": resource} | ({"namespace": ns} if ns else {}) | \
        ({"name": name} if name else {})
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": list(groups), "resourceAttributes": attributes}}
    answer = cluster.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["status"]["allowed"]


# ------------------------------------------------------------------ live

def test_a_right_comes_and_goes_within_100_ms_in_its_owner(cluster, ns):
    tenant, user = cluster.account(ns, "bob")
    ask = lambda: tenant.call("GET", path_of("configmaps", ns))  # noqa: E731
    until(403, ask, "the start")
    cluster.create("rbac/roles", ns, role("reader", rule("", "configmaps", "list")))
    cluster.create("rbac/rolebindings", ns, binding("reader", "reader", user))
    until(200, ask, "the grant")
    cluster.delete("rbac/rolebindings", ns, "reader")
    until(403, ask, "the end of the binding")
    cluster.create("rbac/rolebindings", ns, binding("reader", "reader", user))
    until(200, ask, "the second grant")
    cluster.call("PUT", path_of("rbac/roles", ns, "reader"), 200, json=role("reader", rule("", "configmaps", "get")))
    until(403, ask, "the change of the role")


def test_the_other_owners_see_it_too(cluster, ns):
    tenant, user = cluster.account(ns, "bob")
    asks = {"secrets": lambda: tenant.call("GET", path_of("secrets", ns)),
            "drun.io/apikeys": lambda: tenant.call("GET", path_of("drun.io/apikeys", ns)),
            "audit.drun.io": lambda: tenant.call("GET", f"/apis/audit.drun.io/v1/namespaces/{ns}/auditevents")}
    for name, ask in asks.items():
        until(403, ask, f"the start of {name}")
    cluster.create("rbac/roles", ns, role("all", rule("", "secrets", "list"), rule("drun.io", "apikeys", "list"),
                                          rule("audit.drun.io", "auditevents", "list")))
    for name, ask in asks.items():
        cluster.create("rbac/rolebindings", ns, binding("all", "all", user))
        until(200, ask, f"the grant for {name}")
        cluster.delete("rbac/rolebindings", ns, "all")
        until(403, ask, f"the revocation for {name}")


def test_a_gateway_worker_sees_it_too(cluster, ns):
    """A model that one may not call looks like one that is not there; the one here has no engine behind it, so that a call
    that may pass ends in an error of the upstream."""
    cluster.create("drun.io/modelservices", ns, {"apiVersion": "drun.io/v1", "kind": "ModelService", "metadata": {"name": "chat"},
                                                 "spec": {"upstream": {"url": "https://engine.invalid/v1"}}})
    tenant, user = cluster.account(ns, "bob", verbs=("invoke",))
    body = {"model": f"{ns}/chat", "messages": [{"role": "user", "content": "Hello"}]}
    may = lambda: tenant.call("POST", "/v1/chat/completions", json=body).status_code in (404, 401)  # noqa: E731

    def until_it(refuses):
        began = time.monotonic()
        while True:
            asked = time.monotonic() - began
            if may() == refuses:
                assert asked <= LIVE_SEC, f"it took {asked:.3f} s"
                return
            assert asked < 5, "it did not happen"

    until_it(refuses=True)
    cluster.create("rbac/roles", ns, role("caller", rule("drun.io", "models", "invoke", names=["chat"])))
    for _ in range(3):
        cluster.create("rbac/rolebindings", ns, binding("caller", "caller", user))
        until_it(refuses=False)
        cluster.delete("rbac/rolebindings", ns, "caller")
        until_it(refuses=True)


def test_a_key_ends_everywhere_within_100_ms(cluster, ns):
    tenant, _ = cluster.account(ns, "bob", rule("", "configmaps", "list"), rule("", "secrets", "list"))
    asks = {kind: (lambda kind=kind: tenant.call("GET", path_of(kind, ns))) for kind in ("configmaps", "secrets")}
    for name, ask in asks.items():
        until(200, ask, f"the start of {name}")
    cluster.call("PATCH", path_of("drun.io/apikeys", ns, "bob"), 200, data='{"spec":{"disabled":true}}',
                 headers={"Content-Type": "application/merge-patch+json"})
    for name, ask in asks.items():
        until(401, ask, f"the end in {name}")


# ------------------------------------------------------------------ escalation

def forbidden(answer, *words):
    body = answer.json()
    assert answer.status_code == 403 and body["reason"] == "Forbidden", answer.text
    for word in words:
        assert word in body["message"], body["message"]


@pytest.fixture
def officer(cluster, ns):
    """May write roles and bindings of its namespace, and read configmaps: not more."""
    made, user = cluster.account(ns, "officer", rule(RBAC, "roles rolebindings", "get", "list", "create", "update", "patch"),
                                 rule("", "configmaps", "get", "list"))
    made.user = user
    until(200, lambda: made.call("GET", path_of("rbac/roles", ns)), "the officer's rights")
    return made


def test_nobody_grants_what_he_does_not_have(officer, ns):
    def write(name, *rules):
        return officer.call("POST", path_of("rbac/roles", ns), json=role(name, *rules))

    assert write("within", rule("", "configmaps", "get")).status_code == 201
    for bad in (rule("", "configmaps", "delete"), rule("", "secrets", "get"), rule("", "*", "get"), rule("*", "configmaps", "get"),
                rule("", "configmaps", "*"), rule("drun.io", "models", "invoke"), rule(RBAC, "roles", "escalate")):
        forbidden(write("beyond", bad), "attempting to grant permissions not currently held")
    assert write("narrow", rule("", "configmaps", "get", names=["one"])).status_code == 201


def test_nor_widens_a_role_by_update_or_patch(officer, ns):
    wider = role("mine", rule("", "secrets", "get"))
    assert officer.call("POST", path_of("rbac/roles", ns), json=role("mine", rule("", "configmaps", "get"))).status_code == 201
    forbidden(officer.call("PUT", path_of("rbac/roles", ns, "mine"), json=wider), "not currently held")
    forbidden(officer.call("PATCH", path_of("rbac/roles", ns, "mine"), data='[{"op":"add","path":"/rules/0/verbs/-","value":"delete"}]',
                           headers={"Content-Type": "application/json-patch+json"}), "not currently held")


def test_nor_binds_a_role_that_holds_more(cluster, officer, ns):
    cluster.create("rbac/roles", ns, role("strong", rule("", "secrets", "get")))
    for bad in (binding("b1", "strong", officer.user), binding("b2", "cluster-admin", officer.user, role_kind="ClusterRole"),
                binding("b3", "admin", officer.user, role_kind="ClusterRole")):
        forbidden(officer.call("POST", path_of("rbac/rolebindings", ns), json=bad), "not currently held")
    cluster_wide = binding("b4", "cluster-admin", officer.user, role_kind="ClusterRole", kind="ClusterRoleBinding")
    forbidden(officer.call("POST", path_of("rbac/clusterrolebindings"), json=cluster_wide))


def test_the_verbs_bind_and_escalate_are_what_allows_it(cluster, ns):
    cluster.create("rbac/roles", ns, role("strong", rule("", "secrets", "get")))
    binder, user = cluster.account(ns, "binder", rule(RBAC, "rolebindings", "create"), rule(RBAC, "roles", "bind", names=["strong"]))
    until(201, lambda: binder.call("POST", path_of("rbac/rolebindings", ns), json=binding(unique("b"), "strong", "alice")), "bind")
    for bad in (binding(unique("b"), "strong", user), binding(unique("b"), "strong", "alice", user)):
        forbidden(binder.call("POST", path_of("rbac/rolebindings", ns), json=bad), "not currently held")
    smith, _ = cluster.account(ns, "smith", rule(RBAC, "roles", "create", "escalate"))
    until(201, lambda: smith.call("POST", path_of("rbac/roles", ns), json=role(unique("r"), rule("", "secrets", "get"))), "escalate")


def test_a_binding_stays_with_its_role(cluster, ns):
    cluster.create("rbac/roles", ns, role("one", rule("", "configmaps", "get")))
    cluster.create("rbac/roles", ns, role("two", rule("", "configmaps", "get")))
    cluster.create("rbac/rolebindings", ns, binding("fixed", "one", "alice"))
    answer = cluster.call("PUT", path_of("rbac/rolebindings", ns, "fixed"), json=binding("fixed", "two", "alice"))
    assert answer.status_code == 422 and "roleRef" in answer.text, answer.text


# ------------------------------------------------------------------ namespaces and names

def test_a_right_ends_at_its_namespace(cluster, ns):
    other = cluster.namespace("rbac")
    tenant, _ = cluster.account(ns, "bob", rule("", "configmaps", "get", "list", "create", "update", "patch", "delete"))
    until(201, lambda: tenant.call("POST", path_of("configmaps", ns), json=config_map(unique("mine"))), "the grant")
    cluster.create("configmaps", other, config_map("theirs", a="1"))
    path = path_of("configmaps", other, "theirs")
    forbidden(tenant.call("GET", path), other)
    forbidden(tenant.call("GET", path_of("configmaps", other)))
    forbidden(tenant.call("GET", path_of("configmaps")))
    forbidden(tenant.call("POST", path_of("configmaps", other), json=config_map("x")))
    forbidden(tenant.call("PUT", path, json=config_map("theirs")))
    forbidden(tenant.call("DELETE", path))
    forbidden(tenant.call("GET", path_of("configmaps", other), params={"watch": "true"}))
    for trick in (f"/api/v1/namespaces/{ns}/../{other}/configmaps", f"/api/v1/namespaces/{ns}%2f..%2f{other}/configmaps",
                  f"//api/v1/namespaces/{other}/configmaps", f"/api/v1/namespaces/{other}/./configmaps"):
        session = requests.Session()
        prepared = requests.Request("GET", tenant.platform.url + "/x", headers={"Authorization": f"Bearer {tenant.token}"}).prepare()
        prepared.url = tenant.platform.url + trick
        assert session.send(prepared, verify=tenant.platform.ca).status_code in (400, 403, 404), trick
    assert cluster.get("configmaps", other, "theirs")["data"] == {"a": "1"}


def test_a_right_to_named_objects_is_to_no_other(cluster, ns):
    tenant, _ = cluster.account(ns, "bob", rule("", "configmaps", "get", "update", names=["one"]))
    for name in ("one", "two"):
        cluster.create("configmaps", ns, config_map(name))
    until(200, lambda: tenant.call("GET", path_of("configmaps", ns, "one")), "the grant")
    forbidden(tenant.call("GET", path_of("configmaps", ns, "two")))
    forbidden(tenant.call("GET", path_of("configmaps", ns)))


def test_groups_and_cluster_bindings_reach_every_namespace(cluster, ns):
    name = unique("watchers")
    cluster.create("rbac/clusterroles", None, role(name, rule("", "configmaps", "list"), kind="ClusterRole"))
    body = binding(name, name, role_kind="ClusterRole", kind="ClusterRoleBinding")
    body["subjects"] = [{"apiGroup": RBAC, "kind": "Group", "name": f"system:serviceaccounts:{ns}"}]
    cluster.create("rbac/clusterrolebindings", None, body)
    tenant, user = cluster.account(ns, "bob")
    until(200, lambda: tenant.call("GET", path_of("configmaps", "default")), "the group's right")
    forbidden(tenant.call("GET", path_of("secrets", "default")))
    assert review(cluster, "anyone", "list", "configmaps", "default", groups=[f"system:serviceaccounts:{ns}"])
    assert not review(cluster, "anyone", "list", "configmaps", "default")
    cluster.delete("rbac/clusterrolebindings", None, name)
    until(403, lambda: tenant.call("GET", path_of("configmaps", "default")), "its end")


def test_an_aggregated_role_gathers_by_label(cluster, ns):
    tenant, user = cluster.account(ns, "bob")
    cluster.create("rbac/rolebindings", ns, binding("viewer", "view", user, role_kind="ClusterRole"))
    until(200, lambda: tenant.call("GET", path_of("configmaps", ns)), "view")
    assert not review(cluster, user, "frobnicate", "widgets", ns, group="example.com")
    extra = role(unique("extra"), rule("example.com", "widgets", "frobnicate"), kind="ClusterRole")
    extra["metadata"]["labels"] = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    cluster.create("rbac/clusterroles", None, extra)
    deadline = time.monotonic() + 1
    while not review(cluster, user, "frobnicate", "widgets", ns, group="example.com"):
        assert time.monotonic() < deadline

    # The object shows what it gathered: at once, in what gathers from it too, and no longer when it is gone.
    def shows(name):
        rules = cluster.call("GET", path_of("rbac/clusterroles", None, name)).json()["rules"]
        return extra["rules"][0] in rules and len(rules) > 1
    assert shows("view") and shows("edit") and shows("admin")
    own = role(unique("gathers"), rule("", "secrets", "get"), kind="ClusterRole")
    own["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": extra["metadata"]["labels"]}]}
    made = cluster.create("rbac/clusterroles", None, own)
    assert extra["rules"][0] in made["rules"] and own["rules"][0] not in made["rules"]
    cluster.delete("rbac/clusterroles", None, own["metadata"]["name"])
    cluster.delete("rbac/clusterroles", None, extra["metadata"]["name"])
    assert not shows("view") and not shows("edit") and not shows("admin")


# ------------------------------------------------------------------ secrets

def test_secrets_are_given_by_the_role_secrets_alone(cluster, ns, platform):
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "hunter2"}}
    cluster.create("secrets", ns, body)
    viewer, user = cluster.account(ns, "bob")
    cluster.create("rbac/rolebindings", ns, binding("viewer", "view", user, role_kind="ClusterRole"))
    until(200, lambda: viewer.call("GET", path_of("configmaps", ns)), "view")
    forbidden(viewer.call("GET", path_of("secrets", ns, "db")))
    forbidden(viewer.call("GET", path_of("secrets", ns)))
    # The api role's own socket does not know the kind, whoever asks.
    def ask(role_name, path):
        connection = http.client.HTTPConnection("x")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(platform.run_dir / f"{role_name}.sock"))
        connection.request("GET", path, headers={"Authorization": f"Bearer {cluster.token}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    assert ask("secrets", path_of("secrets", ns, "db"))[0] == 200
    status, text = ask("api", path_of("secrets", ns, "db"))
    assert status == 404 and "aHVudGVyMg" not in text, text
    assert ask("secrets", path_of("configmaps", ns))[0] == 404


def test_a_role_believes_no_header_about_who_asks(cluster, ns, platform):
    lies = {"X-Remote-User": "system:admin", "Impersonate-User": "system:operator:0", "X-Forwarded-User": "root",
            "X-Remote-Group": "system:masters", "Impersonate-Group": "drun:operators", "X-Real-IP": "10.0.0.1"}
    tenant, _ = cluster.account(ns, "bob")
    until(403, lambda: tenant.call("GET", path_of("secrets", ns), headers=dict(lies)), "the start")
    assert platform.request("GET", path_of("secrets", ns), headers=dict(lies)).status_code == 403
