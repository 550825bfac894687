# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine in user mode: Debian's kernel as a program, in a network namespace of its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from . import image as images, uml_kernel
from .errors import LabError, tail
from .guest import Access, CommandError, Guest
from .hardware import Hardware, wwn
from .image import Image, progress
from .machine import CONSOLE_LOG, READY, SETTLE, shut_down
from .process import Process, spawn
from .state import Medium, State
from .write_log import Recorder

PROCESS_FILE = "process"
UP_FILE = "disks/up"
"""What the guest makes, as /run/lab-disks/up; see lab-agent.socket."""
STARTER = Path(__file__).parent / "seccomp.py"
GUEST_ADDRESS = "10.0.2.15"
HOST_ADDRESS = "10.0.2.2"
GUEST_MAC = "02:00:00:00:00:15"
SSH_PORT = 22
# The page cache has what is on the disks twice here, and soon all of the memory: bcache would then find no 256 KiB in
# one piece for a new cache set, and Linux 7.2 does not survive that.
KERNEL_ARGUMENTS = (
    "root=/dev/ubda rw con=null con0=null,fd:1 ssl=null seccomp=auto quiet loglevel=5 panic=-1 net.ifnames=0"
    " lsm=capability audit=0 norandmaps pty.legacy_count=0 umid=lab uml_dir=uml/ hostfs=/proc/self/cwd"
    " sysctl.vm.min_free_kbytes=65536"
)
# Frames larger than the device's would be lost, so nothing may put several into one. The address is known beforehand,
# so that nobody waits for an answer of a guest that is still booting.
NETWORK = f"""
set -eu
ip link add veth0 type veth peer name veth1
for device in veth0 veth1; do
  ethtool --offload $device tso off gso off gro off tx off rx off > /dev/null 2>&1
  echo 1 > /proc/sys/net/ipv6/conf/$device/disable_ipv6
  ip link set $device up
done
ip link set lo up
ip address add {HOST_ADDRESS}/24 dev veth1
ip neighbour replace {GUEST_ADDRESS} lladdr {GUEST_MAC} dev veth1
exec "$@"
"""
# The initramfs is the only one from then on, which both update-initramfs and its stand-in keep up to date.
FIRST_BOOT = """
set -eu
touch /boot/vmlinuz-{version}
/usr/sbin/update-initramfs -c -k {version}
cp /boot/initrd.img-{version} /var/lib/lab
truncate --size %4 /var/lib/lab/*
"""


def reason_against() -> str:
    """Say what on this host keeps a machine in user mode from running; empty if nothing is known."""
    if os.geteuid():
        return "it needs root, for a network namespace"
    for program in ("ip", "ethtool", "unshare", "setpriv"):
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            return f"{program} is not installed"
    return ""


class Uml:
    """A machine in user mode. Its states are disks of a guest that was shut down: a reset is a boot."""

    kind = "uml"
    python = "/usr/bin/python3"
    boot_seconds = start_seconds = 60
    snapshots = False
    reboot_verb = "poweroff"  # a reboot goes on in the same process, with the initramfs that it had

    def __init__(self, image: Image, hardware: Hardware) -> None:
        self.image = image
        self.hardware = hardware
        self.kernel = uml_kernel.ensure()

    def describe(self) -> str:
        return f"User Mode Linux {self.kernel.version}, on a root of Debian {self.image.suite}"

    def key(self) -> str:
        parts = [self.image.key, self.kernel.package_version, KERNEL_ARGUMENTS, NETWORK, SETTLE, FIRST_BOOT]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def media(self) -> dict[str, Medium]:
        return {disk.serial: Medium(disk.serial) for disk in self.hardware.disks}

    def access(self, directory: Path, port: int) -> Access:
        own = directory.absolute()
        files = (own / PROCESS_FILE, own / UP_FILE, own / "uml" / "lab" / "mconsole")
        return Access(GUEST_ADDRESS, port, self.image.private_key, self.image.known_hosts, *files)

    def link(self, serial: str) -> str:
        # The target makes its names of the hexadecimal digits in a serial number, behind its own.
        digits = "".join(letter for letter in self.hardware.disk(serial).serial.lower() if letter in "0123456789abcdef")
        return f"/dev/disk/by-id/wwn-0x{f'6001405{digits}':0<32}"

    def lay_out(self, directory: Path) -> None:
        ready = images.cached(f"ready-{self.key()}", self._first_boot)
        for name, place in (("kernel", self.kernel.directory), (READY, ready)):
            (directory / name).unlink(missing_ok=True)
            (directory / name).symlink_to(place)

    def start(
        self, directory: Path, saved: str, *, owned: bool, port: int, recorder: Recorder | None = None
    ) -> tuple[Process, int]:
        _forget_disks(directory)
        disks = directory / "disks"
        if saved == READY:
            disks.mkdir()
            images.copy(directory / READY / "boot.raw", directory / "boot.raw")
            for disk in self.hardware.disks:
                _create(disks / disk.serial, disk.size_mib)
        else:
            kept = directory / "saved" / saved
            for file in ("root.cow", "boot.raw"):
                images.copy(kept / file, directory / file)
            disks.mkdir()
            for disk in self.hardware.disks:
                images.copy(kept / "disks" / disk.serial, disks / disk.serial)
        initrd = None
        # Blank disks need no initramfs, which takes a third of the time of a boot.
        if any((disks / disk.serial).stat().st_blocks for disk in self.hardware.disks):
            _version, initrd = images.newest_initramfs(directory / "boot.raw", directory)
        return self._start(directory, self.media(), initrd, owned=owned, recorder=recorder)

    def boot(self, directory: Path, media: Mapping[str, Medium], *, owned: bool, port: int) -> tuple[Process, int]:
        _version, initrd = images.newest_initramfs(directory / "boot.raw", directory)
        return self._start(directory, media, initrd, owned=owned)

    def saved(self, directory: Path) -> list[str]:
        return [path.name for path in (directory / "saved").glob("*")]

    def save(self, directory: Path, state: State, guest: Guest, name: str) -> bool:
        shut_down(guest, state.process, "poweroff", self.boot_seconds)
        kept = directory / "saved" / name
        shutil.rmtree(kept, ignore_errors=True)
        (kept / "disks").mkdir(parents=True)
        for file in ("root.cow", "boot.raw"):
            images.copy(directory / file, kept / file)
        for serial, medium in state.media.items():
            images.copy(directory / "disks" / medium.file, kept / "disks" / serial)
        return True

    def cut(self, state: State, mode: str) -> None:
        if mode != "ordered":
            raise LabError("in user mode every write that was completed is kept: ask for qemu")
        state.process.kill()

    def blank(self, directory: Path, serial: str, size_mib: int) -> Medium:
        number = len(list((directory / "disks").glob(f"{serial}.new-*"))) + 1
        medium = Medium(f"{serial}.new-{number}")
        _create(directory / "disks" / medium.file, size_mib)
        return medium

    def pull(self, state: State, guest: Guest, serial: str) -> None:
        guest.run(f"lab-disks remove {serial}", timeout=60)

    def insert(self, directory: Path, state: State, guest: Guest, serial: str) -> None:
        self._write_table(directory, {**state.plugged(), serial: state.media[serial]})
        guest.run(f"lab-disks add {serial}", timeout=60)

    def size_mib(self, directory: Path, state: State, serial: str) -> int:
        return (directory / "disks" / state.media[serial].file).stat().st_size >> 20

    def grow(self, directory: Path, state: State, guest: Guest, serial: str, size_mib: int) -> None:
        os.truncate(directory / "disks" / state.media[serial].file, size_mib << 20)
        self._write_table(directory, state.plugged())
        guest.run(f"lab-disks grow {serial}", timeout=60)

    def add_path(self, directory: Path, state: State, guest: Guest, serial: str) -> None:
        guest.run(f"lab-disks connect {serial} {_port(serial, path=2)}", timeout=60)

    def throttle(self, state: State, guest: Guest, serial: str, speed: int) -> None:
        raise LabError("disks in user mode have no limit of speed: ask for qemu")

    def writes(self, state: State, guest: Guest) -> dict[str, int]:
        found = {}
        for serial in state.plugged():
            fields = guest.run(f"cat /sys/block/{guest.kernel_name(serial)}/stat").stdout.split()
            found[serial] = int(fields[4])
        return found

    @staticmethod
    def forget(directory: Path) -> None:
        """Remove what it keeps in a lab's directory; the logs stay."""
        _forget_disks(directory)
        shutil.rmtree(directory / "saved", ignore_errors=True)
        for name in ("kernel", READY):
            (directory / name).unlink(missing_ok=True)

    def _write_table(self, directory: Path, media: Mapping[str, Medium]) -> None:
        lines = []
        for serial, medium in media.items():
            size = (directory / "disks" / medium.file).stat().st_size
            rotational = int(self.hardware.disk(serial).rotation_rate != 1)
            optimal = medium.optimal_io // medium.sector
            lines.append(f"{serial} {medium.file} {size} {medium.sector} {optimal} {rotational} {_port(serial)}\n")
        (directory / "disks" / "table").write_text("".join(lines))

    def _start(
        self,
        directory: Path,
        media: Mapping[str, Medium],
        initrd: Path | None,
        *,
        owned: bool,
        root: str = f"root.cow,{READY}/root.raw",
        recorder: Recorder | None = None,
    ) -> tuple[Process, int]:
        self._write_table(directory, media)
        (directory / UP_FILE).unlink(missing_ok=True)
        shutil.rmtree(directory / "uml", ignore_errors=True)
        arguments = [f"mem={self.hardware.memory_mib}M", f"ubda={root}", "ubdb=boot.raw"]
        arguments += [f"vec0:transport=raw,ifname=veth0,gro=0,mac={GUEST_MAC}", *KERNEL_ARGUMENTS.split()]
        if initrd:
            arguments.append(f"initrd={initrd.name}")
        command = ["unshare", "--net", "sh", "-c", NETWORK, "sh", "./kernel/linux", *arguments]
        environment = {"TMPDIR": _memory_directory(self.hardware.memory_mib, directory)}
        environment["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        descriptors = (recorder.descriptor,) if recorder else ()
        command = [sys.executable, "-I", "-S", str(STARTER), *(map(str, descriptors) if recorder else "-"), *command]
        with images.locked(images.cache_directory() / ".processors.lock", "another guest that starts"):
            child = spawn(
                command, directory, CONSOLE_LOG, owned=owned, environment=environment, descriptors=descriptors
            )
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(child.pid, {_processor()})
        try:
            if recorder:
                recorder.start()
            process = Process.of(child.pid)
            # Before that, who wants to reach the guest would look for it in the host's network.
            while process.alive() and os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
                time.sleep(0.005)
            (directory / PROCESS_FILE).write_text(str(process.pid))
        except BaseException:
            child.kill()
            child.wait()
            raise
        # Others outlive or reap it by its pid; Popen would complain about a running child.
        child.returncode = 0
        return process, SSH_PORT

    def _first_boot(self, directory: Path) -> None:
        """Make the root and boot disks that every lab starts from."""
        began = time.monotonic()
        progress("first boot in user mode, for the disks that every lab starts from")
        for name in ("root.raw", "boot.raw"):
            images.copy(self.image.directory / name, directory / name)
        (directory / "kernel").symlink_to(self.kernel.directory)
        (directory / "disks").mkdir()
        process, port = self._start(directory, {}, None, owned=True, root="root.raw")
        try:
            guest = Guest(self.access(directory, port), process, self.link)
            guest.connect(self.boot_seconds)
            guest.run("find /boot /var/lib/lab -type f -delete")
            # mkinitramfs wants to know what the kernel can unpack.
            guest.write(f"/boot/config-{self.kernel.version}", (self.kernel.directory / "config").read_text())
            guest.run(FIRST_BOOT.format(version=self.kernel.version))
            guest.run(SETTLE, timeout=self.boot_seconds)
            shut_down(guest, process, "poweroff", self.boot_seconds)
        except (CommandError, LabError) as error:
            raise LabError(f"{error}\n{tail(directory / CONSOLE_LOG)}".rstrip()) from error
        finally:
            process.kill()
        for path in directory.iterdir():
            if path.name not in ("root.raw", "boot.raw"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        progress(f"the disks are ready after {time.monotonic() - began:.0f} s")


def _forget_disks(directory: Path) -> None:
    for name in ("disks", "uml"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for name in ("root.cow", "boot.raw", "boot-initrd", PROCESS_FILE):
        (directory / name).unlink(missing_ok=True)


def _processor() -> int:
    """Return the processor with the fewest guests.

    A guest has one: each of its system calls goes from a process to another, which takes six times as long where they
    are on two processors.
    """
    guests = dict.fromkeys(sorted(os.sched_getaffinity(0)), 0)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"\0umid=lab\0" in path.read_bytes():
                where = os.sched_getaffinity(int(path.parent.name))
                if len(where) == 1:
                    guests[min(where)] = guests.get(min(where), 0) + 1
    return min(guests, key=lambda processor: guests[processor])


def _port(serial: str, path: int = 1) -> str:
    """Return the name (NAA) of the port that a disk, or another path to it, is behind."""
    name = serial if path == 1 else f"{serial} {path}"
    return f"{wwn(name):016x}"


def _create(file: Path, size_mib: int) -> None:
    with file.open("wb") as new:
        new.truncate(size_mib << 20)


def _memory_directory(mib: int, directory: Path) -> str:
    """Return where the file with the guest's memory goes: shared memory, if that has room."""
    shared = Path("/dev/shm")
    if shared.is_dir():
        about = os.statvfs(shared)
        if about.f_bavail * about.f_frsize > mib << 20 and not about.f_flag & os.ST_NOEXEC:
            return str(shared)
    return str(directory)
