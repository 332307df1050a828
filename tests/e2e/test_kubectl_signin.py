# SPDX-License-Identifier: Apache-2.0
"""kubectl as a person: its kubeconfig runs `drun token`, which keeps the sign-in, refreshes it, and asks for a device code at
a terminal. With the kubectl on PATH, which asks in v1, and Debian 12's (1.20), which knows only v1beta1."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
import requests

from identity import RBAC, Identity, name
from platform_process import DRUN, ROOT, free_port

PROGRAMS = {"path": (shutil.which("kubectl"), "v1"), "debian": (ROOT / "build/kubectl-debian/usr/bin/kubectl", "v1beta1")}


@pytest.fixture(scope="module")
def idp():
    with Identity().serving() as running:
        yield running


class Person:
    """Somebody with a home folder, a kubeconfig, and nothing else of the machine's."""

    def __init__(self, idp, program, api, home):
        self.idp, self.program, self.home = idp, str(program), home
        self.name = name("ann")
        idp.add_user(self.name, idp.root)
        idp.must(201, "POST", f"{RBAC}/namespaces/default/rolebindings", idp.root, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": self.name},
            "subjects": [{"kind": "User", "name": self.name, "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"}})
        self.config = home / "kubeconfig"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(self.config)}
        made = self.drun("kubeconfig", "--server", idp.url, "--ca", idp.ca, "--exec-api", api)
        self.config.write_text(made.stdout)

    def drun(self, *words, code=0, **env):
        done = subprocess.run([DRUN, *words], env={**self.env, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def kubectl(self, *words, fails=False, text=None):
        done = subprocess.run([self.program, *words], env=self.env, input=text, stdin=subprocess.DEVNULL if text is None else None,
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def sign_in(self, *words):
        """Runs a command at a terminal, signs in with the device code that it shows; what the terminal showed."""
        screen, end = pty.openpty()
        # kubectl 1.20 takes what writes its output to a terminal for one that somebody sits at.
        process = subprocess.Popen([self.program, *words], env=self.env, stdin=end, stdout=end, stderr=end)
        os.close(end)
        shown, asked, deadline = "", None, time.monotonic() + 120
        while time.monotonic() < deadline:
            if not select.select([screen], [], [], 1)[0]:
                continue
            try:
                shown += os.read(screen, 65536).decode(errors="replace")
            except OSError:  # nobody holds the other end any more
                break
            if asked is None and (found := re.search(r"user_code=([B-Z]{4}-[B-Z]{4})\s", shown)):
                asked = found.group(1)
                browser = self.idp.sign_in(self.name)
                assert browser.post(self.idp.url + "/session/device", json={"userCode": asked, "decision": "allow"}).status_code == 204
        os.close(screen)
        assert process.wait(60) == 0 and asked, shown
        return shown

    @property
    def kept(self):
        return self.home / ".config" / "drun" / "login.json"

    def login(self):
        return json.loads(self.kept.read_text())

    def end_in(self, seconds):
        self.kept.write_text(json.dumps({**self.login(), "expiresAt": int(time.time()) + seconds}))


@pytest.fixture(params=PROGRAMS)
def person(request, idp, tmp_path):
    program, api = PROGRAMS[request.param]
    if not program or not os.access(program, os.X_OK):
        pytest.skip(f"the kubectl of {request.param} is not here (tools/bootstrap test gets it where Debian has it)")
    return Person(idp, program, api, tmp_path)


def test_a_device_code_at_the_first_command_and_never_again(person):
    refused = person.kubectl("get", "configmaps", fails=True)
    assert f"drun login {person.idp.url}" in refused, "without a terminal it says what to do"
    assert not person.kept.exists()
    assert "kind: List" in person.sign_in("get", "configmaps", "-o", "yaml")
    assert person.kept.stat().st_mode & 0o777 == 0o600
    first = person.login()
    person.kubectl("get", "configmaps")
    assert person.login() == first, "kept: the same token, nothing refreshed"
    assert "orbidden" in person.kubectl("get", "secrets", "-n", "kube-system", fails=True), "as that person, with that person's rights"


def test_a_token_that_ends_is_refreshed(person):
    person.sign_in("get", "configmaps")
    before = person.login()
    person.end_in(30)
    person.kubectl("get", "configmaps")
    after = person.login()
    assert after["refreshToken"] != before["refreshToken"] and after["accessToken"] != before["accessToken"]
    assert after["expiresAt"] > time.time() + 300


def test_one_kubectl_outlives_its_token(person):
    """kubectl keeps a credential until the time that stands in it, and then asks again."""
    person.sign_in("get", "configmaps")
    port = free_port()
    person.end_in(66)
    before = person.login()
    proxy = subprocess.Popen([person.program, "proxy", f"--port={port}"], env=person.env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert "Starting to serve" in proxy.stdout.readline()

        def get():
            return requests.get(f"http://127.0.0.1:{port}/api/v1/namespaces/default/configmaps", timeout=20).status_code
        assert get() == 200 and person.login() == before
        while time.time() < before["expiresAt"] - 59:
            time.sleep(0.2)
        assert get() == 200
        assert person.login()["refreshToken"] != before["refreshToken"], "the credential was kept beyond its time"
    finally:
        proxy.terminate()
        proxy.wait(20)


def test_a_sign_in_that_was_ended_is_made_again(person):
    person.sign_in("get", "configmaps")
    browser = person.idp.sign_in(person.name)
    assert browser.delete(person.idp.url + "/session/all").status_code in (200, 204)
    person.end_in(0)
    assert "drun login" in person.kubectl("get", "configmaps", fails=True)
    assert "kind: List" in person.sign_in("get", "configmaps", "-o", "yaml")


def test_the_answer_is_of_the_version_that_is_asked(person):
    person.sign_in("get", "configmaps")
    for version in ("v1", "v1beta1"):
        asked = json.dumps({"kind": "ExecCredential", "apiVersion": f"client.authentication.k8s.io/{version}", "spec": {"interactive": False}})
        answer = json.loads(person.drun("token", "--server", person.idp.url, "-o", "exec-credential", KUBERNETES_EXEC_INFO=asked).stdout)
        assert answer["apiVersion"] == f"client.authentication.k8s.io/{version}" and answer["kind"] == "ExecCredential"
        assert answer["status"]["token"] == person.login()["accessToken"]
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(person.login()["expiresAt"] - 60))
        assert answer["status"]["expirationTimestamp"] == ends
    assert person.drun("token").stdout.strip() == person.login()["accessToken"]
    person.drun("token", "-o", "nonsense", code=2)
    broken = person.drun("token", "-o", "exec-credential", code=1, KUBERNETES_EXEC_INFO="{")
    assert "KUBERNETES_EXEC_INFO" in broken.stderr


def test_no_platform_gets_the_token_of_another(person):
    """The kubeconfig names its platform; a sign-in elsewhere is not for it."""
    person.sign_in("get", "configmaps")
    person.kept.write_text(json.dumps({**person.login(), "server": "https://elsewhere.example"}))
    said = person.kubectl("get", "configmaps", fails=True)
    assert f"nobody is signed in to {person.idp.url}" in said
    assert person.login()["accessToken"] not in person.drun("token", "--server", person.idp.url, code=3).stdout
    # At a terminal, too, the other sign-in stays.
    screen, end = pty.openpty()
    done = subprocess.run([DRUN, "token", "--server", person.idp.url, "--ca", person.idp.ca], env=person.env, stdin=end, stderr=end,
                          stdout=subprocess.PIPE, timeout=60)
    os.close(end)
    assert done.returncode == 3 and "elsewhere.example" in os.read(screen, 65536).decode()
    os.close(screen)


def test_the_kubeconfig_is_what_kubectl_documents(person):
    config = json.loads(subprocess.check_output([person.program, "config", "view", "--raw", "-o", "json"], env=person.env))
    asked = config["users"][0]["user"]["exec"]
    assert asked["apiVersion"] in ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
    assert asked.get("interactiveMode", "IfAvailable") == "IfAvailable", "kubectl 1.20 does not know it"
    assert asked["command"] == str(DRUN) and asked["args"][:3] == ["token", "-o", "exec-credential"]
    assert config["clusters"][0]["cluster"]["server"] == person.idp.url
    person.drun("kubeconfig", "--exec-api", "v2", code=2)


def test_a_key_in_the_environment_goes_before_the_sign_in(person):
    key = person.idp.add_key(name("k"), person.idp.root, user=person.name, scopes={"verbs": ["get", "list"]})["status"]["key"]
    person.env["DRUN_TOKEN"] = key
    person.kubectl("get", "configmaps")
    answer = json.loads(person.drun("token", "--server", person.idp.url, "-o", "exec-credential").stdout)
    assert answer["status"] == {"token": key}, "of a key nobody here knows the end"
    assert not person.kept.exists()
