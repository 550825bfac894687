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
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from . import image, kinds
from .errors import LabError, tail
from .guest import Guest
from .hardware import SECTORS, Hardware
from .machine import CONSOLE_LOG, MACHINE_LOG, READY, Machine, shut_down
from .process import Process, uninterrupted
from .state import STATE, Medium, State
from .write_log import Recorder

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Status:
    """What `status` reports."""

    name: str
    condition: str
    """`down`, `stopped` (its process is gone), `stale` (another image, kernel or hardware), `running`."""
    directory: Path
    machine: str = ""
    pid: int | None = None
    pulled: tuple[str, ...] = ()


def default_directory(name: str) -> Path:
    """Return where the lab of that name keeps its state."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise LabError(f"{name!r} is no name for a lab: letters, digits, and after the first also . _ -")
    return CHECKOUT / ".lab" / name


# sshd answers while systemd is still mounting, and opening containers: whether a test finds a drive there would be a
# matter of luck. What waits for a disk that is missing, or for somebody who knows a passphrase, is not waited for.
BOOTED = """
udevadm settle
starting() { systemctl list-jobs --no-legend | grep -q "$1 .*running"; }
asks() { ls /run/systemd/ask-password/ask.* > /dev/null 2>&1; }
while starting mount || { starting 'systemd-cryptsetup@.*' && ! asks; }; do sleep 0.1; done
"""

EVIDENCE = (
    "cat /proc/mdstat",
    "lsblk -o NAME,SERIAL,SIZE,TYPE,FSTYPE,MOUNTPOINT",
    "findmnt --real",
    "journalctl --no-pager --lines=60",
)


class Lab:
    """A machine with disks. Errors are LabError; every wait has an end.

    An owned lab cannot outlive this process; any other one runs until `down`. `kind` is `qemu` or `uml`; if it is not
    given, LAB_MACHINE chooses, else what this host can do best.
    """

    def __init__(
        self,
        name: str = "default",
        *,
        suite: str = "bookworm",
        kind: str | None = None,
        hardware: Hardware | None = None,
        owned: bool = False,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.suite = suite
        self.kind = kind
        self.hardware = hardware or Hardware()
        self.owned = owned
        self.directory = directory or default_directory(name)
        self.used = False
        """Whether anybody may have changed anything since the last reset; who goes past Lab and Guest sets it."""
        self.start = READY
        """What a reset goes back to, if nothing else is said."""
        self._machine: Machine | None = None
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
        """Have the machine run: as it is if it does, else as after its first boot, which is done if there was none."""
        with self._locked():
            if self.owned:
                self._own()
            self._respect_owner()
            wanted = kinds.machine(self.kind, image.ensure(self.suite), self.hardware)
            state = State.load(self.directory)
            if state is not None and state.key == wanted.key() and state.process.alive():
                self._machine = wanted
                try:
                    self._connected(state).connect(timeout=10)
                    self.used = True
                    return
                except LabError as error:
                    image.progress(f"lab {self.name} does not answer and is replaced: {error}")
            self._discard()
            self._machine = wanted
            self.directory.mkdir(parents=True, exist_ok=True)
            wanted.lay_out(self.directory)
            self._start(wanted, READY)
            self.start, self.used = READY, False

    def down(self) -> None:
        """Switch off and forget the machine and its disks; the logs stay."""
        if self.directory.is_dir():
            with self._locked():
                self._respect_owner()
                self._discard()
        if self._ownership is not None:
            os.close(self._ownership)
            self._ownership = None

    def save(self, name: str, *, start: bool = False) -> None:
        """Remember guest and disks as they are now, for `reset(name)`; not with a disk changed.

        With `start` it is what `reset()` goes back to. QEMU saves all that goes on; in user mode the guest is shut
        down for that, and boots again.
        """
        with self._locked():
            state = self._state()
            if not state.pristine:
                raise LabError(f"lab {self.name} cannot be saved: its disks or its boot are not the original ones")
            machine = self._of(state)
            if machine.save(self.directory, state, self._connected(state), name):
                self._start(machine, name, state.port)
            if start:
                self.start = name
            self.used = name != self.start

    def reset(self, to: str | None = None, recorder: Recorder | None = None) -> None:
        """Have guest and disks as they were after the first boot, or when they were saved.

        In user mode, a recorder gets all that is written to the disks from then on.
        """
        to = to or self.start
        with self._locked():
            state = self._state(running=False)
            machine = self._of(state)
            if to != READY and to not in machine.saved(self.directory):
                raise LabError(f"no state was saved as {to}")
            self._disconnect()
            state.process.kill()
            self._start(machine, to, state.port, recorder)
            self.used = to != self.start

    def reboot(self) -> None:
        """Shut the guest down cleanly and boot it from its disks, with its present kernel and initramfs."""
        with self._locked():
            state = self._state()
            verb, limit = self._of(state).reboot_verb, self._of(state).boot_seconds
            try:
                shut_down(self._connected(state), state.process, verb, limit)
            except LabError as error:
                raise LabError(f"{error}\n{self._logs()}") from error
            self._boot(state)

    def power_cut(self, mode: str = "ordered", boot: bool = True) -> None:
        """Take the power away, then boot from the disks unless `boot` is false.

        `ordered`: every write that was completed has reached its disk. `volatile` (in QEMU alone): what was not
        flushed is lost, as far as it went to places of the disk never written before (of 64 KiB each).
        """
        if mode not in ("ordered", "volatile"):
            raise LabError(f"{mode!r} is no mode of a power cut: ordered, volatile")
        with self._locked():
            state = self._state()
            self._of(state).cut(state, mode)
            self._disconnect()
            if boot:
                self._boot(state)

    def boot(self) -> None:
        """Switch on a machine that is off: after `power_cut(boot=False)`, or after a reboot from inside."""
        with self._locked():
            state = self._state(running=False)
            if state.process.alive():
                raise LabError(f"lab {self.name} is running")
            self._boot(state)

    def throttle(self, serial: str, speed: int) -> None:
        """Let a disk read and write so many bytes a second at most, until the machine ends; 0: as fast as it can."""
        with self._changing(serial) as state:
            self._of(state).throttle(state, self._connected(state), serial, speed)

    def pull_disk(self, serial: str) -> None:
        """Pull a disk out while it runs, whatever the guest does with it."""
        with self._changing(serial) as state:
            if serial in state.pulled:
                raise LabError(f"{serial} is pulled already")
            state.pristine = False
            self._of(state).pull(state, self._connected(state), serial)
            state.pulled.append(serial)

    def insert_disk(
        self,
        serial: str,
        *,
        new: bool = False,
        size_mib: int | None = None,
        sector: int | None = None,
        optimal_io: int | None = None,
    ) -> None:
        """Put a pulled disk in again, or a blank one in its place: with `new`, or of another size.

        Either shows itself with sectors of 512 or 4096 bytes, as behind another controller, if `sector` says so, and
        with `optimal_io` as what is best to read or write at a time.
        """
        disk = self.hardware.disk(serial)
        if size_mib is not None and size_mib < 1:
            raise LabError(f"a disk of {size_mib} MiB is none")
        if sector not in (None, *SECTORS):
            raise LabError(f"no disk has sectors of {sector} bytes: {', '.join(map(str, SECTORS))}")
        if optimal_io and optimal_io % max(SECTORS):
            raise LabError(f"an optimal I/O size of {optimal_io} bytes is no multiple of {max(SECTORS)}")
        with self._changing(serial) as state:
            if serial not in state.pulled:
                raise LabError(f"{serial} is in its place; pull it first")
            before = medium = state.media[serial]
            if new or size_mib is not None:
                medium = self._of(state).blank(self.directory, serial, size_mib or disk.size_mib)
            state.media[serial] = dataclasses.replace(
                medium,
                sector=medium.sector if sector is None else sector,
                optimal_io=medium.optimal_io if optimal_io is None else optimal_io,
            )
            try:
                self._of(state).insert(self.directory, state, self._connected(state), serial)
            except BaseException:
                state.media[serial] = before
                raise
            state.pulled.remove(serial)

    def grow_disk(self, serial: str, size_mib: int) -> None:
        """Make a disk larger while it runs, as a volume of a cloud or a SAN is."""
        with self._changing(serial) as state:
            self._check_in(state, serial)
            present = self._of(state).size_mib(self.directory, state, serial)
            if size_mib <= present:
                raise LabError(f"{serial} has {present} MiB, and a disk does not shrink")
            state.pristine = False
            self._of(state).grow(self.directory, state, self._connected(state), serial, size_mib)

    def add_path(self, serial: str) -> None:
        """Connect a disk a second time: another device with the same serial number, until the machine ends."""
        with self._changing(serial) as state:
            self._check_in(state, serial)
            state.pristine = False
            self._of(state).add_path(self.directory, state, self._connected(state), serial)

    # What there is to see

    @property
    def guest(self) -> Guest:
        """The inside of the running machine."""
        return self._connected(self._state())

    @property
    def media(self) -> dict[str, Medium]:
        """What is in the place of each disk, or was before it was pulled."""
        return dict(self._state(running=False).media)

    @property
    def inventory_path(self) -> Path:
        """An inventory for Ansible with the one host `lab`."""
        self._state()
        return self.directory / "inventory.yml"

    def disk_writes(self) -> dict[str, int]:
        """Return how many writes each data disk that is plugged in has got since the machine started."""
        state = self._state()
        return self._of(state).writes(state, self._connected(state))

    @property
    def snapshots(self) -> bool:
        """Whether what is saved is all that goes on in the guest, and not its disks alone."""
        return self._of(self._state(running=False)).snapshots

    def evidence(self) -> str:
        """Return what the guest looks like now, as far as it answers, else the ends of the logs."""
        parts = []
        try:
            guest = self.guest
            guest.connect(timeout=15)
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
        current = built and kinds.key(state.kind, built, self.hardware)
        if condition == "running" and state.key != current:
            condition = "stale"
        pulled = tuple(state.pulled)
        return Status(self.name, condition, self.directory, state.machine, state.process.pid, pulled)

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

    def _respect_owner(self) -> None:
        """Raises LabError where the lab is another process's, whose machine is not ours to replace or switch off."""
        if self._ownership is None and (self.directory / "owner").exists():
            with (self.directory / "owner").open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise LabError(f"lab {self.name} belongs to another process") from None

    def _state(self, running: bool = True) -> State:
        self.used = True
        state = State.load(self.directory)
        if state is None:
            raise LabError(f"lab {self.name} is down; `up` starts it")
        if running and not state.process.alive():
            raise LabError(
                f"lab {self.name} has stopped: `boot` keeps its disks, `up` starts it afresh\n{self._logs()}"
            )
        return state

    @contextlib.contextmanager
    def _changing(self, serial: str) -> Iterator[State]:
        """The state of the running machine, which is written down when its disks have been changed."""
        self.hardware.disk(serial)
        with self._locked():
            state = self._state()
            try:
                yield state
            finally:
                state.save(self.directory)

    @staticmethod
    def _check_in(state: State, serial: str) -> None:
        if serial in state.pulled:
            raise LabError(f"{serial} is pulled; put it in first")

    def _of(self, state: State) -> Machine:
        """The machine that a state is of, made of what that was made of."""
        known = self._machine
        if known is None or known.kind != state.kind or str(known.image.directory) != state.image:
            self._machine = known = kinds.of(state.kind, image.Image(Path(state.image)), self.hardware)
        return known

    def _logs(self) -> str:
        texts = (tail(self.directory / log) for log in (MACHINE_LOG, CONSOLE_LOG))
        return "\n".join(text for text in texts if text)

    def _start(self, machine: Machine, saved: str, port: int = 0, recorder: Recorder | None = None) -> None:
        key, said, directory = machine.key(), machine.describe(), str(machine.image.directory)

        def start() -> State:
            begun = machine.start(self.directory, saved, owned=self.owned, port=port, recorder=recorder)
            return State(key, machine.kind, said, self.suite, directory, *begun, machine.media())

        self._started(start, machine.start_seconds)
        if not machine.snapshots:
            self.guest.run(BOOTED)

    def _boot(self, state: State) -> None:
        self._disconnect()
        machine = self._of(state)

        def start() -> State:
            begun = machine.boot(self.directory, state.plugged(), owned=self.owned, port=state.port)
            state.process, state.port = begun
            state.pristine = state.pristine and not machine.snapshots
            return state

        self._started(start, machine.boot_seconds)
        self.guest.run(BOOTED)

    def _started(self, start: Callable[[], State], timeout: float) -> None:
        """Start a machine and wait for the guest; whatever interrupts that also ends the machine."""
        state: State | None = None
        try:
            # A machine that nobody knows of could not be ended.
            with uninterrupted():
                state = start()
                state.save(self.directory)
            self._write_inventory(state)
            try:
                self._connected(state).connect(timeout)
            except LabError as error:
                raise LabError(f"{error}\n{self._logs()}") from error
        except BaseException:
            if state is not None:
                state.process.kill()
            raise

    def _discard(self) -> None:
        self._disconnect()
        # Not State.load: the machine of another version of the lab goes too.
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            Process(**json.loads((self.directory / STATE).read_text())["process"]).kill()
        for name in (STATE, "inventory.yml"):
            (self.directory / name).unlink(missing_ok=True)
        kinds.forget(self.directory)
        shutil.rmtree(self._control_directory, ignore_errors=True)

    def _connected(self, state: State) -> Guest:
        machine = self._of(state)
        where = (machine.access(self.directory, state.port), state.process, machine.link)
        if self._guest is None:
            self._guest = Guest(*where)
        # The same to whoever has it already, whichever machine runs by now.
        self._guest.belong_to(*where)
        return self._guest

    def _disconnect(self) -> None:
        """Close our connection and those that Ansible keeps open: none survives a change of the machine."""
        if self._guest is not None:
            self._guest.disconnect()
        for control in self._control_directory.glob("*"):
            command = ["ssh", "-F", "none", "-o", f"ControlPath={control}", "-O", "exit", "lab"]
            with contextlib.suppress(subprocess.SubprocessError):
                subprocess.run(command, stdin=subprocess.DEVNULL, check=False, capture_output=True, timeout=5)
            control.unlink(missing_ok=True)

    @property
    def _control_directory(self) -> Path:
        # The path of a socket must be short, which that of a lab's directory need not be.
        name = hashlib.sha256(os.fsencode(self.directory.absolute())).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"strata-lab-{os.getuid()}-{name}"

    def _write_inventory(self, state: State) -> None:
        self._control_directory.mkdir(mode=0o700, exist_ok=True)
        machine = self._of(state)
        access = machine.access(self.directory, state.port)
        control = ["ControlMaster=auto", "ControlPersist=60s", f"ControlPath={self._control_directory}/%C"]
        variables = {
            "ansible_host": access.address,
            "ansible_port": access.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(access.private_key),
            # Testinfra reads these, and not ansible_ssh_args, whose default compresses.
            "ansible_ssh_common_args": shlex.join(
                [*access.options, *(word for option in control for word in ("-o", option))]
            ),
            "ansible_ssh_args": "",
            "ansible_ssh_pipelining": True,
            # A host that is busy with other guests may keep a connection waiting for longer than Ansible's 10 s.
            "ansible_timeout": 60,
            "ansible_python_interpreter": machine.python,
            "lab_name": self.name,
            "lab_checkout": str(CHECKOUT),
            "lab_disks": {disk.serial: machine.link(disk.serial) for disk in self.hardware.disks},
        }
        lines = ["all:", "  hosts:", "    lab:", *(f"      {key}: {json.dumps(variables[key])}" for key in variables)]
        (self.directory / "inventory.yml").write_text("\n".join(lines) + "\n")
