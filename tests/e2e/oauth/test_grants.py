# SPDX-License-Identifier: Apache-2.0
"""Device codes and token exchange."""
import json
import os
import subprocess
import time

import requests

from identity import name
from jose_keys import new_key
from oauth_rig import app, make_client, payload_of, signed
from platform_process import DRUN


# ---------------------------------------------------------------- devices

def device_code(idp, client_id="drun-cli", scope="openid profile drun offline_access", **more):
    answer = idp.form("/oauth2/device_authorization", client_id=client_id, scope=scope, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def poll(idp, code, client_id="drun-cli", **more):
    return idp.form("/oauth2/token", grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code=code, client_id=client_id, **more)


def test_a_device_waits_for_its_user(idp, user):
    asked = device_code(idp)
    assert asked["verification_uri"] == idp.url + "/device" and len(asked["user_code"]) == 9 and asked["interval"] == 5
    assert poll(idp, asked["device_code"]).json()["error"] == "authorization_pending"
    assert poll(idp, asked["device_code"]).json()["error"] == "slow_down"
    stranger = requests.get(asked["verification_uri_complete"], verify=idp.ca, allow_redirects=False)
    assert stranger.headers["Location"].startswith(idp.url + "/login?return=%2Foauth2%2Fdevice")
    browser = idp.sign_in(user)
    page = browser.get(asked["verification_uri"], params={"user_code": asked["user_code"].lower().replace("-", " ")})
    assert page.status_code == 200 and asked["user_code"] in page.text and user in page.text
    foreign = requests.post(asked["verification_uri"], data={"user_code": asked["user_code"], "decision": "allow"}, cookies=browser.cookies,
                            verify=idp.ca, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert browser.post(asked["verification_uri"], data={"user_code": asked["user_code"], "decision": "allow"}).status_code == 200
    assert poll(idp, asked["device_code"], client_id="drun-console").status_code == 400
    token = poll(idp, asked["device_code"]).json()
    assert idp.accepted(token["access_token"]) and token["refresh_token"]
    assert poll(idp, asked["device_code"]).json()["error"] == "invalid_grant", "once"
    assert browser.post(asked["verification_uri"], data={"user_code": asked["user_code"], "decision": "allow"}).status_code == 404


def test_a_device_is_refused_and_codes_cannot_be_guessed(idp):
    who = name("guesser")
    idp.add_user(who, idp.root)
    asked = device_code(idp)
    browser = idp.sign_in(who)
    shown = browser.get(idp.url + "/session/device", params={"user_code": asked["user_code"]})
    assert shown.json()["client"] == "drun-cli"
    assert browser.post(idp.url + "/session/device", json={"userCode": asked["user_code"], "decision": "deny"}).status_code == 204
    assert poll(idp, asked["device_code"]).json()["error"] == "access_denied"
    statuses = [browser.get(idp.url + "/session/device", params={"user_code": "BBBB-BBB" + letter}).status_code for letter in "BCDFGHJKLMNP"]
    assert statuses[0] == 404 and statuses[-1] == 503, statuses
    web, secret = app(idp)
    assert idp.form("/oauth2/device_authorization", auth=(web, secret), scope="openid").json()["error"] == "unauthorized_client"


def test_drun_login_with_a_device_code(idp, user, tmp_path):
    process = subprocess.Popen([str(DRUN), "login", "--device", "--ca", idp.ca, idp.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)})
    code = None
    for line in process.stderr:
        if line.strip().startswith("or open"):
            code = line.strip().split("user_code=")[1]
            break
    browser = idp.sign_in(user)
    assert browser.post(idp.url + "/oauth2/device", data={"user_code": code, "decision": "allow"}).status_code == 200
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and user in out


# ---------------------------------------------------------------- token exchange

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"


def exchange(idp, token, kind="access_token", **more):
    more = {"client_id": "drun-cli", **more}
    return idp.form("/oauth2/token", grant_type=EXCHANGE, subject_token=token, subject_token_type=kind if ":" in kind else TYPES + kind, **more)


def test_an_api_key_becomes_a_token_that_is_no_more_than_it(idp):
    who = name("keeper")
    idp.add_user(who, idp.root)
    key_name = name("k")
    key = idp.add_key(key_name, idp.root, user=who, scopes={"models": ["demo/*"]}, limits={"requestsPerMinute": 3})["status"]["key"]
    answer = exchange(idp, key, "urn:drun:params:oauth:token-type:api_key")
    assert answer.status_code == 200, answer.text
    token = answer.json()
    assert token["issued_token_type"] == TYPES + "access_token" and token["expires_in"] <= 900
    claims = payload_of(token["access_token"])
    assert claims["preferred_username"] == who and claims["drun_key"]["verbs"] == ["invoke"] and claims["drun_key"]["models"] == ["demo/*"]
    assert idp.request("GET", "/v1/models", token["access_token"]).status_code == 200
    got = idp.request("GET", "/api/v1/namespaces", token["access_token"])
    assert got.status_code == 403 and "scope" in got.text, "a key may only call models"
    made = idp.request("POST", "/apis/drun.io/v1/namespaces/default/apikeys", token["access_token"], json={"apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": "x"}, "spec": {}})
    assert made.status_code == 403
    again = exchange(idp, token["access_token"]).json()
    assert payload_of(again["access_token"])["drun_key"] == claims["drun_key"], "nor does a second exchange widen it"
    idp.must(200, "PATCH", f"/apis/drun.io/v1/namespaces/default/apikeys/{key_name}", idp.root, data=json.dumps({"spec": {"disabled": True}}),
             headers={"Content-Type": "application/merge-patch+json"})
    assert not idp.accepted(token["access_token"]) and not idp.accepted(again["access_token"])
    assert exchange(idp, key).status_code == 400


def test_a_token_is_exchanged_for_less(idp, user):
    browser = idp.sign_in(user)
    token = idp.client(browser)[1]["access_token"]
    less = exchange(idp, token, scope="openid profile").json()
    claims = payload_of(less["access_token"])
    assert claims["scope"] == "openid profile" and claims["sub"] == payload_of(token)["sub"] and claims["aud"] == "drun"
    assert claims["exp"] <= payload_of(token)["exp"]
    assert exchange(idp, token, scope="openid email").json()["error"] == "invalid_scope"
    assert exchange(idp, token, resource="https://evil.example").json()["error"] == "invalid_target"
    assert exchange(idp, token, actor_token=token).json()["error"] == "invalid_request"
    assert exchange(idp, token, requested_token_type=TYPES + "refresh_token").json()["error"] == "invalid_request"
    assert exchange(idp, token[:-4] + "AAAA").json()["error"] == "invalid_grant"
    assert exchange(idp, token, "saml2").json()["error"] == "invalid_request"
    service, secret = make_client(idp, grantTypes=[EXCHANGE], audiences=["https://files.example"])
    acted = exchange(idp, token, client_id=service, client_secret=None, resource="https://files.example")
    assert acted.status_code == 401
    acted = idp.form("/oauth2/token", auth=(service, secret), grant_type=EXCHANGE, subject_token=token, subject_token_type=TYPES + "access_token",
                     audience="https://files.example").json()
    claims = payload_of(acted["access_token"])
    assert claims["aud"] == "https://files.example" and claims["act"] == {"sub": "client:" + service}
    back = exchange(idp, acted["access_token"], audience="drun")
    assert back.json()["error"] == "invalid_target", "what is for others does not come back"
    assert browser.delete(idp.url + "/session").status_code == 204
    assert not idp.accepted(less["access_token"]) and exchange(idp, token).json()["error"] == "invalid_grant"


def test_a_ci_job_becomes_a_service_account(idp):
    key, _, public = new_key()
    issuer = f"https://{name('ci')}.example"
    made = {"apiVersion": "drun.io/v1", "kind": "TrustedIssuer", "metadata": {"name": name("ci")}, "spec": {
        "issuer": issuer, "jwks": {"keys": [public]}, "audiences": ["drun-ci"],
        "rules": [{"subject": "repo:example/app:*", "claims": {"ref_protected": "true", "run": "7"}, "serviceAccount": {"namespace": "default", "name": "deployer"}}]}}
    idp.must(201, "POST", "/apis/drun.io/v1/trustedissuers", idp.root, json=made)
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    if idp.request("GET", accounts + "/deployer", idp.root).status_code == 404:
        idp.must(201, "POST", accounts, idp.root, json={"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}})
    now = int(time.time())
    good = {"iss": issuer, "aud": "drun-ci", "sub": "repo:example/app:ref:main", "exp": now + 300, "iat": now, "ref_protected": True, "run": 7}
    token = exchange(idp, signed(key, good), "jwt")
    assert token.status_code == 200, token.text
    claims = payload_of(token.json()["access_token"])
    assert claims["sub"] == "system:serviceaccount:default:deployer" and token.json()["expires_in"] <= 900
    assert claims["act"] == {"iss": issuer, "sub": good["sub"]}
    assert idp.accepted(token.json()["access_token"])
    stranger, _, _ = new_key()
    for change in ({"sub": "repo:evil/app:ref:main"}, {"aud": "drun"}, {"exp": now - 60}, {"ref_protected": False}, {"ref_protected": "yes"}, {"run": 8}, {"iss": "https://other.example"}):
        assert exchange(idp, signed(key, {**good, **change}), "jwt").json()["error"] == "invalid_grant", change
    assert exchange(idp, signed(stranger, good, kid=public["kid"]), "jwt").json()["error"] == "invalid_grant"
    idp.must(200, "DELETE", accounts + "/deployer", idp.root)
    assert exchange(idp, signed(key, good), "jwt").json()["error"] == "invalid_grant", "the account is gone"
    idp.wait_until("its token to end", lambda: not idp.accepted(token.json()["access_token"]))
    made["spec"]["rules"][0]["subject"] = "*"
    made["metadata"]["name"] = name("ci")
    assert idp.request("POST", "/apis/drun.io/v1/trustedissuers", idp.root, json=made).status_code == 422
