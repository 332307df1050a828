# SPDX-License-Identifier: Apache-2.0
"""kubectl against one machine, with the kubeconfig that `drun kubeconfig` prints: the kubectl on PATH and Debian 12's
(1.20.2, which tools/bootstrap unpacks into build/kubectl-debian)."""
import json
import os
import shutil
import stat
import subprocess
import threading
import time

import pytest

from cluster import Cluster, config_map, unique
from platform_process import DRUN, ROOT

PROGRAMS = {"path": shutil.which("kubectl"), "debian": ROOT / "build/kubectl-debian/usr/bin/kubectl"}


@pytest.fixture(scope="module")
def kubeconfig(platform, tmp_path_factory):
    file = tmp_path_factory.mktemp("kube") / "config"
    file.write_text(subprocess.check_output([DRUN, "kubeconfig", "--data", platform.data], text=True))
    return file


@pytest.fixture(scope="module")
def cluster(platform):
    return Cluster(platform)


class Kubectl:
    def __init__(self, program, kubeconfig, home, ns):
        self.program, self.ns = program, ns
        self.env = dict(os.environ, KUBECONFIG=str(kubeconfig), HOME=str(home))

    def __call__(self, *words, text=None, fails=False, **env):
        """What it printed, standard output and errors together; it must succeed, or fail."""
        done = subprocess.run([self.program, "-n", self.ns, *words], input=text, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL if text is None else None, env=self.env | env)
        assert (done.returncode != 0) == fails, f"kubectl {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *words):
        return json.loads(self(*words, "-o", "json"))

    def popen(self, *words):
        return subprocess.Popen([self.program, "-n", self.ns, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, env=self.env)


@pytest.fixture(scope="module", params=PROGRAMS)
def k(request, kubeconfig, cluster, tmp_path_factory):
    program = PROGRAMS[request.param]
    if not program or not os.access(program, os.X_OK):
        pytest.skip(f"the kubectl of {request.param} is not here (tools/bootstrap test gets it where Debian has it)")
    kubectl = Kubectl(program, kubeconfig, tmp_path_factory.mktemp("home"), cluster.namespace("kubectl"))
    version = json.loads(kubectl("version", "--client", "-o", "json"))["clientVersion"]
    kubectl.minor = int("".join(c for c in version["minor"] if c.isdigit()))
    return kubectl


def manifest(*objects):
    return "\n".join(json.dumps(one) for one in objects)


def user(name, **spec):
    return {"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": name}, "spec": spec}


# ------------------------------------------------------------------ reading

def test_version_names_the_server(k):
    assert json.loads(k("version", "-o", "json"))["serverVersion"]["major"] == "1"


def test_get_in_every_form(k):
    k("create", "configmap", "forms", "--from-literal=a=1", "--from-literal=b=2")
    assert k("get", "configmap", "forms").split("\n")[0].split() == ["NAME", "DATA", "AGE"]
    assert "forms" in k("get", "cm", "-o", "wide") and "2" in k("get", "cm", "forms", "--no-headers").split()[1]
    assert k("get", "cm", "forms", "-o", "name") == "configmap/forms\n"
    assert "kind: ConfigMap" in k("get", "cm", "forms", "-o", "yaml")
    assert k.json("get", "cm", "forms")["data"] == {"a": "1", "b": "2"}
    assert k("get", "cm", "forms", "-o", "jsonpath={.data.a}") == "1"
    assert k("get", "cm", "forms", "-o", "custom-columns=N:.metadata.name", "--no-headers").strip() == "forms"
    assert "forms" in k("get", "cm", "-A") and k.ns in k("get", "cm", "-A")
    assert "forms" in k("get", "cm,secrets") and "default" in k("get", "ns")
    assert "forms" in k("get", "cm", "--sort-by=.metadata.name")


def test_get_of_a_kind_that_another_role_owns(k):
    k("create", "secret", "generic", "owned", "--from-literal=password=s3cret")
    table = k("get", "secrets")
    assert "owned" in table and "Opaque" in table and "s3cret" not in table
    assert "s3cret" not in k("describe", "secret", "owned") and "6 bytes" in k("describe", "secret", "owned")
    assert "cluster-admin" in k("get", "clusterroles")
    assert k("get", "users") and k("get", "apikeys") is not None


def test_describe(k):
    k("create", "configmap", "described", "--from-literal=colour=blue")
    text = k("describe", "cm", "described")
    assert "Name:" in text and "colour" in text and "blue" in text
    assert "Status:" in k("describe", "ns", k.ns) and "Active" in k("describe", "ns", k.ns)


def test_explain(k):
    text = k("explain", "modelservice")
    assert "ModelService" in text and "spec" in text
    assert "replicas" in k("explain", "modelservice.spec")
    assert "data" in k("explain", "configmap")
    assert "FIELD" in k("explain", "user.spec.disabled") or "boolean" in k("explain", "user.spec.disabled")
    k("explain", "user.spec.nothing", fails=True)


def test_api_resources_and_versions(k):
    lines = {line.split()[0]: line for line in k("api-resources").splitlines()}
    for name, kind in {"configmaps": "ConfigMap", "secrets": "Secret", "users": "User", "modelservices": "ModelService",
                       "rolebindings": "RoleBinding", "apikeys": "ApiKey"}.items():
        assert lines[name].split()[-1] == kind
    assert "drun.io/v1" in k("api-versions").split() and "rbac.authorization.k8s.io/v1" in k("api-versions").split()
    assert "deletecollection" in k("api-resources", "-o", "wide")


# ------------------------------------------------------------------ writing

def test_create_and_delete(k):
    assert "created" in k("create", "-f", "-", text=manifest(config_map("made", a="1")))
    assert "AlreadyExists" in k("create", "-f", "-", text=manifest(config_map("made", a="1")), fails=True)
    assert "deleted" in k("delete", "cm", "made")
    assert "NotFound" in k("delete", "cm", "made", fails=True)
    assert k("delete", "cm", "made", "--ignore-not-found") == ""


def test_apply_twice_then_change_and_drop(k):
    name = unique("applied")
    first = manifest(config_map(name, a="1", b="2"), user(name, displayName="Alice", groups=["dev"]))
    out = k("apply", "-f", "-", text=first)
    assert f"configmap/{name} created" in out and f"user.drun.io/{name} created" in out
    again = k("apply", "-f", "-", text=first)
    assert f"configmap/{name} unchanged" in again and f"user.drun.io/{name} unchanged" in again
    changed = k("apply", "-f", "-", text=manifest(config_map(name, a="9"), user(name, groups=["dev"])))
    assert f"configmap/{name} configured" in changed and f"user.drun.io/{name} configured" in changed
    assert k.json("get", "cm", name)["data"] == {"a": "9"}
    assert "displayName" not in k.json("get", "user", name)["spec"]
    k("delete", "user", name)


def test_apply_on_the_server(k):
    name = unique("served")
    text = manifest(config_map(name, a="1"))
    assert "serverside-applied" in k("apply", "--server-side", "-f", "-", text=text)
    assert "serverside-applied" in k("apply", "--server-side", "-f", "-", text=text)
    other = manifest(config_map(name, a="2"))
    assert "conflict" in k("apply", "--server-side", "--field-manager=other", "-f", "-", text=other, fails=True).lower()
    k("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", text=other)
    assert k.json("get", "cm", name)["data"] == {"a": "2"}


def test_a_dry_run_writes_nothing(k):
    name = unique("dry")
    assert "server dry run" in k("apply", "--dry-run=server", "-f", "-", text=manifest(config_map(name)))
    assert "NotFound" in k("get", "cm", name, fails=True)


def test_label_and_annotate(k):
    k("create", "configmap", "tagged")
    k("label", "cm", "tagged", "tier=gold", "team=red")
    k("annotate", "cm", "tagged", "note=hello world")
    assert "tagged" in k("get", "cm", "-l", "tier=gold,team in (red,blue)") and "gold" in k("get", "cm", "tagged", "--show-labels")
    assert k.json("get", "cm", "tagged")["metadata"]["annotations"]["note"] == "hello world"
    k("label", "cm", "tagged", "tier=iron", fails=True)
    k("label", "--overwrite", "cm", "tagged", "tier=iron", "team-")
    assert k.json("get", "cm", "tagged")["metadata"]["labels"] == {"tier": "iron"}


@pytest.mark.parametrize("kind, patch, expected", [
    ("merge", '{"data":{"a":null,"c":"3"}}', {"b": "2", "c": "3"}),
    ("strategic", '{"data":{"a":"9"}}', {"a": "9", "b": "2"}),
    ("json", '[{"op":"replace","path":"/data/b","value":"7"}]', {"a": "1", "b": "7"}),
])
def test_patch_of_three_types(k, kind, patch, expected):
    name = unique("patched")
    k("create", "configmap", name, "--from-literal=a=1", "--from-literal=b=2")
    assert "patched" in k("patch", "cm", name, f"--type={kind}", "-p", patch)
    assert k.json("get", "cm", name)["data"] == expected


def test_edit(k, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/colour: blue/colour: green/" "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    k("create", "configmap", "edited", "--from-literal=colour=blue")
    assert "edited" in k("edit", "cm", "edited", KUBE_EDITOR=str(editor))
    assert k.json("get", "cm", "edited")["data"] == {"colour": "green"}
    assert "no changes" in k("edit", "cm", "edited", KUBE_EDITOR="true")


def test_replace_and_its_conflict(k):
    k("create", "configmap", "replaced", "--from-literal=a=1")
    old = k("get", "cm", "replaced", "-o", "json")
    k("replace", "-f", "-", text=old.replace('"1"', '"2"', 1))
    assert "the object has been modified" in k("replace", "-f", "-", text=old.replace('"1"', '"3"', 1), fails=True)


def test_diff(k):
    k("apply", "-f", "-", text=manifest(config_map("differs", a="1")))
    assert k("diff", "-f", "-", text=manifest(config_map("differs", a="1"))) == ""
    text = k("diff", "-f", "-", text=manifest(config_map("differs", a="2")), fails=True)
    assert "-  a: \"1\"" in text and "+  a: \"2\"" in text


# ------------------------------------------------------------------ waiting

def test_get_watch_shows_changes_as_they_come(k, cluster):
    k("create", "configmap", "seen", "--from-literal=a=1")
    watch = k.popen("get", "cm", "--watch", "-o", "name")
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(iter(watch.stdout.readline, "")), daemon=True)
    reader.start()
    try:
        end = time.monotonic() + 20
        while "configmap/seen\n" not in lines and time.monotonic() < end:
            time.sleep(0.05)
        cluster.create("configmaps", k.ns, config_map("appears"))
        while "configmap/appears\n" not in lines and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        watch.terminate()
        watch.wait()
    assert "configmap/seen\n" in lines and "configmap/appears\n" in lines


def test_wait_for_a_deletion(k, cluster):
    k("create", "configmap", "leaving")
    timer = threading.Timer(1, cluster.delete, ("configmaps", k.ns, "leaving"))
    timer.start()
    assert "condition met" in k("wait", "--for=delete", "cm/leaving", "--timeout=20s")
    timer.join()


def test_wait_that_ends_in_vain(k):
    k("create", "configmap", "staying")
    assert "timed out" in k("wait", "--for=delete", "cm/staying", "--timeout=1s", fails=True)


def test_wait_for_a_field(k):
    if k.minor < 23:
        pytest.skip("kubectl before 1.23 cannot wait for a field")
    assert "condition met" in k("wait", "--for=jsonpath={.status.phase}=Active", f"ns/{k.ns}", "--timeout=10s")


# ------------------------------------------------------------------ rights

def as_other(k, cluster, *rules):
    """The words that make kubectl another caller: a service account with a key of its own."""
    other, name = cluster.account(k.ns, unique("viewer"), *rules)
    file = k.env["KUBECONFIG"] + "-" + name.rpartition(":")[2]
    k.env, kept = dict(k.env, KUBECONFIG=file), k.env
    server = other.platform
    made = Kubectl(k.program, file, k.env["HOME"], k.ns)
    k.env = kept
    with open(file, "w") as out:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                   "clusters": [{"name": "c", "cluster": {"server": server.url, "certificate-authority": server.ca}}],
                   "users": [{"name": "u", "user": {"token": other.token}}],
                   "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}, out)
    return made


def test_auth_can_i(k, cluster):
    viewer = as_other(k, cluster, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]})
    assert k("auth", "can-i", "delete", "configmaps").strip() == "yes"
    assert viewer("auth", "can-i", "list", "configmaps").strip() == "yes"
    assert viewer("auth", "can-i", "delete", "configmaps", fails=True).strip().startswith("no")
    assert viewer("auth", "can-i", "list", "configmaps", "-n", "default", fails=True).strip().startswith("no")
    listed = viewer("auth", "can-i", "--list")
    row = next(line for line in listed.splitlines() if line.startswith("configmaps "))
    assert "[get list]" in row
    refused = viewer("get", "secrets", fails=True)
    assert "Forbidden" in refused and 'cannot list resource "secrets"' in refused and k.ns in refused


# ------------------------------------------------------------------ errors as kubectl shows them

def test_errors_of_the_server(k):
    assert 'configmaps "none" not found' in k("get", "cm", "none", fails=True)
    assert "doesn't have a resource type" in k("get", "nothings", fails=True)
    assert 'namespaces "nowhere" not found' in k("create", "configmap", "x", "-n", "nowhere", fails=True)
    invalid = k("create", "-f", "-", text=manifest(config_map("Bad_Name")), fails=True)
    assert "is invalid" in invalid and "metadata.name" in invalid
    strange = manifest(config_map("strange") | {"dta": {}})
    assert 'dta' in k("create", "-f", "-", text=strange, fails=True)


def test_a_body_that_is_too_large_is_said_in_words(k):
    big = manifest(config_map("big", a="x" * (4 << 20)))
    text = k("create", "-f", "-", text=big, fails=True)
    assert "larger than this platform takes" in text or "too large" in text.lower(), text[-500:]


def test_an_unknown_credential_is_said(k, platform, tmp_path):
    file = tmp_path / "config"
    file.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": platform.url, "certificate-authority": platform.ca}}],
        "users": [{"name": "u", "user": {"token": "wrong"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
    text = k("get", "cm", fails=True, KUBECONFIG=str(file))
    assert "Unauthorized" in text or "must be logged in" in text


def test_deletion_cascades_as_it_is_told(k, cluster, platform):
    def owner_and_child(name):
        owner = cluster.create("configmaps", k.ns, config_map(name))
        child = config_map(f"of-{name}")
        child["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": name,
                                                 "uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}]
        cluster.create("configmaps", k.ns, child)

    def left(name):
        return cluster.call("GET", f"/api/v1/namespaces/{k.ns}/configmaps/{name}").status_code == 200
    ways = ["orphan", "background", "foreground"] if k.minor >= 20 else ["false", "true"]
    for way in ways:
        name = unique("cascade")
        owner_and_child(name)
        k("delete", "configmap", name, f"--cascade={way}", "--timeout=30s")
        assert not left(name), way
        if way in ("orphan", "false"):
            assert left(f"of-{name}"), way
        else:
            platform.wait_until(f"the child's end ({way})", lambda: not left(f"of-{name}"))


def test_a_namespace_is_waited_for(k, cluster):
    ns = cluster.namespace("waited")
    cluster.create("configmaps", ns, config_map("x"))
    assert "deleted" in k("delete", "namespace", ns, "--timeout=60s")
    assert "NotFound" in k("get", "namespace", ns, fails=True)


def test_who_am_i(k):
    if k.minor < 28:
        pytest.skip("this kubectl has no `auth whoami`")
    assert "system:operator:" in k("auth", "whoami")
