# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab keeps its promises; these boot real machines."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.lab import CommandError, Guest, Lab, LabError
from tests.lab.guest import Access
from tests.lab.lab import CHECKOUT
from tests.lab.process import Process
from tests.lab.state import State
from tests.lab.write_log import Recorder, replay

PATTERN = "strata" * 100


def put(guest: Guest, serial: str, *, flush: bool) -> None:
    """Write 4 KiB of a pattern to the middle of a disk, past the guest's cache."""
    text = (PATTERN * 7)[:4096]
    options = "oflag=direct" + (" conv=fsync" if flush else "")
    guest.run(f"dd of={guest.disk(serial)} bs=4096 seek=5000 count=1 iflag=fullblock {options}", input=text)


def found(guest: Guest, serial: str) -> bool:
    """Whether the pattern is on the disk."""
    command = f"dd if={guest.disk(serial)} bs=4096 skip=5000 count=1 iflag=direct status=none | grep -c {PATTERN[:60]}"
    return guest.run(command, check=False).stdout.strip() == "1"


def eventually(condition: Callable[[], bool], timeout: float = 20) -> bool:
    """Wait up to `timeout` seconds for a condition."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def of_session(leader: int) -> list[str]:
    """Return what runs of a session: a machine has one of its own, with all of its processes."""
    running = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _bracket, fields = path.read_text().rpartition(")")
            state, _parent, _group, session = fields.split()[:4]
            if session == str(leader) and state not in "ZX":
                running.append(name)
    return running


def process_of(directory: Path) -> Process:
    """Return the QEMU of a lab's directory."""
    state = State.load(directory)
    assert state is not None
    return state.process


def test_run(guest: Guest) -> None:
    result = guest.run("echo out; echo err >&2; exit 3", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "err\n")
    with pytest.raises(CommandError, match=r"rc 1: false"):
        guest.run("false")
    assert guest.run("cat", input="typed\n").stdout == "typed\n"
    with pytest.raises(subprocess.TimeoutExpired):
        guest.run("sleep 20 | sleep 20", timeout=0.5)
    assert guest.run("pgrep sleep", check=False).returncode == 1
    assert abs(float(guest.run("date +%s").stdout) - time.time()) < 5


@pytest.mark.further
def test_files(guest: Guest, tmp_path: Path) -> None:
    guest.write("/root/secret", "text\n", mode=0o600)
    assert guest.read("/root/secret") == "text\n"
    assert guest.run("stat -c %a /root/secret").stdout == "600\n"
    with pytest.raises(FileNotFoundError):
        guest.read("/root/none")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("pushed")
    guest.push(tmp_path, "/root/new place")
    assert guest.read("/root/new place/below/file") == "pushed"


@pytest.mark.further
def test_ask(guest: Guest) -> None:
    server = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('/run/echo'); s.listen()"
    with pytest.raises(FileNotFoundError):
        guest.ask("/run/echo", "anybody")
    guest.run(f'python3 -c "{server}"')
    with pytest.raises(ConnectionRefusedError):
        guest.ask("/run/echo", "anybody")
    echo = f"{server}; c, _ = s.accept(); c.sendall(c.recv(9) * 20000); c.close(); c, _ = s.accept(); s.accept()"
    guest.run(f'rm /run/echo; setsid python3 -c "{echo}" > /dev/null 2>&1 < /dev/null &')
    guest.until("ss --no-header --listening --unix src /run/echo | grep -q .")
    assert guest.ask("/run/echo", "echo") == "echo\n" * 20000
    with pytest.raises(TimeoutError):
        guest.ask("/run/echo", "echo", timeout=0.5)


def test_disks(guest: Guest, lab: Lab) -> None:
    listed = json.loads(guest.run("lsblk --json --bytes --nodeps -o NAME,SERIAL,SIZE,ROTA").stdout)["blockdevices"]
    by_serial = {disk["serial"]: disk for disk in listed}
    for disk in lab.hardware.disks:
        seen = by_serial[disk.serial]
        assert seen["name"] == guest.kernel_name(disk.serial)
        assert (seen["size"], seen["rota"]) == (disk.size_mib << 20, disk.rotation_rate != 1)
    before = lab.disk_writes()
    put(guest, "HDD3", flush=True)
    changed = {serial for serial, writes in lab.disk_writes().items() if writes != before[serial]}
    assert changed == {"HDD3"}


@pytest.mark.further
def test_operator_is_not_root(guest: Guest) -> None:
    done = subprocess.run(guest.access.ssh("id", "-un", user="operator"), capture_output=True, text=True, check=True)
    assert done.stdout == "operator\n"


@pytest.mark.further
@pytest.mark.debian_kernel
def test_python_for_ansible(guest: Guest) -> None:
    """It is one of a process of its own in all that a module could see, only sooner there."""
    see = (
        "import json, os, sys\n"
        "umask = os.umask(0)\n"
        "seen = sys.argv[1:], os.getcwd(), umask, sys.executable, os.environ['SAID'], sys.path, __name__\n"
        "print(json.dumps(seen), sys.stdin.read())\n"
        "print('an error', file=sys.stderr)\n"
        "sys.exit(3)\n"
    )
    guest.write("/tmp/see.py", see)
    run = "cd /usr/lib && umask 027 && echo input | SAID=this {} /tmp/see.py one ''"
    served, cold = (guest.run(run.format(python), check=False) for python in ("lab-python", "python3"))
    assert (served.returncode, served.stdout, served.stderr) == (3, cold.stdout, cold.stderr)
    assert "lab-python.service" in guest.run("echo 'print(open(\"/proc/self/cgroup\").read())' | lab-python").stdout
    assert "ValueError: why" in guest.run("echo 'raise ValueError(\"why\")' | lab-python", check=False).stderr
    assert guest.run("echo 'import os; os.kill(os.getpid(), 9)' | lab-python", check=False).returncode == 137
    assert guest.run("lab-python -c 'print(1)'").stdout == "1\n"
    # Such as Ansible's async_wrapper.
    forks = "import os, sys, time\nif not os.fork(): sys.exit(5)\ntime.sleep(1); print('the first'); sys.exit(3)"
    ended = guest.run("lab-python", input=forks, check=False)
    assert (ended.returncode, ended.stdout) == (3, "the first\n")
    as_operator = "su operator --command 'echo \"import os; print(os.getuid())\" | lab-python'"
    assert guest.run(as_operator).stdout == guest.run("id --user operator").stdout


@pytest.mark.debian_kernel
@pytest.mark.further
def test_python_for_ansible_keeps_bytecode(guest: Guest) -> None:
    kept = "ls /var/cache/lab-python | wc -l"

    def said(text: str) -> tuple[str, int]:
        guest.write("/tmp/told.py", f"print({text!r})\n")
        guest.run("cd /tmp && rm -f told.zip && python3 -m zipfile -c told.zip told.py")
        program = "import sys; sys.path.insert(0, '/tmp/told.zip'); import told"
        return guest.run("lab-python", input=program).stdout, int(guest.run(kept).stdout)

    before = int(guest.run(kept).stdout)
    assert said("one") == said("one") == ("one\n", before + 1)
    assert said("two") == ("two\n", before + 2)
    guest.run("rm /var/cache/lab-python/*; chattr +i /var/cache/lab-python")
    assert said("two") == ("two\n", 0)


@pytest.mark.debian_kernel
@pytest.mark.further
def test_python_for_ansible_imports_once(guest: Guest) -> None:
    """What the server has imported is what the process would: as long as its zip file has the same text."""
    program = "import sys; sys.path.insert(0, '/tmp/{}.zip'); import ansible_told.one as one; print(one.says())"
    guest.run("mkdir /tmp/ansible_told")

    def said(zip_file: str, fact: str, more: str = "") -> list[str]:
        one = "import sys; from ansible_told.two import FACT; AT = __file__\ndef says(): return (AT, *FACT, sys.argv)\n"
        two = f"import os; FACT = ({fact!r}, os.urandom(8).hex())\n{more}\n"
        for name, text in {"__init__": "", "one": one, "two": two}.items():
            guest.write(f"/tmp/ansible_told/{name}.py", text)
        guest.run(f"cd /tmp && rm -f {zip_file}.zip && python3 -m zipfile -c {zip_file}.zip ansible_told")
        done = guest.run("lab-python", input=program.format(zip_file))
        facts: list[str]
        at, *facts, arguments = ast.literal_eval(done.stdout)
        assert (at, arguments) == (f"/tmp/{zip_file}.zip/ansible_told/one.py", [""])
        return facts

    first, second = said("a", "old"), said("b", "old")
    assert first[0] == second[0] == "old"
    assert first != second == said("a", "old")
    assert said("a", "new")[0] == "new"
    alone = "import __main__; assert not hasattr(__main__, 'Shelf')"
    assert said("a", "new", alone) != said("a", "new", alone)
    assert "processes import for themselves: AssertionError" in guest.run("journalctl --unit lab-python").stdout


@pytest.mark.further
def test_a_guest_that_hangs_is_not_waited_for(guest: Guest, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.lab.guest.SILENCE", 8)
    began = time.monotonic()
    assert guest.run("sleep 12; echo done").stdout == "done\n"
    assert time.monotonic() - began > 12
    process = process_of(lab.directory)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(LabError, match="the guest hangs: not a word from it for 8 s"):
        guest.run("true")
    lab.reset()
    assert lab.guest.run("echo again").stdout == "again\n"


def test_reset_restores_guest_and_disks(guest: Guest, lab: Lab) -> None:
    put(guest, "HDD1", flush=True)
    guest.run("touch /root/trace; sync")
    lab.reset()
    assert not found(lab.guest, "HDD1")
    assert lab.guest.run("ls /root").stdout == ""


@pytest.mark.further
def test_reset_to_what_was_saved(guest: Guest, lab: Lab) -> None:
    first = lab.start
    try:
        guest.run("touch /root/saved")
        lab.save("saved", start=True)
        guest.run("touch /root/more")
        lab.reset()
        assert lab.guest.run("ls /root").stdout == "saved\n"
        lab.reset(first)
        assert lab.used
        assert lab.guest.run("ls /root").stdout == ""
    finally:
        lab.start = first
        lab.used = True


@pytest.mark.further
@pytest.mark.debian_kernel
def test_a_reset_turns_back_the_guests_clock(guest: Guest, lab: Lab) -> None:
    def uptime() -> float:
        return float(lab.guest.read("/proc/uptime").split()[0])

    began, before = time.monotonic(), uptime()
    lab.save("saved")
    saved = time.monotonic()
    lab.reset("saved")
    again = time.monotonic()
    lab.reset("saved")
    # What passed from there to the second reset has not passed in the guest.
    assert uptime() - before < saved - began + time.monotonic() - again


def test_pull_and_insert(guest: Guest, lab: Lab) -> None:
    put(guest, "HDD1", flush=True)
    put(guest, "HDD2", flush=True)
    for serial in ("HDD1", "HDD2", "SSD1"):
        lab.pull_disk(serial)
    assert guest.run(f"test -e {guest.disk('HDD1')}", check=False).returncode == 1
    assert "HDD1" not in lab.disk_writes()
    with pytest.raises(LabError, match="pulled already"):
        lab.pull_disk("HDD1")
    lab.insert_disk("HDD1")
    lab.insert_disk("HDD2", new=True)
    lab.insert_disk("SSD1", size_mib=64)
    for serial in ("HDD1", "HDD2", "SSD1"):
        guest.run(f"until test -e {guest.disk(serial)}; do sleep 0.05; done; udevadm settle")
    assert found(guest, "HDD1")
    assert not found(guest, "HDD2")
    assert guest.run(f"blockdev --getsize64 {guest.disk('SSD1')}").stdout == f"{64 << 20}\n"
    lab.reset()
    assert not found(lab.guest, "HDD1")
    assert lab.guest.run(f"blockdev --getsize64 {guest.disk('SSD1')}").stdout == f"{256 << 20}\n"


@pytest.mark.further
def test_disks_of_other_kinds(guest: Guest, lab: Lab) -> None:
    put(guest, "HDD1", flush=True)
    for serial, sector, optimal_io in (("HDD1", 4096, None), ("HDD2", None, 8 << 20)):
        lab.pull_disk(serial)
        lab.insert_disk(serial, sector=sector, optimal_io=optimal_io)
    queues = {}
    for serial in ("HDD1", "HDD2", "HDD3"):
        guest.until(f"test -e {guest.disk(serial)}")
        queue = f"/sys/block/{guest.kernel_name(serial)}/queue"
        said = guest.run(f"cat {queue}/logical_block_size {queue}/physical_block_size {queue}/optimal_io_size")
        queues[serial] = [int(number) for number in said.stdout.split()]
    assert queues["HDD1"][:2] == [4096, 4096]
    assert found(guest, "HDD1")
    assert queues["HDD2"] == [512, 512, 8 << 20]
    assert queues["HDD3"] == [512, 512, 0]
    assert guest.run(f"blockdev --getsize64 {guest.disk('HDD1')}").stdout == f"{512 << 20}\n"
    lab.power_cut()
    assert guest.run(f"blockdev --getss {guest.disk('HDD1')}").stdout == "4096\n"


@pytest.mark.further
def test_a_disk_that_grows_in_use(guest: Guest, lab: Lab) -> None:
    disk = guest.disk("HDD1")
    guest.run(f"mkfs.ext4 -q {disk} && mount {disk} /mnt && echo kept > /mnt/file && sync")
    lab.grow_disk("HDD1", 700)
    guest.until(f"[ $(blockdev --getsize64 {disk}) = {700 << 20} ]")
    guest.run(f"resize2fs {disk} && echo more > /mnt/more && sync")
    lab.power_cut()
    assert guest.run(f"blockdev --getsize64 {disk}").stdout == f"{700 << 20}\n"
    assert guest.run(f"mount {disk} /mnt && cat /mnt/file /mnt/more").stdout == "kept\nmore\n"


@pytest.mark.further
def test_two_paths_to_a_disk(guest: Guest, lab: Lab) -> None:
    lab.add_path("HDD1")
    guest.until("[ $(lsblk --nodeps --noheadings --output SERIAL | grep -c HDD1) = 2 ]")
    # lsblk asks udev for the WWN.
    guest.run("udevadm settle")
    put(guest, "HDD1", flush=True)
    listed = json.loads(guest.run("lsblk --json --nodeps --output PATH,SERIAL,WWN").stdout)["blockdevices"]
    paths = [disk["path"] for disk in listed if disk["serial"] == "HDD1"]
    assert len({disk["wwn"] for disk in listed if disk["serial"] == "HDD1"}) == 1
    sums = {
        guest.run(f"dd if={path} bs=4096 skip=5000 count=1 iflag=direct status=none | md5sum").stdout for path in paths
    }
    assert len(sums) == 1
    lab.pull_disk("HDD1")
    assert "HDD1" not in guest.run("lsblk --nodeps --noheadings --output SERIAL").stdout
    lab.insert_disk("HDD1")
    guest.until(f"test -e {guest.disk('HDD1')}")
    assert found(guest, "HDD1")


@pytest.mark.records_writes
@pytest.mark.further
def test_a_guest_that_does_nothing_is_nudged(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = 'awk \'$3 == "ubd" || $4 == "ubd" { print $2 }\' /proc/interrupts'
    before = int(guest.run(requests).stdout)
    guest.access.nudge()
    assert int(guest.run(requests).stdout) > before
    assert guest.run("udevadm settle; lsblk --noheadings --output NAME /dev/ubd*").stdout.split() == ["ubda", "ubdb"]
    up = guest.access.up_file
    assert up is not None
    guest.disconnect()
    up.unlink()
    monkeypatch.setattr(Access, "nudge", lambda access: access.up_file.touch())
    guest.connect()
    assert guest.run("echo here").stdout == "here\n"


def test_each_write_is_recorded(guest: Guest, lab: Lab, tmp_path: Path) -> None:
    """Each beginning of a record, done to the disks as they were, is what a power cut would have left."""
    if lab.snapshots:
        with pytest.raises(LabError, match="recorded in user mode only"):
            lab.reset(recorder=Recorder(lab.directory))
        return
    guest.run(f"mkfs.ext4 -q {guest.disk('HDD1')}")
    lab.save("before")
    try:
        recorder = Recorder(lab.directory)
        lab.reset("before", recorder)
        guest.run("echo begin > /run/lab-disks/mark; sync /run/lab-disks/mark")
        guest.run(f"echo root > /root/file; sync; mount {guest.disk('HDD1')} /mnt; echo disk > /mnt/file; sync")
        put(guest, "HDD2", flush=True)
        guest.run("echo end > /run/lab-disks/mark; sync /run/lab-disks/mark")
        lab.power_cut(boot=False)
        entries = recorder.wait()
        begin, end = (place for place, entry in enumerate(entries) if entry.kind == "mark")
        assert [entries[begin].data, entries[end].data] == [b"begin\n", b"end\n"]
        within = entries[begin:end]
        files = [entry.file for entry in within if entry.kind == "write"]
        assert {"root.cow", "disks/HDD1", "disks/HDD2"} == set(files)
        assert "disks/HDD1" in {entry.file for entry in within if entry.kind == "flush"}
        last = max(place for place, entry in enumerate(entries) if entry.file == "disks/HDD2" and entry.kind == "write")

        saved = lab.directory / "saved"
        for beginning, there in ((last, False), (last + 1, True)):
            subprocess.run(["cp", "--recursive", "--sparse=always", saved / "before", saved / "cut"], check=True)
            replay(entries[:beginning], saved / "cut")
            lab.reset("cut")
            assert found(lab.guest, "HDD2") == there
            # Both were flushed before that.
            told = lab.guest.run(f"mount {guest.disk('HDD1')} /mnt && cat /root/file /mnt/file").stdout
            assert told == "root\ndisk\n"
            shutil.rmtree(saved / "cut")
    finally:
        lab.used = True


def test_ordered_power_cut_keeps_every_completed_write(guest: Guest, lab: Lab) -> None:
    put(guest, "HDD1", flush=False)
    put(guest, "HDD2", flush=True)
    lab.pull_disk("HDD6")
    boot = guest.read("/proc/sys/kernel/random/boot_id")
    lab.power_cut("ordered")
    assert guest.read("/proc/sys/kernel/random/boot_id") != boot
    assert found(guest, "HDD1")
    assert found(guest, "HDD2")
    assert guest.run(f"test -e {guest.disk('HDD6')}", check=False).returncode == 1
    lab.insert_disk("HDD6")


@pytest.mark.volatile
def test_volatile_power_cut_keeps_what_was_flushed(guest: Guest, lab: Lab) -> None:
    put(guest, "HDD1", flush=False)
    put(guest, "HDD2", flush=True)
    lab.power_cut("volatile", boot=False)
    assert lab.status().condition == "stopped"
    with pytest.raises(LabError, match="stopped"):
        guest.run("true")
    lab.boot()
    assert not found(guest, "HDD1")
    assert found(guest, "HDD2")


def test_reboot_uses_the_guests_own_initramfs(guest: Guest, lab: Lab) -> None:
    """An array comes up under the number that only the new initramfs knows."""
    uuid = "11111111:22222222:33333333:44444444"
    disks = f"{guest.disk('HDD1')} {guest.disk('HDD2')}"
    create = "mdadm --create /dev/md7 --run --level=1 --raid-devices=2 --homehost=elsewhere --assume-clean"
    guest.run(f"{create} --uuid={uuid} {disks}")
    guest.run(f"echo 'ARRAY /dev/md5 UUID={uuid}' >> /etc/mdadm/mdadm.conf; update-initramfs -u")
    before = (lab.directory / "state.json").read_text()
    lab.reboot()
    assert (lab.directory / "state.json").read_text() != before
    assert "md5 : active" in guest.run("cat /proc/mdstat").stdout


@pytest.mark.further
def test_a_reboot_ends_the_connections_that_ansible_keeps(guest: Guest, lab: Lab) -> None:
    """Nobody answers any more at the other end, and a task would wait for that for a minute."""
    inventory = yaml.safe_load(lab.inventory_path.read_text())["all"]["hosts"]["lab"]
    (control,) = re.findall(r"ControlPath=(\S+)/%C", inventory["ansible_ssh_common_args"])
    ping = ["ansible", "--inventory", str(lab.inventory_path), "lab", "--module-name", "ansible.builtin.ping"]
    subprocess.run(ping, check=True, capture_output=True)
    assert list(Path(control).iterdir())
    lab.reboot()
    assert not list(Path(control).iterdir())


@pytest.mark.further
def test_labs_beside_each_other_and_a_dead_one(guest: Guest, tmp_path: Path) -> None:
    guest.write("/root/mine", "")
    with Lab("beside", owned=True, directory=tmp_path / "beside") as beside:
        assert beside.guest.run("ls /root").stdout == ""
        with (
            pytest.raises(LabError, match="belongs to another process"),
            Lab("beside", owned=True, directory=tmp_path / "beside"),
        ):
            pass
        beside.guest.write("/root/theirs", "")
        os.kill(process_of(beside.directory).pid, signal.SIGKILL)
        assert eventually(lambda: beside.status().condition == "stopped")
        with pytest.raises(LabError, match="stopped"):
            beside.guest.run("true")
        beside.up()
        assert beside.guest.run("ls /root").stdout == ""
        assert guest.run("ls /root").stdout == "mine\n"
    assert beside.status().condition == "down"


@pytest.mark.further
def test_an_interruption_before_anybody_knows_of_the_machine(lab: Lab, tmp_path: Path) -> None:
    """It is ended all the same: a machine that no state names is one that nobody could end."""
    code = (
        "import os, signal; from pathlib import Path; from tests.lab import Lab, qemu, uml\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler); spawn = uml.spawn\n"
        "def then_interrupted(*given, **more):\n"
        "    child = spawn(*given, **more); print(child.pid, flush=True); os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return child\n"
        f"uml.spawn = qemu.spawn = then_interrupted; Lab(directory=Path({str(tmp_path)!r})).up()"
    )
    owner = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120
    )
    assert "KeyboardInterrupt" in owner.stderr
    assert eventually(lambda: not of_session(int(owner.stdout)))


@pytest.mark.further
def test_a_place_with_unusual_letters(lab: Lab, tmp_path: Path) -> None:
    with Lab("unusual", owned=True, directory=tmp_path / "a %h b") as unusual:
        unusual.guest.run("touch /root/kept; sync")
        unusual.power_cut()
        assert unusual.guest.run("ls /root").stdout == "kept\n"
        ping = ["ansible", "--inventory", str(unusual.inventory_path), "lab", "--module-name", "ansible.builtin.ping"]
        subprocess.run(ping, check=True, capture_output=True)
        with pytest.raises(LabError, match="belongs to another process"):
            Lab("unusual", directory=tmp_path / "a %h b").down()
        assert unusual.guest.run("ls /root").stdout == "kept\n"


@pytest.mark.further
def test_what_cannot_be_done_changes_nothing(guest: Guest, lab: Lab) -> None:
    guest.write("/root/mine", "")
    with pytest.raises(LabError, match="no state was saved as typo"):
        lab.reset("typo")
    with pytest.raises(LabError, match="HDD1 has 512 MiB, and a disk does not shrink"):
        lab.grow_disk("HDD1", 512)
    with pytest.raises(LabError, match="HDD1 is in its place; pull it first"):
        lab.insert_disk("HDD1")
    lab.pull_disk("HDD1")
    with pytest.raises(LabError, match="no disk has sectors of 520 bytes: 512, 4096"):
        lab.insert_disk("HDD1", sector=520)
    with pytest.raises(LabError, match="a disk of 0 MiB is none"):
        lab.insert_disk("HDD1", size_mib=0)
    with pytest.raises(LabError, match="an optimal I/O size of 100 bytes is no multiple of 4096"):
        lab.insert_disk("HDD1", optimal_io=100)
    with pytest.raises(LabError, match="HDD1 is pulled; put it in first"):
        lab.grow_disk("HDD1", 700)
    with pytest.raises(LabError, match="HDD1 is pulled; put it in first"):
        lab.add_path("HDD1")
    lab.insert_disk("HDD1")
    guest.until(f'[ "$(blockdev --getsize64 {guest.disk("HDD1")})" = {512 << 20} ]')
    assert guest.run("ls /root").stdout == "mine\n"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_its_owner(end: signal.Signals, lab: Lab, tmp_path: Path) -> None:
    """Killed, the kernel sees to it; interrupted while `up` works, the lab does."""
    owned = end == signal.SIGKILL
    code = f"from pathlib import Path; from tests.lab import Lab; Lab(owned={owned}, directory=Path({str(tmp_path)!r}))"
    # Held up as if ssh did not answer yet, so that `up` is not done before it is interrupted.
    # In short sleeps: one long wait would miss a signal that comes right before it begins.
    # What a shell starts in the background ignores this signal, and so does all that it starts in turn.
    held = "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); "
    held += "from tests.lab.guest import Guest; "
    held += "Guest.connect = lambda *_: [time.sleep(0.05) for _ in iter(int, 1)]; "
    code = code + ".up(); input()" if owned else held + code + ".up()"
    owner = subprocess.Popen(
        [sys.executable, "-c", code], cwd=CHECKOUT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert eventually((tmp_path / "state.json").exists)
        process = process_of(tmp_path)
        assert process.alive()
        owner.send_signal(end)
        owner.wait(120)
        assert eventually(lambda: not process.alive())
        assert eventually(lambda: not of_session(process.pid))
    finally:
        owner.kill()
        owner.communicate()
        left = State.load(tmp_path)
        if left is not None:
            left.process.kill()
