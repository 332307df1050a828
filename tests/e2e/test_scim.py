# SPDX-License-Identifier: Apache-2.0
"""SCIM 2.0 with clients that we did not write (scim2-client, scim2-tester), and as Entra ID and Okta speak it."""
import time

import httpx2
import pytest
import requests
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, PatchOperation, SearchRequest
from scim2_tester import Status, check_server

from identity import CLIENTS, GROUPS, PASSWORD, RBAC, USERS, Identity, name

CORE = "urn:ietf:params:scim:schemas:core:2.0"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MESSAGES = "urn:ietf:params:scim:api:messages:2.0"


class Scim(Identity):
    def scim(self, status, method, path, body=None, token=None, **more):
        headers = {"Content-Type": "application/scim+json", **more.pop("headers", {})}
        answer = self.request(method, "/scim/v2" + path, token or self.scim_token, json=body, headers=headers, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.content:
            assert answer.headers["Content-Type"] == "application/scim+json"
        return answer.json() if answer.content else None

    def new_user(self, **more):
        return self.scim(201, "POST", "/Users", {"schemas": [f"{CORE}:User"], "userName": name("u"), **more})

    def patch(self, path, *operations, status=200, **more):
        return self.scim(status, "PATCH", path, {"schemas": [f"{MESSAGES}:PatchOp"], "Operations": list(operations)}, **more)


@pytest.fixture(scope="module")
def idp():
    running = Scim()
    with running.serving():
        made = running.must(201, "POST", CLIENTS, running.root, json={
            "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": "entra"},
            "spec": {"grantTypes": ["client_credentials"], "scopes": ["scim", "drun"], "accessTokenTtlSeconds": 3600}})
        running.must(201, "POST", f"{RBAC}/clusterroles", running.root, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "provisioner"},
            "rules": [{"apiGroups": ["drun.io"], "resources": ["users", "groups"], "verbs": ["get", "list", "create", "update", "delete"]}]})
        running.must(201, "POST", f"{RBAC}/clusterrolebindings", running.root, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "provisioner"},
            "subjects": [{"kind": "User", "name": "client:entra", "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"kind": "ClusterRole", "name": "provisioner", "apiGroup": "rbac.authorization.k8s.io"}})
        secret = made["status"]["clientSecret"] if "clientSecret" in made.get("status", {}) else made["status"]["secret"]
        running.scim_token = running.form("/oauth2/token", ("entra", secret), grant_type="client_credentials", scope="scim").json()["access_token"]
        running.wait_until("the role", lambda: running.request("GET", "/scim/v2/Users", running.scim_token).status_code == 200)
        yield running


@pytest.fixture(scope="module")
def client(idp):
    with httpx2.Client(base_url=idp.url + "/scim/v2", headers={"Authorization": f"Bearer {idp.scim_token}"}, verify=idp.ca, timeout=30) as http:
        scim = SyncSCIMClient(http)
        scim.discover()
        yield scim


def test_the_compliance_checks_of_scim2_tester(client):
    results = check_server(client)
    bad = [f"{one.status.name} {one.title}: {one.reason} {one.data}" for one in results if one.status not in (Status.SUCCESS, Status.SKIPPED)]
    # A user is active or not: what is removed has its default again (RFC 7644 section 3.5.2.2), which the checker takes for "not removed".
    bad = [one for one in bad if "did not remove attribute 'active'" not in one]
    print(len(results), "checks")
    assert len(results) > 20
    assert not bad, "\n".join(bad)


# ---------------------------------------------------------------------- a provisioner's day


def test_a_user_is_the_same_object_here_and_there(idp):
    made = idp.scim(201, "POST", "/Users", {
        "schemas": [f"{CORE}:User", ENTERPRISE], "userName": "Bjensen@Example.com", "externalId": "e-701984", "active": True,
        "name": {"givenName": "Barbara", "familyName": "Jensen"}, "emails": [{"value": "home@example.com", "type": "home"},
                                                                             {"value": "bjensen@example.com", "type": "work", "primary": True}],
        ENTERPRISE: {"employeeNumber": "701984", "department": "Tours"}})
    user = idp.must(200, "GET", f"{USERS}/bjensen-example.com", idp.root)
    assert user["spec"]["displayName"] == "Barbara Jensen" and user["spec"]["email"] == "bjensen@example.com" and not user["spec"]["disabled"]
    assert made["id"] == f"bjensen-example.com~{user['metadata']['uid']}" and made["userName"] == "Bjensen@Example.com"
    assert made[ENTERPRISE]["department"] == "Tours" and made["meta"]["location"].endswith(made["id"])
    # What is changed in the object is seen here, and the rest stays.
    idp.must(200, "PATCH", f"{USERS}/bjensen-example.com", idp.root, json={"spec": {"displayName": "Babs", "email": "babs@example.com"}},
             headers={"Content-Type": "application/merge-patch+json"})
    again = idp.scim(200, "GET", f"/Users/{made['id']}")
    assert again["displayName"] == "Babs" and again["emails"] == [{"value": "babs@example.com", "primary": True}]
    assert again["externalId"] == "e-701984" and again["name"]["givenName"] == "Barbara" and again["meta"]["version"] != made["meta"]["version"]
    idp.scim(409, "POST", "/Users", {"schemas": [f"{CORE}:User"], "userName": "bjensen@example.COM"})
    idp.scim(204, "DELETE", f"/Users/{made['id']}")
    idp.must(404, "GET", f"{USERS}/bjensen-example.com", idp.root)
    idp.scim(404, "GET", f"/Users/{made['id']}")
    # One of the same name is another one.
    other = idp.scim(201, "POST", "/Users", {"schemas": [f"{CORE}:User"], "userName": "Bjensen@Example.com"})
    assert other["id"] != made["id"]
    idp.scim(404, "GET", f"/Users/{made['id']}")


def test_deactivation_has_effect_at_once(idp):
    who = name("quick")
    idp.add_user(who, idp.root)
    user = idp.scim(200, "GET", f'/Users?filter=userName eq "{who}"')["Resources"][0]
    browser = idp.sign_in(who)
    token = idp.client(browser)[1]["access_token"]
    assert idp.accepted(token)
    began = time.monotonic()
    # As Entra ID writes it.
    done = idp.patch(f"/Users/{user['id']}", {"op": "Replace", "path": "active", "value": "False"})
    assert done["active"] is False
    while idp.accepted(token):
        assert time.monotonic() - began < 5
    print(f"{(time.monotonic() - began) * 1000:.0f} ms with the PATCH itself")
    assert browser.get(idp.url + "/session").status_code == 401
    assert browser.post(idp.url + "/session", json={"username": who, "password": PASSWORD}).status_code == 401
    # A replacement that does not speak of it lets nobody in again; as Okta writes it, it does.
    idp.scim(200, "PUT", f"/Users/{user['id']}", {"schemas": [f"{CORE}:User"], "userName": who})
    assert idp.scim(200, "GET", f"/Users/{user['id']}")["active"] is False
    idp.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": True}})
    idp.sign_in(who)


def test_groups_by_patch_as_entra_and_okta_write_them(idp):
    people = [idp.new_user() for _ in range(3)]
    group = idp.scim(201, "POST", "/Groups", {"schemas": [f"{CORE}:Group"], "displayName": name("Team Blue "), "externalId": "g-1"})
    path = f"/Groups/{group['id']}"
    idp.patch(path, {"op": "Add", "path": "members", "value": [{"value": people[0]["id"]}, {"value": people[1]["id"]}]})
    idp.patch(path, {"op": "add", "path": "members", "value": [{"value": people[1]["id"]}, {"value": people[2]["id"], "display": "x"}]})
    shown = idp.scim(200, "GET", path)
    assert [one["value"] for one in shown["members"]] == [one["id"] for one in people]
    assert [one["value"] for one in idp.scim(200, "GET", f"/Users/{people[0]['id']}")["groups"]] == [group["id"]]
    idp.patch(path, {"op": "remove", "path": f'members[value eq "{people[0]["id"]}"]'})
    idp.patch(path, {"op": "Remove", "path": "members", "value": [{"value": people[1]["id"]}]})
    shown = idp.scim(200, "GET", path)
    assert [one["value"] for one in shown["members"]] == [people[2]["id"]]
    idp.patch(path, {"op": "replace", "value": {"id": group["id"], "displayName": "Team Red"}})
    found = idp.scim(200, "GET", '/Groups?filter=displayName eq "team red"&excludedAttributes=members')
    assert found["totalResults"] == 1 and "members" not in found["Resources"][0]
    made = idp.must(200, "GET", f"{GROUPS}/{group['id'].rsplit('~', 1)[0]}", idp.root)
    assert made["spec"]["displayName"] == "Team Red" and made["spec"]["externalId"] == "g-1"
    refused = idp.patch(path, {"op": "add", "path": "members", "value": [{"value": "nobody~1"}]}, status=400)
    assert refused["scimType"] == "invalidValue" and "nobody~1" in refused["detail"]
    idp.scim(204, "DELETE", path)


def test_filters_order_and_pages(idp):
    mark = name("page")
    for i in range(7):
        idp.new_user(userName=f"{mark}-{i}", title=mark, nickName=f"N{(i * 3) % 7}", active=i != 5)
    query = f'/Users?filter=title eq "{mark}"'
    assert idp.scim(200, "GET", query)["totalResults"] == 7
    assert idp.scim(200, "GET", query + " and active eq false")["totalResults"] == 1
    assert idp.scim(200, "GET", f'/Users?filter=userName sw "{mark}" and not (nickName eq "N0")')["totalResults"] == 6
    by_nick = idp.scim(200, "GET", query + "&sortBy=nickName&sortOrder=descending&startIndex=2&count=3")
    assert [one["nickName"] for one in by_nick["Resources"]] == ["N5", "N4", "N3"]
    assert (by_nick["totalResults"], by_nick["startIndex"], by_nick["itemsPerPage"]) == (7, 2, 3)
    seen, cursor = [], ""
    while cursor is not None:
        page = idp.scim(200, "GET", query + f"&count=3&cursor={cursor}")
        seen += [one["userName"] for one in page["Resources"]]
        cursor = page.get("nextCursor")
    assert seen == [f"{mark}-{i}" for i in range(7)]
    only = idp.scim(200, "GET", query + "&attributes=userName,name.givenName&count=1")["Resources"][0]
    assert set(only) == {"schemas", "id", "userName"}
    searched = idp.scim(200, "POST", "/Users/.search", {"schemas": [f"{MESSAGES}:SearchRequest"], "filter": f'title eq "{mark}"', "count": 2,
                                                        "attributes": ["userName"]})
    assert searched["totalResults"] == 7 and len(searched["Resources"]) == 2
    assert idp.scim(200, "GET", query + "&count=0") | {"schemas": None} == {
        "schemas": None, "totalResults": 7, "Resources": [], "itemsPerPage": 0, "startIndex": 1}
    for bad, kind in (("userName eq", "invalidFilter"), ("nothing eq 1", "invalidFilter"), ('title eq "', "invalidFilter")):
        assert idp.scim(400, "GET", f"/Users?filter={bad}")["scimType"] == kind


def test_what_two_have_is_found_of_both(idp):
    mark = name("ext")
    first, second = idp.new_user(externalId=mark), idp.new_user(externalId=mark)
    query = f'/Users?filter=externalId eq "{mark}"&attributes=userName'
    assert idp.scim(200, "GET", query)["totalResults"] == 2
    idp.scim(204, "DELETE", f"/Users/{first['id']}")
    assert [one["id"] for one in idp.scim(200, "GET", query)["Resources"]] == [second["id"]]
    # Written as an object, and its userName changed since: found by the new one alone.
    idp.must(200, "PATCH", f"{USERS}/{second['id'].split('~')[0]}", idp.root, json={"spec": {"profile": {"userName": f"{mark}@x.example"}}},
             headers={"Content-Type": "application/merge-patch+json"})
    assert idp.scim(200, "GET", f'/Users?filter=userName eq "{mark.upper()}@x.example"')["totalResults"] == 1
    assert idp.scim(200, "GET", f'/Users?filter=userName eq "{second["userName"]}"')["totalResults"] == 0


def test_versions(idp):
    user = idp.new_user()
    path, version = f"/Users/{user['id']}", user["meta"]["version"]
    answer = idp.request("GET", "/scim/v2" + path, idp.scim_token, headers={"If-None-Match": version})
    assert answer.status_code == 304 and answer.headers["ETag"] == version
    idp.patch(path, {"op": "add", "path": "title", "value": "x"}, headers={"If-Match": version})
    assert "version" in idp.patch(path, {"op": "add", "path": "title", "value": "y"}, headers={"If-Match": version}, status=412)["detail"]
    idp.scim(412, "DELETE", path, headers={"If-Match": version})
    idp.scim(204, "DELETE", path, headers={"If-Match": "*"})


def test_bulk_with_references_in_any_order(idp):
    first, second = name("b"), name("b")
    bulk = {"schemas": [f"{MESSAGES}:BulkRequest"], "Operations": [
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"schemas": [f"{CORE}:Group"], "displayName": name("bulk"),
                                                                      "members": [{"type": "User", "value": "bulkId:u1"}, {"value": "bulkId:u2"}]}},
        {"method": "POST", "path": "/Users", "bulkId": "u1", "data": {"schemas": [f"{CORE}:User"], "userName": first}},
        {"method": "POST", "path": "/Users", "bulkId": "u2", "data": {"schemas": [f"{CORE}:User"], "userName": second}},
        {"method": "PATCH", "path": "/Users/bulkId:u1", "data": {"schemas": [f"{MESSAGES}:PatchOp"], "Operations": [{"op": "add", "path": "title", "value": "T"}]}},
        {"method": "POST", "path": "/Users", "bulkId": "u3", "data": {"schemas": [f"{CORE}:User"], "userName": first}},
        {"method": "DELETE", "path": "/Users/bulkId:nowhere"}]}
    answer = idp.scim(200, "POST", "/Bulk", bulk)
    assert [one["status"] for one in answer["Operations"]] == ["201", "201", "201", "200", "409", "409"]
    assert answer["Operations"][4]["response"]["scimType"] == "uniqueness"
    group = idp.request("GET", answer["Operations"][0]["location"].removeprefix(idp.url), idp.scim_token).json()
    assert len(group["members"]) == 2
    assert idp.scim(200, "GET", f'/Users?filter=userName eq "{first}"')["Resources"][0]["title"] == "T"
    stopped = idp.scim(200, "POST", "/Bulk", {"schemas": [f"{MESSAGES}:BulkRequest"], "failOnErrors": 1, "Operations": [
        {"method": "DELETE", "path": "/Users/x~1"}, {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": name("never")}}]})
    assert [one["status"] for one in stopped["Operations"]] == ["404"]


def test_who_may_do_what(idp):
    who = name("plain")
    idp.add_user(who, idp.root)
    token = idp.token_of(who)
    for method, path in (("GET", "/Users"), ("POST", "/Users"), ("GET", "/Users/x~1"), ("DELETE", "/Users/x~1"), ("GET", "/Groups")):
        refused = idp.scim(403, method, path, {"schemas": [f"{CORE}:User"], "userName": "x"} if method == "POST" else None, token=token)
        assert refused["schemas"] == [f"{MESSAGES}:Error"] and refused["status"] == "403"
    assert requests.get(idp.url + "/scim/v2/Users", verify=idp.ca).status_code == 401
    # The token of this scope is good here and nowhere else.
    assert idp.request("GET", USERS, idp.scim_token).status_code == 401
    assert idp.request("GET", "/scim/v2/Users", idp.scim_token[:-4] + "AAAA").status_code == 401
    # Nobody gives away what he does not have.
    idp.must(201, "POST", GROUPS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": "rulers"}})
    idp.must(201, "POST", f"{RBAC}/clusterrolebindings", idp.root, json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "rulers"},
        "subjects": [{"kind": "Group", "name": "rulers", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"}})
    group = idp.scim(200, "GET", '/Groups?filter=displayName eq "rulers"')["Resources"][0]

    def refused():
        user = idp.new_user()
        answer = idp.request("PATCH", f"/scim/v2/Groups/{group['id']}", idp.scim_token, headers={"Content-Type": "application/scim+json"}, json={
            "schemas": [f"{MESSAGES}:PatchOp"], "Operations": [{"op": "add", "path": "members", "value": [{"value": user["id"]}]}]})
        return answer.status_code == 403

    idp.wait_until("the binding is in force", refused)


def test_a_key_with_the_verbs_is_enough(idp):
    who = name("keeper")
    idp.add_user(who, idp.root)
    idp.must(201, "POST", f"{RBAC}/clusterrolebindings", idp.root, json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": who},
        "subjects": [{"kind": "User", "name": who, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "provisioner", "apiGroup": "rbac.authorization.k8s.io"}})
    key = idp.add_key(name("k"), idp.root, user=who, scopes={"verbs": ["get", "list", "create"]})["status"]["key"]
    idp.wait_until("the role", lambda: idp.request("GET", "/scim/v2/Users", key).status_code == 200)
    made = idp.scim(201, "POST", "/Users", {"schemas": [f"{CORE}:User"], "userName": name("byk")}, token=key)
    idp.scim(403, "DELETE", f"/Users/{made['id']}", token=key)


def test_me_is_the_user_who_asks(idp):
    who = name("me")
    idp.add_user(who, idp.root)
    idp.must(201, "POST", f"{RBAC}/clusterrolebindings", idp.root, json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": who},
        "subjects": [{"kind": "User", "name": who, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "provisioner", "apiGroup": "rbac.authorization.k8s.io"}})
    token = idp.token_of(who)
    idp.wait_until("the role", lambda: idp.request("GET", "/scim/v2/Me", token).status_code == 200)
    assert idp.scim(200, "GET", "/Me", token=token)["userName"] == who
    idp.scim(501, "GET", "/Me")


@pytest.mark.parametrize("body", [{"userName": "a"}, {"schemas": [f"{CORE}:User"]}, {"schemas": [f"{CORE}:User"], "userName": 7},
                                  {"schemas": [f"{CORE}:User"], "userName": "@@@"}, {"schemas": [f"{CORE}:User"], "userName": "b", "nonsense": 1},
                                  {"schemas": [f"{CORE}:User"], "userName": name("c"), "emails": [{"value": "no address"}]},
                                  {"schemas": [f"{CORE}:User"], "userName": name("c"), "displayName": "x" * 200},
                                  {"schemas": [f"{CORE}:User"], "userName": name("c"), "emails": "x"}])
def test_what_is_wrong_is_said(idp, body):
    refused = idp.request("POST", "/scim/v2/Users", idp.scim_token, json=body, headers={"Content-Type": "application/scim+json"})
    if body == {"userName": "a"}:  # some clients leave the schemas out
        assert refused.status_code in (201, 400)
        return
    assert refused.status_code == 400, refused.text
    assert refused.json()["scimType"] in ("invalidValue", "invalidSyntax") and refused.json()["detail"]


def test_scim2_client_creates_finds_and_patches(idp, client):
    user_model, group_model = client.get_resource_model("User"), client.get_resource_model("Group")
    who = name("sc")
    made = client.create(user_model(user_name=who, display_name="Somebody"))
    group = client.create(group_model(display_name=name("scg"), members=[{"value": made.id, "type": "User"}]))
    assert client.query(group_model, group.id).members[0].value == made.id
    found = client.query(user_model, query_parameters=SearchRequest(filter=f'userName eq "{who}"'))
    assert [one.id for one in found.resources] == [made.id]
    change = PatchOp[user_model](operations=[PatchOperation[user_model](op=PatchOperation.Op.replace_, path="displayName", value="Else")])
    assert client.modify(user_model, made.id, change).display_name == "Else"
    client.delete(group_model, group.id)
    client.delete(user_model, made.id)
