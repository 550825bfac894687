# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine in QEMU: its command line, its disks and snapshots, and its monitor."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import accelerator, image as images
from .errors import LabError, tail
from .guest import Access, CommandError, Guest
from .hardware import Hardware, wwn
from .image import Image, progress
from .machine import CONSOLE_LOG, MACHINE_LOG, READY, SETTLE
from .process import Process, spawn
from .qmp import Qmp
from .state import Medium, State
from .write_log import Recorder

ADDRESS = "127.0.0.1"
SOCKET = "qmp.sock"
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


def disk_device(hardware: Hardware, serial: str, medium: Medium, path: int = 1) -> dict[str, object]:
    """Return QEMU's description of the disk of that serial with its medium, or of another path to it."""
    disk = hardware.disk(serial)
    places = len(SYSTEM_DISKS) + hardware.disks.index(disk)
    return {
        "driver": "scsi-hd",
        "id": serial if path == 1 else f"{serial}-{path}",
        "drive": serial,
        "bus": "scsi.0",
        "scsi-id": places + (path - 1) * len(hardware.disks),
        "serial": serial,
        "wwn": wwn(serial),
        "rotation_rate": disk.rotation_rate,
        "logical_block_size": medium.sector,
        "physical_block_size": medium.sector,
        "opt_io_size": medium.optimal_io,
        "share-rw": True,
    }


@dataclass(frozen=True)
class Boot:
    """What to start a machine with: a kernel and an initramfs, or a snapshot taken with them."""

    kernel: Path
    initrd: Path
    snapshot: str | None = None


def qemu_command(
    hardware: Hardware, accelerator_name: str, boot: Boot, media: Mapping[str, Medium], *, port: int
) -> list[str]:
    """Return QEMU's command line, for the directory of the disk files.

    `media` are the data disks that are plugged in. `port` is the port of 127.0.0.1 that reaches the guest's ssh;
    0 lets QEMU choose.
    """
    command = ["qemu-system-x86_64", "-name", "strata-lab", "-no-user-config", "-nodefaults", "-display", "none"]
    command += ["-machine", "pc", "-m", str(hardware.memory_mib), "-smp", str(hardware.cpus)]
    command += accelerator.options(accelerator_name)
    command += ["-no-reboot", "-kernel", str(boot.kernel), "-initrd", str(boot.initrd), "-append", KERNEL_ARGUMENTS]
    command += ["-qmp", f"unix:{SOCKET},server=on,wait=off"]
    command += ["-chardev", f"file,id=console,path={CONSOLE_LOG},append=on", "-serial", "chardev:console"]
    command += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:{ADDRESS}:{port}-:22"]
    command += ["-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"]
    command += ["-device", "virtio-scsi-pci,id=scsi"]
    for name in SYSTEM_DISKS:
        command += ["-blockdev", json.dumps(block_node(name, f"{name}.qcow2"))]
        device = {"driver": "scsi-hd", "drive": name, "bus": "scsi.0", "serial": name}
        command += ["-device", json.dumps({**device, "id": name, "scsi-id": SYSTEM_DISKS.index(name)})]
    for serial, medium in media.items():
        command += ["-blockdev", json.dumps(block_node(serial, medium.file))]
        command += ["-device", json.dumps(disk_device(hardware, serial, medium))]
    if boot.snapshot:
        command += ["-loadvm", boot.snapshot]
    return command


def snapshot_key(image_key: str, hardware: Hardware, accelerator_name: str, version: str) -> str:
    """Hash everything that a snapshot depends on."""
    boot = Boot(Path("kernel"), Path("initrd"))
    media = {disk.serial: Medium(disk.serial) for disk in hardware.disks}
    command = qemu_command(hardware, accelerator_name, boot, media, port=0)
    text = json.dumps([image_key, dataclasses.asdict(hardware), command, version, SETTLE])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def qemu_version() -> str:
    """Return the version of the QEMU that is installed, as QEMU says it."""
    try:
        said = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise LabError(f"{error.filename} is not installed (see {Path(__file__).parent / 'packages.txt'})") from error
    return said.split()[3]


class Qemu:
    """A machine in QEMU. Its states are snapshots: a reset is a new QEMU that goes on from there.

    One that goes back by itself does not turn back the processor's counter of time: in the guest, all that has passed
    since would pass at once, and systemd would kill services that were silent so long.
    """

    kind = "qemu"
    python = "/usr/local/bin/lab-python"
    start_seconds = 120
    snapshots = True
    reboot_verb = "reboot"

    def __init__(self, image: Image, hardware: Hardware) -> None:
        self.image = image
        self.hardware = hardware
        self.accelerator = accelerator.choose(image)
        self.boot_seconds = 60 if self.accelerator == "kvm" else 300

    def describe(self) -> str:
        how = "KVM" if self.accelerator == "kvm" else "software emulation"
        return f"QEMU {qemu_version()} with {how}, and Linux {self.image.kernel_version} of Debian {self.image.suite}"

    def key(self) -> str:
        return snapshot_key(self.image.key, self.hardware, self.accelerator, qemu_version())

    def media(self) -> dict[str, Medium]:
        return {disk.serial: Medium(f"{disk.serial}.qcow2") for disk in self.hardware.disks}

    def access(self, directory: Path, port: int) -> Access:
        return Access(ADDRESS, port, self.image.private_key, self.image.known_hosts)

    def link(self, serial: str) -> str:
        return f"/dev/disk/by-id/wwn-0x{wwn(self.hardware.disk(serial).serial):016x}"

    def lay_out(self, directory: Path) -> None:
        ready = images.cached(f"ready-{self.key()}", self._first_boot)
        for file in ready.iterdir():
            images.copy(file, directory / file.name)

    def start(
        self, directory: Path, saved: str, *, owned: bool, port: int, recorder: Recorder | None = None
    ) -> tuple[Process, int]:
        if recorder:
            raise LabError("writes are recorded in user mode only")
        boot = Boot(self.image.kernel, self.image.initrd, saved)
        return self._start(directory, boot, self.media(), owned=owned, port=port)

    def boot(self, directory: Path, media: Mapping[str, Medium], *, owned: bool, port: int) -> tuple[Process, int]:
        raw = directory / "boot-disk.raw"
        try:
            _convert(directory / "boot.qcow2", raw)
            version, initrd = images.newest_initramfs(raw, directory)
            kernel = directory / "boot-kernel"
            images.read_out(raw, f"vmlinuz-{version}", kernel)
        finally:
            raw.unlink(missing_ok=True)
        boot = Boot(images.unpacked_kernel(kernel), initrd)
        return self._start(directory, boot, media, owned=owned, port=port)

    def saved(self, directory: Path) -> list[str]:
        command = ["qemu-img", "info", "--force-share", "--output=json", f"{SYSTEM_DISKS[0]}.qcow2"]
        told = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
        if told.returncode:
            raise LabError(f"its states cannot be read: {told.stderr.strip()}")
        return [snapshot["name"] for snapshot in json.loads(told.stdout).get("snapshots", ())]

    def save(self, directory: Path, state: State, guest: Guest, name: str) -> bool:
        with connect(state.process) as qmp:
            said = qmp.monitor(f"savevm {name}", timeout=300)
        if said:
            raise LabError(f"QEMU cannot take the snapshot {name}: {said}")
        return False

    def cut(self, state: State, mode: str) -> None:
        if mode == "ordered":
            with connect(state.process) as qmp:
                # Waits for requests under way and writes out what QEMU holds back.
                qmp.execute("stop", timeout=300)
        state.process.kill()

    def pull(self, state: State, guest: Guest, serial: str) -> None:
        with connect(state.process) as qmp:
            present = {entry.get("qdev", "").split("/")[-1] for entry in qmp.execute("query-block")}
            for path in (device for device in (f"{serial}-2", serial) if device in present):
                qmp.execute("device_del", {"id": path})
                qmp.wait_event("DEVICE_DELETED", {"device": path}, 30)
            qmp.execute("blockdev-del", {"node-name": serial})

    def blank(self, directory: Path, serial: str, size_mib: int) -> Medium:
        number = len(list(directory.glob(f"{serial}.new-*.qcow2"))) + 1
        medium = Medium(f"{serial}.new-{number}.qcow2")
        _create(directory / medium.file, size_mib)
        return medium

    def insert(self, directory: Path, state: State, guest: Guest, serial: str) -> None:
        medium = state.media[serial]
        with connect(state.process) as qmp:
            qmp.execute("blockdev-add", block_node(serial, medium.file))
            try:
                qmp.execute("device_add", disk_device(self.hardware, serial, medium))
            except LabError:
                qmp.execute("blockdev-del", {"node-name": serial})
                raise

    def size_mib(self, directory: Path, state: State, serial: str) -> int:
        with connect(state.process) as qmp:
            nodes = {node["node-name"]: node for node in qmp.execute("query-named-block-nodes")}
        return int(nodes[serial]["image"]["virtual-size"]) >> 20

    def grow(self, directory: Path, state: State, guest: Guest, serial: str, size_mib: int) -> None:
        with connect(state.process) as qmp:
            qmp.execute("block_resize", {"node-name": serial, "size": size_mib << 20})

    def add_path(self, directory: Path, state: State, guest: Guest, serial: str) -> None:
        with connect(state.process) as qmp:
            qmp.execute("device_add", disk_device(self.hardware, serial, state.media[serial], path=2))

    def throttle(self, state: State, guest: Guest, serial: str, speed: int) -> None:
        limits = {"bps": speed, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0}
        with connect(state.process) as qmp:
            qmp.execute("block_set_io_throttle", {"id": serial, **limits})

    def writes(self, state: State, guest: Guest) -> dict[str, int]:
        with connect(state.process) as qmp:
            stats = qmp.execute("query-blockstats")
        by_device = {entry.get("qdev", "").split("/")[-1]: int(entry["stats"]["wr_operations"]) for entry in stats}
        return {disk.serial: by_device[disk.serial] for disk in self.hardware.disks if disk.serial in by_device}

    @staticmethod
    def forget(directory: Path) -> None:
        """Remove what it keeps in a lab's directory; the logs stay."""
        for pattern in (SOCKET, "boot-*", "*.qcow2"):
            for file in directory.glob(pattern):
                file.unlink()

    def _start(
        self, directory: Path, boot: Boot, media: Mapping[str, Medium], *, owned: bool, port: int
    ) -> tuple[Process, int]:
        command = qemu_command(self.hardware, self.accelerator, boot, media, port=port)
        try:
            return start(command, directory, owned=owned)
        except LabError:
            if port == 0:
                raise
        # Somebody else may have taken the port meanwhile.
        command = qemu_command(self.hardware, self.accelerator, boot, media, port=0)
        return start(command, directory, owned=owned)

    def _first_boot(self, directory: Path) -> None:
        """Make the disks that every lab starts from, with the snapshot in them."""
        began = time.monotonic()
        progress("first boot, for the snapshot that every lab starts from")
        for name in SYSTEM_DISKS:
            _create(directory / f"{name}.qcow2", base=self.image.directory / f"{name}.raw")
        for disk in self.hardware.disks:
            _create(directory / f"{disk.serial}.qcow2", disk.size_mib)
        boot = Boot(self.image.kernel, self.image.initrd)
        process, port = self._start(directory, boot, self.media(), owned=True, port=0)
        try:
            guest = Guest(self.access(directory, port), process, self.link)
            guest.connect(self.boot_seconds)
            guest.run(SETTLE, timeout=self.boot_seconds)
            guest.disconnect()
            with connect(process) as qmp:
                said = qmp.monitor(f"savevm {READY}", timeout=300)
                if said:
                    raise LabError(f"QEMU cannot take a snapshot: {said}")
                qmp.execute("quit")
            if not process.wait(30):
                raise LabError("QEMU does not quit")
        except (CommandError, LabError) as error:
            raise LabError(f"{error}\n{tail(directory / CONSOLE_LOG)}".rstrip()) from error
        finally:
            process.kill()
        for file in directory.iterdir():
            if file.suffix != ".qcow2":
                file.unlink()
        progress(f"the snapshot is ready after {time.monotonic() - began:.0f} s")


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


def start(command: list[str], directory: Path, *, owned: bool, timeout: float = 120) -> tuple[Process, int]:
    """Start QEMU in a directory; return it and its ssh port when its monitor answers."""
    (directory / SOCKET).unlink(missing_ok=True)
    child = spawn(command, directory, MACHINE_LOG, owned=owned)
    try:
        deadline = time.monotonic() + timeout
        while not _listens(child.pid):
            if child.poll() is not None:
                raise LabError(f"QEMU ended at once ({child.returncode})\n{tail(directory / MACHINE_LOG)}")
            if time.monotonic() > deadline:
                raise LabError(f"QEMU opened no monitor in {timeout:g} s\n{tail(directory / MACHINE_LOG)}")
            time.sleep(0.01)
        process = Process.of(child.pid)
        try:
            with connect(process, timeout) as qmp:
                match = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", qmp.monitor("info usernet"))
        except LabError as error:
            raise LabError(f"QEMU did not start: {error}\n{tail(directory / MACHINE_LOG)}") from error
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


def _create(file: Path, size_mib: int | None = None, base: Path | None = None) -> None:
    """Make a qcow2 file: blank and of a size, or an overlay on a base."""
    origin = ["-F", "raw", "-b", str(base)] if base else []
    size = [f"{size_mib}M"] if size_mib is not None else []
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *origin, str(file), *size]
    images.run(command, file.parent / MACHINE_LOG, file.parent)


def _convert(source: Path, target: Path) -> None:
    images.run(
        ["qemu-img", "convert", "-O", "raw", str(source), str(target)], source.parent / MACHINE_LOG, source.parent
    )
