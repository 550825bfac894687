# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every kind of machine can do; `qemu.py` and `uml.py` are the two kinds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from .errors import LabError
from .guest import Access, Guest, Nudges
from .image import Image
from .process import Process
from .state import Medium, State
from .write_log import Recorder

READY = "ready"
"""The state after the first boot, which every lab starts from."""
CONSOLE_LOG = "console.log"
MACHINE_LOG = "machine.log"

# The tools are run once so that QEMU's snapshot has them in the guest's page cache, and whatever a first boot does
# is done: a test measures no disk of a young machine.
SETTLE = """
systemctl is-system-running --wait || { systemctl --failed --no-legend; exit 1; }
udevadm settle
for tool in 'mdadm --version' 'lvm fullreport' 'lsblk --json' 'blkid' 'findmnt' 'udevadm info --export-db' \
    'make-bcache --help' 'mkfs.xfs -V' 'mkfs.btrfs -V' 'mke2fs -V' 'sfdisk --version' 'strace -V'; do
  $tool >/dev/null 2>&1 || true
done
python3 -c 'import json, subprocess, tempfile, platform, ctypes, base64, zipfile, logging, syslog'
sync
udevadm settle
"""


class Machine(Protocol):
    """A kind of machine, made of an image. Errors are LabError.

    Methods that change a running machine also change its state, which the caller writes down.
    """

    kind: str
    python: str
    """The Python that Ansible runs in the guest."""
    boot_seconds: int
    """How long a boot or a shutdown may take, however busy this host is."""
    start_seconds: int
    """The same for the start from a saved state."""
    snapshots: bool
    """Whether a saved state is all that goes on, which can be saved only of a machine that was started from one."""
    reboot_verb: str
    """What systemctl does before the machine is started anew."""

    @property
    def image(self) -> Image: ...

    def describe(self) -> str:
        """Name the machine and its kernel in a few words."""

    def key(self) -> str:
        """Hash everything that the state after the first boot depends on."""

    def media(self) -> dict[str, Medium]:
        """Return the disks that it starts with, by serial."""

    def lay_out(self, directory: Path) -> None:
        """Have the files that it starts from in a lab's directory; boot it once to make them if there are none."""

    def access(self, directory: Path, port: int) -> Access:
        """Say how the guest of a lab's directory is reached."""

    def link(self, serial: str) -> str:
        """Return the path of a disk in the guest that is the same at each boot."""

    def start(
        self, directory: Path, saved: str, *, owned: bool, port: int, recorder: Recorder | None = None
    ) -> tuple[Process, int]:
        """Start it from a saved state; return the process and the port of ssh, which may be another one.

        A recorder gets all that it writes to its disks.
        """

    def boot(self, directory: Path, media: Mapping[str, Medium], *, owned: bool, port: int) -> tuple[Process, int]:
        """Start it from its disks as they are, with the guest's own initramfs."""

    def saved(self, directory: Path) -> list[str]:
        """Return the names of the states that were kept."""

    def save(self, directory: Path, state: State, guest: Guest, name: str) -> bool:
        """Keep guest and disks under a name; say whether it has ended for that, and is to be started from there."""

    def cut(self, state: State, mode: str) -> None:
        """Take the power away: `ordered`, or `volatile`."""

    def pull(self, state: State, guest: Guest, serial: str) -> None:
        """Pull out a disk that may be in use."""

    def insert(self, directory: Path, state: State, guest: Guest, serial: str) -> None:
        """Put a disk into its place, with its medium in the state."""

    def blank(self, directory: Path, serial: str, size_mib: int) -> Medium:
        """Make another disk for a place, without anything on it."""

    def size_mib(self, directory: Path, state: State, serial: str) -> int:
        """Return the size of a disk that is in its place."""

    def grow(self, directory: Path, state: State, guest: Guest, serial: str, size_mib: int) -> None:
        """Make a disk larger while it runs."""

    def add_path(self, directory: Path, state: State, guest: Guest, serial: str) -> None:
        """Connect a disk a second time, until the machine ends."""

    def throttle(self, state: State, guest: Guest, serial: str, speed: int) -> None:
        """Limit what a disk reads and writes, in bytes a second, until the machine ends; 0: no limit."""

    def writes(self, state: State, guest: Guest) -> dict[str, int]:
        """Count the writes to each disk since the machine started."""


def shut_down(guest: Guest, process: Process, verb: str, timeout: float) -> None:
    """Have the guest end by itself: `poweroff` or `reboot`."""
    # Later, so that the answer still gets out.
    guest.run(f"systemd-run --quiet --on-active=0.2 --timer-property=AccuracySec=10ms systemctl {verb}")
    guest.disconnect()
    deadline = time.monotonic() + timeout
    nudges = Nudges(guest.access, process)
    while not process.wait(1):
        nudges()
        if time.monotonic() < deadline:
            continue
        raise LabError(f"the guest did not shut down in {timeout:g} s")
