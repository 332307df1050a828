# SPDX-License-Identifier: Apache-2.0
"""Several engines of one service: each in a sandbox of its own, changed one by one, ended behind their last call."""
import http.client
import json
import os
import pathlib
import socket
import threading

import pytest

from agent_world import ENGINE, MODEL, MODEL_SHA256, needs_engine

pytestmark = needs_engine
LIMITS = {"limits": {"memory": "1Gi", "pids": "200"}}


@pytest.fixture(scope="module")
def serving(world):
    if not (MODEL.exists() and ENGINE.exists()):
        pytest.skip("no small model or engine (tools/fetch-model)")
    world.model("gemma", MODEL, digest=f"sha256:{MODEL_SHA256}")
    put(world, 1)
    ready(world, 1)
    return world


def put(world, replicas, context=512, **more):
    world.service("many", "gemma", replicas=replicas, limits={"contextTokens": context}, resources=LIMITS, **more)


def status(world):
    return world.status("ModelService", "many")


def ready(world, count):
    """As many answer as are wanted, all of the last generation, and no other runs."""
    def all_there():
        now = status(world)
        return (now.get("readyReplicas") == now.get("replicas") == len(now.get("readyPlaces", [])) == count == len(world.engines())
                and now["phase"] == "Ready" and not [c for c in now["conditions"] if c["type"] == "RollingOut"] and now)
    return world.wait(all_there, f"{count} engines", 180)


def places(world):
    return status(world)["readyPlaces"]


def socket_of(world, place):
    """That of the first place is as it always was."""
    return [path for path in world.sockets() if path.parent.name.endswith(f".{place}" if place else "") and
            ("." in path.parent.name) == bool(place)][0]


def ask(path, tokens=4):
    connection = http.client.HTTPConnection("engine", timeout=120)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    body = {"model": "any", "messages": [{"role": "user", "content": "Count to a thousand."}], "max_tokens": tokens,
            "ignore_eos": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_each_engine_has_a_sandbox_and_a_socket_of_its_own(serving):
    before = serving.engines()
    put(serving, 3)
    ready(serving, 3)
    assert set(before) < set(serving.engines()), "the one that was there stays"
    assert places(serving) == [0, 1, 2] and len(serving.sockets()) == 3
    for place in range(3):
        assert ask(socket_of(serving, place))[0] == 200
    if os.geteuid() == 0:
        owners = {pathlib.Path(f"/proc/{pid}").stat().st_uid for pid in serving.engines()}
        assert len(owners) == 3, "each has an id of its own"


def test_one_that_dies_takes_no_other_with_it(serving):
    ready(serving, 3)
    before = serving.engines()
    serving.kill(before[1])
    serving.wait(lambda: len(places(serving)) == 2 and status(serving)["phase"] == "Degraded", "its place to be left out")
    ready(serving, 3)
    assert len(set(before) & set(serving.engines())) == 2


def test_a_change_goes_through_them_one_by_one(serving):
    """At every instant as many answer as are wanted, and one more runs at most."""
    ready(serving, 3)
    before, seen = set(serving.engines()), []
    put(serving, 3, context=640)

    def done():
        now, running = status(serving), serving.engines()
        seen.append((len(now["readyPlaces"]), len(running)))
        return not before & set(running)

    serving.wait(done, "the last old engine to end", 180)
    ready(serving, 3)
    # An engine that is being made or removed is no engine, but has a child of the runtime for a moment.
    assert min(answering for answering, _ in seen) == 3 and sorted(running for _, running in seen)[-10] <= 5, seen
    assert status(serving)["observedGeneration"] >= 3


def test_an_engine_ends_behind_its_last_call(serving):
    put(serving, 1, context=640)
    ready(serving, 1)
    (old,) = serving.engines()
    (place,) = places(serving)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(ask(socket_of(serving, place), 500)))
    caller.start()
    serving.wait(lambda: connected(old), "the call to begin")
    put(serving, 1, context=768)
    serving.wait(lambda: places(serving) not in ([], [place]), "the new one to take over", 120)
    caller.join()
    assert answers and answers[0][0] == 200 and answers[0][1]["usage"]["completion_tokens"] == 500
    serving.wait(lambda: old not in serving.engines(), "the end of the old one", 60)


def connected(pid):
    """The engine's end of a connection is none of its own namespace."""
    own = {line.split()[6] for line in pathlib.Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]}
    held = [os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return [link for link in held if link.startswith("socket:[") and link[8:-1] not in own]


def test_a_change_that_fails_takes_nothing_away(serving):
    ready(serving, 1)
    before = serving.engines()
    put(serving, 1, runtimeClassName="kata")

    def stuck():
        return [c for c in status(serving)["conditions"] if c["type"] == "RollingOut" and "kata" in c["message"]]

    assert serving.wait(stuck, "the reason to be told")[0]["reason"] in ("StartFailed", "CrashLoop")
    assert status(serving)["phase"] == "Ready" and serving.engines() == before
    assert ask(socket_of(serving, places(serving)[0]))[0] == 200
    put(serving, 1, context=768)  # as it was: nothing is started again
    serving.wait(lambda: not stuck(), "the condition to go")
    ready(serving, 1)
    assert serving.engines() == before


def test_limits_on_calls_start_no_engine_again(serving):
    ready(serving, 1)
    before, generation = serving.engines(), status(serving)["observedGeneration"]
    serving.service("many", "gemma", replicas=1, limits={"contextTokens": 768, "requestsPerMinute": 60}, resources=LIMITS)
    serving.wait(lambda: status(serving)["observedGeneration"] > generation, "the generation to be seen")
    assert serving.engines() == before
    assert status(serving)["modelDigest"] == f"sha256:{MODEL_SHA256}"


def test_fewer_and_none(serving):
    put(serving, 2, context=768)
    ready(serving, 2)
    put(serving, 1, context=768)
    ready(serving, 1)
    put(serving, 0, context=768)
    serving.wait_for("ModelService", "many", "Stopped")
    assert not serving.engines() and not serving.sockets()
    serving.delete("ModelService", "many")
