# SPDX-License-Identifier: Apache-2.0
"""A real nginx with the module, snapshots written by the real builders, and real engines.

DRUN_BUILD   the build directory (default: build)
DRUN_ENGINE  path of llama-server (default: from PATH)
DRUN_MODEL   path of a small GGUF model
DRUN_NGINX   nginx, or what wraps it (valgrind)
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import openai
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("DRUN_BUILD", ROOT / "build")).resolve()
FIXTURE = BUILD / "src/gateway/gateway_fixture"
MODULE = BUILD / "src/gateway/ngx_http_drun_module.so"
NGINX = os.environ.get("DRUN_NGINX") or shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
# The gateway never runs as root.
AS_USER = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(check, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = check()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


def can_connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
            return True
        except OSError:
            return False


def role(*verbs, ns, name, users):
    api = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": name, "namespace": ns},
         "rules": [{"apiGroups": ["drun.io"], "resources": ["models"], "verbs": list(verbs)}]},
        {"apiVersion": f"{api}/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": ns},
         "subjects": [{"kind": "User", "apiGroup": api, "name": user} for user in users],
         "roleRef": {"apiGroup": api, "kind": "Role", "name": name}},
    ]


class Engine:
    """llama-server on a Unix socket."""

    def __init__(self, folder, name="engine"):
        self.socket = folder / f"{name}.sock"
        self.log = open(folder / f"{name}.log", "ab")
        self.process = None

    def start(self):
        binary = os.environ.get("DRUN_ENGINE") or shutil.which("llama-server")
        self.socket.unlink(missing_ok=True)
        env = dict(os.environ, LD_LIBRARY_PATH=str(pathlib.Path(binary).parent))
        self.process = subprocess.Popen(
            [binary, "-m", os.environ["DRUN_MODEL"], "--host", str(self.socket), "-c", "2048", "-t", "2",
             "--alias", "engine-model", "--no-webui"],
            stdout=self.log, stderr=self.log, env=env, cwd=self.socket.parent, **AS_USER)

        def healthy():
            out = subprocess.run(["curl", "-s", "--unix-socket", self.socket, "http://engine/health"],
                                 capture_output=True, text=True).stdout
            return '"ok"' in out

        wait_for(healthy, "the engine", 60)
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None


class Upstream:
    """A second nginx on Unix sockets, which says what it was asked."""

    def __init__(self, folder, sockets):
        said = ", ".join(f'"{k}":"{v}"' for k, v in {
            "uri": "$request_uri", "authorization": "$http_authorization", "cookie": "$http_cookie",
            "xff": "$http_x_forwarded_for", "proto": "$http_x_forwarded_proto", "custom": "$http_x_custom",
            "length": "$content_length"}.items())
        servers = "".join(
            f"server {{ listen unix:{path}; location / {{ default_type application/json;\n"
            f"return 200 '{{\"owner\":\"{name}\",{said}}}'; }} }}\n" for name, path in sockets.items())
        temps = "".join(f"{t}_temp_path {folder}/up-{t};" for t in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = folder / "upstream.conf"
        conf.write_text(f"daemon off; error_log stderr; pid {folder}/up.pid; worker_processes 1;\n"
                        f"events {{}} http {{ access_log off; {temps} client_max_body_size 0;\n{servers} }}\n")
        self.process = subprocess.Popen([NGINX, "-p", folder, "-c", conf], stderr=subprocess.DEVNULL, **AS_USER)
        wait_for(lambda: all(can_connect(p) for p in sockets.values()), "the upstream")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Gateway:
    def __init__(self, folder, **conf):
        self.folder = folder
        self.port = free_port()
        self.keys = {}
        self.events = []
        self.process = None
        for name in ("run", "snap"):
            (folder / name).mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
        if AS_USER:
            subprocess.run(["chown", "-R", "65534:65534", folder], check=True)
        self.spec = {"conf": {
            "listen": f"127.0.0.1:{self.port}", "module": str(MODULE), "run_dir": str(folder / "run"),
            "snapshot_dir": str(folder / "snap"), "certificate": str(folder / "cert.pem"),
            "certificate_key": str(folder / "key.pem"), "rings": True, **conf},
            "keys": [], "namespaces": [], "routes": [], "rbac": []}

    def fixture(self, *args, **kwargs):
        return subprocess.run([FIXTURE, *args], input=json.dumps(self.spec), capture_output=True, text=True,
                              check=True, **AS_USER, **kwargs).stdout

    def publish(self):
        """Keys keep their secrets from one publication to the next."""
        for key in self.spec["keys"]:
            if key["name"] in self.keys:
                key["secret"] = self.keys[key["name"]]
        self.keys = json.loads(self.fixture("publish"))

    def write_conf(self):
        path = self.folder / "run/nginx.conf"
        path.write_text(self.fixture("conf"))
        return path

    def start(self):
        self.publish()
        conf = self.write_conf()
        self.errors = open(self.folder / "gateway.log", "ab")
        self.process = subprocess.Popen([FIXTURE, "run", NGINX, conf], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=self.errors, **AS_USER)
        self.process.stdin.write(json.dumps(self.spec))
        self.process.stdin.close()
        self.pid = json.loads(self.process.stdout.readline())["pid"]
        threading.Thread(target=self.collect, daemon=True).start()
        wait_for(self.answers, "the gateway")
        return self

    def reload(self):
        """New workers with the other rings, as the keeper has it: the old ones still write to theirs."""
        self.spec["conf"]["ring_set"] = 1 - self.spec["conf"].get("ring_set", 0)
        self.write_conf()
        os.kill(self.pid, signal.SIGHUP)

    def collect(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
            self.process.wait(20)

    def log(self):
        return (self.folder / "gateway.log").read_text()

    def event(self, request_id):
        """The one audit event of a request."""
        found = wait_for(lambda: [e for e in self.events if e.get("drun.request_id") == request_id], "an audit event")
        time.sleep(0.05)
        assert len([e for e in self.events if e.get("drun.request_id") == request_id]) == 1
        return found[0]

    # ---------------------------------------------------------------- clients

    def client(self, key, **kwargs):
        import httpx
        http = httpx.Client(verify=self.tls())
        return openai.OpenAI(base_url=f"https://127.0.0.1:{self.port}/v1", api_key=self.keys.get(key, key),
                             max_retries=0, http_client=http, **kwargs)

    def tls(self):
        return ssl.create_default_context(cafile=str(self.folder / "cert.pem"))

    def http(self, method, path, body=None, key=None, headers=None, http2=False):
        import httpx
        headers = dict(headers or {})
        if key is not None:
            headers["Authorization"] = "Bearer " + self.keys.get(key, key)
        if isinstance(body, (dict, list)):
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        with httpx.Client(verify=self.tls(), http2=http2) as client:
            return client.request(method, f"https://127.0.0.1:{self.port}{path}", content=body, headers=headers)

    def chat(self, key="alice", model="team/chat", headers=None, **extra):
        body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, **extra}
        return self.http("POST", "/v1/chat/completions", body, key, headers)


@pytest.fixture
def folder():
    """Short, as the path of a Unix socket is; on a tmpfs, as the run directory is."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="gw", dir="/dev/shm"))
    path.chmod(0o755)
    if AS_USER:
        os.chown(path, 65534, 65534)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def default_rules():
    """The image of what a platform judges by when nobody changed it."""
    from platform_process import Platform
    platform = Platform().start()
    try:
        return platform.wait_until("the rules", lambda: (platform.data / "waf/image.json").exists() and
                                   (platform.data / "waf/image").read_bytes(), 120)
    finally:
        platform.stop()
        platform.remove()


def give_rules(folder, image):
    (folder / "snap/waf").mkdir(parents=True)
    (folder / "snap/waf/waf.snap").write_bytes(image)
    (folder / "snap/waf/waf.gen").write_bytes((1).to_bytes(8, "little"))
    if AS_USER:
        subprocess.run(["chown", "-R", "65534:65534", folder / "snap"], check=True)


def make_gateway(folder, engine_socket, **conf):
    gateway = Gateway(folder, **conf)
    spec = gateway.spec
    spec["keys"] = [
        {"name": "alice", "namespace": "team", "user": "alice", "uid": "u1"},
        {"name": "bob", "namespace": "other", "user": "bob"},
        {"name": "narrow", "namespace": "team", "user": "alice", "models": ["elsewhere"]},
        {"name": "abroad", "namespace": "team", "user": "alice", "cidrs": ["192.0.2.0/24"]},
        {"name": "old", "namespace": "team", "user": "alice", "expires_at": 1600000000},
        {"name": "off", "namespace": "team", "user": "alice", "disabled": True},
        {"name": "reader", "namespace": "team", "user": "alice", "verbs": ["get"]},
        {"name": "few", "namespace": "team", "user": "alice", "requests_per_min": 3, "tokens_per_min": 100000},
        {"name": "poor", "namespace": "team", "user": "alice", "tokens_per_min": 500},
    ]
    spec["namespaces"] = [{"name": "team"}, {"name": "other"}]
    spec["routes"] = [
        {"namespace": "team", "name": "chat", "socket": str(engine_socket), "engine_model": "engine-model"},
        {"namespace": "team", "name": "small", "socket": str(engine_socket), "engine_model": "engine-model",
         "max_tokens": 16, "max_body": 2000},
        {"namespace": "team", "name": "starting", "socket": str(engine_socket), "ready": False},
        {"namespace": "team", "name": "away", "socket": str(folder / "nobody.sock")},
        {"namespace": "other", "name": "theirs", "socket": str(engine_socket)},
    ]
    spec["rbac"] = role("invoke", ns="team", name="call", users=["alice"]) + \
        role("invoke", ns="other", name="call", users=["bob"])
    return gateway


@pytest.fixture
def echo_gateway(folder):
    """Engines are nginx, and say what they were asked."""
    upstream = Upstream(folder, {"engine": folder / "engine.sock"})
    gateway = make_gateway(folder, folder / "engine.sock").start()
    yield gateway
    gateway.stop()
    upstream.stop()


@pytest.fixture(scope="session")
def engine():
    if not (os.environ.get("DRUN_ENGINE") or shutil.which("llama-server")) or "DRUN_MODEL" not in os.environ:
        pytest.skip("DRUN_ENGINE and DRUN_MODEL name no engine and no model")
    path = pathlib.Path(tempfile.mkdtemp(prefix="ge", dir="/dev/shm"))
    if AS_USER:
        os.chown(path, 65534, 65534)
    engine = Engine(path).start()
    yield engine
    engine.kill()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def gateway(folder, engine):
    if engine.process is None:
        engine.start()
    gateway = make_gateway(folder, engine.socket).start()
    yield gateway
    gateway.stop()
