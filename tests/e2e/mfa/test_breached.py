# SPDX-License-Identifier: Apache-2.0
"""Breached passwords by a service that is asked with five digits of a hash."""
import re
import urllib.parse

import pytest

from breach_service import BreachService, digits
from identity import PASSWORD, USERS, name
from mfa_rig import Mfa

LEAKED = "this one was in a breach"
AUDIT = "/apis/audit.drun.io/v1/auditevents"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = BreachService(tmp_path_factory.mktemp("breach"), LEAKED)
    yield running
    running.shutdown()


@pytest.fixture(scope="module")
def idp(service):
    with Mfa(**service.settings(breached_timeout="1s")).serving() as running:
        yield running


@pytest.fixture(autouse=True)
def well(service):
    service.behave = None
    service.asked.clear()


def invite(idp, **spec):
    made = idp.must(201, "POST", USERS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": name("u")}, "spec": spec})
    token = urllib.parse.parse_qs(urllib.parse.urlparse(made["status"]["inviteURL"]).fragment)["token"][0]
    return made["metadata"]["name"], token


def records(idp, event):
    return [one["event"] for one in idp.must(200, "GET", AUDIT + "?limit=200", idp.root)["items"] if one["event"]["event.name"] == event]


def test_the_service_hears_five_digits_and_nothing_else(idp, service):
    who, token = invite(idp)
    refused = idp.post(idp.browser(), "/session/accept", 422, token=token, password=LEAKED)
    assert "breach" in refused["detail"]
    path, headers = service.asked[0]
    assert path == "/range/" + digits(LEAKED)[:5] and headers["add-padding"] == "true"
    assert digits(LEAKED)[5:].lower() not in str(service.asked).lower() and who not in str(service.asked)
    assert "cookie" not in headers and "authorization" not in headers
    idp.post(idp.browser(), "/session/accept", 204, token=token, password=PASSWORD)
    assert service.asked[1][0] == "/range/" + digits(PASSWORD)[:5]


def test_every_way_to_a_new_password_asks(idp, service):
    who, token = invite(idp)
    browser = idp.browser()
    idp.post(browser, "/session/accept", 204, token=token, password=PASSWORD)
    assert "breach" in idp.post(browser, "/session/password", 422, current=PASSWORD, new=LEAKED)["detail"]
    idp.sign_in(who)
    idp.patch_user(who, passwordChangeRequired=True)
    browser, _ = idp.begin(who)
    assert "breach" in idp.post(browser, "/session/sign-in/password", 422, new=LEAKED)["detail"]
    idp.post(browser, "/session/sign-in/password", 204, new="nobody has ever leaked this one")
    idp.sign_in(who, "nobody has ever leaked this one")
    asked = len(service.asked)
    idp.post(browser, "/session/password", 403, current="not the password", new="another that nobody leaked")
    assert len(service.asked) == asked, "who does not know the password asks nobody"


def test_padding_is_no_breach(idp, service):
    service.behave = "padding"
    _, token = invite(idp)
    idp.post(idp.browser(), "/session/accept", 204, token=token, password=LEAKED)


@pytest.mark.parametrize("behave, says", [("error", "503"), ("page", "line 1"), ("redirect", "302"), ("slow", "")])
def test_closed_refuses_while_it_does_not_answer(idp, service, behave, says):
    service.behave = behave
    _, token = invite(idp)
    refused = idp.post(idp.browser(), "/session/accept", 503, token=token, password=PASSWORD)
    assert "could not be asked" in refused["detail"] and says in refused["detail"] and "later" in refused["detail"]
    service.behave = None
    idp.post(idp.browser(), "/session/accept", 204, token=token, password=PASSWORD), "the link is still good"


def test_open_takes_it_and_says_so(service):
    with Mfa(**service.settings(breached_timeout="1s", breached_failure="open")).serving() as idp:
        _, token = invite(idp)
        assert "breach" in idp.post(idp.browser(), "/session/accept", 422, token=token, password=LEAKED)["detail"]
        assert not records(idp, "drun.auth.breachcheck")
        for behave, says in (("slow", ""), ("error", "503")):
            service.behave = behave
            _, token = invite(idp)
            idp.post(idp.browser(), "/session/accept", 204, token=token, password=PASSWORD)
            noted = idp.wait_until("the record", lambda: records(idp, "drun.auth.breachcheck"))
            assert any("could not be asked" in one["drun.reason"] and says in one["drun.reason"] for one in noted), noted
        assert not re.search(LEAKED + "|" + PASSWORD, idp.text())


def test_a_service_whose_certificate_is_not_known_is_not_asked(service):
    idp = Mfa(breached_url=service.url, breached_private_network="true")
    idp.start()
    try:
        idp.root = idp.operator_token()
        _, token = invite(idp)
        assert "certificate" in idp.post(idp.browser(), "/session/accept", 503, token=token, password=PASSWORD)["detail"].lower()
        assert not service.asked
    finally:
        assert idp.stop() == 0
        idp.remove()


@pytest.mark.parametrize("settings, says", [
    ({"breached-url": "http://localhost/range/"}, "https://"), ({"breached-url": "https://localhost/range?x="}, "query"),
    ({"breached-url": "https://localhost/range/", "breached-ca-file": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    ({"breached-url": "https://localhost/range/", "breached-failure": "maybe"}, "breached-failure")])
def test_settings_that_cannot_be_stop_the_start(own_platform, settings, says):
    own_platform.settings.update(settings)
    failed = own_platform.try_start()
    assert failed.returncode != 0 and says in failed.stdout + failed.stderr
