# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps about its arrays for the next boot: ARRAY lines in mdadm.conf, and its initramfs."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import NamedTuple

from ..core.plan import Command, Edit, Step, is_placeholder
from .host import Boot, Host
from .raid.state import Array
from .sysfs import names_in

_REBUILD = {
    "update-initramfs": ("update-initramfs", "-u", "-k", "all"),
    "dracut": ("dracut", "--force", "--regenerate-all"),
}
#: What a line of external metadata says beside its UUID, which no superblock of md's has.
_EXTERNAL = ("metadata=ddf", "metadata=imsm", "container=")
_MDADM_CONFS = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
#: Where systemd has its generators; one in the first place takes the place of those after it.
_GENERATORS = tuple(f"{place}/systemd/system-generators" for place in ("/etc", "/usr/lib", "/lib"))
_NUMBERED = re.compile(r"md\d+")
#: How much is left of a name that several arrays have, before a part of the UUID.
_MOST_SHARED = 23


#: What an ARRAY line has in the place of a path where the array is not to be assembled.
IGNORE = "<ignore>"


def mdadm_conf() -> str:
    """Where this distribution keeps mdadm.conf."""
    debian, other = _MDADM_CONFS
    return debian if os.path.isdir(os.path.dirname(debian)) else other


def read_boot() -> Boot:
    """Which tool keeps the initramfs, and how old its oldest image is, beside mdadm.conf."""
    conf = mdadm_conf()
    boot = Boot(conf=conf, hostname=os.uname().nodename, opens_containers=_opens_containers())
    versions = names_in("/lib/modules")
    if os.path.exists("/usr/sbin/update-initramfs"):
        tool, images = "update-initramfs", [f"/boot/initrd.img-{version}" for version in versions]
    elif os.path.exists("/usr/bin/dracut") or os.path.exists("/usr/sbin/dracut"):
        tool, images = "dracut", [f"/boot/initramfs-{version}.img" for version in versions]
    else:
        return boot
    times = [os.stat(image).st_mtime for image in images if os.path.exists(image)]
    if not times:
        return boot
    changed = os.stat(conf).st_mtime if os.path.exists(conf) else 0.0
    return boot._replace(tool=tool, built=min(times), changed=changed)


def _opens_containers() -> bool:
    """Whether anything at boot reads crypttab: systemd's generator, which is a package of its own in Debian 13."""
    if not os.path.isdir("/run/systemd/system"):
        return os.path.exists("/etc/init.d/cryptdisks")
    found = (f"{directory}/systemd-cryptsetup-generator" for directory in _GENERATORS)
    return os.path.isfile(next((path for path in found if os.path.exists(path)), ""))


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
    return ArrayLine(device, uuid if is_placeholder(uuid) else re.sub("[^0-9a-f]", "", uuid.lower()))


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
    lines = (line for line in array_lines(host) if line.device != IGNORE)
    return tuple(line for line in lines if line.uuid not in found and not is_placeholder(line.uuid))


def gone_line(host: Host, path: str) -> ArrayLine | None:
    return next((line for line in gone_lines(host) if line.device == path), None)


def array_name(host: Host, array: Array) -> str:
    """What the document calls an array: as mdadm.conf does, else as its superblock, else as the kernel.

    Of several arrays of one name, it is the one's that has the best claim to it, or nobody's.
    """
    names = _names(host.files.get(host.boot.conf) or "", host.boot.hostname, host.arrays)
    return names.get((array.uuid, array.device)) or _kernel_name(array)


def claim(host: Host, array: Array) -> int:
    """How good an array's claim to the name in its superblock is: the smaller, the better.

    mdadm qualifies names with that of the host: another host's array of the same name is another one.
    """
    return _claim(host.files.get(host.boot.conf) or "", host.boot.hostname, array)


#: Claims to a name: by mdadm.conf, by the superblock of an array of this host, and of another host's.
_BY_LINE, _OWN, _FOREIGN = range(3)


def is_foreign(host: Host, array: Array) -> bool:
    """Whether an array is another host's by its superblocks, and mdadm.conf does not know it."""
    return claim(host, array) == _FOREIGN and array.uuid not in [line.uuid for line in array_lines(host)]


def _claim(text: str, hostname: str, array: Array) -> int:
    if _line_name(text, array):
        return _BY_LINE
    return _OWN if array.home in ("", "any", _homehost(text, hostname)) else _FOREIGN


@cache
def _homehost(text: str, hostname: str) -> str:
    """The host that mdadm takes this one for."""
    words = [entry.partition("#")[0].split() for entry in _entries(text)]
    said = next((line[1] for line in words if len(line) > 1 and line[0].upper() == "HOMEHOST"), "<system>")
    return hostname if said.lower() == "<system>" else said


def _line_name(text: str, array: Array) -> str:
    path = _paths(text).get(array.uuid, "")
    return path.rsplit("/", 1)[1] if path else ""


@cache
def _paths(text: str) -> dict[str, str]:
    """The paths that mdadm.conf gives to arrays, by UUID; the first line counts."""
    return {line.uuid: line.device for line in reversed(_array_lines(text)) if line.uuid and "/" in line.device}


def _own_name(array: Array) -> str:
    """The name in an array's superblock. mdadm calls /dev/md0 ``0`` there."""
    return f"md{array.name}" if array.device == f"/dev/md{array.name}" else array.name


def _kernel_name(array: Array) -> str:
    return array.device.rsplit("/", 1)[-1]


@cache
def _names(text: str, hostname: str, arrays: tuple[Array, ...]) -> dict[tuple[str, str], str]:
    """The names of arrays by UUID and device, each name once."""
    claims: dict[str, list[tuple[int, Array]]] = {}
    for array in arrays:
        name = _line_name(text, array) or _own_name(array) or _kernel_name(array) or f"array-{array.uuid[:8]}"
        claims.setdefault(name, []).append((_claim(text, hostname, array), array))
    names: dict[tuple[str, str], str] = {}
    for name, claimed in claims.items():
        best = min(rank for rank, _array in claimed)
        first = [array for rank, array in claimed if rank == best]
        for _rank, array in claimed:
            own = name
            if first != [array]:
                own = _kernel_name(array)
                if not own or own in claims:
                    own = f"{name[:_MOST_SHARED]}-{array.uuid[:8]}"
            names[array.uuid, array.device] = own
    return names


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
        steps += (rebuild(host, f"so that the next boot knows {name} as {conf} does"),)
        host = host._replace(boot=host.boot._replace(changed=0.0))
    return steps, host


def rebuild(host: Host, why: str) -> Step:
    """The step that makes the initramfs anew, on a host that has a tool for that."""
    # The tools rename the new image into place without flushing it: a power cut would leave an empty one. And boot
    # loaders do not replay a journal, so what is in it only has to reach its place: hence the device.
    return Step(
        "rebuild",
        "initramfs",
        host.boot.tool,
        why,
        (Command(_REBUILD[host.boot.tool], timeout=900), Command(("sync", "--file-system", "/boot"))),
        flush=_boot_device(host),
    )


def _boot_device(host: Host) -> tuple[str, ...]:
    """Where the filesystem with the initramfs is."""
    devices = {mount.mount_point: mount.device for mount in host.mounts}
    found = devices.get("/boot") or devices.get("/")
    return (found,) if found else ()


def colons(uuid: str) -> str:
    """A UUID as mdadm writes it: four groups of eight digits."""
    if is_placeholder(uuid):
        return uuid
    digits = re.sub("[-:]", "", uuid)
    return ":".join(digits[i : i + 8] for i in range(0, 32, 8))
