# SPDX-License-Identifier: Apache-2.0
"""The store of the identity provider cannot be written in the middle of a sign-in: the answer says so in the words of its
protocol, nothing is half done, no code and no refresh token is used up for nothing, and all goes on when there is room again."""
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.parse

import pytest

from identity import PASSWORD, USERS, Identity, name
from mfa_rig import App
from oauth_rig import REDIRECT, app, location, make_client
from test_damage import fill_up
from test_postgres import OWNERS, PROGRAMS, server  # noqa: F401  the fixture

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")


class Failing:
    """A platform whose idp has a disk of its own, that can be full or read-only."""

    def __init__(self, idp, folder):
        self.idp, self.folder = idp, folder
        self.filler = folder / "filler"

    def fail(self):
        fill_up(self.filler)
        # What has room in pages that the store holds already may still be written: until nothing has.
        self.idp.wait_until("the store to be full", lambda: self.idp.browser().post(
            self.idp.url + "/session", json={"username": self.user, "password": PASSWORD}).status_code == 503, timeout=60)

    def heal(self):
        self.filler.unlink()
        self.idp.wait_until("the store to be written again", lambda: self.idp.browser().post(
            self.idp.url + "/session", json={"username": self.user, "password": PASSWORD}).status_code == 204, timeout=60)


def restart_on(idp, mount):
    """Starts once to have a store, then again with the folder of idp on what `mount` mounts there."""
    idp.start()
    assert idp.stop() == 0
    folder = idp.data / "idp"
    kept = idp.folder / "kept"
    shutil.copytree(folder, kept)
    owner = folder.stat()
    mount(folder)
    os.chown(folder, owner.st_uid, owner.st_gid)
    for file in kept.iterdir():
        shutil.copy2(file, folder / file.name)
        os.chown(folder / file.name, owner.st_uid, owner.st_gid)
    idp.run_dir.mkdir(mode=0o710, exist_ok=True)
    idp.start()
    idp.root = idp.operator_token()
    return folder


@pytest.fixture(scope="module")
def failing():
    idp = Identity()
    folder = restart_on(idp, lambda at: subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "drun-e2e-idp", at], check=True))
    broken = Failing(idp, folder)
    broken.user = name("user")
    idp.add_user(broken.user, idp.root, email=f"{broken.user}@example.org")
    yield broken
    code = idp.stop()
    subprocess.run(["umount", "-l", folder], check=False)
    idp.remove()
    assert code == 0


def must_be_unavailable(answer):
    assert answer.status_code == 503, f"{answer.status_code} {answer.text}"
    assert answer.headers["Retry-After"] and answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert "/" not in answer.text.replace("application/", ""), "no file of the platform is named"
    return answer.json()


def must_be_oauth(answer):
    body = must_be_unavailable(answer)
    assert body["error"] == "temporarily_unavailable" and "nothing of this was done" in body["error_description"], body


def query_of(answer):
    assert answer.status_code == 302, f"{answer.status_code} {answer.text}"
    assert answer.headers["Location"].startswith(REDIRECT + "?"), answer.headers["Location"]
    return dict(urllib.parse.parse_qsl(urllib.parse.urlparse(answer.headers["Location"]).query))


def exchange(idp, client, code):
    return idp.form("/oauth2/token", auth=client, grant_type="authorization_code", code=code, redirect_uri=REDIRECT)


def refresh(idp, client, token):
    return idp.form("/oauth2/token", auth=client, grant_type="refresh_token", refresh_token=token)


@needs_root
def test_a_full_disk_in_the_middle_of_the_code_flow(failing):
    idp = failing.idp
    client = app(idp)
    browser = idp.sign_in(failing.user)
    code = query_of(location(browser, idp, client_id=client[0], scope="openid offline_access", state="before"))["code"]
    failing.fail()
    try:
        back = query_of(location(browser, idp, client_id=client[0], state="meanwhile"))
        assert back["error"] == "temporarily_unavailable" and back["state"] == "meanwhile" and back["iss"] == idp.url, back
        assert "code" not in back
        for _ in range(2):
            must_be_oauth(exchange(idp, client, code))
        problem = must_be_unavailable(browser.delete(idp.url + "/session"))
        assert problem["status"] == 503 and "nothing of this was done" in problem["detail"]
    finally:
        failing.heal()
    assert browser.get(idp.url + "/session").status_code == 200, "a sign-out that was refused is none"
    given = exchange(idp, client, code)
    assert given.status_code == 200, given.text
    assert idp.request("GET", "/oauth2/userinfo", given.json()["access_token"]).status_code == 200, "nothing of it was revoked"
    assert refresh(idp, client, given.json()["refresh_token"]).status_code == 200
    again = exchange(idp, client, code)
    assert again.status_code == 400 and again.json()["error"] == "invalid_grant", "a code is good once"


@needs_root
def test_a_full_disk_in_the_middle_of_a_refresh(failing):
    idp = failing.idp
    client = app(idp)
    browser = idp.sign_in(failing.user)
    code = query_of(location(browser, idp, client_id=client[0], scope="openid offline_access"))["code"]
    given = exchange(idp, client, code).json()
    failing.fail()
    try:
        for _ in range(3):
            must_be_oauth(refresh(idp, client, given["refresh_token"]))
        # What stores nothing goes on: the log has a disk of its own.
        looked = idp.form("/oauth2/introspect", auth=client, token=given["access_token"])
        assert looked.status_code == 200 and looked.json()["active"], looked.text
        must_be_oauth(idp.form("/oauth2/revoke", auth=client, token=given["refresh_token"]))
    finally:
        failing.heal()
    time.sleep(11)  # past the time in which the token before the current one would be good, too
    turned = refresh(idp, client, given["refresh_token"])
    assert turned.status_code == 200, turned.text
    assert refresh(idp, client, turned.json()["refresh_token"]).status_code == 200


@needs_root
def test_a_full_disk_in_the_middle_of_the_device_flow(failing):
    idp = failing.idp
    who, _ = make_client(idp, public=True, grantTypes=[DEVICE_GRANT], scopes=["openid"])
    browser = idp.sign_in(failing.user)
    begun = idp.form("/oauth2/device_authorization", client_id=who, scope="openid").json()

    def decide():
        return browser.post(idp.url + "/session/device", json={"userCode": begun["user_code"], "decision": "allow"})

    def poll():
        return idp.form("/oauth2/token", client_id=who, grant_type=DEVICE_GRANT, device_code=begun["device_code"])

    failing.fail()
    try:
        must_be_oauth(idp.form("/oauth2/device_authorization", client_id=who, scope="openid"))
        must_be_unavailable(decide())
        must_be_oauth(poll())
    finally:
        failing.heal()
    assert poll().json()["error"] in ("authorization_pending", "slow_down"), "what was refused did not decide"
    decided = decide()
    assert decided.status_code in (200, 204), decided.text
    failing.fail()
    try:
        must_be_oauth(poll())
    finally:
        failing.heal()
    given = poll()
    assert given.status_code == 200 and given.json()["access_token"], given.text
    assert poll().json()["error"] == "invalid_grant", "a device code is good once"


@needs_root
def test_a_full_disk_in_the_middle_of_an_enrolment(failing):
    idp = failing.idp
    who = name("user")
    idp.add_user(who, idp.root)
    idp.must(200, "PATCH", f"{USERS}/{who}", idp.root, json={"spec": {"mfa": {"required": True, "graceSeconds": 0}}},
             headers={"Content-Type": "application/merge-patch+json"})
    browser = idp.browser()
    begun = browser.post(idp.url + "/session", json={"username": who, "password": PASSWORD})
    assert begun.json()["status"] == "enrolment_required", begun.text
    offered = browser.post(idp.url + "/session/factors/totp", json={})
    assert offered.status_code == 200, offered.text
    authenticator = App(offered.json()["secret"])
    failing.fail()
    try:
        must_be_unavailable(browser.post(idp.url + "/session/factors/totp/confirm", json={"code": authenticator.code()}))
    finally:
        failing.heal()
    other = idp.browser().post(idp.url + "/session", json={"username": who, "password": PASSWORD})
    assert other.json()["status"] == "enrolment_required", "there is no second factor by half"
    done = browser.post(idp.url + "/session/factors/totp/confirm", json={"code": authenticator.code()})
    assert done.status_code == 200 and done.json()["status"] == "signed_in", done.text
    assert browser.get(idp.url + "/session").json()["username"] == who


@needs_root
def test_a_store_that_is_read_only_all_at_once(tmp_path):
    """As ext4 does it when it meets an error of the disk."""
    image = tmp_path / "disk"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if not pathlib.Path("/dev/loop-control").exists():
        pytest.skip("there are no loop devices")
    idp = Identity()
    try:
        folder = restart_on(idp, lambda at: subprocess.run(["mount", "-o", "loop", image, at], check=True))
        who = name("user")
        idp.add_user(who, idp.root)
        client = app(idp)
        browser = idp.sign_in(who)
        code = query_of(location(browser, idp, client_id=client[0], scope="openid offline_access"))["code"]
        subprocess.run(["mount", "-o", "remount,abort", folder], check=False, capture_output=True)
        idp.wait_until("a store that cannot be written", lambda: idp.browser().post(
            idp.url + "/session", json={"username": who, "password": PASSWORD}).status_code == 503)
        must_be_oauth(exchange(idp, client, code))
        assert query_of(location(browser, idp, client_id=client[0], state="s"))["error"] == "temporarily_unavailable"
        assert "serve.flush" in idp.text()
    finally:
        if idp.process is not None:
            idp.stop()
        subprocess.run(["umount", "-l", idp.data / "idp"], check=False, capture_output=True)
        idp.remove()


def stop_server(port):
    """At once, as when its machine goes down: what is needed to start it again."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"/postgres") and b"-p" in words and words[words.index(b"-p") + 1] == str(port).encode():
                status, folder = entry.joinpath("stat").stat(), os.readlink(entry / "cwd")
                os.kill(int(entry.name), signal.SIGQUIT)
                break
        except (OSError, IndexError):
            continue
    else:
        raise AssertionError("no server")
    lock = pathlib.Path(words[words.index(b"-D") + 1].decode()) / "postmaster.pid"
    deadline = time.monotonic() + 60
    while lock.exists():
        assert time.monotonic() < deadline, "the server does not end"
        time.sleep(0.05)
    return [word.decode() for word in words if word], status.st_uid, status.st_gid, folder


def start_server(stopped):
    words, uid, gid, folder = stopped
    return subprocess.Popen(words, user=uid, group=gid, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.skipif(not PROGRAMS or os.geteuid() != 0, reason="needs PostgreSQL's programs, and root to become its user")
def test_postgresql_is_away_in_the_middle_of_the_code_flow(server):  # noqa: F811
    port, passwords = server
    idp = Identity()
    idp.settings["store"] = "postgresql://nobody@127.0.0.1/none"
    for role in OWNERS:
        idp.settings[f"store-{role}"] = f"postgresql://{role}:{passwords[role]}@127.0.0.1:{port}/postgres"
    again = None
    idp.start(timeout=60)
    try:
        idp.root = idp.operator_token()
        who = name("user")
        idp.add_user(who, idp.root)
        client = app(idp)
        browser = idp.sign_in(who)
        code = query_of(location(browser, idp, client_id=client[0], scope="openid offline_access"))["code"]
        stopped = stop_server(port)
        try:
            must_be_oauth(exchange(idp, client, code))
            assert browser.get(idp.url + "/session").status_code in (500, 503)
        finally:
            again = start_server(stopped)
        given = idp.wait_until("the code to be exchanged", lambda: (lambda now: now if now.status_code != 503 else None)(exchange(idp, client, code)), timeout=60)
        assert given.status_code == 200, given.text
        assert refresh(idp, client, given.json()["refresh_token"]).status_code == 200
        assert exchange(idp, client, code).json()["error"] == "invalid_grant"
    finally:
        idp.stop()
        idp.remove()
        if again is not None:
            again.send_signal(signal.SIGINT)
            again.wait(30)
