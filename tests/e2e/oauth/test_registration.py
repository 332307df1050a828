# SPDX-License-Identifier: Apache-2.0
"""Clients that register themselves."""
import pytest

from oauth_rig import REDIRECT, allow, location


def test_a_client_registers_itself_where_that_is_allowed(idp, user):
    assert idp.request("POST", "/oauth2/register", json={"redirect_uris": [REDIRECT]}).status_code in (401, 403)
    assert idp.request("POST", "/oauth2/register", idp.token_of(user), json={"redirect_uris": [REDIRECT]}).status_code == 403
    made = idp.request("POST", "/oauth2/register", idp.root, json={"redirect_uris": [REDIRECT], "client_name": "Registered", "scope": "openid profile",
                                                                 "grant_types": ["authorization_code", "refresh_token"], "unknown": 1})
    assert made.status_code == 201, made.text
    made = made.json()
    assert made["client_secret_expires_at"] == 0 and made["scope"] == "openid profile" and "unknown" not in made
    browser = idp.sign_in(user)
    page = location(browser, idp, client_id=made["client_id"])
    assert page.status_code == 200 and "Registered" in page.text, "its users are always asked"
    code = allow(browser, idp, page).headers["Location"].split("code=")[1].split("&")[0]
    auth = (made["client_id"], made["client_secret"])
    assert idp.form("/oauth2/token", auth=auth, grant_type="authorization_code", code=code, redirect_uri=REDIRECT).status_code == 200
    uri = made["registration_client_uri"].removeprefix(idp.url)
    assert idp.request("GET", uri).status_code == 401 and idp.request("GET", uri, idp.root).status_code == 401
    own = made["registration_access_token"]
    assert idp.request("GET", uri, own).json()["client_name"] == "Registered"
    changed = {"client_id": made["client_id"], "redirect_uris": ["https://app.example/other"], "client_name": "Changed"}
    assert idp.request("PUT", uri, own, json={**changed, "client_id": "x"}).status_code == 400
    assert idp.request("PUT", uri, own, json=changed).json()["redirect_uris"] == ["https://app.example/other"]
    assert location(browser, idp, client_id=made["client_id"]).status_code == 400, "the old URI is none any more"
    assert idp.form("/oauth2/introspect", auth=auth, token="x").status_code == 200, "its secret stays"
    assert idp.request("DELETE", uri, own).status_code == 204
    assert idp.request("GET", uri, own).status_code == 401
    assert idp.form("/oauth2/introspect", auth=auth, token="x").status_code == 401


@pytest.mark.parametrize("metadata,error", [
    ({"redirect_uris": ["http://app.example/callback"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://app.example/#x"]}, "invalid_redirect_uri"),
    ({"redirect_uris": "https://app.example/"}, "invalid_redirect_uri"),
    ({"redirect_uris": [REDIRECT], "scope": "openid drun"}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "scope": 1}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "grant_types": ["password"]}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "response_types": ["token"]}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}}, "invalid_client_metadata"),
    ({"redirect_uris": [REDIRECT], "software_statement": "x"}, "invalid_client_metadata"),
    ([], "invalid_client_metadata"),
])
def test_metadata_that_cannot_be_had_is_refused(idp, metadata, error):
    answer = idp.request("POST", "/oauth2/register", idp.root, json=metadata)
    assert answer.status_code == 400 and answer.json()["error"] == error, answer.text
