# SPDX-License-Identifier: Apache-2.0
"""A real browser on the console of a real platform, for the tests of the console. DRUN_SHOTS=FOLDER leaves pictures."""
import os
import pathlib
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from platform_process import ROOT, Platform
from test_models import ENGINE, MODEL, apply, model, phase, service, tenant

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
PASSWORD = "correct horse battery staple"
HAS_MODEL = MODEL.exists() and ENGINE.exists()
# As `make run` serves it: what a newcomer sees must make sense.
DEMO_ARGS = ["--reverse-prompt", "\\n\\nUser:", "--reverse-prompt", "\\nUser:", "--repeat-penalty", "1.05",
             "--chat-template", (ROOT / "tools" / "demo-chat.jinja").read_text()]
PATIENCE_MS = int(os.environ.get("PATIENCE_MS", "60000"))  # a machine that does eight other things must not fail a test

needs_model = pytest.mark.skipif(not HAS_MODEL, reason="the small model or its engine could not be downloaded (tools/fetch-model)")
needs_console = [
    pytest.mark.skipif(not shutil.which(CHROMIUM), reason=f"there is no Chromium at {CHROMIUM}"),
    pytest.mark.skipif(not (ROOT / "build" / "share" / "drun" / "console" / "index.html").exists(),
                       reason="the console is not built (build/share/drun/console)"),
]
expect.set_options(timeout=PATIENCE_MS)

# Violations of the content security policy become errors of the console, which every test collects; layout shifts add up.
WATCH = """
addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.effectiveDirective, e.blockedURI));
globalThis.shift = 0;
new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) globalThis.shift += e.value; })
  .observe({ type: 'layout-shift', buffered: true });
"""


class Browser:
    """Contexts of one Chromium; what they complain of is in `complaints`."""

    def __init__(self, chromium, url):
        self.chromium, self.url, self.complaints, self.state = chromium, url, [], None

    def page(self, language="en-GB", signed_in=True, theme="light", width=1280):
        context = self.chromium.new_context(base_url=self.url, locale=language, ignore_https_errors=True, reduced_motion="reduce",
                                            color_scheme=theme, viewport={"width": width, "height": 860},
                                            storage_state=self.state if signed_in else None)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self.complaints.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        return page


@pytest.fixture(scope="module")
def serving():
    """A platform with a model service, where the small model is there; nobody has an account yet."""
    running = Platform(**({"model_dirs": MODEL.parent, "engine_dirs": ENGINE.parent} if HAS_MODEL else {}))
    running.start()
    if HAS_MODEL:
        serves = service("demo")
        serves["spec"]["engine"]["args"] = DEMO_ARGS
        apply(running, *tenant("demo"), model("demo"), serves)
        running.wait_until("the model service", lambda: phase(running, "demo") == "Ready", timeout=180)
    yield running
    running.stop()
    running.remove()


@pytest.fixture(scope="module")
def alice(serving):
    """A browser in which the first administrator has just signed up by the one-time link."""
    link = (serving.run_dir / "idp" / "setup-link").read_text().strip()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS)
        browser = Browser(chromium, serving.url)
        page = browser.page(signed_in=False)
        page.goto(link)
        page.locator("[name=username]").fill("alice")
        page.locator("[name=name]").fill("Alice")
        page.locator("[name=password]").fill(PASSWORD)
        picture(page, "setup")
        page.locator("[type=submit]").click()
        expect(page.locator(".ring")).to_be_visible()
        assert "token" not in page.url and browser.complaints == []
        browser.state = page.context.storage_state()
        page.context.close()
        yield browser
        chromium.close()


@pytest.fixture
def page(alice):
    page = alice.page()
    alice.complaints.clear()
    yield page
    page.context.close()
    assert alice.complaints == []


def picture(page, name):
    if folder := os.environ.get("DRUN_SHOTS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True, animations="disabled")


def settled(page):
    """Everything has been drawn, and nothing of it is an error."""
    expect(page.locator("main:not(.splash) h1")).to_be_visible()
    expect(page.locator(".bone, .splash, .page-wait, [aria-busy=true]")).to_have_count(0)
    expect(page.locator(".notice-bad, .blank[role=alert]")).to_have_count(0)


def sign_in(page, name):
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[type=submit]").click()
