# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""QEMU's command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import Hardware, LabError
from tests.lab.hardware import wwn
from tests.lab.qemu import Boot, disk_device, qemu_command
from tests.lab.state import Medium

BOOT = Boot(Path("kernel"), Path("initrd"))
MEDIA = {"HDD1": Medium("HDD1.qcow2"), "SSD1": Medium("SSD1.new-1.qcow2", 4096, 1 << 20)}


def values(command: list[str], option: str) -> list[str]:
    """Return all values of an option."""
    return [command[number + 1] for number, word in enumerate(command) if word == option]


def test_only_disks_in_their_places_are_plugged_in() -> None:
    command = qemu_command(Hardware(), "tcg", BOOT, MEDIA, port=0)
    nodes = [json.loads(value)["node-name"] for value in values(command, "-blockdev")]
    assert nodes == ["root", "boot", "HDD1", "SSD1"]


def test_a_cut_loses_what_qemu_has_not_flushed() -> None:
    command = qemu_command(Hardware(), "tcg", BOOT, MEDIA, port=0)
    for value in values(command, "-blockdev"):
        node = json.loads(value)
        assert node["driver"] == "qcow2"
        assert node["cache"] == {"direct": False, "no-flush": True}


def test_disks_have_serials_names_and_places_of_their_own() -> None:
    hardware = Hardware()
    devices = [disk_device(hardware, disk.serial, Medium(disk.serial)) for disk in hardware.disks]
    for key in ("serial", "wwn", "scsi-id"):
        assert len({str(device[key]) for device in devices}) == 8
    assert all(number >> 60 == 5 for number in (wwn(disk.serial) for disk in hardware.disks))
    assert {device["rotation_rate"] for device in devices} == {1, 7200}


def test_unknown_disk() -> None:
    with pytest.raises(LabError, match="HDD9"):
        Hardware().disk("HDD9")


def test_ssh_only_from_this_machine() -> None:
    command = qemu_command(Hardware(), "tcg", BOOT, MEDIA, port=2200)
    assert "hostfwd=tcp:127.0.0.1:2200-:22" in values(command, "-netdev")[0]


def test_snapshot() -> None:
    command = qemu_command(Hardware(), "kvm", replace(BOOT, snapshot="ready"), MEDIA, port=0)
    assert values(command, "-loadvm") == ["ready"]
    assert values(command, "-accel") == ["kvm"]


def test_a_disk_shows_its_sectors_and_a_second_path_is_the_same_disk() -> None:
    hardware = Hardware()
    first, second = (disk_device(hardware, "SSD1", MEDIA["SSD1"], path) for path in (1, 2))
    assert (first["logical_block_size"], first["opt_io_size"]) == (4096, 1 << 20)
    assert {key for key in first if first[key] != second[key]} == {"id", "scsi-id"}
    taken = [disk_device(hardware, disk.serial, Medium(disk.serial))["scsi-id"] for disk in hardware.disks]
    assert second["scsi-id"] not in taken
