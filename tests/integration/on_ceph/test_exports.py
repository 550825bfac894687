# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exports to files and imports of them, which the ``rbd`` command reads and writes as well."""

from __future__ import annotations

import fcntl
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

from .client import CHECKOUT, ENVIRONMENT, OPEN, PYTHON, Client, Server, holding

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
    spoken = [word.replace("rbd/", f"rbd/{ceph.namespace}/") if word.startswith("rbd/") else word for word in words]
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
    assert [step["action"] for step in done["plan"]] == ["create", "mark", "import", "snapshot", "unmark", "rename"]
    assert done["image"]["object_size"] == MIB
    done = ceph.converge("rbd_import", image="dst", path=str(later))
    assert done["image"]["metadata"] == {}
    assert content(ceph, "dst@two", tmp_path) == content(ceph, "src@two", tmp_path)
    assert content(ceph, "dst", tmp_path) == content(ceph, "src@two", tmp_path)
    ceph.unchanged("rbd_import", **words)


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
        while "pool quota" not in cluster.ceph("health", "detail"):
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
    cut, other, empty = tmp_path / "cut", tmp_path / "other", tmp_path / "empty"
    cut.write_bytes(later.read_bytes()[:-1])
    other.write_bytes(b"rbd image v2\n" + bytes(100))
    empty.touch()
    os.mkfifo(tmp_path / "pipe")
    for path, said in (
        (cut, "it is cut off, or damaged"),
        (other, "of a format that is not read here"),
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


@pytest.mark.parametrize("module", ["rbd_export", "rbd_import"])
@pytest.mark.further
def test_one_that_was_cut_off_goes_on(ceph: Client, tmp_path: Path, module: str) -> None:
    """Killed once part of it is on record."""
    ceph.module("rbd_image", name="src", size="1G")
    ceph.python(
        f"{OPEN}\nwith rbd.Image(pool, 'src') as image:\n"
        "    for n in range(192): image.write(bytes([n + 1]) * (4 << 20), n << 22)\n    image.create_snap('one')"
    )
    path = tmp_path / "full"
    words: dict[str, Any] = {"image": "src", "snapshot": "one", "path": str(path)}
    if module == "rbd_import":
        ceph.module("rbd_export", **words)
        words["image"] = "dst"
    given = {"conf": str(ceph.cluster.conf), "namespace": ceph.namespace, **words}
    runner = str(CHECKOUT / "tests/integration/on_ceph/one_module.py")
    command = [PYTHON, runner, module, json.dumps(given)]
    record = tmp_path / "full.strata.json"

    def begun() -> bool:
        if module == "rbd_export":
            return record.exists()
        found = ceph.module("rbd_info", images=["dst.strata-importing"])["images"]
        return bool(found) and found[0]["metadata"].get("strata.importing", "0").rpartition(" ")[2] != "0"

    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, start_new_session=True) as process:
        limit = time.monotonic() + 60
        while not begun():
            assert time.monotonic() < limit
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
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
    name = "src@one" if module == "rbd_export" else "dst@one"
    said = ceph.cluster.output("rbd", "--namespace", ceph.namespace, "--no-progress", "export", f"rbd/{name}", "-")
    assert said == path.read_bytes()


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
