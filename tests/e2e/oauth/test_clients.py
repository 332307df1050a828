# SPDX-License-Identifier: Apache-2.0
"""Clients that prove themselves with a key or a certificate, and tokens that are bound to one."""
import base64
import json
import pathlib
import time

import pytest
import requests
from authlib.jose import JsonWebKey, jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Certificates
from identity import name
from jose_keys import new_key, padded
from oauth_rig import ASSERTION, assertion_claims, js, make_client, payload_of, signed, with_assertion


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
    public = padded(JsonWebKey.import_key(certificate.public_key(), {"kty": "EC"}).as_dict())
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
