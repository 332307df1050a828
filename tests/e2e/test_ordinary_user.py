# SPDX-License-Identifier: Apache-2.0
"""Started by an ordinary user the platform works, and says which compartments it could not build."""
import json
import os
import pwd
import shutil
import subprocess

import pytest

from cluster import Cluster, config_map, path_of
from platform_process import DRUN, Platform

ROLES = ["kms", "audit", "api", "idp", "secrets", "posture", "gateway", "exporter", "waf"]


class OrdinaryPlatform(Platform):
    """The platform of another user, when we are root."""
    uid = 65534 if os.geteuid() == 0 else os.geteuid()

    def __init__(self):
        super().__init__()
        if os.geteuid() == 0:
            for path in (self.folder, self.run_dir):
                os.chown(path, self.uid, self.uid)
            self.log_path.touch()

    def command(self, *more):
        words = super().command(*more)
        if os.geteuid() != 0:
            return words
        # Only what an ordinary user can read: the tree of the project may be root's own.
        return [shutil.which("setpriv"), f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--inh-caps=-all",
                "--bounding-set=-all", *words]

    def operator_token(self):
        """The socket is its owner's and root's."""
        answer = subprocess.check_output([
            *(["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"] if os.geteuid() == 0 else []),
            "curl", "-s", "--unix-socket", str(self.run_dir / "operator.sock"), "-X", "POST", "http://operator/token"], text=True)
        return json.loads(answer)["access_token"]


@pytest.fixture(scope="module")
def ordinary():
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("setpriv (util-linux) is needed to become another user")
    probe = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(DRUN), "version"],
                           capture_output=True) if os.geteuid() == 0 else None
    if probe is not None and probe.returncode != 0:
        pytest.skip("an ordinary user cannot read this source tree")
    running = OrdinaryPlatform()
    running.start()
    yield running
    code = running.stop()
    running.remove()
    assert code == 0


def test_it_works(ordinary):
    assert set(ROLES) <= set(ordinary.roles())
    cluster = Cluster(ordinary)
    ns = cluster.namespace("ordinary")
    cluster.create("configmaps", ns, config_map("a", b="c"))
    cluster.create("secrets", ns, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}})
    tenant, _ = cluster.account(ns, "bob")
    assert cluster.get("configmaps", ns, "a")["data"] == {"b": "c"}
    assert tenant.call("GET", path_of("configmaps", ns)).status_code == 403


def test_every_process_is_the_users(ordinary):
    for role, pid in ordinary.roles().items():
        uids = open(f"/proc/{pid}/status").read().split("Uid:")[1].split("\n")[0].split()
        assert set(uids) == {str(ordinary.uid)}, role


@pytest.mark.parametrize("role", ROLES)
def test_the_report_says_what_is_in_force_and_what_is_missing_and_why(ordinary, role):
    report = {entry["name"]: entry for entry in json.loads((ordinary.run_dir / role / "lockdown.json").read_text())}
    for mechanism in ("no_new_privs", "seccomp"):
        assert report[mechanism]["state"] == "in_force", report[mechanism]
    assert report["own_uid"]["state"] == "not_granted" and "not root" in report["own_uid"]["detail"], report["own_uid"]
    assert all(entry["detail"] for entry in report.values() if entry["state"] == "not_granted"), report


def test_files_and_folders_are_the_users_alone(ordinary):
    for path in (ordinary.data / name for name in ("kms", "audit", "api", "idp", "secrets")):
        assert path.stat().st_mode & 0o077 == 0 and path.stat().st_uid == ordinary.uid, path
    assert (ordinary.run_dir / "operator.sock").stat().st_mode & 0o077 == 0


def test_another_user_gets_no_operator_token(ordinary):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    done = subprocess.run(["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", "curl", "-s", "--unix-socket",
                           str(ordinary.run_dir / "operator.sock"), "-X", "POST", "http://operator/token"], capture_output=True)
    assert done.returncode != 0 and b"access_token" not in done.stdout
