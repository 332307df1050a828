# SPDX-License-Identifier: Apache-2.0
"""What an administrator does for people and applications in the console: users, groups, clients, issuers, budgets, many keys."""
import re
import urllib.parse

import pytest
import requests
from playwright.sync_api import expect

from console_browser import PASSWORD, alice, needs_console, page, picture, serving, settled  # noqa: F401
from mfa_rig import App

pytestmark = needs_console


def object_of(serving, path):
    return serving.request("GET", f"/apis/drun.io/v1/{path}", serving.operator_token()).json()


@pytest.fixture(scope="module")
def bob(serving, alice):  # after the first administrator, whom other users forestall
    """A person with a session and an authenticator app."""
    made = serving.request("POST", "/apis/drun.io/v1/users", serving.operator_token(), json={
        "apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": "bob"}, "spec": {"displayName": "Bob Miller"}}).json()
    token = urllib.parse.parse_qs(urllib.parse.urlparse(made["status"]["inviteURL"]).fragment)["token"][0]
    session = requests.Session()
    session.verify = serving.ca
    session.headers.update({"Origin": serving.url, "Sec-Fetch-Site": "same-origin"})
    assert session.post(serving.url + "/session/accept", json={"token": token, "password": PASSWORD}).status_code == 204
    secret = session.post(serving.url + "/session/factors/totp", json={}).json()["secret"]
    assert session.post(serving.url + "/session/factors/totp/confirm", json={"code": App(secret).code()}).status_code == 200
    return session


def test_a_person_is_looked_after(serving, page, bob):
    page.goto("/access")
    settled(page)
    page.get_by_role("button", name="Bob Miller").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("Authenticator app")).to_be_visible()
    expect(drawer.locator("[role=status]")).to_have_count(0)
    picture(page, "admin-user")
    drawer.get_by_role("button", name="Make link").click()
    link = page.locator(".secret output")
    expect(link).to_have_text(re.compile(r"/setup#token="))
    picture(page, "admin-password-link")
    page.get_by_role("button", name="Done").click()
    drawer.get_by_role("button", name="Remove all").click()
    picture(page, "admin-reset")
    page.get_by_role("alertdialog").get_by_role("button", name="Remove all").click()
    expect(drawer.get_by_text("None is set up.")).to_be_visible()
    expect(drawer.get_by_text("Signed in nowhere.")).to_be_visible()
    assert bob.get(serving.url + "/session").status_code == 401
    drawer.get_by_role("button", name="Edit").click()
    form = page.get_by_role("dialog", name="User bob")
    form.get_by_label("Email").fill("bob@example.com")
    form.get_by_label("drun:auditors").check()
    form.get_by_label("Demand a second factor").check()
    form.get_by_label("What is enough").select_option("phishing-resistant")
    form.get_by_label("Must be set up").select_option("7")
    form.get_by_label("A new password must be chosen").check()
    picture(page, "admin-edit-user")
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    spec = object_of(serving, "users/bob")["spec"]
    assert spec == {"displayName": "Bob Miller", "email": "bob@example.com", "groups": ["drun:auditors"], "passwordChangeRequired": True,
                    "mfa": {"required": True, "level": "phishing-resistant", "graceSeconds": 604800}, **({"disabled": False} if "disabled" in spec else {})}
    expect(drawer.get_by_text("Passkeys alone, 7 days of grace")).to_be_visible()
    drawer.get_by_role("button", name="Edit").click()
    form.get_by_label("Demand a second factor").uncheck()
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    assert "mfa" not in object_of(serving, "users/bob")["spec"]


def test_a_group_is_made_changed_and_deleted(serving, page, bob):
    page.goto("/access/groups")
    settled(page)
    page.get_by_role("button", name="New group").first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Create").click()
    expect(form.locator(".field-error")).to_be_visible()
    form.get_by_label("Name", exact=True).fill("lab")
    form.get_by_label("Full name").fill("The lab")
    form.get_by_label("bob", exact=True).check()
    form.get_by_label("Demand a second factor").check()
    picture(page, "admin-group")
    form.get_by_role("button", name="Create").click()
    row = page.get_by_role("row", name="The lab")
    expect(row).to_contain_text("Any second factor")
    assert object_of(serving, "groups/lab")["spec"] == {"displayName": "The lab", "members": ["bob"], "mfa": {"required": True}}
    picture(page, "admin-groups")
    page.get_by_role("button", name="Actions for lab").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_an_application_is_registered_changed_gets_a_new_secret_and_goes(serving, alice, page):
    page.goto("/access/clients")
    settled(page)
    page.get_by_role("button", name="Register application").first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("Client ID").fill("notebooks")
    form.get_by_label("Display name").fill("Notebooks")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_text("To sign people in it needs one.")).to_be_visible()
    form.get_by_label("Redirect addresses").fill("http://app.example/callback")
    form.get_by_label("Act as itself").check()
    picture(page, "admin-client")
    form.get_by_role("button", name="Create").click()
    expect(form.locator(".causes")).to_contain_text("spec.redirectUris[0]")  # not without TLS
    alice.complaints.clear()  # the browser notes the 422
    form.get_by_label("Redirect addresses").fill("https://app.example/callback")
    form.get_by_text("More settings").click()
    form.get_by_label("Access token, seconds").fill("300")
    picture(page, "admin-client-more")
    form.get_by_role("button", name="Create").click()
    secret = page.locator(".secret output").inner_text()
    picture(page, "admin-client-ready")
    page.get_by_label("I have saved the secret").check()
    page.get_by_role("button", name="Done").click()

    def grants(secret):
        return requests.post(serving.url + "/oauth2/token", verify=serving.ca, auth=("notebooks", secret),
                             data={"grant_type": "client_credentials"}).status_code

    assert grants(secret) == 200
    spec = object_of(serving, "oidcclients/notebooks")["spec"]
    assert spec["accessTokenTtlSeconds"] == 300 and spec["redirectUris"] == ["https://app.example/callback"] and spec["consentRequired"]
    picture(page, "admin-clients")
    page.get_by_role("button", name="Actions for notebooks").click()
    page.get_by_role("menuitem", name="New secret").click()
    page.get_by_role("alertdialog").get_by_role("button", name="New secret").click()
    expect(page.locator(".secret output")).not_to_have_text(secret)
    fresh = page.locator(".secret output").inner_text()
    assert grants(secret) == 401 and grants(fresh) == 200
    page.get_by_label("I have saved the secret").check()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Notebooks", exact=True).click()
    form.get_by_label("Display name").fill("Notebook service")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Notebook service")).to_be_visible()
    page.get_by_role("button", name="Actions for notebooks").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("row", name="Notebook service")).to_have_count(0)
    assert grants(fresh) == 401


def test_a_trusted_issuer_is_written_as_it_is(serving, page, alice):
    page.goto("/access/issuers")
    settled(page)
    page.get_by_role("button", name="Create").first.click()
    form = page.get_by_role("dialog")
    text = form.get_by_label("TrustedIssuer as JSON")
    text.fill("{")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_text("This is not JSON")).to_be_visible()
    text.fill('{"metadata": {"name": "ci"}, "spec": {"issuer": "https://ci.example"}}')
    form.get_by_role("button", name="Create").click()
    expect(form.locator(".causes")).to_contain_text("spec.jwks")
    picture(page, "admin-issuer")
    alice.complaints.clear()  # the browser notes the 422
    text.fill('{"metadata": {"name": "ci"}, "spec": {"issuer": "https://ci.example", "jwksUri": "https://ci.example/keys"}}')
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_role("row", name="ci")).to_contain_text("https://ci.example")
    page.get_by_role("button", name="ci", exact=True).click()
    text.fill(text.input_value().replace("https://ci.example/keys", "https://ci.example/jwks"))
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    assert object_of(serving, "trustedissuers/ci")["spec"]["jwksUri"] == "https://ci.example/jwks"
    page.get_by_role("button", name="Actions for ci").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No trusted issuers")).to_be_visible()


def test_budgets_are_set_and_seen(serving, page):
    page.goto("/budgets")
    settled(page)
    picture(page, "budgets-empty")
    page.get_by_role("button", name="Create policy").first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name", exact=True).first.fill("tenant")
    form.get_by_label("Namespace").select_option("default")
    form.get_by_label("Amount").fill("50 000 000")
    form.get_by_role("button", name="Add budget").click()
    form.get_by_label("Amount").nth(1).fill("0")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_text("Use a whole number above 0.")).to_be_visible()
    form.get_by_label("Amount").nth(1).fill("2000")
    form.get_by_role("button", name="Add budget").click()
    form.get_by_label("Amount").nth(2).fill("600")
    form.get_by_label("In a").nth(2).select_option("Any minute")
    picture(page, "budget-edit")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_text("50,000,000 tokens a month")).to_be_visible()
    expect(page.get_by_text("0 of 2,000 used")).to_be_visible()
    expect(page.get_by_text("600 requests in any minute")).to_be_visible()
    picture(page, "budgets")
    assert object_of(serving, "namespaces/default/limitpolicies/tenant")["spec"]["rules"] == [
        {"name": "month", "measure": "tokens", "limit": 50000000, "window": "month", "per": "namespace"},
        {"name": "rule-2", "measure": "requests", "limit": 2000, "window": "day", "per": "user"},
        {"name": "rule-3", "measure": "requests", "limit": 600, "window": "minute", "per": "user", "algorithm": "SlidingWindow"}]
    page.get_by_role("button", name="Actions for tenant").click()
    page.get_by_role("menuitem", name="Edit").click()
    form.get_by_role("button", name="Remove the budget rule-2").click()
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("of 2,000 used")).to_have_count(0)
    page.get_by_role("button", name="Actions for tenant").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No budgets yet")).to_be_visible()


def test_many_keys_are_revoked_at_once(serving, page):
    token = serving.operator_token()
    for key in ("one", "two", "three"):
        assert serving.request("POST", "/apis/drun.io/v1/namespaces/default/apikeys", token, json={
            "apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": f"many-{key}"}, "spec": {"user": "alice"}}).status_code == 201
    page.goto("/keys")
    settled(page)
    page.get_by_label("Mark many-one").check()
    page.get_by_label("Mark many-three").check()
    expect(page.get_by_text("2 keys marked")).to_be_visible()
    picture(page, "keys-marked")
    page.get_by_role("button", name="Revoke marked").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="many-one")).to_have_count(0)
    expect(page.get_by_role("row", name="many-two")).to_have_count(1)
    expect(page.get_by_role("row", name="many-three")).to_have_count(0)
