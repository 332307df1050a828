# SPDX-License-Identifier: Apache-2.0
"""What administrators do with accounts, and what nobody learns of them."""
import hashlib
import time
import urllib.parse

import pytest

from identity import PASSWORD, USERS, name
from mfa_rig import Mfa


# ---------------------------------------------------------------- what administrators do

def test_an_administrator_resets_factors(idp):
    who, browser, _, _ = idp.enrolled()
    passkey, _ = idp.add_passkey(browser)
    shown = idp.must(200, "GET", f"{USERS}/{who}/factors", idp.root)
    assert shown["factors"] == ["totp", "webauthn", "recovery"] and shown["recoveryCodesLeft"] == 10
    idp.must(204, "DELETE", f"{USERS}/{who}/factors", idp.root)
    assert browser.get(idp.url + "/session").status_code == 401
    idp.sign_in(who)
    other = idp.browser()
    options = idp.post(other, "/session/passkey/options", 200)["publicKey"]
    idp.post(other, "/session/factor", 401, type="webauthn", credential=passkey.get(options))


def test_nobody_takes_over_who_stands_above_him(idp):
    boss, admin = name("boss"), name("padmin")
    idp.add_user(boss, idp.root, groups=["drun:operators"])
    idp.add_user(admin, idp.root, groups=["drun:platform-admins"])
    token = idp.token_of(admin)
    for method, what in (("DELETE", "factors"), ("DELETE", "sessions"), ("POST", "passwordlink")):
        idp.must(403, method, f"{USERS}/{boss}/{what}", token)
    friend = name("friend")
    idp.add_user(friend, idp.root)
    for method, what, status in (("DELETE", "factors", 204), ("DELETE", "sessions", 204), ("POST", "passwordlink", 201)):
        idp.must(status, method, f"{USERS}/{friend}/{what}", token)
        idp.must(403, method, f"{USERS}/{boss}/{what}", idp.token_of(friend))


def test_a_password_link_opens_no_account_without_its_second_factor(idp):
    who, old, app, _ = idp.enrolled()
    url = idp.must(201, "POST", f"{USERS}/{who}/passwordlink", idp.root)["url"]
    token = urllib.parse.parse_qs(urllib.parse.urlparse(url).fragment)["token"][0]
    browser = idp.browser()
    fresh = "a fresh password for the day"
    state = idp.post(browser, "/session/accept", 200, token=token, password=fresh)
    assert state["status"] == "factor_required"
    assert old.get(idp.url + "/session").status_code == 401, "what the old password opened has ended"
    idp.post(browser, "/session/factor", 204, type="totp", code=app.code())
    idp.post(idp.browser(), "/session/accept", 410, token=token, password=fresh)
    idp.begin(who, fresh)
    idp.post(idp.browser(), "/session", 401, username=who, password=PASSWORD)


def test_sessions_of_a_user_are_seen_and_ended(idp):
    who = name("seen")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    token = idp.client(browser)[1]["access_token"]
    items = idp.must(200, "GET", f"{USERS}/{who}/sessions", idp.root)["items"]
    assert len(items) == 2 and all(one["acr"] == "urn:drun:password" for one in items)
    began = time.monotonic()
    idp.must(204, "DELETE", f"{USERS}/{who}/sessions", idp.root)
    assert not idp.accepted(token) and time.monotonic() - began < 5
    assert browser.get(idp.url + "/session").status_code == 401


@pytest.mark.parametrize("how", ["disable", "delete", "expire"])
def test_who_leaves_is_out_within_100_ms(idp, how):
    who, browser, app, _ = idp.enrolled()
    token = idp.client(browser)[1]["access_token"]
    passkey, _ = idp.add_passkey(browser)
    assert idp.accepted(token)
    if how == "delete":
        idp.must(200, "DELETE", f"{USERS}/{who}", idp.root)
    elif how == "disable":
        idp.patch_user(who, disabled=True)
    else:
        idp.patch_user(who, expiresAt="2020-01-01T00:00:00Z")
    began = time.monotonic()
    while idp.accepted(token):
        assert time.monotonic() - began < 5
    took = time.monotonic() - began
    assert took < 1, f"{took * 1000:.0f} ms; it should be 100 on a machine that does nothing else"
    assert browser.get(idp.url + "/session").status_code == 401
    idp.post(idp.browser(), "/session", 401, username=who, password=PASSWORD)
    other = idp.browser()
    options = idp.post(other, "/session/passkey/options", 200)["publicKey"]
    idp.post(other, "/session/factor", 401, type="webauthn", credential=passkey.get(options))


def test_a_new_password_can_be_demanded(idp):
    who, _, app, _ = idp.enrolled()
    idp.patch_user(who, passwordChangeRequired=True)
    browser, _ = idp.begin(who)
    idp.post(browser, "/session/sign-in/password", 422, new="a fresh password for the day")
    state = idp.post(browser, "/session/factor", 200, type="totp", code=app.code())
    assert state["status"] == "password_change_required"
    assert browser.get(idp.url + "/session").status_code == 401
    idp.post(browser, "/session/sign-in/password", 422, new=PASSWORD)
    idp.post(browser, "/session/sign-in/password", 422, new="short")
    idp.post(browser, "/session/sign-in/password", 204, new="a fresh password for the day")
    assert idp.whoami(browser)["acr"] == "urn:drun:mfa"
    assert "passwordChangeRequired" not in idp.must(200, "GET", f"{USERS}/{who}", idp.root)["spec"]
    assert idp.begin(who, "a fresh password for the day")[1]["status"] == "factor_required"


def test_factors_do_not_pass_to_the_next_of_that_name(idp):
    who, _, app, codes = idp.enrolled()
    idp.must(200, "DELETE", f"{USERS}/{who}", idp.root)
    idp.add_user(who, idp.root)
    assert idp.whoami(idp.sign_in(who))["factors"] == []


# ---------------------------------------------------------------- nobody learns who exists

def test_nobody_learns_who_exists(idp):
    known, _, _, _ = idp.enrolled()
    disabled, invited = name("off"), name("new")
    idp.add_user(disabled, idp.root)
    idp.patch_user(disabled, disabled=True)
    idp.must(201, "POST", USERS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": invited}, "spec": {}})
    answers = set()
    for who in (known, disabled, invited, name("ghost"), "Not A Name"):
        answer = idp.browser().post(idp.url + "/session", json={"username": who, "password": "wrong password it is"})
        answers.add((answer.status_code, answer.text))
    # The right password of a disabled account is as wrong as any other.
    answer = idp.browser().post(idp.url + "/session", json={"username": disabled, "password": PASSWORD})
    answers.add((answer.status_code, answer.text))
    assert len(answers) == 1 and answers.pop()[0] == 401
    one, two = (idp.post(idp.browser(), "/session/passkey/options", 200)["publicKey"] for _ in range(2))
    assert {**one, "challenge": ""} == {**two, "challenge": ""}


# ---------------------------------------------------------------- settings

def test_breached_passwords_and_short_ones_are_refused(tmp_path):
    listed = ["correct horse battery staple", "this one was in a breach"]
    hashes = sorted(hashlib.sha1(word.encode()).hexdigest().upper() for word in listed + [f"filler {i}" for i in range(5000)])
    breached = tmp_path / "pwned.txt"
    breached.write_text("".join(f"{one}:{index}\r\n" for index, one in enumerate(hashes)))
    idp = Mfa(breached_passwords=breached, password_min_length=20, mfa_groups="drun:operators", mfa_grace="1h")
    try:
        idp.start()
        idp.root = idp.operator_token()
        made = idp.must(201, "POST", USERS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": "alice"},
                                                             "spec": {"groups": ["drun:operators"]}})
        token = urllib.parse.parse_qs(urllib.parse.urlparse(made["status"]["inviteURL"]).fragment)["token"][0]
        browser = idp.browser()
        for word in listed:
            assert "breach" in idp.post(browser, "/session/accept", 422, token=token, password=word)["detail"]
        assert "20" in idp.post(browser, "/session/accept", 422, token=token, password="nineteen characters")["detail"]
        idp.post(browser, "/session/accept", 204, token=token, password="nobody has ever leaked this one")
        assert "enrolBy" in idp.whoami(browser)
    finally:
        idp.stop()
        idp.remove()


def test_a_list_that_is_none_stops_the_start(tmp_path, own_platform):
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("hello\n")
    own_platform.settings["breached-passwords"] = wrong
    failed = own_platform.try_start()
    assert failed.returncode != 0 and "no hash in the line" in failed.stdout + failed.stderr
