# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""QEMU's command line, and telling our QEMU from whatever else has its pid."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import Hardware, LabError
from tests.lab.guest import Access
from tests.lab.machine import Boot, Process, disk_device, qemu_command, wwn

BOOT = Boot(Path("kernel"), Path("initrd"))
FILES = {name: f"{name}.qcow2" for name in ("root", "boot", "HDD1", "SSD1")}


def values(command: list[str], option: str) -> list[str]:
    """Return all values of an option."""
    return [command[number + 1] for number, word in enumerate(command) if word == option]


def test_only_disks_with_a_file_are_plugged_in() -> None:
    command = qemu_command(Hardware(), "tcg", BOOT, FILES, port=0, owned=False)
    nodes = [json.loads(value)["node-name"] for value in values(command, "-blockdev")]
    assert nodes == ["root", "boot", "HDD1", "SSD1"]


def test_a_cut_loses_what_qemu_has_not_flushed() -> None:
    command = qemu_command(Hardware(), "tcg", BOOT, FILES, port=0, owned=False)
    for value in values(command, "-blockdev"):
        node = json.loads(value)
        assert node["driver"] == "qcow2"
        assert node["cache"] == {"direct": False, "no-flush": True}


def test_disks_have_serials_names_and_places_of_their_own() -> None:
    hardware = Hardware()
    devices = [disk_device(hardware, disk.serial, disk.serial) for disk in hardware.disks]
    for key in ("serial", "wwn", "scsi-id"):
        assert len({str(device[key]) for device in devices}) == 8
    assert all(number >> 60 == 5 for number in (wwn(disk.serial) for disk in hardware.disks))
    assert {device["rotation_rate"] for device in devices} == {1, 7200}


def test_unknown_disk() -> None:
    with pytest.raises(LabError, match="HDD9"):
        Hardware().disk("HDD9")


def test_ssh_only_from_this_machine() -> None:
    command = qemu_command(Hardware(), "tcg", BOOT, FILES, port=2200, owned=False)
    assert "hostfwd=tcp:127.0.0.1:2200-:22" in values(command, "-netdev")[0]


def test_owned_dies_with_its_owner() -> None:
    assert qemu_command(Hardware(), "tcg", BOOT, FILES, port=0, owned=True)[:3] == ["setpriv", "--pdeathsig", "KILL"]


def test_snapshot() -> None:
    command = qemu_command(Hardware(), "kvm", replace(BOOT, snapshot="ready"), FILES, port=0, owned=False)
    assert values(command, "-loadvm") == ["ready"]
    assert values(command, "-accel") == ["kvm"]


def test_ssh_trusts_the_pinned_key_alone() -> None:
    command = Access(2200, Path("client"), Path("known")).ssh("id", "-u", user="operator")
    assert command[:3] == ["ssh", "-F", "none"]
    assert {"StrictHostKeyChecking=yes", "UserKnownHostsFile=known", "IdentityFile=client"} <= set(command)
    assert command[-3:] == ["operator@127.0.0.1", "id", "-u"]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for the end of its input."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_process_that_runs(child: subprocess.Popen[bytes]) -> None:
    process = Process.of(child.pid)
    assert process.alive()
    assert not process.wait(0.01)


def test_killed_process(child: subprocess.Popen[bytes]) -> None:
    process = Process.of(child.pid)
    process.kill()
    assert not process.alive()
    process.kill()


def test_another_process_with_the_pid_is_left_alone(child: subprocess.Popen[bytes]) -> None:
    process = Process.of(child.pid)
    for other in (replace(process, started=process.started - 1), replace(process, boot_id="an earlier one")):
        assert not other.alive()
        other.kill()
    assert process.alive()


def test_no_process() -> None:
    with pytest.raises(LabError, match="gone"):
        Process.of(2**22 + 1)
