# SPDX-License-Identifier: Apache-2.0
"""Two gateways of one platform: the same keys and rules at both, each with a process, an address and a certificate of its own."""
import os
import signal
import socket
import ssl
import subprocess
import time

import pytest

import faults
from cluster import Cluster, binding, config_map, role, rule
from platform_process import DRUN, Platform, free_port
from test_models import PROMPT, apply, key, phase, tenant
from test_posture import probe, walled
from weak_engine import Handler, WeakEngine


class Pair(Platform):
    """The second gateway listens at another address of this machine."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.second_port = free_port()
        self.settings["listen-second"] = f"127.0.0.2:{self.second_port}"
        self.urls = {"gateway": self.url, "gateway2": f"https://127.0.0.2:{self.second_port}"}

    def ask(self, gateway, method, path, token=None, **more):
        return self.request(method, path, token, url=self.urls[gateway], **more)

    def answers(self, gateway):
        try:
            return self.ask(gateway, "GET", "/version", timeout=5).status_code == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def pair():
    running = Pair(egress_networks="127.0.0.0/8", listen_mtls=f"127.0.0.1:{free_port()}")
    running.start()
    apply(running, *tenant("demo"))
    yield running
    code = running.stop()
    running.remove()
    assert code == 0


@pytest.fixture
def own_pair():
    own = Pair()
    yield own
    if own.process:
        own.stop()
    own.remove()


@pytest.fixture(params=["gateway", "gateway2"])
def gateway(request):
    return request.param


def other(gateway):
    return "gateway" if gateway == "gateway2" else "gateway2"


def certificate(pair, gateway):
    host, port = pair.urls[gateway].removeprefix("https://").split(":")
    with socket.create_connection((host, int(port)), 10) as raw:
        with ssl.create_default_context(cafile=pair.ca).wrap_socket(raw, server_hostname=host) as tls:
            return tls.getpeercert()


def holds(check, within=0.1):
    """What the platform promises for a change of rules; the machine may be slow to ask, so the last look counts."""
    deadline = time.monotonic() + within
    while not (done := check()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return done


# ---------------------------------------------------------------------- two of everything


def test_each_is_a_process_with_places_of_its_own(pair):
    roles = pair.roles()
    assert {"gateway", "gateway2"} <= set(roles)
    for gateway in pair.urls:
        assert (pair.data / gateway).is_dir()
        conf = (pair.run_dir / gateway / "nginx.conf").read_text()
        assert f"listen {pair.urls[gateway].removeprefix('https://')} ssl" in conf
        assert str(pair.run_dir / other(gateway)) + "/" not in conf and str(pair.data / other(gateway)) + "/" not in conf
    if os.geteuid() == 0:
        uids = {name: os.stat(f"/proc/{roles[name]}").st_uid for name in pair.urls}
        assert 0 not in uids.values() and uids["gateway"] != uids["gateway2"]
        assert {(pair.run_dir / name / "tls.key").stat().st_uid for name in pair.urls} == set(uids.values())


def test_each_has_a_certificate_for_its_own_address(pair):
    certificates = {gateway: certificate(pair, gateway) for gateway in pair.urls}
    names = {gateway: {name for _, name in found["subjectAltName"]} for gateway, found in certificates.items()}
    assert "127.0.0.2" in names["gateway2"] and "127.0.0.2" not in names["gateway"]
    # Who comes through a load balancer asks for the public name.
    assert "127.0.0.1" in names["gateway2"]
    assert certificates["gateway"]["serialNumber"] != certificates["gateway2"]["serialNumber"]


@pytest.mark.parametrize("setting", ["listen", "listen-mtls"])
def test_no_two_listeners_have_one_address(own_pair, setting):
    own_pair.settings[setting] = own_pair.settings["listen-second"]
    failed = own_pair.try_start()
    assert failed.returncode == 1 and f"{setting} and listen-second are both 127.0.0.2" in failed.stderr, failed.stderr


def test_a_taken_address_is_named_with_its_setting(own_pair):
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", own_pair.second_port))
        taken.listen()
        failed = own_pair.try_start()
    assert failed.returncode == 1 and "--set listen-second=" in failed.stderr, failed.stderr


# ---------------------------------------------------------------------- the same platform


def test_objects_and_pages_are_the_same_through_both(pair):
    operator = pair.operator_token()
    made = pair.ask("gateway2", "POST", "/api/v1/namespaces/demo/configmaps", operator, json=config_map("shared", a="1"))
    assert made.status_code == 201, made.text
    read = [pair.ask(gateway, "GET", "/api/v1/namespaces/demo/configmaps/shared", operator).json() for gateway in pair.urls]
    assert read[0] == read[1] and read[0]["data"] == {"a": "1"}
    pages = [pair.ask(gateway, "GET", "/") for gateway in pair.urls]
    assert pages[0].status_code == pages[1].status_code == 200 and pages[0].text == pages[1].text
    # Signing in belongs to the public URL, whoever tells it.
    told = [pair.ask(gateway, "GET", "/.well-known/openid-configuration").json() for gateway in pair.urls]
    assert told[0] == told[1] and told[0]["issuer"] == pair.url


def test_a_revoked_key_is_refused_at_both(pair):
    token = key(pair, "demo", "short-lived")
    for gateway in pair.urls:
        assert pair.ask(gateway, "GET", "/v1/models", token).status_code == 200
    gone = pair.ask("gateway2", "DELETE", "/apis/drun.io/v1/namespaces/demo/apikeys/short-lived", pair.operator_token())
    assert gone.status_code == 200, gone.text
    for gateway in pair.urls:
        assert holds(lambda: pair.ask(gateway, "GET", "/v1/models", token).status_code == 401), gateway


def test_a_right_that_is_taken_away_is_gone_at_both(pair, called):
    cluster = Cluster(pair)
    cluster.create("rbac/roles", "demo", role("calls", rule("drun.io", "models", "invoke")))
    cluster.create("rbac/rolebindings", "demo", binding("calls", "calls", "system:serviceaccount:demo:caller"))
    caller, _ = cluster.account("demo", "caller")
    for gateway in pair.urls:
        assert pair.wait_until("the right", lambda: call(pair, gateway, caller.token).status_code == 200)
    cluster.delete("rbac/rolebindings", "demo", "calls")
    for gateway in pair.urls:
        assert holds(lambda: call(pair, gateway, caller.token).status_code == 404), gateway


# ---------------------------------------------------------------------- calls


def outside(name, engine):
    return {"apiVersion": "drun.io/v1", "kind": "ModelService", "metadata": {"name": name, "namespace": "demo"},
            "spec": {"upstream": {"url": engine.url, "model": "weak", "caBundle": engine.ca}, "limits": {"maxTokens": 64}}}


@pytest.fixture(scope="module")
def called(pair):
    """The key of who may call a model, whose engine is outside and answers at once."""
    engine = WeakEngine()
    apply(pair, outside("weak", engine))
    token = key(pair, "demo", "tenant", "--model", "demo/*")
    pair.wait_until("the model service", lambda: phase(pair, "demo", name="weak") == "Ready", timeout=60)
    pair.wait_until("an answer", lambda: call(pair, "gateway2", token).status_code == 200, timeout=60)
    yield token
    engine.close()


def call(pair, gateway, token, model="demo/weak"):
    return pair.ask(gateway, "POST", "/v1/chat/completions", token,
                    json={"model": model, "messages": PROMPT, "user": "alice", "max_tokens": 2})


def test_a_key_calls_through_both_and_the_log_says_through_which(pair, called, gateway):
    answer = call(pair, gateway, called)
    assert answer.status_code == 200 and "red" in answer.text, answer.text
    request = answer.headers["X-Request-Id"]

    def recorded():
        listed = pair.request("GET", f"/apis/audit.drun.io/v1/auditevents?event=drun.model.call&role={gateway}", pair.operator_token())
        return [item["event"] for item in listed.json()["items"] if item["event"]["drun.request_id"] == request]

    found = pair.wait_until("the record", recorded)
    assert found[0]["drun.role"] == gateway and found[0]["gen_ai.usage.output_tokens"] == 1


def test_when_one_is_killed_the_other_serves_and_it_comes_back(pair, called, gateway):
    spared = pair.roles()[other(gateway)]
    killed = pair.kill(gateway)
    for _ in range(10):
        assert call(pair, other(gateway), called).status_code == 200
    pair.wait_for_role(gateway, killed)
    pair.wait_until("its answer", lambda: pair.answers(gateway))
    assert call(pair, gateway, called).status_code == 200
    assert pair.roles()[other(gateway)] == spared


def test_roles_that_are_started_again_hear_both(pair, called):
    for name in ("audit", "api"):
        pair.wait_for_role(name, pair.kill(name))
        for gateway in pair.urls:
            pair.wait_until(f"{gateway}'s answer", lambda: pair.answers(gateway) and call(pair, gateway, called).status_code == 200)
    began = time.time_ns()
    for gateway in pair.urls:
        call(pair, gateway, called)

    def recorded():
        listed = pair.request("GET", "/apis/audit.drun.io/v1/auditevents?event=drun.model.call", pair.operator_token())
        return {item["event"]["drun.role"] for item in listed.json()["items"] if int(item["event"]["time_unix_nano"]) > began}

    pair.wait_until("the records of both", lambda: recorded() == set(pair.urls))


class Broken(Handler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(503, {"error": {"message": "not today", "type": "server_error"}})


def test_what_one_leaves_out_stays_in_the_status_whatever_the_other_says(pair, called):
    engine = WeakEngine(Broken)
    apply(pair, outside("lame", engine),
          {"apiVersion": "drun.io/v1", "kind": "ModelRoute", "metadata": {"name": "flaky", "namespace": "demo"},
           "spec": {"backends": [{"modelService": "lame"}, {"modelService": "weak", "priority": 1}],
                    "outlier": {"consecutiveFailures": 2, "ejectionSeconds": 600}}})

    def states():
        route = pair.request("GET", "/apis/drun.io/v1/namespaces/demo/modelroutes/flaky", pair.operator_token())
        return [backend["state"] for backend in route.json()["status"]["backends"]]

    pair.wait_until("the services", lambda: states() == ["Ready", "Ready"], timeout=60)
    for _ in range(3):
        pair.wait_until("the route", lambda: call(pair, "gateway2", called, model="demo/flaky").status_code == 200)
    pair.wait_until("the status", lambda: states() == ["Ejected", "Ready"])
    # The other one leaves out nothing, and says so when it is started.
    pair.wait_for_role("gateway", pair.kill("gateway"))
    pair.wait_until("its answer", lambda: pair.answers("gateway"))
    time.sleep(2)
    assert states() == ["Ejected", "Ready"]
    # A boot ends that; so does a keeper whose workers forgot.
    (pair.run_dir / "gateway2" / "breakers").unlink()
    pair.wait_for_role("gateway2", pair.kill("gateway2"))
    pair.wait_until("the end of it", lambda: pair.answers("gateway2") and states() == ["Ready", "Ready"])
    engine.close()


# ---------------------------------------------------------------------- proofs, seals, the end


def test_the_proofs_look_at_both(pair):
    transport = probe(pair, "en-1")
    assert transport["verdict"] == "proven", transport["evidence"]
    for listener in ("listen-second", "listen-mtls"):
        assert f"a handshake with TLS 1.2 is refused at {listener}" in transport["evidence"]
    firewall = walled(pair)
    assert firewall["verdict"] == "proven", firewall["evidence"]
    assert firewall["evidence"].count("a script as the name of an object is refused") == 2
    found = pair.request("GET", "/apis/drun.io/v1/controls", pair.operator_token()).json()["items"]
    # One that ran while a test before this killed its role is to be asked again.
    for name in [c["metadata"]["name"] for c in found if c["status"]["verdict"] == "failed"]:
        again = probe(pair, name, 60)
        assert again["verdict"] != "failed", again["evidence"]


def change_second(pair, old, new):
    text = (pair.run_dir / "gateway2" / "nginx.conf").read_text()
    assert old in text
    faults.reload_nginx(pair, text.replace(old, new), "gateway2")


def test_a_proof_fails_when_the_second_alone_breaks_it(own_pair):
    own_pair.start()
    change_second(own_pair, "ssl_protocols TLSv1.3", "ssl_protocols TLSv1.2 TLSv1.3")
    status = probe(own_pair, "en-1")
    assert status["verdict"] == "failed" and "DOES NOT HOLD: a handshake with TLS 1.2 is refused at listen-second" in status["evidence"]
    assert "holds: a handshake with TLS 1.2 is refused\n" in status["evidence"]
    assert walled(own_pair)["verdict"] == "proven"
    change_second(own_pair, "drun_waf open", "drun_waf off")
    status = probe(own_pair, "nw-2", 120)
    first, second = status["evidence"].split("The same at listen-second:")
    assert status["verdict"] == "failed" and "DOES NOT HOLD" not in first and "DOES NOT HOLD" in second


def refuses(pair, gateway):
    host, port = pair.urls[gateway].removeprefix("https://").split(":")
    with socket.socket() as sock:
        sock.settimeout(10)
        return sock.connect_ex((host, int(port))) != 0


def test_a_seal_closes_both_and_what_opens_it_opens_both(own_pair):
    own_pair.start()
    for word, sealed in (("seal", True), ("unseal", False)):
        done = subprocess.run([DRUN, word, "--data", own_pair.data], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        for gateway in own_pair.urls:
            assert refuses(own_pair, gateway) == sealed and own_pair.answers(gateway) != sealed
    assert own_pair.stop() == 0
    assert "did not stop within" not in own_pair.text()
    assert not own_pair.run_dir.exists()


def test_what_it_left_is_cleared_when_it_is_not_wanted_any_more(own_pair):
    own_pair.start()
    own_pair.process.send_signal(signal.SIGKILL)
    own_pair.process.wait()
    own_pair.wait_until("the end of all", lambda: all(refuses(own_pair, gateway) for gateway in own_pair.urls))
    assert (own_pair.run_dir / "gateway2" / "tls.key").exists()
    del own_pair.settings["listen-second"]
    own_pair.start()
    assert "gateway2" not in own_pair.roles()
    assert own_pair.stop() == 0
    assert not own_pair.run_dir.exists()
