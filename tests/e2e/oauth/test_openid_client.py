# SPDX-License-Identifier: Apache-2.0
"""openid-client, a certified relying party: what other tests here ask in plain HTTP, asked by a client that we did not write."""
import json
import os
import pathlib
import subprocess

from certificates import Certificates
from identity import PASSWORD, RBAC, name
from mfa_rig import App
from oauth_rig import JS, REDIRECT, allow, app, location, make_client, payload_of

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"


def start(idp, command, browser=None, **fields):
    fields["issuer"] = idp.url
    if browser is not None:
        fields["cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
    process = subprocess.Popen(["node", str(JS / "client.mjs"), command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "NODE_EXTRA_CA_CERTS": idp.ca})
    process.stdin.write(json.dumps(fields))
    process.stdin.close()
    process.stdin = None
    return process


def ask(idp, command, browser=None, **fields):
    out, err = start(idp, command, browser, **fields).communicate(timeout=120)
    got = json.loads(out)
    assert "error" not in got, f"{got} {err}"
    return got


def test_it_registers_itself_and_signs_a_user_in(idp, user):
    got = ask(idp, "register", token=idp.root, metadata={"redirect_uris": [REDIRECT], "client_name": "Registered", "scope": "openid profile",
                                                         "grant_types": ["authorization_code"], "token_endpoint_auth_method": "client_secret_basic"})["registered"]
    assert got["client_name"] == "Registered" and got["registration_client_uri"].startswith(idp.url) and got["registration_access_token"]
    browser = idp.sign_in(user)
    assert "code=" in allow(browser, idp, location(browser, idp, client_id=got["client_id"], scope="openid profile")).headers["Location"]
    signed_in = ask(idp, "signIn", browser, client_id=got["client_id"], secret=got["client_secret"], redirect=REDIRECT, scope="openid profile")
    assert signed_in["claims"]["preferred_username"] == user
    refused = json.loads(start(idp, "register", token=idp.token_of(user), metadata={"redirect_uris": [REDIRECT]}).communicate(timeout=60)[0])
    assert refused["error"], "who may not make clients registers none"


def test_resources_bound_what_its_token_is_for(idp, user):
    files, mail = "https://files.example", "https://mail.example"
    who, secret = app(idp, audiences=[files, mail])
    browser = idp.sign_in(user)
    got = ask(idp, "signIn", browser, client_id=who, secret=secret, redirect=REDIRECT, scope="openid",
              parameters=[["resource", files], ["resource", mail]], at_token=[["resource", files]])
    assert payload_of(got["tokens"]["access_token"])["aud"] == files
    wrong = json.loads(start(idp, "signIn", browser, client_id=who, secret=secret, redirect=REDIRECT, scope="openid",
                             parameters=[["resource", "https://evil.example"]]).communicate(timeout=60)[0])
    assert wrong["error"] == "invalid_target", wrong


def test_it_revokes_what_it_was_given(idp):
    robot = make_client(idp, grantTypes=["client_credentials"], scopes=["drun"])
    token = idp.form("/oauth2/token", auth=robot, grant_type="client_credentials", scope="drun").json()["access_token"]
    got = ask(idp, "revoke", client_id=robot[0], secret=robot[1], token=token)
    assert got["before"]["active"] is True and got["before"]["sub"] == "client:" + robot[0] and got["after"] == {"active": False}
    assert not idp.accepted(token)


def test_it_exchanges_a_token_for_one_of_another_audience(idp, user):
    service, secret = make_client(idp, grantTypes=[EXCHANGE], audiences=["https://files.example"])
    token = idp.token_of(user)
    got = ask(idp, "exchange", client_id=service, secret=secret, parameters={
        "subject_token": token, "subject_token_type": TYPES + "access_token", "audience": "https://files.example"})["tokens"]
    claims = payload_of(got["access_token"])
    assert claims["aud"] == "https://files.example" and claims["act"] == {"sub": "client:" + service} and claims["sub"] == payload_of(token)["sub"]
    assert got["issued_token_type"] == TYPES + "access_token" and got["expires_in"] <= 900


def test_its_certificate_is_the_client_and_binds_the_token(idp, tmp_path):
    authority = Certificates(tmp_path)
    _, (cert, key) = authority.client("batch")
    who, _ = make_client(idp, tokenEndpointAuthMethod="tls_client_auth", grantTypes=["client_credentials"], certificateBoundAccessTokens=True,
                         tlsClientAuth={"ca": authority.ca_pem, "subjectDn": "CN=batch,O=Example"})
    got = ask(idp, "certificate", client_id=who, mtls=idp.mtls, cert=pathlib.Path(cert).read_text(), key=pathlib.Path(key).read_text())
    assert "x5t#S256" in payload_of(got["tokens"]["access_token"])["cnf"] and (got["used"], got["bare"]) == (200, 401)


def test_a_device_gets_its_token_when_the_user_allows_it(idp, user):
    process = start(idp, "device", client_id="drun-cli", scope="openid profile drun")
    code = process.stderr.readline().strip()
    assert idp.sign_in(user).post(idp.url + "/session/device", json={"userCode": code, "decision": "allow"}).status_code == 204
    out, err = process.communicate(timeout=90)
    assert idp.accepted(json.loads(out)["tokens"]["access_token"]), out + err


def test_signing_out_goes_where_it_asks(idp, user):
    who, secret = app(idp, postLogoutRedirectUris=["https://app.example/bye"])
    browser = idp.sign_in(user)
    got = ask(idp, "signIn", browser, client_id=who, secret=secret, redirect=REDIRECT, scope="openid",
              end={"post_logout_redirect_uri": "https://app.example/bye", "state": "s"})
    page = browser.get(got["end"], allow_redirects=False)
    assert page.status_code in (200, 302) and "https://app.example/bye?state=s" in page.headers.get("Location", page.headers.get("Refresh", "")), page.headers
    assert browser.get(idp.url + "/session").status_code == 401


def test_it_steps_up_when_the_resource_asks_for_more(idp):
    """RFC 9470 from end to end: the challenge's parameters go into the authorization request as they came."""
    who = name("admin")
    idp.add_user(who, idp.root, groups=["drun:platform-admins"])
    browser = idp.sign_in(who)
    begun = browser.post(idp.url + "/session/factors/totp", json={}).json()
    authenticator = App(begun["secret"])
    assert browser.post(idp.url + "/session/factors/totp/confirm", json={"code": authenticator.code()}).status_code == 200
    trusted = idp.browser()
    assert trusted.post(idp.url + "/session", json={"username": who, "password": PASSWORD}).status_code == 200
    assert trusted.post(idp.url + "/session/factor", json={"type": "totp", "code": authenticator.code(), "trust": True}).status_code == 204
    assert trusted.post(idp.url + "/session", json={"username": who, "password": PASSWORD}).status_code == 204, "a trusted browser, the password alone"
    fields = {"client_id": "drun-console", "redirect": idp.url + "/callback", "scope": "openid drun"}
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name("b")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "somebody"}]}
    write = {"client_id": "drun-console", "url": f"{idp.url}{RBAC}/namespaces/default/rolebindings", "method": "POST", "body": body}
    weak = ask(idp, "signIn", trusted, **fields)
    refused = ask(idp, "use", token=weak["tokens"]["access_token"], **write)
    asked = refused["challenge"]["parameters"]
    assert refused["status"] == 401 and asked["error"] == "insufficient_user_authentication" and asked["acr_values"] == "urn:drun:mfa", refused
    more = [["acr_values", asked["acr_values"]], ["max_age", asked["max_age"]]]
    sent = ask(idp, "signIn", trusted, parameters=more, **fields)
    assert sent["stopped"]["location"].startswith(idp.url + "/login?"), sent
    assert trusted.post(idp.url + "/session/step-up", json={}).status_code == 200
    assert trusted.post(idp.url + "/session/factor", json={"type": "totp", "code": authenticator.code()}).status_code == 204
    strong = ask(idp, "signIn", trusted, parameters=more, **fields)
    assert strong["claims"]["acr"] == "urn:drun:mfa"
    assert ask(idp, "use", token=strong["tokens"]["access_token"], **write)["status"] == 201
