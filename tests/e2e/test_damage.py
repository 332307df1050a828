# SPDX-License-Identifier: Apache-2.0
"""Damaged files, a full disk, roles killed under load, a clock that jumps: what was acknowledged is never lost, what is
damaged is said, and the audit log verifies or says where it does not."""
import base64
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
import requests

from cluster import Cluster, config_map, path_of, unique
from platform_process import DRUN, Platform

LOAD_SEC = float(os.environ.get("DRUN_TEST_LOAD_SEC", "3"))


def public_key(platform, folder):
    file = pathlib.Path(folder) / "log.key"
    file.write_text(subprocess.check_output([DRUN, "audit", "public-key", "--data", platform.data], text=True))
    return file


def verify(platform, key):
    return subprocess.run([DRUN, "audit", "verify", platform.data / "audit", "--public-key", key], capture_output=True, text=True,
                          timeout=60)


def start_again(platform):
    platform.run_dir.mkdir(mode=0o710, exist_ok=True)
    return platform.start()


# ------------------------------------------------------------------ killed under load

class Writers:
    """Four clients that create and change objects and remember what they were told."""

    def __init__(self, platform, ns, kinds=("configmaps",)):
        self.platform, self.ns, self.kinds = platform, ns, kinds
        self.token = platform.operator_token()
        self.stop, self.kept, self.lock, self.refused = threading.Event(), {}, threading.Lock(), 0
        self.threads = [threading.Thread(target=self.write, args=(number,), daemon=True) for number in range(4)]

    def body(self, kind, name, value):
        if kind == "secrets":
            return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"v": value}}
        return config_map(name, v=value)

    def write(self, number):
        session = requests.Session()
        session.trust_env, session.verify = False, self.platform.ca
        session.headers["Authorization"] = f"Bearer {self.token}"
        turn = 0
        while not self.stop.is_set():
            turn += 1
            kind = self.kinds[turn % len(self.kinds)]
            name = f"w{number}-{turn % 40}"
            key = (kind, name)
            made = key in self.kept
            url = self.platform.url + path_of(kind, self.ns, name if made else None)
            try:
                answer = session.request("PUT" if made else "POST", url, json=self.body(kind, name, str(turn)), timeout=10)
            except (requests.RequestException, OSError):
                answer = None
            with self.lock:
                if answer is not None and answer.status_code in (200, 201):
                    self.kept[key] = {str(turn)}
                elif answer is not None and answer.status_code == 409:
                    self.kept.setdefault(key, set()).add(str(turn))
                else:
                    # No answer is no promise: the old or the new one may be there.
                    self.refused += 1
                    if made or answer is None:
                        self.kept.setdefault(key, {None}).add(str(turn))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(15)

    def lost(self, cluster):
        """What was acknowledged and is not there."""
        found = {}
        for kind in self.kinds:
            for item in cluster.list(kind, self.ns)["items"]:
                value = item["data"]["v"]
                found[(kind, item["metadata"]["name"])] = base64.b64decode(value).decode() if kind == "secrets" else value
        return {key: (allowed, found.get(key)) for key, allowed in self.kept.items()
                if found.get(key) not in allowed}


@pytest.mark.parametrize("role", ["api", "audit", "kms", "secrets", "gateway"])
def test_a_role_killed_under_load_loses_nothing(own_platform, role):
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("load")
    key = public_key(platform, platform.folder)
    chosen = random.Random(role)
    kills = 0
    with Writers(platform, ns, ("configmaps", "secrets")) as writers:
        end = time.monotonic() + LOAD_SEC
        while time.monotonic() < end:
            time.sleep(chosen.uniform(0.2, 0.6))
            pid = platform.roles().get(role)
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills += 1
    assert kills >= 2 and len(writers.kept) >= 40, (kills, len(writers.kept))
    platform.wait_until("every role", lambda: len(platform.roles()) >= 8)
    cluster = platform.wait_until("an answer", lambda: working(platform))
    assert writers.lost(cluster) == {}
    assert platform.stop() == 0
    done = verify(platform, key)
    assert done.returncode == 0, done.stdout + done.stderr
    cluster = Cluster(start_again(platform))
    assert writers.lost(cluster) == {}


def working(platform):
    """A cluster, once every owner answers."""
    try:
        cluster = Cluster(platform)
        for kind in ("configmaps", "secrets", "drun.io/apikeys"):
            if cluster.call("GET", path_of(kind, "default")).status_code != 200:
                return None
        return cluster
    except (OSError, AssertionError):
        return None


def test_the_whole_tree_killed_under_load_loses_nothing(own_platform):
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("load")
    key = public_key(platform, platform.folder)
    with Writers(platform, ns, ("configmaps", "secrets")) as writers:
        time.sleep(LOAD_SEC / 2)
        pids = [platform.process.pid, *platform.roles().values()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        platform.process.wait()
    assert len(writers.kept) >= 40
    start_again(platform)
    assert writers.lost(Cluster(platform)) == {}
    assert platform.stop() == 0
    done = verify(platform, key)
    assert done.returncode == 0, done.stdout + done.stderr


# ------------------------------------------------------------------ damaged files

def flip(path, offset, length=64):
    with open(path, "r+b") as file:
        file.seek(offset)
        data = file.read(length)
        file.seek(offset)
        file.write(bytes(byte ^ 0xa5 for byte in data))


def test_a_damaged_page_of_a_store_is_said_and_never_served(own_platform):
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("damage")
    wanted = {f"c{i:03}": f"value-{i}-" + "x" * 500 for i in range(200)}
    for name, value in wanted.items():
        cluster.create("configmaps", ns, config_map(name, v=value))
    assert platform.stop() == 0
    store = platform.data / "api" / "store.db"
    pages = store.stat().st_size // 4096
    assert pages > 40
    for page in range(pages // 2, pages // 2 + 3):
        flip(store, page * 4096 + 1000, 200)
    platform.run_dir.mkdir(mode=0o710, exist_ok=True)
    try:
        platform.start()
    except AssertionError:
        assert "corrupt" in platform.text() or "damage" in platform.text() or "malformed" in platform.text(), platform.text()[-2000:]
        return
    answer = Cluster(platform).call("GET", path_of("configmaps", ns))
    if answer.status_code == 200:
        for item in answer.json()["items"]:
            assert wanted[item["metadata"]["name"]] == item["data"]["v"], "wrong data must never be served"
        missing = set(wanted) - {item["metadata"]["name"] for item in answer.json()["items"]}
        assert not missing or "store.damage" in platform.text(), "what is missing is said"
        assert missing or "store.damage" in platform.text() or "corrupt" in platform.text()
    else:
        assert answer.status_code in (500, 503) and answer.json()["kind"] == "Status"
    assert Cluster(platform).call("GET", path_of("secrets", ns)).status_code == 200, "the other owners go on"


def test_records_that_were_exchanged_are_noticed(own_platform):
    """Two blobs of the store changed places: each is valid by itself, and neither where it is now."""
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("exchange")
    for name in ("one", "two"):
        cluster.create("configmaps", ns, config_map(name, v=name * 20))
    assert platform.stop() == 0
    store = sqlite3.connect(platform.data / "api" / "store.db")
    swapped = 0
    for table in ("current", "change"):
        rows = [row for row in store.execute(f"SELECT k, v FROM {table}") if len(row[1]) > 150]
        if len(rows) >= 2:
            (key_a, value_a), (key_b, value_b) = rows[-2:]
            store.execute(f"UPDATE {table} SET v=? WHERE k=?", (value_b, key_a))
            store.execute(f"UPDATE {table} SET v=? WHERE k=?", (value_a, key_b))
            swapped += 1
    store.commit()
    store.close()
    assert swapped, "the records are where this test looks for them"
    platform.run_dir.mkdir(mode=0o710, exist_ok=True)
    try:
        platform.start()
    except AssertionError:
        assert "corrupt" in platform.text() or "damage" in platform.text(), platform.text()[-2000:]
        return
    answer = Cluster(platform).call("GET", path_of("configmaps", ns))
    values = {item["metadata"]["name"]: item["data"]["v"] for item in answer.json().get("items", [])}
    assert all(value == name * 20 for name, value in values.items()), "never one under the other's name"


def test_a_damaged_audit_segment_is_found_and_the_log_goes_on(own_platform):
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("damage")
    key = public_key(platform, platform.folder)
    for i in range(30):
        cluster.create("configmaps", ns, config_map(f"c{i}"))
    assert platform.stop() == 0
    assert verify(platform, key).returncode == 0
    segment = sorted((platform.data / "audit").glob("*.seg"))[0]
    flip(segment, segment.stat().st_size // 2, 1)
    assert verify(platform, key).returncode > 0
    cluster = Cluster(start_again(platform))
    cluster.create("configmaps", ns, config_map("after"))
    listed = cluster.call("GET", "/apis/audit.drun.io/v1/auditevents", 200, params={"limit": 100}).json()["items"]
    assert any(item["event"]["event.name"] == "drun.audit.segment.damaged" for item in listed)
    assert any(item["event"].get("drun.action.name") == "after" for item in listed)
    assert cluster.get("configmaps", ns, "c29"), "the objects are untouched"
    assert platform.stop() == 0
    assert verify(platform, key).returncode > 0, "damage stays damage"


# ------------------------------------------------------------------ a full disk

@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_refuses_writes_and_loses_nothing(own_platform):
    platform = own_platform
    platform.data.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=755", "drun-e2e-small", platform.data], check=True)
    try:
        platform.start()
        cluster = Cluster(platform)
        ns = cluster.namespace("full")
        kept, refused = {}, None
        for i in range(400):
            value = f"{i}-" + os.urandom(24000).hex()
            answer = cluster.call("POST", path_of("configmaps", ns), json=config_map(f"c{i}", v=value))
            if answer.status_code != 201:
                refused = answer
                break
            kept[f"c{i}"] = value
        assert refused is not None and refused.status_code in (500, 503, 507), refused
        assert refused.json()["kind"] == "Status", refused.text
        for name in list(kept)[:3] + list(kept)[-3:]:
            answer = cluster.call("GET", path_of("configmaps", ns, name))
            assert answer.status_code == 503 or answer.json()["data"]["v"] == kept[name]
        subprocess.run(["mount", "-o", "remount,size=64m", platform.data], check=True)
        name = unique("after")
        platform.wait_until("writing to go on", lambda: cluster_or_retry(
            platform, lambda c: c.call("POST", path_of("configmaps", ns), json=config_map(name)).status_code in (201, 409)))
        cluster = Cluster(platform)
        stored = {item["metadata"]["name"]: item["data"].get("v") for item in cluster.list("configmaps", ns)["items"]}
        assert {n: stored.get(n) for n in kept} == kept, "nothing acknowledged is lost"
        key = public_key(platform, platform.folder)
        assert platform.stop() == 0
        done = verify(platform, key)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        if platform.process and platform.process.poll() is None:
            platform.stop()
        subprocess.run(["umount", "-l", platform.data], check=False)


def cluster_or_retry(platform, ask):
    """True when it holds; an owner that is being restarted is no failure yet."""
    try:
        return ask(Cluster(platform))
    except (OSError, AssertionError):
        return False


# ------------------------------------------------------------------ the clock

def faketime_library():
    for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"):
        if os.path.exists(path):
            return path
    return None


@pytest.mark.skipif(not faketime_library(), reason="libfaketime is not installed")
@pytest.mark.parametrize("jump", ["+40d", "-40d"])
def test_a_clock_that_jumped_between_two_starts(own_platform, jump, monkeypatch):
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("clock")
    cluster.create("configmaps", ns, config_map("before"))
    key = public_key(platform, platform.folder)
    assert platform.stop() == 0
    monkeypatch.setenv("LD_PRELOAD", faketime_library())
    monkeypatch.setenv("FAKETIME", jump)
    # This process keeps its own clock, by which the platform's certificate is not valid; and 40 days ago there was no authority.
    monkeypatch.setattr(Platform, "ca", False)
    cluster = Cluster(start_again(platform))
    assert cluster.get("configmaps", ns, "before")
    cluster.create("configmaps", ns, config_map("after"))
    assert platform.stop() == 0
    monkeypatch.delenv("LD_PRELOAD")
    assert verify(platform, key).returncode == 0
