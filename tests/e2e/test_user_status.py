# SPDX-License-Identifier: Apache-2.0
"""What the status of a User says, and that nobody but idp says it."""
import re
import time

PASSWORD = "correct horse battery staple"
USERS = "/apis/drun.io/v1/users"
MERGE = {"Content-Type": "application/merge-patch+json"}


def test_the_status_of_a_user_follows_what_happens(platform):
    operator = platform.operator_token()
    path = f"{USERS}/statusful"

    def status():
        return platform.request("GET", path, operator).json()["status"]

    made = platform.request("POST", USERS, operator, json={"apiVersion": "drun.io/v1", "kind": "User", "metadata": {"name": "statusful"},
                                                           "status": {"state": "Active", "lastLogin": "2020-01-01T00:00:00Z"}})
    assert made.status_code == 201
    assert status() == {"state": "Invited", "passwordSet": False}

    token = re.search(r"token=([A-Za-z0-9_-]+)", made.json()["status"]["inviteURL"]).group(1)
    assert platform.request("POST", "/session/accept", json={"token": token, "password": PASSWORD}).status_code == 204
    first = status()
    assert first["state"] == "Active" and first["passwordSet"] is True

    def signed_in_again():
        assert platform.request("POST", "/session", json={"username": "statusful", "password": PASSWORD}).status_code == 204
        return status()["lastLogin"] > first["lastLogin"]
    deadline = time.monotonic() + 30
    while not signed_in_again():
        assert time.monotonic() < deadline
        time.sleep(0.3)

    # A change from outside, of the status or of the rest, cannot forge it.
    forged = {"status": {"state": "Invited", "lastLogin": "2020-01-01T00:00:00Z", "passwordSet": False}}
    for target in (path, f"{path}/status"):
        assert platform.request("PATCH", target, operator, json=forged, headers=MERGE).status_code == 200
        assert status()["state"] == "Active" and status()["lastLogin"] > first["lastLogin"]

    for disabled, state in ((True, "Disabled"), (False, "Active")):
        assert platform.request("PATCH", path, operator, json={"spec": {"disabled": disabled}}, headers=MERGE).status_code == 200
        assert status()["state"] == state
    assert platform.request("DELETE", path, operator).status_code == 200
