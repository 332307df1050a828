# SPDX-License-Identifier: Apache-2.0
"""Run in a network namespace of its own: floods of many addresses, and a client that behaves meanwhile. Prints one JSON object.

    flooder.py good HOST PORT SECONDS SOURCE             latencies of calls, one behind the other, each on a connection of its own
    flooder.py heavy HOST PORT SECONDS SOURCE...         each as many requests as it can
    flooder.py many HOST PORT SECONDS PREFIX COUNT       one connection and some requests of each of COUNT addresses of PREFIX (/16)
    flooder.py knock HOST PORT SECONDS PREFIX COUNT      connections without a word
"""
import json
import re
import socket
import ssl
import sys
import threading
import time

REQUEST = b"GET /v1/models HTTP/1.1\r\nHost: flood\r\n\r\n"


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def tls(host, port, source, timeout=3):
    return CONTEXT.wrap_socket(socket.create_connection((host, port), timeout, (source, 0)))


def statuses(data):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def push(sock, count):
    got = b""
    sock.sendall(REQUEST * count)
    while len(statuses(got)) < count:
        piece = sock.recv(65536)
        if not piece:
            break
        got += piece
    return statuses(got)


def good(host, port, end, source):
    took, failed = [], 0
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            with tls(host, port, source, 10) as sock:
                failed += push(sock, 1) != [401]
        except OSError:
            failed += 1
        took.append(time.monotonic() - began)
        time.sleep(0.05)  # a busy client, and far from any limit, tight ones too
    return {"took": sorted(took), "failed": failed}


def heavy(host, port, end, *sources):
    total = {"served": 0, "refused": 0, "failed": 0}

    def one(source):
        while time.monotonic() < end:
            try:
                with tls(host, port, source, 1) as sock:
                    while time.monotonic() < end and (answers := push(sock, 50)):
                        total["refused"] += answers.count(429)
                        total["served"] += len(answers) - answers.count(429)
            except OSError:
                total["failed"] += 1

    threads = [threading.Thread(target=one, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total


def addresses(prefix, count):
    return [f"{prefix}.{64 + i // 64}.{i % 64 + 2}" for i in range(min(int(count), 190 * 64))]


def many(host, port, end, prefix, count):
    total = {"served": 0, "refused": 0, "failed": 0, "addresses": 0}
    for source in addresses(prefix, count):
        if time.monotonic() > end:
            break
        total["addresses"] += 1
        try:
            with tls(host, port, source) as sock:
                answers = push(sock, 5)
                total["refused"] += answers.count(429)
                total["served"] += len(answers) - answers.count(429)
        except OSError:
            total["failed"] += 1
    return total


def knock(host, port, end, prefix, count):
    total = {"tried": 0, "failed": 0}
    open_ones = []
    while time.monotonic() < end:
        for source in addresses(prefix, count):
            sock = socket.socket()
            sock.setblocking(False)
            try:
                sock.bind((source, 0))
                sock.connect((host, port))
            except BlockingIOError:
                pass
            except OSError:
                total["failed"] += 1
            total["tried"] += 1
            open_ones.append(sock)
            if len(open_ones) > 500:
                for old in open_ones:
                    old.close()
                open_ones = []
                if time.monotonic() > end:
                    break
    return total


if __name__ == "__main__":
    mode, host, port, seconds, *rest = sys.argv[1:]
    print(json.dumps(globals()[mode](host, int(port), time.monotonic() + float(seconds), *rest)))
