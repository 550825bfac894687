# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Caches that are swapped, tuned, lost, and backing devices that grow, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .node import RANDOM, Node

DEVICE = "/dev/bcache0"


def actions(result: dict[str, Any]) -> list[str]:
    return [step["action"] for step in result["plan"]]


def write(node: Node, mebibytes: int = 20) -> str:
    """Random data in small pieces, all of which the cache takes; the sum of what was written."""
    node.run(f"head -c {mebibytes}M {RANDOM} > /root/data")
    node.run(f"dd if=/root/data of={DEVICE} bs=16k oflag=direct status=none")
    return node.run("md5sum < /root/data")


def read(node: Node, mebibytes: int = 20, device: str = DEVICE) -> str:
    return node.run(f"dd if={device} bs=16k count={mebibytes * 64} iflag=direct status=none | md5sum")


def cached(node: Node, **more: Any) -> dict[str, Any]:
    """A small cutoff of zero: nothing passes the cache by."""
    return {
        "name": "cached",
        "backing_device": node.disk("HDD1"),
        "cache_device": node.disk("SSD1"),
        "sequential_cutoff": "0",
        **more,
    }


def test_another_cache_and_none(node: Node) -> None:
    bcache = cached(node, cache_mode="writeback")
    node.module("bcache", **bcache)
    written = write(node)
    swapped = node.converge("bcache", **bcache | {"cache_device": node.disk("SSD2")})
    assert actions(swapped) == ["format", "register", "detach", "attach", "unregister", "wipe"]
    assert read(node) == written
    without = node.converge("bcache", **bcache | {"cache_device": ""})
    assert actions(without) == ["detach", "unregister", "wipe"]
    assert without["status"]["state"] == "no cache"
    assert read(node) == written
    assert node.signatures(*node.disks("SSD1", "SSD2")) == ["", ""]


@pytest.mark.further
def test_another_cache_before_a_slow_disk(node: Node) -> None:
    """The kernel says "no cache" before the backing device noted that, and attaches no other one until then."""
    disk = node.disk("HDD2")
    node.run(f'dmsetup create slow --table "0 $(blockdev --getsz {disk}) delay {disk} 0 0 {disk} 0 100"')
    bcache = cached(node, backing_device="/dev/mapper/slow", cache_device=node.disk("SSD1"))
    node.module("bcache", **bcache)
    other = node.module("bcache", **bcache | {"cache_device": node.disk("SSD2")})
    assert other["status"]["state"] == "clean"


@pytest.mark.further
def test_tunables_survive_a_power_cut(node: Node) -> None:
    bcache = cached(
        node,
        sequential_cutoff="1M",
        writeback_percent=20,
        writeback_delay=5,
        readahead_cache_policy="meta-only",
        stop_when_cache_set_failed="always",
        io_error_limit=16,
        replacement_policy="fifo",
    )
    node.converge("bcache", **bcache)
    node.lab.power_cut()
    node.unchanged("bcache", **bcache)
    assert node.run("readlink -e /dev/bcache/by-label/cached") == DEVICE
    assert node.run(f"cat /sys/block/{DEVICE[5:]}/bcache/sequential_cutoff") == "1.0M"
    assert node.run("cat /sys/fs/bcache/*-*/io_error_limit") == "16"
    (item,) = node.module("bcache_info")["bcaches"]
    assert (item["writeback_percent"], item["replacement_policy"]) == (20, "fifo")
    node.unchanged("bcache", **item)

    node.run(f"echo 4194304 > /sys/block/{DEVICE[5:]}/bcache/sequential_cutoff")
    assert actions(node.converge("bcache", **bcache)) == ["set"]
    node.module("bcache", name="cached", state="absent")
    assert node.run("ls /etc/udev/rules.d") == ""


@pytest.mark.debian_kernel
@pytest.mark.further
def test_a_cache_that_discards(node: Node) -> None:
    """Disks in user mode cannot."""
    bcache = cached(node, discard=True)
    node.converge("bcache", **bcache)
    (item,) = node.module("bcache_info")["bcaches"]
    assert item["discard"] is True
    assert actions(node.converge("bcache", **bcache | {"discard": False})) == ["set"]


@pytest.mark.further
def test_a_cache_that_is_lost_without_data(node: Node) -> None:
    bcache = cached(node)
    node.module("bcache", **bcache)
    written = write(node)
    node.lab.pull_disk("SSD1")
    # The kernel notices when it asks the cache for something.
    node.run(f"timeout 60 sh -c 'while ls -d /sys/fs/bcache/*-*; do head -c 1M {DEVICE}; sleep 0.1; done' > /dev/null")
    assert read(node) == written
    assert "there is no block device" in node.refusal("bcache", **bcache)
    told = node.module("bcache", name="cached")
    assert "lost its cache set" in str(told["warnings"])
    written = write(node)
    healed = node.converge("bcache", **bcache | {"cache_device": node.disk("SSD2")})
    assert actions(healed) == ["format", "register", "attach"]

    # Back again, with what it held before: nobody takes that for the data.
    node.lab.insert_disk("SSD1")
    node.guest.until(f"udevadm settle && [ -e {node.disk('SSD1')} ]")
    assert read(node) == written
    assert "serves no bcache here" in str(node.module("bcache", name="cached")["warnings"])


def test_a_cache_that_is_lost_with_data(node: Node) -> None:
    bcache = cached(node, cache_mode="writeback")
    node.module("bcache", **bcache)
    write(node)
    assert node.module("bcache_info")["status"]["cached"]["state"] == "dirty"
    node.lab.pull_disk("SSD1")
    node.lab.power_cut()
    said = node.refusal("bcache", **bcache | {"cache_device": node.disk("SSD2")})
    assert "what was written to cached and had not reached" in said
    assert "is only there" in node.refusal("bcache", name="cached")
    given_up = node.converge("bcache", **bcache | {"cache_device": node.disk("SSD2"), "allow_destroy": True})
    assert "what was in cache set" in str(given_up["plan"])
    assert given_up["status"]["state"] == "clean"


@pytest.mark.further
def test_a_cache_set_with_data_of_a_device_that_is_away(node: Node) -> None:
    """What a cache set caches is in its journal alone; with the last bcache that is here it would go unseen."""
    bcache = cached(node, cache_mode="writeback")
    other = bcache | {"name": "other", "backing_device": node.disk("HDD2")}
    node.module("bcache", **other)
    written = write(node)
    node.module("bcache", **bcache)
    node.lab.pull_disk("HDD2")
    node.lab.power_cut()
    away = 'is also for "other" (UUID '
    assert away in node.refusal("bcache", name="cached", state="absent")
    assert away in node.refusal("bcache", name="cached", cache_device="")
    told = node.check("bcache", name="cached", state="absent", allow_destroy=True)
    assert 'dirty data of "other"' in str(told["plan"])
    node.lab.insert_disk("HDD2")
    node.lab.power_cut()
    gone = node.converge("bcache", name="cached", state="absent")
    assert "unregister" not in actions(gone)
    found = node.module("bcache", **other)["status"]["device"]
    assert read(node, device=found) == written
    assert "unregister" in actions(node.converge("bcache", name="other", state="absent", allow_destroy=True))


@pytest.mark.further
def test_a_cache_set_with_a_volume_of_its_own_stays(node: Node) -> None:
    bcache = cached(node, cache_mode="writeback")
    node.module("bcache", **bcache)
    node.run("echo 32M > $(echo /sys/fs/bcache/*-*)/flash_vol_create; udevadm settle")
    node.run("mkfs.ext4 -q /dev/bcache1; mkdir /fl; mount /dev/bcache1 /fl; echo kept > /fl/file; sync")
    without = node.converge("bcache", **bcache | {"cache_device": ""})
    assert actions(without) == ["detach"]
    node.converge("bcache", **bcache)
    gone = node.converge("bcache", name="cached", state="absent", allow_destroy=True)
    assert "unregister" not in actions(gone)
    node.lab.power_cut()
    node.run("mount $(echo /dev/bcache*[0-9]) /fl")
    assert node.run("cat /fl/file") == "kept"


@pytest.mark.further
def test_a_larger_backing_device_below_a_drive(node: Node) -> None:
    """On a logical volume, with a partition as the cache."""
    node.run(f"printf 'label: gpt\\nsize=200M\\n' | sfdisk --quiet {node.disk('SSD1')}; udevadm settle")
    node.run(f"vgcreate slow {node.disk('HDD1')}; lvcreate --yes --name disk --size 200M slow")
    bcache = cached(node, backing_device="/dev/slow/disk", cache_device=f"{node.disk('SSD1')}-part1")
    drive: dict[str, Any] = {"name": "data", "devices": ["/dev/bcache/by-label/cached"], "mount_point": "/srv"}
    node.converge("bcache", **bcache)
    node.module("lvm_drive", **drive)
    node.run(f"head -c 20M {RANDOM} > /srv/file; md5sum /srv/file > /srv/sum; sync")
    node.run("lvextend --size 400M slow/disk")
    assert "Set allow_offline" in node.refusal("bcache", **bcache)
    grown = node.converge("bcache", **bcache, allow_offline=True)
    assert actions(grown) == ["unmount", "deactivate", "stop", "register", "activate", "mount", "set"]
    assert grown["status"]["size"] == (400 << 20) - 8192
    assert node.run("md5sum --check /srv/sum") == "/srv/file: OK"

    node.run("sync")
    node.lab.power_cut()
    node.unchanged("bcache", **bcache)
    node.module("lvm_drive", **drive)
    assert node.run("md5sum --check /srv/sum") == "/srv/file: OK"
