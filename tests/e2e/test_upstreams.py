# SPDX-License-Identifier: Apache-2.0
"""Outside engines: called through the gateway like an engine in a sandbox, with a key that no client, no gateway and no
api ever sees."""
import json
import os
import pathlib
import signal
import subprocess
import time

import openai
import pytest

from outside_engine import ENGINE, MODEL, OutsideEngine
from platform_process import DRUN, ROOT, Platform
from test_models import PROMPT, apply, client, get, key, namespace, phase, tenant

pytestmark = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                reason="the small model or its engine could not be downloaded (tools/fetch-model)")


@pytest.fixture(scope="module")
def outside():
    engine = OutsideEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def serving(outside):
    running = Platform(egress_networks="127.0.0.0/8")
    running.start()
    apply(running, *tenant("demo"), secret(outside.key), service(outside))
    running.wait_until("the outside engine", lambda: chats(running, outside) is not None and phase(running, "demo") == "Ready", timeout=90)
    yield running
    assert running.stop() == 0
    running.remove()


def chats(platform, outside):
    """llama.cpp itself needs a moment; the service is ready before, because its nginx answers."""
    import requests
    try:
        answer = requests.get(f"http://127.0.0.1:{outside.engine_port}/v1/models", timeout=5)
        return answer if answer.status_code == 200 else None
    except OSError:
        return None


@pytest.fixture(scope="module")
def demo_key(serving):
    return key(serving, "demo", "tenant", "--model", "demo/*")


@pytest.fixture(autouse=True)
def as_it_was(serving, outside):
    yield
    if outside.nginx.poll() is not None:
        outside.write()
        outside.start()


def secret(value, name="outside", kind="drun.io/upstream-key", **data):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "demo"}, "type": kind,
            "stringData": {"api-key": value + "\n", **data}}


def service(outside, name="gemma", base="base", **more):
    return {"apiVersion": "drun.io/v1", "kind": "ModelService", "metadata": {"name": name, "namespace": "demo"},
            "spec": {"upstream": {"url": outside.url(base), "apiKeySecretRef": {"name": "outside"}, "model": "outside-model",
                                  "caBundle": outside.ca, **more}, "limits": {"maxTokens": 256}}}


def ready(platform, name="gemma"):
    for condition in get(platform, "demo", "modelservices", name).get("status", {}).get("conditions", []):
        if condition["type"] == "Ready":
            return condition
    return {"status": "Unknown", "reason": "", "message": ""}


def wait_for_reason(platform, reason, name="gemma", timeout=40):
    return platform.wait_until(reason, lambda: ready(platform, name) if ready(platform, name)["reason"] == reason else None,
                               timeout=timeout)


def call(platform, token, name="gemma", **more):
    return platform.request("POST", "/v1/chat/completions", token,
                            json={"model": f"demo/{name}", "messages": PROMPT, "max_tokens": 4, **more})


def wait_for_answer(platform, token, name="gemma", timeout=20):
    """Until it can be called; says what was answered instead."""
    deadline = time.monotonic() + timeout
    while (answer := call(platform, token, name, max_tokens=1)).status_code != 200:
        status = get(platform, "demo", "modelservices", name).get("status")
        assert time.monotonic() < deadline, f"{answer.status_code} {answer.text}\n{status}\n{platform.text()[-3000:]}"
        time.sleep(0.05)


def delete(platform, name):
    assert platform.request("DELETE", f"/apis/drun.io/v1/namespaces/demo/modelservices/{name}", platform.operator_token()).status_code == 200


# ---------------------------------------------------------------------- like any other model


def test_a_chat_is_answered_and_counted(serving, demo_key):
    answer = client(serving, demo_key).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=8)
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens == 8 and answer.usage.prompt_tokens > 0

    def found():
        listed = serving.request("GET", "/apis/audit.drun.io/v1/namespaces/demo/auditevents?event=drun.model.call&limit=100", serving.operator_token())
        return [item for item in listed.json()["items"] if str(answer.usage.prompt_tokens) in str(item)]

    assert serving.wait_until("the record", found)


def test_a_chat_is_streamed_piece_by_piece(serving, demo_key):
    pieces, times = [], []
    for part in client(serving, demo_key).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=24, stream=True):
        if part.choices[0].delta.content:
            pieces.append(part.choices[0].delta.content)
            times.append(time.monotonic())
    assert len(pieces) >= 8 and times[-1] - times[0] > 0.05, "not buffered"


def test_it_is_called_by_its_own_name_and_shows_no_header_of_its_own(serving, demo_key):
    answer = call(serving, demo_key)
    assert answer.status_code == 200 and answer.json()["model"] == "outside-model", answer.text
    assert "7" != answer.headers.get("X-RateLimit-Limit-Requests")
    assert [m.id for m in client(serving, demo_key).models.list()] == ["demo/gemma"]


def test_a_query_of_the_client_does_not_go_out(serving, outside, demo_key):
    answer = serving.request("POST", "/v1/chat/completions?api-version=evil", demo_key,
                             json={"model": "demo/gemma", "messages": PROMPT, "max_tokens": 1})
    assert answer.status_code == 200, answer.text
    assert not any("evil" in line for line in outside.calls())


# ---------------------------------------------------------------------- the key


def test_the_key_is_in_no_file_and_in_nobodys_memory_but_its_holders(serving, outside):
    needle = outside.key.encode()
    for path in pathlib.Path(serving.data).rglob("*"):
        if path.is_file():
            assert needle not in path.read_bytes(), path
    assert needle not in serving.log_path.read_bytes()
    if os.geteuid() != 0:
        return
    for role in ("gateway", "api", "agent", "idp"):
        assert not in_memory(serving.roles()[role], needle), role
        for child in children(serving.roles()[role]):
            assert not in_memory(child, needle), f"a child of {role}"


def children(pid):
    text = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(one) for one in text] + [deeper for one in text for deeper in children(int(one))]


def in_memory(pid, needle):
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            if "rw" not in mode:
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(begin)
                if needle in memory.read(end - begin):
                    return True
            except OSError:
                continue
    return False


def test_a_key_that_is_handed_out_is_in_the_audit_log(serving):
    listed = serving.request("GET", "/apis/audit.drun.io/v1/auditevents?event=drun.secret.read&limit=20", serving.operator_token())
    assert any("system:drun:exporter" in str(item) and "outside" in str(item) for item in listed.json()["items"]), listed.text


def test_a_secret_that_changes_is_used_without_a_restart(serving, outside, demo_key):
    exporter = serving.roles()["exporter"]
    outside.restart(key="sk-second")
    refused = call(serving, demo_key)
    assert refused.status_code == 502 and refused.json()["error"]["code"] == "upstream_refused", refused.text
    assert "Retry-After" in refused.headers
    apply(serving, secret("sk-second"))
    wait_for_answer(serving, demo_key, timeout=10)
    outside.restart()
    apply(serving, secret(outside.key))
    wait_for_answer(serving, demo_key, timeout=10)
    assert serving.roles()["exporter"] == exporter


def test_a_wrong_key_and_a_missing_secret_are_told(serving, outside, demo_key):
    apply(serving, secret("sk-wrong", "wrong"), service(outside, "wrong", apiKeySecretRef={"name": "wrong"}),
          service(outside, "missing", apiKeySecretRef={"name": "nothing"}), service(outside, "keyless", apiKeySecretRef=None))
    wait_for_reason(serving, "KeyRefused", "wrong")
    assert "demo/nothing" in wait_for_reason(serving, "SecretMissing", "missing")["message"]
    wait_for_reason(serving, "KeyRefused", "keyless")
    answer = call(serving, demo_key, "wrong")
    assert answer.status_code == 503 and "Retry-After" in answer.headers, answer.text
    apply(serving, secret(outside.key, "wrong"))
    wait_for_answer(serving, demo_key, "wrong", timeout=10)
    apply(serving, secret(outside.key, "nothing"))
    wait_for_answer(serving, demo_key, "missing", timeout=10)
    gone = serving.request("DELETE", "/api/v1/namespaces/demo/secrets/nothing", serving.operator_token())
    assert gone.status_code == 200, gone.text
    wait_for_reason(serving, "SecretMissing", "missing", timeout=10)
    assert call(serving, demo_key, "missing").status_code == 503
    for name in ("wrong", "missing", "keyless"):
        delete(serving, name)


def test_a_secret_that_is_not_meant_to_go_out_stays(serving, outside):
    apply(serving, secret(outside.key, "private", kind="Opaque"), service(outside, "sly", apiKeySecretRef={"name": "private"}))
    assert "drun.io/upstream-key" in wait_for_reason(serving, "SecretRefused", "sly")["message"]
    delete(serving, "sly")


def test_the_key_can_travel_in_another_header(serving, outside, demo_key):
    before = len(outside.calls())
    apply(serving, secret("Bearer", "odd"), service(outside, "odd", apiKeySecretRef={"name": "outside"}, apiKeyHeader="api-key",
                                                    headers=[{"name": "X-Team", "value": 'a "$b" \\c'}]))
    wait_for_reason(serving, "KeyRefused", "odd")  # it wants it in Authorization
    assert len(outside.calls()) > before
    delete(serving, "odd")


# ---------------------------------------------------------------------- what goes wrong outside


def test_an_engine_that_is_down_is_a_clean_error_and_comes_back(serving, outside, demo_key):
    outside.stop()
    answer = call(serving, demo_key)
    assert answer.status_code in (502, 503) and "Retry-After" in answer.headers and answer.json()["error"]["message"], answer.text
    outside.start()
    wait_for_answer(serving, demo_key, timeout=40)


def test_an_engine_that_is_silent_is_given_up_on(serving, outside, demo_key):
    apply(serving, service(outside, "slow", "slow", timeoutSeconds=2))
    serving.wait_until("the slow one", lambda: phase(serving, "demo", name="slow") == "Ready", timeout=20)
    began = time.monotonic()
    answer = call(serving, demo_key, "slow")
    assert answer.status_code == 504 and answer.json()["error"]["code"] == "upstream_timeout", answer.text
    assert time.monotonic() - began < 15
    assert call(serving, demo_key).status_code == 200, "it holds no other up"
    delete(serving, "slow")


def test_an_engine_that_says_it_is_not_well_gets_no_calls(serving, outside, demo_key):
    sick = outside.folder / "sick"
    apply(serving, service(outside, "watched", healthCheck={"path": "/health", "intervalSeconds": 5, "failureThreshold": 2,
                                                            "successThreshold": 3}))
    wait_for_reason(serving, "UpstreamReady", "watched")
    assert any("GET /health" in line for line in outside.calls())
    assert call(serving, demo_key, "watched").status_code == 200
    sick.touch()
    try:
        wait_for_reason(serving, "HealthCheckFailed", "watched")
        first = phase(serving, "demo", name="watched")
        assert first == "Failed" or call(serving, demo_key, "watched").status_code == 200, "one miss takes nothing away"
        serving.wait_until("the second miss", lambda: phase(serving, "demo", name="watched") == "Failed", timeout=60)
        assert "503" in ready(serving, "watched")["message"] and call(serving, demo_key, "watched").status_code == 503
    finally:
        sick.unlink()
    told = wait_for_reason(serving, "Recovering", "watched")["message"]
    assert told.endswith("of 3 good answers in a row"), told
    wait_for_reason(serving, "UpstreamReady", "watched", timeout=60)
    assert call(serving, demo_key, "watched").status_code == 200
    delete(serving, "watched")


def test_a_redirect_is_not_followed_nor_passed_on(serving, outside, demo_key):
    apply(serving, service(outside, "moved", "moved"))
    serving.wait_until("the moved one", lambda: phase(serving, "demo", name="moved") == "Ready", timeout=20)
    answer = call(serving, demo_key, "moved")
    assert answer.status_code == 502 and "Location" not in answer.headers, answer.text
    delete(serving, "moved")


def test_a_certificate_that_is_not_trusted_or_of_another_is_refused(serving, outside, demo_key):
    apply(serving, service(outside, "untrusted", caBundle=None))
    wait_for_reason(serving, "CertificateRefused", "untrusted")
    assert call(serving, demo_key, "untrusted").status_code == 503
    delete(serving, "untrusted")
    calls = len(outside.calls())
    outside.restart(certificate="other")
    answer = call(serving, demo_key)
    assert answer.status_code in (502, 503), answer.text
    assert not any("POST" in line for line in outside.calls()[calls:]), "nothing was sent"
    outside.restart()
    wait_for_answer(serving, demo_key, timeout=40)


def test_a_name_that_nobody_has_is_told(serving, outside):
    apply(serving, service(outside, "nowhere", url="https://no-such-host.invalid/v1"))
    wait_for_reason(serving, "NameNotFound", "nowhere")
    delete(serving, "nowhere")


@pytest.mark.parametrize("change, field", [
    ({"url": "http://localhost/v1"}, "spec.upstream.url"),
    ({"url": "https://127.0.0.1/v1"}, "spec.upstream.url"),
    ({"url": "https://[::1]/v1"}, "spec.upstream.url"),
    ({"model": 'x", "evil": "'}, "spec.upstream.model"),
    ({"headers": [{"name": "Host", "value": "x"}]}, "spec.upstream.headers"),
    ({"headers": [{"name": "A B", "value": "x"}]}, "spec.upstream.headers"),
    ({"headers": [{"name": "X-A", "value": "a\nb"}]}, "spec.upstream.headers"),
    ({"apiKeyHeader": "Content-Length"}, "spec.upstream.apiKeyHeader"),
    ({"caBundle": "no PEM"}, "spec.upstream.caBundle"),
    ({"timeoutSeconds": 0}, "spec.upstream.timeoutSeconds"),
    ({"healthCheck": {"path": "health"}}, "spec.upstream.healthCheck.path"),
    ({"healthCheck": {"path": "/a b"}}, "spec.upstream.healthCheck.path"),
    ({"healthCheck": {"path": "/a\r\nX: y"}}, "spec.upstream.healthCheck.path"),
    ({"healthCheck": {"intervalSeconds": 4}}, "spec.upstream.healthCheck.intervalSeconds"),
])
def test_what_cannot_be_is_refused_by_name(serving, outside, change, field):
    answer = serving.request("POST", "/apis/drun.io/v1/namespaces/demo/modelservices", serving.operator_token(),
                             json=service(outside, "bad", **change))
    assert answer.status_code == 422 and field in answer.text, answer.text


def test_one_tenants_damaged_bundle_keeps_no_other_from_changing(serving, outside, demo_key):
    broken = outside.ca + "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"
    apply(serving, service(outside, "broken", caBundle=broken))
    wait_for_reason(serving, "InvalidUpstream", "broken")
    apply(serving, service(outside, "after"))
    wait_for_answer(serving, demo_key, "after")
    for name in ("broken", "after"):
        delete(serving, name)


# ---------------------------------------------------------------------- life


def test_a_change_of_the_object_is_live_within_a_second(serving, outside, demo_key):
    apply(serving, service(outside, "quick"))
    began = time.monotonic()
    wait_for_answer(serving, demo_key, "quick")
    took = time.monotonic() - began
    delete(serving, "quick")
    gone = serving.wait_until("its end", lambda: call(serving, demo_key, "quick").status_code == 404, timeout=5)
    assert gone
    assert took < 5, took  # a loaded machine; alone it is a fraction of a second


def test_the_readme_tells_the_truth(serving, outside, demo_key):
    text = (ROOT / "README.md").read_text().split("## Bring your own engine")[1].split("```yaml\n")[1].split("```")[0]
    for theirs, ours in (("sk-PROVIDER-KEY", "'" + outside.key + "'"), ("provider-large", "outside-model"),
                         ("https://api.example.com/v1", f"{outside.url()}\n    caBundle: {json.dumps(outside.ca)}")):
        assert theirs in text
        text = text.replace(theirs, ours)
    done = subprocess.run([DRUN, "apply", "--data", serving.data, "-f", "-"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wait_for_answer(serving, demo_key, "large")
    delete(serving, "large")


def test_a_killed_exporter_comes_back_and_calls_work_again(serving, demo_key):
    old = serving.roles()["exporter"]
    nginx = children(old)
    serving.kill("exporter")
    serving.wait_for_role("exporter", old)
    wait_for_answer(serving, demo_key)
    serving.wait_until("the end of the old nginx", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in nginx), timeout=20)


def test_a_killed_nginx_comes_back(serving, demo_key):
    (master,) = [int(p) for p in subprocess.run(["pgrep", "-P", str(serving.roles()["exporter"])], capture_output=True, text=True).stdout.split()]
    os.kill(master, signal.SIGKILL)
    wait_for_answer(serving, demo_key)


def test_killed_neighbours_do_no_harm(serving, demo_key, outside):
    for role in ("secrets", "api"):
        serving.wait_for_role(role, serving.kill(role))
    serving.wait_until("the platform", lambda: serving.request("GET", "/version").status_code == 200)
    wait_for_answer(serving, demo_key)
    serving.wait_until("secrets", lambda: serving.request("GET", "/api/v1/namespaces/demo/secrets", serving.operator_token()).status_code == 200)
    outside.restart(key="sk-third")
    apply(serving, secret("sk-third"))
    wait_for_answer(serving, demo_key)
    outside.restart()
    apply(serving, secret(outside.key))
    wait_for_answer(serving, demo_key)


def test_a_private_address_is_refused_unless_the_operator_allows_it(own_platform, outside):
    platform = own_platform.start()
    apply(platform, *tenant("demo"), secret(outside.key), service(outside))
    calls = len(outside.calls())
    assert "loopback" in wait_for_reason(platform, "AddressRefused")["message"]
    assert len(outside.calls()) == calls, "nothing was sent"
    token = key(platform, "demo", "tenant", "--model", "demo/*")
    assert call(platform, token).status_code == 503
    listed = platform.request("GET", "/apis/audit.drun.io/v1/auditevents?event=drun.egress.denied&limit=5", platform.operator_token())
    assert "ModelService/demo/gemma" in listed.text, listed.text
    assert not children(platform.roles()["exporter"]), "no nginx for nothing"


def test_a_network_that_is_none_is_named_at_the_start(own_platform):
    failed = own_platform.try_start("--set", "egress-networks=10.1.0.1/16")
    assert failed.returncode != 0 and "egress-networks" in failed.stderr and "10.1.0.1/16" in failed.stderr, failed.stderr
