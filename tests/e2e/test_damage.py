# SPDX-License-Identifier: Apache-2.0
"""Damaged files, a full disk, roles killed under load, a clock that jumps: what was acknowledged is never lost, what is
damaged is said, and the audit log verifies or says where it does not."""
import base64
import hashlib
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import ssl
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
        self.unsure = {}  # values of creations that were refused, and may have been stored before their answer was lost
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
                    self.kept.setdefault(key, set()).update({str(turn)} | self.unsure.get(key, set()))
                else:
                    # No answer is no promise: the old or the new one may be there.
                    self.refused += 1
                    self.unsure.setdefault(key, set()).add(str(turn))
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


def fill_up(path):
    """Leaves no page free where the file is."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass


@pytest.fixture
def small_store(own_platform):
    """A platform whose role `api` alone has a small disk: the log can be written when its store cannot."""
    platform = own_platform
    folder = platform.data / "api"
    platform.settings["model-dirs"] = str(platform.folder)
    platform.start()
    assert platform.stop() == 0
    kept = platform.folder / "kept"
    shutil.copytree(folder, kept)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "drun-e2e-api", folder], check=True)
    for file in kept.iterdir():
        shutil.copy2(file, folder / file.name)
    start_again(platform)
    yield platform, folder
    platform.stop()
    subprocess.run(["umount", "-l", folder], check=False)


def events(platform, **match):
    listed = Cluster(platform).call("GET", "/apis/audit.drun.io/v1/auditevents", 200, params={"limit": 500}).json()["items"]
    found = [item["event"] for item in listed]
    return [event for event in found if all(event.get(name.replace("__", ".")) == value for name, value in match.items())]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_success_that_was_not_stored_is_taken_back_in_the_log(small_store):
    platform, folder = small_store
    cluster = Cluster(platform)
    ns = cluster.namespace("full")
    key = public_key(platform, platform.folder)
    refused = None
    for i in range(400):
        answer = cluster.call("POST", path_of("configmaps", ns), json=config_map(f"c{i}", v=os.urandom(24000).hex()))
        if answer.status_code != 201:
            refused = f"c{i}"
            break
    assert refused and answer.status_code == 503 and answer.headers["Retry-After"], answer.text
    undone = events(platform, event__name="drun.api.undone")
    if not undone:  # the write itself was refused before the batch was recorded
        assert all(event["drun.outcome"] != "success" for event in events(platform, drun__action__name=refused))
    log = events(platform)
    for one in undone:
        assert one["drun.outcome"] == "failure" and "nothing of it is stored" in one["drun.reason"]
        before = [e for e in log if e.get("drun.request_id") == one["drun.request_id"] and e["event.name"] == "drun.api.request"]
        assert len(before) == 1 and before[0]["drun.outcome"] == "success"
        # Newest first or oldest first: the success stands before what takes it back.
        assert before[0]["time_unix_nano"] <= one["time_unix_nano"]
    successes = [e for e in log if e["event.name"] == "drun.api.request" and e.get("drun.action.name") == refused and e["drun.outcome"] == "success"]
    taken_back = [e for e in undone if e.get("drun.action.name") == refused]
    assert len(successes) == len(taken_back), "no success stands that was none"
    subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
    cluster.create("configmaps", ns, config_map(refused, v="now"))
    assert platform.stop() == 0
    assert verify(platform, key).returncode == 0
    start_again(platform)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_status_that_was_not_stored_is_told_again(small_store):
    """The agent hears that a status was taken when it is durable; what could not be stored it tells again."""
    platform, folder = small_store
    cluster = Cluster(platform)
    ns = cluster.namespace("status")
    content = os.urandom(1 << 20) * 200
    (platform.folder / "large.gguf").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    made = platform.request("POST", f"/apis/drun.io/v1/namespaces/{ns}/models", platform.operator_token(), json={
        "apiVersion": "drun.io/v1", "kind": "Model", "metadata": {"name": "large"},
        "spec": {"artifact": {"path": str(platform.folder / "large.gguf"), "format": "gguf", "digest": f"sha256:{digest}"}}})
    assert made.status_code == 201, made.text
    filler = folder / "filler"
    fill_up(filler)

    def phase():
        return platform.request("GET", f"/apis/drun.io/v1/namespaces/{ns}/models/large",
                                platform.operator_token()).json().get("status", {}).get("phase")

    platform.wait_until("the import to end", lambda: any(
        file.stat().st_size > 100 << 20 for file in (platform.data / "agent" / "blobs").rglob("*") if file.is_file()
        and not file.name.startswith(".")), timeout=60)
    platform.wait_until("a status that could not be stored", lambda: "serve.flush" in platform.text(), timeout=30)
    assert phase() != "Ready"
    filler.unlink()
    platform.wait_until("the model to be Ready", lambda: phase() == "Ready", timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_run_directory_delays_a_snapshot_and_loses_nothing(own_platform):
    """A snapshot that finds no room is published when there is room again, and the old one stays in force meanwhile."""
    platform = own_platform
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=710", "drun-e2e-run", platform.run_dir], check=True)
    filler = platform.run_dir / "filler"
    try:
        platform.start()
        cluster = Cluster(platform)
        ns = cluster.namespace("run")
        cluster.create("serviceaccounts", ns, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}})
        token = platform.request("POST", f"/api/v1/namespaces/{ns}/serviceaccounts/app/token", platform.operator_token(), json={
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}).json()["status"]["token"]
        fill_up(filler)
        operator = platform.operator_token()
        made = platform.request("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings", operator, json={
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "app"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": ns}]})
        assert made.status_code == 201, made.text
        platform.wait_until("the trouble to be said", lambda: "api.policy.publish" in platform.text())
        path = path_of("configmaps", ns)
        assert platform.request("GET", path, token).status_code == 403, "the old policy stays in force"
        assert platform.request("GET", path, operator).status_code == 200, "and goes on to be one"
        filler.unlink()
        platform.wait_until("the new policy", lambda: platform.request("GET", path, token).status_code == 200)
        assert platform.stop() == 0
    finally:
        if platform.process and platform.process.poll() is None:
            platform.stop()
        subprocess.run(["umount", "-l", platform.run_dir], check=False)


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
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
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


def certificate_of(platform):
    """The serial number that the gateway shows now."""
    pem = ssl.get_server_certificate(("127.0.0.1", platform.port))
    return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True, check=True).stdout


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.skipif(not faketime_library(), reason="libfaketime is not installed")
def test_a_clock_that_jumps_while_it_runs(own_platform, monkeypatch):
    """A day forward, back, and a day further back: what ends, ends by the clock; what is new works at once; nothing is lost, and
    the log verifies. Roles read the offset in the run directory, which is the one folder that all of them have; nginx has the
    machine's own clock."""
    day = 86400
    platform = own_platform
    clock = platform.run_dir / "clock"
    for name, value in (("LD_PRELOAD", faketime_library()), ("FAKETIME_TIMESTAMP_FILE", str(clock)), ("FAKETIME_NO_CACHE", "1"),
                        ("DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")):
        monkeypatch.setenv(name, value)
    platform.start()
    for name in ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE"):
        monkeypatch.delenv(name)
    platform_ns = "default"
    authority = platform.ca
    # This client has the machine's clock, by which tomorrow's certificate does not hold yet; that is looked at by itself.
    monkeypatch.setattr(Platform, "ca", False)

    def jump(seconds):
        fresh = clock.with_name("clock.new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(clock)

    def status(token, method="GET", path=path_of("configmaps", platform_ns), **more):
        return platform.request(method, path, token, **more).status_code

    def make(name):
        assert status(platform.operator_token(), "POST", json=config_map(name)) == 201
        return name

    def new_key(name, **spec):
        made = platform.request("POST", f"/apis/drun.io/v1/namespaces/{platform_ns}/apikeys", platform.operator_token(), json={
            "apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": name},
            "spec": {"serviceAccountName": "app", "scopes": {"verbs": ["*"]}, **spec}})
        assert made.status_code == 201, made.text
        return made.json()["status"]["key"]

    log_key = public_key(platform, platform.folder)
    half_a_day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + day / 2))
    Cluster(platform).create("serviceaccounts", platform_ns, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}})
    bound = platform.request("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{platform_ns}/rolebindings", platform.operator_token(), json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "app"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": platform_ns}]})
    assert bound.status_code == 201, bound.text
    names = [make("before")]
    lasting, ending = new_key("lasting"), new_key("ending", expiresAt=half_a_day)
    old_token, shown = platform.operator_token(), certificate_of(platform)
    assert status(old_token) == status(lasting) == status(ending) == 200

    jump(day)
    names.append(make("tomorrow"))
    assert status(lasting) == 200
    for gone in (old_token, ending):
        refused = platform.request("GET", path_of("configmaps", platform_ns), gone)
        assert refused.status_code == 401 and "expired" in refused.json()["message"], refused.text
    platform.wait_until("a certificate by the new clock", lambda: certificate_of(platform) != shown, timeout=30)
    future_token = platform.operator_token()
    assert status(future_token) == 200

    jump(0)
    names.append(make("today"))

    def holds():
        try:
            return requests.get(platform.url + "/version", verify=authority, timeout=10).status_code == 200
        except requests.exceptions.SSLError:
            return False
    platform.wait_until("a certificate by the right clock", holds, timeout=30)
    assert status(lasting) == status(ending) == 200, "what ended by the wrong clock is good again by the right one"
    from_tomorrow = platform.request("GET", path_of("configmaps", platform_ns), future_token)
    assert from_tomorrow.status_code in (200, 401), from_tomorrow.text
    if from_tomorrow.status_code == 401:
        assert from_tomorrow.json()["message"]

    jump(-day)
    names.append(make("yesterday"))
    assert status(platform.operator_token()) == status(lasting) == 200
    jump(0)
    names.append(make("again"))

    listed = platform.request("GET", path_of("configmaps", platform_ns), platform.operator_token()).json()["items"]
    assert {item["metadata"]["name"] for item in listed} >= set(names), "nothing is lost"
    revisions = {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in listed}
    assert [revisions[name] for name in names] == sorted(revisions[name] for name in names), "order is not the clock's"
    logged = [event["drun.action.name"] for event in events(platform, drun__action__resource="configmaps")
              if event.get("drun.action.verb") == "create" and event.get("drun.action.name") in names]
    assert logged in (names, names[::-1]), "the log keeps the order of what happened"
    probed = 0

    def proved():
        nonlocal probed
        # A proof under way while the clock was put right saw two clocks: it is asked once more.
        if time.monotonic() > probed + 20:
            probed = time.monotonic()
            assert platform.request("POST", "/apis/drun.io/v1/controls/all/probe", platform.operator_token()).status_code == 202
        controls = platform.request("GET", "/apis/drun.io/v1/controls", platform.operator_token()).json()["items"]
        return all(c["status"]["verdict"] in ("proven", "degraded", "absent") for c in controls) and \
            any(c["spec"]["id"] == "PF-5" and c["status"]["verdict"] == "proven" for c in controls)
    platform.wait_until("every proof by the right clock", proved, timeout=120)
    assert platform.stop() == 0
    done = verify(platform, log_key)
    assert done.returncode == 0, done.stdout + done.stderr
    clock.unlink(missing_ok=True)
    start_again(platform)
    assert status(lasting) == 200
