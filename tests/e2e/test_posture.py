# SPDX-License-Identifier: Apache-2.0
"""The proofs: all hold on a healthy platform, and each goes red when what it proves is broken."""
import json
import os
import pathlib
import re
import shutil
import signal
import time

import pytest

import faults
import test_models

BUILT = {"en-1", "en-2", "en-3", "id-1", "id-2", "id-3", "id-4", "ml-1", "ml-2", "ml-3", "mo-5", "nw-2", "nw-3", "pf-3", "pf-5"}
NEED_AN_ENGINE = {"ml-2", "ml-3", "pf-3"}


def control(platform, name):
    def ask():
        answer = platform.request("GET", f"/apis/drun.io/v1/controls/{name}", platform.operator_token())
        # On a machine with much else to do the gateway may not reach the role at once; it then says "in a moment".
        return None if answer.status_code in (502, 503) else answer
    answer = platform.wait_until(f"an answer about {name}", ask)
    assert answer.status_code == 200, answer.text
    return answer.json()["status"]


def probe(platform, name, timeout=30):
    """Runs one proof and gives its new status."""
    before = control(platform, name).get("checkedAt")
    time.sleep(1.1)  # checkedAt counts seconds
    started = platform.request("POST", f"/apis/drun.io/v1/controls/{name}/probe", platform.operator_token())
    assert started.status_code == 202, started.text
    return platform.wait_until(f"the proof {name}", lambda: (
        lambda status: status if status.get("checkedAt") not in (None, before) else None)(control(platform, name)), timeout)


def walled(platform):
    """NW-2, once the rules of the firewall are there: a new installation compiles them first."""
    platform.wait_until("the rules in force", lambda: platform.request(
        "GET", "/apis/drun.io/v1/wafrulesets/crs", platform.operator_token()).json().get("status", {}).get("phase") == "InForce", 240)
    return probe(platform, "nw-2", 120)


def test_every_built_control_is_proven_and_the_rest_is_absent(platform):
    def verdicts():
        listed = platform.request("GET", "/apis/drun.io/v1/controls", platform.operator_token()).json()["items"]
        found = {c["metadata"]["name"]: c["status"] for c in listed}
        return found if all(found[name]["verdict"] != "absent" for name in BUILT) else None

    found = platform.wait_until("the first verdicts", verdicts, timeout=60)
    assert len(found) == 36
    if found["nw-2"]["verdict"] == "degraded":
        found["nw-2"] = walled(platform)
    for name in BUILT - NEED_AN_ENGINE:
        assert found[name]["verdict"] == "proven", f'{name}: {found[name]["evidence"]}'
    for name in NEED_AN_ENGINE:
        assert found[name]["verdict"] in ("proven", "degraded"), f'{name}: {found[name]["evidence"]}'
    for name in set(found) - BUILT:
        assert found[name]["verdict"] == "absent", name


def test_the_platform_stops_at_once_whatever_proof_runs(own_platform):
    platform = own_platform
    for delay in (0, 0.1, 0.5, 1.6):
        platform.start()
        started = platform.request("POST", "/apis/drun.io/v1/controls/all/probe", platform.operator_token())
        assert started.status_code == 202, started.text
        time.sleep(delay)
        began = time.monotonic()
        assert platform.stop() == 0
        # Who does not stop is waited for eight seconds, and named.
        assert time.monotonic() - began < 6
        assert "did not stop within" not in platform.text(), platform.text()[-2000:]


def test_en1_fails_when_the_gateway_takes_tls_1_2(own_platform):
    platform = own_platform.start()
    assert probe(platform, "en-1")["verdict"] == "proven"
    conf = platform.run_dir / "gateway" / "nginx.conf"
    text = conf.read_text()
    assert "TLSv1.3" in text
    faults.reload_nginx(platform, text.replace("ssl_protocols TLSv1.3", "ssl_protocols TLSv1.2 TLSv1.3"))
    status = probe(platform, "en-1")
    assert status["verdict"] == "failed" and "DOES NOT HOLD: a handshake with TLS 1.2" in status["evidence"]


def test_id3_holds_however_often_it_is_asked(platform):
    """What it gets wrong on purpose does not keep it out."""
    for _ in range(5):
        status = probe(platform, "id-3", 60)
        assert status["verdict"] == "proven", status["evidence"]


def test_id3_fails_when_any_code_passes(own_platform):
    platform = own_platform.start()
    status = probe(platform, "id-3", timeout=120)
    assert status["verdict"] == "proven", status["evidence"]
    # Nobody is left behind; another proof may just be signing in.
    platform.wait_until("an empty list of users", lambda: not platform.request("GET", "/apis/drun.io/v1/users", platform.operator_token()).json()["items"])
    assert (platform.run_dir / "idp" / "setup-link").exists(), "who is made for the proof is no administrator"
    conf = platform.run_dir / "gateway" / "nginx.conf"
    text = conf.read_text()
    place = re.search(r"^\s*location ~ .*oauth2", text, re.M)
    faults.reload_nginx(platform, text[:place.start()] + "\n location = /session/factor { return 204; }\n" + text[place.start():])
    status = probe(platform, "id-3", timeout=120)
    assert status["verdict"] == "failed" and "DOES NOT HOLD: a code of ten minutes ago is refused" in status["evidence"]


def test_id2_fails_when_a_binding_grants_too_much(own_platform):
    platform = own_platform.start()
    assert probe(platform, "id-2")["verdict"] == "proven"
    made = platform.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", platform.operator_token(), json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "name": "drun:posture", "apiGroup": "rbac.authorization.k8s.io"}]})
    assert made.status_code == 201, made.text
    assert probe(platform, "id-2")["verdict"] == "failed"


def test_mo5_fails_when_the_log_was_changed(own_platform):
    platform = own_platform.start()
    for _ in range(20):
        platform.request("GET", "/api/v1/namespaces", platform.operator_token())
    assert probe(platform, "mo-5")["verdict"] == "proven"
    segment = max((platform.data / "audit").glob("*.seg"))
    with open(segment, "r+b") as file:
        file.seek(segment.stat().st_size // 3)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    status = probe(platform, "mo-5")
    assert status["verdict"] == "failed" and "DOES NOT HOLD: a copy of the audit log" in status["evidence"]


def test_en2_fails_when_plaintext_reaches_the_disk(own_platform):
    """A process that writes what it sees to the data directory, as a careless log would."""
    platform = own_platform.start()
    token = platform.operator_token()
    # A large file makes the search last: the leak is at its end before the search is.
    leak = platform.data / "careless.log"
    with open(leak, "wb") as file:
        file.truncate(3 << 30)
    watch = platform.request("GET", "/api/v1/namespaces/drun-posture/configmaps?watch=true", token, stream=True, timeout=60)
    before = control(platform, "en-2").get("checkedAt")
    assert platform.request("POST", "/apis/drun.io/v1/controls/en-2/probe", token).status_code == 202
    for line in watch.iter_lines():
        if b"canary-" in line and b"ADDED" in line:
            with open(leak, "r+b") as file:
                file.seek(-len(line), os.SEEK_END)
                file.write(line)
            break
    status = platform.wait_until("the proof", lambda: (
        lambda s: s if s.get("checkedAt") not in (None, before) else None)(control(platform, "en-2")), 60)
    watch.close()
    assert status["verdict"] == "failed", status["evidence"]
    leak.unlink()
    assert probe(platform, "en-2")["verdict"] == "proven"


@pytest.mark.skipif(os.geteuid() != 0, reason="the limit on locked memory is lowered as root")
def test_en3_is_degraded_without_locked_memory(own_platform):
    import resource
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, hard[1]))
    try:
        # Root may lock memory whatever the limit says, so the capability goes too.
        own_platform.prefix = ["setpriv", "--bounding-set", "-ipc_lock"]
        platform = own_platform.start()
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, hard)
    assert probe(platform, "en-3")["verdict"] == "degraded"


def test_nw3_fails_when_a_source_has_no_limit(own_platform):
    platform = own_platform.start()
    status = probe(platform, "nw-3", timeout=60)
    assert status["verdict"] in ("proven", "degraded"), status["evidence"]
    if os.geteuid() == 0 and shutil.which("nft"):
        assert status["verdict"] == "proven", status["evidence"]
    text = faults.patch_nginx(platform, r"    drun_rate requests \d+ \d+ \d+;\n", "")
    goes_red(platform, "nw-3", "gets its limit and no more", timeout=90)
    faults.reload_nginx(platform, text)
    platform.wait_until("the proof again", lambda: probe(platform, "nw-3", 60)["verdict"] == status["verdict"], timeout=90)


def test_nw3_fails_when_nobody_is_banned(own_platform):
    platform = own_platform.start()
    assert probe(platform, "nw-3", timeout=60)["verdict"] in ("proven", "degraded")
    faults.patch_nginx(platform, r"    drun_ban \d+ \d+;\n", "")
    status = goes_red(platform, "nw-3", "who goes on is shut out", timeout=90)
    assert "holds: a client that behaves is answered meanwhile" in status["evidence"]


def proved(platform):
    """When every proof has run once."""
    def all_have_verdicts():
        listed = platform.request("GET", "/apis/drun.io/v1/controls", platform.operator_token()).json()["items"]
        found = {c["metadata"]["name"]: c["status"]["verdict"] for c in listed}
        return all(found[name] != "absent" for name in BUILT)
    platform.wait_until("the first verdicts", all_have_verdicts, timeout=60)
    return platform


def goes_red(platform, name, line, timeout=60):
    """The proof fails, and says which expectation it was. A run that was under way saw the platform before the fault, or
    between one half of it and the other."""
    deadline = time.monotonic() + timeout
    while True:
        status = probe(platform, name, timeout)
        found = [said for said in status["evidence"].splitlines() if said.startswith("DOES NOT HOLD") and line in said]
        if found and status["verdict"] == "failed":
            return status
        assert time.monotonic() < deadline, status["evidence"]


@faults.needs_root
@faults.needs_x86
def test_id1_fails_when_any_redirect_is_taken(own_platform):
    """idp's comparison of redirect URIs is patched away in its memory."""
    platform = own_platform.start()
    assert probe(platform, "id-1")["verdict"] == "proven", control(platform, "id-1")["evidence"]
    idp = platform.roles()["idp"]
    before = faults.patch(idp, "client_redirects_to", faults.RETURN_TRUE)
    goes_red(platform, "id-1", "unregistered address is refused")
    faults.patch(idp, "client_redirects_to", before)
    platform.wait_until("the proof again", lambda: probe(platform, "id-1")["verdict"] == "proven", timeout=90)


@faults.needs_root
@faults.needs_x86
@pytest.mark.parametrize("control_name, role, patches, lines", [
    ("id-1", "idp", {"publish_revoke_token": faults.RETURN_ZERO}, ["what the replayed code gave is refused"]),
    ("id-1", "idp", {"oauth_verifier_fits": faults.RETURN_TRUE}, ["a code with its challenge as verifier is refused"]),
    ("id-1", "idp", {"refresh_end": faults.RETURN_ZERO}, ["and with it all that came of it", "the last token of a stolen family is refused"]),
    ("id-1", "idp", {"session_end": faults.RETURN_ZERO}, ["the copy of a session that was ended opens nothing",
                                                          "a token of a session that was ended is refused"]),
    ("id-1", "api", {"jose_key_verify": faults.RETURN_ZERO}, ["the same token with another signature is refused"]),
    ("id-1", "api", {"jose_key_verify": faults.RETURN_ZERO, "jose_alg_by_name": faults.RETURN_ZERO, "jose_key_alg": faults.RETURN_ZERO},
     ['the same token with alg "none" and any signature is refused', "the same token with the public key as key of an HS256 is refused"]),
    ("id-3", "idp", {"totp_check": faults.FIFTH_ARGUMENT_ZERO}, ["the same code a second time is refused"]),
], ids=["code-replay", "pkce", "refresh-reuse", "revoked-session", "signature", "alg-confusion", "totp-replay"])
def test_each_attack_on_sign_ins_is_seen_where_it_succeeds(own_platform, control_name, role, patches, lines):
    """What refuses it is patched in the memory of the role."""
    platform = own_platform.start()
    status = probe(platform, control_name, timeout=120)
    assert status["verdict"] == "proven", status["evidence"]
    pid = platform.roles()[role]
    before = {function: faults.patch(pid, function, code) for function, code in patches.items()}
    for line in lines:
        goes_red(platform, control_name, line, timeout=120)
    for function, code in before.items():
        faults.patch(pid, function, code)
    if role == "api":  # it remembers which tokens were good
        platform.kill(role)
        platform.wait_for_role(role, pid)
    platform.wait_until("the proof to hold again", lambda: probe(platform, control_name, 120)["verdict"] == "proven", 240)


def test_id1_fails_when_other_signing_keys_are_published(own_platform):
    platform = own_platform.start()
    assert probe(platform, "id-1")["verdict"] == "proven", control(platform, "id-1")["evidence"]
    faults.patch_nginx(platform, r"(?=        location = /v1/chat/completions )",
                       "        location = /oauth2/jwks { default_type application/json; return 200 '{\"keys\":[{\"kid\":\"x\"}]}'; }\n")
    goes_red(platform, "id-1", "the key that signs tokens is among the published ones")


def test_id4_fails_when_the_gateway_no_longer_asks_for_keys(own_platform):
    """An nginx configuration without the module where models are listed."""
    platform = own_platform.start()
    assert probe(platform, "id-4")["verdict"] == "proven", control(platform, "id-4")["evidence"]
    faults.patch_nginx(platform, r"location = /v1/models \{\s*drun_models_list;",
                       "location = /v1/models { default_type application/json; return 200 '{}';")
    status = goes_red(platform, "id-4", "a key with one other character is refused")
    assert "DOES NOT HOLD: a revoked key is refused" in status["evidence"]
    assert "DOES NOT HOLD: a key for another network is refused" in status["evidence"]


def test_id4_fails_when_revocations_do_not_reach_the_gateway(own_platform):
    """The gateway reads a copy of the snapshots that nobody updates."""
    import shutil
    platform = own_platform.start()
    assert probe(platform, "id-4")["verdict"] == "proven"
    frozen = platform.run_dir / "gateway" / "frozen"
    for owner in ("idp", "api", "waf"):
        (frozen / owner).mkdir(parents=True)
        for file in (platform.run_dir / owner).glob("*.*"):
            if file.suffix in (".snap", ".gen"):
                shutil.copy(file, frozen / owner / file.name)
    os.system(f"chown -R --reference={platform.run_dir / 'gateway'} {frozen}")
    faults.patch_nginx(platform, r'drun_run_dir "[^"]*";', f'drun_run_dir "{frozen}";')
    goes_red(platform, "id-4", "a new API key is accepted")


@faults.needs_root
@faults.needs_x86
@pytest.mark.parametrize("role, function, code, line", [
    ("api", "cidr_holds", faults.RETURN_TRUE, "a key for another network is refused by the roles, too"),
    ("idp", "clock_parse", faults.RETURN_TRUE, "a key whose time is over is refused"),
    ("api", "auth_scope_allows_namespace", faults.RETURN_TRUE, "a key for one namespace sees nothing outside of it"),
    ("api", "auth_scope_allows_verb", faults.RETURN_TRUE, "a key that may look cannot write"),
    ("idp", "apikey_put_secret", faults.RETURN_ZERO, "the secret before is refused"),
])
def test_id4_fails_when_a_limit_of_keys_is_taken_away(own_platform, role, function, code, line):
    """The function that holds it is patched in the memory of the role, to say yes to all. idp then reads no end of a key's
    time, or keeps no new secret."""
    platform = own_platform.start()
    assert probe(platform, "id-4")["verdict"] == "proven", control(platform, "id-4")["evidence"]
    before = faults.patch(platform.roles()[role], function, code)
    goes_red(platform, "id-4", line)
    faults.patch(platform.roles()[role], function, before)
    platform.wait_until("the proof to hold again", lambda: probe(platform, "id-4")["verdict"] == "proven", 60)


@faults.needs_root
@faults.needs_x86
def test_ml1_fails_when_the_agent_takes_any_file(own_platform):
    """The digest that a file must have is taken away from the agent's import, in its memory."""
    platform = own_platform.start()
    assert probe(platform, "ml-1")["verdict"] == "proven", control(platform, "ml-1")["evidence"]
    before = faults.patch(platform.roles()["agent"], "blob_writer_finish", faults.SECOND_ARGUMENT_NULL)
    status = goes_red(platform, "ml-1", "the same file with one changed bit is refused")
    assert "DOES NOT HOLD: the file under a digest of one other digit is refused" in status["evidence"]
    faults.patch(platform.roles()["agent"], "blob_writer_finish", before)
    # A scheduled run may have begun before.
    platform.wait_until("the proof to hold again", lambda: probe(platform, "ml-1")["verdict"] == "proven", 60)


def test_ml1_fails_when_nothing_can_be_imported(own_platform):
    platform = own_platform.start()
    assert probe(platform, "ml-1")["verdict"] == "proven"
    agent = platform.roles()["agent"]
    os.kill(agent, signal.SIGSTOP)
    try:
        goes_red(platform, "ml-1", "a file that has the digest of its Model is taken", timeout=90)
    finally:
        os.kill(agent, signal.SIGCONT)


needs_a_model = pytest.mark.skipif(not (test_models.MODEL.exists() and test_models.ENGINE.exists()),
                                   reason="the small model or its engine could not be downloaded (tools/fetch-model)")


@pytest.fixture(scope="module")
def serving():
    from platform_process import Platform
    running = Platform(model_dirs=str(test_models.MODEL.parent), engine_dirs=str(test_models.ENGINE.parent))
    running.start()
    test_models.apply(running, *test_models.tenant("demo"), test_models.model("demo"), test_models.service("demo"))
    running.wait_until("the model service", lambda: test_models.phase(running, "demo") == "Ready", timeout=120)
    yield running
    running.stop()
    running.remove()


@needs_a_model
def test_with_a_model_everything_about_models_is_proven(serving):
    for name in ("ml-1", "ml-2", "ml-3", "pf-3"):
        status = probe(serving, name, 60)
        assert status["verdict"] == "proven" or (name == "ml-3" and status["verdict"] == "degraded"), status["evidence"]


@needs_a_model
def test_ml2_fails_when_everybody_may_call_the_model(serving):
    """One record in the store: a binding that gives every signed-in principal the right to call models."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    made = serving.request("POST", path, serving.operator_token(), json={
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "everybody"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "drun:developer"},
        "subjects": [{"kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io"}]})
    assert made.status_code == 201, made.text
    goes_red(serving, "ml-2", "of another tenant gets the same answer")
    assert serving.request("DELETE", path + "/everybody", serving.operator_token()).status_code == 200
    assert probe(serving, "ml-2", 60)["verdict"] == "proven"


def engine_of(platform):
    """The engine's own process, the one in a sandbox."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"llama-server" in (entry / "cmdline").read_bytes().split(b"\0")[0] \
                    and f"{os.readlink(entry / 'ns/mnt')}" != os.readlink("/proc/self/ns/mnt") and ours(platform, int(entry.name)):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError("no engine runs")


def ours(platform, pid):
    """The agent of this platform is among its ancestors, or its sandbox carries this platform's cgroup."""
    instance = (platform.data / "instance").read_text().splitlines()[1]
    return f"drun-{instance[:8]}" in pathlib.Path(f"/proc/{pid}/cgroup").read_text() or \
        str(platform.run_dir) in pathlib.Path(f"/proc/{pid}/mountinfo").read_text()


@needs_a_model
@faults.needs_root
def test_ml3_fails_when_the_model_can_be_written_in_the_sandbox(serving):
    """A writable folder is mounted over the model in the running sandbox."""
    engine = engine_of(serving)
    faults.in_mounts_of(engine, "cover", "/model")
    try:
        goes_red(serving, "ml-3", "inside the sandbox write to /model is refused")
    finally:
        faults.in_mounts_of(engine, "uncover", "/model")
    assert probe(serving, "ml-3", 60)["verdict"] in ("proven", "degraded")


@needs_a_model
def test_pf3_fails_when_answers_are_not_the_models(serving):
    """An nginx configuration that answers calls itself."""
    before = faults.patch_nginx(serving, r"location = /v1/chat/completions \{\s*drun_model_api chat;",
                                "location = /v1/chat/completions { default_type application/json; return 200 '{}';")
    goes_red(serving, "pf-3", "answers a chat completion")
    faults.reload_nginx(serving, before)
    assert probe(serving, "pf-3", 60)["verdict"] == "proven"


def test_nw2_fails_when_the_firewall_is_off(own_platform):
    """An nginx configuration without the firewall; then a policy that only looks on."""
    platform = own_platform.start()
    assert walled(platform)["verdict"] == "proven", control(platform, "nw-2")["evidence"]
    before = faults.patch_nginx(platform, r"drun_waf open;", "drun_waf off;")
    goes_red(platform, "nw-2", "an injection of SQL in a query at /api is refused", 180)
    faults.reload_nginx(platform, before)
    assert probe(platform, "nw-2", 120)["verdict"] == "proven"


def test_nw2_fails_when_it_refuses_too_much(own_platform):
    """A rule of the host's own that takes a name with a quote for an attack."""
    platform = own_platform.start()
    assert walled(platform)["verdict"] == "proven", control(platform, "nw-2")["evidence"]
    made = platform.request("POST", "/apis/drun.io/v1/wafrulesets", platform.operator_token(), json={
        "apiVersion": "drun.io/v1", "kind": "WafRuleSet", "metadata": {"name": "zealous"},
        "spec": {"rules": 'SecRule ARGS "@contains O\'Reilly" "id:1,phase:2,deny"'}})
    assert made.status_code == 201, made.text
    platform.wait_until("the rule in force", lambda: platform.request(
        "GET", "/apis/drun.io/v1/wafrulesets/zealous", platform.operator_token()).json().get("status", {}).get("phase") == "InForce", 240)
    goes_red(platform, "nw-2", "a name with a quote in a query at /api passes", 180)


def test_nw2_fails_when_answers_are_not_looked_at(own_platform):
    """A policy without responses."""
    platform = own_platform.start()
    assert walled(platform)["verdict"] == "proven", control(platform, "nw-2")["evidence"]
    path = "/apis/drun.io/v1/wafpolicies/default"
    policy = platform.request("GET", path, platform.operator_token()).json()
    policy["spec"]["responses"] = "Off"
    assert platform.request("PUT", path, platform.operator_token(), json=policy).status_code == 200

    def in_force():
        found = platform.request("GET", path, platform.operator_token()).json()
        return found["status"].get("phase") == "InForce" and found["status"]["observedGeneration"] == found["metadata"]["generation"]

    platform.wait_until("the policy in force", in_force, 240)
    goes_red(platform, "nw-2", "an answer of /api/v1/namespaces/ with the error of a database in it is withheld", 180)


def test_pf5_fails_when_the_posture_is_embellished(own_platform):
    """A gateway that shows what is absent as proven."""
    platform = proved(own_platform.start())
    assert probe(platform, "pf-5", 90)["verdict"] == "proven", control(platform, "pf-5")["evidence"]
    listed = platform.request("GET", "/apis/drun.io/v1/controls", platform.operator_token()).json()
    for item in listed["items"]:
        if item["spec"]["id"] == "BK-1":
            item["status"] = {"verdict": "proven", "evidence": "all is well", "checkedAt": item["status"].get("checkedAt", "2026-01-01T00:00:00Z")}
    share = platform.run_dir / "gateway" / "better"
    share.mkdir()
    (share / "controls.json").write_text(json.dumps(listed))
    os.system(f"chown -R --reference={platform.run_dir / 'gateway'} {share}")
    faults.patch_nginx(platform, r"(?=        location = /v1/chat/completions )",
                       f"        location = /apis/drun.io/v1/controls {{ default_type application/json; alias {share}/controls.json; }}\n")
    goes_red(platform, "pf-5", "BK-1 has no proof and claims nothing")


def test_pf5_fails_when_verdicts_are_old(own_platform):
    """What a gateway showed yesterday is no posture."""
    platform = proved(own_platform.start())
    assert probe(platform, "pf-5", 90)["verdict"] == "proven"
    listed = platform.request("GET", "/apis/drun.io/v1/controls", platform.operator_token()).json()
    for item in listed["items"]:
        if "checkedAt" in item["status"]:
            item["status"]["checkedAt"] = "2020-01-01T00:00:00Z"
    share = platform.run_dir / "gateway" / "old"
    share.mkdir()
    (share / "controls.json").write_text(json.dumps(listed))
    os.system(f"chown -R --reference={platform.run_dir / 'gateway'} {share}")
    faults.patch_nginx(platform, r"(?=        location = /v1/chat/completions )",
                       f"        location = /apis/drun.io/v1/controls {{ default_type application/json; alias {share}/controls.json; }}\n")
    goes_red(platform, "pf-5", "is fresh")


def test_the_compartments_are_reported(platform):
    reports = list(pathlib.Path(platform.run_dir).glob("*/lockdown.json"))
    assert len(reports) == 10
