# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files change atomically, and whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.files import (
    check_writable,
    read_file,
    replace_file,
)


def test_a_new_file(tmp_path: Path) -> None:
    replace_file(f"{tmp_path}/new/file", None, "text\n")
    assert (tmp_path / "new/file").read_text() == "text\n"
    assert (tmp_path / "new/file").stat().st_mode & 0o7777 == 0o644
    assert os.listdir(tmp_path / "new") == ["file"]


def test_the_old_file_stays_whole_for_those_who_read_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with path.open() as reader:
        replace_file(str(path), "old", "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_mode_and_owner_stay(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    before = path.stat()
    replace_file(str(path), "old", "new")
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("old")
    (tmp_path / "link").symlink_to("real/file")
    replace_file(f"{tmp_path}/link", "old", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/file").read_text() == "new"
    assert os.listdir(tmp_path / "real") == ["file"]


@pytest.mark.parametrize(("found", "before"), [("other", "old"), ("other", None), (None, "old")])
def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path, found: str | None, before: str | None) -> None:
    path = tmp_path / "file"
    if found is not None:
        path.write_text(found)
    with pytest.raises(StorageError, match=f"{path} was changed by somebody else meanwhile; run this again"):
        replace_file(str(path), before, "new")
    assert read_file(str(path)) == found
    assert os.listdir(tmp_path) == (["file"] if found else [])


@pytest.mark.parametrize("broken", ["fsync", "replace", "fchmod"])
def test_failing_half_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        with pytest.raises(OSError, match="No space left"):
            replace_file(str(path), "old", "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_contents_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor: int) -> None:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
        events.append("sync directory" if target == str(tmp_path) else "sync file")
        fsync(descriptor)

    def spy_replace(source: str, target: str) -> None:
        events.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    replace_file(f"{tmp_path}/file", None, "new")
    assert events == ["sync file", "replace", "sync directory"]


@pytest.mark.parametrize("content", [b"", b"a\r\nb\r\n", b"caf\xe9\n", "café\n".encode(), b"no end of line"])
def test_every_byte_survives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    text = read_file(str(path))
    assert text is not None
    replace_file(str(path), text, f"{text}more")
    assert path.read_bytes() == content + b"more"


def test_reading_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert read_file(f"{tmp_path}/missing") is None


@pytest.mark.parametrize(
    ("read_only", "free", "said"), [(True, 9, "Read-only file system"), (False, 0, "No space left")]
)
def test_whether_a_file_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool, free: int, said: str
) -> None:
    path = f"{tmp_path}/missing/file"
    check_writable(path)
    check_writable("/proc/version")
    real, looked = os.statvfs(tmp_path), []

    def statvfs(directory: str) -> os.statvfs_result:
        looked.append(directory)
        flags = os.ST_RDONLY if read_only else 0
        return os.statvfs_result((*real[:3], free, *real[4:8], flags, real[9]))

    monkeypatch.setattr(os, "statvfs", statvfs)
    with pytest.raises(StorageError, match=f"^{path}: {said}.*; nothing was changed$"):
        check_writable(path)
    assert looked == [str(tmp_path)]
