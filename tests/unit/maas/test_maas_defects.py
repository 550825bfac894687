# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real region showed: each of these went wrong there, or left something behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.maas import ALLOCATED, DEPLOYED, NEW, Fault

from .region import GB, Failed, Maas, MiB
from .test_maas_layout import EMPTY, WHOLE, commands, one_raid, outline

OTHER = "other:token:secret"


def mounted(maas: Maas) -> dict[str, str]:
    """What is mounted where."""
    return {
        one.filesystem.mount_point: one.name  # type: ignore[attr-defined]
        for one in maas.machine.holders()
        if one.filesystem and one.filesystem.mount_point
    }


def cut(maas: Maas, after: int, what: str = "cut-after", **words: Any) -> bool:
    """Run a task whose connection is cut at its change of that number. Whether it came so far."""
    maas.server.faults = [Fault("pass", "POST|PUT|DELETE", times=after), Fault(what, "POST|PUT|DELETE", times=99)]
    try:
        maas.storage(**words)
    except Failed:
        return True
    finally:
        maas.server.faults = []
    return False


def every_cut(maas: Maas, before: dict[str, Any], words: dict[str, Any], expected: list[str]) -> int:
    """From ``before`` to ``words`` with a cut after each request, and again: ``expected`` is in use each time."""
    cuts = 0
    for number in range(40):
        maas.storage(**EMPTY, mode="exact", allow_destroy=EVERYTHING)
        maas.storage(**before)
        if not cut(maas, number, **words):
            break
        cuts += 1
        maas.storage(**words)
        assert in_use(maas) == expected, number
        assert not maas.storage(**words)["changed"]
    assert in_use(maas) == expected
    return cuts


EVERYTHING = ["base_layout", *(f"sd{letter}" for letter in "abcdefgh"), "nvme0n1", "nvme1n1"]
EVERYTHING += [f"{disk}-part{number}" for disk in EVERYTHING[1:] for number in (1, 2, 3)]
EVERYTHING += ["md0", "md1", "cached", "other", "bcache0", "d", "data", "vgroot", "/tmp"]


def in_use(maas: Maas) -> list[str]:
    return sorted(
        f"{one.name} {told}"  # type: ignore[attr-defined]
        for one in maas.machine.holders()
        if (
            told := one.filesystem.fstype if one.filesystem else "partitioned" if getattr(one, "partitions", ()) else ""
        )
        or one.tags[len(one.tags) - 1 :] in (["strata-leaving"], ["strata-stand-in"])
    )


# The boot disk and the layout that stands on it


@pytest.mark.parametrize("name", ["flat", "lvm", "bcache"])
def test_a_base_layout_goes_onto_the_boot_disk_that_is_said(maas: Maas, name: str) -> None:
    words: dict[str, Any] = {"base_layout": name, "boot_disk": "nvme0n1"}
    planned = maas.storage(check=True, **words)
    assert outline(planned) == ["set boot disk nvme0n1", f"apply base layout {name}"]
    done = maas.settle(**words)
    assert outline(done) == outline(planned)
    points = mounted(maas)
    assert points["/boot/efi"] == "nvme0n1-part1"
    assert name != "flat" or points["/"] == "nvme0n1-part2"
    # It has that layout, but on another disk.
    words["boot_disk"] = "nvme1n1"
    maas.refused(f"base_layout: {name} removes all that node1 has", **words)
    maas.settle(**words, allow_destroy=["base_layout"])
    assert mounted(maas)["/boot/efi"] == "nvme1n1-part1"
    assert not maas.storage(base_layout=name)["changed"]


def test_the_root_of_a_base_layout_on_another_disk(maas: Maas) -> None:
    words: dict[str, Any] = {"base_layout": "flat", "root_device": "nvme0n1"}
    done = maas.settle(**words)
    assert commands(done) == ["POST machines/333333/?op=set_storage_layout storage_layout=flat root_device=2"]
    assert mounted(maas) == {"/boot/efi": "sda-part1", "/": "nvme0n1-part1"}
    assert not maas.storage(**words, boot_disk="sda")["changed"]
    maas.refused("base_layout: flat removes all", base_layout="flat", root_device="sdb")
    for wrong in ({"root_device": "sdb"}, {"base_layout": "blank", "root_device": "sdb"}):
        maas.refused("root_device: it is for a base_layout that has a root", **wrong)
    maas.refused("root_device: node1 has no device sdz", base_layout="flat", root_device="sdz")
    maas.storage(filesystems=[], partitions=[], mode="exact", allow_destroy=EVERYTHING)
    maas.storage(**one_raid("1", "sdb", "sdc"))
    maas.refused("root_device: md0 is a raid, and a root_device is a disk", base_layout="flat", root_device="md0")


def test_what_a_base_layout_needs_is_known_before(maas: Maas) -> None:
    maas.refused("vmfs6 needs a boot disk of at least 10 GiB, and sda has 7.45 GiB", base_layout="vmfs6")
    for name in ("nvme0n1", "nvme1n1"):
        maas.machine.device(name).tags.remove("ssd")
    maas.refused("bcache needs a disk with the tag ssd beside sda, and node1 has none", base_layout="bcache")
    maas.machine.devices.clear()
    maas.refused("flat needs a disk, and node1 has none that it could boot from", base_layout="flat")


def test_exact_names_the_base_layout_with_the_document(maas: Maas) -> None:
    words: dict[str, Any] = {"base_layout": "flat", "mode": "exact", **EMPTY, **one_raid("1", "sdb", "sdc")}
    maas.storage(**words)
    assert not maas.storage(**words)["changed"]
    assert mounted(maas) == {"/boot/efi": "sda-part1", "/": "sda-part2"}


def test_a_boot_disk_that_something_lets_go_of(maas: Maas) -> None:
    """It may be in use as a whole when the task begins, and not when it ends."""
    maas.storage(**one_raid("1", "sdb", "sdc"))
    maas.refused("boot_disk: sdb is in use as a whole", boot_disk="sdb")
    done = maas.settle(boot_disk="sdb", raids=[{"name": "md0", "state": "absent"}])
    assert outline(done) == ["set boot disk sdb", "remove raid md0"]


# Exact, from the region's own layout


def test_exact_from_the_bcache_layout(maas: Maas) -> None:
    """The partition that the layout made for its cache is nobody's stand-in: it goes by its name."""
    maas.storage(base_layout="bcache")
    nothing = {"partitions": [], "bcaches": [], "filesystems": [], "mode": "exact"}
    maas.refused("mode exact would remove: .*bcaches: bcache0, .*partitions: nvme0n1-part1", **nothing)
    maas.settle(**nothing, allow_destroy=EVERYTHING)
    assert in_use(maas) == []


def test_exact_from_the_bcache_layout_to_an_own_bcache(maas: Maas) -> None:
    maas.storage(base_layout="bcache")
    own = [{"name": "own", "backing_device": "sdb", "cache_device": "nvme0n1"}]
    words = {"partitions": [], "bcaches": own, "filesystems": [], "mode": "exact"}
    maas.settle(**words, allow_destroy=EVERYTHING)
    assert in_use(maas) == ["nvme0n1 bcache-cache", "sdb bcache-backing"]


# What a state, and what a user, may have done


@pytest.mark.parametrize("status", [ALLOCATED, DEPLOYED, NEW, 9])
def test_tags_of_disks_in_another_state(maas: Maas, status: int) -> None:
    """Nothing of the task is sent, and check mode says the same."""
    maas.machine.status = status
    words: dict[str, Any] = {"tags": [{"device": "sdb", "tags": ["rotary", "kept"]}]}
    if status == ALLOCATED:
        words["filesystems"] = [{"device": "sdb", "type": "xfs", "mount_point": "/srv"}]
    said = "and MAAS lets this be changed only while it is Ready: tag device sdb: rotary kept"
    maas.refused(said, **words)
    maas.refused(said, **words, check=True)


def test_tags_of_partitions_in_any_state(maas: Maas) -> None:
    maas.storage(partitions=[{"name": "p", "device": "sdb", "size": "10GB"}])
    maas.machine.status = DEPLOYED
    maas.settle(tags=[{"device": "sdb-part1", "tags": ["kept"]}])


def test_edits_of_an_allocation(maas: Maas) -> None:
    """They are gone with it, and the task says so."""
    maas.machine.allocate("admin")
    words: dict[str, Any] = {"filesystems": [{"device": "sdb", "type": "xfs", "mount_point": "/srv"}]}
    for check in (True, False):
        done = maas.storage(**words, check=check)
        (warning,) = done["warnings"]
        assert warning.startswith("node1 is Allocated: filesystems and mounts that are changed now are as they were")
    maas.machine.release()
    assert maas.storage(**words, check=True)["changed"]
    assert maas.storage(**words)["warnings"] == []


def test_a_user_who_is_no_administrator(maas: Maas) -> None:
    """The module refuses by itself; what the region permits is done."""
    said = "the API key's user may not do that; administrators change storage, and somebody is none"
    filesystem: dict[str, Any] = {"filesystems": [{"device": "sdb", "type": "xfs"}]}
    special: dict[str, Any] = {"special_filesystems": [{"type": "tmpfs", "mount_point": "/tmp"}]}
    for words in (one_raid("1", "sdb", "sdc"), filesystem, {"tags": [{"device": "sdb", "tags": []}]}):
        maas.refused(said, **words, api_key=OTHER)
        maas.refused(said, **words, api_key=OTHER, check=True)
    assert maas.storage(**special, api_key=OTHER)["changed"]
    maas.machine.allocate("somebody")
    assert maas.storage(**filesystem, api_key=OTHER)["changed"]
    maas.refused("node1 is Allocated", **one_raid("1", "sdc", "sdd"), api_key=OTHER)
    maas.machine.owner = "else"
    maas.refused(
        "administrators change storage, and else has allocated it",
        special_filesystems=[{**special["special_filesystems"][0], "state": "absent"}],
        api_key=OTHER,
    )


def test_a_user_whom_another_service_knows(maas: Maas) -> None:
    """Its pools may be its own: the region is asked."""
    maas.region.users[1].local = False
    with pytest.raises(Failed, match="the API key's user may not do that") as failed:
        maas.storage(**one_raid("1", "sdb", "sdc"), api_key=OTHER)
    assert maas.server.log[-1].startswith("POST")
    assert not failed.value.result["changed"]


@pytest.mark.parametrize(
    ("fault", "changed"), [("busy", False), ("redirect", False), ("error", True), ("cut-before", True)]
)
def test_a_first_request_that_the_region_refuses(maas: Maas, fault: str, changed: bool) -> None:
    """Nothing was done, so nothing changed; where no answer came, or the region broke down, it may have."""
    maas.server.faults = [Fault(fault, "POST", times=99, value=0)]
    with pytest.raises(Failed) as failed:
        maas.storage(**one_raid("1", "sdb", "sdc"))
    assert failed.value.result["changed"] is changed
    assert failed.value.result["done"] == []


def test_a_later_request_that_the_region_refuses(maas: Maas) -> None:
    maas.server.faults = [Fault("busy", "POST", "bcaches/", times=99, value=0)]
    with pytest.raises(Failed) as failed:
        maas.storage(**WHOLE)
    assert failed.value.result["changed"]


# Cuts that left something behind


def test_another_cache_with_a_cut(maas: Maas) -> None:
    """The former cache set goes, though nothing but its tag tells that it was to."""
    words = {"name": "cached", "backing_device": "sdb", "cache_device": "nvme0n1"}
    after = {"bcaches": [{**words, "cache_device": "nvme1n1"}]}
    expected = ["nvme1n1 bcache-cache", "sdb bcache-backing"]
    assert every_cut(maas, {"bcaches": [words]}, after, expected) == 5


def test_a_shared_cache_with_a_cut(maas: Maas) -> None:
    """A set that another bcache has left is not taken for one that was made alone."""
    first = {"name": "cached", "backing_device": "sdb", "cache_device": "nvme0n1"}
    other = {"name": "other", "backing_device": "sdc", "cache_device": "nvme1n1"}
    after = {"bcaches": [{**first, "cache_device": "nvme1n1"}]}
    expected = ["nvme1n1 bcache-cache", "sdb bcache-backing", "sdc bcache-backing"]
    assert every_cut(maas, {"bcaches": [first, other]}, after, expected) == 4


def test_a_task_that_changes_its_mind_after_a_cut(maas: Maas) -> None:
    """A tag on a cache whose set stays after all goes; what else the task wants is not disturbed by it."""
    words = {"name": "cached", "backing_device": "sdb", "cache_device": "nvme0n1"}
    maas.storage(bcaches=[words])
    # The new cache set is made; then the former one is tagged.
    for tags in (["ssd"], ["ssd", "strata-leaving"]):
        assert cut(maas, 0, bcaches=[{**words, "cache_device": "nvme1n1"}])
        assert maas.machine.device("nvme0n1").tags == tags
    (told,) = maas.info()["machines"]
    assert told["layout"]["bcaches"][0]["cache_device"].endswith("NVME0N1")
    done = maas.storage(bcaches=[words], tags=[{"device": "nvme0n1", "tags": ["ssd"]}])
    assert outline(done) == ["untag device nvme0n1"]
    maas.storage(bcaches=[words], cache_sets=[])


def test_an_array_on_the_boot_disk_goes_with_a_cut(maas: Maas) -> None:
    gone: dict[str, Any] = {"raids": [{"name": "md0", "state": "absent"}]}
    assert every_cut(maas, one_raid("1", "sda", "sdb"), gone, []) == 5
    # Another task finishes it as well.
    maas.storage(**one_raid("1", "sda", "sdb"))
    cut(maas, 2, **gone)
    assert in_use(maas) == ["sda partitioned", "sda-part1 ", "sdb partitioned", "sdb-part1 "]
    done = maas.storage(**one_raid("1", "sdb", "sdc"))
    assert outline(done) == ["remove partition sda-part1", "remove partition sdb-part1", "create raid md0"]


def test_what_was_left_stays_while_nothing_may_be_changed(maas: Maas) -> None:
    maas.storage(**one_raid("1", "sda", "sdb"))
    cut(maas, 2, raids=[{"name": "md0", "state": "absent"}])
    maas.machine.status = DEPLOYED
    assert not maas.storage(boot_disk="sda")["changed"]


@pytest.mark.parametrize("part", ["backing_device", "cache_device"])
def test_a_bcache_on_the_boot_disk_goes_with_a_cut(maas: Maas, part: str) -> None:
    words = {"name": "cached", "backing_device": "sdb", "cache_device": "nvme0n1", part: "sda"}
    assert every_cut(maas, {"bcaches": [words]}, {"bcaches": [{"name": "cached", "state": "absent"}]}, []) == 6


def test_a_partition_that_somebody_made_stays(maas: Maas) -> None:
    """Over all of a disk, unused, and made elsewhere: it is no stand-in."""
    maas.machine.add_partition(maas.machine.device("sdb"), maas.machine.device("sdb").available_size)
    maas.storage(**one_raid("1", "sdc", "sdd"))
    maas.storage(raids=[{"name": "md0", "state": "absent"}])
    assert in_use(maas) == ["sdb partitioned"]
    maas.refused("sdb: refused as a member of md0: it has partitions", **one_raid("1", "sdb", "sdc"))


def test_a_mount_that_a_format_drops_survives_a_cut(maas: Maas) -> None:
    """The document does not say where it is mounted: that stays as it was."""
    before: dict[str, Any] = {
        "filesystems": [{"device": "sdb", "type": "ext4", "mount_point": "/a b;c", "mount_options": "ro"}]
    }
    after: dict[str, Any] = {"filesystems": [{"device": "sdb", "type": "xfs"}], "allow_destroy": ["sdb"]}
    for number in range(9):
        maas.storage(**{**EMPTY, **before}, mode="exact", allow_destroy=["sdb"])
        if not cut(maas, number, **after):
            break
        maas.storage(**after)
        found = maas.machine.device("sdb").filesystem
        assert found
        assert (found.fstype, found.mount_point, found.mount_options) == ("xfs", "/a b;c", "ro")
        assert maas.machine.device("sdb").tags == ["rotary", "sata"]
    assert number == 4
    cut(maas, 1, filesystems=[{"device": "sdb", "type": "ext4"}], allow_destroy=["sdb"])
    maas.storage(filesystems=[{"device": "sdb", "state": "absent"}], allow_destroy=["sdb"])
    assert maas.machine.device("sdb").tags == ["rotary", "sata"]
    maas.storage(**before)
    maas.machine.allocate("admin")
    maas.refused("sdb: it is mounted at /a b;c, .* Say mount_point too", **after)


def test_a_partition_that_is_made_anew_is_said_whole(maas: Maas) -> None:
    """Else a cut between its removal and its creation would make it another one."""
    maas.storage(partitions=[{"name": "p", "device": "sdb", "size": "10GB", "bootable": True}])
    said = r"p: it has .*, and bootable: false is wanted; .* Say size \(9999220736\) too"
    maas.refused(said, partitions=[{"name": "p", "device": "sdb", "bootable": False}], allow_destroy=["p"])
    said = r"p: it has .*, and 14 GiB is wanted; .* Say bootable \(true\) too"
    maas.refused(said, partitions=[{"name": "p", "device": "sdb", "size": "15GB"}], allow_destroy=["p"])


# The boot disk leaves


def test_the_boot_disk_leaves_a_drive(maas: Maas) -> None:
    def drive(*devices: str) -> dict[str, Any]:
        return {"drives": [{"name": "d", "devices": list(devices)}]}

    maas.storage(**drive("sda", "sdb"))
    done = maas.settle(**drive("sdb"))
    assert outline(done) == ["change drive d", "remove partition sda-part1"]
    maas.settle(**drive("sda", "sdb"))
    assert every_cut(maas, drive("sda", "sdb"), drive("sdb"), ["sdb lvm-pv"]) == 3


def test_the_boot_disk_leaves_an_array(maas: Maas) -> None:
    """The partitions of the others are known as what they are, also when the array goes later."""
    maas.storage(**one_raid("1", "sda", "sdb", "sdc"))
    done = maas.settle(**one_raid("1", "sdb", "sdc"))
    assert outline(done) == ["change raid md0", "remove partition sda-part1"]
    maas.settle(**one_raid("1", "sdb", "sdc"), partitions=[], mode="exact")
    maas.settle(**one_raid("1", "sdc", "sdd"))
    assert in_use(maas) == ["sdc partitioned", "sdc-part1 raid", "sdd raid"]
    maas.settle(raids=[{"name": "md0", "state": "absent"}])
    assert in_use(maas) == []
    expected = ["sdb partitioned", "sdb-part1 raid", "sdc partitioned", "sdc-part1 raid"]
    assert every_cut(maas, one_raid("1", "sda", "sdb", "sdc"), one_raid("1", "sdb", "sdc"), expected) == 5


def test_another_disk_becomes_the_boot_disk(maas: Maas) -> None:
    """What stood for the disks beside the former one still goes with the array."""
    maas.storage(**one_raid("1", "sda", "sdb"))
    maas.settle(boot_disk="nvme0n1")
    maas.settle(raids=[{"name": "md0", "state": "absent"}])
    assert in_use(maas) == []


def test_a_boot_disk_that_was_left_with_a_partition(maas: Maas) -> None:
    """As MAAS leaves it behind, and no other than it would make."""
    maas.machine.add_partition(maas.machine.device("sda"), maas.machine.device("sda").available_size)
    maas.settle(drives=[{"name": "d", "devices": ["sda", "sdb"]}])
    assert in_use(maas) == ["sda partitioned", "sda-part1 lvm-pv", "sdb lvm-pv"]


# What is told can be given back


def test_what_is_told_of_odd_names_can_be_given_back(maas: Maas) -> None:
    """Names, labels, options and sizes that this collection would give nothing, and that somebody else did."""
    machine = maas.machine
    odd = machine.add_group("raid-1", "a/b c")
    machine.join(odd, [machine.device("sdb"), machine.device("sdc")], "raid")
    odd.device = machine.add_virtual(odd, "a/b c", odd.size)
    part = machine.add_partition(odd.device, 10 * GB)
    group = machine.add_group("lvm-vg", "my vg")
    machine.join(group, [machine.device("sdd")], "lvm-pv")
    machine.add_virtual(group, "my lv", 10 * GB - 1)
    maas.storage(
        filesystems=[{"device": "sde", "type": "ext4", "mount_point": "/srv"}, {"device": "sdf", "type": "swap"}]
    )
    found = machine.device("sde").filesystem
    assert found
    found.label, found.mount_point, found.mount_options = "my label", "/srv//", "ro, noatime"
    swap = machine.device("sdf").filesystem
    assert swap
    swap.mount_point = None
    machine.device("sdg").id_path = "/dev/disk/by-path/pci-0000:00:1f.2-ata-1"
    maas.storage(partitions=[{"name": "p", "device": "sdg"}])
    part.bootable = True
    machine.special.append(type(found)("tmpfs", mount_point="/run/x", mount_options="size=1G, ro"))
    (told,) = maas.info()["machines"]
    assert told["layout"]["raids"][0]["name"] == "a/b c"
    assert {"name": "a/b c-part1", "device": "a/b c", "size": str(part.size)} in told["layout"]["partitions"]
    beside = {word: told[word] for word in ("special_filesystems", "boot_disk", "cache_sets", "datastores")}
    done = maas.storage(**told["layout"], **beside, mode="exact")
    assert outline(done) == []


def test_a_volume_group_that_is_called_as_an_array(maas: Maas) -> None:
    """MAAS has one space of names for devices, and a volume group is none."""
    words: dict[str, Any] = {
        **one_raid("1", "sdb", "sdc"),
        "drives": [{"name": "md0", "devices": ["sdd"], "volumes": [{"name": "v", "filesystem": "xfs"}]}],
        "filesystems": [{"device": "md0", "type": "ext4", "mount_point": "/srv"}],
    }
    maas.settle(**words)
    (told,) = maas.info()["machines"]
    assert not maas.storage(**told["layout"], mode="exact")["changed"]
    nothing: dict[str, Any] = {"raids": [], "drives": [], "filesystems": [], "mode": "exact"}
    both = "md0 may mean drives: md0 and raids: md0. Nothing was changed"
    maas.refused(both, **nothing, allow_destroy=["md0"])
    maas.refused("mode exact would remove: raids: md0", **nothing, allow_destroy=["drives: md0", "filesystems: md0"])
    gone = {"drives": [{"name": "md0", "state": "absent"}], "raids": [{"name": "md0"}]}
    maas.refused("md0 may mean raids: md0 and drives: md0", **gone, allow_destroy=["md0"])
    maas.settle(**gone, allow_destroy=["drives: md0"])
    assert mounted(maas) == {"/srv": "md0"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (one_raid("1", "sdb", "sdc"), None),
        ({"raids": [{"name": "a b", "level": "1", "devices": ["sdb", "sdc"]}]}, "array 'a b': a name holds letters"),
        ({"partitions": [{"name": "a b", "device": "sdb"}]}, "partition 'a b': a name has at most 36 letters"),
        ({"drives": [{"name": "a b", "devices": ["sdb"]}]}, "drive 'a b': a name holds letters"),
        ({"drives": [{"name": "d", "devices": ["sdb"], "volumes": [{"name": "a b"}]}]}, "volume 'a b': a name holds"),
        (
            {"bcaches": [{"name": "a b", "backing_device": "sdb", "cache_device": "sdc"}]},
            "bcache 'a b': a name holds letters",
        ),
        ({"filesystems": [{"device": "sdb", "type": "xfs", "label": "a b"}]}, "sdb: label 'a b' holds a character"),
        (
            {"filesystems": [{"device": "sdb", "type": "xfs", "mount_point": "/x", "mount_options": "ro, x"}]},
            "sdb: mount_options 'ro, x' holds white space",
        ),
        (
            {"special_filesystems": [{"type": "tmpfs", "mount_point": "/x", "mount_options": "a b"}]},
            "special filesystem /x: mount_options 'a b' holds white space",
        ),
    ],
)
def test_new_things_get_no_odd_names(maas: Maas, words: dict[str, Any], said: str | None) -> None:
    if said:
        maas.refused(said, **words)
    else:
        maas.storage(**words)


def test_things_that_are_broken_are_told_and_left_alone(maas: Maas) -> None:
    """An array that has lost a member, a bcache that has lost its cache, and partitions on a formatted disk."""
    machine = maas.machine
    maas.storage(**one_raid("1", "sdb", "sdc"))
    maas.storage(bcaches=[{"name": "b", "backing_device": "sdd", "cache_device": "nvme0n1"}])
    maas.storage(filesystems=[{"device": "sde", "type": "ext4"}])
    machine.add_partition(machine.device("sde"), 10 * GB)
    machine.drop_device(machine.device("nvme0n1"))
    machine.leave(machine.groups[0], [machine.device("sdc")])
    (told,) = maas.info()["machines"]
    assert told["layout"]["raids"][0]["devices"] == ["/dev/disk/by-id/ata-NODE1-SDB"]
    assert told["layout"]["bcaches"][0]["cache_device"] is None
    sections = ("raids", "bcaches", "filesystems")
    assert not maas.storage(**{section: told["layout"][section] for section in sections}, mode="exact")["changed"]


@pytest.mark.parametrize(
    ("section", "item"),
    [
        ("raids", {"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}),
        ("bcaches", {"name": "md0", "backing_device": "sdb", "cache_device": "nvme0n1"}),
    ],
)
def test_what_is_left_of_something_whose_disks_have_gone(maas: Maas, section: str, item: dict[str, Any]) -> None:
    made: dict[str, Any] = {section: [item]}
    maas.storage(**made, filesystems=[{"device": "md0", "type": "xfs", "mount_point": "/srv"}])
    for name in ("sdb", "sdc"):
        maas.machine.drop_device(maas.machine.device(name))
    anew: dict[str, Any] = {"raids": [{"name": "md0", "level": "1", "devices": ["sdd", "sde"]}]}
    maas.refused("raids: md0: MAAS keeps something of that name whose disks have gone. Remove that", **anew)
    gone: dict[str, Any] = {section: [{"name": "md0", "state": "absent"}]}
    maas.refused("md0 cannot be removed: it holds a filesystem xfs, mounted at /srv", **gone)
    done = maas.settle(**gone, allow_destroy=["md0"])
    assert outline(done)[0] == "remove leftover md0"
    maas.settle(**anew)
    # Something else of that name is none.
    assert not maas.storage(raids=[{"name": "sdd", "state": "absent"}])["changed"]


# Another device below what is there


def test_the_backing_device_of_a_bcache_with_a_filesystem(maas: Maas) -> None:
    words = {"name": "cached", "backing_device": "sdb", "cache_device": "nvme0n1"}
    filesystem: dict[str, Any] = {"filesystems": [{"device": "cached", "type": "xfs", "mount_point": "/srv"}]}
    maas.storage(bcaches=[words], **filesystem)
    other: dict[str, Any] = {"bcaches": [{**words, "backing_device": "sdd"}]}
    said = "bcache cached: sdb backs it, and sdd is wanted, which does not hold .*xfs, mounted at /srv.* Add cached to"
    maas.refused(said, **other)
    done = maas.settle(**other, allow_destroy=["cached"])
    assert done["plan"][0]["destroys"] == ["cached: a filesystem xfs, mounted at /srv"]
    maas.storage(filesystems=[{"device": "cached", "state": "absent"}], allow_destroy=["cached"])
    maas.storage(drives=[{"name": "d", "devices": ["cached"], "volumes": [{"name": "v"}]}])
    maas.refused("which does not hold .*a device of a volume group, drive d", bcaches=[words])
    maas.settle(drives=[{"name": "d", "state": "absent"}], bcaches=[words])


def test_a_member_of_an_array_without_redundancy(maas: Maas) -> None:
    maas.storage(**one_raid("0", "sdb", "sdc"), filesystems=[{"device": "md0", "type": "xfs"}])
    maas.settle(**one_raid("0", "sdb", "sdc", "sdd"))
    maas.refused("md0: sdd leaves, and a RAID 0 without it does not hold", **one_raid("0", "sdb", "sdc"))
    maas.settle(**one_raid("0", "sdb", "sdc"), allow_destroy=["md0"])


# What has to become smaller first


def drive(size: str, *devices: str, **more: Any) -> dict[str, Any]:
    return {"drives": [{"name": "d", "devices": list(devices), "volumes": [{"name": "v", "size": size, **more}]}]}


@pytest.mark.parametrize("size", ["400GB", "80%", "100%"])
def test_a_volume_shrinks_while_a_device_leaves(maas: Maas, size: str) -> None:
    maas.storage(**drive("900GB", "sdb", "sdc"))
    done = maas.settle(**drive(size, "sdb"))
    assert outline(done) == ["resize volume d/v", "change drive d"]
    maas.storage(**drive("900GB", "sdb", "sdc"))
    said = "drive d: without sdc it has 466 GiB, and its volumes need more"
    maas.refused(said, drives=[{"name": "d", "devices": ["sdb"]}])


def test_a_volume_shrinks_while_an_array_below_it_does(maas: Maas) -> None:
    maas.storage(**one_raid("5", "sdb", "sdc", "sdd", "sde"), **drive("1200GB", "md0"))
    done = maas.settle(**one_raid("5", "sdb", "sdc", "sdd"), **drive("500GB", "md0"))
    assert outline(done) == ["resize volume d/v", "change raid md0"]


@pytest.mark.parametrize("size", ["100%", "60%"])
def test_a_volume_is_a_share_of_what_an_array_below_it_will_have(maas: Maas, size: str) -> None:
    maas.storage(**one_raid("5", "sdb", "sdc", "sdd", "sde"), **drive("100%", "md0"))
    smaller: dict[str, Any] = {**one_raid("5", "sdb", "sdc", "sdd"), **drive(size, "md0")}
    assert outline(maas.settle(**smaller)) == ["resize volume d/v", "change raid md0"]
    larger: dict[str, Any] = {**one_raid("5", "sdb", "sdc", "sdd", "sde"), **drive(size, "md0")}
    assert outline(maas.settle(**larger)) == ["change raid md0", "resize volume d/v"]


def test_volumes_that_grow_wait_for_those_that_shrink(maas: Maas) -> None:
    """Sizes are settled for all of them at once: what is left is what is left then."""

    def volumes(*sizes: tuple[str, str | None]) -> dict[str, Any]:
        return {"drives": [{"name": "d", "devices": ["sdb"], "volumes": [{"name": n, "size": s} for n, s in sizes]}]}

    maas.storage(**volumes(("a", "10%"), ("b", "80%")))
    done = maas.settle(**volumes(("a", "100%"), ("b", "20%")))
    assert outline(done) == ["resize volume d/b", "resize volume d/a"]
    done = maas.settle(**volumes(("new", "100%"), ("a", "30%"), ("b", "20%"), ("last", "10%")))
    assert outline(done) == ["resize volume d/a", "create volume d/new", "create volume d/last"]
    sizes = {one.name: one.size for one in maas.machine.groups[0].volumes}
    assert maas.machine.groups[0].free < 4 * MiB * 4
    assert sizes["new"] > sizes["a"] > sizes["b"] > sizes["last"]
    maas.refused("volume d/x: 0 B is wanted, and drive d has 0 B left", **volumes(("new", "100%"), ("x", "100%")))
