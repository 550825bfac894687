# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of images, images that give zeros back, and clones that outlive what they are clones of."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from .client import OPEN, Client, holding

#: Copies as a module does, and says when what it writes to is there.
_COPY = f"""{OPEN}
import contextlib, threading
with rbd.Image(pool, sys.argv[3], read_only=True) as image:
    threading.Thread(target=image.deep_copy, args=(pool, sys.argv[4]), daemon=True).start()
    while sys.argv[4] not in rbd.RBD().list(pool):
        pass
    while sys.argv[5] == "filled":
        with contextlib.suppress(rbd.Error), rbd.Image(pool, sys.argv[4], read_only=True) as copy:
            if list(copy.list_snaps()):
                break
    print("copying", flush=True)
    sys.stdin.read()
"""


def source(ceph: Client, **words: Any) -> None:
    """A clone with two snapshots, each of other contents."""
    ceph.module("rbd_image", name="base", size="16M")
    ceph.write("base", "base")
    ceph.module("rbd_snapshot", image="base", name="s")
    parent = {"image": "base", "snapshot": "s"}
    ceph.module("rbd_image", name="src", parent=parent, metadata={"a": "1"}, config={"rbd_cache": False}, **words)
    for name in ("one", "two"):
        ceph.write("src", name, 1 << 20)
        ceph.module("rbd_snapshot", image="src", name=name, protected=name == "one")
    ceph.write("src", "now", 1 << 20)


def contents(ceph: Client, image: str) -> tuple[str, str]:
    return ceph.data(image, 4), ceph.data(image, 3, 1 << 20)


@pytest.mark.parametrize(
    ("snapshot", "with_snapshots", "kept", "data"),
    [
        (None, False, [], "now"),
        (None, True, ["one", "two"], "now"),
        ("one", False, [], "one"),
        ("one", True, ["one"], "one"),
    ],
)
@pytest.mark.first_case
def test_a_copy(ceph: Client, snapshot: str | None, with_snapshots: bool, kept: list[str], data: str) -> None:
    source(ceph, snapshot_limit=7, stripe_unit="1M", stripe_count=2)
    words = {"name": "copy", "copy_of": {"image": "src", "snapshot": snapshot, "with_snapshots": with_snapshots}}
    made = ceph.converge("rbd_image", **words)
    assert [step["action"] for step in made["plan"]] == ["copy", "rename"]
    assert made["image"]["metadata"] == {"a": "1"}
    assert made["image"]["config"] == {"rbd_cache": "false"}
    assert [one["name"] for one in made["status"]["snapshots"]] == kept
    assert (made["image"]["parent"] is not None) is with_snapshots
    assert (made["image"]["stripe_unit"], made["image"]["stripe_count"]) == (1 << 20, 2)
    assert contents(ceph, "copy") == ("base", data)


@pytest.mark.further
def test_a_copy_as_it_is_wanted(ceph: Client) -> None:
    """In another pool, with another layout, another size, and without what its source is a clone of."""
    source(ceph)
    ceph.cluster.pool("copies")
    words: dict[str, Any] = {
        "pool": "copies",
        "namespace": "",
        "name": "copy",
        "size": "32M",
        "object_size": "8M",
        "features": ["layering", "exclusive-lock"],
        "data_pool": "rbd",
        "metadata": {"a": None, "b": "2"},
        "copy_of": {"pool": "rbd", "namespace": ceph.namespace, "image": "src", "with_snapshots": True},
        "flatten": True,
    }
    made = ceph.converge("rbd_image", **words)
    assert made["image"]["parent"] is None
    assert (made["image"]["size"], made["image"]["object_size"]) == (32 << 20, 8 << 20)
    assert made["image"]["data_pool"] == "rbd"
    assert made["image"]["metadata"] == {"b": "2"}
    assert made["image"]["features"] == ["exclusive-lock", "layering"]


def test_what_cannot_be_copied(ceph: Client) -> None:
    source(ceph)
    for words, said in (
        ({"copy_of": {"image": "none"}}, "there is no image rbd/"),
        ({"copy_of": {"image": "src", "snapshot": "none"}}, "there is no snapshot rbd/"),
        ({"copy_of": {"image": "src"}, "object_size": "1M"}, "its objects cannot be smaller than"),
        ({"copy_of": {"image": "src"}, "parent": {"image": "base", "snapshot": "s"}}, "say one of them"),
        ({"copy_of": {"image": "src"}, "size": "8M"}, "Set allow_shrink"),
    ):
        assert said in ceph.refusal("rbd_image", name="copy", **words), words
    with holding(ceph, "src"):
        said = ceph.refusal("rbd_image", name="copy", copy_of={"image": "src"})
        assert "cannot be copied, but a snapshot of it could: it is open on" in said
        ceph.converge("rbd_image", name="copy", copy_of={"image": "src", "snapshot": "one"})


@pytest.mark.parametrize("at", ["listed", "filled"])
@pytest.mark.first_case
def test_a_copy_that_was_cut_off_is_none(ceph: Client, at: str) -> None:
    """Where there is not even an image yet, and where there is part of one."""
    source(ceph)
    words: dict[str, Any] = {"name": "copy", "copy_of": {"image": "src", "with_snapshots": True}}
    with ceph.starting(_COPY, "src", "copy.strata-copying", at) as copier:
        assert copier.stdout is not None
        assert copier.stdout.readline() == b"copying\n"
        copier.send_signal(signal.SIGKILL)
        copier.wait()
    ceph.until_planned("rbd_image", **words)
    made = ceph.converge("rbd_image", **words)
    assert [step["action"] for step in made["plan"]][-3:] == ["remove", "copy", "rename"]
    assert contents(ceph, "copy") == ("base", "now")
    assert sorted(ceph.rbd("ls")) == ["base", "copy", "src"]


def test_a_copy_that_another_task_makes_is_left_alone(ceph: Client) -> None:
    source(ceph)
    ceph.module("rbd_image", name="copy.strata-copying", size="8M")
    with holding(ceph, "copy.strata-copying"):
        assert "it is open on" in ceph.refusal("rbd_image", name="copy", copy_of={"image": "src"})


def test_zeros_are_given_back(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="64M")
    ceph.cluster.run("rbd", "bench", f"rbd/{ceph.namespace}/one", "--io-type", "write", "--io-total", "16M")
    ceph.python(
        f"{OPEN}\nwith rbd.Image(pool, 'one') as image:\n"
        "    for n in range(16): image.write(bytes(1 << 20), n << 20)\n    image.write(b'kept', 0)"
    )
    used = ceph.rbd("du", "rbd/one")["images"][0]["used_size"]
    looked = ceph.check("rbd_image", name="one", sparsify="64K")
    done = ceph.module("rbd_image", name="one", sparsify="64K")
    assert done["plan"] == looked["plan"]
    assert [step["action"] for step in done["plan"]] == ["sparsify"]
    assert ceph.rbd("du", "--exact", "rbd/one")["images"][0]["used_size"] < used
    assert ceph.data("one", 4) == "kept"
    for size, said in (
        ("3000", "a power of two, at least 4K"),
        ("2K", "at least 4K"),
        ("8M", "at most the object size"),
    ):
        assert said in ceph.refusal("rbd_image", name="one", sparsify=size)


@pytest.mark.further
def test_a_clone_whose_parent_is_in_the_trash(ceph: Client) -> None:
    source(ceph)
    ceph.module("rbd_snapshot", image="src", name="one", protected=False)
    ceph.module("rbd_image", name="base", state="trashed")
    done = ceph.converge("rbd_image", name="src", parent={"image": "base", "snapshot": "s"}, flatten=True)
    assert [step["action"] for step in done["plan"]] == ["flatten"]
    assert contents(ceph, "src") == ("base", "now")
    for name in ("one", "two"):
        ceph.module("rbd_snapshot", image="src", name=name, state="absent")
    assert ceph.data("src", 4) == "base"
