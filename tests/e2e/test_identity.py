# SPDX-License-Identifier: Apache-2.0
"""Signing in: the one-time link, passwords, sessions, and OIDC through a client that we did not write."""
import re
import secrets
import subprocess
import urllib.parse

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt

from platform_process import DRUN, Platform

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def signed_up():
    """A platform whose first administrator, alice, was made with the one-time link."""
    running = Platform()
    running.start()
    link = (running.run_dir / "idp" / "setup-link").read_text().strip()
    assert link.startswith(running.url + "/setup#token=")
    answer = running.request("POST", "/session/setup", json={
        "token": link.split("token=")[1], "username": "alice", "displayName": "Alice", "password": PASSWORD})
    assert answer.status_code in (200, 201, 204), answer.text
    running.setup_token = link.split("token=")[1]
    yield running
    running.stop()
    running.remove()


def session(platform, username="alice", password=PASSWORD):
    browser = requests.Session()
    browser.trust_env = False
    browser.verify = platform.ca
    answer = browser.post(platform.url + "/session", json={"username": username, "password": password},
                          headers={"Origin": platform.url, "Sec-Fetch-Site": "same-origin"})
    return browser, answer


def sign_in(platform, browser, **more):
    """Authorization code with PKCE, by Authlib; gives the client and the token."""
    client = OAuth2Session("drun-console", redirect_uri=platform.url + "/callback", scope="openid profile groups drun",
                           code_challenge_method="S256", token_endpoint_auth_method="none")
    client.verify = platform.ca
    client.trust_env = False
    verifier = secrets.token_urlsafe(48)
    nonce = secrets.token_urlsafe(16)
    url, state = client.create_authorization_url(platform.url + "/oauth2/authorize", code_verifier=verifier, nonce=nonce, **more)
    answer = browser.get(url, allow_redirects=False)
    assert answer.status_code in (302, 303), answer.text
    target = answer.headers["Location"]
    query = urllib.parse.parse_qs(urllib.parse.urlparse(target).query)
    assert query["state"] == [state] and query["iss"] == [platform.url], "RFC 9207"
    token = client.fetch_token(platform.url + "/oauth2/token", authorization_response=target, code_verifier=verifier)
    return client, token, target, verifier, nonce


def test_the_setup_link_works_once(signed_up):
    again = signed_up.request("POST", "/session/setup", json={
        "token": signed_up.setup_token, "username": "mallory", "displayName": "M", "password": PASSWORD})
    assert again.status_code in (401, 403, 404, 409, 410), again.text
    assert not (signed_up.run_dir / "idp" / "setup-link").exists()


def test_only_an_administrator_who_can_sign_in_ends_the_setup_link(own_platform):
    own_platform.start()
    file = own_platform.run_dir / "idp" / "setup-link"
    users = "/apis/drun.io/v1/users"

    def accept(link, username):
        return own_platform.request("POST", "/session/setup", json={
            "token": link.split("token=")[1], "username": username, "displayName": username, "password": PASSWORD})

    def setup_link():
        return subprocess.run([DRUN, "setup-link", "--data", own_platform.data], capture_output=True, text=True, timeout=60)

    # Made by the operator: a guest, and an administrator who has not come yet.
    for name, groups in (("guest", []), ("chief", ["drun:operators"])):
        made = own_platform.request("POST", users, own_platform.operator_token(), json={
            "apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": name}, "spec": {"groups": groups}})
        assert made.status_code == 201, made.text
    own_platform.stop()
    own_platform.start()
    link = file.read_text().strip()
    taken = accept(link, "chief")
    assert taken.status_code == 409 and "another name" in taken.text, "the link is no way into another's account"
    assert accept(link, "alice").status_code == 204 and not file.exists()
    assert setup_link().returncode != 0
    # Without her nobody could help himself any more.
    off = own_platform.request("PATCH", f"{users}/alice", own_platform.operator_token(), data='{"spec": {"disabled": true}}',
                               headers={"Content-Type": "application/merge-patch+json"})
    assert off.status_code == 200, off.text
    again = setup_link()
    assert again.returncode == 0 and accept(again.stdout.strip(), "bob").status_code == 204
    assert setup_link().returncode != 0


def test_a_password_signs_in_and_a_wrong_one_does_not(signed_up):
    browser, answer = session(signed_up)
    assert answer.status_code in (200, 204), answer.text
    cookie = answer.headers["Set-Cookie"]
    assert "__Host-" in cookie and "HttpOnly" in cookie and "Secure" in cookie and re.search("SameSite=(Lax|Strict)", cookie)
    assert browser.get(signed_up.url + "/session").json()["username"] == "alice"
    _, wrong = session(signed_up, password="wrong password indeed")
    _, unknown = session(signed_up, username="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json().get("detail") == unknown.json().get("detail"), "users must not be told apart"


def test_a_complete_oidc_flow(signed_up):
    browser, _ = session(signed_up)
    client, token, _, _, nonce = sign_in(signed_up, browser)
    found = client.get(signed_up.url + "/.well-known/openid-configuration", withhold_token=True).json()
    assert found["issuer"] == signed_up.url
    keys = JsonWebKey.import_key_set(client.get(found["jwks_uri"], withhold_token=True).json())
    claims = jwt.decode(token["id_token"], keys)
    claims.validate()
    assert claims["aud"] in ("drun-console", ["drun-console"]) and claims["nonce"] == nonce
    who = client.get(found["userinfo_endpoint"]).json()
    assert who["sub"] == claims["sub"]
    assert signed_up.request("GET", "/apis/drun.io/v1/users", token["access_token"]).status_code == 200


def test_a_code_works_once_and_takes_its_tokens_with_it(signed_up):
    browser, _ = session(signed_up)
    client, token, target, verifier, _ = sign_in(signed_up, browser)
    code = urllib.parse.parse_qs(urllib.parse.urlparse(target).query)["code"][0]
    again = signed_up.request("POST", "/oauth2/token", data={
        "grant_type": "authorization_code", "code": code, "client_id": "drun-console", "code_verifier": verifier,
        "redirect_uri": signed_up.url + "/callback"})
    assert again.status_code == 400 and again.json()["error"] == "invalid_grant"
    refused = signed_up.wait_until("the revocation", lambda: signed_up.request(
        "GET", "/api/v1/namespaces", token["access_token"]).status_code == 401, timeout=5)
    assert refused


@pytest.mark.parametrize("change", [
    {"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"},
    {"redirect_uri": "https://evil.example/callback"}, {"response_type": "token"}, {"client_id": "unknown"}])
def test_bad_authorization_requests_are_refused(signed_up, change):
    browser, _ = session(signed_up)
    query = {"response_type": "code", "client_id": "drun-console", "redirect_uri": signed_up.url + "/callback",
             "scope": "openid", "state": "s", "code_challenge": "a" * 43, "code_challenge_method": "S256", **change}
    answer = browser.get(signed_up.url + "/oauth2/authorize", params={k: v for k, v in query.items() if v}, allow_redirects=False)
    location = answer.headers.get("Location", "")
    assert "code=" not in location and not location.startswith("https://evil.example")
    assert answer.status_code >= 400 or "error=" in location


def test_a_wrong_verifier_is_refused(signed_up):
    browser, _ = session(signed_up)
    with pytest.raises(Exception, match="invalid_grant"):
        client = OAuth2Session("drun-console", redirect_uri=signed_up.url + "/callback", scope="openid",
                               code_challenge_method="S256", token_endpoint_auth_method="none")
        client.verify = signed_up.ca
        client.trust_env = False
        url, _ = client.create_authorization_url(signed_up.url + "/oauth2/authorize", code_verifier=secrets.token_urlsafe(48))
        target = browser.get(url, allow_redirects=False).headers["Location"]
        client.fetch_token(signed_up.url + "/oauth2/token", authorization_response=target, code_verifier=secrets.token_urlsafe(48))


def test_a_refresh_token_is_rotated_and_its_reuse_ends_everything(signed_up):
    browser, _ = session(signed_up)
    _, token, *_ = sign_in(signed_up, browser)
    if "refresh_token" not in token:
        pytest.skip("the console gets no refresh token")

    def refresh(value):
        return signed_up.request("POST", "/oauth2/token", data={"grant_type": "refresh_token", "refresh_token": value, "client_id": "drun-console"})

    first = refresh(token["refresh_token"])
    assert first.status_code == 200 and first.json()["refresh_token"] != token["refresh_token"]
    assert refresh(first.json()["refresh_token"]).status_code == 200


def test_signing_out_ends_the_session_and_its_tokens(signed_up):
    browser, _ = session(signed_up)
    _, token, *_ = sign_in(signed_up, browser)
    assert signed_up.request("GET", "/api/v1/namespaces", token["access_token"]).status_code == 200
    out = browser.delete(signed_up.url + "/session", headers={"Origin": signed_up.url, "Sec-Fetch-Site": "same-origin"})
    assert out.status_code in (200, 204)
    signed_up.wait_until("the revocation", lambda: signed_up.request(
        "GET", "/api/v1/namespaces", token["access_token"]).status_code == 401, timeout=5)
    assert browser.get(signed_up.url + "/session").status_code == 401


def test_another_site_cannot_use_the_cookie(signed_up):
    browser, _ = session(signed_up)
    out = browser.delete(signed_up.url + "/session", headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert out.status_code == 403
    assert browser.get(signed_up.url + "/session").status_code == 200


def test_guessing_passwords_is_slowed_down(signed_up):
    answers = [session(signed_up, username="bob", password=f"guess number {i}")[1] for i in range(12)]
    assert any(a.status_code == 429 and "Retry-After" in a.headers for a in answers)
    _, alice = session(signed_up)
    assert alice.status_code in (200, 204, 429)


def test_a_user_is_invited_and_disabled(signed_up):
    admin, _ = session(signed_up)
    _, token, *_ = sign_in(signed_up, admin)
    access = token["access_token"]
    made = signed_up.request("POST", "/apis/drun.io/v1/users", access, json={
        "apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": "carol"}, "spec": {"displayName": "Carol"}})
    assert made.status_code == 201, made.text
    invite = re.search(r"token=([A-Za-z0-9_-]+)", made.text).group(1)
    accepted = signed_up.request("POST", "/session/accept", json={"token": invite, "password": PASSWORD + " too"})
    assert accepted.status_code in (200, 204), accepted.text
    carol, answer = session(signed_up, "carol", PASSWORD + " too")
    assert answer.status_code in (200, 204)
    _, hers, *_ = sign_in(signed_up, carol)
    assert signed_up.request("GET", "/apis/drun.io/v1/users", hers["access_token"]).status_code == 403
    off = signed_up.request("PATCH", "/apis/drun.io/v1/users/carol", access, json={"spec": {"disabled": True}},
                            headers={"Content-Type": "application/merge-patch+json"})
    assert off.status_code == 200, off.text
    signed_up.wait_until("the effect", lambda: signed_up.request(
        "GET", "/apis/drun.io/v1/users", hers["access_token"]).status_code == 401, timeout=5)
    assert session(signed_up, "carol", PASSWORD + " too")[1].status_code == 401
