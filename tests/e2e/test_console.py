# SPDX-License-Identifier: Apache-2.0
"""What a person does in the console, from the sign-in to the sign-out, in a real browser against a real platform."""
import re
import urllib.parse

from playwright.sync_api import expect

from console_browser import PASSWORD, alice, needs_console, needs_model, page, picture, serving, settled, sign_in  # noqa: F401

pytestmark = needs_console


def object_of(serving, path):
    return serving.request("GET", f"/apis/drun.io/v1/{path}", serving.operator_token()).json()


# ------------------------------------------------------------------ signing in and out

def test_who_is_unknown_signs_in_and_comes_back_to_the_page(alice):
    alice.complaints.clear()
    page = alice.page(signed_in=False)
    page.goto("/audit?outcome=denied")
    page.wait_for_url(re.compile(r"/login\?return="))
    expect(page.locator("[name=username]")).to_be_visible()
    picture(page, "login")
    sign_in(page, "alice")
    page.wait_for_url("**/audit?outcome=denied")
    settled(page)
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert not re.search("verifier|token", stored, re.I), "no token and no verifier stay in storage"
    page.reload()  # needs no password
    settled(page)
    assert page.url.endswith("/audit?outcome=denied")
    assert alice.complaints == []
    page.context.close()


def test_a_wrong_password_is_refused_and_an_evil_return_is_ignored(alice):
    page = alice.page(signed_in=False)
    page.goto(f"/login?return={urllib.parse.quote('//evil.example/oauth2/authorize?x')}")
    page.locator("[name=username]").fill("alice")
    page.locator("[name=password]").fill("not the password at all")
    page.locator("[type=submit]").click()
    expect(page.get_by_text("The username or the password is wrong.")).to_be_visible()
    alice.complaints.clear()  # the browser notes the 401
    sign_in(page, "alice")
    expect(page.locator(".ring")).to_be_visible()
    assert page.url.startswith(alice.url) and alice.complaints == []
    page.context.close()


def test_a_token_near_its_end_is_renewed_in_the_background(page):
    page.clock.install()
    page.goto("/keys")
    settled(page)
    renewed = []
    page.on("request", lambda request: "prompt=none" in request.url and renewed.append(request.url))
    page.clock.fast_forward("09:20")  # of its ten minutes
    page.locator(".side-nav a[href='/models']").click()
    settled(page)
    assert len(renewed) == 1
    expect(page).to_have_title("Model services · drun")
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_signing_out_ends_the_session(alice):
    page = alice.page(signed_in=False)
    alice.complaints.clear()
    page.goto("/account")
    page.wait_for_url(re.compile("/login"))
    sign_in(page, "alice")
    page.wait_for_url("**/account")
    settled(page)
    expect(page.get_by_text("This session")).to_be_visible()
    cookies = page.context.cookies()
    page.locator(".user-button").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url(re.compile("/login"))
    assert alice.complaints == []
    # The old cookie opens nothing any more.
    page.context.clear_cookies()
    page.context.add_cookies(cookies)
    page.goto("/account")
    page.wait_for_url(re.compile("/login"))
    page.context.close()


def test_language_and_theme_change_without_a_reload_and_stay(page):
    page.goto("/models")
    settled(page)
    page.locator(".user-button").click()
    page.get_by_role("menuitemradio", name="简体中文").click()
    expect(page.get_by_role("heading", name="模型服务", exact=True)).to_be_visible()
    page.locator(".user-button").click()
    page.get_by_role("menuitemradio", name="深色").click()
    expect(page.locator(":root[data-theme=dark]")).to_have_count(1)
    page.reload()
    settled(page)
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]") == ["zh-CN", "dark"]


# ------------------------------------------------------------------ keys

def test_a_key_is_made_shown_once_limited_and_revoked(serving, page):
    page.goto("/keys")
    settled(page)
    page.get_by_role("button", name="Create key").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.locator(".field-error").first).to_be_visible()  # it has no name yet
    dialog.locator("input").first.fill("browser-key")
    dialog.get_by_label("Allowed addresses").fill("10.0.0.0/33")
    expect(dialog.get_by_text("Not an address range: 10.0.0.0/33")).to_be_visible()
    dialog.get_by_label("Allowed addresses").fill("127.0.0.0/8")
    dialog.get_by_label("Expires").select_option("30")
    dialog.get_by_label("Requests per minute").fill("60")
    picture(page, "key-create")
    dialog.get_by_role("button", name="Create key").click()
    expect(page.locator(".secret output")).to_be_visible()
    secret = page.locator(".secret output").inner_text()
    assert secret.startswith("sk-drun-")
    picture(page, "key-created")
    expect(page.get_by_role("button", name="Done")).to_be_disabled()
    page.get_by_label("I have saved the secret").check()
    page.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name="browser-key")
    expect(row).to_contain_text("127.0.0.0/8")
    assert secret not in page.content()
    spec = object_of(serving, "namespaces/default/apikeys/browser-key")["spec"]
    assert spec["limits"] == {"requestsPerMinute": 60} and spec["scopes"]["cidrs"] == ["127.0.0.0/8"] and spec["expiresAt"]
    assert serving.request("GET", "/v1/models", secret).status_code == 200

    page.get_by_role("button", name="Actions for browser-key").click()
    page.get_by_role("menuitem", name="Disable").click()
    expect(row).to_contain_text("Disabled")
    serving.wait_until("the refusal", lambda: serving.request("GET", "/v1/models", secret).status_code == 401)
    page.get_by_role("button", name="Actions for browser-key").click()
    page.get_by_role("menuitem", name="Enable").click()
    expect(row).to_contain_text("Active")
    page.get_by_role("button", name="Actions for browser-key").click()
    page.get_by_role("menuitem", name="Revoke").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    serving.wait_until("the revocation", lambda: serving.request("GET", "/v1/models", secret).status_code == 401)


# ------------------------------------------------------------------ users and roles

def test_an_invited_person_signs_in_is_shut_out_and_deleted(serving, alice, page):
    page.goto("/access")
    settled(page)
    page.get_by_role("button", name="Invite user").click()
    page.get_by_role("dialog").locator("input").first.fill("bob")
    page.get_by_role("dialog").get_by_label("drun:auditors").check()
    picture(page, "invite")
    page.get_by_role("button", name="Create invitation").click()
    expect(page.locator(".secret output")).to_be_visible()
    link = page.locator(".secret output").inner_text()
    page.get_by_label("I have copied the link").check()
    page.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name="bob")
    expect(row).to_contain_text("Invited")

    guest = alice.page(signed_in=False)
    guest.goto(link)
    expect(guest.locator("[name=username]")).to_have_value("bob")
    guest.locator("[name=password]").fill(PASSWORD)
    guest.locator("[type=submit]").click()
    expect(guest.locator(".ring")).to_be_visible()
    guest.goto("/audit")
    expect(guest.locator("tbody .primary-cell").first).to_be_visible()
    guest.goto("/access")  # an auditor reads, and may change nothing
    settled(guest)
    guest.get_by_role("button", name="Actions for alice").click()
    guest.get_by_role("menuitem", name="Disable").click()
    guest.get_by_role("alertdialog").get_by_role("button", name="Disable").click()
    expect(guest.get_by_role("alertdialog")).to_contain_text("You may not see or do this")
    picture(guest, "refused")
    guest.goto("/keys")
    alice.complaints.clear()  # the browser notes the 403

    page.reload()
    expect(row).to_contain_text("Active")
    assert object_of(serving, "users/bob")["status"]["lastLogin"]
    page.get_by_role("button", name="Actions for bob").click()
    page.get_by_role("menuitem", name="Disable").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("Disabled")
    guest.goto("/audit")
    guest.wait_for_url(re.compile("/login"))
    guest.context.close()
    alice.complaints.clear()
    page.get_by_role("button", name="Actions for bob").click()
    page.get_by_role("menuitem", name="Enable").click()
    expect(row).to_contain_text("Active")
    page.get_by_role("button", name="Actions for bob").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_a_role_is_read_given_and_taken(page):
    page.goto("/access/roles")
    settled(page)
    role = page.get_by_role("row", name=re.compile("^admin "))
    expect(role).to_have_text(re.compile(r"admin[1-9]\d*0$"))  # it gathers its rules from others
    page.get_by_role("button", name="admin", exact=True).click()
    expect(page.get_by_role("dialog").get_by_text("rolebindings").first).to_be_visible()
    picture(page, "role")
    page.keyboard.press("Escape")

    page.goto("/access/bindings")
    settled(page)
    page.get_by_role("button", name="Assign role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("carol")
    dialog.get_by_label("Role", exact=True).select_option("drun:viewer")
    dialog.get_by_label("Where").select_option("default")
    dialog.get_by_role("button", name="Assign role").click()
    row = page.get_by_role("row", name="carol")
    expect(row).to_contain_text("drun:viewer")
    page.goto("/access/who-can")
    settled(page)
    page.get_by_label("Resource").select_option("modelservices")
    page.get_by_label("Verb").select_option("list")
    page.locator("main").get_by_label("Namespace").select_option("default")
    expect(row).to_contain_text("drun:viewer")
    page.goto("/access/bindings")
    row.get_by_role("button").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


# ------------------------------------------------------------------ proofs

def test_a_proof_runs_and_its_result_appears(serving, page):
    def checked():
        return object_of(serving, "controls/en-1")

    serving.wait_until("the first proofs", lambda: checked().get("status", {}).get("verdict") == "proven", timeout=120)
    before = checked()["metadata"]["resourceVersion"]
    page.goto("/")
    settled(page)
    page.locator(".control-open", has_text="EN-1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run now").click()
    serving.wait_until("the proof", lambda: checked()["metadata"]["resourceVersion"] != before, timeout=60)
    expect(dialog.get_by_role("button", name="Run now")).to_be_enabled()
    expect(dialog.locator("[aria-busy=true]")).to_have_count(0)
    expect(dialog.locator(".evidence")).to_contain_text("a handshake with TLS 1.2 is refused")
    picture(page, "evidence")
    page.keyboard.press("Escape")
    expect(page.locator(".control-open", has_text="EN-1")).to_be_focused()
    # A control without a proof offers none.
    page.locator(".control-open", has_text="BK-1").click()
    expect(page.get_by_role("dialog")).to_contain_text("Backup")
    expect(page.get_by_role("dialog").get_by_role("button", name="Run now")).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Run all proofs").click()
    expect(page.get_by_text("All controls have been probed")).to_be_visible(timeout=120_000)


# ------------------------------------------------------------------ models

@needs_model
def test_a_chat_streams_and_is_counted(serving, page):
    page.goto("/playground?model=demo/gemma")
    settled(page)
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Message").fill("What is the capital of France?")
    page.keyboard.press("Enter")
    expect(page.locator(".figures")).to_be_visible(timeout=180_000)
    expect(page.locator(".answer .prose").first).to_contain_text("Paris")
    picture(page, "chat")

    page.goto("/models/demo/gemma")
    settled(page)
    expect(page.get_by_text(re.compile("median"))).to_be_visible()
    expect(page.locator("svg[role=img] .bar")).not_to_have_count(0)
    picture(page, "service-used")
    # The page follows by itself.
    answered = page.locator(".chart-legend").first.locator(".num.strong").first
    before = int(answered.inner_text())
    body = {"model": "demo/gemma", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}
    assert serving.request("POST", "/v1/chat/completions", serving.operator_token(), json=body, timeout=180).status_code == 200
    expect(answered).to_have_text(str(before + 1))
    page.get_by_role("button", name="24 hours").click()
    expect(answered).to_have_text(str(before + 1))
    page.goto("/")
    expect(page.get_by_text(re.compile(r"[1-9]\d* in, [1-9]\d* out"))).to_be_visible()
    # The proofs' own attempts are not among the calls that were denied.
    expect(page.locator(".stat", has_text="Denied").locator(".stat-value")).to_have_text("0")


@needs_model
def test_an_answer_can_be_stopped_and_a_refusal_is_explained(alice, page):
    page.goto("/playground?model=demo/gemma")
    settled(page)
    page.route("**/v1/chat/completions", lambda route: None)  # it never begins
    page.get_by_label("Message").fill("Tell me a long story.")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped by you.")).to_be_visible()
    page.unroute("**/v1/chat/completions")
    page.get_by_label("Most tokens in the answer").fill("5000")
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".answer").nth(1)).to_contain_text("max_tokens must be at most 256")
    picture(page, "chat-refused")
    alice.complaints.clear()  # the browser notes the 400


# ------------------------------------------------------------------ the audit log

def test_the_log_is_searched_followed_and_exported(serving, page):
    page.goto("/audit")
    settled(page)
    page.get_by_label("Event").fill("drun.auth.*")
    page.wait_for_url(re.compile("event="))
    expect(page.locator("tbody .audit-event", has_text="drun.api.request")).to_have_count(0)
    page.get_by_label("Actor").fill("alice")
    expect(page.locator("tbody tr", has_text="system:")).to_have_count(0)
    page.goto("/audit")
    settled(page)
    newest = page.locator("tbody tr").first
    before = newest.inner_text()
    page.get_by_role("switch", name="Live").click()
    assert serving.request("GET", "/apis/drun.io/v1/users", serving.operator_token()).status_code == 200
    expect(newest).not_to_have_text(before)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert re.match("\ufeffindex,time,event,outcome,", text) and text.count("\n") > 10


def test_each_entry_is_verified_in_the_browser(alice, page):
    page.goto("/audit?event=drun.auth.*")
    settled(page)
    for i in range(3):
        page.locator("tbody .primary-cell").nth(i).click()
        expect(page.get_by_text("Verified in your browser")).to_be_visible()
        index = page.url.split("/")[-1].split("?")[0]
        picture(page, "proof")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)

    # The same entry, changed on its way: the browser must see it.
    forged = alice.page()

    def forge(route):
        answer = route.fetch()
        body = answer.json()
        body["event"]["user.name"] = "mallory"
        route.fulfill(response=answer, json=body)

    forged.route(f"**/auditevents/{index}", forge)
    forged.goto(f"/audit/{index}")
    expect(forged.get_by_text("This entry is not proved")).to_be_visible()
    picture(forged, "proof-forged")
    forged.context.close()
