# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM hides, and what it does not do: known before the first step, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .node import Node
from .test_drive_past import untouched

#: What hides a group, what is said of that, and what shows the group again.
_HIDING = {
    "devices file": (
        "mkdir -p /etc/lvm/devices; touch /etc/lvm/devices/system.devices; "
        "printf 'devices { use_devicesfile = 1 }' > /etc/lvm/lvmlocal.conf",
        "device is not in devices file. To have LVM use it: lvmdevices --adddev",
        "rm /etc/lvm/lvmlocal.conf",
    ),
    "filter": (
        "printf 'devices { global_filter = [ \"r|^{real}$|\" ] }' > /etc/lvm/lvmlocal.conf",
        "device is rejected by filter config. To have LVM use it, mend that (filter and global_filter",
        "rm /etc/lvm/lvmlocal.conf",
    ),
    "system ID": (
        "vgchange -y --systemid other data",
        "it belongs to the host with the system ID other. Leave it to that host.",
        'printf \'global { system_id_source = "lvmlocal" } local { system_id = "other" }\' > /etc/lvm/lvmlocal.conf',
    ),
}


def said_of_health(node: Node) -> list[tuple[str, str]]:
    return [(found["problem"], found["detail"]) for found in node.module("layout_info")["health"]]


@pytest.mark.parametrize("how", _HIDING)
def test_a_group_that_lvm_hides(node: Node, how: str) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(
        f"vgcreate data {one}; lvcreate -y -L 40M -n srv data; mkfs.ext4 -q /dev/data/srv; vgchange -an data; sync"
    )
    real = node.run(f"readlink -f {one}")
    hide, said, show = (text.replace("{real}", real) for text in _HIDING[how])
    node.run(hide)
    drive: dict[str, Any] = {"name": "data", "filesystem": "ext4", "mount_point": "/srv", "allow_destroy": True}
    what = f"{real} is a physical volume of volume group data (with the volumes srv), which LVM does not show here: "
    for state in ("offline", "absent"):
        untouched(node, f"{what}{said}", name="data", state=state, allow_destroy=True)
    for devices in ([one], [two]):
        untouched(node, f"{what}{said}", **drive, devices=devices)
    untouched(
        node, f"refused as a device of z: it {what.partition(' ')[2]}", name="z", devices=[two, one], allow_destroy=True
    )
    assert ("hidden", f"it is {what.partition(' is ')[2]}{said.partition('.')[0]}") in said_of_health(node)
    node.converge("lvm_drive", name="z", volumes=[], devices=[two])
    node.run(f"{show}; udevadm settle")
    assert "hidden" not in dict(said_of_health(node))
    node.converge("lvm_drive", name="data", volumes=[{"name": "srv", "mount_point": "/srv"}])
