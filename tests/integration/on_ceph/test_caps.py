# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users whose caps end at a pool, or at a namespace of it, do what is theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .client import Client


def user(ceph: Client, scratch: Path, name: str, osd: str) -> dict[str, Any]:
    """How a module is told to be that one."""
    keyring = scratch / f"{name}.keyring"
    caps = ("mon", "profile rbd", "osd", osd)
    ceph.cluster.ceph("auth", "get-or-create", f"client.{name}", *caps, "-o", str(keyring))
    return {"client": name, "keyring": str(keyring)}


def test_of_one_namespace(ceph: Client, tmp_path: Path) -> None:
    tenant = user(ceph, tmp_path, ceph.namespace, f"profile rbd pool=rbd namespace={ceph.namespace}")
    ceph.converge("rbd_image", name="one", size="8M", metadata={"a": "b"}, **tenant)
    ceph.converge("rbd_snapshot", image="one", name="a", **tenant)
    ceph.module("rbd_group", name="all", images=["one"], **tenant)
    found = ceph.module("rbd_info", **tenant)
    assert [one["name"] for one in found["images"]] == ["one"]
    assert found["groups"] == [{"name": "all", "images": ["rbd/one"], "snapshots": []}]
    # What is about the pool around it is not theirs to know.
    assert (found["pool"], found["stats"], found["namespaces"]) == (None, None, None)
    assert found["mirroring"]["mode"] == "disabled"
    ceph.module("rbd_group", name="all", state="absent", **tenant)
    ceph.converge("rbd_image", name="one", state="trashed", **tenant)
    ceph.converge("rbd_trash", name="one", state="restored", **tenant)


def test_of_one_pool(ceph: Client, tmp_path: Path) -> None:
    """A snapshot is taken without a look at the clones in other pools."""
    ceph.cluster.pool("elsewhere")
    ceph.module("rbd_image", name="one", size="8M")
    ceph.module("rbd_snapshot", image="one", name="a")
    ceph.module(
        "rbd_image",
        pool="elsewhere",
        namespace="",
        name="clone",
        parent={"pool": "rbd", "namespace": ceph.namespace, "image": "one", "snapshot": "a"},
    )
    tenant = user(ceph, tmp_path, f"{ceph.namespace}-pool", "profile rbd pool=rbd")
    ceph.unchanged("rbd_snapshot", image="one", name="a", **tenant)
    ceph.converge("rbd_snapshot", image="one", name="b", **tenant)
    found = ceph.module("rbd_info", **tenant)
    assert found["pool"]["name"] == "rbd"
    ceph.converge("rbd_snapshot", image="one", name="b", state="absent", **tenant)
    # Whether this one has clones that need it, only those know who may look there.
    assert "looking for clones of one@a: the cluster does not let this client" in ceph.refusal(
        "rbd_snapshot", image="one", name="a", state="absent", **tenant
    )
