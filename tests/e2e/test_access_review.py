# SPDX-License-Identifier: Apache-2.0
"""Who can do what, and who was last seen when, as `drun access-review` tells an auditor."""
import csv
import io
import json

import pytest

from identity import GROUPS, RBAC, Identity, name
from test_cli import drun

REPORT = "/apis/authorization.drun.io/v1/accessreport"


@pytest.fixture(scope="module")
def idp():
    running = Identity()
    with running.serving():
        running.must(201, "POST", "/api/v1/namespaces", running.root, json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant"}})
        for who, groups in (("alice", []), ("bob", ["ml"]), ("carol", ["drun:auditors"]), ("lead", [])):
            running.add_user(who, running.root, groups=groups)
        running.must(201, "POST", GROUPS, running.root, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": "readers"}, "spec": {"members": ["alice"]}})
        bind(running, "invokers", "drun:developer", {"kind": "Group", "name": "ml"})
        bind(running, "readers", "view", {"kind": "Group", "name": "readers"}, {"kind": "ServiceAccount", "name": "bot", "namespace": "tenant"})
        bind(running, "lead", "drun:tenant-admin", {"kind": "User", "name": "lead"})
        bind(running, "ghosts", "edit", {"kind": "User", "name": "=cmd()"}, {"kind": "ServiceAccount", "name": "gone", "namespace": "tenant"})
        running.must(201, "POST", f"{RBAC}/namespaces/tenant/roles", running.root, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "forgotten"}, "rules": []})
        running.must(201, "POST", "/api/v1/namespaces/tenant/serviceaccounts", running.root, json={"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}})
        made = running.must(201, "POST", "/apis/drun.io/v1/namespaces/tenant/apikeys", running.root, json={
            "apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": "bots"}, "spec": {"serviceAccountName": "bot", "scopes": {"verbs": ["get"]}}})
        running.request("GET", "/api/v1/namespaces/tenant", made["status"]["key"])
        yield running


def bind(idp, bound, role, *subjects):
    group = {"ServiceAccount": ""}
    idp.must(201, "POST", f"{RBAC}/namespaces/tenant/rolebindings", idp.root, json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": bound},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [s | ({} if s["kind"] in group else {"apiGroup": "rbac.authorization.k8s.io"}) for s in subjects]})


def review(idp, *more):
    return json.loads(drun(idp, "access-review", "-o", "json", *more).stdout)


def rows(found, **want):
    return [row for row in found["access"] if all(row[k] == v for k, v in want.items())]


def test_everybody_is_listed_with_the_way_to_each_role(idp):
    idp.sign_in("bob")
    found = review(idp)
    bob, = rows(found, name="bob", role="drun:developer")
    assert bob["via"] == "Group ml" and bob["namespace"] == "tenant" and bob["binding"] == "invokers" and bob["bindingKind"] == "RoleBinding"
    assert bob["lastSignIn"].endswith("Z") and any("invoke drun.io/models" in right for right in bob["rights"])
    assert rows(found, name="alice", role="view")[0]["via"] == "Group readers"
    carol, = rows(found, name="carol", role="drun:auditor")
    assert carol["namespace"] == "" and carol["bindingKind"] == "ClusterRoleBinding"
    assert rows(found, kind="Group", name="drun:operators", role="cluster-admin")[0]["rights"][0] == "* */*"
    assert found["unread"] == []


def test_what_was_used_when_is_there(idp):
    found = idp.wait_until("the use of the key", lambda: [r for r in rows(review(idp), kind="ServiceAccount", name="tenant:bot") if r["lastKeyUse"]], timeout=30)
    assert found[0]["role"] == "view"
    key, = [k for k in review(idp)["keys"] if k["name"] == "bots"]
    assert key["owner"] == "system:serviceaccount:tenant:bot" and key["address"] == "127.0.0.1" and key["lastUsed"] == found[0]["lastKeyUse"]


def test_what_should_be_looked_at_is_found(idp):
    found = review(idp)
    said = {(f["finding"], f["kind"], f["name"]) for f in found["findings"]}
    assert ("KeyWithoutEnd", "ApiKey", "bots") in said
    assert ("SubjectMissing", "RoleBinding", "ghosts") in said
    assert ("RoleUnused", "Role", "forgotten") in said and not [s for s in said if s[2] == "drun:posture-namespace"]
    assert sum(f["finding"] == "SubjectMissing" for f in found["findings"]) == 2
    at_once = {(f["finding"], f["name"]) for f in review(idp, "--stale", "0s")["findings"]}
    assert ("KeyStale", "bots") in at_once and ("UserStale", "bob") in at_once
    gone = name("gone")
    idp.add_user(gone, idp.root)
    bind(idp, gone, "view", {"kind": "User", "name": gone})
    idp.must(200, "PATCH", f"/apis/drun.io/v1/users/{gone}", idp.root, data='{"spec": {"disabled": true}}', headers={"Content-Type": "application/merge-patch+json"})
    assert ("DisabledWithRights", gone) in {(f["finding"], f["name"]) for f in review(idp)["findings"]}


def test_one_answer_has_all_grants_and_what_each_role_gives(idp):
    report = idp.must(200, "GET", REPORT, idp.root)
    assert report["complete"] and {"grants", "roles"} <= set(report)
    view, = [r for r in report["roles"] if r["name"] == "view"]
    assert view["rules"] and view["builtIn"] and view["bindings"] >= 1


def test_each_sees_what_he_may(idp):
    """An auditor all; who administers a namespace its own; others nothing."""
    assert idp.must(200, "GET", REPORT, idp.token_of("carol"))["complete"]
    lead = idp.token_of("lead")
    idp.must(403, "GET", REPORT, lead)
    idp.must(403, "GET", REPORT + "?namespace=default", lead)
    own = idp.must(200, "GET", REPORT + "?namespace=tenant", lead)
    assert not own["complete"] and {g["bindingKind"] for g in own["grants"]} == {"RoleBinding"} and {g["namespace"] for g in own["grants"]} == {"tenant"}
    assert {r["name"] for r in own["roles"] if r["kind"] == "ClusterRole"} == {"drun:developer", "view", "drun:tenant-admin", "edit"}
    for token in (idp.token_of("alice"), idp.token_of("bob"), None):
        assert idp.request("GET", REPORT + "?namespace=tenant", token).status_code in (401, 403)
    assert idp.request("GET", REPORT + "?namespace=a/b", idp.root).status_code == 400
    assert idp.request("POST", REPORT, idp.root).status_code in (404, 405)


def test_a_table_and_a_sheet(idp):
    table = drun(idp, "access-review", "-n", "tenant").stdout
    print(table)
    assert "Access" in table and "API keys" in table and "To look at" in table and "drun:developer" in table
    sheet = list(csv.DictReader(io.StringIO(drun(idp, "access-review", "-o", "csv").stdout)))
    bob, = [row for row in sheet if row["name"] == "bob" and row["role"] == "drun:developer"]
    assert bob["via"] == "Group ml" and "invoke drun.io/models" in bob["rights"]
    assert [row for row in sheet if row["name"] == "'=cmd()"], "a name is no formula"
    assert "table, json or csv" in drun(idp, "access-review", "-o", "xml", code=1).stderr
