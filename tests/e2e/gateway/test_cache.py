# SPDX-License-Identifier: Apache-2.0
"""Answers that are kept: who gets one, who does not, and what is never kept."""
import copy
import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from gateway_rig import give_rules, make_gateway, role, wait_for
from test_budgets import field
from test_guard import GITHUB, Scripted
from test_lines import waiting as in_line
from test_waf_answers import rules_of

ASK = {"model": "team/kept", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "temperature": 0}


class Engine(Scripted):
    """Answers each time in other words, so that a kept answer shows. `how` says what goes wrong: "no-done", "cut", "half",
    "error", "refused"; it answers when `go` is set."""

    def __init__(self, path):
        self.how = None
        self.go = threading.Event()
        self.go.set()
        super().__init__(path)

    def serve(self, connection):
        try:
            super().serve(connection)
        except ConnectionResetError:
            pass  # the guard lets go of an engine in the middle

    def answer(self, connection, path, body):
        self.go.wait(60)
        if self.how in ("half", "refused"):
            data = b'{"error": {"message": "no"}}' if self.how == "refused" else b'{"choices": [], "usage"'
            status = b"429 X" if self.how == "refused" else b"200 OK"
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(data), data))
            return
        if self.how in ("no-done", "cut", "error"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            end = b'data: {"error": {"message": "no"}}\n\ndata: [DONE]\n\n' if self.how == "error" else b""
            data = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n' + end
            connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))
            if self.how == "cut":
                connection.shutdown(socket.SHUT_RDWR)
            else:
                connection.sendall(b"0\r\n\r\n")
            return
        # A test may change what is said next while this is still being said.
        now = copy.copy(self)
        now.pieces = [*self.pieces, f" {len(self.asked)}"]
        Scripted.answer(now, connection, path, body)


def service(name="kept", **more):
    return {"namespace": "team", "name": name, "cache_ttl_sec": 600, "cache_max_bytes": 65536, "cache_version": "one", **more}


@pytest.fixture
def rig(folder):
    """Not started: a test may change the spec first."""
    gateway = make_gateway(folder, folder / "engine.sock", workers=2)
    gateway.engine = Engine(folder / "engine.sock")
    gateway.service = service(socket=str(folder / "engine.sock"))
    off = {"request": {"all": "off"}, "answer": {"all": "off"}}
    gateway.spec["routes"] += [gateway.service, service("open", socket=str(folder / "engine.sock"), guard=off)]
    gateway.spec["keys"] += [{"name": "carol", "namespace": "team", "user": "carol"},
                             {"name": "dora", "user": "dora", "uid": "d"}, {"name": "emil", "user": "emil", "uid": "e"}]
    everybody = ["alice", "bob", "carol", "dora", "emil", "system:drun:posture"]
    gateway.spec["rbac"] += role("invoke", ns="team", name="all", users=everybody)
    yield gateway
    gateway.engine.go.set()
    gateway.stop()
    gateway.engine.stop()


def ask(g, key="alice", path="/v1/chat/completions", headers=None, without=(), **more):
    body = {k: v for k, v in {**ASK, **more}.items() if k not in without}
    return g.http("POST", path, body, key, headers)


def told(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.headers.get("x-drun-cache")


def is_hit(g, *args, **kwargs):
    return told(ask(g, *args, **kwargs)) == "hit"


def test_the_same_question_gets_the_same_answer(rig):
    g = rig.start()
    first = ask(g, headers={"X-Request-Id": "c1"})
    assert told(first) == "miss" and "age" not in first.headers
    again = ask(g, "carol", headers={"X-Request-Id": "c2"})
    assert told(again) == "hit" and again.content == first.content and int(again.headers["age"]) < 60
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
    assert again.headers["content-length"] == first.headers["content-length"] and again.headers["x-request-id"] == "c2"
    assert len(g.engine.asked) == 1
    miss, hit = g.event("c1"), g.event("c2")
    assert miss["drun.model.cache"] == "miss" and miss["gen_ai.usage.input_tokens"] == 7
    assert hit["drun.model.cache"] == "hit" and hit["drun.outcome"] == "success" and hit["user.name"] == "carol"
    assert hit["gen_ai.usage.input_tokens"] == hit["gen_ai.usage.output_tokens"] == 0


def test_blanks_say_nothing_and_all_else_does(rig):
    g = rig.start()
    headers = {"Content-Type": "application/json"}
    text = json.dumps(ASK, separators=(",", ":"))
    first = g.http("POST", "/v1/chat/completions", text, "alice", headers)
    spread = g.http("POST", "/v1/chat/completions", json.dumps(ASK, indent=3) + "\n ", "alice", headers)
    assert told(first) == "miss" and told(spread) == "hit" and spread.content == first.content
    for more in ({"seed": 1}, {"user": "u"}, {"max_tokens": 9}, {"temperature": 0.0}, {"x": 1}, {"stream": True}, {"model": "team/open"},
                 {"messages": [{"role": "user", "content": "Say  hello."}]}):
        assert not is_hit(g, **more), more
        assert is_hit(g, **more), more


@pytest.mark.parametrize("more, without", [({}, ("temperature",)), ({"temperature": 0.1}, ()), ({"temperature": None}, ()), ({"n": 2}, ())])
def test_what_differs_each_time_is_not_kept(rig, more, without):
    g = rig.start()
    assert [told(ask(g, without=without, **more)) for _ in range(3)] == ["miss"] * 3 and len(g.engine.asked) == 3


def test_pictures_from_elsewhere_may_be_others_each_time(rig):
    rig.service["remote_media"] = True
    g = rig.start()
    for url, wanted in (("https://example.com/a.png", ["miss", "miss"]), ("data:image/png;base64,AAAA", ["miss", "hit"])):
        parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
        assert [told(ask(g, messages=[{"role": "user", "content": parts}])) for _ in range(2)] == wanted


def test_other_apis(rig):
    g = rig.start()
    for path, more in (("/v1/embeddings", {"input": "hello"}), ("/v1/completions", {"prompt": "hello", "temperature": 0, "max_tokens": 4})):
        body = {"model": "team/open", **more}
        first, again = (g.http("POST", path, body, "alice") for _ in range(2))
        assert (told(first), told(again)) == ("miss", "hit") and first.content == again.content, path
    headers = {"anthropic-version": "2023-06-01"}
    for stream in (False, True):
        first, again = (ask(g, path="/v1/messages", headers=headers, stream=stream) for _ in range(2))
        assert (told(first), told(again)) == ("miss", "hit") and first.content == again.content
        assert again.headers["content-type"] == first.headers["content-type"]
    assert len(g.engine.asked) == 4


def test_without_a_cache_there_is_none(rig):
    for name in ("cache_ttl_sec", "cache_max_bytes", "cache_version"):
        del rig.service[name]
    g = rig.start()
    assert [told(ask(g, headers={"X-Request-Id": "n1"} if i == 0 else None)) for i in range(2)] == [None, None]
    assert len(g.engine.asked) == 2 and "drun.model.cache" not in g.event("n1")


def test_without_memory_there_is_none(rig):
    rig.spec["conf"]["answer_cache"] = 0
    g = rig.start()
    assert [told(ask(g)) for _ in range(2)] == [None, None]


def test_namespaces_do_not_share(rig):
    g = rig.start()
    first = ask(g)
    theirs = ask(g, "bob")
    assert told(theirs) == "miss" and theirs.content != first.content
    assert ask(g, "bob").content == theirs.content and ask(g).content == first.content
    # Nor do persons without a namespace.
    dora, emil = ask(g, "dora"), ask(g, "emil")
    assert told(dora) == told(emil) == "miss" and is_hit(g, "dora") and is_hit(g, "emil")
    assert len(g.engine.asked) == 4


def test_who_may_no_longer_call_gets_nothing(rig):
    g = rig.start()
    ask(g)
    assert is_hit(g) and is_hit(g, "carol")
    keys = {key["name"]: key for key in g.spec["keys"]}
    keys["alice"]["disabled"] = True
    keys["carol"]["models"] = ["elsewhere"]
    g.publish()
    wait_for(lambda: ask(g).status_code == 401, "the key to be off")
    assert ask(g, "carol").status_code == 404
    keys["alice"]["disabled"] = False
    g.spec["rbac"] = []
    g.publish()
    wait_for(lambda: ask(g).status_code == 404, "the right to be gone")
    assert len(g.engine.asked) == 1


def test_another_engine_is_asked_anew(rig):
    g = rig.start()
    first = ask(g)
    assert is_hit(g)
    g.service["cache_version"] = "two"
    g.publish()
    second = wait_for(lambda: (a := ask(g)).content != first.content and a, "the other version")
    assert told(second) == "miss" and is_hit(g)
    g.service["cache_version"] = "one"
    g.publish()
    wait_for(lambda: ask(g).content == first.content, "the first version")


def test_an_answer_of_an_engine_that_was_replaced_meanwhile_is_not_kept(rig):
    """The call waits in line while the service changes; who it gets then is not whom it was asked for."""
    rig.service.update(places=1, line_length=8, line_timeout_ms=60000)
    g = rig.start()
    g.engine.go.clear()
    late = []
    busy = threading.Thread(target=lambda: ask(g, seed=1))
    busy.start()
    wait_for(lambda: len(g.engine.asked) == 1, "the engine to be busy")
    waiting = threading.Thread(target=lambda: late.append(ask(g)))
    waiting.start()
    wait_for(lambda: in_line(g) == 1, "the call in the line")
    g.service["cache_version"] = "two"
    g.publish()
    g.engine.go.set()
    busy.join()
    waiting.join()
    assert told(late[0]) == "miss"
    g.service["cache_version"] = "one"
    g.publish()
    wait_for(lambda: is_hit(g, seed=1), "the first version to be back")
    assert not is_hit(g)


def test_what_the_guard_touched_is_not_kept(rig):
    rig.service["guard"] = {"request": {"all": "off"}, "answer": {"secret": "mask", "personal": "detect"}}
    g = rig.start()
    for text in (f"The token is {GITHUB}.", "Write to someone@example.com today."):
        for stream in (False, True):
            g.engine.pieces = [text]
            answers = [ask(g, stream=stream, user=text) for _ in range(2)]
            assert [told(a) for a in answers] == ["miss"] * 2, (text, stream)
            assert GITHUB.encode() not in answers[1].content
    g.engine.pieces = ["Hello"]
    assert not is_hit(g) and is_hit(g)
    g.service["guard"]["answer"]["secret"] = "block"
    g.publish()
    wait_for(lambda: not is_hit(g), "another guard, which has not seen the answer")
    assert is_hit(g)
    g.engine.pieces = [GITHUB]
    for stream in (False, True):
        assert [told(ask(g, stream=stream, user="blocked")) for _ in range(2)] == ["miss"] * 2


def numbered(image, generation):
    """The image as its publisher numbers it."""
    image = image[:24] + generation.to_bytes(8, "little") + image[32:]
    return image[:56] + hashlib.sha256(image[:56] + image[88:]).digest() + image[88:]


def test_other_rules_of_the_firewall_see_answers_anew(rig, folder):
    rig.spec["conf"]["waf"] = "open"
    rules = rules_of()
    give_rules(folder, numbered(rules, 1))
    g = rig.start()
    ask(g)
    assert is_hit(g)
    (folder / "snap/waf/waf.snap.new").write_bytes(numbered(rules, 2))
    (folder / "snap/waf/waf.snap.new").rename(folder / "snap/waf/waf.snap")
    with open(folder / "snap/waf/waf.gen", "r+b") as number:
        number.write((2).to_bytes(8, "little"))
    wait_for(lambda: not is_hit(g), "the other rules")
    assert len(g.engine.asked) == 2


def test_what_the_guard_refuses_is_not_looked_up(rig):
    rig.service["guard"] = {"request": {"all": "off"}, "answer": {"all": "off"}}
    g = rig.start()
    question = {"messages": [{"role": "user", "content": f"What is {GITHUB}?"}]}
    ask(g, **question)
    assert is_hit(g, **question)
    g.service["guard"]["request"] = {"secret": "block"}
    g.publish()
    wait_for(lambda: ask(g, **question).status_code == 400, "the guard")
    assert len(g.engine.asked) == 1


@pytest.mark.parametrize("model", ["team/kept", "team/open"])
def test_streams_are_streams(rig, model):
    g = rig.start()
    g.engine.pieces = ["One ", "two ", "three. ", "x" * 3000]
    for more in ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}):
        first, again = ask(g, model=model, **more), ask(g, model=model, **more)
        assert (told(first), told(again)) == ("miss", "hit") and first.content == again.content
        assert again.headers["content-type"] == "text/event-stream" and "content-length" not in again.headers
        assert again.headers["transfer-encoding"] == "chunked"
        assert first.content.endswith(b"data: [DONE]\n\n") and (b'"prompt_tokens"' in first.content) == ("stream_options" in more)
    assert len(g.engine.asked) == 2
    client = g.client("alice")
    said = [[c.choices[0].delta.content for c in client.chat.completions.create(**{**ASK, "model": model}, stream=True)] for _ in range(2)]
    assert said[0] == said[1] and "".join(text or "" for text in said[0]).startswith("One two three. x") and len(g.engine.asked) == 3
    # HTTP/2 has no chunks.
    plain = g.http("POST", "/v1/chat/completions", {**ASK, "model": model, "stream": True}, "alice", http2=True)
    assert told(plain) == "hit" and plain.content.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("how", ["no-done", "cut", "half", "error", "refused"])
def test_less_than_an_answer_is_not_kept(rig, how):
    g = rig.start()
    g.engine.how = how
    stream = how not in ("half", "refused")
    assert [ask(g, model="team/open", stream=stream).headers["x-drun-cache"] for _ in range(2)] == ["miss"] * 2
    g.engine.how = None
    assert not is_hit(g, model="team/open", stream=stream) and is_hit(g, model="team/open", stream=stream)


def test_a_client_that_leaves_keeps_nothing(rig):
    g = rig.start()
    g.engine.pieces, g.engine.delay = ["word "] * 20, 0.05
    import httpx
    with httpx.Client(verify=g.tls()) as client:
        with client.stream("POST", f"https://127.0.0.1:{g.port}/v1/chat/completions", json={**ASK, "stream": True},
                           headers={"Authorization": "Bearer " + g.keys["alice"]}) as response:
            next(response.iter_bytes())
    assert g.engine.gone.wait(20)
    g.engine.pieces, g.engine.delay = ["Hello"], 0
    assert not is_hit(g, stream=True) and is_hit(g, stream=True)


def test_answers_end(rig):
    rig.service["cache_ttl_sec"] = 2
    g = rig.start()
    began = time.monotonic()
    first = ask(g)
    other = wait_for(lambda: (a := ask(g)).content != first.content and a, "the answer to end", 60)
    assert told(other) == "miss" and time.monotonic() - began > 2


def test_large_answers_are_not_kept(rig):
    rig.service["cache_max_bytes"] = 2000
    g = rig.start()
    for stream in (False, True):
        g.engine.pieces = ["x" * 2000]
        assert [told(ask(g, stream=stream, user="large")) for _ in range(2)] == ["miss"] * 2
        g.engine.pieces = ["x" * 200]
        assert [told(ask(g, stream=stream, user="small")) for _ in range(2)] == ["miss", "hit"]


def test_what_the_caller_says_of_caches_is_obeyed(rig):
    g = rig.start()
    for word in ("no-store", "max-age=0, No-Store"):
        assert [is_hit(g, headers={"Cache-Control": word}) for _ in range(2)] == [False, False]
    first = ask(g)
    assert told(first) == "miss" and not is_hit(g, headers={"cache-control": "no-store"})
    assert ask(g).content == first.content
    newer = ask(g, headers={"Cache-Control": "no-cache"})
    assert told(newer) == "miss" and newer.content != first.content
    assert ask(g).content == newer.content and is_hit(g, headers={"Cache-Control": "max-stale"})


def test_a_hit_is_a_request_and_takes_no_tokens(rig):
    rig.spec["namespaces"][0]["budgets"] = [
        {"policy": "p", "rule": "calls", "limit": 8, "measure": "requests", "window": "month"},
        {"policy": "p", "rule": "tokens", "limit": 100000, "measure": "tokens", "window": "month"},
        {"policy": "p", "rule": "money", "limit": 10 ** 9, "measure": "cost", "window": "month"}]
    rig.service.update(currency="EUR", input_price=10 ** 9, output_price=10 ** 9)
    g = rig.start()
    ask(g)
    before = ask(g, headers={"X-Request-Id": "h1"})
    for _ in range(4):
        after = ask(g)
        assert told(after) == "hit"
    for rule in ("tokens", "money"):
        assert field(after, "ratelimit", f"p/{rule}")["r"] == field(before, "ratelimit", f"p/{rule}")["r"], rule
    assert "drun.cost.micros" not in g.event("h1")
    assert [ask(g).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert len(g.engine.asked) == 1


def test_limits_stand_before_it(rig):
    g = rig.start()
    ask(g)
    assert [ask(g, "few").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_hit_waits_in_no_line(rig):
    rig.service.update(places=1, line_length=8, line_timeout_ms=60000)
    g = rig.start()
    ask(g)
    g.engine.go.clear()
    busy = threading.Thread(target=lambda: ask(g, seed=1))
    busy.start()
    wait_for(lambda: len(g.engine.asked) == 2, "the engine to be busy")
    assert is_hit(g)
    g.engine.go.set()
    busy.join()


def test_who_waited_for_the_same_gets_what_came_meanwhile(rig):
    rig.service.update(places=1, line_length=8, line_timeout_ms=60000)
    g = rig.start()
    g.engine.go.clear()
    answers = []

    def call(**more):
        thread = threading.Thread(target=lambda: answers.append(ask(g, **more)))
        thread.start()
        return thread

    calls = [call()]
    wait_for(lambda: len(g.engine.asked) == 1, "the engine to be busy")
    calls += [call() for _ in range(3)]
    wait_for(lambda: in_line(g) == 3, "the others in the line")
    calls.append(call(headers={"Cache-Control": "no-cache"}))
    wait_for(lambda: in_line(g) == 4, "the last one in the line")
    g.engine.go.set()
    for thread in calls:
        thread.join()
    assert sorted(told(a) for a in answers) == ["hit"] * 3 + ["miss"] * 2 and len(g.engine.asked) == 2
    assert in_line(g) == 0 and is_hit(g)


def test_workers_share_and_outlive_each_other(rig):
    g = rig.start()
    first = ask(g)
    assert all(ask(g).content == first.content for _ in range(20))

    def workers():
        return {int(pid) for pid in subprocess.run(["pgrep", "-P", str(g.pid)], capture_output=True, text=True).stdout.split()}

    for _ in range(3):
        old = wait_for(lambda: len(workers()) >= 2 and workers(), "workers")
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(workers() - old) >= 2, "new workers")
        wait_for(g.answers, "the gateway")
        assert ask(g).content == first.content
    assert len(g.engine.asked) == 1


def test_a_reload_keeps_answers(rig):
    g = rig.start()
    first = ask(g)
    before = {int(pid) for pid in subprocess.run(["pgrep", "-P", str(g.pid)], capture_output=True, text=True).stdout.split()}
    g.reload()

    def renewed():
        return not before & {int(pid) for pid in subprocess.run(["pgrep", "-P", str(g.pid)], capture_output=True, text=True).stdout.split()}

    wait_for(renewed, "other workers")
    assert ask(g).content == first.content


def test_calls_by_a_route_use_what_its_backend_keeps(rig):
    rig.spec["model_routes"] = [
        {"namespace": "team", "name": "smart", "names": ["smart", "smarter"], "retries": 1, "retry_on": 127,
         "backends": [{"service": "kept", "weight": 1}]},
        {"namespace": "team", "name": "changed", "names": ["changed"],
         "backends": [{"service": "kept", "weight": 1, "set": '"temperature":0.5', "drop": "temperature "}]}]
    g = rig.start()
    first = ask(g, model="team/smart")
    again = ask(g, model="team/smart", headers={"X-Request-Id": "r1"})
    assert told(first) == "miss" and told(again) == "hit" and again.content == first.content
    event = g.event("r1")
    assert event["drun.model.backend"] == "kept" and "drun.model.tries" not in event and event["drun.model.cache"] == "hit"
    assert [told(ask(g, model="team/changed")) for _ in range(2)] == ["miss"] * 2


def test_an_answer_of_another_backend_is_not_kept_as_the_first_ones(rig, folder):
    rig.spec["routes"].append(service("first", socket=str(folder / "nobody.sock"), cache_version="first"))
    rig.spec["model_routes"] = [
        {"namespace": "team", "name": "smart", "names": ["smart"], "retries": 1, "retry_on": 127, "retry_min_per_min": 100,
         "backends": [{"service": "first", "weight": 1, "priority": 0}, {"service": "kept", "weight": 1, "priority": 1}]}]
    g = rig.start()
    assert [told(ask(g, model="team/smart")) for _ in range(2)] == ["miss"] * 2


def test_proofs_ask_the_engine(rig):
    rig.spec["keys"].append({"name": "proof", "namespace": "team", "user": "system:drun:posture"})
    rig.spec["namespaces"].append({"name": "drun-posture"})
    g = rig.start()
    assert [told(ask(g, "proof")) for _ in range(2)] == ["miss"] * 2 and len(g.engine.asked) == 2
