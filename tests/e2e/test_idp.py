# SPDX-License-Identifier: Apache-2.0
"""The identity provider in depth: users, groups, keys, clients, tokens of every kind, through the gateway."""
import concurrent.futures
import json
import secrets
import time
import urllib.parse

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt

from identity import CLIENTS, GROUPS, KEYS, PASSWORD, RBAC, USERS, Identity, name

@pytest.fixture(scope="module")
def idp():
    with Identity().serving() as running:
        yield running


# ---------------------------------------------------------------- users and groups

def test_an_invitation_works_once_and_sets_a_password(idp):
    who = name("guest")
    made, token = idp.add_user(who, idp.root, displayName="A guest")
    again = idp.browser().post(idp.url + "/session/accept", json={"token": token, "password": PASSWORD})
    assert again.status_code == 410
    assert idp.sign_in(who).get(idp.url + "/session").json()["uid"] == made["metadata"]["uid"]
    shown = idp.must(200, "GET", f"{USERS}/{who}", idp.root)
    assert "inviteURL" not in json.dumps(shown) and "argon2" not in json.dumps(shown)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "password1234", "123456789012"])
def test_bad_passwords_are_refused(idp, password):
    who = name("weak")
    made = idp.must(201, "POST", USERS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": who}})
    token = made["status"]["inviteURL"].split("token=")[1].split("&")[0]
    answer = idp.browser().post(idp.url + "/session/accept", json={"token": token, "password": password})
    assert answer.status_code == 422 and answer.headers["Content-Type"] == "application/problem+json"
    assert idp.browser().post(idp.url + "/session/accept", json={"token": token, "password": PASSWORD}).status_code == 204


def test_a_disabled_user_is_out_at_once_and_comes_back(idp):
    who = name("leaver")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    token = idp.client(browser)[1]["access_token"]
    assert idp.accepted(token)
    patch = {"headers": {"Content-Type": "application/merge-patch+json"}}
    idp.must(200, "PATCH", f"{USERS}/{who}", idp.root, data=json.dumps({"spec": {"disabled": True}}), **patch)
    assert not idp.accepted(token)
    assert browser.get(idp.url + "/session").status_code == 401
    refused = idp.browser().post(idp.url + "/session", json={"username": who, "password": PASSWORD})
    assert refused.status_code == 401
    idp.must(200, "PATCH", f"{USERS}/{who}", idp.root, data=json.dumps({"spec": {"disabled": False}}), **patch)
    assert not idp.accepted(token), "what was issued before stays void"
    assert idp.accepted(idp.token_of(who))


def test_a_user_of_the_same_name_is_another_user(idp):
    who = name("twin")
    idp.add_user(who, idp.root)
    old = idp.token_of(who)
    key = idp.add_key(name("k"), idp.root, user=who)["status"]["key"]
    assert idp.accepted(old) and idp.accepted(key)
    idp.must(200, "DELETE", f"{USERS}/{who}", idp.root)
    assert not idp.accepted(old) and not idp.accepted(key)
    idp.add_user(who, idp.root)
    assert not idp.accepted(old) and not idp.accepted(key)
    assert idp.accepted(idp.token_of(who))


def test_nobody_puts_anybody_into_a_group_above_his_own(idp):
    admin, friend = name("padmin"), name("friend")
    idp.add_user(admin, idp.root, groups=["drun:platform-admins"])
    token = idp.token_of(admin)
    idp.must(403, "POST", USERS, token, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": friend}, "spec": {"groups": ["drun:operators"]}})
    idp.must(201, "POST", USERS, token, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": friend}, "spec": {"groups": ["drun:platform-admins", "team-a"]}})
    patch = {"headers": {"Content-Type": "application/merge-patch+json"}}
    idp.must(403, "PATCH", f"{USERS}/{admin}", token, data=json.dumps({"spec": {"groups": ["drun:platform-admins", "drun:operators"]}}), **patch)
    idp.must(403, "PATCH", f"{USERS}/{admin}", token, data=json.dumps({"spec": {"groups": ["system:masters"]}}), **patch)
    # A group that somebody bound to everything is no way around it.
    group = name("root-team")
    idp.must(201, "POST", RBAC + "/clusterrolebindings", idp.root, json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": group},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group}]})
    time.sleep(0.2)  # a binding is in force within 100 ms
    idp.must(403, "POST", GROUPS, token, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": group}, "spec": {"members": [admin]}})
    idp.must(201, "POST", GROUPS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": group}, "spec": {"members": [admin]}})
    assert idp.request("GET", "/api/v1/namespaces/default/secrets", token).status_code == 403
    assert idp.request("GET", "/api/v1/namespaces/default/secrets", idp.token_of(admin)).status_code == 200
    idp.must(200, "DELETE", f"{GROUPS}/{group}", idp.root)
    assert idp.request("GET", "/api/v1/namespaces/default/secrets", idp.token_of(admin)).status_code == 403


# ---------------------------------------------------------------- sessions

def test_sessions_are_listed_and_ended(idp):
    who = name("nomad")
    idp.add_user(who, idp.root)
    here, there = idp.sign_in(who), idp.sign_in(who)
    items = here.get(idp.url + "/session/list").json()["items"]
    assert len(items) == 3 and sum(item["current"] for item in items) == 1
    mine = next(item["id"] for item in there.get(idp.url + "/session/list").json()["items"] if item["current"])
    assert here.delete(f"{idp.url}/session/{mine}").status_code == 204
    assert there.get(idp.url + "/session").status_code == 401
    assert here.delete(f"{idp.url}/session/{mine}").status_code == 404
    assert here.delete(idp.url + "/session/all").status_code == 204
    assert here.get(idp.url + "/session").status_code == 401


def test_another_site_cannot_use_the_cookie(idp):
    who = name("target")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Origin": None}):
        assert browser.delete(idp.url + "/session", headers=headers).status_code == 403
    as_form = browser.post(idp.url + "/session/password", data={"current": PASSWORD, "new": PASSWORD + "!"})
    assert as_form.status_code == 415
    assert browser.get(idp.url + "/session").status_code == 200


def test_a_new_password_ends_what_the_old_one_opened(idp):
    who = name("careful")
    idp.add_user(who, idp.root)
    other, browser = idp.sign_in(who), idp.sign_in(who)
    token = idp.client(other)[1]["access_token"]
    change = {"current": PASSWORD, "new": "another battery, horse and staple"}
    assert browser.post(idp.url + "/session/password", json={**change, "current": "not that one, no"}).status_code == 403
    assert browser.post(idp.url + "/session/password", json=change).status_code == 204
    assert browser.get(idp.url + "/session").status_code == 200
    assert other.get(idp.url + "/session").status_code == 401 and not idp.accepted(token)
    idp.sign_in(who, change["new"])
    assert idp.browser().post(idp.url + "/session", json={"username": who, "password": PASSWORD}).status_code == 401


def test_guessing_is_slowed_down(idp):
    who = name("victim")
    idp.add_user(who, idp.root)
    seen = [idp.browser().post(idp.url + "/session", json={"username": who, "password": f"wrong guess {i}"}) for i in range(8)]
    slowed = [answer for answer in seen if answer.status_code == 429]
    assert seen[0].status_code == 401 and slowed and int(slowed[0].headers["Retry-After"]) >= 1
    time.sleep(int(slowed[-1].headers["Retry-After"]) + 1)
    idp.sign_in(who)


def test_an_unknown_user_takes_the_time_of_a_wrong_password(idp):
    def measure(prefix):
        times = []
        for _ in range(8):
            who = prefix or name("nobody")
            began = time.monotonic()
            answer = idp.browser().post(idp.url + "/session", json={"username": who, "password": "wrong password it is"})
            if answer.status_code == 401:
                times.append(time.monotonic() - began)
        return sorted(times)[len(times) // 2]

    who = name("known")
    idp.add_user(who, idp.root)
    known, unknown = measure(who), measure(None)
    assert 0.5 < known / unknown < 2, (known, unknown)


def test_many_sign_ins_at_once_do_not_stop_the_rest(idp):
    users = [name("crowd") for _ in range(3)]
    for who in users:
        idp.add_user(who, idp.root)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        logins = [pool.submit(idp.browser().post, idp.url + "/session", json={"username": users[i % 3], "password": PASSWORD}) for i in range(16)]
        began = time.monotonic()
        assert idp.request("GET", "/oauth2/jwks").status_code == 200
        quick = time.monotonic() - began
        codes = {login.result().status_code for login in logins}
    assert codes <= {204, 429} and 204 in codes
    assert quick < 1


# ---------------------------------------------------------------- OAuth

def test_a_refresh_token_turns_and_its_reuse_ends_the_family(idp):
    who = name("mobile")
    idp.add_user(who, idp.root)
    _, token = idp.client(idp.sign_in(who), "drun-cli", "openid offline_access drun", "http://127.0.0.1:49152/callback")
    old = token["refresh_token"]
    first = idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=old, client_id="drun-cli").json()
    assert first["refresh_token"] != old and idp.accepted(first["access_token"])
    # A lost answer, or a second tab: for a moment the same successor comes again, until that is used.
    again = idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=old, client_id="drun-cli").json()
    assert again["refresh_token"] == first["refresh_token"] and again["access_token"] != first["access_token"]
    assert idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="drun-cli").status_code == 200
    reuse = idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=old, client_id="drun-cli")
    assert reuse.status_code == 400 and reuse.json()["error"] == "invalid_grant"
    assert not idp.accepted(first["access_token"]) and not idp.accepted(token["access_token"])
    assert idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="drun-cli").status_code == 400


def test_offline_access_outlives_the_browser_session_and_not_sign_out_everywhere(idp):
    who = name("offline")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    _, token = idp.client(browser, "drun-cli", "openid offline_access drun", idp.url + "/cli")
    assert browser.delete(idp.url + "/session").status_code == 204
    assert idp.accepted(token["access_token"])
    narrowed = idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=token["refresh_token"], client_id="drun-cli", scope="openid drun")
    assert narrowed.status_code == 200
    more = idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=narrowed.json()["refresh_token"], client_id="drun-cli", scope="openid drun groups")
    assert more.json()["error"] == "invalid_scope"
    assert idp.sign_in(who).delete(idp.url + "/session/all").status_code == 204
    assert not idp.accepted(narrowed.json()["access_token"])
    assert idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=narrowed.json()["refresh_token"], client_id="drun-cli").status_code == 400


def test_prompt_and_max_age(idp):
    who = name("prompt")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    query = {"response_type": "code", "client_id": "drun-console", "redirect_uri": idp.url + "/callback", "scope": "openid",
             "state": "s", "code_challenge": "a" * 43, "code_challenge_method": "S256"}

    def ask(session, **more):
        where = session.get(idp.url + "/oauth2/authorize", params={**query, **more}, allow_redirects=False).headers["Location"]
        return where, urllib.parse.parse_qs(urllib.parse.urlparse(where).query)

    assert "code" in ask(browser, prompt="none")[1]
    where, got = ask(idp.browser(), prompt="none")
    assert where.startswith(idp.url + "/callback?") and got["error"] == ["login_required"] and got["state"] == ["s"] and got["iss"] == [idp.url]
    where, got = ask(idp.browser())
    assert where.startswith(idp.url + "/login?return=")
    back = got["return"][0]
    assert back.startswith("/oauth2/authorize?")
    assert "code=" in browser.get(idp.url + back, allow_redirects=False).headers["Location"]
    time.sleep(1.1)
    for more in ({"prompt": "login"}, {"max_age": "0"}):
        where, got = ask(browser, **more)
        assert where.startswith(idp.url + "/login?"), where
        assert "/login?" in browser.get(idp.url + got["return"][0], allow_redirects=False).headers["Location"]
        fresh = idp.sign_in(who)
        assert "code=" in fresh.get(idp.url + got["return"][0], allow_redirects=False).headers["Location"]
    assert ask(browser, prompt="none login")[1]["error"] == ["invalid_request"]
    assert ask(browser, max_age="soon")[1]["error"] == ["invalid_request"]
    assert ask(browser, response_mode="fragment")[1]["error"] == ["invalid_request"]
    unsigned = browser.get(idp.url + "/oauth2/authorize", params={**query, "request": "eyJ"}, allow_redirects=False)
    assert unsigned.status_code == 400, "its redirect_uri is inside, so nobody is told but the user"
    twice = browser.get(idp.url + "/oauth2/authorize?" + urllib.parse.urlencode(query) + "&state=t", allow_redirects=False)
    assert twice.status_code == 400


@pytest.fixture(scope="module")
def robot(idp):
    """A confidential client with both grants: (id, secret)."""
    who = name("robot")
    made = idp.must(201, "POST", CLIENTS, idp.root, json={
        "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": who}, "spec": {
            "redirectUris": ["https://app.example/cb"], "grantTypes": ["authorization_code", "client_credentials"],
            "scopes": ["openid", "drun"]}})
    assert "clientSecret" not in json.dumps(idp.must(200, "GET", f"{CLIENTS}/{who}", idp.root))
    return who, made["status"]["clientSecret"]


def test_client_credentials_introspection_and_revocation(idp, robot):
    client = OAuth2Session(*robot, scope="drun unknown", token_endpoint_auth_method="client_secret_basic")
    client.verify = idp.ca
    token = client.fetch_token(idp.url + "/oauth2/token", grant_type="client_credentials")
    keys = JsonWebKey.import_key_set(idp.must(200, "GET", "/oauth2/jwks"))
    claims = jwt.decode(token["access_token"], keys)
    assert claims.header["typ"] == "at+jwt" and claims["sub"] == f"client:{robot[0]}" and claims["scope"] == "drun"
    assert claims["iss"] == idp.url and claims["aud"] == "drun" and claims["exp"] - claims["iat"] == 600
    seen = idp.form("/oauth2/introspect", auth=robot, token=token["access_token"]).json()
    assert seen["active"] and seen["client_id"] == robot[0] and seen["scope"] == "drun" and seen["jti"] == claims["jti"]
    assert idp.form("/oauth2/introspect", auth=robot, token="nonsense").json() == {"active": False}
    assert idp.form("/oauth2/introspect", token=token["access_token"], client_id="drun-cli").status_code == 401
    assert idp.accepted(token["access_token"])
    assert idp.form("/oauth2/revoke", token=token["access_token"], client_id="drun-cli").status_code == 200
    assert idp.accepted(token["access_token"]), "another client's token is none of its business"
    assert idp.form("/oauth2/revoke", auth=robot, token=token["access_token"]).status_code == 200
    assert not idp.accepted(token["access_token"])
    assert idp.form("/oauth2/introspect", auth=robot, token=token["access_token"]).json() == {"active": False}


def test_wrong_clients_are_refused(idp, robot):
    wrong = idp.form("/oauth2/token", auth=(robot[0], "wrong"), grant_type="client_credentials")
    assert wrong.status_code == 401 and wrong.json()["error"] == "invalid_client" and "Basic" in wrong.headers["WWW-Authenticate"]
    assert idp.form("/oauth2/token", grant_type="client_credentials", client_id=robot[0], client_secret=robot[1]).status_code == 401, "post is not its method"
    assert idp.form("/oauth2/token", grant_type="client_credentials", client_id="drun-console").json()["error"] == "unauthorized_client"
    assert idp.form("/oauth2/token", auth=robot, grant_type="password").json()["error"] == "unsupported_grant_type"
    both = idp.form("/oauth2/token", auth=robot, grant_type="client_credentials", client_secret=robot[1])
    assert both.json()["error"] == "invalid_request"
    as_json = idp.request("POST", "/oauth2/token", json={"grant_type": "client_credentials"}, auth=robot)
    assert as_json.status_code == 400 and as_json.headers["Cache-Control"] == "no-store"


def test_a_client_is_not_the_user_of_that_name(idp):
    who = name("same")
    idp.add_user(who, idp.root, groups=["drun:operators"])
    made = idp.must(201, "POST", CLIENTS, idp.root, json={
        "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": who}, "spec": {"grantTypes": ["client_credentials"], "scopes": ["drun"]}})
    token = idp.form("/oauth2/token", auth=(who, made["status"]["clientSecret"]), grant_type="client_credentials").json()["access_token"]
    assert idp.request("GET", USERS, token).status_code == 403


def test_a_confidential_client_signs_a_user_in(idp, robot):
    who = name("visitor")
    idp.add_user(who, idp.root, email="v@example.org")
    client, token = idp.client(idp.sign_in(who), robot[0], "openid drun", "https://app.example/cb", robot[1], nonce="n-1")
    keys = JsonWebKey.import_key_set(idp.must(200, "GET", "/oauth2/jwks"))
    claims = jwt.decode(token["id_token"], keys)
    assert claims["aud"] == robot[0] and claims["nonce"] == "n-1" and claims["amr"] == ["pwd"] and claims["at_hash"] and claims["auth_time"]
    assert "email" not in claims
    info = client.get(idp.url + "/oauth2/userinfo").json()
    assert info == {"sub": claims["sub"]}


def test_an_application_gets_no_power_over_the_platform(idp, robot):
    who = name("trusting")
    idp.add_user(who, idp.root, groups=["drun:operators"])
    client, token = idp.client(idp.sign_in(who), robot[0], "openid", "https://app.example/cb", robot[1])
    assert not idp.accepted(token["access_token"]), "it was not granted the scope drun"
    assert client.get(idp.url + "/oauth2/userinfo").status_code == 200
    seen = idp.form("/oauth2/introspect", auth=robot, token=token["access_token"]).json()
    assert seen["active"] and seen["aud"] == idp.url and seen["username"] == who
    assert idp.form("/oauth2/revoke", auth=robot, token=token["access_token"]).status_code == 200
    assert client.get(idp.url + "/oauth2/userinfo").status_code == 401
    assert not idp.form("/oauth2/introspect", auth=robot, token=token["access_token"]).json()["active"]
    key = idp.add_key(name("k"), idp.root, user=who)["status"]["key"]
    assert idp.form("/oauth2/introspect", auth=robot, token=key).json()["username"] == who


def test_logout_wants_the_right_id_token_or_a_click(idp):
    who = name("leaving")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    _, token = idp.client(browser)
    plain = {"Origin": None, "Sec-Fetch-Site": "cross-site"}
    asked = browser.get(idp.url + "/oauth2/logout", headers=plain, allow_redirects=False)
    assert asked.status_code == 200 and "Sign out?" in asked.text
    assert browser.post(idp.url + "/oauth2/logout", headers=plain, allow_redirects=False).status_code == 403
    assert browser.get(idp.url + "/session").status_code == 200
    out = browser.get(idp.url + "/oauth2/logout", headers=plain, allow_redirects=False, params={
        "id_token_hint": token["id_token"], "post_logout_redirect_uri": idp.url + "/login", "state": "x"})
    assert out.headers["Location"] == idp.url + "/login?state=x"
    assert browser.get(idp.url + "/session").status_code == 401 and not idp.accepted(token["access_token"])


# ---------------------------------------------------------------- API keys

def test_a_key_lives_and_ends(idp):
    who, key_name = name("dev"), name("k")
    idp.add_user(who, idp.root)
    made = idp.add_key(key_name, idp.root, user=who, scopes={"verbs": ["get", "list", "create"]})
    key = made["status"]["key"]
    assert key.startswith("sk-drun-") and made["status"]["prefix"] == key[:12] and made["status"]["last4"] == key[-4:]
    stored = idp.must(200, "GET", f"{KEYS}/{key_name}", idp.root)
    assert key not in json.dumps(stored) and "key" not in stored["status"]
    assert idp.accepted(key)
    patch = {"headers": {"Content-Type": "application/merge-patch+json"}}
    began = time.monotonic()
    off = idp.must(200, "PATCH", f"{KEYS}/{key_name}", idp.root, data=json.dumps({"spec": {"disabled": True}}), **patch)
    assert not idp.accepted(key) and time.monotonic() - began < 0.3
    assert off["status"]["revokedAt"]
    idp.must(200, "PATCH", f"{KEYS}/{key_name}", idp.root, data=json.dumps({"spec": {"disabled": False}}), **patch)
    assert idp.accepted(key)
    idp.must(200, "DELETE", f"{KEYS}/{key_name}", idp.root)
    assert not idp.accepted(key)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    short = idp.add_key(key_name, idp.root, user=who, expiresAt=soon)["status"]["key"]
    assert idp.accepted(short)
    idp.wait_until("the key's end", lambda: not idp.accepted(short), timeout=5)


def test_a_developer_sees_and_makes_only_his_own_keys(idp):
    dev, other = name("dev"), name("other")
    for who in (dev, other):
        idp.add_user(who, idp.root)
        idp.must(201, "POST", RBAC + "/namespaces/default/rolebindings", idp.root, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": who},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "drun:developer"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": who}]})
    token, his, theirs = idp.token_of(dev), name("his"), name("theirs")
    idp.add_key(theirs, idp.root, user=other)
    made = idp.add_key(his, token)
    assert made["spec"]["user"] == dev
    idp.add_key(name("k"), token, status=403, user=other)
    idp.add_key(name("k"), token, status=403, serviceAccountName="default")
    assert [item["metadata"]["name"] for item in idp.must(200, "GET", KEYS, token)["items"]] == [his]
    assert idp.must(200, "GET", KEYS + f"?fieldSelector=metadata.name={theirs}", token)["items"] == []
    idp.must(403, "GET", f"{KEYS}/{theirs}", token)
    idp.must(403, "DELETE", f"{KEYS}/{theirs}", token)
    idp.add_key(name("k"), made["status"]["key"], status=403)
    idp.must(200, "DELETE", f"{KEYS}/{his}", token)
    assert len(idp.must(200, "GET", KEYS, idp.root)["items"]) >= 1


def test_a_key_may_not_make_keys(idp):
    who = name("chief")
    idp.add_user(who, idp.root, groups=["drun:operators"])
    key = idp.add_key(name("k"), idp.root, user=who, scopes={"verbs": ["*"]})["status"]["key"]
    assert idp.request("GET", USERS, key).status_code == 200
    assert "may not make" in idp.add_key(name("k"), key, status=403)["message"]


# ---------------------------------------------------------------- the platform's own

def test_tokens_of_service_accounts(idp):
    path = "/api/v1/namespaces/default/serviceaccounts/builder/token"
    idp.must(404, "POST", path, idp.root, json={})
    idp.must(201, "POST", "/api/v1/namespaces/default/serviceaccounts", idp.root, json={
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}})
    made = idp.must(201, "POST", path, idp.root, json={
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 900}})
    claims = jwt.decode(made["status"]["token"], JsonWebKey.import_key_set(idp.must(200, "GET", "/oauth2/jwks")))
    assert claims["sub"] == "system:serviceaccount:default:builder" and claims["exp"] - claims["iat"] == 900
    who = idp.must(201, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", made["status"]["token"], json={
        "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})["status"]["userInfo"]
    assert {"system:serviceaccounts", "system:serviceaccounts:default"} <= set(who["groups"])
    idp.must(404, "POST", path.replace("default", "nowhere"), idp.root, json={})
    idp.must(403, "POST", path, made["status"]["token"], json={})
    elsewhere = idp.must(201, "POST", path, idp.root, json={"spec": {"audiences": ["vault"]}})["status"]["token"]
    assert not idp.accepted(elsewhere), "it is for another audience"


def test_the_operator_is_known_by_the_socket(idp):
    who = idp.must(201, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", idp.root, json={
        "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})["status"]["userInfo"]
    assert who["username"].startswith("system:operator:") and "drun:operators" in who["groups"]
    made = idp.add_key(name("k"), idp.root, status=422)
    assert "spec.user" in made["message"]


def test_what_happened_is_in_the_audit_log(idp, robot):
    who = name("watched")
    idp.add_user(who, idp.root)
    idp.sign_in(who)
    idp.browser().post(idp.url + "/session", json={"username": who, "password": "wrong password it is"})
    browser = idp.sign_in(who)
    token = idp.client(browser)[1]["access_token"]
    idp.must(403, "GET", USERS, token)
    key = idp.add_key(name("k"), idp.root, user=who)
    browser.delete(idp.url + "/session")

    def seen(**query):
        found = idp.must(200, "GET", "/apis/audit.drun.io/v1/auditevents?" + urllib.parse.urlencode(query), idp.root)
        return [item["event"] for item in found["items"]]

    logins = [item["drun.outcome"] for item in seen(event="drun.auth.login", actor=who)]
    assert sorted(logins) == ["denied", "success", "success"], logins
    assert seen(event="drun.auth.token", actor=who) and seen(event="drun.auth.logout", actor=who)
    assert seen(event="drun.api.request", actor=who, outcome="denied")
    assert seen(event="drun.auth.apikey.create")
    text = json.dumps(seen(limit=500))
    assert PASSWORD not in text and token not in text and key["status"]["key"] not in text and robot[1] not in text


def test_what_was_issued_survives_a_restart(own_platform):
    own_platform.__class__ = Identity
    idp = own_platform.start()
    root = idp.operator_token()
    who = name("lasting")
    idp.add_user(who, root)
    browser = idp.sign_in(who)
    _, token = idp.client(browser, "drun-cli", "openid offline_access drun", idp.url + "/cli")
    key = idp.add_key(name("k"), root, user=who)["status"]["key"]
    gone = idp.add_key("gone", root, user=who)["status"]["key"]
    idp.must(200, "DELETE", f"{KEYS}/gone", root)
    revoked = idp.client(browser)[1]["access_token"]
    assert idp.form("/oauth2/revoke", token=revoked, client_id="drun-console").status_code == 200
    idp.wait_for_role("idp", idp.kill("idp"))
    idp.wait_until("idp", lambda: idp.request("GET", "/oauth2/jwks").status_code == 200)
    assert browser.get(idp.url + "/session").status_code == 200
    assert idp.accepted(token["access_token"]) and idp.accepted(key)
    assert not idp.accepted(gone) and not idp.accepted(revoked)
    assert idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=token["refresh_token"], client_id="drun-cli").status_code == 200
