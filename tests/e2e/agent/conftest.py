# SPDX-License-Identifier: Apache-2.0
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from agent_world import World  # noqa: E402


@pytest.fixture(scope="module")
def world():
    running = World().start()
    yield running
    code = running.stop()
    leftovers = [p for p in pathlib.Path(f"{running.run}.sandboxes").glob("*")] + running.sockets()
    log = running.log()
    running.remove()
    assert code == 0 and not leftovers
    assert not re.search(r"event=agent\.sandbox\.delete", log.split("supervisor.ready")[-1]), log
