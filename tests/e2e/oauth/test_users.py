# SPDX-License-Identifier: Apache-2.0
"""What users are asked, and what clients learn of them."""
import base64
import json

import pytest
import requests
from authlib.jose import JsonWebKey, jwt

from identity import CLIENTS, name
from oauth_rig import REDIRECT, allow, app, hidden, js, location, payload_of


# ---------------------------------------------------------------- what users are asked


def test_consent_is_asked_once_and_can_be_taken_back(idp, user):
    who, secret = app(idp, consentRequired=True, displayName="<b>An app</b>", policyUri="https://app.example/policy")
    browser = idp.sign_in(user)
    assert "error=consent_required" in location(browser, idp, client_id=who, prompt="none").headers["Location"]
    page = location(browser, idp, client_id=who, scope="openid profile offline_access", state="s")
    assert page.status_code == 200 and "&lt;b&gt;An app" in page.text and "<b>An app" not in page.text
    assert "form-action 'self' https://app.example" in page.headers["Content-Security-Policy"] and page.headers["X-Frame-Options"] == "DENY"
    fields = {field: hidden(page.text, field) for field in ("client_id", "request_uri")}
    foreign = requests.post(idp.url + "/oauth2/consent", data={**fields, "decision": "allow"}, cookies=browser.cookies, verify=idp.ca,
                            headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, allow_redirects=False)
    assert foreign.status_code == 403
    denied = browser.post(idp.url + "/oauth2/consent", data={**fields, "decision": "deny"}, allow_redirects=False)
    back = browser.get(denied.headers["Location"], allow_redirects=False).headers["Location"]
    assert "error=access_denied" in back and "state=s" in back
    assert browser.get(denied.headers["Location"], allow_redirects=False).status_code == 400, "it was answered"


def test_consent_that_was_given(idp, user):
    who, secret = app(idp, consentRequired=True)
    browser = idp.sign_in(user)
    page = location(browser, idp, client_id=who, scope="openid offline_access")
    done = allow(browser, idp, page)
    code = done.headers["Location"].split("code=")[1].split("&")[0]
    tokens = idp.form("/oauth2/token", auth=(who, secret), grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
    assert "code=" in location(browser, idp, client_id=who).headers["Location"], "less needs no new consent"
    assert location(browser, idp, client_id=who, scope="openid profile").status_code == 200, "more does"
    again = location(browser, idp, client_id=who, prompt="consent")
    assert again.status_code == 200
    assert "code=" in allow(browser, idp, again).headers["Location"]
    listed = browser.get(idp.url + "/session/consents").json()["items"]
    assert [item for item in listed if item["client"] == who]
    assert browser.delete(idp.url + f"/session/consents/{who}").status_code == 204
    assert location(browser, idp, client_id=who).status_code == 200
    assert idp.form("/oauth2/token", auth=(who, secret), grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_how_well_and_who(idp, user):
    who, secret = app(idp)
    browser = idp.sign_in(user)
    asked = location(browser, idp, client_id=who, acr_values="urn:drun:mfa").headers["Location"]
    assert asked.startswith(idp.url + "/login?") and "acr=urn%3Adrun%3Amfa" in asked
    essential = json.dumps({"id_token": {"acr": {"essential": True, "values": ["phr"]}}})
    assert "error=login_required" in location(browser, idp, client_id=who, claims=essential, prompt="none").headers["Location"]
    unknown = json.dumps({"id_token": {"acr": {"essential": True, "value": "gold"}}})
    assert "error=unmet_authentication_requirements" in location(browser, idp, client_id=who, claims=unknown).headers["Location"]
    assert "error=invalid_request" in location(browser, idp, client_id=who, claims="[]").headers["Location"]
    somebody = json.dumps({"id_token": {"sub": {"value": "nobody"}}})
    assert "error=login_required" in location(browser, idp, client_id=who, claims=somebody, prompt="none").headers["Location"]
    wanted = json.dumps({"id_token": {"email": None}, "userinfo": {"name": None, "groups": None}})
    got = js(idp, "code", browser, client_id=who, secret=secret, redirect=REDIRECT, scope="openid", parameters={"claims": wanted})
    assert got["claims"]["email"] == f"{user}@example.org" and "preferred_username" not in got["claims"]
    assert got["userinfo"]["name"] == "A User" and not {"groups", "email", "preferred_username"} & set(got["userinfo"]), "groups are not this client's"
    assert got["claims"]["acr"] == "urn:drun:password" and got["claims"]["amr"] == ["pwd"]
    hint = got["tokens"]["id_token"]
    assert "code=" in location(browser, idp, client_id=who, prompt="none", id_token_hint=hint).headers["Location"]
    other = name("other")
    idp.add_user(other, idp.root)
    assert "error=login_required" in location(idp.sign_in(other), idp, client_id=who, prompt="none", id_token_hint=hint).headers["Location"]


def test_resources_bound_what_a_token_is_for(idp, user):
    who, secret = app(idp, audiences=["https://files.example", "https://mail.example"], grantTypes=["authorization_code", "client_credentials", "refresh_token"])
    browser = idp.sign_in(user)

    def code(**more):
        where = location(browser, idp, client_id=who, **more).headers["Location"]
        return where.split("code=")[1].split("&")[0] if "code=" in where else where

    def exchange(code, **more):
        return idp.form("/oauth2/token", auth=(who, secret), grant_type="authorization_code", code=code, redirect_uri=REDIRECT, **more)

    assert "error=invalid_target" in code(resource="https://evil.example")
    tokens = exchange(code(scope="openid offline_access", resource=["https://files.example", "https://mail.example"])).json()
    assert payload_of(tokens["access_token"])["aud"] == ["https://files.example", "https://mail.example"]
    assert idp.request("GET", "/oauth2/userinfo", tokens["access_token"]).status_code == 401, "it is for others"
    one = idp.form("/oauth2/token", auth=(who, secret), grant_type="refresh_token", refresh_token=tokens["refresh_token"], resource="https://mail.example").json()
    assert payload_of(one["access_token"])["aud"] == "https://mail.example"
    more = idp.form("/oauth2/token", auth=(who, secret), grant_type="refresh_token", refresh_token=one["refresh_token"], resource=idp.url)
    assert more.json()["error"] == "invalid_target"
    both = exchange(code(resource=["https://mail.example"]), resource="https://files.example")
    assert both.json()["error"] == "invalid_target"
    own = idp.form("/oauth2/token", auth=(who, secret), grant_type="client_credentials", resource="https://mail.example").json()
    assert payload_of(own["access_token"])["aud"] == "https://mail.example"
    mixed = idp.form("/oauth2/token", auth=(who, secret), grant_type="client_credentials", resource=["https://mail.example", idp.url])
    assert mixed.json()["error"] == "invalid_target"


# ---------------------------------------------------------------- subjects and signatures

@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_id_tokens_are_signed_as_the_client_wants_it(idp, user, alg):
    who, secret = app(idp, idTokenSignedResponseAlg=alg)
    got = js(idp, "code", idp.sign_in(user), client_id=who, secret=secret, redirect=REDIRECT, scope="openid",
             id_token_alg={"EdDSA": "EdDSA"}.get(alg, alg))
    assert got.get("claims", {}).get("aud") == who, got
    header = json.loads(base64.urlsafe_b64decode(got["tokens"]["id_token"].split(".")[0] + "=="))
    assert header["alg"] == alg
    keys = JsonWebKey.import_key_set(idp.request("GET", "/oauth2/jwks").json())
    jwt.decode(got["tokens"]["id_token"], keys).validate()


def test_pairwise_subjects_tell_clients_nothing(idp, user):
    browser = idp.sign_in(user)
    seen = {}
    for label, host in (("a", "one.example"), ("b", "one.example"), ("c", "two.example")):
        redirect = f"https://{host}/{label}"
        who, secret = app(idp, redirectUris=[redirect], subjectType="pairwise")
        got = js(idp, "code", browser, client_id=who, secret=secret, redirect=redirect, scope="openid")
        assert got["userinfo"]["sub"] == got["claims"]["sub"]
        assert user not in json.dumps(payload_of(got["tokens"]["access_token"]))
        seen[label] = got["claims"]["sub"]
    assert seen["a"] == seen["b"] != seen["c"]
    refused = idp.request("POST", CLIENTS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": name("p")}, "spec": {
        "redirectUris": [REDIRECT], "subjectType": "pairwise", "scopes": ["openid", "drun"]}})
    assert refused.status_code == 422
