# SPDX-License-Identifier: Apache-2.0
"""What an engine says, through api: read, followed, of the run before; and who may."""
import os
import signal
import subprocess

import pytest

from cluster import Cluster, rule
from platform_process import DRUN
from test_models import ENGINE, MODEL, apply, get, model, phase, pytestmark, service, serving, tenant  # noqa: F401

PATH = "/apis/drun.io/v1/namespaces/demo/modelservices/gemma/log"


def log(serving, token=None, path=PATH, **query):
    return serving.request("GET", path, token or serving.operator_token(), params=query)


def test_a_log_is_read(serving):
    answer = log(serving)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    assert "listening on unix:///run/engine/engine.sock" in answer.text
    last = log(serving, tailLines=2).text
    assert last.count("\n") == 2 and answer.text.endswith(last)
    assert log(serving, tailLines=0).text == ""
    shown = subprocess.run([DRUN, "logs", "gemma", "-n", "demo", "--tail", "2", "--data", serving.data],
                           capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and shown.stdout == last


@pytest.mark.parametrize("query", [{"tailLines": "-1"}, {"tailLines": "x"}, {"follow": "maybe"}])
def test_a_bad_question_is_refused(serving, query):
    answer = log(serving, **query)
    assert answer.status_code in (400, 422) and list(query)[0] in answer.json()["message"]


def test_there_is_no_log_of_nothing(serving):
    assert log(serving, path=PATH.replace("gemma", "none")).status_code == 404
    assert "no engine before" in log(serving, previous="true").json()["message"]
    upstream = {"apiVersion": "drun.io/v1", "kind": "ModelService", "metadata": {"name": "far", "namespace": "demo"},
                "spec": {"upstream": {"url": "https://example.com"}}}
    apply(serving, upstream)
    assert "no engine here" in log(serving, path=PATH.replace("gemma", "far")).json()["message"]
    assert serving.request("POST", PATH, serving.operator_token(), json={}).status_code == 405


def test_logs_are_for_those_who_may(serving):
    cluster = Cluster(serving)
    reader, _ = cluster.account("demo", "reader", rule("drun.io", "modelservices/log", "get"))
    stranger, _ = cluster.account("demo", "stranger", rule("drun.io", "modelservices", "get"))
    assert log(serving, reader.token).status_code == 200
    refused = log(serving, stranger.token)
    assert refused.status_code == 403 and "modelservices/log" in refused.json()["message"]
    assert log(serving, reader.token, path=PATH.replace("/demo/", "/other/")).status_code == 403


def engine_pid(serving):
    agent = serving.roles()["agent"]
    found = [int(p) for p in os.listdir("/proc") if p.isdigit() and
             any(part in open(f"/proc/{p}/cmdline", "rb").read() for part in (b"llama-server\0",))
             and is_below(int(p), agent)]
    return found[0]


def is_below(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
        except OSError:
            return False
    return False


def test_a_follower_sees_the_end_and_the_run_before_stays(serving):
    follower = subprocess.Popen([DRUN, "logs", "-f", "gemma", "-n", "demo", "--data", serving.data],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = follower.stdout.readline()
    assert first
    subprocess.run([DRUN, "logs", "gemma", "-n", "demo", "--data", serving.data], check=True, capture_output=True)
    os.kill(engine_pid(serving), signal.SIGKILL)
    rest = follower.stdout.read()
    assert follower.wait(timeout=60) == 0, follower.stderr.read()
    assert "listening on unix" in first + rest
    serving.wait_until("the engine again", lambda: phase(serving, "demo") == "Ready", timeout=120)
    before = serving.wait_until("the log of the run before", lambda: (lambda a: a.status_code == 200 and a.text)(
        log(serving, previous="true")))
    assert "listening on unix" in before


def test_a_follower_that_leaves_is_forgotten(serving):
    def followed():
        answer = serving.request("GET", PATH, serving.operator_token(), params={"follow": "true"}, stream=True)
        answer.close()
        return answer.status_code == 200
    for _ in range(40):  # more than may read at once
        serving.wait_until("room for one more", followed)


def test_an_agent_that_dies_ends_the_stream(serving):
    def start():  # those who have left may keep their places for a moment
        one = subprocess.Popen([DRUN, "logs", "-f", "gemma", "-n", "demo", "--tail", "1", "--data", serving.data],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return one if one.stdout.readline() else one.communicate() and None
    follower = serving.wait_until("a follower", start, timeout=60)
    serving.wait_for_role("agent", serving.kill("agent"))
    follower.stdout.read()
    follower.wait(timeout=60)
    serving.wait_until("the engine again", lambda: phase(serving, "demo") == "Ready", timeout=120)
    serving.wait_until("its log", lambda: "listening on unix" in log(serving).text)
