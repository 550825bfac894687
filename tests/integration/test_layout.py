# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole documents in one task, on a real kernel."""

from __future__ import annotations

from typing import Any

from .node import Node


def test_the_demos_stack(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    stack: dict[str, Any] = {
        "disks": [{"name": "fast", "serial": "SSD1"}],
        "raids": [{"name": "md0", "level": "5", "devices": [one, two, three]}],
        "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "fast", "cache_mode": "writeback"}],
        "drives": [
            {
                "name": "data",
                "devices": ["cached"],
                "volumes": [
                    {"name": "srv", "size": "50%", "mount_point": "/srv"},
                    {"name": "logs", "size": "100%", "filesystem": "ext4", "mount_point": "/srv/logs"},
                ],
            }
        ],
    }
    looked = node.module("layout", check=True, **stack)
    made = node.module("layout", **stack)
    assert made["plan"] == looked["plan"]
    assert made["plan"][-1]["detail"] == "/srv/logs"
    node.unchanged("layout", **stack)
    assert node.run("findmnt --noheadings --output FSTYPE,TARGET --target /srv/logs").split() == ["ext4", "/srv/logs"]
    node.run("echo kept > /srv/logs/file; sync")
    node.lab.reboot()
    node.unchanged("layout", **stack)
    assert node.run("cat /srv/logs/file") == "kept"

    gone: dict[str, Any] = {
        section: [{"name": stack[section][0]["name"], "state": "absent"}] for section in ("raids", "bcaches", "drives")
    }
    assert "add data to allow_destroy" in node.refusal("layout", **gone).lower()
    node.module("layout", **gone, allow_destroy=["md0", "cached", "data"])
    node.unchanged("layout", **gone)
    assert node.signatures(one) == node.signatures(node.disk("SSD1")) == [""]
