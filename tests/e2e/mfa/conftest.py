# SPDX-License-Identifier: Apache-2.0
import pytest

from mfa_rig import Mfa


@pytest.fixture(scope="module")
def idp():
    running = Mfa()
    running.start()
    running.root = running.operator_token()
    yield running
    code = running.stop()
    running.remove()
    assert code == 0
