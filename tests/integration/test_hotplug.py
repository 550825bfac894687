# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drive on volumes of a simulated region that come and go as real disks of the guest, with their IDs as serials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Guest, Lab
from tests.simulators.outscale import KEY, Server
from tests.simulators.outscale.model import Volume

from .test_elastic import role, settle

DISKS = ("HDD1", "HDD2", "HDD3", "HDD4", "HDD5", "HDD6")
VM, OTHER = "i-00000001", "i-00000002"
SECRET = "SECRETOFTHETESTS"


class Plugged:
    """The guest as a VM of the region, whose disks are pulled but for the volumes that it has."""

    def __init__(self, lab: Lab, guest: Guest, server: Server) -> None:
        self.lab, self.guest, self.region = lab, guest, server.region
        self._known: set[str] = set()
        for serial in DISKS:
            lab.pull_disk(serial)
        self.region.names, self.region.plugged = iter(DISKS), self._plug
        self.words: dict[str, Any] = {
            "environment": {"OSC_ACCESS_KEY": KEY, "OSC_SECRET_KEY": SECRET},
            "elastic_drive_machine": VM,
            "elastic_drive_policy": {"initial_size": "1G", "cooldown": "0"},
            "elastic_drive_provider": {"name": "outscale", "region": "eu-west-2", "endpoint": server.endpoint},
        }

    def _plug(self, what: str, volume: Volume) -> None:
        if what == "detached":
            self.lab.pull_disk(volume.id)
        elif what == "updated":
            self.lab.grow_disk(volume.id, volume.size << 10)
        elif volume.id in self._known:
            self.lab.insert_disk(volume.id)
        else:
            self.lab.insert_disk(volume.id, size_mib=volume.size << 10)
            self._known.add(volume.id)

    def reconcile(self, **words: Any) -> str:
        said = role(self.lab, **{**self.words, **words})
        assert SECRET not in said
        return said

    def settle(self) -> list[str]:
        return settle(self.lab, **self.words)

    def sizes(self) -> list[int]:
        return sorted(volume.size for volume in self.region.volumes.values())

    def kept(self) -> str:
        """A file with a checksum, which has to stay."""
        self.guest.run("head -c 8M /dev/urandom > /srv/kept && md5sum /srv/kept > /root/sum && sync -f /srv")
        return "md5sum --check --quiet /root/sum"

    def serials(self) -> list[str]:
        return sorted(self.guest.run("lsblk --nodeps --noheadings --output SERIAL").stdout.split())


@pytest.fixture
def plugged(lab: Lab, guest: Guest) -> Iterator[Plugged]:
    with Server() as server:
        yield Plugged(lab, guest, server)
        assert server.broken == []


@pytest.mark.further
def test_a_drive_grows_and_shrinks_by_disks_that_come_and_go(plugged: Plugged) -> None:
    guest = plugged.guest
    plugged.reconcile()
    assert "HDD1" in plugged.serials()
    look = plugged.kept()
    guest.run("free=$(stat -f -c %a /srv) && fallocate -l $((free * 4096 * 93 / 100)) /srv/large && sync -f /srv")
    assert plugged.settle() == ["resize volume", "resize drive", "extend volume", "grow volume"]
    assert plugged.sizes() == [2]
    assert int(guest.run("findmnt --bytes --noheadings --output SIZE /srv").stdout) >> 20 > 2000
    assert plugged.settle() == ["nothing to"]

    guest.run("rm /srv/large && btrfs filesystem sync /srv")
    assert plugged.settle()[-2:] == ["detach volume", "delete volume"]
    assert plugged.sizes() == [1]
    assert [name for name in plugged.serials() if name.startswith("HDD")] == ["HDD2"]
    guest.run(look)


@pytest.mark.further
def test_a_volume_that_is_detached_while_in_use_is_attached_again(plugged: Plugged) -> None:
    plugged.reconcile()
    look = plugged.kept()
    plugged.region.UnlinkVolume({"VolumeId": "HDD1"})
    plugged.region.delay = 0.0
    plugged.region.settle()
    assert "HDD1" not in plugged.serials()
    plugged.reconcile()
    plugged.guest.run(look)
    assert plugged.sizes() == [1]


@pytest.mark.further
def test_a_drive_moves_to_the_vm_that_takes_the_place_of_its_own(plugged: Plugged) -> None:
    plugged.reconcile()
    look = plugged.kept()
    plugged.reconcile(elastic_drive_state="offline")
    assert "HDD1" not in plugged.serials()
    # A new VM has no trace of the drive.
    plugged.guest.run("sed -i /srv/d /etc/fstab; rm -r /var/lib/strata-storage /etc/lvm/backup/* /etc/lvm/archive/*")
    plugged.reconcile(elastic_drive_machine=OTHER)
    plugged.guest.run(look)
    (volume,) = plugged.region.volumes.values()
    assert volume.link is not None
    assert volume.link.vm == OTHER
