# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exports to files and imports of them, which the ``rbd`` command reads and writes as well."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.ceph import Cluster
from tests.integration.modules import ModuleFailed

from .client import CHECKOUT, OPEN, Client, Server, holding

MIB = 1 << 20
#: Data, zeros and holes, some of which changes from one snapshot to the next, as the image's size does.
_WRITE = f"""{OPEN}
import os
with rbd.Image(pool, sys.argv[3]) as image:
    image.write(os.urandom(5 << 20), 1 << 20)
    image.write(bytes(1 << 20), 16 << 20)
    image.create_snap("one")
    image.resize(40 << 20)
    image.write(os.urandom(3 << 20), 38 << 20 >> 1)
    image.write(b"later", 100)
    image.discard(2 << 20, 1 << 20)
    image.create_snap("two")
    image.write(b"never exported", 0)
"""


def written(ceph: Client, name: str = "src") -> None:
    ceph.module("rbd_image", name=name, size="32M")
    ceph.python(_WRITE, name)


def command(ceph: Client, *words: str) -> None:
    pool = f"rbd/{ceph.namespace}/" if ceph.namespace else "rbd/"
    spoken = [word.replace("rbd/", pool) if word.startswith("rbd/") else word for word in words]
    ceph.cluster.run("rbd", "--no-progress", *spoken)


def content(ceph: Client, image: str, tmp_path: Path) -> bytes:
    """What the ``rbd`` command says that there is."""
    path = tmp_path / "said"
    path.unlink(missing_ok=True)
    command(ceph, "export", f"rbd/{image}", str(path))
    return path.read_bytes()


def exported(ceph: Client, path: Path, snapshot: str = "one", start: str = "", **words: Any) -> dict[str, Any]:
    return ceph.converge(
        "rbd_export", image="src", snapshot=snapshot, from_snapshot=start or None, path=str(path), **words
    )


def test_what_is_exported_the_command_imports(ceph: Client, tmp_path: Path) -> None:
    written(ceph)
    full, later = tmp_path / "full", tmp_path / "later"
    exported(ceph, full)
    assert full.read_bytes() == content(ceph, "src@one", tmp_path)
    # Zeros that were written take no room either.
    assert full.stat().st_blocks * 512 <= 6 * MIB
    assert full.stat().st_mode & 0o777 == 0o600
    exported(ceph, later, "two", "one")
    command(ceph, "import", str(full), "rbd/dst")
    command(ceph, "snap", "create", "rbd/dst@one")
    command(ceph, "import-diff", str(later), "rbd/dst")
    assert content(ceph, "dst@two", tmp_path) == content(ceph, "src@two", tmp_path)
    assert content(ceph, "dst@one", tmp_path) == content(ceph, "src@one", tmp_path)


def test_what_the_command_exports_is_imported(ceph: Client, tmp_path: Path) -> None:
    written(ceph)
    full, later = tmp_path / "full", tmp_path / "later"
    command(ceph, "export", "rbd/src@one", str(full))
    command(ceph, "export-diff", "--from-snap", "one", "rbd/src@two", str(later))
    words: dict[str, Any] = {"image": "dst", "path": str(full), "snapshot": "one", "object_size": "1M"}
    done = ceph.converge("rbd_import", **words)
    actions = [step["action"] for step in done["plan"]]
    assert actions == ["create", "mark", "import", "snapshot", "mark", "unmark", "rename"]
    assert done["image"]["object_size"] == MIB
    done = ceph.converge("rbd_import", image="dst", path=str(later))
    assert done["image"]["metadata"] == {}
    assert content(ceph, "dst@two", tmp_path) == content(ceph, "src@two", tmp_path)
    assert content(ceph, "dst", tmp_path) == content(ceph, "src@two", tmp_path)
    ceph.unchanged("rbd_import", **words)


def digests(ceph: Client, image: str, tmp_path: Path, snapshots: tuple[str, ...]) -> list[str]:
    """What the ``rbd`` command says that there is at each snapshot, and in the image now."""
    names = [f"{image}@{snapshot}" if snapshot else image for snapshot in snapshots]
    return [hashlib.sha256(content(ceph, name, tmp_path)).hexdigest() for name in names]


def with_a_past(ceph: Client) -> None:
    """An image with snapshots, of which one is protected, and with a layout, metadata and settings of its own."""
    layout: dict[str, Any] = {"object_size": "1M", "stripe_unit": "64K", "stripe_count": 2}
    features = ["layering", "exclusive-lock", "deep-flatten"]
    own: dict[str, Any] = {"metadata": {"owner": "me", "ümlaut": "ß"}, "config": {"rbd_qos_iops_limit": 700}}
    ceph.module("rbd_image", name="src", size="32M", features=features, **layout, **own)
    ceph.python(_WRITE, "src")
    ceph.module("rbd_snapshot", image="src", name="one", protected=True)


def told(ceph: Client, name: str) -> dict[str, Any]:
    """All that there is to know of an image, without its name, and its snapshots."""
    found = ceph.module("rbd_info", images=[name])
    return {**found["images"][0], "name": "", "snapshots": found["status"][name]["snapshots"]}


@pytest.mark.further
def test_all_of_an_image_in_one_file(ceph: Client, tmp_path: Path) -> None:
    """As the command writes and reads it in its format 2: with layout, metadata and all snapshots."""
    with_a_past(ceph)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    exported(ceph, ours, "two", format=2)
    command(ceph, "import", "--export-format", "2", str(ours), "rbd/read")
    command(ceph, "export", "--export-format", "2", "rbd/src", str(theirs))
    words: dict[str, Any] = {"image": "dst", "path": str(theirs)}
    done = ceph.converge("rbd_import", **words)
    assert "protect" in [step["action"] for step in done["plan"]]
    assert digests(ceph, "dst", tmp_path, ("one", "two", "")) == digests(ceph, "src", tmp_path, ("one", "two", ""))
    # What was written since the snapshot is not in the file, since it would change meanwhile.
    snapshots = digests(ceph, "src", tmp_path, ("one", "two", "two"))
    assert digests(ceph, "read", tmp_path, ("one", "two", "")) == snapshots
    assert told(ceph, "dst") == told(ceph, "src")
    assert told(ceph, "read") == told(ceph, "src")
    # Ours reads its own, and what a task says goes before what a file says.
    ceph.converge("rbd_import", image="other", path=str(ours), object_size="4M", features=["layering"])
    assert digests(ceph, "other", tmp_path, ("one", "two", "")) == snapshots
    assert told(ceph, "other")["object_size"] == 4 * MIB
    assert told(ceph, "other")["features"] == ["layering"]
    # An image of that name is not taken for this one.
    assert "not known to be this import" in ceph.refusal("rbd_import", **{**words, "image": "src"})
    assert "not known to be this import" in ceph.refusal("rbd_import", **{**words, "path": str(ours)})
    assert "leave snapshot out" in ceph.refusal("rbd_import", **{**words, "image": "new", "snapshot": "one"})
    both: dict[str, Any] = {"snapshot": "two", "from_snapshot": "one", "path": str(ours), "format": 2}
    assert "leave from_snapshot out" in ceph.refusal("rbd_export", image="src", **both)
    # What is said of the image is part of the export.
    ceph.module("rbd_image", name="src", metadata={"owner": "you"})
    assert "not known to be this export" in ceph.refusal("rbd_export", image="src", **{**both, "from_snapshot": None})


@pytest.mark.further
def test_a_file_of_all_that_is_cut_or_wrong_makes_nothing(ceph: Client, tmp_path: Path) -> None:
    with_a_past(ceph)
    good, bad = tmp_path / "good", tmp_path / "bad"
    command(ceph, "export", "--export-format", "2", "rbd/src", str(good))
    whole = good.read_bytes()
    second = whole.index(b"rbd diff v2", whole.index(b"rbd diff v2") + 1)
    for content_ in (
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:second],
        whole[:50],
        whole + b"e",
        whole[:second] + b"X" + whole[second + 1 :],
        # Another start than where the one before ends.
        whole[:second] + whole[second:].replace(b"\x03\0\0\0one", b"\x03\0\0\0eno", 1),
    ):
        bad.write_bytes(content_)
        assert "cut off, or damaged" in ceph.refusal("rbd_import", image="dst", path=str(bad))
    assert ceph.rbd("ls") == ["src"]


@pytest.mark.further
def test_a_file_that_is_there(ceph: Client, tmp_path: Path) -> None:
    """One that is not known to be this export is only replaced with permission."""
    written(ceph)
    path = tmp_path / "full"
    path.write_text("somebody's")
    words: dict[str, Any] = {"image": "src", "snapshot": "one", "path": str(path)}
    assert "not known to be this export" in ceph.refusal("rbd_export", **words)
    done = exported(ceph, path, allow_destroy=True)
    assert done["plan"][0]["destroys"] == [f"{path}: the file that is there"]
    os.mkfifo(tmp_path / "pipe")
    for there in (tmp_path, tmp_path / "pipe"):
        no_file = {**words, "path": str(there), "allow_destroy": True}
        assert "it is there, and no file" in ceph.refusal("rbd_export", **no_file)
    for name in ("", "-"):
        assert "names no file" in ceph.refusal("rbd_export", **{**words, "path": name})
    # What was changed since is no export any more, nor is one of another snapshot of that name.
    with path.open("r+b") as file:
        file.write(b"x")
    assert "not known to be this export" in ceph.refusal("rbd_export", **words)
    exported(ceph, path, allow_destroy=True)
    (tmp_path / "full.strata.json").write_text("garbled")
    assert "not known to be this export" in ceph.refusal("rbd_export", **words)
    with (tmp_path / "full.strata-partial").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModuleFailed, match="another task writes it"):
            ceph.module("rbd_export", allow_destroy=True, **words)
    for more, said in (
        ({"snapshot": "none"}, "it has no snapshot none"),
        ({"image": "none"}, "there is none in"),
        ({"from_snapshot": "two"}, "is not older than one"),
        ({"path": str(tmp_path / "no" / "where")}, "there is no directory"),
    ):
        assert said in ceph.refusal("rbd_export", **{**words, **more})


@pytest.mark.further
def test_no_room(ceph: Client, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    written(ceph)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(tmp_path)], check=True)
    try:
        words: dict[str, Any] = {"image": "src", "snapshot": "one", "path": str(tmp_path / "full")}
        # A server that was started before may have its own view of what is mounted.
        with Server(tmp_path_factory.mktemp("rbd")) as server:
            said = Client(ceph.cluster, server, ceph.namespace).refusal("rbd_export", **words)
        assert "there is room for 2 MiB, and the export takes" in said
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.further
def test_no_room_in_the_pool(server: Server, tmp_path: Path) -> None:
    """What does not fit is said beforehand; and an import that a quota stopped goes on."""
    path = tmp_path / "full"
    path.write_bytes(os.urandom(24 * MIB))
    words: dict[str, Any] = {"image": "one", "path": str(path)}
    with Cluster(size=1 << 30, manager=True) as cluster:
        ceph = Client(cluster, server, "")
        cluster.until_stored("rbd", 0)
        assert not ceph.check("rbd_import", **words).get("warnings")
        cluster.ceph("osd", "pool", "set-quota", "rbd", "max_bytes", str(16 * MIB))
        said = str(ceph.check("rbd_import", **words)["warnings"])
        assert "pool rbd has room for 16 MiB" in said
        assert f"{path} holds 24 MiB more" in said
        ceph.module("rbd_image", name="fill", size="24M")
        ceph.python(f"{OPEN}\nwith rbd.Image(pool, 'fill') as image: image.write(b'x' * (20 << 20), 0)")
        cluster.until_stored("rbd", 20 * MIB, within=MIB)
        limit = time.monotonic() + 60
        while "running out of quota" not in cluster.ceph("health", "detail"):
            assert time.monotonic() < limit
            time.sleep(0.2)
        with pytest.raises(ModuleFailed, match=r"a quota of the pool|did not answer in time"):
            ceph.module("rbd_import", operation_timeout=5, **words)
        cluster.ceph("osd", "pool", "set-quota", "rbd", "max_bytes", "0")
        ceph.until_planned("rbd_import", **words)
        ceph.module("rbd_import", **words)
        assert content(ceph, "one", tmp_path) == path.read_bytes()


@pytest.mark.further
def test_what_is_not_imported(ceph: Client, tmp_path: Path) -> None:
    written(ceph)
    full, later = tmp_path / "full", tmp_path / "later"
    exported(ceph, full)
    exported(ceph, later, "two", "one")
    words: dict[str, Any] = {"image": "dst", "path": str(later)}
    assert "import a full one first" in ceph.refusal("rbd_import", **words)
    ceph.module("rbd_import", image="dst", path=str(full))
    assert "it begins at snapshot one, which the image does not have" in ceph.refusal("rbd_import", **words)
    assert "it has no snapshot one" in ceph.refusal("rbd_import", image="dst", path=str(full), snapshot="one")
    ceph.module("rbd_snapshot", image="dst", name="one")
    cut, other, new, empty = (tmp_path / name for name in ("cut", "other", "new", "empty"))
    cut.write_bytes(later.read_bytes()[:-1])
    other.write_bytes(b"rbd image v2\n" + bytes(100))
    new.write_bytes(b"rbd image v3\n" + bytes(100))
    empty.touch()
    os.mkfifo(tmp_path / "pipe")
    for path, said in (
        (cut, "it is cut off, or damaged"),
        (other, "it is cut off, or damaged"),
        (new, "of a format that is not read here"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "pipe", "it is no file"),
        ("-", "names no file"),
    ):
        assert said in ceph.refusal("rbd_import", image="dst", path=str(path))
    assert "it is empty" in ceph.refusal("rbd_import", image="new", path=str(empty))
    # Differences of what was written to since are none.
    ceph.write("dst", "mine", 8 * MIB)
    assert "set allow_destroy to roll it back" in ceph.refusal("rbd_import", **words)
    with holding(ceph, "dst"):
        assert "it is open on" in ceph.refusal("rbd_import", allow_destroy=True, **words)
    ceph.until_planned("rbd_import", allow_destroy=True, **words)
    done = ceph.converge("rbd_import", allow_destroy=True, **words)
    assert done["plan"][0]["destroys"] == ["dst: what was written since snapshot one"]
    assert content(ceph, "dst", tmp_path) == content(ceph, "src@two", tmp_path)


#: Fills an image, with a snapshot when a third of that is written, and one at the end.
_FILL = f"""{OPEN}
with rbd.Image(pool, "src") as image:
    for number in range(192):
        if number == 64:
            image.create_snap("third")
        image.write(bytes([number + 1]) * (4 << 20), number << 22)
    image.create_snap("one")
"""
#: Runs a module that is killed once so many batches are on record.
_CUT_OFF = """
import os, runpy, signal, sys
from ansible_collections.strata.storage.plugins.module_utils.rbd import transfer
_conf, _namespace, runner, left, *words = sys.argv[1:]
said = iter(range(1, int(left)))
def told(*_words):
    if next(said, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
transfer._tell = told
sys.argv = [runner, *words]
runpy.run_path(runner, run_name="__main__")
"""


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("module", ["rbd_export", "rbd_import"])
@pytest.mark.further
def test_one_that_was_cut_off_goes_on(ceph: Client, tmp_path: Path, module: str, version: int) -> None:
    """Killed once part of it is on record: of format 2, in the midst of what comes after the first snapshot."""
    ceph.module("rbd_image", name="src", size="1G")
    ceph.python(_FILL)
    path = tmp_path / "full"
    words: dict[str, Any] = {"image": "src", "snapshot": "one", "path": str(path), "format": version}
    if module == "rbd_import":
        ceph.module("rbd_export", **words)
        words = {"image": "dst", "path": str(path), "snapshot": "one" if version == 1 else None}
    given = {"conf": str(ceph.cluster.conf), "namespace": ceph.namespace, **words}
    runner = str(CHECKOUT / "tests/integration/on_ceph/one_module.py")
    ceph.python(_CUT_OFF, runner, str(version), module, json.dumps(given), expect=-signal.SIGKILL)
    if module == "rbd_export":
        assert not path.exists()
        looked = ceph.check(module, **words)
        assert "of it are there" in looked["plan"][0]["detail"]
        ceph.converge(module, **words)
    else:
        ceph.until_planned(module, **words)
        done = ceph.converge(module, **words)
        assert "create" not in [step["action"] for step in done["plan"]]
        assert ceph.rbd("ls") == ["dst", "src"]
    if version == 2 and module == "rbd_export":
        command(ceph, "import", "--export-format", "2", str(path), "rbd/dst")
    name = "src@one" if (version, module) == (1, "rbd_export") else "dst@one"
    said = ceph.cluster.output("rbd", "--namespace", ceph.namespace, "--no-progress", "export", f"rbd/{name}", "-")
    if version == 1:
        assert said == path.read_bytes()
    else:
        assert digests(ceph, "dst", tmp_path, ("third", "one")) == digests(ceph, "src", tmp_path, ("third", "one"))
    # All of these together would fill the cluster.
    for image in ceph.rbd("ls"):
        command(ceph, "snap", "purge", f"rbd/{image}")
        command(ceph, "remove", f"rbd/{image}")


@pytest.mark.further
def test_a_file_that_changes_meanwhile_is_no_import(ceph: Client, tmp_path: Path) -> None:
    """What was begun with another file is begun anew."""
    path = tmp_path / "raw"
    path.write_bytes(b"old" + bytes(MIB))
    words: dict[str, Any] = {"image": "dst", "path": str(path)}
    ceph.module("rbd_image", name="dst.strata-importing", size="1M", metadata={"strata.importing": "full 1 1 3"})
    done = ceph.converge("rbd_import", **words)
    assert [step["action"] for step in done["plan"]][:2] == ["remove", "create"]
    ceph.unchanged("rbd_import", **words)
    ceph.module("rbd_image", name="dst", state="trashed")
    assert "is in the trash" in ceph.refusal("rbd_import", **words)
