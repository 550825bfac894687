# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same modules as users start them: ad hoc, and from playbooks."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import examples
from tests.lab import Guest, Lab

from .node import CHECKOUT

VERSION = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"]


def ansible(
    lab: Lab, program: str, *arguments: str, fails: bool = False, inventory: Path | None = None, **settings: str
) -> str:
    command = [program, "--inventory", str(inventory or lab.inventory_path), *arguments]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", **settings}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_ad_hoc(lab: Lab, guest: Guest) -> None:
    devices = ",".join(guest.disk(serial) for serial in ("HDD1", "HDD2"))
    array = ("lab", "--module-name", "strata.storage.raid", "--args", f"name=md0 level=1 devices={devices}")
    checked = ansible(lab, "ansible", *array, "--check", "--diff")
    assert '+        "level": "1"' in checked
    assert guest.run("cat /proc/mdstat").stdout.count("md0") == 0
    assert "CHANGED" in ansible(lab, "ansible", *array)
    assert "SUCCESS" in ansible(lab, "ansible", *array)
    refused = ansible(lab, "ansible", *array[:-1], f"name=md1 level=1 devices={devices}", fails=True)
    assert "is a member of RAID array /dev/md0" in refused
    assert "Traceback" not in refused
    found = ansible(lab, "ansible", "lab", "--one-line", "--module-name", "strata.storage.raid_info")
    assert json.loads(found.splitlines()[0].partition(" => ")[2])["raids"][0]["name"] == "md0"


def test_what_a_check_shows(lab: Lab, guest: Guest) -> None:
    used, blank = guest.disk("HDD1"), guest.disk("HDD2")
    # A terminal would be cleared by this label.
    guest.run(f"mkfs.ext4 -q -L \"$(printf 'backup\\033[2J')\" {used}")
    # What a plan is headed by is the name in the inventory.
    guest.run("hostname web1")
    layout = {"raids": [{"name": "md0", "level": "1", "devices": [used, blank]}], "allow_destroy": [used]}
    book = lab.directory / "play.json"
    tasks = [{"name": "A mirror", "strata.storage.layout": layout}]
    book.write_text(json.dumps([{"hosts": "lab", "gather_facts": False, "tasks": tasks}]))
    for arguments, lost in ((("--check",), "this would destroy"), ((), "destroyed")):
        said = ansible(lab, "ansible-playbook", str(book), "--diff", *arguments)
        for line in (
            r"lab: \d steps, DESTROYS 1",
            r"!     DESTROYS /dev/sd.: an ext4 filesystem labelled .backup.+ .*",
            r"Plan: 1 to create, 2 to change, 0 to remove, 1 to destroy\.",
            r"--- before: lab: now",
            r"\+\+\+ after: lab: after 'A mirror' \(\d steps, DESTROYS 1\)",
            r"-sd. +disk .* an ext4 filesystem labelled .backup.+ .*",
            r"\+└─ md0 +raid1 .*",
            rf"\[WARNING\]: {lost}: /dev/sd.: an ext4 .*",
        ):
            assert re.search(f"^{line}$", said, re.M), (line, said)
        assert "\x1b" not in said
        assert "web1" not in said
    flat = f"name=data devices={guest.disk('HDD3')} mount_point=/srv"
    said = ansible(lab, "ansible", "lab", "-m", "strata.storage.lvm_drive", "-a", flat, "--check", "--diff")
    assert re.search(r"^lab: \d steps, nothing destroyed$", said, re.M), said
    assert re.search(r"^\+\+\+ after: lab: after 'strata.storage.lvm_drive' \(\d steps\)$", said, re.M), said


def test_options_for_the_whole_group(lab: Lab, guest: Guest) -> None:
    play = [
        {
            "hosts": "lab",
            "gather_facts": False,
            "module_defaults": {"group/strata.storage.host": {"lock_timeout": 0}},
            "tasks": [{"strata.storage.raid": {"name": "md0", "state": "absent"}}],
        }
    ]
    guest.run("touch /run/strata-storage.lock; setsid flock /run/strata-storage.lock sleep 60 > /dev/null 2>&1 &")
    book = lab.directory / "play.json"
    book.write_text(json.dumps(play))
    assert "waited 0 s for it" in ansible(lab, "ansible-playbook", str(book), fails=True)


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize("kernel", ["any", pytest.param("debian", marks=pytest.mark.debian_kernel)])
@pytest.mark.first_case
def test_the_demo_of_the_built_collection(lab: Lab, tmp_path: Path, kernel: str) -> None:
    """As README says, in an empty place: it needs no other collection, and nothing of the checkout."""
    (steps,) = [block.commands for block in examples.blocks("README.md") if "collection build" in block.text]
    build, install = (shlex.split(step) for step in steps)
    assert install[-1] == f"strata-storage-{VERSION}.tar.gz"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.update(
        ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"),
        ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="0",
        ANSIBLE_NOCOLOR="1",
    )

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(*build, str(CHECKOUT), "--output-path", str(tmp_path))
    run(*install)
    assert [path.name for path in (tmp_path / "collections/ansible_collections").glob("*/*/")] == ["storage"]
    said = run("ansible-playbook", "--inventory", str(lab.inventory_path), "strata.storage.demo")
    assert "Nothing is left on 5 disks" in said


@pytest.mark.further
def test_the_initramfs_of_the_distributions_own_tool(lab: Lab, guest: Guest) -> None:
    """Elsewhere the lab's own stands in for it, since this one takes a minute with all drivers."""
    guest.run("rm -r /var/lib/lab; printf 'MODULES=list\\nCOMPRESSLEVEL=1\\n' > /etc/initramfs-tools/conf.d/small")
    devices = ",".join(guest.disk(serial) for serial in ("HDD1", "HDD2"))
    ansible(
        lab, "ansible", "lab", "--module-name", "strata.storage.raid", "--args", f"name=data level=1 devices={devices}"
    )
    inside = guest.run("cd /tmp && unmkinitramfs /boot/initrd.img-* image && cat image/etc/mdadm/mdadm.conf")
    assert "ARRAY /dev/md/data UUID=" in inside.stdout
