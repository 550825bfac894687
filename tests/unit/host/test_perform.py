# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked right before something is written to a device, and what a step does to a host."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Step, Write, digest
from ansible_collections.strata.storage.plugins.module_utils.host import perform as performing
from ansible_collections.strata.storage.plugins.module_utils.host.actions import (
    Claim,
    DropStripes,
    DropVolume,
    Grow,
    Idle,
    InGroup,
    Inspect,
    NoVolume,
    Rebuilt,
    Rejoin,
    Unlabel,
)
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import StrayVolume

from .hosts import EXT4


class Device:
    """A device whose content and identity the test says."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = str(path)
        self.content = Content()
        self.identity = "serial sdb"
        self.commands: list[tuple[str, ...]] = []


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    device = Device(tmp_path / "sdb")
    monkeypatch.setattr(performing, "read_contents", lambda paths: dict.fromkeys(paths, device.content))
    monkeypatch.setattr(performing, "identity", lambda kernel: device.identity if kernel == "sdb" else "other")
    monkeypatch.setattr(performing, "run_command", lambda argv, timeout=0: device.commands.append(argv))
    monkeypatch.setattr(performing, "_vacate", lambda action: device.commands.append(("vacated", *action.command)))
    return device


def perform(action: object) -> None:
    performing.HANDLERS.perform[type(action)](action)


def test_a_device_that_is_what_it_was(device: Device) -> None:
    perform(Claim(device.path, "serial sdb", ()))
    perform(Claim(device.path, "", ()))
    device.content = Content((EXT4,))
    perform(Claim(device.path, "serial sdb", (EXT4,)))
    perform(Claim(device.path, "serial sdb", None))


@pytest.mark.parametrize(
    ("content", "claim", "said"),
    [
        (Content(), Claim("{}.gone", "serial sdb", ()), "is gone; run this again"),
        (Content(), Claim("{}", "serial sdc", ()), "is another device than a moment ago; nothing was written to it"),
        (Content(busy=True), Claim("{}", "serial sdb", ()), "was taken by somebody else meanwhile"),
        (Content(busy=True), Claim("{}", "serial sdb", None), "was taken by somebody else meanwhile"),
        (Content((EXT4,)), Claim("{}", "serial sdb", ()), "holds ext4 now, which is not what was planned with"),
        (Content(), Claim("{}", "serial sdb", (EXT4,)), "holds nothing now"),
        (Content((EXT4._replace(uuid="x"),)), Claim("{}", "serial sdb", (EXT4,)), "holds ext4 now"),
    ],
)
def test_a_device_that_is_not_what_it_was(device: Device, content: Content, claim: Claim, said: str) -> None:
    device.content = content
    with pytest.raises(StorageError, match=said):
        perform(claim._replace(path=claim.path.format(device.path)))


@pytest.mark.parametrize("wipe", [False, True])
def test_a_new_device_that_is_blank_is_left_alone(device: Device, wipe: bool) -> None:
    perform(Inspect(device.path, wipe))
    assert device.commands == []


def test_old_bytes_in_a_new_device(device: Device) -> None:
    device.content = Content((EXT4, Signature("gpt")))
    with pytest.raises(Refused, match=rf"ext4 \(UUID {EXT4.uuid}\) and gpt. Nothing was written over them"):
        perform(Inspect(device.path, wipe=False))
    assert device.commands == []
    perform(Inspect(device.path, wipe=True))
    assert device.commands == [("vacated", "wipefs", "--all", device.path)]


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("btrfs", ("btrfs", "filesystem", "resize", "1:max", "/srv")),
        ("ext4", ("resize2fs", "/dev/data/data")),
        ("xfs", ("xfs_growfs", "/srv")),
    ],
)
def test_growing(device: Device, kind: str, command: tuple[str, ...]) -> None:
    action = Grow(kind, "/dev/data/data", "/srv")
    perform(action)
    assert device.commands == [command]
    assert str(action) == " ".join(command)


def test_a_filesystem_that_is_not_there_yet_is_known_by_what_is_on_the_device(device: Device) -> None:
    placeholders = performing.HANDLERS.placeholders
    assert placeholders
    with pytest.raises(StorageError, match="holds no filesystem that could be mounted"):
        placeholders["filesystem-uuid"](device.path)


# Arrays


@pytest.fixture
def md(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The attributes of an array with one member."""
    monkeypatch.setattr(performing, "SYS", str(tmp_path))
    directory = tmp_path / "md0/md"
    (directory / "dev-sdb").mkdir(parents=True)
    return directory


def test_the_stripe_cache_is_emptied_and_as_large_as_before(md: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setitem(performing._PERFORM, Write, lambda action: written.append(action.value))
    perform(DropStripes("/dev/md0"))
    assert written == []
    (md / "stripe_cache_size").write_text("256")
    perform(DropStripes("/dev/md0"))
    assert written == ["17", "256", "17", "256"]


def test_after_a_wait_the_stripe_cache_is_emptied_only_of_an_array_that_is_still_idle(
    md: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setitem(performing._PERFORM, Write, lambda action: written.append(action.value))
    (md / "stripe_cache_size").write_text("256")
    (md / "sync_action").write_text("recover")
    (then,) = Idle("/dev/md0").then
    perform(then)
    assert written == []
    (md / "sync_action").write_text("idle")
    perform(then)
    assert written == ["17", "256", "17", "256"]


def test_a_former_member_that_md_does_not_take_back_comes_in_as_a_new_one(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(argv: tuple[str, ...], timeout: int = 0) -> None:
        device.commands.append(argv)
        if "--re-add" in argv:
            raise StorageError("too old")

    perform(Rejoin("/dev/md0", device.path))
    assert device.commands == [("mdadm", "--manage", "/dev/md0", "--re-add", device.path)]
    monkeypatch.setattr(performing, "run_command", run)
    perform(Rejoin("/dev/md0", device.path))
    assert device.commands[2:] == [
        ("mdadm", "--zero-superblock", device.path),
        ("mdadm", "--manage", "/dev/md0", "--add", device.path),
    ]


@pytest.mark.parametrize("states", ["faulty", "faulty,replacement", ""])
def test_a_device_that_fails_while_it_is_rebuilt(md: Path, states: str) -> None:
    (md / "dev-sdb/state").write_text(states)
    with pytest.raises(StorageError, match="/dev/sdb failed, or left /dev/md0, while it was rebuilt"):
        perform(Rebuilt("/dev/md0", "/dev/sdb"))


def test_waiting_for_an_array(md: Path) -> None:
    state, action, position = md / "dev-sdb/state", md / "sync_action", md / "reshape_position"
    state.write_text("spare,replacement")
    with pytest.raises(StorageError, match="waited 0 s in vain for /dev/sdb to be whole"):
        perform(Rebuilt("/dev/md0", "/dev/sdb", timeout=0))
    state.write_text("in_sync")
    perform(Rebuilt("/dev/md0", "/dev/sdb", timeout=0))
    for busy, where in (("reshape", "none"), ("idle", "4096")):
        action.write_text(busy)
        position.write_text(where)
        with pytest.raises(StorageError, match="in vain for /dev/md0 to be idle; what it does goes on"):
            perform(Idle("/dev/md0", timeout=0))
    position.write_text("none")
    perform(Idle("/dev/md0", timeout=0))


def test_mdadm_may_have_more_to_do_than_the_kernel(md: Path, tmp_path: Path) -> None:
    (md / "reshape_position").write_text("none")
    (md / "last_sync_action").write_text("reshape")
    perform(Idle("/dev/md0", timeout=0))
    program = tmp_path / "mdadm"
    program.symlink_to("/bin/sh")
    command = [str(program), "-c", "echo ready; read forever", "--grow"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(StorageError, match="in vain for /dev/md0 to be idle"):
            perform(Idle("/dev/md0", timeout=0))
        (md / "last_sync_action").write_text("resync")
        perform(Idle("/dev/md0", timeout=0))
        process.kill()


@pytest.mark.parametrize("there", [True, False])
def test_a_volume_is_taken_back_only_where_there_is_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def answer(argv: tuple[str, ...]) -> str:
        ran.append(argv)
        return "  more\n" if there else ""

    monkeypatch.setattr(performing, "run_command", answer)
    perform(DropVolume("/dev/data/more"))
    chosen = ("lvm", "lvs", "--noheadings", "--options", "lv_name", "--select", "vg_name=data && lv_name=more")
    assert ran == [chosen, *([("lvremove", "--yes", "/dev/data/more")] if there else [])]
    if there:
        with pytest.raises(StorageError, match=r"^/dev/data/more was made by somebody else meanwhile; run this again"):
            perform(NoVolume("/dev/data/more"))
    else:
        perform(NoVolume("/dev/data/more"))


STRAY = StrayVolume("/dev/sdb", "uuid")


@pytest.mark.parametrize(
    ("label", "arguments"),
    [
        (None, None),
        (STRAY._replace(group="data"), ("pvremove",)),
        (STRAY._replace(elsewhere=True), ("pvremove",)),
        # What a vgremove leaves that is cut off between the metadata and the label.
        (STRAY, ("pvremove", "--force", "--force", "--yes")),
    ],
)
def test_a_label_is_taken_off_only_where_there_is_one(
    device: Device, label: StrayVolume | None, arguments: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performing, "read_physical_volume", lambda path: label)
    perform(Unlabel(device.path))
    assert device.commands == ([(*arguments, device.path)] if arguments else [])


@pytest.mark.parametrize(("said", "there"), [("  data\n  data\n", True), ("  data\n  \n", False), ("", False)])
def test_devices_that_left_no_group(said: str, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performing, "run_command", lambda argv: said)
    if there:
        perform(InGroup("data", ("/dev/sdb", "/dev/sdc")))
    else:
        with pytest.raises(StorageError, match=r"^/dev/sdb /dev/sdc are no longer in group data"):
            perform(InGroup("data", ("/dev/sdb", "/dev/sdc")))


def test_a_digest_is_about_the_device_and_not_about_this_boot() -> None:
    """The kernel's number for a device is another after each boot; another device of the same name is another plan."""

    def of(identity: str, *signatures: Signature) -> str:
        return digest((Step("wipe", "device", "/dev/sdb", "", (), claims=(Claim("/dev/sdb", identity, signatures),)),))

    assert of("naa.5 S1 #12 from sector 2048") == of("naa.5 S1 #7 from sector 2048")
    assert of("naa.5 S1 #12") != of("naa.5 S2 #12")
    assert of("naa.5 S1 #12") != of("naa.5 S1 #12", Signature("ext4"))
