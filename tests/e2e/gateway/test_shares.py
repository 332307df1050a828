# SPDX-License-Identifier: Apache-2.0
"""Calls that wait for a share of a budget, in one gateway of several; the test gives the shares. How real keepers and api give them:
test_two_gateways.py."""
import concurrent.futures
import os
import pathlib
import socket
import ssl
import time

import pytest

from gateway_rig import make_gateway, wait_for
from test_budgets import CountingEngine, budget, field, give, refused


@pytest.fixture
def sharing(folder):
    data = pathlib.Path(folder / "data")
    data.mkdir()
    if os.geteuid() == 0:
        os.chown(data, 65534, 65534)
    engine = CountingEngine(str(folder / "engine.sock"))
    g = make_gateway(folder, folder / "engine.sock", workers=2, data_dir=str(data), gateways=2)
    g.engine = engine
    yield g
    g.stop()
    engine.stop()


def lease(g, share):
    return int(g.fixture("lease", str(share)))


def waits(g, **more):
    """A call that waits for a share, and the pool that it waits in."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    return pool.submit(lambda: g.chat(max_tokens=8, **more))


def test_a_call_waits_until_there_is_a_share(sharing):
    g = give(sharing, budget("all", 100, "requests")).start()
    waiting = waits(g)
    wait_for(lambda: lease(g, 2), "the wish")
    answer = waiting.result()
    assert answer.status_code == 200
    # What is told is the platform's.
    assert field(answer, "RateLimit", "tenant/all")["r"] == 99
    assert g.chat(max_tokens=8).status_code == 200
    waiting = waits(g)
    wait_for(lambda: lease(g, 3), "the next wish")
    assert waiting.result().status_code == 200 and g.engine.tokens == 3 * (5 + 8)


@pytest.mark.parametrize("http2", [False, True])
def test_without_a_share_it_is_told_to_come_again(sharing, http2):
    g = give(sharing, budget("all", 100, "requests")).start()
    body = {"model": "team/chat", "messages": [{"role": "user", "content": "Say hello."}]}
    began = time.monotonic()
    answer = g.http("POST", "/v1/chat/completions", body, "alice", http2=http2)
    error = refused(answer, "rate_limit_exceeded")
    assert time.monotonic() - began > 1.5
    assert "try again in a moment" in error["message"] and answer.headers["retry-after"] == "1"
    assert g.engine.bodies == []


def test_what_cannot_be_is_refused_without_waiting(sharing):
    g = give(sharing, budget("all", 50)).start()
    began = time.monotonic()
    assert "more than the budget" in refused(g.chat(max_tokens=100), "rate_limit_exceeded")["message"]
    assert time.monotonic() - began < 1.5


def test_who_waits_holds_nothing(sharing):
    """Neither a place nor another budget, of which there is enough for one call alone."""
    g = give(sharing, budget("one", 1, "requests"), budget("scarce", 100, "requests", service="chat"))
    g.spec["namespaces"][0]["concurrent"] = 1
    g.start()
    waiting = waits(g)
    wait_for(lambda: lease(g, 1), "the wish for the first")  # it waits for the second now
    time.sleep(0.2)
    assert g.chat(model="team/small").status_code == 200
    assert refused(waiting.result(), "insufficient_quota")


def test_a_client_that_leaves_ends_the_wait(sharing):
    g = give(sharing, budget("all", 100, "requests")).start()
    body = b'{"model":"team/chat","messages":[{"role":"user","content":"Hi"}]}'
    tls = ssl.create_default_context(cafile=str(g.folder / "cert.pem"))
    with tls.wrap_socket(socket.create_connection(("127.0.0.1", g.port)), server_hostname="127.0.0.1") as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                     b"Content-Type: application/json\r\nX-Request-Id: gone\r\nContent-Length: %d\r\n\r\n"
                     % (g.port, g.keys["alice"].encode(), len(body)) + body)
        wait_for(lambda: lease(g, 0), "the wish")
    event = g.event("gone")
    assert event["drun.reason"] == "the client left while a share of a budget was asked for"
    assert "exited on signal" not in g.log()


def test_of_a_limit_of_a_minute_it_has_its_part(sharing):
    sharing.start()
    assert sharing.chat("few").headers["x-ratelimit-limit-requests"] == "1"
    assert "of 1 requests a minute" in refused(sharing.chat("few"), "rate_limit_exceeded")["message"]
