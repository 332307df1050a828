# SPDX-License-Identifier: Apache-2.0
"""ModelRoute: a name before several model services; an engine in a sandbox here takes over from an outside one that fails."""
import json
import os
import signal
import subprocess

import pytest

from outside_engine import ENGINE, MODEL, OutsideEngine
from platform_process import DRUN, Platform
from test_models import PROMPT, apply, client, get, key, model, phase, tenant
from test_models import service as engine_here
from test_upstreams import secret, service

pytestmark = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                reason="the small model or its engine could not be downloaded (tools/fetch-model)")
ROUTES = "/apis/drun.io/v1/namespaces/demo/modelroutes"


@pytest.fixture(scope="module")
def outside():
    engine = OutsideEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def serving(outside):
    running = Platform(egress_networks="127.0.0.0/8", model_dirs=str(MODEL.parent), engine_dirs=str(ENGINE.parent)).start()
    try:
        apply_all(running, outside)
        yield running
        assert running.stop() == 0
    finally:
        running.stop()
        running.remove()


def apply_all(running, outside):
    apply(running, *tenant("demo"), secret(outside.key), model("demo"), engine_here("demo", "here"),
          service(outside, "large", "broken"), route("smart", names=["smart", "gpt-4o"]))
    running.wait_until("both", lambda: phase(running, "demo", name="here") == phase(running, "demo", name="large") == "Ready", timeout=150)


@pytest.fixture(scope="module")
def demo_key(serving):
    return key(serving, "demo", "tenant", "--model", "demo/*")


def backend(name, **more):
    return {"modelService": name, **more}


def route(name, *backends, **more):
    return {"apiVersion": "drun.io/v1", "kind": "ModelRoute", "metadata": {"name": name, "namespace": "demo"},
            "spec": {"backends": list(backends) or [backend("large"), backend("here", priority=1)], **more}}


def post(platform, token, thing, path=ROUTES):
    return platform.request("POST", path, token, json=thing)


def drun(platform, *words):
    done = subprocess.run([DRUN, *words, "--data", platform.data], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(platform, name="smart"):
    return get(platform, "demo", "modelroutes", name)["status"]


def test_an_engine_here_answers_when_the_outside_one_fails(serving, demo_key):
    answer = client(serving, demo_key).chat.completions.with_raw_response.create(model="demo/gpt-4o", messages=PROMPT, max_tokens=4)
    ident = answer.headers["x-request-id"]
    assert answer.parse().usage.completion_tokens == 4
    pieces = [part for part in client(serving, demo_key).chat.completions.create(model="demo/smart", messages=PROMPT, max_tokens=4,
                                                                                 stream=True)]
    assert len(pieces) > 1

    def record():
        listed = serving.request("GET", "/apis/audit.drun.io/v1/namespaces/demo/auditevents?event=drun.model.call&limit=100", serving.operator_token())
        return [text for item in listed.json()["items"] if ident in (text := json.dumps(item))]

    text = serving.wait_until("the record", record)[0]
    assert "large:503,here:200" in text and '"gpt-4o"' in text, text


def test_the_list_has_its_names(serving, demo_key):
    assert {m.id for m in client(serving, demo_key).models.list()} == {"demo/here", "demo/large", "demo/smart", "demo/gpt-4o"}


def test_what_is_got(serving):
    lines = drun(serving, "get", "modelroutes", "-n", "demo").splitlines()
    assert lines[0].split()[:3] == ["NAME", "NAMES", "READY"] and lines[1].split()[:3] == ["smart", "smart,gpt-4o", "2/2"], lines


def test_the_status_tells_each_backend(serving):
    assert [(b["modelService"], b["state"]) for b in status(serving)["backends"]] == [("large", "Ready"), ("here", "Ready")]
    condition = status(serving)["conditions"][0]
    assert condition["type"] == "Ready" and condition["status"] == "True" and condition["reason"] == "BackendsReady"
    made = post(serving, serving.operator_token(), route("lame", backend("large"), backend("nobody", priority=1)))
    assert made.status_code == 201, made.text
    assert made.json()["status"]["ready"] == "1/2"
    assert made.json()["status"]["backends"][1]["state"] == "Missing"
    # It follows its services.
    apply(serving, engine_here("demo", "nobody"))
    serving.wait_until("the third engine", lambda: status(serving, "lame")["ready"] == "2/2", timeout=120)
    serving.request("DELETE", "/apis/drun.io/v1/namespaces/demo/modelservices/nobody", serving.operator_token())
    serving.wait_until("it to be missing", lambda: status(serving, "lame")["backends"][1]["state"] == "Missing")
    serving.request("DELETE", f"{ROUTES}/lame", serving.operator_token())


@pytest.mark.parametrize("what, words", [
    (route("here"), "a model service of this namespace is called"),
    (route("other", names=["gpt-4o"]), "is called \\\"gpt-4o\\\" already"),
    (route("other", names=["a b"]), "at most 63 letters"),
    (route("other", names=["a/b"]), "at most 63 letters"),
    (route("other", backend("here", weight=0)), "one backend at least must have a weight"),
    (route("other", backend("here"), backend("here")), "Duplicate value"),
    (route("other", retries={"attempts": 6}), "less than or equal to 5"),
    (route("other", retries={"when": ["418"]}), "supported values"),
    (route("other", sticky={"by": "header"}), "must name the header"),
    (route("other", backend("here", set={"max_tokens": 5})), "no parameter that a route may set or drop"),
    (route("other", backend("here", drop=["messages"])), "no parameter that a route may set or drop"),
    (route("other", backend("here", set={"stop": ["a"]})), "must be a number, a boolean or a text"),
])
def test_what_is_refused(serving, what, words):
    answer = post(serving, serving.operator_token(), what)
    assert answer.status_code in (400, 422) and words in answer.text, answer.text


def test_a_service_cannot_take_the_name_of_a_route(serving, outside):
    answer = post(serving, serving.operator_token(), service(outside, "smart"), "/apis/drun.io/v1/namespaces/demo/modelservices")
    assert answer.status_code in (400, 422) and "model route" in answer.text, answer.text


def rbac(kind, name, **more):
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "demo"}, **more}


def test_nobody_gives_away_a_model_that_he_may_not_invoke(serving):
    """Who may write routes and call what they are named, but not the model behind: no way round."""
    api = "rbac.authorization.k8s.io"
    apply(serving, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "weaver", "namespace": "demo"}},
          rbac("Role", "weaver", rules=[
              {"apiGroups": ["drun.io"], "resources": ["modelroutes"], "verbs": ["get", "create", "patch"]},
              {"apiGroups": ["drun.io"], "resources": ["models"], "verbs": ["invoke"], "resourceNames": ["mine", "large"]}]),
          rbac("RoleBinding", "weaver", roleRef={"apiGroup": api, "kind": "Role", "name": "weaver"},
               subjects=[{"kind": "ServiceAccount", "name": "weaver", "namespace": "demo"}]))
    made = subprocess.run([DRUN, "keys", "create", "weaver", "-n", "demo", "--data", serving.data, "--service-account", "weaver", "--quiet",
                           "--verb", "*"],
                          capture_output=True, text=True)
    token = made.stdout.strip()
    answer = serving.wait_until("the role to be in force", lambda: (a := post(serving, token, route("mine"))).status_code != 401 and [a])[0]
    assert answer.status_code == 403 and "neither invoke the model" in answer.text and "here" in answer.text, answer.text
    assert post(serving, token, route("mine", backend("large"))).status_code == 201
    changed = serving.request("PATCH", f"{ROUTES}/mine", token, json={"spec": {"backends": [{"modelService": "here"}]}},
                              headers={"Content-Type": "application/merge-patch+json"})
    assert changed.status_code == 403 and "neither invoke the model" in changed.text, changed.text
    serving.request("DELETE", f"{ROUTES}/mine", serving.operator_token())


def test_parameters_of_a_backend_reach_it(serving, demo_key):
    apply(serving, route("calm", backend("here", set={"temperature": 0, "seed": 1})))
    ask = lambda: serving.request("POST", "/v1/chat/completions", demo_key,  # noqa: E731
                                  json={"model": "demo/calm", "messages": PROMPT, "max_tokens": 8, "temperature": 2}).json()
    serving.wait_until("the route", lambda: "choices" in ask())
    assert len({ask()["choices"][0]["message"]["content"] for _ in range(3)}) == 1, "a temperature of 0 says the same again"


def test_a_route_ends_with_its_object(serving, demo_key):
    assert post(serving, serving.operator_token(), route("brief", backend("here"))).status_code == 201
    ask = lambda: serving.request("POST", "/v1/chat/completions", demo_key,  # noqa: E731
                                  json={"model": "demo/brief", "messages": PROMPT, "max_tokens": 1}).status_code
    serving.wait_until("it to be called", lambda: ask() == 200)
    assert serving.request("DELETE", f"{ROUTES}/brief", serving.operator_token()).status_code == 200
    serving.wait_until("it to be gone", lambda: ask() == 404)


def test_a_backend_that_fails_is_left_out_and_the_status_says_so(serving, outside, demo_key):
    apply(serving, service(outside, "lame", "broken"),
          route("flaky", backend("lame"), backend("here", priority=1), outlier={"consecutiveFailures": 2, "ejectionSeconds": 600}))
    serving.wait_until("the service", lambda: phase(serving, "demo", name="lame") == "Ready", timeout=60)
    serving.wait_until("the route", lambda: status(serving, "flaky")["ready"] == "2/2")
    for _ in range(3):
        answer = serving.request("POST", "/v1/chat/completions", demo_key, json={"model": "demo/flaky", "messages": PROMPT, "max_tokens": 1})
        assert answer.status_code == 200, answer.text
    left_out = lambda: [b["state"] for b in status(serving, "flaky")["backends"]] == ["Ejected", "Ready"]  # noqa: E731
    serving.wait_until("the status", left_out)
    assert status(serving, "flaky")["conditions"][0]["reason"] == "SomeBackendsNotReady"
    # api does not know it by itself: the gateway tells it anew.
    os.kill(serving.roles()["api"], signal.SIGKILL)
    serving.wait_until("the status again", lambda: safely(left_out), timeout=60)


def safely(condition):
    try:
        return condition()
    except (KeyError, TypeError, ValueError):  # a Status, or nothing of a kind
        return False
