# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import sys

import pytest

# The tests say which authority they trust; what the machine sets for its own clients would override that.
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(name, None)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from platform_process import Platform  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A browser test that fails says what its page said."""
    outcome = yield
    report = outcome.get_result()
    page = item.funcargs.get("page") if call.when == "call" and report.failed else None
    if page is not None:
        report.sections.append(("the page", f"{page.url}\n{page.locator('body').inner_text()}"))


@pytest.fixture(scope="session")
def platform():
    """One platform for all tests that leave it as they found it."""
    running = Platform()
    running.start()
    yield running
    code = running.stop()
    running.remove()
    assert code == 0


@pytest.fixture
def own_platform():
    """A platform that a test may break; not started yet."""
    own = Platform()
    yield own
    if own.process:
        own.stop()
    own.remove()
