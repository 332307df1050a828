# SPDX-License-Identifier: Apache-2.0
"""An nginx module that is not of the binary's own build is refused when the platform starts, with what to do about it."""
import os
import re
import shutil
import subprocess

from platform_process import ROOT

MODULE = "ngx_http_drun_module.so"
SHARE = ROOT / "build" / "share" / "drun"
ID = re.compile(rb"(\0\d+\.\d+\.\d+-)[0-9a-f]{12}\0")


def refused(platform):
    failed = platform.try_start()
    assert failed.returncode != 0
    said = failed.stderr.strip().splitlines()[-1]
    assert said.startswith("drun: gateway did not start: nginx does not take its configuration:"), failed.stderr
    return said


def patched(file, copy, pattern, text):
    data = file.read_bytes()
    changed, count = re.subn(pattern, text, data)
    assert count == 1 and len(changed) == len(data)
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(changed)
    copy.chmod(0o755)


def test_a_module_of_another_build_is_refused_at_the_start(own_platform):
    own_platform.folder.chmod(0o755)
    share = own_platform.folder / "share"
    patched(SHARE / MODULE, share / MODULE, ID, rb"\g<1>0123456789ab\0")
    own_platform.settings["share-dir"] = share
    said = refused(own_platform)
    assert "module is of the build" in said and "-0123456789ab" in said and "share-dir" in said, said


def test_a_module_that_knows_no_builds_is_refused_too(own_platform):
    own_platform.folder.chmod(0o755)
    share = own_platform.folder / "share"
    patched(SHARE / MODULE, share / MODULE, rb"drun_interface\0", b"drun_older_one\0")
    own_platform.settings["share-dir"] = share
    said = refused(own_platform)
    assert 'unknown directive "drun_interface"' in said, said


def test_a_module_refuses_a_binary_that_knows_no_builds(own_platform):
    platform = own_platform.start()
    gateway = platform.run_dir / "gateway"
    conf = gateway / "older.conf"
    text = (gateway / "nginx.conf").read_text()
    lines = [line for line in text.splitlines() if "drun_interface" not in line and "audit_rings" not in line]
    assert len(lines) == len(text.splitlines()) - 2
    port = re.search(r"listen 127\.0\.0\.1:(\d+)", text)[1]
    conf.write_text("\n".join(lines).replace(port, str(int(port) % 20000 + 20000)))
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    tested = subprocess.run([nginx, "-t", "-p", gateway, "-c", conf, "-e", "stderr"], capture_output=True, text=True)
    assert tested.returncode != 0 and "drun itself is older" in tested.stderr, tested.stderr


def test_an_nginx_that_is_not_there_is_named(own_platform):
    own_platform.settings["nginx"] = "/usr/sbin/no-such-nginx"
    failed = own_platform.try_start()
    assert failed.returncode != 0 and "install it, or name it with the setting nginx" in failed.stderr, failed.stderr
