# SPDX-License-Identifier: Apache-2.0
"""Roles that die together, and what they leave behind."""
import os
import pathlib
import shutil
import signal
import tempfile
import time


def answers(platform):
    try:
        token = platform.operator_token()
        return platform.request("GET", "/api/v1/namespaces", token, timeout=5).status_code == 200
    except (OSError, AssertionError, ValueError):
        return False


def masters(platform):
    """Pids of the nginx processes whose configuration is this platform's."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"nginx" in command and str(platform.run_dir).encode() in command:
            found.append(int(entry.name))
    return found


def the_master(platform):
    """None while there are more or none: a configuration that is being checked is an nginx, too."""
    found = masters(platform)
    return found[0] if len(found) == 1 else None


def test_roles_that_die_together_come_back(own_platform):
    platform = own_platform.start()
    for pid in [platform.roles()[role] for role in ("kms", "audit", "api", "idp", "secrets")]:
        os.kill(pid, signal.SIGKILL)
    platform.wait_until("an answer", lambda: answers(platform), timeout=30)
    assert "signal 11" not in platform.text(), platform.text()[-3000:]
    assert platform.stop() == 0


def test_a_role_that_does_not_read_keeps_nothing_from_stopping(own_platform):
    platform = own_platform.start()
    os.kill(platform.roles()["secrets"], signal.SIGSTOP)
    platform.wait_for_role("api", platform.kill("api"))
    platform.wait_until("an answer", lambda: answers(platform))
    assert platform.stop(timeout=30) == 0


def test_nginx_does_not_outlive_its_keeper(own_platform):
    platform = own_platform.start()
    before = platform.wait_until("one nginx", lambda: the_master(platform))
    platform.wait_for_role("gateway", platform.kill("gateway"))
    platform.wait_until("one new nginx", lambda: the_master(platform) not in (None, before))
    platform.wait_until("an answer", lambda: answers(platform))
    assert platform.stop() == 0
    assert masters(platform) == []


def test_nothing_is_left_when_the_supervisor_is_killed(own_platform):
    platform = own_platform.start()
    pids = list(platform.roles().values())
    platform.process.kill()
    platform.process.wait()
    deadline = time.monotonic() + 10
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids) or masters(platform):
        assert time.monotonic() < deadline, (pids, masters(platform))
        time.sleep(0.05)
    platform.start()
    assert platform.stop() == 0


def test_a_run_directory_of_somebody_else_is_left_alone(own_platform):
    theirs = pathlib.Path(tempfile.mkdtemp(prefix="drun-e2e-", dir="/dev/shm"))
    try:
        (theirs / "secrets").mkdir()
        (theirs / "secrets" / "kept").write_text("kept")
        failed = own_platform.try_start("--set", f"run-dir={theirs}")
        assert failed.returncode != 0 and "run-dir" in failed.stderr, failed.stderr
        assert (theirs / "secrets" / "kept").read_text() == "kept"
    finally:
        shutil.rmtree(theirs)
