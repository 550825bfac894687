# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``allow_destroy`` of a module of one item, as playbooks and the command line give it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.permission import parse


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, (False, ())),
        (False, (False, ())),
        (True, (True, ())),
        ("yes", (True, ())),
        (1, (True, ())),
        ("false", (False, ())),
        ("", (False, ())),
        ([], (False, ())),
        (["False"], (False, ())),
        (["WDH00001", " /dev/sdb "], (False, ("WDH00001", "/dev/sdb"))),
        ("WDH00001,/dev/sdb", (False, ("WDH00001", "/dev/sdb"))),
    ],
)
def test_what_is_permitted(given: Any, meant: tuple[bool, tuple[str, ...]]) -> None:
    assert parse(given) == meant


@pytest.mark.parametrize("given", [5, {"sdb": True}, [True], ["sdb", ""], "sdb,,sdc"])
def test_what_is_no_permission(given: Any) -> None:
    """A list with a truth in it permits nothing by mistake."""
    with pytest.raises(StorageError, match=r"allow_destroy: .* is n(ot the name of a device|either true or false)"):
        parse(given)
