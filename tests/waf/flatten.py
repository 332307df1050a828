# SPDX-License-Identifier: Apache-2.0
"""go-ftw's YAML tests as a flat file that src/lib/waf/oracle/requests.c reads: numbers are u32 little-endian, a block is a
length and bytes. What go-ftw would add to a request (Content-Length, Connection, encoding of forms) is added here."""
import base64
import itertools
import json
import pathlib
import struct
import urllib.parse

import yaml

# Ours and ModSecurity v3's: REQUEST_BODY is there for every type of body, so rules see XML and JSON bodies there, too.
REQUEST_BODY_ALWAYS = {
    944100: {11, 12, 15, 16}, 944110: {11, 12, 15, 16},
    944120: {6, 7, 23, 24, 40, 41, 57, 58, 74, 75, 91, 92, 108, 109, 125, 126},
    944210: {6, 7, 23, 24, 40, 41},
}


def block(data):
    data = data if isinstance(data, bytes) else str(data).encode("utf-8", "surrogateescape")
    return struct.pack("<I", len(data)) + data


def header(headers, name):
    return next((v for k, v in headers if k.lower() == name.lower()), "")


def encode_form(data):
    if urllib.parse.unquote_plus(data) != data:
        return data
    out = []
    for token in data.split("&"):
        key, equals, value = token.partition("=")
        out.append(urllib.parse.quote_plus(key, safe="-_.~") + equals + urllib.parse.quote_plus(value, safe="-_.~"))
    return "&".join(out)


def complete(headers, method, data):
    names = {k.lower() for k, _ in headers}
    if data and "content-type" not in names:
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    if data and header(headers, "content-type") == "application/x-www-form-urlencoded":
        data = encode_form(data)
    return data


def parse_raw(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    if not _:
        head, _, body = raw.partition(b"\n\n")
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    method, uri, version = (lines[0].split(b" ", 2) + [b"", b""])[:3]
    headers = [tuple(part.strip() for part in line.split(b":", 1)) for line in lines[1:] if b":" in line]
    return method, uri, version, headers, body


def request(spec):
    if "encoded_request" in spec:
        return parse_raw(base64.b64decode(spec["encoded_request"]))
    method, data = spec.get("method", "GET"), spec.get("data") or ""
    headers = [(str(k), str(v)) for k, v in (spec.get("headers") or {}).items()] if isinstance(
        spec.get("headers"), dict) else [(h["name"], h["value"]) for h in spec.get("headers") or []]
    auto = spec.get("autocomplete_headers", True)
    if auto:
        data = complete(headers, method, data)
    if header(headers, "content-type").startswith("multipart/form-data;"):
        data = data.replace("\n", "\r\n")
    raw = data.encode("utf-8", "surrogateescape")
    names = {k.lower() for k, _ in headers}
    if auto:
        if "connection" not in names:
            headers.append(("Connection", "close"))
        if (raw or method in ("POST", "PUT", "PATCH", "DELETE")) and "content-length" not in names:
            headers.append(("Content-Length", str(len(raw))))
    headers = [(k, v.strip()) for k, v in headers]
    return method, spec.get("uri", "/"), spec.get("version", "HTTP/1.1"), headers, raw


def response(uri, body):
    """What go-ftw's server answers: /reflect says it itself."""
    if uri != "/reflect":
        return 200, [("Content-Type", "text/plain")], b""
    try:
        spec = json.loads(body)
    except ValueError:
        return 400, [("Content-Type", "text/plain")], b""
    content = spec.get("body", "").encode()
    if "encodedBody" in spec:
        content = base64.b64decode(spec["encodedBody"])
    headers = list((spec.get("headers") or {}).items()) or [("Content-Type", "text/plain")]
    return int(spec.get("status", 200)), headers, content


# libyaml's, where it is there, takes a tenth of the time.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def tests(root):
    for path in sorted(pathlib.Path(root).rglob("*.yaml")):
        content = yaml.load(path.read_text(), LOADER)
        for test in content.get("tests") or []:
            yield content["rule_id"], test


def expectation(rule, number, output):
    log = output.get("log") or {}
    wanted, unwanted = set(log.get("expect_ids") or []), set(log.get("no_expect_ids") or [])
    if number in REQUEST_BODY_ALWAYS.get(rule, ()):
        wanted, unwanted = {rule}, set()
    return wanted, unwanted


def flatten(root, out, every=1):
    """Writes the file, with one test of so many; returns the expectations: (name, wanted ids, unwanted ids)."""
    cases = []
    with open(out, "wb") as file:
        for rule, test in itertools.islice(tests(root), 0, None, every):
            for at, stage in enumerate(test["stages"]):
                method, uri, version, headers, body = request(stage["input"])
                status, answer_headers, answer = response(uri, body)
                name = f"{rule}-{test['test_id']}" + (f".{at}" if at else "")
                wanted, unwanted = expectation(rule, test["test_id"], stage["output"])
                cases.append((name, wanted, unwanted))
                file.write(block(name) + block(method) + block(uri) + block(version))
                file.write(struct.pack("<I", len(headers)) + b"".join(block(k) + block(v) for k, v in headers))
                file.write(block(body) + struct.pack("<II", status, len(answer_headers)))
                file.write(b"".join(block(k) + block(v) for k, v in answer_headers) + block(answer))
    return cases
