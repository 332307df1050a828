# SPDX-License-Identifier: Apache-2.0
"""OAuth 2.0 and OpenID Connect with clients that others wrote: oauth4webapi, Authlib, curl's TLS."""
import base64
import json
import os
import pathlib
import subprocess
import time

import pytest
import requests
from authlib.jose import JsonWebKey, jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from identity import CLIENTS, Identity, name
from platform_process import free_port

JS = pathlib.Path(__file__).resolve().parent / "js"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def idp():
    running = Identity(listen_mtls=f"127.0.0.1:{free_port()}")
    running.mtls = "https://" + running.settings["listen-mtls"]
    running.start()
    running.root = running.operator_token()
    yield running
    code = running.stop()
    running.remove()
    assert code == 0


def make_client(idp, **spec):
    """The client's name and its secret, if it has one."""
    who = name("client")
    made = idp.must(201, "POST", CLIENTS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": who}, "spec": spec})
    return who, made.get("status", {}).get("clientSecret")


def js(idp, command, browser=None, **fields):
    """oauth4webapi in node; what it prints."""
    fields["issuer"] = idp.url
    if browser is not None:
        fields["cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
    done = subprocess.run(["node", str(JS / "oauth.mjs"), command], input=json.dumps(fields), capture_output=True, text=True, timeout=120,
                          env={**os.environ, "NODE_EXTRA_CA_CERTS": idp.ca})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def new_key(kind="EC", curve="P-256", **more):
    while True:
        key = JsonWebKey.generate_key(kind, curve, options={"kid": name("key"), **more}, is_private=True)
        # Authlib leaves out leading zeros of a coordinate, against RFC 7518 section 6.2.1.2; such a key is refused.
        if kind != "EC" or len({len(key.as_dict()[part]) for part in ("x", "y")} | {43 if curve == "P-256" else 0} - {0}) == 1:
            break
    return key, key.as_dict(is_private=True), key.as_dict(is_private=False)


def signed(key, claims, alg="ES256", **header):
    return jwt.encode({"alg": alg, "kid": key.as_dict()["kid"], **header}, claims, key).decode()


def assertion_claims(idp, who, **changes):
    now = int(time.time())
    claims = {"iss": who, "sub": who, "aud": idp.url, "jti": name("jti"), "iat": now, "exp": now + 60, **changes}
    return {key: value for key, value in claims.items() if value is not None}


def with_assertion(idp, who, assertion, **fields):
    return idp.form("/oauth2/token", grant_type="client_credentials", client_assertion_type=ASSERTION, client_assertion=assertion, **fields)


def payload_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# ---------------------------------------------------------------- clients that prove themselves with a key

@pytest.mark.parametrize("kind,curve,alg", [("EC", "P-256", "ES256"), ("OKP", "Ed25519", "EdDSA")])
def test_private_key_jwt_with_oauth4webapi(idp, kind, curve, alg):
    _, private, public = new_key(kind, curve, alg=alg)
    who, _ = make_client(idp, tokenEndpointAuthMethod="private_key_jwt", jwks={"keys": [public]}, grantTypes=["client_credentials"])
    got = js(idp, "credentials", client_id=who, jwk=private)
    assert got.get("used") == 403 or got.get("used") == 200, got
    assert payload_of(got["tokens"]["access_token"])["sub"] == "client:" + who


def test_an_assertion_is_good_once_and_for_us_alone(idp):
    key, _, public = new_key()
    stranger, _, _ = new_key()
    who, _ = make_client(idp, tokenEndpointAuthMethod="private_key_jwt", jwks={"keys": [public]}, grantTypes=["client_credentials"])
    good = signed(key, assertion_claims(idp, who))
    assert with_assertion(idp, who, good).status_code == 200
    assert with_assertion(idp, who, good).json()["error"] == "invalid_client", "used twice"
    for aud in (idp.url + "/oauth2/token", [idp.url], [idp.url, idp.url + "/oauth2/token"]):
        assert with_assertion(idp, who, signed(key, assertion_claims(idp, who, aud=aud))).status_code == 200
    now = int(time.time())
    bad = [
        signed(stranger, assertion_claims(idp, who), kid=public["kid"]),
        signed(key, assertion_claims(idp, who, aud="https://other.example")),
        signed(key, assertion_claims(idp, who, aud=[idp.url, "https://other.example"])),
        signed(key, assertion_claims(idp, who, aud=None)),
        signed(key, assertion_claims(idp, who, iss="somebody")),
        signed(key, assertion_claims(idp, who, exp=now - 120)),
        signed(key, assertion_claims(idp, who, exp=now + 86400)),
        signed(key, assertion_claims(idp, who, exp=None)),
        signed(key, assertion_claims(idp, who, jti=None)),
        signed(key, assertion_claims(idp, who, nbf=now + 600)),
        signed(key, assertion_claims(idp, who), crit=["exp"]),
        signed(key, assertion_claims(idp, who), jku="https://evil.example/jwks"),
        signed(key, assertion_claims(idp, who, pad="x" * 9000)),
        jwt.encode({"alg": "HS256", "kid": public["kid"]}, assertion_claims(idp, who), json.dumps(public)).decode(),
        "e30.e30.e30",
        "not a token",
    ]
    for assertion in bad:
        answer = with_assertion(idp, who, assertion)
        assert answer.status_code == 401 and answer.json()["error"] == "invalid_client", answer.text
    assert with_assertion(idp, who, signed(key, assertion_claims(idp, who)), client_id="another").status_code == 401
    two = idp.form("/oauth2/token", grant_type="client_credentials", client_assertion_type=ASSERTION,
                   client_assertion=signed(key, assertion_claims(idp, who)), client_secret="x")
    assert two.status_code == 400 and two.json()["error"] == "invalid_request"
    kind = idp.form("/oauth2/token", grant_type="client_credentials", client_assertion_type="x", client_assertion=signed(key, assertion_claims(idp, who)))
    assert kind.json()["error"] == "invalid_request"


def test_an_assertion_stays_used_after_a_restart(idp):
    key, _, public = new_key()
    who, _ = make_client(idp, tokenEndpointAuthMethod="private_key_jwt", jwks={"keys": [public]}, grantTypes=["client_credentials"])
    good = signed(key, assertion_claims(idp, who))
    assert with_assertion(idp, who, good).status_code == 200
    old = idp.kill("idp")
    idp.wait_for_role("idp", old)
    idp.wait_until("idp to answer", lambda: idp.request("GET", "/oauth2/jwks").status_code == 200)
    assert with_assertion(idp, who, good).json()["error"] == "invalid_client"


# ---------------------------------------------------------------- TLS certificates

class Certificates:
    """An authority and certificates of clients, as files."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.ca = self.make("ca", self.key, None, [])
        self.ca_pem = self.ca.public_bytes(serialization.Encoding.PEM).decode()

    def make(self, common_name, key, issuer, names, usage=ExtendedKeyUsageOID.CLIENT_AUTH):
        import datetime
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(hours=1))
                   .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))
        if issuer is None:
            builder = builder.add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        else:
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key if issuer is not None else key, hashes.SHA256())

    def client(self, common_name, names=(), self_signed=False, **more):
        """The certificate and the two files for requests."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.make(common_name, key, None if self_signed else self.ca, list(names), **more)
        base = self.folder / name("cert")
        base.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        base.with_suffix(".key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, (str(base.with_suffix(".pem")), str(base.with_suffix(".key")))


def over_tls(idp, path, cert, token=None, **fields):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if fields:
        return requests.post(idp.mtls + path, data=fields, cert=cert, verify=idp.ca, headers=headers, timeout=20)
    return requests.get(idp.mtls + path, cert=cert, verify=idp.ca, headers=headers, timeout=20)


def test_a_certificate_of_an_authority_is_the_client(idp, tmp_path):
    authority = Certificates(tmp_path)
    certificate, files = authority.client("batch", [x509.DNSName("batch.example.org")])
    spec = {"tokenEndpointAuthMethod": "tls_client_auth", "grantTypes": ["client_credentials"]}
    by_dns, _ = make_client(idp, **spec, tlsClientAuth={"ca": authority.ca_pem, "sanDns": "batch.example.org"})
    by_name, _ = make_client(idp, **spec, tlsClientAuth={"ca": authority.ca_pem, "subjectDn": "CN=batch,O=Example"})
    for who in (by_dns, by_name):
        assert over_tls(idp, "/oauth2/token", files, grant_type="client_credentials", client_id=who).status_code == 200
    _, wrong_name = authority.client("batcher", [x509.DNSName("batcher.example.org")])
    _, other_authority = Certificates(tmp_path).client("batch", [x509.DNSName("batch.example.org")])
    _, server_only = authority.client("batch", [x509.DNSName("batch.example.org")], usage=ExtendedKeyUsageOID.SERVER_AUTH)
    for cert in (None, wrong_name, other_authority, server_only):
        answer = over_tls(idp, "/oauth2/token", cert, grant_type="client_credentials", client_id=by_dns)
        assert answer.status_code == 401 and answer.json()["error"] == "invalid_client", answer.text
    # What only says that it was a certificate is none: neither at the one listener nor at the other.
    pem = requests.utils.quote(pathlib.Path(files[0]).read_text())
    for url in (idp.url, idp.mtls):
        forged = requests.post(url + "/oauth2/token", data={"grant_type": "client_credentials", "client_id": by_dns}, verify=idp.ca,
                               headers={"X-Client-Certificate": pem}, timeout=20)
        assert forged.status_code == 401, forged.text


def test_a_self_signed_certificate_is_the_client_and_its_tokens_are_bound(idp, tmp_path):
    authority = Certificates(tmp_path)
    certificate, files = authority.client("robot", self_signed=True)
    _, other = authority.client("robot", self_signed=True)
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    public = JsonWebKey.import_key(certificate.public_key(), {"kty": "EC"}).as_dict()
    who, _ = make_client(idp, tokenEndpointAuthMethod="self_signed_tls_client_auth", grantTypes=["client_credentials"],
                         jwks={"keys": [{**public, "x5c": [der]}]}, certificateBoundAccessTokens=True)
    assert over_tls(idp, "/oauth2/token", other, grant_type="client_credentials", client_id=who).status_code == 401
    answer = over_tls(idp, "/oauth2/token", files, grant_type="client_credentials", client_id=who)
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    assert payload_of(token)["cnf"] == {"x5t#S256": thumbprint}
    assert over_tls(idp, "/api/v1/namespaces", files, token).status_code == 403, "known, and without rights"
    assert over_tls(idp, "/v1/models", files, token).status_code == 200, "at the gateway's own module too"
    assert over_tls(idp, "/api/v1/namespaces", other, token).status_code == 401
    assert over_tls(idp, "/v1/models", other, token).status_code == 401
    assert over_tls(idp, "/api/v1/namespaces", None, token).status_code == 401
    assert idp.request("GET", "/api/v1/namespaces", token).status_code == 401
    assert idp.request("GET", "/v1/models", token).status_code == 401


# ---------------------------------------------------------------- DPoP

@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "RS256"])
def test_tokens_of_a_key_with_oauth4webapi(idp, alg):
    who, secret = make_client(idp, grantTypes=["client_credentials"], dpopBoundAccessTokens=True)
    got = js(idp, "credentials", client_id=who, secret=secret, dpop=alg)
    assert got.get("tokens", {}).get("token_type") == "dpop", got
    assert got["used"] == got["again"] == 403, got
    assert got["bearer"] == got["naked"] == got["other"] == got["replayed"] == 401, got
    assert got["model"] == 200 and got["model_bearer"] == 401, got
    answer = idp.form("/oauth2/token", auth=(who, secret), grant_type="client_credentials")
    assert answer.status_code == 400 and answer.json()["error"] == "invalid_dpop_proof"


def test_a_public_clients_refresh_token_is_its_keys(idp):
    who = name("user")
    idp.add_user(who, idp.root)
    got = js(idp, "code", idp.sign_in(who), client_id="drun-cli", redirect="http://127.0.0.1:4711/callback",
             scope="openid profile drun offline_access", dpop="ES256")
    assert got.get("used") == 403, got
    assert got["bearer"] == 401 and got["userinfo"]["sub"] == got["claims"]["sub"]
    assert got["refreshed"]["token_type"] == "dpop"
    assert got["stolen"] == "invalid_grant"


# ---------------------------------------------------------------- pushed and signed requests

REDIRECT = "https://app.example/callback"


def app(idp, **spec):
    return make_client(idp, **{"redirectUris": [REDIRECT], "grantTypes": ["authorization_code", "refresh_token"],
                               "scopes": ["openid", "profile", "email", "offline_access"], **spec})


@pytest.fixture(scope="module")
def user(idp):
    who = name("user")
    idp.add_user(who, idp.root, displayName="A User", email=f"{who}@example.org")
    return who


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


# ---------------------------------------------------------------- what users are asked

def location(browser, idp, **query):
    query = {"response_type": "code", "redirect_uri": REDIRECT, "scope": "openid", **query}
    return browser.get(idp.url + "/oauth2/authorize", params=query, allow_redirects=False)


def hidden(page, field):
    import html
    import re
    return html.unescape(re.search(f'name="{field}" value="([^"]*)"', page).group(1))


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


def allow(browser, idp, page):
    fields = {field: hidden(page.text, field) for field in ("client_id", "request_uri")}
    step = browser.post(idp.url + "/oauth2/consent", data={**fields, "decision": "allow"}, allow_redirects=False)
    assert step.status_code == 302, step.text
    return browser.get(step.headers["Location"], allow_redirects=False)


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
    from platform_process import DRUN
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


# ---------------------------------------------------------------- registration

def test_a_client_registers_itself_where_that_is_allowed(idp, user):
    assert idp.request("POST", "/oauth2/register", json={"redirect_uris": [REDIRECT]}).status_code in (401, 403)
    assert idp.request("POST", "/oauth2/register", idp.token_of(user), json={"redirect_uris": [REDIRECT]}).status_code == 403
    made = idp.request("POST", "/oauth2/register", idp.root, json={"redirect_uris": [REDIRECT], "client_name": "Registered", "scope": "openid profile",
                                                                 "grant_types": ["authorization_code", "refresh_token"], "unknown": 1})
    assert made.status_code == 201, made.text
    made = made.json()
    assert made["client_secret_expires_at"] == 0 and made["scope"] == "openid profile" and "unknown" not in made
    browser = idp.sign_in(user)
    page = location(browser, idp, client_id=made["client_id"])
    assert page.status_code == 200 and "Registered" in page.text, "its users are always asked"
    code = allow(browser, idp, page).headers["Location"].split("code=")[1].split("&")[0]
    auth = (made["client_id"], made["client_secret"])
    assert idp.form("/oauth2/token", auth=auth, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).status_code == 200
    uri = made["registration_client_uri"].removeprefix(idp.url)
    assert idp.request("GET", uri).status_code == 401 and idp.request("GET", uri, idp.root).status_code == 401
    own = made["registration_access_token"]
    assert idp.request("GET", uri, own).json()["client_name"] == "Registered"
    changed = {"client_id": made["client_id"], "redirect_uris": ["https://app.example/other"], "client_name": "Changed"}
    assert idp.request("PUT", uri, own, json={**changed, "client_id": "x"}).status_code == 400
    assert idp.request("PUT", uri, own, json=changed).json()["redirect_uris"] == ["https://app.example/other"]
    assert location(browser, idp, client_id=made["client_id"]).status_code == 400, "the old URI is none any more"
    assert idp.form("/oauth2/introspect", auth=auth, token="x").status_code == 200, "its secret stays"
    assert idp.request("DELETE", uri, own).status_code == 204
    assert idp.request("GET", uri, own).status_code == 401
    assert idp.form("/oauth2/introspect", auth=auth, token="x").status_code == 401


@pytest.mark.parametrize("metadata,error", [
    ({"redirect_uris": ["http://app.example/callback"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://app.example/#x"]}, "invalid_redirect_uri"),
    ({"redirect_uris": "https://app.example/"}, "invalid_redirect_uri"),
    ({"redirect_uris": [REDIRECT], "scope": "openid drun"}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "scope": 1}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "grant_types": ["password"]}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "response_types": ["token"]}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "software_statement": "x"}, "invalid_client_metadata"),
    ([], "invalid_client_metadata"),
])
def test_metadata_that_cannot_be_had_is_refused(idp, metadata, error):
    answer = idp.request("POST", "/oauth2/register", idp.root, json=metadata)
    assert answer.status_code == 400 and answer.json()["error"] == error, answer.text


# ---------------------------------------------------------------- what is fetched and told from here

class Elsewhere:
    """An HTTPS server of a client: serves its keys, takes logout tokens."""

    def __init__(self, folder):
        import http.server
        import ipaddress
        import ssl
        import threading
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
