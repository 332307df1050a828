# SPDX-License-Identifier: Apache-2.0
"""Passkeys: python-fido2's structures, and Chromium's own authenticator in a page of the platform's origin."""
import base64
import hashlib
import shutil
import subprocess
import time

import pytest
from authlib.jose import JsonWebKey, jwt

from authenticator import Passkey
from identity import PASSWORD, name
from mfa_rig import Mfa


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
