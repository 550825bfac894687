# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KVM where it really boots something, software emulation elsewhere."""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path

from .errors import LabError
from .image import Image, cache_directory, progress
from .process import boot_id

PROBE_SECONDS = 15


@functools.cache
def choose(image: Image) -> str:
    """Return `kvm` or `tcg`; the answer is kept until the host boots again. LAB_ACCELERATOR overrides it."""
    forced = os.environ.get("LAB_ACCELERATOR")
    if forced:
        if forced not in ("kvm", "tcg"):
            raise LabError(f"LAB_ACCELERATOR is {forced!r}, which is neither kvm nor tcg")
        return forced
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    answers = cache_directory() / "accelerator.json"
    key = f"{boot_id()} {platform.release()}"
    try:
        known = json.loads(answers.read_text())
        if known["host"] == key:
            return str(known["accelerator"])
    except (OSError, ValueError, KeyError):
        pass
    chosen = "kvm" if kvm_boots(image) else "tcg"
    progress("KVM works" if chosen == "kvm" else "KVM does not work here: software emulation")
    with tempfile.NamedTemporaryFile("w", dir=answers.parent, delete=False) as file:
        json.dump({"host": key, "accelerator": chosen}, file)
    os.replace(file.name, answers)
    return chosen


def kvm_boots(image: Image) -> bool:
    """Whether the guest's kernel gets as far as its panic for want of a root file system.

    KVM may be there and hang the guest, or refuse to set its processor up.
    """
    command = ["qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none", "-machine", "pc"]
    command += ["-m", "256", "-no-reboot", *options("kvm"), "-kernel", str(image.kernel)]
    with tempfile.TemporaryDirectory() as directory:
        console = Path(directory) / "console"
        command += ["-append", "console=ttyS0 panic=-1", "-serial", f"file:{console}"]
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PROBE_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return b"Unable to mount root" in console.read_bytes()


def options(accelerator: str) -> list[str]:
    """Return QEMU's options for `kvm` or `tcg`."""
    return (
        ["-accel", "kvm", "-cpu", "host"]
        if accelerator == "kvm"
        else ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off,erms=off,fsrm=off"]
    )
