# SPDX-License-Identifier: Apache-2.0
"""The audit log from outside: what is in it and when, proofs checked with nothing but hashlib and an Ed25519 of another
library, and verification of copies of which one byte is changed."""
import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cluster import Cluster, config_map, path_of, rule, unique
from platform_process import DRUN

EVENTS = "/apis/audit.drun.io/v1/auditevents"


@pytest.fixture(scope="module")
def cluster(platform):
    return Cluster(platform)


@pytest.fixture(scope="module")
def ns(cluster):
    return cluster.namespace("audit")


def events(cluster, **query):
    return [item["event"] | {"index": int(item["metadata"]["name"])} for item in cluster.call("GET", EVENTS, 200, params=query).json()["items"]]


def of_request(cluster, request_id):
    return [event for event in events(cluster, limit=100) if event.get("drun.request_id") == request_id]


# ------------------------------------------------------------------ what is in it

def test_every_call_is_in_the_log_when_its_answer_comes(cluster, ns):
    """The log is read after each answer, with no time between."""
    tenant, user = cluster.account(ns, "bob", rule("", "configmaps", "get"))
    me = "system:operator:%d" % os.getuid()
    name = unique("seen")
    path = path_of("configmaps", ns, name)
    calls = [(cluster, "POST", path_of("configmaps", ns), config_map(name), 201, me, "create", "success"),
             (cluster, "POST", path_of("configmaps", ns), config_map(name), 409, me, "create", "failure"),
             (cluster, "GET", path, None, 200, me, "get", "success"),
             (cluster, "PUT", path, config_map(name, a="1"), 200, me, "update", "success"),
             (tenant, "GET", path, None, 200, user, "get", "success"),
             (tenant, "PUT", path, config_map(name, a="2"), 403, user, "update", "denied"),
             (tenant, "GET", path_of("secrets", ns), None, 403, user, "list", "denied"),
             (cluster, "DELETE", path, None, 200, me, "delete", "success"),
             (cluster, "GET", path, None, 404, me, "get", "failure")]
    for who, method, where, body, status, actor, verb, outcome in calls:
        newest = events(cluster, limit=1)[0]["index"]
        assert who.call(method, where, json=body).status_code == status
        found = [event for event in events(cluster, limit=20, actor=actor)
                 if event["index"] > newest and event.get("drun.action.verb") == verb
                 and event.get("drun.action.namespace") == ns]
        assert len(found) == 1, (method, where, found)
        event = found[0]
        assert event["user.name"] == actor and event["drun.outcome"] == outcome
        assert event["http.response.status_code"] == status
        assert event["client.address"] == "127.0.0.1" and event["event.name"] == "drun.api.request"
        if where == path or status == 201:
            assert event["drun.action.name"] == name and event["drun.action.resource"] == "configmaps"


def test_a_credential_that_is_none_is_in_the_log(cluster, platform):
    before = events(cluster, limit=1)[0]["index"]
    assert platform.request("GET", path_of("configmaps", "default"), "sk-drun-wrong").status_code == 401
    found = [event for event in events(cluster, limit=10) if event["index"] > before and event.get("http.response.status_code") == 401]
    assert len(found) == 1 and found[0]["drun.outcome"] == "denied" and "user.name" not in found[0]
    assert "sk-drun-wrong" not in json.dumps(found)


def test_no_record_holds_a_secret(cluster, ns):
    canary = "canary-in-a-secret-5417"
    cluster.create("secrets", ns, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": unique("s")}, "stringData": {"v": canary}})
    tenant, _ = cluster.account(ns, unique("holder"))
    text = json.dumps(events(cluster, limit=200))
    assert canary not in text and base64.b64encode(canary.encode()).decode() not in text and tenant.token not in text


def test_filters_and_pages(cluster, ns):
    tenant, user = cluster.account(ns, unique("filtered"), rule("", "configmaps", "list"))
    for _ in range(7):
        assert tenant.call("GET", path_of("configmaps", ns)).status_code == 200
    tenant.call("GET", path_of("secrets", ns))
    mine = events(cluster, actor=user, limit=100)
    assert len(mine) == 8 and {event["user.name"] for event in mine} == {user}
    assert [event["index"] for event in mine] == sorted((event["index"] for event in mine), reverse=True), "newest first"
    assert len(events(cluster, actor=user, outcome="denied")) == 1
    assert {event["drun.role"] for event in events(cluster, actor=user, role="secrets")} == {"secrets"}
    oldest = events(cluster, actor=user, order="oldest", limit=100)
    assert oldest == mine[::-1]
    seen, query = [], {"actor": user, "limit": 3}
    while True:
        page = cluster.call("GET", EVENTS, 200, params=query).json()
        seen += [int(item["metadata"]["name"]) for item in page["items"]]
        if not page["metadata"].get("continue"):
            break
        query["continue"] = page["metadata"]["continue"]
    assert seen == [event["index"] for event in mine]
    of_ns = cluster.call("GET", f"/apis/audit.drun.io/v1/namespaces/{ns}/auditevents", 200, params={"limit": 500}).json()
    assert {item["event"]["drun.action.namespace"] for item in of_ns["items"]} == {ns}
    future = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    assert events(cluster, since=future) == []
    for bad in ({"outcome": "maybe"}, {"since": "yesterday"}, {"limit": "-1"}, {"order": "random"}):
        assert cluster.call("GET", EVENTS, params=bad).status_code == 400, bad


def test_the_log_can_only_be_read_and_only_by_who_may(cluster, ns):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert cluster.call(method, EVENTS + "/0", json={}).status_code == 405
    tenant, _ = cluster.account(ns, unique("curious"))
    for path in (EVENTS, EVENTS + "/0", "/apis/audit.drun.io/v1/checkpoints/latest"):
        assert tenant.call("GET", path).status_code == 403, path


def test_a_watch_shows_events_as_they_come(cluster, ns):
    name = unique("followed")
    answer = cluster.call("GET", EVENTS, 200, params={"watch": "true", "event": "drun.api.request"}, stream=True)
    timer = threading.Timer(0.2, cluster.create, ("configmaps", ns, config_map(name)))
    timer.start()
    for line in answer.iter_lines(chunk_size=1):
        if line and name in json.dumps(json.loads(line)["object"]["event"]):
            break
    answer.close()
    timer.join()


# ------------------------------------------------------------------ proofs, checked by other code than ours

def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(index, size, leaf, hashes):
    """RFC 9162 section 2.1.3.2."""
    fn, sn, root = index, size - 1, leaf
    for one in hashes:
        assert sn > 0, "the proof is too long"
        if fn & 1 or fn == sn:
            root = node(one, root)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node(root, one)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "the proof is too short"
    return root


def is_consistent(first, second, first_root, second_root, hashes):
    """RFC 9162 section 2.1.4.2."""
    if first & (first - 1) == 0:
        hashes = [first_root, *hashes]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = hashes[0]
    for one in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(one, fr), node(one, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, one)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


class Note:
    """A C2SP signed note with a checkpoint in it, by the log's key."""

    def __init__(self, text, verifier):
        body, _, signatures = text.rpartition("\n\n")
        origin, self.size, root, *_ = body.split("\n")
        self.size, self.root = int(self.size), base64.b64decode(root)
        name, key_id, key = verifier.strip().split("\n")[-1].split("+", 2)
        key = base64.b64decode(key)
        assert key[0] == 1 and name == origin
        assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
        line = next(line for line in signatures.split("\n") if line.startswith(f"\u2014 {name} "))
        signature = base64.b64decode(line.split(" ")[2])
        assert signature[:4].hex() == key_id
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], body.encode() + b"\n")


@pytest.fixture(scope="module")
def verifier(platform):
    return subprocess.check_output([DRUN, "audit", "public-key", "--data", platform.data], text=True)


def canonical(value):
    """RFC 8785 for what a record holds: flat, ASCII names, integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_record_is_proved_to_be_in_the_signed_tree(cluster, ns, verifier):
    cluster.create("configmaps", ns, config_map(unique("proved")))
    size = events(cluster, limit=1)[0]["index"]
    for index in {0, 1, size // 2, size - 1, size}:
        one = cluster.call("GET", f"{EVENTS}/{index}", 200).json()
        proof = one["proof"]
        note = Note(base64.b64decode(proof["checkpoint"]).decode(), verifier)
        commitment = hashlib.sha256(base64.b64decode(proof["salt"]) + canonical(one["event"])).digest()
        leaf = hashlib.sha256(b"\x00" + commitment + base64.b64decode(proof["seal"])).digest()
        hashes = [base64.b64decode(text) for text in proof["hashes"]]
        assert note.size == proof["treeSize"] and root_of(index, note.size, leaf, hashes) == note.root
        forged = dict(one["event"], **{"drun.outcome": "denied" if one["event"]["drun.outcome"] == "success" else "success"})
        other = hashlib.sha256(base64.b64decode(proof["salt"]) + canonical(forged)).digest()
        leaf = hashlib.sha256(b"\x00" + other + base64.b64decode(proof["seal"])).digest()
        assert root_of(index, note.size, leaf, hashes) != note.root


def test_a_later_tree_contains_the_earlier_one(cluster, ns, verifier):
    def checkpoint():
        return Note(cluster.call("GET", "/apis/audit.drun.io/v1/checkpoints/latest", 200).text, verifier)

    first = checkpoint()
    for _ in range(11):
        cluster.create("configmaps", ns, config_map(unique("grown")))
    second = checkpoint()
    assert second.size > first.size
    head, *lines = cluster.call("GET", "/apis/audit.drun.io/v1/checkpoints/consistency", 200,
                                params={"from": first.size, "to": second.size}).text.strip().split("\n")
    hashes = [base64.b64decode(line) for line in lines]
    assert head == f"{first.size} {second.size}"
    assert is_consistent(first.size, second.size, first.root, second.root, hashes)
    assert not is_consistent(first.size, second.size, second.root, second.root, hashes)


def test_a_forged_note_is_not_accepted(cluster, verifier):
    text = cluster.call("GET", "/apis/audit.drun.io/v1/checkpoints/latest", 200).text
    Note(text, verifier)
    lines = text.split("\n")
    lines[1] = str(int(lines[1]) + 1)
    with pytest.raises(Exception):
        Note("\n".join(lines), verifier)


# ------------------------------------------------------------------ verification offline

@pytest.fixture(scope="module")
def copied(platform, cluster, ns, verifier, tmp_path_factory):
    """A copy of the log of a platform at rest, and the key in a file."""
    for _ in range(20):
        cluster.create("configmaps", ns, config_map(unique("kept")))
    cluster.call("GET", "/apis/audit.drun.io/v1/checkpoints/latest", 200)
    time.sleep(1.2)
    folder = tmp_path_factory.mktemp("audit")
    shutil.copytree(platform.data / "audit", folder / "log")
    (folder / "key").write_text(verifier)
    return folder


def verify(folder, log):
    return subprocess.run([DRUN, "audit", "verify", str(log), "--public-key", str(folder / "key")], capture_output=True,
                          text=True, timeout=60, env=dict(os.environ, DRUN_DATA="/nonexistent"))


def test_a_copy_is_verified_by_its_files_and_the_key_alone(copied):
    done = verify(copied, copied / "log")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_changed_byte_is_found(copied, tmp_path):
    whole = verify(copied, copied / "log")
    assert whole.returncode == 0, whole.stderr
    chosen = random.Random(7)
    segment = next((copied / "log").glob("*.seg"))
    size = segment.stat().st_size
    places = {0, 8, 40, size - 1, size // 2} | {chosen.randrange(size) for _ in range(25)}
    for place in sorted(places):
        log = tmp_path / f"log-{place}"
        shutil.copytree(copied / "log", log)
        with open(log / segment.name, "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ (1 << chosen.randrange(8))]))
        done = verify(copied, log)
        assert done.returncode not in (0, None) and done.returncode > 0, f"byte {place} of {size}: {done.stdout}"
        shutil.rmtree(log)


@pytest.mark.parametrize("name, damage", [
    ("cut", lambda log, seg: os.truncate(seg, seg.stat().st_size - 300)),
    ("cut to a batch and more", lambda log, seg: os.truncate(seg, seg.stat().st_size // 2)),
    ("gone", lambda log, seg: seg.unlink()),
    ("empty", lambda log, seg: os.truncate(seg, 0)),
    ("without checkpoints", lambda log, seg: [file.unlink() for file in log.glob("*.ckpt")]),
    ("with a byte more", lambda log, seg: seg.write_bytes(seg.read_bytes() + b"x")),
])
def test_other_damage_is_found(copied, tmp_path, name, damage):
    log = tmp_path / "log"
    shutil.copytree(copied / "log", log)
    damage(log, next(log.glob("*.seg")))
    done = verify(copied, log)
    assert done.returncode > 0, f"{name}: {done.stdout}"


def test_a_checkpoint_that_was_kept_shows_a_log_that_was_put_back(cluster, ns, copied, tmp_path):
    cluster.create("configmaps", ns, config_map(unique("later")))
    kept = tmp_path / "checkpoint"
    kept.write_text(cluster.call("GET", "/apis/audit.drun.io/v1/checkpoints/latest", 200).text)
    command = [DRUN, "audit", "verify", str(copied / "log"), "--public-key", str(copied / "key"), "--checkpoint", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode > 0, done.stdout


def test_the_key_of_another_log_verifies_nothing(copied, tmp_path):
    name, _, _ = (copied / "key").read_text().split("+", 2)
    key = b"\x01" + os.urandom(32)
    folder = tmp_path / "other"
    folder.mkdir()
    key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex()
    (folder / "key").write_text(f"{name}+{key_id}+{base64.b64encode(key).decode()}\n")
    assert verify(folder, copied / "log").returncode > 0
