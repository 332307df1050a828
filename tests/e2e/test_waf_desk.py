# SPDX-License-Identifier: Apache-2.0
"""Questions to the firewall's rules in force, as the console asks them, and what a record of a hit tells of the score."""
import json
import re
import subprocess
import urllib.parse

from platform_process import DRUN
from test_waf import ATTACKS, PEOPLE, POLICIES, drop, hits, object_call, put, walled  # noqa: F401

DESK = "/apis/waf.drun.io/v1"


def review(platform, request, token=None, **spec):
    body = {"apiVersion": "waf.drun.io/v1", "kind": "WafReview", "spec": {"request": request, **spec}}
    return platform.request("POST", f"{DESK}/wafreviews", token or platform.operator_token(), json=body)


def raw(method, uri, body=None):
    head = f"{method} {uri} HTTP/1.1\nHost: drun.example.com\nAccept: */*\n"
    return head + "\n" if body is None else f"{head}Content-Type: application/json\nContent-Length: {len(body)}\n\n{body}"


def test_a_review_says_what_each_rule_found_and_where(walled):
    answer = review(walled, raw("GET", "/version?q=" + urllib.parse.quote("fish " + ATTACKS["sql"])))
    assert answer.status_code == 200, answer.text
    status = answer.json()["status"]
    assert status["verdict"] == "refused" and status["rule"] == 949110 and status["threshold"] == 5
    found = next(hit for hit in status["hits"] if hit["rule"] == 942100)
    assert found["variable"] == "ARGS:q" and found["points"] == 5 and not found["refuses"] and "attack-sqli" in found["tags"]
    assert "@detectSQLi" in found["text"] and found["file"].endswith(".conf") and found["line"] > 0
    assert sum(hit["points"] for hit in status["hits"]) <= status["score"] and status["score"] >= 5
    assert any(hit["before"].startswith("fish") and hit["match"] for hit in status["hits"]), status["hits"]


def test_a_review_sees_of_a_body_what_the_gateway_sees(walled):
    tame = json.dumps({"model": "demo/a", "messages": [{"role": "user", "content": ATTACKS["sql"]}]})
    assert review(walled, raw("POST", "/v1/chat/completions", tame)).json()["status"]["verdict"] == "passed"
    bad = json.dumps({"model": "demo/a", "user": ATTACKS["sql"], "messages": [{"role": "user", "content": "hello"}]})
    assert review(walled, raw("POST", "/v1/chat/completions", bad)).json()["status"]["verdict"] == "refused"
    answer = review(walled, raw("POST", "/v1/chat/completions", json.dumps({"model": "demo/a", "messages": []})))
    assert answer.status_code == 400 and "before the rules see it" in answer.text and "messages" in answer.text, answer.text
    manifest = json.dumps({"kind": "ConfigMap", "data": {"run.sh": ATTACKS["command"]}})
    assert review(walled, raw("POST", "/api/v1/namespaces/demo/configmaps", manifest)).json()["status"]["verdict"] == "passed"


def test_a_review_follows_the_policies(walled):
    put(walled, POLICIES, "notes", {"match": {"modelServices": ["demo/notes"]}, "exclusions": [{"targets": ["ARGS:json.user"]}]})
    try:
        bad = raw("POST", "/v1/chat/completions", json.dumps({"model": "demo/a", "user": ATTACKS["sql"], "messages": [{"role": "user", "content": "hello"}]}))
        assert review(walled, bad, modelService="demo/notes").json()["status"]["verdict"] == "passed"
        assert review(walled, bad, modelService="demo/other").json()["status"]["verdict"] == "refused"
    finally:
        drop(walled, POLICIES, "notes")


def test_a_rule_is_shown_as_it_was_written(walled):
    rule = object_call(walled, "GET", f"{DESK}/wafrules/942100").json()
    assert rule["kind"] == "WafRule" and rule["spec"]["text"].startswith("SecRule") and "REQUEST-942" in rule["spec"]["file"]
    for word in ("1", "x", "-1", "99999999999", "942100/x"):
        answer = object_call(walled, "GET", f"{DESK}/wafrules/{word}")
        assert answer.status_code == 404 and answer.json()["kind"] == "Status", answer.text


def test_what_is_no_question_is_refused(walled):
    assert review(walled, "GET").status_code == 400
    answer = review(walled, "GET / HTTP/1.1\nodd\n\n")
    assert answer.status_code == 400 and "line 2" in answer.json()["message"]
    for body in ({}, {"spec": {}}, {"spec": {"request": 1}}, []):
        assert walled.request("POST", f"{DESK}/wafreviews", walled.operator_token(), json=body).status_code == 400
    assert walled.request("POST", f"{DESK}/wafreviews", walled.operator_token(), data="{").status_code == 400
    assert object_call(walled, "GET", f"{DESK}/wafreviews").status_code == 405
    assert object_call(walled, "GET", f"{DESK}/more").status_code == 404
    big = review(walled, raw("GET", "/") + "x" * 600_000)
    assert big.status_code == 413


def test_who_may_not_read_the_rules_may_not_ask_them(walled):
    assert walled.request("GET", f"{DESK}/wafrules/942100").status_code == 401
    made = object_call(walled, "POST", "/api/v1/namespaces/default/serviceaccounts",
                       {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody-much"}})
    assert made.status_code == 201, made.text
    token = object_call(walled, "POST", "/api/v1/namespaces/default/serviceaccounts/nobody-much/token",
                        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}).json()["status"]["token"]
    assert walled.request("GET", f"{DESK}/wafrules/942100", token).status_code == 403
    assert review(walled, raw("GET", "/"), token).status_code == 403


def test_a_review_is_answered_while_it_holds_an_attack_and_leaves_no_record(walled):
    before = object_call(walled, "GET", "/apis/audit.drun.io/v1/auditevents", params={"event": "drun.waf.hit", "actor": PEOPLE, "limit": 1}).json()["items"]
    assert review(walled, raw("GET", "/?q=" + ATTACKS["script"].replace(" ", "+"))).status_code == 200
    after = object_call(walled, "GET", "/apis/audit.drun.io/v1/auditevents", params={"event": "drun.waf.hit", "actor": PEOPLE, "limit": 1}).json()["items"]
    assert [e["metadata"]["name"] for e in before] == [e["metadata"]["name"] for e in after]


def test_a_record_tells_the_score_and_the_match_in_its_place(walled):
    reference = "waf-desk-reference-1"
    answer = walled.request("POST", "/v1/chat/completions", walled.operator_token(), headers={"X-Request-Id": reference},
                            json={"model": "demo/llama", "user": "well " + ATTACKS["script"], "messages": [{"role": "user", "content": "x"}]})
    assert answer.status_code == 403, answer.text
    reason = hits(walled, reference)[0]["drun.reason"]
    head, _, tail = reason.rpartition("; score ")
    assert re.search(r"ARGS:json\.user: .*«.+».*", head), reason
    score, limit, path, service, rules = re.fullmatch(r"(\d+) of (\d+); at (\S+); for (\S+); rules (.*)", tail).groups()
    assert int(score) >= int(limit) == 5 and path == "/v1/chat/completions" and service == "demo/llama"
    assert re.search(r"\b941\d+\+5 ARGS:json\.user", rules) and re.search(r"\b949110\+0! TX:", rules), reason
    shown = subprocess.run([DRUN, "waf", "hits", "--data", walled.data], capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0 and "wafrules" in shown.stdout
