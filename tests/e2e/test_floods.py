# SPDX-License-Identifier: Apache-2.0
"""Floods from network namespaces of their own, with as many addresses as they like, against a whole platform in one."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

from platform_process import DRUN, Platform, free_port

FLOODER = pathlib.Path(__file__).with_name("flooder.py")
HOST = "10.77.0.1"


def run(*words, check=True):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=check, timeout=120)


def can_make_namespaces():
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        return False
    made = run("ip", "netns", "add", f"drun-try-{os.getpid()}", check=False).returncode == 0
    run("ip", "netns", "del", f"drun-try-{os.getpid()}", check=False)
    return made


pytestmark = pytest.mark.skipif(not can_make_namespaces(), reason="network namespaces and nft are root's")


class Nets:
    """A server and an attacker with a cable between them; every address of 10.77.0.0/16 but the server's is the attacker's."""

    def __init__(self):
        self.server, self.attacker = f"drun-s-{os.getpid()}", f"drun-a-{os.getpid()}"
        for name in (self.server, self.attacker):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.server, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.attacker)
        for name, address in ((self.server, f"{HOST}/16"), (self.attacker, "10.77.0.2/16")):
            run("ip", "-n", name, "addr", "add", address, "dev", "cable")
            run("ip", "-n", name, "link", "set", "cable", "up")
        for part in ("10.77.64.0/18", "10.77.128.0/17"):
            run("ip", "-n", self.attacker, "route", "add", "local", part, "dev", "lo")

    def start(self, mode, port, seconds, *more):
        return subprocess.Popen(["ip", "netns", "exec", self.attacker, sys.executable, str(FLOODER), mode, HOST, str(port), str(seconds),
                                 *map(str, more)], stdout=subprocess.PIPE, text=True)

    def inside(self, *words):
        return run("ip", "netns", "exec", self.server, *words, check=False)

    def remove(self):
        for name in (self.server, self.attacker):
            run("ip", "netns", "del", name, check=False)


def result(process):
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(out)


@pytest.fixture
def world():
    nets = Nets()
    platforms = []

    def start(**settings):
        platform = Platform(**{"source_ban": "20s", "posture_period": "1h", **settings})
        platform.settings["listen"] = f"{HOST}:{platform.port}"
        platform.prefix = ["ip", "netns", "exec", nets.server]
        platforms.append(platform.start())
        return nets, platform

    yield start
    for platform in platforms:
        platform.stop()
        platform.remove()
    nets.remove()


def limits(nets, platform, *words):
    return nets.inside(DRUN, "limits", *words, "--data", platform.data)


def bans(nets, platform):
    answer = limits(nets, platform, "bans", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    found = {item["metadata"]["name"] for item in json.loads(answer.stdout)["items"]}
    return {name for name in found if not name.startswith("127.")}  # those are of the platform's own proof


def dropped(nets):
    return sum(int(count) for count in re.findall(r"counter packets (\d+)", nets.inside("nft", "list", "ruleset").stdout))


def test_a_flooder_is_banned_in_the_kernel_and_others_are_served(world):
    nets, platform = world()
    quiet = result(nets.start("good", platform.port, 3, "10.77.64.9"))
    assert quiet["failed"] == 0
    flood = nets.start("heavy", platform.port, 6, "10.77.70.1", "10.77.71.1")
    calls = nets.start("good", platform.port, 6, "10.77.64.9")
    platform.wait_until("the bans", lambda: bans(nets, platform) == {"10.77.70.1", "10.77.71.1"}, 30)
    flooded, called = result(flood), result(calls)
    assert flooded["served"] <= 2 * (2000 + 200 * 12)
    assert called["failed"] == 0, called
    assert called["took"][len(called["took"]) // 2] < 1
    assert dropped(nets) > 0, nets.inside("nft", "list", "ruleset").stdout
    shown = limits(nets, platform, "bans").stdout
    assert "in the kernel: in force" in shown
    # It is over by itself: in the gateway, in the kernel, and for who was banned.
    platform.wait_until("the end of the bans", lambda: not bans(nets, platform), 60)
    platform.wait_until("the end in the kernel", lambda: "10.77" not in nets.inside("nft", "list", "ruleset").stdout, 20)
    again = result(nets.start("good", platform.port, 1, "10.77.70.1"))
    assert again["took"] and again["failed"] < len(again["took"])
    said = nets.inside(DRUN, "audit", "list", "--event", "drun.edge.*", "-o", "json", "--data", platform.data).stdout
    assert "drun.edge.ban" in said and "drun.edge.unban" in said and "10.77.70.1" in said


def test_a_ban_is_ended_by_hand_and_never_of_a_trusted_range(world):
    nets, platform = world(source_ban="10m", trusted_proxies="10.77.72.0/24")
    result(nets.start("heavy", platform.port, 4, "10.77.70.1", "10.77.72.1"))
    assert bans(nets, platform) == {"10.77.70.1"}
    platform.wait_until("the kernel", lambda: "10.77.70.1" in nets.inside("nft", "list", "ruleset").stdout)
    ended = limits(nets, platform, "unban", "10.77.70.1")
    assert ended.returncode == 0, ended.stderr
    platform.wait_until("the kernel", lambda: "10.77.70.1" not in nets.inside("nft", "list", "ruleset").stdout)
    assert bans(nets, platform) == set()
    assert limits(nets, platform, "unban", "10.77.70.1").returncode != 0
    assert limits(nets, platform, "unban", "nonsense").returncode != 0


def test_the_bans_of_two_gateways_are_in_the_kernel_together(world):
    second = free_port()
    nets, platform = world(source_ban="10m", listen_second=f"{HOST}:{second}")

    def in_kernel():
        return set(re.findall(r"10\.77\.7\d\.1", nets.inside("nft", "list", "ruleset").stdout))

    result(nets.start("heavy", platform.port, 4, "10.77.70.1"))
    platform.wait_until("the first one's ban", lambda: in_kernel() == {"10.77.70.1"})
    result(nets.start("heavy", second, 4, "10.77.71.1"))
    platform.wait_until("both bans", lambda: in_kernel() == {"10.77.70.1", "10.77.71.1"})
    # The kernel shuts out of both who is banned at one.
    for port, address in ((second, "10.77.70.1"), (platform.port, "10.77.71.1")):
        tried = result(nets.start("good", port, 1, address))
        assert tried["failed"] == len(tried["took"])
    # Each ends its own bans alone, and tells them again to an agent that forgot.
    assert limits(nets, platform, "unban", "10.77.70.1").returncode == 0
    platform.wait_until("the end of one", lambda: in_kernel() == {"10.77.71.1"})
    platform.wait_for_role("agent", platform.kill("agent"))
    platform.wait_until("the other one again", lambda: in_kernel() == {"10.77.71.1"})


def test_thousands_of_addresses_ban_nobody_and_fill_no_memory(world):
    nets, platform = world()
    crowd = nets.start("many", platform.port, 12, "10.77", 12000)
    knock = nets.start("knock", platform.port, 8, "10.77", 12000)
    calls = nets.start("good", platform.port, 8, "10.77.200.9")
    knocked, called, crowded = result(knock), result(calls), result(crowd)
    assert knocked["tried"] > 1000 and crowded["addresses"] > 100
    assert called["failed"] <= len(called["took"]) // 10, called["failed"]
    assert bans(nets, platform) == set()
    file = platform.run_dir / "gateway" / "sources"
    assert file.stat().st_size < 16 << 20 and file.stat().st_blocks * 512 < 16 << 20


def test_without_the_right_the_kernel_is_left_alone_and_it_is_said(world):
    nets, platform = world(kernel_bans="false", source_ban="1m")
    result(nets.start("heavy", platform.port, 4, "10.77.70.1"))
    assert bans(nets, platform) == {"10.77.70.1"}
    assert nets.inside("nft", "list", "ruleset").stdout == ""
    assert "not granted, the setting kernel-bans is false" in limits(nets, platform, "bans").stdout
    # The gateway shuts it out by itself.
    again = result(nets.start("good", platform.port, 1, "10.77.70.1"))
    assert again["failed"] == len(again["took"])


def test_the_table_goes_with_the_platform(world):
    nets, platform = world()
    platform.wait_until("the table", lambda: "table inet drun_" in nets.inside("nft", "list", "ruleset").stdout)
    platform.kill("agent")
    platform.wait_for_role("agent", None)
    time.sleep(1)
    platform.stop()
    platform.wait_until("the end of the table", lambda: nets.inside("nft", "list", "ruleset").stdout == "", 10)
    platform.start()
