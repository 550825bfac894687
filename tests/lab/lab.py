# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab: one machine with its directory of state, and the switches outside of its case."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from . import accelerator, image, machine
from .errors import LabError, tail
from .guest import ADDRESS, Access, Guest, disk_path
from .image import Image, progress
from .machine import SNAPSHOT, SYSTEM_DISKS, Boot, Hardware, Process

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = "state.json"
BOOT_SECONDS = 600
SHUTDOWN_SECONDS = 300


@dataclass
class State:
    """What a lab's directory says about its machine."""

    key: str
    """Hash of the image, the hardware and QEMU: what the snapshot was taken of."""
    suite: str
    image: str
    """The directory of the image that it was made of, whatever the recipe says now."""
    process: Process
    port: int
    files: dict[str, str]
    """The disk file of each disk, root and boot included; those of pulled disks stay."""
    pulled: list[str] = field(default_factory=list)
    pristine: bool = True
    """Whether QEMU runs with the snapshot's devices and boot files, so that its state can be saved beside it."""

    def save(self, directory: Path) -> None:
        """Write it, whole or not at all."""
        temporary = directory / f"{STATE}.tmp"
        temporary.write_text(json.dumps(dataclasses.asdict(self), indent=1))
        temporary.replace(directory / STATE)

    @classmethod
    def load(cls, directory: Path) -> State | None:
        """Read it; None if there is none, or another version of the lab wrote it."""
        try:
            data: dict[str, Any] = json.loads((directory / STATE).read_text())
            return cls(**{**data, "process": Process(**data["process"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class Status:
    """What `status` reports."""

    name: str
    condition: str
    """`down`, `stopped` (QEMU is gone), `stale` (another image or hardware), `running`."""
    directory: Path
    suite: str | None = None
    pid: int | None = None
    port: int | None = None
    pulled: tuple[str, ...] = ()


def default_directory(name: str) -> Path:
    """Return where the lab of that name keeps its state."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise LabError(f"{name!r} is no name for a lab: letters, digits, and after the first also . _ -")
    return CHECKOUT / ".lab" / name


def snapshot_key(image_key: str, hardware: Hardware, accelerator_name: str, qemu_version: str) -> str:
    """Hash everything that a snapshot depends on."""
    files = {name: name for name in (*SYSTEM_DISKS, *(disk.serial for disk in hardware.disks))}
    boot = Boot(Path("kernel"), Path("initrd"))
    command = machine.qemu_command(hardware, accelerator_name, boot, files, port=0, owned=False)
    text = json.dumps([image_key, dataclasses.asdict(hardware), command, qemu_version, SETTLE])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# The tools are run once so that they are in the guest's page cache: a test measures no disk of a young machine.
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

# sshd answers while systemd is still mounting: whether a test finds a drive mounted would be a matter of luck. What
# waits for a disk that is missing is not waited for.
BOOTED = """
udevadm settle
while systemctl list-jobs --no-legend | grep -q 'mount .*running'; do sleep 0.1; done
"""

EVIDENCE = (
    "cat /proc/mdstat",
    "lsblk -o NAME,SERIAL,SIZE,TYPE,FSTYPE,MOUNTPOINT",
    "findmnt --real",
    "journalctl --no-pager --lines=60",
)


class Lab:
    """A machine with disks. Errors are LabError; every wait has an end.

    An owned lab cannot outlive this process; any other one runs until `down`.
    """

    def __init__(
        self,
        name: str = "default",
        *,
        suite: str = "bookworm",
        hardware: Hardware | None = None,
        owned: bool = False,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.suite = suite
        self.hardware = hardware or Hardware()
        self.owned = owned
        self.directory = directory or default_directory(name)
        self.used = False
        """Whether anybody may have changed anything since the last reset; who goes past Lab and Guest sets it."""
        self.start = SNAPSHOT
        """What a reset goes back to, if nothing else is said."""
        self._guest: Guest | None = None
        self._ownership: int | None = None

    def __enter__(self) -> Lab:
        try:
            self.up()
        except BaseException:
            # Another owner's machine is not ours to switch off.
            if not self.owned or self._ownership is not None:
                self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # The switches

    def up(self) -> None:
        """Have the machine run: as it is if it does, else fresh from the snapshot, which is made if there is none."""
        with self._locked():
            if self.owned:
                self._own()
            built = image.ensure(self.suite)
            state = State.load(self.directory)
            if state is not None and state.key == self._key(built) and state.process.alive():
                try:
                    with machine.connect(state.process, timeout=5) as qmp:
                        running = bool(qmp.execute("query-status")["running"])
                    if running:
                        self._connected(state).connect()
                        self.used = True
                        return
                except LabError as error:
                    progress(f"lab {self.name} does not answer and is replaced: {error}")
            self._discard()
            ready = self._ready(built)
            self.directory.mkdir(parents=True, exist_ok=True)
            for file in ready.iterdir():
                _copy(file, self.directory / file.name)
            self._start(built, self._snapshot_files(), snapshot=SNAPSHOT)
            self.start, self.used = SNAPSHOT, False

    def down(self) -> None:
        """Switch off and forget the machine and its disks; the logs stay."""
        if self.directory.is_dir():
            with self._locked():
                self._discard()
        if self._ownership is not None:
            os.close(self._ownership)
            self._ownership = None

    def save(self, name: str, *, start: bool = False) -> None:
        """Remember guest and disks as they are now, for `reset(name)`; not after a boot, or with a disk changed.

        With `start` it is what `reset()` goes back to.
        """
        with self._locked():
            state = self._state()
            if not state.pristine:
                raise LabError(f"lab {self.name} cannot be saved: its disks or its boot are not the original ones")
            with machine.connect(state.process) as qmp:
                said = qmp.monitor(f"savevm {name}", timeout=300)
            if said:
                raise LabError(f"QEMU cannot take the snapshot {name}: {said}")
            if start:
                self.start = name
            self.used = name != self.start

    def reset(self, to: str | None = None) -> None:
        """Have guest and disks as they were after the first boot, or when they were saved.

        By a new QEMU, since one that goes back by itself does not turn back the processor's counter of time: in the
        guest, all that has passed since would pass at once, and systemd would kill services that were silent so long.
        """
        to = to or self.start
        with self._locked():
            state = self._state(running=False)
            self._disconnect()
            state.process.kill()
            self._start(Image(Path(state.image)), self._snapshot_files(), snapshot=to, port=state.port)
            self.used = to != self.start

    def reboot(self) -> None:
        """Shut the guest down cleanly and boot it from its disks, with its present kernel and initramfs."""
        with self._locked():
            state = self._state()
            guest = self._connected(state)
            # Later, so that the answer still gets out.
            guest.run("systemd-run --quiet --on-active=0.2 --timer-property=AccuracySec=10ms systemctl reboot")
            self._disconnect()
            if not state.process.wait(SHUTDOWN_SECONDS):
                raise LabError(f"the guest did not shut down in {SHUTDOWN_SECONDS} s\n{self._logs()}")
            self._boot(state)

    def power_cut(self, mode: str = "ordered", boot: bool = True) -> None:
        """Take the power away, then boot from the disks unless `boot` is false.

        `ordered`: every write that was completed has reached its disk. `volatile`: what was not flushed is lost, as
        far as it went to places of the disk never written before (of 64 KiB each).
        """
        if mode not in ("ordered", "volatile"):
            raise LabError(f"{mode!r} is no mode of a power cut: ordered, volatile")
        with self._locked():
            state = self._state()
            if mode == "ordered":
                with machine.connect(state.process) as qmp:
                    # Waits for requests under way and writes out what QEMU holds back.
                    qmp.execute("stop", timeout=300)
            state.process.kill()
            self._disconnect()
            if boot:
                self._boot(state)

    def boot(self) -> None:
        """Switch on a machine that is off: after `power_cut(boot=False)`, or after a reboot from inside."""
        with self._locked():
            state = self._state(running=False)
            if state.process.alive():
                raise LabError(f"lab {self.name} is running")
            self._disconnect()
            self._boot(state)

    def throttle(self, serial: str, speed: int) -> None:
        """Let a disk read and write so many bytes a second at most, until the machine ends; 0: as fast as it can."""
        self.hardware.disk(serial)
        limits = {"bps": speed, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0}
        with self._locked(), machine.connect(self._state().process) as qmp:
            qmp.execute("block_set_io_throttle", {"id": serial, **limits})

    def pull_disk(self, serial: str) -> None:
        """Pull a disk out while it runs; nobody asks the guest."""
        self.hardware.disk(serial)
        with self._locked():
            state = self._state()
            if serial in state.pulled:
                raise LabError(f"{serial} is pulled already")
            state.pristine = False
            state.save(self.directory)
            with machine.connect(state.process) as qmp:
                qmp.execute("device_del", {"id": serial})
                qmp.wait_event("DEVICE_DELETED", {"device": serial}, 30)
                qmp.execute("blockdev-del", {"node-name": serial})
            state.pulled.append(serial)
            state.save(self.directory)

    def insert_disk(self, serial: str, *, new: bool = False, size_mib: int | None = None) -> None:
        """Put a pulled disk in again, or a blank one in its place: with `new`, or of another size in MiB."""
        disk = self.hardware.disk(serial)
        with self._locked():
            state = self._state()
            if serial not in state.pulled:
                raise LabError(f"{serial} is in its place; pull it first")
            if new or size_mib is not None:
                blanks = len(list(self.directory.glob(f"{serial}.new-*.qcow2")))
                state.files[serial] = f"{serial}.new-{blanks + 1}.qcow2"
                _create(self.directory / state.files[serial], size_mib or disk.size_mib)
            with machine.connect(state.process) as qmp:
                qmp.execute("blockdev-add", machine.block_node(serial, state.files[serial]))
                qmp.execute("device_add", machine.disk_device(self.hardware, serial, serial))
            state.pulled.remove(serial)
            state.save(self.directory)

    # What there is to see

    @property
    def guest(self) -> Guest:
        """The inside of the running machine."""
        return self._connected(self._state())

    @property
    def inventory_path(self) -> Path:
        """An inventory for Ansible with the one host `lab`."""
        self._state()
        return self.directory / "inventory.yml"

    def disk_writes(self) -> dict[str, int]:
        """Return how many writes each data disk that is plugged in has got since QEMU started."""
        with machine.connect(self._state().process) as qmp:
            stats = qmp.execute("query-blockstats")
        by_device = {entry.get("qdev", "").split("/")[-1]: int(entry["stats"]["wr_operations"]) for entry in stats}
        return {disk.serial: by_device[disk.serial] for disk in self.hardware.disks if disk.serial in by_device}

    def evidence(self) -> str:
        """Return what the guest looks like now, as far as it answers, else the ends of the logs."""
        parts = []
        try:
            guest = self.guest
            guest.connect(timeout=30)
            for command in EVIDENCE:
                result = guest.run(command, check=False, timeout=30)
                parts.append(f"# {command}\n{result.stdout}{result.stderr}".rstrip())
        except (LabError, OSError, subprocess.SubprocessError) as error:
            parts += [str(error), self._logs()]
        return "\n".join(parts)

    def status(self) -> Status:
        """Look at the lab without touching it."""
        state = State.load(self.directory)
        if state is None:
            return Status(self.name, "down", self.directory)
        condition = "running" if state.process.alive() else "stopped"
        built = image.find(self.suite)
        if condition == "running" and (built is None or state.key != self._key(built)):
            condition = "stale"
        return Status(
            self.name, condition, self.directory, state.suite, state.process.pid, state.port, tuple(state.pulled)
        )

    # The works

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        with image.locked(self.directory / "lock", f"another process that uses lab {self.name}"):
            yield

    def _own(self) -> None:
        """Keep other owners out until `down` or the end of this process."""
        if self._ownership is None:
            descriptor = os.open(self.directory / "owner", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise LabError(f"lab {self.name} belongs to another process") from None
            self._ownership = descriptor

    def _state(self, running: bool = True) -> State:
        self.used = True
        state = State.load(self.directory)
        if state is None:
            raise LabError(f"lab {self.name} is down; `up` starts it")
        if running and not state.process.alive():
            raise LabError(f"lab {self.name} has stopped; `up` starts it afresh\n{self._logs()}")
        return state

    def _key(self, built: Image) -> str:
        version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
        return snapshot_key(built.key, self.hardware, accelerator.choose(built), version.splitlines()[0])

    def _logs(self) -> str:
        logs = (machine.QEMU_LOG, machine.CONSOLE_LOG)
        return "\n".join(text for text in (tail(self.directory / log) for log in logs) if text)

    def _snapshot_files(self) -> dict[str, str]:
        names = (*SYSTEM_DISKS, *(disk.serial for disk in self.hardware.disks))
        return {name: f"{name}.qcow2" for name in names}

    def _start(
        self,
        built: Image,
        files: dict[str, str],
        *,
        snapshot: str | None = None,
        port: int = 0,
        boot: Boot | None = None,
    ) -> None:
        """Start QEMU and wait for ssh; whatever interrupts that also ends QEMU."""
        chosen = boot or Boot(built.kernel, built.initrd, snapshot)
        arguments = (self.hardware, accelerator.choose(built), chosen, files)
        try:
            process, port = machine.start(machine.qemu_command(*arguments, port=port, owned=self.owned), self.directory)
        except LabError:
            if port == 0:
                raise
            # Somebody else may have taken the port meanwhile.
            process, port = machine.start(machine.qemu_command(*arguments, port=0, owned=self.owned), self.directory)
        try:
            pristine = snapshot is not None
            state = State(self._key(built), self.suite, str(built.directory), process, port, files, pristine=pristine)
            state.save(self.directory)
            self._write_inventory(built, port)
            try:
                self._connected(state).connect(120 if snapshot else BOOT_SECONDS)
            except LabError as error:
                raise LabError(f"{error}\n{self._logs()}") from error
        except BaseException:
            process.kill()
            raise

    def _boot(self, state: State) -> None:
        boot = extract_boot(self.directory / state.files["boot"], self.directory)
        files = {name: file for name, file in state.files.items() if name not in state.pulled}
        self._start(Image(Path(state.image)), files, port=state.port, boot=boot)
        started = State.load(self.directory)
        assert started is not None
        started.files, started.pulled = state.files, state.pulled
        started.save(self.directory)
        self.guest.run(BOOTED)

    def _ready(self, built: Image) -> Path:
        """Return the cache's disks with the snapshot in them; boot a machine to make them if there are none."""

        def make(directory: Path) -> None:
            began = time.monotonic()
            progress("first boot, for the snapshot that every lab starts from")
            for name in SYSTEM_DISKS:
                base = str(built.directory / f"{name}.qcow2")
                _create(directory / f"{name}.qcow2", base=base)
            for disk in self.hardware.disks:
                _create(directory / f"{disk.serial}.qcow2", disk.size_mib)
            first = Lab("first-boot", suite=self.suite, hardware=self.hardware, owned=True, directory=directory)
            try:
                first._start(built, first._snapshot_files())
                first.guest.run(SETTLE, timeout=BOOT_SECONDS)
                first._disconnect()
                state = first._state()
                with machine.connect(state.process) as qmp:
                    said = qmp.monitor(f"savevm {SNAPSHOT}", timeout=300)
                    if said:
                        raise LabError(f"QEMU cannot take a snapshot: {said}")
                    qmp.execute("quit")
                if not state.process.wait(30):
                    raise LabError("QEMU does not quit")
            finally:
                first._discard(keep_disks=True)
            disks = set(first._snapshot_files().values())
            for file in directory.iterdir():
                if file.name not in disks:
                    file.unlink()
            progress(f"the snapshot is ready after {time.monotonic() - began:.0f} s")

        return image.cached(f"ready-{self._key(built)}", make)

    def _discard(self, keep_disks: bool = False) -> None:
        self._disconnect()
        # Not State.load: the machine of another version of the lab goes too.
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            Process(**json.loads((self.directory / STATE).read_text())["process"]).kill()
        (self.directory / STATE).unlink(missing_ok=True)
        for pattern in (machine.SOCKET, "inventory.yml", "boot-*", *(() if keep_disks else ("*.qcow2",))):
            for file in self.directory.glob(pattern):
                file.unlink()
        shutil.rmtree(self._control_directory, ignore_errors=True)

    def _connected(self, state: State) -> Guest:
        built = Image(Path(state.image))
        access = Access(state.port, built.private_key, built.known_hosts)
        if self._guest is None:
            self._guest = Guest(access, state.process.alive)
        elif self._guest.access != access:
            self._guest.disconnect()
        self._guest.access, self._guest.alive = access, state.process.alive
        return self._guest

    def _disconnect(self) -> None:
        """Close our connection and those that Ansible keeps open: none survives a change of the machine."""
        if self._guest is not None:
            self._guest.disconnect()
        for control in self._control_directory.glob("*"):
            command = ["ssh", "-F", "none", "-o", f"ControlPath={control}", "-O", "exit", ADDRESS]
            with contextlib.suppress(subprocess.SubprocessError):
                subprocess.run(command, stdin=subprocess.DEVNULL, check=False, capture_output=True, timeout=5)
            control.unlink(missing_ok=True)

    @property
    def _control_directory(self) -> Path:
        # The path of a socket must be short, which that of a lab's directory need not be.
        name = hashlib.sha256(os.fsencode(self.directory.absolute())).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"strata-lab-{os.getuid()}-{name}"

    def _write_inventory(self, built: Image, port: int) -> None:
        self._control_directory.mkdir(mode=0o700, exist_ok=True)
        access = Access(port, built.private_key, built.known_hosts)
        control = ["ControlMaster=auto", "ControlPersist=60s", f"ControlPath={self._control_directory}/%C"]
        variables = {
            "ansible_host": ADDRESS,
            "ansible_port": port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(access.private_key),
            # Testinfra reads these, and not ansible_ssh_args, whose default compresses.
            "ansible_ssh_common_args": " ".join([*access.options, *(f"-o {option}" for option in control)]),
            "ansible_ssh_args": "",
            "ansible_ssh_pipelining": True,
            "ansible_python_interpreter": "/usr/local/bin/lab-python",
            "lab_name": self.name,
            "lab_checkout": str(CHECKOUT),
            "lab_disks": {disk.serial: disk_path(disk.serial) for disk in self.hardware.disks},
        }
        lines = ["all:", "  hosts:", "    lab:", *(f"      {key}: {json.dumps(variables[key])}" for key in variables)]
        (self.directory / "inventory.yml").write_text("\n".join(lines) + "\n")


def extract_boot(disk: Path, directory: Path) -> Boot:
    """Read the newest kernel and its initramfs off the disk of a machine that is off, as a boot loader would.

    The file system's journal is not replayed: what was not yet in its place is not found.
    """
    raw = directory / "boot-disk.raw"
    try:
        log = directory / machine.QEMU_LOG
        image.run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)], log, directory)
        listing = _debugfs(raw, "ls -p /")
        names = [line.split("/")[5] for line in listing.splitlines() if line.count("/") >= 6]
        kernels = [name.removeprefix("vmlinuz-") for name in names if name.startswith("vmlinuz-")]
        versions = [version for version in kernels if f"initrd.img-{version}" in names]
        if not versions:
            raise LabError(f"the guest is not bootable: no kernel with its initramfs in /boot\n{listing}")
        newest = max(versions, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])
        boot = Boot(directory / "boot-kernel", directory / "boot-initrd")
        for source, target in ((f"vmlinuz-{newest}", boot.kernel), (f"initrd.img-{newest}", boot.initrd)):
            target.unlink(missing_ok=True)
            said = _debugfs(raw, f"dump /{source} {target}")
            if not target.exists() or not target.stat().st_size:
                raise LabError(f"the guest is not bootable: {source} cannot be read from /boot\n{said}")
        return Boot(image.unpacked_kernel(boot.kernel), boot.initrd)
    finally:
        raw.unlink(missing_ok=True)


def _debugfs(disk: Path, request: str) -> str:
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    command = ["debugfs", "-c", "-R", request, str(disk)]
    done = subprocess.run(
        command, env=environment, check=False, capture_output=True, text=True, errors="replace", timeout=60
    )
    return done.stdout + done.stderr


def _create(file: Path, size_mib: int | None = None, base: str | None = None) -> None:
    """Make a qcow2 file: blank and of a size, or an overlay on a base."""
    origin = ["-F", "qcow2", "-b", base] if base else []
    size = [f"{size_mib}M"] if size_mib is not None else []
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *origin, str(file), *size]
    image.run(command, file.parent / machine.QEMU_LOG, file.parent)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, by reference where the file system can."""
    command = ["cp", "--reflink=auto", "--sparse=auto", str(source), str(target)]
    image.run(command, target.parent / machine.QEMU_LOG, target.parent)
