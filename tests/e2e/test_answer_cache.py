# SPDX-License-Identifier: Apache-2.0
"""spec.cache of a ModelService, from the object to the answer: another model or engine is asked anew, other namespaces too."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from platform_process import Platform
from test_models import ENGINE, MODEL, PROMPT, apply, client, get, key, model, phase, service, tenant

pytestmark = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                reason="the small model or its engine could not be downloaded (tools/fetch-model)")
SERVICES = "/apis/drun.io/v1/namespaces/demo/modelservices"


@pytest.fixture(scope="module")
def serving():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-cache-"))
    folder.chmod(0o755)
    running = Platform(model_dirs=f"{MODEL.parent},{folder}", engine_dirs=str(ENGINE.parent)).start()
    running.folder = folder
    guest = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "guest", "namespace": "demo"},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "drun:developer"},
             "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "other"}]}
    try:
        apply(running, *tenant("demo"), *tenant("other"), guest, model("demo"), cached())
        running.wait_until("the model service", lambda: phase(running, "demo") == "Ready", timeout=150)
        # Other rules of the firewall are other answers, so the first ones come first.
        running.wait_until("the rules", lambda: "rules are in force" in running.text(), timeout=150)
        yield running
        assert running.stop() == 0
    finally:
        running.stop()
        running.remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def demo_key(serving):
    return key(serving, "demo", "tenant", "--model", "demo/*")


def cached(cache=None, **limits):
    thing = service("demo", **limits)
    thing["spec"]["cache"] = {"ttlSeconds": 3600} if cache is None else cache
    return thing


def ask(platform, token, **more):
    return client(platform, token).chat.completions.with_raw_response.create(
        **{"model": "demo/gemma", "messages": PROMPT, "max_tokens": 6, "temperature": 0, **more})


def told(answer):
    return answer.headers.get("x-drun-cache")


def text(answer):
    return answer.parse().choices[0].message.content


def soon(platform, what, condition, timeout=240):
    """Without so many requests that the edge takes them for a flood."""
    def calmly():
        time.sleep(0.5)
        return condition()
    return platform.wait_until(what, calmly, timeout)


def settled(platform):
    def all_there():
        found = get(platform, "demo", "modelservices", "gemma")
        status = found["status"]
        return (status["phase"] == "Ready" and status["observedGeneration"] == found["metadata"]["generation"] and
                not [c for c in status["conditions"] if c["type"] == "RollingOut" and c["status"] == "True"] and status)
    return soon(platform, "the change to be over", all_there)


def test_the_same_question_is_answered_once(serving, demo_key):
    assert get(serving, "demo", "modelservices", "gemma")["spec"]["cache"] == {"ttlSeconds": 3600, "maxBytes": 262144}
    settled(serving)
    soon(serving, "the policy and the rules", lambda: told(ask(serving, demo_key, seed=3)) == "hit")
    first, again = ask(serving, demo_key), ask(serving, demo_key)
    assert (told(first), told(again)) == ("miss", "hit") and again.content == first.content
    ident = again.headers["x-request-id"]

    def record():
        listed = serving.request("GET", "/apis/audit.drun.io/v1/namespaces/demo/auditevents?event=drun.model.call&limit=100", serving.operator_token())
        return [found for item in listed.json()["items"] if ident in (found := json.dumps(item))]

    found = serving.wait_until("the record", record)[0]
    assert '"drun.model.cache": "hit"' in found and '"gen_ai.usage.output_tokens": 0' in found, found


def test_another_namespace_is_answered_by_itself(serving, demo_key):
    guest = key(serving, "other", "guest", "--model", "demo/*")
    assert [told(ask(serving, guest)) for _ in range(2)] == ["miss", "hit"]
    assert told(ask(serving, demo_key)) == "hit"


def test_another_engine_and_another_model_are_asked_anew(serving, demo_key):
    assert told(ask(serving, demo_key)) in ("miss", "hit") and told(ask(serving, demo_key)) == "hit"
    changed = cached()
    changed["spec"]["engine"]["args"] = ["--seed", "7"]
    apply(serving, changed)
    before = settled(serving)
    soon(serving, "the policy", lambda: told(ask(serving, demo_key, seed=1)) == "hit")
    assert [told(ask(serving, demo_key)) for _ in range(2)] == ["miss", "hit"]
    # The same words in another file: the service is what it was, and its model is not.
    other = serving.folder / "other.gguf"
    shutil.copyfile(MODEL, other)
    with other.open("ab") as file:
        file.write(bytes(64))
    digest = "sha256:" + subprocess.run(["sha256sum", other], capture_output=True, text=True).stdout.split()[0]
    apply(serving, model("demo", digest=digest, path=other))
    soon(serving, "the other model", lambda: get(serving, "demo", "modelservices", "gemma")["status"].get("modelDigest") == digest)
    after = settled(serving)
    assert after["observedGeneration"] == before["observedGeneration"] and after["modelDigest"] == digest
    soon(serving, "the policy", lambda: told(ask(serving, demo_key, seed=2)) == "hit")
    assert [told(ask(serving, demo_key)) for _ in range(2)] == ["miss", "hit"]


def test_nothing_is_kept_while_a_change_is_half_done(serving, demo_key):
    stuck = cached()
    stuck["spec"]["runtimeClassName"] = "kata"
    apply(serving, stuck)
    soon(serving, "the change to stick", lambda: [c for c in get(serving, "demo", "modelservices", "gemma")["status"]["conditions"]
                                                  if c["type"] == "RollingOut" and "kata" in c["message"]])
    soon(serving, "the policy", lambda: told(ask(serving, demo_key)) is None)
    stuck["spec"] = {"runtimeClassName": None}
    apply(serving, stuck)
    settled(serving)
    soon(serving, "the policy", lambda: told(ask(serving, demo_key)) == "hit")


def test_without_it_nothing_is_said(serving, demo_key):
    thing = cached()
    thing["spec"] = {"cache": None}
    apply(serving, thing)
    assert "cache" not in get(serving, "demo", "modelservices", "gemma")["spec"]
    soon(serving, "the policy", lambda: told(ask(serving, demo_key)) is None)


@pytest.mark.parametrize("cache, field", [({"ttlSeconds": 0}, "spec.cache.ttlSeconds"), ({"maxBytes": 100}, "spec.cache.maxBytes"),
                                          ({"maxBytes": 2 ** 30}, "spec.cache.maxBytes"), ({"ttl": 5}, "ttl")])
def test_what_makes_no_sense_is_refused(serving, cache, field):
    answer = serving.request("PUT", f"{SERVICES}/gemma?fieldValidation=Strict", serving.operator_token(), json=cached(cache))
    assert answer.status_code in (400, 422) and field in answer.text, answer.text
