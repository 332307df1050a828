# SPDX-License-Identifier: Apache-2.0
"""drun mfa and drun sessions, as people and administrators use them."""
import json
import os
import pty
import re
import subprocess

import pytest

from identity import name
from mfa_rig import App, Mfa
from platform_process import DRUN


class Person:
    """drun with somebody's access token."""

    def __init__(self, idp, token):
        self.idp, self.token = idp, token

    def start(self, *words, **more):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.idp.folder), "DRUN_SERVER": self.idp.url, "DRUN_CA": self.idp.ca, "DRUN_TOKEN": self.token}
        return subprocess.Popen([DRUN, *words], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)

    def run(self, *words, code=0):
        process = self.start(*words, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        return out, err


@pytest.fixture(scope="module")
def idp():
    with Mfa().serving() as running:
        yield running


def token_of(idp, browser):
    return idp.client(browser, "drun-cli", "openid offline_access drun", "http://127.0.0.1:49152/callback")[1]["access_token"]


def test_an_app_is_set_up_at_the_terminal(idp):
    who = name("term")
    idp.add_user(who, idp.root)
    person = Person(idp, token_of(idp, idp.sign_in(who)))
    assert "FACTOR" in person.run("mfa", "list")[0]
    # The code is asked for after the secret was shown, with a picture of it on a terminal.
    screen, end = pty.openpty()
    process = person.start("mfa", "add", "totp", stderr=end)
    os.close(end)
    shown = ""
    while "The app's code: " not in shown:
        shown += os.read(screen, 65536).decode(errors="replace")
    secret = re.search(r"Secret: ([A-Z2-7]{32})", shown).group(1)
    assert "otpauth://totp/" in shown and shown.count("█") > 100
    app = App(secret)
    out, _ = process.communicate(app.code() + "\n", timeout=60)
    os.close(screen)
    codes = out.split()
    assert process.returncode == 0 and len(codes) == 10
    # The token was of before.
    person.run("mfa", "list", code=3)
    other, _ = idp.begin(who)
    idp.post(other, "/session/factor", 204, type="totp", code=app.code())
    person = Person(idp, token_of(idp, other))
    out, _ = person.run("mfa", "list")
    assert "totp" in out and "10 recovery codes are left" in out
    assert not set(person.run("mfa", "recovery-codes")[0].split()) & set(codes)
    assert "removed" in person.run("mfa", "remove", "totp")[0]
    idp.sign_in(who)


def test_a_wrong_code_changes_nothing(idp):
    who = name("typo")
    idp.add_user(who, idp.root)
    person = Person(idp, token_of(idp, idp.sign_in(who)))
    assert "wrong" in person.run("mfa", "add", "totp", "--code", "000000", code=1)[1]
    person.run("mfa", "nonsense", code=1)
    person.run("mfa", code=2)
    idp.sign_in(who)


def test_sessions_are_listed_and_ended(idp):
    who = name("roam")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    person = Person(idp, token_of(idp, browser))
    items = json.loads(person.run("sessions", "list", "-o", "json")[0])["items"]
    assert len(items) == 2
    mine = next(one["id"] for one in browser.get(idp.url + "/session/list").json()["items"] if one["current"])
    assert mine in person.run("sessions", "list")[0]
    person.run("sessions", "revoke", mine)
    assert browser.get(idp.url + "/session").status_code == 401
    person.run("sessions", "revoke", mine, code=1)
    person.run("sessions", "revoke", "all")
    person.run("sessions", "list", code=3)


def test_administrators_reset_and_sign_out(idp):
    who, browser, _, _ = idp.enrolled()
    operator = Person(idp, idp.operator_token())
    assert "recoveryCodesLeft: 10" in operator.run("mfa", "list", "--user", who)[0]
    assert len(json.loads(operator.run("sessions", "list", "--user", who, "-o", "json")[0])["items"]) == 1
    operator.run("sessions", "revoke", "all", "--user", who)
    assert browser.get(idp.url + "/session").status_code == 401
    operator.run("mfa", "reset", "--user", who)
    idp.sign_in(who)
    assert "no person" in operator.run("mfa", "list", code=3)[1]


def test_an_application_cannot_reach_for_the_factors(idp):
    who = name("app")
    idp.add_user(who, idp.root)
    client = name("client")
    made = idp.must(201, "POST", "/apis/drun.io/v1/oidcclients", idp.root, json={
        "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client},
        "spec": {"redirectUris": ["https://app.example/cb"], "scopes": ["openid", "drun"]}})
    token = idp.client(idp.sign_in(who), client, "openid drun", "https://app.example/cb", made["status"]["clientSecret"])[1]["access_token"]
    for method, path in (("GET", "/session/factors"), ("POST", "/session/factors/totp"), ("GET", "/session/list"), ("DELETE", "/session/all")):
        assert idp.request(method, path, token, json={} if method == "POST" else None).status_code == 403
    key = idp.add_key(name("k"), idp.root, user=who)["status"]["key"]
    assert idp.request("GET", "/session/factors", key).status_code == 403
