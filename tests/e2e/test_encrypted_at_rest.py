# SPDX-License-Identifier: Apache-2.0
"""Nothing that a tenant stores can be found in the files: canaries go in everywhere, then every byte is searched, also for
their hex and base64 at every offset."""
import base64
import pathlib
import secrets

import pytest

from cluster import Cluster, config_map, path_of
from platform_process import Platform


@pytest.fixture(scope="module")
def canaries():
    return {what: f"canary{what}{secrets.token_hex(10)}" for what in ("configmap", "value", "secret", "user", "key", "label",
                                                                      "mail", "namespace", "event")}


@pytest.fixture(scope="module")
def stored(canaries):
    """A platform that holds them all, stopped: so that nothing is in memory only."""
    running = Platform()
    running.start()
    cluster = Cluster(running)
    ns = canaries["namespace"]
    cluster.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
    body = config_map(canaries["configmap"], text=canaries["value"])
    body["metadata"]["labels"] = {"mark": canaries["label"]}
    cluster.create("configmaps", ns, body)
    cluster.create("secrets", ns, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                                   "stringData": {"value": canaries["secret"]}})
    cluster.create("drun.io/users", None, {"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": canaries["user"]},
                                           "spec": {"displayName": "A", "email": f"{canaries['mail']}@example.com"}})
    tenant, _ = cluster.account(ns, canaries["key"])
    cluster.call("GET", path_of("configmaps", ns, canaries["event"]), 404)
    canaries["apikey"] = tenant.token
    canaries["keyend"] = tenant.token[-32:]
    canaries["operator"] = cluster.token
    assert running.stop() == 0
    yield running
    running.remove()


def forms(text):
    """The text itself, its hex, UTF-16, and what of its base64 is the same whatever comes before."""
    raw = text.encode()
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield text.encode("utf-16-le")
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        inner = encoded[4 if shift else 0:-4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def files_below(folder):
    return [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]


def test_the_search_finds_what_is_there(tmp_path, canaries):
    """The scan must be able to fail."""
    text = canaries["value"]
    for number, data in enumerate((text.encode(), text.encode().hex().encode(), base64.b64encode(b"x" + text.encode()),
                                   base64.b64encode(b"xy" + text.encode() + b"z"), text.encode("utf-16-le"))):
        file = tmp_path / f"planted-{number}"
        file.write_bytes(b"\1\2\3" + data + b"\4")
        assert search([file], {"value": text}), data


def search(files, wanted):
    found = []
    needles = [(what, form) for what, text in wanted.items() for form in forms(text)]
    for file in files:
        data = file.read_bytes()
        found += [(what, str(file)) for what, form in needles if form in data]
    return found


def test_no_canary_is_in_any_file(stored, canaries):
    files = files_below(stored.data)
    assert len(files) >= 8 and sum(file.stat().st_size for file in files) > 50000
    assert search(files, canaries) == []


def test_nor_in_the_log_of_the_processes(stored, canaries):
    hidden = {what: text for what, text in canaries.items() if what in ("value", "secret", "apikey", "keyend", "operator", "mail")}
    assert search([stored.log_path], hidden) == []


def test_the_unseal_key_is_in_no_file_of_the_data(stored):
    key = stored.key_file.read_bytes().strip()
    wanted = {"text": key.decode()}
    assert search(files_below(stored.data), wanted) == []
    raw = bytes.fromhex(key.decode())
    assert not [file for file in files_below(stored.data) if raw in file.read_bytes()]


def test_nothing_stays_in_the_run_directory(stored):
    assert not stored.run_dir.exists() or files_below(stored.run_dir) == []


def test_what_was_stored_is_still_there(stored, canaries):
    stored.run_dir.mkdir(mode=0o710, exist_ok=True)
    stored.start()
    found = Cluster(stored).get("configmaps", canaries["namespace"], canaries["configmap"])
    assert found["data"] == {"text": canaries["value"]}
    assert stored.stop() == 0
