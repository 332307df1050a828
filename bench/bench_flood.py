#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client that behaves, in quiet and in a flood of many times what the gateway can serve, on one machine: the platform and
the flood are in network namespaces of their own, with a cable between them. The flood knocks from thousands of addresses, and some
of them send all the requests they can. It runs at the lowest priority, so that it takes what the gateway leaves, as a
flood from elsewhere would not take any.

usage: bench_flood.py [SECONDS]           (as root, with the Python of the end-to-end tests)
"""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/e2e"))
import platform_process  # noqa: E402
from platform_process import Platform  # noqa: E402
from test_floods import HOST, Nets, can_make_namespaces, result  # noqa: E402

if "DRUN_BUILD" in os.environ:
    platform_process.DRUN = pathlib.Path(os.environ["DRUN_BUILD"]) / "drun"

FREE = "10.77.0.2"  # the attacker's own address, from which the capacity is measured
CALLER = "10.77.250.9"


def p99(answer):
    return answer["took"][min(len(answer["took"]) - 1, len(answer["took"]) * 99 // 100)] * 1000


def capacity(nets, port):
    """Handshakes with a request a second, by OpenSSL's own client, as many as eight of them get."""
    clients = [subprocess.Popen(["ip", "netns", "exec", nets.attacker, "openssl", "s_time", "-connect", f"{HOST}:{port}", "-new", "-time", "3",
                                 "-www", "/version", "-tls1_3"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(8)]
    return sum(int(count) / int(seconds) for count, seconds in
               (re.search(r"(\d+) connections in (\d+) real seconds", client.communicate()[0]).groups() for client in clients))


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    if not can_make_namespaces():
        sys.exit("bench_flood: network namespaces and nft are root's")
    nets = Nets()
    platform = Platform(posture_period="1h", unlimited_networks=f"127.0.0.1,{FREE}")
    platform.settings["listen"] = f"{HOST}:{platform.port}"
    platform.prefix = ["ip", "netns", "exec", nets.server]
    try:
        platform.start()
        served = capacity(nets, platform.port)
        quiet = result(nets.start("good", platform.port, seconds, CALLER))
        flood = [nets.start("knock", platform.port, seconds + 6, "10.77", 12000) for _ in range(2)]
        flood.append(nets.start("heavy", platform.port, seconds + 6, *[f"10.77.{70 + i}.1" for i in range(8)]))
        for process in flood:
            os.setpriority(os.PRIO_PROCESS, process.pid, 19)
        # What a flood does before it is met is told apart from what it does then.
        first = result(nets.start("good", platform.port, 3, CALLER))
        met = result(nets.start("good", platform.port, seconds, CALLER))
        sent = [result(process) for process in flood]
        offered = (sum(s.get("tried", 0) for s in sent) + sum(s.get("served", 0) + s.get("refused", 0) + s.get("failed", 0) for s in sent)) / (seconds + 6)
        print(f"capacity {served:.0f} handshakes and requests/s; offered {offered:.0f}/s, {offered / served:.1f} times as much")
        print(f"quiet: p99 {p99(quiet):.2f} ms of {len(quiet['took'])} calls, {quiet['failed']} failed")
        print(f"flood, first 3 s: p99 {p99(first):.2f} ms of {len(first['took'])} calls, {first['failed']} failed")
        print(f"flood: p99 {p99(met):.2f} ms of {len(met['took'])} calls, {met['failed']} failed; ratio {p99(met) / p99(quiet):.2f} (bar: 3)")
    finally:
        platform.stop()
        platform.remove()
        nets.remove()


if __name__ == "__main__":
    main()
