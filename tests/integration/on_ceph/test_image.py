# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of an image, on a real cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules import ModuleFailed

from .client import Client

MIB = 1 << 20


def actions(result: dict[str, Any]) -> list[str]:
    return [step["action"] for step in result["plan"]]


def test_created_as_it_is_wanted(ceph: Client) -> None:
    words: dict[str, Any] = {
        "name": "web1",
        "size": "64M",
        "features": ["layering", "exclusive-lock"],
        "object_size": "1M",
        "stripe_unit": "64K",
        "stripe_count": 4,
        "metadata": {"owner": "web", "rack": 7, "note": "<uuid:what looks like ours>"},
        "config": {"rbd_qos_iops_limit": 500, "rbd_cache": False},
        "snapshot_limit": 3,
    }
    made = ceph.converge("rbd_image", **words)
    assert actions(made) == ["create", *["set"] * 5, "limit"]
    assert made["diff"][-1]["before"] == {"image": None}
    assert made["diff"][-1]["after"]["image"] == made["image"]
    image = made["image"]
    assert (image["size"], image["object_size"], image["stripe_unit"]) == (64 * MIB, MIB, 64 << 10)
    assert image["metadata"] == {"owner": "web", "rack": "7", "note": "<uuid:what looks like ours>"}
    assert image["config"] == {"rbd_qos_iops_limit": "500", "rbd_cache": "false"}
    assert image["features"] == ["exclusive-lock", "layering"]
    told = ceph.rbd("info", "rbd/web1")
    assert (told["size"], told["order"], told["stripe_count"]) == (64 * MIB, 20, 4)
    assert set(told["features"]) == {"layering", "exclusive-lock", "striping"}
    # What it returns is what it takes.
    ceph.unchanged("rbd_image", **image)


def test_by_default_and_with_a_data_pool(ceph: Client) -> None:
    made = ceph.converge("rbd_image", name="plain", size="10M")
    assert made["image"]["features"] == ["deep-flatten", "exclusive-lock", "fast-diff", "layering", "object-map"]
    assert made["image"]["object_size"] == 4 * MIB
    assert (made["image"]["stripe_unit"], made["image"]["data_pool"]) == (None, None)
    ceph.cluster.pool("data")
    made = ceph.converge("rbd_image", name="split", size="10M", data_pool="data", order=22, journaling=True)
    assert made["image"]["data_pool"] == "data"
    assert "journaling" in made["image"]["features"]
    assert "its data_pool is data" in ceph.refusal("rbd_image", name="split", data_pool="rbd")


@pytest.mark.further
def test_changed(ceph: Client) -> None:
    ceph.converge("rbd_image", name="one", size="64M", metadata={"a": "1", "b": "2"})
    ceph.write("one", "kept")
    grown = ceph.converge("rbd_image", name="one", size="128M", metadata={"a": "2", "b": None, "c": "3"})
    assert actions(grown) == ["resize", "set", "unset", "set"]
    assert grown["image"]["metadata"] == {"a": "2", "c": "3"}
    assert grown["plan"][0]["destroys"] == []
    assert "Set allow_shrink" in ceph.refusal("rbd_image", name="one", size="32M")
    shrunk = ceph.converge("rbd_image", name="one", size="32M", allow_shrink=True)
    assert shrunk["plan"][0]["destroys"] == ["one: what lies beyond 32 MiB"]
    fewer = ceph.converge("rbd_image", name="one", features=["layering", "deep-flatten"])
    assert [step["detail"] for step in fewer["plan"]] == ["features exclusive-lock,fast-diff,object-map"]
    more = ceph.converge(
        "rbd_image",
        name="one",
        features=["layering", "exclusive-lock", "object-map", "fast-diff", "journaling"],
        allow_destroy=True,
    )
    assert actions(more) == ["disable", "enable", "rebuild"]
    assert more["status"]["object_map_valid"] is True
    assert ceph.converge("rbd_image", name="one", journaling=False)["plan"][0]["detail"] == "features journaling"
    assert "feature deep-flatten cannot be added to" in ceph.refusal(
        "rbd_image", name="one", features=["layering", "deep-flatten"]
    )
    assert "feature layering cannot be taken from" in ceph.refusal("rbd_image", name="one", features=[])
    assert "its object_size is 4194304" in ceph.refusal("rbd_image", name="one", object_size="8M")
    unset = ceph.converge("rbd_image", name="one", config={"rbd_cache": True}, snapshot_limit=2)
    assert unset["image"]["config"] == {"rbd_cache": "true"}
    unset = ceph.converge("rbd_image", name="one", config={"rbd_cache": None}, snapshot_limit=0)
    assert actions(unset) == ["unset", "limit"]
    assert ceph.data("one", 4) == "kept"


def test_renamed(ceph: Client) -> None:
    ceph.module("rbd_image", name="old", size="8M")
    ceph.write("old", "kept")
    renamed = ceph.converge("rbd_image", name="new", renamed_from="old", size="16M")
    assert actions(renamed) == ["rename", "resize"]
    assert ceph.data("new", 4) == "kept"
    assert ceph.rbd("ls") == ["new"]
    # Where there is one of the new name, the former one is another.
    ceph.module("rbd_image", name="old", size="8M")
    ceph.unchanged("rbd_image", name="new", renamed_from="old")


def test_clones(ceph: Client) -> None:
    ceph.module("rbd_image", name="golden", size="16M")
    ceph.write("golden", "gold")
    assert "there is no snapshot" in ceph.refusal(
        "rbd_image", name="copy", parent={"image": "golden", "snapshot": "one"}
    )
    ceph.module("rbd_snapshot", image="golden", name="one")
    parent = {"image": "golden", "snapshot": "one"}
    second = ceph.converge("rbd_image", name="second", parent=parent, metadata={"of": "golden"})
    assert actions(second) == ["clone", "set"]
    assert second["image"]["size"] == 16 * MIB
    assert second["image"]["parent"] == {"pool": "rbd", "namespace": ceph.namespace, **parent}
    ceph.unchanged("rbd_image", **second["image"])
    first = ceph.converge("rbd_image", name="first", parent=parent, clone_format=1, size="32M")
    assert actions(first) == ["protect", "clone", "resize"]
    assert ceph.data("first", 4) == "gold"
    assert "it is a clone of" in ceph.refusal("rbd_image", name="first", parent={**parent, "snapshot": "other"})

    assert "it has clones (" in ceph.refusal("rbd_image", name="golden", purge_snapshots=True, state="absent")
    assert "cannot be removed: it is protected" in ceph.refusal(
        "rbd_snapshot", image="golden", name="one", state="absent"
    )
    assert f"rbd/{ceph.namespace}/second" in ceph.refusal(
        "rbd_snapshot", image="golden", name="one", protected=False, state="absent"
    )

    # The parent may go to the trash: the clones keep it alive there.
    ceph.converge("rbd_image", name="golden", state="trashed")
    ceph.unchanged("rbd_image", name="second", parent=parent)
    assert ceph.module("rbd_info", images=["second"])["images"][0]["parent"]["image"] == "golden"
    assert "with snapshot one, clone rbd/" in ceph.refusal("rbd_trash", name="golden", state="absent")
    for name in ("first", "second"):
        flat = ceph.converge("rbd_image", name=name, parent=parent, flatten=True)
        assert actions(flat) == ["flatten"]
        assert flat["image"]["parent"] is None
        assert ceph.data(name, 4) == "gold"
    warned = ceph.module("rbd_image", name="first", parent=parent)
    assert f"image first is no clone of rbd/{ceph.namespace}/golden@one" in str(warned["warnings"])


def test_a_clone_in_another_pool(ceph: Client) -> None:
    ceph.cluster.pool("golden")
    ceph.module("rbd_image", pool="golden", namespace="", name="base", size="8M")
    ceph.module("rbd_snapshot", pool="golden", namespace="", image="base", name="one")
    parent = {"pool": "golden", "image": "base", "snapshot": "one"}
    made = ceph.converge("rbd_image", name="far", parent=parent, flatten=True)
    assert actions(made) == ["clone", "flatten"]
    assert "a clone needs feature layering" in ceph.refusal("rbd_image", name="not", parent=parent, features=[])


def test_absent(ceph: Client) -> None:
    ceph.unchanged("rbd_image", name="none", state="absent")
    ceph.module("rbd_image", name="one", size="8M")
    for name in ("a", "b"):
        ceph.module("rbd_snapshot", image="one", name=name, protected=name == "b")
    assert "it has snapshots (a b)" in ceph.refusal("rbd_image", name="one", state="absent")
    gone = ceph.converge("rbd_image", name="one", purge_snapshots=True, state="absent")
    assert actions(gone) == ["remove", "unprotect", "remove", "remove"]
    assert gone["plan"][-1]["destroys"] == ["one: 8 MiB"]
    assert (gone["image"], ceph.rbd("ls")) == (None, [])


def test_trashed(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M")
    ceph.write("one", "kept")
    ceph.converge("rbd_image", name="one", delay=3600, state="trashed")
    # An empty one in its place is seldom what was meant.
    assert "is in the trash" in ceph.refusal("rbd_image", name="one", size="8M")
    ceph.converge("rbd_image", name="one", size="4M", allow_trashed_namesake=True)
    assert "has an image one" in ceph.refusal("rbd_trash", name="one", state="restored")
    restored = ceph.converge("rbd_trash", name="one", restore_as="two", state="restored")
    assert restored["trash"] == []
    assert ceph.data("two", 4) == "kept"


def test_many(ceph: Client) -> None:
    images: list[dict[str, Any]] = [{"name": f"vm{index}", "size": "8M"} for index in range(20)]
    made = ceph.converge("rbd_images", images=images)
    assert len(made["plan"]) == 20
    found = ceph.module("rbd_info")
    assert [image["name"] for image in found["images"]] == sorted(image["name"] for image in images)
    # What is told is what can be given.
    ceph.unchanged("rbd_images", images=found["images"])
    images[0]["state"] = "absent"
    images[1]["size"] = "16M"
    images[2] |= {"name": "vm-two", "renamed_from": "vm2"}
    changed = ceph.converge("rbd_images", images=images)
    assert sorted(actions(changed)) == ["remove", "rename", "resize"]
    assert "the task names it twice" in ceph.refusal("rbd_images", images=[images[3], images[3]])
    assert "vm3" in ceph.refusal("rbd_images", images=[images[3], {"name": "x", "renamed_from": "vm3"}])

    # One that fails does not undo the others, and those that were done are told.
    broken = {"name": "broken", "size": "8M", "metadata": {"long": "x" * (5 << 20)}}
    ceph.cluster.ceph("config", "set", "osd", "osd_max_write_size", "4")
    with pytest.raises(ModuleFailed) as failed:
        ceph.module("rbd_images", images=[broken, {"name": "fine", "size": "8M"}])
    ceph.cluster.ceph("config", "rm", "osd", "osd_max_write_size")
    assert "set image broken: metadata long x" in str(failed.value)
    assert failed.value.result["changed"] is True
    assert {"create"} == {step["action"] for step in failed.value.result["done"]}
    # Two clones of one parent, of the format that needs it protected: that is done once, and first.
    ceph.module("rbd_snapshot", image="vm4", name="one")
    parent = {"image": "vm4", "snapshot": "one"}
    clones = [{"name": f"clone{index}", "parent": parent, "clone_format": 1} for index in range(3)]
    cloned = ceph.converge("rbd_images", images=[*clones, {"name": "clone3", "parent": parent}])
    assert actions(cloned) == ["protect", *["clone"] * 4]


@pytest.mark.further
def test_many_in_a_hurry(ceph: Client) -> None:
    ceph.module("rbd_image", name="vm1", size="8M")
    ceph.module("rbd_image", name="gone", size="8M")
    ceph.module("rbd_image", name="gone", state="trashed")
    good = {"name": "good", "size": "8M"}
    for words, said in (
        ({"name": " ", "size": "8M"}, "no blanks around it"),
        ({"name": "a\n", "size": "8M"}, "no control characters"),
        ({"name": "a\0b", "size": "8M"}, "no control characters"),
        ({"name": "a", "size": "8.5"}, "image a: size: 8.5 is no whole number of bytes; say the unit, such as 8.5G"),
        ({"name": "a", "size": "8 X"}, "image a: size: '8 X' is not a size"),
        ({"name": "a", "size": ""}, "image a: size: '' is not a size"),
        ({"name": "a", "size": "8M", "metadata": {"k": [1, 2]}}, "k is a list or a dictionary"),
        ({"name": "a", "size": "8M", "encryption": {"format": "luks2", "passphrase": ""}}, "image a: encryption: the"),
        ({"name": "a", "parent": {"image": "vm1", "snapshot": ""}}, "there is no snapshot"),
        ({"name": "a", "size": "8M", "features": "layering, exclusive-lok"}, "got: exclusive-lok. Did you mean excl"),
        ({"name": "a", "parent": "vm1@s"}, "dictionary requested"),
        ({"name": "gone", "size": "8M"}, "is in the trash"),
        ({"name": "good", "state": "absent"}, "the task names it twice"),
        ({"name": "vm1", "status": "absent"}, "status is no option"),
    ):
        assert said in ceph.refusal("rbd_images", images=[good, words]), words
    # One of them that is wrong has none of the others made.
    assert ceph.rbd("ls") == ["vm1"]
    ceph.unchanged("rbd_images", images=[])
    spoken = enumerate((" 8M ", "8 MiB", "8m", "8388608"))
    sizes: list[dict[str, Any]] = [{"name": f"vm{number}", "size": size} for number, size in spoken]
    ceph.converge("rbd_images", images=[{**one, "data_pool": "", "metadata": {"n": 1, "b": True}} for one in sizes])


def test_what_no_image_can_be(ceph: Client) -> None:
    for words, said in (
        ({"name": "a/b"}, "holds no / or @"),
        ({"name": "a"}, "say also: size, parent or copy_of"),
        ({"name": "a", "size": "10%"}, "must be an amount of bytes"),
        ({"name": "a", "size": "8M", "object_size": "3M"}, "a power of two"),
        ({"name": "a", "size": "8M", "order": 40}, "an order from 12 to 25"),
        ({"name": "a", "size": "8M", "order": 20, "object_size": "1M"}, "say one of them"),
        ({"name": "a", "size": "8M", "stripe_count": 2}, "belong together"),
        ({"name": "a", "size": "8M", "stripe_count": 0, "stripe_unit": "64K"}, "expected a number from 1 to"),
        ({"name": "a", "size": "8M", "metadata": {"": "x"}}, "has an empty key"),
        ({"name": "a" * 2042, "size": "8M"}, "a name has at most 2041 bytes, and this has 2042"),
        ({"name": "a", "size": "8M", "stripe_count": 2, "stripe_unit": "3M"}, "has to divide the object size"),
        ({"name": "a", "size": "8M", "features": ["object-map"]}, "needs exclusive-lock"),
        ({"name": "a", "size": "8M", "features": [], "journaling": True}, "journaling needs feature exclusive-lock"),
        ({"name": "a", "state": "trashed", "delay": -1}, "delay is -1; expected a number from 0 to"),
        ({"name": "a", "size": "8M", "metadata": {"conf_rbd_cache": "true"}}, "say it in config"),
        ({"name": "a", "size": "8M", "config": {"rbd_nonsense": 1}}, "no such setting"),
        ({"name": "a", "size": "8M", "data_pool": "nowhere"}, "no pool nowhere"),
    ):
        assert said in ceph.refusal("rbd_image", **words), words
    assert ceph.rbd("ls") == []
