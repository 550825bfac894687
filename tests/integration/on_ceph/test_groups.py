# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of groups: what they hold, and what is left of one that was cut off."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from .client import OPEN, Client, holding

_SNAPSHOT = f"{OPEN}\nrbd.Group(pool, sys.argv[3]).create_snap(sys.argv[4])"


@pytest.mark.further
def test_only_what_a_snapshot_holds_is_rolled_back(ceph: Client) -> None:
    """librbd 16 rolls back what the snapshot holds, whatever is in the group by then."""
    for name in ("ga", "gb", "gc"):
        ceph.module("rbd_image", name=name, size="8M")
        ceph.write(name, "before")
    ceph.module("rbd_group", name="g", images=["ga", "gb"], snapshots=[{"name": "s1"}])
    for name in ("ga", "gb", "gc"):
        ceph.write(name, "after!")
    said = ceph.refusal("rbd_group", name="g", images=["ga", "gc"], rolled_back_to="s1", allow_destroy=True)
    assert "the snapshot holds rbd/gb, which the group does not" in said
    assert "the group holds rbd/gc, which the snapshot does not" in said
    assert [ceph.data(name, 6) for name in ("ga", "gb", "gc")] == ["after!"] * 3
    # The same where the group was changed before; and an image of the same name is another image.
    ceph.module("rbd_group", name="g", images=["ga"])
    assert "holds rbd/gb, which the group does not" in ceph.refusal(
        "rbd_group", name="g", rolled_back_to="s1", allow_destroy=True
    )
    ceph.module("rbd_image", name="old", renamed_from="gb")
    ceph.module("rbd_image", name="gb", size="8M")
    assert "holds rbd/old, which" in ceph.refusal(
        "rbd_group", name="g", images=["ga", "gb"], rolled_back_to="s1", allow_destroy=True
    )
    with holding(ceph, "old"):
        assert "is open on" in ceph.refusal(
            "rbd_group", name="g", images=["ga", "old"], rolled_back_to="s1", allow_destroy=True
        )
    ceph.until_closed("old")
    done = ceph.module("rbd_group", name="g", images=["ga", "old"], rolled_back_to="s1", allow_destroy=True)
    assert done["plan"][-1]["destroys"] == [f"rbd/{name}: what was written since s1" for name in ("ga", "old")]
    assert [ceph.data(name, 6) for name in ("ga", "old", "gc")] == ["before", "before", "after!"]


@pytest.mark.further
def test_a_snapshot_that_was_cut_off_is_none(ceph: Client) -> None:
    """Its client was killed while it waited for the lock of an image."""
    for name in ("ga", "gb"):
        ceph.module("rbd_image", name=name, size="8M")
        ceph.write(name, "before")
    words: dict[str, Any] = {"name": "g", "images": ["ga", "gb"]}
    ceph.module("rbd_group", **words)
    with holding(ceph, "ga") as holder:
        holder.send_signal(signal.SIGSTOP)
        with ceph.starting(_SNAPSHOT, "g", "s") as taker:
            limit = time.monotonic() + 30
            while not ceph.rbd("group", "snap", "ls", "rbd/g"):
                assert time.monotonic() < limit
                time.sleep(0.05)
            taker.kill()
        holder.send_signal(signal.SIGCONT)
    found = ceph.module("rbd_group", **words)
    assert (found["incomplete"], found["group"]["snapshots"]) == (["s"], [])
    assert ceph.module("rbd_info")["incomplete"] == ["g@s"]
    assert "was cut off, so it holds nothing" in ceph.refusal(
        "rbd_group", **words, rolled_back_to="s", allow_destroy=True
    )
    ceph.until_closed("ga")
    taken = ceph.converge("rbd_group", **words, snapshots=[{"name": "s"}])
    assert [step["action"] for step in taken["plan"]] == ["remove snapshot of", "snapshot"]
    assert taken["plan"][0]["destroys"] == []
    assert (taken["incomplete"], taken["group"]["snapshots"]) == ([], [{"name": "s"}])
    ceph.write("ga", "after!")
    ceph.module("rbd_group", **words, rolled_back_to="s", allow_destroy=True)
    assert ceph.data("ga", 6) == "xefore"
