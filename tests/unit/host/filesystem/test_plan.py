# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems on any device, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import parse
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem import plan as planner
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.health import health
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import Group, LogicalVolume, Lvm
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.safety import is_passing

from ..hosts import EXT4, MEMBER, UUID as RAID, GiB, a_host, an_array, commands, destroyed, disk, outline

SDB = "/dev/sdb"
UUID = EXT4.uuid
FOUND = Filesystem("ext4", UUID, "backup", 10 * GiB)
LINE = f"UUID={UUID} /srv ext4 defaults 0 2\n"


def blank(**more: Any) -> Host:
    return a_host(SDB, filesystems={SDB: None}, directories={"/srv": True}, **more)


def full(found: Filesystem = FOUND, **more: Any) -> Host:
    parts: dict[str, Any] = {"contents": {SDB: Content((EXT4._replace(type=found.type),))}, **more}
    return a_host(SDB, filesystems={SDB: found}, directories={"/srv": True}, **parts)


def plan(host: Host, allow: bool = False, **words: Any) -> Plan:
    want = parse({"device": "sdb", **words})
    made = planner.plan(host, want, allow)
    assert planner.plan(made.after, want, False).steps == ()
    return made


def refused(host: Host, said: str, allow: bool = False, **words: Any) -> None:
    with pytest.raises(StorageError, match=said):
        planner.plan(host, parse({"device": "sdb", **words}), allow)


def test_a_blank_device() -> None:
    made = plan(blank(), type="xfs", label="new", mount_point="/srv", boot_required=True)
    assert outline(made) == ["format filesystem /dev/sdb", "persist mount /dev/sdb", "mount filesystem /dev/sdb"]
    assert commands(made)[0] == "mkfs.xfs -q -m uuid=<uuid:filesystem//dev/sdb> -L new /dev/sdb"
    assert made.after.files[FSTAB] == "UUID=<uuid:filesystem//dev/sdb> /srv xfs defaults 0 0\n"


def test_what_it_is_made_with() -> None:
    made = plan(blank(), type="ext4", mkfs_options="-m 0 -E 'nodiscard,stride=16'")
    assert commands(made) == ["mkfs.ext4 -m 0 -E nodiscard,stride=16 -q -U <uuid:filesystem//dev/sdb> /dev/sdb"]
    # What is there already was made with others, and stays.
    assert plan(full(), type="ext4", mkfs_options="-m 0").steps == ()
    refused(blank(), "mkfs_options .* cannot be split into words: No closing quotation", mkfs_options="-L 'a")
    refused(blank(), "has to begin with an option; the device is added to it", mkfs_options="/dev/sdc")


def test_swap() -> None:
    made = plan(blank(), type="swap")
    assert outline(made) == ["format filesystem /dev/sdb", "persist mount /dev/sdb", "enable swap /dev/sdb"]
    assert made.after.swaps == (SDB,)


def test_what_is_there_stays() -> None:
    assert plan(full(), type="ext4").steps == plan(full()).steps == ()
    assert outline(plan(full(), mount_point="/srv", label="other")) == [
        "persist mount /dev/sdb",
        "mount filesystem /dev/sdb",
        "label filesystem /dev/sdb",
    ]
    refused(
        full(), 'holds an ext4 filesystem labelled "backup" .* or name /dev/disk/by-id/sdb in allow_destroy', type="xfs"
    )
    made = plan(full(), True, type="xfs")
    assert outline(made) == ["wipe device /dev/sdb", "format filesystem /dev/sdb"]
    assert destroyed(made) == [f'/dev/sdb: an ext4 filesystem labelled "backup" (UUID {UUID})']


def test_a_new_label_for_what_fstab_names_by_the_old_one() -> None:
    line = LINE.replace(f"UUID={UUID}", "LABEL=backup")
    mounts = (Mount(SDB, "/srv", "ext4", "rw,relatime"),)
    made = plan(full(files={FSTAB: f"{line}LABEL=backup /again ext4 noauto 0 0\n"}, mounts=mounts), label="new")
    assert outline(made) == ["persist mount /dev/sdb", "persist mount /dev/sdb", "label filesystem /dev/sdb"]
    assert made.after.files[FSTAB] == f"{LINE}UUID={UUID} /again ext4 noauto 0 0\n"
    root = full(mounts=(Mount(SDB, "/", "ext4", "rw,relatime"),), files={"/proc/cmdline": "ro root=LABEL=backup\n"})
    refused(root, "root=LABEL=backup, and would not find its root by another label", label="new")
    assert outline(plan(root.with_file("/proc/cmdline", "root=UUID=1"), label="new")) == ["label filesystem /dev/sdb"]


@pytest.mark.parametrize("label", ["my data", "a/b", "m\u00fcsli"])
def test_a_label_that_no_new_filesystem_gets(label: str) -> None:
    assert plan(full(FOUND._replace(label=label)), label=label).steps == ()
    for host in (full(), blank()):
        refused(host, "label '.*' holds a character that is no letter", label=label, type="ext4")


def test_a_label_that_fstab_has_for_another_filesystem() -> None:
    files = {FSTAB: "LABEL=new /other ext4 defaults 0 2\n"}
    elsewhere = {"/dev/disk/by-label/new": "/dev/sdc"}
    for host in (full(files=files, links=elsewhere), blank(files=files, links=elsewhere)):
        refused(
            host, "mounts LABEL=new on /other, which is /dev/sdc, .* choose another label", type="ext4", label="new"
        )
    gone = full(files=files, links={"/dev/disk/by-label/new": None})
    assert outline(plan(gone, type="ext4", label="new")) == ["label filesystem /dev/sdb"]


def test_a_fat_is_known_by_its_volume_id() -> None:
    made = plan(blank(), type="vfat", label="new", mount_point="/srv")
    number = "<volume-id:<uuid:filesystem//dev/sdb>>"
    assert commands(made)[0] == f"mkfs.vfat -I --mbr=n -i <digits:{number}> -n new /dev/sdb"
    assert made.after.files[FSTAB] == f"UUID={number} /srv vfat defaults,nofail,x-systemd.device-timeout=300s 0 2\n"


def test_a_label_that_no_fat_has() -> None:
    refused(blank(), r"label a\.b: that of vfat has none of the characters \.:\+", type="vfat", label="a.b")
    refused(full(FOUND._replace(type="vfat")), "label a:b: that of vfat has none of", label="a:b")


@pytest.mark.parametrize("kind", ["vfat", "f2fs"])
def test_what_only_takes_a_label_while_nobody_uses_it(kind: str) -> None:
    mounts = (Mount(SDB, "/srv", kind, "rw,relatime"),)
    found = FOUND._replace(type=kind)
    refused(full(found, mounts=mounts), f"the label of {kind} changes only while it is not. Unmount it", label="new")
    named = plan(full(found), label="new", mount_point="/srv")
    assert outline(named)[0] == "label filesystem /dev/sdb"
    # It is smaller than its device, and stays so.
    assert plan(full(found._replace(size=GiB)), mount_point="/srv").after.filesystems[SDB].size == GiB


def test_the_label_of_swap() -> None:
    swap = full(FOUND._replace(type="swap"), files={FSTAB: f"UUID={UUID} none swap sw 0 0\n"})
    assert outline(plan(swap, type="swap", label="new")) == ["label filesystem /dev/sdb", "enable swap /dev/sdb"]
    made = plan(swap._replace(swaps=(SDB,)), type="swap", label="new")
    (step,) = made.steps
    assert [str(action) for action in step.actions] == [
        "swapoff /dev/sdb",
        "swaplabel -L new /dev/sdb",
        "swapon /dev/sdb",
    ]
    on = plan(swap, mount_options="pri=5,discard=once,nofail").steps[-1].actions[0]
    assert str(on) == "swapon --options=pri=5,discard=once /dev/sdb"
    assert plan(swap._replace(swaps=(SDB,)), mount_options="pri=5").after.files[FSTAB].split()[3] == "pri=5"


def test_sectors_that_are_larger_than_those_it_was_made_for() -> None:
    for kind, sector in (("xfs", 512), ("ext4", 1024)):
        host = full(FOUND._replace(type=kind, sector=sector), mounts=(Mount(SDB, "/srv", kind, "rw,relatime"),))
        assert plan(host).steps == ()
        large = host._replace(devices={SDB: disk(SDB, sector=4096)})
        refused(large, f"{kind} that was made for sectors of at most {sector} bytes, .* --sector-size {sector} ")
        assert outline(plan(large._replace(mounts=()), True, type="btrfs"))[0] == "wipe device /dev/sdb"


def test_a_device_that_grew() -> None:
    """Less than a filesystem's own unit at its end is no growth."""
    there = {"files": {FSTAB: LINE}, "mounts": (Mount(SDB, "/srv", "ext4", "rw,relatime"),)}
    xfs = FOUND._replace(type="xfs")
    for found, less, grows in ((FOUND, 7 << 20, False), (FOUND, 8 << 20, True), (xfs, 4095, False), (xfs, GiB, True)):
        host = full(found._replace(size=10 * GiB - less), **there)
        assert outline(plan(host)) == ["grow filesystem /dev/sdb"] * grows


def pair(*generations: int, spans: int = 2, **more: Any) -> Host:
    """A btrfs whose devices, from sdb on, were written to so often."""
    found = {
        f"/dev/sd{letter}": Filesystem("btrfs", UUID, size=10 * GiB, devices=spans, generation=generation)
        for letter, generation in zip("bcd", generations)
    }
    held = dict.fromkeys(found, Content((EXT4._replace(type="btrfs"),)))
    return a_host(*found, contents=held, filesystems=found, directories={"/srv": True}, **more)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (pair(9, 7), "spans /dev/sdb .generation 9., /dev/sdc .generation 7., and /dev/sdc was away while"),
        (pair(7, 9), "and /dev/sdb was away while the others were written to.*Nothing is mounted. Disconnect /dev/sdb"),
        (pair(9), "its btrfs spans 2 devices, and only /dev/sdb is here. Bring the others back"),
    ],
)
def test_a_btrfs_one_of_whose_devices_was_away(host: Host, said: str) -> None:
    refused(host, said, True, mount_point="/srv")
    assert plan(host).steps == ()


def test_a_btrfs_that_is_whole_or_wanted_as_it_is() -> None:
    # A crash falls between the writes to the one and to the other.
    for host in (pair(9, 9), pair(9, 8), pair(9, spans=1)):
        assert outline(plan(host, mount_point="/srv"))[-1] == "mount filesystem /dev/sdb"
    wanted = pair(9)._replace(refusals={("btrfs", "degraded"): ""})
    assert plan(wanted, mount_point="/srv", mount_options="degraded").steps
    line = f"UUID={UUID} /srv btrfs defaults 0 0\n"
    mounted = pair(9, 7, mounts=(Mount(SDB, "/srv", "btrfs", "rw"),), files={FSTAB: line})
    assert plan(mounted, mount_point="/srv").steps == ()


def test_each_device_of_a_btrfs_grows_by_its_number_and_the_first_says_the_mount() -> None:
    host = pair(7, 7)
    host = host._replace(
        filesystems={
            path: found and found._replace(number=number, size=GiB)
            for number, (path, found) in enumerate(host.filesystems.items(), 1)
        },
        mounts=tuple(Mount(path, "/srv", "btrfs", "rw,relatime") for path in host.filesystems),
        files={FSTAB: f"UUID={UUID} /srv btrfs defaults 0 0\n"},
    )
    said = [planner.dump(host, host.devices[path], found) for path, found in host.filesystems.items() if found]
    assert [item.get("mount_point") for item in said] == ["/srv", None]
    for number, path in enumerate(host.filesystems, 1):
        made = planner.plan(host, parse({"device": path}), False)
        assert [str(action) for step in made.steps for action in step.actions] == [
            f"btrfs filesystem resize {number}:max /srv"
        ]


def test_none() -> None:
    refused(full(), r"cannot be removed: /dev/sdb holds an ext4 .*Set allow_destroy", state="absent")
    there = full(files={FSTAB: LINE}, mounts=(Mount(SDB, "/srv", "ext4", "rw,relatime"),))
    made = plan(there, True, state="absent")
    assert outline(made) == ["unmount filesystem /dev/sdb", "persist mount /dev/sdb", "wipe device /dev/sdb"]
    assert made.after.files[FSTAB] == ""
    assert plan(blank(), state="absent").steps == ()
    assert planner.plan(blank(), parse({"device": "sdz", "state": "absent"}), False).steps == ()


@pytest.mark.parametrize(
    ("host", "words", "said"),
    [
        (blank(), {}, "filesystem on sdb: there is none, and to make one, say also: type"),
        (blank(contents={SDB: Content((MEMBER,))}), {"type": "ext4"}, "it holds membership of a RAID array"),
        (blank(contents={SDB: Content((), busy=True)}), {"type": "ext4"}, "has it open exclusively"),
        (
            a_host(disk(SDB, holders=("/dev/md0",)), filesystems={SDB: None}),
            {"type": "ext4"},
            "/dev/sdb is held by /dev/md0. Take it out of `filesystems`",
        ),
        (a_host(disk(SDB, 1 << 20), filesystems={SDB: None}), {"type": "ext4"}, "too small for ext4"),
        (blank(), {"type": "xfs", "label": "x" * 13}, "that of xfs has at most 12"),
    ],
)
def test_what_cannot_be(host: Host, words: dict[str, Any], said: str) -> None:
    refused(host, said, True, **words) if "membership" not in said else refused(host, said, **words)


WISHES: tuple[dict[str, Any], ...] = (
    {},
    {"type": "ext4"},
    {"label": "evil"},
    {"mount_point": "/srv"},
    {"type": "xfs"},
    {"state": "absent"},
)


@pytest.mark.parametrize("words", WISHES)
def test_content_of_an_array_seen_through_its_member(words: dict[str, Any]) -> None:
    stopped = full()._replace(arrays=(an_array(SDB, "/dev/sdc", device=""),))
    refused(stopped, f"has a superblock of RAID array .*UUID {RAID}, also on /dev/sdc.*does not run", **words)
    held = full()._replace(devices={SDB: disk(SDB, holders=("/dev/md0",))})
    refused(held, "/dev/sdb is held by /dev/md0", True, **words)
    if words.get("type"):
        made = plan(stopped, True, **words)
        assert outline(made)[:2] == ["wipe device /dev/sdb", "format filesystem /dev/sdb"]
    part = full()._replace(devices={SDB: disk(SDB, disk="/dev/sda"), "/dev/sda": disk("/dev/sda")})
    refused(part._replace(arrays=(an_array("/dev/sda", device=""),)), "its disk /dev/sda has a superblock", **words)


def twice(other: Filesystem = FOUND, **more: Any) -> Host:
    """The same UUID and label on a second disk."""
    host = full(**more).with_device(disk("/dev/sdc"))
    return host._replace(filesystems={**host.filesystems, "/dev/sdc": other})


def test_a_filesystem_that_is_here_twice() -> None:
    said = f"/dev/sdb and /dev/sdc have one UUID .UUID={UUID}.*a boot may take either.*disconnect the copy"
    required: dict[str, Any] = {"mount_point": "/srv", "type": "ext4", "boot_required": True}
    for words in ({"mount_point": "/srv"}, required):
        refused(twice(), said, True, **words)
    labelled = LINE.replace(f"UUID={UUID}", "LABEL=backup")
    other = FOUND._replace(uuid="other")
    refused(twice(other, files={FSTAB: labelled}), "have one LABEL .LABEL=backup.", mount_point="/srv")
    # By its path, or by what only it has, a boot finds it.
    for line, found in ((LINE.replace(f"UUID={UUID}", "/dev/disk/by-id/sdb"), FOUND), (LINE, other)):
        made = plan(twice(found, files={FSTAB: line}), mount_point="/srv")
        assert commands(made) == ["mount --types ext4 --options defaults /dev/sdb /srv"]
    mounted = twice(files={FSTAB: LINE}, mounts=(Mount(SDB, "/srv", "ext4", "rw,relatime"),))
    assert plan(mounted, mount_point="/srv").steps == ()
    assert [(found.problem, found.device) for found in health(mounted, {})] == [("twice", SDB)]


def test_a_loop_device_is_no_copy_that_a_boot_finds() -> None:
    host = twice(files={FSTAB: LINE})
    loop = disk("/dev/sdc")._replace(kernel="loop0")
    assert outline(plan(host._replace(devices={**host.devices, "/dev/sdc": loop}), mount_point="/srv"))


def test_what_is_read_only_is_neither_labelled_nor_erased() -> None:
    host = full()
    host = host._replace(devices={SDB: host.devices[SDB]._replace(read_only=True)})
    wishes: tuple[dict[str, Any], ...] = ({"label": "new"}, {"state": "absent"}, {"type": "xfs"})
    for words in wishes:
        refused(host, "is read-only", True, **words)


def original(line: str, **more: Any) -> Host:
    """The copy of what is mounted by that line: with a UUID of its own, but the same label."""
    good = FOUND._replace(uuid="good")
    mounts = (Mount("/dev/sdc", "/d", "ext4", "rw"),)
    return twice(good, files={FSTAB: line}, mounts=mounts, **more)


@pytest.mark.parametrize("mounted", [True, False])
def test_the_line_of_a_copys_original_stays(mounted: bool) -> None:
    line = "LABEL=backup /d ext4 defaults 0 2\n"
    host = original(line)
    if not mounted:
        host = host._replace(mounts=(), links={**host.links, "/dev/disk/by-label/backup": "/dev/sdc"})
    wishes: tuple[dict[str, Any], ...] = ({"label": "new"}, {"state": "absent"}, {"mount_point": ""})
    for words in wishes:
        made = plan(host, True, **words)
        assert made.after.files[FSTAB] == line
        assert {step.kind for step in made.steps} <= {"filesystem", "device"}
    made = plan(host, mount_point="/srv")
    assert made.after.files[FSTAB].splitlines()[1].startswith(f"UUID={UUID} /srv ext4 ")
    there = host._replace(directories={"/d": True})
    refused(there, "is mounted on /d;" if mounted else "have one LABEL .LABEL=backup.", mount_point="/d")
    own = host._replace(mounts=(Mount(SDB, "/d", "ext4", "rw"),), users={"/d": ""})
    assert plan(own, mount_point="").after.files[FSTAB] == ""


def test_a_partition_and_its_clone() -> None:
    """The clone's filesystem has a UUID of its own, and udev finds the clone by the partition's."""
    line = "PARTUUID=p /srv ext4 defaults 0 2\n"
    host = twice(FOUND._replace(uuid="other"), files={FSTAB: line}, mounts=(Mount(SDB, "/srv", "ext4", "rw,relatime"),))
    devices = {path: device._replace(part_uuid="p") for path, device in host.devices.items()}
    host = host._replace(devices=devices, links={**host.links, "/dev/disk/by-partuuid/p": "/dev/sdc"})
    assert plan(host, mount_point="/srv").steps == ()
    assert planner.dump(host, host.devices[SDB], FOUND)["mount_point"] == "/srv"
    assert [(found.problem, found.device) for found in health(host, {})] == [("twice", SDB)]
    clone = planner.plan(host, parse({"device": "/dev/sdc", "state": "absent"}), True)
    assert clone.after.files[FSTAB] == line
    refused(host._replace(mounts=()), "have one PARTUUID .PARTUUID=p.", mount_point="/srv")


def test_a_copy_of_swap() -> None:
    line = f"UUID={UUID} none swap sw 0 0\n"
    swap = FOUND._replace(type="swap", label="")
    host = full(swap, files={FSTAB: line}, swaps=("/dev/sdc",)).with_device(disk("/dev/sdc"))
    host = host._replace(filesystems={SDB: swap, "/dev/sdc": swap})
    refused(host, r"/dev/sdb and /dev/sdc have one UUID .* has swap", type="swap")
    assert plan(host, True, state="absent").after.files[FSTAB] == line


def test_disks_that_take_turns_on_one_mount_point() -> None:
    turns = f"UUID=other /srv ext4 noauto 0 2\nUUID={UUID} /srv ext4 noauto 0 2\n"
    host = full(files={FSTAB: turns}, mounts=(Mount(SDB, "/srv", "ext4", "rw,relatime"),))
    for words in ({}, {"boot_required": False}, {"mount_options": "noauto"}):
        assert plan(host, mount_point="/srv", **words).steps == ()
    without = full(files={FSTAB: turns.splitlines(keepends=True)[0]})
    refused(without, "already mounts UUID=other on /srv", mount_point="/srv")


def test_layers_and_snapshots_are_no_copies() -> None:
    below = twice()._replace(arrays=(an_array("/dev/sdc", device=""),))
    assert outline(plan(below, mount_point="/srv"))[-1] == "mount filesystem /dev/sdb"
    for path, host in passing().items():
        assert is_passing(host, path)
        assert outline(plan(host, mount_point="/srv"))[-1] == "mount filesystem /dev/sdb", path
        mounts = (Mount(SDB, "/srv", "ext4", "rw"), Mount(path, "/look", "ext4", "rw,relatime"))
        assert health(host._replace(mounts=mounts), {}) == [], path
        # By its line, a boot would mount the other one there.
        meant = host._replace(mounts=mounts[1:], files={FSTAB: LINE.replace("/srv", "/look")})
        assert [(found.problem, found.device) for found in health(meant, {})] == [("twice", path)]


def passing() -> dict[str, Host]:
    """A copy on a loop device, on a snapshot of LVM's, and on a thin one that no boot activates."""
    found: dict[str, Host] = {}
    for path, link in (("/dev/loop0", ""), ("/dev/dm-0", "/dev/mapper/data-s"), ("/dev/dm-7", "/dev/mapper/data-t")):
        thin = LogicalVolume("t", 10 * GiB, True, device="/dev/dm-7", kind="thin", skipped=True)
        cow = disk("/dev/dm-1", link="/dev/mapper/data-s-cow", holders=("/dev/dm-0",))
        host = full(lvm=Lvm((Group("data", volumes=(thin,)),))).with_device(cow).with_device(disk(path, link=link))
        found[path] = host._replace(filesystems={SDB: FOUND, path: FOUND, "/dev/dm-1": None})
    return found


def test_a_filesystem_that_is_larger_than_its_device() -> None:
    host = full(FOUND._replace(size=20 * GiB))
    wishes: tuple[dict[str, Any], ...] = ({}, {"type": "ext4"}, {"mount_point": "/srv"}, {"label": "new"})
    for words in wishes:
        refused(host, "its ext4 spans 20 GiB, and /dev/sdb has 10 GiB: it was made smaller", **words)
    assert plan(host, mount_point="").steps == ()
    assert [found.problem for found in health(host, {})] == ["cut off"]


def test_what_does_not_grow_as_it_is_in_use() -> None:
    """A filesystem may be smaller than its device on purpose, and nothing is refused for that."""
    small = FOUND._replace(size=GiB)
    read_only = (Mount(SDB, "/srv", "ext4", "ro,relatime"),)
    as_it_is = (full(small, files={FSTAB: LINE}), full(small, mounts=read_only, files={FSTAB: LINE}))
    for host in as_it_is:
        made = plan(host, type="ext4")
        assert made.steps == ()
        assert "its ext4 spans 1 GiB of 10 GiB. It grows to all of it once it can" in made.warnings[-1]
    put = ["persist mount /dev/sdb", "mount filesystem /dev/sdb"]
    assert outline(plan(full(small), mount_point="/srv", mount_options="ro")) == put
    assert outline(plan(full(small), mount_point="/srv"))[2:] == ["grow filesystem /dev/sdb"]
    damaged = full(small._replace(damaged=True))
    assert outline(plan(damaged, mount_point="/srv")) == put
    assert [found.problem for found in health(damaged, {})] == ["errors"]
    counted = damaged._replace(mounts=(read_only[0]._replace(errors=("1 error",)),))
    assert [found.problem for found in health(counted, {})].count("errors") == 1


def test_a_mount_point_that_only_the_kernel_can_make() -> None:
    host = blank(virtual=(Mount("proc", "/proc", "proc", "rw"), Mount("tmpfs", "/run", "tmpfs", "rw")))
    host = host._replace(directories={"/proc/x": None, "/run/x": None})
    refused(
        host, "/proc/x is inside /proc, where the kernel shows what it has .proc.", type="ext4", mount_point="/proc/x"
    )
    assert outline(plan(host, type="ext4", mount_point="/run/x"))[-1] == "mount filesystem /dev/sdb"


def test_a_line_that_mounts_nothing_by_itself_stays() -> None:
    by_hand = f"UUID={UUID} /other ext4 noauto,nofail 0 2\n"
    mounts = (Mount(SDB, "/srv", "ext4", "rw,relatime"),)
    made = plan(full(files={FSTAB: LINE + by_hand}, mounts=mounts), mount_point="")
    assert made.after.files[FSTAB] == by_hand
    other = (mounts[0]._replace(mount_point="/other"),)
    assert plan(full(files={FSTAB: by_hand}, mounts=other), mount_point="").after.files[FSTAB] == ""
    for waits in ("noauto,x-systemd.automount", "nofail"):
        line = f"UUID={UUID} /third ext4 {waits} 0 2\n"
        assert plan(full(files={FSTAB: line + by_hand}), mount_point="").after.files[FSTAB] == by_hand
    assert (
        planner.plan(full(files={FSTAB: by_hand}), parse({"device": "sdb", "state": "absent"}), True).after.files[FSTAB]
        == ""
    )


def test_swap_of_a_system_that_hibernates() -> None:
    host = blank(contents={SDB: Content((Signature("swsuspend"),))})
    refused(host, "memory of a system that hibernates.* Resume that system and shut it down", type="swap")


@pytest.mark.parametrize("words", [{"type": "ext4"}, {"state": "absent"}])
def test_one_device_of_a_btrfs_on_several(words: dict[str, Any]) -> None:
    two = FOUND._replace(type="btrfs", devices=2)
    host = full(two).with_device(disk("/dev/sdc"))._replace(filesystems={SDB: two, "/dev/sdc": two})
    refused(host, "which spans 2 devices .also /dev/sdc.", **words)
    (lost,) = destroyed(planner.plan(host, parse({"device": "sdb", **words}), True))
    assert "which spans 2 devices (also /dev/sdc)" in lost


@pytest.mark.parametrize("other", ["LVM2_member", "crypto_LUKS", "bcache"])
def test_a_second_signature(other: str) -> None:
    host = full(contents={SDB: Content((EXT4, Signature(other)))})
    assert plan(host, type="ext4").steps == ()
    for words in ({"label": "new"}, {"mount_point": "/srv"}):
        refused(host, "beside what is wanted", True, **words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"device": ""}, "filesystems: device is empty"),
        ({"mount_point": "srv"}, "filesystem on sdb: mount_point 'srv' is not an absolute path"),
        ({"type": "swap", "mount_point": "/srv"}, "it is to be swap, which has no mount_point"),
        ({"mount_options": "a b"}, "holds white space"),
    ],
)
def test_what_no_filesystem_can_be(words: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse({"device": "sdb", **words})


def test_facts() -> None:
    want = parse({"device": "sdb"})
    host = full(files={FSTAB: LINE}, mounts=(Mount(SDB, "/srv", "ext4", "rw,relatime"),))
    assert planner.facts(host, want) == {
        "filesystem": {
            "device": "/dev/disk/by-id/sdb",
            "type": "ext4",
            "label": "backup",
            "mount_point": "/srv",
            "mount_options": "defaults",
            "boot_required": True,
            "state": "present",
        },
        "status": {"size": 10 * GiB, "uuid": UUID, "mounted_on": ["/srv"]},
    }
    assert planner.facts(blank(), want) == {"filesystem": None, "status": None}
