# SPDX-License-Identifier: Apache-2.0
"""Real faults in a running platform, made from outside as root: a patched instruction in a role's memory, another nginx
configuration, a mount in a sandbox. The product has no switch for any of them."""
import os
import pathlib
import platform as machine
import re
import signal
import subprocess
import sys

import pytest

from platform_process import DRUN

# x86-64. Functions begin with endbr64, four bytes that do nothing where IBT is off.
RETURN_TRUE = bytes.fromhex("b801000000c3")  # mov eax, 1; ret
RETURN_ZERO = bytes.fromhex("31c0c3")  # xor eax, eax; ret
SECOND_ARGUMENT_NULL = bytes.fromhex("31f66690")  # xor esi, esi; two bytes of nothing
FIFTH_ARGUMENT_ZERO = bytes.fromhex("4531c090")  # xor r8d, r8d; nothing. A span counts as two

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can reach into the processes of others")
needs_x86 = pytest.mark.skipif(machine.machine() != "x86_64", reason="the patches are x86-64 instructions")


def address_of(function):
    for line in subprocess.check_output(["nm", DRUN], text=True).splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == function and words[1] in "tT":
            return int(words[0], 16)
    raise AssertionError(f"{DRUN} has no function {function}")


def base_of(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("/drun"):
            start, offset = line.split("-")[0], line.split()[2]
            assert int(offset, 16) == 0
            return int(start, 16)
    raise AssertionError("the process does not run drun")


def patch(pid, function, code):
    """Overwrites the beginning of a function in a running process, as who took over the machine could. Gives what was there."""
    at = base_of(pid) + address_of(function)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(at)
        before = memory.read(len(code))
        if code in (SECOND_ARGUMENT_NULL, FIFTH_ARGUMENT_ZERO):
            assert before == bytes.fromhex("f30f1efa"), "the function does not begin with endbr64"
        memory.seek(at)
        memory.write(code)
    return before


def patch_nginx(platform, pattern, replacement):
    """Another configuration in force: old workers gone, new ones there. Gives the old text."""
    conf = platform.run_dir / "gateway" / "nginx.conf"
    text = conf.read_text()
    changed, count = re.subn(pattern, lambda _: replacement, text, count=1, flags=re.S)
    assert count == 1, pattern
    reload_nginx(platform, changed)
    return text


def reload_nginx(platform, text, gateway="gateway"):
    told = platform.run_dir / gateway / "nginx.pid"
    pid = int(platform.wait_until("nginx", lambda: told.exists() and told.read_text(), 30))
    old = workers_of(pid)
    (platform.run_dir / gateway / "nginx.conf").write_text(text)
    os.kill(pid, signal.SIGHUP)
    platform.wait_until("new workers", lambda: (lambda now: now and not now & old)(workers_of(pid)), 30)


def workers_of(pid):
    """Those that accept: a worker that drains says so in its title."""
    found = set()
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            if b"shutting down" not in pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
        except OSError:
            pass
    return found


INSIDE = """
import ctypes, os, sys
pid, action, target = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY), 0) != 0:
    sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
if action == "cover":
    done = libc.mount(b"fault", target.encode(), b"tmpfs", 0, b"mode=777")
else:
    done = libc.umount2(target.encode(), 2)
if done != 0:
    sys.exit(f"{action}: {os.strerror(ctypes.get_errno())}")
"""


def in_mounts_of(pid, action, target):
    """"cover" mounts a folder that everybody may write over the target, in the mount namespace of the process; "uncover"
    takes it away. The sandbox has no program that could."""
    done = subprocess.run([sys.executable, "-c", INSIDE, str(pid), action, target], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
