# SPDX-License-Identifier: Apache-2.0
"""Attacks on the form of requests, against a running gateway: what has two readings is refused, and nobody behind sees it."""
import time

import pytest

from gateway_rig import Upstream, make_gateway
from raw import H2, connect, exchange, h2_headers, read_all, statuses

HEAD = "Host: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"


@pytest.fixture
def objects(folder):
    """A gateway whose api role is an nginx that says what it was asked."""
    upstream = Upstream(folder, {"api": folder / "api.sock"})
    gateway = make_gateway(folder, folder / "engine.sock", sockets={"api": str(folder / "api.sock")},
                           edge={"cors_origins": ["https://app.example.com"]}).start()
    yield gateway
    gateway.stop()
    upstream.stop()


def send(gateway, text, **more):
    return exchange(gateway.port, text.format(key=gateway.keys["alice"]).encode("latin-1"), **more)


def get(path, *headers, close=True):
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join(lines) + "\r\n\r\n"


def post(body, *headers):
    return "\r\n".join(["POST /api/v1/x HTTP/1.1", "Host: 127.0.0.1", *headers]) + "\r\n\r\n" + body


SMUGGLED = "GET /api/v1/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("request_text", [
    post("0\r\n\r\n" + SMUGGLED, "Content-Length: 5", "Transfer-Encoding: chunked"),
    post("0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked", "Content-Length: 5"),
    post("0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    post("0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: xchunked"),
    post("0\r\n\r\n" + SMUGGLED, "Transfer-Encoding : chunked"),
    post("0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked, identity"),
    post("0\r\n\r\n" + SMUGGLED, "Transfer-Encoding:\x0bchunked"),
    post("0\r\n\r\n" + SMUGGLED, "X: y\r\n Transfer-Encoding: chunked"),
    post("0\r\n\r\n" + SMUGGLED, "X: y\nTransfer-Encoding: chunked"),
    post("abcde" + SMUGGLED, "Content-Length: 5", "Content-Length: 6"),
    post("abcde" + SMUGGLED, "Content-Length: 5", "Content-Length: 5"),
    post("abcde" + SMUGGLED, "Content-Length: +5"),
    post("abcde" + SMUGGLED, "Content-Length: 5, 6"),
    post("abcde" + SMUGGLED, "Content-Length: 0x5"),
    post("5;x\nabcde\r\n0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked"),
    post("abcde" + SMUGGLED, "Content-Length: 5").replace("POST /api/v1/x HTTP/1.1\r\n", "POST /api/v1/x HTTP/1.1\n"),
    post("abcde" + SMUGGLED, "Content-Length: 5").replace("\r\n", "\n"),
])
def test_no_second_request_is_smuggled(objects, request_text):
    answer = send(objects, request_text)
    assert b"smuggled" not in answer, answer
    # A chunk that nginx reads and others would not is the last thing on its connection.
    assert statuses(answer) in ([400], [501], []) or (";x\n" in request_text and statuses(answer) == [200]), answer


@pytest.mark.parametrize("body", ["5\r\nabcde\r\n0\r\n\r\n", "5;name=value\r\nabcde\r\n0;last\r\n\r\n", "5\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n"])
def test_chunks_reach_a_role_with_a_length_of_our_own(objects, body):
    answer = send(objects, post(body, "Transfer-Encoding: chunked", "Connection: close"))
    assert statuses(answer) == [200] and b'"length":"5"' in answer, answer


@pytest.mark.parametrize("text, why", [
    (get("/api", "Authorization: Bearer a", "Authorization: Bearer b"), b"malformed"),  # nginx' own word
    (get("/api", "Content-Type: a/b", "Content-Type: c/d"), b"Content-Type is there twice"),
    (get("/api", "DPoP: a", "DPoP: b"), b"DPoP is there twice"),
    (get("/api", "Nothing"), b"no colon"),
    (get("/api").replace("\r\nConnection", "\nConnection"), b"CR LF"),
    (get("/api").replace("GET /api", "GET  /api"), b"METHOD TARGET VERSION"),
    (get("/api").replace("HTTP/1.1\r\n", "HTTP/1.1 \r\n"), b"METHOD TARGET VERSION"),
    (get("https://other.example/api"), b"another host"),
    (get("/api", "Upgrade: websocket", "Sec-WebSocket-Version: 13"), b"WebSocket"),
    (get("/v1/models", "Upgrade: websocket"), b"WebSocket"),
])
def test_what_has_two_readings_is_refused_with_its_reason(objects, text, why):
    answer = send(objects, text)
    assert statuses(answer) == [400] and why in answer, answer


def test_two_hosts_and_old_versions_are_refused(objects):
    assert statuses(send(objects, get("/api", "Host: other"))) == [400]
    assert statuses(send(objects, "GET /api HTTP/1.1\r\nConnection: close\r\n\r\n")) == [400]
    assert send(objects, "GET /api\r\n") == b""
    assert b"HTTP/1.1 2" not in send(objects, "GET /api HTTP/9.9\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("path", [
    "/api/../v1/models", "/api/./v1", "/api/%2e%2e/v1", "/api/.%2E/v1", "/api/v1/..", "//api", "/api//v1", "/api/v1%2Fsecrets",
    "/api/v1%2fsecrets", "/api/%5c..%5cv1", "/api/v1/%252e%252e/x", "/api/v1/%252fx", "/api/%00", "/api/v1/a%00b", "/api/%0d%0aX:y",
    "/api\\v1", "/api/#/x", "/api/\xe9", "/api/%zz", "/api/%7f",
])
def test_a_path_has_one_form(objects, path):
    assert statuses(send(objects, get(path))) == [400], path
    if path.isascii() and "\\" not in path and "#" not in path:
        assert H2(objects.port).status(h2_headers(path)) in (400, "reset", "closed"), path


@pytest.mark.parametrize("path", ["/api/v1/namespaces/a/configmaps/system%3Anode", "/api/v1/x?a=../b&c=%2F%00", "/api/v1/100%25",
                                  "/api/v1/...", "/api/v1/a.b..c", "/api/v1/x/"])
def test_good_paths_reach_their_role_as_they_are(objects, path):
    answer = send(objects, get(path))
    assert statuses(answer) == [200] and f'"uri":"{path}"'.encode() in answer, answer


def test_the_slash_of_a_model_may_be_encoded(objects):
    answer = send(objects, get("/v1/models/team%2Fchat", "Authorization: Bearer {key}"))
    assert statuses(answer) == [200] and b'"team/chat"' in answer


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "gzip, gzip", "x"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/x", "/oauth2/token"])
def test_compressed_bodies_are_not_taken(objects, path, encoding):
    text = post("x" * 5, "Content-Length: 5", f"Content-Encoding: {encoding}", "Connection: close").replace("/api/v1/x", path)
    assert statuses(send(objects, text)) == [415]
    text = text.replace(f"Content-Encoding: {encoding}", "Content-Encoding: identity")
    assert statuses(send(objects, text)) != [415]


def test_the_host_must_be_that_of_the_connection(objects):
    ask = "GET /api HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
    one = ask.format("one.example:8443")
    assert statuses(exchange(objects.port, one.encode(), name="one.example")) == [200]
    assert statuses(exchange(objects.port, ask.format("ONE.example").encode(), name="one.example")) == [200]
    assert statuses(exchange(objects.port, one.encode(), name="two.example")) == [421]
    assert statuses(exchange(objects.port, one.encode())) == [200]  # no name was given
    assert H2(objects.port, name="two.example").status(h2_headers("/api", "GET", "one.example")) == 421


def test_http2_has_no_headers_of_a_connection(objects):
    for name, value in (("connection", "close"), ("transfer-encoding", "chunked"), ("upgrade", "websocket"), ("te", "gzip"),
                        ("proxy-connection", "x"), ("host", "other")):
        assert H2(objects.port).status(h2_headers("/api", "GET", "127.0.0.1", (name, value))) in (400, "reset", "closed"), name
    for broken in ([(":method", "GET"), (":path", "/api")], h2_headers("/api") + [(":path", "/v1/models")],
                   h2_headers("/api", "GET", "127.0.0.1", ("X-Upper", "y")), h2_headers("/api", "GET", "127.0.0.1", ("x", "a\r\nb: c"))):
        assert H2(objects.port).status(broken) in (400, "reset", "closed"), broken
    assert H2(objects.port).status(h2_headers("/api")) == 200


SECURITY = (b"strict-transport-security:", b"x-content-type-options: nosniff")
PRIVATE = (b"x-frame-options: deny", b"referrer-policy: no-referrer", b"content-security-policy:")


@pytest.mark.parametrize("text, status", [
    (get("/v1/models"), 401), (get("/v1/nothing"), 404), (get("/api/../x"), 400), (get("/api", "Content-Encoding: gzip"), 415),
    (get("/nothing"), 404), (get("/" + "a" * 20000), 414), (get("/api", "X: " + "a" * 20000), 431), (get("/oauth2/token"), 503),
    (get("/.well-known/x"), 503), ("BAD\r\n\r\n", 400), (post("", "Content-Length: 99999999999"), 413), (get("/apis/limits.drun.io/v1/bans"), 401),
    (get("/apis/limits.drun.io/v1/bans").replace("GET", "TRACE"), 405), (get("/api").replace("HTTP/1.1\r\n", "HTTP/1.1\r\nTransfer-Encoding: x\r\n"), 501),
])
def test_every_answer_has_the_security_headers(objects, text, status):
    answer = send(objects, text).lower()
    assert statuses(answer.replace(b"http/1.1", b"HTTP/1.1")) == [status], answer
    head = answer.split(b"\r\n\r\n")[0]
    for header in SECURITY + PRIVATE:
        assert head.count(header.split(b":")[0] + b":") == 1 and header in head, (header, head)
    assert b"nginx/" not in answer


def preflight(origin, path="/v1/chat/completions"):
    return (f"OPTIONS {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n"
            "Access-Control-Request-Headers: authorization\r\nConnection: close\r\n\r\n")


def test_only_named_origins_may_call_from_pages(objects):
    answer = send(objects, preflight("https://app.example.com"))
    assert statuses(answer) == [204] and b"Access-Control-Allow-Origin: https://app.example.com\r\n" in answer
    assert b"Vary: Origin" in answer and b"Allow-Credentials" not in answer
    for origin in ("https://evil.example", "null", "https://app.example.com.evil.example", "http://app.example.com"):
        answer = send(objects, preflight(origin))
        assert statuses(answer) != [204] and b"Access-Control-Allow" not in answer, answer
    assert b"Access-Control-Allow" not in send(objects, preflight("https://app.example.com", "/api/v1/x"))
    answer = send(objects, get("/v1/models", "Origin: https://app.example.com", "Authorization: Bearer {key}"))
    assert statuses(answer) == [200] and b"Access-Control-Allow-Origin: https://app.example.com" in answer


def test_without_the_setting_no_origin_may(echo_gateway):
    answer = send(echo_gateway, get("/v1/models", "Origin: https://app.example.com", "Authorization: Bearer {key}"))
    assert statuses(answer) == [200] and b"Access-Control" not in answer


# ------------------------------------------------------------------ slow clients

def test_slow_headers_are_cut_off(objects):
    began = time.monotonic()
    with connect(objects.port, timeout=40) as sock:
        sock.sendall(b"GET /api HTTP/1.1\r\n")
        while time.monotonic() - began < 30:
            try:
                sock.sendall(b"X: y\r\n")
            except OSError:
                break
            time.sleep(0.5)
        assert time.monotonic() - began < 25


def test_a_slow_body_is_cut_off_though_bytes_come(objects):
    began = time.monotonic()
    with connect(objects.port, timeout=90) as sock:
        sock.sendall(b"POST /api/v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n")
        sock.settimeout(0.5)
        got = b""
        while time.monotonic() - began < 60:
            try:
                sock.sendall(b"x")
                piece = sock.recv(4096)
                if not piece:
                    break
                got += piece
            except TimeoutError:
                continue
            except OSError:
                break
    assert 15 < time.monotonic() - began < 50
    assert statuses(got) in ([408], [])


def test_a_mute_connection_is_cut_off(objects):
    import socket
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", objects.port), 40) as sock:
        assert sock.recv(1) == b""
    assert time.monotonic() - began < 30


def test_slow_clients_leave_room_for_others(objects):
    """slowhttptest: slow headers, slow bodies, slow readers; a quick client is served meanwhile."""
    import shutil
    import subprocess
    if not shutil.which("slowhttptest"):
        pytest.skip("slowhttptest is not installed")
    url = f"https://127.0.0.1:{objects.port}/api/v1/x"
    for mode in (["-H"], ["-B"], ["-X", "-w", "8", "-y", "16", "-n", "2", "-z", "8"]):
        attack = subprocess.Popen(["slowhttptest", *mode, "-c", "300", "-r", "100", "-i", "2", "-l", "8", "-p", "3", "-u", url],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        time.sleep(4)
        for _ in range(5):
            assert statuses(send(objects, get("/api/v1/x"))) == [200]
        attack.kill()
        attack.wait()


def test_a_stream_ends_when_its_time_is_over(folder):
    import socket
    import threading
    path = folder / "api.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o777)
    listener.listen()

    def speak():
        conn, _ = listener.accept()
        conn.recv(65536)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while True:
                conn.sendall(b'{"type":"BOOKMARK"}\n')
                time.sleep(0.2)
        except OSError:
            conn.close()

    threading.Thread(target=speak, daemon=True).start()
    gateway = make_gateway(folder, folder / "engine.sock", sockets={"api": str(path)}, edge={"answer_max_sec": 2}).start()
    try:
        began = time.monotonic()
        answer = send(gateway, get("/api/v1/pods?watch=true"), timeout=60)
        assert statuses(answer) == [200] and answer.count(b"BOOKMARK") > 3
        assert time.monotonic() - began < 30
    finally:
        gateway.stop()
        listener.close()
