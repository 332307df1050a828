# SPDX-License-Identifier: Apache-2.0
"""A model service of several engines, from the object to the answer: changed while it is called, and no call fails."""
import collections
import concurrent.futures
import os
import signal
import subprocess

import pytest

from platform_process import DRUN, Platform
from test_models import ENGINE, MODEL, PROMPT, apply, client, get, key, model, service, tenant

pytestmark = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                reason="the small model or its engine could not be downloaded (tools/fetch-model)")


@pytest.fixture(scope="module")
def serving():
    running = Platform(model_dirs=str(MODEL.parent), engine_dirs=str(ENGINE.parent)).start()
    try:
        apply(running, *tenant("demo"), model("demo"), many(2))
        ready(running, 2)
        yield running
        assert running.stop() == 0
    finally:
        running.stop()
        running.remove()


@pytest.fixture(scope="module")
def demo_key(serving):
    return key(serving, "demo", "tenant", "--model", "demo/*")


def many(replicas, **limits):
    thing = service("demo", **limits)
    thing["spec"]["replicas"] = replicas
    return thing


def status(platform):
    return get(platform, "demo", "modelservices", "gemma").get("status", {})


def ready(platform, count):
    def all_there():
        now = status(platform)
        wanted = get(platform, "demo", "modelservices", "gemma")["metadata"]["generation"]
        return (now.get("phase") == "Ready" and now["observedGeneration"] == wanted and
                now["replicas"] == now["readyReplicas"] == len(now["readyPlaces"]) == count)
    platform.wait_until(f"{count} engines", all_there, timeout=240)


def engines(platform):
    """The processes of the engines, which are children of the agent."""
    agent = subprocess.run(["pgrep", "-P", str(platform.process.pid), "-f", "role agent$"], capture_output=True, text=True).stdout.split()[0]
    return [int(pid) for pid in subprocess.run(["pgrep", "-P", agent, "llama-server"], capture_output=True, text=True).stdout.split()]


def calls_while(platform, token, work):
    """Answers of three clients who call all the time, one of them in streams, while something is done."""
    over = []

    def keep_calling(stream):
        got, session = collections.Counter(), client(platform, token)
        while not over:
            try:
                answer = session.chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=12, stream=stream)
                if stream:
                    list(answer)
                got["answered"] += 1
            except Exception as failure:
                got[str(failure)] += 1
        return got

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(keep_calling, stream) for stream in (False, False, True)]
        try:
            work()
        finally:
            over.append(True)
        return sum((caller.result() for caller in callers), collections.Counter())


def test_engines_change_and_no_call_fails(serving, demo_key):
    before = engines(serving)
    assert len(before) == 2

    def change():
        apply(serving, many(2, contextTokens=768))
        ready(serving, 2)
        serving.wait_until("the old ones to end", lambda: not set(before) & set(engines(serving)), timeout=60)
        apply(serving, many(1, contextTokens=768))
        ready(serving, 1)
        apply(serving, many(3, contextTokens=768))
        ready(serving, 3)

    got = calls_while(serving, demo_key, change)
    assert set(got) == {"answered"} and got["answered"] > 5, got


def test_what_is_told(serving):
    ready(serving, 3)
    done = subprocess.run([DRUN, "get", "modelservices", "-n", "demo", "--data", serving.data], capture_output=True, text=True)
    head, line = (text.split() for text in done.stdout.splitlines()[:2])
    assert head[:6] == ["NAME", "MODEL", "ENGINE", "REPLICAS", "READY", "PHASE"] and line[:6] == ["gemma", "gemma", "llama.cpp", "3", "3", "Ready"]


def test_each_has_its_log(serving):
    ready(serving, 3)
    path = "/apis/drun.io/v1/namespaces/demo/modelservices/gemma/log"

    def log(**query):
        return serving.request("GET", path, serving.operator_token(), params=query)
    places = status(serving)["readyPlaces"]
    for place in places:
        assert "listening on unix:///run/engine/engine.sock" in log(replica=place).text
    assert log().text in [log(replica=place).text for place in places], "of the newest"
    none = subprocess.run([DRUN, "logs", "gemma", "-n", "demo", "--replica", "31", "--data", serving.data], capture_output=True, text=True)
    assert none.returncode == 1 and "no such engine runs; status.readyPlaces has those that do" in none.stderr
    assert "do not go together" in log(replica=0, previous="true").json()["message"]
    assert log(replica="x").status_code == 400


def test_one_that_is_killed_costs_its_own_calls_alone(serving, demo_key):
    ready(serving, 3)
    session, killed = client(serving, demo_key), engines(serving)[0]
    os.kill(killed, signal.SIGKILL)
    # One that dies takes connections for some 50 ms more, while its memory is given back: such calls are its own.
    serving.wait_until("it to end", lambda: killed not in engines(serving))
    for _ in range(10):
        assert session.chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=4).usage.completion_tokens == 4
    ready(serving, 3)


def test_too_many_are_refused(serving):
    answer = serving.request("PUT", "/apis/drun.io/v1/namespaces/demo/modelservices/gemma", serving.operator_token(), json=many(33))
    assert answer.status_code in (400, 422) and "spec.replicas" in answer.text, answer.text
