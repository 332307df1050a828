# SPDX-License-Identifier: Apache-2.0
"""The real agent with kms and audit, and an api that the tests speak for (world.c)."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("DRUN_BUILD", ROOT / "build"))
MODEL = ROOT / "build" / "model" / "gemma-3-270m.gguf"
ENGINE = ROOT / "build" / "engine" / "llama-server"
MODEL_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
needs_engine = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                  reason="no small model or engine (tools/fetch-model)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    def __init__(self, user=None, shm="/dev/shm", **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-agent-"))
        self.models = self.folder / "models"
        self.run = pathlib.Path(shm) / self.folder.name
        self.user = user
        self.models.mkdir()
        # The probe is looked for beside the binary.
        for name in ("src/roles/agent/agent_world", "drun-probe"):
            shutil.copy(BUILD / name, self.folder)
        self.folder.chmod(0o755)
        if user:
            for path in (self.folder, self.models):
                os.chown(path, user, user)
        self.settings = {"model-dirs": f"{self.models},{MODEL.parent}", "engine-dirs": f"{ENGINE.parent},/usr/bin",
                         "unseal-key-file": self.folder / "key", "listen": f"127.0.0.1:{free_port()}",
                         **{name.replace("_", "-"): value for name, value in settings.items()}}
        self.log_path = self.folder / "log"

    def start(self):
        command = [self.folder / "agent_world", self.folder / "data", self.run,
                   *(f"{name}={value}" for name, value in self.settings.items())]
        if self.user:
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]
        began = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(lambda: "supervisor.ready" in self.log()[began:], "the start", 30)
        return self

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        return self.process.returncode

    def remove(self):
        for path in (self.folder, self.run, pathlib.Path(f"{self.run}.sandboxes")):
            shutil.rmtree(path, ignore_errors=True)

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def wait(self, condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the platform ended:\n{self.log()}")
            if (value := condition()):
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come:\n{self.log()[-4000:]}")

    def call(self, role, message):
        """A role that is just restarting is asked again."""
        for attempt in range(60):
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(20)
                    connection.connect(str(self.run / role / "test.sock"))
                    connection.sendall(json.dumps(message).encode())
                    connection.shutdown(socket.SHUT_WR)
                    answer = b""
                    while piece := connection.recv(65536):
                        answer += piece
                if answer:
                    return json.loads(answer)
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{role} gives no answer")

    # ------------------------------------------------------------------ objects

    def put(self, kind, name, spec):
        return self.call("api", {"put": {"kind": kind, "metadata": {"namespace": "default", "name": name}, "spec": spec}})

    def delete(self, kind, name):
        return self.call("api", {"delete": {"kind": kind, "namespace": "default", "name": name}})

    def status(self, kind, name):
        return self.call("api", {"status": {"kind": kind, "namespace": "default", "name": name}}) or {}

    def ready(self, kind, name):
        conditions = self.status(kind, name).get("conditions", [])
        return next((c for c in conditions if c["type"] == "Ready"), {})

    def wait_for(self, kind, name, reason, timeout=60):
        self.wait(lambda: self.ready(kind, name).get("reason") == reason, f"{kind} {name}: {reason}", timeout)
        return self.status(kind, name)

    def model(self, name, path, **artifact):
        self.put("Model", name, {"artifact": {"path": str(path), **artifact}})

    def service(self, name, model, command=None, **spec):
        engine = {"kind": "openai-compatible" if command else "llama.cpp"}
        if command:
            engine["command"] = command
        self.put("ModelService", name, {"modelRef": {"name": model}, "engine": engine, **spec})

    # ------------------------------------------------------------------ what is there

    def role_pid(self, role):
        text = subprocess.run(["pgrep", "-P", str(self.process.pid), "-f", f"role {role}$"], capture_output=True, text=True).stdout
        return int(text.split()[0])

    def engines(self):
        """Every process whose root is in one of our sandboxes."""
        parents = {int(p) for p in subprocess.run(["pgrep", "-P", str(self.role_pid("agent"))], capture_output=True,
                                                  text=True).stdout.split()}
        return sorted(parents)

    def sockets(self):
        return list((self.run / "agent").glob("*/engine.sock"))

    def blobs(self):
        return list((self.folder / "data" / "agent" / "blobs").iterdir())

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
