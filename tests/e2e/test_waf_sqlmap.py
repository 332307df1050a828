# SPDX-License-Identifier: Apache-2.0
"""sqlmap against an engine with a hole, through the gateway: without the firewall it reads the tables, with it nothing. The
hole is in a parameter of a model call, which reaches the engine as the client wrote it."""
import json
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from platform_process import Platform
from test_models import apply, key, tenant
from test_waf import POLICIES, SETS, in_force, put
from weak_engine import WeakEngine

pytestmark = pytest.mark.skipif(shutil.which("sqlmap") is None, reason="sqlmap is not installed (tools/bootstrap)")


@pytest.fixture(scope="module")
def weak():
    engine = WeakEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def platform(weak):
    running = Platform(egress_networks="127.0.0.0/8")
    running.start()
    apply(running, *tenant("demo"), {
        "apiVersion": "drun.io/v1", "kind": "ModelService", "metadata": {"name": "weak", "namespace": "demo"},
        "spec": {"upstream": {"url": weak.url, "model": "weak", "caBundle": weak.ca}}})
    running.token = key(running, "demo", "scanner")
    running.wait_until("the rules", lambda: in_force(running, SETS, "crs") and in_force(running, POLICIES, "default"), 240)
    running.wait_until("the engine", lambda: call(running, "alice").status_code == 200, 60)
    yield running
    assert running.stop() == 0
    running.remove()


def call(platform, user):
    return platform.request("POST", "/v1/chat/completions", platform.token,
                            json={"model": "demo/weak", "user": user, "messages": [{"role": "user", "content": "Which team am I of?"}]})


class Tls13:
    """sqlmap speaks TLS 1.2 at most; this carries its bytes to the gateway."""

    def __init__(self, port, ca):
        self.port = port
        self.context = ssl.create_default_context(cafile=str(ca))
        self.context.check_hostname = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port)))
            except OSError:
                return
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            one.close()
            other.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture(scope="module")
def way(platform):
    tls = Tls13(int(platform.url.rsplit(":", 1)[1]), platform.ca)
    yield tls
    tls.close()


def sqlmap(platform, way, folder):
    """What it says; its own browser's name would be refused by itself."""
    body = json.dumps({"model": "demo/weak", "user": "alice*", "messages": [{"role": "user", "content": "Which team am I of?"}]})
    host = "127.0.0.1:%d" % way.listener.getsockname()[1]
    request = folder / "request.http"
    request.write_text(f"POST /v1/chat/completions HTTP/1.1\nHost: {host}\nAuthorization: Bearer {platform.token}\n"
                       f"Content-Type: application/json\n\n{body}")
    done = subprocess.run(["sqlmap", "--ignore-stdin", "-r", request, "--batch", "--random-agent", "--dbms=SQLite", "--technique=BEU",
                           "--level=2", "--threads=4", "--disable-coloring", "--ignore-code=*", "--skip-waf", "--fresh-queries", "--flush-session",
                           "--output-dir", folder / "out", "--tables"], capture_output=True, text=True, timeout=500, cwd=folder)
    return done.stdout + done.stderr


def test_without_the_firewall_it_reads_the_tables(platform, way, tmp_path):
    put(platform, POLICIES, "naked", {"match": {"modelServices": ["demo/weak"]}, "mode": "Off"})
    said = sqlmap(platform, way, tmp_path)
    assert "is vulnerable" in said or "injectable" in said, said[-3000:]
    assert "cards" in said and "users" in said, said[-3000:]


def test_with_the_firewall_it_finds_nothing(platform, way, tmp_path):
    put(platform, POLICIES, "naked", {"match": {"modelServices": ["demo/weak"]}, "mode": "Block"})
    said = sqlmap(platform, way, tmp_path)
    assert "do not appear to be injectable" in said and "cards" not in said, said[-3000:]
    assert "403 (Forbidden)" in said, said[-3000:]
    # Who asks for what there is still gets it.
    assert "red" in call(platform, "alice").text


def test_an_error_of_the_database_stays_inside(platform, weak):
    """What no rule about requests minds, but makes the engine fail."""
    before = weak.asked
    answer = call(platform, "O'Reilly")
    assert weak.asked == before + 1 and answer.status_code == 403 and "withheld" in answer.text and "SQLite" not in answer.text, answer.text
