# SPDX-License-Identifier: Apache-2.0
"""GuardPolicy as an administrator says it, with a real engine and both clients; the guard itself is tested in
gateway/test_guard.py."""
import json
import subprocess

import anthropic
import httpx2
import openai
import pytest
import ssl

from platform_process import DRUN, Platform
from test_models import ENGINE, MODEL, PROMPT, apply, client, get, key, model, phase, service, tenant

pytestmark = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                reason="the small model or its engine could not be downloaded (tools/fetch-model)")

GITHUB = "gh" + "p_" + "0123456789abcdefghijABCDEFGHIJ012345"
PHONE = "138" + "00138000"


def policy(*rules, name="tenant", ns="demo", **spec):
    return {"apiVersion": "drun.io/v1", "kind": "GuardPolicy", "metadata": {"name": name, "namespace": ns},
            "spec": {"rules": [dict(zip(("detector", "action", "direction"), rule)) for rule in rules], **spec}}


@pytest.fixture(scope="module")
def serving():
    running = Platform(model_dirs=str(MODEL.parent), engine_dirs=str(ENGINE.parent))
    running.start()
    apply(running, *tenant("demo"), *tenant("other"), model("demo"), service("demo"))
    running.wait_until("the model service", lambda: phase(running, "demo") == "Ready", timeout=120)
    yield running
    running.stop()
    running.remove()


@pytest.fixture(scope="module")
def token(serving):
    return key(serving, "demo", "tenant")


@pytest.fixture
def clean(serving):
    yield
    for ns in ("demo", "drun-system"):
        path = f"/apis/drun.io/v1/namespaces/{ns}/guardpolicies"
        for found in serving.request("GET", path, serving.operator_token()).json()["items"]:
            serving.request("DELETE", f"{path}/{found['metadata']['name']}", serving.operator_token())


def tried(platform, text, *more):
    done = subprocess.run([DRUN, "guard", "test", "--data", platform.data, "--model", "demo/gemma", *more], input=text,
                          capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def asked(platform, token, text):
    try:
        client(platform, token).chat.completions.create(
            model="demo/gemma", messages=[{"role": "user", "content": text}], max_tokens=1)
        return None
    except openai.BadRequestError as error:
        return error.code


def test_the_usual_policy_is_told(serving):
    code, out, err = tried(serving, f"my {GITHUB} and {PHONE}")
    assert code == 0 and out == f"my [github-token] and {PHONE}"
    assert "github-token" in err and "secret" in err and "mask" in err and "byte 3" in err
    assert "cn-mobile" in err and "detect" in err and err.strip().endswith("masked")
    assert tried(serving, "harmless")[:2] == (0, "harmless")
    code, out, _ = tried(serving, GITHUB, "--answer", "-o", "json")
    assert json.loads(out)["verdict"] == "masked" and json.loads(out)["findings"][0]["length"] == 40


def test_a_namespace_overrides_the_default_and_a_service_its_namespace(serving, token, clean):
    assert asked(serving, token, GITHUB) is None
    apply(serving, policy(("secret", "block", "request"), name="all", ns="drun-system"))
    assert asked(serving, token, GITHUB) == "content_policy_violation"
    assert tried(serving, GITHUB)[0] == 1 and tried(serving, GITHUB, "--answer")[0] == 0
    apply(serving, policy(("github-token", "detect")))
    assert asked(serving, token, GITHUB) is None
    apply(serving, policy(("all", "block"), name="one", modelService="gemma"))
    assert asked(serving, token, PHONE) == "content_policy_violation"
    apply(serving, policy(("all", "off"), name="one", modelService="another"))
    assert asked(serving, token, PHONE) is None


def test_a_policy_is_checked_and_shown(serving, clean):
    done = subprocess.run([DRUN, "apply", "--data", serving.data, "-f", "-"], capture_output=True, text=True,
                          input=json.dumps(policy(("github", "mask"))))
    assert done.returncode != 0 and "spec.rules[0]" in done.stderr and "there is no detector" in done.stderr
    apply(serving, policy(("secret", "mask")))
    shown = get(serving, "demo", "guardpolicies", "tenant")
    assert shown["spec"]["rules"][0]["direction"] == "both"
    assert shown["status"]["conditions"][0]["type"] == "Ready" and shown["status"]["conditions"][0]["status"] == "True"


def test_tenants_read_but_do_not_write(serving, token):
    path = "/apis/drun.io/v1/namespaces/demo/guardpolicies"
    assert serving.request("GET", path, token).status_code in (200, 401, 403)
    assert serving.request("POST", path, token, json=policy(("all", "off"))).status_code in (401, 403)


def test_findings_are_in_the_log(serving, token):
    client(serving, token).chat.completions.create(
        model="demo/gemma", messages=[{"role": "user", "content": f"say {GITHUB}"}], max_tokens=1)

    def found():
        done = subprocess.run([DRUN, "audit", "list", "--data", serving.data, "--event", "drun.guard.*", "-o", "json"],
                              capture_output=True, text=True)
        return done.returncode == 0 and "github-token masked in message 0 (user) at byte 4" in done.stdout and GITHUB not in done.stdout

    serving.wait_until("a record of the guard", found)


def test_anthropics_client_on_the_whole_platform(serving, token):
    made = anthropic.Anthropic(base_url=serving.url, api_key=token, max_retries=0, http_client=httpx2.Client(
        verify=ssl.create_default_context(cafile=serving.ca)))
    message = made.messages.create(model="demo/gemma", max_tokens=8, messages=PROMPT)
    assert message.content[0].text and message.usage.output_tokens == 8
    assert made.messages.count_tokens(model="demo/gemma", messages=PROMPT).input_tokens > 2
    with made.messages.stream(model="demo/gemma", max_tokens=8, messages=PROMPT) as stream:
        assert "".join(stream.text_stream)
