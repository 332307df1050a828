# SPDX-License-Identifier: Apache-2.0
"""A platform, somebody's OpenID Connect provider (node-oidc-provider) and somebody's directory (slapd), both with TLS of their own."""
import pytest
from federation_rig import provider, secret, oidc, ldap
from identity import GROUPS, Identity
from upstream import Directory, Upstream


@pytest.fixture(scope="module")
def idp():
    with Identity().serving() as running:
        yield running


@pytest.fixture(scope="module")
def upstream(idp, tmp_path_factory):
    names = ("corp", "post", "link", "mail", "mfa", "gone", "evil", "out")
    running = Upstream(tmp_path_factory.mktemp("upstream"), [f"{idp.url}/session/providers/{one}/callback" for one in names])
    secret(idp, "upstream", "a secret: with+signs %&")
    idp.bundle = str(tmp_path_factory.mktemp("bundle") / "ca.pem")
    with open(idp.bundle, "w") as out:
        out.write(open(idp.ca).read() + running.cert.read_text())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def directory(idp, tmp_path_factory):
    running = Directory(tmp_path_factory.mktemp("directory"))
    secret(idp, "directory", "suche geheim")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def corp(idp, upstream):
    idp.must(201, "POST", GROUPS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "Group", "metadata": {"name": "engineers-core"}})
    return provider(idp, "corp", oidc(upstream, domains=["corp.example"], mapping={"groups": [
        {"claim": "groups", "match": "eng-*", "template": "engineers-{1}"}, {"claim": "groups", "match": "everybody", "template": "staff"}]}))


@pytest.fixture(scope="module")
def people(idp, directory):
    return provider(idp, "people", ldap(directory, domains=["people.example"], mapping={"groups": [
        {"claim": "groups", "match": "eng-*", "template": "ldap-{1}"}, {"claim": "groups", "match": "all", "template": "ldap-all"}]}))
