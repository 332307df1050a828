# SPDX-License-Identifier: Apache-2.0
"""One running platform: started on a free port with its own data, stopped at the end."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRUN = ROOT / "build" / "drun"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Platform:
    def __init__(self, folder=None, **settings):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="drun-e2e-"))
        self.data = self.folder / "data"
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.log_path = self.folder / "log"
        self.run_dir = pathlib.Path(tempfile.mkdtemp(prefix="drun-e2e-", dir="/dev/shm"))
        self.run_dir.chmod(0o710)
        self.key_file = self.folder / "unseal.key"
        self.settings = {
            "listen": f"127.0.0.1:{self.port}",
            "run-dir": self.run_dir,
            "unseal-key-file": self.key_file,
            "share-dir": ROOT / "build" / "share" / "drun",
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        self.process = None
        self.prefix = []  # a program that runs it

    # ------------------------------------------------------------------ life

    def command(self, *more):
        sets = [word for name, value in self.settings.items() for word in ("--set", f"{name}={value}")]
        return [*self.prefix, str(DRUN), "up", "--data", str(self.data), *sets, *more]

    def start(self, *more, timeout=30):
        self.log = open(self.log_path, "ab")
        began = self.log.tell()
        self.process = subprocess.Popen(self.command(*more), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if b"event=supervisor.ready" in self.log_path.read_bytes()[began:]:
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the platform did not start:\n{self.text()[-4000:]}")

    def try_start(self, *more, timeout=30):
        """For starts that must fail: the finished process."""
        return subprocess.run(self.command(*more), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)

    def stop(self, timeout=20):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the platform did not stop")
        self.log.close()
        return self.process.returncode

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def text(self):
        return self.log_path.read_text(errors="replace")

    # ------------------------------------------------------------------ its processes

    def roles(self):
        """Name to pid of each running role."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and words[:2] == [b"drun", b"role"]:
                found[words[2].decode()] = int(entry.name)
        return found

    def kill(self, role):
        pid = self.roles()[role]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_role(self, role, not_pid, timeout=10):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            pid = self.roles().get(role)
            if pid and pid != not_pid:
                return pid
            time.sleep(0.02)
        raise AssertionError(f"{role} was not started again:\n{self.text()[-2000:]}")

    # ------------------------------------------------------------------ asking it

    @property
    def ca(self):
        return str(self.run_dir / "gateway" / "ca.pem")

    def request(self, method, path, token=None, **more):
        headers = more.pop("headers", {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return requests.request(method, more.pop("url", self.url) + path, verify=self.ca, headers=headers, timeout=more.pop("timeout", 20), **more)

    def operator_token(self):
        """A short-lived token from the operator's own socket, as `drun` gets it on the platform's machine."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.run_dir / "operator.sock"))
            sock.sendall(b"POST /token HTTP/1.1\r\nHost: operator\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := sock.recv(65536):
                answer += chunk
        head, body = answer.split(b"\r\n\r\n", 1)
        assert b" 200 " in head.split(b"\r\n")[0], answer
        return json.loads(body)["access_token"]

    def wait_until(self, what, condition, timeout=20):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what} did not happen within {timeout} s:\n{self.text()[-2000:]}")
