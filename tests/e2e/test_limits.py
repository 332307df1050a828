# SPDX-License-Identifier: Apache-2.0
"""Budgets as an administrator says them, with a real engine: they hold to the last token, over roles that are killed
and platforms that start anew. The gateway alone is tested in gateway/test_budgets.py."""
import concurrent.futures
import re
import subprocess

import openai
import pytest

from platform_process import DRUN, ROOT, Platform
from test_models import ENGINE, MODEL, PROMPT, apply, client, get, key, model, phase, service, tenant

pytestmark = pytest.mark.skipif(not (MODEL.exists() and ENGINE.exists()),
                                reason="the small model or its engine could not be downloaded (tools/fetch-model)")

LIMIT = 3000


def policy(*rules, name="tenant", ns="demo", **spec):
    return {"apiVersion": "drun.io/v1", "kind": "LimitPolicy", "metadata": {"name": name, "namespace": ns},
            "spec": {"rules": list(rules), **spec}}


def rule(name, limit, measure="tokens", window="month", **more):
    return {"name": name, "limit": limit, "measure": measure, "window": window, **more}


def policies(name=""):
    return f"/apis/drun.io/v1/namespaces/demo/limitpolicies{'/' + name if name else ''}"


@pytest.fixture(scope="module")
def serving():
    running = Platform(model_dirs=str(MODEL.parent), engine_dirs=str(ENGINE.parent))
    running.start()
    apply(running, *tenant("demo"), model("demo"), service("demo"))
    running.wait_until("the model service", lambda: phase(running, "demo") == "Ready", timeout=120)
    yield running
    running.stop()
    running.remove()


@pytest.fixture(scope="module")
def token(serving):
    return key(serving, "demo", "tenant")


def chat(platform, token, **more):
    """Tokens that were used, or the refusal. An engine that starts anew with its platform is waited for."""
    return platform.wait_until("an answer", lambda: try_chat(platform, token, **more), timeout=120)


def try_chat(platform, token, **more):
    try:
        answer = client(platform, token).chat.completions.create(model="demo/gemma", messages=PROMPT, **{"max_tokens": 16, **more})
    except openai.RateLimitError as error:
        return error
    except (openai.InternalServerError, openai.APIConnectionError):
        return None
    if not more.get("stream"):
        return answer.usage.total_tokens
    return next(part.usage.total_tokens for part in answer if part.usage)


def prove(platform, control):
    path = f"/apis/drun.io/v1/controls/{control}"
    before = platform.request("GET", path, platform.operator_token()).json()["status"].get("checkedAt")
    assert platform.request("POST", path + "/probe", platform.operator_token()).status_code == 202

    def proved():
        status = platform.request("GET", path, platform.operator_token()).json()["status"]
        return status.get("checkedAt") != before and status
    return platform.wait_until("the proof", proved, timeout=60)


def proves_a_call(platform):
    status = prove(platform, "pf-3")
    assert status["verdict"] == "proven" and "demo/gemma answers a chat completion (200" in status["evidence"], status


def limit_told(platform, token):
    """Calls a minute, by the model's own limit; with another one its engine starts anew."""
    answer = platform.request("POST", "/v1/chat/completions", token, json={"model": "demo/gemma", "messages": PROMPT, "max_tokens": 1})
    return answer.headers.get("x-ratelimit-limit-requests")


def test_a_month_is_spent_to_the_last_token_and_no_further(serving, token):
    apply(serving, policy(rule("month", LIMIT)))

    def counted():
        """What the first call took that met the budget."""
        answer = serving.request("POST", "/v1/chat/completions", token, json={"model": "demo/gemma", "messages": PROMPT, "max_tokens": 1})
        return "tenant/month" in answer.headers.get("ratelimit", "") and answer.json()["usage"]["total_tokens"]

    first = serving.wait_until("the budget", counted)
    proves_a_call(serving)  # at nobody's cost
    streamed = {"stream": True, "stream_options": {"include_usage": True}}

    def call(i):
        return chat(serving, token, **(streamed if i % 2 else {}))

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(call, range(60)))
    used = first + sum(a for a in answers if isinstance(a, int))
    while isinstance(last := chat(serving, token), int):
        used += last
    assert last.code == "insufficient_quota" and int(last.response.headers["retry-after"]) >= 1
    told, most = map(int, re.search(r"(\d+) are used, this request may take (\d+)", last.message).groups())
    assert used == told <= LIMIT and LIMIT - most < told


def test_what_is_used_up_stays_so(serving, token):
    """Builds on the test above: whoever dies, and when everything starts anew."""
    for role in ("gateway", "api"):
        old = serving.roles()[role]
        serving.kill(role)
        serving.wait_for_role(role, old)
        assert chat(serving, token).code == "insufficient_quota"
    serving.stop()
    serving.start()
    assert chat(serving, token).code == "insufficient_quota"


def wait_for_answer(platform, token):
    """A changed policy is in force within a moment."""
    platform.wait_until("a call that goes through", lambda: isinstance(chat(platform, token), int))


def wait_for_refusal(platform, token):
    return platform.wait_until("a refusal", lambda: getattr(chat(platform, token), "code", "") == "insufficient_quota", timeout=60)


def test_the_status_says_what_is_used_and_the_log_that_it_was_near_the_end(serving, token):
    """Builds on the tests above: the budget is used up, and nothing else runs."""
    operator = serving.operator_token()
    told = int(re.search(r"(\d+) are used", chat(serving, token).message)[1])

    def use():
        status = get(serving, "demo", "limitpolicies", "tenant").get("status", {})
        return [b for b in status.get("budgets", []) if b.get("used") == told and b.get("reserved") == 0]
    found = serving.wait_until("the status", use, timeout=60)[0]
    assert (found["name"], found["limit"]) == ("month", LIMIT) and found["resetsAt"].endswith("-01T00:00:00Z"), found
    path = "/apis/audit.drun.io/v1/namespaces/demo/auditevents?event=drun.budget.alert&limit=100"

    def alerts():
        events = [item["event"] for item in serving.request("GET", path, operator).json()["items"]]
        return [e for e in events if e["drun.action.name"] == "tenant" and "month: 80% of 3000 tokens a month" in e["drun.reason"]]
    assert len(serving.wait_until("the alert", alerts, timeout=60)) == 1
    # Once a window, also behind a restart of who raises it.
    old = serving.roles()["gateway"]
    serving.kill("gateway")
    serving.wait_for_role("gateway", old)
    apply(serving, policy(rule("month", LIMIT), rule("calls", 1000, "requests", "day", per="user"), alerts=[10]))
    budgets = get(serving, "demo", "limitpolicies", "tenant")["status"]["budgets"]
    assert [(b["name"], b["used"], b["limit"]) for b in budgets] == [("month", told, LIMIT), ("calls", 0, 1000)], budgets
    assert len(alerts()) == 1
    shown = subprocess.run([DRUN, "budgets", "--data", serving.data, "-n", "demo"], capture_output=True, text=True)
    assert "tenant/month" in shown.stdout and f"{told}" in shown.stdout and "3000 tokens a month" in shown.stdout, shown
    listed = subprocess.run([DRUN, "budgets", "--data", serving.data, "-A", "-o", "json"], capture_output=True, text=True)
    assert '"used"' in listed.stdout, listed
    apply(serving, policy(rule("month", LIMIT)))


def test_another_limit_keeps_the_count(serving, token):
    apply(serving, policy(rule("month", LIMIT + 500)))
    wait_for_answer(serving, token)
    while isinstance(last := chat(serving, token), int):
        pass
    assert int(re.search(r"(\d+) are used", last.message)[1]) > LIMIT
    serving.request("DELETE", policies("tenant"), serving.operator_token())
    wait_for_answer(serving, token)


def test_only_the_named_model_is_limited(serving, token):
    apply(serving, policy(rule("calls", 1, "requests", per="key"), modelService="another"))
    for _ in range(3):
        assert isinstance(chat(serving, token), int)
    apply(serving, policy(rule("calls", 1, "requests", per="key"), modelService="gemma"))
    wait_for_refusal(serving, token)
    assert isinstance(chat(serving, key(serving, "demo", "another")), int)
    serving.request("DELETE", policies("tenant"), serving.operator_token())
    wait_for_answer(serving, token)


def test_a_rate_holds_in_any_minute(serving, token):
    apply(serving, policy(rule("burst", 3, "requests", "minute", per="key", algorithm="SlidingWindow"),
                          rule("flow", 100_000, window="minute", algorithm="TokenBucket"), rule("month", 10_000_000)))

    def refusal():
        answer = chat(serving, token)
        return getattr(answer, "code", "") == "rate_limit_exceeded" and answer
    refused = serving.wait_until("the rate", refusal, timeout=60)
    assert 'The limit "tenant/burst" of 3 requests a minute is reached' in refused.message
    told = refused.response.headers
    assert '"tenant/burst";q=3;w=60' in told["ratelimit-policy"] and '"tenant/burst";r=0' in told["ratelimit"], told
    assert 1 <= int(told["retry-after"]) <= 61
    # The status and the list of budgets are of the calendar's.
    assert [b["name"] for b in get(serving, "demo", "limitpolicies", "tenant")["status"]["budgets"]] == ["month"]
    shown = subprocess.run([DRUN, "budgets", "--data", serving.data, "-n", "demo"], capture_output=True, text=True)
    assert "3 requests a minute, SlidingWindow" in shown.stdout and "100000 tokens a minute, TokenBucket" in shown.stdout, shown
    serving.request("DELETE", policies("tenant"), serving.operator_token())
    wait_for_answer(serving, token)


@pytest.mark.parametrize("page", ["limits.md", "limits.zh.md"])
def test_the_guides_rates_can_be_applied(serving, page):
    text = (ROOT / "docs/guides" / page).read_text()
    manifest = next(body for body in re.findall(r"^```yaml\n(.*?)^```$", text, re.S | re.M) if "algorithm" in body)
    subprocess.run([DRUN, "apply", "--data", serving.data, "-f", "-"], input=manifest, text=True, check=True, capture_output=True)
    shown = subprocess.run([DRUN, "budgets", "--data", serving.data, "-n", "demo"], capture_output=True, text=True)
    assert "rates/burst" in shown.stdout and "60000 tokens a minute, SlidingWindow" in shown.stdout, shown
    serving.request("DELETE", policies("rates"), serving.operator_token())


def test_tenants_cannot_change_their_own_budget(serving):
    operator = serving.operator_token()
    apply(serving, policy(rule("month", LIMIT, per="user")))
    assert get(serving, "demo", "limitpolicies", "tenant")["spec"]["rules"][0]["per"] == "user"
    apply(serving, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "more", "namespace": "demo"},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
                    "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "demo"}]})
    for verb, expected in (("get", True), ("update", False), ("create", False), ("delete", False)):
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": "system:serviceaccount:demo:app", "groups": ["system:serviceaccounts"],
            "resourceAttributes": {"namespace": "demo", "verb": verb, "group": "drun.io", "resource": "limitpolicies"}}}
        answer = serving.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", operator, json=review).json()
        assert answer["status"]["allowed"] is expected, verb
    serving.request("DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/demo/rolebindings/more", operator)
    serving.request("DELETE", policies("tenant"), operator)


@pytest.mark.parametrize("spec, field", [
    ({"rules": [{"name": "x", "measure": "tokens", "window": "week", "limit": 1}]}, "spec.rules[0].window"),
    ({"rules": [{"name": "x", "measure": "tokens", "window": "day", "limit": 0}]}, "spec.rules[0].limit"),
    ({"rules": [{"name": "x", "measure": "tokens", "window": "day", "limit": 1 << 53}]}, "spec.rules[0].limit"),
    ({"rules": [{"name": "x/y", "measure": "tokens", "window": "day", "limit": 1}]}, "spec.rules[0].name"),
    ({"rules": [{"name": "x", "measure": "euro", "window": "day", "limit": 1}]}, "spec.rules[0].measure"),
    ({"rules": []}, "spec.rules"),
    ({"rules": [{"name": "x", "measure": "tokens", "window": "minute", "limit": 1, "algorithm": "LeakyBucket"}]}, "spec.rules[0].algorithm"),
    ({"rules": [{"name": "y", "measure": "tokens", "window": "minute", "limit": 1, "algorithm": "SlidingWindow"},
                {"name": "x", "measure": "tokens", "window": "day", "limit": 1, "algorithm": "SlidingWindow"}]}, "spec.rules[1].algorithm"),
])
def test_what_is_no_policy_is_refused(serving, spec, field):
    answer = serving.request("POST", policies(), serving.operator_token(), json={**policy(name="bad"), "spec": spec})
    assert answer.status_code == 422, answer.text
    assert field in [cause["field"] for cause in answer.json()["details"]["causes"]], answer.text


def price_list(*prices, name="prices", currency="EUR"):
    return {"apiVersion": "drun.io/v1", "kind": "PriceList", "metadata": {"name": name},
            "spec": {"currency": currency, "prices": [dict(zip(("model", "input", "output", "cachedInput"), p)) for p in prices]}}


def price_lists(name=""):
    return f"/apis/drun.io/v1/pricelists{'/' + name if name else ''}"


def test_a_budget_of_money_holds_by_the_price_list(serving, token):
    """What is recorded is what was spent; the closest price counts; without one nothing is called."""
    operator = serving.operator_token()
    apply(serving, policy(rule("money", 20_000, "cost")))

    def refused():
        answer = serving.request("POST", "/v1/chat/completions", token, json={"model": "demo/gemma", "messages": PROMPT, "max_tokens": 1})
        return answer.status_code == 403 and answer.json()["error"]
    assert serving.wait_until("the budget", refused)["code"] == "model_not_priced"
    apply(serving, price_list(("*", 900_000_000_000, 900_000_000_000), ("demo/*", 1, 1), ("demo/gemma", 2_000_000, 10_000_000, 500_000)))
    wait_for_answer(serving, token)
    while isinstance(last := chat(serving, token), int):
        pass
    assert last.code == "insufficient_quota"
    told = re.search(r"(0\.\d+) EUR are used", last.message)[1]
    path = "/apis/audit.drun.io/v1/namespaces/demo/auditevents?event=drun.model.call&limit=500"

    def recorded():
        events = [item["event"] for item in serving.request("GET", path, operator).json()["items"]]
        paid = [e for e in events if "drun.cost.micros" in e]
        return paid if sum(e["drun.cost.micros"] for e in paid) == round(float(told) * 1e6) else None
    paid = serving.wait_until("the records of what was spent", recorded)
    for event in paid:
        cached = event.get("gen_ai.usage.cache_read.input_tokens", 0)
        cost = (event["gen_ai.usage.input_tokens"] - cached) * 2 + (cached + 1) // 2 + event["gen_ai.usage.output_tokens"] * 10
        assert abs(event["drun.cost.micros"] - cost) <= 1 and event["drun.cost.currency"] == "EUR", event
    listed = subprocess.run([DRUN, "audit", "list", "--data", serving.data, "--event", "drun.model.call", "-n", "demo"],
                            capture_output=True, text=True)
    assert " EUR" in listed.stdout, listed


def test_prices_are_the_platforms(serving):
    operator = serving.operator_token()
    answer = serving.request("POST", price_lists(), operator, json=price_list(("*", 1, 1), name="dollars", currency="USD"))
    assert answer.status_code in (400, 422) and "prices has EUR" in answer.text, answer.text
    for bad, field in ((price_list(("*", -1, 1)), "input"), (price_list(("*", 1, 1, 2)), "cachedInput"),
                       (price_list(("*", 1, 1), currency="a b"), "spec.currency"), (price_list(("x", 1, 1)), "model")):
        bad["metadata"]["name"] = "bad"
        answer = serving.request("POST", price_lists(), operator, json=bad)
        assert answer.status_code == 422 and field in answer.text, answer.text
    apply(serving, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "tenant-all"},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
                    "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "demo"}]})
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
        "user": "system:serviceaccount:demo:app", "groups": ["system:serviceaccounts"],
        "resourceAttributes": {"verb": "update", "group": "drun.io", "resource": "pricelists"}}}
    answer = serving.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", operator, json=review).json()
    assert answer["status"]["allowed"] is False
    serving.request("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/tenant-all", operator)
    serving.request("DELETE", price_lists("prices"), operator)
    serving.request("DELETE", policies("tenant"), operator)


def refusals(platform, token, count):
    """The codes of those of so many calls at the same time that were refused."""
    def call(_):
        answer = platform.request("POST", "/v1/chat/completions", token, json={"model": "demo/gemma", "messages": PROMPT, "max_tokens": 4})
        return answer.json()["error"]["code"] if answer.status_code != 200 else ""

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [code for code in pool.map(call, range(count)) if code]


def test_an_engine_that_serves_so_many_calls_has_a_line_in_front_of_it(serving, token):
    def lined(**queue):
        wanted = service("demo")
        wanted["spec"] |= {"concurrency": 1} | ({"queue": queue} if queue else {})
        return wanted
    bad = service("demo")
    bad["metadata"]["name"] = "bad"
    bad["spec"]["queue"] = {"length": 1}
    answer = serving.request("POST", "/apis/drun.io/v1/namespaces/demo/modelservices", serving.operator_token(), json=bad)
    assert answer.status_code == 422 and "spec.concurrency" in answer.text, answer.text
    apply(serving, lined(length=0), policy(rule("calls", 1000, "requests"), priority="high"))
    serving.wait_until("refusals", lambda: set(refusals(serving, token, 6)) == {"queue_full"}, timeout=120)
    apply(serving, lined(length=50, timeoutSeconds=300))
    refused = []
    serving.wait_until("a line", lambda: refused.append(refusals(serving, token, 6)) or not refused[-1], timeout=300)
    assert not any("queue_timeout" in codes for codes in refused), refused
    proves_a_call(serving)
    serving.request("DELETE", policies("tenant"), serving.operator_token())


def test_proofs_are_charged_to_nobody(serving, token):
    """They call the model by the same way as everybody: what a tenant may use is there whole after them, and a tenant who has
    used it up keeps no proof from being one. The last test: it leaves its limits behind."""
    apply(serving, service("demo", requestsPerMinute=2))
    serving.wait_until("the limit", lambda: limit_told(serving, token) == "2", timeout=120)
    apply(serving, policy(rule("calls", 1, "requests")))
    serving.wait_until("the model service", lambda: phase(serving, "demo") == "Ready", timeout=120)
    for _ in range(3):
        proves_a_call(serving)
    serving.wait_until("a refusal", lambda: isinstance(chat(serving, token), openai.RateLimitError), timeout=120)
    proves_a_call(serving)
    # Its own namespace pays, and may have limits like any other.
    own = {**policy(rule("proofs", 1, "requests")), "metadata": {"name": "proofs", "namespace": "drun-posture"}}
    apply(serving, own)
    serving.wait_until("a proof that is refused", lambda: "(429" in prove(serving, "pf-3")["evidence"], timeout=60)
