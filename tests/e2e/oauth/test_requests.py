# SPDX-License-Identifier: Apache-2.0
"""Authorization requests that are pushed or signed."""
import time

import pytest

from jose_keys import new_key
from oauth_rig import REDIRECT, app, js, signed


@pytest.mark.parametrize("push,sign", [(True, False), (False, True), (True, True)])
def test_requests_that_the_browser_cannot_change(idp, user, push, sign):
    _, private, public = new_key(alg="ES256")
    who, _ = app(idp, tokenEndpointAuthMethod="private_key_jwt", jwks={"keys": [public]},
                 requirePushedAuthorizationRequests=push, requireSignedRequestObject=sign)
    browser = idp.sign_in(user)
    got = js(idp, "code", browser, client_id=who, jwk=private, redirect=REDIRECT, scope="openid profile email", push=push, sign=sign)
    assert got.get("claims", {}).get("preferred_username") == user, got
    plain = js(idp, "code", browser, client_id=who, jwk=private, redirect=REDIRECT, scope="openid")
    assert plain["error"] in ("authorization response from the server is an error", "invalid_request"), plain
    again = browser.get(got["url"], allow_redirects=False)
    if push:
        assert again.status_code == 400, "a request_uri is answered once"


def test_a_request_object_must_be_the_clients_and_for_us(idp, user):
    key, private, public = new_key(alg="ES256")
    stranger, _, _ = new_key()
    who, _ = app(idp, tokenEndpointAuthMethod="private_key_jwt", jwks={"keys": [public]})
    browser = idp.sign_in(user)
    now = int(time.time())
    good = {"iss": who, "aud": idp.url, "client_id": who, "exp": now + 60, "response_type": "code", "redirect_uri": REDIRECT, "scope": "openid", "state": "s"}

    def ask(claims, by=key, **more):
        return browser.get(idp.url + "/oauth2/authorize", params={"client_id": who, "request": signed(by, claims, **more)}, allow_redirects=False)

    assert "code=" in ask(good).headers["Location"]
    # What stands beside the object does not count.
    beside = browser.get(idp.url + "/oauth2/authorize", allow_redirects=False,
                         params={"client_id": who, "request": signed(key, good), "redirect_uri": "https://evil.example", "state": "other"})
    assert beside.headers["Location"].startswith(REDIRECT) and "state=s&" in beside.headers["Location"]
    for change in ({"iss": "x"}, {"aud": "https://other.example"}, {"client_id": "x"}, {"exp": now - 100}, {"exp": None}, {"sub": who},
                   {"request": "x"}, {"nbf": now + 600}, {"scope": ["openid"], "state": [1]}):
        claims = {k: v for k, v in {**good, **change}.items() if v is not None}
        assert ask(claims).status_code == 400, change
    assert ask(good, stranger, kid=public["kid"]).status_code == 400
    assert browser.get(idp.url + "/oauth2/authorize", params={"client_id": who, "request_uri": "https://evil.example/object"}, allow_redirects=False).status_code == 400
    other, _ = app(idp)
    pushed = idp.form("/oauth2/par", auth=make_auth(idp), response_type="code")
    assert pushed.status_code == 400 and pushed.json()["error"] == "invalid_request"
    assert other


def make_auth(idp, **spec):
    return app(idp, **spec)


def push(idp, auth, **fields):
    fields = {"response_type": "code", "redirect_uri": REDIRECT, "scope": "openid", **fields}
    return idp.form("/oauth2/par", auth=auth, **fields)


def test_a_pushed_request_is_one_clients_and_waits_for_the_user(idp, user):
    auth = app(idp)
    other, _ = app(idp)
    pushed = push(idp, auth, prompt="login", state="s")
    assert pushed.status_code == 201 and pushed.json()["expires_in"] == 90
    uri = pushed.json()["request_uri"]
    browser = idp.sign_in(user)
    time.sleep(1.1)
    where = {"client_id": auth[0], "request_uri": uri}
    stranger = browser.get(idp.url + "/oauth2/authorize", params={"client_id": other, "request_uri": uri}, allow_redirects=False)
    assert stranger.status_code == 400
    # prompt=login cannot be talked away: the request is kept here, and so is that the user was asked.
    cheat = browser.get(idp.url + "/oauth2/authorize", params={**where, "auth_after": "1", "prompt": "none"}, allow_redirects=False)
    assert cheat.headers["Location"].startswith(idp.url + "/login?return=")
    still = browser.get(idp.url + "/oauth2/authorize", params=where, allow_redirects=False)
    assert "/login?" in still.headers["Location"]
    fresh = idp.sign_in(user)
    done = fresh.get(idp.url + "/oauth2/authorize", params=where, allow_redirects=False)
    assert done.headers["Location"].startswith(REDIRECT + "?code="), done.headers
    assert push(idp, auth, redirect_uri="https://evil.example").json()["error"] == "invalid_request"
    assert push(idp, auth, request_uri=uri).json()["error"] == "invalid_request"
    assert push(idp, auth, resource="https://evil.example").json()["error"] == "invalid_target"
    assert idp.form("/oauth2/par", client_id=auth[0], response_type="code").status_code == 401


def test_a_code_is_bound_to_the_key_that_pushed(idp, user):
    auth = app(idp)
    got = js(idp, "code", idp.sign_in(user), client_id=auth[0], secret=auth[1], redirect=REDIRECT, scope="openid", push=True, dpop="ES256")
    assert got.get("tokens", {}).get("token_type") == "dpop", got
    stolen = js(idp, "code", idp.sign_in(user), client_id=auth[0], secret=auth[1], redirect=REDIRECT, scope="openid", parameters={"dpop_jkt": "A" * 43}, dpop="ES256")
    assert stolen["error"] == "invalid_grant", stolen
