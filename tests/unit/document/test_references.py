# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a document, and the order that follows from them."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.references import (
    Node,
    Reference,
    check_names,
    in_order,
    known_names,
)


def node(name: str, *made_of: str) -> Node:
    return Node(f"raids: {name}", (name,), tuple(Reference(text, f"raids: {name}: devices") for text in made_of))


def names(*nodes: Node) -> list[str]:
    return [found.names[0] for found in in_order(nodes, check_names(nodes))]


def test_what_something_is_made_of_comes_before_it() -> None:
    assert names(node("c", "b"), node("a", "sdb"), node("b", "a")) == ["a", "b", "c"]
    assert names(node("x"), node("y"), node("z")) == ["x", "y", "z"]
    assert names(node("top", "left", "right"), node("right", "low"), node("left", "low"), node("low")) == [
        "low",
        "left",
        "right",
        "top",
    ]


def test_a_circle_names_all_that_are_in_it() -> None:
    with pytest.raises(StorageError, match=r"made of each other: raids: b from raids: c from raids: b$"):
        names(node("a", "b"), node("b", "c"), node("c", "b"))
    with pytest.raises(StorageError, match="raids: a from raids: a"):
        names(node("a", "a"))


def test_what_is_mounted_inside_of_another_comes_after_it() -> None:
    inner, other, outer = (
        Node(f"filesystems: {point}", (point,), mounts=(point,)) for point in ("/srv/a/b", "/srvx", "/srv")
    )
    assert names(inner, other, outer) == ["/srv", "/srv/a/b", "/srvx"]
    with pytest.raises(StorageError, match="/srv is the mount_point of two items: filesystems: /srv and drives: x"):
        names(outer, Node("drives: x", ("x",), mounts=("/srv",)))


def test_two_of_one_name() -> None:
    with pytest.raises(StorageError, match="a is the name of two items: raids: a and drives: a"):
        check_names((node("a"), Node("drives: a", ("a",))))


def test_of_one_name_in_two_sections() -> None:
    raid, drive, part = node("a"), Node("drives: a", ("a", "a/v")), Node("partitions: a", ("a",))
    assert known_names((raid, drive)) == {"a": raid, "raids: a": raid, "drives: a": drive, "a/v": drive} | {
        "drives: a/v": drive
    }
    assert known_names((raid, part)) == {"raids: a": raid, "partitions: a": part}
    uses = Node("filesystems: x", (), (Reference("a[0]", "filesystems: x: device"),))
    assert known_names((raid, drive, uses))
    with pytest.raises(StorageError, match="filesystems: x: device: a may mean raids: a and partitions: a"):
        known_names((raid, part, uses))
    for twice in ((raid, raid), (raid, Node("disks: a", ("a",)))):
        with pytest.raises(StorageError, match="a is the name of two items"):
            known_names(twice)
