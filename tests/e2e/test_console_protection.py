# SPDX-License-Identifier: Apache-2.0
"""What security officers do in the console: hits of the firewall, exclusions, the workbench, the guard, bans, traffic."""
import re
import subprocess
import time

import pytest
from playwright.sync_api import expect

from console_browser import PATIENCE_MS, alice, needs_console, needs_model, page, picture, serving, settled  # noqa: F401
from mfa_rig import MERGE
from test_console_pages import broken_rules, too_wide
from test_waf import ATTACKS, POLICIES, SETS, drop, in_force, object_call, put

pytestmark = needs_console
ALARM = {"model": "demo/notes", "user": "note: " + ATTACKS["sql"], "messages": [{"role": "user", "content": "x"}]}


def call(serving, body, reference):
    return serving.request("POST", "/v1/chat/completions", serving.operator_token(), json=body, headers={"X-Request-Id": reference})


@pytest.fixture(scope="module")
def attacked(serving, alice):
    """A platform whose firewall met this and that."""
    serving.wait_until("the rules in force", lambda: in_force(serving, SETS, "crs"), 240)
    put(serving, POLICIES, "watch", {"match": {"modelServices": ["demo/watched"]}, "mode": "Detect"})
    for i in range(3):
        assert call(serving, ALARM, f"console-alarm-{i}").status_code == 403
    call(serving, ALARM | {"model": "demo/watched"}, "console-watched")
    for name in ATTACKS:
        answer = subprocess.run(["curl", "-sS", "-m", "20", "--cacert", serving.ca, "-G", "--data-urlencode", f"q=what about {ATTACKS[name]}",
                                 serving.url + "/version"], capture_output=True, text=True, timeout=30)
        assert "looks like an attack" in answer.stdout
    yield serving
    drop(serving, POLICIES, "watch")


def looked_at(alice, path, name, prepare=lambda page: None):
    """A page with something on it, in both languages and themes, wide and narrow: no fault, and a picture for people."""
    for language, theme in (("en-GB", "light"), ("zh-CN", "dark")):
        alice.complaints.clear()
        page = alice.page(language, theme=theme)
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(path)
        settled(page)
        prepare(page)
        picture(page, f"{name}.{language}.1440")
        page.set_viewport_size({"width": 390, "height": 860})
        assert too_wide(page) <= 0, (name, language)
        picture(page, f"{name}.{language}.390")
        assert alice.complaints == []
        assert broken_rules(page) == []
        alice.complaints.clear()  # what the policy forbade axe
        page.context.close()


# ------------------------------------------------------------------ the firewall

def test_a_hit_is_found_and_looked_at(attacked, page):
    page.goto("/protection")
    settled(page)
    page.get_by_role("searchbox", name="Filter").fill("demo/notes")
    expect(page.locator("tbody tr")).to_have_count(3)
    # What the platform does to itself is asked for.
    page.get_by_role("searchbox", name="Filter").fill("system:drun:posture")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("switch", name="Own proofs").click()
    expect(page.locator("tbody tr").first).to_be_visible()
    page.get_by_role("switch", name="Own proofs").click()
    page.get_by_role("searchbox", name="Filter").fill("console-alarm-1")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody .primary-cell").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.locator("mark")).to_be_visible()
    expect(drawer.locator(".found-in")).to_have_text("ARGS:json.user")
    expect(drawer.get_by_text("console-alarm-1")).to_be_visible()
    expect(drawer.locator("pre")).to_contain_text("SecRule")
    drawer.get_by_role("link", name="Audit record").click()
    expect(page.locator(".proof-ok")).to_be_visible()
    expect(page.get_by_role("region", name="Record")).to_contain_text("drun.waf.hit")


def test_filters_and_live(attacked, page):
    page.goto("/protection")
    settled(page)
    every = page.locator("tbody tr").count()
    page.get_by_label("Score", exact=True).select_option("10")
    assert 0 < page.locator("tbody tr").count() < every or page.locator("tbody tr").count() == every
    assert "score=10" in page.url
    page.get_by_label("Score", exact=True).select_option("0")
    page.get_by_role("switch", name="Live").click()
    assert call(attacked, ALARM, "console-live").status_code == 403
    page.get_by_role("searchbox", name="Filter").fill("console-live")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_false_alarm_is_excluded_after_a_look_at_the_past(attacked, page):
    page.goto("/protection")
    settled(page)
    page.get_by_role("searchbox", name="Filter").fill("console-alarm-2")
    page.locator("tbody .primary-cell").click()
    page.get_by_role("dialog").get_by_role("button", name="Exclude…").click()
    form = page.get_by_role("dialog", name="Exclude a false alarm")
    expect(form.get_by_text("hits would have passed")).to_be_visible()
    found = int(form.locator("[role=status] .strong").inner_text().split()[0])
    assert found >= 3
    form.get_by_label("What").select_option("whole")
    form.get_by_label("Where").select_option("all")
    expect(form.get_by_text("every request to the platform")).to_be_visible()
    form.get_by_label("Where").select_option("service")
    form.get_by_label("What").select_option("narrow")
    form.get_by_label("Reason").fill("notes hold code")
    name = form.get_by_label("Policy").input_value()
    assert name == "allow-demo-notes"
    form.get_by_role("button", name="Write exclusion").click()
    expect(form).to_have_count(0)
    try:
        spec = object_call(attacked, "GET", f"{POLICIES}/{name}").json()["spec"]
        assert spec["match"] == {"modelServices": ["demo/notes"]}
        assert spec["exclusions"][0]["targets"] == ["ARGS:json.user"] and spec["exclusions"][0]["reason"] == "notes hold code"
        attacked.wait_until("the exclusion in force", lambda: in_force(attacked, POLICIES, name), 240)
        assert call(attacked, ALARM, "console-after").status_code != 403
        assert call(attacked, ALARM | {"model": "demo/other"}, "console-other").status_code == 403
        # The next one for the same requests goes to the same policy.
        page.goto("/protection")
        settled(page)
        page.get_by_role("searchbox", name="Filter").fill("console-alarm-2")
        page.locator("tbody .primary-cell").click()
        page.get_by_role("dialog").get_by_role("button", name="Exclude…").click()
        form.get_by_label("Where").select_option("service")
        expect(form.get_by_label("Policy")).to_have_attribute("readonly", "")
    finally:
        drop(attacked, POLICIES, name)


def test_a_request_is_pasted_and_the_narrowest_exclusion_suggested(attacked, alice, page):
    page.goto("/protection/workbench")
    settled(page)
    page.get_by_label("Request", exact=True).fill("GET /version HTTP/1.1\nHost: x\nbroken")
    page.get_by_role("button", name="Ask the rules").click()
    expect(page.locator(".notice-bad")).to_contain_text("line 3")
    alice.complaints.clear()  # the browser's own line about a 400
    page.get_by_role("button", name="Example").click()
    page.get_by_role("button", name="Ask the rules").click()
    expect(page.get_by_text("Refused", exact=True)).to_be_visible()
    expect(page.locator(".hit-card mark").first).to_be_visible()
    page.locator(".hit-card summary").first.click()
    expect(page.locator(".hit-card pre").first).to_contain_text("SecRule")
    page.get_by_role("button", name="Narrowest exclusion…").click()
    form = page.get_by_role("dialog", name="Exclude a false alarm")
    expect(form.get_by_label("Where").locator("option:checked")).to_have_text("/v1/chat/completions · demo/small")
    assert form.get_by_role("checkbox", checked=True).count() >= 1
    page.keyboard.press("Escape")
    page.get_by_label("Request", exact=True).fill("GET /v1/models HTTP/1.1\nHost: drun.example.com\nUser-Agent: curl/8\nAccept: */*\n\n")
    page.get_by_role("button", name="Ask the rules").click()
    expect(page.get_by_text("No rule met this request.")).to_be_visible()


def test_policies_and_rule_sets_are_written_and_faults_have_a_place(attacked, page):
    page.goto("/protection/rules")
    settled(page)
    expect(page.get_by_text("rules in force")).to_be_visible()
    page.get_by_role("button", name="New policy").click()
    form = page.get_by_role("dialog", name="New policy")
    form.get_by_label("Name", exact=True).fill("lab")
    form.get_by_label("Mode", exact=True).select_option("Detect")
    form.get_by_label("Paranoia level").select_option("2")
    form.get_by_label("Paths", exact=True).fill("/v1/embeddings")
    form.get_by_role("button", name="Add exclusion").click()
    form.get_by_label("Rules or tags").fill("942100, attack-rce")
    form.get_by_label("Values; none: the whole rule").fill("ARGS:json.user")
    form.get_by_role("button", name="Create").click()
    expect(form).to_have_count(0)
    try:
        spec = object_call(attacked, "GET", f"{POLICIES}/lab").json()["spec"]
        assert spec == {"match": {"paths": ["/v1/embeddings"]}, "mode": "Detect", "paranoiaLevel": 2,
                        "exclusions": [{"ruleIds": ["942100"], "ruleTags": ["attack-rce"], "targets": ["ARGS:json.user"]}]}
        page.get_by_role("button", name="lab", exact=True).click()
        form = page.get_by_role("dialog", name="lab")
        form.get_by_label("Paths", exact=True).fill("")
        form.get_by_label("Mode", exact=True).select_option("")
        form.get_by_role("button", name="Save").click()
        expect(form).to_have_count(0)
        spec = object_call(attacked, "GET", f"{POLICIES}/lab").json()["spec"]
        assert "match" not in spec and "mode" not in spec and spec["paranoiaLevel"] == 2
        page.get_by_role("button", name="Actions for lab").click()
        page.get_by_role("menuitem", name="Delete").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("button", name="lab", exact=True)).to_have_count(0)
    finally:
        drop(attacked, POLICIES, "lab")
    page.get_by_role("button", name="New rule set").click()
    form = page.get_by_role("dialog", name="New rule set")
    form.get_by_label("Name", exact=True).fill("broken")
    form.get_by_label("Own rules").fill("SecRule ARGS @nosuch x")
    form.get_by_role("button", name="Create").click()
    try:
        expect(page.locator(".why-bad")).to_contain_text("wafruleset/broken:1:", timeout=4 * PATIENCE_MS)
        picture(page, "protection-broken")
    finally:
        drop(attacked, SETS, "broken")
    attacked.wait_until("the rest in force", lambda: in_force(attacked, SETS, "crs"), 240)


def test_the_pages_of_the_firewall_look_right(attacked, alice):
    looked_at(alice, "/protection", "protection-hits")
    looked_at(alice, "/protection/rules", "protection-rules")

    def drawer(page):
        page.locator("tbody .primary-cell").first.click()
        expect(page.get_by_role("dialog").locator("pre")).to_be_visible()
    looked_at(alice, "/protection", "protection-hit", drawer)

    def exclude(page):
        page.locator(".table-filter input").fill("console-alarm-0")
        page.locator("tbody .primary-cell").first.click()
        page.get_by_role("dialog").locator(".dialog-foot .primary").click()
        expect(page.locator(".past li").first).to_be_visible()
    looked_at(alice, "/protection", "protection-exclude", exclude)

    def ask(page):
        page.locator(".desk-ask .button").first.click()
        page.locator(".desk-ask .primary").click()
        expect(page.locator(".hit-card").first).to_be_visible()
    looked_at(alice, "/protection/workbench", "protection-workbench", ask)

    def policy(page):
        page.locator("tbody .primary-cell").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
    looked_at(alice, "/protection/rules", "protection-policy", policy)


# ------------------------------------------------------------------ the guard

GUARDS = "/apis/drun.io/v1/namespaces/demo/guardpolicies"
TOLD = "Call 13800138000 with ghp_" + "a1B2c3D4e5F6" * 3 + " please"


@needs_model
def test_a_text_is_tried_and_the_policy_changed(serving, alice, page):
    page.goto("/protection/guard")
    settled(page)
    expect(page.get_by_label("Model", exact=True)).to_have_value("demo/gemma")
    page.get_by_label("Text").fill(TOLD)
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Masked", exact=True)).to_be_visible()
    expect(page.locator("mark.mark-mask")).to_have_text("ghp_" + "a1B2c3D4e5F6" * 3)
    expect(page.locator("mark.mark-detect")).to_have_text("13800138000")
    expect(page.locator(".found").last).to_contain_text("[github-token]")

    page.get_by_role("button", name="New guard policy").first.click()
    form = page.get_by_role("dialog", name="New guard policy")
    form.get_by_label("Name", exact=True).fill("tenant")
    form.get_by_label("Namespace").select_option("demo")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_text("Choose an action for something.")).to_be_visible()
    form.get_by_label("Personal data: Prompt").select_option("mask")
    form.get_by_role("button", name="19 detectors of “Secrets”").click()
    form.get_by_label("github-token: Prompt").select_option("block")
    form.get_by_label("github-token: Answer").select_option("block")
    picture(page, "guard-edit")
    assert broken_rules(page) == []
    alice.complaints.clear()
    form.get_by_role("button", name="Create").click()
    expect(form).to_have_count(0)
    assert object_call(serving, "GET", f"{GUARDS}/tenant").json()["spec"]["rules"] == [
        {"detector": "personal", "action": "mask", "direction": "request"}, {"detector": "github-token", "action": "block", "direction": "both"}]
    serving.wait_until("the policy in force", lambda: serving.request("POST", "/v1/guard", serving.operator_token(), json={
        "model": "demo/gemma", "direction": "request", "text": TOLD}).json()["verdict"] == "blocked", 60)
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Blocked", exact=True)).to_be_visible()
    page.get_by_role("button", name="tenant", exact=True).click()
    form = page.get_by_role("dialog", name="tenant")
    form.get_by_label("github-token: Prompt").select_option("")
    form.get_by_label("github-token: Answer").select_option("")
    # What is written beside the rules meanwhile is no conflict; what another wrote into them is.
    beside = {"metadata": {"labels": {"seen": "yes"}}}
    assert object_call(serving, "PATCH", f"{GUARDS}/tenant", beside, **MERGE).status_code == 200
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    picture(page, "guard-saved")
    assert len(object_call(serving, "GET", f"{GUARDS}/tenant").json()["spec"]["rules"]) == 1
    page.get_by_role("button", name="tenant", exact=True).click()
    theirs = {"spec": {"rules": [{"detector": "secret", "action": "block"}]}}
    assert object_call(serving, "PATCH", f"{GUARDS}/tenant", theirs, **MERGE).status_code == 200
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("has changed in the meantime")).to_be_visible()
    form.get_by_role("button", name="Cancel").click()
    alice.complaints.clear()

    def look(page):
        page.locator("textarea").fill(TOLD)
        page.locator("form .primary").click()
        expect(page.locator("mark").first).to_be_visible()
    looked_at(alice, "/protection/guard", "protection-guard", look)
    page.get_by_role("button", name="Actions for tenant").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No policies yet")).to_be_visible()


# ------------------------------------------------------------------ bans

def bans(serving):
    return [ban["spec"]["address"] for ban in object_call(serving, "GET", "/apis/limits.drun.io/v1/bans").json()["items"]]


def get_banned(serving, address):
    """Asks from another address of this machine, many at once, until it is shut out: what is asked then may wait for long."""
    words = ["curl", "-s", "-m", "30", "--cacert", serving.ca, "--interface", address, "--http2", "-Z", "--parallel-max", "100",
             "-o", "/dev/null", f"{serving.url}/version?[1-9000]"]
    deadline = time.monotonic() + 180
    asking = None
    try:
        while address not in bans(serving):
            assert time.monotonic() < deadline, "it is never banned"
            if asking is None or asking.poll() is not None:
                asking = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.2)
    finally:
        if asking is not None:
            asking.kill()
            asking.wait()


def test_a_ban_is_seen_and_ended(serving, alice, page):
    page.goto("/protection/bans")
    settled(page)
    expect(page.get_by_text("Nobody is banned")).to_be_visible()
    expect(page.get_by_role("heading", name="Model calls")).to_be_visible()
    get_banned(serving, "127.0.0.9")
    row = page.locator("tbody tr", has_text="127.0.0.9")
    expect(row).to_be_visible()
    expect(row).to_contain_text("Requests")
    row.get_by_role("button", name="Unban 127.0.0.9").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Unban").click()
    expect(row).to_have_count(0)
    assert bans(serving) == []
    get_banned(serving, "127.0.0.10")

    def drawn(page):
        expect(page.locator(".weather path.line").first).to_have_attribute("d", re.compile("L"))
    looked_at(alice, "/protection/bans", "protection-bans", drawn)


# ------------------------------------------------------------------ traffic

@needs_model
def test_traffic_is_counted_by_model_namespace_and_caller(serving, alice, page):
    for _ in range(5):
        answer = serving.request("POST", "/v1/chat/completions", serving.operator_token(), json={
            "model": "demo/gemma", "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]})
        assert answer.status_code == 200, answer.text
    page.goto("/traffic?span=live")
    settled(page)
    row = page.locator("tbody tr", has_text="demo/gemma")
    expect(row).to_be_visible()
    row.get_by_role("button", name="demo/gemma").click()
    expect(page.get_by_role("heading", level=2, name="demo/gemma")).to_be_visible()
    assert "model=demo%2Fgemma" in page.url
    expect(page.get_by_text(re.compile(r"^\d+ in all$"))).to_be_visible()
    expect(page.locator("path.line-one")).to_have_attribute("d", re.compile("M"))
    page.get_by_role("button", name="Namespace", exact=True).click()
    expect(page.locator("tbody tr", has_text="demo")).to_be_visible()
    page.get_by_role("button", name="Caller", exact=True).click()
    expect(page.locator("tbody tr", has_text="system:operator")).to_be_visible()
    page.get_by_role("button", name="Last day").click()
    settled(page)
    looked_at(alice, "/traffic?span=live", "traffic")
