# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes long is shown while it goes on, and goes on without the controller."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_runner.interface import run as run_job

from tests.lab import Guest, Lab
from tests.tools import sanity

from .node import CHECKOUT

FILES = "ls /run/strata-storage/progress"
LOCK = "/run/strata-storage.lock"
#: A task that changes nothing, and waits for the lock before.
WAITS = {"name": "md9", "state": "absent"}


def resync(name: str, *disks: str) -> dict[str, Any]:
    devices = [f"{{{{ lab_disks.{disk} }}}}" for disk in disks]
    return {"strata.storage.raid": {"name": name, "level": "1", "devices": devices, "wait": True}}


def install(series: str) -> Path:
    """Where the programs of an ansible-core are."""
    return sanity.install_core(series, sanity.find_pythons()[sanity.CORES[series][0]]).bin


class Plays:
    """Starts plays of a few tasks."""

    def __init__(self, where: Path, inventory: Path) -> None:
        self._where = where
        self._inventory = inventory

    def command(
        self, *tasks: Mapping[str, Any], programs: Path | None = None, hosts: str = "lab", **play: Any
    ) -> list[str]:
        book = self._where / "play.json"
        book.write_text(json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": tasks, **play}]))
        program = str(programs / "ansible-playbook") if programs else "ansible-playbook"
        return [program, "--inventory", str(self._inventory), str(book)]

    def run(self, command: list[str], fails: bool = False, **environment: str) -> tuple[str, list[str]]:
        """What it printed, and its lines of progress."""
        done = subprocess.run(command, env=self.environment(**environment), check=False, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout, [line for line in done.stderr.splitlines() if " | " in line]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **more}


@pytest.fixture
def plays(tmp_path: Path, lab: Lab, guest: Guest) -> Plays:
    """On the host lab, and on lab2, which is another name of it."""
    guest.run("sysctl -q dev.raid.speed_limit_max=20000 dev.raid.speed_limit_min=20000")
    known = yaml.safe_load(lab.inventory_path.read_text())
    hosts = known["all"]["hosts"]
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {**hosts, "lab2": hosts["lab"]}}}))
    return Plays(tmp_path, inventory)


def percents(lines: list[str], start: str) -> list[float]:
    """How far it was by each line, all of which are alike."""
    found = [re.fullmatch(rf"{re.escape(start)} ([\d.]+) %, [\d.]+ [KM]iB/s, \d+ min left", line) for line in lines]
    assert all(found), lines
    return [float(match.group(1)) for match in found if match]


def test_a_resync_is_shown(plays: Plays, guest: Guest) -> None:
    # It takes longer than two looks at it, of which one may see a step before it.
    guest.run("sysctl -q dev.raid.speed_limit_max=16000 dev.raid.speed_limit_min=16000")
    printed, lines = plays.run(plays.command(resync("md0", "SSD1", "SSD2")))
    reached = percents([line for line in lines if ": resync" in line], "lab | raid | md0: resync")
    assert reached
    assert reached == sorted(reached)
    assert len(lines) <= 4
    assert "md0: resync" not in printed
    assert guest.run(FILES).stdout == ""


@pytest.mark.further
@pytest.mark.parametrize("series", ["2.18", "2.21"])
def test_two_hosts_at_once(plays: Plays, guest: Guest, series: str) -> None:
    """Of each host lines that grow, of whichever ansible-core."""
    guest.run("sysctl -q dev.raid.speed_limit_max=8000 dev.raid.speed_limit_min=8000")
    one, two = (
        {**resync(name, *disks), "when": f"inventory_hostname == '{host}'"}
        for host, name, disks in (("lab", "md0", ("HDD1", "HDD2")), ("lab2", "md1", ("HDD3", "HDD4")))
    )
    command = plays.command(one, two, programs=install(series), hosts="all", strategy="free")
    _printed, lines = plays.run([*command, "--forks=2"])
    for start in ("lab | raid | md0: resync", "lab2 | raid | md1: resync"):
        shown = [line for line in lines if line.startswith(start.partition("md")[0])]
        assert 2 <= len(shown) <= 4, shown
        # The first may be of the step that makes the array, or of the other host, whose lock it waits for.
        reached = percents([line for line in shown if ": resync" in line], start)
        assert reached
        assert reached == sorted(reached)
    assert guest.run(FILES).stdout == ""


@pytest.mark.further
@pytest.mark.parametrize(("series", "pipelining"), [("2.18", True), ("2.21", False)])
def test_an_interrupted_controller_leaves_the_work_going(
    plays: Plays, guest: Guest, series: str, pipelining: bool
) -> None:
    """LVM moves on only while somebody looks after it. Without pipelining, a terminal hangs up."""
    core = install(series)
    drive = {"name": "data", "devices": ["{{ lab_disks.HDD1 }}"], "volumes": [{"name": "v", "size": "400M"}]}
    plays.run(plays.command({"strata.storage.lvm_drive": drive}))
    guest.run("modprobe dm_mirror; echo 1 > /sys/module/dm_mirror/parameters/raid1_resync_throttle")
    moved = {**drive, "devices": ["{{ lab_disks.HDD2 }}"], "lock_timeout": 300}
    command = [
        *plays.command({"strata.storage.lvm_drive": moved}, programs=core),
        "--extra-vars",
        json.dumps({"ansible_ssh_pipelining": pipelining}),
    ]
    with subprocess.Popen(
        command, env=plays.environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as first:
        assert first.stderr
        shown = next(line for line in first.stderr if "move from" in line)
        assert re.match(r"lab \| lvm_drive \| step 2 of 4: move from /dev/sd. [\d.]+ %", shown)
        os.killpg(first.pid, signal.SIGINT)
        first.stderr.read()
        assert first.wait(30) != 0
    assert guest.run("dmsetup ls").stdout.count("pvmove") == 1

    printed, lines = plays.run(command)
    assert lines[0].startswith("lab | lvm_drive | waits for strata.storage.lvm_drive data, process ")
    assert re.search(r"lab +: ok=1 +changed=0", printed)
    assert guest.run(f"wipefs --noheadings {guest.disk('HDD1')}").stdout == ""
    assert guest.run(FILES).stdout == ""


@pytest.mark.further
def test_a_killed_task_leaves_nothing_that_matters(plays: Plays, guest: Guest) -> None:
    command = plays.command(resync("md0", "SSD1", "SSD2"))
    with subprocess.Popen(command, env=plays.environment(), stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr
        next(line for line in first.stderr if "md0: resync" in line)
        guest.run("pkill --signal KILL --exact python3 --newest")
        assert first.wait(30) != 0
    (left,) = guest.run(FILES).stdout.split()
    guest.run("sysctl -q dev.raid.speed_limit_max=8000 dev.raid.speed_limit_min=8000")
    printed, lines = plays.run(command)
    assert percents(lines, "lab | raid | md0: resync")
    assert re.search(r"lab +: ok=1 +changed=0", printed)
    assert guest.run(FILES).stdout.split() == [left]


@pytest.fixture
def locked(guest: Guest) -> None:
    guest.run(f"touch {LOCK}; setsid flock {LOCK} sleep 300 > /dev/null 2>&1 &")


@pytest.mark.further
@pytest.mark.usefixtures("locked")
def test_when_nothing_is_shown(plays: Plays) -> None:
    """Each task waits for seven seconds, and fails."""
    waits = {"strata.storage.raid": {**WAITS, "lock_timeout": 7}, "ignore_errors": True}
    _printed, lines = plays.run(
        plays.command(
            {**waits, "no_log": True},
            {**waits, "check_mode": True},
            {**waits, "vars": {"strata_storage_progress": "{{ 1 > 2 }}"}},
            {**waits, "async": 60, "poll": 1},
        )
    )
    assert lines == []
    _printed, lines = plays.run(
        plays.command(
            {"strata.storage.raid": WAITS, "ignore_errors": True},
            module_defaults={"group/strata.storage.host": {"lock_timeout": 7}},
        )
    )
    assert len(lines) == 1
    delegated = {**waits, "delegate_to": "lab2", "environment": {"LANG": "C"}}
    _printed, lines = plays.run(plays.command(delegated))
    assert lines[0].startswith("lab -> lab2 | raid | waits for ")


@pytest.mark.further
@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("callback", ["default", "strata.storage.plan"])
def test_a_bar_on_a_terminal(plays: Plays, callback: str) -> None:
    command = plays.command({"strata.storage.raid": {**WAITS, "lock_timeout": 7}, "ignore_errors": True})
    ours, theirs = pty.openpty()
    environment = plays.environment(ANSIBLE_STDOUT_CALLBACK=callback)
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=theirs, stdin=theirs) as running:
        os.close(theirs)
        said = "".join(chunk.decode() for chunk in _chunks(ours))
        assert running.wait(30) == 0
    assert "\r\x1b[Klab | raid | waits for " in said
    shown = said.index("\r\x1b[Klab | raid")
    assert "\n" not in said[shown : said.index("\r\x1b[K", shown + 4)], "it is erased before anything else is printed"


def _chunks(descriptor: int) -> Iterator[bytes]:
    """What is printed on a terminal, until nobody has its other end."""
    with os.fdopen(descriptor, "rb", buffering=0) as terminal:
        while True:
            try:
                chunk = terminal.read(4096)
            except OSError:
                return
            if not chunk:
                return
            yield chunk


@pytest.mark.further
@pytest.mark.usefixtures("locked")
def test_a_job_of_awx(plays: Plays, tmp_path: Path) -> None:
    *_program, inventory, book = plays.command(
        {"strata.storage.raid": {**WAITS, "lock_timeout": 7}, "ignore_errors": True}
    )
    (tmp_path / "job").mkdir()
    done = run_job(
        private_data_dir=str(tmp_path / "job"),
        project_dir=str(CHECKOUT),
        playbook=book,
        inventory=inventory,
        envvars={"ANSIBLE_NOCOLOR": "1"},
        quiet=True,
    )
    lines = [line for event in done.events for line in event["stdout"].splitlines() if "| raid |" in line]
    assert len(lines) == 1
    assert lines[0].startswith("lab | raid | waits for ")


@pytest.mark.further
@pytest.mark.parametrize("series", ["2.18", "2.21"])
def test_a_local_connection(tmp_path: Path, series: str) -> None:
    """With this machine's own lock, and as the user that a task becomes."""
    inventory = tmp_path / "inventory"
    inventory.write_text("here ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n")
    plays = Plays(tmp_path, inventory)
    task = {"strata.storage.raid": {**WAITS, "lock_timeout": 7}, "ignore_errors": True}
    core = install(series)
    with open(LOCK, "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        _printed, lines = plays.run(plays.command(task, programs=core, hosts="here"))
    assert time.monotonic() - began > 7
    assert len(lines) == 1
    assert lines[0].startswith("here | raid | waits for ")
