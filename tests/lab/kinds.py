# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kind of machine a lab is, by LAB_MACHINE or by what works on this host."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from pathlib import Path

from . import accelerator, uml_kernel
from .errors import LabError
from .hardware import Disk, Hardware
from .image import Image, cache_directory, progress
from .machine import Machine
from .process import boot_id
from .qemu import Qemu
from .uml import Uml, reason_against

KINDS: dict[str, type[Qemu] | type[Uml]] = {"qemu": Qemu, "uml": Uml}

# What a kernel has to do before tests rest on it, on two disks.
PROBE = """
set -eu
modprobe -a raid1 bcache dm_mod
mdadm --quiet --create /dev/md0 --run --assume-clean --level=1 --raid-devices=2 --bitmap=none {one} {two}
make-bcache --bdev /dev/md0 > /dev/null
# udev may do that at the same moment.
[ -e /sys/block/md0/bcache ] || echo /dev/md0 > /sys/fs/bcache/register || true
until [ -b /dev/bcache0 ]; do sleep 0.05; done
pvcreate --quiet --quiet /dev/bcache0
vgcreate --quiet probe /dev/bcache0
lvcreate --quiet --yes --extents 100%FREE --name probe probe
mkfs.ext4 -q /dev/probe/probe
mount /dev/probe/probe /mnt
echo written > /mnt/file
umount /mnt
vgchange --quiet --activate n probe
"""
PROBE_SECONDS = 60
FAILURE_SECONDS = 600


def machine(kind: str | None, image: Image, hardware: Hardware) -> Machine:
    """Return the machine of a kind, or of the kind that is to be here."""
    return of(kind or choose(image), image, hardware)


def of(kind: str, image: Image, hardware: Hardware) -> Machine:
    """Return the machine of a kind."""
    if kind not in KINDS:
        raise LabError(f"{kind!r} is no kind of machine: {', '.join(KINDS)}")
    if kind == Uml.kind and (reason := reason_against()):
        raise LabError(f"no machine in user mode here: {reason}")
    return KINDS[kind](image, hardware)


def key(kind: str, image: Image, hardware: Hardware) -> str | None:
    """Return the key of the machine of a kind; None where its kernel would have to be fetched for that."""
    return None if kind == Uml.kind and uml_kernel.find() is None else of(kind, image, hardware).key()


def choose(image: Image) -> str:
    """Return `qemu` or `uml`: what LAB_MACHINE says, else what works first of KVM, user mode and software emulation."""
    forced = os.environ.get("LAB_MACHINE")
    if forced:
        return forced
    if accelerator.choose(image) == "kvm":
        return "qemu"
    return "qemu" if why_uml_fails(image) else "uml"


def why_uml_fails(image: Image) -> str:
    """Say why user mode does not work here; empty if it does.

    That it does is remembered until the host boots again, and that it does not for some minutes: it may have been busy.
    """
    if reason := reason_against():
        return reason
    answers = cache_directory() / "uml.json"
    host = f"{boot_id()} {platform.release()}"
    try:
        kernel = uml_kernel.ensure()
        known_as = f"{kernel.package_version} {image.key}"
    except LabError as error:
        progress(f"no kernel of User Mode Linux: software emulation instead ({error})")
        return str(error)
    try:
        known = json.loads(answers.read_text())
        recent = time.time() - answers.stat().st_mtime < FAILURE_SECONDS
        if known["host"] == host and known_as in known and (not known[known_as] or recent):
            return str(known[known_as])
    except (OSError, ValueError, KeyError):
        known = {}
    reason = probe()
    version = f"User Mode Linux {kernel.version}"
    progress(f"{version} does not work here: software emulation instead ({reason})" if reason else f"{version} works")
    with tempfile.NamedTemporaryFile("w", dir=answers.parent, delete=False) as file:
        json.dump({**(known if known.get("host") == host else {}), "host": host, known_as: reason}, file)
    os.replace(file.name, answers)
    return reason


def probe() -> str:
    """Boot a machine in user mode and use its disks; say what fails."""
    from .guest import CommandError
    from .lab import Lab

    hardware = Hardware(disks=(Disk("HDD1", 64, 7200), Disk("HDD2", 64, 7200)))
    with tempfile.TemporaryDirectory() as directory:
        try:
            with Lab("probe", kind="uml", hardware=hardware, owned=True, directory=Path(directory)) as lab:
                one, two = lab.guest.disk("HDD1"), lab.guest.disk("HDD2")
                lab.guest.run(PROBE.format(one=one, two=two), timeout=PROBE_SECONDS)
        except (LabError, CommandError, OSError) as error:
            return str(error)
    return ""


def forget(directory: Path) -> None:
    """Remove what machines of all kinds keep in a lab's directory; the logs stay."""
    Qemu.forget(directory)
    Uml.forget(directory)
