# SPDX-License-Identifier: Apache-2.0
"""A service of several engines: who gets a call, and what happens when one of them fails or goes."""
import collections
import concurrent.futures
import time

import pytest

from gateway_rig import make_gateway, wait_for
from test_routing import Engine, backend, route, said

NAMES = ("one", "two", "three")
PREFIX = 4


@pytest.fixture
def rig(folder):
    engines = {name: Engine(folder / f"{name}.sock") for name in NAMES}
    gateway = make_gateway(folder, folder / "one.sock", workers=2)
    gateway.engines = engines
    gateway.service = {"namespace": "team", "name": "many", "socket": str(folder / "one.sock"), "engine_model": "m"}
    gateway.spec["routes"].append(gateway.service)
    gateway.spec["model_routes"] = []
    give(gateway, *NAMES)
    yield gateway
    gateway.stop()
    for engine in engines.values():
        engine.stop()


def give(gateway, *names):
    gateway.service["replicas"] = [str(gateway.engines[name].path) for name in names]


def call(gateway, model="team/many", **more):
    return gateway.chat(model=model, **more)


def at_once(gateway, count, **more):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [answer.result() for answer in [pool.submit(call, gateway, **more) for _ in range(count)]]


def test_every_engine_gets_calls(rig):
    g = rig.start()
    met = collections.Counter(said(call(g)) for _ in range(60))
    assert set(met) == set(NAMES) and min(met.values()) >= 6, met


def test_one_that_is_busy_gets_fewer(rig):
    g = rig.start()
    rig.engines["two"].how = "silent"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        stuck = [pool.submit(call, g) for _ in range(6)]
        wait_for(lambda: rig.engines["two"].bodies and sum(f.done() for f in stuck) + len(rig.engines["two"].bodies) == 6,
                 "each to be answered, or to hang at the one")
        held = len(rig.engines["two"].bodies)
        # Of two that are drawn the idle one gets the call, so never the one that has some.
        met = collections.Counter(said(call(g)) for _ in range(40))
        assert len(rig.engines["two"].bodies) == held and set(met) == {"one", "three"}, met
        rig.engines["two"].stop()
        for task in asyncio_tasks(rig.engines["two"]):
            rig.engines["two"].loop.call_soon_threadsafe(task.cancel)
        assert all(f.result().status_code in (200, 502) for f in stuck)
    rig.engines["two"].how = 200
    rig.engines["two"].start()


def asyncio_tasks(engine):
    import asyncio
    return asyncio.all_tasks(engine.loop)


def test_one_that_takes_no_connection_has_not_seen_the_call(rig):
    g = rig.start()
    rig.engines["two"].stop()
    met = collections.Counter(said(call(g)) for _ in range(40))
    assert set(met) == {"one", "three"} and sum(met.values()) == 40, met
    wait_for(lambda: "two.sock fails and is left out" in g.log(), "the log to say so")
    rig.engines["two"].start()
    wait_for(lambda: said(call(g)) == "two", "it to come back", 60)


def test_one_that_dies_with_a_call_is_not_asked_twice(rig):
    """What killed it could kill the others."""
    give(rig, "one", "two")
    g = rig.start()
    rig.engines["one"].how = rig.engines["two"].how = "cut"
    answer = call(g)
    assert answer.status_code == 502 and sum(len(e.bodies) for e in rig.engines.values()) == 1


def test_one_that_answers_with_errors_is_left_out_by_all_workers(rig):
    g = rig.start()
    rig.engines["two"].how = 503
    got = collections.Counter(call(g).status_code for _ in range(60))
    assert got[503] == len(rig.engines["two"].bodies) and 3 <= got[503] <= 8, got
    rig.engines["two"].how = 200
    wait_for(lambda: said(call(g)) == "two", "it to come back", 60)


def test_when_all_fail_none_is_left_out(rig):
    g = rig.start()
    for engine in rig.engines.values():
        engine.how = 503
    assert all(call(g).status_code == 503 for _ in range(30))
    assert sum(len(e.bodies) for e in rig.engines.values()) == 30
    for engine in rig.engines.values():
        engine.how = 200
    assert said(call(g)) in NAMES


def test_engines_come_and_go_without_a_failed_call(rig):
    give(rig, "one")
    g = rig.start()
    stop = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def keep_calling():
            got = collections.Counter()
            while not stop:
                answer = call(g)
                got[answer.json()["choices"][0]["message"]["content"] if answer.status_code == 200 else answer.status_code] += 1
            return got
        callers = [pool.submit(keep_calling) for _ in range(3)]
        for names in (("one", "two"), ("two",), ("two", "three"), ("three",)):
            give(rig, *names)
            g.service["socket"] = g.service["replicas"][0]
            g.publish()
            before = {name: len(rig.engines[name].bodies) for name in NAMES}
            wait_for(lambda: all(len(rig.engines[n].bodies) > before[n] + 5 for n in names), f"calls at {names}")
        stop.append(True)
        got = sum((c.result() for c in callers), collections.Counter())
    assert set(got) == set(NAMES), got


def talk(number, more=()):
    return [{"role": "system", "content": "You are a helpful assistant. " * 80}, {"role": "user", "content": f"Question {number}"}, *more]


def test_a_conversation_stays_with_its_engine(rig):
    rig.spec["model_routes"] = [route(backend("many"), name="together", sticky=PREFIX)]
    g = rig.start()
    first = {n: said(call(g, "team/together", messages=talk(n))) for n in range(24)}
    assert set(first.values()) == set(NAMES), "each conversation has its own"
    for n, engine in first.items():
        longer = talk(n, [{"role": "assistant", "content": "An answer"}, {"role": "user", "content": "And then?"}])
        assert said(call(g, "team/together", messages=longer)) == engine
    # One that goes moves its own conversations, and no others.
    give(rig, "one", "three")
    g.publish()
    time.sleep(0.1)
    for n, engine in first.items():
        now = said(call(g, "team/together", messages=talk(n)))
        assert now == engine if engine != "two" else now in ("one", "three")


def test_a_conversation_that_everybody_has_is_spread(rig):
    """Else a single prompt would keep one engine busy and the others idle."""
    rig.spec["model_routes"] = [route(backend("many"), name="together", sticky=PREFIX)]
    g = rig.start()
    own = said(call(g, "team/together", messages=talk(1)))
    rig.engines[own].how = "silent"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        stuck = [pool.submit(call, g, "team/together", messages=talk(1)) for _ in range(6)]
        met = wait_for(lambda: (done := [said(f.result()) for f in stuck if f.done()]) and len(rig.engines[own].bodies) - 1 + len(done) == 6
                       and done, "some to be answered by others")
        assert own not in met and len(rig.engines[own].bodies) - 1 <= 4
        for task in asyncio_tasks(rig.engines[own]):
            rig.engines[own].loop.call_soon_threadsafe(task.cancel)


def test_a_route_tries_another_engine_of_the_same_service(rig):
    rig.spec["model_routes"] = [route(backend("many"), name="smart", retries=2)]
    g = rig.start()
    rig.engines["one"].how = 503
    rig.engines["two"].how = "cut"
    answers = [call(g, "team/smart") for _ in range(12)]
    assert collections.Counter(said(a) for a in answers) == {"three": 12}


def test_a_line_goes_on_at_an_engine_that_came_meanwhile(rig):
    """The engine is chosen when it is a call's turn, not when it begins to wait."""
    give(rig, "one")
    rig.service.update(places=1, line_length=100, line_timeout_ms=60000)
    g = rig.start()
    rig.engines["one"].how = "silent"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        first = pool.submit(call, g)
        wait_for(lambda: rig.engines["one"].bodies, "the first to be served")
        waiting = [pool.submit(call, g) for _ in range(2)]
        time.sleep(0.5)
        assert len(rig.engines["one"].bodies) == 1
        rig.service["socket"] = str(rig.engines["three"].path)
        give(rig, "three")
        g.publish()
        for task in asyncio_tasks(rig.engines["one"]):
            rig.engines["one"].loop.call_soon_threadsafe(task.cancel)
        assert first.result().status_code == 502
        assert [said(f.result()) for f in waiting] == ["three", "three"]
