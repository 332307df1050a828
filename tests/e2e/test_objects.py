# SPDX-License-Identifier: Apache-2.0
"""The object API as a REST client sees it, through the gateway."""
import concurrent.futures
import json
import threading
import time

import pytest
import requests

from cluster import Cluster, config_map, path_of, unique

BODY_MAX = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def cluster(platform):
    return Cluster(platform)


@pytest.fixture(scope="module")
def ns(cluster):
    return cluster.namespace("objects")


def is_status(answer, code, reason):
    body = answer.json()
    assert answer.status_code == code, answer.text
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
    assert (body["code"], body["reason"]) == (code, reason) and body["message"], body
    return body


def post(cluster, ns, data, content_type="application/json", **query):
    return cluster.call("POST", path_of("configmaps", ns), data=data, params=query, headers={"Content-Type": content_type})


# ------------------------------------------------------------------ create, read, replace, delete

def test_an_object_lives_and_dies(cluster, ns):
    made = cluster.create("configmaps", ns, config_map("life", a="1"))
    assert made["metadata"]["namespace"] == ns and made["metadata"]["uid"] and made["metadata"]["creationTimestamp"]
    assert cluster.get("configmaps", ns, "life") == made
    made["data"] = {"a": "2"}
    changed = cluster.call("PUT", path_of("configmaps", ns, "life"), 200, json=made).json()
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    cluster.delete("configmaps", ns, "life")
    is_status(cluster.call("GET", path_of("configmaps", ns, "life")), 404, "NotFound")


def test_a_write_that_changes_nothing_is_no_new_version(cluster, ns):
    made = cluster.create("configmaps", ns, config_map("same", a="1"))
    again = cluster.call("PUT", path_of("configmaps", ns, "same"), 200, json=made).json()
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_names_are_made_from_a_prefix(cluster, ns):
    body = config_map("", a="1")
    body["metadata"] = {"generateName": "made-"}
    names = {cluster.create("configmaps", ns, body)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5 and all(name.startswith("made-") and len(name) > 5 for name in names)


def test_what_exists_is_not_created_again(cluster, ns):
    cluster.create("configmaps", ns, config_map("twice"))
    body = is_status(cluster.call("POST", path_of("configmaps", ns), json=config_map("twice")), 409, "AlreadyExists")
    assert body["details"]["name"] == "twice"


def test_an_old_version_is_a_conflict(cluster, ns):
    made = cluster.create("configmaps", ns, config_map("old", a="1"))
    cluster.call("PUT", path_of("configmaps", ns, "old"), 200, json=made | {"data": {"a": "2"}})
    is_status(cluster.call("PUT", path_of("configmaps", ns, "old"), json=made | {"data": {"a": "3"}}), 409, "Conflict")
    assert cluster.get("configmaps", ns, "old")["data"] == {"a": "2"}


def test_of_many_writers_each_version_has_one_winner(cluster, ns):
    cluster.create("configmaps", ns, config_map("counter", n="0"))

    def add_one(_):
        for _ in range(200):
            now = cluster.get("configmaps", ns, "counter")
            now["data"]["n"] = str(int(now["data"]["n"]) + 1)
            answer = cluster.call("PUT", path_of("configmaps", ns, "counter"), json=now)
            if answer.status_code == 200:
                return
            assert answer.status_code == 409, answer.text
        raise AssertionError("never won")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(16)))
    assert cluster.get("configmaps", ns, "counter")["data"]["n"] == "16"


def test_a_deletion_may_demand_the_version_and_the_uid(cluster, ns):
    made = cluster.create("configmaps", ns, config_map("careful"))
    path = path_of("configmaps", ns, "careful")
    for wrong in ({"uid": "00000000-0000-0000-0000-000000000000"}, {"resourceVersion": "1"}):
        is_status(cluster.call("DELETE", path, json={"preconditions": wrong}), 409, "Conflict")
    cluster.call("DELETE", path, 200, json={"preconditions": {"uid": made["metadata"]["uid"]}})


def test_a_finalizer_holds_an_object_until_it_is_taken_away(cluster, ns):
    body = config_map("held")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.create("configmaps", ns, body)
    cluster.call("DELETE", path_of("configmaps", ns, "held"))
    assert cluster.get("configmaps", ns, "held")["metadata"]["deletionTimestamp"]
    cluster.call("PATCH", path_of("configmaps", ns, "held"), 200, data='{"metadata":{"finalizers":null}}',
                 headers={"Content-Type": "application/merge-patch+json"})
    cluster.get("configmaps", ns, "held", expect=404)


# ------------------------------------------------------------------ patches

@pytest.mark.parametrize("media, patch, expected", [
    ("application/merge-patch+json", {"data": {"a": None, "c": "3"}}, {"b": "2", "c": "3"}),
    ("application/strategic-merge-patch+json", {"data": {"a": "9"}}, {"a": "9", "b": "2"}),
    ("application/json-patch+json", [{"op": "test", "path": "/data/a", "value": "1"},
                                     {"op": "move", "from": "/data/a", "path": "/data/z"}], {"b": "2", "z": "1"}),
])
def test_three_kinds_of_patch(cluster, ns, media, patch, expected):
    name = unique("patched")
    cluster.create("configmaps", ns, config_map(name, a="1", b="2"))
    done = cluster.call("PATCH", path_of("configmaps", ns, name), 200, data=json.dumps(patch), headers={"Content-Type": media})
    assert done.json()["data"] == expected == cluster.get("configmaps", ns, name)["data"]


def test_server_side_apply_keeps_owners_apart(cluster, ns):
    path = path_of("configmaps", ns, "applied")

    def apply(manager, force=False, **data):
        return cluster.call("PATCH", path, params={"fieldManager": manager, "force": str(force).lower()},
                            data=json.dumps(config_map("applied", **data)),
                            headers={"Content-Type": "application/apply-patch+yaml"})

    assert apply("one", a="1").status_code == 201
    assert apply("two", b="2").json()["data"] == {"a": "1", "b": "2"}
    is_status(apply("two", a="3", b="2"), 409, "Conflict")
    assert apply("two", force=True, a="3", b="2").json()["data"] == {"a": "3", "b": "2"}


@pytest.mark.parametrize("media, patch, code", [
    ("application/json-patch+json", '[{"op":"test","path":"/data/a","value":"other"}]', 422),
    ("application/json-patch+json", '[{"op":"remove","path":"/data/none"}]', 422),
    ("application/json-patch+json", '{"op":"remove"}', (400, 422)),
    ("application/merge-patch+json", '{"data":', 400),
    ("application/merge-patch+json", '{"metadata":{"name":"other"}}', (400, 409, 422)),
    ("application/merge-patch+json", '{"data":{"a":1}}', (400, 422)),
    ("application/json", '{"data":{}}', 415),
    ("text/plain", '{"data":{}}', 415),
])
def test_bad_patches_change_nothing(cluster, ns, media, patch, code):
    name = unique("firm")
    made = cluster.create("configmaps", ns, config_map(name, a="1"))
    answer = cluster.call("PATCH", path_of("configmaps", ns, name), data=patch, headers={"Content-Type": media})
    assert answer.status_code in (code if isinstance(code, tuple) else (code,)), answer.text
    assert answer.json()["kind"] == "Status"
    assert cluster.get("configmaps", ns, name) == made


# ------------------------------------------------------------------ lists and selectors

@pytest.fixture(scope="module")
def many(cluster):
    ns = cluster.namespace("many")
    for i in range(25):
        body = config_map(f"n{i:02}", i=str(i))
        body["metadata"]["labels"] = {"parity": "odd" if i % 2 else "even", "third": str(i % 3 == 0).lower()}
        cluster.create("configmaps", ns, body)
    return ns


def names(listed):
    return [item["metadata"]["name"] for item in listed["items"]]


def test_pages_make_up_the_list_as_it_was_at_the_first(cluster, many):
    whole = sorted(names(cluster.list("configmaps", many)))
    page = cluster.list("configmaps", many, limit=7)
    assert len(page["items"]) == 7
    late = cluster.create("configmaps", many, config_map("zz-late"))
    seen, versions = names(page), {page["metadata"]["resourceVersion"]}
    while page["metadata"].get("continue"):
        page = cluster.list("configmaps", many, limit=7, **{"continue": page["metadata"]["continue"]})
        seen += names(page)
        versions.add(page["metadata"]["resourceVersion"])
    cluster.delete("configmaps", many, late["metadata"]["name"])
    assert len(seen) == len(set(seen)), "nothing comes twice"
    assert set(whole) <= set(seen) <= set(whole) | {"zz-late"}, "and nothing is missing"


def test_a_continue_token_that_we_did_not_make_is_refused(cluster, many):
    is_status(cluster.call("GET", path_of("configmaps", many), params={"limit": 1, "continue": "bm9uc2Vuc2U"}), 400, "BadRequest")


@pytest.mark.parametrize("selector, count", [
    ("parity=odd", 12), ("parity!=odd", 13), ("parity in (odd,even),third=true", 9), ("third notin (true)", 16),
    ("parity", 25), ("!parity", 0), ("parity==even,third=false", 8)])
def test_label_selectors(cluster, many, selector, count):
    assert len(cluster.list("configmaps", many, labelSelector=selector)["items"]) == count


def test_field_selectors(cluster, many):
    assert names(cluster.list("configmaps", many, fieldSelector="metadata.name=n07")) == ["n07"]
    assert len(cluster.list("configmaps", many, fieldSelector="metadata.name!=n07")["items"]) == 24
    assert names(cluster.list("configmaps", fieldSelector=f"metadata.namespace={many},metadata.name=n01")) == ["n01"]
    for bad in ({"fieldSelector": "data.i=1"}, {"labelSelector": "a b c"}, {"labelSelector": "a in ("}):
        is_status(cluster.call("GET", path_of("configmaps", many), params=bad), 400, "BadRequest")


def test_a_collection_is_deleted_by_selector(cluster):
    ns = cluster.namespace("collection")
    for i in range(6):
        body = config_map(f"c{i}")
        body["metadata"]["labels"] = {"kill": str(i < 4).lower()}
        cluster.create("configmaps", ns, body)
    cluster.call("DELETE", path_of("configmaps", ns), 200, params={"labelSelector": "kill=true"})
    assert sorted(names(cluster.list("configmaps", ns))) == ["c4", "c5"]


# ------------------------------------------------------------------ watches

class Watch(threading.Thread):
    """Collects the events of one watch until it ends."""

    def __init__(self, cluster, ns, **query):
        super().__init__(daemon=True)
        self.events, self.began = [], threading.Event()
        self.answer = cluster.call("GET", path_of("configmaps", ns), params={"watch": "true", **query}, stream=True, timeout=30)
        self.start()

    def run(self):
        try:
            for line in self.answer.iter_lines(chunk_size=1):
                if line:
                    self.events.append((time.monotonic(), json.loads(line)))
        except requests.exceptions.ChunkedEncodingError:
            pass  # the platform was stopped

    def types(self):
        return [(event["type"], event["object"]["metadata"].get("name")) for _, event in self.events]

    def wait_for(self, count, seconds=5):
        end = time.monotonic() + seconds
        while len(self.events) < count and time.monotonic() < end:
            time.sleep(0.01)
        return self.types()


def test_a_watch_gives_every_change_after_its_version_in_order(cluster):
    ns = cluster.namespace("watched")
    start = cluster.create("configmaps", ns, config_map("a", v="1"))["metadata"]["resourceVersion"]
    watch = Watch(cluster, ns, resourceVersion=start, timeoutSeconds=20)
    cluster.create("configmaps", ns, config_map("b", v="1"))
    cluster.call("PUT", path_of("configmaps", ns, "a"), 200, json=config_map("a", v="2"))
    cluster.delete("configmaps", ns, "b")
    expected = [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert watch.wait_for(3) == expected
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for _, event in watch.events]
    assert versions == sorted(versions) and versions[0] > int(start)
    replayed = Watch(cluster, ns, resourceVersion=start, timeoutSeconds=1)
    replayed.join(10)
    assert replayed.types() == expected, "the past is the same for who comes later"


def test_a_watch_from_the_beginning_starts_with_what_is_there(cluster):
    ns = cluster.namespace("watched")
    cluster.create("configmaps", ns, config_map("a"))
    watch = Watch(cluster, ns, timeoutSeconds=1)
    watch.join(10)
    assert not watch.is_alive(), "it ends in time"
    assert watch.types() == [("ADDED", "a")]


def test_a_watch_with_a_selector_sees_what_comes_in_and_goes_out(cluster):
    ns = cluster.namespace("watched")
    start = cluster.list("configmaps", ns)["metadata"]["resourceVersion"]
    watch = Watch(cluster, ns, resourceVersion=start, labelSelector="on=yes", timeoutSeconds=20)
    body = config_map("a")
    cluster.create("configmaps", ns, body)
    cluster.call("PUT", path_of("configmaps", ns, "a"), 200,
                 json=body | {"metadata": {"name": "a", "labels": {"on": "yes"}}})
    cluster.call("PUT", path_of("configmaps", ns, "a"), 200, json=body | {"metadata": {"name": "a", "labels": {"on": "no"}}})
    assert watch.wait_for(2) == [("ADDED", "a"), ("DELETED", "a")]


def test_bookmarks_tell_how_far_a_quiet_watch_has_come(cluster):
    ns = cluster.namespace("watched")
    start = cluster.list("configmaps", ns)["metadata"]["resourceVersion"]
    watch = Watch(cluster, ns, resourceVersion=start, allowWatchBookmarks="true", timeoutSeconds=2)
    elsewhere = cluster.create("configmaps", cluster.namespace("noise"), config_map("x"))
    watch.join(15)
    marks = [event["object"] for _, event in watch.events if event["type"] == "BOOKMARK"]
    assert marks and all(event["type"] == "BOOKMARK" for _, event in watch.events)
    assert marks[-1]["kind"] == "ConfigMap"
    assert int(marks[-1]["metadata"]["resourceVersion"]) >= int(elsewhere["metadata"]["resourceVersion"])


# ------------------------------------------------------------------ dry run and strictness

def test_a_dry_run_changes_nothing(cluster, ns):
    path, dry = path_of("configmaps", ns), {"dryRun": "All"}
    made = cluster.create("configmaps", ns, config_map("real", a="1"))
    assert cluster.call("POST", path, 201, params=dry, json=config_map("dry")).json()["metadata"]["uid"]
    assert cluster.call("PUT", path + "/real", 200, params=dry, json=config_map("real", a="2")).json()["data"] == {"a": "2"}
    cluster.call("DELETE", path + "/real", 200, params=dry)
    cluster.get("configmaps", ns, "dry", expect=404)
    assert cluster.get("configmaps", ns, "real") == made
    is_status(cluster.call("POST", path, params={"dryRun": "Some"}, json=config_map("dry")), 400, "BadRequest")


def test_unknown_and_double_fields_are_refused_warned_of_or_dropped(cluster, ns):
    strange = config_map("strange", a="1") | {"dta": {"b": "2"}}
    refused = is_status(post(cluster, ns, json.dumps(strange), fieldValidation="Strict"), 400, "BadRequest")
    assert 'unknown field "dta"' in refused["message"]
    warned = post(cluster, ns, json.dumps(strange), fieldValidation="Warn")
    assert warned.status_code == 201 and 'unknown field \\"dta\\"' in warned.headers["Warning"]
    assert "dta" not in cluster.get("configmaps", ns, "strange")
    silent = post(cluster, ns, json.dumps(strange).replace("strange", "silent"), fieldValidation="Ignore")
    assert silent.status_code == 201 and "Warning" not in silent.headers
    double = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"double"},"data":{"a":"1","a":"2"}}'
    is_status(post(cluster, ns, double, fieldValidation="Strict"), 400, "BadRequest")


@pytest.mark.parametrize("body", [
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}},
    {"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "x"}},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}},
])
def test_a_body_that_is_not_of_its_path_is_refused(cluster, ns, body):
    is_status(cluster.call("POST", path_of("configmaps", ns), json=body), 400, "BadRequest")


@pytest.mark.parametrize("body", [
    config_map("Upper"), config_map("-x"), config_map("a" * 254), config_map(""),
    config_map("x") | {"data": {"bad key": "1"}},
    config_map("x") | {"metadata": {"name": "x", "labels": {"a b": "1"}}},
    config_map("x") | {"metadata": {"name": "x", "annotations": {"a/b/c": "1"}}},
])
def test_invalid_objects_say_which_field(cluster, ns, body):
    refused = is_status(cluster.call("POST", path_of("configmaps", ns), json=body), 422, "Invalid")
    assert refused["details"]["causes"][0]["field"]


# ------------------------------------------------------------------ hostile bodies

@pytest.mark.parametrize("data, media", [
    ('{"a":', "application/json"), ("", "application/json"), ("null", "application/json"), ("[]", "application/json"),
    ('"text"', "application/json"), ("{} {}", "application/json"), ('{"a":1e999}', "application/json"),
    (b'{"a":"\xff\xfe"}', "application/json"), ('{"a":"\\u0000"}', "application/json"), ('{"a":NaN}', "application/json"),
    ("[" * 100000, "application/json"), ('{"a":' * 5000 + "1" + "}" * 5000, "application/json"),
    ("a: [1", "application/yaml"), ("- " * 50000, "application/yaml"), ("a: &x [*x]", "application/yaml"),
    ("a: &a [z,z]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\n" * 20, "application/yaml"),
    ("--- {}\n--- {}\n", "application/yaml"), ("!!python/object/apply:os.system ['id']", "application/yaml"),
    (b"k8s\x00\xff\xff\xff\xff\xff", "application/vnd.kubernetes.protobuf"), (b"k8s\x00", "application/vnd.kubernetes.protobuf"),
])
def test_malformed_and_deep_bodies_are_refused(cluster, ns, data, media):
    answer = post(cluster, ns, data, media)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["kind"] == "Status"


def test_a_billion_laughs_cost_nothing(cluster, ns):
    lines = ["a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    began = time.monotonic()
    assert post(cluster, ns, "\n".join(lines), "application/yaml").status_code == 400
    assert time.monotonic() - began < 2


def test_faults_in_a_body_are_given_by_line_and_column(cluster, ns):
    assert ":2:" in post(cluster, ns, '{"a": 1,\n "b": }').json()["message"]
    assert ":3:" in post(cluster, ns, "a: 1\nb: 2\n\tc: 3\n", "application/yaml").json()["message"]


def test_a_body_over_the_limit_is_refused_with_a_status(cluster, ns):
    big = config_map("big", a="x" * (BODY_MAX + 1))
    is_status(cluster.call("POST", path_of("configmaps", ns), json=big), 413, "RequestEntityTooLarge")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                   "application/xml"])
def test_other_media_types_are_refused(cluster, ns, media):
    is_status(post(cluster, ns, json.dumps(config_map("typed")), media), 415, "UnsupportedMediaType")


def test_yaml_is_as_good_as_json(cluster, ns):
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: written}\ndata:\n  a: |\n    two\n    lines\n"
    assert post(cluster, ns, text, "application/yaml").json()["data"] == {"a": "two\nlines\n"}
    shown = cluster.call("GET", path_of("configmaps", ns, "written"), 200, headers={"Accept": "application/yaml"})
    assert "kind: ConfigMap" in shown.text


@pytest.mark.parametrize("path", ["/api/v1/namespaces/default/nothings", "/apis/none.example/v1/things", "/api/v2",
                                  "/api/v1/namespaces/default/configmaps/a/b/c", "/apis/drun.io/v9/users"])
def test_unknown_paths_are_a_status_404(cluster, path):
    is_status(cluster.call("GET", path), 404, "NotFound")


def test_an_object_needs_its_namespace(cluster):
    answer = cluster.call("POST", path_of("configmaps", "nowhere"), json=config_map("lost"))
    assert is_status(answer, 404, "NotFound")["details"]["name"] == "nowhere"


def test_without_a_credential_there_is_nothing(platform):
    path = path_of("configmaps", "default")
    assert "system:anonymous" in is_status(platform.request("GET", path), 403, "Forbidden")["message"]
    for token in ("nonsense", "sk-drun-" + "A" * 43, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0."):
        answer = platform.request("GET", path, token)
        assert is_status(answer, 401, "Unauthorized") and "WWW-Authenticate" in answer.headers


# ------------------------------------------------------------------ a tenant's end

def test_a_deleted_namespace_takes_everything_with_it(cluster, platform):
    ns = cluster.namespace("doomed")
    cluster.create("configmaps", ns, config_map("a"))
    cluster.create("secrets", ns, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}})
    tenant, _ = cluster.account(ns, "bob")
    cluster.delete("namespaces", None, ns)
    platform.wait_until("the end of the namespace", lambda: cluster.call("GET", path_of("namespaces", name=ns)).status_code == 404)
    cluster.call("POST", path_of("namespaces"), 201, json={
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
    for kind in ("configmaps", "secrets", "drun.io/apikeys", "serviceaccounts"):
        assert cluster.list(kind, ns)["items"] == [], kind
    assert tenant.call("GET", "/version").status_code == 401
