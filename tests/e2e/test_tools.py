# SPDX-License-Identifier: Apache-2.0
"""The developers' scripts: a check that cannot fail checks nothing."""
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

LADDER = """\
lib/base   the bottom     -
lib/low    one rung up    -
lib/high   the next       low
roles/one  a role         high
"""


@pytest.fixture
def tree(tmp_path):
    """A small tree that keeps to its own ladder."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "check-layers", tmp_path / "tools")
    for name in ("lib/base/base.h", "lib/low/low.h", "lib/high/high.h", "roles/one/one.h"):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True)
        path.write_text("")
    (tmp_path / "src" / "LAYERS").write_text(LADDER)
    (tmp_path / "src/lib/high/high.c").write_text('#include "high/high.h"\n#include "low/low.h"\n#include "base/base.h"\n')
    return tmp_path


def check(tree):
    return subprocess.run([sys.executable, tree / "tools" / "check-layers"], capture_output=True, text=True)


def test_layers_pass_on_a_tree_that_keeps_to_them(tree):
    done = check(tree)
    assert done.returncode == 0 and "5 files" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("path, include", [
    ("lib/low/low.c", "high/high.h"),  # upwards
    ("roles/one/one.c", "low/low.h"),  # not named, though below
    ("lib/low/low.c", "one/one.h"),  # a library that includes a role
])
def test_layers_fail_on_an_include_that_is_not_allowed(tree, path, include):
    (tree / "src" / path).write_text(f'#include "{include}"\n')
    done = check(tree)
    assert done.returncode == 1 and path in done.stdout and include in done.stdout, done.stdout


def test_layers_fail_on_a_module_that_is_not_listed(tree):
    (tree / "src/lib/new").mkdir()
    (tree / "src/lib/new/new.c").write_text("")
    done = check(tree)
    assert done.returncode == 1 and "lib/new/new.c" in done.stdout, done.stdout


def test_layers_fail_on_a_ladder_that_points_up(tree):
    (tree / "src/LAYERS").write_text(LADDER.replace("one rung up    -", "one rung up    high"))
    done = check(tree)
    assert done.returncode == 1 and "not below" in done.stdout, done.stdout


def test_layers_fail_on_an_include_of_no_module(tree):
    (tree / "src/lib/low/low.c").write_text('#include "nowhere/no.h"\n')
    done = check(tree)
    assert done.returncode == 1 and "no module" in done.stdout, done.stdout
