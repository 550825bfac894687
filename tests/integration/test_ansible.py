# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same modules as users start them: ad hoc, and from playbooks."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.lab import Guest, Lab

from .node import CHECKOUT


def ansible(lab: Lab, program: str, *arguments: str, fails: bool = False, **settings: str) -> str:
    command = [program, "--inventory", str(lab.inventory_path), *arguments]
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


def test_a_plan_that_somebody_approves(lab: Lab, guest: Guest) -> None:
    """As in an AWX workflow: what the first playbook publishes, the second is given."""
    document: dict[str, Any] = {
        "disks": [{"name": "any", "rotational": True, "count": 2}],
        "raids": [{"name": "md0", "level": "1", "devices": ["any"]}],
        "filesystems": [{"device": "md0", "type": "ext4", "mount_point": "/srv"}],
    }
    given = lab.directory / "given.json"
    given.write_text(json.dumps({"storage_layout": document}))
    planned = ansible(
        lab, "ansible-playbook", "playbooks/layout_plan.yml", "-e", f"@{given}", ANSIBLE_SHOW_CUSTOM_STATS="1"
    )
    assert "mount filesystem /dev/md0 /srv" in planned
    published = json.loads(planned[planned.index("{", planned.index("CUSTOM STATS")) : planned.rindex("}") + 1])
    ((host, summary),) = published["storage_approved"].items()
    assert (host, summary["destructive"]) == ("lab", 0)
    assert guest.run("cat /proc/mdstat").stdout.count("md0") == 0

    approved = lab.directory / "approved.json"
    approved.write_text(json.dumps(published))
    document["filesystems"][0]["type"] = "xfs"
    given.write_text(json.dumps({"storage_layout": document}))
    book = ("playbooks/layout.yml", "-e", f"@{given}")
    assert "not the expected one" in ansible(lab, "ansible-playbook", *book, "-e", f"@{approved}", fails=True)
    document["filesystems"][0]["type"] = "ext4"
    given.write_text(json.dumps({"storage_layout": document}))
    applied = ansible(lab, "ansible-playbook", *book, "-e", f"@{approved}")
    assert " on /srv" in applied
    assert "changed=0" in ansible(lab, "ansible-playbook", *book)


@pytest.mark.usefixtures("guest")
def test_the_demo(lab: Lab) -> None:
    said = ansible(lab, "ansible-playbook", "playbooks/demo.yml")
    assert "Nothing is left on 5 disks" in said


def test_the_initramfs_of_the_distributions_own_tool(lab: Lab, guest: Guest) -> None:
    """Elsewhere the lab's own stands in for it, since this one takes a minute with all drivers."""
    guest.run("rm -r /var/lib/lab; echo MODULES=list > /etc/initramfs-tools/conf.d/small")
    devices = ",".join(guest.disk(serial) for serial in ("HDD1", "HDD2"))
    ansible(
        lab, "ansible", "lab", "--module-name", "strata.storage.raid", "--args", f"name=data level=1 devices={devices}"
    )
    inside = guest.run(
        "cd /tmp && unmkinitramfs /boot/initrd.img-* image && cat image/etc/mdadm/mdadm.conf", timeout=120
    )
    assert "ARRAY /dev/md/data UUID=" in inside.stdout
