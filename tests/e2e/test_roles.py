# SPDX-License-Identifier: Apache-2.0
"""The built-in roles on a running platform: people who have them try what is not theirs, and their own work goes through.
What each role can do, to the last verb, is docs/ROLES.md (rbac default roles)."""
import json

import pytest

from identity import GROUPS, KEYS, RBAC, USERS, Identity, name
from jose_keys import new_key

AUDIT = "/apis/audit.drun.io/v1/auditevents"
ISSUERS = "/apis/drun.io/v1/trustedissuers"
PATCH = {"headers": {"Content-Type": "application/merge-patch+json"}}


@pytest.fixture(scope="module")
def idp():
    running = Identity()
    with running.serving():
        running.must(201, "POST", "/api/v1/namespaces", running.root, json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant"}})
        for who, group in (("admin", "drun:platform-admins"), ("officer", "drun:security-officers"), ("auditor", "drun:auditors"),
                           ("chief", "drun:operators")):
            running.add_user(who, running.root, groups=[group])
        for who in ("tenant-admin", "developer", "viewer"):
            running.add_user(who, running.root)
            running.must(201, "POST", RBAC + "/namespaces/tenant/rolebindings", running.root, json=binding(who, "drun:" + who, who))
        yield running


def binding(bound, role, *users, kind="RoleBinding"):
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": bound},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user} for user in users]}


def user(who, **spec):
    return {"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": who}, "spec": spec}


def denied(idp, token, method, path, **more):
    answer = idp.request(method, path, token, **more)
    assert answer.status_code == 403, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json().get("message") or answer.json().get("detail")


def known(idp, token, path, body):
    """The policy that forbids it is in force; it follows a binding within a moment."""
    idp.wait_until("the policy", lambda: idp.request("POST", path + "?dryRun=All", token, json=body).status_code == 403)


def test_an_administrator_does_his_work(idp):
    token, who = idp.token_of("admin"), name("u")
    idp.must(201, "POST", USERS, token, json=user(who))
    ns = name("ns")
    idp.must(201, "POST", "/api/v1/namespaces", token, json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
    idp.must(201, "POST", f"{RBAC}/namespaces/{ns}/rolebindings", token, json=binding("lead", "drun:tenant-admin", who))
    idp.must(201, "POST", f"{USERS}/{who}/passwordlink", token)
    idp.must(200, "GET", KEYS, token)


def test_an_administrator_gives_himself_nothing(idp):
    """Each way that leads from a platform administrator to more."""
    token = idp.token_of("admin")
    every = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name("r")},
             "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    denied(idp, token, "POST", RBAC + "/clusterroles", json=every)
    for role in ("cluster-admin", "drun:auditor", "drun:security-officer"):
        denied(idp, token, "POST", RBAC + "/clusterrolebindings", json=binding(name("b"), role, "somebody", kind="ClusterRoleBinding"))
    for role in ("admin", "drun:tenant-admin", "view"):
        denied(idp, token, "POST", RBAC + "/namespaces/tenant/rolebindings", json=binding(name("b"), role, "admin"))
        denied(idp, token, "POST", RBAC + "/clusterrolebindings", json=binding(name("b"), role, "admin", kind="ClusterRoleBinding"))
    for group in ("drun:operators", "drun:auditors"):
        denied(idp, token, "PATCH", f"{USERS}/admin", data=json.dumps({"spec": {"groups": ["drun:platform-admins", group]}}), **PATCH)
        denied(idp, token, "POST", USERS, json=user(name("u"), groups=[group]))
    denied(idp, token, "POST", GROUPS, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": "drun:operators"}, "spec": {"members": ["admin"]}})
    denied(idp, token, "POST", f"{USERS}/chief/passwordlink")
    denied(idp, token, "DELETE", f"{USERS}/chief/factors")
    denied(idp, token, "POST", KEYS, json={"apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": name("k")}, "spec": {"user": "chief"}})
    denied(idp, token, "GET", "/api/v1/namespaces/tenant/secrets")


def test_a_name_that_has_rights_is_not_made_again(idp):
    """A user is deleted, the binding to the name stays: who makes the name anew would sign in with its rights."""
    token, who = idp.token_of("admin"), name("root")
    idp.must(201, "POST", RBAC + "/clusterrolebindings", idp.root, json=binding(who, "cluster-admin", who, kind="ClusterRoleBinding"))
    known(idp, token, USERS, user(who))
    assert "rights in the whole cluster" in denied(idp, token, "POST", USERS, json=user(who))
    idp.must(201, "POST", USERS, idp.root, json=user(who))
    denied(idp, token, "POST", f"{USERS}/{who}/passwordlink")


def test_an_issuer_hands_out_no_account_above_its_maker(idp):
    token, issuer = idp.token_of("admin"), name("ci")
    for account in ("weak", "strong"):
        idp.must(201, "POST", "/api/v1/namespaces/tenant/serviceaccounts", idp.root, json={
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}})
    strong = binding("strong-" + issuer, "cluster-admin", kind="ClusterRoleBinding")
    strong["subjects"] = [{"kind": "ServiceAccount", "name": "strong", "namespace": "tenant"}]
    idp.must(201, "POST", RBAC + "/clusterrolebindings", idp.root, json=strong)
    _, _, public = new_key()

    def trusted(account):
        return {"apiVersion": "drun.io/v1", "kind": "TrustedIssuer", "metadata": {"name": issuer}, "spec": {
            "issuer": f"https://{issuer}.test", "jwks": {"keys": [public]},
            "rules": [{"subject": "repo:us/app", "serviceAccount": {"namespace": "tenant", "name": account}}]}}

    known(idp, token, ISSUERS, trusted("strong"))
    assert "rights in the whole cluster" in denied(idp, token, "POST", ISSUERS, json=trusted("strong"))
    idp.must(201, "POST", ISSUERS, token, json=trusted("weak"))
    denied(idp, token, "PATCH", f"{ISSUERS}/{issuer}", data=json.dumps({"spec": {"rules": trusted("strong")["spec"]["rules"]}}), **PATCH)
    idp.must(200, "PATCH", f"{ISSUERS}/{issuer}", token, data=json.dumps({"spec": {"disabled": True}}), **PATCH)


def test_an_administrator_does_not_touch_the_audit(idp):
    token = idp.token_of("admin")
    denied(idp, token, "GET", AUDIT)
    denied(idp, token, "DELETE", RBAC + "/clusterrolebindings/drun:auditors")
    bindings = idp.must(200, "GET", RBAC + "/clusterrolebindings", idp.root)["items"]
    denied(idp, token, "DELETE", RBAC + "/clusterrolebindings")
    assert len(idp.must(200, "GET", RBAC + "/clusterrolebindings", idp.root)["items"]) == len(bindings), "all or none"
    denied(idp, token, "PATCH", RBAC + "/clusterrolebindings/drun:auditors", data='{"subjects": []}', **PATCH)
    denied(idp, token, "PATCH", RBAC + "/clusterroles/drun:auditor", data='{"rules": []}', **PATCH)
    denied(idp, token, "DELETE", RBAC + "/clusterroles/drun:security-officer")
    denied(idp, token, "DELETE", RBAC + "/clusterrolebindings/cluster-admin")
    for who in (idp.root, token, idp.token_of("auditor"), idp.token_of("officer")):
        for method in ("DELETE", "POST", "PUT", "PATCH"):
            for path in (AUDIT, AUDIT + "/0"):
                assert idp.request(method, path, who).status_code in (403, 404, 405), "there is no way, for nobody"
    before = idp.must(200, "GET", AUDIT + "/0", idp.token_of("auditor"))
    assert before["event"]["event.name"]


def test_an_auditor_sees_and_changes_nothing(idp):
    token = idp.token_of("auditor")
    for path in (AUDIT, USERS, GROUPS, KEYS, RBAC + "/clusterrolebindings", RBAC + "/rolebindings", "/apis/drun.io/v1/controls", "/api/v1/namespaces"):
        idp.must(200, "GET", path, token)
    denied(idp, token, "GET", "/api/v1/namespaces/tenant/secrets")
    named = {USERS: "developer", GROUPS: "x", KEYS: "x", RBAC + "/clusterroles": "view", "/api/v1/namespaces": "tenant",
             "/api/v1/namespaces/tenant/configmaps": "x", "/apis/drun.io/v1/namespaces/tenant/modelservices": "x",
             RBAC + "/namespaces/tenant/rolebindings": "viewer"}
    for path, one in named.items():
        denied(idp, token, "POST", path, json={"apiVersion": "v1", "kind": "X", "metadata": {"name": "y"}})
        denied(idp, token, "PATCH", f"{path}/{one}", data="{}", **PATCH)
        denied(idp, token, "DELETE", f"{path}/{one}")
    denied(idp, token, "POST", f"{KEYS}/x/rotate")
    denied(idp, token, "POST", f"{USERS}/developer/passwordlink")
    rules = idp.must(201, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", token, json={
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "tenant"}})["status"]["resourceRules"]
    writes = {verb for rule in rules for verb in rule["verbs"]} - {"get", "list", "watch", "verify"}
    assert writes == {"create"}
    assert {group for rule in rules if "create" in rule["verbs"] for group in rule["apiGroups"]} == {"authorization.k8s.io", "authentication.k8s.io"}


def test_an_officer_ends_things_and_makes_none(idp):
    token, who, key_name = idp.token_of("officer"), name("u"), name("k")
    idp.add_user(who, idp.root)
    key = idp.add_key(key_name, idp.root, user=who, scopes={"verbs": ["*"]}, expiresAt="2040-01-01T00:00:00Z")["status"]["key"]
    denied(idp, token, "POST", USERS, json=user(name("u")))
    denied(idp, token, "POST", f"{USERS}/{who}/passwordlink")
    denied(idp, token, "POST", f"{KEYS}/{key_name}/rotate")
    denied(idp, token, "PATCH", f"{USERS}/officer", data=json.dumps({"spec": {"groups": ["drun:operators"]}}), **PATCH)
    denied(idp, token, "POST", RBAC + "/clusterrolebindings", json=binding(name("b"), "view", who, kind="ClusterRoleBinding"))
    idp.must(200, "PATCH", f"{KEYS}/{key_name}", token, data='{"spec": {"disabled": true}}', **PATCH)
    idp.wait_until("the key's end", lambda: not idp.accepted(key))
    for wider in ('{"spec": {"disabled": false}}', '{"spec": {"expiresAt": null}}', '{"spec": {"expiresAt": "2050-01-01T00:00:00Z"}}',
                  '{"spec": {"scopes": null}}'):
        denied(idp, token, "PATCH", f"{KEYS}/{key_name}", data=wider, **PATCH)
    idp.must(200, "PATCH", f"{KEYS}/{key_name}", token, data='{"spec": {"expiresAt": "2030-01-01T00:00:00Z"}}', **PATCH)
    idp.must(200, "DELETE", f"{KEYS}?fieldSelector=spec.user%3D{who}", token)
    session = idp.token_of(who)
    idp.must(200, "PATCH", f"{USERS}/{who}", token, data='{"spec": {"disabled": true}}', **PATCH)
    idp.wait_until("the session's end", lambda: not idp.accepted(session))
    denied(idp, token, "DELETE", RBAC + "/clusterrolebindings/drun:auditors")


def ask(idp, method, path, token, spec=None):
    more = {} if spec is None else {"data": json.dumps({"spec": spec}), **PATCH}
    return idp.request(method, path, token, **more).status_code


def test_an_administrator_does_not_send_those_away_who_look_after_him(idp):
    """Out of reach: whoever is in a group, or has a name, that the administrator could not give himself."""
    token, root = idp.token_of("admin"), name("root")
    idp.must(201, "POST", USERS, idp.root, json=user(root))
    idp.must(201, "POST", RBAC + "/clusterrolebindings", idp.root, json=binding(root, "cluster-admin", root, kind="ClusterRoleBinding"))
    idp.wait_until("the binding", lambda: ask(idp, "PATCH", f"{USERS}/{root}?dryRun=All", token, {"disabled": True}) == 403)
    for who in ("auditor", "officer", "chief", root):
        for spec in ({"groups": []}, {"groups": None}, {"disabled": True}, {"expiresAt": "2020-01-01T00:00:00Z"}, {"email": "admin@evil.example"},
                     {"passwordChangeRequired": True}, {"displayName": "somebody else"}):
            if who == root and "groups" in spec:
                continue  # has none
            assert ask(idp, "PATCH", f"{USERS}/{who}", token, spec) == 403, (who, spec)
        denied(idp, token, "DELETE", f"{USERS}/{who}")
        shown = idp.must(200, "GET", f"{USERS}/{who}", idp.root)
        denied(idp, token, "PUT", f"{USERS}/{who}", json={**shown, "spec": {"displayName": "x"}})
    everybody = idp.must(200, "GET", USERS, idp.root)["items"]
    denied(idp, token, "DELETE", USERS)
    assert len(idp.must(200, "GET", USERS, idp.root)["items"]) == len(everybody), "all or none"
    # Labels are for everybody who may write users, and equals and those below stay in reach.
    idp.must(200, "PATCH", f"{USERS}/auditor", token, data='{"metadata": {"labels": {"floor": "2"}}}', **PATCH)
    friend, equal = name("u"), name("equal")
    idp.must(201, "POST", USERS, token, json=user(friend, groups=["team-a"]))
    idp.must(201, "POST", USERS, token, json=user(equal, groups=["drun:platform-admins"]))
    for who in (friend, equal):
        assert ask(idp, "PATCH", f"{USERS}/{who}", token, {"email": "x@example.org", "groups": []}) == 200
        assert ask(idp, "DELETE", f"{USERS}/{who}", token) == 200


def test_a_group_of_watchers_is_not_emptied(idp):
    token, watcher, team = idp.token_of("admin"), name("watcher"), name("watchers")
    idp.must(201, "POST", USERS, token, json=user(watcher))
    idp.must(201, "POST", GROUPS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": team}, "spec": {"members": [watcher]}})
    bound = binding(team, "drun:auditor", kind="ClusterRoleBinding")
    bound["subjects"] = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": team}]
    idp.must(201, "POST", RBAC + "/clusterrolebindings", idp.root, json=bound)
    idp.wait_until("the binding", lambda: ask(idp, "PATCH", f"{USERS}/{watcher}?dryRun=All", token, {"disabled": True}) == 403)
    assert ask(idp, "PATCH", f"{GROUPS}/{team}", token, {"members": []}) == 403
    denied(idp, token, "DELETE", f"{GROUPS}/{team}")
    denied(idp, token, "DELETE", GROUPS)
    denied(idp, token, "DELETE", f"{USERS}/{watcher}")
    assert ask(idp, "PATCH", f"{USERS}/{watcher}", token, {"disabled": True}) == 403, "a group that lists somebody counts like one in the User"
    idp.must(200, "DELETE", f"{GROUPS}/{team}", idp.root)
    assert ask(idp, "DELETE", f"{USERS}/{watcher}", token) == 200


def test_a_binding_of_ones_own_that_makes_an_auditor_stays(idp):
    token, ours = idp.token_of("admin"), name("ours")
    idp.must(201, "POST", RBAC + "/clusterrolebindings", idp.root, json=binding(ours, "drun:auditor", "somebody", kind="ClusterRoleBinding"))
    idp.must(201, "POST", RBAC + "/clusterrolebindings", idp.root, json=binding(ours + "-2", "view", "somebody", kind="ClusterRoleBinding"))
    for who in (token, idp.token_of("officer")):
        denied(idp, who, "DELETE", f"{RBAC}/clusterrolebindings/{ours}")
    denied(idp, token, "PATCH", f"{RBAC}/clusterrolebindings/{ours}", data='{"subjects": []}', **PATCH)
    idp.must(200, "DELETE", f"{RBAC}/clusterrolebindings/{ours}-2", token)
    idp.must(200, "DELETE", f"{RBAC}/clusterrolebindings/{ours}", idp.root)


def test_an_officer_ends_accounts_above_him_and_changes_none(idp):
    token, boss = idp.token_of("officer"), name("boss")
    idp.add_user(boss, idp.root, groups=["drun:operators", "team-a"], displayName="The boss", expiresAt="2040-01-01T00:00:00Z")
    session = idp.token_of(boss)
    for spec in ({"email": "officer@evil.example"}, {"displayName": "x"}, {"disabled": True, "email": "officer@evil.example"},
                 {"expiresAt": "2050-01-01T00:00:00Z"}, {"expiresAt": None}, {"groups": ["drun:operators", "drun:auditors"]}):
        assert ask(idp, "PATCH", f"{USERS}/{boss}", token, spec) == 403, spec
    denied(idp, token, "POST", f"{USERS}/{boss}/passwordlink")
    assert idp.accepted(session)
    assert ask(idp, "PATCH", f"{USERS}/{boss}", token, {"expiresAt": "2039-01-01T00:00:00Z", "groups": ["drun:operators"]}) == 200
    assert ask(idp, "PATCH", f"{USERS}/{boss}", token, {"disabled": True}) == 200
    idp.wait_until("the session's end", lambda: not idp.accepted(session))
    assert ask(idp, "PATCH", f"{USERS}/{boss}", token, {"disabled": False}) == 403, "what was ended he does not open"
    assert ask(idp, "PATCH", f"{USERS}/{boss}", idp.token_of("admin"), {"disabled": False}) == 403
    assert ask(idp, "DELETE", f"{USERS}/{boss}", token) == 200


def test_tenants_stay_in_their_namespace(idp):
    lead, developer, viewer = (idp.token_of(who) for who in ("tenant-admin", "developer", "viewer"))
    inside, outside = "/api/v1/namespaces/tenant", "/api/v1/namespaces/default"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name("c")}}
    idp.must(201, "POST", inside + "/configmaps", lead, json=config)
    for token in (lead, developer, viewer):
        for path in (outside + "/configmaps", outside + "/secrets", USERS, AUDIT, RBAC + "/clusterroles", KEYS):
            denied(idp, token, "GET", path)
    idp.must(200, "GET", inside + "/configmaps", viewer)
    denied(idp, viewer, "POST", inside + "/configmaps", json=config)
    denied(idp, viewer, "GET", inside + "/secrets")
    denied(idp, developer, "GET", inside + "/configmaps")
    denied(idp, lead, "POST", RBAC + "/namespaces/tenant/rolebindings", json=binding(name("b"), "cluster-admin", "tenant-admin"))
    idp.must(201, "POST", RBAC + "/namespaces/tenant/rolebindings", lead, json=binding(name("b"), "drun:developer", "viewer"))


def test_a_start_gives_built_in_roles_what_they_lack(own_platform):
    own_platform.start()
    path, mine = RBAC + "/clusterroles/drun:developer", RBAC + "/clusterroles/drun:viewer"

    def call(method, where, **more):
        answer = own_platform.request(method, where, own_platform.operator_token(), **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    full = call("GET", path)["rules"]
    extra = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    call("PATCH", path, data=json.dumps({"rules": [full[0], extra]}), **PATCH)
    call("PATCH", RBAC + "/clusterrolebindings/drun:auditors", data=json.dumps({"subjects": []}), **PATCH)
    call("PATCH", RBAC + "/clusterroles/drun:security-officer", data=json.dumps({
        "rules": [], "metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}}), **PATCH)
    own_platform.stop()
    own_platform.start()
    now = call("GET", path)["rules"]
    assert extra in now and all(rule in now for rule in full)
    assert call("GET", RBAC + "/clusterrolebindings/drun:auditors")["subjects"][0]["name"] == "drun:auditors"
    assert call("GET", RBAC + "/clusterroles/drun:security-officer").get("rules", []) == []
    assert call("GET", mine)["rules"]
    own_platform.stop()
    own_platform.start()
    assert call("GET", path)["rules"] == now, "once is enough"
