# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot keeps, and what it brings about. A boot costs as much as twenty tasks, so all of it shares one."""

from __future__ import annotations

from typing import Any

from .node import PYTHON, Node

_MOUNTED_MEANWHILE = """
import subprocess
from ansible_collections.strata.storage.plugins.module_utils.core.errors import Unread
from ansible_collections.strata.storage.plugins.module_utils.host.read import read, read_more
subprocess.run(["umount", "/srv"], check=True)
before = read()
subprocess.run(["mount", "/srv"], check=True)
both = Unread("directories", ("/srv", "/proc"))
for found in (read_more(before, Unread("directories", ("/srv",))), read_more(read(), both)):
    print(*(mount.mount_point for mount in found.mounts if mount.mount_point == "/srv"), *found.directories)
"""


def test_a_reboot_and_then_a_boot_without_a_disk(node: Node) -> None:
    node.run(
        "for disk in {}; do printf 'label: gpt\\nsize=150M\\nsize=150M\\nsize=150M\\n' | sfdisk --quiet $disk; done; "
        "udevadm settle".format(" ".join(node.disks("HDD1", "HDD2")))
    )
    one, two, three = ([f"{disk}-part{number}" for disk in node.disks("HDD1", "HDD2")] for number in (1, 2, 3))
    numbered: dict[str, Any] = {"name": "md10", "level": "1", "devices": one}
    named: dict[str, Any] = {"name": "data", "level": "0", "devices": two}
    stopped: dict[str, Any] = {"name": "md1", "level": "1", "devices": node.disks("HDD3", "HDD4")}
    bcache: dict[str, Any] = {
        "name": "cached",
        "backing_device": node.disk("HDD5"),
        "cache_device": node.disk("SSD1"),
        "cache_mode": "writeback",
    }
    drive: dict[str, Any] = {"name": "vault", "devices": ["/dev/bcache/by-label/cached"], "mount_point": "/srv"}
    put_away: dict[str, Any] = {"name": "attic", "devices": [node.disk("SSD2")], "mount_point": "/attic"}
    for array in (numbered, named, stopped):
        node.module("raid", **array)
    node.module("raid", name="md1", state="stopped")
    node.module("bcache", **bcache)
    node.module("lvm_drive", **drive)
    node.module("lvm_drive", **put_away)
    node.module("lvm_drive", name="attic", state="offline")
    # One that somebody made by hand, and uses.
    made_by_hand: dict[str, Any] = {"name": "md0", "level": "1", "devices": three}
    node.run(
        f"mdadm --create /dev/md120 --run --level=1 --raid-devices=2 --name=md0 {' '.join(three)} && "
        "mkfs.ext4 -q /dev/md120 && mount /dev/md120 /mnt && echo kept > /mnt/file"
    )
    adopted = node.module("raid", **made_by_hand)
    assert adopted["pending_reboot"] == ["md0 runs as /dev/md120 and is in use: it gets its name with the next boot"]
    assert node.unchanged("raid", **made_by_hand)["pending_reboot"] == adopted["pending_reboot"]
    node.run("echo written > /srv/file")

    node.lab.reboot()

    found = [line.split()[1] for line in node.run("mdadm --detail --scan").splitlines()]
    assert sorted(found) == ["/dev/md/data", "/dev/md0", "/dev/md10"]
    for array in (numbered, named):
        node.unchanged("raid", **array)
    node.unchanged("raid", name="md1", state="stopped")
    node.unchanged("bcache", **bcache)
    node.unchanged("lvm_drive", **drive)
    assert node.run("cat /srv/file") == "written"
    # What systemd mounts while a task reads is not taken for files that somebody left in the directory.
    told = node.guest.run(f"{PYTHON} -", input=_MOUNTED_MEANWHILE).stdout
    assert told.splitlines() == ["/srv", "/srv /srv /proc"]
    node.unchanged("lvm_drive", name="attic", state="offline")
    assert node.run("lvs --noheadings -o lv_active attic") == ""
    assert node.unchanged("raid", **made_by_hand)["pending_reboot"] == []
    assert node.run("mount /dev/md0 /mnt && cat /mnt/file") == "kept"

    node.run("sync")
    node.lab.pull_disk("HDD5")
    node.lab.power_cut()

    assert node.run("findmnt /srv || echo none") == "none"
    node.lab.insert_disk("HDD5")
    # Late, but there: systemd has been waiting for it.
    node.guest.until("findmnt /srv")
    node.unchanged("bcache", **bcache)
    node.unchanged("lvm_drive", **drive)
    assert node.run("cat /srv/file") == "written"
