# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked right before something is written to a device, and what a step does to a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.host import actions
from ansible_collections.strata.storage.plugins.module_utils.host.actions import Claim, Grow, Inspect
from ansible_collections.strata.storage.plugins.module_utils.host.state import Content, Signature

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
    monkeypatch.setattr(actions, "read_contents", lambda paths: dict.fromkeys(paths, device.content))
    monkeypatch.setattr(actions, "identity", lambda kernel: device.identity if kernel == "sdb" else "other")
    monkeypatch.setattr(actions, "run_command", lambda argv, timeout=0: device.commands.append(argv))
    monkeypatch.setattr(actions, "_vacate", lambda action: device.commands.append(("vacated", *action.command)))
    return device


def perform(action: object) -> None:
    actions.HOST_PERFORM[type(action)](action)


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
        ("btrfs", ("btrfs", "filesystem", "resize", "max", "/srv")),
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
    with pytest.raises(StorageError, match="holds no filesystem that could be mounted"):
        actions.PLACEHOLDERS["filesystem-uuid"](device.path)
