# SPDX-License-Identifier: Apache-2.0
"""The process tree: start, stop, restart, compartments, and starts that must fail."""
import json
import os
import shutil
import socket

import pytest

ROOT_ROLES = {"kms", "audit", "api", "idp", "secrets", "agent", "posture", "gateway", "exporter", "waf"}


def test_every_role_runs_and_holds_its_promises(platform):
    assert ROOT_ROLES <= set(platform.roles())
    for role in ROOT_ROLES - {"agent"}:
        report = {entry["name"]: entry for entry in json.loads((platform.run_dir / role / "lockdown.json").read_text())}
        for mechanism in ("no_new_privs", "seccomp"):
            assert report[mechanism]["state"] == "in_force", (role, report[mechanism])
        if os.geteuid() == 0:
            for mechanism in ("own_uid", "no_capabilities", "private_mounts"):
                assert report[mechanism]["state"] == "in_force", (role, report[mechanism])


def test_there_is_a_second_gateway_for_who_wants_it_alone(platform):
    assert set(platform.roles()) == ROOT_ROLES
    for folder in (platform.run_dir, platform.data):
        assert not (folder / "gateway2").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="roles have their own users only as root")
def test_roles_run_as_their_own_users(platform):
    uids = {}
    for role, pid in platform.roles().items():
        status = open(f"/proc/{pid}/status").read()
        uids[role] = int(status.split("Uid:")[1].split()[0])
    unprivileged = [uid for role, uid in uids.items() if role != "agent"]
    assert 0 not in unprivileged and len(set(unprivileged)) == len(unprivileged), uids


@pytest.mark.parametrize("role", ["kms", "audit", "api", "idp", "secrets", "posture", "gateway", "exporter", "waf"])
def test_a_killed_role_comes_back(own_platform, role):
    platform = own_platform.start()
    platform.wait_for_role(role, platform.kill(role))
    answer = platform.wait_until("an answer", lambda: try_version(platform))
    assert answer.json()["major"] == "1"
    assert platform.stop() == 0


def try_version(platform):
    try:
        answer = platform.request("GET", "/version", timeout=5)
        return answer if answer.status_code == 200 else None
    except OSError:
        return None


def test_data_survive_a_restart(own_platform):
    platform = own_platform.start()
    token = platform.operator_token()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "1"}}
    created = platform.request("POST", "/api/v1/namespaces/default/configmaps", token, json=body)
    assert created.status_code == 201, created.text
    assert platform.stop() == 0
    platform.start()
    found = platform.request("GET", "/api/v1/namespaces/default/configmaps/kept", platform.operator_token())
    assert found.json()["data"] == {"a": "1"}


def test_a_second_start_on_the_same_data_is_refused(platform):
    again = platform.try_start("--set", "listen=127.0.0.1:1")
    assert again.returncode == 1 and "already" in again.stderr, again.stderr


def test_a_port_in_use_is_named(own_platform):
    with socket.socket() as other:
        other.bind(("127.0.0.1", own_platform.port))
        other.listen()
        failed = own_platform.try_start()
    assert failed.returncode == 1 and str(own_platform.port) in failed.stderr, failed.stderr


def test_a_wrong_key_file_is_refused_and_nothing_is_lost(own_platform):
    platform = own_platform.start()
    assert platform.stop() == 0
    right = platform.key_file.read_text()
    platform.key_file.write_text("00" * 32)
    failed = platform.try_start()
    assert failed.returncode != 0 and "denied" in failed.stderr, failed.stderr
    platform.key_file.write_text(right)
    platform.start()


def test_a_key_file_that_others_can_read_is_refused(own_platform):
    platform = own_platform.start()
    assert platform.stop() == 0
    platform.key_file.chmod(0o644)
    failed = platform.try_start()
    assert failed.returncode != 0 and "0600" in failed.stderr, failed.stderr


def test_the_data_of_another_instance_are_refused(own_platform):
    platform = own_platform.start()
    assert platform.stop() == 0
    instance = platform.data / "instance"
    text = instance.read_text()
    instance.write_text(text.replace(text.split("\n")[1][:8], "00000000"))
    failed = platform.try_start()
    assert failed.returncode != 0 and "instance" in failed.stderr, failed.stderr


def test_a_data_directory_without_its_instance_file_is_refused(own_platform):
    platform = own_platform.start()
    assert platform.stop() == 0
    (platform.data / "instance").unlink()
    failed = platform.try_start()
    assert failed.returncode == 1 and "instance file" in failed.stderr, failed.stderr


def test_unknown_settings_are_named_with_their_place(own_platform):
    config = own_platform.folder / "drun.yaml"
    config.write_text("listen: 127.0.0.1:8443\nlissten: 1\n")
    failed = own_platform.try_start("--config", str(config))
    assert failed.returncode == 1 and ":2:1" in failed.stderr and "listen" in failed.stderr, failed.stderr


def test_a_passphrase_unseals_and_a_wrong_one_does_not(own_platform):
    secret = own_platform.folder / "passphrase"
    secret.write_text("a long enough passphrase\n")
    own_platform.start("--passphrase-file", str(secret))
    assert own_platform.stop() == 0
    assert not own_platform.key_file.exists()
    secret.write_text("another long passphrase\n")
    failed = own_platform.try_start("--passphrase-file", str(secret))
    assert failed.returncode != 0 and "denied" in failed.stderr, failed.stderr


def test_a_store_that_was_rolled_back_is_refused(own_platform):
    platform = own_platform.start()
    token = platform.operator_token()
    assert platform.stop() == 0
    old = platform.folder / "old.db"
    shutil.copy(platform.data / "api" / "store.db", old)
    platform.start()
    for i in range(3):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}"}}
        made = platform.request("POST", "/api/v1/namespaces/default/configmaps", platform.operator_token(), json=body)
        assert made.status_code == 201, made.text
    assert platform.stop() == 0
    for name in ("store.db-wal", "store.db-shm"):
        (platform.data / "api" / name).unlink(missing_ok=True)
    shutil.copy(old, platform.data / "api" / "store.db")
    failed = platform.try_start()
    assert failed.returncode != 0 and "corrupt" in failed.stderr, failed.stderr
    del token
