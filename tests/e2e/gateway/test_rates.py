# SPDX-License-Identifier: Apache-2.0
"""Rules of a LimitPolicy that are rates: token buckets and sliding windows of a minute."""
import concurrent.futures
import os
import signal
import subprocess
import time

import httpx
import pytest

from gateway_rig import wait_for
from test_budgets import AROUND, PROMPT_TOKENS, budget, field, give, limited, refused  # noqa: F401


def rate(rule, limit, measure="requests", algorithm="SlidingWindow", **more):
    return budget(rule, limit, measure, "minute", algorithm=algorithm, **more)


@pytest.fixture(params=["SlidingWindow", "TokenBucket"])
def algorithm(request):
    return request.param


def crowd(g, calls, **more):
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        return list(pool.map(lambda _: g.chat(**more), range(calls)))


def test_a_crowd_gets_a_minutes_tokens_and_no_more(limited):
    limit = 4000
    g = give(limited, rate("burst", limit, "tokens")).start()
    began = time.monotonic()
    answers = crowd(g, 160, max_tokens=40)
    while (answer := g.chat(max_tokens=40)).status_code == 200:
        pass
    assert {a.status_code for a in answers} == {200, 429}
    assert time.monotonic() - began < 59, "this machine is too slow to tell"
    most = AROUND + 200 + PROMPT_TOKENS + 40
    assert limit - most < g.engine.tokens <= limit
    error = refused(answer, "rate_limit_exceeded")
    assert error["type"] == "tokens" and 'The limit "tenant/burst" of 4000 tokens a minute is reached' in error["message"]
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    # What was reserved and not used has come back: the headers tell what the engine has used.
    assert field(answer, "ratelimit", "tenant/burst")["r"] == limit - g.engine.tokens
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(limit - g.engine.tokens)


def test_the_headers_tell_a_rate(limited, algorithm):
    g = give(limited, rate("calls", 5, algorithm=algorithm), rate("tokens", 9000, "tokens", algorithm))
    g.spec["namespaces"][0]["requests_per_min"] = 60
    g.start()
    answer = g.chat()
    assert answer.status_code == 200
    assert field(answer, "ratelimit-policy", "tenant/calls") == {"q": 5, "w": 60}
    assert field(answer, "ratelimit-policy", "tenant/tokens") == {"q": 9000, "w": 60}
    calls = field(answer, "ratelimit", "tenant/calls")
    # A bucket is whole again when its one call has drained, a window when the call is out of it.
    assert calls["r"] == 4 and (1 <= calls["t"] <= 12 if algorithm == "TokenBucket" else 60 <= calls["t"] <= 61)
    # Of the limits of a minute the tightest: 4 of 5, not 59 of 60.
    assert answer.headers["x-ratelimit-limit-requests"] == "5"
    assert answer.headers["x-ratelimit-remaining-requests"] == "4"
    assert answer.headers["x-ratelimit-limit-tokens"] == "9000"


def test_a_bucket_goes_on_at_its_rate_and_a_window_does_not(limited):
    g = give(limited, rate("window", 60)).start()

    def served():
        return g.chat(max_tokens=4).status_code == 200

    began = time.monotonic()
    while served():
        pass
    assert time.monotonic() - began < 59, "this machine is too slow to tell"
    give(g, rate("bucket", 60, algorithm="TokenBucket")).publish()
    while served():
        pass
    wait_for(served, "the bucket's next second", 30)
    give(g, rate("window", 60)).publish()
    wait_for(served, "the window", 120)
    assert time.monotonic() - began >= 59.9


def test_whose_rate_it_is(limited, algorithm):
    g = give(limited, rate("each-key", 2, per="key", algorithm=algorithm), rate("each-user", 3, per="user", algorithm=algorithm))
    g.spec["keys"].append({"name": "second", "namespace": "team", "user": "alice"})
    g.start()
    for _ in range(2):
        assert g.chat("second").status_code == 200
    assert "tenant/each-key" in refused(g.chat("second"), "rate_limit_exceeded")["message"]
    assert g.chat("alice").status_code == 200
    assert "tenant/each-user" in refused(g.chat("alice"), "rate_limit_exceeded")["message"]
    assert g.chat("bob", model="other/theirs").status_code == 200


def test_what_was_refused_costs_nothing(limited, algorithm):
    g = give(limited, rate("calls", 3, algorithm=algorithm), budget("tokens", 500, window="day"), rate("small", 400, "tokens", algorithm)).start()
    answer = g.chat(max_tokens=300)
    error = refused(answer, "rate_limit_exceeded")
    assert 'more than the limit "tenant/small"' in error["message"] and "shorten" in error["message"]
    # What could never fit tells what there is all the same.
    assert field(answer, "ratelimit", "tenant/small") == {"r": 400, "t": 0} and "retry-after" not in answer.headers
    answer = g.chat(max_tokens=600)
    error = refused(answer, "rate_limit_exceeded")
    assert 'more than the budget "tenant/tokens"' in error["message"] and "shorten" in error["message"]
    assert field(answer, "ratelimit", "tenant/tokens")["r"] == 500
    answer = g.chat(max_tokens=4)
    assert answer.status_code == 200 and field(answer, "ratelimit", "tenant/calls")["r"] == 2


def test_workers_that_die_take_nothing_with_them(limited):
    """A window is in the file of all workers: what was counted stays counted."""
    g = give(limited, rate("calls", 4)).start()
    began = time.monotonic()
    assert g.chat().status_code == 200
    for worker in subprocess.run(["pgrep", "-P", str(g.pid)], capture_output=True, text=True).stdout.split():
        os.kill(int(worker), signal.SIGKILL)

    def left():
        try:
            answer = g.chat()
        except httpx.HTTPError:
            return None
        return answer.status_code == 200 and field(answer, "ratelimit", "tenant/calls")["r"] + 1

    count = wait_for(left, "the new workers")
    assert count <= 3 or time.monotonic() - began > 59
