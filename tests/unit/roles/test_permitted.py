# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The permission to destroy that a role passes on."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.permitted import permitted


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (True, ["data", "data-array"]),
        ("yes", ["data", "data-array"]),
        (False, []),
        ("false", []),
        ("", []),
        (None, []),
        (["/dev/sdb"], ["/dev/sdb"]),
        ("/dev/sdb, /dev/sdc", ["/dev/sdb", "/dev/sdc"]),
    ],
)
def test_the_same_forms_as_a_module_takes(given: Any, names: list[str]) -> None:
    assert permitted(given, ["data", "data-array"]) == names


def test_what_is_no_permission_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="neither true or false, nor a list of devices"):
        permitted({"data": True}, ["data"])
