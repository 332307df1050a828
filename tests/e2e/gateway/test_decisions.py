# SPDX-License-Identifier: Apache-2.0
"""Who may call what, limits, and what is refused. The engine is an nginx that says what it was asked."""
import concurrent.futures
import json
import os
import signal
import socket
import ssl
import subprocess
import time

import pytest
from conftest import AS_USER, NGINX, Upstream, make_gateway, wait_for


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
        os.kill(g.pid, signal.SIGHUP)
        for w in work:
            w.result()
    assert len(codes) > 20 and set(codes) == {200}


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
