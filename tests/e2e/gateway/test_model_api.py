# SPDX-License-Identifier: Apache-2.0
"""Model calls with OpenAI's own client and a real model."""
import json
import socket
import time

import openai
import pytest

HELLO = [{"role": "user", "content": "Say hello."}]
LONG = [{"role": "user", "content": "Count from one to five hundred in words."}]


def test_a_chat_is_answered_counted_and_recorded(gateway):
    raw = gateway.client("alice").chat.completions.with_raw_response.create(
        model="team/chat", messages=HELLO, max_tokens=8, extra_headers={"X-Request-Id": "my-id.1"})
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert raw.headers["x-request-id"] == "my-id.1"
    event = gateway.event("my-id.1")
    assert event["gen_ai.usage.input_tokens"] == answer.usage.prompt_tokens
    assert event["gen_ai.usage.output_tokens"] == answer.usage.completion_tokens
    assert event["drun.outcome"] == "success" and event["user.name"] == "alice"
    assert event["drun.actor.key_id"] == "alice" and event["drun.action.name"] == "chat"


def test_a_name_without_namespace_is_the_keys_own(gateway):
    assert gateway.client("alice").chat.completions.create(model="chat", messages=HELLO, max_tokens=2).choices


@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_has_its_usage_only_when_asked(gateway, asked):
    extra = {"stream_options": {"include_usage": True}} if asked else {}
    stream = gateway.client("alice").chat.completions.create(
        model="team/chat", messages=HELLO, max_tokens=12, stream=True, extra_headers={"X-Request-Id": "s1"}, **extra)
    chunks = list(stream)
    usages = [c.usage for c in chunks if c.usage]
    assert len(usages) == (1 if asked else 0)
    assert all(c.choices or asked for c in chunks)
    event = gateway.event("s1")
    assert event["gen_ai.request.stream"] is True
    assert event["gen_ai.usage.output_tokens"] > 0
    if asked:
        assert event["gen_ai.usage.output_tokens"] == usages[0].completion_tokens


def test_tokens_come_as_they_are_made(gateway):
    times = []
    for _ in gateway.client("alice").chat.completions.create(
            model="team/chat", messages=LONG, max_tokens=64, stream=True):
        times.append(time.monotonic())
    assert len(times) > 30
    gaps = [b - a for a, b in zip(times, times[1:])]
    # Were the answer buffered, all would come at once.
    assert sum(gap > 0.001 for gap in gaps) > len(gaps) / 2


def test_completions_and_unusual_parameters_pass(gateway):
    answer = gateway.client("alice").completions.create(
        model="team/chat", prompt="One two three", max_tokens=4, temperature=0, extra_body={"top_k": 1})
    assert answer.choices[0].text


def test_a_route_sets_a_ceiling_for_answers(gateway):
    stream = gateway.client("alice").chat.completions.create(
        model="team/small", messages=LONG, stream=True, stream_options={"include_usage": True})
    assert [c.usage for c in stream if c.usage][0].completion_tokens <= 16
    with pytest.raises(openai.BadRequestError) as error:
        gateway.client("alice").chat.completions.create(model="team/small", messages=HELLO, max_tokens=17)
    assert error.value.param == "max_tokens"


def test_an_engine_that_dies_in_the_middle_ends_the_stream_with_an_error(gateway, engine):
    got = 0
    with pytest.raises(openai.APIError) as error:
        for _ in gateway.client("alice").chat.completions.create(
                model="team/chat", messages=LONG, max_tokens=400, stream=True, extra_headers={"X-Request-Id": "dead"}):
            got += 1
            if got == 10:
                engine.kill()
    assert error.value.code == "engine_failed"
    event = gateway.event("dead")
    assert event["drun.outcome"] == "failure"
    assert event["gen_ai.usage.output_tokens"] >= 10
    assert "stopped in the middle" in event["drun.reason"]
    # Now it is away, before the first byte.
    with pytest.raises(openai.InternalServerError) as error:
        gateway.client("alice").chat.completions.create(model="team/chat", messages=HELLO)
    assert error.value.status_code == 502 and int(error.value.response.headers["retry-after"]) > 0
    engine.start()
    assert gateway.client("alice").chat.completions.create(model="team/chat", messages=HELLO, max_tokens=2).choices


def test_a_connection_that_the_engine_closed_is_made_anew(gateway, engine):
    for _ in range(3):
        assert gateway.chat(max_tokens=1).status_code == 200
        engine.kill()
        engine.start()


def test_a_client_that_goes_away_is_settled(gateway):
    limited = {"name": "settle", "namespace": "team", "user": "alice", "tokens_per_min": 10000}
    gateway.spec["keys"].append(limited)
    gateway.publish()
    stream = gateway.client("settle").chat.completions.create(
        model="team/chat", messages=LONG, max_tokens=1500, stream=True, extra_headers={"X-Request-Id": "gone"})
    for i, _ in enumerate(stream):
        if i == 5:
            break
    stream.close()
    stream.response.close()
    event = gateway.event("gone")
    used = event["gen_ai.usage.output_tokens"]
    assert 4 <= used < 400
    left = int(gateway.chat("settle", max_tokens=1).headers["x-ratelimit-remaining-tokens"])
    # 1,500 were reserved; what was not used came back.
    assert left > 10000 - 1500


def test_a_slow_reader_gets_everything(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port)) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with gateway.tls().wrap_socket(plain, server_hostname="127.0.0.1") as s:
            body = json.dumps({"model": "team/chat", "messages": LONG, "max_tokens": 150, "stream": True})
            s.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.keys['alice']}\r\n"
                       f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
            got = b""
            while True:
                piece = s.recv(512)
                if not piece:
                    break
                got += piece
                time.sleep(0.005)
    assert got.count(b'"delta"') > 100 and b"data: [DONE]" in got and got.endswith(b"0\r\n\r\n")


def test_models_lists_what_the_caller_may_use(gateway):
    def names(key):
        return sorted(m.id for m in gateway.client(key).models.list())

    assert names("alice") == ["team/away", "team/chat", "team/small", "team/starting"]
    assert names("bob") == ["other/theirs"]
    assert names("narrow") == []
    assert gateway.client("alice").models.retrieve("team/chat").owned_by == "team"
    with pytest.raises(openai.NotFoundError):
        gateway.client("alice").models.retrieve("other/theirs")
