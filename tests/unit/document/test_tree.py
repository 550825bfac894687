# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees as text, and the filter that draws them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.tree import FilterModule
from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw, draw_alike

GiB = 1 << 30


def branch(name: str, kind: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "size": 10 * GiB, "children": [*children], **more}


def test_a_tree() -> None:
    root = branch("data/srv", "lvm", holds='xfs "srv", 1 GiB used', mount_points=["/srv", "/mnt"])
    logs = branch("data/logs", "lvm", size=0)
    array = branch("md0", "raid1", root, logs, health=["degraded: 1 of 2 members missing", "syncing: recover 3 %"])
    disks = [branch("sda", "disk", branch("sda1", "part", array), branch("sda2", "part")), branch("sdb", "disk", array)]
    assert draw(disks).splitlines() == [
        "sda                 disk   10 GiB",
        "├─ sda1             part   10 GiB",
        "│  └─ md0           raid1  10 GiB  [degraded: 1 of 2 members missing, syncing: recover 3 %]",
        '│     ├─ data/srv   lvm    10 GiB  xfs "srv", 1 GiB used on /srv on /mnt',
        "│     └─ data/logs  lvm",
        "└─ sda2             part   10 GiB",
        "sdb                 disk   10 GiB",
        "└─ md0              raid1  10 GiB",
    ]
    assert draw([]) == ""


def test_a_container_that_is_called_as_its_partition() -> None:
    inner = branch("backup", "luks2", holds="ext4", mount_points=["/mnt"])
    assert draw([branch("sda", "disk", branch("backup", "part", inner))]).splitlines() == [
        "sda           disk   10 GiB",
        "└─ backup     part   10 GiB",
        "   └─ backup  luks2  10 GiB  ext4 on /mnt",
    ]


def test_two_trees_have_columns_of_one_width() -> None:
    before, after = draw_alike([branch("sda", "disk")], [branch("sda", "disk", branch("md0", "raid1", size=100 * GiB))])
    assert before.splitlines() == ["sda     disk    10 GiB"]
    assert after.splitlines() == ["sda     disk    10 GiB", "└─ md0  raid1  100 GiB"]


def test_the_filter() -> None:
    tree = FilterModule().filters()["tree"]
    assert tree([branch("sda", "disk")]) == "sda  disk  10 GiB\n"
    for wrong in ("sda", {"a": 1}, [1], None):
        with pytest.raises(AnsibleFilterError, match="takes the tree that"):
            tree(wrong)
    with pytest.raises(AnsibleFilterError, match="a branch has no 'type'"):
        tree([{"name": "sda"}])
