# SPDX-License-Identifier: Apache-2.0
"""Accounts of elsewhere in the console: Chromium through node-oidc-provider and slapd, and back."""
import csv
import io
import json
import re

import pytest
from federation_rig import ldap, oidc, provider
from playwright.sync_api import expect, sync_playwright

from console_browser import needs_console, picture, settled
from identity import PASSWORD, RBAC, name
from test_console_identity import Console, begin, rules, seen, sign_out
from test_console_pages import too_wide

pytestmark = needs_console


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    with sync_playwright() as playwright:
        running = Console(playwright, tmp_path_factory.mktemp("profiles"))
        running.start()
        running.root = running.operator_token()
        yield running
        running.stop()
        running.remove()


@pytest.fixture(autouse=True)
def rig(idp, corp, people, upstream):
    """Both are there, and the browsers know the provider's key."""
    idp.others = [upstream]
    idp.complaints.clear()
    yield
    assert idp.complaints == []


def account(upstream, **more):
    who = name("c")
    upstream.set(account={"sub": who, "preferred_username": who, "name": "Carla Keller", "email": f"{who}@corp.example", "email_verified": True,
                          "groups": ["eng-core"], **more})
    return who


def button(page, text):
    return page.get_by_role("button", name=re.compile(text))


def through_corp(page, path="/account/links"):
    page.goto(path)
    button(page, "^(Continue with Corp|使用 Corp 登录)$").click()


# ------------------------------------------------------------------ a provider

@pytest.mark.parametrize("language,theme", [("en-GB", "light"), ("zh-CN", "dark")])
def test_a_button_leads_to_the_provider_and_back(idp, upstream, language, theme):
    who = account(upstream)
    with idp.visitor(language, theme) as page:
        page.goto("/account/links")
        expect(button(page, "Directory")).to_be_visible()
        found = seen(page, f"login-providers.{language}")
        button(page, "^(Continue with Corp|使用 Corp 登录)$").click()
        page.wait_for_url("**/account/links")
        settled(page)
        expect(page.locator(".entry", has_text="Corp")).to_contain_text(who)
        expect(page.locator(".user-button")).to_contain_text("Carla Keller")
        found += seen(page, f"links.{language}")
        assert found == []


def test_a_name_of_its_domain_leads_there(idp, upstream):
    who = account(upstream)
    with idp.visitor() as page:
        page.goto("/account")
        page.locator("[name=username]").fill(f"{who}@corp.example")
        expect(page.locator("[name=password]")).to_have_count(0)
        picture(page, "login-domain")
        page.get_by_role("button", name="Use a password of this platform").click()
        expect(page.locator("[name=password]")).to_be_visible()
        page.reload()
        page.locator("[name=username]").fill(f"{who}@corp.example")
        expect(page.locator("[name=password]")).to_have_count(0)
        page.locator("[name=username]").press("Enter")
        page.wait_for_url("**/account")
        settled(page)
        assert page.evaluate("async () => (await (await fetch('/session')).json()).amr") == "fed"


@pytest.mark.parametrize("language,theme,title,again", [("en-GB", "light", "Signing in did not work", "Try again"), ("zh-CN", "dark", "登录未成功", "重试")])
def test_a_refusal_is_explained_and_can_be_tried_again(idp, upstream, language, theme, title, again):
    account(upstream)
    with idp.visitor(language, theme) as page:
        upstream.set(evil={"deny": True})
        through_corp(page, "/account")
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        assert seen(page, f"outside-refused.{language}") == []
        account(upstream)  # and now it is allowed
        page.get_by_role("link", name=again).click()
        page.wait_for_url("**/account")
        settled(page)


def test_a_name_that_is_taken_and_an_account_that_nobody_has(idp, upstream):
    taken = idp.person()
    with idp.visitor() as page:
        account(upstream, preferred_username=taken)
        through_corp(page)
        expect(page.get_by_text("There is a user of your name here already.")).to_be_visible()
        assert page.get_by_role("link", name="Try again").count() == 0
        assert seen(page, "outside-taken") == []
        page.get_by_role("link", name="Back to the sign-in").click()
        expect(page.locator("[name=username]")).to_be_visible()
    provider(idp, "link", oidc(upstream, accounts={"create": False}, displayName="Only linked"))
    with idp.visitor("zh-CN") as page:
        account(upstream)
        page.goto("/account")
        button(page, "Only linked").click()
        expect(page.get_by_text("这里还没有用户关联此账户。")).to_be_visible()
        assert seen(page, "outside-unlinked.zh-CN") == []


# ------------------------------------------------------------------ a directory

def test_a_directory_takes_the_password_in_the_page(idp, directory):
    with idp.visitor() as page:
        page.goto("/account/links")
        button(page, "^Continue with Directory$").click()
        expect(page.locator("[name=username]")).to_be_focused()
        page.locator("[name=username]").fill("dora")
        page.locator("[name=password]").fill("not hers")
        button(page, "^Sign in$").click()
        expect(page.get_by_text("The username or the password is wrong.")).to_be_visible()
        picture(page, "login-directory-wrong")
        page.locator("[name=password]").fill("doras password")
        button(page, "^Sign in$").click()
        page.wait_for_url("**/account/links")
        settled(page)
        expect(page.locator(".entry", has_text="Directory")).to_contain_text("dora")
        sign_out(page)
        page.goto("/account")
        page.locator("[name=username]").fill("dora@people.example")
        expect(page.get_by_text("Use your password at Directory.")).to_be_visible()
        page.locator("[name=password]").fill("doras password")
        button(page, "^Sign in$").click()
        page.wait_for_url("**/account")
        settled(page)


def test_a_directory_that_is_away_or_knows_nobody_here_says_so(idp, directory):
    provider(idp, "dirlink", ldap(directory, accounts={"create": False}, displayName="Strict"))
    provider(idp, "nowhere", ldap(directory, ldap={"url": "ldaps://localhost:1"}, displayName="Away"))
    with idp.visitor() as page:
        page.goto("/account")
        for button_name, text in (("Strict", "The password is right, but no user here belongs to this account."), ("Away", "does not answer at the moment")):
            button(page, f"Continue with {button_name}").click()
            page.locator("[name=username]").fill("egon")
            page.locator("[name=password]").fill("egons password")
            button(page, "^Sign in$").click()
            expect(page.get_by_text(text)).to_be_visible()
            picture(page, f"login-directory-{button_name}")
        idp.complaints.clear()  # the browser notes the 503


# ------------------------------------------------------------------ linked accounts

def test_accounts_are_linked_and_unlinked(idp, upstream, directory):
    who = idp.person()
    there = account(upstream)
    with idp.visitor() as page:
        begin(page, who, path="/account/links")
        settled(page)
        expect(page.get_by_text("No account is linked")).to_be_visible()
        picture(page, "links-empty")
        page.get_by_role("button", name="Link an account of Corp").click()
        expect(page.get_by_text("Corp is linked")).to_be_visible()
        expect(page.locator(".entry", has_text=there)).to_be_visible()
        page.get_by_role("button", name="Link an account of Directory").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Username").fill("egon")
        dialog.locator("[name=password]").fill("wrong")
        dialog.get_by_role("button", name="Link", exact=True).click()
        expect(dialog.get_by_text("The username or the password is wrong.")).to_be_visible()
        picture(page, "links-directory")
        dialog.locator("[name=password]").fill("egons password")
        dialog.get_by_role("button", name="Link", exact=True).click()
        expect(page.get_by_role("button", name="Unlink Directory")).to_be_visible()
        assert seen(page, "links-two") == []
        asked = []

        def demand(route):
            """The sign-in is too old once."""
            if route.request.method == "DELETE" and not asked:
                asked.append(route.request.url)
                route.fulfill(status=401, headers={"WWW-Authenticate": 'Bearer error="insufficient_user_authentication", acr_values="urn:drun:password", max_age="900"'},
                              content_type="application/json", body=json.dumps({"detail": "sign in again"}))
            else:
                route.continue_()

        page.route("**/session/links/*", demand)
        page.get_by_role("button", name="Unlink Corp").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Unlink").click()
        step_up = page.get_by_role("dialog", name="Confirm that it is you")
        step_up.locator("[name=password]").fill(PASSWORD)
        step_up.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("button", name="Unlink Corp")).to_have_count(0)
        assert asked
        page.get_by_role("button", name="Unlink Directory").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Unlink").click()
        expect(page.get_by_text("No account is linked")).to_be_visible()


def test_an_account_of_somebody_else_is_not_linked(idp, upstream):
    with idp.visitor() as page:
        account(upstream)
        through_corp(page)
        page.wait_for_url("**/account/links")
        settled(page)
        sign_out(page)
        begin(page, idp.person(), path="/account/links")
        settled(page)
        page.get_by_role("button", name="Link an account of Corp").click()
        expect(page.get_by_role("heading", name="The account was not linked")).to_be_visible()
        assert seen(page, "links-other") == []
        page.get_by_role("link", name="Back to my account").click()
        page.wait_for_url("**/account/links")
        settled(page)
        expect(page.get_by_text("No account is linked")).to_be_visible()


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_the_only_way_in_is_kept(idp, upstream, language):
    account(upstream)
    with idp.visitor(language) as page:
        through_corp(page)
        page.wait_for_url("**/account/links")
        settled(page)
        button(page, "^(Unlink|取消关联) Corp$").click()
        page.get_by_role("alertdialog").get_by_role("button").last.click()
        expect(page.get_by_role("dialog", name=re.compile("This is your only way in|这是您唯一的登录方式"))).to_be_visible()
        picture(page, f"links-only.{language}")
        page.get_by_role("link", name=re.compile("Add a passkey|添加通行密钥")).click()
        page.wait_for_url("**/account/security")
        settled(page)


# ------------------------------------------------------------------ for administrators

@pytest.fixture(scope="module")
def admin(idp, corp):
    return idp.person(groups=["drun:operators"])


def found_in(page, what):
    """A page of the console: its faults at both widths."""
    expect(page.locator(".shell h1")).to_be_visible()  # and not the sign-in page's any more
    settled(page)
    found = []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 860})
        picture(page, f"{what}.{width}")
        if too_wide(page) > 0:
            found.append(f"{what}: too wide at {width}")
    return found + rules(page, what)


@pytest.mark.parametrize("language,theme", [("en-GB", "light"), ("zh-CN", "dark")])
def test_providers_are_listed_and_shown(idp, admin, language, theme):
    with idp.visitor(language, theme) as page:
        begin(page, admin, path="/access/providers")
        expect(page.get_by_role("row", name="Directory people")).to_contain_text(re.compile("Answers|响应正常"))
        found = found_in(page, f"providers.{language}")
        page.get_by_role("link", name="Corp").click()
        expect(page.get_by_role("heading", level=1, name="Corp")).to_be_visible()
        found += found_in(page, f"provider-corp.{language}")
        page.goto("/access/providers/people")
        found += found_in(page, f"provider-people.{language}")
        for sort in ("oidc", "ldap"):
            page.goto(f"/access/new-provider/{sort}")
            found += found_in(page, f"provider-new-{sort}.{language}")
        assert found == []


def test_a_directory_is_added_checked_mended_and_deleted(idp, admin, directory):
    with idp.visitor() as page:
        begin(page, admin, path="/access/providers")
        settled(page)
        page.get_by_role("button", name="Add provider").first.click()
        page.get_by_role("menuitem", name="LDAP directory").click()
        page.get_by_role("button", name="Create and check").click()
        expect(page.get_by_text("This is needed.").first).to_be_visible()
        expect(page.get_by_label("Name", exact=True)).to_be_focused()
        page.get_by_label("Name", exact=True).fill("offices")
        page.get_by_label("Display name").fill("Offices")
        page.get_by_label("Address", exact=True).fill(directory.url)
        page.get_by_label("Usual settings of").select_option("OpenLDAP")
        page.get_by_label("Service account (DN)").fill("cn=search,dc=corp,dc=example")
        page.get_by_label("Its password").fill("not the password")
        page.get_by_label("Where people are").fill("ou=people,dc=corp,dc=example")
        page.get_by_label("Where groups are").fill("ou=groups,dc=corp,dc=example")
        page.get_by_text("Network and certificate").click()
        page.get_by_label("It may be at a private address").check()
        page.get_by_label("Authorities of its certificate").fill(directory.cert.read_text())
        page.get_by_role("button", name="Add rule").click()
        rule = page.get_by_role("group", name="Rule 1")
        rule.get_by_label("Pattern").fill("eng-*")
        rule.get_by_label("Becomes").fill("office-{1}")
        expect(page.locator(".group-reach")).to_contain_text("office-core")
        picture(page, "provider-filled")
        page.get_by_role("button", name="Create and check").click()
        page.wait_for_url("**/access/providers/offices")
        expect(page.get_by_text("Refuses", exact=True)).to_be_visible()
        picture(page, "provider-refused")
        page.get_by_label("Its password").fill("suche geheim")
        page.get_by_role("button", name="Save and check").click()
        page.wait_for_url("**/access/providers")
        expect(page.get_by_role("row", name="Offices")).to_contain_text("Answers")
        spec = idp.must(200, "GET", "/apis/drun.io/v1/identityproviders/offices", idp.root)["spec"]
        assert spec["ldap"]["passwordSecretRef"] == {"namespace": "default", "name": "offices-login", "key": "secret"}
        assert spec["mapping"]["groups"] == [{"claim": "groups", "match": "eng-*", "template": "office-{1}"}]
        answer = idp.browser().post(f"{idp.url}/session/providers/offices/sign-in", json={"username": "egon", "password": "egons password"}, timeout=30)
        assert answer.status_code in (204, 409), answer.text  # an egon may be here by now
        page.get_by_role("button", name="Actions for offices").click()
        page.get_by_role("menuitem", name="Disable").click()
        expect(page.get_by_role("row", name="Offices")).to_contain_text("Disabled")
        page.get_by_role("button", name="Actions for offices").click()
        page.get_by_role("menuitem", name="Delete").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("row", name="Offices")).to_have_count(0)


def test_a_provider_is_added_and_people_come_in_through_it(idp, admin, upstream):
    with idp.visitor() as page:
        begin(page, admin, path="/access/new-provider/oidc")
        settled(page)
        page.get_by_label("Name", exact=True).fill("post")  # the provider knows its redirect URI
        page.get_by_label("Display name").fill("Post")
        expect(page.get_by_text(f"{idp.url}/session/providers/post/callback")).to_be_visible()
        page.get_by_label("Issuer").fill(upstream.url)
        page.get_by_label("Client ID").fill("drun")
        page.get_by_label("Client secret", exact=True).fill("a secret: with+signs %&")
        page.get_by_label("Scopes").fill("openid profile email groups")
        page.get_by_label("Ask userinfo").check()
        page.get_by_text("Network and certificate").click()
        page.get_by_label("It may be at a private address").check()
        page.get_by_label("Authorities of its certificate").fill(upstream.cert.read_text())
        page.get_by_role("button", name="Add rule").click()
        page.get_by_role("button", name="Create and check").click()
        page.wait_for_url("**/access/providers")
        expect(page.get_by_role("row", name="Post")).to_contain_text("Answers")
    who = account(upstream, groups=["letters"])
    with idp.visitor() as page:
        page.goto("/account")
        button(page, "Continue with Post").click()
        page.wait_for_url("**/account")
        settled(page)
        expect(page.locator(".user-button")).to_contain_text(who)
        expect(page.get_by_text("letters")).to_be_visible()


def test_a_provisioning_client_is_connected_and_writes_users(idp, admin):
    with idp.visitor() as page:
        begin(page, admin, path="/access/scim")
        settled(page)
        page.get_by_role("button", name="Connect a client").first.click()
        page.get_by_role("dialog").get_by_label("Client ID").fill("entra")
        page.get_by_role("dialog").get_by_role("button", name="Create").click()
        secret = page.locator(".secret output").inner_text()
        picture(page, "scim-ready")
        page.get_by_label("I have saved the secret").check()
        page.get_by_role("button", name="Done").click()

        def token(secret):
            return idp.form("/oauth2/token", auth=("entra", secret), grant_type="client_credentials", scope="scim")

        access = token(secret).json()["access_token"]
        new = name("scim")
        made = idp.request("POST", "/scim/v2/Users", access, json={"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": new})
        assert made.status_code == 201, made.text
        assert idp.must(200, "GET", f"/apis/drun.io/v1/users/{new}", idp.root)
        page.get_by_role("button", name="Actions for entra").click()
        page.get_by_role("menuitem", name="New secret").click()
        page.get_by_role("alertdialog").get_by_role("button", name="New secret").click()
        expect(page.locator(".secret output")).not_to_have_text(secret)
        fresh = page.locator(".secret output").inner_text()
        assert token(secret).status_code == 401 and token(fresh).status_code == 200
        page.get_by_label("I have saved the secret").check()
        page.get_by_role("button", name="Done").click()
        expect(page.get_by_role("row", name="entra")).to_contain_text("scim-provisioner")
        found = found_in(page, "scim.en-GB")
        page.get_by_role("button", name="Actions for entra").click()
        page.get_by_role("menuitem", name="Delete").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("No provisioning client")).to_be_visible()
        assert token(fresh).status_code == 401
        idp.must(404, "GET", f"{RBAC}/clusterrolebindings/scim-entra", idp.root)
        assert found == []
    with idp.visitor("zh-CN", "dark") as page:
        begin(page, admin, path="/access/scim")
        assert found_in(page, "scim.zh-CN") == []


# ------------------------------------------------------------------ access review

@pytest.fixture(scope="module")
def granted(idp):
    """Rights of somebody who is gone, of a group, and a key without an end."""
    idp.must(201, "POST", "/api/v1/namespaces", idp.root, json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant"}})
    for bound, role, subject in (("ghosts", "edit", {"kind": "User", "name": "=cmd()"}), ("lab", "drun:developer", {"kind": "Group", "name": "ml"})):
        idp.must(201, "POST", f"{RBAC}/namespaces/tenant/rolebindings", idp.root, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": bound},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [subject | {"apiGroup": "rbac.authorization.k8s.io"}]})
    member = idp.person(groups=["ml"])
    idp.add_key("endless", idp.root, user=member)
    return member, idp.person(groups=["drun:auditors"])


def test_access_is_reviewed_filtered_and_exported(idp, granted):
    member, auditor = granted
    with idp.visitor() as page:
        begin(page, auditor, path="/access/review")
        settled(page)
        row = page.get_by_role("row", name="Nobody of that name")
        expect(row).to_contain_text("Names =cmd(), who is not there: whoever gets the name gets the role edit.")
        expect(page.get_by_role("row", name="endless")).to_contain_text("Key without end")
        found = found_in(page, "review-findings.en-GB")
        page.get_by_role("button", name="Access", exact=False).and_(page.locator("[aria-pressed]")).click()
        page.get_by_role("searchbox", name="Filter").fill(member)
        expect(page.get_by_role("row", name=member)).to_contain_text("by the group ml")
        page.get_by_role("searchbox", name="Filter").fill("")
        found += found_in(page, "review-access.en-GB")
        page.get_by_label("Only what is stale").check()
        expect(page.get_by_role("row", name="=cmd()")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export CSV").click()
        sheet = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
        ghost, = [one for one in sheet if one["binding"] == "ghosts"]
        assert ghost["name"] == "'=cmd()" and ghost["state"] == "Missing" and ghost["role"] == "edit" and "get" in ghost["rights"]
        page.get_by_role("button", name="API keys").and_(page.locator("[aria-pressed]")).click()
        page.get_by_label("Only what is stale").uncheck()
        expect(page.get_by_role("row", name="endless")).to_be_visible()
        found += found_in(page, "review-keys.en-GB")
        assert found == []
    with idp.visitor("zh-CN", "dark") as page:
        begin(page, auditor, path="/access/review")
        found = found_in(page, "review-findings.zh-CN")
        page.locator(".segments button").nth(1).click()
        assert found + found_in(page, "review-access.zh-CN") == []


def test_a_review_that_is_not_for_everybody_says_so(idp, granted):
    with idp.visitor() as page:
        begin(page, granted[0], path="/access/review")
        expect(page.get_by_role("heading", name="You may not see or do this")).to_be_visible()
        picture(page, "review-forbidden")
