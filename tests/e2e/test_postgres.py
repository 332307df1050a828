# SPDX-License-Identifier: Apache-2.0
"""The stores in a real PostgreSQL over TCP: each role has its own login, and no other role knows it."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from cluster import Cluster, config_map
from platform_process import free_port

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
OWNERS = ("api", "idp", "secrets")

pytestmark = pytest.mark.skipif(not PROGRAMS or os.geteuid() != 0, reason="needs PostgreSQL's programs, and root to become its user")


@pytest.fixture
def server():
    """A server on the loopback that wants passwords; "host:port" and the passwords by role."""
    programs = PROGRAMS[-1].parent
    who = pwd.getpwnam("postgres")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-e2e-pg-"))
    os.chown(folder, who.pw_uid, who.pw_gid)
    secret = folder / "pw"
    secret.write_text("top-secret-of-the-owner")
    os.chown(secret, who.pw_uid, who.pw_gid)
    as_user = {"user": who.pw_uid, "group": who.pw_gid, "cwd": folder}
    subprocess.run([programs / "initdb", "-D", folder / "data", "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-N"],
                   check=True, capture_output=True, **as_user)
    port = free_port()
    running = subprocess.Popen([programs / "postgres", "-D", folder / "data", "-k", folder, "-p", str(port), "-c", "listen_addresses=127.0.0.1"],
                               stdout=subprocess.DEVNULL, stderr=open(folder / "log", "wb"), **as_user)
    passwords = {role: f"pw-of-{role}-{os.urandom(8).hex()}" for role in OWNERS}

    def sql(text):
        return subprocess.run([programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "owner",
                               "-d", "postgres", "-c", text], env={"PGPASSWORD": "top-secret-of-the-owner"}, capture_output=True, text=True)
    deadline = time.monotonic() + 30
    while sql("SELECT 1").returncode != 0:
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.1)
    for role, password in passwords.items():
        for text in (f"CREATE ROLE {role} LOGIN PASSWORD '{password}'", f"GRANT CREATE ON DATABASE postgres TO {role}"):
            assert sql(text).returncode == 0
    yield port, passwords
    running.send_signal(signal.SIGQUIT)
    running.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


def holds(pid, needle):
    """Whether the bytes are anywhere in what the process can write in memory."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not span or "[v" in line:
                continue
            start, end = (int(part, 16) for part in span.groups())
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, OverflowError):
                continue
    return False


def test_each_role_has_its_own_login_and_no_other(own_platform, server):
    port, passwords = server
    platform = own_platform
    platform.settings["store"] = "postgresql://nobody@127.0.0.1/none"
    for role, password in passwords.items():
        platform.settings[f"store-{role}"] = f"postgresql://{role}:{password}@127.0.0.1:{port}/postgres"
    platform.start(timeout=60)
    cluster = Cluster(platform)
    ns = cluster.namespace("pg")
    cluster.create("configmaps", ns, config_map("kept", v="1"))
    roles = platform.roles()
    for owner, password in passwords.items():
        assert holds(roles[owner], password.encode()), "the search finds what is there"
        for other, pid in roles.items():
            if other != owner:
                assert not holds(pid, password.encode()), f"{other} knows the login of {owner}"
    assert platform.stop() == 0
    platform.run_dir.mkdir(mode=0o710, exist_ok=True)
    platform.start(timeout=60)
    assert Cluster(platform).get("configmaps", ns, "kept")["data"]["v"] == "1"
