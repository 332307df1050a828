# SPDX-License-Identifier: Apache-2.0
"""Bytes to the gateway as no well-behaved client would send them."""
import re
import socket
import ssl

import h2.config
import h2.connection
import h2.events


def connect(port, source=None, alpn=None, host="127.0.0.1", name=None, before=b"", timeout=15):
    """TLS without a look at the certificate; `source` is one of this machine's own addresses, `before` goes ahead of TLS."""
    plain = socket.create_connection((host, port), timeout, (source, 0) if source else None)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    try:
        if before:
            plain.sendall(before)
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def read_all(sock):
    got = b""
    try:
        while piece := sock.recv(65536):
            got += piece
    except (ConnectionError, ssl.SSLError, TimeoutError):
        pass
    return got


def exchange(port, data, **more):
    """Everything that comes back until the other end closes."""
    with connect(port, **more) as sock:
        sock.sendall(data)
        return read_all(sock)


def statuses(answer):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


class H2:
    """A client that lets one send frames by hand."""

    def __init__(self, port, **more):
        self.sock = connect(port, alpn="h2", **more)
        assert self.sock.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="utf-8")
        self.conn = h2.connection.H2Connection(config)
        self.conn.initiate_connection()
        self.flush()

    def flush(self):
        self.sock.sendall(self.conn.data_to_send())

    def ask(self, headers, stream=None, end=True):
        stream = stream or self.conn.get_next_available_stream_id()
        self.conn.send_headers(stream, headers, end_stream=end)
        return stream

    def drain(self):
        """Takes whatever came, without waiting for more; raises when the connection is at its end."""
        timeout = self.sock.gettimeout()
        self.sock.setblocking(False)
        try:
            while self.sock.recv(65536):
                pass
            raise ConnectionResetError("the other end closed")
        except ssl.SSLWantReadError:
            pass
        finally:
            self.sock.settimeout(timeout)

    def events(self):
        """Those of one reading; None when the connection is at its end."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError, TimeoutError):
            return None
        return self.conn.receive_data(data) if data else None

    def status(self, headers):
        """Of one request; "reset" or "closed" when there is none."""
        self.flush()
        stream = self.ask(headers)
        self.flush()
        while (events := self.events()) is not None:
            for event in events:
                if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                    return int(dict(event.headers)[":status"])
                if isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
                    return "reset"
                if isinstance(event, h2.events.ConnectionTerminated):
                    return "closed"
            self.flush()
        return "closed"


def h2_headers(path="/v1/models", method="GET", authority="127.0.0.1", *more):
    return [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *more]
