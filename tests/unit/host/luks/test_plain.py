# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for swap with a new key at each boot, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.document import drive
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import OnDevice, Use
from ansible_collections.strata.storage.plugins.module_utils.document.luks import Luks, parse
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Device, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem import plan as filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.health import health
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.luks import plan as luks
from ansible_collections.strata.storage.plugins.module_utils.host.luks.crypttab import CRYPTTAB
from ansible_collections.strata.storage.plugins.module_utils.host.luks.read import beginning_path
from ansible_collections.strata.storage.plugins.module_utils.host.luks.state import Plain
from ansible_collections.strata.storage.plugins.module_utils.host.lvm import plan as lvm
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid

from ..hosts import EXT4, GiB, a_host, commands, destroyed, disk, disks, outline, settle

SDB = "/dev/sdb"
SWAP = "/dev/mapper/swap0"
LINE = "swap0 /dev/disk/by-id/sdb /dev/urandom swap,cipher=aes-xts-plain64,size=512,nofail\n"
LEFT = {beginning_path("swap0"): False}
BLANK = a_host(*disks("bc"), files={CRYPTTAB: None}, kept=LEFT)
OPEN = (
    "cryptsetup open --batch-mode --type plain --key-file /dev/urandom --cipher aes-xts-plain64 --key-size 512 "
    "/dev/sdb swap0"
)


def want(**words: Any) -> Luks:
    return parse({"name": "swap0", **words})


NEW = want(device="sdb", type="plain", key_file="/dev/urandom")


def a_plain(crypttab: str = LINE, opened: bool = True, **more: Any) -> Host:
    below = disk(SDB, holders=("/dev/dm-0",) if opened else ())
    inside = (disk("/dev/dm-0", link=SWAP),) if opened else ()
    contents = {"/dev/dm-0": Content((Signature("swap", "u"),)), **more.pop("contents", {})}
    files = {CRYPTTAB: crypttab, **more.pop("files", {})}
    host = a_host(below, disk("/dev/sdc"), *inside, contents=contents, files=files, kept=LEFT, **more)
    return host._replace(plains=(Plain("swap0", SDB, "/dev/dm-0" if opened else ""),))


def test_a_new_one() -> None:
    plan = settle(luks, BLANK, NEW)
    assert outline(plan) == ["persist luks swap0", "open luks swap0"]
    assert commands(plan) == [f"edit {CRYPTTAB}", OPEN]
    assert plan.after.files[CRYPTTAB] == LINE
    assert plan.after.content(SWAP)[SWAP] == Content()


def test_what_it_is_made_with() -> None:
    words: dict[str, Any] = {
        "cipher": "aes-cbc-essiv:sha256",
        "key_size": 256,
        "sector_size": 4096,
        "allow_discards": True,
    }
    plan = settle(luks, BLANK, NEW._replace(**words, boot_required=True))
    assert plan.after.files[CRYPTTAB] == (
        "swap0 /dev/disk/by-id/sdb /dev/urandom swap,cipher=aes-cbc-essiv:sha256,size=256,sector-size=4096,discard\n"
    )
    assert "--sector-size 4096 --allow-discards /dev/sdb swap0" in commands(plan)[-1]


def test_what_a_device_holds_goes_with_permission_alone() -> None:
    held = BLANK.with_content(SDB, EXT4)
    with pytest.raises(Refused, match="refused as luks swap0: it holds an ext4 filesystem"):
        luks.plan(held, NEW, False)
    plan = settle(luks, held, NEW, allow=True)
    assert outline(plan) == ["wipe device /dev/sdb", "persist luks swap0", "open luks swap0"]
    assert destroyed(plan) == [f'/dev/sdb: an ext4 filesystem labelled "backup" (UUID {EXT4.uuid})']


def test_what_was_put_there_since_is_not_overwritten_before_the_boot() -> None:
    host = a_plain(opened=False, contents={SDB: Content((EXT4,))})
    with pytest.raises(Refused, match="refused as luks swap0: it holds an ext4 filesystem"):
        luks.plan(host, want(), False)
    assert [finding.problem for finding in health(host, {})] == ["overwritten"]


def test_one_that_is_open_needs_nothing() -> None:
    assert settle(luks, a_plain(), want()).steps == ()
    assert settle(luks, a_plain(), NEW).steps == ()
    (reported,) = luks.survey(a_plain())
    assert reported.item["type"] == "plain"
    assert settle(luks, a_plain(), parse(reported.item)).steps == ()


def test_one_that_is_closed_is_opened() -> None:
    plan = settle(luks, a_plain(opened=False), want())
    assert commands(plan) == [OPEN]


def test_closed_and_removed() -> None:
    closed = settle(luks, a_plain(), want(state="closed"))
    assert outline(closed) == ["persist luks swap0", "close luks swap0"]
    assert closed.after.files[CRYPTTAB] == LINE.replace("nofail", "nofail,noauto")
    gone = settle(luks, a_plain(), want(state="absent"))
    assert outline(gone) == ["close luks swap0", "persist luks swap0"]
    assert gone.after.files[CRYPTTAB] == ""
    assert settle(luks, gone.after, NEW).after.files[CRYPTTAB] == LINE
    assert settle(luks, BLANK, want(type="plain", state="absent")).steps == ()
    (found,) = luks.present(a_plain())
    assert settle(luks, a_plain(), found.absent).after.plains == ()


def test_what_is_in_use_stays() -> None:
    with pytest.raises(Refused, match=r"is in use as swap\. Take away what uses it first"):
        luks.plan(a_plain(swaps=("/dev/dm-0",)), want(state="absent"), True)


def test_another_cipher_takes_effect_with_the_next_boot() -> None:
    plan = settle(luks, a_plain(), want(cipher="aes-cbc-essiv:sha256"))
    assert outline(plan) == ["persist luks swap0"]
    plan = luks.plan(a_plain(), want(cipher="aes-cbc-essiv:sha256"), False)
    assert plan.pending_reboot == ("luks swap0: cipher aes-cbc-essiv:sha256, since it is open",)
    grown = a_plain().with_size(SDB, 20 * GiB)
    assert luks.plan(grown, want(), False).pending_reboot == (
        "luks swap0: /dev/sdb grew, which swap0 has after the next boot",
    )


def test_a_line_by_the_kernels_name_is_mended() -> None:
    host = a_plain(LINE.replace("/dev/disk/by-id/sdb", "/dev/sdb"))
    assert [(one.problem, one.severity) for one in health(host, {})] == [("kernel name", "critical")]
    plan = settle(luks, host, want())
    assert plan.after.files[CRYPTTAB] == LINE


def test_a_device_without_a_name_that_stays() -> None:
    host = a_host(disk(SDB, link=""), files={CRYPTTAB: None})
    with pytest.raises(Refused, match="luks swap0: /dev/sdb has no name that stays with it"):
        luks.plan(host, NEW, True)


@pytest.mark.parametrize(
    ("host", "words", "error", "message"),
    [
        (BLANK, {"type": "plain"}, StorageError, "to create it, say also: device, key_file"),
        (
            BLANK,
            {"type": "plain", "device": "sdb", "key_file": "/dev/urandom", "state": "closed"},
            StorageError,
            "does not exist, and to create it, say state present",
        ),
        (a_plain(), {"type": "luks2"}, Refused, r"gives it a new key at each boot \(type plain\), and luks2 is wanted"),
        (a_plain(), {"device": "sdc"}, Refused, "has it on /dev/sdb, and /dev/sdc is wanted; remove it there first"),
        (
            BLANK.with_file(CRYPTTAB, "swap0 UUID=1 /k luks\n"),
            {"type": "plain", "device": "sdb", "key_file": "/dev/urandom"},
            Refused,
            "has swap0 with a key that stays",
        ),
        (
            BLANK.with_device(disk(SWAP), SWAP),
            {"type": "plain", "device": "sdb", "key_file": "/dev/urandom"},
            Refused,
            "/dev/mapper/swap0 is there, and is not of /etc/crypttab",
        ),
        (
            a_plain()._replace(plains=(Plain("swap0", SDB, "/dev/dm-0", swap=False),)),
            {},
            Refused,
            "without the option swap, which is not managed here",
        ),
        (
            a_plain()._replace(plains=(Plain("swap0"),)),
            {},
            StorageError,
            "the device that /etc/crypttab has it on is not here",
        ),
    ],
)
def test_what_is_refused(host: Host, words: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        luks.plan(host, want(**words), True)


def test_nothing_else_takes_its_device_or_lies_on_it() -> None:
    mirror = Raid("md0", "1", ("sdb", "sdc"))
    with pytest.raises(Refused, match="has /dev/sdb as swap0, which each boot encrypts with a new key"):
        raid.plan(a_plain(opened=False), mirror, True)
    above = mirror._replace(devices=(SWAP, "sdc"))
    host = a_plain(contents={"/dev/dm-0": Content()})
    with pytest.raises(Refused, match="refused as a member of md0: it has a new key at each boot"):
        raid.plan(host._replace(links={**host.links, SWAP: "/dev/dm-0"}), above, True)


def test_what_lies_on_it_is_swap_by_its_path() -> None:
    made = settle(luks, BLANK, NEW).after
    plan = settle(filesystem, made, OnDevice(SWAP, Use(filesystem="swap")))
    assert outline(plan)[-2:] == [f"persist mount {SWAP}", f"enable swap {SWAP}"]
    assert (plan.after.files[FSTAB] or "").startswith(f"{SWAP} none swap ")
    with pytest.raises(Refused, match="type ext4, and /dev/mapper/swap0 has a new key at each boot"):
        filesystem.plan(made, OnDevice(SWAP, Use(filesystem="ext4")), True)
    with pytest.raises(Refused, match="label x, and"):
        filesystem.plan(made, OnDevice(SWAP, Use(filesystem="swap", label="x")), True)


def test_a_volume_that_is_made_again_is_the_one_that_a_line_names() -> None:
    """Its line was left behind, and the next boot would overwrite what the volume is given."""
    for path in ("/dev/data/s-1", "/dev/mapper/data-s--1"):
        host = a_host(disk(SDB), files={CRYPTTAB: f"swap0 {path} /dev/urandom swap\n"})
        host = host._replace(plains=(Plain("swap0"),))
        want_drive = drive.parse(
            {"name": "data", "devices": ["sdb"], "volumes": [{"name": "s-1", "size": "1G", "filesystem": "ext4"}]}
        )
        with pytest.raises(Refused, match="has /dev/data/s-1 as swap0, which each boot encrypts with a new key"):
            lvm.plan(host, want_drive, True)


def test_a_partition_that_is_only_planned_has_the_link_of_its_disk() -> None:
    part = Device("/dev/sdb1", size=GiB, disk=SDB, link="/dev/disk/by-partlabel/swap")
    host = BLANK.with_device(part, part.link)
    plan = luks.plan(host, NEW._replace(device=part.link), False)
    assert (plan.after.files[CRYPTTAB] or "").split()[1] == "/dev/disk/by-id/sdb-part1"
