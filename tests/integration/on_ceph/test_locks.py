# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks of images: whose holder is dead, whose holder hangs, and those that users took."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.integration.modules import ModuleFailed

from .client import OPEN, Client, holding

_LOCK = f"{OPEN}\nwith rbd.Image(pool, sys.argv[3]) as image: image.lock_exclusive('mine')"


@pytest.fixture
def stale(ceph: Client) -> str:
    """An image whose lock a dead client holds."""
    ceph.module("rbd_image", name="one", size="8M")
    ceph.module("rbd_snapshot", image="one", name="a")
    ceph.module("rbd_group", name="all", images=["one"], snapshots=[{"name": "b"}])
    with holding(ceph, "one"):
        pass
    ceph.until_closed("one")
    assert ceph.module("rbd_info")["status"]["one"]["locked_by"]
    return "one"


def test_a_dead_client_holds_nothing(ceph: Client, stale: str) -> None:
    back: dict[str, Any] = {"image": stale, "name": "a", "allow_destroy": True, "state": "rolled_back_to"}
    assert ceph.module("rbd_snapshot", **back)["changed"]
    ceph.module("rbd_group", name="all", purge_snapshots=True, state="absent")
    ceph.converge("rbd_image", name=stale, state="trashed")
    ceph.module("rbd_trash", name=stale, state="restored")
    ceph.converge("rbd_image", name=stale, purge_snapshots=True, state="absent")


@pytest.mark.further
def test_a_group_of_a_dead_client(ceph: Client, stale: str) -> None:
    assert ceph.module("rbd_group", name="all", rolled_back_to="b", allow_destroy=True)["changed"]
    assert ceph.data(stale, 1) == "\0"


def test_the_lock_of_a_hung_client_is_broken(ceph: Client) -> None:
    """With permission; and it is kept out, so that it cannot write once it goes on."""
    ceph.module("rbd_image", name="one", size="8M")
    with holding(ceph, "one") as holder:
        holder.send_signal(signal.SIGSTOP)
        address = ceph.module("rbd_info")["status"]["one"]["locked_by"][0]
        ceph.unchanged("rbd_image", name="one", break_lock="10.0.0.1:0/1", allow_destroy=True)
        assert "set allow_destroy to break" in ceph.refusal("rbd_image", name="one", break_lock=address)
        broken = ceph.converge("rbd_image", name="one", break_lock=address, allow_destroy=True)
        assert broken["plan"][0]["destroys"] == [f"one: what {address} did not write yet"]
        blocked = ceph.cluster.ceph("osd", "blocklist", "ls").split()
        assert address in blocked
        assert broken["status"]["locked_by"] == broken["status"]["watchers"] == []
        ceph.converge("rbd_image", name="one", state="absent")


@pytest.mark.further
def test_a_lock_is_not_broken_where_its_holder_could_go_on(ceph: Client) -> None:
    """The image itself says that who loses its lock is not kept out."""
    ceph.module("rbd_image", name="one", size="8M", config={"rbd_blocklist_on_break_lock": False})
    with holding(ceph, "one"):
        address = ceph.module("rbd_info")["status"]["one"]["locked_by"][0]
        with pytest.raises(ModuleFailed, match="rbd_blocklist_on_break_lock has to be true"):
            ceph.module("rbd_image", name="one", break_lock=address, allow_destroy=True)
        assert ceph.module("rbd_info")["status"]["one"]["locked_by"] == [address]


def test_a_lock_is_broken_and_the_image_removed_at_once(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M")
    with holding(ceph, "one") as holder:
        holder.send_signal(signal.SIGSTOP)
        address = ceph.module("rbd_info")["status"]["one"]["locked_by"][0]
        gone = ceph.converge("rbd_image", name="one", break_lock=address, allow_destroy=True, state="absent")
    assert [step["action"] for step in gone["plan"]] == ["break the lock of", "remove"]


@pytest.mark.further
def test_a_lock_that_a_user_took_lasts(ceph: Client) -> None:
    """librbd would wait for ever for one who is not there any more."""
    ceph.module("rbd_image", name="one", size="8M")
    ceph.module("rbd_snapshot", image="one", name="a")
    ceph.python(_LOCK, "one")
    address = ceph.module("rbd_info")["status"]["one"]["locked_by"][0]
    for state in ("absent", "trashed"):
        said = ceph.refusal("rbd_image", name="one", purge_snapshots=True, state=state)
        assert f"it is locked by {address} (lock mine)" in said
    assert "it is locked by" in ceph.refusal(
        "rbd_snapshot", image="one", name="a", allow_destroy=True, state="rolled_back_to"
    )
    changes: tuple[dict[str, Any], ...] = (
        {"size": "16M"},
        {"features": ["layering", "deep-flatten"]},
        {"snapshot_limit": 3},
    )
    for words in changes:
        assert "it is locked by" in ceph.refusal("rbd_image", name="one", **words)
    assert "it is locked by" in ceph.refusal("rbd_snapshot", image="one", name="b")
    ceph.converge("rbd_image", name="one", break_lock=address, allow_destroy=True)
    ceph.converge("rbd_image", name="one", purge_snapshots=True, state="absent")
