# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drive of network volumes that are files of the guest: made, grown, shrunk, taken away."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Guest, Lab

from .modules import ModuleFailed
from .node import CHECKOUT, RANDOM, Node

MiB = 1 << 20
PROVIDER = {"name": "loop", "directory": "/root/volumes"}
POLICY = {"initial_size": "320M", "cooldown": "0"}


class Elastic:
    """The three modules in the order that the role has them."""

    def __init__(self, node: Node, **policy: Any) -> None:
        self.node, self.policy = node, {**POLICY, **policy}

    def volumes(self, **words: Any) -> dict[str, Any]:
        return self.node.module("drive_volumes", name="data", provider=PROVIDER, **words)

    def usage(self, volumes: Any = ()) -> dict[str, Any]:
        return self.node.module("drive_usage_info", name="data", volumes=list(volumes))

    def reconcile(self, parts: int = 3) -> dict[str, Any]:
        """One pass, or the first parts of it: at the provider, on the host, and at the provider again."""
        seen = self.usage()
        made = self.volumes(policy=self.policy | ({} if seen["whole"] else {"mode": "off"}), usage=seen["usage"])
        if parts == 1:
            return made
        found = self.usage(made["volumes"])
        leaving = [volume for volume in made["leaving"] if volume in found["members"]]
        staying = [device for volume, device in found["devices"].items() if volume not in leaving]
        host = self.node.module(
            "lvm_drive",
            name="data",
            devices=staying,
            filesystem="btrfs",
            size="100%",
            mount_point="/srv",
            allow_shrink=bool(leaving),
        )
        if parts == 2:
            return made
        removed = self.volumes(emptied=leaving)
        return {**made, "changed": made["changed"] or host["changed"] or removed["changed"]}

    def fails(self) -> str:
        """What a pass says that fails."""
        with pytest.raises(ModuleFailed) as failed:
            self.reconcile()
        return str(failed.value)

    def sizes(self) -> list[int]:
        found = self.node.module("drive_volumes_info", name="data", provider=PROVIDER)
        return sorted(volume["size"] // MiB for volume in found["volumes"])


def test_a_drive_grows_with_its_use_and_shrinks(node: Node) -> None:
    drive = Elastic(node)
    drive.reconcile()
    assert drive.sizes() == [320]
    node.run(f"head -c 8M {RANDOM} > /srv/kept && md5sum /srv/kept > /root/sum && sync -f /srv")
    node.run("free=$(stat -f -c %a /srv) && fallocate -l $((free * 4096 * 93 / 100)) /srv/large && sync -f /srv")
    grown = drive.reconcile()
    assert [move["action"] for move in grown["decision"]["moves"]] == ["grow"]
    assert int(node.run("findmnt --bytes --noheadings --output SIZE /srv")) > 370 * MiB
    assert not drive.reconcile()["changed"]

    node.run("rm /srv/large && btrfs filesystem sync /srv")
    shrunk = drive.reconcile()
    assert [move["action"] for move in shrunk["decision"]["moves"]] == ["add", "remove"]
    assert drive.sizes() == [320]
    assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"


def test_a_device_that_a_shrink_left_empty_leaves(node: Node) -> None:
    """There is nothing to move then, and pvmove fails where there is nothing."""
    small: dict[str, Any] = {"name": "data", "devices": node.disks("HDD1"), "size": "100%", "mount_point": "/srv"}
    node.module("lvm_drive", **small)
    node.run(f"head -c 8M {RANDOM} > /srv/kept && md5sum /srv/kept > /root/sum && sync -f /srv")
    node.module("lvm_drive", **small | {"devices": node.disks("HDD1", "HDD2")})
    node.module("lvm_drive", **small, allow_shrink=True)
    assert node.signatures(*node.disks("HDD2")) == [""]
    assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"


@pytest.mark.further
def test_a_shrink_goes_on_after_power_cuts(node: Node) -> None:
    """A boot has no loop devices: the pass after it attaches all volumes, and the next one shrinks the drive again."""
    Elastic(node, initial_size="640M").reconcile()
    node.run(f"head -c 8M {RANDOM} > /srv/kept && md5sum /srv/kept > /root/sum && sync -f /srv && sync")
    drive = Elastic(node)
    for parts in (1, 2):
        assert drive.reconcile(parts)["leaving"]
        assert drive.sizes() == [320, 640]
        node.lab.power_cut()
        assert drive.reconcile()["leaving"] == []
        assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"
    drive.reconcile()
    assert drive.sizes() == [320]
    assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"


@pytest.mark.further
def test_the_demo(lab: Lab, guest: Guest) -> None:
    command = ["ansible-playbook", "--inventory", str(lab.inventory_path), "playbooks/demo_elastic.yml"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The drive follows its use" in done.stdout
    assert guest.run("losetup --list; vgs --noheadings").stdout == ""


def role(lab: Lab, fails: bool = False, environment: dict[str, str] | None = None, **words: Any) -> str:
    """What a pass of the playbook says."""
    given = {
        "storage_hosts": "lab",
        "elastic_drive_name": "data",
        "elastic_drive_provider": PROVIDER,
        "elastic_drive_policy": POLICY,
        "elastic_drive_mount_point": "/srv",
        "elastic_drive_packages": False,
        **words,
    }
    command = ["ansible-playbook", "--inventory", str(lab.inventory_path), "-e", json.dumps(given)]
    done = subprocess.run(
        [*command, "playbooks/elastic_drive.yml"],
        cwd=CHECKOUT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert bool(done.returncode) == fails, said
    return said


def steps(said: str) -> list[str]:
    """The plan that a pass says, without the names of what check mode does not have yet."""
    told = re.findall(r'"msg": \[(.*?)\]', said.partition("The plan")[2], re.DOTALL)[0]
    plan = [line.strip().strip(",").strip('"') for line in told.strip().splitlines()]
    return [re.sub(r"\S*(strata-|/dev/(loop|disk|rbd|sd))\S*|<\S+>", "…", line) for line in plan]


def settle(lab: Lab, **words: Any) -> list[str]:
    """The steps of a pass, which check mode says before."""
    planned = steps(role(lab, storage_plan_only=True, **words))
    assert steps(role(lab, **words)) == planned
    return [" ".join(step.split()[:2]) for step in planned]


@pytest.mark.further
def test_check_mode_shows_what_both_parts_of_a_pass_do(node: Node) -> None:
    """Also where a volume grows in place, where one leaves, and where snapshots come before that."""
    lab = node.lab
    role(lab)
    node.run(f"head -c 8M {RANDOM} > /srv/kept && md5sum /srv/kept > /root/sum && sync -f /srv")
    node.run("free=$(stat -f -c %a /srv) && fallocate -l $((free * 4096 * 93 / 100)) /srv/large && sync -f /srv")
    assert settle(lab) == ["resize volume", "resize drive", "extend volume", "grow volume"]
    assert settle(lab) == ["nothing to"]

    node.run("rm /srv/large && btrfs filesystem sync /srv")
    shrunk = settle(lab, elastic_drive_snapshot=True)
    assert shrunk[0] == "snapshot volume"
    assert shrunk[-2:] == ["detach volume", "delete volume"]
    assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"
    (copy,) = node.run("ls /root/volumes/data/*.snapshot").split()
    assert node.run(f"blkid -s TYPE -o value {copy}") == "LVM2_member"


@pytest.mark.further
def test_absent_deletes_what_is_the_drives_and_nothing_else(node: Node) -> None:
    lab = node.lab
    role(lab)
    node.run(f"head -c 8M {RANDOM} > /srv/kept && md5sum /srv/kept > /root/sum && sync -f /srv")
    away: dict[str, Any] = {
        "elastic_drive_state": "absent",
        "elastic_drive_allow_destroy": True,
        "elastic_drive_snapshot": True,
    }
    foreign = "/root/volumes/data/foreign.volume"
    node.run(f"truncate -s 320M {foreign} && mkfs.ext4 -q -L theirs {foreign}")
    before = node.run(f"md5sum < {foreign}")
    assert "it has the tag osc.bsud.drive-name, and is not among members" in role(lab, fails=True, **away)
    assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"
    assert node.run(f"md5sum < {foreign}") == before
    node.run(f"mv {foreign} /root/foreign")

    # Detached by an interrupted run, the volume is known from the pass before.
    role(lab, elastic_drive_state="offline")
    assert "attach volume" in role(lab, storage_plan_only=True)
    said = role(lab, **away)
    assert [line.split()[0] for line in steps(said)] == ["snapshot", "delete"]
    assert node.run("ls /root/volumes/data").endswith(".snapshot")
    assert node.run("ls /var/lib/strata-storage/elastic; grep /srv /etc/fstab; vgs --noheadings; true") == ""

    # The snapshot is the drive as it was.
    node.run("cp /root/volumes/data/*.snapshot /root/back && losetup --find --show /root/back && vgchange -ay data")
    node.run("udevadm settle; mount /dev/data/data /srv")
    assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"


@pytest.mark.further
def test_a_volume_that_somebody_else_uses_is_refused(node: Node) -> None:
    """It carries the mark of the drive, and a filesystem of its own."""
    drive = Elastic(node)
    drive.reconcile()
    node.run(
        "truncate -s 320M /root/volumes/data/foreign.volume && mkfs.ext4 -q -L theirs /root/volumes/data/foreign.volume"
    )
    before = node.run("md5sum < /root/volumes/data/foreign.volume")
    refused = drive.fails()
    assert 'an ext4 filesystem labelled "theirs"' in refused
    assert node.run("md5sum < /root/volumes/data/foreign.volume") == before
    assert int(node.run("findmnt --bytes --noheadings --output SIZE /srv")) < 321 * MiB


@pytest.mark.further
def test_a_volume_that_was_deleted_behind_our_back_is_refused_with_what_is_lost(node: Node) -> None:
    drive = Elastic(node, grow_in_place=False, min_volumes=2)
    drive.reconcile()
    node.run("umount /srv && vgchange --activate n data")
    lost = drive.volumes(policy=drive.policy)["volumes"][0]
    node.run(f"losetup --detach {lost['device']} && rm {lost['id']}")
    uuid = node.run("vgs --noheadings --options vg_uuid data").strip()
    refused = drive.fails()
    assert "is missing, and what lies on it cannot be read: 31" in refused
    assert "parts of data (632 MiB). Bring the device back" in refused
    assert drive.sizes() == [320]
    assert node.run("vgs --noheadings --options vg_uuid data").strip() == uuid


TIMER = """
- hosts: lab
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: strata.storage.elastic_drive
        tasks_from: timer
"""
#: In the place of ansible-playbook, which the guest does not have. It says what it was given, and takes its time.
PASS = '#!/bin/sh\necho begin $KEY "$@" >> /root/passes\nsleep 3\necho end >> /root/passes\n'


@pytest.mark.further
def test_a_timer_runs_one_pass_at_a_time(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    guest.write("/root/pass it", PASS)
    guest.run("chmod 755 '/root/pass it'")
    guest.write("/root/keys", "KEY=secret\n")
    words = {
        "elastic_drive_name": "data+1",
        "elastic_drive_timer_playbook": "/root/a $HOME 100%.yml",
        "elastic_drive_timer_inventory": "/root/hosts",
        "elastic_drive_timer_environment": "/root/keys",
        "elastic_drive_timer_command": "/root/pass it",
        "elastic_drive_timer_schedule": "*:*:0/1",
    }
    (tmp_path / "timer.yml").write_text(TIMER)

    def play(*options: str, **more: str) -> str:
        command = ["ansible-playbook", "--inventory", str(lab.inventory_path), "-e", json.dumps({**words, **more})]
        done = subprocess.run(
            [*command, *options, str(tmp_path / "timer.yml")], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "changed=1" in play("--check")
    assert "changed=2" in play()
    unit = "strata-elastic-data\\x2b1"
    guest.run(f"systemd-analyze verify '/etc/systemd/system/{unit}.service' '/etc/systemd/system/{unit}.timer'")
    assert "changed=0" in play()
    guest.run("until [ $(grep -c end /root/passes) -ge 2 ]; do sleep 0.2; done")
    assert "changed=2" in play(elastic_drive_timer_state="absent")
    assert "changed=0" in play(elastic_drive_timer_state="absent")
    assert guest.run("ls /etc/systemd/system | grep strata-elastic; true").stdout == ""
    # The last pass, which was running, ends by itself.
    guest.run("until [ $(grep -c begin /root/passes) -eq $(grep -c end /root/passes) ]; do sleep 0.2; done")
    passes = guest.read("/root/passes").splitlines()
    assert passes[0] == "begin secret --inventory /root/hosts /root/a $HOME 100%.yml"
    assert [line.split()[0] for line in passes] == ["begin", "end"] * (len(passes) // 2)
