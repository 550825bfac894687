# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives on hosts with a past: names that LVM reserves, groups of others, copies and older states, on a real kernel."""

from __future__ import annotations

from typing import Any

from .node import Node


def untouched(node: Node, message: str, **words: Any) -> None:
    """A task is refused with these words, and no disk is written to."""
    before = node.lab.disk_writes()
    assert message in node.refusal("lvm_drive", **words)
    assert node.lab.disk_writes() == before


def test_names_that_lvm_does_not_take(node: Node) -> None:
    disk = node.disk("HDD1")
    node.run(f"mkfs.ext4 -q {disk}; vgcreate data {node.disk('HDD2')}; sync")
    for name in ("snapshot-x", "pvmove1", "db_tdata", "a_vorigin", "x" * 121):
        refused = node.guest.run(f"lvcreate --activate n --wipesignatures n -l 1 --name {name} data", check=False)
        assert refused.returncode
        untouched(node, "LVM", name="data", volume_name=name, devices=[disk], allow_destroy=True)
    untouched(node, "/dev/disk exists, and LVM needs that path", name="disk", devices=[disk], allow_destroy=True)
    assert node.signatures(disk) == ["ext4"]
