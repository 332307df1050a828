# SPDX-License-Identifier: Apache-2.0
"""Sealed: no process holds a key, nothing answers, and only the operator's own socket opens it again."""
import array
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
import requests

from identity import RBAC, Identity
from platform_process import DRUN

PASSPHRASE = "seven words that nobody else would take"
EXISTS, DENIED, INVALID, LIMITED, UNSUPPORTED = 5, 3, 1, 9, 10
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def platform():
    own = Identity()
    yield own
    if own.process:
        own.stop(timeout=30)
    own.remove()


@pytest.fixture
def with_passphrase(platform):
    file = platform.folder / "passphrase"
    file.write_text(PASSPHRASE + "\n")
    platform.start("--passphrase-file", str(file))
    return platform


def drun(platform, *words, **more):
    return subprocess.run([str(DRUN), *words, "--data", str(platform.data)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, **more)


def seal(platform):
    done = drun(platform, "seal")
    assert done.returncode == 0, done.stderr


def unseal(platform, *more):
    done = drun(platform, "unseal", *more)
    assert done.returncode == 0, done.stderr
    return done


def state(platform):
    done = drun(platform, "status", "-o", "json")
    return json.loads(done.stdout).get("state")


def refuses(platform):
    with socket.socket() as sock:
        sock.settimeout(10)
        return sock.connect_ex(("127.0.0.1", platform.port)) != 0


def processes_of(platform):
    """Every process that has a file of this platform open or in its command line, but the supervisor and ourselves."""
    own = {os.getpid(), platform.process.pid}
    places = (str(platform.data), str(platform.run_dir))
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in own:
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            opened = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
        except OSError:
            continue
        if any(place in text for place in places for text in [words, *opened]):
            found[int(entry.name)] = words
    return found


def is_sealed(platform):
    assert state(platform) == "sealed"
    assert platform.roles() == {}
    assert processes_of(platform) == {}
    assert refuses(platform)
    left = sorted(path.name for path in platform.run_dir.iterdir())
    assert left == ["instance", "seal.sock"], left
    fds = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{platform.process.pid}/fd").iterdir()]
    assert not [name for name in fds if "memfd:passphrase" in name], fds


def packet(kind, body=b"", fds=(), status=0):
    return struct.pack("<HHII", kind, status, 1, len(body)) + body, fds


class Caller:
    """The supervisor's socket, byte by byte."""

    def __init__(self, platform):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(60)
        self.sock.connect(str(platform.run_dir / "seal.sock"))

    def send(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], rights)
        return self

    def answer(self):
        """The status and the body; None when the channel was closed."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return None
        if not data:
            return None
        _, status, _, length = struct.unpack("<HHII", data[:12])
        assert len(data) == 12 + length
        return status, data[12:]


def memfd(text):
    fd = os.memfd_create("test")
    os.write(fd, text)
    return fd


# ------------------------------------------------------------------ a whole round

def test_sealed_nothing_answers_and_unsealed_everything_does(platform):
    platform.start()
    operator = platform.operator_token()
    platform.add_user("kim", operator)
    browser = platform.sign_in("kim")
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "kim"},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
               "subjects": [{"kind": "User", "name": "kim", "apiGroup": "rbac.authorization.k8s.io"}]}
    platform.must(201, "POST", RBAC + "/clusterrolebindings", operator, json=binding)
    key = platform.add_key("kept", operator, user="kim", scopes={"verbs": ["get", "list"]})["status"]["key"]
    platform.must(201, "POST", CONFIGMAPS, operator, json={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "1"}})
    sockets = [path for path in platform.run_dir.glob("*.sock") if path.name != "seal.sock"]
    assert len(sockets) >= 5
    open_connection = socket.create_connection(("127.0.0.1", platform.port))

    seal(platform)
    is_sealed(platform)
    open_connection.settimeout(10)
    assert open_connection.recv(1) == b""
    for path in sockets:
        with socket.socket(socket.AF_UNIX) as sock, pytest.raises(OSError):
            sock.connect(str(path))
    listed = drun(platform, "get", "namespaces")
    assert listed.returncode == 4 and "sealed" in listed.stderr and "drun unseal" in listed.stderr, listed.stderr
    shown = drun(platform, "status")
    assert "sealed" in shown.stdout and f"by uid {os.getuid()}, process " in shown.stdout, shown.stdout

    unseal(platform)
    assert state(platform) == "ready" and not (platform.data / "sealed").exists()
    assert platform.must(200, "GET", CONFIGMAPS + "/kept", key)["data"] == {"a": "1"}
    answer = browser.get(platform.url + "/session", verify=platform.ca)
    assert answer.status_code == 200 and "kim" in answer.text, answer.text
    assert platform.sign_in("kim")
    events = platform.must(200, "GET", "/apis/audit.drun.io/v1/auditevents?limit=200", platform.operator_token())["items"]
    events = [item["event"] for item in sorted(events, key=lambda item: int(item["metadata"]["name"]))]
    told = {event["event.name"]: event for event in events if event["event.name"].startswith("drun.platform.")}
    assert set(told) == {"drun.platform.seal", "drun.platform.unseal"}
    for event in told.values():
        assert event["user.name"] == f"system:operator:{os.getuid()}" and event["drun.outcome"] == "success"
        assert "by process " in event["drun.reason"] and event["drun.role"] == "supervisor", event
    names = [event["event.name"] for event in events]
    assert names.index("drun.platform.seal") < names.index("drun.platform.unseal")


def test_sealing_and_unsealing_twice_changes_nothing(platform):
    platform.start()
    done = drun(platform, "unseal")
    assert done.returncode == 0 and "not sealed" in done.stdout
    seal(platform)
    done = drun(platform, "seal")
    assert done.returncode == 0 and "already" in done.stdout
    is_sealed(platform)
    for _ in range(2):
        unseal(platform)
        assert platform.request("GET", "/version").status_code == 200
        seal(platform)
        is_sealed(platform)


# ------------------------------------------------------------------ what opens it

def test_a_wrong_passphrase_leaves_it_sealed_says_why_and_slows_down(with_passphrase):
    platform = with_passphrase
    seal(platform)
    is_sealed(platform)
    wrong = platform.folder / "wrong"
    wrong.write_text("seven words that somebody else would take")
    tried = drun(platform, "unseal", "--passphrase-file", str(wrong))
    assert tried.returncode == 3 and "passphrase is not the one" in tried.stderr, tried.stderr
    is_sealed(platform)
    again = drun(platform, "unseal", "--passphrase-file", str(platform.folder / "passphrase"))
    assert again.returncode == 1 and "the next one is taken in" in again.stderr, again.stderr

    def opens():
        return drun(platform, "unseal", "--passphrase-file", str(platform.folder / "passphrase")).returncode == 0
    platform.wait_until("an unseal", opens, timeout=60)
    events = platform.must(200, "GET", "/apis/audit.drun.io/v1/auditevents?limit=200", platform.operator_token())["items"]
    outcomes = [item["event"]["drun.outcome"] for item in events if item["event"]["event.name"] == "drun.platform.unseal"]
    assert sorted(outcomes) == ["failure", "success"]
    # The passphrase serves restarts of kms as before.
    platform.wait_for_role("kms", platform.kill("kms"))
    platform.wait_until("an answer", lambda: platform.request("GET", "/version").status_code == 200)


def test_a_platform_that_wants_a_passphrase_says_so(with_passphrase):
    seal(with_passphrase)
    tried = drun(with_passphrase, "unseal")
    assert tried.returncode == 1 and "--passphrase-file" in tried.stderr, tried.stderr
    is_sealed(with_passphrase)


def test_a_missing_key_file_leaves_it_sealed(platform):
    platform.start()
    key = platform.key_file.read_text()
    platform.key_file.unlink()
    seal(platform)
    tried = drun(platform, "unseal")
    assert tried.returncode != 0 and str(platform.key_file) in tried.stderr, tried.stderr
    is_sealed(platform)
    platform.key_file.write_text(key)
    platform.key_file.chmod(0o600)
    platform.wait_until("an unseal", lambda: drun(platform, "unseal").returncode == 0, timeout=60)


def test_it_can_start_sealed(platform):
    """On new data too: the first unseal makes the keys."""
    platform.process = subprocess.Popen(platform.command("--sealed"), stdin=subprocess.DEVNULL, stdout=open(platform.log_path, "ab"),
                                        stderr=subprocess.STDOUT)
    platform.log = open(platform.log_path, "ab")
    platform.wait_until("a seal", lambda: platform.log_path.exists() and "event=supervisor.sealed" in platform.text())
    platform.wait_until("its socket", lambda: (platform.run_dir / "seal.sock").exists())
    is_sealed(platform)
    unseal(platform)
    assert platform.request("GET", "/version").status_code == 200
    assert platform.stop() == 0
    platform.start()  # it was a start of that kind, not a seal


def test_systemd_is_told(platform):
    path = platform.folder / "notify"
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(path))
    told.settimeout(30)
    platform.log = open(platform.log_path, "ab")
    platform.process = subprocess.Popen(platform.command("--sealed"), stdin=subprocess.DEVNULL, stdout=platform.log, stderr=platform.log,
                                        env=os.environ | {"NOTIFY_SOCKET": str(path)})
    seen = []
    while "READY=1" not in seen:
        seen.append(told.recv(1000).decode())
    assert "STATUS=sealed" in seen
    unseal(platform)
    while "STATUS=ready" not in seen:
        seen.append(told.recv(1000).decode())
    seal(platform)
    while seen.count("STATUS=sealed") < 2:
        seen.append(told.recv(1000).decode())


def test_an_explicit_passphrase_does_not_break_a_seal(with_passphrase):
    platform = with_passphrase
    seal(platform)
    platform.process.terminate()
    assert platform.process.wait(20) == 0
    platform.process = subprocess.Popen(platform.command("--passphrase-file", str(platform.folder / "passphrase")), stdin=subprocess.DEVNULL,
                                        stdout=platform.log, stderr=platform.log)
    platform.wait_until("its socket", lambda: (platform.run_dir / "seal.sock").exists())
    is_sealed(platform)
    unseal(platform, "--passphrase-file", str(platform.folder / "passphrase"))


# ------------------------------------------------------------------ in the middle of things

def test_under_load_nothing_acknowledged_is_lost(platform):
    platform.start()
    acknowledged, stop = [], threading.Event()
    ca = (platform.folder / "ca.pem")
    ca.write_bytes(pathlib.Path(platform.ca).read_bytes())

    def write(worker):
        session = requests.Session()
        session.verify = str(ca)
        token, count = None, 0
        while not stop.is_set():
            name = f"load-{worker}-{count}"
            count += 1
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            try:
                token = token or platform.operator_token()
                answer = session.post(platform.url + CONFIGMAPS, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=20)
            except (requests.RequestException, OSError):
                time.sleep(0.02)
                continue
            if answer.status_code == 201:
                acknowledged.append(name)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = len(acknowledged)
            platform.wait_until("some load", lambda: len(acknowledged) > before + 50, timeout=60)
            seal(platform)
            is_sealed(platform)
            unseal(platform)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    found = platform.must(200, "GET", CONFIGMAPS, platform.operator_token())["items"]
    assert set(acknowledged) <= {item["metadata"]["name"] for item in found}
    verified = drun(platform, "audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_killed_while_sealed_it_stays_sealed(platform):
    platform.start()
    seal(platform)
    platform.process.kill()
    platform.process.wait()
    platform.process = subprocess.Popen(platform.command(), stdin=subprocess.DEVNULL, stdout=platform.log, stderr=platform.log)
    platform.wait_until("its socket", lambda: Caller.reaches(platform))
    is_sealed(platform)
    assert f"by uid {os.getuid()}, process " in drun(platform, "status").stdout
    unseal(platform)
    platform.process.kill()
    platform.process.wait()
    platform.wait_until("the end of its roles", lambda: processes_of(platform) == {})
    platform.start()  # and is open when it was open


def reaches(platform):
    try:
        return Caller(platform)
    except OSError:
        return None


Caller.reaches = staticmethod(reaches)


def test_signals_stop_a_sealed_platform_at_once(platform):
    for signo in (signal.SIGTERM, signal.SIGINT):
        platform.process = subprocess.Popen(platform.command("--sealed"), stdin=subprocess.DEVNULL, stdout=open(platform.log_path, "ab"),
                                            stderr=subprocess.STDOUT)
        platform.log = open(platform.log_path, "ab")
        platform.wait_until("its socket", lambda: Caller.reaches(platform))
        platform.process.send_signal(signo)
        assert platform.process.wait(5) == 0
        assert not platform.run_dir.exists() or list(platform.run_dir.iterdir()) == []
        platform.run_dir.mkdir(mode=0o710, exist_ok=True)


def test_a_seal_in_the_middle_of_an_unseal_wins(with_passphrase):
    """Argon2id gives it time to come in between."""
    platform = with_passphrase
    seal(platform)
    opening = subprocess.Popen([str(DRUN), "unseal", "--data", str(platform.data), "--passphrase-file", str(platform.folder / "passphrase")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    platform.wait_until("a role", lambda: platform.roles())
    seal(platform)
    said = opening.communicate(timeout=60)
    assert opening.returncode == 4 and "told to seal" in said[1], said
    is_sealed(platform)
    unseal(platform, "--passphrase-file", str(platform.folder / "passphrase"))


# ------------------------------------------------------------------ its socket

def test_only_what_the_table_says_is_taken(platform):
    platform.start()
    assert oct((platform.run_dir / "seal.sock").stat().st_mode & 0o777) == "0o600"
    fd = memfd(b"x")
    for data, fds, status in [
            (*packet(99), UNSUPPORTED), (*packet(1, b"x"), 8), (*packet(2, b"", [fd]), INVALID), (*packet(1, status=3), INVALID),
            (*packet(3), EXISTS)]:
        answer = Caller(platform).send(data, fds).answer()
        assert answer and answer[0] == status, (data, answer)
    for junk in (b"x", b"\0" * 11, packet(1)[0] + b"more", struct.pack("<HHII", 1, 0, 1, 1 << 31)):
        assert Caller(platform).send(junk).answer() is None
    assert Caller(platform).send(packet(1)[0]).answer()[0] == 0
    seal(platform)
    pipe = os.pipe()
    for given in ([pipe[0]], [os.open("/etc/hostname", os.O_RDONLY)], [memfd(b"")], [memfd(b"x" * 1025)], [fd, fd]):
        answer = Caller(platform).send(*packet(3, b"", given)).answer()
        assert answer and answer[0] == INVALID, (given, answer)
    is_sealed(platform)
    unseal(platform)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_another_user_may_not(platform):
    platform.start()
    platform.data.chmod(0o711)
    platform.folder.chmod(0o711)
    done = drun(platform, "seal", user=65534, group=65534, extra_groups=[])
    assert done.returncode == 3, done.stdout + done.stderr
    # Not even with a way to the socket.
    platform.run_dir.chmod(0o711)
    (platform.run_dir / "seal.sock").chmod(0o666)
    done = drun(platform, "seal", user=65534, group=65534, extra_groups=[])
    assert done.returncode != 0, done.stdout
    assert state(platform) == "ready"
    assert "uid 65534 may not seal" in platform.text()
