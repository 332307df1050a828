# SPDX-License-Identifier: Apache-2.0
"""API keys from their making to their end: where and for what they are good, the turn of their secret, when they were
used last, and how many go at once. The attacks are made on the running platform, with the clients that tenants use."""
import json
import subprocess
import time
import urllib.parse

import pytest
import requests
from requests.adapters import HTTPAdapter

from identity import KEYS, RBAC, Identity, name
from test_cli import drun

ROTATE = KEYS + "/{}/rotate"
PATCH = {"headers": {"Content-Type": "application/merge-patch+json"}}
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture(scope="module")
def idp():
    with Identity().serving() as running:
        yield running


@pytest.fixture
def dev(idp):
    """A user who may see ConfigMaps in the namespace default, and what he likes with keys of his own."""
    who = name("dev")
    idp.add_user(who, idp.root)
    for role in ("drun:viewer", "drun:developer"):
        idp.must(201, "POST", RBAC + "/namespaces/default/rolebindings", idp.root, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name("b")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": who}]})
    idp.wait_until("his rights", lambda: may(idp, who, "get", "", "configmaps") and may(idp, who, "invoke", "drun.io", "models"))
    return who


def may(idp, who, verb, group, resource):
    return idp.must(201, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", idp.root, json={
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": who, "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "namespace": "default"}}})["status"]["allowed"]


def good(idp, *keys):
    """On a busy machine the snapshot of identities follows a moment later."""
    idp.wait_until("keys that work", lambda: all(idp.accepted(key) for key in keys))


def ended(idp, *keys):
    idp.wait_until("the keys' end", lambda: not any(idp.accepted(key) for key in keys))


def secret(made):
    return made["status"]["key"]


def stored(idp, key_name):
    return idp.must(200, "GET", f"{KEYS}/{key_name}", idp.root)


def ask_from(idp, address, token, path="/api/v1/namespaces/default/configmaps"):
    """From another address of this machine, as another client is."""
    class Source(HTTPAdapter):
        def init_poolmanager(self, *args, **more):
            super().init_poolmanager(*args, source_address=(address, 0), **more)

    session = requests.Session()
    session.mount("https://", Source())
    return session.get(idp.url + path, headers={"Authorization": f"Bearer {token}"}, verify=idp.ca, timeout=20)


def events(idp, **query):
    found = idp.must(200, "GET", "/apis/audit.drun.io/v1/auditevents?" + urllib.parse.urlencode(query), idp.root)
    return [item["event"] for item in found["items"]]


# ---------------------------------------------------------------- scope

def test_a_key_works_in_its_namespaces_alone(idp):
    who = name("chief")
    idp.add_user(who, idp.root, groups=["drun:operators"])
    other = name("other")
    idp.must(201, "POST", "/api/v1/namespaces", idp.root, json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    key = secret(idp.add_key(name("k"), idp.root, user=who, scopes={"verbs": ["*"], "namespaces": ["default"]}))
    good(idp, key)
    assert idp.request("GET", "/api/v1/namespaces/default/configmaps", key).status_code == 200
    assert idp.request("GET", "/api/v1/namespaces/default", key).status_code == 200
    for path in (f"/api/v1/namespaces/{other}/configmaps", f"/api/v1/namespaces/{other}/secrets", f"/api/v1/namespaces/{other}",
                 "/api/v1/configmaps", "/api/v1/namespaces", "/apis/drun.io/v1/users", RBAC + "/clusterroles",
                 "/apis/audit.drun.io/v1/auditevents"):
        refused = idp.request("GET", path, key)
        assert refused.status_code == 403, (path, refused.text)
    made = idp.request("POST", f"/api/v1/namespaces/{other}/configmaps", key, json={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})
    assert made.status_code == 403
    assert idp.request("POST", SELF, key, json={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).status_code == 201
    idp.add_key(name("k"), idp.root, user=who, scopes={"namespaces": ["Not A Name"]}, status=422)


def test_kubectl_with_a_key_sees_what_the_key_may(idp, dev, tmp_path):
    key = secret(idp.add_key(name("k"), idp.root, user=dev, scopes={"verbs": ["get", "list"], "namespaces": ["default"]}))

    def kubectl(*words):
        return subprocess.run(["kubectl", "--server", idp.url, "--certificate-authority", idp.ca, "--token", key, *words],
                              env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/local/bin"}, capture_output=True, text=True, timeout=60)

    assert kubectl("get", "configmaps", "-n", "default").returncode == 0
    refused = kubectl("get", "configmaps", "-n", "drun-system")
    assert refused.returncode != 0 and "scope" in refused.stderr
    refused = kubectl("create", "configmap", "mine", "-n", "default")
    assert refused.returncode != 0 and "scope" in refused.stderr


def test_a_key_used_from_elsewhere_is_refused_and_its_owner_named(idp, dev):
    key_name = name("k")
    made = idp.add_key(key_name, idp.root, user=dev, scopes={"verbs": ["*"], "cidrs": ["127.0.0.1/32"]})
    key = secret(made)
    good(idp, key)
    assert ask_from(idp, "127.0.0.1", key).status_code == 200
    refused = ask_from(idp, "127.0.0.7", key)
    assert refused.status_code == 403 and "address" in refused.text
    found = [e for e in events(idp, actor=dev, outcome="denied") if e.get("client.address") == "127.0.0.7"]
    assert found and found[0]["drun.actor.key_id"] == made["metadata"]["uid"] and "address" in found[0]["drun.reason"]
    # curl, at the model API: the gateway's own check.
    curl = subprocess.run(["curl", "-sS", "--cacert", idp.ca, "--interface", "127.0.0.7", "-H", f"Authorization: Bearer {key}",
                           "-o", "/dev/null", "-w", "%{http_code}", idp.url + "/v1/models"], capture_output=True, text=True, timeout=30)
    assert curl.stdout == "403", (curl.stdout, curl.stderr)


def test_what_a_token_came_of_narrows_it(idp, dev):
    """A key that is bound to a network and a namespace is not freed of them by an exchange."""
    key = secret(idp.add_key(name("k"), idp.root, user=dev, limits={"concurrentRequests": 3},
                             scopes={"verbs": ["*"], "cidrs": ["127.0.0.1/32"], "namespaces": ["default"]}))
    good(idp, key)
    kind = "urn:drun:params:oauth:token-type:api_key"
    fields = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": key,
              "subject_token_type": kind, "client_id": "drun-cli"}
    token = idp.form("/oauth2/token", **fields).json()["access_token"]
    again = idp.form("/oauth2/token", **{**fields, "subject_token": token,
                                         "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}).json()["access_token"]
    for one in (token, again):
        assert ask_from(idp, "127.0.0.1", one).status_code == 200
        assert ask_from(idp, "127.0.0.9", one).status_code == 403
        assert ask_from(idp, "127.0.0.1", one, "/api/v1/namespaces/drun-system/configmaps").status_code == 403


def test_an_expired_key_is_refused_and_its_owner_named(idp, dev):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    key = secret(idp.add_key(name("k"), idp.root, user=dev, scopes={"verbs": ["*"]}, expiresAt=soon))
    idp.wait_until("the key's end", lambda: not idp.accepted(key))
    assert [e for e in events(idp, actor=dev, outcome="denied") if "expired" in e.get("drun.reason", "")]


# ---------------------------------------------------------------- rotation

def test_a_key_gets_a_new_secret_and_stays_the_same_key(idp, dev):
    key_name = name("k")
    made = idp.add_key(key_name, idp.root, user=dev, scopes={"verbs": ["*"]}, limits={"requestsPerMinute": 1000})
    old = secret(made)
    turned = idp.must(201, "POST", ROTATE.format(key_name), idp.root, json={"spec": {"overlapSeconds": 3600}})
    new = secret(turned)
    assert new != old and turned["metadata"]["uid"] == made["metadata"]["uid"] and turned["spec"] == made["spec"]
    assert turned["status"]["previous"]["last4"] == old[-4:] and turned["status"]["last4"] == new[-4:]
    good(idp, old, new)
    shown = json.dumps(stored(idp, key_name))
    assert old not in shown and new not in shown
    busy = idp.must(409, "POST", ROTATE.format(key_name), idp.root, json={"spec": {"overlapSeconds": 60}})
    assert "is being rotated" in busy["message"]
    last = secret(idp.must(201, "POST", ROTATE.format(key_name), idp.root))
    ended(idp, old, new)
    good(idp, last)
    assert "previous" not in stored(idp, key_name)["status"]
    assert [e["drun.action.name"] for e in events(idp, event="drun.auth.apikey.rotate", outcome="success")].count(key_name) == 2
    idp.must(200, "PATCH", f"{KEYS}/{key_name}", idp.root, data=json.dumps({"spec": {"disabled": True}}), **PATCH)
    assert "disabled" in idp.must(409, "POST", ROTATE.format(key_name), idp.root)["message"]


def test_the_old_secret_ends_by_itself(idp, dev):
    key_name = name("k")
    old = secret(idp.add_key(key_name, idp.root, user=dev, scopes={"verbs": ["*"]}))
    new = secret(idp.must(201, "POST", ROTATE.format(key_name), idp.root, json={"spec": {"overlapSeconds": 3}}))
    ended(idp, old)
    good(idp, new)


def test_both_secrets_end_with_the_key(idp, dev):
    key_name = name("k")
    old = secret(idp.add_key(key_name, idp.root, user=dev, scopes={"verbs": ["*"]}))
    new = secret(idp.must(201, "POST", ROTATE.format(key_name), idp.root, json={"spec": {"overlapSeconds": 600}}))
    good(idp, old, new)
    idp.must(200, "DELETE", f"{KEYS}/{key_name}", idp.root)
    ended(idp, old, new)


def test_who_may_rotate(idp, dev):
    his, theirs = name("his"), name("theirs")
    token = idp.token_of(dev)
    made = idp.add_key(his, token, scopes={"verbs": ["*"]})
    other = name("other")
    idp.add_user(other, idp.root)
    kept = secret(idp.add_key(theirs, idp.root, user=other, scopes={"verbs": ["*"]}))
    idp.must(201, "POST", ROTATE.format(his), token, json={"spec": {"overlapSeconds": 60}})
    idp.must(403, "POST", ROTATE.format(theirs), token)
    idp.must(403, "POST", ROTATE.format("not-there"), token)
    assert "may not make" in idp.must(403, "POST", ROTATE.format(his), secret(made))["message"], "a stolen key does not renew itself"
    assert idp.request("POST", ROTATE.format(his)).status_code in (401, 403)
    good(idp, kept)


@pytest.mark.parametrize("body", ['{"spec": {"overlapSeconds": -1}}', '{"spec": {"overlapSeconds": "1h"}}', '{"spec": {"overlap": 1}}',
                                  '{"spec": {"overlapSeconds": 99999999}}', '[]', '{"spec": 1}', "{"])
def test_a_bad_rotation_changes_nothing(idp, dev, body):
    key_name = name("k")
    key = secret(idp.add_key(key_name, idp.root, user=dev, scopes={"verbs": ["*"]}))
    assert idp.request("POST", ROTATE.format(key_name), idp.root, data=body).status_code in (400, 422)
    good(idp, key)


def test_both_secrets_survive_a_restart_of_idp(idp, dev):
    key_name = name("k")
    old = secret(idp.add_key(key_name, idp.root, user=dev, scopes={"verbs": ["*"]}))
    new = secret(idp.must(201, "POST", ROTATE.format(key_name), idp.root, json={"spec": {"overlapSeconds": 600}}))
    pid = idp.kill("idp")
    idp.wait_for_role("idp", pid)
    idp.wait_until("both secrets", lambda: idp.accepted(old) and idp.accepted(new))


# ---------------------------------------------------------------- last used

def used(idp, key_name):
    return stored(idp, key_name)["status"].get("lastUsed")


def test_the_last_use_is_known_and_stored_once_a_minute(idp, dev):
    first, second, never = name("k"), name("k"), name("k")
    began = time.monotonic()
    keys = {k: secret(idp.add_key(k, idp.root, user=dev, scopes={"verbs": ["*"], "cidrs": ["127.0.0.0/30"]})) for k in (first, second, never)}
    idp.wait_until("the keys", lambda: ask_from(idp, "127.0.0.9", keys[never]).status_code == 403)
    assert ask_from(idp, "127.0.0.2", keys[first]).status_code == 200
    seen = idp.wait_until("the use", lambda: used(idp, first), timeout=30)
    assert seen["address"] == "127.0.0.2" and seen["time"].endswith("Z")
    for _ in range(20):
        assert ask_from(idp, "127.0.0.3", keys[first]).status_code == 200
    assert ask_from(idp, "127.0.0.9", keys[never]).status_code == 403
    assert ask_from(idp, "127.0.0.1", keys[second]).status_code == 200
    idp.wait_until("the later use of another key", lambda: used(idp, second), timeout=30)
    assert used(idp, first) == seen or time.monotonic() - began > 50, "the uses of the same minute wait"
    assert used(idp, never) is None, "a refused request is no use"
    good(idp, keys[first])


# ---------------------------------------------------------------- many at once

def labelled(idp, who, **labels):
    key_name = name("k")
    made = idp.must(201, "POST", KEYS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": key_name, "labels": labels},
                                                        "spec": {"user": who, "scopes": {"verbs": ["*"]}}})
    return key_name, secret(made)


def test_keys_are_revoked_by_label_and_by_user(idp, dev):
    leaver = name("leaver")
    idp.add_user(leaver, idp.root)
    tag = name("t")
    one, two, three = labelled(idp, dev, team=tag), labelled(idp, dev, team=tag), labelled(idp, dev, team="stays")
    four = labelled(idp, leaver, team="stays")
    looked = drun(idp, "keys", "revoke", "--selector", f"team={tag}", "--dry-run").stdout
    assert one[0] in looked and two[0] in looked and three[0] not in looked
    good(idp, one[1], two[1], three[1], four[1])
    gone = drun(idp, "keys", "revoke", "--selector", f"team={tag}").stdout
    assert one[0] in gone and two[0] in gone
    ended(idp, one[1], two[1])
    good(idp, three[1], four[1])
    records = [e["drun.action.name"] for e in events(idp, event="drun.auth.apikey.revoke")]
    assert records.count(one[0]) == 1 and records.count(two[0]) == 1, "each has its record"
    drun(idp, "keys", "revoke", "--user", leaver, "--all-namespaces")
    ended(idp, four[1])
    good(idp, three[1])
    drun(idp, "keys", "revoke", code=1)
    assert "no key fits" in drun(idp, "keys", "revoke", "--user", leaver).stderr


def test_a_developer_revokes_all_of_his_own_and_no_other(idp, dev):
    token = idp.token_of(dev)
    mine = labelled(idp, dev)
    other = name("other")
    idp.add_user(other, idp.root)
    kept = labelled(idp, other)
    good(idp, mine[1], kept[1])
    idp.must(200, "DELETE", KEYS, token)
    ended(idp, mine[1])
    idp.must(200, "DELETE", KEYS + f"?fieldSelector=spec.user%3D{other}", token)
    good(idp, kept[1])


def test_all_keys_of_a_namespace_go_at_once(idp):
    ns = name("ns")
    idp.must(201, "POST", "/api/v1/namespaces", idp.root, json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
    idp.must(201, "POST", f"/api/v1/namespaces/{ns}/serviceaccounts", idp.root, json={"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}})
    keys = [drun(idp, "keys", "create", f"k{i}", "-n", ns, "--service-account", "bot", "--verb", "get", "--quiet").stdout.strip() for i in range(5)]
    good(idp, *keys)
    drun(idp, "keys", "revoke", "--all", "-n", ns)
    ended(idp, *keys)


# ---------------------------------------------------------------- the command

def test_the_command_rotates_and_lists(idp, dev):
    key_name = name("k")
    idp.add_key(key_name, idp.root, user=dev, scopes={"verbs": ["*"]})
    done = drun(idp, "keys", "rotate", key_name, "--overlap", "24h")
    good(idp, done.stdout.strip())
    assert "is good until" in done.stderr
    assert "--overlap" in drun(idp, "keys", "rotate", key_name, "--overlap", "soon", code=1).stderr
    listed = drun(idp, "keys", "list", "--all-namespaces").stdout
    assert key_name in listed and "LAST USED" in listed.upper()


def test_a_key_is_recognised_offline(idp, dev):
    key = secret(idp.add_key(name("k"), idp.root, user=dev))
    text = f"export A=1\nOPENAI_API_KEY={key}\nother: sk-drun-{'A' * 49}\n"
    found = drun(idp, "keys", "check", input=text)
    assert "line 2: " in found.stdout and "an API key of drun" in found.stdout and "line 3: " in found.stdout and "check sum" in found.stdout
    assert key not in found.stdout
    assert drun(idp, "keys", "check", input="sk-drun-short sk-other-key", code=1).stdout.count("line 1") == 1
    typo = key[:20] + ("a" if key[20] != "a" else "b") + key[21:]
    drun(idp, "keys", "check", input=typo, code=1)
