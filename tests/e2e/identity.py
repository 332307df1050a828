# SPDX-License-Identifier: Apache-2.0
"""A platform with what the tests of its identity provider ask of it."""
import contextlib
import secrets
import urllib.parse

import requests
from authlib.integrations.requests_client import OAuth2Session

from platform_process import Platform

PASSWORD = "correct horse battery staple"
USERS = "/apis/drun.io/v1/users"
GROUPS = "/apis/drun.io/v1/groups"
CLIENTS = "/apis/drun.io/v1/oidcclients"
KEYS = "/apis/drun.io/v1/namespaces/default/apikeys"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Identity(Platform):
    @contextlib.contextmanager
    def serving(self):
        """With the operator's token in `root`; it must end well."""
        self.start()
        self.root = self.operator_token()
        try:
            yield self
        finally:
            code = self.stop()
            self.remove()
        assert code == 0

    def browser(self):
        session = requests.Session()
        session.verify = self.ca
        session.headers.update({"Origin": self.url, "Sec-Fetch-Site": "same-origin"})
        return session

    def sign_in(self, username, password=PASSWORD):
        browser = self.browser()
        answer = browser.post(self.url + "/session", json={"username": username, "password": password})
        assert answer.status_code == 204, answer.text
        return browser

    def client(self, browser, client_id="drun-console", scope="openid profile groups drun", redirect=None, secret=None, **more):
        """Authorization code with PKCE by Authlib; the client and its token."""
        redirect = redirect or self.url + "/callback"
        client = OAuth2Session(client_id, secret, redirect_uri=redirect, scope=scope, code_challenge_method="S256",
                               token_endpoint_auth_method="client_secret_basic" if secret else "none")
        client.verify = self.ca
        verifier = secrets.token_urlsafe(48)
        url, _ = client.create_authorization_url(self.url + "/oauth2/authorize", code_verifier=verifier, **more)
        target = browser.get(url, allow_redirects=False).headers["Location"]
        assert target.startswith(redirect + "?"), target
        return client, client.fetch_token(self.url + "/oauth2/token", authorization_response=target, code_verifier=verifier)

    def token_of(self, username):
        return self.client(self.sign_in(username))[1]["access_token"]

    def must(self, status, method, path, token=None, **more):
        answer = self.request(method, path, token, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def add_user(self, name, token, **spec):
        made = self.must(201, "POST", USERS, token, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": name}, "spec": spec})
        link = made["status"]["inviteURL"]
        assert link.startswith(self.url + "/setup#token=")
        fields = urllib.parse.parse_qs(urllib.parse.urlparse(link).fragment)
        answer = self.browser().post(self.url + "/session/accept", json={"token": fields["token"][0], "password": PASSWORD})
        assert answer.status_code == 204, answer.text
        return made, fields["token"][0]

    def add_key(self, name, token, status=201, **spec):
        return self.must(status, "POST", KEYS, token, json={"apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": name}, "spec": spec})

    def form(self, path, auth=None, **fields):
        return self.request("POST", path, data=fields, auth=auth)

    def accepted(self, token):
        """Known and alive, whatever it may do."""
        return self.request("GET", "/api/v1/namespaces", token).status_code != 401


def name(prefix):
    return f"{prefix}-{secrets.token_hex(3)}"
