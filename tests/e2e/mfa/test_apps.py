# SPDX-License-Identifier: Apache-2.0
"""Authenticator apps (oathtool) and recovery codes."""
import base64
import time
import urllib.parse

from identity import PASSWORD, name


# ---------------------------------------------------------------- authenticator apps

def test_an_app_is_set_up_and_then_asked_for(idp):
    who, browser, app, codes = idp.enrolled()
    assert len(codes) == 10 and len(set(codes)) == 10
    assert idp.whoami(browser)["acr"] == "urn:drun:mfa", "the session in which it was set up is the better for it"
    other, state = idp.begin(who)
    assert state["status"] == "factor_required" and set(state["factors"]) == {"totp", "recovery"}
    assert other.get(idp.url + "/session").status_code == 401, "half a sign-in opens nothing"
    assert other.get(idp.url + "/session/sign-in").json()["username"] == who
    idp.post(other, "/session/factor", 204, type="totp", code=app.code())
    shown = idp.whoami(other)
    assert shown["amr"] == "pwd otp mfa" and shown["acr"] == "urn:drun:mfa" and shown["factors"] == ["totp", "recovery"]
    assert other.get(idp.url + "/session/sign-in").status_code == 410


def test_the_uri_is_one_that_apps_read(idp):
    who = name("uri")
    idp.add_user(who, idp.root)
    begun = idp.post(idp.sign_in(who), "/session/factors/totp", 200)
    uri = urllib.parse.urlparse(begun["uri"])
    query = dict(urllib.parse.parse_qsl(uri.query))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp") and urllib.parse.unquote(uri.path).endswith(":" + who)
    assert query["secret"] == begun["secret"] and len(base64.b32decode(begun["secret"])) == 20


def test_a_code_is_good_once(idp):
    who, _, app, _ = idp.enrolled()
    code = app.code()
    first, _ = idp.begin(who)
    second, _ = idp.begin(who)
    idp.post(first, "/session/factor", 204, type="totp", code=code)
    idp.post(second, "/session/factor", 401, type="totp", code=code)
    idp.post(second, "/session/factor", 401, type="totp", code=app.at(int(time.time()) // 30 - 5))
    idp.post(second, "/session/factor", 204, type="totp", code=app.code())


def test_an_app_does_not_hold_before_its_first_code(idp):
    who = name("half")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    idp.post(browser, "/session/factors/totp", 200)
    idp.post(browser, "/session/factors/totp/confirm", 422, code="000000")
    idp.sign_in(who)


def test_five_wrong_codes_end_the_sign_in(idp):
    who, _, app, _ = idp.enrolled()
    browser, _ = idp.begin(who)
    seen = [browser.post(idp.url + "/session/factor", json={"type": "totp", "code": "00000" + str(i)}).status_code for i in range(5)]
    assert seen == [401] * 5
    idp.post(browser, "/session/factor", 410, type="totp", code=app.code())
    again, _ = idp.begin(who)
    # The first wait is a second, which may have passed by now; each further try doubles it.
    tries = [again.post(idp.url + "/session/factor", json={"type": "totp", "code": "00001" + str(i)}) for i in range(4)]
    slowed = next(answer for answer in tries if answer.status_code == 429)
    assert int(slowed.headers["Retry-After"]) >= 1


def test_a_sign_in_belongs_to_its_browser_and_its_factors(idp):
    who, _, app, _ = idp.enrolled()
    browser, _ = idp.begin(who)
    idp.post(idp.browser(), "/session/factor", 410, type="totp", code=app.code())
    for kind in ("webauthn", "sms", "password", "nothing"):
        idp.post(browser, "/session/factor", 422, type=kind, code="1", password=PASSWORD)
    foreign = browser.post(idp.url + "/session/factor", json={"type": "totp", "code": "1"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert browser.delete(idp.url + "/session/sign-in").status_code == 204
    idp.post(browser, "/session/factor", 410, type="totp", code=app.code())


def test_setting_up_the_first_factor_ends_sessions_without_it(idp):
    who = name("two")
    idp.add_user(who, idp.root)
    other, browser = idp.sign_in(who), idp.sign_in(who)
    token = idp.client(other)[1]["access_token"]
    mine = idp.client(browser, "drun-cli", "openid offline_access drun", "http://127.0.0.1:49152/callback")[1]
    idp.add_totp(browser)
    assert other.get(idp.url + "/session").status_code == 401 and not idp.accepted(token)
    # What was issued without it could pass for somebody who has none.
    assert not idp.accepted(mine["access_token"])
    refresh = idp.form("/oauth2/token", grant_type="refresh_token", refresh_token=mine["refresh_token"], client_id="drun-cli")
    assert refresh.status_code == 400
    assert browser.get(idp.url + "/session").status_code == 200


# ---------------------------------------------------------------- recovery codes

def test_a_recovery_code_works_once_however_it_is_typed(idp):
    who, _, _, codes = idp.enrolled()
    browser, _ = idp.begin(who)
    idp.post(browser, "/session/factor", 204, type="recovery", code=codes[3].upper().replace("-", " "), trust=True)
    assert idp.whoami(browser)["acr"] == "urn:drun:mfa"
    assert browser.get(idp.url + "/session/factors").json()["recovery"]["left"] == 9
    again, state = idp.begin(who, browser=browser)
    assert state["status"] == "factor_required", "a sheet of paper makes no browser trusted"
    idp.post(again, "/session/factor", 401, type="recovery", code=codes[3])
    idp.post(again, "/session/factor", 204, type="recovery", code=codes[4])


def test_new_recovery_codes_make_the_old_ones_void(idp):
    who, browser, app, old = idp.enrolled()
    new = idp.post(browser, "/session/factors/recovery", 200)["recoveryCodes"]
    assert not set(old) & set(new)
    other, _ = idp.begin(who)
    idp.post(other, "/session/factor", 401, type="recovery", code=old[0])
    idp.post(other, "/session/factor", 204, type="recovery", code=new[0])
    plain = name("plain")
    idp.add_user(plain, idp.root)
    idp.post(idp.sign_in(plain), "/session/factors/recovery", 409)


def test_who_lost_the_phone_helps_himself(idp):
    who, _, _, codes = idp.enrolled()
    browser, _ = idp.begin(who)
    idp.post(browser, "/session/factor", 204, type="recovery", code=codes[0])
    assert browser.delete(idp.url + "/session/factors/totp").status_code == 204
    assert idp.whoami(browser)["factors"] == []
    idp.sign_in(who)
    app, again = idp.add_totp(browser)
    assert len(again) == 10 and not set(again) & set(codes)
    idp.with_code(who, app)
