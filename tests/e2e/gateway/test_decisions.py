# SPDX-License-Identifier: Apache-2.0
"""Who may call what, limits, and what is refused. The engine is an nginx that says what it was asked."""
import concurrent.futures
import json
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time

import pytest
from gateway_rig import AS_USER, NGINX, Upstream, make_gateway, wait_for


def error(response, status, code):
    assert response.status_code == status, response.text
    body = response.json()["error"]
    assert body["code"] == code, body
    assert set(body) == {"message", "type", "param", "code"}
    return body


def test_without_a_good_key_nothing_is_read(echo_gateway):
    g = echo_gateway
    response = g.chat(key=None)
    error(response, 401, "invalid_api_key")
    assert response.headers["www-authenticate"] == "Bearer"
    for key in ("sk-drun-nonsense", "-", g.keys["alice"][:-1] + "!", "off", "old"):
        error(g.chat(key=key), 401, "invalid_api_key")
    error(g.chat(key="abroad"), 403, "permission_denied")
    error(g.http("GET", "/v1/models", key="abroad"), 403, "permission_denied")
    error(g.http("GET", "/v1/models", key="old"), 401, "invalid_api_key")
    error(g.chat(key="reader"), 403, "permission_denied")


def test_unknown_and_foreign_models_look_the_same(echo_gateway):
    g = echo_gateway

    def answer(key, model):
        response = g.chat(key=key, model=model)
        error(response, 404, "model_not_found")
        return response.text.replace(model, "NAME")

    texts = {answer("alice", "other/theirs"), answer("alice", "other/nothing"), answer("alice", "nowhere/x"),
             answer("narrow", "team/chat"), answer("bob", "team/chat"), answer("bob", "chat")}
    assert len(texts) == 1


def test_a_bad_request_names_its_parameter(echo_gateway):
    g = echo_gateway
    body = error(g.chat(messages=[{"role": "user", "content": "x"}, {"role": "boss"}]), 400, "invalid_value")
    assert body["param"] == "messages[1].role"
    assert error(g.chat(temperature=3), 400, "number_above_max_value")["param"] == "temperature"
    twice = '{"model":"team/chat","model":"other/theirs","messages":[]}'
    error(g.http("POST", "/v1/chat/completions", twice, "alice", {"Content-Type": "application/json"}), 400,
          "duplicate_parameter")
    error(g.http("POST", "/v1/chat/completions", "{", "alice"), 400, "invalid_json")
    error(g.http("POST", "/v1/chat/completions", "", "alice"), 400, "invalid_json")
    error(g.http("POST", "/v1/chat/completions", "{}", "alice", {"Content-Type": "text/plain"}), 415,
          "unsupported_media_type")
    error(g.http("GET", "/v1/chat/completions", key="alice"), 405, "method_not_allowed")
    error(g.http("GET", "/v1/nothing", key="alice"), 404, "unknown_url")


def test_large_bodies_are_refused(echo_gateway):
    g = echo_gateway
    error(g.chat(model="team/small", messages=[{"role": "user", "content": "x" * 3000}]), 413, "request_too_large")
    assert g.chat(messages=[{"role": "user", "content": "x" * 2000000}]).status_code == 200
    error(g.chat(messages=[{"role": "user", "content": "x" * 9000000}]), 413, "request_too_large")


def test_the_engine_learns_nothing_of_the_caller(echo_gateway):
    g = echo_gateway
    said = g.chat(headers={"Cookie": "a=b", "X-Custom": "1", "X-Forwarded-For": "1.2.3.4"}).json()
    assert said["owner"] == "engine" and said["uri"] == "/v1/chat/completions"
    assert said["authorization"] == said["cookie"] == said["xff"] == said["custom"] == ""


def test_chunked_and_http2_bodies_are_read(echo_gateway):
    g = echo_gateway
    body = json.dumps({"model": "team/chat", "messages": [{"role": "user", "content": "x" * 100000}]}).encode()

    def pieces():
        for i in range(0, len(body), 7000):
            yield body[i:i + 7000]

    for http2 in (False, True):
        response = g.http("POST", "/v1/chat/completions", pieces(), "alice", {"Content-Type": "application/json"}, http2)
        assert response.status_code == 200, response.text
        assert response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        # The model's name was changed for the engine's: seven bytes more than ours.
        assert int(response.json()["length"]) == len(body) + len("engine-model") - len("team/chat")


def test_an_engine_that_is_not_there_can_be_tried_again(echo_gateway):
    g = echo_gateway
    response = g.chat(model="team/starting")
    error(response, 503, "model_not_ready")
    assert response.headers["retry-after"] == "5"
    response = g.chat(model="team/away")
    error(response, 502, "engine_failed")
    assert int(response.headers["retry-after"]) > 0
    request_id = response.headers["x-request-id"]
    event = g.event(request_id)
    assert event["drun.outcome"] == "failure" and event["http.response.status_code"] == 502
    assert event["drun.action.name"] == "away"


def test_requests_are_limited(echo_gateway):
    g = echo_gateway
    left = [g.chat("few").headers["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    response = g.chat("few")
    body = error(response, 429, "rate_limit_exceeded")
    assert body["type"] == "requests"
    assert 1 <= int(response.headers["retry-after"]) <= 20
    assert response.headers["x-ratelimit-limit-requests"] == "3"
    assert response.headers["x-ratelimit-reset-requests"].endswith("s")
    assert g.event(response.headers["x-request-id"])["drun.outcome"] == "denied"
    assert g.chat("alice").status_code == 200


def test_tokens_are_limited_and_settled(echo_gateway):
    g = echo_gateway
    # The engine tells no usage: an estimate is settled, far below the 400 that are reserved.
    for _ in range(3):
        assert g.chat("poor", max_tokens=400).status_code == 200
    body = error(g.chat("poor", max_tokens=600), 429, "rate_limit_exceeded")
    assert body["type"] == "tokens" and "shorten" in body["message"]


def test_no_limit_is_overrun_by_many_at_once(folder):
    upstream = Upstream(folder, {"engine": folder / "engine.sock"})
    g = make_gateway(folder, folder / "engine.sock", workers=2)
    g.spec["namespaces"][0]["requests_per_min"] = 40
    g.start()
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: g.chat().status_code, range(120)))
    granted = codes.count(200)
    assert set(codes) == {200, 429}
    assert 40 <= granted <= 40 + 40 * (time.monotonic() - start) / 60 + 1
    g.stop()
    upstream.stop()


def test_new_snapshots_count_at_once(echo_gateway):
    g = echo_gateway
    assert g.chat("alice").status_code == 200
    g.spec["keys"][0]["disabled"] = True
    g.publish()
    error(g.chat("alice"), 401, "invalid_api_key")
    g.spec["keys"][0]["disabled"] = False
    g.spec["rbac"] = g.spec["rbac"][2:]
    g.publish()
    error(g.chat("alice"), 404, "model_not_found")


def test_each_call_leaves_one_record(echo_gateway):
    g = echo_gateway
    ids = [g.chat(key).headers["x-request-id"] for key in ("alice", "bob", "off", None, "abroad")]
    outcomes = [g.event(i)["drun.outcome"] for i in ids]
    assert outcomes == ["success", "denied", "denied", "denied", "denied"]
    assert g.keys["alice"] not in json.dumps(g.events)


def test_a_reload_loses_no_call(echo_gateway):
    g = echo_gateway
    stop = time.monotonic() + 2
    codes = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        work = [pool.submit(lambda: [codes.append(g.chat().status_code) for _ in iter(lambda: time.monotonic() < stop, False)])
                for _ in range(4)]
        time.sleep(0.5)
        g.reload()
        for w in work:
            w.result()
    assert len(codes) > 4 and set(codes) == {200}


# ---------------------------------------------------------------- the listener

def test_only_tls_1_3_is_spoken(echo_gateway):
    old = echo_gateway.tls()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", echo_gateway.port)) as s, pytest.raises(ssl.SSLError):
        old.wrap_socket(s, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", echo_gateway.port)) as s:
        assert echo_gateway.tls().wrap_socket(s, server_hostname="127.0.0.1").version() == "TLSv1.3"


def test_a_listening_socket_is_inherited(folder):
    upstream = Upstream(folder, {"engine": folder / "engine.sock"})
    g = make_gateway(folder, folder / "engine.sock")
    g.spec["conf"]["rings"] = False
    g.publish()
    conf = g.write_conf()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", g.port))
        listener.listen(128)
        fd = listener.fileno()
        process = subprocess.Popen([NGINX, "-p", folder / "run", "-c", conf], pass_fds=[fd],
                                   env={"NGINX": f"{fd};"}, **AS_USER)
    try:
        # The socket was listening before nginx ran, so nobody is turned away.
        assert g.chat().status_code == 200
    finally:
        process.terminate()
        assert process.wait(10) == 0
        upstream.stop()


OWNERS = {
    "/api/v1/namespaces/a/configmaps": "api",
    "/apis": "api",
    "/openapi/v3": "api",
    "/version": "api",
    "/apis/rbac.authorization.k8s.io/v1/roles": "api",
    "/apis/drun.io/v1/namespaces/a/modelservices/users": "api",
    "/api/v1/secrets": "secrets",
    "/api/v1/namespaces/a/secrets/b": "secrets",
    "/api/v1/namespaces/a/%73ecrets/b": "secrets",
    "/api/v1/namespaces/secrets/configmaps": "api",
    "/apis/drun.io/v1/users": "idp",
    "/apis/drun.io/v1/namespaces/a/apikeys/b": "idp",
    "/apis/drun.io/v1/usersx": "api",
    "/api/v1/namespaces/a/serviceaccounts/b/token": "idp",
    "/api/v1/namespaces/a/serviceaccounts/b": "api",
    "/oauth2/token": "idp",
    "/.well-known/openid-configuration": "idp",
    "/apis/drun.io/v1/controls": "posture",
    "/apis/audit.drun.io/v1/events": "audit",
}


@pytest.fixture
def whole_gateway(folder):
    sockets = {name: folder / f"{name}.sock" for name in ("api", "idp", "secrets", "audit", "posture")}
    upstream = Upstream(folder, sockets)
    console = folder / "console"
    (console / "assets").mkdir(parents=True)
    (console / "index.html").write_text("<!doctype html><title>console</title>")
    (console / "assets/app.js").write_text("1;")
    g = make_gateway(folder, folder / "engine.sock", console_root=str(console),
                     sockets={k: str(v) for k, v in sockets.items()}).start()
    yield g
    g.stop()
    upstream.stop()


def test_each_path_goes_to_its_owner(whole_gateway):
    for path, owner in OWNERS.items():
        said = whole_gateway.http("GET", path, headers={
            "Authorization": "Bearer x", "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher"}).json()
        assert (path, said["owner"]) == (path, owner)
        assert said["uri"] == path
        assert said["authorization"] == "Bearer x"
        assert said["xff"] == "127.0.0.1" and said["proto"] == "https"


def test_the_console_is_served_under_a_strict_policy(whole_gateway):
    for path in ("/", "/pods/some/deep/link"):
        response = whole_gateway.http("GET", path)
        assert response.status_code == 200 and "console" in response.text
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert response.headers["x-frame-options"] == "DENY"
        assert "max-age=" in response.headers["strict-transport-security"]
        assert response.headers["server"] == "nginx"
    script = whole_gateway.http("GET", "/assets/app.js")
    assert script.headers["content-type"].startswith("text/javascript") and "immutable" in script.headers["cache-control"]
    assert whole_gateway.http("GET", "/assets/none.js").status_code == 404
    assert whole_gateway.http("POST", "/", "x").status_code == 403


def test_an_owner_that_is_away_is_told_as_kubernetes_does(echo_gateway):
    response = echo_gateway.http("GET", "/api/v1/namespaces")
    assert response.status_code == 503 and response.json()["reason"] == "ServiceUnavailable"
    assert response.headers["retry-after"] == "1"


# ------------------------------------------------------------------ calls at the same time

class SlowEngine(socketserver.ThreadingUnixStreamServer):
    """An engine that answers a call when it is told to; `waiting` has an event for each call."""
    daemon_threads = True
    request_queue_size = 64

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            told = threading.Event()
            self.server.waiting.append(told)
            told.wait(60)
            body = b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}'
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                             b"Connection: close\r\n\r\n" % len(body) + body)

    def __init__(self, path):
        self.waiting = []
        super().__init__(str(path), self.Handler)
        os.chmod(path, 0o666)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass  # the caller went away

    def answer_one(self):
        self.waiting.pop(0).set()

    def stop(self):
        for told in self.waiting:
            told.set()
        self.shutdown()
        self.server_close()


@pytest.fixture
def slow(folder):
    engine = SlowEngine(folder / "engine.sock")
    gateway = make_gateway(folder, folder / "engine.sock", workers=2)
    gateway.engine = engine
    yield gateway
    gateway.stop()
    engine.stop()


def begin_calls(g, pool, count, **more):
    """`count` calls that have reached the engine and stay there."""
    before = len(g.engine.waiting)
    calls = [pool.submit(g.chat, **more) for _ in range(count)]
    wait_for(lambda: len(g.engine.waiting) == before + count or any(call.done() for call in calls), "the calls at the engine")
    assert not any(call.done() for call in calls), [call.result().text for call in calls if call.done()] + [g.log()]
    return calls


def wait_until_granted(g, pool, **more):
    """A place becomes free a moment after its call has ended; then a call goes through."""
    def granted():
        call = pool.submit(g.chat, **more)
        before = len(g.engine.waiting)
        wait_for(lambda: call.done() or len(g.engine.waiting) > before, "an answer or the engine")
        return not call.done() and call
    return wait_for(granted, "a place")


@pytest.mark.parametrize("whose", ["API key", "namespace", "model"])
def test_calls_at_the_same_time_are_limited(slow, whose):
    g = slow
    {"API key": g.spec["keys"][0], "namespace": g.spec["namespaces"][0], "model": g.spec["routes"][0]}[whose]["concurrent"] = 2
    g.start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = begin_calls(g, pool, 2)
        for _ in range(6):
            answer = g.chat()
            body = error(answer, 429, "rate_limit_exceeded")
            assert f"The {whose}'s limit of 2 requests at the same time" in body["message"] and body["type"] == "requests"
            assert int(answer.headers["retry-after"]) >= 1
        g.engine.answer_one()
        wait_for(lambda: any(call.done() for call in calls), "the end of a call")
        third = wait_until_granted(g, pool)
        error(g.chat(), 429, "rate_limit_exceeded")
        g.engine.answer_one()
        g.engine.answer_one()
        assert [call.result().status_code for call in [*calls, third]] == [200] * 3


def test_a_client_that_goes_away_leaves_its_place(slow):
    g = slow
    g.spec["routes"][0]["concurrent"] = 1
    g.start()
    body = json.dumps({"model": "team/chat", "messages": [{"role": "user", "content": "x"}]}).encode()
    client = g.tls().wrap_socket(socket.create_connection(("127.0.0.1", g.port)), server_hostname="127.0.0.1")
    client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   b"Authorization: Bearer " + g.keys["alice"].encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    wait_for(lambda: g.engine.waiting, "the call at the engine")
    error(g.chat(), 429, "rate_limit_exceeded")
    client.close()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        call = wait_until_granted(g, pool)
        g.engine.answer_one()
        g.engine.answer_one()
        assert call.result().status_code == 200


def test_a_worker_that_dies_leaves_its_places(slow):
    g = slow
    g.spec["routes"][0]["concurrent"] = 2
    g.start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        begin_calls(g, pool, 2)
        error(g.chat(), 429, "rate_limit_exceeded")
        workers = subprocess.run(["pgrep", "-P", str(g.pid)], capture_output=True, text=True).stdout.split()
        assert len(workers) == 2
        for worker in workers:
            os.kill(int(worker), signal.SIGKILL)
        g.engine.waiting.clear()

        def served():
            try:
                return begin_calls(g, pool, 2)
            except Exception:
                while g.engine.waiting:
                    g.engine.answer_one()
                return None
        wait_for(g.answers, "the gateway")
        calls = wait_for(served, "both places")
        error(g.chat(), 429, "rate_limit_exceeded")
        g.engine.answer_one()
        g.engine.answer_one()
        assert [call.result().status_code for call in calls] == [200, 200]


# ------------------------------------------------------------------ a log that takes no more

@pytest.mark.parametrize("drop", [False, True])
def test_when_the_log_is_full_the_policy_decides(folder, drop):
    upstream = Upstream(folder, {"engine": folder / "engine.sock"})
    g = make_gateway(folder, folder / "engine.sock", workers=1, ring_bytes=64 * 1024, audit_drop=drop).start()
    assert g.chat().status_code == 200
    os.kill(g.process.pid, signal.SIGSTOP)  # who reads the ring; nginx goes on
    try:
        codes = [g.chat().status_code for _ in range(400)]
        if drop:
            assert codes == [200] * 400
        else:
            first = codes.index(503)
            assert first > 20 and set(codes[:first]) == {200} and set(codes[first:]) == {503}
            body = error(g.chat(), 503, "audit_unavailable")
            assert "audit log" in body["message"]
    finally:
        os.kill(g.process.pid, signal.SIGCONT)
    wait_for(lambda: g.chat().status_code == 200, "calls after the log is read again")
    served = 1 + codes.count(200)
    recorded = [e for e in g.events if e["drun.outcome"] == "success"]
    if not drop:
        wait_for(lambda: len([e for e in g.events if e["drun.outcome"] == "success"]) >= served, "every served call in the log")
    else:
        assert len(recorded) < served
    g.stop()
    upstream.stop()


# ------------------------------------------------------------------ what nginx refuses by itself

def raw(g, request, tls=True):
    """Status, headers and body of what comes back to these bytes."""
    sock = socket.create_connection(("127.0.0.1", g.port), 10)
    if tls:
        sock = g.tls().wrap_socket(sock, server_hostname="127.0.0.1")
    sock.sendall(request)
    answer = b""
    while chunk := sock.recv(65536):
        answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


EARLY = {
    "a bad header": (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400, True),
    "no host": (b"GET /api HTTP/1.1\r\n\r\n", 400, True),
    "no request at all": (b"nonsense\r\n\r\n", 400, True),
    "a long path": (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, True),
    "long headers": (b"GET /api HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 17000 + b"\r\n\r\n", 431, True),
    "a large body": (b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", 413, True),
    "no TLS": (b"GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, False),
    "a method that is none": (b"TRACE /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405, True),
    "a version that is none": (b"GET /api HTTP/9.1\r\nHost: x\r\n\r\n", 505, True),
}


@pytest.mark.parametrize("what", EARLY)
def test_an_early_error_is_one_of_ours(echo_gateway, what):
    request, wanted, tls = EARLY[what]
    status, headers, body = raw(echo_gateway, request, tls)
    assert status == wanted, body
    assert headers["content-type"] in ("application/json", "application/problem+json"), body
    assert headers["strict-transport-security"].startswith("max-age=") and headers["x-content-type-options"] == "nosniff"
    said = json.loads(body)
    if headers["content-type"] == "application/problem+json":
        assert said["status"] == wanted and said["title"] and said["detail"]
    elif "error" in said:
        assert said["error"]["code"] and said["error"]["message"]
    else:
        assert said["kind"] == "Status" and said["code"] == wanted and said["message"]
    assert b"nginx" not in body.lower() and "nginx" not in json.dumps(headers).lower().replace('"server": "nginx"', "")


def test_early_errors_have_the_form_of_their_api(echo_gateway):
    bad = b"\r\nHost: x\r\nX: " + b"a" * 17000 + b"\r\n\r\n"
    assert "error" in json.loads(raw(echo_gateway, b"POST /v1/chat/completions HTTP/1.1" + bad)[2])
    assert json.loads(raw(echo_gateway, b"GET /apis/x HTTP/1.1" + bad)[2])["kind"] == "Status"
    assert raw(echo_gateway, b"GET /elsewhere HTTP/1.1" + bad)[1]["content-type"] == "application/problem+json"
