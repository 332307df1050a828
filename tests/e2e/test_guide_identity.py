# SPDX-License-Identifier: Apache-2.0
"""docs/guides/identity.md as a newcomer follows it: its commands are taken from the page and run as they stand there, in a real
Apache of its own. Only the first block, which differs from place to place, has the test's values."""
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

from identity import PASSWORD, Identity, name
from platform_process import DRUN, ROOT, free_port

PAGES = {"en": ROOT / "docs/guides/identity.md", "zh": ROOT / "docs/guides/identity.zh.md"}
GROUP = "spec: {displayName: Ann, email: ann@example.com, groups: [team-a]}"

needs_apache = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("apache2") is None or shutil.which("unshare") is None,
                                  reason="an /etc/apache2 of one's own needs root and a mount namespace")


def blocks(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.S | re.M)


def part(page, number):
    """What stands under one of the headings of the second rank, the first being 0."""
    return re.split(r"^#+ .*$", page, flags=re.M)[number + 2]


class App(http.server.BaseHTTPRequestHandler):
    """A web app that somebody has already: it says whom it sees."""

    def do_GET(self):
        body = f"hello {self.headers.get('X-Remote-User')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def app():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def idp():
    with Identity().serving() as running:
        yield running


class Machine:
    """A shell in which /etc/apache2 is a copy, of an Apache that listens at a port of its own."""

    def __init__(self, folder, port):
        self.folder, self.etc = folder, folder / "etc"
        folder.chmod(0o755)
        shutil.copytree("/etc/apache2", self.etc, symlinks=True)
        (self.etc / "ports.conf").write_text(f"Listen 127.0.0.1:{port}\nServerName 127.0.0.1\n")
        for site in (self.etc / "sites-enabled").iterdir():
            site.unlink()
        for kind in ("load", "conf"):  # the page enables what it needs
            (self.etc / "mods-enabled" / f"auth_openidc.{kind}").unlink(missing_ok=True)
        for inner in ("run", "lock", "log"):
            (folder / inner).mkdir()
        envvars = self.etc / "envvars"
        text = envvars.read_text()
        for variable, place in {"APACHE_RUN_DIR": "run", "APACHE_LOCK_DIR": "lock", "APACHE_LOG_DIR": "log", "APACHE_PID_FILE": "run/apache2.pid"}.items():
            text += f"export {variable}={folder / place}\n"
        envvars.write_text(text)

    def sh(self, script, **env):
        """The script, a command at a time, in bash that stops at the first that fails."""
        done = subprocess.run(["unshare", "--mount", "bash", "-c", f"mount --bind {self.etc} /etc/apache2 && exec bash -euo pipefail -s"],
                              input=script, capture_output=True, text=True, timeout=120, cwd=self.folder,
                              env={**os.environ, "HOME": str(self.folder), "PATH": f"{DRUN.parent}:{os.environ['PATH']}:/usr/sbin", **env})
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def stop(self):
        """Apache, by the pid that it wrote."""
        file = self.folder / "run/apache2.pid"
        if file.exists():
            pid = int(file.read_text())
            os.kill(pid, 15)
            deadline = time.monotonic() + 30
            while file.exists() and time.monotonic() < deadline:
                time.sleep(0.1)


@pytest.fixture
def machine():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-guide-"))  # pytest's own folders are closed to www-data
    made = Machine(folder, port := free_port())
    made.port = port
    yield made
    made.stop()
    shutil.rmtree(folder)


@needs_apache
@pytest.mark.parametrize("language", PAGES)
def test_a_web_app_is_protected_by_the_page_alone(language, idp, app, machine):
    first, *steps = blocks(part(PAGES[language].read_text(), 0), "sh")
    assert re.findall(r"^(?:export )?(\w+)=", first, re.M) == ["DRUN_DATA", "APP", "BACKEND", "CONF"] and len(steps) == 4
    own = f"http://127.0.0.1:{machine.port}"
    values = f"export DRUN_DATA={idp.data}\nAPP={own}\nBACKEND={app}\nCONF=/etc/apache2/conf-enabled/drun.conf\n"
    began = time.monotonic()
    said = machine.sh(values + "\n".join(steps)).splitlines()
    took = time.monotonic() - began
    print(f"the machine's part of the five minutes: {took:.1f} s")
    link = next(line for line in said if "/setup#token=" in line)
    assert said[-1].startswith(f"302 {idp.url}/oauth2/authorize?"), said
    browser = idp.browser()
    accepted = browser.post(idp.url + "/session/accept", json={"token": link.split("token=")[1].split("&")[0], "password": PASSWORD})
    assert accepted.status_code == 204, accepted.text
    page = browser.get(own + "/", timeout=20)
    assert (page.status_code, page.text) == (200, "hello ann")
    assert browser.get(own + "/", timeout=20).text == "hello ann", "a session of Apache's"
    # Nobody else, and nobody says who he is himself.
    other = name("other")
    idp.add_user(other, idp.root)
    refused = idp.sign_in(other).get(own + "/", headers={"X-Remote-User": "ann"}, timeout=20)
    assert refused.status_code == 401 and "hello" not in refused.text
    stranger = idp.browser().get(own + "/", headers={"X-Remote-User": "ann"}, allow_redirects=False, timeout=20)
    assert stranger.status_code == 302


def test_both_languages_have_the_same_commands():
    def commands(language):
        return [re.sub(r" +#.*", "", block) for block in blocks(PAGES[language].read_text(), "sh")]
    english = commands("en")
    assert commands("zh") == english[:len(commands("zh"))] and len(commands("zh")) == 6


def test_kubectl_as_the_page_says(idp, tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    [block] = blocks(part(PAGES["en"].read_text(), 1), "sh")
    out = subprocess.run(["bash", "-euo", "pipefail", "-c", block], capture_output=True, text=True, timeout=60, cwd=tmp_path,
                         env={**os.environ, "HOME": str(tmp_path), "DRUN_DATA": str(idp.data), "PATH": f"{DRUN.parent}:{os.environ['PATH']}"})
    assert out.returncode == 0 and "default" in out.stdout, out.stderr


def test_accounts_of_elsewhere_as_the_page_says(idp, tmp_path):
    """Each manifest is accepted, each command of the SCIM part runs. (Providers are signed in at in tests/e2e/federation.)"""
    page = PAGES["en"].read_text()
    page = page[page.index("# Accounts of elsewhere"):]
    env = {**os.environ, "HOME": str(tmp_path), "DRUN_DATA": str(idp.data), "CURL_CA_BUNDLE": idp.ca, "PATH": f"{DRUN.parent}:{os.environ['PATH']}"}
    script = ["set -euo pipefail"]
    for kind, body in re.findall(r"^```(sh|yaml|)\n(.*?)^```$", page, re.S | re.M):
        if kind == "yaml":
            script.append(f"drun apply -f - <<'EOF'\n{body}EOF")
        elif kind == "sh":
            script.append(body)
        else:
            # "$ command", its further lines indented, then what it printed. The two that need somebody signed in at a provider stay out.
            script += [command.replace("https://HOST", idp.url) for command in re.findall(r"^\$ ((?:.*\n)(?:[ ]{4,}.*\n)*)", body, re.M)
                       if "get user alice" not in command and "sign-in" not in command]
    assert len(script) > 8
    done = subprocess.run(["bash", "-c", "\n".join(script)], capture_output=True, text=True, timeout=120, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert '"name":"corp"' in done.stdout and "identityprovider/directory created" in done.stdout, done.stdout
    assert any(line.startswith("bjensen-example.com~") for line in lines) and lines[-1] == "1", done.stdout
