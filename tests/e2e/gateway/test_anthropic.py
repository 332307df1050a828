# SPDX-License-Identifier: Apache-2.0
"""Anthropic's Messages API with Anthropic's own client: a real model, and engines that say what they are told."""
import json

import anthropic
import httpx2
import pytest
from gateway_rig import wait_for
from test_guard import GITHUB, scripted  # noqa: F401

HELLO = [{"role": "user", "content": "Say hello."}]


def client(gateway, key="alice", **kwargs):
    return anthropic.Anthropic(base_url=f"https://127.0.0.1:{gateway.port}", api_key=gateway.keys.get(key, key),
                               max_retries=0, http_client=httpx2.Client(verify=gateway.tls()), **kwargs)


def test_a_real_model_answers_and_is_counted(gateway):
    raw = client(gateway).messages.with_raw_response.create(
        model="team/chat", max_tokens=8, messages=HELLO, system="Be brief.", extra_headers={"X-Request-Id": "a1"})
    message = raw.parse()
    assert message.content[0].text and message.role == "assistant" and message.model == "team/chat"
    assert message.stop_reason in ("end_turn", "max_tokens")
    event = gateway.event("a1")
    assert event["gen_ai.usage.input_tokens"] == message.usage.input_tokens > 0
    assert event["gen_ai.usage.output_tokens"] == message.usage.output_tokens > 0


def test_a_real_model_streams(gateway):
    with client(gateway).messages.stream(model="team/chat", max_tokens=24, messages=HELLO,
                                         extra_headers={"X-Request-Id": "a2"}) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text and final.content[0].text == text
    assert final.stop_reason in ("end_turn", "max_tokens")
    assert final.usage.output_tokens == gateway.event("a2")["gen_ai.usage.output_tokens"] > 0


def test_tokens_are_counted_without_a_call(gateway):
    count = client(gateway).messages.count_tokens(model="team/chat", messages=HELLO).input_tokens
    message = client(gateway).messages.create(model="team/chat", max_tokens=1, messages=HELLO)
    assert count > 3 and abs(count - message.usage.input_tokens) <= 2


def test_errors_have_the_form_of_the_api(scripted):  # noqa: F811
    with pytest.raises(anthropic.AuthenticationError) as error:
        client(scripted, "sk-drun-nobody").messages.create(model="team/chat", max_tokens=1, messages=HELLO)
    assert error.value.body["error"]["type"] == "authentication_error" and error.value.body["type"] == "error"
    with pytest.raises(anthropic.NotFoundError):
        client(scripted).messages.create(model="team/nothing", max_tokens=1, messages=HELLO)
    with pytest.raises(anthropic.BadRequestError) as error:
        client(scripted).messages.create(model="team/chat", max_tokens=1, messages=[{"role": "system", "content": "x"}])
    assert "messages[0].role" in error.value.body["error"]["message"]
    with pytest.raises(anthropic.BadRequestError) as error:
        client(scripted).messages.create(model="team/chat", max_tokens=1, messages=HELLO, extra_body={"surprise": 1})
    assert "surprise" in error.value.body["error"]["message"]
    body = {"model": "team/chat", "max_tokens": 1, "messages": HELLO}
    answer = scripted.http("POST", "/v1/messages", body, headers={"x-api-key": scripted.keys["alice"]})
    assert answer.status_code == 400 and "anthropic-version" in answer.json()["error"]["message"]
    answer = scripted.http("GET", "/v1/messages", headers={"x-api-key": scripted.keys["alice"]})
    assert answer.status_code == 405 and answer.json()["type"] == "error"
    for i in range(4):
        answer = scripted.http("POST", "/v1/messages", body, "few", {"anthropic-version": "2023-06-01"})
    assert answer.status_code == 429 and answer.json()["error"]["type"] == "rate_limit_error"
    assert int(answer.headers["retry-after"]) > 0
    answer = scripted.http("POST", "/v1/messages", {**body, "model": "team/away"}, "alice", {"anthropic-version": "2023-06-01"})
    assert answer.status_code == 502 and answer.json()["error"]["type"] == "api_error"


def test_models_are_listed_in_the_form_of_the_api(scripted):  # noqa: F811
    names = [m.id for m in client(scripted).models.list()]
    assert "team/chat" in names and "other/theirs" not in names
    assert client(scripted).models.retrieve("team/chat").display_name == "chat"
    with pytest.raises(anthropic.NotFoundError):
        client(scripted).models.retrieve("other/theirs")
    with pytest.raises(anthropic.AuthenticationError):
        client(scripted, "sk-drun-nobody").models.list()


def test_what_the_engine_is_asked(scripted):  # noqa: F811
    client(scripted).messages.create(
        model="team/chat", max_tokens=9, stop_sequences=["END"], extra_body={"temperature": 0.5, "top_k": 3},
        system=[{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}],
        metadata={"user_id": "u"},
        tools=[{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "look"},
                                         {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "ok"},
                                              {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": "é\n"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "42"}]},
                                         {"type": "text", "text": "go on"}]}])
    path, asked = scripted.engine.asked[-1]
    assert path == "/v1/chat/completions"
    assert asked == {
        "model": "engine-model", "max_tokens": 9, "temperature": 0.5, "top_k": 3, "stop": ["END"], "user": "u",
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        "tool_choice": "required", "parallel_tool_calls": False,
        "messages": [
            {"role": "system", "content": "a\nb"},
            {"role": "user", "content": [{"type": "text", "text": "look"},
                                         {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
            {"role": "assistant", "content": "ok", "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"x":"é\\n"}'}}]},
            {"role": "tool", "tool_call_id": "t1", "content": "42"},
            {"role": "user", "content": "go on"}]}


def test_tools_are_called_in_a_stream_and_without(scripted):  # noqa: F811
    def delta(**fields):
        return {"index": 0, "delta": fields, "finish_reason": None}

    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}
    scripted.engine.pieces = [
        delta(reasoning_content="hm"), delta(content="I call gh"), delta(tool_calls=[call]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a":'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '1}'}}])]
    with client(scripted).messages.stream(model="team/chat", max_tokens=9, messages=HELLO) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use"]
    assert final.content[1].text == "I call gh" and final.content[2].input == {"a": 1} and final.content[2].name == "f"
    assert final.stop_reason == "tool_use" and final.usage.input_tokens == 7
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 3
    scripted.engine.pieces = ["said"]
    scripted.engine.extra = {"reasoning_content": "hm", "tool_calls": [
        {"id": "t2", "type": "function", "function": {"name": "g", "arguments": '{"b":[2]}'}}]}
    message = client(scripted).messages.create(model="team/chat", max_tokens=9, messages=HELLO)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].input == {"b": [2]} and message.stop_reason == "tool_use"


def test_the_guard_looks_here_too(scripted):  # noqa: F811
    client(scripted).messages.create(model="team/chat", max_tokens=9, system=f"know {GITHUB}", messages=[
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": f"is {GITHUB}"}]}])
    asked = scripted.engine.asked[-1][1]["messages"]
    assert asked[0]["content"] == "know [github-token]" and asked[1]["content"] == "is [github-token]"
    with pytest.raises(anthropic.BadRequestError) as error:
        client(scripted).messages.create(model="team/strict", max_tokens=9, messages=[{"role": "user", "content": GITHUB}])
    assert error.value.body["error"]["code"] == "content_policy_violation" and GITHUB not in str(error.value)
    scripted.engine.pieces = ["it is ", GITHUB[:11], GITHUB[11:], "!"]
    message = client(scripted).messages.create(model="team/chat", max_tokens=9, messages=HELLO)
    assert message.content[0].text == "it is [github-token]!"
    with client(scripted).messages.stream(model="team/chat", max_tokens=9, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "it is [github-token]!"
    with client(scripted).messages.stream(model="team/strict", max_tokens=9, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "it is "
        assert stream.get_final_message().stop_reason == "refusal"
    refused = client(scripted).messages.create(model="team/strict", max_tokens=9, messages=HELLO)
    assert refused.stop_reason == "refusal" and refused.content[0].text == "it is ", refused


def test_an_engine_that_dies(gateway, engine):
    got = 0
    with pytest.raises(anthropic.APIStatusError) as error:
        with client(gateway).messages.stream(model="team/chat", max_tokens=400, messages=[
                {"role": "user", "content": "Count from one to five hundred in words."}]) as stream:
            for _ in stream.text_stream:
                got += 1
                if got == 5:
                    engine.kill()
    assert "stopped in the middle" in str(error.value)
    engine.start()
    wait_for(lambda: client(gateway).messages.create(model="team/chat", max_tokens=1, messages=HELLO).content is not None, "a call")


def test_what_an_engine_refuses_is_told(gateway):
    with pytest.raises(anthropic.BadRequestError) as error:
        client(gateway).messages.create(model="team/chat", max_tokens=1, messages=[
            {"role": "user", "content": "word " * 5000}])
    assert error.value.body["type"] == "error" and "context" in json.dumps(error.value.body)
