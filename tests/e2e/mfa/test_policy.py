# SPDX-License-Identifier: Apache-2.0
"""Who must show what: policies, trusted browsers, step-up."""
import re
import time
import urllib.parse

from identity import CLIENTS, GROUPS, PASSWORD, RBAC, USERS, name
from mfa_rig import App, Mfa


# ---------------------------------------------------------------- trusted devices

def test_a_trusted_browser_is_not_asked_again_until_it_is_revoked(idp):
    who, _, app, _ = idp.enrolled()
    browser = idp.with_code(who, app, trust=True)
    again = idp.post(browser, "/session", 204, username=who, password=PASSWORD)
    assert again is None and idp.whoami(browser)["acr"] == "urn:drun:trusted-device"
    assert idp.begin(who)[1]["status"] == "factor_required", "another browser is asked"
    mine = next(one for one in browser.get(idp.url + "/session/devices").json()["items"] if one["current"])
    assert "trustedUntil" in mine
    assert browser.delete(f"{idp.url}/session/devices/{mine['id']}").status_code == 204
    assert idp.begin(who, browser=browser)[1]["status"] == "factor_required"


def test_signing_out_everywhere_ends_trust(idp):
    who, _, app, _ = idp.enrolled()
    browser = idp.with_code(who, app, trust=True)
    assert browser.delete(idp.url + "/session/all").status_code == 204
    assert idp.begin(who, browser=browser)[1]["status"] == "factor_required"


def test_a_known_browser_is_not_locked_out_by_others(idp):
    who = name("calm")
    idp.add_user(who, idp.root)
    mine = idp.sign_in(who)
    stranger = idp.browser()
    seen = [stranger.post(idp.url + "/session", json={"username": who, "password": f"no, not that one {i}"}).status_code for i in range(12)]
    assert 429 in seen
    mine.delete(idp.url + "/session")
    idp.post(mine, "/session", 204, username=who, password=PASSWORD)


# ---------------------------------------------------------------- policy

def test_a_group_can_demand_a_second_factor(idp):
    who, group = name("must"), name("careful")
    idp.must(201, "POST", GROUPS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": group},
                                                   "spec": {"members": [who], "mfa": {"required": True}}})
    made = idp.must(201, "POST", USERS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": who}, "spec": {}})
    token = urllib.parse.parse_qs(urllib.parse.urlparse(made["status"]["inviteURL"]).fragment)["token"][0]
    browser = idp.browser()
    state = idp.post(browser, "/session/accept", 200, token=token, password=PASSWORD)
    assert state["status"] == "enrolment_required" and state["methods"] == ["totp", "webauthn"]
    assert browser.get(idp.url + "/session").status_code == 401
    assert browser.get(idp.url + "/session/list").status_code == 401
    begun = idp.post(browser, "/session/factors/totp", 200)
    done = idp.post(browser, "/session/factors/totp/confirm", 200, code=App(begun["secret"]).code())
    assert done["status"] == "signed_in" and len(done["recoveryCodes"]) == 10
    assert idp.whoami(browser)["acr"] == "urn:drun:mfa"


def test_enrolment_has_a_grace(idp):
    who = name("grace")
    idp.add_user(who, idp.root, mfa={"required": True, "graceSeconds": 3})
    browser = idp.sign_in(who)
    assert "enrolBy" in idp.whoami(browser)
    deadline = time.monotonic() + 30
    while (answer := idp.browser().post(idp.url + "/session", json={"username": who, "password": PASSWORD})).status_code == 204:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert answer.json()["status"] == "enrolment_required"


def test_a_passkey_can_be_demanded(idp):
    who, browser, app, _ = idp.enrolled()
    idp.patch_user(who, mfa={"required": True, "level": "phishing-resistant"})
    browser, state = idp.begin(who)
    assert "totp" in state["factors"], "what there is comes first"
    state = idp.post(browser, "/session/factor", 200, type="totp", code=app.code())
    assert state["status"] == "enrolment_required" and state["methods"] == ["webauthn"]
    passkey, done = idp.add_passkey(browser)
    assert done["status"] == "signed_in" and idp.whoami(browser)["acr"] == "phr"
    other, state = idp.begin(who)
    state = idp.post(other, "/session/factor", 200, type="totp", code=app.code())
    assert state["factors"] == ["webauthn"], "an app is not enough any more"
    options = idp.post(other, "/session/factor/options", 200, type="webauthn")["publicKey"]
    idp.post(other, "/session/factor", 204, type="webauthn", credential=passkey.get(options))


# ---------------------------------------------------------------- step-up

def role_binding(who):
    """For somebody else: nobody gives a role to himself."""
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name("rb"), "namespace": "default"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": who}]}


BINDINGS = RBAC + "/namespaces/default/rolebindings"


def test_roles_change_only_after_a_fresh_second_factor(idp):
    who, _, app, _ = idp.enrolled(groups=["drun:platform-admins"])
    browser = idp.with_code(who, app, trust=True)
    token = idp.client(browser)[1]["access_token"]
    idp.must(201, "POST", BINDINGS, token, json=role_binding("somebody"))
    # Without the second factor, in a browser that is trusted: everything but that.
    idp.post(browser, "/session", 204, username=who, password=PASSWORD)
    weak = idp.client(browser)[1]["access_token"]
    idp.must(200, "GET", BINDINGS, weak)
    for method, path, body in (("POST", BINDINGS, role_binding("somebody")), ("DELETE", f"{USERS}/nobody", None),
                               ("POST", CLIENTS, {}), ("DELETE", f"{USERS}/nobody/factors", None)):
        refused = idp.request(method, path, weak, json=body)
        assert refused.status_code == 401, refused.text
        challenge = refused.headers["WWW-Authenticate"]
        assert 'error="insufficient_user_authentication"' in challenge and 'acr_values="urn:drun:mfa"' in challenge
        assert re.search(r"max_age=900\b", challenge)
    # Step-up, by the factor alone.
    state = idp.post(browser, "/session/step-up", 200)
    assert state["factors"] == ["totp"]
    idp.post(browser, "/session/factor", 204, type="totp", code=app.code())
    assert idp.whoami(browser)["acr"] == "urn:drun:mfa"
    idp.must(201, "POST", BINDINGS, idp.client(browser)[1]["access_token"], json=role_binding("somebody"))
    idp.must(401, "POST", BINDINGS, weak, json=role_binding("somebody"))


def test_an_old_sign_in_is_not_fresh(own_platform):
    idp = Mfa(step_up_age="1m")
    try:
        idp.start()
        idp.root = idp.operator_token()
        who, browser, app, _ = idp.enrolled(groups=["drun:platform-admins"])
        token = idp.client(browser)[1]["access_token"]
        idp.must(201, "POST", BINDINGS, token, json=role_binding("somebody"))
        deadline = time.monotonic() + 120
        while idp.request("POST", BINDINGS, token, json=role_binding("somebody")).status_code == 201:
            assert time.monotonic() < deadline
            time.sleep(5)
        assert browser.delete(idp.url + "/session/factors/totp").status_code == 401
        idp.must(201, "POST", BINDINGS, idp.root, json=role_binding("somebody"))
        idp.post(browser, "/session/step-up", 200)
        idp.post(browser, "/session/factor", 204, type="totp", code=app.code())
        idp.must(201, "POST", BINDINGS, idp.client(browser)[1]["access_token"], json=role_binding("somebody"))
    finally:
        idp.stop()
        idp.remove()


def test_a_client_can_demand_more(idp):
    who, _, app, _ = idp.enrolled()
    client = name("vault")
    redirect = "https://vault.example/cb"
    made = idp.must(201, "POST", CLIENTS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client},
                                                          "spec": {"redirectUris": [redirect], "requiredAcr": "urn:drun:mfa"}})
    secret = made["status"]["clientSecret"]
    browser = idp.with_code(who, app, trust=True)
    idp.client(browser, client, "openid", redirect, secret)
    idp.post(browser, "/session", 204, username=who, password=PASSWORD)
    query = f"/oauth2/authorize?response_type=code&client_id={client}&redirect_uri={urllib.parse.quote(redirect, '')}&scope=openid&code_challenge={'A' * 43}&code_challenge_method=S256"
    target = browser.get(idp.url + query, allow_redirects=False).headers["Location"]
    assert target.startswith(idp.url + "/login?") and "acr=urn%3Adrun%3Amfa" in target
    silent = browser.get(idp.url + query + "&prompt=none", allow_redirects=False).headers["Location"]
    assert silent.startswith(redirect) and "error=login_required" in silent
    idp.post(browser, "/session/step-up", 200, acr="urn:drun:mfa")
    idp.post(browser, "/session/factor", 204, type="totp", code=app.code())
    idp.client(browser, client, "openid", redirect, secret)


def test_the_status_of_a_user_says_which_factors_there_are(idp):
    who, browser, _, _ = idp.enrolled()
    def shown():
        return idp.must(200, "GET", f"{USERS}/{who}", idp.root)["status"].get("mfaMethods")
    assert shown() == ["totp", "recovery"]
    assert browser.delete(idp.url + "/session/factors/totp").status_code == 204
    assert shown() == []


def test_the_password_is_the_step_up_of_who_has_no_more(idp):
    who = name("simple")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    before = idp.whoami(browser)["signedInAt"]
    assert idp.post(browser, "/session/step-up", 200)["factors"] == ["password"]
    idp.post(browser, "/session/factor", 401, type="password", password="not that one, no no")
    assert "second factor" in idp.post(browser, "/session/step-up", 409, acr="urn:drun:mfa")["detail"]
    assert "passkey" in idp.post(browser, "/session/step-up", 409, acr="phr")["detail"]
    time.sleep(1.1)  # signedInAt has whole seconds
    idp.post(browser, "/session/factor", 204, type="password", password=PASSWORD)
    assert idp.whoami(browser)["signedInAt"] > before
