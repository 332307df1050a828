# SPDX-License-Identifier: Apache-2.0
"""What is fetched from clients and told to them."""
import base64
import http.server
import json
import ssl
import threading
import time

import pytest
import requests
from authlib.jose import JsonWebKey, jwt
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Certificates
from jose_keys import new_key
from oauth_rig import REDIRECT, app, assertion_claims, js, location, make_client, signed, with_assertion


class Elsewhere:
    """An HTTPS server of a client: serves its keys, takes logout tokens."""

    def __init__(self, folder):
        import ipaddress
        authority = Certificates(folder)
        _, (cert, key) = authority.client("elsewhere", [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))], usage=ExtendedKeyUsageOID.SERVER_AUTH)
        self.ca, self.keys, self.posts, self.gets, self.status = authority.ca_pem, {"keys": []}, [], 0, 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.gets += 1
                body = json.dumps(outer.keys).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                outer.posts.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def elsewhere(tmp_path):
    running = Elsewhere(tmp_path)
    yield running
    running.server.shutdown()


def eventually(idp, what, ask):
    return idp.wait_until(what, ask, timeout=60)


def test_keys_at_a_url_are_fetched_and_follow_a_rotation(idp, elsewhere):
    key, _, public = new_key()
    elsewhere.keys = {"keys": [public]}
    who, _ = make_client(idp, tokenEndpointAuthMethod="private_key_jwt", jwksUri=elsewhere.url + "/jwks", ca=elsewhere.ca, privateNetwork=True,
                         grantTypes=["client_credentials"])
    first = with_assertion(idp, who, signed(key, assertion_claims(idp, who)))
    assert first.status_code in (200, 503) and (first.status_code == 200 or first.headers["Retry-After"] == "1"), first.text
    eventually(idp, "the keys to be there", lambda: with_assertion(idp, who, signed(key, assertion_claims(idp, who))).status_code == 200)
    assert elsewhere.gets == 1
    new, _, new_public = new_key()
    elsewhere.keys = {"keys": [new_public]}
    eventually(idp, "the new key to be known", lambda: with_assertion(idp, who, signed(new, assertion_claims(idp, who))).status_code == 200)
    assert with_assertion(idp, who, signed(key, assertion_claims(idp, who))).status_code in (401, 503), "the old one is gone"
    shut, _ = make_client(idp, tokenEndpointAuthMethod="private_key_jwt", jwksUri=elsewhere.url + "/other", ca=elsewhere.ca, grantTypes=["client_credentials"])
    for _ in range(3):
        assert with_assertion(idp, shut, signed(new, assertion_claims(idp, shut))).status_code == 503, "not to a private address without leave"
        time.sleep(0.2)


def test_clients_hear_that_a_session_ended(idp, user, elsewhere):
    who, secret = app(idp, backchannelLogoutUri=elsewhere.url + "/logout", ca=elsewhere.ca, privateNetwork=True, idTokenSignedResponseAlg="RS256")
    browser = idp.sign_in(user)
    got = js(idp, "code", browser, client_id=who, secret=secret, redirect=REDIRECT, scope="openid", id_token_alg="RS256")
    sid = got["claims"]["sid"]
    elsewhere.status = 500
    assert browser.delete(idp.url + "/session").status_code == 204
    eventually(idp, "a first try", lambda: elsewhere.posts)
    elsewhere.status = 200
    eventually(idp, "another try", lambda: len(elsewhere.posts) > 1)
    token = elsewhere.posts[-1].removeprefix("logout_token=")
    claims = jwt.decode(token, JsonWebKey.import_key_set(idp.request("GET", "/oauth2/jwks").json()))
    assert claims["iss"] == idp.url and claims["aud"] == who and claims["sid"] == sid and claims["sub"] == got["claims"]["sub"]
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}} and "nonce" not in claims
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["typ"] == "logout+jwt"


def test_signing_out_by_the_client_goes_through_the_front(idp, user):
    who, secret = app(idp, frontchannelLogoutUri="https://app.example/out?x=1", frontchannelLogoutSessionRequired=True,
                      postLogoutRedirectUris=["https://app.example/bye"])
    browser = idp.sign_in(user)
    got = js(idp, "code", browser, client_id=who, secret=secret, redirect=REDIRECT, scope="openid")
    evil = browser.get(idp.url + "/oauth2/logout", params={"client_id": who, "post_logout_redirect_uri": "https://app.example/bye"}, allow_redirects=False)
    assert evil.status_code == 200 and "Sign out?" in evil.text and browser.get(idp.url + "/session").status_code == 200
    page = browser.get(idp.url + "/oauth2/logout", allow_redirects=False,
                       params={"id_token_hint": got["tokens"]["id_token"], "post_logout_redirect_uri": "https://app.example/bye", "state": "s"})
    assert page.status_code == 200 and page.headers["Refresh"] == "3; url=https://app.example/bye?state=s"
    assert "https://app.example/out?x=1&amp;iss=" in page.text and f"sid={got['claims']['sid']}" in page.text
    assert "frame-src https://app.example" in page.headers["Content-Security-Policy"]
    assert browser.get(idp.url + "/session").status_code == 401


def test_introspection_as_a_signed_answer(idp):
    robot = make_client(idp, grantTypes=["client_credentials"])
    token = idp.form("/oauth2/token", auth=robot, grant_type="client_credentials").json()["access_token"]
    for alg in (None, "ES256"):
        who, secret = make_client(idp, grantTypes=["client_credentials"], **({"introspectionSignedResponseAlg": alg} if alg else {}))
        got = js(idp, "introspect", client_id=who, secret=secret, token=token, jwt=True, alg=alg or "RS256")
        assert got.get("claims", {}).get("active") is True and got["claims"]["sub"] == "client:" + robot[0], got
        assert js(idp, "introspect", client_id=who, secret=secret, token="x", jwt=True, alg=alg or "RS256")["claims"] == {"active": False}


def test_the_session_frame_notices_the_end(idp, user):
    from playwright.sync_api import sync_playwright
    browser = idp.sign_in(user)
    origin = idp.url  # of one site: what browsers do to cookies of others is theirs to choose
    who, _ = app(idp, redirectUris=[origin + "/callback"])
    where = location(browser, idp, client_id=who, redirect_uri=origin + "/callback")
    state = requests.utils.unquote(where.headers["Location"].split("session_state=")[1])
    assert "SameSite=None" in where.headers["Set-Cookie"]
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = chromium.new_context(ignore_https_errors=True)
        for cookie in browser.cookies:
            context.add_cookies([{"name": cookie.name, "value": cookie.value, "url": idp.url, "secure": True, "sameSite": "None"}])
        page = context.new_page()
        page.set_default_timeout(20000)
        page.goto(origin + "/oauth2/jwks")
        ask = """([url, message]) => Promise.race([
            new Promise(done => {
                addEventListener('message', e => done(e.data))
                const frame = document.createElement('iframe'); frame.src = url
                frame.onload = () => frame.contentWindow.postMessage(message, new URL(url).origin)
                document.body.append(frame)
            }),
            new Promise(done => setTimeout(done, 10000, 'no answer'))])"""
        frame = idp.url + "/oauth2/frame"
        assert page.evaluate(ask, [frame, f"{who} {state}"]) == "unchanged"
        assert page.evaluate(ask, [frame, "nonsense"]) == "error"
        context.clear_cookies()
        page.reload()
        assert page.evaluate(ask, [frame, f"{who} {state}"]) == "changed"
        chromium.close()


def test_the_metadata_is_true(idp):
    told = idp.request("GET", "/.well-known/openid-configuration").json()
    assert told["issuer"] == idp.url and told == idp.request("GET", "/.well-known/oauth-authorization-server").json()
    for key, value in told.items():
        if key.endswith("_endpoint") or key in ("jwks_uri", "check_session_iframe"):
            assert idp.request("OPTIONS", value.removeprefix(idp.url)).status_code == 405, f"{key} is not there"
    assert told["mtls_endpoint_aliases"]["token_endpoint"] == idp.mtls + "/oauth2/token"
    assert "tls_client_auth" in told["token_endpoint_auth_methods_supported"]
