# SPDX-License-Identifier: Apache-2.0
"""The guard in the path of requests and answers, with OpenAI's own client and engines that say what they are told."""
import base64
import json
import socket
import threading
import time

import openai
import pytest
from gateway_rig import make_gateway, wait_for

# Made up, and put together here so that no scanner takes this file for a leak.
GITHUB = "gh" + "p_" + "0123456789abcdefghijABCDEFGHIJ012345"
AWS = "AK" + "IA" + "QWERTYUIOPASDF23"
CHINESE_ID = "110105" + "19491231" + "002X"
CHINESE_ID_WRONG = "110105" + "19491231" + "0021"
PHONE = "138" + "00138000"


class Scripted:
    """An engine on a Unix socket that answers each request as it is told, and keeps what it was asked."""

    def __init__(self, path):
        self.asked = []
        self.pieces = ["Hello"]
        self.delay = 0
        self.step = 0
        self.extra = None
        self.chunks = 0
        self.gone = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o777)
        self.listener.listen(64)
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as reader:
            while True:
                line = reader.readline()
                if not line:
                    return
                length = 0
                while (header := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = json.loads(reader.read(length))
                self.asked.append((line.split()[1].decode(), body))
                try:
                    self.answer(connection, line.split()[1].decode(), body)
                except (BrokenPipeError, ConnectionResetError):
                    self.gone.set()
                    return

    def choice(self, path, text, finish, stream, index=0):
        if path == "/v1/completions":
            return {"index": index, "text": text or "", "finish_reason": finish}
        message = {"content": text} if text is not None else {}
        return {"index": index, "delta" if stream else "message": message, "finish_reason": finish}

    def answer(self, connection, path, body):
        usage = {"prompt_tokens": 7, "completion_tokens": len(self.pieces), "total_tokens": 7 + len(self.pieces)}
        head = {"id": "c1", "created": 1, "model": "engine", "object": "x"}
        if not body.get("stream"):
            choices = [self.choice(path, "".join(self.pieces), "stop", False, i) for i in range(body.get("n") or 1)]
            if self.extra:
                choices[0]["message"].update(self.extra)
            data = json.dumps({**head, "choices": choices, "usage": usage}).encode()
            whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)
            step = self.step or len(whole)
            for at in range(0, len(whole), step):
                connection.sendall(whole[at:at + step])
                time.sleep(self.delay)
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")

        def chunk(event):
            data = b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"
            connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))
            self.chunks += 1

        for piece in self.pieces:
            choice = self.choice(path, piece, None, True) if isinstance(piece, str) else piece
            chunk({**head, "choices": [choice]})
            time.sleep(self.delay)
        chunk({**head, "choices": [self.choice(path, None, "stop", True)]})
        chunk({**head, "choices": [], "usage": usage})
        chunk(b"[DONE]")
        connection.sendall(b"0\r\n\r\n")

    def stop(self):
        # Only a shutdown wakes the accept(), which would otherwise take the next engine's connections by its descriptor's number.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()


@pytest.fixture
def scripted(folder):
    engine = Scripted(folder / "engine.sock")
    gateway = make_gateway(folder, folder / "engine.sock")
    gateway.engine = engine
    gateway.spec["routes"] += [
        {"namespace": "team", "name": "strict", "socket": str(folder / "engine.sock"),
         "guard": {"request": {"secret": "block", "personal": "mask"}, "answer": {"secret": "block", "personal": "mask"}}},
        {"namespace": "team", "name": "open", "socket": str(folder / "engine.sock"), "remote_media": True,
         "guard": {"request": {"all": "off"}, "answer": {"all": "off"}}},
    ]
    gateway.start()
    yield gateway
    gateway.stop()
    engine.stop()


def ask(gateway, text, model="team/chat", **extra):
    return gateway.http("POST", "/v1/chat/completions",
                        {"model": model, "messages": [{"role": "user", "content": text}], **extra}, "alice")


def findings(gateway, request_id, direction):
    def found():
        return [e for e in gateway.events if e.get("drun.request_id") == request_id
                and e["event.name" if "event.name" in e else "name"] == f"drun.guard.{direction}"]
    return wait_for(found, "a record of the guard")


def test_secrets_are_masked_before_the_engine_sees_them(scripted):
    text = f'say "{GITHUB}"\nand {AWS} é 😀'
    answer = scripted.http("POST", "/v1/chat/completions", {
        "model": "team/chat", "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": text}, {"type": "text", "text": "fine"}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"k": GITHUB})}}]},
            {"role": "tool", "tool_call_id": "c1", "content": f"found {AWS}"}],
        "tools": [{"type": "function", "function": {"name": "f", "description": GITHUB, "parameters": {"x": [AWS]}}}],
        "min_p": {"deep": [GITHUB]}}, "alice", {"X-Request-Id": "masked"})
    assert answer.status_code == 200, answer.text
    path, asked = scripted.engine.asked[-1]
    assert GITHUB not in json.dumps(asked) and AWS not in json.dumps(asked)
    assert asked["messages"][0] == {"role": "system", "content": "be kind"}
    assert asked["messages"][1]["content"][0]["text"] == 'say "[github-token]"\nand [aws-access-key] é 😀'
    assert asked["messages"][1]["content"][1]["text"] == "fine"
    assert json.loads(asked["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"k": "[github-token]"}
    assert asked["min_p"] == {"deep": ["[github-token]"]} and asked["model"] == "engine-model"
    event = findings(scripted, "masked", "request")[0]
    assert "github-token masked in message 1 (user) at byte 5" in event["drun.reason"]
    assert GITHUB not in json.dumps(scripted.events) and "and" in event["drun.reason"]


def test_a_blocked_request_names_the_detector_and_not_the_value(scripted):
    with pytest.raises(openai.BadRequestError) as error:
        scripted.client("alice").chat.completions.create(
            model="team/strict", messages=[{"role": "user", "content": "hi"}, {"role": "user", "content": "my " + GITHUB}],
            extra_headers={"X-Request-Id": "blocked"})
    assert error.value.code == "content_policy_violation" and error.value.param == "messages[1]"
    assert "github-token" in error.value.message and GITHUB not in error.value.message
    assert not scripted.engine.asked
    event = findings(scripted, "blocked", "request")[0]
    assert event["drun.outcome"] == "denied" and "github-token blocked in message 1 (user) at byte 3" in event["drun.reason"]


@pytest.mark.parametrize("text,masked", [
    (CHINESE_ID, "[cn-id-card]"), (CHINESE_ID_WRONG, CHINESE_ID_WRONG), (PHONE, "[cn-mobile]"),
    ("1380013800", "1380013800"), ("zero​width", "zerowidth"), ("order 20241231 of 2024", "order 20241231 of 2024"),
    ("ｇｈｐ＿" + GITHUB[4:], "[github-token]")])
def test_only_what_has_its_checksum_is_masked(scripted, text, masked):
    if "github" in masked:
        assert ask(scripted, text).status_code == 200
    else:
        assert ask(scripted, text, model="team/strict").status_code == 200
    assert scripted.engine.asked[-1][1]["messages"][0]["content"] == masked


def test_encoded_payloads_are_seen(scripted):
    hidden = base64.b64encode(f"the key is {GITHUB}".encode()).decode()
    assert ask(scripted, f"decode {hidden}", model="team/strict").status_code == 400
    assert ask(scripted, f"decode {base64.b64encode(b'nothing but harmless words in here').decode()}",
               model="team/strict").status_code == 200


def test_prompts_and_inputs_are_looked_at(scripted):
    for path, body in (("/v1/completions", {"prompt": ["ok", GITHUB]}), ("/v1/embeddings", {"input": GITHUB})):
        answer = scripted.http("POST", path, {"model": "team/strict", **body}, "alice")
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "content_policy_violation"


def test_a_policy_can_switch_it_off(scripted):
    assert ask(scripted, GITHUB, model="team/open").status_code == 200
    assert scripted.engine.asked[-1][1]["messages"][0]["content"] == GITHUB
    scripted.engine.pieces = [GITHUB]
    assert ask(scripted, "x", model="team/open").json()["choices"][0]["message"]["content"] == GITHUB


def test_large_bodies_with_many_secrets(scripted):
    text = (f"line {GITHUB} of text \\ \" with escapes\n" + "filler " * 100) * 2000
    answer = ask(scripted, text)
    assert answer.status_code == 200
    asked = scripted.engine.asked[-1][1]["messages"][0]["content"]
    assert asked == text.replace(GITHUB, "[github-token]")


def test_remote_images_only_where_a_service_allows_them(scripted):
    content = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    answer = ask(scripted, content)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "remote_url_not_allowed"
    assert ask(scripted, content, model="team/open").status_code == 200


# ---------------------------------------------------------------- answers


def test_an_answer_is_masked(scripted):
    scripted.engine.pieces = ["the key is ", GITHUB, ", keep\n\"it\""]
    answer = ask(scripted, "hi", n=2)
    assert answer.headers["content-length"] == str(len(answer.content))
    for choice in answer.json()["choices"]:
        assert choice["message"]["content"] == 'the key is [github-token], keep\n"it"'
    assert answer.json()["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("model,said", [("team/chat", "the key is [github-token]!"), ("team/strict", "the key is ")])
def test_an_answer_that_comes_in_pieces_is_looked_at_as_a_whole(scripted, model, said, http2):
    scripted.engine.pieces, scripted.engine.step, scripted.engine.delay = [f"the key is {GITHUB}!"], 50, 0.005
    for path in ("/v1/chat/completions", "/v1/messages"):
        answer = scripted.http("POST", path, {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
                               "alice", {"anthropic-version": "2023-06-01"}, http2)
        assert f'"{said}"' in answer.text and answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("step", [1, 3, 7])
def test_a_secret_that_comes_in_pieces_is_masked(scripted, step, http2):
    text = f"the key é is {GITHUB} and so on"
    scripted.engine.pieces = [text[i:i + step] for i in range(0, len(text), step)]
    answer = scripted.http("POST", "/v1/chat/completions", {
        "model": "team/chat", "messages": [{"role": "user", "content": "hi"}], "stream": True}, "alice", http2=http2)
    events = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: {")]
    said = "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
    assert said == "the key é is [github-token] and so on"
    assert events[-1]["choices"][0]["finish_reason"] == "stop" and answer.text.endswith("data: [DONE]\n\n")


def test_what_is_held_back_comes_before_the_end(scripted):
    scripted.engine.pieces = ["it ends with gh", "p_0123"]
    chunks = list(scripted.client("alice").chat.completions.create(
        model="team/chat", messages=[{"role": "user", "content": "hi"}], stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "it ends with ghp_0123"
    assert chunks[-1].usage.completion_tokens == 2 and chunks[-2].choices[0].finish_reason == "stop"


def test_completions_are_looked_at_too(scripted):
    scripted.engine.pieces = ["a ", GITHUB[:9], GITHUB[9:], " b"]
    stream = scripted.client("alice").completions.create(model="team/chat", prompt="x", stream=True)
    assert "".join(c.choices[0].text for c in stream) == "a [github-token] b"
    assert scripted.client("alice").completions.create(model="team/chat", prompt="x").choices[0].text == "a [github-token] b"


def test_texts_of_several_kinds_are_kept_apart(scripted):
    def delta(**fields):
        return {"index": 0, "delta": fields, "finish_reason": None}

    arguments = json.dumps({"token": GITHUB})
    scripted.engine.pieces = [
        delta(reasoning_content="think " + GITHUB[:8]), delta(reasoning_content=GITHUB[8:] + " done"),
        delta(tool_calls=[{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": arguments[:14]}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": arguments[14:]}}])]
    chunks = list(scripted.client("alice").chat.completions.create(
        model="team/chat", messages=[{"role": "user", "content": "hi"}], stream=True))
    thoughts = "".join(getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks)
    calls = [t for c in chunks for t in (c.choices[0].delta.tool_calls or [])]
    assert thoughts == "think [github-token] done"
    assert json.loads("".join(t.function.arguments or "" for t in calls)) == {"token": "[github-token]"}


def test_log_probabilities_do_not_tell_what_was_masked(scripted):
    def delta(text):
        return {"index": 0, "delta": {"content": text}, "finish_reason": None,
                "logprobs": {"content": [{"token": text, "logprob": 0, "bytes": list(text.encode())}]}}

    scripted.engine.pieces = [delta("ok "), delta(GITHUB[:20]), delta(GITHUB[20:]), delta(" end")]
    answer = ask(scripted, "hi", stream=True, logprobs=True)
    assert GITHUB[:20] not in answer.text and GITHUB[20:] not in answer.text
    assert '"token": "ok "' in answer.text


def test_a_blocked_stream_ends_cleanly(scripted):
    scripted.engine.pieces = ["fine so far ", GITHUB[:9], GITHUB[9:], " more"] + ["x"] * 2000
    scripted.engine.delay = 0.01
    limited = {"name": "settle", "namespace": "team", "user": "alice", "tokens_per_min": 10000}
    scripted.spec["keys"].append(limited)
    scripted.publish()
    chunks = list(scripted.client("settle").chat.completions.create(
        model="team/strict", messages=[{"role": "user", "content": "hi"}], stream=True, max_tokens=1000,
        extra_headers={"X-Request-Id": "cut"}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "fine so far "
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    # The engine is let go of long before it would have ended.
    wait_for(scripted.engine.gone.is_set, "the engine to be let go")
    assert scripted.engine.chunks < 1500
    event = findings(scripted, "cut", "answer")[0]
    assert event["drun.outcome"] == "denied" and "github-token blocked in choice 0 at byte 12" in event["drun.reason"]
    call = wait_for(lambda: [e for e in scripted.events if e.get("drun.request_id") == "cut" and "gen_ai.usage.output_tokens" in e
                             and "duration" in json.dumps(e)], "the record of the call")
    assert any(e["drun.outcome"] == "denied" for e in call)
    scripted.engine.pieces, scripted.engine.delay = ["x"], 0
    left = int(scripted.chat("settle", max_tokens=1).headers["x-ratelimit-remaining-tokens"])
    assert left > 10000 - 1000
    # The connection of the client lives on, and so does the next call.
    assert ask(scripted, "hi", model="team/strict").status_code == 200


def test_a_blocked_answer_that_is_no_stream(scripted):
    scripted.engine.pieces = ["before ", GITHUB, " behind"]
    choice = ask(scripted, "hi", model="team/strict").json()["choices"][0]
    assert choice["finish_reason"] == "content_filter" and choice["message"]["content"] == "before "


def test_an_engine_that_cannot_be_understood(scripted):
    scripted.engine.pieces = ["a", {"index": "\ud800"}]
    answer = ask(scripted, "hi", stream=True)
    assert '"engine_failed"' in answer.text and "[DONE]" not in answer.text
    scripted.engine.pieces, scripted.engine.extra = ["a"], {"x": "\ud800"}
    answer = ask(scripted, "hi")
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "engine_failed"


def test_a_client_that_goes_away_in_the_middle(scripted):
    scripted.engine.pieces = ["gh", "p_012345"] + ["word "] * 2000
    scripted.engine.delay = 0.01
    stream = scripted.client("alice").chat.completions.create(
        model="team/chat", messages=[{"role": "user", "content": "hi"}], stream=True, extra_headers={"X-Request-Id": "gone"})
    next(iter(stream))
    stream.close()
    stream.response.close()
    wait_for(lambda: [e for e in scripted.events if e.get("drun.request_id") == "gone"], "its record")
    wait_for(scripted.engine.gone.is_set, "the engine to be let go")
    scripted.engine.pieces, scripted.engine.delay = ["ok"], 0
    assert ask(scripted, "hi").status_code == 200


def test_nothing_is_held_for_long(scripted):
    """An engine that stops within what may be a secret: its text goes on after a while."""
    scripted.engine.pieces = ["see gh", "p_012345", "6789"]
    scripted.engine.delay = 12
    start, said = time.monotonic(), []
    for chunk in scripted.client("alice").chat.completions.create(
            model="team/chat", messages=[{"role": "user", "content": "hi"}], stream=True):
        said.append((time.monotonic() - start, chunk.choices[0].delta.content or ""))
    assert "".join(text for _, text in said) == "see ghp_0123456789"
    assert any(text.startswith("gh") and 8 < at < 11.9 for at, text in said)


def test_tokens_are_not_held(scripted):
    scripted.engine.pieces = ["One ", "two ", "three ", "four "]
    scripted.engine.delay = 0.5
    times = [time.monotonic() for c in scripted.client("alice").chat.completions.create(
        model="team/chat", messages=[{"role": "user", "content": "hi"}], stream=True) if c.choices[0].delta.content]
    assert len(times) == 4 and all(0.2 < b - a < 2 for a, b in zip(times, times[1:]))
