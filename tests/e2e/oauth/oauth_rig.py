# SPDX-License-Identifier: Apache-2.0
"""OAuth clients, keys and requests for the tests of this folder."""
import base64
import json
import os
import pathlib
import re
import subprocess
import time

from authlib.jose import jwt

from identity import CLIENTS, name

JS = pathlib.Path(__file__).resolve().parent.parent / "js"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REDIRECT = "https://app.example/callback"


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


def app(idp, **spec):
    return make_client(idp, **{"redirectUris": [REDIRECT], "grantTypes": ["authorization_code", "refresh_token"],
                               "scopes": ["openid", "profile", "email", "offline_access"], **spec})


def location(browser, idp, **query):
    query = {"response_type": "code", "redirect_uri": REDIRECT, "scope": "openid", **query}
    return browser.get(idp.url + "/oauth2/authorize", params=query, allow_redirects=False)


def hidden(page, field):
    import html
    return html.unescape(re.search(f'name="{field}" value="([^"]*)"', page).group(1))


def allow(browser, idp, page):
    fields = {field: hidden(page.text, field) for field in ("client_id", "request_uri")}
    step = browser.post(idp.url + "/oauth2/consent", data={**fields, "decision": "allow"}, allow_redirects=False)
    assert step.status_code == 302, step.text
    return browser.get(step.headers["Location"], allow_redirects=False)
