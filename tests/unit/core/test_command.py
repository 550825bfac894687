# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program is given that nobody else sees."""

from __future__ import annotations

import os

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.command import run_command
from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.execute import PERFORM, Handlers, execute
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Command, Step, digest
from ansible_collections.strata.storage.plugins.module_utils.core.secret import MOST, Secret

SECRET = Secret("correct <uuid:horse>", "key")


def test_a_secret_word_is_a_file_that_holds_it() -> None:
    script = 'cat "$1" "$2"; tr "\\\\0" " " < /proc/$$/cmdline >&2'
    output = run_command(("sh", "-c", script, "sh", SECRET, Secret("x" * MOST, "other")))
    assert output == "correct <uuid:horse>" + "x" * MOST


def test_it_is_on_no_command_line_and_in_no_environment() -> None:
    script = "cat /proc/$$/cmdline /proc/$$/environ"
    assert "horse" not in run_command(("sh", "-c", script, "sh", SECRET))


def test_errors_have_a_placeholder() -> None:
    with pytest.raises(StorageError, match="false <secret:key> failed with status 1"):
        run_command(("false", SECRET))
    with pytest.raises(StorageError, match="needed for: no-such-program <secret:key>"):
        run_command(("no-such-program", SECRET))


def test_no_descriptor_is_left() -> None:
    before = os.listdir("/proc/self/fd")
    run_command(("true", SECRET))
    with pytest.raises(StorageError):
        run_command(("no-such-program", SECRET))
    assert os.listdir("/proc/self/fd") == before


def test_the_executor_hands_it_over_as_it_is() -> None:
    """It looks like a placeholder, and is none."""
    told = Command(("sh", "-c", '[ "$(cat "$1")" = "correct <""uuid:horse>" ]', "sh", SECRET))
    execute((Step("try", "key", "it", "", (told,)),), Handlers(PERFORM))
    assert str(told).endswith("sh <secret:key>")


def test_a_plan_is_the_same_for_another_secret() -> None:
    one, other = (Step("try", "key", "it", "", (Command(("true", Secret(text, "key"))),)) for text in "ab")
    assert digest((one,)) == digest((other,))
    assert one != other
