# SPDX-License-Identifier: Apache-2.0
"""The main job: a tenant's key, a real engine in its sandbox, the OpenAI API, and what must be refused."""
import concurrent.futures
import hashlib
import os
import signal
import ssl
import subprocess
import time

import openai
import pytest

from platform_process import DRUN, ROOT, Platform

MODEL = ROOT / "build" / "model" / "gemma-3-270m.gguf"
ENGINE = ROOT / "build" / "engine" / "llama-server"
DIGEST = "sha256:a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"

pytestmark = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                reason="the small model or its engine could not be downloaded (tools/fetch-model)")


def apply(platform, *objects):
    import json
    done = subprocess.run([DRUN, "apply", "--data", platform.data, "-f", "-"], input="\n---\n".join(map(json.dumps, objects)),
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def namespace(name, **annotations):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations}}


def model(ns, name="gemma", digest=DIGEST, path=MODEL):
    return {"apiVersion": "drun.io/v1", "kind": "Model", "metadata": {"name": name, "namespace": ns},
            "spec": {"artifact": {"path": str(path), "format": "gguf", "digest": digest}}}


def service(ns, name="gemma", **limits):
    return {"apiVersion": "drun.io/v1", "kind": "ModelService", "metadata": {"name": name, "namespace": ns},
            "spec": {"modelRef": {"name": "gemma"}, "engine": {"kind": "llama.cpp", "command": [str(ENGINE)]},
                     "limits": {"contextTokens": 1024, "maxTokens": 256, **limits}}}


def tenant(ns):
    """A service account that may call the models of its namespace."""
    return [namespace(ns),
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": ns}},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "app", "namespace": ns},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "drun:developer"},
             "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": ns}]}]


def key(platform, ns, name, *more):
    made = subprocess.run([DRUN, "keys", "create", name, "-n", ns, "--data", platform.data, "--service-account", "app", "--quiet", *more],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def get(platform, ns, kind, name):
    return platform.request("GET", f"/apis/drun.io/v1/namespaces/{ns}/{kind}/{name}", platform.operator_token()).json()


def phase(platform, ns, kind="modelservices", name="gemma"):
    return get(platform, ns, kind, name).get("status", {}).get("phase")


@pytest.fixture(scope="module")
def serving():
    running = Platform(model_dirs=str(MODEL.parent), engine_dirs=str(ENGINE.parent))
    running.start()
    apply(running, *tenant("demo"), *tenant("other"), model("demo"), service("demo"))
    running.wait_until("the model service", lambda: phase(running, "demo") == "Ready", timeout=120)
    yield running
    running.stop()
    running.remove()


def client(platform, token):
    import httpx
    return openai.OpenAI(base_url=platform.url + "/v1", api_key=token, max_retries=0, http_client=httpx.Client(verify=ssl.create_default_context(cafile=platform.ca)))


@pytest.fixture(scope="module")
def demo_key(serving):
    return key(serving, "demo", "tenant", "--model", "demo/*")


PROMPT = [{"role": "user", "content": "Once upon a time"}]


def test_a_chat_is_answered(serving, demo_key):
    answer = client(serving, demo_key).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=8)
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens == 8 and answer.usage.prompt_tokens > 0


def test_a_chat_is_streamed_piece_by_piece(serving, demo_key):
    pieces, times = [], []
    for part in client(serving, demo_key).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=24, stream=True):
        assert part.usage is None, "nobody asked for the usage"
        if part.choices[0].delta.content:
            pieces.append(part.choices[0].delta.content)
            times.append(time.monotonic())
    assert len(pieces) >= 8 and times[-1] - times[0] > 0.05, "not buffered"


def test_the_usage_of_a_stream_is_given_to_who_asks(serving, demo_key):
    parts = list(client(serving, demo_key).chat.completions.create(
        model="demo/gemma", messages=PROMPT, max_tokens=4, stream=True, stream_options={"include_usage": True}))
    assert parts[-1].usage.completion_tokens == 4 and parts[-1].choices == []


def test_models_are_listed_for_who_may_call_them(serving, demo_key):
    assert [m.id for m in client(serving, demo_key).models.list()] == ["demo/gemma"]
    stranger = key(serving, "other", "stranger", "--model", "other/*")
    assert [m.id for m in client(serving, stranger).models.list()] == []


def test_calls_are_in_the_audit_log_with_their_tokens(serving, demo_key):
    answer = client(serving, demo_key).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=5)

    def found():
        listed = serving.request("GET", "/apis/audit.drun.io/v1/namespaces/demo/auditevents?event=drun.model.call&limit=100", serving.operator_token())
        return [item for item in listed.json()["items"] if str(answer.usage.prompt_tokens) in str(item)]

    assert serving.wait_until("the record", found)


@pytest.mark.parametrize("name", ["demo/none", "other/gemma", "nowhere/model"])
def test_unknown_models_and_those_of_others_get_the_same_answer(serving, demo_key, name):
    with pytest.raises(openai.NotFoundError) as refused:
        client(serving, demo_key).chat.completions.create(model=name, messages=PROMPT)
    assert refused.value.code == "model_not_found"


def test_another_tenants_key_is_refused_like_for_an_unknown_model(serving):
    stranger = key(serving, "other", "outsider", "--model", "other/*")
    with pytest.raises(openai.NotFoundError) as refused:
        client(serving, stranger).chat.completions.create(model="demo/gemma", messages=PROMPT)
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize("token", ["", "sk-drun-nonsense", "eyJhbGciOiJub25lIn0.e30."])
def test_bad_credentials_are_refused(serving, token):
    answer = serving.request("POST", "/v1/chat/completions", token, json={"model": "demo/gemma", "messages": PROMPT})
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"


def test_a_revoked_key_is_refused_within_100_ms(serving):
    token = key(serving, "demo", "short-lived")
    assert serving.request("GET", "/v1/models", token).status_code == 200
    gone = serving.request("DELETE", "/apis/drun.io/v1/namespaces/demo/apikeys/short-lived", serving.operator_token())
    assert gone.status_code == 200, gone.text
    deadline = time.monotonic() + 0.1
    while (status := serving.request("GET", "/v1/models", token).status_code) == 200 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert status == 401


def test_an_expired_key_is_refused(serving):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    token = key(serving, "demo", "expiring", "--expires", soon)
    assert serving.request("GET", "/v1/models", token).status_code == 200
    time.sleep(3)
    assert serving.request("GET", "/v1/models", token).status_code == 401


@pytest.mark.parametrize("body, param", [
    ({"model": "demo/gemma", "messages": "no list"}, "messages"),
    ({"model": "demo/gemma", "messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
    ({"model": "demo/gemma", "messages": PROMPT, "temperature": 9}, "temperature"),
    ({"model": "demo/gemma", "messages": PROMPT, "max_tokens": "many"}, "max_tokens"),
    ({"messages": PROMPT}, "model"),
])
def test_bad_requests_name_the_parameter(serving, demo_key, body, param):
    answer = serving.request("POST", "/v1/chat/completions", demo_key, json=body)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param, answer.text


def test_malformed_and_deep_json_is_refused(serving, demo_key):
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"[]", b'{"model": "demo/gemma", "model": "x"}', b'{"a":' + b"[" * 5000):
        answer = serving.request("POST", "/v1/chat/completions", demo_key, data=body, headers=dict(headers))
        assert answer.status_code == 400 and answer.json()["error"]["type"], answer.text


def test_an_oversized_body_is_refused(serving, demo_key):
    body = {"model": "demo/gemma", "messages": [{"role": "user", "content": "x" * (20 << 20)}]}
    assert serving.request("POST", "/v1/chat/completions", demo_key, json=body).status_code == 413


def test_requests_in_a_minute_are_limited_without_overshoot(serving):
    apply(serving, service("demo", "limited", requestsPerMinute=5))
    serving.wait_until("the service", lambda: phase(serving, "demo", name="limited") == "Ready", timeout=120)
    token = key(serving, "demo", "hasty")

    def call(_):
        return serving.request("POST", "/v1/chat/completions", token, json={"model": "demo/limited", "messages": PROMPT, "max_tokens": 1})

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(20)))
    assert sum(a.status_code == 200 for a in answers) == 5
    refused = next(a for a in answers if a.status_code == 429)
    assert int(refused.headers["Retry-After"]) >= 1 and refused.json()["error"]["code"] == "rate_limit_exceeded"
    serving.request("DELETE", "/apis/drun.io/v1/namespaces/demo/modelservices/limited", serving.operator_token())


def engines(platform):
    found = subprocess.run(["pgrep", "-f", f"{ENGINE.name}.*--alias demo/gemma"], capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in found]


def test_an_engine_that_dies_is_started_again(serving, demo_key):
    before = engines(serving)
    assert before
    for pid in before:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    answer = serving.request("POST", "/v1/chat/completions", demo_key, json={"model": "demo/gemma", "messages": PROMPT, "max_tokens": 2})
    assert answer.status_code in (200, 502, 503), answer.text
    if answer.status_code != 200:
        assert "Retry-After" in answer.headers

    def works():
        return serving.request("POST", "/v1/chat/completions", demo_key,
                               json={"model": "demo/gemma", "messages": PROMPT, "max_tokens": 2}).status_code == 200

    serving.wait_until("the engine", works, timeout=60)


def test_a_client_that_leaves_in_mid_stream_does_no_harm(serving, demo_key):
    stream = client(serving, demo_key).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=200, stream=True)
    next(iter(stream))
    stream.close()
    answer = client(serving, demo_key).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=2)
    assert answer.usage.completion_tokens == 2


def test_a_model_with_another_digest_is_refused(serving):
    apply(serving, model("other", digest="sha256:" + hashlib.sha256(b"another").hexdigest()))
    serving.wait_until("the refusal", lambda: phase(serving, "other", "models") == "Failed", timeout=60)
    assert "DigestMismatch" in str(get(serving, "other", "models", "gemma")["status"])


@pytest.mark.parametrize("path", ["/etc/shadow", f"{MODEL.parent}/../../../etc/shadow"])
def test_a_model_outside_the_allowed_folders_is_refused(serving, path):
    apply(serving, model("other", "escape", path=path))
    serving.wait_until("the refusal", lambda: phase(serving, "other", "models", "escape") == "Failed", timeout=30)
    serving.request("DELETE", "/apis/drun.io/v1/namespaces/other/models/escape", serving.operator_token())


def test_what_narrows_a_key_holds_at_the_gateway(serving):
    """Namespaces, and the turn of the secret; and a call is a use of the key."""
    def ask(token):
        return client(serving, token).chat.completions.create(model="demo/gemma", messages=PROMPT, max_tokens=2).usage.completion_tokens

    elsewhere = key(serving, "demo", "elsewhere", "--only-namespace", "other")
    with pytest.raises(openai.NotFoundError):
        ask(elsewhere)
    assert [m.id for m in client(serving, elsewhere).models.list()] == []
    old = key(serving, "demo", "turned", "--only-namespace", "demo")
    assert ask(old) == 2
    turn = [DRUN, "keys", "rotate", "turned", "-n", "demo", "--data", serving.data, "--quiet"]
    new = subprocess.run([*turn, "--overlap", "1h"], capture_output=True, text=True, check=True).stdout.strip()
    assert ask(old) == ask(new) == 2
    last = subprocess.run(turn, capture_output=True, text=True, check=True).stdout.strip()
    for ended in (old, new):
        with pytest.raises(openai.AuthenticationError):
            ask(ended)
    assert ask(last) == 2
    used = serving.wait_until("the use", lambda: get(serving, "demo", "apikeys", "turned")["status"].get("lastUsed"), timeout=30)
    assert used["address"] == "127.0.0.1" and used["time"].endswith("Z")
