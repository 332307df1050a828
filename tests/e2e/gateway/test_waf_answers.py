# SPDX-License-Identifier: Apache-2.0
"""The firewall's look at answers: whole, in pieces, in chunks, compressed, cut off, long, and streams, from an engine and a
role that say byte for byte what a test wants."""
import gzip
import json
import socket
import subprocess
import threading
import time

import pytest
from gateway_rig import BUILD, give_rules, make_gateway, wait_for

RULES = """
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html application/json
SecResponseBodyLimit {limit}
SecResponseBodyLimitAction {action}
SecRule REQUEST_HEADERS:X-Look "@streq errors" "id:1,phase:1,pass,nolog,setvar:tx.drun_answers=errors"
SecRule REQUEST_HEADERS:X-Look "@streq off" "id:2,phase:1,pass,nolog,ctl:responseBodyAccess=Off"
SecRule REQUEST_HEADERS:X-Look "@streq detect" "id:3,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly"
SecRule RESPONSE_HEADERS:X-Leak "@streq header" "id:100,phase:3,deny,status:403,msg:'a leak in a header'"
SecRule RESPONSE_BODY "@contains ORA-00933" "id:101,phase:4,deny,status:403,msg:'a leak in a body'"
SecRule RESPONSE_STATUS "@streq 418" "id:102,phase:5,pass,log,msg:'a teapot'"
SecRule ARGS:q "@streq seen" "id:103,phase:5,pass,log,msg:'told once'"
"""
LEAK = "ORA-00933: SQL command not properly ended"
FINE = {"id": "c1", "object": "chat.completion", "created": 1, "model": "engine",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}


class Said:
    """Who says these bytes to each request, `step` at a time, and then keeps the connection or not."""

    def __init__(self, path):
        self.bytes, self.step, self.close, self.pause = b"", 0, False, 0
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
        try:
            with connection, connection.makefile("rb") as reader:
                while reader.readline() and self.answer(connection, reader):
                    pass
        except (BrokenPipeError, ConnectionResetError):
            self.gone.set()

    def answer(self, connection, reader):
        length = 0
        while (header := reader.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        reader.read(length)
        step = self.step or max(len(self.bytes), 1)
        for at in range(0, len(self.bytes), step):
            connection.sendall(self.bytes[at:at + step])
            time.sleep(self.pause)
        return not self.close

    def say(self, body, status="200 OK", kind="application/json", headers=(), chunks=0, **how):
        body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers]
        if chunks:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + chunks]), body[at:at + chunks])
                            for at in range(0, len(body), chunks)) + b"0\r\n\r\n"
        else:
            lines.append(f"Content-Length: {how.pop('length', len(body))}")
        self.bytes = "\r\n".join(lines + ["", ""]).encode() + body
        self.step, self.close, self.pause = how.get("step", 0), how.get("close", False), how.get("pause", 0)
        self.gone.clear()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()


def rules_of(limit=4096, action="ProcessPartial"):
    job = {"known": "", "sources": [{"set": "", "name": "test", "text": RULES.format(limit=limit, action=action)}]}
    done = subprocess.run([BUILD / "drun-waf", "compile"], input=json.dumps(job).encode(), capture_output=True, timeout=60)
    assert done.stdout, done.stderr
    return done.stdout


def make(folder, **limits):
    gateway = make_gateway(folder, folder / "engine.sock", waf="open",
                           sockets={name: str(folder / f"{name}.sock") for name in ("api", "idp")})
    give_rules(folder, rules_of(**limits))
    gateway.engine, gateway.api, gateway.idp = (Said(folder / f"{name}.sock") for name in ("engine", "api", "idp"))
    return gateway.start()


def end(gateway):
    gateway.stop()
    for who in (gateway.engine, gateway.api, gateway.idp):
        who.stop()


@pytest.fixture
def walled(folder):
    gateway = make(folder)
    yield gateway
    end(gateway)


@pytest.fixture
def strict(folder):
    gateway = make(folder, limit=4096, action="Reject")
    yield gateway
    end(gateway)


def hit(gateway, request_id, rule):
    def found():
        return [e for e in gateway.events if e.get("drun.request_id") == request_id and e.get("drun.action.name") == rule]
    return wait_for(found, f"a record of rule {rule}")[0]


def is_withheld(answer):
    return answer.status_code == 403 and "was withheld" in answer.text and "ORA-" not in answer.text


# ------------------------------------------------------------------ roles

@pytest.mark.parametrize("how", [{}, {"step": 1}, {"chunks": 7}, {"chunks": 7, "step": 3},
                                 {"headers": ("Content-Encoding: gzip",)}, {"headers": ("Content-Encoding: gzip",), "chunks": 5}])
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
def test_a_leak_of_identity_is_withheld_however_it_comes(walled, how, kind):
    body = f"<p>{LEAK}</p>".encode()
    if how.get("headers"):
        body = gzip.compress(body)
    walled.idp.say(body, kind=kind, **how)
    answer = walled.http("GET", "/session", headers={"X-Request-Id": "r1"})
    assert is_withheld(answer), answer.text
    assert answer.headers["content-type"] == "application/problem+json" and "content-encoding" not in answer.headers
    assert answer.json()["title"] == "answer_withheld"


def test_what_leaks_nothing_passes_as_it_came(walled):
    for how in ({}, {"step": 1}, {"chunks": 7}):
        walled.idp.say("x" * 300, kind="text/plain", headers=("X-Custom: yes", "ETag: W/\"1\""), **how)
        answer = walled.http("GET", "/session")
        assert answer.status_code == 200 and answer.text == "x" * 300
        assert answer.headers["x-custom"] == "yes" and answer.headers["etag"] == 'W/"1"'
    packed = gzip.compress(b"y" * 300)
    walled.idp.say(packed, headers=("Content-Encoding: gzip",))
    answer = walled.http("GET", "/session")
    assert answer.text == "y" * 300 and answer.headers["content-encoding"] == "gzip"
    walled.idp.say("", status="204 No Content")
    assert walled.http("GET", "/session").status_code == 204


def test_a_header_that_leaks_is_withheld_with_all_others(walled):
    walled.idp.say("fine", kind="image/png", headers=("X-Leak: header", "Location: /inner", "Set-Cookie: a=b"))
    for method in ("GET", "HEAD"):
        answer = walled.http(method, "/session")
        assert answer.status_code == 403 and not {"x-leak", "location", "set-cookie"} & set(answer.headers), answer.headers
    assert answer.text == ""


def test_http2_and_the_next_request_of_a_connection(walled):
    import httpx
    with httpx.Client(verify=walled.tls(), http2=True) as client:
        for _ in range(3):
            walled.idp.say(LEAK, kind="text/plain")
            assert is_withheld(client.get(f"https://127.0.0.1:{walled.port}/session"))
            walled.idp.say("fine", kind="text/plain")
            assert client.get(f"https://127.0.0.1:{walled.port}/session").text == "fine"


def test_objects_may_hold_anything_and_what_refuses_them_may_not(walled):
    walled.api.say({"kind": "ConfigMap", "data": {"log": LEAK}})
    assert walled.http("GET", "/api/v1/namespaces/a/configmaps/b").status_code == 200
    walled.api.say({"kind": "Status", "message": LEAK}, status="500 Internal Server Error")
    answer = walled.http("GET", "/api/v1/namespaces/a/configmaps/b")
    assert is_withheld(answer) and answer.json()["kind"] == "Status" and answer.json()["reason"] == "Forbidden"


def test_a_watch_is_not_held(walled):
    walled.api.say("{}\n" * 3, chunks=3, step=16, pause=0.2)
    assert walled.http("GET", "/api/v1/configmaps?watch=1").text == "{}\n" * 3


def test_which_answers_are_looked_at(walled):
    walled.idp.say(LEAK, kind="text/plain")
    assert walled.http("GET", "/session", headers={"X-Look": "errors"}).text == LEAK
    assert walled.http("GET", "/session", headers={"X-Look": "off"}).text == LEAK
    assert walled.http("GET", "/session", headers={"X-Look": "detect", "X-Request-Id": "seen"}).text == LEAK
    walled.idp.say(LEAK, kind="text/plain", status="500 Internal Server Error")
    for _ in range(3):  # the second time the request is known
        assert is_withheld(walled.http("GET", "/session", headers={"X-Look": "errors"}))
    walled.idp.say(LEAK, kind="image/svg+xml")
    assert walled.http("GET", "/session").status_code == 200


def test_the_beginning_of_a_long_answer_is_looked_at(walled):
    walled.idp.say(LEAK + "x" * 100000, kind="text/plain")
    assert is_withheld(walled.http("GET", "/session"))
    long = "x" * 100000 + LEAK
    for how in ({}, {"chunks": 999}):
        walled.idp.say(long, kind="text/plain", **how)
        assert walled.http("GET", "/session").text == long


def test_a_long_answer_may_be_refused(strict):
    strict.idp.say("x" * 100000, kind="text/plain")
    assert is_withheld(strict.http("GET", "/session"))
    strict.idp.say("x" * 4096, kind="text/plain")
    assert strict.http("GET", "/session").text == "x" * 4096


def test_half_an_answer_is_half_an_answer(walled):
    import httpx
    walled.idp.say("half", kind="text/plain", length=100, close=True)
    with pytest.raises(httpx.RemoteProtocolError):
        walled.http("GET", "/session")
    walled.idp.say(LEAK, kind="text/plain", length=1000, close=True)
    assert is_withheld(walled.http("GET", "/session"))


def test_the_last_phase_is_told_once(walled):
    walled.idp.say("short and stout", kind="text/plain", status="418 I'm a teapot")
    answer = walled.http("GET", "/session?q=seen")
    assert answer.status_code == 418
    wait_for(lambda: [e for e in walled.events if e.get("drun.action.name") == "102"], "the record of phase 5")
    assert len([e for e in walled.events if e.get("drun.action.name") == "103"]) == 1


# ------------------------------------------------------------------ engines

def test_prose_is_the_guards_and_the_rest_is_looked_at(walled):
    walled.engine.say({**FINE, "choices": [{"index": 0, "message": {"role": "assistant", "content": LEAK}, "finish_reason": "stop"}]})
    answer = walled.chat()
    assert answer.status_code == 200 and LEAK in answer.text
    walled.engine.say({**FINE, "system_fingerprint": LEAK}, step=11)
    answer = walled.chat(headers={"X-Request-Id": "leak-1"})
    assert is_withheld(answer) and answer.json()["error"]["code"] == "answer_withheld", answer.text
    assert answer.headers["x-request-id"] == "leak-1" and "leak-1" in answer.json()["error"]["message"]
    record = hit(walled, "leak-1", "101")
    assert record["drun.outcome"] == "denied" and record["drun.action.verb"] == "block" and record["user.name"] == "alice"
    assert record["drun.action.namespace"] == "team" and "RESPONSE_BODY" in record["drun.reason"], record
    call = wait_for(lambda: [e for e in walled.events if e.get("drun.request_id") == "leak-1" and e.get("drun.action.verb") == "invoke"],
                    "the call's record")[0]
    assert call["drun.reason"] == "the firewall withheld the answer" and call["drun.outcome"] == "denied"
    assert call["gen_ai.usage.input_tokens"] == 7 and call["gen_ai.usage.output_tokens"] == 3


def test_an_error_of_an_engine(walled):
    walled.engine.say(f"<html>{LEAK}</html>", kind="text/html", status="500 Internal Server Error")
    assert is_withheld(walled.chat())
    headers = {"anthropic-version": "2023-06-01"}
    body = {"model": "team/chat", "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]}
    answer = walled.http("POST", "/v1/messages", body, "alice", headers)
    assert is_withheld(answer) and answer.json()["type"] == "error", answer.text
    walled.engine.say({"error": {"message": "no such thing", "type": "x"}}, status="404 Not Found")
    assert walled.chat().json()["error"]["message"] == "no such thing"
    walled.engine.say(FINE)
    answer = walled.http("POST", "/v1/messages", body, "alice", headers)
    assert answer.json()["content"][0]["text"] == "Hello", answer.text


def test_a_stream_is_never_held(walled):
    event = b"data: " + json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": LEAK}}]}).encode() + b"\n\n"
    walled.engine.say(event + b"data: [DONE]\n\n", kind="text/event-stream", chunks=1000)
    answer = walled.chat(stream=True)
    assert answer.status_code == 200 and LEAK in answer.text
    walled.engine.say(event * 1000, kind="text/event-stream", chunks=len(event), step=len(event) + 8, pause=0.05,
                      headers=("X-Leak: header",))
    assert is_withheld(walled.chat(stream=True))
    assert walled.engine.gone.wait(30), "the engine still talks to nobody"
