# SPDX-License-Identifier: Apache-2.0
"""Model files, engines in sandboxes, and what a captured engine cannot do."""
import hashlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time

import pytest

from agent_world import BUILD, ENGINE, MODEL, MODEL_SHA256, World, needs_engine

PROBE_SANDBOX, SCAN_FILES = 1, 2
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def small_model(world, name="small.gguf", size=3_000_001):
    path = world.models / name
    content = hashlib.shake_256(name.encode()).digest(size)
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


def chat(path, text="Hello"):
    connection = http.client.HTTPConnection("engine", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    body = {"model": "any", "messages": [{"role": "user", "content": text}], "max_tokens": 4}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def living(command):
    pids = subprocess.run(command, capture_output=True, text=True).stdout.split()
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}/exe")]


def connects_as(uid, gid, path):
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            socket.socket(socket.AF_UNIX).connect(str(path))
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


# ---------------------------------------------------------------------- model files


def test_a_model_is_sealed_and_its_digest_known(world):
    path, sha256 = small_model(world, "first.gguf")
    world.model("first", path, digest=f"sha256:{sha256}", sizeBytes=path.stat().st_size)
    status = world.wait_for("Model", "first", "Verified")
    assert status["phase"] == "Ready" and status["digest"] == f"sha256:{sha256}" and status["sizeBytes"] == 3_000_001
    sealed = b"".join(blob.read_bytes() for blob in world.blobs())
    assert path.read_bytes()[1000:1064] not in sealed


def test_another_digest_is_refused_and_nothing_is_kept(world):
    path, sha256 = small_model(world, "wrong.gguf")
    before = len(world.blobs())
    world.model("wrong", path, digest="sha256:" + "0" * 64)
    assert world.wait_for("Model", "wrong", "DigestMismatch")["phase"] == "Failed"
    assert len(world.blobs()) == before
    world.model("wrong", path, digest=f"sha256:{sha256}")  # corrected: the next generation is taken
    world.wait_for("Model", "wrong", "Verified")
    assert world.status("Model", "wrong")["digest"] == f"sha256:{sha256}"


def test_another_size_is_refused(world):
    path, sha256 = small_model(world, "size.gguf")
    world.model("size", path, digest=f"sha256:{sha256}", sizeBytes=5)
    assert world.wait_for("Model", "size", "SizeMismatch")["phase"] == "Failed"


@pytest.mark.parametrize("way", ["outside", "dots", "link", "link_above", "fifo", "folder"])
def test_a_path_cannot_leave_the_model_folders(world, way):
    inside = world.models
    outside = world.folder / "secret.gguf"
    outside.write_bytes(b"secret" * 1000)
    paths = {"outside": outside, "dots": inside / ".." / "secret.gguf", "link": inside / "link.gguf",
             "link_above": inside / "above" / "secret.gguf", "fifo": inside / "fifo", "folder": inside / "folder"}
    if way == "link":
        os.symlink(outside, paths[way])
    elif way == "link_above":
        os.symlink(world.folder, inside / "above")
    elif way == "fifo":
        os.mkfifo(paths[way])
    elif way == "folder":
        paths[way].mkdir()
    world.model(f"escape-{way.replace('_', '-')}", paths[way])
    status = world.wait_for("Model", f"escape-{way.replace('_', '-')}", "PathRefused")
    assert status["phase"] == "Failed"


def test_to_know_a_digest_is_not_to_have_the_file(world):
    path, sha256 = small_model(world, "theirs.gguf")
    world.model("theirs", path, digest=f"sha256:{sha256}")
    world.wait_for("Model", "theirs", "Verified")
    world.model("ours", "/etc/hostname", digest=f"sha256:{sha256}")
    world.wait_for("Model", "ours", "PathRefused")
    other, _ = small_model(world, "ours.gguf")
    world.model("ours", other, digest=f"sha256:{sha256}")
    world.wait_for("Model", "ours", "DigestMismatch")
    assert world.status("Model", "theirs")["phase"] == "Ready"


def test_a_deleted_model_leaves_no_sealed_file(world):
    path, _ = small_model(world, "short-lived.gguf")
    before = set(world.blobs())
    world.model("short-lived", path)
    world.wait_for("Model", "short-lived", "Verified")
    assert len(set(world.blobs()) - before) == 1
    world.delete("Model", "short-lived")
    world.wait(lambda: set(world.blobs()) == before, "the removal of the sealed file")


# ---------------------------------------------------------------------- services without an engine


def test_of_an_outside_engine_the_agent_says_nothing(world):
    world.put("ModelService", "outside", {"upstream": {"url": "https://api.example.com/v1"}})
    world.service("behind-it", "none-yet", ["sleep", "1000"])
    world.wait_for("ModelService", "behind-it", "ModelMissing")
    assert not world.status("ModelService", "outside")
    for name in ("outside", "behind-it"):
        world.delete("ModelService", name)


def test_a_service_waits_for_its_model(world):
    world.service("early", "late", ["sleep", "1000"])
    assert world.wait_for("ModelService", "early", "ModelMissing")["phase"] == "Pending"
    path, _ = small_model(world, "late.gguf")
    world.model("late", path)
    assert world.wait_for("ModelService", "early", "EngineStarting")["phase"] == "Starting"
    assert len(world.engines()) == 1
    world.delete("ModelService", "early")
    world.wait(lambda: not world.engines(), "the end of the sandbox")


def test_an_engine_must_lie_in_the_engine_folders(world):
    path, _ = small_model(world)
    world.model("small", path)
    world.service("foreign", "small", ["/usr/sbin/chroot"])
    status = world.wait_for("ModelService", "foreign", "StartFailed")
    assert "engine-dirs" in status["conditions"][0]["message"]
    world.service("foreign", "small", ["/usr/bin/../sbin/chroot"])
    world.wait_for("ModelService", "foreign", "StartFailed")
    world.delete("ModelService", "foreign")


def test_an_engine_that_fails_is_started_ever_later(world):
    path, _ = small_model(world)
    world.model("small", path)
    world.service("broken", "small", ["ls", "/nowhere"])
    status = world.wait_for("ModelService", "broken", "CrashLoop", 30)
    loop = next(c for c in status["conditions"] if c["type"] == "CrashLoop")
    assert status["phase"] == "Failed" and "exited with status 2" in loop["message"] and "/nowhere" in loop["message"]
    world.delete("ModelService", "broken")


def test_an_unknown_runtime_is_named(world):
    path, _ = small_model(world)
    world.model("small", path)
    world.service("kata", "small", ["sleep", "1"], runtimeClassName="kata")
    status = world.wait_for("ModelService", "kata", "StartFailed")
    assert "kata" in status["conditions"][0]["message"]
    world.delete("ModelService", "kata")


# ---------------------------------------------------------------------- a real engine


@pytest.fixture(scope="module")
def serving(world):
    if not (MODEL.exists() and ENGINE.exists()):
        pytest.skip("no small model or engine (tools/fetch-model)")
    world.model("gemma", MODEL, digest=f"sha256:{MODEL_SHA256}")
    world.service("chat", "gemma", limits={"contextTokens": 1024},
                  resources={"limits": {"memory": "2Gi", "cpu": "2", "pids": "200"}})
    world.wait_for("ModelService", "chat", "EngineReady", 120)
    return world


def test_the_engine_answers_on_its_socket(serving):
    (path,) = serving.sockets()
    status, answer = chat(path)
    assert status == 200 and answer["usage"]["completion_tokens"] >= 1 and answer["model"] == "default/chat"


@as_root
def test_the_engine_has_an_id_of_its_own_and_no_capability(serving):
    (pid,) = serving.engines()
    lines = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert int(lines["Uid"].split()[0]) > 61440 + 4096
    assert {lines[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert lines["NoNewPrivs"] == "1" and lines["Seccomp"] == "2"
    ours = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "net", "pid", "ipc", "uts", "user", "cgroup")}
    assert all(os.readlink(f"/proc/{pid}/ns/{name}") != ours[name] for name in ours)


@as_root
def test_the_gateway_may_connect_and_the_engine_may_not_change_its_folder(serving):
    (path,) = serving.sockets()
    assert connects_as(61448, 61440, path)
    assert not connects_as(61448, 65534, path)
    assert path.parent.stat().st_uid == 0 and path.parent.stat().st_mode & 0o7777 == 0o750


def test_what_an_engine_tries_is_refused(serving):
    answer = serving.call("posture", {"ask": PROBE_SANDBOX, "body": {"namespace": "default", "name": "chat"}})
    assert len(answer["tried"]) >= 25
    assert [a for a in answer["tried"] if not a["refused"]] == []
    assert answer["processes"] <= 3  # the engine and the probe with its child
    assert answer["host"]["runtime"] in ("crun", "runc", "runsc")


def run_weakened(world, weaken):
    """The same sandbox once more, with one thing less, and the probe in it."""
    (bundle,) = pathlib.Path(f"{world.run}.sandboxes").iterdir()
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["args"] = ["/run/drun-probe", "attack"]
    config["linux"].pop("cgroupsPath", None)
    weaken(config)
    config["root"]["path"] = str(bundle / "rootfs")
    copy = world.folder / "weak"
    copy.mkdir()
    (copy / "config.json").write_text(json.dumps(config))
    try:
        done = subprocess.run(["runc", "--root", world.folder / "runc", "run", "--bundle", copy, "weak"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20)
        assert done.returncode == 0, done.stderr
        return {a["name"] for a in json.loads(done.stdout)["tried"] if not a["refused"]}
    finally:
        (copy / "config.json").unlink()
        copy.rmdir()


@as_root
@pytest.mark.parametrize("missing, doors", [
    ("nothing", set()),
    ("seccomp", {"open an IPv4 socket", "open an IPv6 socket", "open a netlink socket"}),
    ("no_new_privileges", {"gain privileges by exec"}),
    ("capabilities", {"have a capability"}),
])
def test_the_probe_sees_what_a_weaker_sandbox_does_not_refuse(serving, missing, doors):
    def weaken(config):
        if missing == "seccomp":
            del config["linux"]["seccomp"]
        elif missing == "no_new_privileges":
            config["process"]["noNewPrivileges"] = False
        elif missing == "capabilities":
            config["process"]["user"] = {"uid": 0, "gid": 0}
            config["process"]["capabilities"] = {name: ["CAP_CHOWN"] for name in ("bounding", "effective", "permitted")}

    assert doors <= run_weakened(serving, weaken) if doors else run_weakened(serving, weaken) == set()


def test_the_probe_does_nothing_outside_a_sandbox():
    done = subprocess.run([BUILD / "drun-probe", "attack"], capture_output=True, text=True)
    assert done.returncode == 1 and "no sandbox" in done.stderr


def test_a_killed_engine_is_started_again(serving):
    (pid,) = serving.engines()
    serving.kill(pid)
    serving.wait(lambda: serving.engines() not in ([], [pid]), "another engine")
    serving.wait_for("ModelService", "chat", "EngineReady")
    assert chat(serving.sockets()[0])[0] == 200


def test_a_killed_agent_leaves_no_sandbox_behind(serving):
    (engine,) = serving.engines()
    serving.kill(serving.role_pid("agent"))
    serving.wait(lambda: not pathlib.Path(f"/proc/{engine}").exists(), "the end of the orphan")
    serving.wait(lambda: serving.engines(), "another engine")
    serving.wait_for("ModelService", "chat", "EngineReady")
    assert chat(serving.sockets()[0])[0] == 200


def test_no_engine_outlives_a_killed_platform():
    world = World().start()
    path, _ = small_model(world)
    world.model("small", path)
    world.service("sleeper", "small", ["sleep", "1000"])
    world.wait_for("ModelService", "sleeper", "EngineStarting")
    (engine,) = world.engines()
    world.process.kill()
    world.process.wait()
    deadline = time.monotonic() + 5
    while pathlib.Path(f"/proc/{engine}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not pathlib.Path(f"/proc/{engine}").exists()
    roles = ["pgrep", "-f", f"^drun role|{world.folder}/agent_world"]
    while any(str(world.folder) in os.readlink(f"/proc/{pid}/exe") for pid in living(roles)):
        time.sleep(0.05)  # some write to the end what they have
    world.start()  # and what was left of the sandbox is cleared away
    assert not list(pathlib.Path(f"{world.run}.sandboxes").iterdir())
    # crun 1.21 keeps compiled filters beside its containers.
    assert not [left for left in (world.run / "agent" / "oci" / "crun").iterdir() if left.name != ".cache"]
    assert world.stop() == 0
    world.remove()


def test_a_new_generation_replaces_the_engine(serving):
    (before,) = serving.engines()
    serving.service("chat", "gemma", limits={"contextTokens": 512})
    serving.wait(lambda: serving.status("ModelService", "chat").get("observedGeneration") == 2, "the new generation")
    serving.wait_for("ModelService", "chat", "EngineReady")
    assert serving.engines() not in ([], [before])


def test_no_replica_stops_the_engine(serving):
    serving.service("chat", "gemma", replicas=0)
    assert serving.wait_for("ModelService", "chat", "Stopped")["phase"] == "Stopped"
    assert not serving.engines() and not serving.sockets()
    assert not list((serving.run / "agent" / "models").iterdir())  # in the clear only while it is served


# ---------------------------------------------------------------------- searching the disk


def test_a_canary_in_a_file_is_found_where_it_is(world):
    canary = os.urandom(24)
    path = world.folder / "data" / "api" / "store.db-wal"
    path.write_bytes(b"x" * 1_048_570 + canary + b"y" * 100)  # across two pieces
    answer = world.call("posture", {"ask": SCAN_FILES, "body": {"needles": [os.urandom(24).hex(), canary.hex()]}})
    assert answer["complete"] and answer["found"] == [{"path": "api/store.db-wal", "offset": 1_048_570, "needle": 1}]
    path.unlink()
    answer = world.call("posture", {"ask": SCAN_FILES, "body": {"needles": [canary.hex()]}})
    assert answer["complete"] and answer["found"] == [] and answer["files"] > 3


@pytest.mark.parametrize("needles", [[], ["00" * 4], ["00" * 257], ["zz" * 10], ["00" * 8] * 17, "00"])
def test_a_bad_search_is_refused(world, needles):
    assert world.call("posture", {"ask": SCAN_FILES, "body": {"needles": needles}})["error"] == "invalid"


# ---------------------------------------------------------------------- other hosts


@as_root
def test_a_model_larger_than_the_memory_is_named(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", tmp_path], check=True)
    try:
        world = World(shm=tmp_path).start()
        path, _ = small_model(world, "large.gguf", 12_000_000)
        world.model("large", path)
        world.service("large", "large", ["sleep", "10"])
        status = world.wait_for("ModelService", "large", "NoMemory")
        assert "MiB" in status["conditions"][0]["message"]
        world.stop()
        world.remove()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


@as_root
@needs_engine
@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_each_runtime_holds_an_engine(runtime):
    world = World(runtime=runtime).start()
    try:
        world.model("gemma", MODEL, digest=f"sha256:{MODEL_SHA256}")
        world.service("chat", "gemma", limits={"contextTokens": 512}, resources={"limits": {"memory": "1Gi"}})
        world.wait_for("ModelService", "chat", "EngineReady", 120)
        answer = world.call("posture", {"ask": PROBE_SANDBOX})
        assert answer["host"]["runtime"] == runtime and all(a["refused"] for a in answer["tried"])
        assert chat(world.sockets()[0])[0] == 200
    finally:
        world.stop()
        world.remove()


@as_root
@needs_engine
def test_an_ordinary_user_has_sandboxes_without_limits():
    world = World(user=54321).start()
    try:
        world.model("gemma", MODEL, digest=f"sha256:{MODEL_SHA256}")
        world.service("chat", "gemma", limits={"contextTokens": 512}, resources={"limits": {"memory": "1Gi"}})
        world.wait_for("ModelService", "chat", "EngineReady", 120)
        answer = world.call("posture", {"ask": PROBE_SANDBOX})
        assert [a for a in answer["tried"] if not a["refused"]] == []
        assert not answer["host"]["limits"] and "limits" in answer["host"]["notGranted"]
        assert chat(world.sockets()[0])[0] == 200
    finally:
        world.stop()
        world.remove()
