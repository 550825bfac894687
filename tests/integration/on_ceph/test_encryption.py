# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that librbd encrypts: the header is seen, and what an image holds is not lost unasked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .client import OPEN, Client, holding

#: Writes to an image what is encrypted, and reads it again; the second argument is librbd's number of the format.
_ROUND = f"""{OPEN}
with rbd.Image(pool, sys.argv[3]) as image:
    image.encryption_load(int(sys.argv[4]), sys.argv[5])
    if len(sys.argv) > 6:
        image.write(sys.argv[6].encode(), 0)
    print(image.size(), image.read(0, 6).decode())
"""


@pytest.mark.parametrize("kind", ["luks1", "luks2"])
@pytest.mark.further
def test_an_encrypted_image(ceph: Client, tmp_path: Path, kind: str) -> None:
    """A new one is formatted; it is told by its header, and cryptsetup knows it."""
    words: dict[str, Any] = {"name": "one", "size": "40M", "encryption": {"format": kind, "passphrase": "sesame"}}
    made = ceph.converge("rbd_image", **words)
    assert [step["action"] for step in made["plan"]] == ["create", "encrypt"]
    assert "sesame" not in json.dumps({key: made[key] for key in made if key != "invocation"})
    header = {"luks1": 4, "luks2": 16}[kind] << 20
    assert made["status"]["encryption"] == {"format": kind, "data_size": (40 << 20) - header}
    # librbd itself, which then is at a size of its own.
    number = {"luks1": "0", "luks2": "1"}[kind]
    assert ceph.python(_ROUND, "one", number, "sesame", "secret") == f"{(40 << 20) - header} secret"
    ceph.cluster.run("rbd", "--no-progress", "export", f"rbd/{ceph.namespace}/one", str(tmp_path / "device"))
    assert b"secret" not in (tmp_path / "device").read_bytes()
    opened = ["cryptsetup", "open", "--test-passphrase", "--key-file", "-", str(tmp_path / "device")]
    subprocess.run(opened, input=b"sesame", check=True)
    ceph.until_closed("one")
    ceph.module("rbd_image", **{**words, "size": "48M"})
    assert ceph.python(_ROUND, "one", number, "sesame") == f"{(48 << 20) - header} secret"
    assert "the header alone takes" in ceph.refusal("rbd_image", **{**words, "size": "3M", "allow_shrink": True})


@pytest.mark.further
def test_what_an_image_holds_is_not_formatted_away(ceph: Client) -> None:
    encryption = {"format": "luks1", "passphrase": "sesame"}
    words: dict[str, Any] = {"name": "one", "encryption": encryption}
    # What is blank may be one that was made by a run that was cut off then.
    ceph.module("rbd_image", name="one", size="24M")
    ceph.converge("rbd_image", **words)
    wrong = {**words, "encryption": {"format": "luks1", "passphrase": "wrong", "verify": True}}
    assert "not with this passphrase" in ceph.refusal("rbd_image", **wrong)
    ceph.unchanged("rbd_image", **{**words, "encryption": {**encryption, "verify": True}})
    other = {**words, "encryption": {"format": "luks2", "passphrase": "sesame"}}
    assert "it is encrypted with luks1, and all that it holds would be lost" in ceph.refusal("rbd_image", **other)
    with holding(ceph, "one"):
        assert "it is open on" in ceph.refusal("rbd_image", allow_destroy=True, **other)
    ceph.until_planned("rbd_image", allow_destroy=True, **other)
    done = ceph.converge("rbd_image", allow_destroy=True, **other)
    assert done["plan"][0]["destroys"] == ["one: all that it holds"]


#: Reads of an encrypted image, given its own passphrase and those of its parents.
_CHAIN = f"""{OPEN}
with rbd.Image(pool, sys.argv[3]) as image:
    image.encryption_load2(tuple((2, one.encode()) for one in sys.argv[4:]))
    print(image.read(0, 6).decode())
"""


@pytest.mark.further
def test_a_clone_that_is_encrypted(ceph: Client, tmp_path: Path) -> None:
    """By itself, of a parent that is encrypted otherwise, and flattened without loss."""
    ceph.module("rbd_image", name="golden", size="24M", encryption={"format": "luks1", "passphrase": "old"})
    ceph.python(_ROUND, "golden", "0", "old", "secret")
    ceph.module("rbd_snapshot", image="golden", name="s")
    own = {"format": "luks1", "passphrase": "new", "parent_passphrases": ["old"]}
    words: dict[str, Any] = {
        "name": "clone",
        "parent": {"image": "golden", "snapshot": "s"},
        "size": "28M",
        "encryption": own,
    }
    if ceph.cluster.release < 18:
        assert "before Ceph 18; flatten it first" in ceph.refusal("rbd_image", **words)
        return
    made = ceph.converge("rbd_image", **words)
    assert [step["action"] for step in made["plan"]] == ["clone", "resize", "encrypt"]
    assert ceph.python(_CHAIN, "clone", "new", "old") == "secret"
    ceph.until_closed("clone")
    wrong = {**words, "encryption": {**own, "parent_passphrases": ["wrong"], "verify": True}}
    assert "not with this passphrase" in ceph.refusal("rbd_image", **wrong)
    # librbd would do each of these, and nobody could open what comes of it.
    assert "Say encryption, with the passphrases" in ceph.refusal("rbd_image", name="clone", flatten=True)
    assert "set with_snapshots" in ceph.refusal("rbd_image", name="copy", copy_of={"image": "clone"})
    ceph.module("rbd_snapshot", image="clone", name="s")
    path = str(tmp_path / "file")
    assert "flatten it first" in ceph.refusal("rbd_export", image="clone", snapshot="s", path=path)
    ceph.module("rbd_image", name="copy", copy_of={"image": "clone", "with_snapshots": True})
    ceph.module("rbd_migration", image="moved", source={"image": "copy"}, state="committed", allow_destroy=True)
    assert ceph.python(_CHAIN, "moved", "new", "old") == "secret"
    ceph.until_closed("clone")
    # The snapshot keeps what it is a clone of.
    ceph.module("rbd_snapshot", image="clone", name="s", state="absent")
    ceph.converge("rbd_image", flatten=True, **words)
    assert ceph.python(_CHAIN, "clone", "new") == "secret"


def test_what_is_not_encrypted(ceph: Client) -> None:
    encryption = {"format": "luks1", "passphrase": "sesame"}
    ceph.module("rbd_image", name="full", size="8M")
    ceph.write("full", "mine")
    ceph.module("rbd_snapshot", image="full", name="s")
    parent = {"image": "full", "snapshot": "s"}
    ceph.module("rbd_image", name="clone", parent=parent)
    features = ["layering", "exclusive-lock", "journaling"]
    for words, said in (
        ({"name": "full"}, "it is not empty, and all that it holds would be lost"),
        ({"name": "clone", "allow_destroy": True}, "it is a clone"),
        ({"name": "new", "parent": parent}, "before Ceph 18" if ceph.cluster.release < 18 else "set size to at least"),
        ({"name": "new", "copy_of": {"image": "full"}}, "leave it out"),
        ({"name": "new", "size": "4M"}, "the header takes 4 MiB"),
        ({"name": "new", "size": "8M", "features": features}, "with feature journaling"),
        ({"name": "new", "size": "8M", "encryption": {**encryption, "passphrase": ""}}, "passphrase is empty"),
    ):
        assert said in ceph.refusal("rbd_image", **{"encryption": encryption, **words}), said
    assert ceph.data("full", 4) == "mine"
