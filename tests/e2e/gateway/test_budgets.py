# SPDX-License-Identifier: Apache-2.0
"""Budgets of a calendar window: nothing overshoots, whatever runs at once or dies in between."""
import asyncio
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import threading

import httpx
import pytest

from gateway_rig import make_gateway, wait_for

PROMPT_TOKENS = 5
# The rest of a call's reservation: its body and the engine's template.
AROUND = 64


class CountingEngine:
    """Uses every token that a call allows, and adds up. Holds its answers back while `held` is set."""

    def __init__(self, path):
        self.bodies = []
        self.tokens = 0
        self.cached = 0
        self.waiting = 0
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
            length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
            request = json.loads(await reader.readexactly(length))
            self.bodies.append(request)
            if self.held:
                self.waiting += 1
                await self.go.wait()
            answer = request.get("max_tokens", 0)
            self.tokens += PROMPT_TOKENS + answer
            body = json.dumps({"choices": [], "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": answer,
                                                        "total_tokens": PROMPT_TOKENS + answer,
                                                        "prompt_tokens_details": {"cached_tokens": self.cached}}}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                         b"Connection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway's worker died
        finally:
            writer.close()

    def release(self):
        self.held = False
        self.loop.call_soon_threadsafe(self.go.set)

    def stop(self):
        self.release()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)


def budget(rule, limit, measure="tokens", window="month", **more):
    return {"policy": "tenant", "rule": rule, "limit": limit, "measure": measure, "window": window, **more}


@pytest.fixture
def limited(folder):
    """Not started, so that a test can give its budgets first."""
    data = pathlib.Path(folder / "data")
    data.mkdir()
    if os.geteuid() == 0:
        os.chown(data, 65534, 65534)
    engine = CountingEngine(str(folder / "engine.sock"))
    g = make_gateway(folder, folder / "engine.sock", workers=2, data_dir=str(data))
    g.engine = engine
    yield g
    g.stop()
    engine.stop()


def give(g, *budgets):
    g.spec["namespaces"][0]["budgets"] = list(budgets)
    return g


def refused(response, code):
    assert response.status_code == 429, response.text
    error = response.json()["error"]
    assert error["code"] == code, error
    return error


def field(response, name, item):
    """The parameters of one item of RateLimit or RateLimit-Policy."""
    for part in response.headers[name].split(", "):
        key, *parameters = part.split(";")
        if key == f'"{item}"':
            return {k: int(v) for k, v in (p.split("=") for p in parameters)}
    raise AssertionError(response.headers[name])


def test_tokens_are_spent_to_the_last_and_no_further(limited):
    limit = 6000
    g = give(limited, budget("all", limit)).start()
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: g.chat(max_tokens=40), range(240)))
    assert {a.status_code for a in answers} == {200, 429}
    assert g.engine.tokens <= limit
    while (answer := g.chat(max_tokens=40)).status_code == 200:
        pass
    error = refused(answer, "insufficient_quota")
    assert error["type"] == "tokens" and 'budget "tenant/all" of 6000 tokens a month is used up' in error["message"]
    assert int(answer.headers["retry-after"]) >= 1
    used = int(re.search(r"(\d+) are used", error["message"])[1])
    most = int(re.search(r"may take (\d+)", error["message"])[1])
    assert used == g.engine.tokens and limit - most < used <= limit


def test_a_thousand_calls_at_once_overshoot_by_nothing(limited):
    limit = 400
    g = give(limited, budget("calls", limit, "requests", "day")).start()
    g.engine.held = True
    body = {"model": "team/chat", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}

    async def crowd():
        tls = ssl.create_default_context(cafile=str(g.folder / "cert.pem"))
        clients = [httpx.AsyncClient(verify=tls, http2=True, timeout=300) for _ in range(10)]

        async def one(i):
            answer = await clients[i % 10].post(f"https://127.0.0.1:{g.port}/v1/chat/completions", json=body,
                                                headers={"Authorization": "Bearer " + g.keys["alice"]})
            return answer.status_code

        calls = [asyncio.create_task(one(i)) for i in range(1000)]
        # Nothing is answered by the engine before every call was decided.
        async with asyncio.timeout(240):
            while g.engine.waiting + sum(c.done() for c in calls) < 1000:
                await asyncio.sleep(0.05)
        held = g.engine.waiting
        g.engine.release()
        codes = await asyncio.gather(*calls)
        for client in clients:
            await client.aclose()
        return held, codes

    held, codes = asyncio.run(crowd())
    assert codes.count(200) == held and codes.count(429) == 1000 - held, collections.Counter(codes)
    # Two that reserve the last at once may both give way.
    assert limit - 4 <= held <= limit
    for _ in range(limit - held):
        assert g.chat(max_tokens=1).status_code == 200
    error = refused(g.chat(max_tokens=1), "insufficient_quota")
    assert f"{limit} are used" in error["message"]


def test_what_a_killed_worker_had_reserved_comes_back(limited):
    g = give(limited, budget("calls", 3, "requests", "day")).start()
    assert g.chat().status_code == 200
    g.engine.held = True
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(g.chat) for _ in range(2)]
        wait_for(lambda: g.engine.waiting == 2, "the calls at the engine")
        error = refused(g.chat(), "rate_limit_exceeded")
        assert "has 0 left while other requests run" in error["message"]
        for worker in subprocess.run(["pgrep", "-P", str(g.pid)], capture_output=True, text=True).stdout.split():
            os.kill(int(worker), signal.SIGKILL)
        for call in calls:
            assert call.exception() is not None
    g.engine.release()

    def served():
        try:
            return g.chat().status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(served, "the new workers")
    wait_for(served, "the second place")
    refused(g.chat(), "insufficient_quota")


def test_budgets_outlive_a_restart(limited):
    g = give(limited, budget("calls", 2, "requests")).start()
    assert g.chat().status_code == 200
    g.stop()
    g.start()
    answer = g.chat()
    assert answer.status_code == 200 and field(answer, "ratelimit", "tenant/calls")["r"] == 0
    g.stop()
    g.start()
    refused(g.chat(), "insufficient_quota")


def test_a_window_ends(limited):
    g = give(limited, budget("calls", 1, "requests", "minute")).start()
    answer = wait_for(lambda: (a := g.chat()).status_code == 429 and a, "the end of the budget")
    refused(answer, "rate_limit_exceeded")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    wait_for(lambda: g.chat().status_code == 200, "the next minute", 90)


def test_whose_budget_it_is(limited):
    g = give(limited, budget("each-key", 2, "requests", per="key"), budget("each-user", 3, "requests", per="user"),
             budget("small", 1, "requests", service="small"))
    g.spec["keys"].append({"name": "second", "namespace": "team", "user": "alice"})
    g.start()
    # alice has several keys; the model "small" has a budget of its own.
    assert g.chat("second", max_tokens=4, model="team/small").status_code == 200
    assert "tenant/small" in refused(g.chat("second", max_tokens=4, model="team/small"), "insufficient_quota")["message"]
    assert g.chat("second").status_code == 200
    assert "tenant/each-key" in refused(g.chat("second"), "insufficient_quota")["message"]
    assert g.chat("alice").status_code == 200
    assert "tenant/each-user" in refused(g.chat("alice"), "insufficient_quota")["message"]
    assert g.chat("bob", model="other/theirs").status_code == 200


def test_what_was_refused_costs_nothing(limited):
    g = give(limited, budget("calls", 3, "requests"), budget("tokens", 500)).start()
    for _ in range(5):
        error = refused(g.chat(max_tokens=600), "rate_limit_exceeded")
        assert "more than the budget" in error["message"] and "shorten" in error["message"]
    assert g.chat(model="team/away").status_code == 502  # counts as a call; no token was used
    answer = g.chat()
    assert field(answer, "ratelimit", "tenant/calls")["r"] == 1


def test_the_headers_tell_every_limit(limited):
    g = give(limited, budget("tokens", 10000, window="hour"), budget("calls", 30, "requests"))
    g.spec["namespaces"][0]["requests_per_min"] = 60
    g.start()
    answer = g.chat("few")
    assert answer.status_code == 200
    assert field(answer, "ratelimit-policy", "key-requests") == {"q": 3, "w": 60}
    assert field(answer, "ratelimit-policy", "namespace-requests") == {"q": 60, "w": 60}
    assert field(answer, "ratelimit-policy", "tenant/tokens") == {"q": 10000, "w": 3600}
    assert field(answer, "ratelimit-policy", "tenant/calls") == {"q": 30}
    assert field(answer, "ratelimit", "key-requests")["r"] == 2
    assert field(answer, "ratelimit", "tenant/calls")["r"] == 29
    tokens = field(answer, "ratelimit", "tenant/tokens")
    assert tokens["r"] >= 10000 - 8 - AROUND - 200 and 0 <= tokens["t"] <= 3600
    assert "ratelimit" not in g.chat("bob", model="other/theirs").headers


def test_an_answer_without_a_limit_gets_one(limited):
    body = {"model": "team/chat", "messages": [{"role": "user", "content": "x"}]}
    g = give(limited, budget("tokens", 3000))
    g.spec["routes"].append(dict(g.spec["routes"][0], name="known", context_tokens=2048))
    g.start()
    assert g.http("POST", "/v1/chat/completions", body, "alice").status_code == 200
    assert g.engine.bodies[-1]["max_tokens"] == 1024
    # Here the context is the limit: 2048 are reserved, and the answer is as long as the engine likes.
    known = dict(body, model="team/known")
    assert "may take 2048" in refused(g.http("POST", "/v1/chat/completions", known, "alice"), "insufficient_quota")["message"]
    g.spec["namespaces"][0]["budgets"] = []
    g.publish()
    assert g.http("POST", "/v1/chat/completions", body, "alice").status_code == 200
    assert "max_tokens" not in g.engine.bodies[-1]


# Millionths of an euro for a million tokens: a token of the answer is 4 millionths.
PRICES = {"currency": "EUR", "input_price": 2_000_000, "cached_price": 500_000, "output_price": 4_000_000}


def test_money_is_spent_to_the_last_millionth_and_no_further(limited):
    g = give(limited, budget("money", 10000, "cost"))
    for route in g.spec["routes"][:2]:
        route.update(PRICES)
    g.start()
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: g.chat(max_tokens=40), range(120)))
    assert {a.status_code for a in answers} == {200, 429}
    one = 2 * PROMPT_TOKENS + 4 * 40
    spent = one * sum(a.status_code == 200 for a in answers)
    while (answer := g.chat(max_tokens=40)).status_code == 200:
        spent += one
    error = refused(answer, "insufficient_quota")
    assert error["type"] == "cost" and 'The budget "tenant/money" of 0.01 EUR a month is used up' in error["message"]
    used, most = re.search(r"(0\.\d+) EUR are used, this request may take (0\.\d+) EUR", error["message"]).groups()
    assert round(float(used) * 1e6) == spent <= 10000 and 10000 - round(float(most) * 1e6) < spent


def test_a_thousand_calls_at_once_spend_no_more_than_there_is(limited):
    """Each reserves what it may take at most, and takes less; what is left over is spent by the next ones."""
    g = give(limited, budget("money", 60000, "cost", "day"))
    g.spec["routes"][0].update(PRICES)
    g.start()
    body = {"model": "team/chat", "messages": [{"role": "user", "content": "x"}], "max_tokens": 20}

    async def crowd():
        tls = ssl.create_default_context(cafile=str(g.folder / "cert.pem"))
        clients = [httpx.AsyncClient(verify=tls, http2=True, timeout=300) for _ in range(10)]

        async def one(i):
            answer = await clients[i % 10].post(f"https://127.0.0.1:{g.port}/v1/chat/completions", json=body,
                                                headers={"Authorization": "Bearer " + g.keys["alice"]})
            return answer.status_code

        codes = await asyncio.gather(*[one(i) for i in range(1000)])
        for client in clients:
            await client.aclose()
        return codes

    codes = asyncio.run(crowd())
    assert set(codes) == {200, 429}
    assert codes.count(200) * (2 * PROMPT_TOKENS + 4 * 20) <= 60000


def test_what_a_call_cost_is_recorded(limited):
    g = give(limited, budget("money", 1_000_000, "cost"))
    g.spec["routes"][0].update(PRICES)
    g.spec["routes"].append(dict(g.spec["routes"][0], name="free", input_price=0, cached_price=0, output_price=0))
    g.start()
    assert g.chat(headers={"X-Request-Id": "plain"}, max_tokens=10).status_code == 200
    event = g.event("plain")
    assert (event["drun.cost.micros"], event["drun.cost.currency"]) == (2 * PROMPT_TOKENS + 4 * 10, "EUR")
    g.engine.cached = 4
    answer = g.chat(headers={"X-Request-Id": "cached"}, max_tokens=10)
    event = g.event("cached")
    assert event["gen_ai.usage.cache_read.input_tokens"] == 4 and event["drun.cost.micros"] == 2 * 1 + 2 + 4 * 10
    assert field(answer, "ratelimit-policy", "tenant/money") == {"q": 1_000_000}
    # What is known to cost nothing passes any budget; what is not known to cost something does not.
    assert g.chat(model="team/free", headers={"X-Request-Id": "free"}).status_code == 200
    assert "drun.cost.micros" not in g.event("free")
    answer = g.chat(model="team/small")
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "model_not_priced"
    assert 'budget "tenant/money" is of cost' in answer.json()["error"]["message"]
    # Left: what was reserved for the most is given back.
    left = field(g.chat(max_tokens=10), "ratelimit", "tenant/money")["r"]
    assert 1_000_000 - 50 - 44 - 2 * (64 + 200) - 4 * 10 <= left < 1_000_000 - 50 - 44


def test_an_answer_within_a_budget_of_money_is_limited(limited):
    g = give(limited, budget("money", 1_000_000, "cost"))
    g.spec["routes"][0].update(PRICES)
    g.start()
    body = {"model": "team/chat", "messages": [{"role": "user", "content": "x"}]}
    assert g.http("POST", "/v1/chat/completions", body, "alice").status_code == 200
    assert g.engine.bodies[-1]["max_tokens"] == 1024
