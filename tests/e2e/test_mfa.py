# SPDX-License-Identifier: Apache-2.0
"""Second factors, sessions and accounts, through the gateway: oathtool as the app, python-fido2's structures as the passkey,
Chromium's own authenticator in a page of the platform's origin."""
import base64
import hashlib
import json
import pathlib
import re
import secrets
import shutil
import subprocess
import time
import urllib.parse

import pytest
from authlib.jose import JsonWebKey, jwt

from authenticator import Passkey
from test_idp import CLIENTS, GROUPS, PASSWORD, RBAC, USERS, Identity, name

MERGE = {"headers": {"Content-Type": "application/merge-patch+json"}}


class Mfa(Identity):
    def post(self, browser, path, status, **body):
        answer = browser.post(self.url + path, json=body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def begin(self, who, password=PASSWORD, browser=None):
        """The password alone: the browser, and what is asked for then."""
        browser = browser or self.browser()
        return browser, self.post(browser, "/session", 200, username=who, password=password)

    def whoami(self, browser):
        answer = browser.get(self.url + "/session")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add_totp(self, browser):
        begun = self.post(browser, "/session/factors/totp", 200)
        app = App(begun["secret"])
        confirmed = self.post(browser, "/session/factors/totp/confirm", 200, code=app.code())
        return app, confirmed.get("recoveryCodes")

    def add_passkey(self, browser, status=200, passkey=None, **changes):
        passkey = passkey or Passkey(self.url)
        options = self.post(browser, "/session/factors/passkeys/options", 200)["publicKey"]
        made = self.post(browser, "/session/factors/passkeys", status, name="laptop", credential=passkey.create(options, **changes))
        return passkey, made

    def enrolled(self, **spec):
        """A user with an app: the name, the browser of enrolment, the app, the recovery codes."""
        who = name("mfa")
        self.add_user(who, self.root, **spec)
        browser = self.sign_in(who)
        return (who, browser, *self.add_totp(browser))

    def with_code(self, who, app, **more):
        browser, _ = self.begin(who)
        self.post(browser, "/session/factor", 204, type="totp", code=app.code(), **more)
        return browser

    def patch_user(self, who, **spec):
        return self.must(200, "PATCH", f"{USERS}/{who}", self.root, data=json.dumps({"spec": spec}), **MERGE)


class App:
    """An authenticator app: oathtool. Each code is of a step that was not used yet."""

    def __init__(self, secret):
        self.secret, self.used = secret, 0

    def at(self, step):
        return subprocess.run(["oathtool", "--totp", "-b", "-N", f"@{step * 30}", self.secret],
                              check=True, capture_output=True, text=True).stdout.strip()

    def code(self):
        # The platform takes the step before and after, too: there is a new code without waiting, up to that.
        while (step := max(int(time.time()) // 30 - 1, self.used + 1)) > int(time.time()) // 30 + 1:
            time.sleep(0.2)
        self.used = step
        return self.at(step)


@pytest.fixture(scope="module")
def idp():
    running = Mfa()
    running.start()
    running.root = running.operator_token()
    yield running
    code = running.stop()
    running.remove()
    assert code == 0


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
    slowed = again.post(idp.url + "/session/factor", json={"type": "totp", "code": "000009"})
    assert slowed.status_code == 429 and int(slowed.headers["Retry-After"]) >= 1


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


# ---------------------------------------------------------------- passkeys

def test_a_passkey_as_second_factor(idp):
    who = name("key")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    passkey, made = idp.add_passkey(browser)
    assert len(made["recoveryCodes"]) == 10 and made["passkey"]["name"] == "laptop" and made["passkey"]["format"] == "none"
    other, state = idp.begin(who)
    assert set(state["factors"]) == {"webauthn", "recovery"}
    options = idp.post(other, "/session/factor/options", 200, type="webauthn")["publicKey"]
    assert [one["id"] for one in options["allowCredentials"]] == [passkey.create({"rp": {"id": "x"}, "user": {"id": passkey.handle}, "challenge": ""})["id"]]
    idp.post(other, "/session/factor", 204, type="webauthn", credential=passkey.get(options))
    shown = idp.whoami(other)
    assert shown["acr"] == "phr" and shown["amr"].startswith("pwd hwk user")
    token = idp.client(other)[1]
    keys = JsonWebKey.import_key_set(idp.request("GET", "/oauth2/jwks").json())
    for kind in ("access_token", "id_token"):
        claims = jwt.decode(token[kind], keys)
        assert claims["acr"] == "phr" and "hwk" in claims["amr"] and claims["auth_time"] <= time.time()


def test_a_passkey_alone_signs_in(idp):
    who = name("alone")
    idp.add_user(who, idp.root)
    passkey, _ = idp.add_passkey(idp.sign_in(who), passkey=Passkey(idp.url, synced=True))
    browser = idp.browser()
    options = idp.post(browser, "/session/passkey/options", 200)["publicKey"]
    assert options["allowCredentials"] == [] and options["userVerification"] == "required"
    answer = passkey.get(options)
    idp.post(browser, "/session/factor", 204, type="webauthn", credential=answer)
    shown = idp.whoami(browser)
    assert shown["username"] == who and shown["acr"] == "phr" and shown["amr"] == "swk user mfa"
    # The answer is good once, also in the browser that it was made for.
    thief = idp.browser()
    for cookie in browser.cookies:
        if cookie.name == "__Host-drun-passkey":
            thief.cookies.set_cookie(cookie)
    assert thief.post(idp.url + "/session/factor", json={"type": "webauthn", "credential": answer}).status_code in (401, 410)


def test_a_replayed_passkey_answer_is_refused(idp):
    who = name("replay")
    idp.add_user(who, idp.root)
    passkey, _ = idp.add_passkey(idp.sign_in(who))
    passkey.count = 10
    browser = idp.browser()
    options = idp.post(browser, "/session/passkey/options", 200)["publicKey"]
    kept = {cookie.name: cookie.value for cookie in browser.cookies}
    answer = passkey.get(options)
    idp.post(browser, "/session/factor", 204, type="webauthn", credential=answer)
    again = idp.browser()
    again.cookies.update(kept)
    idp.post(again, "/session/factor", 401, type="webauthn", credential=answer)
    # Nor does a fresh signature over the same challenge.
    idp.post(again, "/session/factor", 401, type="webauthn", credential=passkey.get(options))


@pytest.mark.parametrize("what, changes", [
    ("another site", {"origin": "https://evil.example"}),
    ("another challenge", {"challenge": "A" * 43}),
    ("another ceremony", {"type": "webauthn.create"}),
    ("an embedded page", {"crossOrigin": True}),
])
def test_a_passkey_answer_must_be_for_this_ceremony(idp, what, changes):
    who = name("wrong")
    idp.add_user(who, idp.root)
    passkey, _ = idp.add_passkey(idp.sign_in(who))
    browser, _ = idp.begin(who)
    options = idp.post(browser, "/session/factor/options", 200, type="webauthn")["publicKey"]
    idp.post(browser, "/session/factor", 401, type="webauthn", credential=passkey.get(options, **changes))
    # The challenge is gone with the first answer.
    idp.post(browser, "/session/factor", 401, type="webauthn", credential=passkey.get(options))


def test_signatures_counters_and_flags_count(idp):
    who = name("clone")
    idp.add_user(who, idp.root)
    passkey, _ = idp.add_passkey(idp.sign_in(who))

    def attempt(expected, change=lambda: None):
        browser, _ = idp.begin(who)
        options = idp.post(browser, "/session/factor/options", 200, type="webauthn")["publicKey"]
        change()
        return idp.post(browser, "/session/factor", expected, type="webauthn", credential=passkey.get(options))

    attempt(204, lambda: setattr(passkey, "count", 50))
    assert "copy" in attempt(401, lambda: setattr(passkey, "count", 20))["detail"]
    attempt(204, lambda: setattr(passkey, "count", 60))
    attempt(401, lambda: setattr(passkey, "synced", True))
    passkey.synced = False
    stranger = Passkey(idp.url)
    good = passkey.key
    attempt(401, lambda: setattr(passkey, "key", stranger.key))
    passkey.key = good
    attempt(204)
    # Without PIN or finger it is a second factor, but no sign-in of its own.
    passkey.verifies = False
    attempt(204)
    browser = idp.browser()
    options = idp.post(browser, "/session/passkey/options", 200)["publicKey"]
    idp.post(browser, "/session/factor", 401, type="webauthn", credential=passkey.get(options))


def test_registrations_are_checked(idp):
    who = name("reg")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    idp.add_passkey(browser, 403, origin="https://evil.example")
    idp.add_passkey(browser, 403, challenge="A" * 43)
    passkey = Passkey(idp.url)
    options = idp.post(browser, "/session/factors/passkeys/options", 200)["publicKey"]
    credential = passkey.create(options)
    idp.post(browser, "/session/factors/passkeys", 200, name="first", credential=credential)
    idp.post(browser, "/session/factors/passkeys", 410, name="again", credential=credential)
    options = idp.post(browser, "/session/factors/passkeys/options", 200)["publicKey"]
    assert options["excludeCredentials"][0]["id"] == credential["id"]
    idp.post(browser, "/session/factors/passkeys", 409, name="twice", credential=passkey.create(options))
    options = idp.post(browser, "/session/factors/passkeys/options", 200)["publicKey"]
    broken = Passkey(idp.url).create(options)
    broken["response"]["attestationObject"] = broken["response"]["attestationObject"][:-8]
    idp.post(browser, "/session/factors/passkeys", 422, name="cut", credential=broken)


def test_passkeys_are_listed_renamed_and_removed(idp):
    who = name("many")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    for _ in range(2):
        idp.add_passkey(browser)
    first, second = [one["id"] for one in browser.get(idp.url + "/session/factors").json()["passkeys"]]
    idp.post(browser, f"/session/factors/passkeys/{first}", 204, name="desk")
    shown = {one["id"]: one for one in browser.get(idp.url + "/session/factors").json()["passkeys"]}
    assert shown[first]["name"] == "desk" and shown[second]["name"] == "laptop"
    assert browser.delete(f"{idp.url}/session/factors/passkeys/{first}").status_code == 204
    assert browser.delete(f"{idp.url}/session/factors/passkeys/{first}").status_code == 404
    assert idp.begin(who)[1]["factors"] == ["webauthn", "recovery"]
    assert browser.delete(f"{idp.url}/session/factors/passkeys/{second}").status_code == 204
    idp.sign_in(who)


# ---------------------------------------------------------------- trusted devices

def test_a_trusted_browser_is_not_asked_again_until_it_is_revoked(idp):
    who, _, app, _ = idp.enrolled()
    browser = idp.with_code(who, app, trust=True)
    again = idp.post(browser, "/session", 204, username=who, password=PASSWORD)
    assert again is None and idp.whoami(browser)["acr"] == "urn:drun:trusted-device"
    assert idp.begin(who)[1]["status"] == "factor_required", "another browser is asked"
    mine = next(one for one in browser.get(idp.url + "/session/devices").json()["items"] if one["current"])
    assert "trustedUntil" in mine
    assert browser.delete(f"{idp.url}/session/devices/{mine['id']}").status_code == 204
    assert idp.begin(who, browser=browser)[1]["status"] == "factor_required"


def test_signing_out_everywhere_ends_trust(idp):
    who, _, app, _ = idp.enrolled()
    browser = idp.with_code(who, app, trust=True)
    assert browser.delete(idp.url + "/session/all").status_code == 204
    assert idp.begin(who, browser=browser)[1]["status"] == "factor_required"


def test_a_known_browser_is_not_locked_out_by_others(idp):
    who = name("calm")
    idp.add_user(who, idp.root)
    mine = idp.sign_in(who)
    stranger = idp.browser()
    seen = [stranger.post(idp.url + "/session", json={"username": who, "password": f"no, not that one {i}"}).status_code for i in range(12)]
    assert 429 in seen
    mine.delete(idp.url + "/session")
    idp.post(mine, "/session", 204, username=who, password=PASSWORD)


# ---------------------------------------------------------------- policy

def test_a_group_can_demand_a_second_factor(idp):
    who, group = name("must"), name("careful")
    idp.must(201, "POST", GROUPS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": group},
                                                   "spec": {"members": [who], "mfa": {"required": True}}})
    made = idp.must(201, "POST", USERS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": who}, "spec": {}})
    token = urllib.parse.parse_qs(urllib.parse.urlparse(made["status"]["inviteURL"]).fragment)["token"][0]
    browser = idp.browser()
    state = idp.post(browser, "/session/accept", 200, token=token, password=PASSWORD)
    assert state["status"] == "enrolment_required" and state["methods"] == ["totp", "webauthn"]
    assert browser.get(idp.url + "/session").status_code == 401
    assert browser.get(idp.url + "/session/list").status_code == 401
    begun = idp.post(browser, "/session/factors/totp", 200)
    done = idp.post(browser, "/session/factors/totp/confirm", 200, code=App(begun["secret"]).code())
    assert done["status"] == "signed_in" and len(done["recoveryCodes"]) == 10
    assert idp.whoami(browser)["acr"] == "urn:drun:mfa"


def test_enrolment_has_a_grace(idp):
    who = name("grace")
    idp.add_user(who, idp.root, mfa={"required": True, "graceSeconds": 3})
    browser = idp.sign_in(who)
    assert "enrolBy" in idp.whoami(browser)
    deadline = time.monotonic() + 30
    while (answer := idp.browser().post(idp.url + "/session", json={"username": who, "password": PASSWORD})).status_code == 204:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert answer.json()["status"] == "enrolment_required"


def test_a_passkey_can_be_demanded(idp):
    who, browser, app, _ = idp.enrolled()
    idp.patch_user(who, mfa={"required": True, "level": "phishing-resistant"})
    browser, state = idp.begin(who)
    assert "totp" in state["factors"], "what there is comes first"
    state = idp.post(browser, "/session/factor", 200, type="totp", code=app.code())
    assert state["status"] == "enrolment_required" and state["methods"] == ["webauthn"]
    passkey, done = idp.add_passkey(browser)
    assert done["status"] == "signed_in" and idp.whoami(browser)["acr"] == "phr"
    other, state = idp.begin(who)
    state = idp.post(other, "/session/factor", 200, type="totp", code=app.code())
    assert state["factors"] == ["webauthn"], "an app is not enough any more"
    options = idp.post(other, "/session/factor/options", 200, type="webauthn")["publicKey"]
    idp.post(other, "/session/factor", 204, type="webauthn", credential=passkey.get(options))


# ---------------------------------------------------------------- step-up

def role_binding(who):
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name("rb"), "namespace": "default"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": who}]}


BINDINGS = RBAC + "/namespaces/default/rolebindings"


def test_roles_change_only_after_a_fresh_second_factor(idp):
    who, _, app, _ = idp.enrolled(groups=["drun:platform-admins"])
    browser = idp.with_code(who, app, trust=True)
    token = idp.client(browser)[1]["access_token"]
    idp.must(201, "POST", BINDINGS, token, json=role_binding(who))
    # Without the second factor, in a browser that is trusted: everything but that.
    idp.post(browser, "/session", 204, username=who, password=PASSWORD)
    weak = idp.client(browser)[1]["access_token"]
    idp.must(200, "GET", BINDINGS, weak)
    for method, path, body in (("POST", BINDINGS, role_binding(who)), ("DELETE", f"{USERS}/nobody", None),
                               ("POST", CLIENTS, {}), ("DELETE", f"{USERS}/nobody/factors", None)):
        refused = idp.request(method, path, weak, json=body)
        assert refused.status_code == 401, refused.text
        challenge = refused.headers["WWW-Authenticate"]
        assert 'error="insufficient_user_authentication"' in challenge and 'acr_values="urn:drun:mfa"' in challenge
        assert re.search(r"max_age=900\b", challenge)
    # Step-up, by the factor alone.
    state = idp.post(browser, "/session/step-up", 200)
    assert state["factors"] == ["totp"]
    idp.post(browser, "/session/factor", 204, type="totp", code=app.code())
    assert idp.whoami(browser)["acr"] == "urn:drun:mfa"
    idp.must(201, "POST", BINDINGS, idp.client(browser)[1]["access_token"], json=role_binding(who))
    idp.must(401, "POST", BINDINGS, weak, json=role_binding(who))


def test_an_old_sign_in_is_not_fresh(own_platform):
    idp = Mfa(step_up_age="1m")
    try:
        idp.start()
        idp.root = idp.operator_token()
        who, browser, app, _ = idp.enrolled(groups=["drun:platform-admins"])
        token = idp.client(browser)[1]["access_token"]
        idp.must(201, "POST", BINDINGS, token, json=role_binding(who))
        deadline = time.monotonic() + 120
        while idp.request("POST", BINDINGS, token, json=role_binding(who)).status_code == 201:
            assert time.monotonic() < deadline
            time.sleep(5)
        assert browser.delete(idp.url + "/session/factors/totp").status_code == 401
        idp.must(201, "POST", BINDINGS, idp.root, json=role_binding(who))
        idp.post(browser, "/session/step-up", 200)
        idp.post(browser, "/session/factor", 204, type="totp", code=app.code())
        idp.must(201, "POST", BINDINGS, idp.client(browser)[1]["access_token"], json=role_binding(who))
    finally:
        idp.stop()
        idp.remove()


def test_a_client_can_demand_more(idp):
    who, _, app, _ = idp.enrolled()
    client = name("vault")
    redirect = "https://vault.example/cb"
    made = idp.must(201, "POST", CLIENTS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client},
                                                          "spec": {"redirectUris": [redirect], "requiredAcr": "urn:drun:mfa"}})
    secret = made["status"]["clientSecret"]
    browser = idp.with_code(who, app, trust=True)
    idp.client(browser, client, "openid", redirect, secret)
    idp.post(browser, "/session", 204, username=who, password=PASSWORD)
    query = f"/oauth2/authorize?response_type=code&client_id={client}&redirect_uri={urllib.parse.quote(redirect, '')}&scope=openid&code_challenge={'A' * 43}&code_challenge_method=S256"
    target = browser.get(idp.url + query, allow_redirects=False).headers["Location"]
    assert target.startswith(idp.url + "/login?") and "acr=urn%3Adrun%3Amfa" in target
    silent = browser.get(idp.url + query + "&prompt=none", allow_redirects=False).headers["Location"]
    assert silent.startswith(redirect) and "error=interaction_required" in silent
    idp.post(browser, "/session/step-up", 200, acr="urn:drun:mfa")
    idp.post(browser, "/session/factor", 204, type="totp", code=app.code())
    idp.client(browser, client, "openid", redirect, secret)


def test_the_status_of_a_user_says_which_factors_there_are(idp):
    who, browser, _, _ = idp.enrolled()
    def shown():
        return idp.must(200, "GET", f"{USERS}/{who}", idp.root)["status"].get("mfaMethods")
    assert shown() == ["totp", "recovery"]
    assert browser.delete(idp.url + "/session/factors/totp").status_code == 204
    assert shown() == []


def test_the_password_is_the_step_up_of_who_has_no_more(idp):
    who = name("simple")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    before = idp.whoami(browser)["signedInAt"]
    assert idp.post(browser, "/session/step-up", 200)["factors"] == ["password"]
    idp.post(browser, "/session/factor", 401, type="password", password="not that one, no no")
    assert "second factor" in idp.post(browser, "/session/step-up", 409, acr="urn:drun:mfa")["detail"]
    assert "passkey" in idp.post(browser, "/session/step-up", 409, acr="phr")["detail"]
    time.sleep(1.1)  # signedInAt has whole seconds
    idp.post(browser, "/session/factor", 204, type="password", password=PASSWORD)
    assert idp.whoami(browser)["signedInAt"] > before


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


# ---------------------------------------------------------------- Chromium

CHROMIUM = "/usr/bin/chromium"
PAGE = """async ([path, body]) => {
  const answer = await fetch(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  const text = await answer.text();
  return {status: answer.status, body: text === '' ? null : JSON.parse(text)};
}"""
CREATE = """async (options) => (await navigator.credentials.create({publicKey:
  PublicKeyCredential.parseCreationOptionsFromJSON(options)})).toJSON()"""
GET = """async (options) => (await navigator.credentials.get({publicKey:
  PublicKeyCredential.parseRequestOptionsFromJSON(options)})).toJSON()"""


def spki_of(idp):
    pem = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{idp.port}"], input="", capture_output=True, text=True, timeout=20).stdout
    der = subprocess.run("openssl x509 -pubkey -noout | openssl pkey -pubin -outform der", shell=True, input=pem.encode(), capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.mark.skipif(not shutil.which(CHROMIUM), reason=f"there is no Chromium at {CHROMIUM}")
@pytest.mark.parametrize("algorithm", ["any"])
def test_chromiums_authenticator(tmp_path, algorithm):
    from playwright.sync_api import sync_playwright

    idp = Mfa()
    idp.url = f"https://localhost:{idp.port}"
    idp.settings["public-url"] = idp.url
    try:
        idp.start()
        idp.root = idp.operator_token()
        who = name("chrome")
        idp.add_user(who, idp.root)
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                str(tmp_path / "profile"), executable_path=CHROMIUM,
                args=["--no-sandbox", "--disable-gpu", "--no-first-run", f"--ignore-certificate-errors-spki-list={spki_of(idp)}"])
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.goto(idp.url + "/oauth2/jwks")
            cdp = context.new_cdp_session(page)
            cdp.send("WebAuthn.enable")
            cdp.send("WebAuthn.addVirtualAuthenticator", {"options": {
                "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}})

            def post(path, status, **body):
                answer = page.evaluate(PAGE, [path, body])
                assert answer["status"] == status, answer
                return answer["body"]

            post("/session", 204, username=who, password=PASSWORD)
            options = post("/session/factors/passkeys/options", 200)["publicKey"]
            made = post("/session/factors/passkeys", 200, name="Chromium", credential=page.evaluate(CREATE, options))
            assert len(made["recoveryCodes"]) == 10
            # As second factor, then alone.
            assert post("/session", 200, username=who, password=PASSWORD)["factors"] == ["webauthn", "recovery"]
            options = post("/session/factor/options", 200, type="webauthn")["publicKey"]
            post("/session/factor", 204, type="webauthn", credential=page.evaluate(GET, options))
            context.clear_cookies()
            options = post("/session/passkey/options", 200)["publicKey"]
            post("/session/factor", 204, type="webauthn", credential=page.evaluate(GET, options))
            shown = page.evaluate("async () => (await fetch('/session')).json()")
            assert shown["username"] == who and shown["acr"] == "phr"
            context.close()
    finally:
        idp.stop()
        idp.remove()
