# SPDX-License-Identifier: Apache-2.0
"""Where requests come from, and how many a source may send: real floods from the many addresses of the loopback network,
of which 127.0.0.1 alone is free of limits."""
import socket
import struct
import subprocess
import threading
import time

import pytest
from gateway_rig import free_port, make_gateway, wait_for
from raw import H2, connect, exchange, h2_headers, read_all, statuses

GET = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}Connection: close\r\n\r\n"
LIMITS = {"unlimited": ["127.0.0.1"], "requests_per_min": 600, "sign_ins_per_min": 60, "handshakes_per_min": 6000, "connections": 20,
          "network_times": 4, "ban_sec": 6}


@pytest.fixture
def make(folder):
    made = []

    def start(**edge):
        gateway = make_gateway(folder, folder / "engine.sock", edge={**LIMITS, **edge}, workers=2)
        made.append(gateway.start())
        return gateway

    yield start
    for gateway in made:
        gateway.stop()


def ask(gateway, source="127.0.0.1", path="/v1/models", more="", **extra):
    return exchange(gateway.port, GET.format(path=path, more=more).encode(), source=source, **extra)


def status(gateway, *args, **more):
    try:
        return (statuses(ask(gateway, *args, **more)) or [None])[0]
    except OSError:
        return None


def address_of(gateway, source, *headers, port=None, before=b""):
    """The address that a call is recorded with."""
    name = f"r{time.monotonic_ns()}"
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: x", f"X-Request-Id: {name}", "Content-Length: 0", "Connection: close", *headers]
    exchange(port or gateway.port, ("\r\n".join(lines) + "\r\n\r\n").encode(), source=source, before=before)
    return gateway.event(name)["client.address"]


# ------------------------------------------------------------------ the client's address

def test_a_forwarded_address_is_believed_from_trusted_proxies_alone(make):
    gateway = make(trusted_proxies=["127.0.9.0/24", "198.51.100.0/24"])
    forged = "X-Forwarded-For: 203.0.113.9"
    assert address_of(gateway, "127.0.9.1", forged) == "203.0.113.9"
    assert address_of(gateway, "127.0.8.1", forged) == "127.0.8.1"
    assert address_of(gateway, "127.0.9.1") == "127.0.9.1"
    # Of a list the last that is no proxy counts; what the client wrote before it does not.
    assert address_of(gateway, "127.0.9.1", "X-Forwarded-For: 10.9.9.9, 203.0.113.9, 198.51.100.7") == "203.0.113.9"
    assert address_of(gateway, "127.0.9.1", "X-Forwarded-For: 2001:db8::7") == "2001:db8::7"
    assert address_of(gateway, "127.0.9.1", "X-Forwarded-For: nonsense") == "127.0.9.1"
    for other in ("X-Real-IP", "CF-Connecting-IP", "Forwarded"):
        assert address_of(gateway, "127.0.9.1", f"{other}: 203.0.113.9") == "127.0.9.1"


def test_another_header_can_name_the_client(make):
    gateway = make(trusted_proxies=["127.0.9.1"], forwarded_header="CF-Connecting-IP")
    assert address_of(gateway, "127.0.9.1", "CF-Connecting-IP: 203.0.113.9", "X-Forwarded-For: 192.0.2.1") == "203.0.113.9"
    assert address_of(gateway, "127.0.8.1", "CF-Connecting-IP: 203.0.113.9") == "127.0.8.1"


def test_the_scope_of_a_key_sees_the_clients_address(make):
    gateway = make(trusted_proxies=["127.0.9.1"])
    key = f"Authorization: Bearer {gateway.keys['abroad']}\r\n"
    assert status(gateway, "127.0.9.1", more=key + "X-Forwarded-For: 192.0.2.77\r\n") == 200
    assert status(gateway, "127.0.9.1", more=key + "X-Forwarded-For: 203.0.113.9\r\n") == 403
    assert status(gateway, "127.0.8.1", more=key + "X-Forwarded-For: 192.0.2.77\r\n") == 403


def proxy_v2(source):
    packed = socket.inet_pton(socket.AF_INET, source) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 1234, 443)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11]) + struct.pack(">H", len(packed)) + packed


def test_the_proxy_protocol_is_spoken_where_it_is_asked_for(make):
    port = free_port()
    gateway = make(trusted_proxies=["127.0.9.0/24"], listen_proxy=f"127.0.0.1:{port}")
    v1 = b"PROXY TCP4 203.0.113.9 127.0.0.1 1234 443\r\n"
    assert address_of(gateway, "127.0.9.1", port=port, before=v1) == "203.0.113.9"
    assert address_of(gateway, "127.0.9.1", port=port, before=proxy_v2("203.0.113.10")) == "203.0.113.10"
    # A header says nothing there, and whoever is no proxy is refused, whatever it claims.
    assert address_of(gateway, "127.0.9.1", "X-Forwarded-For: 192.0.2.1", port=port, before=v1) == "203.0.113.9"
    answer = exchange(port, GET.format(path="/v1/models", more="").encode(), source="127.0.8.1", before=v1)
    assert statuses(answer) == [403]
    for broken in (b"", b"PROXY TCP4 x y 1 2\r\n", b"PROXY " + b"a" * 200 + b"\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"):
        try:
            assert statuses(exchange(port, GET.format(path="/v1/models", more="").encode(), source="127.0.9.1", before=broken)) in ([], [400])
        except OSError:
            pass
    # The ordinary listener takes no such line.
    with pytest.raises(OSError):
        connect(gateway.port, "127.0.9.1", before=v1).close()


# ------------------------------------------------------------------ limits

def flood(gateway, source, count, path="/v1/models", method="GET"):
    """Requests on one connection, some at a time; what became of them."""
    text = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode()
    got = b""
    with connect(gateway.port, source) as sock:
        try:
            for done in range(0, count, 50):
                batch = min(50, count - done)
                sock.sendall(text * batch)
                while len(statuses(got)) < done + batch:
                    piece = sock.recv(65536)
                    if not piece:
                        return statuses(got)
                    got += piece
        except OSError:
            pass
    return statuses(got)


def granted_in(limit, per_sec, seconds):
    """What a source may have been granted: its limit at once, and what drained meanwhile."""
    return limit + per_sec * seconds + 1


def test_an_address_gets_its_requests_and_no_more(make):
    gateway = make(ban_sec=0, requests_per_min=60)
    began = time.monotonic()
    answers = flood(gateway, "127.1.1.1", 100)
    assert 10 <= answers.count(401) <= granted_in(10, 1, time.monotonic() - began) and len(answers) == 100
    answer = wait_for(lambda: (lambda got: statuses(got) == [429] and got)(ask(gateway, "127.1.1.1")), "a refusal")
    assert b"Retry-After:" in answer and b'"code":"rate_limit_exceeded"' in answer
    wait_for(lambda: b'"Status"' in ask(gateway, "127.1.1.1", path="/api/v1/x"), "a refusal in the other form")
    # Others do not notice; whoever is free has no limit.
    assert status(gateway, "127.1.2.1") == 401
    assert flood(gateway, "127.0.0.1", 300).count(429) == 0
    wait_for(lambda: status(gateway, "127.1.1.1") == 401, "one more, a second later")


def test_a_network_gets_what_four_addresses_get(make):
    gateway = make(ban_sec=0)
    began = time.monotonic()
    granted = sum(flood(gateway, f"127.2.2.{host}", 101).count(401) for host in range(1, 11))
    assert 400 <= granted <= granted_in(400, 40, time.monotonic() - began)
    assert status(gateway, "127.2.3.1") == 401


def test_sign_ins_have_a_tighter_limit(make):
    gateway = make(ban_sec=0)
    began = time.monotonic()
    answers = flood(gateway, "127.3.3.3", 30, "/oauth2/token", "POST")
    assert 10 <= answers.count(503) <= granted_in(10, 1, time.monotonic() - began) and len(answers) == 30
    assert status(gateway, "127.3.3.3", path="/oauth2/jwks") == 503, "looking is no attempt"


def test_connections_of_one_address_have_a_limit_and_are_given_back(make):
    gateway = make(ban_sec=0)
    held = [socket.create_connection(("127.0.0.1", gateway.port), 5, ("127.4.4.4", 0)) for _ in range(60)]
    wait_for(lambda: sum(gone(s) for s in held) >= 40, "the closed connections")
    assert sum(not gone(s) for s in held) == 20
    assert status(gateway, "127.4.4.4") is None and status(gateway, "127.4.5.4") == 401
    for s in held:
        s.close()
    wait_for(lambda: status(gateway, "127.4.4.4") == 401, "room for a new connection")


def gone(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_handshakes_of_one_address_have_a_limit(make):
    gateway = make(ban_sec=0, handshakes_per_min=60)
    began = time.monotonic()
    answers = [status(gateway, "127.5.5.5") for _ in range(40)]
    assert 10 <= answers.count(401) <= granted_in(10, 1, time.monotonic() - began)
    assert answers.count(401) + answers.count(None) == 40
    assert status(gateway, "127.5.6.5") == 401


def test_bytes_of_one_address_have_a_limit(make):
    gateway = make(ban_sec=0, bytes_per_min=6_000)
    big = "X: " + "a" * 9000 + "\r\n"
    assert status(gateway, "127.6.6.6", more=big) == 401
    assert status(gateway, "127.6.6.6", more=big) == 429
    assert status(gateway, "127.6.7.6") == 401


# ------------------------------------------------------------------ bans

def test_who_goes_on_is_banned_for_a_while_and_no_one_else(make):
    gateway = make(ban_sec=20)
    deadline = time.monotonic() + 60
    while status(gateway, "127.7.7.7") is not None and time.monotonic() < deadline:
        flood(gateway, "127.7.7.7", 400)
    assert status(gateway, "127.7.7.7") is None
    assert status(gateway, "127.7.8.7") == 401 and status(gateway, "127.0.0.1") == 401
    wait_for(lambda: status(gateway, "127.7.7.7") in (401, 429), "the end of the ban", 60)


def test_a_client_behind_a_proxy_is_banned_without_the_proxy(make):
    gateway = make(trusted_proxies=["127.0.9.1"], ban_sec=60)

    def through(client, count=1):
        text = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n\r\n".encode()
        got = b""
        with connect(gateway.port, "127.0.9.1") as sock:
            for _ in range(count):
                sock.sendall(text)
                got += sock.recv(65536)
        return got

    deadline = time.monotonic() + 60
    while b'"code":"banned"' not in through("203.0.113.5", 200) and time.monotonic() < deadline:
        pass
    assert statuses(through("203.0.113.5")) == [429]
    assert statuses(through("203.0.114.6")) == [401]


# ------------------------------------------------------------------ floods of frames

def served(gateway):
    return status(gateway, "127.0.0.1") == 401


def test_a_rapid_reset_ends_with_the_connection(make):
    """Streams that are reset as soon as they are asked for (CVE-2023-44487) count like any other request."""
    gateway = make(ban_sec=60)
    streams = 0
    began = time.monotonic()
    while status(gateway, "127.8.8.8") is not None and time.monotonic() - began < 60:
        try:
            client = H2(gateway.port, source="127.8.8.8", timeout=5)
            while time.monotonic() - began < 60:
                for _ in range(100):
                    stream = client.ask(h2_headers("/v1/models"))
                    client.conn.reset_stream(stream, 8)
                    streams += 1
                client.flush()
                client.drain()
        except OSError:
            continue
    assert streams < 200000 and status(gateway, "127.8.8.8") is None
    assert served(gateway)


def raw_frames(gateway, frames, seconds=20):
    """Sends them until the gateway closes; False when it never did."""
    client = H2(gateway.port, timeout=2)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            client.sock.sendall(frames)
    except OSError:
        return True
    return False


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


@pytest.mark.parametrize("frames", [
    frame(4, 0, 0, struct.pack(">HI", 3, 100)) * 500,
    frame(6, 0, 0, b"12345678") * 500,
    frame(2, 0, 1, struct.pack(">IB", 0, 1)) * 500,
    frame(1, 0, 1, b"\x82") + frame(9, 0, 1, b"\x00\x01a\x01b") * 4000,
    frame(8, 0, 0, struct.pack(">I", 1)) * 500,
    frame(0xFE, 0, 0, b"x") * 500,
], ids=["settings", "ping", "priority", "continuation", "window", "unknown"])
def test_a_flood_of_frames_costs_its_connection_alone(make, frames):
    gateway = make()
    began = time.monotonic()
    closed = raw_frames(gateway, frames, 8)
    assert served(gateway)
    assert closed or time.monotonic() - began >= 8


def test_h2load_of_one_source_leaves_others_their_answers(make):
    gateway = make()
    attack = subprocess.Popen(["h2load", "-n", "200000", "-c", "10", "-m", "100", "-t", "1", f"https://127.0.0.1:{gateway.port}/v1/models"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        worst = 0
        for _ in range(30):
            began = time.monotonic()
            assert served(gateway)
            worst = max(worst, time.monotonic() - began)
        assert worst < 10
    finally:
        attack.kill()
        attack.wait()


def test_a_flood_from_many_networks_tightens_the_limits_and_is_over(make):
    """Each source is within its limit, all together are many times what is usual."""
    gateway = make(requests_per_min=60000, handshakes_per_min=0, connections=0, ban_sec=0, network_times=0)
    stop = threading.Event()
    refused = threading.Event()

    def one(number):
        while not stop.is_set():
            if 429 in flood(gateway, f"127.{100 + number}.1.1", 200):
                refused.set()

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert refused.wait(40), "the limits were never tightened"
        assert served(gateway)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


# ------------------------------------------------------------------ browsers in a flood

PAGE = "Accept: text/html,*/*\r\n"


def work(answer):
    """What the page's script does."""
    import hashlib
    import re
    token, epoch = re.search(rb'data-token="(\w+)" data-epoch="(\d+)"', answer).groups()
    number = 0
    while True:
        digest = hashlib.sha256(token + b":%d" % number).digest()
        if digest[0] == 0 and digest[1] >> 2 == 0:
            return f"Cookie: a=b; __Host-drun-check={epoch.decode()}.{number}\r\n"
        number += 1


@pytest.fixture
def flooded(make, folder):
    console = folder / "console"
    console.mkdir()
    (console / "index.html").write_text("<title>console</title>")
    gateway = make_gateway(folder, folder / "engine.sock", edge={**LIMITS, "ban_sec": 0}, workers=1, console_root=str(console)).start()
    counting = threading.Thread(target=gateway.fixture, args=("flood", "40000"), daemon=True)
    counting.start()
    wait_for(lambda: b"drun-check" in ask(gateway, "127.9.9.9", "/", PAGE), "the flood to be met")
    yield gateway
    counting.join()
    gateway.stop()


def test_in_a_flood_a_browser_works_for_its_page(flooded):
    answer = ask(flooded, "127.9.1.1", "/", PAGE)
    assert statuses(answer) == [503] and b"script-src 'sha256-" in answer and b"no-store" in answer
    assert answer.lower().count(b"content-security-policy:") == 1
    cookie = work(answer)
    answer = ask(flooded, "127.9.1.1", "/", PAGE + cookie)
    assert statuses(answer) == [200] and b"<title>console" in answer
    # It is of that address, and of no other; and not of any number.
    assert statuses(ask(flooded, "127.9.2.1", "/", PAGE + cookie)) == [503]
    assert statuses(ask(flooded, "127.9.1.1", "/", PAGE + "Cookie: __Host-drun-check=1.1\r\n")) == [503]
    # Programs are not asked; nor is who has no limits.
    assert statuses(ask(flooded, "127.9.1.1", "/v1/models")) == [401]
    assert statuses(ask(flooded, "127.0.0.1", "/", PAGE)) == [200]


def test_a_browser_does_the_work_by_itself(flooded):
    sync_api = pytest.importorskip("playwright.sync_api")
    import shutil
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("chromium is not installed")
    spec = flooded.spec["conf"]["edge"]
    spec["unlimited"] = []  # a browser comes from 127.0.0.1
    flooded.reload()
    wait_for(lambda: b"drun-check" in ask(flooded, "127.0.0.1", "/", PAGE), "the new configuration")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(ignore_https_errors=True)
        page.goto(f"https://127.0.0.1:{flooded.port}/")
        page.wait_for_function("document.title === 'console'", timeout=60000)
        browser.close()


def test_the_challenge_is_over_with_the_flood(flooded):
    wait_for(lambda: statuses(ask(flooded, "127.9.9.9", "/", PAGE)) == [200], "the end of the flood", 90)
