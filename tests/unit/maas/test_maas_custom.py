# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents as custom layouts: the form, the script, and what a machine has that was commissioned with it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.strata.storage.plugins.filter.maas_custom_layout import maas_custom_layout
from ansible_collections.strata.storage.plugins.module_utils.maas import layout
from ansible_collections.strata.storage.plugins.module_utils.maas.custom import on_blank_disks
from ansible_collections.strata.storage.plugins.module_utils.maas.document import parse
from ansible_collections.strata.storage.plugins.module_utils.maas.read import read

from .region import Failed, Maas
from .test_any_layout import Direct, a_layout, shape
from .test_maas_layout import WHOLE
from .test_simulator import ask

#: Disks that nobody has to ask a region for.
BY_HAND = {"physical_disks": [{"name": "sda", "size": "8GB"}, {"name": "sdb", "size": "100GB"}], "boot_disk": "sda"}
TWO_HALVES = {
    "layout": {"sda": {"type": "disk", "ptable": "gpt", "boot": True, "partitions": [{"name": "root", "size": "5G"}]}},
    "mounts": {},
}


def known(maas: Maas) -> dict[str, Any]:
    (machine,) = maas.info(machines=["node1"])["machines"]
    return dict(machine)


def commissioned(maas: Maas, document: dict[str, Any], **words: Any) -> None:
    """The machine with the document as its custom layout."""
    maas.script(layout=maas_custom_layout(document, known(maas), **words))
    assert ask(maas, "POST", "machines/333333/?op=commission", "commissioning_scripts=45-own")[0] == 200
    status, said = ask(maas, "POST", "machines/333333/?op=set_storage_layout", "storage_layout=custom")
    assert status == 200, said


def test_a_whole_document(maas: Maas) -> None:
    document = {**WHOLE, "filesystems": WHOLE["filesystems"][:2]}
    found = maas_custom_layout(document, known(maas), without_labels=True)
    assert found["layout"].keys() == {"sda", "md0", "cached", "data", "special0"}
    assert found["layout"]["sda"] == {
        "type": "disk",
        "ptable": "gpt",
        "boot": True,
        "partitions": [
            {"name": "efi", "size": "536.870912M", "fs": "fat32", "bootable": True},
            {"name": "root", "size": "7457.472512M", "fs": "ext4"},
        ],
    }
    raid = found["layout"]["md0"]
    assert (raid["level"], raid["members"], raid["spares"]) == (6, ["sdb", "sdc", "sdd", "sde"], ["sdf"])
    assert found["layout"]["cached"] == {
        "type": "bcache",
        "backing-device": "md0",
        "cache-device": "nvme0n1",
        "cache-mode": "writeback",
    }
    volumes = found["layout"]["data"].pop("volumes")
    assert found["layout"]["data"] == {"type": "lvm", "members": ["cached"]}
    assert [(one["name"], one["fs"]) for one in volumes] == [("srv", "xfs"), ("logs", "ext4")]
    assert found["mounts"] == {
        "/boot/efi": {"device": "efi"},
        "/": {"device": "root", "options": "noatime"},
        "/srv": {"device": "srv"},
        "/srv/log": {"device": "logs"},
        "/tmp": {"device": "special0", "options": "size=1G"},
    }


@pytest.mark.parametrize("seed", range(12))
def test_a_machine_that_is_commissioned_with_it_has_what_the_document_says(maas: Maas, seed: int) -> None:
    maas.machine.add_disk("sdh", 500107862016)
    document = a_layout(seed)
    planned = layout.plan(on_blank_disks(known(maas)), parse(document), ()).after
    commissioned(maas, document)
    client: Any = Direct(maas.region)
    assert shape(read(client, "node1")) == shape(planned)


def test_the_same_document_changes_nothing_afterwards(maas: Maas) -> None:
    document: dict[str, Any] = {
        "boot_disk": "nvme0n1",
        "partitions": [
            {"name": "nvme0n1-part1", "device": "nvme0n1", "size": "512M", "bootable": True},
            {"name": "nvme0n1-part2", "device": "nvme0n1"},
        ],
        "raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}],
        "filesystems": [
            {"device": "nvme0n1-part1", "type": "fat32", "mount_point": "/boot/efi"},
            {"device": "nvme0n1-part2", "type": "ext4", "mount_point": "/"},
            {"device": "md0", "type": "xfs", "mount_point": "/srv", "mount_options": "noatime"},
        ],
        "special_filesystems": [{"type": "tmpfs", "mount_point": "/tmp", "mount_options": "size=1G"}],
    }
    commissioned(maas, document)
    again = maas.storage(mode="exact", **document)
    assert (again["changed"], again["plan"], again["boot_disk"]) == (False, [], maas.machine.device("nvme0n1").id_path)


def test_a_boot_disk_that_is_used_as_a_whole(maas: Maas) -> None:
    """The region would put partitions there by itself, but not for a custom layout."""
    document: dict[str, Any] = {
        "drives": [{"name": "d", "devices": ["sda", "sdb"], "volumes": [{"name": "v", "size": "50%"}]}]
    }
    commissioned(maas, document)
    assert not maas.storage(**document)["changed"]
    assert [part.filesystem.fstype for part in maas.machine.device("sda").partitions if part.filesystem] == ["lvm-pv"]


def test_what_adds_nothing_to_a_layout_is_told() -> None:
    words: dict[str, Any] = {
        "partitions": [{"name": "gone", "device": "sdb", "state": "absent"}],
        "raids": [{"name": "md0", "level": "1", "devices": ["sda", "sdb"], "renamed_from": "md9"}],
        "drives": [
            {"name": "d", "devices": ["md0"], "volumes": [{"name": "v", "state": "absent"}]},
            {"name": "e", "state": "absent"},
        ],
        "filesystems": [{"device": "sdb", "state": "absent"}],
        "special_filesystems": [{"type": "tmpfs", "mount_point": "/tmp", "state": "absent"}],
    }
    with patch.object(Display, "warning") as warning:
        found = maas_custom_layout(words, BY_HAND)
    assert sorted(found["layout"]) == ["d", "md0", "sda", "sdb"]
    (((said,), _options),) = warning.call_args_list
    assert said == (
        "strata.storage.maas_custom_layout: a layout begins with blank disks, so these add nothing to it: partitions: "
        "gone (absent), drives: e (absent), filesystems: sdb (absent), drives: d/v (absent), special_filesystems: /tmp "
        "(absent), raids: md0 (renamed_from)"
    )
    with patch.object(Display, "warning") as warning:
        maas_custom_layout({"boot_disk": "sda"}, BY_HAND)
    assert not warning.called


def test_disks_that_are_said_by_hand() -> None:
    found = maas_custom_layout(
        {
            "disks": [{"name": "big", "min_size": "50GB"}],
            "partitions": [{"name": "0.x+y", "device": "big"}, {"name": "gone", "device": "sda", "state": "absent"}],
        },
        BY_HAND,
    )
    assert found["mounts"] == {}
    (part,) = found["layout"].pop("sdb")["partitions"]
    assert part["name"] == "part-0-x-y"
    assert found["layout"] == {}


def test_the_first_disk_is_the_boot_disk_where_none_is_said() -> None:
    machine = {"physical_disks": [{"name": name, "size": "9GB"} for name in ("vda", "vdb")]}
    found = maas_custom_layout({"raids": [{"name": "md0", "level": "1", "devices": "vda, vdb"}]}, machine)
    assert found["layout"]["md0"]["members"] == ["vda-part2", "vdb-part2"]
    assert [found["layout"][disk]["boot"] for disk in ("vda", "vdb")] == [True, False]


def test_a_boot_disk_that_is_only_said(maas: Maas) -> None:
    """MAAS passes over a disk without a partition table."""
    commissioned(maas, {"boot_disk": "sdb", "special_filesystems": [{"type": "tmpfs", "mount_point": "/tmp"}]})
    assert known(maas)["boot_disk"] == maas.machine.device("sdb").id_path


@pytest.mark.parametrize(
    "size", [4194304, 998244352, 1044381696, 2067791872, 119209 * 4194304, 107374182400, 4 * 1024**4 - 4194304]
)
def test_sizes_come_through_the_region_s_arithmetic(size: int) -> None:
    found = maas_custom_layout(
        {"partitions": [{"name": "a", "device": "sda", "size": str(size)}]},
        {"physical_disks": [{"name": "sda", "size": "8TB"}]},
    )
    (part,) = found["layout"]["sda"]["partitions"]
    told = int(float(part["size"][:-1]) * 10**6)
    assert part["size"].endswith("M")
    assert told // 4194304 * 4194304 == size


ROOT = {"partitions": [{"name": "a", "device": "sdb", "size": "1GB"}, {"name": "b", "device": "sdb", "size": "1GB"}]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"base_layout": "flat"}, "base_layout: a custom layout of MAAS has no place for that"),
        ({"tags": [{"device": "sda", "tags": ["x"]}]}, "tags: a custom layout"),
        ({"cache_sets": [{"cache_device": "sdb"}]}, "cache_sets: a custom layout"),
        ({"drives": [{"name": "d", "devices": ["sdb"], "uuid": "b1e2c3d4-0001-4aaa-8bbb-0123456789ab"}]}, "uuid: a"),
        ({"filesystems": [{"device": "sdb", "type": "ext4"}]}, "sdb: it holds a filesystem as a whole"),
        ({**ROOT, "filesystems": [{"device": "a", "type": "ext4", "label": "x"}]}, "a: label 'x': custom layouts"),
        ({**ROOT, "filesystems": [{"device": one, "type": "swap"} for one in "ab"]}, "a and b are swap"),
        ({"drives": [{"name": "d", "devices": ["sdb"], "volumes": [{"name": "d"}]}]}, "d: two things have that name"),
        ({"drives": [{"name": "0d", "devices": ["sdb"]}]}, "0d: custom layouts of MAAS take letters"),
        ({**ROOT, "filesystems": [{"device": "sdz", "type": "ext4"}]}, "the machine has no device sdz"),
        ({"partitions": [{"device": "sdb"}]}, "missing required arguments: name"),
        ({"partitions": "sdb"}, "partitions"),
        ({"volumes": []}, "volumes is no option; there are base_layout"),
        ({}, "nothing is wanted"),
    ],
)
def test_what_a_custom_layout_cannot_be(document: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        maas_custom_layout(document, BY_HAND)


def test_a_partition_of_an_array() -> None:
    machine = {"physical_disks": [{"name": f"sd{one}", "size": "9GB"} for one in "abc"]}
    document: dict[str, Any] = {
        "raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}],
        "partitions": [{"name": "a", "device": "md0"}],
    }
    with pytest.raises(AnsibleFilterError, match="a: it is on md0; custom layouts of MAAS partition disks only"):
        maas_custom_layout(document, machine)


@pytest.mark.parametrize(
    ("value", "machine", "said"),
    [
        ([], BY_HAND, "takes a document"),
        ({"boot_disk": "sda"}, "node1", "machine is one of those"),
        ({"boot_disk": "sda"}, {}, "it has no physical_disks"),
        ({"boot_disk": "sda"}, {"physical_disks": [{"name": "sda"}]}, r"physical_disks\[0\]: size is missing"),
        ({"boot_disk": "sdb"}, {"physical_disks": [{"name": "sda", "size": "big"}]}, "size: 'big' is not a size"),
        ({"boot_disk": "sdx"}, BY_HAND, "boot_disk: the machine has no device sdx"),
        ({"boot_disk": "sda"}, {"physical_disks": ["sda"]}, "machine: .*physical_disks"),
        ({"boot_disk": "sda"}, {"physical_disks": {"sda": 1}}, "machine: .*physical_disks"),
        (
            {"boot_disk": "sda"},
            {"physical_disks": [{"name": "sda", "size": s} for s in "12"]},
            "sda is the name of two",
        ),
        ({"boot_disk": "sda"}, {**BY_HAND, "bios_grub": "perhaps"}, "bios_grub"),
    ],
)
def test_what_is_no_machine(value: Any, machine: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        maas_custom_layout(value, machine)


@pytest.mark.parametrize("bios_grub", [False, "false", "no"])
def test_words_as_jinja_gives_them(bios_grub: Any) -> None:
    machine = {"physical_disks": [{"name": "sda", "size": 9 * 10**9, "tags": "ssd"}], "bios_grub": bios_grub}
    document = {
        "disks": [{"name": "fast", "tags": ["ssd"]}],
        "partitions": [{"name": "sda-part1", "device": "fast"}],
    }
    assert maas_custom_layout(document, machine)["layout"]["sda"]["partitions"][0]["name"] == "sda-part1"


# The script


def writes(maas: Maas) -> int:
    return sum(not line.startswith("GET ") for line in maas.server.log)


def test_a_script_is_uploaded_once_and_again_as_a_new_version(maas: Maas) -> None:
    planned = maas.script(check=True, layout=TWO_HALVES)
    assert writes(maas) == 0
    made = maas.script(layout=TWO_HALVES, comment="the first")
    assert (planned["changed"], made["changed"], made["script"]["tags"]) == (True, True, ["noauto", "node"])
    assert made["diff"][-1]["after"] == maas.region.scripts[0].data
    again = maas.script(layout=TWO_HALVES, comment="something else")
    assert (again["changed"], again["plan"]) == (False, [])
    other = {**TWO_HALVES, "mounts": {"/": {"device": "root"}}}
    changed = maas.script(layout=other, comment="mounted")
    assert [one["comment"] for one in changed["script"]["versions"]] == ["mounted", "the first"]
    tagged = maas.script(tags=["fileserver"])
    assert (tagged["changed"], tagged["script"]["tags"]) == (True, ["fileserver", "node"])
    assert len(tagged["script"]["versions"]) == 2
    # MAAS adds the tag of the hardware that the script is for.
    assert not maas.script(layout=other, tags=["fileserver"])["changed"]
    assert not maas.script(layout=other, tags=["node", "fileserver"])["changed"]
    gone = maas.script(state="absent")
    assert gone["plan"][0]["destroys"] == ["script 45-own: 2 versions of it"]
    assert (gone["script"], maas.region.scripts) == (None, [])
    assert not maas.script(state="absent")["changed"]


def test_a_script_that_somebody_else_made_is_left_alone(maas: Maas) -> None:
    assert ask(maas, "POST", "scripts/", "script=" + "%23!/bin/sh%0Atrue&name=45-own&type=commissioning")[0] == 200
    before = writes(maas)
    for words in ({"layout": TWO_HALVES}, {"state": "absent"}, {"tags": ["x"]}):
        with pytest.raises(Failed, match="45-own: the region has one of that name that this module did not make"):
            maas.script(**words)
    assert writes(maas) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"name": "own"}, "begins with 41- to 49-"),
        ({"name": "50-own"}, "begins with 41- to 49-"),
        ({}, "does not exist, and to create it, say also: layout"),
        ({"layout": TWO_HALVES, "tags": ["a b"]}, "'a b': a tag is not empty"),
        ({"layout": TWO_HALVES, "tags": ["destructive"]}, "destructive: MAAS takes this tag away"),
        ({"layout": TWO_HALVES, "tags": ["x", "storage"]}, "storage: MAAS takes this tag away"),
        ({"layout": {"layout": {}}}, "layout: mounts is missing; MAAS would refuse that"),
        ({"layout": {"layout": [], "mounts": {}}}, "layout: layout is no dictionary"),
        ({"layout": {"layout": {"a": {"type": "zpool"}}, "mounts": {}}}, "a: its type is 'zpool', and MAAS has disk"),
        ({"layout": {"layout": {"a": {"type": "raid", "level": 1}}, "mounts": {}}}, "a: members is missing"),
        ({"layout": {"layout": {"a": {"type": "special", "fs": "tmpfs", "x": 1}}, "mounts": {}}}, "x is not known"),
        ({"layout": {"layout": {}, "mounts": {"/": {}}}}, "/: device is missing"),
        ({"layout": {"layout": {}, "mounts": {"/": "sda"}}}, "/ is no dictionary"),
        (
            {"layout": {"layout": {"a": {"type": "disk", "partitions": [{"name": "b"}]}}, "mounts": {}}},
            "a part of it: size is missing",
        ),
    ],
)
def test_what_no_script_can_be(maas: Maas, words: dict[str, Any], said: str) -> None:
    with pytest.raises(Failed, match=said):
        maas.script(**words)
    assert writes(maas) == 0


def test_a_plain_user_uploads_nothing(maas: Maas) -> None:
    with pytest.raises(Failed, match="the API key's user may not do that") as failed:
        maas.script(layout=TWO_HALVES, api_key="other:token:secret")
    assert failed.value.result["changed"] is False


def test_a_layout_is_never_taken_for_the_end_of_the_script(maas: Maas) -> None:
    mounts = {"/a\nEND_OF_LAYOUT\ntouch /tmp/oops": {"device": "x", "options": "$(id) `id` \\"}}
    odd = {"layout": {"x": {"type": "special", "fs": "tmpfs"}}, "mounts": mounts}
    maas.script(layout=odd)
    ask(maas, "POST", "machines/333333/?op=commission", "commissioning_scripts=45-own")
    assert maas.machine.custom_layout == odd


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"partitions": None}, "partitions is None, and MAAS takes a list"),
        ({"partitions": 5}, "partitions is 5, and MAAS takes a list"),
        ({"partitions": [5]}, "a part of it is no dictionary"),
        ({"partitions": [{"name": "root", "size": 5}]}, "size is 5, and MAAS takes a text"),
        ({"partitions": [{"name": "root", "size": "5GiB"}]}, "size is '5GiB'; MAAS takes a number with M, G or T"),
        ({"partitions": [{"name": "root", "size": "0G"}]}, "size is '0G'"),
        ({"partitions": [{"name": "root", "size": "5G", "fs": "ntfs"}]}, "fs is 'ntfs'"),
        ({"partitions": [{"name": "root", "size": "5G", "bootable": "false"}]}, "bootable is 'false'"),
        ({"partitions": [{"name": "sda", "size": "5G"}]}, "sda is the name of two things"),
        ({"ptable": "bsd"}, "ptable is 'bsd'"),
        ({"boot": "yes"}, "boot is 'yes'"),
        ({"type": ["disk"]}, "its type is"),
        ({"type": "raid", "level": "1", "members": ["sdb"]}, "level is '1' .str., and MAAS has 0, 1, 5, 6, 10"),
        ({"type": "raid", "level": True, "members": ["sdb"]}, "level is True"),
        ({"type": "raid", "level": 4, "members": ["sdb"]}, "level is 4"),
        ({"type": "raid", "level": 1, "members": "sdb"}, "members is 'sdb', and MAAS takes a list"),
        ({"type": "lvm", "members": ["sda"]}, "sda is made of itself"),
        (
            {"type": "bcache", "backing-device": "sdb", "cache-device": "sdb", "cache-mode": "None"},
            "cache-mode is 'None'",
        ),
    ],
)
def test_a_layout_that_maas_would_refuse(maas: Maas, entry: dict[str, Any], said: str) -> None:
    """MAAS says so only while it commissions; the machine fails then, or has no such layout."""
    disk = {"type": "disk", "ptable": "gpt"} if "type" not in entry else {}
    layout = {"layout": {"sda": {**disk, **entry}, "sdb": {"type": "disk"}}, "mounts": {}}
    with pytest.raises(Failed, match=said):
        maas.script(check=True, layout=layout)


@pytest.mark.parametrize(
    ("layout", "mounts", "said"),
    [
        ({"a b": {"type": "disk"}}, {}, "a name has letters"),
        ({"sda": {"type": "disk", "partitions": [{"name": "r", "size": "5G"}]}}, {}, "ptable is missing"),
        ({"a": {"type": "lvm", "members": ["b"]}, "b": {"type": "lvm", "members": ["a"]}}, {}, "is made of itself"),
        ({"sda": {"type": "disk"}}, {"/": {"device": "nix"}}, "/: nix is not in the layout"),
        ({"sda": {"type": "disk"}}, {"/": {"device": ["sda"]}}, "/: device is .'sda'., and MAAS takes a text"),
    ],
)
def test_a_whole_layout_that_maas_would_refuse(maas: Maas, layout: Any, mounts: Any, said: str) -> None:
    with pytest.raises(Failed, match=said):
        maas.script(check=True, layout={"layout": layout, "mounts": mounts})


@pytest.mark.parametrize(("bios", "first"), [(True, 2), (False, 1)])
def test_partitions_are_named_as_maas_counts_them(bios: bool, first: int) -> None:
    machine = {"physical_disks": [{"name": "sda", "size": "100GB"}], "bios_grub": bios}

    def document(*names: str) -> dict[str, Any]:
        return {"partitions": [{"name": name, "device": "sda", "size": "1GB"} for name in names]}

    right, wrong = (f"sda-part{first}", f"sda-part{first + 1}"), (f"sda-part{3 - first}", f"sda-part{4 - first}")
    assert maas_custom_layout(document(*right), machine)["layout"]
    assert maas_custom_layout(document("efi", "root"), machine)["layout"]
    with pytest.raises(AnsibleFilterError, match=f"{wrong[0]}: MAAS will call it {right[0]}"):
        maas_custom_layout(document(*wrong), machine)


def test_a_user_who_may_not_upload_a_script(maas: Maas) -> None:
    for check in (True, False):
        with pytest.raises(Failed, match="administrators change scripts, and somebody is none"):
            maas.script(check=check, layout=TWO_HALVES, api_key="other:token:secret")
    assert writes(maas) == 0
