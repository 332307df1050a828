# SPDX-License-Identifier: Apache-2.0
"""What a store gets without being asked: old history is forgotten, and what lies on the disk is read again."""
import contextlib
import sqlite3

from cluster import Cluster, config_map, path_of

AUDIT = "/apis/audit.drun.io/v1/auditevents"


@contextlib.contextmanager
def opened(platform):
    with contextlib.closing(sqlite3.connect(platform.data / "api/store.db")) as store, store:
        yield store


def test_old_history_is_forgotten_and_a_watch_of_it_begins_anew(own_platform):
    own_platform.settings["store-history"] = "1s"
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("history")
    begun = cluster.create("configmaps", ns, config_map("a", v="0"))["metadata"]["resourceVersion"]
    for i in range(300):
        cluster.call("PUT", path_of("configmaps", ns, "a"), 200, json=config_map("a", v=str(i)))

    def is_gone():
        answer = cluster.call("GET", path_of("configmaps", ns), params={"watch": "1", "resourceVersion": begun, "timeoutSeconds": "1"})
        return answer.status_code == 410 or '"code":410' in answer.text

    platform.wait_until("the end of that history", is_gone, 60)
    assert cluster.call("GET", path_of("configmaps", ns, "a"), 200).json()["data"]["v"] == "299"
    assert platform.stop() == 0
    with opened(platform) as store:
        assert store.execute("SELECT count(*) FROM change").fetchone()[0] < 300
    platform.run_dir.mkdir(mode=0o710, exist_ok=True)
    platform.start()
    assert Cluster(platform).call("GET", path_of("configmaps", ns, "a"), 200).json()["data"]["v"] == "299"


def test_a_record_that_is_changed_on_the_disk_is_noticed_though_nobody_reads_it(own_platform):
    platform = own_platform.start()
    cluster = Cluster(platform)
    ns = cluster.namespace("scrub")
    cluster.create("configmaps", ns, config_map("victim", v="x" * 3000))
    assert platform.stop() == 0
    with opened(platform) as store:
        row, value = store.execute("SELECT k, v FROM change ORDER BY length(v) DESC").fetchone()
        store.execute("UPDATE change SET v = ? WHERE k = ?", (value[:-1] + bytes([value[-1] ^ 1]), row))
    platform.run_dir.mkdir(mode=0o710, exist_ok=True)
    platform.start()
    cluster = Cluster(platform)

    def damage():
        return cluster.call("GET", AUDIT, 200, params={"event": "drun.store.damage"}).json()["items"]

    found = platform.wait_until("the damage in the log", damage, 60)
    assert found[0]["event"]["drun.role"] == "api" and "configmaps" in found[0]["event"]["drun.reason"], found[0]
    assert "store.damage" in platform.text()
