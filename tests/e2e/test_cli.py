# SPDX-License-Identifier: Apache-2.0
"""The drun command against a running platform: signing in, posture, the audit log, what scripts rely on."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import pytest
import requests

from platform_process import DRUN, Platform

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def ours():
    """A platform whose first administrator, alice, came in by `drun setup-link`."""
    running = Platform()
    running.start()
    link = drun(running, "setup-link").stdout.strip()
    assert link.startswith(running.url + "/setup#token="), link
    made = running.request("POST", "/session/setup", json={
        "token": link.split("token=")[1], "username": "alice", "displayName": "Alice", "password": PASSWORD})
    assert made.ok, made.text
    yield running
    running.stop()
    running.remove()


def environment(**more):
    """Nothing of the user who runs the tests."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("DRUN_", "XDG_"))}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        keep.pop(name, None)
    return {**keep, **{name: str(value) for name, value in more.items()}}


def drun(platform, *words, code=0, **more):
    """One command as the operator."""
    done = subprocess.run([DRUN, *words], env=environment(DRUN_DATA=platform.data), capture_output=True, text=True,
                          timeout=120, **more)
    assert code is None or done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


def browser_of(platform):
    browser = requests.Session()
    browser.trust_env = False  # its REQUESTS_CA_BUNDLE would go before verify
    browser.verify = platform.ca
    answer = browser.post(platform.url + "/session", json={"username": "alice", "password": PASSWORD},
                          headers={"Origin": platform.url, "Sec-Fetch-Site": "same-origin"})
    assert answer.ok, answer.text
    return browser


def begin_login(platform, home, *more):
    process = subprocess.Popen([DRUN, "login", "--server", platform.url, "--ca", platform.ca, *more],
                               env=environment(HOME=home), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.strip().startswith("https://"):
            return process, line.strip()
    raise AssertionError("no address was printed")


def as_alice(home, *words, code=0):
    done = subprocess.run([DRUN, *words], env=environment(HOME=home), capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


@pytest.fixture
def alice(ours, tmp_path):
    """A home folder in which alice has signed in through a browser."""
    process, url = begin_login(ours, tmp_path)
    back = browser_of(ours).get(url, allow_redirects=False).headers["Location"]
    assert requests.get(back).ok
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out == f"signed in to {ours.url} as alice\n"
    return tmp_path


# ------------------------------------------------------------------ signing in


def test_login_goes_through_a_browser(ours, alice):
    kept = alice / ".config" / "drun" / "login.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    who = json.loads(as_alice(alice, "status", "-o", "json").stdout)
    assert who["user"]["username"] == "alice" and who["server"] == ours.url
    assert "default" in as_alice(alice, "get", "namespaces").stdout


def test_login_takes_a_pasted_code(ours, tmp_path):
    process, url = begin_login(ours, tmp_path, "--no-browser")
    back = browser_of(ours).get(url, allow_redirects=False).headers["Location"]
    assert back.startswith(ours.url + "/cli?")
    code = urllib.parse.parse_qs(urllib.parse.urlparse(back).query)["code"][0]
    out, err = process.communicate(code + "\n", timeout=20)
    assert process.returncode == 0, err
    assert "as alice" in out


def test_a_sign_in_of_somebody_else_is_not_taken(ours, tmp_path):
    """A page that sends the browser to the listener with its own code neither signs in nor ends the wait."""
    process, url = begin_login(ours, tmp_path)
    redirect = urllib.parse.parse_qs(urllib.parse.urlparse(url).query)["redirect_uri"][0]
    assert requests.get(redirect, params={"code": "mallory", "state": "guess"}).status_code == 400
    assert process.poll() is None
    back = browser_of(ours).get(url, allow_redirects=False).headers["Location"]
    assert requests.get(back).ok
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_an_old_token_is_refreshed_once_for_all(ours, alice):
    kept = alice / ".config" / "drun" / "login.json"
    login = json.loads(kept.read_text())
    kept.write_text(json.dumps({**login, "expiresAt": 0}))
    together = [subprocess.Popen([DRUN, "get", "namespaces", "-o", "name"], env=environment(HOME=alice),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for process in together:
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
    assert json.loads(kept.read_text())["refreshToken"] != login["refreshToken"]


def test_logout_revokes(ours, alice):
    kept = alice / ".config" / "drun" / "login.json"
    login = json.loads(kept.read_text())
    assert as_alice(alice, "logout").stdout == "signed out\n"
    assert not kept.exists()
    kept.write_text(json.dumps({**login, "expiresAt": 0}))
    assert "drun login" in as_alice(alice, "get", "namespaces", code=3).stderr


# ------------------------------------------------------------------ posture


def test_posture_proves_anew(ours):
    before = json.loads(drun(ours, "posture", "-o", "json", code=None).stdout)
    after = json.loads(drun(ours, "posture", "--run", "-o", "json", code=None).stdout)
    versions = [{item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in some["items"]} for some in (before, after)]
    for item in after["items"]:
        if item["status"].get("checkedAt") and item["status"]["verdict"] != "absent":
            name = item["metadata"]["name"]
            assert versions[0][name] != versions[1][name], name


def test_posture_of_one_control(ours):
    done = drun(ours, "posture", "--run", "-v", "EN-1")
    assert "proven" in done.stdout and "TLS 1.2 is refused" in done.stdout
    assert "\033[" not in done.stdout, "colour is for terminals"
    assert "drun posture" in drun(ours, "posture", "nothing", code=1).stderr


# ------------------------------------------------------------------ the audit log


@pytest.fixture
def key_file(ours, tmp_path):
    path = tmp_path / "audit.pub"
    path.write_text(drun(ours, "audit", "public-key").stdout)
    return path


def test_what_was_done_is_listed(ours):
    drun(ours, "apply", "-f", "-", input="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\n")
    events = json.loads(drun(ours, "audit", "list", "--limit", "20", "-o", "json").stdout)["items"]
    assert any(item["event"].get("drun.action.name") == "seen" for item in events)
    denied = json.loads(drun(ours, "audit", "list", "--outcome", "denied", "-o", "json").stdout)["items"]
    assert all(item["event"]["drun.outcome"] == "denied" for item in denied)


def test_tail_follows(ours):
    process = subprocess.Popen([DRUN, "audit", "tail", "--limit", "1", "--event", "drun.api.request"],
                               env=environment(DRUN_DATA=ours.data), stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    drun(ours, "get", "clusterroles", "-o", "name")
    assert any("clusterroles" in line for line, _ in zip(process.stdout, range(10)))
    process.kill()
    process.wait()


def test_the_log_is_verified_where_it_lies(ours):
    done = drun(ours, "audit", "verify")
    assert "GOOD" in done.stdout and "came from the platform" in done.stderr


def test_a_copy_is_verified_without_the_platform(ours, key_file, tmp_path):
    kept = tmp_path / "kept.ckpt"
    kept.write_text(drun(ours, "audit", "checkpoint").stdout)
    copy = tmp_path / "copy"
    shutil.copytree(ours.data / "audit", copy)
    for lock in copy.glob("*lock*"):
        lock.unlink()
    command = [DRUN, "audit", "verify", str(copy), "--public-key", str(key_file), "--checkpoint", str(kept)]
    good = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert good.returncode == 0 and "GOOD" in good.stdout, good.stdout + good.stderr
    segment = max(copy.glob("*.seg"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    bad = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert bad.returncode == 1 and "BAD" in bad.stdout, bad.stdout + bad.stderr


def test_a_record_is_proved_and_the_proof_holds_alone(ours, key_file, tmp_path):
    online = drun(ours, "audit", "prove", "3", "--public-key", str(key_file)).stdout
    assert online.startswith("c2sp.org/tlog-proof@v1\n")
    proof = tmp_path / "proof"
    check = [DRUN, "audit", "verify", "--proof", str(proof), "--public-key", str(key_file)]
    proof.write_text(online)
    assert subprocess.run(check, env=environment(), capture_output=True).returncode == 0
    proof.write_text(online.replace("index 3", "index 4"))
    assert subprocess.run(check, env=environment(), capture_output=True).returncode == 1


# ------------------------------------------------------------------ for scripts


def test_exit_codes_say_what_happened(ours, tmp_path):
    def code(*words, **more):
        return subprocess.run([DRUN, *words], env=environment(HOME=tmp_path, **more), capture_output=True).returncode

    here = {"DRUN_SERVER": ours.url, "DRUN_CA": ours.ca}
    assert code("get", "namespaces", **here, DRUN_TOKEN="wrong") == 3
    assert code("get", "namespaces", DRUN_SERVER="https://127.0.0.1:1") == 4
    assert code("get", "namespaces", "--nonsense") == 2
    assert code("get", "configmap", "missing", DRUN_DATA=ours.data) == 1
    assert code("get", "namespaces", "--data", str(tmp_path)) == 1
    assert code("audit", "nonsense", DRUN_DATA=ours.data) == 2


def test_status_lists_the_processes(ours):
    found = json.loads(drun(ours, "status", "-o", "json").stdout)
    names = {process["name"]: process for process in found["processes"]}
    assert {"supervisor", "kms", "audit", "api", "idp", "gateway"} <= set(names)
    assert names["supervisor"]["pid"] == ours.process.pid
    assert all(process["seccomp"] for name, process in names.items() if name != "supervisor")


def test_completion_offers_what_is_there(ours):
    script = f"source <({DRUN} completion bash); PATH={DRUN.parent}:$PATH; "

    def offered(*words):
        line = " ".join(f"'{word}'" for word in words)
        done = subprocess.run(["bash", "-c", script + f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _drun; "
                               "printf '%s\\n' \"${COMPREPLY[@]}\""],
                              env=environment(DRUN_DATA=ours.data), capture_output=True, text=True)
        return done.stdout.split()

    assert "posture" in offered("drun", "pos")
    assert offered("drun", "get", "configm") == ["configmaps"]
    assert "default" in offered("drun", "get", "configmaps", "-n", "def")
    assert offered("drun", "posture", "en-") == ["en-1", "en-2", "en-3"]
    assert offered("drun", "audit", "ver") == ["verify"]
    assert "--run" in offered("drun", "posture", "--r")
    assert offered("drun", "who-can", "inv") == ["invoke"]
    assert offered("drun", "can-i", "get", "configm") == ["configmaps"]
    drun(ours, "secrets", "set", "offered", "a=b")
    assert offered("drun", "secrets", "get", "off") == ["offered"]
    assert offered("drun", "describe", "secrets", "off") == ["offered"]
    assert "--previous" in offered("drun", "logs", "--p")
    drun(ours, "secrets", "rm", "offered")


def test_fish_gets_options_and_what_is_there(ours):
    script = drun(ours, "completion", "fish").stdout
    lines = script.splitlines()
    assert not [line for line in lines if line.replace("\\'", "").count("'") % 2], "a quote is left open"
    short = [line for line in lines if "seen_subcommand_from get'" in line and " -s n " in line]
    assert len(short) == 1 and "-a '(drun complete namespaces" in short[0]
    assert not [line for line in lines if line.startswith("complete -c drun -f -s n")]
    if fish := shutil.which("fish"):
        subprocess.run([fish, "--no-execute"], input=script, text=True, check=True, timeout=60)


# ------------------------------------------------------------------ objects

def test_secrets_are_written_listed_read_and_removed(ours, tmp_path):
    (tmp_path / "key.bin").write_bytes(bytes(range(256)))
    assert drun(ours, "secrets", "set", "db", "user=me", f"key=@{tmp_path}/key.bin").stdout == "secret/db created\n"
    assert drun(ours, "secrets", "set", "db", "more=-", input="from a pipe").stdout == "secret/db configured\n"
    shown = drun(ours, "secrets", "get", "db").stdout
    assert re.search(r"^user +2$", shown, re.M) and re.search(r"^key +256$", shown, re.M) and "from a pipe" not in shown
    assert drun(ours, "secrets", "get", "db", "more").stdout == "from a pipe"
    raw = subprocess.run([DRUN, "secrets", "get", "db", "key"], env=environment(DRUN_DATA=ours.data), capture_output=True, timeout=60)
    assert raw.stdout == bytes(range(256))
    assert "bWU=" not in drun(ours, "describe", "secret", "db").stdout
    assert re.search(r"^db +Opaque +3 ", drun(ours, "secrets", "list").stdout, re.M)
    assert drun(ours, "secrets", "list", "-o", "name").stdout == "secret/db\n"
    assert "no key" in drun(ours, "secrets", "get", "db", "none", code=1).stderr
    drun(ours, "secrets", "rm", "db", "more")
    drun(ours, "secrets", "get", "db", "more", code=1)
    assert "KEY=VALUE" in drun(ours, "secrets", "set", "db", "novalue", code=1).stderr
    drun(ours, "secrets", "rm", "db")
    drun(ours, "secrets", "get", "db", code=1)
    drun(ours, "secrets", "list", "db", code=2)
    drun(ours, "secrets", code=2)


def test_describe_tells_all_about_one_object(ours):
    manifest = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "shown", "labels": {"a": "b"}, "finalizers": ["example.com/wait"]}, "data": {"evil": "\u001b[31mred"}})
    assert drun(ours, "apply", "-f", "-", "-o", "name", input=manifest).stdout == "configmap/shown\n"
    text = drun(ours, "describe", "configmap", "shown").stdout
    assert re.search(r"^Name: +shown$", text, re.M) and re.search(r"^Labels: +a=b$", text, re.M)
    assert re.search(r"^Finalizers: +example.com/wait$", text, re.M) and "\x1b" not in text
    ages = re.compile(r"\(\d+s ago\)")
    assert ages.sub("", text) == ages.sub("", drun(ours, "describe", "configmap/shown").stdout)
    assert drun(ours, "delete", "configmap", "shown", "-o", "name").stdout == "configmap/shown\n"
    assert re.search(r"^Deleted: ", drun(ours, "describe", "cm", "shown").stdout, re.M)
    assert "not found" in drun(ours, "describe", "cm", "none", code=1).stderr
    drun(ours, "describe", "cm", code=2)


def test_who_can_and_can_i(ours):
    text = drun(ours, "who-can", "delete", "namespaces").stdout
    assert re.search(r"^Group +drun:operators +ClusterRoleBinding/cluster-admin +ClusterRole/cluster-admin$", text, re.M)
    found = json.loads(drun(ours, "who-can", "get", "modelservices/log", "-o", "json").stdout)
    assert {"drun:operators", "drun:platform-admins"} <= {one["name"] for one in found}
    assert json.loads(drun(ours, "can-i", "delete", "namespaces", "-o", "json").stdout)["status"]["allowed"] is True
    drun(ours, "who-can", "get", "nonsense", code=1)
    drun(ours, "who-can", "get", code=2)


def test_names_are_encoded_in_paths(ours):
    assert "system:discovery" in drun(ours, "get", "clusterrole", "system:discovery").stdout
    for name in ("a/b", "a?watch=true", "a#b", "a b"):
        assert drun(ours, "get", "configmap", name, code=1).stderr
    # Not found, or refused by the firewall once its rules are there.
    assert drun(ours, "get", "configmap", "../secrets", code=None).returncode in (1, 3)


def test_every_command_explains_itself(ours):
    for name in re.findall(r"^  ([a-z-]+) ", drun(ours, "help").stdout, re.M):
        assert drun(ours, name, "--help").stdout == drun(ours, "help", name).stdout


def test_the_man_page_is_the_one_in_the_tree():
    page = subprocess.run([DRUN, "man"], capture_output=True, text=True).stdout
    kept = pathlib.Path(__file__).resolve().parents[2] / "docs" / "man" / "drun.1"
    assert page == kept.read_text(), "docs/man/drun.1 is what `drun man` prints"
    assert re.search(r"^\.SS drun posture", page, re.M)
