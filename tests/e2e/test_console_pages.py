# SPDX-License-Identifier: Apache-2.0
"""Every page of the console, looked at: both languages, both themes, a desk and a phone; by keyboard; empty, slow, refused, broken, long."""
import collections
import json
import re

import pytest
from playwright.sync_api import expect

from console_browser import HAS_MODEL, PATIENCE_MS, alice, needs_console, page, picture, serving, settled  # noqa: F401
from platform_process import ROOT

AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIRST_LOAD_MAX = 250 * 1024
SHIFT_MAX = 0.02
PAGES = ["/", "/models", "/models/catalog", "/playground", "/keys", "/audit", "/audit/3", "/access", "/access/groups",
         "/access/roles", "/access/bindings", "/access/who-can", "/access/clients", "/access/issuers", "/access/providers", "/access/new-provider/oidc",
         "/access/review", "/access/scim", "/budgets", "/account",
         "/protection", "/protection/rules", "/protection/workbench", "/protection/guard", "/protection/bans", "/traffic",
         "/account/security", "/account/links", "/account/sessions", "/about", "/nowhere"]
if HAS_MODEL:
    PAGES.append("/models/demo/gemma")

pytestmark = needs_console


def too_wide(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def broken_rules(page):
    """By axe-core. Base UI's focus guards are hidden and focusable on purpose: they hand the focus on at once."""
    page.evaluate(AXE.read_text())
    result = page.evaluate("(rules) => axe.run({exclude: [['[data-base-ui-focus-guard]']]}, {runOnly: rules})", AXE_RULES)
    return [f"{violation['id']}: {violation['nodes'][0]['html'][:160]}" for violation in result["violations"]]


def faults(page, path, language):
    """What is wrong with a page, as a list of sentences."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(path)
    settled(page)
    if path.startswith("/audit/"):
        expect(page.locator(".proof-ok")).to_be_visible()
    found = []
    if page.evaluate("document.documentElement.lang") != {"en-GB": "en", "zh-CN": "zh-CN"}[language]:
        found.append("the wrong language")
    text = page.locator("main").inner_text()
    if shown := re.search(r"\bundefined\b|\bNaN\b|\[object |Invalid Date", text):
        found.append(f"it says {shown.group(0)}")
    if (shift := page.evaluate("globalThis.shift")) > SHIFT_MAX:
        found.append(f"it moved by {shift:.3f} while it was drawn")
    return found


@pytest.mark.parametrize("language,theme", [("en-GB", "light"), ("en-GB", "dark"), ("zh-CN", "light")])
def test_every_page_is_drawn_without_a_fault(alice, language, theme):
    alice.complaints.clear()
    page = alice.page(language, theme=theme)
    found = collections.defaultdict(list)
    for path in PAGES:
        found[path] += faults(page, path, language)
        name = f"{language}.{theme}{path.replace('/', '_')}"
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 860})
            picture(page, f"{name}.{width}")
            if (wide := too_wide(page)) > 0:
                found[path].append(f"at {width} pixels it is {wide} too wide")
        found[path] += alice.complaints
        if AXE.exists():
            found[path] += broken_rules(page)
        alice.complaints.clear()  # what the policy forbade axe
    page.context.close()
    assert {path: what for path, what in found.items() if what} == {}


def test_the_first_load_is_small(alice):
    page = alice.page()
    sizes = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    names = {}
    session.on("Network.responseReceived", lambda event: names.update({event["requestId"]: event["response"]["url"]}))
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    page.goto("/")
    settled(page)
    page.context.close()
    files = collections.Counter()
    for request, size in sizes.items():
        if not re.search(r"/(apis?|oauth2|session)/", names[request]):
            files[names[request].split("/")[-1].split("?")[0]] += size
    print(f"first load: {sum(files.values()) / 1024:.0f} KiB in {len(files)} files")
    assert sum(files.values()) <= FIRST_LOAD_MAX, files


# ------------------------------------------------------------------ by keyboard alone

FOCUS = """() => { const e = document.activeElement; if (!e || e === document.body) return null;
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  globalThis.order ??= new Map(); if (!order.has(e)) order.set(e, order.size);
  return { id: order.get(e), name: e.outerHTML.slice(0, 120), guard: e.hasAttribute('data-base-ui-focus-guard'),
           seen: box.width > 0 && box.height > 0 && style.visibility === 'visible',
           ring: style.outlineStyle !== 'none' || style.boxShadow !== 'none' || style.borderColor !== '' }; }"""


@pytest.mark.parametrize("path", PAGES)
def test_the_keyboard_reaches_everything_and_leaves_again(page, path):
    page.goto(path)
    settled(page)
    if path.startswith("/audit/"):
        page.keyboard.press("Escape")
        page.wait_for_url("**/audit")
        settled(page)
    controls = page.locator("main a:visible, main button:visible:enabled, main input:visible:enabled, main select:visible").count()
    page.evaluate("document.activeElement?.blur(); window.getSelection()?.removeAllRanges()")
    visited = []
    for _ in range(controls + 60):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None or any(focus["id"] == before["id"] for before in visited):
            break
        visited.append(focus)
    else:
        pytest.fail("the focus never comes out of the page")
    assert [focus["name"] for focus in visited if not focus["guard"] and not (focus["seen"] and focus["ring"])] == []
    assert len(visited) >= controls, "there are controls that the keyboard does not reach"


def test_a_key_is_made_by_keyboard_alone(page):
    page.goto("/")
    settled(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator(".side-nav a[href='/keys']").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="API keys")).to_be_focused()
    settled(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Create key").first).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    name = dialog.locator("input").first
    for _ in range(3):
        if name.evaluate("e => e === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(name).to_be_focused()
    page.keyboard.type("by-keyboard")
    page.keyboard.press("Enter")
    expect(page.locator(".secret output")).to_have_text(re.compile("^sk-drun-"))
    page.keyboard.press("Escape")  # does not throw the secret away
    expect(page.locator(".secret")).to_be_visible()
    page.get_by_label("I have saved the secret").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Done")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".secret")).to_have_count(0)
    page.get_by_role("button", name="Actions for by-keyboard").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Disable")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Actions for by-keyboard")).to_be_focused()


# ------------------------------------------------------------------ empty, slow, refused, broken, long

EMPTY = {"/models": "No model services yet", "/models/catalog": "No models yet", "/keys": "No API keys yet"}


def test_an_empty_namespace_says_what_to_do(serving, page):
    made = serving.request("POST", "/api/v1/namespaces", serving.operator_token(), json={
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "an-empty-namespace-with-quite-a-long-name-for-one-lab"}})
    assert made.status_code == 201
    page.goto("/models")
    settled(page)
    page.locator(".ns-button").click()
    page.get_by_role("menuitemradio", name="an-empty-namespace").click()
    for path, text in EMPTY.items():
        page.goto(path)
        expect(page.get_by_text(text)).to_be_visible()
        settled(page)
        picture(page, f"empty{path.replace('/', '_')}")
    page.set_viewport_size({"width": 390, "height": 844})
    assert too_wide(page) <= 0


@pytest.mark.parametrize("path,kind", [("/", "controls"), ("/keys", "apikeys"), ("/access", "users"), ("/audit", "auditevents")])
def test_while_it_waits_it_shows_the_shape(alice, path, kind):
    page = alice.page()
    held = []
    page.route(f"**/apis/**/{kind}?**", lambda route: route.continue_() if held is None else held.append(route))
    page.goto(path)
    expect(page.locator(".bone").first).to_be_visible()
    picture(page, f"slow-{kind}")
    assert too_wide(page) <= 0
    held, waiting = None, held
    for route in waiting:
        route.continue_()
    settled(page)
    assert page.evaluate("globalThis.shift") <= SHIFT_MAX
    page.context.close()


@pytest.mark.parametrize("path,kind", [("/", "controls"), ("/models", "modelservices"), ("/keys", "apikeys"), ("/access", "users"),
                                       ("/audit", "auditevents")])
def test_an_error_says_why_and_can_be_tried_again(alice, path, kind):
    page = alice.page()
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "ServiceUnavailable", "code": 503,
              "message": "the audit log cannot be written; nothing was changed"}
    page.route(f"**/apis/**/{kind}?**", lambda route: route.fulfill(status=503, content_type="application/json", body=json.dumps(status)))
    page.goto(path)
    expect(page.locator(".blank[role=alert]")).to_contain_text("the audit log cannot be written")
    picture(page, f"error-{kind}")
    page.unroute(f"**/apis/**/{kind}?**")
    page.get_by_role("button", name="Try again").click()
    settled(page)
    page.context.close()
    alice.complaints.clear()


def test_a_thousand_rows_are_found_and_drawn_in_parts(serving, page):
    token = serving.operator_token()
    for i in range(1000):
        body = {"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": f"team-{i:04}"},
                "spec": {"displayName": f"Team {i} of a department with a rather long name", "members": [f"member-{i}"]}}
        assert serving.request("POST", "/apis/drun.io/v1/groups", token, json=body).status_code == 201
    page.goto("/access/groups")
    settled(page)
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(200)
    page.get_by_role("searchbox", name="Filter").fill("member-73 team")
    expect(page.get_by_text("11 of 1,000")).to_be_visible()  # 73 and 730 to 739
    expect(rows).to_have_count(11)
    picture(page, "filtered")
    page.get_by_role("searchbox", name="Filter").fill("no such team")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("searchbox", name="Filter").fill("")
    expect(rows).to_have_count(100, timeout=PATIENCE_MS)
    assert too_wide(page) <= 0
