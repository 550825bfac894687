# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known, and refused, before the first request that changes something."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any, Callable
from unittest.mock import patch

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StepFailed
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.maas import layout
from ansible_collections.strata.storage.plugins.module_utils.maas.client import Client
from ansible_collections.strata.storage.plugins.module_utils.maas.document import parse
from ansible_collections.strata.storage.plugins.module_utils.maas.identity import computed
from ansible_collections.strata.storage.plugins.module_utils.maas.perform import handlers
from ansible_collections.strata.storage.plugins.module_utils.maas.read import read
from tests.simulators.maas import ALLOCATED, Fault, server
from tests.simulators.maas.parts import Filesystem

from .region import KEY, Failed, Maas, add_machine
from .test_maas_layout import outline

ANSWER = vars(server)["_Handler"]._answer
UUID4 = "12345678-1234-4678-8234-567812345678"
PRECIOUS = {"type": "xfs", "label": "PRECIOUS", "mount_point": "/srv"}


# Names of devices


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize(
    "words",
    [
        {"raids": [{"name": "md0", "level": "1", "devices": ["", "sdc"]}]},
        {"raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"], "spare_devices": [""]}]},
        {"tags": [{"device": "", "tags": ["x"]}]},
        {"base_layout": "flat", "root_device": ""},
        {"boot_disk": ""},
        {"cache_sets": [{"cache_device": ""}]},
        {"partitions": [{"name": "p", "device": ""}]},
        {"drives": [{"name": "d", "devices": [""]}]},
        {"datastores": [{"name": "d", "devices": [""]}]},
        {"bcaches": [{"name": "b", "backing_device": "", "cache_device": "sdc"}]},
        {"bcaches": [{"name": "b", "backing_device": "sdb", "cache_device": ""}]},
        {"filesystems": [{"device": "", "type": "xfs"}]},
    ],
)
def test_an_empty_name_is_no_device(maas: Maas, words: dict[str, Any], empty: str) -> None:
    """Disks without a serial number have an empty path, and so has all that is no disk."""
    for device in maas.machine.devices:
        device.id_path = ""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        return empty if value == "" else value

    maas.refused("empty", **filled(words))


def test_two_disks_of_one_serial_number(maas: Maas) -> None:
    path = "/dev/disk/by-id/ata-ACME_SAME"
    for name in ("sdb", "sdc"):
        disk = maas.machine.device(name)
        disk.serial, disk.id_path = "SAME", path
    maas.storage(filesystems=[{"device": "sdc", **PRECIOUS}])
    for text in (path, "/dev/disk/by-id/scsi-SACME_SAME"):
        words = {"filesystems": [{"device": text, "type": "ext4", "mount_point": "/other"}]}
        maas.refused(r"has several disks of it \(sdb and sdc\); say the disk by its name", **words)
    one = {"disks": [{"name": "one", "serial": "SAME"}], "filesystems": [{"device": "one", "type": "ext4"}]}
    maas.refused(r"disks one: node1 has several disks of that \(sdb and sdc\)", **one)
    layout = maas.info(machines=["node1"])["machines"][0]["layout"]
    assert [item["device"] for item in layout["filesystems"]] == ["sdc"]
    assert not maas.storage(mode="exact", **layout)["changed"]


# The connection


@pytest.mark.parametrize("key", ["a:b:c\nX", "a:b:c d", "a:b:c\u20ac", "a\r:b:c", "consumer:t:hidden\n# of the robot"])
def test_a_key_of_several_lines_is_never_told(maas: Maas, tmp_path: Path, key: str) -> None:
    file = tmp_path / "key"
    file.write_text(key + "\n")
    for words in ({"api_key": key}, {"api_key": None, "api_key_file": str(file)}):
        for run in (maas.storage, maas.info, lambda **more: maas.script(state="absent", **more)):
            with pytest.raises(Failed, match="api_key: an API key is one line of ASCII") as failed:
                run(**words)
            assert not {"hidden", "c\nX", "oauth"} & {*str(failed.value).split()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"timeout": -1}, "timeout: -1 is not between"),
        ({"timeout": 0}, "timeout: 0 is not between"),
        ({"timeout": 10**10}, "timeout: 10000000000 is not between"),
        ({"url": "http://[::1"}, "is not the URL of a region"),
        ({"url": "http://region/MAAS?x=y"}, "is not the URL of a region"),
        ({"url": "http:///MAAS"}, "is not the URL of a region"),
    ],
)
def test_options_of_the_connection(maas: Maas, words: dict[str, Any], said: str) -> None:
    maas.refused(said, boot_disk="sda", **words)


def test_a_key_file_that_is_no_text(maas: Maas, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"a:b:\xff\xfe")
    maas.refused("api_key_file: .*: it is no text", boot_disk="sda", api_key=None, api_key_file=str(file))


# Volumes


def test_volumes_that_are_larger_than_their_group_together(maas: Maas) -> None:
    def drive(*volumes: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"drives": [{"name": "d", "devices": ["sdb"], "volumes": list(volumes)}], **more}

    maas.storage(**drive({"name": "a", "size": "50%"}, {"name": "b"}))
    raid = {"raids": [{"name": "md0", "level": "1", "devices": ["sdc", "sdd"]}]}
    # The region has the extents of 233 GiB for a, and b keeps what it has.
    maas.refused(
        "volume d/a: .* is wanted, and drive d has room for", **drive({"name": "a", "size": "60%"}, {"name": "b"})
    )
    maas.refused(
        "volume d/c: .* is wanted, and drive d has 0 B left",
        **drive({"name": "c", "size": "1GB"}, {"name": "b"}, **raid),
    )
    maas.settle(**drive({"name": "a", "size": "60%"}, {"name": "b", "size": "40%"}))
    maas.settle(**drive({"name": "a", "size": "70%"}, {"name": "b", "size": "100%"}))


def test_shares_of_a_disk_that_are_more_than_it_has(maas: Maas) -> None:
    halves = [{"name": name, "device": "sdb", "size": "50%"} for name in ("a", "b")]
    said = r"partition b: 233 GiB is wanted, and sdb has 233 GiB left \(\d+ B and \d+ B\). A share is one of the whole"
    maas.refused(said, partitions=halves)
    maas.settle(partitions=[halves[0], {**halves[1], "size": "100%"}])


# A base layout


FLAT: dict[str, Any] = {"base_layout": "flat", "allow_destroy": ["base_layout"]}


@pytest.mark.parametrize("layout", ["flat", "lvm", "bcache"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdz"]}]}, "has no device sdz"),
        ({"raids": [{"name": "sdb", "level": "1", "devices": ["sdb", "sdc"]}]}, "there is a disk of that name"),
        ({"raids": [{"name": "a b", "level": "1", "devices": ["sdb", "sdc"]}]}, "a name holds letters"),
        ({"raids": [{"name": "md0", "level": "5", "devices": ["sdb", "sdc"]}]}, "needs at least 3 devices"),
        ({"raids": [{"name": "md0", "level": "1", "devices": ["sda", "sdc"]}]}, "sda: refused as a member of md0"),
        ({"tags": [{"device": "sdz", "tags": ["x"]}]}, "has no device sdz"),
        (
            {"disks": [{"name": "n", "tags": ["ssd"], "count": 9}], "raids": [{"name": "md0", "devices": ["n"]}]},
            "9 wanted, and 3 match",
        ),
        ({"filesystems": [{"device": "sdc", "type": "xfs", "mount_point": "/"}]}, "sdc: / is where base layout"),
        ({"drives": [{"name": "d", "devices": ["sdb"], "volumes": [{"name": "v", "size": "9TB"}]}]}, "volume d/v"),
        ({"partitions": [{"name": "own", "device": "sda", "size": "1GB"}]}, "sda has 0 B left"),
        ({"raids": [{"name": "md0", "state": "absent"}], "allow_destroy": ["base_layout", "mdo"]}, "mdo is no item"),
    ],
)
def test_a_document_that_no_base_layout_can_have(maas: Maas, layout: str, words: dict[str, Any], said: str) -> None:
    maas.storage(filesystems=[{"device": "sdb", **PRECIOUS}])
    maas.refused(said, **{**FLAT, "base_layout": layout, **words})


def test_no_machine_is_wiped_where_one_cannot_have_the_document(maas: Maas) -> None:
    add_machine(maas.region, "node2", slow=1)
    both: dict[str, Any] = {"machine": None, "machines": ["node1", "node2"]}
    maas.storage(**both, filesystems=[{"device": "sdb", **PRECIOUS}])
    raids = [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}]
    maas.refused("node2.maas: .*node2 has no device sdc", **both, **FLAT, raids=raids)


@pytest.mark.parametrize("layout", ["flat", "lvm", "bcache", "vmfs6"])
def test_what_a_base_layout_makes_is_named_with_it(maas: Maas, layout: str) -> None:
    maas.storage(boot_disk="nvme0n1")
    words: dict[str, Any] = {
        **FLAT,
        "base_layout": layout,
        "raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}],
    }
    words["filesystems"] = [{"device": "md0", **PRECIOUS}]
    if layout != "vmfs6":
        words["filesystems"].append({"device": "nvme0n1-part1", "type": "fat32", "mount_point": "/boot/efi"})
    if layout == "lvm":
        words["drives"] = [{"name": "vgroot", "volumes": [{"name": "lvroot", "mount_point": "/"}]}]
    if layout == "vmfs6":
        words["datastores"] = [{"name": "more", "devices": ["sdd"]}]
    if layout == "bcache":
        words["bcaches"] = [{"name": "bcache0", "cache_mode": "writeback"}]
    done = maas.storage(**words)
    assert outline(done)[0] == f"apply base layout {layout}"
    assert not maas.storage(**words)["changed"]


# What becomes smaller


def test_an_array_does_not_shrink_under_its_partitions(maas: Maas) -> None:
    disks = ["sdb", "sdc", "sdd", "sde"]
    maas.storage(raids=[{"name": "md0", "level": "5", "devices": disks}])
    maas.storage(
        partitions=[{"name": "p", "device": "md0", "size": "1.2TB"}],
        filesystems=[{"device": "p", **PRECIOUS}],
    )
    said = r"RAID md0: it would become .*, and the partitions of md0 \(md0-part1\) need more"
    maas.refused(said, raids=[{"name": "md0", "devices": disks[:3]}])
    maas.refused(said, raids=[{"name": "md0", "spare_devices": ["nvme0n1"]}])
    maas.settle(raids=[{"name": "md0", "spare_devices": ["sdf"]}])


# Texts


def test_texts_that_look_like_what_a_plan_stands_for(maas: Maas) -> None:
    options = "x-a=<raid:foo>,x-b=<uuid:aa>,x-c=<device:333333/md0>"
    volume = {"name": "v", "size": "1GB", "filesystem": "xfs", "mount_point": "/srv", "mount_options": options}
    maas.settle(
        raids=[{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}],
        drives=[{"name": "d", "devices": ["md0"], "volumes": [volume]}],
    )
    array = maas.machine.groups[0]
    array.label = maas.machine.device("md0").name = "md<raid:5>"
    maas.settle(filesystems=[{"device": "sdd", "type": "xfs", "mount_point": "/<uuid:x>"}])
    layout = {"layout": {"sda": {"type": "disk", "ptable": "gpt"}}, "mounts": {}}
    layout["mounts"] = {"/": {"device": "sda", "options": "x=<uuid:aa>,y=<raid:aa>"}}
    maas.script(layout=layout)
    assert not maas.script(layout=layout)["changed"]


# Items that are named twice


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {
                "drives": [
                    {"name": "d", "devices": ["sdb"], "volumes": [{"name": "v", "state": "absent"}, {"name": "v"}]}
                ]
            },
            "d/v",
        ),
        ({"cache_sets": [{"cache_device": "sdb"}, {"cache_device": "sdb", "state": "absent"}]}, "cache_sets: sdb"),
        ({"tags": [{"device": "sdb", "tags": ["a"]}, {"device": "sdb", "tags": ["b"]}]}, "tags: sdb"),
    ],
)
def test_an_item_that_is_named_twice(maas: Maas, words: dict[str, Any], said: str) -> None:
    maas.refused(f"{said} is named twice", **words)


# What somebody else makes meanwhile


def meanwhile(maas: Maas, request: int, device: str, point: str | None) -> None:
    """Let somebody else format a device, or mount it, before a request of that number is answered."""
    count = 0

    def somebody(_number: int) -> None:
        nonlocal count
        count += 1
        if count == request:
            maas.machine.device(device).filesystem = Filesystem("xfs", mount_point=point)

    maas.server.meanwhile = somebody


@pytest.mark.parametrize("layout", ["flat", "blank"])
def test_no_layout_wipes_what_somebody_made_meanwhile(maas: Maas, layout: str) -> None:
    maas.storage(tags=[{"device": "sdb", "tags": ["rotary"]}])
    if layout == "blank":
        maas.storage(filesystems=[{"device": "sdc", "type": "xfs"}])
    meanwhile(maas, 2, "sdb", "/srv")
    with pytest.raises(Failed, match="node1 was changed by somebody else meanwhile; run this again"):
        maas.storage(base_layout=layout, allow_destroy=["base_layout"])
    assert maas.machine.device("sdb").filesystem is not None


def test_no_mount_replaces_what_somebody_made_meanwhile(maas: Maas) -> None:
    maas.storage(filesystems=[{"device": "sdb", "type": "xfs"}])
    meanwhile(maas, 2, "sdb", "/other")
    with pytest.raises(Failed, match="sdb was changed by somebody else meanwhile"):
        maas.storage(filesystems=[{"device": "sdb", "type": "xfs", "mount_point": "/a"}])


def test_no_group_of_a_name_that_somebody_used_meanwhile(maas: Maas) -> None:
    """MAAS takes it again. So the group that was made later goes again."""
    other: dict[str, Any] = {"drives": [{"name": "d", "devices": ["sdc"]}]}
    count = 0

    def somebody(_number: int) -> None:
        nonlocal count
        count += 1
        if count == 3:
            group = maas.machine.add_group("lvm-vg", "d")
            maas.machine.join(group, [maas.machine.device("sdb")], "lvm-pv")

    maas.server.meanwhile = somebody
    with pytest.raises(Failed, match="volume group d was made by somebody else at the same moment; run this"):
        maas.storage(**other)
    maas.server.meanwhile = None
    assert outline(maas.settle(**other)) == ["change drive d", "change drive d"]


TOGETHER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"drives": [{"name": "d", "devices": ["sdb"]}]}, {"drives": [{"name": "d", "devices": ["sdc"]}]}),
    ({"partitions": [{"name": "a", "device": "sdb", "size": "1GB"}]},) * 2,
    ({"raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}]},) * 2,
]


@pytest.mark.parametrize("words", TOGETHER)
def test_two_tasks_at_the_same_moment(maas: Maas, words: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Both have looked, and both send what makes it. One of them wins."""
    maas.server.faults.append(Fault("crowd", "POST", "groups/|partitions/|raids/", times=2, value=2))
    said: list[str] = []

    def run(task: dict[str, Any]) -> None:
        client = Client(maas.server.url, KEY)
        # A group alone, without the volume that it would get.
        steps = layout.plan(read(client, "node1"), parse(task), ()).steps[:1]
        try:
            execute(steps, handlers(client))
            said.append("made")
        except StepFailed:
            said.append("not made")

    threads = [Thread(target=run, args=(task,)) for task in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["made", "not made"]
    assert len(maas.machine.groups) + len(parts(maas)) == 1


def test_a_machine_that_changes_while_it_is_read(maas: Maas) -> None:
    maas.storage(drives=[{"name": "d", "devices": ["sdb"], "volumes": []}])
    count = 0

    def somebody(_number: int) -> None:
        nonlocal count
        count += 1
        if count == 2:
            maas.machine.add_virtual(maas.machine.groups[0], "v", 10**9)

    maas.server.meanwhile = somebody
    maas.refused("node1 was changed by somebody else while it was read; run this again", drives=[{"name": "d"}])


def test_no_partition_beside_one_that_somebody_made_meanwhile(maas: Maas) -> None:
    """Two tasks at once would make the same one twice."""
    part: dict[str, Any] = {"device": "sdb", "size": "10GB"}
    maas.storage(partitions=[{"name": "a", **part}])
    count = 0

    def somebody(_number: int) -> None:
        nonlocal count
        count += 1
        if count == 3:
            uuid = computed(maas.machine.system_id, "b")
            maas.machine.add_partition(maas.machine.device("sdb"), 10**10, uuid=uuid)

    maas.server.meanwhile = somebody
    with pytest.raises(Failed, match="sdb was changed by somebody else meanwhile: "):
        maas.storage(partitions=[{"name": "b", **part}])
    maas.server.meanwhile = None
    assert not maas.storage(partitions=[{"name": "b", **part}])["changed"]


# The boot disk


def parts(maas: Maas) -> list[str]:
    return [part.name for device in maas.machine.devices for part in device.partitions]


@pytest.mark.parametrize("bios", ["uefi", "pxe"])
def test_the_boot_disk_comes_into_an_array(maas: Maas, bios: str) -> None:
    """By a partition over all of it, as MAAS would have made one of a new array."""
    maas.machine.bios_boot_method = bios
    mine = "sda-part1" if bios == "uefi" else "sda-part2"
    array = {"name": "md0", "level": "1"}
    whole: dict[str, Any] = {"raids": [{**array, "devices": ["sda", "sdb", "sdc"]}]}
    maas.storage(raids=[{**array, "devices": ["sdb", "sdc"]}])
    assert outline(maas.settle(**whole)) == [f"create partition {mine}", "change raid md0"]
    layout = maas.info(machines=["node1"])["machines"][0]["layout"]
    assert not maas.storage(mode="exact", **layout)["changed"]
    spare: dict[str, Any] = {"raids": [{**array, "devices": ["sdb", "sdc"], "spare_devices": ["sda"]}]}
    maas.settle(**spare)
    assert parts(maas) == [mine]
    maas.settle(raids=[{**array, "devices": ["sdb", "sdc"], "spare_devices": []}])
    assert parts(maas) == []
    assert outline(maas.settle(**spare)) == [f"create partition {mine}", "change raid md0"]
    maas.settle(raids=[{**array, "state": "absent"}])
    assert parts(maas) == []


def test_a_partition_that_stands_for_the_boot_disk_is_not_absent(maas: Maas) -> None:
    words: dict[str, Any] = {
        "raids": [{"name": "md0", "level": "1", "devices": ["sda", "sdb"]}],
        "partitions": [{"name": "sda-part1", "device": "sda", "state": "absent"}],
    }
    said = "partitions: sda-part1 is to be absent, and sda can take part in something only by a"
    maas.refused(said, **words)
    maas.storage(raids=[{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}])
    maas.refused(said, **words)


def test_the_boot_disk_comes_into_an_array_that_would_become_too_small(maas: Maas) -> None:
    array = {"name": "md0", "level": "1"}
    maas.storage(
        raids=[{**array, "devices": ["sdb", "sdc"]}],
        partitions=[{"name": "a", "device": "md0", "size": "100GB"}],
    )
    said = "RAID md0: it would become 7.4. GiB, and the partitions of md0 .* need more"
    maas.refused(said, raids=[{**array, "devices": ["sda", "sdb", "sdc"]}])


def test_a_bcache_moves_onto_the_boot_disk(maas: Maas) -> None:
    words = {"name": "b", "backing_device": "sdb", "cache_device": "nvme0n1"}
    maas.storage(bcaches=[words])
    done = maas.settle(bcaches=[{**words, "backing_device": "sda"}])
    assert outline(done) == ["create partition sda-part1", "change bcache b"]
    maas.settle(bcaches=[words])
    assert parts(maas) == []
    # Somebody made a disk of a bcache the boot disk in MAAS: to say so changes nothing.
    maas.machine.chosen_boot_disk = maas.machine.device("sdb")
    assert not maas.storage(boot_disk="sdb", bcaches=[words])["changed"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("what", ["cut-before", "cut-after"])
@pytest.mark.parametrize("another", [False, True])
def test_a_cut_while_the_boot_disk_comes_in(maas: Maas, method: str, what: str, another: bool) -> None:
    array = {"name": "md0", "level": "1"}
    without: dict[str, Any] = {"raids": [{**array, "devices": ["sdb", "sdc"]}]}
    whole: dict[str, Any] = {"raids": [{**array, "devices": ["sda", "sdb", "sdc"]}]}
    maas.storage(**without)
    maas.server.faults.append(Fault(what, method))
    with pytest.raises(Failed, match="no answer came"):
        maas.storage(**whole)
    if another:
        maas.settle(**without)
        assert parts(maas) == []
    maas.settle(**whole)
    assert parts(maas) == ["sda-part1"]


def test_a_partition_that_the_document_names_is_no_stand_in(maas: Maas) -> None:
    maas.storage(bcaches=[{"name": "b", "backing_device": "sda", "cache_device": "nvme1n1"}])
    layout = maas.info(machines=["node1"])["machines"][0]["layout"]
    part = maas.machine.device("sda").partitions[0]
    part.tags.append("strata-stand-in")
    bcache = {"name": "b", "backing_device": "nvme0n1", "cache_device": "nvme1n1"}
    done = maas.settle(partitions=layout["partitions"], bcaches=[bcache])
    assert outline(done) == ["change bcache b", "untag device sda-part1"]
    # Nor does another task take it for one.
    assert not maas.storage(tags=[{"device": "sdb", "tags": ["rotary", "sata"]}])["changed"]


def test_stand_ins_that_are_told_can_be_given_back(maas: Maas) -> None:
    """They stay what they are while something uses them."""
    array = {"name": "md0", "level": "1", "devices": ["sda", "sdb", "sdc"]}
    maas.storage(raids=[array])
    maas.storage(raids=[{**array, "devices": ["sdb", "sdc"]}])
    layout = maas.info(machines=["node1"])["machines"][0]["layout"]
    assert not maas.storage(mode="exact", **layout)["changed"]
    done = maas.settle(raids=[{"name": "md0", "state": "absent"}])
    assert outline(done) == ["remove raid md0", "remove partition sdb-part1", "remove partition sdc-part1"]


def test_a_tag_goes_with_its_task(maas: Maas) -> None:
    """A member and a spare change places, for a moment in nothing."""
    array = {"name": "md0", "level": "1"}
    maas.storage(raids=[{**array, "devices": ["sda", "sdb"], "spare_devices": ["sdc"]}])
    maas.settle(raids=[{**array, "devices": ["sda", "sdc"], "spare_devices": ["sdb"]}])
    assert not [part for device in maas.machine.devices for part in device.partitions if part.tags]


# Answers, and warnings


@pytest.mark.parametrize("answer", ["", "null", "{}", '"x"', "[null]", "[{}]"])
def test_answers_that_no_region_gives(maas: Maas, answer: str) -> None:
    """A proxy may answer with status 200 too."""
    told = (200, answer.encode(), "application/json; charset=utf-8")

    def mangled(handler: Any, body: Any) -> Any:
        return (*told, *ANSWER(handler, body)[3:])

    with patch.object(vars(server)["_Handler"], "_answer", mangled):
        runs: tuple[Callable[[], Any], ...] = (
            maas.info,
            lambda: maas.info(machines=["node1"]),
            lambda: maas.storage(boot_disk="sda"),
            lambda: maas.storage(machine=None, pool="default", boot_disk="sda"),
            lambda: maas.script(state="absent"),
        )
        for run in runs:
            with pytest.raises(Failed) as failed:
                run()
            assert "error of the module" not in str(failed.value)
            assert "no machines" not in str(failed.value)


def test_an_allocated_machine_is_warned_of_what_the_plan_does(maas: Maas) -> None:
    maas.storage(filesystems=[{"device": "sdb", **PRECIOUS}])
    maas.storage(special_filesystems=[{"type": "tmpfs", "mount_point": "/t"}])
    maas.machine.status, maas.machine.owner = ALLOCATED, "admin"
    assert maas.storage(filesystems=[{"device": "sdc", "state": "absent"}])["warnings"] == []
    emptied: list[dict[str, Any]] = [{"filesystems": []}, {"special_filesystems": []}]
    for words in emptied:
        done = maas.storage(mode="exact", allow_destroy=["sdb", "/t"], **words)
        assert done["changed"]
        assert "node1 is Allocated" in done["warnings"][-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"tags": [{"device": "sdb", "tags": ["a b"]}]}, "'a b': a tag is not empty"),
        ({"tags": [{"device": "sdb", "tags": ["b,c"]}]}, "'b,c': a tag is not empty"),
        ({"tags": [{"device": "sdb", "tags": ["rotary", ""]}]}, "'': a tag is not empty"),
        ({"tags": [{"device": "sdb", "tags": ["strata-leaving"]}]}, "this collection's own"),
        ({"tags": [{"device": "sdb", "tags": ["strata-mount=/x;y"]}]}, "this collection's own"),
        ({"special_filesystems": [{"type": "tmpfs", "mount_point": ""}]}, "mount_point is empty"),
        (
            {"drives": [{"name": "d", "devices": ["sdb"], "volumes": [{"name": "v", "filesystem_uuid": UUID4}]}]},
            "d/v: it holds no filesystem; say the type",
        ),
        ({"filesystems": [{"device": "sdb", "uuid": UUID4}]}, "sdb: it holds no filesystem; say the type"),
    ],
)
def test_words_that_a_region_would_refuse_in_mid_task(maas: Maas, words: dict[str, Any], said: str) -> None:
    maas.refused(said, **words)
