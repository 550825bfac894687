# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as values, and plans as tests compare them."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.strata.storage.plugins.module_utils.core.plan import Command, Edit, Plan, Step
from ansible_collections.strata.storage.plugins.module_utils.host.actions import (
    Claim,
    MountOn,
    MoveAway,
    OpenContainer,
    Reencrypt,
    Unlabel,
)
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Device, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.host import Boot, Host
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import Lvm
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Array, Member

MiB = 1 << 20
GiB = 1 << 30
CONF = Boot().conf
UUID = "5f0c1e2a7b3d4c5e8f90a1b2c3d4e5f6"
OTHER = "00112233445566778899aabbccddeeff"
EXT4 = Signature("ext4", "0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a", "backup")
MEMBER = Signature("linux_raid_member")
#: A host that keeps an initramfs, newer than mdadm.conf.
DEBIAN = Boot("update-initramfs", built=200.0, changed=100.0)


def disk(path: str, size: int = 10 * GiB, **more: Any) -> Device:
    kernel = path.rsplit("/", 1)[1]
    return Device(path, kernel, size, **{"identity": f"serial {kernel}", "link": f"/dev/disk/by-id/{kernel}", **more})


def a_host(*devices: Device | str, **more: Any) -> Host:
    """A host with those devices (as paths: disks of 10 GiB), blank unless ``contents`` say otherwise."""
    disks = [disk(device) if isinstance(device, str) else device for device in devices]
    links: dict[str, str | None] = {}
    for device in disks:
        links |= dict.fromkeys((device.path, device.kernel, device.link), device.path)
    parts: dict[str, Any] = {
        "lvm": Lvm(),
        "disks": {},
        "modules": ("bcache",),
        **more,
        "links": {**links, **more.get("links", {})},
        "files": {FSTAB: "", CONF: "", **more.get("files", {})},
        "users": {**{mount.mount_point: "" for mount in more.get("mounts", ())}, **more.get("users", {})},
        "contents": {**{device.path: Content() for device in disks}, **more.get("contents", {})},
        "attached": {**{device.path: () for device in disks}, **more.get("attached", {})},
        "rejections": {**{device.path: "" for device in disks}, **more.get("rejections", {})},
    }
    return Host(devices={device.path: device for device in disks}, **parts)


def disks(letters: str, size: int = 10 * GiB) -> tuple[Device, ...]:
    return tuple(disk(f"/dev/sd{letter}", size) for letter in letters)


def with_array(host: Host, array: Array, size: int = 10 * GiB, *links: str, **device: Any) -> Host:
    """That host, with an array on devices of it; it runs if it has a device."""
    for path in [member.device for member in array.members]:
        host = host.with_content(path, MEMBER, held_by=array.device or None)
    if array.device:
        host = host.with_device(disk(array.device, size, **{"identity": "", **device}), array.device, *links)
    return host._replace(arrays=(*host.arrays, array))


def an_array(*paths: str, device: str = "/dev/md0", level: str = "1", **more: Any) -> Array:
    fields: dict[str, Any] = {
        "uuid": UUID,
        "name": device.rsplit("/", 1)[-1],
        "level": level,
        "raid_devices": len(paths),
        "members": tuple(Member(path, "active", slot) for slot, path in enumerate(paths)),
        "metadata": "1.2",
        "device": device,
        "state": "clean" if device else "",
    }
    return Array(**{**fields, **more})


def mdadm_line(device: str, uuid: str = UUID) -> str:
    return f"ARRAY {device} UUID={':'.join(re.findall('.{8}', uuid))}\n"


def claim(path: str, *signatures: Signature) -> Claim:
    """That a disk is what it was, and holds that."""
    return Claim(path, f"serial {path.rsplit('/', 1)[1]}", signatures)


def run(*argv: str, **more: Any) -> Command:
    return Command(argv, **more)


def outline(plan: Plan) -> list[str]:
    """The steps, without their details."""
    return [f"{step.verb} {step.kind} {step.name}" for step in plan.steps]


def commands(plan: Plan) -> list[str]:
    """All that is run, and the files that are edited."""
    return [
        f"edit {action.path}" if isinstance(action, Edit) else str(action)
        for step in plan.steps
        for action in step.actions
        if isinstance(action, (Command, Edit, MountOn, MoveAway, OpenContainer, Reencrypt, Unlabel))
    ]


def destroyed(plan: Plan) -> list[str]:
    return [sentence for step in plan.steps for sentence in step.destroys]


def the_step(plan: Plan, verb: str, kind: str = "") -> Step:
    (found,) = [step for step in plan.steps if step.verb == verb and kind in ("", step.kind)]
    return found


def settle(planner: Any, host: Host, want: Any, allow: bool = False) -> Plan:
    """The plan, after which there is nothing left to plan. What people read of it has no placeholder in it."""
    plan: Plan = planner.plan(host, want, allow)
    unreadable = [text for step in plan.steps for text in (step.name, step.detail, *step.destroys) if "<" in text]
    assert unreadable == []
    again = planner.plan(plan.after, want, allow)
    assert again.steps == (), [str(step) for step in again.steps]
    assert again.after == plan.after, (again.after, plan.after)
    return plan
