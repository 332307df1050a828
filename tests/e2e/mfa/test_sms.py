# SPDX-License-Identifier: Apache-2.0
"""Codes by text message, through an HTTPS gateway that keeps what it is given."""
import json

import pytest

from identity import PASSWORD, name
from mfa_rig import Mfa
from sms_gateway import Gateway


@pytest.fixture(scope="module")
def sms(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("sms"))
    yield gateway
    gateway.shutdown()


@pytest.fixture(scope="module")
def idp(sms, tmp_path_factory):
    token = tmp_path_factory.mktemp("token") / "authorization"
    token.write_text("Bearer the-gateways-own-token\n")
    running = Mfa(sms_url=sms.url, sms_ca_file=sms.cert, sms_private_network="true", sms_authorization_file=token, sms_prefixes="+49,+86")
    with running.serving():
        yield running


def with_number(idp, sms, number):
    who = name("sms")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    begun = idp.post(browser, "/session/factors/sms", 202, number=number)
    assert "…" in begun["number"]
    made = idp.post(browser, "/session/factors/sms/confirm", 200, code=sms.code())
    assert len(made["recoveryCodes"]) == 10
    return who, browser


def test_a_number_is_a_second_factor(idp, sms):
    who, browser = with_number(idp, sms, "+49 (151) 000-1001")
    assert sms.messages[-1]["to"] == "+491510001001" and sms.messages[-1]["authorization"] == "Bearer the-gateways-own-token"
    shown = browser.get(idp.url + "/session/factors").json()["sms"]
    assert shown["number"] == "+49…001" and "491510001001" not in json.dumps(shown)
    other, state = idp.begin(who)
    assert set(state["factors"]) == {"sms", "recovery"}
    idp.post(other, "/session/factor", 401, type="sms", code="000000")
    idp.post(other, "/session/factor/options", 202, type="sms")
    code = sms.code()
    idp.post(other, "/session/factor", 401, type="sms", code=f"{(int(code) + 1) % 1000000:06}")
    idp.post(other, "/session/factor", 204, type="sms", code=code)
    session = idp.whoami(other)
    assert session["acr"] == "urn:drun:mfa" and session["amr"] == "pwd sms mfa"
    again, _ = idp.begin(who)
    idp.post(again, "/session/factor", 401, type="sms", code=code)
    assert browser.delete(idp.url + "/session/factors/sms").status_code == 204
    idp.sign_in(who)


def test_a_number_gets_so_many_messages_and_no_more(idp, sms):
    who, _ = with_number(idp, sms, "+491510002002")
    before = len(sms.messages)
    codes = []
    for _ in range(6):
        browser, _ = idp.begin(who)
        codes.append(browser.post(idp.url + "/session/factor/options", json={"type": "sms"}))
    assert [answer.status_code for answer in codes] == [202] * 4 + [429] * 2
    assert int(codes[-1].headers["Retry-After"]) > 60 and len(sms.messages) == before + 4


@pytest.mark.parametrize("number, status", [("0151 2345678", 422), ("+1 202 555 0100", 403), ("nonsense", 422), ("+49\r\n", 422)])
def test_numbers_that_get_none(idp, sms, number, status):
    who = name("none")
    idp.add_user(who, idp.root)
    before = len(sms.messages)
    idp.post(idp.sign_in(who), "/session/factors/sms", status, number=number)
    assert len(sms.messages) == before


def test_a_gateway_that_fails_is_named(idp, sms):
    who = name("down")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    sms.status = 500
    try:
        answer = browser.post(idp.url + "/session/factors/sms", json={"number": "+491510003003"})
        assert answer.status_code == 503 and "500" in answer.json()["detail"]
    finally:
        sms.status = 200
    idp.post(browser, "/session/factors/sms", 202, number="+491510003003")
    idp.post(browser, "/session/factors/sms/confirm", 422, code="000000" if sms.code() != "000000" else "000001")
    idp.post(browser, "/session/factors/sms/confirm", 200, code=sms.code())


def test_without_the_password_nothing_is_sent(idp, sms):
    who, _ = with_number(idp, sms, "+8613800138000")
    before = len(sms.messages)
    idp.post(idp.browser(), "/session", 401, username=who, password=PASSWORD + "!")
    idp.post(idp.browser(), "/session/factor/options", 410, type="sms")
    assert len(sms.messages) == before


def test_a_platform_without_a_gateway_says_so():
    plain = Mfa()
    try:
        plain.start()
        plain.root = plain.operator_token()
        who = name("plain")
        plain.add_user(who, plain.root)
        plain.post(plain.sign_in(who), "/session/factors/sms", 409, number="+491510004004")
    finally:
        plain.stop()
        plain.remove()
