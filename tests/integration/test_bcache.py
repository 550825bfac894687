# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Caches on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .modules import ModuleFailed
from .node import RANDOM, Node


def cached(node: Node, **more: Any) -> dict[str, Any]:
    return {"name": "cached", "backing_device": node.disk("HDD1"), **more}


def test_the_life_of_a_cache(node: Node) -> None:
    bcache = cached(node, cache_device=node.disk("SSD1"), cache_mode="writeback")
    made = node.converge("bcache", **bcache)
    device = made["status"]["device"]
    assert node.run("readlink -e /dev/bcache/by-label/cached") == device
    assert node.run(f"cat /sys/block/{device[5:]}/bcache/cache_mode") == "writethrough [writeback] writearound none"

    # More than the cache's background writing cleans up in the meantime.
    node.run(f"dd if={RANDOM} of={device} bs=1M count=60 oflag=direct && head -c 60M {device} | md5sum > /root/sum")
    node.converge("bcache", **bcache | {"cache_mode": "writearound"})
    item = node.module("bcache_info", name="cached")["bcaches"][0]
    assert item["cache_mode"] == "writearound"
    node.unchanged("bcache", **item)
    node.module("bcache", **bcache)

    gone = node.converge("bcache", name="cached", state="absent")
    assert [step["action"] for step in gone["plan"]] == ["detach", "stop", "unregister", "wipe", "wipe", "persist"]
    assert node.signatures(*node.disks("HDD1", "SSD1")) == ["", ""]
    # The data lies 8 KiB behind the start of the backing device, all of it written back.
    assert (
        node.run(f"tail -c +8193 {node.disk('HDD1')} | head -c 60M | md5sum --check /root/sum 2>&1 || true") == "-: OK"
    )


@pytest.mark.further
def test_a_cache_that_comes_later_and_is_shared(node: Node) -> None:
    node.converge("bcache", **cached(node))
    with_cache = cached(node, cache_device=node.disk("SSD1"))
    attached = node.converge("bcache", **with_cache, bucket_size="128K")
    assert attached["bcache"]["bucket_size"] == 128 << 10
    assert attached["status"]["state"] == "clean"

    second: dict[str, Any] = {"name": "second", "backing_device": node.disk("HDD2"), "cache_device": node.disk("SSD1")}
    shared = node.module("bcache", **second)
    assert "format bcache second" not in str(shared["plan"][0])
    assert shared["status"]["cache_set"] == attached["status"]["cache_set"]
    assert "bucket_size of the cache set" in node.refusal("bcache", **second, bucket_size="256K")
    assert "it is the backing device of bcache cached" in node.refusal(
        "bcache", name="third", backing_device=node.disk("HDD1")
    )
    assert "a bcache cannot move" in node.refusal("bcache", name="second", backing_device=node.disk("HDD3"))

    node.module("bcache", name="second", state="absent")
    node.unchanged("bcache", **with_cache)
    node.module("bcache", name="cached", state="absent")
    assert node.signatures(*node.disks("HDD1", "HDD2", "SSD1")) == ["", "", ""]


def test_a_bcache_that_holds_something_stays(node: Node) -> None:
    device = node.module("bcache", **cached(node, cache_device=node.disk("SSD1")))["status"]["device"]
    node.run(f"mkfs.ext4 -q {device} && mount {device} /mnt")
    assert "is mounted on /mnt" in node.refusal("bcache", name="cached", state="absent", allow_destroy=True)
    node.run("umount /mnt")
    assert "holds an ext4 filesystem" in node.refusal("bcache", name="cached", state="absent")
    node.converge("bcache", name="cached", state="absent", allow_destroy=True)

    # Erased inside, so that it does not surface in the next one.
    node.module("bcache", **cached(node))


def test_old_bytes_that_surface_are_refused_or_erased(node: Node) -> None:
    device = node.module("bcache", **cached(node))["status"]["device"]
    node.run(f"mkfs.ext4 -q {device}; echo 1 > /sys/block/{device[5:]}/bcache/stop")
    # The kernel lets go of the device some time after it was told to.
    node.guest.until(f"wipefs --all {node.disk('HDD1')}")
    with pytest.raises(ModuleFailed, match=r"old bytes inside the new .* form this: ext4"):
        node.module("bcache", **cached(node))
    node.module("bcache", name="cached", state="absent", allow_destroy=True)
