# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is beside images: snapshots, groups, namespaces, pools, and the trash, on a real cluster."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from .client import Client


def details(result: dict[str, Any]) -> list[str]:
    return [f"{step['action']} {step['detail']}" for step in result["plan"]]


def test_snapshots(ceph: Client) -> None:
    assert "there is no image one" in ceph.refusal("rbd_snapshot", image="one", name="a")
    ceph.unchanged("rbd_snapshot", image="one", name="a", state="absent")
    ceph.module("rbd_image", name="one", size="8M")
    made = ceph.converge("rbd_snapshot", image="one", name="a")
    assert made["snapshots"] == [{"name": "a", "size": 8 << 20, "protected": False, "clones": None}]
    ceph.converge("rbd_snapshot", image="one", name="a", protected=True)
    ceph.unchanged("rbd_snapshot", image="one", name="a")
    renamed = ceph.converge("rbd_snapshot", image="one", name="b", renamed_from="a", protected=False)
    assert [step["action"] for step in renamed["plan"]] == ["rename", "unprotect"]
    ceph.converge("rbd_snapshot", image="one", name="c", protected=True)
    assert "set protected to false" in ceph.refusal("rbd_snapshot", image="one", name="c", state="absent")
    gone = ceph.converge("rbd_snapshot", image="one", name="c", protected=False, state="absent")
    assert gone["plan"][-1]["destroys"] == ["one@c: 8 MiB"]
    assert "holds no / or @" in ceph.refusal("rbd_snapshot", image="one", name="a@b")
    ceph.module("rbd_image", name="one", snapshot_limit=1)
    assert "image one has 1 snapshots, and its snapshot_limit is 1" in ceph.refusal(
        "rbd_snapshot", image="one", name="d"
    )


def test_rolled_back(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M")
    ceph.write("one", "before")
    ceph.module("rbd_snapshot", image="one", name="a")
    ceph.write("one", "after!")
    ceph.module("rbd_image", name="one", size="16M")
    back: dict[str, Any] = {"image": "one", "name": "a", "state": "rolled_back_to"}
    assert "set allow_destroy" in ceph.refusal("rbd_snapshot", **back)
    assert ceph.data("one", 6) == "after!"
    looked = ceph.check("rbd_snapshot", allow_destroy=True, **back)
    done = ceph.module("rbd_snapshot", allow_destroy=True, **back)
    assert details(done) == details(looked) == ["roll back to 16 MiB to 8 MiB"]
    assert done["plan"][0]["destroys"] == ["one: what was written since a"]
    assert ceph.data("one", 6) == "before"
    assert ceph.rbd("info", "rbd/one")["size"] == 8 << 20
    assert "there is no such snapshot" in ceph.refusal("rbd_snapshot", **{**back, "name": "b"})


def test_groups(ceph: Client) -> None:
    for name in ("data", "log", "other"):
        ceph.module("rbd_image", name=name, size="8M")
    ceph.unchanged("rbd_group", name="db", state="absent")
    assert "there is no image rbd/none" in ceph.refusal("rbd_group", name="db", images=["none"])
    made = ceph.converge("rbd_group", name="db", images=["data", "rbd/log"], snapshots=[{"name": "one"}])
    assert [step["action"] for step in made["plan"]] == ["create", "add", "add", "snapshot"]
    assert made["group"] == {"name": "db", "images": ["rbd/data", "rbd/log"], "snapshots": [{"name": "one"}]}
    ceph.unchanged("rbd_group", **made["group"])
    ceph.write("data", "after!")

    # What is in a group can be lost to it by ways that librbd does not refuse.
    for state in ("absent", "trashed"):
        assert "it is in group db" in ceph.refusal("rbd_image", name="data", state=state)
    assert "is in group db" in ceph.refusal("rbd_group", name="second", images=["data"])
    assert "is listed twice" in ceph.refusal("rbd_group", name="db", images=["data", "rbd/data"])
    assert "write IMAGE or POOL/IMAGE" in ceph.refusal("rbd_group", name="db", images=["a/b/c"])

    assert "set allow_destroy" in ceph.refusal("rbd_group", name="db", rolled_back_to="one")
    assert "no such snapshot" in ceph.refusal("rbd_group", name="db", rolled_back_to="two", allow_destroy=True)
    done = ceph.module("rbd_group", name="db", rolled_back_to="one", allow_destroy=True)
    assert done["plan"][0]["destroys"] == [f"rbd/{name}: what was written since one" for name in ("data", "log")]
    assert ceph.data("data", 6) == "\0" * 6

    snapshots = [{"name": "first", "renamed_from": "one"}, {"name": "two"}]
    changed = ceph.converge("rbd_group", name="main", renamed_from="db", images=["data", "other"], snapshots=snapshots)
    assert [step["action"] for step in changed["plan"]] == [
        "rename",
        "add",
        "take out",
        "rename snapshot of",
        "snapshot",
    ]
    ceph.converge("rbd_group", name="main", snapshots=[{"name": "two", "state": "absent"}])
    assert "it has snapshots (first)" in ceph.refusal("rbd_group", name="main", state="absent")
    gone = ceph.converge("rbd_group", name="main", purge_snapshots=True, state="absent")
    assert gone["plan"][0]["destroys"] == ["group main@first"]
    assert sorted(ceph.rbd("ls")) == ["data", "log", "other"]


def test_a_group_with_an_image_in_the_trash(ceph: Client) -> None:
    """librbd, before it refused that, lists none of its images then: that is not taken for an empty group."""
    for name in ("data", "log"):
        ceph.module("rbd_image", name=name, size="8M")
    ceph.module("rbd_group", name="db", images=["data", "log"])
    trash = ("rbd", "--namespace", ceph.namespace, "trash", "mv", "rbd/data")
    if ceph.cluster.release >= 20:
        with pytest.raises(RuntimeError, match="group"):
            ceph.cluster.run(*trash)
        return
    ceph.cluster.run(*trash)
    assert "one of its images is in the trash" in ceph.refusal("rbd_group", name="db", images=["log"])
    ceph.module("rbd_trash", name="data", state="restored")
    ceph.unchanged("rbd_group", name="db", images=["data", "log"])


def test_namespaces(ceph: Client) -> None:
    one = f"{ceph.namespace}-one"
    ceph.unchanged("rbd_namespace", name=one, state="absent")
    made = ceph.converge("rbd_namespace", name=one)
    assert one in made["namespaces"]
    ceph.module("rbd_image", namespace=one, name="web1", size="8M")
    ceph.module("rbd_image", namespace=one, name="web2", size="8M")
    ceph.module("rbd_image", namespace=one, name="web2", state="trashed")
    # librbd would remove a namespace with a group in it.
    ceph.module("rbd_group", namespace=one, name="all")
    assert "it holds image web1, image web2 in the trash, group all" in ceph.refusal(
        "rbd_namespace", name=one, state="absent"
    )
    ceph.module("rbd_image", namespace=one, name="web1", state="absent")
    ceph.module("rbd_trash", namespace=one, state="purged")
    ceph.module("rbd_group", namespace=one, name="all", state="absent")
    ceph.converge("rbd_namespace", name=one, state="absent")
    assert "has no such namespace" in ceph.refusal("rbd_image", namespace=one, name="web1", size="8M")


def test_pools(ceph: Client) -> None:
    ceph.cluster.ceph("osd", "pool", "create", "bare", "8")
    made = ceph.converge("rbd_pool", pool="bare", config={"rbd_qos_iops_limit": 7}, metadata={"owner": "me"})
    assert details(made) == ["initialise for RBD", "set config rbd_qos_iops_limit 7", "set metadata owner me"]
    assert made["pool"]["config"] == {"rbd_qos_iops_limit": "7"}
    assert made["status"]["stats"]["image_count"] == 0
    less = ceph.converge("rbd_pool", pool="bare", config={"rbd_qos_iops_limit": None}, metadata={"owner": None})
    assert (less["pool"]["config"], less["pool"]["metadata"]) == ({}, {})
    assert "no such setting" in ceph.refusal("rbd_pool", pool="bare", config={"rbd_nonsense": 1})
    assert "say it in config" in ceph.refusal("rbd_pool", pool="bare", metadata={"conf_rbd_cache": "true"})
    ceph.cluster.ceph("osd", "pool", "create", "files", "8")
    ceph.cluster.ceph("osd", "pool", "application", "enable", "files", "cephfs")
    assert "it is a pool of cephfs" in ceph.refusal("rbd_pool", pool="files")
    shared = ceph.converge("rbd_pool", pool="files", force=True)
    assert sorted(shared["pool"]["applications"]) == ["cephfs", "rbd"]


def test_trash(ceph: Client) -> None:
    for name, delay in (("now", 0), ("later", 3600), ("twice", 0), ("cloned", 0)):
        ceph.module("rbd_image", name=name, size="8M")
        if name == "cloned":
            ceph.module("rbd_snapshot", image=name, name="one")
            ceph.module("rbd_image", name="clone", parent={"image": name, "snapshot": "one"})
        ceph.module("rbd_image", name=name, delay=delay, state="trashed")
    ceph.module("rbd_image", name="twice", size="8M", allow_trashed_namesake=True)
    ceph.module("rbd_image", name="twice", state="trashed")

    assert "several of this name" in ceph.refusal("rbd_trash", name="twice", state="absent")
    first = next(one["id"] for one in ceph.module("rbd_info")["trash"] if one["name"] == "twice")
    ceph.converge("rbd_trash", id=first, state="absent")
    ceph.unchanged("rbd_trash", name="none", state="absent")
    assert "it is not in the trash" in ceph.refusal("rbd_trash", name="none", state="restored")
    kept = ceph.refusal("rbd_trash", name="later", state="absent")
    assert re.search(r"kept in the trash until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", kept)
    assert "it cannot be removed from the trash with snapshot one, clone" in ceph.refusal(
        "rbd_trash", name="cloned", state="absent"
    )
    ceph.unchanged("rbd_trash", expired_before="2020-01-01", state="purged")
    purged = ceph.converge("rbd_trash", state="purged")
    assert sorted(step["name"] for step in purged["plan"]) == ["now", "twice"]
    assert "cloned stays in the trash" in str(purged["warnings"])
    assert sorted(one["name"] for one in purged["trash"]) == ["cloned", "later"]
    forced = ceph.converge("rbd_trash", name="later", force=True, state="absent")
    assert forced["plan"][0]["destroys"] == ["later"]
    ceph.converge("rbd_trash", name="cloned", state="restored")
    ceph.unchanged("rbd_trash", state="purged")
    for words, said in (
        ({"state": "absent"}, "needs name or id"),
        ({"state": "purged", "name": "x"}, "is about all"),
        ({"state": "purged", "threshold": 2.0}, "from 0 to 1"),
        ({"state": "purged", "threshold": 0.5, "expired_before": "2026-01-01"}, "two ways"),
        ({"state": "purged", "expired_before": "yesterday"}, "is no time"),
        ({"state": "absent", "name": "x", "threshold": 0.5}, "go with purged"),
        ({"state": "absent", "name": "x", "restore_as": "y"}, "goes with restored"),
        ({"state": "restored", "name": "x", "restore_as": "y/z"}, "holds no / or @"),
    ):
        assert said in ceph.refusal("rbd_trash", **words), words


def test_trash_is_kept_until_its_time(ceph: Client) -> None:
    """The cluster's clock and ours are one here: what was to be kept for a second goes once it has passed."""
    ceph.module("rbd_image", name="one", size="8M")
    ceph.module("rbd_image", name="one", delay=1, state="trashed")
    until = ceph.module("rbd_info")["trash"][0]["until"]
    while time.time() < until + 1:
        time.sleep(0.1)
    ceph.converge("rbd_trash", name="one", state="absent")


def test_info(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M")
    ceph.module("rbd_snapshot", image="one", name="a")
    ceph.module("rbd_image", name="two", parent={"image": "one", "snapshot": "a"})
    ceph.module("rbd_snapshot", image="two", name="b")
    ceph.module("rbd_image", name="three", parent={"image": "two", "snapshot": "b"})
    ceph.module("rbd_group", name="all", images=["two"])
    found = ceph.check("rbd_info", images=["one", "two", "four"])
    assert found["missing"] == ["four"]
    place = f"rbd/{ceph.namespace}"
    deepest = {"snapshot": "two@b", "clones": [{"image": f"{place}/three", "clones": []}]}
    assert found["clones"] == [{"snapshot": "one@a", "clones": [{"image": f"{place}/two", "clones": [deepest]}]}]
    assert found["status"]["two"]["group"] == "all"
    assert found["groups"] == [{"name": "all", "images": ["rbd/two"], "snapshots": []}]
    assert ceph.namespace in found["namespaces"]
    assert found["fsid"] == ceph.cluster.ceph("fsid").strip()
    assert found["librbd_version"].count(".") == 2
    assert found["pool"]["name"] == "rbd"
