# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drive of RBD images, from a real cluster, mapped by a real kernel: what holds for each provider, and its own."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG, token_prefix
from tests.ceph import Cluster
from tests.simulators.cloud import Saved, Seen, Weather
from tests.unit.volumes import test_providers as generic
from tests.unit.volumes.clouds import FULL, Drive, Failed, GiB, Kind

from .modules import ModuleFailed
from .node import RANDOM, Node
from .on_ceph.client import Client, holding
from .test_elastic import role, settle
from .test_rbd_map import OPTIONS, reach

_NUMBERS = itertools.count()
_CALLS, _FAULT = "/root/calls", "/root/fault"
#: In front of Ceph's command: writes down what changes something, and kills who asked after the Nth of these.
_RBD = f"""#!/bin/sh
case "$1 $2" in
    create*|rm*|resize*) call="$1" ;;
    "image-meta set"|"snap create"|"trash mv"|"device map"|"device unmap") call="$1 $2" ;;
    *) exec /usr/bin/rbd "$@" ;;
esac
echo "$call" >> {_CALLS}
/usr/bin/rbd "$@"
code=$?
[ -e {_FAULT} ] && [ "$(wc -l < {_CALLS})" = "$(cat {_FAULT})" ] && kill -9 $PPID
exit $code
"""


class Pool:
    """A namespace of a real pool, as the generic tests see a cloud."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.cluster, self.node, self.weather = cluster, node, Weather()
        self.namespace = f"drives{next(_NUMBERS)}"
        cluster.run("rbd", "namespace", "create", f"rbd/{self.namespace}")
        self.machine = node.run("hostname")
        node.guest.write("/usr/local/sbin/rbd", _RBD)
        node.run(f"chmod 755 /usr/local/sbin/rbd; : > {_CALLS}")

    def name(self, image: str) -> str:
        return f"rbd/{self.namespace}/{image}"

    def calls(self) -> list[str]:
        return self.node.guest.read(_CALLS).splitlines()

    def tell(self, *words: str) -> Any:
        return json.loads(self.cluster.run("rbd", *words, "--format", "json") or "{}")

    def volumes(self) -> list[Seen]:
        mapped = json.loads(self.node.run("/usr/bin/rbd device list --format json") or "[]")
        devices = {self.name(told["name"]): told["device"] for told in mapped}
        found = []
        for image in map(self.name, self.tell("ls", "--namespace", self.namespace, "rbd")):
            device = devices.get(image, "")
            size = -(-self.tell("info", image)["size"] // GiB)
            tags = self.tell("image-meta", "list", image)
            found.append(Seen(image, size, "", 0, 0, tags, self.machine if device else "", device))
        return found

    def snapshots(self) -> list[Saved]:
        where = ("--pool", "rbd", "--namespace", self.namespace)
        found = [(image.id, self.tell("snap", "ls", image.id)) for image in self.volumes()]
        for told in self.tell("trash", "ls", *where):
            found.append((self.name(told["name"]), self.tell("snap", "ls", *where, "--image-id", told["id"])))
        ours = token_prefix("scratch")
        return [
            Saved(image, {TAG: "scratch"} if told["name"].startswith(ours) else {})
            for image, kept in found
            for told in kept
        ]

    def clear(self) -> None:
        self.node.run("for device in $(ls /dev/rbd[0-9]* 2> /dev/null); do /usr/bin/rbd device unmap $device; done")
        where = ("--pool", "rbd", "--namespace", self.namespace)
        for told in self.tell("trash", "ls", *where):
            self.cluster.run("rbd", "trash", "restore", *where, told["id"])
        for image in map(self.name, self.tell("ls", *where)):
            self.cluster.run("rbd", "snap", "purge", image)
            self.cluster.run("rbd", "rm", image)

    def add(self, size: int, tags: dict[str, str]) -> str:
        image = self.name(f"added{next(_NUMBERS)}")
        features = ("--image-feature", "layering,exclusive-lock")
        self.cluster.run("rbd", "create", image, "--size", f"{size}G", *features)
        for key, value in tags.items():
            self.cluster.run("rbd", "image-meta", "set", image, key, value)
        return image


class Mapped(Drive):
    """The modules at work on the host that has the images."""

    def _run(self, main: Callable[[], None], words: dict[str, Any]) -> dict[str, Any]:
        given = {"name": "scratch", "provider": self.provider, **words}
        check = given.pop("_ansible_check_mode", False)
        try:
            result: dict[str, Any] = self.server.node.module(main.__module__.rpartition(".")[2], check=check, **given)
        except ModuleFailed as failed:
            raise Failed(failed.result) from None
        return result

    @property
    def provider(self) -> dict[str, Any]:
        return {**super().provider, "request_timeout": 10, "wait_timeout": 60}


RBD = Kind(
    "rbd",
    lambda: pytest.fail("the cluster is a fixture"),
    lambda pool: (pool.machine, "other"),  # type: ignore[attr-defined]
    lambda pool: {"pool": "rbd", "namespace": pool.namespace, "map_options": OPTIONS},  # type: ignore[attr-defined]
    create=("create", "image-meta set"),
    link="device map",
    type="",
    unread="",
    by_path=True,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(size=16 << 30) as running:
        yield running


@pytest.fixture
def drive(cluster: Cluster, node: Node) -> Iterator[Mapped]:
    with reach(node.guest, cluster):
        pool = Pool(cluster, node)
        yield Mapped(RBD, pool)
        pool.clear()


@pytest.mark.further
class TestAsOfEachProvider:
    test_created = staticmethod(generic.test_a_drive_is_created_and_attached_and_then_left_alone)
    test_grows = staticmethod(generic.test_a_full_drive_grows_in_place)
    test_as_bsud = staticmethod(generic.test_without_growth_in_place_there_are_two_volumes_of_22_gib_as_with_bsud)
    test_shrinks = staticmethod(generic.test_a_shrink_waits_for_the_host_to_empty_a_volume)
    test_replaced = staticmethod(generic.test_a_large_volume_is_replaced_by_a_small_one)
    test_side_by_side = staticmethod(generic.test_volumes_that_are_there_are_attached_side_by_side)
    test_another_drive = staticmethod(generic.test_another_drive_is_left_alone)
    test_two_drives = staticmethod(generic.test_two_drives_have_their_volumes_on_one_machine)
    test_offline = staticmethod(generic.test_offline_detaches_and_online_attaches_again)
    test_absent = staticmethod(generic.test_absent_deletes_with_permission_and_says_what)
    test_made_again = staticmethod(generic.test_a_drive_that_was_deleted_can_be_made_again_at_once)
    test_snapshots_once = staticmethod(generic.test_a_snapshot_of_each_volume_comes_before_a_shrink_and_only_once)
    test_snapshot_before_absent = staticmethod(generic.test_a_snapshot_comes_before_a_volume_is_deleted)
    test_foreign_tag = staticmethod(generic.test_absent_refuses_volumes_that_the_host_does_not_know)
    test_gone = staticmethod(generic.test_a_drive_whose_volumes_are_gone_is_not_made_anew)
    test_foreign_option = staticmethod(generic.test_an_option_of_another_provider_is_refused)


@pytest.mark.further
def test_what_is_refused(drive: Mapped) -> None:
    for words, said in (
        ({"machine": "i-none"}, "i-none is not this host"),
        ({"policy": {"volume_type": "gp9"}}, "volume_type: gp9 was given, and the provider rbd has no types"),
        ({"policy": {"iops_per_gib": 5}}, "iops_per_gib: the provider has no such setting"),
        ({"policy": {"throughput": 5}}, "throughput: the provider has no such setting"),
        ({"provider": {"name": "rbd"}}, "rbd needs pool"),
        ({"provider": {"name": "rbd", "pool": "a/b"}}, "a/b holds a / or @"),
        ({"provider": {**drive.provider, "pool": "none"}}, "error opening pool 'none'|listing images failed"),
        ({"provider": {**drive.provider, "keyring": "/none"}}, "keyring: /none is not there"),
        ({"provider": {**drive.provider, "client": "ghost"}}, "Permission denied; check client and keyring"),
        ({"provider": {**drive.provider, "client": "nobody"}}, "not permitted; check client and keyring"),
        ({"provider": {**drive.provider, "access_key": "x"}}, "rbd has no option access_key"),
    ):
        drive.refused(said, **words)
    # A client that may only read fails at what changes something, and leaves nothing.
    with pytest.raises(Failed, match=r"rbd create .*not permitted; check client and keyring, and the caps"):
        drive.run(provider={**drive.provider, "client": "reader"})
    assert drive.volumes() == []


@pytest.mark.further
@pytest.mark.parametrize(
    ("words", "sizes"),
    [
        ({}, [10]),
        ({"usage": FULL, "policy": {"grow_in_place": False}}, [10, 12]),
        ({"usage": FULL}, [14]),
        ({"emptied": True}, [10]),
        ({"state": "absent", "allow_destroy": True, "snapshot": True}, []),
    ],
    ids=["create", "add", "grow", "shrink", "absent"],
)
def test_a_run_that_is_killed_after_any_command_is_finished_by_the_next(
    drive: Mapped, words: dict[str, Any], sizes: list[int]
) -> None:
    """Nothing is left that the drive does not know: a new image has its name before it has its tag."""
    pool, node = drive.server, drive.server.node
    number, killed = 0, True
    while killed:
        number += 1
        given = dict(words)
        if words:
            small = drive.add(10)
            large = drive.add(12) if "emptied" in words else ""
            drive.run()
            given |= {"emptied": [large]} if large else {"members": [small]}
        node.run(f": > {_CALLS}; echo {number} > {_FAULT}")
        # A module that was killed says nothing, which is none of its results.
        with contextlib.suppress(AssertionError):
            drive.run(**given)
            killed = False
        node.run(f"rm {_FAULT}")
        drive.run(**given)
        assert drive.run(**{**given, "usage": None})["changed"] is False
        assert {one.tags[TAG] for one in drive.volumes()} <= {"scratch"}
        assert drive.sizes() == sizes
        assert len(pool.snapshots()) == int("snapshot" in words)
        pool.clear()
    assert number > 1


@pytest.mark.further
def test_a_drive_of_images_follows_its_use_and_comes_back_after_a_power_cut(drive: Mapped) -> None:
    pool, node = drive.server, drive.server.node
    words: dict[str, Any] = {
        "elastic_drive_provider": {"name": "rbd", **RBD.options(pool)},
        "elastic_drive_policy": {"initial_size": "1G", "cooldown": "0"},
        "elastic_drive_snapshot": True,
    }
    look = "md5sum --check --quiet /root/sum && echo yes"
    assert settle(node.lab, **words)[:2] == ["create volume", "attach volume"]
    assert "_netdev" in node.run("grep /srv /etc/fstab")
    node.run(f"head -c 8M {RANDOM} > /srv/kept && md5sum /srv/kept > /root/sum && sync -f /srv")
    node.run("free=$(stat -f -c %a /srv) && fallocate -l $((free * 4096 * 93 / 100)) /srv/large && sync -f /srv")
    assert settle(node.lab, **words) == ["resize volume", "resize drive", "extend volume", "grow volume"]
    assert settle(node.lab, **words) == ["nothing to"]
    node.run("sync")

    node.lab.power_cut()
    with reach(node.guest, pool.cluster):
        # The cluster still has the client of the host's former life.
        assert node.run("findmnt /srv; true") == ""
        role(node.lab, **words)
        assert node.run(look) == "yes"
        node.run("rm /srv/large && btrfs filesystem sync /srv")
        shrunk = settle(node.lab, **words)
        assert shrunk[0] == "snapshot volume"
        assert shrunk[-2:] == ["detach volume", "delete volume"]
        assert drive.sizes() == [1]
        assert node.run(look) == "yes"
        # What left is in the trash, and its snapshot is the drive as it was.
        (trashed,) = pool.tell("trash", "ls", "--pool", "rbd", "--namespace", pool.namespace)
        role(node.lab, elastic_drive_state="offline", **words)
        node.module("rbd_trash", pool="rbd", namespace=pool.namespace, name=trashed["name"], state="restored")
        ((snapshot, _tags),) = [one for one in pool.snapshots() if one.volume == pool.name(trashed["name"])]
        kept = pool.tell("snap", "ls", snapshot)[0]["name"]
        mapped = {"namespace": pool.namespace, "image": trashed["name"], "snapshot": kept, "persistent": False}
        node.module("rbd_map", options=OPTIONS, **mapped)
        node.run("vgchange --activate y data && mount -o ro /dev/data/data /srv")
        assert node.run(look) == "yes"
        node.run("umount /srv && vgchange --activate n data")
        node.module("rbd_map", state="absent", **mapped)


@pytest.mark.further
def test_an_image_that_another_program_has_open_is_not_mapped(drive: Mapped) -> None:
    """It has the host's address, as the client of a host that lost its power: that one is waited for, to an end."""
    pool = drive.server
    drive.run()
    drive.run(state="offline")
    (volume,) = drive.volumes()
    with holding(Client(pool.cluster, None, pool.namespace), volume.id.rpartition("/")[2]) as holder:  # type: ignore[arg-type]
        with pytest.raises(Failed, match="until a volume was ready to be attached, and it is not"):
            drive.run(provider={**drive.provider, "wait_timeout": 2})
        assert drive.volumes()[0].device == ""
        holder.communicate(b"")
    drive.run()


@pytest.mark.further
def test_an_image_of_which_a_run_made_a_part_is_made_anew(drive: Mapped) -> None:
    """What a cut within `rbd create` leaves: a name in the directory, and no header."""
    drive.run()
    (volume,) = drive.volumes()
    drive.run(state="offline")
    pool = drive.server
    header = f"rbd_header.{pool.tell('info', volume.id)['block_name_prefix'].partition('.')[2]}"
    pool.cluster.run("rados", "--pool", "rbd", "--namespace", pool.namespace, "rm", header)
    assert drive.run()["changed"]
    assert [one.id for one in drive.volumes()] == [volume.id]
    assert drive.run()["changed"] is False
