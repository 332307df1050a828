#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An authenticated, limited, metered and recorded model call against the same nginx as a bare TLS 1.3 proxy to the
same upstream: the same nginx.conf without the module. One worker each, which has a CPU to itself; the client, the upstream
(a second nginx with a fixed answer) and the reader of the audit ring share the other. Rounds alternate, and the median
of the rounds' ratios counts, so that a noisy neighbour hits both. What the log costs behind its ring: bench_audit.
"open" is the module with the guard switched off, so that the guard's own cost can be told; "stream" and "stream-open"
are an answer of 18 tokens in events. "kept" is an answer that the gateway has kept, so the upstream is not asked.

Two more have the firewall on, with the rules that a platform compiles by default (Debian's modsecurity-crs, level 1):
one with requests that differ in nothing that rules see, as of one client, and one where each is new to it.

usage: bench_gateway.py [ROUNDS]          (with the Python of the end-to-end tests)
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / folder) for folder in ("tests/e2e/gateway", "tests/e2e")]
from gateway_rig import AS_USER, NGINX, Gateway, can_connect, default_rules, free_port, give_rules, role, wait_for  # noqa: E402

ANSWER = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "engine", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "It flows north, through eleven countries, to the sea. " * 3},
     "finish_reason": "stop"}], "usage": {"prompt_tokens": 200, "completion_tokens": 36, "total_tokens": 236}}
QUESTION = {"model": "team/chat", "max_tokens": 256, "temperature": 0.7, "messages": [
    {"role": "system", "content": "You are a helpful assistant. " + "Answer in short plain sentences. " * 8},
    {"role": "user", "content": "Tell me about rivers. " + "What is the longest one and where does it flow? " * 11}]}


WALLED = "with the firewall"
WALLED_NEW = "with the firewall, each request new"
EVENTS = "".join(f"data: {json.dumps(event)}\n\n" for event in [
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "engine", "choices": [
        {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
    for word in ("The river rises in the mountains and flows north through eleven countries to the sea it keeps").split()] + [
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "engine", "choices": [
        {"index": 0, "delta": {}, "finish_reason": "stop"}]}]) + "data: [DONE]\n\n"
CPUS = sorted(os.sched_getaffinity(0))


def start_upstream(folder, path):
    temps = "".join(f"{t}_temp_path {folder}/up-{t}; " for t in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = folder / "upstream.conf"
    conf.write_text(f"daemon off; error_log stderr; pid {folder}/up.pid; events {{}}\nhttp {{ access_log off; {temps}\n"
                    f"keepalive_requests 1000000000; server {{ listen unix:{path}; location / {{ "
                    f"default_type application/json; return 200 '{json.dumps(ANSWER)}'; }} }}\n"
                    f"server {{ listen unix:{path}.stream; location / {{ default_type text/event-stream;\n"
                    f"return 200 '{EVENTS}'; }} }} }}\n")
    process = subprocess.Popen([NGINX, "-p", folder, "-c", conf], stderr=subprocess.DEVNULL, **AS_USER)
    wait_for(lambda: can_connect(path), "the upstream")
    return process


def start_gateway(folder, engine, image=None):
    folder.mkdir(exist_ok=True)
    # The reader shares a core with what loads it: half a second of records, or a call is refused for one that has no room.
    gateway = Gateway(folder, mute=True, ring_bytes=1 << 24, **({"waf": "open"} if image else {}))
    if image:
        give_rules(folder, image)
    plenty = {"requests_per_min": 4000000000, "tokens_per_min": 10 ** 12}
    gateway.spec["keys"] = [{"name": "alice", "namespace": "team", "user": "alice", **plenty}]
    gateway.spec["namespaces"] = [{"name": "team", **plenty}]
    off = {"request": {"all": "off"}, "answer": {"all": "off"}}
    gateway.spec["routes"] = [
        {"namespace": "team", "name": "chat", "socket": str(engine)},
        {"namespace": "team", "name": "open", "socket": str(engine), "guard": off},
        {"namespace": "team", "name": "kept", "socket": str(engine), "cache_ttl_sec": 86400, "cache_max_bytes": 65536,
         "cache_version": "1"},
        {"namespace": "team", "name": "stream", "socket": f"{engine}.stream"},
        {"namespace": "team", "name": "stream-open", "socket": f"{engine}.stream", "guard": off}]
    gateway.spec["rbac"] = role("invoke", ns="team", name="call", users=["alice"])
    return gateway.start()


def start_bare(folder, gateway, engine):
    """The gateway's own configuration without anything of ours."""
    port = free_port()
    text = (folder / "run/nginx.conf").read_text()
    text = re.sub(r"(?m)^\s*(load_module .*?;|drun_(?!engine\b)\w+\b[^;]*;)", "", text)
    text = text.replace("drun_engine;", f'server "unix:{engine}";').replace(f":{gateway.port} ", f":{port} ")
    text = text.replace("/run/", "/bare/").replace("location @drun_error {", "location @drun_error { return 500;")
    conf = folder / "bare.conf"
    conf.write_text(text)
    shutil.copytree(folder / "run/tmp", folder / "bare/tmp")
    if AS_USER:
        subprocess.run(["chown", "-R", "65534:65534", folder / "bare"], check=True)
    process = subprocess.Popen([NGINX, "-p", folder, "-c", conf], **AS_USER)
    wait_for((folder / "bare/nginx.pid").exists, "the bare proxy")
    return process, port


def end(process):
    process.terminate()
    process.wait()


def worker_of(master):
    def found():
        return subprocess.run(["pgrep", "-P", str(master)], capture_output=True, text=True).stdout.split()

    worker = int(wait_for(found, "a worker")[0])
    os.sched_setaffinity(worker, CPUS[:1])
    return worker


def cpu_us(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def put_script(folder, name, question, key, more=""):
    (folder / f"{name}.lua").write_text(
        f'wrk.method="POST"\nwrk.body={json.dumps(json.dumps(question))}\nwrk.headers["Content-Type"]="application/json"\n'
        f'wrk.headers["Authorization"]="Bearer {key}"\n{more}')


def wrk(folder, port, script, connections, seconds):
    out = subprocess.check_output(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", folder / f"{script}.lua",
                                   f"https://127.0.0.1:{port}/v1/chat/completions"], text=True)
    assert "Non-2xx" not in out, out
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
            "count": int(re.search(r"(\d+) requests in", out).group(1)),
            "p50": milliseconds(re.search(r"(?m)^ +50% +(\S+)", out).group(1)),
            "p99": milliseconds(re.search(r"(?m)^ +99% +(\S+)", out).group(1))}


def measure(folder, port, worker, script, connections, seconds=2):
    before = cpu_us(worker)
    result = wrk(folder, port, script, connections, seconds)
    result["cpu"] = (cpu_us(worker) - before) / max(result["count"], 1)
    return result


def rounds(folder, peers, count, connections, seconds=2):
    return [{name: measure(folder, *peer, connections, seconds) for name, peer in peers.items()}
            for _ in range(count)]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    os.sched_setaffinity(0, CPUS[1:2] or CPUS)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gwb", dir="/dev/shm"))
    folder.chmod(0o755)
    if AS_USER:
        os.chown(folder, 65534, 65534)
    with contextlib.ExitStack() as cleanup:
        run(folder, count, cleanup)


def run(folder, count, cleanup):
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    engine = folder / "engine.sock"
    cleanup.callback(end, start_upstream(folder, engine))
    gateway = start_gateway(folder, engine)
    cleanup.callback(gateway.stop)
    bare, bare_port = start_bare(folder, gateway, engine)
    cleanup.callback(end, bare)
    walled = start_gateway(folder / "waf", engine, default_rules())
    cleanup.callback(walled.stop)
    body = json.dumps(QUESTION)
    scripts = {"post": QUESTION, "open": {**QUESTION, "model": "team/open"},
               "kept": {**QUESTION, "model": "team/kept", "temperature": 0},
               "stream": {**QUESTION, "model": "team/stream", "stream": True},
               "stream-open": {**QUESTION, "model": "team/stream-open", "stream": True}}
    for name, question in scripts.items():
        put_script(folder, name, question, gateway.keys["alice"])
    put_script(folder, "walled", QUESTION, walled.keys["alice"])
    # What the firewall saw already it does not look at again; each of these it has not seen.
    put_script(folder, "new", QUESTION, walled.keys["alice"],
               'local n = 0\nrequest = function() n = n + 1; wrk.headers["X-Count"] = n; return wrk.format() end\n')
    walled_worker = worker_of(walled.pid)
    own = worker_of(gateway.pid)
    peers = {"bare": (bare_port, worker_of(bare.pid), "post"), "drun": (gateway.port, own, "post"),
             "open": (gateway.port, own, "open"),
             "kept": (gateway.port, own, "kept"), WALLED: (walled.port, walled_worker, "walled"), WALLED_NEW: (walled.port, walled_worker, "new")}
    full = rounds(folder, peers, count, 32)
    calm = rounds(folder, peers, count, 1)
    # A machine that stands still for a moment spoils a round, of either: many short ones, and the best counts.
    brief = rounds(folder, {name: peers[name] for name in ("bare", "drun")}, 4 * count, 1, 1)
    streams = {name: (gateway.port, own, name) for name in ("stream", "stream-open")}
    streamed = rounds(folder, streams, count, 1)

    def median(rows, key, name):
        return statistics.median(row[name][key] for row in rows)

    rate = statistics.median(row["drun"]["rate"] / row["bare"]["rate"] for row in full)
    best = max(r["drun"]["rate"] for r in full) / max(r["bare"]["rate"] for r in full)
    cpu = min(r["bare"]["cpu"] for r in full) / min(r["drun"]["cpu"] for r in full)
    bare99, drun99 = (min(r[name]["p99"] for r in brief) for name in ("bare", "drun"))
    added50 = median(calm, "p50", "drun") - median(calm, "p50", "bare")
    print(f"chat POST of {len(body)} bytes, {count} rounds, one worker each")
    for name in peers:
        print(f"  {name}: {median(full, 'rate', name):.0f} requests/s (best {max(r[name]['rate'] for r in full):.0f}), "
              f"{min(r[name]['cpu'] for r in full):.1f} us CPU of the worker a request, "
              f"one connection p50 {median(calm, 'p50', name):.3f} ms p99 {median(calm, 'p99', name):.3f} ms")
    print(f"ratio of requests/s: median {rate:.3f}, best rounds {best:.3f} (bar 0.6); of CPU, best rounds: {cpu:.3f}")
    without = statistics.median(row["open"]["rate"] / row["bare"]["rate"] for row in full)
    print(f"ratio without the guard: median {without:.3f} (bar 0.85)")
    guard = min(r["drun"]["cpu"] for r in full) - min(r["open"]["cpu"] for r in full)
    added = min(r["drun"]["cpu"] for r in full) - min(r["bare"]["cpu"] for r in full)
    held = median(streamed, "p50", "stream") - median(streamed, "p50", "stream-open")
    print(f"added CPU a call: {added:.1f} us all together (bar 20), {guard:.1f} us of it the guard; "
          f"an answer of 18 tokens in events is looked at in {held:.3f} ms (bar of the first token 1)")
    for name in (WALLED, WALLED_NEW):
        against = statistics.median(row[name]["rate"] / row["bare"]["rate"] for row in full)
        added = min(r[name]["cpu"] for r in full) - min(r["drun"]["cpu"] for r in full)
        print(f"{name}: median {against:.3f} of the bare proxy (bar 0.6), {added:.1f} us of CPU more than without (bar 20)")
    print(f"added latency: p50 {added50:.3f} ms, p99 {drun99 - bare99:.3f} ms ({bare99:.3f} and {drun99:.3f}), "
          "best rounds (bar 0.2)")


if __name__ == "__main__":
    main()
