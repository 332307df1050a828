# SPDX-License-Identifier: Apache-2.0
import pytest

from mfa_rig import Mfa


@pytest.fixture(scope="module")
def idp():
    with Mfa().serving() as running:
        yield running
