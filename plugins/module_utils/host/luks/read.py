# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads LUKS containers: from their headers, and from the device mapper what is open."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping

from ...core.command import ask_command, read_text
from ...core.errors import StorageError
from ...document.luks import Key
from ..devices import Device
from ..sysfs import SYS, names_in
from .crypttab import Line, lines
from .ended import with_header
from .header import BINARY, read_header, reader
from .state import Container, Header, Plain

#: Where headers are backed up. A directory for root alone: who has a backup and a passphrase has the data.
BACKUPS = "/var/lib/strata-storage/luks"
NO_FILE = "there is no key file"
_BETWEEN = "CRYPT-SUBDEV-"
_UNLOCKED = re.compile(r"Key slot (\d+) unlocked")
#: What cryptsetup ends with where no keyslot takes a key.
_NO_SLOT = 2
#: Seconds. Argon2 takes as long as the machine on which the key was set was faster than this one, or has less memory.
PATIENCE = 600


def by_crypttab(text: str | None, devices: Mapping[str, Device], superblocks: Mapping[str, object]) -> dict[str, Line]:
    """What crypttab says, by the path of the device that it means, or by the UUID of the container."""
    named: dict[str, Line] = {}
    tags = {
        **{f"LABEL={header.label}": path for path, header in superblocks.items() if isinstance(header, Header)},
        **_part_tags(devices),
    }
    for line in lines(text):
        named.setdefault(line.uuid or _path(line, tags), line)
    return named


def _part_tags(devices: Mapping[str, Device]) -> dict[str, str]:
    return {tag: path for path, device in devices.items() for tag in device.part_tags}


def _path(line: Line, tags: Mapping[str, str]) -> str:
    return os.path.realpath(line.device) if line.device.startswith("/") else tags.get(line.device, "")


def read_plains(text: str | None, devices: Mapping[str, Device], by_kernel: Mapping[str, Device]) -> tuple[Plain, ...]:
    """What each boot encrypts with a new key, by crypttab."""
    random = [line for line in lines(text) if line.is_random]
    opened = {
        read_text(f"{SYS}/{device.kernel}/dm/name"): device
        for device in (by_kernel.values() if random else ())
        if device.kernel.startswith("dm-") and read_text(f"{SYS}/{device.kernel}/dm/uuid").startswith("CRYPT-PLAIN")
    }
    found = []
    for line in random:
        device = opened.get(line.name)
        lower = [by_kernel[name].path for name in _below(device.kernel) if name in by_kernel] if device else []
        path = next(iter(lower), _path(line, _part_tags(devices)))
        mapped = device.path if device else ""
        found.append(Plain(line.name, path if path in devices else "", mapped, "swap" in line.options))
    return tuple(found)


def read_containers(
    superblocks: Mapping[str, object], by_kernel: Mapping[str, Device], named: Mapping[str, Line]
) -> tuple[Container, ...]:
    """``named``: what crypttab says, by the path of the device that it means, or by the container's UUID."""
    opened = {
        lower: device for device in by_kernel.values() for lower in _opened_by(device, by_kernel) if device.kernel
    }
    found = []
    for path, header in superblocks.items():
        if isinstance(header, Header):
            device = opened.get(path)
            # The UUID goes first: a path that somebody wrote years ago may be another device by now.
            line = named.get(header.uuid.lower()) or named.get(path)
            name = read_text(f"{SYS}/{device.kernel}/dm/name") if device else line.name if line else ""
            mapped = device.path if device else ""
            found.append(Container(path, header, name or f"luks-{header.uuid}", mapped))
    return tuple(found)


def _opened_by(device: Device, by_kernel: Mapping[str, Device]) -> list[str]:
    """The devices that an open container is on."""
    base = f"{SYS}/{device.kernel}"
    if not device.kernel.startswith("dm-") or not read_text(f"{base}/dm/uuid").startswith("CRYPT-LUKS"):
        return []
    return [by_kernel[lower].path for lower in _below(device.kernel) if lower in by_kernel]


def _below(kernel: str) -> list[str]:
    """What a mapping is on, without what cryptsetup puts between while it moves data."""
    found: list[str] = []
    for lower in names_in(f"{SYS}/{kernel}/slaves"):
        between = read_text(f"{SYS}/{lower}/dm/uuid").startswith(_BETWEEN)
        found += _below(lower) if between else [lower]
    return found


def left_behind(uuid: str) -> list[str]:
    """What cryptsetup put between a container and its device to move data, and a running one takes away again."""
    start = f"{_BETWEEN}{uuid.replace('-', '')}-"
    kernels = [name for name in names_in(SYS) if read_text(f"{SYS}/{name}/dm/uuid").startswith(start)]
    return [read_text(f"{SYS}/{name}/dm/name") for name in kernels]


def backup_path(uuid: str) -> str:
    return f"{BACKUPS}/{uuid}.header"


def beginning_path(name: str) -> str:
    """The file in which the beginning of a device is kept, while a container is made around it, or taken off."""
    return f"{BACKUPS}/{name}.beginning"


def read_header_in(path: str) -> Header | None:
    """The header in a backup, or on a device; None where there is none."""
    try:
        with open(path, "rb") as file:
            read = reader(file)
            return read_header(read(BINARY, 0), read)
    except FileNotFoundError:
        return None


def wrong_with_key_file(path: str) -> str:
    """Why a file cannot be a key; empty where it can."""
    if not os.path.exists(path):
        return f"{NO_FILE} {path} on this host"
    if not os.path.isfile(path):
        return f"{path} is no file that reads the same each time, and was to be a key file"
    return "" if os.path.getsize(path) else f"the key file {path} is empty"


def wrong_with_tpm(device: str) -> str:
    """Why systemd cannot use a TPM that it calls so; empty where it can, or a TCTI has to be tried."""
    if device == "auto" and not names_in("/sys/class/tpmrm"):
        return "there is no TPM 2.0 on this host (/sys/class/tpmrm is empty)"
    if device.startswith("/") and not os.path.exists(device):
        return f"there is no {device} on this host"
    if not any(glob.glob(f"{directory}/libtss2-esys.so.0") for directory in ("/usr/lib*", "/usr/lib/*")):
        return "tpm2-tss is not installed on this host (libtss2-esys.so.0)"
    return ""


def read_keyslot(device: str, key: Key) -> int | None:
    """The keyslot that a key unlocks. Raises StorageError where that cannot be told."""
    problem = wrong_with_key_file(key.file) if key.file else ""
    if problem:
        raise StorageError(f"{device}: {problem}")
    with with_header(device) as path:
        argv = ("cryptsetup", "open", "--test-passphrase", "--verbose", "--batch-mode", "--key-file", key.word, path)
        code, output, errors = ask_command(argv, PATIENCE)
    found = _UNLOCKED.search(output)
    if found:
        return int(found.group(1))
    if code == _NO_SLOT:
        return None
    raise StorageError(f"{device}: {key} cannot be tried: {errors or ' '.join(output.split())}")
