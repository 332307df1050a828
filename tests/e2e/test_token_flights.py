# SPDX-License-Identifier: Apache-2.0
"""Tokens are made in batches that wait for a signature and for the disk. A role that dies under them costs an error, never a
token that the log does not know."""
import base64
import json
import random
import threading
import time

import pytest
import requests

CLIENTS = "/apis/drun.io/v1/oidcclients"
EVENTS = "/apis/audit.drun.io/v1/auditevents"
ASKERS, LOAD_SEC = 16, 6


def jti(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]


class Askers:
    """Clients that ask for tokens as fast as they can and remember what they got, by its jti."""

    def __init__(self, platform, who):
        self.platform, self.who = platform, who
        self.stop, self.given, self.refused, self.odd = threading.Event(), {}, 0, []
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(ASKERS)]

    def ask(self):
        session = requests.Session()
        session.trust_env, session.verify, session.auth = False, self.platform.ca, self.who
        while not self.stop.is_set():
            try:
                answer = session.post(self.platform.url + "/oauth2/token", data={"grant_type": "client_credentials"}, timeout=20)
            except requests.RequestException as lost:
                if isinstance(lost, requests.Timeout):
                    self.odd.append("no answer in 20 s")
                self.refused += 1
                continue
            if answer.status_code == 200:
                token = answer.json()["access_token"]
                self.given[jti(token)] = token
                continue
            self.refused += 1
            if answer.status_code != 503 or not answer.json():
                self.odd.append((answer.status_code, answer.text[:200]))
            time.sleep(0.02)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def recorded(platform):
    """The jti of every token that the log knows."""
    found, query = set(), {"event": "drun.auth.token", "outcome": "success", "limit": 1000}
    while True:
        page = platform.request("GET", EVENTS, platform.operator_token(), params=query).json()
        found |= {item["event"].get("drun.actor.key_id") for item in page["items"]}
        query["continue"] = page["metadata"].get("continue")
        if not query["continue"]:
            return found


@pytest.mark.parametrize("role", ["audit", "kms", "idp"])
def test_no_token_is_given_that_the_log_does_not_know(own_platform, role):
    platform = own_platform.start()
    made = platform.request("POST", CLIENTS, platform.operator_token(), json={
        "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": "robot"},
        "spec": {"grantTypes": ["client_credentials"], "scopes": ["drun"]}})
    assert made.status_code == 201, made.text
    who = ("robot", made.json()["status"]["clientSecret"])
    chosen, kills = random.Random(role), 0
    with Askers(platform, who) as askers:
        end = time.monotonic() + LOAD_SEC
        while time.monotonic() < end:
            time.sleep(chosen.uniform(0.5, 1.5))
            if role in platform.roles():
                platform.wait_for_role(role, platform.kill(role))
                kills += 1
    assert kills >= 2 and len(askers.given) > 100 and askers.odd == [], (kills, len(askers.given), askers.odd[:5])
    platform.wait_until("a token", lambda: requests.post(platform.url + "/oauth2/token", data={"grant_type": "client_credentials"},
                                                         auth=who, verify=platform.ca, timeout=20).status_code == 200)
    known = platform.wait_until("the log", lambda: recorded(platform))
    assert set(askers.given) - known == set()
    newest = list(askers.given.values())[-1]
    assert platform.request("GET", "/version", newest).status_code == 200
