# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody typed, and left empty, as an item of a document."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.answers import answers


@pytest.mark.parametrize(
    ("given", "item"),
    [
        ({"name": "a", "level": "", "size": None, "wait": False, "at": 0}, {"name": "a", "wait": False, "at": 0}),
        ({"name": "a, b", "devices": "x,y, z\nw\n"}, {"name": "a, b", "devices": ["x", "y", "z", "w"]}),
        ({"devices": " ,\n"}, {}),
        ({"devices": []}, {"devices": []}),
        ({"devices": ["x, y"]}, {"devices": ["x, y"]}),
        ({"devices": None}, {}),
    ],
)
def test_only_what_was_answered(given: dict[str, Any], item: dict[str, Any]) -> None:
    lists = [name for name in given if name == "devices"]
    assert answers(given, lists=lists) == item


def test_what_is_no_item_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="takes a dictionary"):
        answers(["a"])
    with pytest.raises(AnsibleFilterError, match="some of name, devices"):
        answers({"name": "a", "devices": "b"}, lists=["device"])
    with pytest.raises(AnsibleFilterError, match="some of name"):
        answers({"name": "a"}, lists="name")
