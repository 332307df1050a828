# SPDX-License-Identifier: Apache-2.0
"""Tokens of service accounts as Kubernetes has them: bound to objects, for audiences of one's own, and verified by those who
know nothing of the platform but its issuer."""
import subprocess

import pytest
import requests
from authlib.jose import JsonWebKey, jwt

from cluster import Cluster
from platform_process import DRUN

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture(scope="module")
def cluster(platform):
    return Cluster(platform)


@pytest.fixture
def ns(cluster):
    made = cluster.namespace("sa")
    cluster.create("serviceaccounts", made, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}})
    return made


def secret(cluster, ns, name="lease"):
    return cluster.create("secrets", ns, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"a": "b"}})


def ask(cluster, ns, expect=201, **spec):
    return cluster.call("POST", f"/api/v1/namespaces/{ns}/serviceaccounts/app/token", expect, json={
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}).json()


def token(cluster, ns, **spec):
    return ask(cluster, ns, **spec)["status"]["token"]


def accepted(cluster, text):
    return Cluster(cluster.platform, text).call("GET", "/api/v1/namespaces").status_code != 401


def review(cluster, text, *audiences):
    spec = {"token": text} | ({"audiences": list(audiences)} if audiences else {})
    return cluster.call("POST", REVIEWS, 201, json={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}).json()["status"]


def test_anybody_verifies_a_token_by_the_issuer_alone(cluster, ns):
    """As a cloud's token service or Vault does: discovery, keys, claims."""
    text = token(cluster, ns, audiences=["sts.example.com", "vault"])
    found = requests.get(cluster.platform.url + "/.well-known/openid-configuration", verify=cluster.platform.ca, timeout=20).json()
    assert found["issuer"] == cluster.platform.url
    for uri in (found["jwks_uri"], cluster.platform.url + "/openid/v1/jwks"):
        keys = requests.get(uri, verify=cluster.platform.ca, timeout=20)
        assert keys.status_code == 200
        claims = jwt.decode(text, JsonWebKey.import_key_set(keys.json()))
        assert claims["iss"] == found["issuer"] and claims["aud"] == ["sts.example.com", "vault"]
        assert claims["sub"] == f"system:serviceaccount:{ns}:app"
        told = claims["kubernetes.io"]
        assert told["namespace"] == ns and told["serviceaccount"]["name"] == "app"
        assert told["serviceaccount"]["uid"] == cluster.get("serviceaccounts", ns, "app")["metadata"]["uid"]
    assert requests.get(cluster.platform.url + "/openid/v1/else", verify=cluster.platform.ca, timeout=20).status_code == 404


def test_a_review_is_for_the_audiences_that_ask(cluster, ns):
    ours, theirs = token(cluster, ns), token(cluster, ns, audiences=["vault", "other"])
    assert accepted(cluster, ours) and not accepted(cluster, theirs)
    assert review(cluster, ours)["authenticated"] and review(cluster, ours, "drun", "vault")["audiences"] == ["drun"]
    good = review(cluster, theirs, "vault", "third")
    assert good["authenticated"] and good["audiences"] == ["vault"] and good["user"]["username"] == f"system:serviceaccount:{ns}:app"
    assert good["user"]["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")
    for bad in (review(cluster, theirs), review(cluster, theirs, "third"), review(cluster, ours, "vault")):
        assert not bad.get("authenticated") and bad["error"]


def test_a_token_ends_with_the_secret_that_it_is_bound_to(cluster, ns):
    made = secret(cluster, ns)
    ref = {"kind": "Secret", "apiVersion": "v1", "name": "lease"}
    bound, free = token(cluster, ns, boundObjectRef=ref), token(cluster, ns)
    elsewhere = token(cluster, ns, boundObjectRef=ref | {"uid": made["metadata"]["uid"]}, audiences=["vault"])
    keys = requests.get(cluster.platform.url + "/oauth2/jwks", verify=cluster.platform.ca, timeout=20).json()
    assert jwt.decode(bound, JsonWebKey.import_key_set(keys))["kubernetes.io"]["secret"] == {"name": "lease", "uid": made["metadata"]["uid"]}
    assert accepted(cluster, bound) and accepted(cluster, free) and review(cluster, elsewhere, "vault")["authenticated"]
    cluster.delete("secrets", ns, "lease")
    cluster.platform.wait_until("the bound token's end", lambda: not accepted(cluster, bound), timeout=30)
    assert accepted(cluster, free) and not review(cluster, elsewhere, "vault").get("authenticated")
    secret(cluster, ns)
    assert not accepted(cluster, bound), "another object of that name is another one"


def test_a_bound_token_outlives_the_restart_of_those_who_are_asked(cluster, ns):
    secret(cluster, ns)
    bound = token(cluster, ns, boundObjectRef={"kind": "Secret", "name": "lease"})
    for role in ("secrets", "idp"):
        old = cluster.platform.kill(role)
        cluster.platform.wait_for_role(role, old)
    cluster.platform.wait_until("both are back", lambda: accepted(cluster, bound) and
                                cluster.call("GET", f"/api/v1/namespaces/{ns}/secrets").status_code == 200)
    cluster.delete("secrets", ns, "lease")
    cluster.platform.wait_until("the bound token's end", lambda: not accepted(cluster, bound), timeout=30)


@pytest.mark.parametrize("ref, status, says", [
    ({"kind": "Secret", "name": "not-there"}, 404, "not-there"),
    ({"kind": "Secret", "name": "lease", "uid": "0000"}, 409, "has the uid"),
    ({"kind": "Pod", "name": "x"}, 400, "Secret (v1) or a ModelService"),
    ({"kind": "Secret", "apiVersion": "v2", "name": "lease"}, 400, "Secret (v1)"),
    ({"kind": "Secret"}, 400, "name the object"),
    ({"kind": "Secret", "name": "../../x"}, 400, "spec.boundObjectRef.name: Invalid value"),
    ({"kind": "ModelService", "name": "none"}, 404, "none"),
])
def test_what_a_token_cannot_be_bound_to(cluster, ns, ref, status, says):
    secret(cluster, ns)
    assert says in ask(cluster, ns, status, boundObjectRef=ref)["message"]


def test_no_account_no_token(cluster, ns):
    path = f"/api/v1/namespaces/{ns}/serviceaccounts/nobody/token"
    assert "not found" in cluster.call("POST", path, 404, json={}).text
    text = token(cluster, ns)
    cluster.delete("serviceaccounts", ns, "app")
    ask(cluster, ns, 404)
    cluster.platform.wait_until("the token's end", lambda: not accepted(cluster, text), timeout=30)


def test_kubectl_makes_bound_tokens(cluster, ns, tmp_path):
    config = tmp_path / "config"
    config.write_text(subprocess.check_output([DRUN, "kubeconfig", "--data", cluster.platform.data], text=True))
    secret(cluster, ns)
    done = subprocess.run(["kubectl", "create", "token", "app", "-n", ns, "--duration", "15m", "--audience", "drun",
                           "--bound-object-kind", "Secret", "--bound-object-name", "lease"],
                          env={"KUBECONFIG": str(config), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/local/bin"},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    bound = done.stdout.strip()
    assert accepted(cluster, bound)
    cluster.delete("secrets", ns, "lease")
    cluster.platform.wait_until("the bound token's end", lambda: not accepted(cluster, bound), timeout=30)
