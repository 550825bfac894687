# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drive as BSUd leaves it, taken over: the guest's disks are the volumes of a simulated region."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG
from tests.lab import Guest, Lab
from tests.simulators.outscale import KEY, Server

from .node import CHECKOUT

VM, SECRET = "i-00000001", "SECRETOFTHETESTS"
DRIVE = {"name": "example", "target": "online", "mount-path": "/mnt/example", "max-bsu-count": 5}
LOOK = "vgs --noheadings --options vg_uuid,vg_seqno example; blkid -s UUID -o value /dev/example/bsud"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
        assert server.broken == []


def migrate(lab: Lab, server: Server, *options: str, fails: bool = False) -> str:
    words: dict[str, Any] = {
        "storage_hosts": "lab",
        "bsud_region": "eu-west-2",
        "bsud_endpoint": server.endpoint,
        "elastic_drive_machine": VM,
        "elastic_drive_packages": False,
    }
    command = ["ansible-playbook", "--inventory", str(lab.inventory_path), "-v", "-e", json.dumps(words), *options]
    done = subprocess.run(
        [*command, "playbooks/bsud_migrate.yml"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert SECRET not in said
    assert bool(done.returncode) == fails, said
    return said


def configure(guest: Guest, *drives: dict[str, Any]) -> None:
    authentication = {"access-key": KEY, "secret-key": SECRET}
    guest.run("mkdir -p /etc/osc")
    guest.write("/etc/osc/bsud.json", json.dumps({"authentication": authentication, "drives": list(drives)}))


def a_drive_of_bsud(guest: Guest, server: Server) -> None:
    """Two disks in a group with one logical volume, and a btrfs on it that fstab does not know."""
    disks = " ".join(guest.disk(serial) for serial in ("HDD1", "HDD2"))
    guest.run(f"vgcreate example {disks} && lvcreate --yes -l 100%FREE -n bsud example")
    guest.run("mkfs.btrfs -q /dev/example/bsud && mkdir -p /mnt/example && mount /dev/example/bsud /mnt/example")
    guest.run("head -c 8M /dev/urandom > /mnt/example/kept && md5sum /mnt/example/kept > /root/sum && sync")
    region = server.region
    region.delay = 0.0
    for name, device in (("HDD1", "/dev/xvdb"), ("HDD2", "/dev/xvdc")):
        # The guest knows a disk by its serial number, which is the ID of a volume.
        region.add(10, id=name, tags={TAG: "example"})
        region.LinkVolume({"VolumeId": name, "VmId": VM, "DeviceName": device})
    region.settle()


@pytest.mark.further
def test_a_drive_of_bsud_is_taken_over_as_it_stands(lab: Lab, guest: Guest, server: Server) -> None:
    a_drive_of_bsud(guest, server)
    before = guest.run(LOOK).stdout
    configure(guest, {**DRIVE, "max-bsu-cout": 5})
    assert "BSUd has no key max-bsu-cout. Did you mean max-bsu-count?" in migrate(lab, server, fails=True)

    configure(guest, DRIVE)
    planned = migrate(lab, server, "-e", "storage_plan_only=true")
    assert "mount volume example/bsud" in planned or "fstab" in planned, planned
    assert guest.run("grep -c /mnt/example /etc/fstab; true").stdout.strip() == "0"

    said = migrate(lab, server)
    assert "LVM has not changed anything of it" in said
    assert f'"elastic_drive_machine": "{VM}"' in said
    assert '"region": "eu-west-2"' in said
    assert server.calls() == []
    assert guest.run(LOOK).stdout == before
    assert guest.run("md5sum --check --quiet /root/sum && grep -c /mnt/example /etc/fstab").stdout.strip() == "1"
    assert "nothing to do" in migrate(lab, server)


@pytest.mark.further
def test_bsud_that_still_runs_is_refused(lab: Lab, guest: Guest, server: Server) -> None:
    configure(guest, DRIVE)
    guest.run("cp /bin/sleep /usr/local/bin/bsud && systemd-run --unit bsud /usr/local/bin/bsud 600")
    assert "BSUd runs on this host, as process" in migrate(lab, server, fails=True)
    guest.run("systemctl stop bsud")
    guest.write(
        "/etc/systemd/system/bsud.service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    )
    guest.run("systemctl daemon-reload && systemctl enable bsud")
    assert "BSUd starts with this host, by bsud.service" in migrate(lab, server, fails=True)
    guest.run("systemctl disable bsud")
    guest.write("/etc/osc/bsud.json", "{")
    assert "is not there, or no JSON" in migrate(lab, server, fails=True)
