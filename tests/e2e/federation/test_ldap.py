# SPDX-License-Identifier: Apache-2.0
"""Signing in with the password of an LDAP directory."""
import pytest
import requests
from federation_rig import ldap, provider, session_of
from identity import PASSWORD, name


def bind(idp, username, password, path="/session/providers/people/sign-in"):
    browser = idp.browser()
    return browser, browser.post(idp.url + path, json={"username": username, "password": password}, timeout=30)


def test_a_directory_signs_in_with_groups(idp, people, directory):
    browser, answer = bind(idp, "dora", "doras password")
    assert answer.status_code == 204, answer.text + idp.text()[-1500:]
    session = session_of(idp, browser)
    assert session["username"] == "dora" and session["displayName"] == "Dora D." and session["amr"] == "pwd"
    assert sorted(session["groups"]) == ["ldap-all", "ldap-core"]
    directory.modify("dn: cn=eng-core,ou=groups,dc=corp,dc=example\nchangetype: modify\nreplace: member\nmember: uid=egon,ou=people,dc=corp,dc=example\n")
    browser, _ = bind(idp, "dora", "doras password")
    assert session_of(idp, browser)["groups"] == ["ldap-all"]


def test_a_name_of_its_domain_leads_to_the_directory(idp, people):
    browser, answer = bind(idp, "dora@people.example", "doras password", "/session")
    assert answer.status_code == 204 and session_of(idp, browser)["username"] == "dora"
    shown = requests.get(idp.url + "/session/providers?username=dora@people.example", verify=idp.ca).json()["providers"]
    assert [(one["type"], one["start"]) for one in shown] == [("ldap", "/session/providers/people/sign-in")]


@pytest.mark.parametrize("username,password", [("dora", "wrong"), ("nobody", "doras password"), ("*", "doras password"), ("dora)(uid=*", "doras password"),
                                               ("dora", ""), ("", "x"), ("d*", "doras password"), ("\u0000", "x")])
def test_what_is_wrong_is_refused(idp, people, username, password):
    browser, answer = bind(idp, username, password)
    assert answer.status_code in (400, 401), answer.text
    assert session_of(idp, browser) is None


def test_guessing_is_slowed_down(idp, people):
    answers = [bind(idp, "egon", f"guess {i}")[1].status_code for i in range(12)]
    assert 429 in answers and answers[0] == 401


def test_a_directory_account_is_linked_by_its_password(idp, directory):
    provider(idp, "dirlink", ldap(directory, accounts={"create": False}))
    who = name("dl")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    wrong = browser.post(idp.url + "/session/links", json={"provider": "dirlink", "username": "dora", "password": "no"}, timeout=30)
    assert wrong.status_code == 401
    made = browser.post(idp.url + "/session/links", json={"provider": "dirlink", "username": "dora", "password": "doras password"}, timeout=30)
    assert made.status_code == 201 and made.json()["account"] in ("dora", "dora@corp.example"), made.text
    again, answer = bind(idp, "dora", "doras password", "/session/providers/dirlink/sign-in")
    assert answer.status_code == 204 and session_of(idp, again)["username"] == who


def test_a_directory_that_is_away_says_so(idp, directory):
    provider(idp, "nowhere", ldap(directory, ldap={"url": "ldaps://localhost:1"}))
    _, answer = bind(idp, "dora", "doras password", "/session/providers/nowhere/sign-in")
    assert answer.status_code == 503 and "Retry-After" in answer.headers


def test_no_password_of_elsewhere_is_in_the_log(idp, people):
    for word in ("doras password", "suche geheim", "a secret: with"):
        assert word not in idp.text()
    assert PASSWORD not in idp.text()
