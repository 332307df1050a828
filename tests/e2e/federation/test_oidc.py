# SPDX-License-Identifier: Apache-2.0
"""Signing in with accounts of an OpenID Connect provider."""
import time
import urllib.parse

import pytest
import requests
from federation_rig import PROVIDERS, browser_of, follow, ldap, oidc, provider, ready, secret, session_of, visit
from identity import USERS, Identity, name


def test_the_sign_in_page_hears_of_providers(idp, corp):
    shown = {"name": "corp", "displayName": "Corp", "type": "oidc", "start": "/session/providers/corp/start"}
    assert shown in requests.get(idp.url + "/session/providers", verify=idp.ca).json()["providers"]
    assert requests.get(idp.url + "/session/providers?username=x@corp.example", verify=idp.ca).json() == {"providers": [shown]}
    assert requests.get(idp.url + "/session/providers?username=x@other.example", verify=idp.ca).json() == {"providers": []}


def test_it_is_asked_at_once_whether_it_answers(idp, corp, people, upstream):
    def check(called, status=200, token=None):
        return idp.must(status, "POST", f"{PROVIDERS}/{called}/check", token or idp.root)

    assert check("corp")["status"]["conditions"][0]["reason"] == "Reachable"
    assert check("people")["status"]["conditions"][0]["reason"] == "Reachable"
    upstream.set(evil={"issuer": "https://evil.example"})
    condition = check("corp")["status"]["conditions"][0]
    assert condition["status"] == "False" and condition["reason"] == "Malformed" and "another issuer" in condition["message"]
    upstream.set()
    assert check("corp")["status"]["conditions"][0]["reason"] == "Reachable"
    provider(idp, "off", {**oidc(upstream), "disabled": True})
    assert "disabled" in check("off", 409)["message"]
    check("no-such-provider", 404)
    who = name("plain")
    idp.add_user(who, idp.root)
    check("corp", 403, idp.token_of(who))


def test_a_first_sign_in_makes_the_user_and_each_brings_it_up_to_date(idp, corp, upstream):
    upstream.set(account={"sub": "c-1", "preferred_username": "Carla.K", "name": "Carla", "email": "carla@corp.example", "email_verified": True,
                          "groups": ["eng-core", "everybody", "others"]})
    browser, last = visit(idp, "corp", **{"return": "/models?x=1"})
    assert last.status_code == 302 and last.headers["Location"] == "/models?x=1", last.text
    session = session_of(idp, browser)
    assert session["username"] == "carla.k" and session["amr"] == "fed" and session["acr"] == "urn:drun:password"
    made = idp.must(200, "GET", f"{USERS}/carla.k", idp.root)
    assert made["spec"]["groups"] == ["engineers-core", "staff"] and made["spec"]["email"] == "carla@corp.example"
    assert made["status"]["state"] == "Active" and "inviteURL" not in made["status"]
    # An administrator's group stays, the provider's goes with it, and what was issued with it is void.
    made["spec"]["groups"].append("by-hand")
    idp.must(200, "PUT", f"{USERS}/carla.k", idp.root, json=made)
    token = idp.client(browser)[1]["access_token"]
    assert idp.accepted(token)
    time.sleep(1.1)  # tokens are void by the second of their issue
    upstream.set(account={"sub": "c-1", "preferred_username": "renamed", "name": "Carla K.", "groups": ["everybody"]})
    browser, _ = visit(idp, "corp")
    assert session_of(idp, browser)["username"] == "carla.k"
    again = idp.must(200, "GET", f"{USERS}/carla.k", idp.root)
    assert again["spec"]["groups"] == ["staff", "by-hand"] and again["spec"]["displayName"] == "Carla K."
    assert again["metadata"]["uid"] == made["metadata"]["uid"]
    idp.wait_until("the old token is void", lambda: not idp.accepted(token))


def test_nobody_becomes_a_user_who_is_there_by_a_name(idp, corp, upstream):
    taken = name("taken")
    idp.add_user(taken, idp.root, email=f"{taken}@corp.example")
    upstream.set(account={"sub": name("s"), "preferred_username": taken, "email": f"{taken}@corp.example", "email_verified": True})
    browser, last = visit(idp, "corp")
    assert last.status_code == 409 and "already" in last.text and "text/html" in last.headers["Content-Type"]
    assert session_of(idp, browser) is None


def test_a_disabled_user_does_not_come_in_from_elsewhere(idp, corp, upstream):
    who = name("off")
    upstream.set(account={"sub": who, "preferred_username": who})
    browser, _ = visit(idp, "corp")
    assert session_of(idp, browser)["username"] == who
    idp.must(200, "PATCH", f"{USERS}/{who}", idp.root, json={"spec": {"disabled": True}}, headers={"Content-Type": "application/merge-patch+json"})
    assert session_of(idp, browser) is None
    browser, last = visit(idp, "corp")
    assert last.status_code == 403 and session_of(idp, browser) is None


def test_the_provider_refuses(idp, corp, upstream):
    upstream.set(evil={"deny": True})
    browser, last = visit(idp, "corp")
    assert last.status_code == 403 and "not allowed there" in last.text and session_of(idp, browser) is None


@pytest.mark.parametrize("claims,why", [({"nonce": "another"}, "nonce"), ({"aud": "somebody"}, "aud"), ({"iss": "https://evil.example"}, "iss"),
                                        ({"exp": 1}, "exp"), ({"aud": ["drun", "x"]}, "azp"), ({"azp": "x"}, "azp"), ({"sub": "other"}, "somebody else")])
def test_an_id_token_that_is_wrong_signs_nobody_in(idp, corp, upstream, claims, why):
    upstream.set(account={"sub": "victim", "preferred_username": name("v")}, evil={"claims": claims})
    browser, last = visit(idp, "corp")
    assert last.status_code in (401, 403), last.text
    assert session_of(idp, browser) is None
    print(why, last.text[-300:])


def test_an_id_token_of_another_key_signs_nobody_in(idp, corp, upstream):
    upstream.set(account={"sub": "victim", "preferred_username": name("v")}, evil={"key": True})
    browser, last = visit(idp, "corp")
    assert last.status_code in (401, 403) and session_of(idp, browser) is None


def test_metadata_of_another_issuer_are_refused(idp, upstream):
    upstream.set(evil={"issuer": "https://evil.example"})
    provider(idp, "evil", oidc(upstream))
    _, last = visit(idp, "evil")
    assert last.status_code == 403 and "another issuer" in last.text


def test_a_new_key_of_the_provider_is_found(idp, corp, upstream):
    upstream.set(account={"sub": "rotating", "preferred_username": "rotating"})
    visit(idp, "corp")
    upstream.tell("rotate")

    def signed_in():
        return session_of(idp, visit(idp, "corp")[0])

    # Keys are asked for at most every ten seconds.
    assert idp.wait_until("a sign-in by the new key", signed_in, 40)["username"] == "rotating"


def test_an_answer_is_good_once_and_in_its_own_browser(idp, corp, upstream):
    upstream.set(account={"sub": "once", "preferred_username": "once"})
    browser = browser_of(idp)
    start = browser.get(f"{idp.url}/session/providers/corp/start", allow_redirects=False)
    target = start.headers["Location"]
    while not target.startswith(f"{idp.url}/session/providers/corp/callback"):
        target = urllib.parse.urljoin(target, browser.get(target, allow_redirects=False).headers["Location"])
    # The attacker's answer in the victim's browser, and one that names another issuer.
    assert browser_of(idp).get(target, allow_redirects=False).status_code == 403
    mixed = urllib.parse.urlparse(target)
    query = dict(urllib.parse.parse_qsl(mixed.query))
    assert query["iss"] == upstream.url
    wrong = mixed._replace(query=urllib.parse.urlencode({**query, "iss": "https://evil.example"})).geturl()
    assert browser.get(wrong, allow_redirects=False).status_code == 403
    assert browser.get(target, allow_redirects=False).status_code == 403, "it was used up by the wrong one"
    browser, _ = visit(idp, "corp")
    assert session_of(idp, browser)["username"] == "once"


def test_where_it_leads_afterwards_stays_here(idp, corp, upstream):
    upstream.set(account={"sub": "once", "preferred_username": "once"})
    for bad in ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y"):
        _, last = visit(idp, "corp", **{"return": bad})
        # The firewall knows some of them.
        refused = last.status_code == 403 and "looks like an attack" in last.text
        assert refused or last.headers["Location"] == "/", bad


def test_several_tabs_are_on_their_way_at_once(idp, corp, upstream):
    upstream.set(account={"sub": "once", "preferred_username": "once"})
    browser = browser_of(idp)
    first = browser.get(f"{idp.url}/session/providers/corp/start?return=/one", allow_redirects=False).headers["Location"]
    second = browser.get(f"{idp.url}/session/providers/corp/start?return=/two", allow_redirects=False).headers["Location"]
    assert follow(idp, browser, second).headers["Location"] == "/two"
    assert follow(idp, browser, first).headers["Location"] == "/one"


def test_who_is_there_links_the_account_and_unlinks_it(idp, upstream):
    provider(idp, "link", oidc(upstream, accounts={"create": False}, mapping={"groups": [{"claim": "groups", "match": "*", "template": "from-outside"}]}))
    upstream.set(account={"sub": name("l"), "preferred_username": "whoever", "groups": ["x"]})
    _, last = visit(idp, "link")
    assert last.status_code == 403 and "linked" in last.text
    who = name("linker")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)
    browser.verify = idp.bundle
    answer = browser.post(idp.url + "/session/links", json={"provider": "link", "return": "/account"})
    assert answer.status_code == 200, answer.text
    assert follow(idp, browser, answer.json()["location"]).headers["Location"] == "/account"
    links = browser.get(idp.url + "/session/links").json()["links"]
    assert [(one["provider"], one["type"]) for one in links] == [("link", "oidc")]
    other, _ = visit(idp, "link")
    assert session_of(idp, other)["username"] == who and "from-outside" in session_of(idp, other)["groups"]
    # Somebody else cannot have the same account.
    thief = name("thief")
    idp.add_user(thief, idp.root)
    theirs = idp.sign_in(thief)
    theirs.verify = idp.bundle
    location = theirs.post(idp.url + "/session/links", json={"provider": "link"}).json()["location"]
    assert follow(idp, theirs, location).status_code == 409
    assert theirs.delete(f"{idp.url}/session/links/{links[0]['id']}").status_code == 404
    assert browser.delete(f"{idp.url}/session/links/{links[0]['id']}").status_code == 204
    assert "from-outside" not in session_of(idp, browser)["groups"]
    assert visit(idp, "link")[1].status_code == 403


def test_the_last_way_in_stays(idp, corp, upstream):
    who = name("only")
    upstream.set(account={"sub": who, "preferred_username": who})
    browser, _ = visit(idp, "corp")
    link = browser.get(idp.url + "/session/links").json()["links"][0]["id"]
    answer = browser.delete(f"{idp.url}/session/links/{link}")
    assert answer.status_code == 409 and "password" in answer.json()["detail"]


def test_a_verified_address_links_only_where_that_is_set(idp, upstream):
    provider(idp, "mail", oidc(upstream, accounts={"linkByEmail": True}, domains=["mail.example"]))
    who = name("mail")
    idp.add_user(who, idp.root, email=f"{who}@mail.example")
    for claims in ({"email_verified": False}, {}, {"email": f"{who}@elsewhere.example", "email_verified": True}):
        upstream.set(account={"sub": f"s-{who}", "preferred_username": "x", "email": f"{who}@mail.example", **claims})
        assert visit(idp, "mail")[1].status_code == 403, claims
    upstream.set(account={"sub": f"s-{who}", "preferred_username": "x", "email": f"{who.upper()}@mail.example", "email_verified": True})
    browser, _ = visit(idp, "mail")
    assert session_of(idp, browser)["username"] == who
    # The address is asked once; another account with it gets nothing.
    upstream.set(account={"sub": "another", "preferred_username": "x", "email": f"{who}@mail.example", "email_verified": True})
    assert visit(idp, "mail")[1].status_code == 409


def test_a_second_factor_there_counts_where_it_is_trusted(idp, corp, upstream):
    provider(idp, "mfa", oidc(upstream, oidc={"trustMfa": True}))
    upstream.set(account={"sub": name("m"), "preferred_username": name("m")}, evil={"claims": {"amr": ["pwd", "mfa"]}})
    browser, _ = visit(idp, "mfa")
    assert session_of(idp, browser)["acr"] == "urn:drun:mfa"
    upstream.set(account={"sub": name("m"), "preferred_username": name("m")}, evil={"claims": {"amr": ["pwd", "mfa"]}})
    browser, _ = visit(idp, "corp")
    assert session_of(idp, browser)["acr"] == "urn:drun:password"


def test_who_must_have_a_second_factor_is_asked_to_set_it_up(idp, corp, upstream):
    who = name("must")
    upstream.set(account={"sub": who, "preferred_username": who})
    visit(idp, "corp")
    idp.must(200, "PATCH", f"{USERS}/{who}", idp.root, json={"spec": {"mfa": {"required": True}}}, headers={"Content-Type": "application/merge-patch+json"})
    browser, last = visit(idp, "corp", **{"return": "/chat"})
    assert last.headers["Location"] == "/login?return=%2Fchat"
    assert session_of(idp, browser) is None
    assert browser.get(idp.url + "/session/sign-in").json()["status"] == "enrolment_required"


def test_who_has_no_password_here_is_not_asked_for_one(idp, corp, upstream):
    who = name("nopw")
    upstream.set(account={"sub": who, "preferred_username": who})
    browser, _ = visit(idp, "corp")
    answer = browser.post(idp.url + "/session/step-up", json={})
    assert answer.status_code == 409 and "sign in again" in answer.json()["detail"]


def test_disabling_a_provider_ends_its_sessions(idp, upstream):
    provider(idp, "gone", oidc(upstream))
    who = name("gone")
    upstream.set(account={"sub": who, "preferred_username": who})
    browser, _ = visit(idp, "gone")
    assert session_of(idp, browser)["username"] == who
    idp.must(200, "PATCH", f"{PROVIDERS}/gone", idp.root, json={"spec": {"disabled": True}}, headers={"Content-Type": "application/merge-patch+json"})
    assert session_of(idp, browser) is None
    assert "gone" not in [one["name"] for one in browser.get(idp.url + "/session/providers").json()["providers"]]
    assert visit(idp, "gone")[1].status_code == 404


def test_signing_out_here_and_there(idp, upstream):
    provider(idp, "out", oidc(upstream, oidc={"logout": True, "clientAuth": "client_secret_basic"}))
    who = name("out")
    upstream.set(account={"sub": who, "preferred_username": who})
    browser, _ = visit(idp, "out")
    ended = browser.delete(idp.url + "/session")
    assert ended.status_code == 200
    onward = urllib.parse.urlparse(ended.json()["location"])
    assert onward.netloc == urllib.parse.urlparse(upstream.url).netloc and onward.path == "/session/end"
    assert browser.get(ended.json()["location"]).status_code == 200, "the provider takes it"
    # And from there: by the subject, once each; not for somebody else.
    browser, _ = visit(idp, "out")
    token = upstream.tell("logout", sub=who, jti="one")
    path = idp.url + "/session/providers/out/backchannel"
    assert requests.post(path, data={"logout_token": upstream.tell("logout", sub="another")}, verify=idp.ca).status_code == 200
    assert session_of(idp, browser)["username"] == who
    assert requests.post(path, data={"logout_token": token[:-8] + "AAAAAAAA"}, verify=idp.ca).status_code == 400
    assert requests.post(path, data={"logout_token": token}, verify=idp.ca).status_code == 200
    assert session_of(idp, browser) is None
    assert requests.post(path, data={"logout_token": token}, verify=idp.ca).status_code == 400


def test_the_secret_must_be_of_the_type_that_may_leave(idp, upstream):
    secret(idp, "wrong-type", "a secret: with+signs %&", kind="Opaque")
    provider(idp, "post", oidc(upstream, oidc={"clientSecretRef": {"namespace": "default", "name": "wrong-type"}}))
    upstream.set()
    _, last = visit(idp, "post")
    assert last.status_code == 403 and "drun.io/identity-provider" in last.text


def test_who_says_who_vouches_needs_the_right_to_be_them(idp, upstream):
    """drun:platform-admin may make providers, but none by which it becomes somebody else."""
    who = name("padmin")
    idp.add_user(who, idp.root)
    idp.must(201, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", idp.root, json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": who}, "subjects": [
            {"kind": "User", "name": who, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "drun:platform-admin", "apiGroup": "rbac.authorization.k8s.io"}})
    token = idp.token_of(who)
    idp.wait_until("the role", lambda: idp.request("GET", PROVIDERS, token).status_code == 200)
    spec = oidc(upstream)
    made = provider(idp, name("pa"), spec, token=token)
    provider(idp, "pa-mail", {**spec, "accounts": {"linkByEmail": True}}, status=403, token=token)
    provider(idp, "pa-any", {**spec, "mapping": {"groups": [{"claim": "groups"}]}}, status=403, token=token)
    provider(idp, "pa-sys", {**spec, "mapping": {"groups": [{"claim": "groups", "template": "system:masters"}]}}, status=422, token=token)
    idp.must(403, "PATCH", f"{PROVIDERS}/{made['metadata']['name']}", token, json={"spec": {"oidc": {"issuer": "https://evil.example"}}},
             headers={"Content-Type": "application/merge-patch+json"})


def test_an_object_says_whether_its_provider_answers(idp, corp, upstream, directory):
    upstream.set()
    idp.wait_until("corp is ready", lambda: ready(idp, "corp") == "Reachable")
    provider(idp, "nobody", {**oidc(upstream), "oidc": {"issuer": "https://localhost:1", "clientId": "x"}})
    idp.wait_until("nobody is unreachable", lambda: ready(idp, "nobody") == "Unreachable")
    provider(idp, "dir-ok", ldap(directory, hidden=True))
    idp.wait_until("the directory is ready", lambda: ready(idp, "dir-ok") == "Reachable")
    provider(idp, "dir-bad", ldap(directory, hidden=True, ldap={"bindDn": "cn=nobody,dc=corp,dc=example"}))
    idp.wait_until("its password is wrong", lambda: ready(idp, "dir-bad") == "Refused")
    provider(idp, "dir-none", ldap(directory, hidden=True, ldap={"passwordSecretRef": {"namespace": "default", "name": "nothing"}}))
    idp.wait_until("its Secret is missing", lambda: ready(idp, "dir-none") == "SecretMissing")


def test_another_platform_is_a_provider(idp, tmp_path):
    """ES256, and `iss` in the answer (RFC 9207)."""
    other = Identity()
    other.start()
    try:
        other.root = other.operator_token()
        who = name("far")
        other.add_user(who, other.root, displayName="From Afar", email=f"{who}@far.example", groups=["far-team"])
        made = other.must(201, "POST", "/apis/drun.io/v1/oidcclients", other.root, json={
            "apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": "near"},
            "spec": {"redirectUris": [f"{idp.url}/session/providers/far/callback"], "grantTypes": ["authorization_code"],
                     "scopes": ["openid", "profile", "email", "groups"], "tokenEndpointAuthMethod": "client_secret_post"}})
        secret(idp, "far", made["status"]["clientSecret"])
        provider(idp, "far", {"privateNetwork": True, "ca": open(other.ca).read(), "accounts": {"create": True},
                              "oidc": {"issuer": other.url, "clientId": "near", "clientAuth": "client_secret_post", "scopes": ["openid", "profile", "groups"],
                                       "clientSecretRef": {"namespace": "default", "name": "far"}},
                              "mapping": {"groups": [{"claim": "groups", "match": "far-*", "template": "near-{1}"}]}})
        there = other.sign_in(who)
        here = idp.browser()
        target = here.get(f"{idp.url}/session/providers/far/start", allow_redirects=False).headers["Location"]
        assert target.startswith(other.url + "/oauth2/authorize?")
        back = there.get(target, allow_redirects=False).headers["Location"]
        assert "iss=" in back
        assert here.get(back, allow_redirects=False).headers["Location"] == "/"
        assert session_of(idp, here)["username"] == who and session_of(idp, here)["groups"] == ["near-team"]
    finally:
        other.stop()
        other.remove()


def test_a_sign_in_on_its_way_survives_a_restart(idp, corp, upstream):
    upstream.set(account={"sub": "once", "preferred_username": "once"})
    browser = browser_of(idp)
    target = browser.get(f"{idp.url}/session/providers/corp/start?return=/on", allow_redirects=False).headers["Location"]
    idp.wait_for_role("idp", idp.kill("idp"))
    idp.wait_until("idp answers", lambda: idp.request("GET", "/session/providers").status_code == 200)
    assert follow(idp, browser, target).headers["Location"] == "/on"
    assert session_of(idp, browser)["username"] == "once"
