# SPDX-License-Identifier: Apache-2.0
"""A connection is read without asking again for what is not there (src/gateway/module/tls.c), and still nothing that came
is left lying: TLS records in every form that they can come in, each request answered at once."""
import json
import random
import re
import socket
import ssl
import subprocess
import time

import pytest

AT_ONCE_SEC = 3
TEXT = '{"model":"team/chat","messages":[{"role":"user","content":"%s"}]}'
# What OpenSSL asks a socket for, and what TLS 1.3 adds to a record (RFC 8446, section 5.2).
READ_AHEAD = 16709
RECORD_ADDS = 5 + 1 + 16
# The engine's name of the model takes the place of the route's.
ENGINE_MODEL = len("engine-model") - len("team/chat")


class Records:
    """A client that says itself which bytes of its TLS records go out together."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.plain = socket.create_connection(("127.0.0.1", gateway.port), AT_ONCE_SEC)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = gateway.tls().wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.got = b""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.plain.sendall(self.outgoing.read())
                self.incoming.write(self.plain.recv(65536))
        self.plain.sendall(self.outgoing.read())
        # From the first call on the connection is read in our way.
        self.send(self.record(self.request(10)))
        assert self.answer() == 10

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.plain.close()

    def request(self, length):
        """A call whose text has so many letters."""
        body = TEXT % ("x" * length)
        return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.gateway.keys['alice']}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()

    def record(self, plain):
        self.tls.write(plain)
        return self.outgoing.read()

    def records(self, plain, size):
        return b"".join(self.record(plain[at:at + size]) for at in range(0, len(plain), size))

    def send(self, *pieces):
        for i, piece in enumerate(pieces):
            if i:
                time.sleep(0.002)
            self.plain.sendall(piece)

    def more(self):
        """False at the end."""
        while True:
            try:
                piece = self.tls.read(65536)
                self.got += piece
                return bool(piece)
            except ssl.SSLWantReadError:
                raw = self.plain.recv(65536)
                self.incoming.write(raw) if raw else self.incoming.write_eof()
            except ssl.SSLEOFError:
                return False

    def answer(self):
        """How many letters the engine got, as the next answer says."""
        while b"\r\n\r\n" not in self.got:
            assert self.more(), "the connection was closed"
        head, _, rest = self.got.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(rest) < length:
            assert self.more(), "the connection was closed"
            rest = self.got.partition(b"\r\n\r\n")[2]
        self.got = rest[length:]
        assert head.startswith(b"HTTP/1.1 200 "), head + rest
        return int(json.loads(rest[:length])["length"]) - len(TEXT % "") - ENGINE_MODEL


@pytest.fixture
def wire(echo_gateway):
    with Records(echo_gateway) as records:
        yield records


def test_a_record_that_is_cut_anywhere(wire):
    lots = random.Random(7)
    for _ in range(150):
        length = lots.choice([0, 1, 500, 1500, 5000, 20000])
        raw = wire.record(wire.request(length))
        cuts = sorted(lots.randrange(1, len(raw)) for _ in range(lots.randrange(1, 4)))
        wire.send(*(raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)])))
        assert wire.answer() == length


@pytest.mark.parametrize("size", [3, 100, 1000, 4096, 16384])
def test_many_records_at_once(wire, size):
    for length in (0, 700, 3000, 16384, 40000):
        wire.send(wire.records(wire.request(length), size))
        assert wire.answer() == length


def test_records_that_fill_what_is_read_ahead(wire):
    """What comes behind a read that got all it had asked for is there already, and no event will tell of it."""
    spare = len(wire.request(10000)) - 10000
    for total in range(READ_AHEAD - 40, READ_AHEAD + 40):
        # Headers and body are a record each, of so many bytes together, and a second call follows at once.
        length = total - 2 * RECORD_ADDS - spare
        one, two = wire.request(length), wire.request(total % 50)
        cut = one.index(b"\r\n\r\n") + 4
        wire.send(wire.record(one[:cut]) + wire.record(one[cut:]) + wire.record(two))
        assert wire.answer() == length and wire.answer() == total % 50


def test_calls_that_come_together(wire):
    one, two, three = (wire.request(length) for length in (30, 2000, 7))
    wire.send(wire.record(one + two + three))
    assert [wire.answer() for _ in range(3)] == [30, 2000, 7]
    wire.send(wire.record(one) + wire.record(two) + wire.record(three))
    assert [wire.answer() for _ in range(3)] == [30, 2000, 7]
    wire.send(wire.record(one + two[:100]), wire.record(two[100:] + three[:5]), wire.record(three[5:]))
    assert [wire.answer() for _ in range(3)] == [30, 2000, 7]
    raw = wire.record(one) + wire.record(two)
    wire.send(raw[:-20])
    assert wire.answer() == 30
    wire.send(raw[-20:])
    assert wire.answer() == 2000


def test_keys_change_between_calls(wire):
    """openssl's own client, as Python's ssl cannot change the keys of a connection."""
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{wire.gateway.port}", "-tls1_3", "-crlf"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = b""
    try:
        for turn in range(4):
            if turn:
                client.stdin.write(b"K\n" if turn % 2 else b"k\n")
                client.stdin.flush()
                time.sleep(0.3)
            client.stdin.write(wire.request(20 + turn).replace(b"\r\n", b"\n"))
            client.stdin.flush()
            deadline = time.monotonic() + AT_ONCE_SEC
            while said.count(b'"owner":"engine"') <= turn:
                assert time.monotonic() < deadline, said
                said += client.stdout.read1(65536)
        assert said.count(b"KEYUPDATE") == 3, said
    finally:
        client.kill()
        client.wait()


def ends(wire):
    began = time.monotonic()
    try:
        while wire.more():
            pass
    except (ConnectionError, ssl.SSLError):
        pass
    return time.monotonic() - began < AT_ONCE_SEC


def test_a_goodbye_is_heard(wire):
    wire.send(wire.record(wire.request(10)))
    assert wire.answer() == 10
    try:
        wire.tls.unwrap()
    except ssl.SSLWantReadError:
        pass
    wire.send(wire.outgoing.read())
    assert ends(wire)


def test_an_end_without_a_goodbye_is_heard(wire):
    wire.plain.shutdown(socket.SHUT_WR)
    assert ends(wire)


@pytest.mark.parametrize("together", [True, False])
def test_a_forged_record_ends_the_connection(wire, together):
    good, forged = wire.record(wire.request(10)), bytearray(wire.record(wire.request(10)))
    forged[40] ^= 1
    if together:
        wire.send(good + forged)
    else:
        wire.send(good)
        assert wire.answer() == 10
        wire.send(forged)
    assert ends(wire)
    with Records(wire.gateway) as other:
        other.send(other.record(other.request(33)))
        assert other.answer() == 33
    assert "stale" not in wire.gateway.log()
