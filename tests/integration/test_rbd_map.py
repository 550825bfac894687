# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RBD images as devices of a real kernel, from a real cluster that the guest reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.ceph import Cluster
from tests.lab import Guest

from .modules import ModuleFailed
from .node import Node

OPTIONS = ["ms_mode=crc"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture
def mapper(cluster: Cluster, node: Node) -> Iterator[Node]:
    with reach(node.guest, cluster):
        yield node


@contextmanager
def reach(guest: Guest, cluster: Cluster) -> Iterator[None]:
    """Give the guest the cluster's ports as its own, its configuration, and the key of a user."""
    conf = re.sub("(?m)^keyring = .*", "keyring = /etc/ceph/keyring", cluster.conf.read_text())
    guest.write("/etc/ceph/ceph.conf", conf.partition("[mon]")[0])
    guest.write("/etc/ceph/keyring", cluster.keyring.read_text())
    with guest.ports(*cluster.ports()):
        yield


def test_mapped_and_unmapped(mapper: Node, cluster: Cluster) -> None:
    later = {"path": "/dev/rbd/rbd/web1", "size": "100M"}
    planned = mapper.check("rbd_map", image="web1", options=OPTIONS, expect=[later])
    assert planned["provides"] == {"path": "/dev/rbd/rbd/web1", "size": 100 << 20}
    drive: dict[str, Any] = {
        "name": "data",
        "devices": ["/dev/rbd/rbd/web1"],
        "filesystem": "ext4",
        "mount_point": "/srv",
    }
    planned_drive = mapper.check("lvm_drive", expect=[planned["provides"]], **drive)
    assert planned_drive["plan"][0]["action"] == "create"
    # Outside of check mode nothing is expected.
    with pytest.raises(ModuleFailed, match="there is no block device /dev/rbd/rbd/web1"):
        mapper.module("lvm_drive", expect=[later], **drive)
    cluster.run("rbd", "create", "rbd/web1", "--size", "100M")
    words: dict[str, Any] = {"image": "web1", "options": OPTIONS}
    mapped = mapper.converge("rbd_map", **words)
    assert [step["action"] for step in mapped["plan"]] == ["map", "persist", "enable"]
    assert mapped["plan"] == planned["plan"]
    assert mapped["mapping"] == {
        "device": "/dev/rbd/rbd/web1",
        "spec": "rbd/web1",
        "read_only": False,
        "options": OPTIONS,
        "persistent": True,
    }
    # Omitted means unchanged.
    mapper.unchanged("rbd_map", image="web1")
    mapper.run("mkfs.ext4 -q /dev/rbd/rbd/web1 && mount /dev/rbd/rbd/web1 /mnt && echo kept > /mnt/file")
    for words_ in ({"state": "absent"}, {"read_only": True}, {"options": ["ms_mode=crc", "queue_depth=64"]}):
        said = mapper.refusal("rbd_map", image="web1", **words_)
        assert "rbd/web1: refused to unmap: /dev/rbd/rbd/web1 is mounted on /mnt. Put it out of use first." in said
    mapper.run("umount /mnt")

    # The service does what it says at boot.
    mapper.run("systemctl stop rbdmap; test ! -b /dev/rbd0; systemctl start rbdmap; test -b /dev/rbd/rbd/web1")
    mapper.unchanged("rbd_map", **words)

    changed = mapper.converge("rbd_map", image="web1", read_only=True, options=["ms_mode=crc", "queue_depth=64"])
    assert [step["action"] for step in changed["plan"]] == ["unmap", "map", "persist"]
    assert mapper.run("blockdev --getro /dev/rbd0") == "1"
    assert mapper.run("cat /etc/ceph/rbdmap | tail -1") == "rbd/web1\tid=admin,options='ms_mode=crc,queue_depth=64,ro'"
    once = mapper.converge("rbd_map", image="web1", persistent=False)
    assert [step["detail"] for step in once["plan"]] == ["no longer in /etc/ceph/rbdmap"]
    mapper.converge("rbd_map", image="web1", read_only=False, options=OPTIONS)
    assert mapper.run("mount /dev/rbd/rbd/web1 /mnt && cat /mnt/file && umount /mnt") == "kept"
    gone = mapper.converge("rbd_map", image="web1", state="absent")
    assert [step["action"] for step in gone["plan"]] == ["unmap", "persist"]
    assert gone["mapping"] is None
    assert mapper.run("ls /sys/bus/rbd/devices") == ""


@pytest.mark.further
def test_a_snapshot_a_namespace_and_lines_of_others(mapper: Node, cluster: Cluster) -> None:
    cluster.run("rbd", "namespace", "create", "rbd/tenant")
    cluster.run("rbd", "create", "rbd/tenant/db1", "--size", "100M")
    cluster.run("rbd", "snap", "create", "rbd/tenant/db1@nightly")
    others = "# mine\nother   id=x,keyring=/etc/y\n"
    mapper.guest.write("/etc/ceph/rbdmap", others)
    words: dict[str, Any] = {"namespace": "tenant", "image": "db1", "options": OPTIONS}
    mapper.converge("rbd_map", **words)
    made = mapper.converge("rbd_map", snapshot="nightly", **words)
    assert made["mapping"]["device"] == "/dev/rbd/rbd/tenant/db1@nightly"
    assert made["mapping"]["read_only"] is True
    assert mapper.guest.read("/etc/ceph/rbdmap").startswith(others)
    mapper.converge("rbd_map", snapshot="nightly", state="absent", **words)
    mapper.converge("rbd_map", state="absent", **words)
    assert mapper.guest.read("/etc/ceph/rbdmap") == others


@pytest.mark.further
def test_what_cannot_be_mapped(mapper: Node, cluster: Cluster) -> None:
    cluster.run("rbd", "create", "rbd/journaled", "--size", "100M", "--image-feature", "exclusive-lock,journaling")
    mapper.run("modprobe rbd")
    assert "cannot map an image with journaling" in mapper.refusal("rbd_map", image="journaled", options=OPTIONS)
    assert "No such file or directory" in mapper.refusal("rbd_map", image="nothing", options=OPTIONS)
    for words, said in (
        ({"image": "a b"}, "rbdmap cannot tell a name"),
        ({"image": ""}, "image is empty"),
        ({"image": "a", "options": ["ro"]}, "is said by read_only"),
        ({"image": "a", "options": ["x y"]}, "is not one option"),
        ({"image": "a", "snapshot": "s", "read_only": False}, "can only be mapped read-only"),
        ({"image": "a\n"}, "it holds control characters"),
        ({"image": "a\0"}, "it holds control characters"),
        ({"image": "plain", "pool": "", "namespace": "rbd"}, "pool is empty"),
        ({"image": "a", "client": ""}, "client is empty"),
        ({"image": "a", "client": "client.admin"}, "is said without client."),
        ({"image": "a", "cluster": ""}, "cluster is empty"),
        ({"image": "a", "connect_timeout": 0}, "connect_timeout is a number of seconds, at least 1"),
        ({"image": "a", "operation_timeout": -1}, "operation_timeout is a number of seconds, at least 1"),
        ({"image": "a", "options": [""]}, "is not one option"),
        ({"image": "a", "options": ["ms_mode=crc", "ms_mode=secure"]}, "ms_mode is said more than once"),
    ):
        assert said in mapper.refusal("rbd_map", **words), words
    # What the kernel refuses only when it is asked is not left for each boot to fail at.
    cluster.run("rbd", "create", "rbd/plain", "--size", "100M")
    with pytest.raises(ModuleFailed, match="map image rbd/plain"):
        mapper.module("rbd_map", image="plain", options=["ms_mode=nothing"])
    assert "plain" not in mapper.run("cat /etc/ceph/rbdmap || true")
    mapper.guest.write("/etc/ceph/other.conf", "[global]\nmon_host = v2:127.0.0.1:1\nkeyring = /etc/ceph/keyring\n")
    said = mapper.refusal("rbd_map", image="a", conf="/etc/ceph/other.conf", connect_timeout=2)
    assert "rbd/a: cannot be mapped: couldn't connect to the cluster" in said


@pytest.mark.further
def test_a_stack_on_mapped_images(mapper: Node, cluster: Cluster) -> None:
    """A mirror over two images, with a mounted drive on it: as one document, which comes back as it was given."""
    for name in ("left", "right"):
        cluster.run("rbd", "create", f"rbd/{name}", "--size", "200M")
        mapper.module("rbd_map", image=name, options=OPTIONS)
    devices = ["/dev/rbd/rbd/left", "/dev/rbd/rbd/right"]
    volume = {"name": "srv", "filesystem": "ext4", "mount_point": "/srv", "mount_options": "_netdev"}
    words: dict[str, Any] = {
        "raids": [{"name": "md0", "level": "1", "devices": devices}],
        "drives": [{"name": "data", "devices": ["md0"], "volumes": [volume]}],
    }
    mapper.converge("layout", **words)
    mapper.run("echo kept > /srv/file; sync")
    found = mapper.module("layout_info")["layout"]
    assert found["raids"][0]["devices"] == devices
    assert "is held by /dev/md0" in mapper.refusal("rbd_map", image="left", state="absent")

    # An image that grew is seen by the array once the cluster's watch told the kernel.
    words["drives"][0]["state"] = "absent"
    words["raids"][0]["state"] = "absent"
    mapper.converge("layout", allow_destroy=["data", "md0"], **words)
    mapper.converge("rbd_map", image="left", state="absent")
    drive: dict[str, Any] = {"name": "single", "devices": ["/dev/rbd/rbd/right"], "filesystem": "xfs"}
    cluster.run("rbd", "resize", "rbd/right", "--size", "400M")
    mapper.guest.until("[ $(blockdev --getsize64 /dev/rbd/rbd/right) = 419430400 ]")
    mapper.converge("lvm_drive", mount_point="/data", mount_options="_netdev", **drive)
    mapper.converge("lvm_drive", state="absent", allow_destroy=True, **drive)
    mapper.converge("rbd_map", image="right", state="absent")
