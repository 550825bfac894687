# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps about its arrays for the next boot: ARRAY lines in mdadm.conf, and its initramfs."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from ..core.plan import Command, Edit, Step
from .state import Array, Host

_REBUILD = {
    "update-initramfs": ("update-initramfs", "-u", "-k", "all"),
    "dracut": ("dracut", "--force", "--regenerate-all"),
}


#: What a line of external metadata says beside its UUID, which no superblock of md's has.
_EXTERNAL = ("metadata=ddf", "metadata=imsm", "container=")
_NUMBERED = re.compile(r"md\d+")


def array_path(name: str) -> str:
    """``md0`` is /dev/md0, every other name is /dev/md/NAME."""
    return f"/dev/{name}" if _NUMBERED.fullmatch(name) else f"/dev/md/{name}"


class ArrayLine(NamedTuple):
    """An ARRAY entry: ``device`` may be ``<ignore>`` or empty, ``uuid`` is 32 digits, a placeholder, or empty."""

    device: str
    uuid: str


@cache
def _entries(text: str) -> tuple[str, ...]:
    """mdadm.conf by entries: a line that starts with white space belongs to the one before."""
    entries: list[str] = []
    for line in text.splitlines(keepends=True):
        if entries and line[:1] in " \t" and line.strip() and not entries[-1].startswith("#"):
            entries[-1] += line
        else:
            entries.append(line)
    return tuple(entries)


@cache
def _array_line(entry: str) -> ArrayLine | None:
    words = [word for line in entry.splitlines() for word in line.partition("#")[0].split()]
    if not words or words[0].upper() != "ARRAY":
        return None
    device = words[1] if len(words) > 1 and "=" not in words[1] else ""
    uuid = next((word[5:] for word in words if word[:5].upper() == "UUID="), "")
    if any(word.lower().startswith(_EXTERNAL) for word in words):
        uuid = ""
    return ArrayLine(device, uuid if uuid.startswith("<") else re.sub("[^0-9a-f]", "", uuid.lower()))


def array_lines(host: Host) -> tuple[ArrayLine, ...]:
    """The arrays that this host's mdadm.conf knows."""
    return _array_lines(host.files.get(host.boot.conf) or "")


@cache
def _array_lines(text: str) -> tuple[ArrayLine, ...]:
    found = (_array_line(entry) for entry in _entries(text))
    return tuple(line for line in found if line)


def gone_lines(host: Host) -> tuple[ArrayLine, ...]:
    """Those of which no device here carries the UUID; nobody waits for one that is to be ignored."""
    found = {"", *(array.uuid for array in host.arrays)}
    lines = (line for line in array_lines(host) if line.device != "<ignore>")
    return tuple(line for line in lines if line.uuid not in found and not line.uuid.startswith("<"))


def gone_line(host: Host, path: str) -> ArrayLine | None:
    return next((line for line in gone_lines(host) if line.device == path), None)


def array_name(lines: tuple[ArrayLine, ...], array: Array) -> str:
    """What the document calls an array: as mdadm.conf does, else as its superblock, else as the kernel."""
    return next(
        (
            line.device.rsplit("/", 1)[1]
            for line in lines
            if array.uuid and line.uuid == array.uuid and "/" in line.device
        ),
        array.name or array.device.rsplit("/", 1)[-1],
    )


def persist(
    host: Host, name: str, path: str, uuid: str, line: ArrayLine | None, detail: str
) -> tuple[tuple[Step, ...], Host]:
    """The steps after which mdadm.conf and initramfs know an array by that line only; None: not at all.

    ``path`` and ``uuid`` (empty: unknown) tell which entries are about it. A line of the user's that says the same,
    with more words, stays as it is.
    """
    conf = host.boot.conf
    before = host.files.get(conf)
    kept: list[str] = []
    found = False
    for entry in _entries(before or ""):
        parsed = _array_line(entry)
        if parsed and (parsed.device == path or (uuid and parsed.uuid == uuid)):
            if found or parsed != line:
                continue
            found = True
        kept.append(entry)
    if line and not found:
        if kept and not kept[-1].endswith("\n"):
            kept[-1] += "\n"
        kept.append(f"ARRAY {line.device} UUID={colons(line.uuid)}\n")
    after = "".join(kept)
    steps: tuple[Step, ...] = ()
    if after != (before or ""):
        steps += (Step("persist", "raid", name, detail, (Edit(conf, before, after),)),)
        host = host.with_file(conf, after)
    if host.boot.tool and (steps or host.boot.changed > host.boot.built):
        # The tools rename the new image into place without flushing it: a power cut would leave an empty one. And boot
        # loaders do not replay a journal, so what is in it only has to reach its place: hence the device.
        steps += (
            Step(
                "rebuild",
                "initramfs",
                host.boot.tool,
                f"so that the next boot knows {name} as {conf} does",
                (Command(_REBUILD[host.boot.tool], timeout=900), Command(("sync", "--file-system", "/boot"))),
                flush=_boot_device(host),
            ),
        )
        host = host._replace(boot=host.boot._replace(changed=0.0))
    return steps, host


def _boot_device(host: Host) -> tuple[str, ...]:
    """Where the filesystem with the initramfs is."""
    devices = {mount.mount_point: mount.device for mount in host.mounts}
    found = devices.get("/boot") or devices.get("/")
    return (found,) if found else ()


def colons(uuid: str) -> str:
    """A UUID as mdadm writes it: four groups of eight digits."""
    if uuid.startswith("<"):
        return uuid
    digits = re.sub("[-:]", "", uuid)
    return ":".join(digits[i : i + 8] for i in range(0, 32, 8))
