# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine: its hardware, QEMU's command line, and the QEMU process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError, tail
from .qmp import Qmp

SNAPSHOT = "ready"
SOCKET = "qmp.sock"
CONSOLE_LOG = "console.log"
QEMU_LOG = "qemu.log"
SYSTEM_DISKS = ("root", "boot")
# What udev would load for hardware that no test looks at, each of which takes its time under software emulation.
UNNEEDED_MODULES = (
    "kvm,kvm_amd,kvm_intel,ccp,cfg80211,rfkill,pcspkr,psmouse,serio_raw,floppy,ata_piix,ata_generic,libata,i2c_piix4,"
    "evdev,button,sg,drm,efi_pstore,aesni_intel,ghash_clmulni_intel,sha1_ssse3,sha256_ssse3,sha512_ssse3,fuse,configfs"
)
# Software emulation translates code anew at each address where it runs: without random addresses a command takes a
# fifth of the time. Its clock jitters, and the kernel would take to one that a device has, which each look at the time
# has to ask. What protects, traces and tests a real machine costs time for nothing here.
KERNEL_ARGUMENTS = (
    "root=LABEL=root ro console=ttyS0 net.ifnames=0 panic=-1 quiet norandmaps tsc=reliable"
    " init_on_alloc=0 mitigations=off nosmap nosmep lsm=capability audit=0 cryptomgr.notests"
    f" module_blacklist={UNNEEDED_MODULES}"
)


@dataclass(frozen=True)
class Disk:
    """A data disk."""

    serial: str
    size_mib: int
    rotation_rate: int
    """Revolutions per minute; 1 is an SSD."""


def wwn(serial: str) -> int:
    """Return the world wide name (NAA 5) of the disk of that serial, for good."""
    return 0x5 << 60 | int.from_bytes(hashlib.sha256(serial.encode()).digest()[:8], "big") >> 4


def _default_disks() -> tuple[Disk, ...]:
    disks = [Disk(f"HDD{number}", 512, 7200) for number in range(1, 7)]
    return (*disks, Disk("SSD1", 256, 1), Disk("SSD2", 256, 1))


@dataclass(frozen=True)
class Hardware:
    """What the machine consists of."""

    memory_mib: int = 1280
    cpus: int = 1
    disks: tuple[Disk, ...] = _default_disks()

    def disk(self, serial: str) -> Disk:
        """Return the disk of that serial; LabError if there is none."""
        for disk in self.disks:
            if disk.serial == serial:
                return disk
        raise LabError(f"no disk has the serial {serial}; there are {', '.join(disk.serial for disk in self.disks)}")


def block_node(name: str, file: str) -> dict[str, object]:
    """Return QEMU's description of a disk's contents.

    Flushes reach the host's page cache only: the host does not crash, and a killed QEMU loses what it has not flushed.
    """
    return {
        "driver": "qcow2",
        "node-name": name,
        "discard": "unmap",
        "cache": {"direct": False, "no-flush": True},
        "file": {"driver": "file", "filename": file},
    }


def disk_device(hardware: Hardware, serial: str, node: str) -> dict[str, object]:
    """Return QEMU's description of the disk drive of that serial, holding the contents of a node."""
    disk = hardware.disk(serial)
    return {
        "driver": "scsi-hd",
        "id": serial,
        "drive": node,
        "bus": "scsi.0",
        "scsi-id": len(SYSTEM_DISKS) + hardware.disks.index(disk),
        "serial": serial,
        "wwn": wwn(serial),
        "rotation_rate": disk.rotation_rate,
    }


@dataclass(frozen=True)
class Boot:
    """What to start a machine with: a kernel and an initramfs, or a snapshot taken with them."""

    kernel: Path
    initrd: Path
    snapshot: str | None = None


def qemu_command(
    hardware: Hardware, accelerator: str, boot: Boot, files: Mapping[str, str], *, port: int, owned: bool
) -> list[str]:
    """Return QEMU's command line, for the directory of the disk files.

    `files` has the file of each disk that is plugged in, `root` and `boot` included. `port` is the port of 127.0.0.1
    that reaches the guest's ssh; 0 lets QEMU choose. An owned QEMU dies with the process that starts it.
    """
    command = ["setpriv", "--pdeathsig", "KILL"] if owned else []
    command += ["qemu-system-x86_64", "-name", "strata-lab", "-no-user-config", "-nodefaults", "-display", "none"]
    command += ["-machine", "pc", "-m", str(hardware.memory_mib), "-smp", str(hardware.cpus)]
    command += accelerator_options(accelerator)
    command += ["-no-reboot", "-kernel", str(boot.kernel), "-initrd", str(boot.initrd), "-append", KERNEL_ARGUMENTS]
    command += ["-qmp", f"unix:{SOCKET},server=on,wait=off"]
    command += ["-chardev", f"file,id=console,path={CONSOLE_LOG},append=on", "-serial", "chardev:console"]
    command += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"]
    command += ["-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"]
    command += ["-device", "virtio-scsi-pci,id=scsi"]
    for name in SYSTEM_DISKS:
        command += ["-blockdev", json.dumps(block_node(name, files[name]))]
        device = {"driver": "scsi-hd", "drive": name, "bus": "scsi.0", "serial": name}
        command += ["-device", json.dumps({**device, "id": name, "scsi-id": SYSTEM_DISKS.index(name)})]
    for disk in hardware.disks:
        if disk.serial in files:
            command += ["-blockdev", json.dumps(block_node(disk.serial, files[disk.serial]))]
            command += ["-device", json.dumps(disk_device(hardware, disk.serial, disk.serial))]
    if boot.snapshot:
        command += ["-loadvm", boot.snapshot]
    return command


def accelerator_options(accelerator: str) -> list[str]:
    """Return QEMU's options for `kvm` or `tcg`."""
    return (
        ["-accel", "kvm", "-cpu", "host"]
        if accelerator == "kvm"
        else ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off,erms=off,fsrm=off"]
    )


def boot_id() -> str:
    """Identify this run of the host's kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Process:
    """A process that can be told from another one that got the same pid."""

    pid: int
    started: int
    """Clock ticks since the host's boot."""
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """Return the running process of that pid; LabError if there is none."""
        started = _start_time(pid)
        if started is None:
            raise LabError(f"process {pid} is gone")
        return cls(pid, started, boot_id())

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.boot_id == boot_id() and _start_time(self.pid) == self.started

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for its end; say whether it came."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if self.alive():
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll(timeout * 1000)
        finally:
            os.close(descriptor)
        _reap(self.pid)
        return not self.alive()

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The descriptor keeps the pid from being given away between the look and the blow.
            if self.alive():
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)
        if not self.wait(30):
            raise LabError(f"QEMU (process {self.pid}) does not die")


def _start_time(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # A killed process holds its disks until the last of its threads is gone, of which the first is no sign.
        dead = fields[0] in ("Z", "X") and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if dead else int(fields[19])


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def connect(process: Process, timeout: float = 120) -> Qmp:
    """Connect to the monitor of a running QEMU."""
    # By way of /proc, because the path of a socket must be short and that of a lab need not be.
    return Qmp(f"/proc/{process.pid}/cwd/{SOCKET}", timeout)


def _listens(pid: int) -> bool:
    """Whether QEMU's monitor takes connections: its socket is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"/proc/{pid}/cwd/{SOCKET}")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def start(command: list[str], directory: Path, timeout: float = 120) -> tuple[Process, int]:
    """Start QEMU in a directory; return it and its ssh port when its monitor answers."""
    (directory / SOCKET).unlink(missing_ok=True)
    with (directory / QEMU_LOG).open("ab") as log:
        try:
            # A session of its own, so that the terminal's Ctrl-C reaches only the lab, which then cleans up.
            child = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        except FileNotFoundError as error:
            raise LabError(f"{command[0]} is not installed (see {Path(__file__).parent / 'packages.txt'})") from error
    try:
        deadline = time.monotonic() + timeout
        while not _listens(child.pid):
            if child.poll() is not None:
                raise LabError(f"QEMU ended at once ({child.returncode})\n{tail(directory / QEMU_LOG)}")
            if time.monotonic() > deadline:
                raise LabError(f"QEMU opened no monitor in {timeout:g} s\n{tail(directory / QEMU_LOG)}")
            time.sleep(0.01)
        process = Process.of(child.pid)
        try:
            with connect(process, timeout) as qmp:
                match = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", qmp.monitor("info usernet"))
        except LabError as error:
            raise LabError(f"QEMU did not start: {error}\n{tail(directory / QEMU_LOG)}") from error
        if match is None:
            raise LabError("QEMU forwards no port to the guest's ssh")
        return process, int(match[1])
    except BaseException:
        child.kill()
        child.wait()
        raise
    finally:
        # Others outlive or reap it by its pid; Popen would complain about a running child.
        child.returncode = 0 if child.returncode is None else child.returncode
