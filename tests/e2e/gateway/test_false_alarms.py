# SPDX-License-Identifier: Apache-2.0
"""How often the firewall and the guard, as a platform has them by default, take harmless talk for an attack, and how many
attacks in what is no prose they let pass. The talk is of public packages: ChatterBot's corpus (English, Chinese), and code
that this machine has; engines answer with what was said in return, or with the question. The attacks are of CRS's own tests."""
import ast
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import socketserver
import tempfile
import threading
import urllib.parse

import chatterbot_corpus
import httpx
import pytest
import yaml

from gateway_rig import AS_USER, default_rules, give_rules, make_gateway

SHARED = pathlib.Path(os.environ.get("DRUN_SHARED_DATA") or pathlib.Path(__file__).resolve().parents[4] / "shared/data")
MOST_REFUSED = 0.005
APIS = ("chat", "messages", "completions")
# CRS's rules of what is injected, and where its tests put it.
INJECTIONS = re.compile(r"REQUEST-9(?:32|33|41|42)-")


class Answering(http.server.BaseHTTPRequestHandler):
    """What was said in return, or else the question."""
    protocol_version = "HTTP/1.1"
    twins = {}

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = asked["messages"][-1]["content"] if "messages" in asked else asked["prompt"]
        said = self.twins.get(question, question)
        choice = {"message": {"role": "assistant", "content": said}} if "messages" in asked else {"text": said}
        answer = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "engine",
                             "choices": [{"index": 0, "finish_reason": "stop", **choice}],
                             "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        return super().get_request()[0], ("engine", 0)


@pytest.fixture(scope="module")
def judging():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gw", dir="/dev/shm"))
    folder.chmod(0o755)
    if AS_USER:
        os.chown(folder, 65534, 65534)
    gateway = make_gateway(folder, folder / "engine.sock", waf="open")
    give_rules(folder, default_rules())
    engine = Engine(str(folder / "engine.sock"), Answering)
    (folder / "engine.sock").chmod(0o777)
    threading.Thread(target=engine.serve_forever, daemon=True).start()
    gateway.start()
    yield gateway
    gateway.stop()
    engine.shutdown()
    engine.server_close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(judging):
    with httpx.Client(verify=judging.tls(), base_url=f"https://127.0.0.1:{judging.port}", timeout=30,
                      headers={"Authorization": "Bearer " + judging.keys["alice"]}) as client:
        yield client


# ------------------------------------------------------------------ harmless talk

def talk(language):
    """Pairs of what is said and what is said in return."""
    folder = pathlib.Path(chatterbot_corpus.__file__).parent / "data" / language
    for path in sorted(folder.glob("*.yml")):
        for turns in yaml.safe_load(path.read_text())["conversations"]:
            yield from zip(map(str, turns), map(str, turns[1:]))


def code():
    """Functions of Python's library, scripts, SQL and headers: as people paste them, with a question before."""
    texts = []
    for path in sorted(pathlib.Path(ast.__file__).parent.glob("*.py")):
        lines = path.read_text(errors="replace").splitlines()
        functions = [node for node in ast.walk(ast.parse(path.read_text(errors="replace"))) if isinstance(node, ast.FunctionDef)]
        texts += ["\n".join(lines[node.lineno - 1:node.end_lineno]) for node in functions[:12]]
    for pattern in ("/etc/init.d/*", "/usr/bin/*.sh", "/usr/sbin/*.sh", "/usr/share/postgresql/*/*.sql", "/usr/include/*.h", "/usr/share/perl5/*.pm",
                    "/usr/share/nodejs/*/*.js"):
        for path in sorted(pathlib.Path("/").glob(pattern[1:]))[:80]:
            texts.append(path.read_text(errors="replace")[:3000])
    for text in texts:
        yield "Why does this not work as I expect?\n\n```\n" + text.replace("\0", "") + "\n```", "Look here:\n" + text.replace("\0", "")


def ask(client, api, said):
    if api == "messages":
        return client.post("/v1/messages", headers={"anthropic-version": "2023-06-01"},
                           json={"model": "team/chat", "max_tokens": 16, "messages": [{"role": "user", "content": said}]})
    if api == "completions":
        return client.post("/v1/completions", json={"model": "team/chat", "max_tokens": 16, "prompt": said})
    system = {"role": "system", "content": "You are a helpful assistant."}
    return client.post("/v1/chat/completions", json={"model": "team/chat", "max_tokens": 16, "messages": [system, {"role": "user", "content": said}]})


@pytest.mark.parametrize("kind", ["english", "chinese", "code"])
def test_harmless_talk_is_answered(client, kind):
    pairs = [(said, answer) for said, answer in (code() if kind == "code" else talk(kind)) if said]
    pairs = random.Random(1).sample(pairs, min(len(pairs), 1000))
    assert len(pairs) >= 400
    Answering.twins = dict(pairs)
    refused = []
    for i, (said, _) in enumerate(pairs):
        answer = ask(client, APIS[i % len(APIS)], said)
        if answer.status_code != 200:
            refused.append((answer.status_code, answer.text[:200], said[:200]))
    assert len(refused) < MOST_REFUSED * len(pairs), f"{len(refused)} of {len(pairs)}, such as {refused[:3]}"
    print(f"{kind}: {len(refused)} of {len(pairs)} are refused")


# ------------------------------------------------------------------ attacks

def attacks():
    """What CRS's tests put into an argument of the query, and must find at level 1."""
    for path in sorted((SHARED / "crs4/tests").glob("*/*.yaml")):
        if not INJECTIONS.match(path.parent.name):
            continue
        for test in yaml.safe_load(path.read_text())["tests"]:
            spec, output = test["stages"][0]["input"], test["stages"][0]["output"]
            wanted = (output.get("log") or {}).get("expect_ids")
            query = urllib.parse.parse_qsl(spec.get("uri", "").partition("?")[2])
            if wanted and len(query) == 1 and query[0][1] and spec.get("method", "GET") == "GET":
                yield query[0][1]


def is_refused(answer):
    return answer.status_code == 403 and "looks like an attack" in answer.text


@pytest.mark.skipif(not (SHARED / "crs4").exists(), reason="CRS's tests are not here")
def test_attacks_in_what_is_no_prose_are_refused_as_in_a_form(client):
    values = sorted(set(attacks()))
    assert len(values) >= 100
    in_query = sum(is_refused(client.get("/v1/models", params={"q": value})) for value in values)
    body = {"model": "team/chat", "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
    in_body = sum(is_refused(client.post("/v1/chat/completions", json={**body, "user": value})) for value in values)
    in_prose = sum(is_refused(ask(client, "chat", value)) for value in values)
    print(f"of {len(values)} attacks {in_query} are refused in the query, {in_body} in the body, {in_prose} in prose")
    assert in_query >= len(values) // 3, "level 1 finds fewer than the level that the tests are of"
    assert in_body >= in_query
    assert in_prose == 0, "to ask about an attack is none"
