#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The identity provider with many users and sessions against itself with few, in the same run: sessions looked up, tokens, users
found, what a revocation takes until the gateway refuses, sign-ins with their Argon2id, memory, start. Rounds alternate between
the two, and each latency is the median over the rounds.

usage: bench_identity.py [USERS SESSIONS]          (100000 1000000; with the Python of the end-to-end tests)
"""
import base64
import hashlib
import os
import pathlib
import random
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(variable, None)  # they would go before the platform's own authority
sys.path.insert(0, str(ROOT / "tests/e2e"))
import platform_process  # noqa: E402
from identity import CLIENTS, USERS, Identity  # noqa: E402
from platform_process import free_port  # noqa: E402

BUILD = pathlib.Path(os.environ.get("DRUN_BUILD", ROOT / "build"))
platform_process.DRUN = BUILD / "drun"
FEW = (1000, 10000, 100)
MANY = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (100_000, 1_000_000)
MANY = (*MANY, MANY[0] // 10)  # one user in ten has signed out in the last ten minutes
ROUNDS, SECONDS, COOKIES, REVOKED, SIGN_INS = 3, 2, 2000, 10, 8


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def cookie(number):
    return base64url(hashlib.sha256(f"session {number}".encode()).digest())


def cpu(pid):
    """Seconds of all its threads; /proc counts in hundredths, which are longer than some of what is measured."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)


class Side:
    def __init__(self, users, sessions, ended):
        self.users, self.sessions, self.ended = users, sessions, ended
        self.platform = Identity()
        self.found = {}
        self.refused = 0

    def prepare(self):
        platform = self.platform.start()
        operator = platform.operator_token()
        platform.add_user("model", operator)
        made = platform.must(201, "POST", CLIENTS, operator, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": "bench"},
                                                                 "spec": {"grantTypes": ["client_credentials"], "scopes": ["drun"]}})
        self.basic = "Basic " + base64.b64encode(f"bench:{made['status']['clientSecret']}".encode()).decode()
        platform.stop()
        began = time.monotonic()
        # In memory, where filling takes no disk; it is copied back, so that what is measured is on it.
        memory = pathlib.Path(tempfile.mkdtemp(prefix="drun-bench-fill-", dir="/dev/shm"))
        try:
            for part in ("kms", "idp"):
                shutil.copytree(platform.data / part, memory / part)
            shutil.copy(platform.data / "instance", memory)
            subprocess.run([BUILD / "bench/fill_identity", memory, platform.key_file, "model", str(self.users), str(self.sessions), str(self.ended)], check=True)
            for file in (platform.data / "idp").glob("store.db*"):
                owner = file.stat()
                file.unlink()
            shutil.copy(memory / "idp/store.db", platform.data / "idp/store.db")
            os.chmod(platform.data / "idp/store.db", 0o600)
            if os.geteuid() == 0:
                os.chown(platform.data / "idp/store.db", owner.st_uid, owner.st_gid)
        finally:
            shutil.rmtree(memory)
        size = (platform.data / "idp/store.db").stat().st_size >> 20
        print(f"{self.users:,} users, {self.sessions:,} sessions, {self.ended:,} ended: {size} MiB, made in {time.monotonic() - began:.0f} s", flush=True)
        platform.run_dir.mkdir(exist_ok=True, mode=0o710)
        platform.port = free_port()  # others may have taken the old one meanwhile
        platform.url = f"https://127.0.0.1:{platform.port}"
        platform.settings["listen"] = f"127.0.0.1:{platform.port}"
        platform.start(timeout=120)
        self.ready_ms = int(re.findall(r"ready on \S+ after (\d+) ms", platform.text())[-1])
        self.idp = platform.roles()["idp"]
        self.operator = platform.operator_token()
        self.http = platform.browser()
        self.http.headers["Authorization"] = f"Bearer {self.operator}"

    def note(self, what, value):
        self.found.setdefault(what, []).append(value)

    def of(self, what):
        return statistics.median(self.found[what])

    # -------------------------------------------------------------- what is measured

    def wrk(self, what, path, lua):
        script = self.platform.folder / "wrk.lua"
        script.write_text(lua)
        before = cpu(self.idp)
        out = subprocess.run(["wrk", "-t1", "-c8", f"-d{SECONDS}s", "--latency", "-s", script, self.platform.url + path], stdout=subprocess.PIPE, text=True,
                             check=True, timeout=SECONDS + 60).stdout
        count = int(re.search(r"(\d+) requests in", out).group(1))
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        self.refused += int(refused.group(1)) if refused else 0
        if refused and int(refused.group(1)) > count / 100:  # a busy machine looks like a flood to the gateway
            raise RuntimeError(f"{out}\n{self.platform.text()[-1500:]}")
        value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", out).groups()
        self.note(what, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit])
        self.note(what + " cpu", (cpu(self.idp) - before) / count * 1e6)

    def look_up_sessions(self):
        names = ",".join(f'"{cookie(random.randrange(self.sessions))}"' for _ in range(COOKIES))
        self.wrk("session looked up", "/session", f'local names = {{{names}}}\nlocal at = 0\nfunction request()\n at = at % #names + 1\n'
                 ' return wrk.format("GET", nil, {["Cookie"] = "__Host-drun-session=" .. names[at]})\nend\n')

    def give_tokens(self):
        self.wrk("client_credentials", "/oauth2/token", 'wrk.method = "POST"\nwrk.body = "grant_type=client_credentials&scope=drun"\n'
                 f'wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"\nwrk.headers["Authorization"] = "{self.basic}"\n')

    def each(self, what, ask, times=60):
        before, took = cpu(self.idp), []
        for _ in range(times):
            began = time.monotonic()
            ask(random.randrange(self.users))
            took.append((time.monotonic() - began) * 1000)
        self.note(what, statistics.median(took))
        self.note(what + " cpu", (cpu(self.idp) - before) / times * 1e6)

    def get(self, path, name, key, **query):
        answer = self.http.get(self.platform.url + path, params=query)
        items = answer.json()[key]
        assert answer.status_code == 200 and len(items) == 1, answer.text
        assert name in (items[0].get("userName"), items[0].get("metadata", {}).get("name")), items[0]

    def find_users(self):
        self.each("user by name", lambda i: self.http.get(f"{self.platform.url}{USERS}/user{i:06d}").raise_for_status())
        self.each("user by address", lambda i: self.get(USERS, f"user{i:06d}", "items", fieldSelector=f"spec.email=user{i:06d}@bench.example"))
        self.each("user by SCIM userName", lambda i: self.get("/scim/v2/Users", f"user{i:06d}", "Resources", filter=f'userName eq "user{i:06d}"'))
        self.each("page of 100 users", lambda i: self.http.get(f"{self.platform.url}{USERS}", params={"limit": 100}).raise_for_status(), 10)

    def token_of(self, browser):
        """By the code flow, as the console gets its own."""
        redirect, verifier = self.platform.url + "/callback", secrets.token_urlsafe(48)
        challenge = base64url(hashlib.sha256(verifier.encode()).digest())
        answer = browser.get(self.platform.url + "/oauth2/authorize", allow_redirects=False, params={
            "response_type": "code", "client_id": "drun-console", "redirect_uri": redirect, "scope": "openid profile groups drun",
            "code_challenge": challenge, "code_challenge_method": "S256", "state": "x"})
        code = urllib.parse.parse_qs(urllib.parse.urlparse(answer.headers["Location"]).query)["code"][0]
        answer = browser.post(self.platform.url + "/oauth2/token", data={"grant_type": "authorization_code", "code": code, "redirect_uri": redirect,
                                                                       "client_id": "drun-console", "code_verifier": verifier})
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return answer.json()["access_token"]

    def accepted(self, token):
        return self.http.get(self.platform.url + "/api/v1/namespaces", headers={"Authorization": f"Bearer {token}"}).status_code != 401

    def revoke(self):
        """From the answer to the sign-out on, and from the request."""
        for number in random.sample(range(self.sessions), REVOKED):
            browser = self.platform.browser()
            browser.cookies.set("__Host-drun-session", cookie(number), secure=True)
            token = self.token_of(browser)
            assert self.accepted(token)
            asked = time.monotonic()
            assert browser.delete(self.platform.url + "/session").status_code == 204
            answered = time.monotonic()
            while self.accepted(token):
                assert time.monotonic() < answered + 10, "the token is still good"
            self.note("refused after the answer", (time.monotonic() - answered) * 1000)
            self.note("refused after the request", (time.monotonic() - asked) * 1000)

    def sign_in(self):
        before, began, hashing = cpu(self.idp), time.monotonic(), 0.0
        for _ in range(SIGN_INS):
            asked = cpu(self.idp)
            browser = self.platform.sign_in(f"user{random.randrange(self.users):06d}")
            hashing += cpu(self.idp) - asked
            self.token_of(browser)
        self.note("sign-ins a second", SIGN_INS / (time.monotonic() - began))
        self.note("sign-in cpu", (cpu(self.idp) - before) / SIGN_INS * 1000)
        self.note("sign-in password cpu", hashing / SIGN_INS * 1000)

    def memory(self):
        status = pathlib.Path(f"/proc/{self.idp}/status").read_text()
        return [int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("VmRSS", "VmHWM")]

    def end(self):
        if self.platform.process is not None:
            self.platform.stop()
        self.platform.remove()


def compare(few, many):
    for what in ("session looked up", "client_credentials", "user by name", "user by address", "user by SCIM userName", "page of 100 users"):
        a, b = few.of(what), many.of(what)
        x, y = few.of(what + " cpu"), many.of(what + " cpu")
        print(f"{what}: {b:.2f} ms, with few {a:.2f} ms, ratio {b / a:.2f}; CPU of idp {y:.0f} us, with few {x:.0f} us, ratio {y / x:.2f}")
    for what in ("refused after the answer", "refused after the request"):
        print(f"{what}: median {many.of(what):.1f} ms, worst {max(many.found[what]):.1f} ms; with few {few.of(what):.1f} ms, worst {max(few.found[what]):.1f} ms")
    print(f"sign-ins: {many.of('sign-ins a second'):.1f}/s one after the other, {many.of('sign-in cpu'):.1f} ms of CPU, "
          f"of which the password {many.of('sign-in password cpu'):.1f} ms; with few {few.of('sign-ins a second'):.1f}/s, {few.of('sign-in cpu'):.1f} ms")
    if few.refused or many.refused:
        print(f"refused by the gateway meanwhile: {many.refused}, with few {few.refused}")
    print(f"ready: {many.ready_ms} ms; with few {few.ready_ms} ms")


def main():
    few, many = Side(*FEW), Side(*MANY)
    try:
        few.prepare()
        many.prepare()
        for _ in range(ROUNDS):
            for measure in ("look_up_sessions", "give_tokens", "find_users", "revoke", "sign_in"):
                for side in (few, many):
                    getattr(side, measure)()
        compare(few, many)
        time.sleep(5)
        (rss, peak), (few_rss, few_peak) = many.memory(), few.memory()
        print(f"memory of idp: {rss:.1f} MiB, peak {peak:.1f} MiB; with few {few_rss:.1f} MiB, peak {few_peak:.1f} MiB")
    finally:
        few.end()
        many.end()


main()
