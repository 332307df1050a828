# SPDX-License-Identifier: Apache-2.0
import pytest

from identity import Identity, name
from platform_process import free_port


@pytest.fixture(scope="module")
def idp():
    running = Identity(listen_mtls=f"127.0.0.1:{free_port()}")
    running.mtls = "https://" + running.settings["listen-mtls"]
    with running.serving():
        yield running



@pytest.fixture(scope="module")
def user(idp):
    who = name("user")
    idp.add_user(who, idp.root, displayName="A User", email=f"{who}@example.org")
    return who
