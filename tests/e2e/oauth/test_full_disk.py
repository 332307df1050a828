# SPDX-License-Identifier: Apache-2.0
"""Storage that fails in the middle of a sign-in: nobody is given anything that is not kept, and nothing is used up by it."""
import os
import shutil
import subprocess

import pytest

from identity import PASSWORD, Identity, name
from oauth_rig import REDIRECT, app, location
from test_damage import fill_up, start_again

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")


@pytest.fixture
def small():
    """A platform whose role `idp` alone has a small disk."""
    idp = Identity()
    folder, kept = idp.data / "idp", idp.folder / "kept"
    idp.start()
    assert idp.stop() == 0
    shutil.copytree(folder, kept)
    owner = folder.stat()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=8m,mode=700,uid={owner.st_uid},gid={owner.st_gid}", "drun-e2e-idp", folder], check=True)
    for file in kept.iterdir():
        shutil.copy2(file, folder / file.name)
        os.chown(folder / file.name, owner.st_uid, owner.st_gid)
    start_again(idp)
    idp.root = idp.operator_token()
    yield idp, folder
    idp.stop()
    subprocess.run(["umount", "-l", folder], check=False)
    idp.remove()


def test_a_full_disk_in_the_middle_of_a_flow(small):
    idp, folder = small
    auth = app(idp, scopes=["openid", "offline_access"])
    who = name("user")
    idp.add_user(who, idp.root)
    browser = idp.sign_in(who)

    def exchange(code):
        return idp.form("/oauth2/token", auth=auth, grant_type="authorization_code", code=code, redirect_uri=REDIRECT)

    def refresh(token):
        return idp.form("/oauth2/token", auth=auth, grant_type="refresh_token", refresh_token=token)

    codes = [location(browser, idp, client_id=auth[0], scope="openid offline_access").headers["Location"].split("code=")[1].split("&")[0] for _ in range(2)]
    first = exchange(codes[0]).json()
    fill_up(folder / "filler")
    # A write may still find room in a page that is there: until one is refused.
    idp.wait_until("a refusal", lambda: location(browser, idp, client_id=auth[0]).status_code == 503)
    refused = location(browser, idp, client_id=auth[0])
    assert refused.status_code == 503 and "code=" not in refused.headers.get("Location", ""), refused.headers
    answers = [exchange(codes[1]), refresh(first["refresh_token"]), idp.browser().post(idp.url + "/session", json={"username": who, "password": PASSWORD})]
    assert [answer.status_code for answer in answers] == [503] * 3, [answer.text for answer in answers]
    assert not any("token" in answer.text and "ey" in answer.text for answer in answers) and not answers[2].cookies, [answer.headers for answer in answers]
    assert idp.accepted(first["access_token"]) or idp.form("/oauth2/introspect", auth=auth, token=first["access_token"]).json()["active"], "what was given holds"
    (folder / "filler").unlink()
    second = idp.wait_until("the same code to be taken", lambda: (lambda answer: answer.json() if answer.status_code == 200 else None)(exchange(codes[1])), timeout=40)
    assert second["refresh_token"] and exchange(codes[1]).json()["error"] == "invalid_grant", "once"
    again = refresh(first["refresh_token"])
    assert again.status_code == 200 and refresh(again.json()["refresh_token"]).status_code == 200
    idp.sign_in(who)
