# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between a plan and other people's data."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Step
from ansible_collections.strata.storage.plugins.module_utils.host.actions import EraseTables
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, DiskFacts, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import (
    Group,
    Lvm,
    PhysicalVolume,
    StrayVolume,
)
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.safety import blank, describe, permit, take

from .hosts import EXT4, UUID, a_host, an_array, claim, disk, run, with_array

SDB = "/dev/sdb"
PARTED = (disk(SDB, partitions=("/dev/sdb1", "/dev/sdb2")), disk("/dev/sdb1", disk=SDB), disk("/dev/sdb2", disk=SDB))
GPT = Signature("gpt", "aaaa")
HOLDS = 'an ext4 filesystem labelled "backup" (UUID 0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a)'


def taking(host: Host, allow: bool = False) -> tuple[Step, ...]:
    return take(host, host.devices[SDB], "a member of md0", "devices", allow)


def wipe(path: str, words: str, *signatures: Signature) -> Step:
    return Step(
        "wipe",
        "device",
        path,
        words,
        (run("wipefs", "--all", path),),
        claims=(claim(path, *signatures),),
        flush=(path,),
        destroys=(f"{path}: {words}",),
    )


@pytest.mark.parametrize("allow", [False, True])
def test_a_blank_device_is_simply_taken(allow: bool) -> None:
    host = a_host(SDB)
    assert taking(host, allow) == ()
    assert blank(host.devices[SDB]) == claim(SDB)


def test_a_member_of_an_array_that_does_not_run_may_be_the_only_copy() -> None:
    stopped = with_array(a_host(SDB, "/dev/sdc"), an_array(SDB, "/dev/sdc", device="", name="md9"))
    with pytest.raises(Refused) as caught:
        taking(stopped)
    assert f"member of RAID array md9 (also on /dev/sdc here), which does not run. A raid task with `uuid: {UUID}`" in (
        str(caught.value)
    )
    assert "allow_destroy" not in str(caught.value)
    assert [step.verb for step in taking(stopped, True)] == ["wipe"]
    older = an_array(SDB, "/dev/sdc", device="", name="md9")
    older = older._replace(members=(older.members[0]._replace(role="former"), older.members[1]))
    with pytest.raises(Refused, match="name /dev/disk/by-id/sdb in allow_destroy"):
        taking(with_array(a_host(SDB, "/dev/sdc"), older))


def test_a_partition_that_looks_blank_and_is_needed_to_boot() -> None:
    host = a_host(disk(SDB, reserved="BIOS boot"))
    with pytest.raises(Refused, match="looks blank, and is a partition of the type BIOS boot"):
        taking(host)
    assert taking(host, True) == ()


def test_a_physical_volume_is_told_with_its_group() -> None:
    found = Content((Signature("LVM2_member", "P-1"),))
    shown = Lvm((Group("data", physical_volumes=(PhysicalVolume(SDB),)),))
    hidden = Lvm(hidden=(StrayVolume(SDB, "P-1", "data", "V-1", 5),))
    for known, said in (
        (shown, "of volume group data. Take"),
        (hidden, "of volume group data, which LVM does not show here. Take"),
        (Lvm(orphans=(SDB,)), r"\(UUID P-1\). Take"),
    ):
        with pytest.raises(Refused, match=said):
            taking(a_host(SDB, contents={SDB: found}, lvm=known))


IN_USE: list[Any] = [
    pytest.param(a_host(SDB, mounts=(Mount(SDB, "/srv", "ext4", "rw"),)), "is mounted on /srv", id="mounted"),
    pytest.param(a_host(SDB, swaps=(SDB,)), "is in use as swap", id="swap"),
    pytest.param(a_host(disk(SDB, holders=("/dev/dm-0",))), "is held by /dev/dm-0", id="held"),
    pytest.param(
        with_array(a_host(SDB, "/dev/sdc"), an_array(SDB, "/dev/sdc", device="/dev/md9")),
        rf"is held by /dev/md9 \(RAID array md9, UUID {UUID}\)",
        id="member",
    ),
    pytest.param(
        a_host(*PARTED, mounts=(Mount("/dev/sdb2", "/", "ext4", "rw"),)),
        "its partition /dev/sdb2 is mounted on /",
        id="partition mounted",
    ),
    pytest.param(
        a_host(*PARTED, swaps=("/dev/sdb1",)), "its partition /dev/sdb1 is in use as swap", id="partition swap"
    ),
    pytest.param(
        a_host(PARTED[0], PARTED[1]._replace(holders=("/dev/dm-1",)), PARTED[2]),
        "its partition /dev/sdb1 is held by /dev/dm-1",
        id="partition held",
    ),
    pytest.param(a_host(SDB, contents={SDB: Content(busy=True)}), "something has it open exclusively", id="open"),
    pytest.param(
        a_host(SDB, contents={SDB: Content((EXT4,), busy=True)}), "something has it open .* ext4", id="open, signed"
    ),
    pytest.param(
        a_host(*PARTED, contents={SDB: Content((GPT,)), "/dev/sdb2": Content(busy=True)}),
        "/dev/sdb2 .*open exclusively",
        id="partition open",
    ),
]


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(("host", "said"), IN_USE)
def test_what_is_in_use_is_refused_either_way(host: Host, said: str, allow: bool) -> None:
    with pytest.raises(Refused, match=f"^/dev/sdb: refused as a member of md0: .*{said}.*`devices`, or put it out of"):
        taking(host, allow)


@pytest.mark.parametrize("allow", [False, True])
def test_what_is_read_only_is_refused_either_way(allow: bool) -> None:
    with pytest.raises(StorageError, match="refused as a member of md0: it is read-only"):
        taking(a_host(disk(SDB, read_only=True)), allow)


@pytest.mark.parametrize(
    ("host", "said", "steps"),
    [
        pytest.param(
            a_host(SDB, contents={SDB: Content((EXT4,))}),
            f"it holds {HOLDS}",
            (wipe(SDB, HOLDS, EXT4),),
            id="filesystem",
        ),
        pytest.param(
            a_host(SDB, contents={SDB: Content((EXT4, GPT))}),
            f"it holds {HOLDS} and a GPT partition table (UUID aaaa)",
            (wipe(SDB, f"{HOLDS} and a GPT partition table (UUID aaaa)", EXT4, GPT),),
            id="two signatures",
        ),
        pytest.param(
            a_host(*PARTED, contents={SDB: Content((GPT,)), "/dev/sdb2": Content((EXT4,))}),
            "it holds a GPT partition table (UUID aaaa)",
            (wipe("/dev/sdb2", HOLDS, EXT4), wipe(SDB, "a GPT partition table (UUID aaaa)", GPT)),
            id="partitions first",
        ),
    ],
)
def test_what_holds_data_needs_permission(host: Host, said: str, steps: tuple[Step, ...]) -> None:
    with pytest.raises(Refused) as error:
        taking(host)
    assert str(error.value) == (
        f"/dev/sdb: refused as a member of md0: {said}. Take it out of `devices`, "
        "or name /dev/disk/by-id/sdb in allow_destroy to destroy that."
    )
    assert taking(host, allow=True) == steps


def test_permission_for_a_device() -> None:
    """And for its partitions; not for others."""
    held = {SDB: Content((GPT,)), "/dev/sdb2": Content((EXT4,))}
    host = a_host(*PARTED, "/dev/sdc", contents=held)
    assert len(taking(permit(host, (SDB,)))) == 2
    for names in ((), ("/dev/sdc",), ("/dev/sdb2",), ("/dev/gone",)):
        with pytest.raises(Refused, match="name /dev/disk/by-id/sdb in allow_destroy"):
            taking(permit(host, names))
    host = host._replace(disks={SDB: DiskFacts(serial="S1", wwn="naa.500A"), "/dev/sdc": DiskFacts(serial="S2")})
    for name in ("S1", "0x500a", "500A", "naa.500a"):
        assert permit(host, (name,)).expendable == (SDB,)
    with pytest.raises(StorageError, match="allow_destroy: S3 is no item of the document, no path, and no disk's"):
        permit(host, ("S3",))
    assert permit(host, ("S3",), known=False).expendable == ()


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_table_of_other_sectors(sector: int) -> None:
    """It says how its data can be seen, and is erased where libblkid does not see it."""
    signature = Signature(f"gpt-{sector}")
    host = a_host(disk(SDB, sector=4608 - sector), contents={SDB: Content((signature,))})
    said = f"holds a GPT partition table written for sectors of {sector} bytes. .*--sector-size {sector} "
    with pytest.raises(Refused, match=said):
        taking(host)
    assert EraseTables(SDB) in taking(host, allow=True)[0].actions
    same = a_host(disk(SDB, sector=sector), contents={SDB: Content((signature,))})
    with pytest.raises(Refused, match=r"bytes\. The kernel does not use that table: .* larger"):
        taking(same)


def test_what_was_not_looked_at_is_asked_for() -> None:
    host = a_host(*PARTED)._replace(contents={SDB: Content()})
    with pytest.raises(Unread) as need:
        taking(host)
    assert (need.value.what, need.value.names) == ("contents", ("/dev/sdb1", "/dev/sdb2"))


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (EXT4, HOLDS),
        (Signature("xfs"), "an xfs filesystem"),
        (Signature("btrfs", "u"), "a btrfs filesystem (UUID u)"),
        (Signature("crypto_LUKS", "u"), "a LUKS container (UUID u)"),
        (Signature("PMBR"), "a protective MBR, which is what is left of a GPT partition table"),
        (Signature("LVM2_member"), "an LVM2 physical volume"),
        (Signature("zfs_member", label="tank"), 'membership of a ZFS pool labelled "tank"'),
    ],
)
def test_signatures_in_words(signature: Signature, words: str) -> None:
    assert describe(signature) == words


@pytest.mark.parametrize(
    ("spec", "remade"),
    [(f"UUID={EXT4.uuid}", True), ("LABEL=backup", True), ("PARTUUID=p", False), ("/dev/disk/by-path/b", False)],
)
def test_what_the_next_boot_waits_for_is_not_erased(spec: str, remade: bool) -> None:
    """A line by the device itself finds a filesystem again that takes the place of another one."""
    links = {"/dev/disk/by-partuuid/p": SDB, "/dev/disk/by-path/b": SDB}
    host = a_host(SDB, contents={SDB: Content((EXT4,))}, links=links, files={FSTAB: f"{spec} /old ext4 defaults 0 2\n"})
    with pytest.raises(Refused, match=f"refused as a member of md0: {SDB} is what {FSTAB} mounts on /old as {spec}"):
        taking(host, True)
    if remade:
        with pytest.raises(Refused, match="take that line out first, or add nofail"):
            take(host, host.devices[SDB], "a place for xfs", "filesystems", True)
    else:
        assert take(host, host.devices[SDB], "a place for xfs", "filesystems", True)
    for line in (f"{spec} /old ext4 nofail 0 2\n", f"{spec} /old ext4 noauto\n", "UUID=other /old ext4\n", "# none\n"):
        assert taking(host.with_file(FSTAB, line), True)


def test_a_serial_number_of_several_disks_permits_nothing() -> None:
    host = a_host(SDB, "/dev/sdc")
    cases = {path: DiskFacts("0123456789ABCDEF") for path in host.devices}
    with pytest.raises(Refused, match="is the serial number of /dev/disk/by-id/sdb and /dev/disk/by-id/sdc"):
        permit(host._replace(disks=cases), ("0123456789ABCDEF",))
    paths = {path: DiskFacts("S1", "naa.5001") for path in host.devices}
    for name in ("S1", "0x5001"):
        assert permit(host._replace(disks=paths), (name,)).expendable == tuple(host.devices)
