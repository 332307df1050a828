# SPDX-License-Identifier: Apache-2.0
"""Second factors, passkeys and accounts as a person meets them in the console: Chromium with its own authenticator, oathtool as the
app, against a real platform that is called localhost, because passkeys belong to names and not to addresses."""
import contextlib
import json
import re
import urllib.parse

import pytest
from playwright.sync_api import expect, sync_playwright

from console_browser import CHROMIUM, FLAGS, PATIENCE_MS, WATCH, needs_console, picture, settled
from identity import CLIENTS, PASSWORD, name
from mfa_rig import App, Mfa, spki_of
from sms_gateway import Gateway
from test_console_pages import AXE, AXE_RULES, too_wide

pytestmark = needs_console
AUTHENTICATOR = {"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
                 "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}


class Console(Mfa):
    """The platform, and browsers on it. What they complain of is collected."""

    def __init__(self, playwright, folder):
        super().__init__()
        self.url = f"https://localhost:{self.port}"
        self.settings["public-url"] = self.url
        self.playwright, self.profiles, self.complaints = playwright, folder, []
        self.others = []  # servers whose keys the browsers know, too

    @contextlib.contextmanager
    def visitor(self, language="en-GB", theme="light", width=1280):
        """A page of a browser that has never been here. Certificate errors would rule passkeys out: it knows our key."""
        context = self.playwright.chromium.launch_persistent_context(
            str(self.profiles / name("profile")), executable_path=CHROMIUM, args=[*FLAGS, f"--ignore-certificate-errors-spki-list={','.join(spki_of(one) for one in (self, *self.others))}"],
            base_url=self.url, locale=language, color_scheme=theme, reduced_motion="reduce", viewport={"width": width, "height": 860}, timeout=PATIENCE_MS)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self.note(message))
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        try:
            yield page
        except BaseException:
            with contextlib.suppress(Exception):
                picture(page, "failed")  # what it looked like
            raise
        finally:
            context.close()

    def note(self, message):
        """Wrong codes, step-ups and missing rights are answered with 4xx, which the browser notes, as it may."""
        if not re.search(r"status of 4(00|01|03|04|09|10|22|29)", message.text):
            self.complaints.append(f"{message.location['url']}: {message.text}")

    def person(self, **spec):
        who = name("person")
        self.add_user(who, self.root, **spec)
        return who


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with sync_playwright() as playwright:
        running = Console(playwright, tmp_path_factory.mktemp("profiles"))
        running.start()
        running.root = running.operator_token()
        yield running
        running.stop()
        running.remove()


@pytest.fixture(autouse=True)
def no_complaints(console):
    console.complaints.clear()
    yield
    assert console.complaints == []


def begin(page, who, password=PASSWORD, path="/account/security"):
    page.goto(path)
    page.locator("[name=username]").fill(who)
    page.locator("[name=password]").fill(password)
    page.get_by_role("button", name=re.compile("^(Sign in|登录)$")).click()


def sign_out(page):
    page.locator(".user-button").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url(re.compile("/login"))


def authenticator(page, **changes):
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    added = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, **changes}})
    return cdp, added["authenticatorId"]


def save_codes(page):
    codes = page.locator(".codes li").all_inner_texts()
    page.get_by_label("I have saved these codes").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".codes")).to_have_count(0)
    return codes


def enrol_app(page, picture_name="QR code"):
    """In the open form: the app, once its first code was taken."""
    expect(page.get_by_role("img", name=picture_name)).to_be_visible()
    app = App(page.locator(".key-text output").inner_text().replace(" ", ""))
    page.locator("[name=code]").fill(app.code())
    return app


# ------------------------------------------------------------------ an authenticator app

def test_an_app_is_set_up_in_the_account_and_asked_for_at_the_sign_in(console):
    who = console.person()
    with console.visitor() as page:
        begin(page, who)
        settled(page)
        page.get_by_role("button", name="Set up: Authenticator app").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        picture(page, "enrol-totp")
        page.locator("[name=code]").fill("000000")
        expect(page.get_by_text("This code is not right.")).to_be_visible()
        app = enrol_app(page)
        expect(page.locator(".codes li")).to_have_count(10)
        picture(page, "recovery-codes")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        codes = save_codes(page)
        text = download.value.path().read_text()
        assert all(code in text for code in codes) and who in text
        settled(page)
        expect(page.locator(".entry", has_text="Authenticator app")).to_contain_text("On")
        # The token of the page was made void by the first factor, and is renewed unseen.
        page.locator(".side-nav a[href='/keys']").click()
        expect(page.get_by_role("heading", level=1, name="API keys")).to_be_visible()
        sign_out(page)

        begin(page, who)
        expect(page.get_by_role("heading", name="Second step")).to_be_visible()
        picture(page, "factor-totp")
        page.locator("[name=code]").fill("000000")
        expect(page.get_by_text("This code is not right.")).to_be_visible()
        page.reload()  # goes on where it was
        expect(page.get_by_role("heading", name="Second step")).to_be_visible()
        expect(page.locator(".who")).to_contain_text(who)
        page.get_by_label("Do not ask again in this browser").check()
        page.locator("[name=code]").fill(app.code())
        page.wait_for_url("**/account/security")
        settled(page)
        page.goto("/account/sessions")
        settled(page)
        expect(page.get_by_text("Trusted until")).to_be_visible()
        sign_out(page)
        begin(page, who, path="/account")  # this browser is trusted
        page.wait_for_url("**/account")
        settled(page)
        expect(page.get_by_text("Password in a trusted browser")).to_be_visible()


def test_a_recovery_code_helps_and_five_wrong_ones_end_it(console):
    who, _, _, codes = console.enrolled()
    with console.visitor() as page:
        begin(page, who, path="/account")
        page.get_by_role("button", name="Use a recovery code").click()
        picture(page, "factor-recovery")
        page.get_by_label("Recovery code").fill(codes[0])
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url("**/account")
        settled(page)
        sign_out(page)
        begin(page, who)
        for wrong in range(5):
            with page.expect_response("**/session/factor"):
                page.locator("[name=code]").fill(f"00000{wrong}")
            if wrong < 4:
                expect(page.get_by_text("This code is not right.")).to_be_visible()
                expect(page.locator("[name=code]")).to_have_value("")
        expect(page.get_by_text("too many tries")).to_be_visible()
        expect(page.locator("[name=username]")).to_be_visible()
        picture(page, "login-late")


def test_half_a_sign_in_is_left_for_another_account(console):
    who, _, _, _ = console.enrolled()
    with console.visitor() as page:
        begin(page, who)
        page.get_by_role("button", name="Use another account").click()
        expect(page.locator("[name=username]")).to_be_visible()
        assert console.url in page.url
        begin(page, console.person(), path="/account")
        page.wait_for_url("**/account")
        settled(page)


# ------------------------------------------------------------------ passkeys

def test_a_passkey_is_added_renamed_used_alone_and_removed(console):
    who = console.person()
    with console.visitor() as page:
        cdp, key = authenticator(page)
        begin(page, who)
        settled(page)
        page.get_by_role("button", name="Add passkey").click()
        page.get_by_role("dialog").get_by_label("Name").fill("Work laptop")
        picture(page, "enrol-passkey")
        page.get_by_role("button", name="Create passkey").click()
        expect(page.locator(".codes li")).to_have_count(10)
        save_codes(page)
        settled(page)
        page.get_by_role("button", name="Rename Work laptop").click()
        page.get_by_role("dialog").get_by_label("Name").fill("Laptop")
        page.get_by_role("dialog").get_by_role("button", name="Rename").click()
        expect(page.locator(".entry", has_text="Laptop")).to_contain_text("On one device")
        picture(page, "security-with-passkey")
        # As second factor. A real one would offer itself in the list; this one answers at once, so it sleeps meanwhile.
        cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": key, "enabled": False})
        sign_out(page)
        begin(page, who, path="/account")
        expect(page.get_by_role("button", name="Use passkey")).to_be_focused()
        picture(page, "factor-passkey")
        cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": key, "enabled": True})
        page.get_by_role("button", name="Use passkey").click()
        page.wait_for_url("**/account")
        settled(page)
        expect(page.get_by_text("Passkey", exact=True)).to_be_visible()
        # Alone.
        cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": key, "enabled": False})
        sign_out(page)
        page.goto("/account")
        expect(page.locator("[name=username]")).to_be_visible()
        cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": key, "enabled": True})
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url("**/account")
        settled(page)
        page.goto("/account/security")
        settled(page)
        page.get_by_role("button", name="Remove Laptop").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_text("No passkeys yet")).to_be_visible()
    assert console.whoami(console.sign_in(who))["factors"] == []


def test_passkeys_are_offered_in_the_list_of_the_username(console):
    who = console.person()
    with console.visitor() as page:
        authenticator(page)
        begin(page, who)
        settled(page)
        page.get_by_role("button", name="Add passkey").click()
        page.get_by_role("button", name="Create passkey").click()
        save_codes(page)
        page.locator(".user-button").click()
        page.get_by_role("menuitem", name="Sign out").click()
        # Chromium's authenticator chooses from the list by itself.
        expect(page.locator(".user-button")).to_be_visible()
        assert page.evaluate("async () => (await (await fetch('/session')).json()).acr") == "phr"


# ------------------------------------------------------------------ demands

def test_who_must_have_a_second_factor_sets_it_up_at_the_sign_in(console):
    who = console.person()
    console.patch_user(who, mfa={"required": True})
    with console.visitor() as page:
        begin(page, who, path="/account")
        expect(page.get_by_role("heading", name="Secure your account")).to_be_visible()
        picture(page, "enrol-forced")
        page.get_by_role("button", name="Authenticator app").click()
        enrol_app(page)
        expect(page.get_by_role("heading", name="Save your recovery codes")).to_be_visible()
        picture(page, "recovery-forced")
        save_codes(page)
        page.wait_for_url("**/account")
        settled(page)
        expect(page.get_by_text("Two factors")).to_be_visible()


def test_who_must_change_the_password_does_so_at_the_sign_in(console):
    who = console.person()
    console.patch_user(who, passwordChangeRequired=True)
    with console.visitor() as page:
        begin(page, who, path="/account")
        expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
        page.locator("[name=new-password]").fill("short")
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_text("Use at least 12 characters.")).to_be_visible()
        page.locator("[name=new-password]").fill(PASSWORD)
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_text("that is the password you had")).to_be_visible()
        picture(page, "password-forced")
        page.locator("[name=new-password]").fill("an entirely different phrase")
        page.get_by_role("button", name="Set password").click()
        page.wait_for_url("**/account")
        settled(page)


def test_the_password_is_changed_in_the_account(console):
    who = console.person()
    with console.visitor() as page:
        begin(page, who)
        settled(page)
        page.get_by_role("button", name="Change password").click()
        page.locator("[name=password]").fill("not my password at all")
        page.locator("[name=new-password]").fill("an entirely different phrase")
        page.get_by_role("dialog").get_by_role("button", name="Change password").click()
        expect(page.get_by_text("The password is wrong.")).to_be_visible()
        picture(page, "password-change")
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("dialog").get_by_role("button", name="Change password").click()
        expect(page.get_by_text("Password changed", exact=True)).to_be_visible()
        settled(page)
    console.sign_in(who, "an entirely different phrase")


# ------------------------------------------------------------------ step-up

def test_an_action_that_wants_fresh_proof_goes_on_after_it(console):
    who, _, app, _ = console.enrolled(groups=["drun:operators"])
    victim = console.person()
    with console.visitor() as page:
        begin(page, who, path="/access")
        page.locator("[name=code]").fill(app.code())
        settled(page)
        answered = []

        def demand(route):
            """The token is too old once: as after a quarter of an hour."""
            if route.request.method == "PATCH" and not answered:
                answered.append(route.request.headers["authorization"])
                route.fulfill(status=401, headers={"WWW-Authenticate": 'Bearer error="insufficient_user_authentication", acr_values="urn:drun:mfa", max_age="900"'},
                              content_type="application/json", body=json.dumps({"kind": "Status", "message": "sign in again", "code": 401}))
            else:
                answered and route.request.method == "PATCH" and answered.append(route.request.headers["authorization"])
                route.continue_()

        page.route(f"**/users/{victim}", demand)
        page.get_by_role("button", name=f"Actions for {victim}").click()
        page.get_by_role("menuitem", name="Disable").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Disable").click()
        dialog = page.get_by_role("dialog", name="Confirm that it is you")
        expect(dialog.locator("[name=code]")).to_be_focused()
        picture(page, "step-up")
        dialog.locator("[name=code]").fill(app.code())
        expect(page.get_by_role("row", name=victim)).to_contain_text("Disabled")
        assert len(answered) == 2 and answered[0] != answered[1], "the action was repeated with a new token"


def test_an_application_that_wants_more_asks_for_the_factor_alone(console):
    who, _, app, _ = console.enrolled()
    client_id, redirect = name("app"), f"{console.url}/nowhere"
    console.must(201, "POST", CLIENTS, console.root, json={
        "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client_id},
        "spec": {"redirectUris": [redirect], "public": True, "scopes": ["openid", "profile", "email", "offline_access"],
                 "grantTypes": ["authorization_code", "refresh_token"], "requiredAcr": "urn:drun:mfa"}})
    with console.visitor() as page:
        begin(page, who, path="/account")
        page.get_by_label("Do not ask again in this browser").check()
        page.locator("[name=code]").fill(app.code())
        settled(page)
        sign_out(page)
        begin(page, who, path="/account")  # a trusted browser: good enough for us, but not for the application
        settled(page)
        page.goto(ask(console, client_id, redirect))
        expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
        expect(page.locator("[name=password]")).to_have_count(0)
        picture(page, "step-up-application")
        page.locator("[name=code]").fill(app.code())
        page.wait_for_url(re.compile("/nowhere.*code="))
        expect(page.locator("h1")).to_have_text("Not found")


# ------------------------------------------------------------------ text messages

def test_a_number_is_set_up_and_asked_for(console, tmp_path):
    gateway = Gateway(tmp_path)
    token = tmp_path / "authorization"
    token.write_text("Bearer the-gateways-own-token\n")
    texting = Console(console.playwright, tmp_path)
    texting.settings.update({"sms-url": gateway.url, "sms-ca-file": gateway.cert, "sms-private-network": "true",
                             "sms-authorization-file": token, "sms-prefixes": "+49,+86"})
    try:
        texting.start()
        texting.root = texting.operator_token()
        who = texting.person()
        with texting.visitor() as page:
            begin(page, who)
            settled(page)
            page.get_by_role("button", name="Set up: Text message").click()
            page.get_by_label("Mobile number").fill("+1 202 555 0100")
            page.get_by_role("button", name="Send code").click()
            expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()  # not to that country
            page.get_by_label("Mobile number").fill("+49 (151) 234-56789")
            page.get_by_role("button", name="Send code").click()
            page.locator("[name=code]").fill(wait_for_text(texting, gateway, 1))
            save_codes(page)
            expect(page.locator(".entry", has_text="Text message")).to_contain_text("On")
            sign_out(page)
            begin(page, who, path="/account")
            picture(page, "factor-sms")
            page.get_by_role("button", name="Send code").click()
            page.locator("[name=code]").fill(wait_for_text(texting, gateway, 2))
            page.wait_for_url("**/account")
            settled(page)
        assert texting.complaints == []
    finally:
        texting.stop()
        texting.remove()
        gateway.shutdown()


def wait_for_text(platform, gateway, count):
    platform.wait_until("the message", lambda: len(gateway.messages) >= count, timeout=60)
    return gateway.code()


# ------------------------------------------------------------------ sessions

def test_sessions_are_seen_and_ended(console):
    who = console.person()
    others = [console.sign_in(who), console.sign_in(who)]
    with console.visitor() as page:
        begin(page, who, path="/account/sessions")
        settled(page)
        expect(page.locator(".entry", has_text="This session")).to_have_count(1)
        picture(page, "sessions")
        page.get_by_role("button", name="Sign out all others").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Sign out all others").click()
        expect(page.get_by_role("button", name="Sign out all others")).to_have_count(0)
        settled(page)
        assert all(other.get(console.url + "/session").status_code == 401 for other in others)
        page.get_by_role("button", name="Sign out everywhere").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Sign out everywhere").click()
        page.wait_for_url(re.compile("/login"))


# ------------------------------------------------------------------ where applications send people

def rules(page, what):
    """axe-core, past the page's own policy, which forbids every script."""
    if not AXE.exists():
        return []
    cdp = page.context.new_cdp_session(page)
    cdp.send("Page.enable")
    frame = cdp.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})["executionContextId"]
    script = AXE.read_text() + f";axe.run(document, {{runOnly: {json.dumps(AXE_RULES)}}}).then((r) => JSON.stringify(r.violations.map((v) => v.id + ': ' + v.nodes[0].html.slice(0, 160))))"
    answer = cdp.send("Runtime.evaluate", {"expression": script, "contextId": world, "awaitPromise": True, "returnByValue": True})
    assert "exceptionDetails" not in answer, answer
    return [f"{what}: {one}" for one in json.loads(answer["result"]["value"])]


def seen(page, what):
    """A page that the provider draws: no fault in either theme, at either width."""
    found = []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 860})
        picture(page, f"{what}.{width}")
        if too_wide(page) > 0 or page.evaluate("[...document.querySelectorAll('main *')].some((e) => e.getBoundingClientRect().right > innerWidth)"):
            found.append(f"{what}: too wide at {width}")
    return found + rules(page, what)


def ask(console, client_id, redirect, **more):
    return "/oauth2/authorize?" + urllib.parse.urlencode({
        "client_id": client_id, "response_type": "code", "scope": "openid profile email offline_access", "redirect_uri": redirect,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256", **more})


@pytest.mark.parametrize("language,theme", [("en-GB", "light"), ("zh-CN", "dark")])
def test_the_pages_of_applications(console, language, theme):
    who, client_id, redirect = console.person(), name("app"), f"{console.url}/nowhere"
    console.must(201, "POST", CLIENTS, console.root, json={
        "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client_id},
        "spec": {"displayName": "Notebook service", "redirectUris": [redirect], "public": True, "consentRequired": True,
                 "scopes": ["openid", "profile", "email", "offline_access"], "policyUri": "https://app.example/privacy",
                 "clientUri": "https://app.example/", "grantTypes": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]}})
    chinese = language == "zh-CN"
    found = []
    with console.visitor(language, theme) as page:
        # A device: its short address leads to the sign-in and back.
        asked = console.form("/oauth2/device_authorization", client_id=client_id, scope="openid profile").json()
        page.goto(asked["verification_uri"])
        page.wait_for_url(re.compile("/login"))
        begin(page, who, path=page.url)
        page.wait_for_url(re.compile("/oauth2/device"))
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN" if chinese else "en")
        expect(page.locator("h1")).to_have_text("登录设备" if chinese else "Sign a device in")
        found += seen(page, f"device.{language}")
        page.locator("#code").fill("BBBB-BBBB")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        found += seen(page, f"device-wrong.{language}")
        page.locator("#code").fill(asked["user_code"].lower())
        page.keyboard.press("Enter")
        expect(page.locator(".code")).to_have_text(asked["user_code"])
        found += seen(page, f"device-ask.{language}")
        page.get_by_role("button", name="允许" if chinese else "Allow", exact=True).click()
        expect(page.locator("h1")).to_have_text("设备已登录" if chinese else "The device is signed in")
        found += seen(page, f"device-done.{language}")

        page.goto(ask(console, client_id, redirect))
        expect(page.locator("main li")).to_have_count(4)
        found += seen(page, f"consent.{language}")
        page.get_by_role("button", name="允许" if chinese else "Allow", exact=True).click()
        page.wait_for_url(re.compile("/nowhere.*code="))
        expect(page.locator("h1")).to_have_text("未找到" if chinese else "Not found")

        page.goto(ask(console, client_id, "https://evil.example/"))
        expect(page.get_by_role("alert")).to_contain_text("redirect_uri")
        found += seen(page, f"oauth-error.{language}")

        page.goto("/oauth2/logout")
        found += seen(page, f"sign-out.{language}")
        page.get_by_role("link").click()
        page.wait_for_url(console.url + "/")
        expect(page.locator(".user-button")).to_be_visible()
        # The console's own choices hold here, too.
        page.locator(".user-button").click()
        page.get_by_role("menuitemradio", name="English" if chinese else "简体中文").click()
        expect(page.locator("html")).to_have_attribute("lang", "en" if chinese else "zh-CN")
        page.goto("/oauth2/logout")
        expect(page.locator("html")).to_have_attribute("lang", "en" if chinese else "zh-CN")
        page.locator("form button").click()
        page.wait_for_url(re.compile("/login"))
    assert found == []


# ------------------------------------------------------------------ all of them, looked at

@pytest.mark.parametrize("language,theme", [("en-GB", "light"), ("en-GB", "dark"), ("zh-CN", "light"), ("zh-CN", "dark")])
def test_the_steps_of_a_sign_in_are_drawn_without_a_fault(console, language, theme):
    chinese, found, key = language == "zh-CN", [], f"{language}.{theme}"
    who, _, _, codes = console.enrolled()
    forced, renewing = console.person(), console.person()
    console.patch_user(forced, mfa={"required": True})
    console.patch_user(renewing, passwordChangeRequired=True)
    with console.visitor(language, theme) as page:
        page.goto("/login")
        expect(page.locator("[name=username]")).to_be_visible()
        found += seen(page, f"step-login.{key}")
        begin(page, who)
        expect(page.locator("[name=code]")).to_be_visible()
        found += seen(page, f"step-totp.{key}")
        page.locator(".way").last.click()
        found += seen(page, f"step-recovery.{key}")
        page.locator(".who button").click()
        begin(page, renewing)
        expect(page.locator("[name=new-password]")).to_be_visible()
        found += seen(page, f"step-password.{key}")
        page.locator(".who button").click()
        begin(page, forced)
        expect(page.locator(".ways")).to_be_visible()
        found += seen(page, f"step-enrol.{key}")
        page.locator(".way").first.click()
        found += seen(page, f"step-passkey.{key}")
        page.get_by_role("button", name="选择其他方式" if chinese else "Choose another way").click()
        page.locator(".way").last.click()
        app = enrol_app(page, "二维码" if chinese else "QR code")
        expect(page.locator(".codes")).to_be_visible()
        found += seen(page, f"step-codes.{key}")
        assert app.used
    assert found == []
