# SPDX-License-Identifier: Apache-2.0
"""IdentityProviders and browsers that go through them."""
import base64
import urllib.parse

PROVIDERS = "/apis/drun.io/v1/identityproviders"
SECRETS = "/api/v1/namespaces/default/secrets"


def secret(idp, of, value, kind="drun.io/identity-provider"):
    idp.must(201, "POST", SECRETS, idp.root, json={"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": of},
                                                   "data": {"secret": base64.b64encode(value.encode()).decode()}})


def provider(idp, called, spec, status=201, token=None):
    body = {"apiVersion": "drun.io/v1", "kind": "IdentityProvider", "metadata": {"name": called}, "spec": spec}
    return idp.must(status, "POST", PROVIDERS, token or idp.root, json=body)


def oidc(upstream, accounts=None, **more):
    own = more.pop("oidc", {})
    return {"displayName": "Corp", "privateNetwork": True, "ca": upstream.cert.read_text(),
            "oidc": {"issuer": upstream.url, "clientId": "drun", "clientSecretRef": {"namespace": "default", "name": "upstream"},
                     "scopes": ["openid", "profile", "email", "groups"], "userInfo": True, **own},
            "accounts": accounts or {"create": True}, **more}


def ldap(directory, accounts=None, **more):
    own = more.pop("ldap", {})
    return {"displayName": "Directory", "privateNetwork": True, "ca": directory.cert.read_text(),
            "ldap": {"url": directory.url, "bindDn": "cn=search,dc=corp,dc=example", "passwordSecretRef": {"namespace": "default", "name": "directory"},
                     "userBase": "ou=people,dc=corp,dc=example", "userFilter": "(uid={name})", "groupBase": "ou=groups,dc=corp,dc=example", **own},
            "accounts": accounts or {"create": True}, **more}


def browser_of(idp):
    browser = idp.browser()
    browser.verify = idp.bundle
    return browser


def visit(idp, called, browser=None, **query):
    """Through the provider and back; the browser and the last answer, which is not followed."""
    browser = browser or browser_of(idp)
    target = f"{idp.url}/session/providers/{called}/start?" + urllib.parse.urlencode(query)
    return browser, follow(idp, browser, target)


def follow(idp, browser, target):
    answer = None
    for _ in range(12):
        answer = browser.get(target, allow_redirects=False, timeout=30)
        if answer.status_code not in (302, 303):
            return answer
        target = urllib.parse.urljoin(target, answer.headers["Location"])
        if target.startswith(idp.url) and "/session/providers/" not in target:
            return answer
    return answer


def session_of(idp, browser):
    answer = browser.get(idp.url + "/session")
    return answer.json() if answer.status_code == 200 else None


def ready(idp, called):
    conditions = idp.must(200, "GET", f"{PROVIDERS}/{called}", idp.root).get("status", {}).get("conditions", [{}])
    return conditions[0].get("reason")
