# SPDX-License-Identifier: Apache-2.0
"""Model routes: names before several engines, each of which fails on purpose."""
import asyncio
import collections
import json
import os
import re
import socket
import threading
import time

import pytest

from gateway_rig import make_gateway, role, wait_for

ALL = 127
CONNECT, TIMEOUT, S429, S500, S502, S503, S504 = 1, 2, 4, 8, 16, 32, 64


class Engine:
    """Answers, or fails as it is told: a status, "silent", "cut" before the answer, "half" behind its first part."""

    def __init__(self, path):
        self.path, self.how, self.bodies = path, 200, []
        self.loop = asyncio.new_event_loop()
        self.server = None
        threading.Thread(target=self.run, daemon=True).start()
        self.start()

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def start(self):
        async def serve():
            self.path.unlink(missing_ok=True)
            self.server = await asyncio.start_unix_server(self.handle, self.path, backlog=512)
            os.chmod(self.path, 0o666)
        asyncio.run_coroutine_threadsafe(serve(), self.loop).result(20)

    def stop(self):
        """Connections are refused; those that are open end."""
        async def close():
            self.server.close()
            self.path.unlink(missing_ok=True)
        asyncio.run_coroutine_threadsafe(close(), self.loop).result(20)

    async def handle(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def one(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        body = json.loads(await reader.readexactly(int(re.search(rb"(?i)content-length: *(\d+)", head)[1])))
        self.bodies.append(body)
        if self.how == "silent":
            await asyncio.sleep(3600)
        if self.how == "cut":
            return False
        status = self.how if isinstance(self.how, int) else 200
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [
            {"index": 0, "message": {"role": "assistant", "content": self.path.stem}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}
        if status != 200:
            answer = {"error": {"message": "on purpose", "type": "x", "param": None, "code": "x"}}
        text = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(text)))
        writer.write(text[:20] if self.how == "half" else text)
        await writer.drain()
        return self.how != "half"


@pytest.fixture
def rig(folder):
    engines = {name: Engine(folder / f"{name}.sock") for name in ("one", "two", "spare")}
    gateway = make_gateway(folder, folder / "one.sock")
    gateway.spec["routes"] += [{"namespace": "team", "name": name, "socket": str(folder / f"{name}.sock"),
                                "engine_model": f"{name}-model"} for name in engines]
    gateway.spec["model_routes"] = [route()]
    gateway.engines = engines
    yield gateway
    gateway.stop()
    for engine in engines.values():
        engine.stop()


def backend(service, weight=1, priority=0, **more):
    return {"service": service, "weight": weight, "priority": priority, **more}


def route(*backends, name="smart", names=None, **more):
    return {"namespace": "team", "name": name, "names": names or [name], "retries": 2, "retry_on": ALL, "retry_percent": 20,
            "retry_min_per_min": 1000, "backends": list(backends) or [backend("one"), backend("spare", priority=1)], **more}


def said(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


def call(gateway, ident=None, model="team/smart", **more):
    return gateway.chat(model=model, headers={"X-Request-Id": ident} if ident else None, **more)


def test_a_name_of_a_route_is_called_like_a_model(rig):
    rig.spec["model_routes"] = [route(names=["smart", "gpt-4o"])]
    g = rig.start()
    assert said(call(g, "r1")) == "one" and said(call(g, model="gpt-4o")) == "one"
    assert [b["model"] for b in rig.engines["one"].bodies] == ["one-model"] * 2, "each engine is called by its own name of the model"
    listed = [m["id"] for m in g.http("GET", "/v1/models", key="alice").json()["data"]]
    assert {"team/smart", "team/gpt-4o", "team/one"} <= set(listed)
    event = g.event("r1")
    assert event["drun.action.name"] == "smart" and event["drun.model.backend"] == "one" and event["drun.model.tries"] == "one:200"
    assert event["gen_ai.request.model"] == "team/smart" and event["gen_ai.usage.output_tokens"] == 7
    call(g, "r2", model="team/one")
    assert "drun.model.backend" not in g.event("r2"), "a service that was called itself"


def test_calls_are_split_by_weight(rig):
    rig.spec["model_routes"] = [route(backend("one", 3), backend("two", 1), backend("spare", 0))]
    g = rig.start()
    met = collections.Counter(said(call(g)) for _ in range(200))
    assert met["spare"] == 0 and 110 < met["one"] < 190 and met["one"] + met["two"] == 200, met


@pytest.mark.parametrize("how, told", [(429, "429"), (500, "500"), (502, "502"), (503, "503"), (504, "504"), ("cut", "connect-failure"),
                                       ("silent", "timeout"), ("away", "connect-failure")])
def test_another_backend_answers_when_one_fails(rig, how, told):
    rig.spec["model_routes"] = [route(try_timeout_ms=1000)]
    g = rig.start()
    rig.engines["one"].how = how
    if how == "away":
        rig.engines["one"].stop()
    assert said(call(g, "r1", user="u")) == "spare"
    body = rig.engines["spare"].bodies[0]
    assert body["model"] == "spare-model" and body["user"] == "u" and body["max_tokens"] == 8
    event = g.event("r1")
    assert event["drun.model.backend"] == "spare" and event["drun.model.tries"] == f"one:{told},spare:200"
    assert event["drun.outcome"] == "success"
    if how == "away":
        rig.engines["one"].start()


@pytest.mark.parametrize("how, status, retry_on", [(429, 429, ALL - S429), (503, 503, ALL - S503), ("cut", 502, ALL - CONNECT),
                                                   ("silent", 504, ALL - TIMEOUT), (400, 400, ALL), (401, 502, ALL)])
def test_what_the_route_does_not_name_is_not_tried_again(rig, how, status, retry_on):
    rig.spec["model_routes"] = [route(try_timeout_ms=1000, retry_on=retry_on)]
    g = rig.start()
    rig.engines["one"].how = how
    answer = call(g, "r1")
    assert answer.status_code in (status, how) and rig.engines["spare"].bodies == [], answer.text
    assert "," not in g.event("r1")["drun.model.tries"]


def test_nothing_is_tried_again_behind_the_first_byte(rig):
    g = rig.start()
    rig.engines["one"].how = "half"
    try:
        call(g, "r1")
    except Exception:
        pass
    event = g.event("r1")
    assert rig.engines["spare"].bodies == [] and event["drun.model.tries"] == "one:200" and event["drun.outcome"] == "failure"


def test_the_last_failure_is_told(rig):
    g = rig.start()
    rig.engines["one"].how, rig.engines["spare"].how = 503, 429
    answer = call(g, "r1")
    assert answer.status_code in (429, 503)
    assert g.event("r1")["drun.model.tries"] == "one:503,spare:429,one:503", "two more tries, and no more"


def test_a_connection_that_was_kept_and_closed_is_no_failure(rig):
    rig.spec["model_routes"] = [route(retries=0)]
    g = rig.start()
    assert said(call(g)) == "one"
    rig.engines["one"].stop()
    time.sleep(0.1)
    rig.engines["one"].start()
    assert said(call(g, "r2")) == "one" and g.event("r2")["drun.model.tries"] == "one:200"


def test_retries_cannot_double_a_storm(rig):
    rig.spec["model_routes"] = [route(retries=1, retry_percent=0, retry_min_per_min=5)]
    g = rig.start()
    rig.engines["one"].how = 503
    got = collections.Counter(call(g).status_code for _ in range(40))
    assert len(rig.engines["spare"].bodies) <= 6 and got[200] == len(rig.engines["spare"].bodies), got
    rig.engines["one"].how = 200
    assert said(call(g)) == "one", "first tries need none of it"


def test_calls_fill_the_store_of_retries(rig):
    rig.spec["model_routes"] = [route(retries=1, retry_percent=20, retry_min_per_min=0)]
    g = rig.start()
    rig.engines["one"].how = 503
    for _ in range(80):
        call(g)
    saved = len(rig.engines["spare"].bodies)
    assert 50 <= saved <= 70, "50 that were saved up, and one for each five calls"
    for _ in range(50):
        call(g)
    assert 8 <= len(rig.engines["spare"].bodies) - saved <= 12


def test_who_may_not_invoke_the_name_may_not_use_the_route(rig):
    rig.spec["model_routes"] = [route(), route(name="other")]
    rig.spec["rbac"] = [item for item in role("invoke", ns="team", name="call", users=["alice"])]
    rig.spec["rbac"][0]["rules"][0]["resourceNames"] = ["smart"]
    g = rig.start()
    assert said(call(g)) == "one"
    for model in ("team/other", "team/one"):
        assert call(g, model=model).status_code == 404, "neither another name nor the backend itself"
    assert [m["id"] for m in g.http("GET", "/v1/models", key="alice").json()["data"]] == ["team/smart"]
    assert call(g, key="bob").status_code == 404 and call(g, key="narrow").status_code == 404


def test_the_strictest_backend_decides_what_is_let_through(rig):
    rig.spec["routes"][-1].update(max_tokens=20, max_body=4000, guard={"request": {"email": "block"}})
    g = rig.start()
    assert call(g, max_tokens=21).status_code == 400 and call(g, max_tokens=20).status_code == 200
    assert call(g, user="x" * 4000).status_code == 413
    blocked = call(g, messages=[{"role": "user", "content": "write to jane.doe@example.com"}])
    assert blocked.status_code == 400 and blocked.json()["error"]["code"] == "content_policy_violation", blocked.text
    assert rig.engines["spare"].bodies == [] and len(rig.engines["one"].bodies) == 1


@pytest.mark.parametrize("span", [{"window": "month"}, {"window": "minute", "algorithm": "SlidingWindow"}], ids=["budgets", "rates"])
def test_tokens_are_charged_once_to_the_backend_that_answered(rig, span):
    rig.spec["namespaces"][0]["budgets"] = [
        {"policy": "all", "rule": "calls", "measure": "requests", "limit": 10, **span},
        {"policy": "one", "rule": "calls", "measure": "requests", "limit": 2, "service": "one", **span},
        {"policy": "spare", "rule": "tokens", "measure": "tokens", "limit": 100000, "service": "spare", **span}]
    g = rig.start()
    rig.engines["one"].how = 503
    answer = call(g)
    assert said(answer) == "spare"
    left = dict(re.findall(r'"([^"]+)";r=(\d+)', call(g).headers["RateLimit"]))
    assert left["all/calls"] == "8", left
    # What failed took nothing of its service's budget.
    rig.engines["one"].how = 200
    assert [said(call(g)) for _ in range(2)] == ["one"] * 2
    # And when that is used up, the next one is asked.
    assert said(call(g)) == "spare"


def test_a_backend_at_its_limit_is_passed_over(rig):
    rig.spec["routes"][-3]["requests_per_min"] = 2
    g = rig.start()
    assert [said(call(g)) for _ in range(4)] == ["one", "one", "spare", "spare"]
    rig.spec["routes"][-1]["requests_per_min"] = 1
    g.publish()
    wait_for(lambda: call(g).status_code == 429, "both to be at their limit")


def test_a_backend_that_is_not_ready_is_left_out(rig):
    rig.spec["routes"][-3]["ready"] = False
    g = rig.start()
    assert said(call(g)) == "spare" and rig.engines["one"].bodies == []
    rig.spec["routes"][-1]["ready"] = False
    g.publish()
    refused = wait_for(lambda: (a := call(g)).status_code == 503 and a, "no backend to be ready")
    assert refused.json()["error"]["code"] == "model_not_ready"


def test_anthropic_requests_are_tried_again_too(rig):
    g = rig.start()
    rig.engines["one"].how = 503
    answer = g.http("POST", "/v1/messages", {"model": "team/smart", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
                    "alice", {"anthropic-version": "2023-06-01"})
    assert answer.status_code == 200 and answer.json()["content"][0]["text"] == "spare", answer.text
    assert rig.engines["spare"].bodies[0]["model"] == "spare-model"


def test_a_large_body_goes_to_each_backend_whole(rig):
    g = rig.start()
    rig.engines["one"].how = "cut"
    text = "word " * 100_000
    assert said(call(g, messages=[{"role": "user", "content": text}])) == "spare"
    assert rig.engines["spare"].bodies[0]["messages"][0]["content"] == text


# ---------------------------------------------------------------------- what fails is left out


def test_a_backend_that_fails_is_left_out_and_comes_back(rig):
    rig.spec["conf"]["workers"] = 2
    rig.spec["model_routes"] = [route(breaker_failures=3, breaker_ms=10000)]
    g = rig.start()
    rig.engines["one"].how = 503
    for _ in range(12):
        assert said(call(g)) == "spare"
    assert len(rig.engines["one"].bodies) == 3, "no worker asks it any more"
    wait_for(lambda: "team/one fails and is left out" in g.log(), "the log to say so")
    # Its time is over: one call tries it, fails, and it is left out for longer.
    wait_for(lambda: said(call(g)) == "spare" and len(rig.engines["one"].bodies) == 4, "a trial", 60)
    for _ in range(5):
        call(g)
    assert len(rig.engines["one"].bodies) == 4
    rig.engines["one"].how = 200
    wait_for(lambda: said(call(g)) == "one", "a trial that succeeds", 90)
    assert [said(call(g)) for _ in range(5)] == ["one"] * 5


def test_the_last_backend_is_never_left_out(rig):
    rig.spec["model_routes"] = [route(breaker_failures=1, breaker_ms=600000, retries=0)]
    g = rig.start()
    rig.engines["one"].how = rig.engines["spare"].how = 503
    for _ in range(6):
        assert call(g).status_code == 503
    assert len(rig.engines["one"].bodies) >= 4, "both are left out, so none is"
    rig.engines["one"].how = 200
    assert said(call(g)) == "one"


def test_a_wrong_request_is_no_failure(rig):
    rig.spec["model_routes"] = [route(breaker_failures=2, breaker_ms=600000)]
    g = rig.start()
    rig.engines["one"].how = 400
    for _ in range(6):
        assert call(g).status_code == 400
    assert rig.engines["spare"].bodies == []


def test_a_client_that_does_not_wait_is_no_failure(rig):
    rig.spec["model_routes"] = [route(breaker_failures=1, breaker_ms=600000)]
    g = rig.start()
    rig.engines["one"].how = "silent"
    body = json.dumps({"model": "team/smart", "messages": [{"role": "user", "content": "Hi"}]})
    with g.tls().wrap_socket(socket.create_connection(("127.0.0.1", g.port)), server_hostname="127.0.0.1") as client:
        client.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{g.port}\r\nAuthorization: Bearer {g.keys['alice']}\r\n"
                        f"X-Request-Id: r1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        wait_for(lambda: rig.engines["one"].bodies, "the call to arrive")
    assert g.event("r1")["drun.model.tries"] == "one:client-left"
    rig.engines["one"].how = 200
    assert said(call(g)) == "one"


def test_others_and_calls_of_the_service_itself_do_not_fill_its_breaker(rig):
    rig.spec["model_routes"] = [route(breaker_failures=2, breaker_ms=600000)]
    g = rig.start()
    rig.engines["one"].how = 503
    for _ in range(5):
        assert call(g, model="team/one").status_code == 503
    assert said(call(g)) == "spare" and len(rig.engines["one"].bodies) == 6


# ---------------------------------------------------------------------- parameters, and the same backend again


def test_each_backend_gets_its_own_parameters(rig):
    rig.spec["model_routes"] = [route(backend("one", set='"top_k":20,"seed":7', drop="seed top_k logit_bias "),
                                      backend("spare", priority=1, drop="seed "))]
    g = rig.start()
    assert said(call(g, seed=1, logit_bias={"1": 2}, temperature=0.5)) == "one"
    rig.engines["one"].how = 503
    assert said(call(g, seed=1, logit_bias={"1": 2}, temperature=0.5)) == "spare"
    first, again, spare = rig.engines["one"].bodies[0], rig.engines["one"].bodies[1], rig.engines["spare"].bodies[0]
    assert first == again and first["top_k"] == 20 and first["seed"] == 7 and "logit_bias" not in first and first["temperature"] == 0.5
    assert "seed" not in spare and spare["logit_bias"] == {"1": 2} and "top_k" not in spare


def test_the_same_session_goes_to_the_same_backend(rig):
    rig.spec["model_routes"] = [route(backend("one", 3), backend("two", 1), sticky=3, sticky_header="X-Session", retry_percent=0,
                                      breaker_failures=1, breaker_ms=600000)]
    g = rig.start()
    ask = lambda i: said(g.chat(model="team/smart", headers={"X-Session": f"s{i}"}))  # noqa: E731
    first = [ask(i) for i in range(80)]
    assert [ask(i) for i in range(80)] == first and 45 <= first.count("one") <= 75, "by weight, and always the same"
    rig.engines["one"].how = 503
    assert {ask(i) for i in range(80)} == {"two"}
    # Without the header it is as without stickiness.
    rig.engines["one"].how = 200
    assert said(call(g)) == "two"


def test_the_same_user_goes_to_the_same_backend(rig):
    rig.spec["model_routes"] = [route(backend("one"), backend("two"), backend("spare"), sticky=1)]
    g = rig.start()
    assert len({said(call(g)) for _ in range(20)}) == 1
    rig.spec["model_routes"] = [route(backend("one"), backend("two"), backend("spare"))]
    g.publish()
    wait_for(lambda: len({said(call(g)) for _ in range(20)}) > 1, "calls to be split")
