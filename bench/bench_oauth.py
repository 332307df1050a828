#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""client_credentials and introspection against node-oidc-provider (in memory, one process, plain HTTP), which keeps nothing
and records nothing. Ours goes through nginx with TLS 1.3, signs each token with ES256 in another process, and its audit
records are on the disk before the answer. Rounds alternate; the median of the rounds' ratios counts. The CPU time of an
answer, over all processes of each side, is told too: on a machine that does other things it says more than the rate.

usage: bench_oauth.py [ROUNDS [SECONDS [CONNECTIONS]]]          (with the Python of the end-to-end tests)
"""
import base64
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import platform_process  # noqa: E402
from identity import CLIENTS, Identity  # noqa: E402
from platform_process import free_port  # noqa: E402

if "DRUN_BUILD" in os.environ:
    platform_process.DRUN = pathlib.Path(os.environ["DRUN_BUILD"]) / "drun"
SECRET = "bench-secret-bench-secret-bench-secret"
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 8
connections = int(sys.argv[3]) if len(sys.argv) > 3 else 96


def basic(name, secret):
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def wrk(folder, url, auth, body):
    """Answers a second, and the 99th percentile in ms."""
    script = folder / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.body = "{body}"\nwrk.headers["Content-Type"] = "application/x-www-form-urlencoded"\n'
                      f'wrk.headers["Authorization"] = "{auth}"\n')
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, url], stdout=subprocess.PIPE,
                         text=True, check=True, timeout=seconds + 60).stdout
    if "Non-2xx" in out:
        raise RuntimeError(out)
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def cpu(root):
    """Seconds of CPU of a process and all below it."""
    parents, used = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if entry.name.isdigit():
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total, todo = 0, [root]
    while todo:
        pid = todo.pop()
        total += used.get(pid, 0)
        todo += parents.get(pid, [])
    return total


def provider(kind):
    port = free_port()
    process = subprocess.Popen(["node", ROOT / "tests/e2e/js/provider.mjs", str(port), kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               env={"NODE_ENV": "production", "PATH": "/usr/local/bin:/usr/bin:/bin"})
    assert "ready" in process.stdout.readline()
    return process, f"http://127.0.0.1:{port}"


def one(folder, pid, target):
    """Rate, 99th percentile, microseconds of CPU for each answer."""
    before = cpu(pid)
    rate, p99 = wrk(folder, *target)
    return rate, p99, (cpu(pid) - before) / (rate * seconds) * 1e6


def wait_for_rest(pid, deadline_sec=60):
    """What a start does for some seconds, rules compiled and first proofs, is not of any answer."""
    deadline = time.monotonic() + deadline_sec
    while time.monotonic() < deadline:
        before = cpu(pid)
        time.sleep(1)
        if cpu(pid) - before < 0.05:
            return


def measure(folder, ours, auth, peer_pid, peer, peer_auth):
    grant = "grant_type=client_credentials&scope=drun"
    mine = requests.post(ours.url + "/oauth2/token", data={"grant_type": "client_credentials"}, headers={"Authorization": auth}, verify=ours.ca).json()["access_token"]
    theirs = requests.post(peer + "/token", data={"grant_type": "client_credentials", "scope": "drun"}, headers={"Authorization": peer_auth}).json()["access_token"]
    # oidc-provider does not introspect JWTs (they are not kept), so this one is opaque there.
    pairs = {"client_credentials": ((ours.url + "/oauth2/token", auth, grant), (peer + "/token", peer_auth, grant))}
    if theirs.count(".") != 2:
        pairs["introspection"] = ((ours.url + "/oauth2/introspect", auth, "token=" + mine), (peer + "/token/introspection", peer_auth, "token=" + theirs))
    results = {}
    for what, (a, b) in pairs.items():
        found = [(one(folder, ours.process.pid, a), one(folder, peer_pid, b)) for _ in range(rounds)]
        results[what] = [[statistics.median(x[side][i] for x in found) for i in range(3)] for side in (0, 1)]
        results[what].append(statistics.median(x[0][0] / x[1][0] for x in found))
    return results


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-bench-oauth-"))
    ours = Identity().start()
    try:
        made = ours.must(201, "POST", CLIENTS, ours.operator_token(), json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": "bench"},
                                                                          "spec": {"grantTypes": ["client_credentials"], "scopes": ["drun"]}})
        wait_for_rest(ours.process.pid)
        for kind in ("opaque", "jwt"):
            process, peer = provider(kind)
            try:
                auth = basic("bench", made["status"]["clientSecret"])
                for what, (own, other, ratio) in measure(folder, ours, auth, process.pid, peer, basic("bench", SECRET)).items():
                    print(f"{what}, peer's token {kind}: {own[0]:,.0f}/s p99 {own[1]:.1f} ms {own[2]:.0f} us; "
                          f"oidc-provider {other[0]:,.0f}/s p99 {other[1]:.1f} ms {other[2]:.0f} us; ratio {ratio:.2f}, of CPU {other[2] / own[2]:.2f}", flush=True)
            finally:
                process.kill()
                process.wait()
    finally:
        ours.stop()
        ours.remove()


main()
