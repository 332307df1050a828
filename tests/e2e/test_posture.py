# SPDX-License-Identifier: Apache-2.0
"""The proofs: all hold on a healthy platform, and each goes red when what it proves is broken."""
import os
import pathlib
import re
import signal
import time

import pytest

BUILT = {"en-1", "en-2", "en-3", "id-1", "id-2", "id-3", "id-4", "ml-1", "ml-2", "ml-3", "mo-5", "pf-3", "pf-5"}
NEED_AN_ENGINE = {"ml-2", "ml-3", "pf-3"}


def control(platform, name):
    return platform.request("GET", f"/apis/drun.io/v1/controls/{name}", platform.operator_token()).json()["status"]


def probe(platform, name, timeout=30):
    """Runs one proof and gives its new status."""
    before = control(platform, name).get("checkedAt")
    time.sleep(1.1)  # checkedAt counts seconds
    started = platform.request("POST", f"/apis/drun.io/v1/controls/{name}/probe", platform.operator_token())
    assert started.status_code == 202, started.text
    return platform.wait_until(f"the proof {name}", lambda: (
        lambda status: status if status.get("checkedAt") not in (None, before) else None)(control(platform, name)), timeout)


def test_every_built_control_is_proven_and_the_rest_is_absent(platform):
    def verdicts():
        listed = platform.request("GET", "/apis/drun.io/v1/controls", platform.operator_token()).json()["items"]
        found = {c["metadata"]["name"]: c["status"] for c in listed}
        return found if all(found[name]["verdict"] != "absent" for name in BUILT) else None

    found = platform.wait_until("the first verdicts", verdicts, timeout=60)
    assert len(found) == 36
    for name in BUILT - NEED_AN_ENGINE:
        assert found[name]["verdict"] == "proven", (name, found[name]["evidence"])
    for name in NEED_AN_ENGINE:
        assert found[name]["verdict"] in ("proven", "degraded"), (name, found[name]["evidence"])
    for name in set(found) - BUILT:
        assert found[name]["verdict"] == "absent", name


def test_en1_fails_when_the_gateway_takes_tls_1_2(own_platform):
    platform = own_platform.start()
    assert probe(platform, "en-1")["verdict"] == "proven"
    conf = platform.run_dir / "gateway" / "nginx.conf"
    text = conf.read_text()
    assert "TLSv1.3" in text
    conf.write_text(text.replace("ssl_protocols TLSv1.3", "ssl_protocols TLSv1.2 TLSv1.3"))
    os.kill(int((platform.run_dir / "gateway" / "nginx.pid").read_text()), signal.SIGHUP)
    time.sleep(1)
    status = probe(platform, "en-1")
    assert status["verdict"] == "failed" and "DOES NOT HOLD: a handshake with TLS 1.2" in status["evidence"]


def test_id3_fails_when_any_code_passes(own_platform):
    platform = own_platform.start()
    status = probe(platform, "id-3", timeout=120)
    assert status["verdict"] == "proven", status["evidence"]
    # Nobody is left behind; another proof may just be signing in.
    platform.wait_until("an empty list of users", lambda: not platform.request("GET", "/apis/drun.io/v1/users", platform.operator_token()).json()["items"])
    assert (platform.run_dir / "idp" / "setup-link").exists(), "who is made for the proof is no administrator"
    conf = platform.run_dir / "gateway" / "nginx.conf"
    text = conf.read_text()
    place = re.search(r"^\s*location ~ .*oauth2", text, re.M)
    conf.write_text(text[:place.start()] + "\n location = /session/factor { return 204; }\n" + text[place.start():])
    os.kill(int((platform.run_dir / "gateway" / "nginx.pid").read_text()), signal.SIGHUP)
    time.sleep(1)
    status = probe(platform, "id-3", timeout=120)
    assert status["verdict"] == "failed" and "DOES NOT HOLD: a code of ten minutes ago is refused" in status["evidence"]


def test_id2_fails_when_a_binding_grants_too_much(own_platform):
    platform = own_platform.start()
    assert probe(platform, "id-2")["verdict"] == "proven"
    made = platform.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", platform.operator_token(), json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "name": "drun:posture", "apiGroup": "rbac.authorization.k8s.io"}]})
    assert made.status_code == 201, made.text
    assert probe(platform, "id-2")["verdict"] == "failed"


def test_mo5_fails_when_the_log_was_changed(own_platform):
    platform = own_platform.start()
    for _ in range(20):
        platform.request("GET", "/api/v1/namespaces", platform.operator_token())
    assert probe(platform, "mo-5")["verdict"] == "proven"
    segment = max((platform.data / "audit").glob("*.seg"))
    with open(segment, "r+b") as file:
        file.seek(segment.stat().st_size // 3)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    status = probe(platform, "mo-5")
    assert status["verdict"] == "failed" and "DOES NOT HOLD: a copy of the audit log" in status["evidence"]


def test_en2_fails_when_plaintext_reaches_the_disk(own_platform):
    """A process that writes what it sees to the data directory, as a careless log would."""
    platform = own_platform.start()
    token = platform.operator_token()
    # A large file makes the search last, so that the leak is written before it ends.
    slow = platform.data / "zz-large"
    with open(slow, "wb") as file:
        file.truncate(3 << 30)
    watch = platform.request("GET", "/api/v1/namespaces/drun-posture/configmaps?watch=true", token, stream=True, timeout=60)
    before = control(platform, "en-2").get("checkedAt")
    assert platform.request("POST", "/apis/drun.io/v1/controls/en-2/probe", token).status_code == 202
    leak = platform.data / "zzz-careless.log"
    for line in watch.iter_lines():
        if b"canary-" in line and b"ADDED" in line:
            leak.write_bytes(line)
            break
    status = platform.wait_until("the proof", lambda: (
        lambda s: s if s.get("checkedAt") not in (None, before) else None)(control(platform, "en-2")), 60)
    watch.close()
    assert status["verdict"] == "failed", status["evidence"]
    leak.unlink()
    slow.unlink()
    assert probe(platform, "en-2")["verdict"] == "proven"


@pytest.mark.skipif(os.geteuid() != 0, reason="the limit on locked memory is lowered as root")
def test_en3_is_degraded_without_locked_memory(own_platform):
    import resource
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, hard[1]))
    try:
        # Root may lock memory whatever the limit says, so the capability goes too.
        own_platform.prefix = ["setpriv", "--bounding-set", "-ipc_lock"]
        platform = own_platform.start()
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, hard)
    assert probe(platform, "en-3")["verdict"] == "degraded"


def test_the_compartments_are_reported(platform):
    reports = list(pathlib.Path(platform.run_dir).glob("*/lockdown.json"))
    assert len(reports) == 9
