# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies above a device, out of use for a moment."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.pause import pause

from .hosts import a_host, disk

SDB, SDC = "/dev/sdb", "/dev/sdc"
FOUND = Filesystem("btrfs", "f0")
#: In the order of the kernel, which is no alphabetical one.
MOUNTS = (
    Mount(SDB, "/usual", "btrfs", "rw"),
    Mount(SDB, "/again", "btrfs", "rw"),
    Mount(SDB, "/again/a", "btrfs", "rw"),
)
LINES = "".join(f"{SDB} {point} btrfs noatime 0 0\n" for point in ("/again", "/again/a", "/link/"))


def used(*mounts: Mount, fstab: str = LINES, users: str = "") -> Host:
    host = a_host(SDB, files={FSTAB: fstab}, mounts=mounts, real={"/link": "/usual"})
    return host._replace(users={mount.mount_point: users for mount in mounts})


def test_down_and_up_again_in_the_order_of_the_mounts() -> None:
    host = used(*MOUNTS)
    found = pause(host, host.devices[SDB], "it")
    assert [str(step.actions[0]) for step in found.down] == ["umount /again/a", "umount /again", "umount /usual"]
    again = f"mount --types btrfs --options noatime {SDB}"
    assert [str(step.actions[0]) for step in found.up] == [
        f"{again} {place}" for place in ("/usual", "/again", "/again/a")
    ]


def test_disks_that_take_turns_on_one_mount_point() -> None:
    """mount itself would take the first line."""
    turns = f"UUID=other /again ext4 noauto 0 0\nUUID={FOUND.uuid} /again btrfs noauto,noatime 0 0\n"
    host = used(MOUNTS[1], fstab=turns)._replace(filesystems={SDB: FOUND})
    assert [str(step.actions[0]) for step in pause(host, host.devices[SDB], "it").up] == [
        f"mount --types btrfs --options noauto,noatime UUID={FOUND.uuid} /again"
    ]
    written = host._replace(files={FSTAB: turns.replace("noauto,noatime", "noauto,ro")})
    assert "--options noauto,ro,rw " in str(pause(written, host.devices[SDB], "it").up[0].actions[0])
    copied = host._replace(devices={SDB: disk(SDB), SDC: disk(SDC)}, compared={SDC: FOUND})
    with pytest.raises(Refused, match=f"it: {SDB} and {SDC} have one UUID"):
        pause(copied, host.devices[SDB], "it")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (used(*MOUNTS, fstab=""), f"it: {FSTAB} has no line by which {SDB} is mounted on /again/a, so"),
        (used(*MOUNTS, users="process 7 (sleep)"), r"it: /usual is in use by process 7 \(sleep\)"),
        (used(MOUNTS[0]._replace(part=True)), f"it: {FSTAB} has no line by which {SDB} is mounted on /usual, so"),
        (
            used(*MOUNTS)._replace(virtual=(Mount("tmpfs", "/again/b", "tmpfs", "rw"),)),
            "tmpfs is mounted on /again/b, ins",
        ),
        (used(MOUNTS[1], fstab=f"{SDC} /again btrfs noauto 0 0\n"), f"no line by which {SDB} is mounted on /again"),
    ],
)
def test_what_cannot_be_put_out_of_use(host: Host, said: str) -> None:
    with pytest.raises(Refused, match=said):
        pause(host, host.devices[SDB], "it")


def test_swap_comes_back_with_its_priority() -> None:
    host = a_host(SDB, files={FSTAB: f"{SDB} none swap sw,pri=5 0 0\n"}, swaps=(SDB,))
    found = pause(host, host.devices[SDB], "it")
    assert [str(step.actions[0]) for step in (*found.down, *found.up)] == [
        f"swapoff {SDB}",
        f"swapon --options=pri=5 {SDB}",
    ]
