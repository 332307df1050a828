# SPDX-License-Identifier: Apache-2.0
"""Every parameter missing, doubled, oversized and in the wrong encoding; tokens that are none; clocks that differ; races."""
import base64
import concurrent.futures
import hashlib
import hmac
import json
import time
import urllib.parse

import pytest
import requests

from identity import Identity, name
from jose_keys import new_key
from oauth_rig import REDIRECT, app, assertion_claims, location, make_client, signed, with_assertion

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    """Without the rules of the firewall, which would refuse much of it before idp sees it."""
    running = Identity(waf_dirs=tmp_path_factory.mktemp("no-rules"))
    with running.serving():
        yield running


def encoded(fields):
    """A form of pairs; bytes go as they are."""
    return "&".join(f"{urllib.parse.quote(key)}={urllib.parse.quote(value)}" for key, value in fields)


def spoilt(fields, at):
    """Each way in which one parameter can be wrong, and what it is called."""
    key, value = fields[at]
    rest = fields[:at] + fields[at + 1:]
    yield "missing", encoded(rest)
    yield "empty", encoded(rest + [(key, "")])
    yield "doubled", encoded(fields + [(key, value)])
    yield "doubled with another", encoded(fields + [(key, "x")])
    yield "oversized", encoded(rest + [(key, value + "x" * 20000)])
    yield "huge", encoded(rest + [(key, "x" * 3000000)])
    for what, tail in (("not UTF-8", "%ff%fe"), ("overlong UTF-8", "%c0%af"), ("a surrogate", "%ed%a0%80"), ("NUL inside", "%00x"), ("a broken escape", "%zz"),
                       ("a cut escape", "%"), ("a newline", "%0d%0aX:y")):
        yield what, encoded(rest) + f"&{key}={urllib.parse.quote(value)}{tail}"


# What may be left out or be any text.
OPTIONAL = {"state", "nonce", "scope", "token_type_hint", "code_challenge_method"}


def test_authorization_requests(idp, user):
    who, _ = app(idp)
    browser = idp.sign_in(user)
    fields = [("response_type", "code"), ("client_id", who), ("redirect_uri", REDIRECT), ("scope", "openid"), ("state", "s"), ("nonce", "n"),
              ("code_challenge", CHALLENGE), ("code_challenge_method", "S256"), ("prompt", "none"), ("max_age", "3600")]
    assert "code=" in browser.get(idp.url + "/oauth2/authorize?" + encoded(fields), allow_redirects=False).headers["Location"]
    for at, (key, _) in enumerate(fields):
        for what, query in spoilt(fields, at):
            try:
                answer = browser.get(idp.url + "/oauth2/authorize?" + query, allow_redirects=False)
            except requests.ConnectionError:  # refused in the middle of it
                assert what == "huge"
                continue
            where = answer.headers.get("Location", "")
            assert answer.status_code < 500, (key, what, answer.status_code, answer.text)
            assert "\r" not in where and "\n" not in where
            if "doubled" in what or what in ("huge", "NUL inside"):
                assert "code=" not in where, (key, what, where)
            if key in ("client_id", "redirect_uri") and what != "missing" or key == "response_type":
                assert "code=" not in where, (key, what, where)
            if key in ("client_id", "redirect_uri"):
                assert not where, f"{key} {what}: nobody is sent anywhere before both are known: {where}"
            if key in ("code_challenge", "max_age", "prompt") and what not in ("missing", "empty"):
                assert "code=" not in where, (key, what, where)
    assert "code=" in browser.get(idp.url + "/oauth2/authorize?" + encoded(fields), allow_redirects=False).headers["Location"], "it still answers"


def forms(idp, user):
    """The endpoints that take forms: path, who asks, a form that is right as far as it can be without being used up."""
    who = make_client(idp, grantTypes=["authorization_code", "refresh_token", "client_credentials", EXCHANGE], redirectUris=[REDIRECT],
                      scopes=["openid", "offline_access"], audiences=["https://files.example"])
    token = idp.token_of(user)
    yield "/oauth2/token", who, [("grant_type", "authorization_code"), ("code", "A" * 43), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)]
    yield "/oauth2/token", who, [("grant_type", "refresh_token"), ("refresh_token", "A" * 43), ("scope", "openid")]
    yield "/oauth2/token", who, [("grant_type", "client_credentials"), ("scope", "openid")]
    yield "/oauth2/token", who, [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", TYPES + "access_token"), ("audience", "https://files.example")]
    yield "/oauth2/token", None, [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", "A" * 43), ("client_id", "drun-cli")]
    yield "/oauth2/introspect", who, [("token", token), ("token_type_hint", "access_token")]
    yield "/oauth2/revoke", who, [("token", "A" * 43), ("token_type_hint", "access_token")]
    yield "/oauth2/par", who, [("response_type", "code"), ("redirect_uri", REDIRECT), ("scope", "openid"), ("state", "s"), ("code_challenge", CHALLENGE),
                               ("code_challenge_method", "S256")]
    yield "/oauth2/device_authorization", None, [("client_id", "drun-cli"), ("scope", "openid")]


def test_forms(idp, user):
    for path, auth, fields in forms(idp, user):
        for at, (key, _) in enumerate(fields):
            for what, body in spoilt(fields, at):
                answer = requests.post(idp.url + path, data=body, auth=auth, verify=idp.ca, timeout=20,
                                       headers={"Content-Type": "application/x-www-form-urlencoded"})
                said = (path, dict(fields).get("grant_type"), key, what, answer.status_code, answer.text[:200])
                assert answer.status_code < 500, said
                if "doubled" in what and key not in ("audience", "resource"):
                    assert answer.status_code == 400 and answer.json()["error"] == "invalid_request", said
                elif what in ("missing", "empty") and key not in OPTIONAL and answer.status_code < 400:
                    # Without a challenge a confidential client may ask, without an audience the token stays what it was for.
                    assert key in ("code_challenge", "audience", "redirect_uri"), said
                elif what == "huge" and path != "/oauth2/introspect" and path != "/oauth2/revoke":  # to these it is one more unknown token
                    assert answer.status_code in (400, 401, 413), said
                elif what == "NUL inside":
                    assert answer.status_code == 400, said
                if answer.status_code >= 400 and answer.headers.get("Content-Type", "").startswith("application/json"):
                    assert answer.json()["error"].isascii() and answer.headers["Cache-Control"] == "no-store", said


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=utf-16", ""])
def test_a_form_must_be_one(idp, content_type):
    robot = make_client(idp, grantTypes=["client_credentials"])
    answer = requests.post(idp.url + "/oauth2/token", data=b"grant_type=client_credentials", auth=robot, verify=idp.ca, headers={"Content-Type": content_type}, timeout=20)
    if "charset" not in content_type:
        assert answer.status_code in (400, 415), answer.text
    assert answer.status_code < 500


# ---------------------------------------------------------------- tokens

def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def bad_tokens(token, public_pem, stranger):
    """The same claims, each time with something that a verifier must look at."""
    head, claims, signature = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))

    def with_header(**changes):
        return f"{part({k: v for k, v in {**header, **changes}.items() if v is not None})}.{claims}.{signature}"

    for alg in ("none", "None", "NONE", "HS256", "HS512", "RS256", "ES384", "EdDSA", "es256", "", None, 1, ["ES256"]):
        yield f"alg {alg}", with_header(alg=alg)
    yield "alg none, no signature", f"{part({**header, 'alg': 'none'})}.{claims}."
    confused = f"{part({**header, 'alg': 'HS256'})}.{claims}"
    yield "the public key as the key of a MAC", confused + "." + part(hmac.new(public_pem, confused.encode(), hashlib.sha256).digest())
    for kid in ("", "unknown", "../../../etc/passwd", "' or 1=1 --", "x" * 5000, None, 7, ["a"], "\x00", "\ud800"):
        yield f"kid {str(kid)[:20]!a}", with_header(kid=kid)
    for member, value in (("crit", ["exp"]), ("crit", []), ("jku", "https://evil.example/jwks"), ("x5u", "https://evil.example/x"), ("jwk", stranger[2]),
                          ("x5c", ["AAAA"]), ("b64", False), ("zip", "DEF"), ("enc", "A128GCM")):
        yield f"{member} {value}", with_header(**{member: value})
    for typ in ("JWT", "logout+jwt", "secevent+jwt", None, 3):
        yield f"typ {typ}", with_header(typ=typ)
    yield "a stranger's signature", signed(stranger[0], json.loads(base64.urlsafe_b64decode(claims + "==")), kid=header["kid"], typ="at+jwt")
    yield "a stranger's key brought along", signed(stranger[0], json.loads(base64.urlsafe_b64decode(claims + "==")), kid=header["kid"], typ="at+jwt", jwk=stranger[2])
    yield "nested", f"{part({**header, 'cty': 'JWT'})}.{part(token.encode())}.{signature}"
    yield "nested twice", f"{head}.{part(part(token.encode()).encode())}.{signature}"
    yield "JSON in JSON", f"{head}.{part(b'[' * 2500 + b']' * 2500)}.{signature}"
    yield "large", f"{head}.{part({'x': 'y' * 7000})}.{signature}"
    twice = json.dumps(header)[:-1] + ', "alg": "none"}'
    yield "the same member twice", f"{part(twice.encode())}.{claims}.{signature}"
    yield "no object", f"{part([header])}.{claims}.{signature}"
    yield "not UTF-8", f"{part(bytes.fromhex('7b22616c67223a22ff227d'))}.{claims}.{signature}"
    yield "padded", f"{head}=.{claims}.{signature}"
    yield "a bit more", token + "A"
    yield "a bit less", token[:-2]
    yield "another bit", token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
    yield "a part more", token + ".AAAA"
    yield "a part less", f"{head}.{claims}"
    yield "nothing", ".."
    yield "blanks", f"{head}. {claims}.{signature}"


def test_tokens_that_are_none(idp, user):
    from authlib.jose import JsonWebKey
    robot = make_client(idp, grantTypes=["client_credentials", EXCHANGE], audiences=["https://files.example"])
    token = idp.token_of(user)
    keys = JsonWebKey.import_key_set(idp.request("GET", "/oauth2/jwks").json())
    kid = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    public = keys.find_by_kid(kid).as_pem()
    assert idp.accepted(token) and idp.form("/oauth2/introspect", auth=robot, token=token).json()["active"]
    for what, bad in bad_tokens(token, public, new_key(alg="ES256")):
        for path in ("/api/v1/namespaces", "/oauth2/userinfo", "/v1/models"):
            answer = idp.request("GET", path, bad)
            assert answer.status_code == 401, (what, path, answer.status_code, answer.text[:200])
        assert idp.form("/oauth2/introspect", auth=robot, token=bad).json() == {"active": False}, what
        refused = idp.form("/oauth2/token", auth=robot, grant_type=EXCHANGE, subject_token=bad, subject_token_type=TYPES + "access_token", audience="https://files.example")
        assert refused.status_code == 400 and refused.json()["error"] in ("invalid_grant", "invalid_request"), (what, refused.text)
    assert idp.request("GET", "/api/v1/namespaces", "x" * 2000000).status_code in (400, 401, 413, 431)
    assert idp.accepted(token)


# ---------------------------------------------------------------- clocks

def test_clocks_differ_a_little_and_not_a_lot(idp):
    """A minute is forgiven in an assertion, more is not; nobody gets more time by it."""
    key, _, public = new_key()
    who, _ = make_client(idp, tokenEndpointAuthMethod="private_key_jwt", jwks={"keys": [public]}, grantTypes=["client_credentials"])
    now = int(time.time())
    for skew, status in ((0, 200), (30, 200), (-30, 200), (600, 401), (-600, 401)):
        times = {"iat": now + skew, "nbf": now + skew, "exp": now + skew + 60}
        answer = with_assertion(idp, who, signed(key, assertion_claims(idp, who, **times)))
        assert answer.status_code == status, (skew, answer.text)
    for times in ({"exp": 1e300}, {"exp": -1}, {"exp": "soon"}, {"exp": str(now + 60)}, {"exp": None}, {"exp": True}, {"exp": 2 ** 64}, {"nbf": "later"}, {"iat": [now]}):
        answer = with_assertion(idp, who, signed(key, assertion_claims(idp, who, **times)))
        assert answer.status_code == 401, (times, answer.text)
    answer = with_assertion(idp, who, signed(key, assertion_claims(idp, who, exp=now + 59.5)))
    assert answer.status_code == 200, "a NumericDate may have a fraction"


# ---------------------------------------------------------------- races

def at_once(count, run):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(run) for _ in range(count)]]


def test_one_of_many_gets_something_for_a_code_and_loses_it(idp, user):
    for _ in range(3):
        auth = app(idp, scopes=["openid", "offline_access"])
        code = location(idp.sign_in(user), idp, client_id=auth[0], scope="openid offline_access").headers["Location"].split("code=")[1].split("&")[0]
        answers = at_once(12, lambda: idp.form("/oauth2/token", auth=auth, grant_type="authorization_code", code=code, redirect_uri=REDIRECT))
        good = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(good) == 1 and all(answer.json()["error"] == "invalid_grant" for answer in answers if answer.status_code != 200)
        assert idp.form("/oauth2/introspect", auth=auth, token=good[0]["access_token"]).json() == {"active": False}, "whoever came second may be the owner"
        assert idp.form("/oauth2/token", auth=auth, grant_type="refresh_token", refresh_token=good[0]["refresh_token"]).status_code == 400


def test_many_tabs_that_refresh_at_once_stay_one_family(idp, user):
    _, first = idp.client(idp.sign_in(user), "drun-cli", "openid offline_access drun", idp.url + "/cli")
    answers = at_once(12, lambda: idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="drun-cli"))
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers if answer.status_code != 200]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1, "one successor for all"
    assert all(idp.accepted(answer.json()["access_token"]) for answer in answers)
    second = answers[0].json()["refresh_token"]
    third = idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=second, client_id="drun-cli").json()
    assert idp.accepted(third["access_token"])
    stolen = at_once(8, lambda: idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="drun-cli"))
    assert {answer.status_code for answer in stolen} == {400}
    assert not idp.accepted(third["access_token"]) and not idp.accepted(answers[0].json()["access_token"])


def test_an_assertion_is_taken_once_however_many_come(idp):
    key, _, public = new_key()
    who, _ = make_client(idp, tokenEndpointAuthMethod="private_key_jwt", jwks={"keys": [public]}, grantTypes=["client_credentials"])
    one = signed(key, assertion_claims(idp, who))
    statuses = [answer.status_code for answer in at_once(12, lambda: with_assertion(idp, who, one))]
    assert sorted(statuses) == [200] + [401] * 11


def test_who_is_disabled_while_signing_in_is_out(idp):
    """The password is being hashed when the account ends."""
    who = name("racer")
    idp.add_user(who, idp.root)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        signing_in = [pool.submit(idp.browser().post, idp.url + "/session", json={"username": who, "password": "correct horse battery staple"}) for _ in range(4)]
        idp.must(200, "PATCH", f"/apis/drun.io/v1/users/{who}", idp.root, data='{"spec": {"disabled": true}}', headers={"Content-Type": "application/merge-patch+json"})
        answers = [one.result() for one in signing_in]
    for answer in answers:
        assert answer.status_code in (204, 401, 429), answer.text
        if answer.status_code == 204:
            assert requests.get(idp.url + "/session", cookies=answer.cookies, verify=idp.ca, timeout=20).status_code == 401
