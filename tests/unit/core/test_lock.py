# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One task at a time on a host, with real locks."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core import lock
from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.lock import HostLock


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"{tmp_path}/lock"


@pytest.mark.parametrize("read_only", [False, True])
def test_a_writer_keeps_everybody_out_and_is_named(path: str, read_only: bool) -> None:
    holder = HostLock("raid md0", 0, read_only=False, path=path)
    with holder, pytest.raises(StorageError) as error, HostLock("other", 0, read_only=read_only, path=path):
        pass
    assert str(error.value) == (
        f"another task works on this host's storage (raid md0, process {os.getpid()}; lock {path}); waited 0 s for it"
    )


def test_a_longer_name_before_leaves_nothing_behind(path: str) -> None:
    with HostLock("a very long name indeed", 0, read_only=False, path=path):
        pass
    with HostLock("short", 0, read_only=False, path=path):
        assert Path(path).read_text() == f"short, process {os.getpid()}"


def test_readers_share(path: str) -> None:
    Path(path).touch()
    with HostLock("one", 0, read_only=True, path=path), HostLock("two", 0, read_only=True, path=path):
        pass


@pytest.mark.parametrize("written_before", [False, True])
def test_a_reader_keeps_a_writer_out_and_is_not_taken_for_the_last_writer(path: str, written_before: bool) -> None:
    Path(path).touch()
    if written_before:
        with HostLock("raid md0", 0, read_only=False, path=path):
            pass
    reader = HostLock("one", 0, read_only=True, path=path)
    with reader, pytest.raises(StorageError) as error, HostLock("two", 0, read_only=False, path=path):
        pass
    assert f"(another reader, process {os.getpid()};" in str(error.value)


@pytest.mark.parametrize("read_only", [False, True])
def test_who_waited_in_vain_takes_no_name_away(path: str, read_only: bool) -> None:
    with HostLock("raid md0", 0, read_only=False, path=path):
        for _waiter in range(2):
            with pytest.raises(StorageError, match=rf"\(raid md0, process {os.getpid()};"):
                HostLock("other", 0, read_only=read_only, path=path).__enter__()


def test_a_writer_that_was_killed_is_not_named_for_a_reader(path: str) -> None:
    Path(path).write_text("raid md0, process 4194305")
    reader = HostLock("one", 0, read_only=True, path=path)
    with reader, pytest.raises(StorageError) as error, HostLock("two", 0, read_only=False, path=path):
        pass
    assert f"(another reader, process {os.getpid()};" in str(error.value)


def test_a_holder_is_named_where_the_kernel_does_not_tell(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "read_text", lambda path: "")
    holder = HostLock("raid md0", 0, read_only=False, path=path)
    with holder, pytest.raises(StorageError, match=r"\(raid md0, process"), HostLock("x", 0, read_only=True, path=path):
        pass
    reader = HostLock("one", 0, read_only=True, path=path)
    with reader, pytest.raises(StorageError, match=r"\(another reader;"), HostLock("x", 0, read_only=False, path=path):
        pass


def test_a_lock_that_is_laid_down_is_free_and_can_be_taken_again(path: str) -> None:
    one = HostLock("one", 0, read_only=False, path=path)
    with one:
        one.__exit__(None, None, None)
        with HostLock("two", 0, read_only=False, path=path), pytest.raises(StorageError, match=r"\(two, process"):
            one.__enter__()
        one.__enter__()
        with pytest.raises(StorageError, match=r"\(one, process"), HostLock("two", 0, read_only=False, path=path):
            pass
    with HostLock("two", 0, read_only=False, path=path):
        pass


def test_a_reader_creates_nothing(path: str) -> None:
    with HostLock("one", 0, read_only=True, path=path):
        assert not os.path.exists(path)


def test_the_lock_is_free_again_after_an_error(path: str) -> None:
    with pytest.raises(ValueError, match="broken"), HostLock("one", 0, read_only=False, path=path):
        raise ValueError("broken")
    with HostLock("two", 0, read_only=False, path=path):
        pass


def test_waiting_ends_when_the_other_does(path: str) -> None:
    held, release = threading.Event(), threading.Event()

    def other() -> None:
        with HostLock("other", 0, read_only=False, path=path):
            held.set()
            release.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(5)
    threading.Timer(0.15, release.set).start()
    with HostLock("one", 5, read_only=False, path=path):
        pass
    thread.join()


def test_waiting_is_bounded(path: str) -> None:
    start = time.monotonic()
    holder, other = (HostLock(name, 1, read_only=False, path=path) for name in ("one", "two"))
    with holder, pytest.raises(StorageError, match="waited 1 s"), other:
        pass
    assert 1 <= time.monotonic() - start < 2
