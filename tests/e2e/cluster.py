# SPDX-License-Identifier: Apache-2.0
"""What the tests of the object API share: paths, small objects, and principals of one's own."""
import itertools

RBAC = "rbac.authorization.k8s.io"
_numbers = itertools.count(1)


def unique(prefix):
    return f"{prefix}-{next(_numbers)}"


def path_of(kind, namespace=None, name=None):
    """`kind` as in "configmaps", "drun.io/apikeys", "rbac/roles"."""
    group, _, plural = kind.rpartition("/")
    group = {"rbac": RBAC}.get(group, group)
    root = f"/apis/{group}/v1" if group else "/api/v1"
    return root + (f"/namespaces/{namespace}" if namespace else "") + f"/{plural}" + (f"/{name}" if name else "")


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def rule(groups, resources, *verbs, names=None):
    made = {"apiGroups": groups.split() if groups else [""], "resources": resources.split(), "verbs": list(verbs)}
    return made | ({"resourceNames": names} if names else {})


def role(name, *rules, kind="Role"):
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": name}, "rules": list(rules)}


def binding(name, role_name, *users, role_kind="Role", kind="RoleBinding"):
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role_name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user} for user in users]}


class Cluster:
    """The platform as its operator sees it; `as_user` gives others."""

    def __init__(self, platform, token=None):
        self.platform = platform
        self.token = token or platform.operator_token()

    def call(self, method, path, expect=None, **more):
        answer = self.platform.request(method, path, self.token, **more)
        if expect is not None:
            assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def create(self, kind, namespace, body, expect=201):
        return self.call("POST", path_of(kind, namespace), expect, json=body).json()

    def get(self, kind, namespace, name, expect=200):
        return self.call("GET", path_of(kind, namespace, name), expect).json()

    def list(self, kind, namespace=None, expect=200, **query):
        return self.call("GET", path_of(kind, namespace), expect, params=query).json()

    def delete(self, kind, namespace, name, expect=200):
        return self.call("DELETE", path_of(kind, namespace, name), expect)

    def namespace(self, prefix="e2e"):
        name = unique(prefix)
        self.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def account(self, namespace, name, *rules, verbs=("*",)):
        """A service account with these rules and a key that carries them; gives its Cluster and its user name."""
        user = f"system:serviceaccount:{namespace}:{name}"
        self.create("serviceaccounts", namespace,
                    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
        if rules:
            self.create("rbac/roles", namespace, role(name, *rules))
            self.create("rbac/rolebindings", namespace, binding(name, name, user))
        made = self.create("drun.io/apikeys", namespace, {
            "apiVersion": "drun.io/v1", "kind": "ApiKey", "metadata": {"name": name},
            "spec": {"serviceAccountName": name, "scopes": {"verbs": list(verbs)}}})
        return Cluster(self.platform, made["status"]["key"]), user
