# SPDX-License-Identifier: Apache-2.0
"""The line in front of a busy engine: nobody is refused who can wait, tenants take turns, and who leaves is forgotten."""
import asyncio
import json
import os
import re
import signal
import ssl
import subprocess
import threading

import httpx
import pytest

from gateway_rig import make_gateway, wait_for

SERVICE_SEC = 0.1


class BusyEngine:
    """Takes SERVICE_SEC for each call, or until it is released; notes who came, and how many at the same time."""

    def __init__(self, path):
        self.users = []
        self.now = 0
        self.most = 0
        self.held = False
        self.loop = asyncio.new_event_loop()
        self.go = asyncio.Event()
        started = threading.Event()

        async def serve():
            await asyncio.start_unix_server(self.handle, path, backlog=2048)
            os.chmod(path, 0o666)
            started.set()

        def run():
            asyncio.set_event_loop(self.loop)
            self.loop.create_task(serve())
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert started.wait(20)

    async def handle(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = json.loads(await reader.readexactly(int(re.search(rb"(?i)content-length: *(\d+)", head)[1])))
            self.users.append(request["messages"][0]["content"])
            self.now += 1
            self.most = max(self.most, self.now)
            if self.held:
                await self.go.wait()
            else:
                await asyncio.sleep(SERVICE_SEC)
            self.now -= 1
            body = b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                         b"Connection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def release(self):
        self.held = False
        self.loop.call_soon_threadsafe(self.go.set)

    def stop(self):
        self.release()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)


@pytest.fixture
def busy(folder):
    """Two workers, and one call at a time. bob and carol may call alice's model."""
    engine = BusyEngine(str(folder / "engine.sock"))
    g = make_gateway(folder, folder / "engine.sock", workers=2)
    g.engine = engine
    g.spec["routes"][0].update(places=1, line_length=1024, line_timeout_ms=60000)
    g.spec["keys"].append({"name": "carol", "namespace": "third", "user": "carol"})
    g.spec["namespaces"].append({"name": "third"})
    for thing in g.spec["rbac"]:
        if thing["kind"] == "RoleBinding" and thing["metadata"]["namespace"] == "team":
            for user in ("bob", "carol"):
                thing["subjects"].append(dict(thing["subjects"][0], name=user))
    yield g
    g.stop()
    engine.stop()


class Crowd:
    """Calls at the same time, of whom each has a name."""

    def __init__(self, g, http2=False):
        self.g = g
        tls = ssl.create_default_context(cafile=str(g.folder / "cert.pem"))
        limits = httpx.Limits(max_connections=4000, max_keepalive_connections=0)
        self.client = httpx.AsyncClient(verify=tls, timeout=120, limits=limits, http2=http2)

    def call(self, key, said=None, model="team/chat", request_id=None):
        body = {"model": model, "messages": [{"role": "user", "content": said or key}], "max_tokens": 1}
        headers = {"Authorization": "Bearer " + self.g.keys[key]} | ({"X-Request-Id": request_id} if request_id else {})
        return asyncio.create_task(self.client.post(f"https://127.0.0.1:{self.g.port}/v1/chat/completions", json=body, headers=headers))


async def until(check, what, seconds=60):
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.01)


def waiting(g):
    """Calls in the line, out of the mapped file: struct line in src/lib/limit/queue.c."""
    path = g.folder / "run/queue"
    if not path.exists():
        return 0
    with open(path, "rb") as file:
        return int.from_bytes(file.read(8 + 24)[28:32], "little")


def test_a_flood_of_one_tenant_makes_another_wait_for_one_call(busy):
    g = busy.start()

    async def run():
        crowd = Crowd(g)
        flood = [crowd.call("alice") for _ in range(200)]
        await until(lambda: waiting(g) >= 190, "the flood")
        before = len(g.engine.users)
        other = await crowd.call("bob")
        served = g.engine.users[before:]
        answers = await asyncio.gather(*flood)
        await crowd.client.aclose()
        return other, served, answers

    other, served, answers = asyncio.run(run())
    assert other.status_code == 200 and {a.status_code for a in answers} == {200}
    assert g.engine.most == 1
    # The one that ran, one that may have been let in just before, then bob; and who came while his answer was on its way.
    assert served.index("bob") <= 2, served


def test_tenants_take_turns_and_the_higher_priority_goes_first(busy):
    busy.spec["namespaces"][2]["priority"] = "high"
    busy.engine.held = True
    g = busy.start()

    async def run():
        crowd = Crowd(g)
        calls = [crowd.call("alice")]
        await until(lambda: g.engine.now == 1, "the first call")
        for i, (key, said) in enumerate([("alice", "a1"), ("alice", "a2"), ("alice", "a3"), ("bob", "b1"), ("bob", "b2"), ("carol", "c1")]):
            calls.append(crowd.call(key, said))
            await until(lambda i=i: waiting(g) == i + 1, "the call in the line")
        g.engine.release()
        answers = await asyncio.gather(*calls)
        await crowd.client.aclose()
        return answers

    assert {a.status_code for a in asyncio.run(run())} == {200}
    assert g.engine.users == ["alice", "c1", "b1", "a1", "b2", "a2", "a3"]


def test_a_full_line_and_a_long_wait_are_told(busy):
    busy.spec["routes"][0].update(line_length=2, line_timeout_ms=1500)
    busy.engine.held = True
    g = busy.start()

    async def run():
        crowd = Crowd(g)
        first = crowd.call("alice")
        await until(lambda: g.engine.now == 1, "the first call")
        line = [crowd.call("alice", request_id=f"late{i}") for i in range(2)]
        await until(lambda: waiting(g) == 2, "the line")
        full = await crowd.call("bob")
        late = await asyncio.gather(*line)
        g.engine.release()
        answers = full, late, await first
        await crowd.client.aclose()
        return answers

    full, late, first = asyncio.run(run())
    assert full.status_code == 503 and full.json()["error"]["code"] == "queue_full" and int(full.headers["retry-after"]) >= 1
    for answer in late:
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "queue_timeout", answer.text
        assert int(answer.headers["retry-after"]) >= 1
    assert "waited as long as a call may" in g.event("late0")["drun.reason"]
    assert first.status_code == 200 and len(g.engine.users) == 1
    assert g.chat().status_code == 200


@pytest.mark.parametrize("http2", [False, True])
def test_a_client_that_goes_away_leaves_the_line(busy, http2):
    busy.engine.held = True
    g = busy.start()

    async def run():
        crowd = Crowd(g)
        first = crowd.call("alice")
        await until(lambda: g.engine.now == 1, "the first call")
        leaving = Crowd(g, http2=http2)
        gone = leaving.call("alice", "gone", request_id="gone")
        await until(lambda: waiting(g) == 1, "the call in the line")
        gone.cancel()
        await asyncio.wait([gone])
        await leaving.client.aclose()
        await until(lambda: waiting(g) == 0, "that it leaves")
        stays = crowd.call("bob", "stays")
        await until(lambda: waiting(g) == 1, "the next call")
        g.engine.release()
        answers = await asyncio.gather(first, stays)
        await crowd.client.aclose()
        return answers

    assert {a.status_code for a in asyncio.run(run())} == {200}
    assert g.engine.users == ["alice", "stays"]
    assert g.event("gone")["http.response.status_code"] == 499


def test_places_of_killed_workers_come_back(busy):
    busy.engine.held = True
    g = busy.start()

    async def run():
        crowd = Crowd(g)
        calls = [crowd.call("alice") for _ in range(5)]
        await until(lambda: waiting(g) == 4, "the line")
        for worker in subprocess.run(["pgrep", "-P", str(g.pid)], capture_output=True, text=True).stdout.split():
            os.kill(int(worker), signal.SIGKILL)
        await asyncio.gather(*calls, return_exceptions=True)
        g.engine.release()
        await crowd.client.aclose()

    asyncio.run(run())

    def served():
        try:
            return g.chat().status_code == 200
        except httpx.HTTPError:
            return False
    wait_for(served, "the new workers")
    assert waiting(g) == 0
