# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of this host, its small kernel attributes, and conditions to wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Callable, Union

from .errors import StorageError
from .secret import Secret

#: A word of a command: a secret one is handed over by a descriptor, whose path stands in its place.
Word = Union[str, Secret]
Heard = Callable[[str], None]

_POLL = 0.05
_DYING = 5
_HEARD = 1


def search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def run_command(
    argv: Sequence[Word],
    timeout: int | None = 120,
    accepts: tuple[int, ...] = (0,),
    given: str = "",
    heard: Heard | None = None,
    directory: str = "",
) -> str:
    """The standard output of a program. Raises StorageError with what it said, or when it is missing or hangs.

    ``timeout`` None: it takes as long as it takes, and is told to stop, and waited for, where this is interrupted.
    ``heard`` is told every second what it has said so far.
    """
    code, output, errors = ask_command(argv, timeout, given, heard, directory)
    if code not in accepts:
        raise StorageError(f"{spoken(argv)} failed with status {code}: {errors or ' '.join(output.split())}")
    return output


def spoken(argv: Sequence[Word]) -> str:
    """A command for people."""
    return " ".join(map(str, argv))


def ask_command(
    argv: Sequence[Word],
    timeout: int | None = 120,
    given: str = "",
    heard: Heard | None = None,
    directory: str = "",
) -> tuple[int, str, str]:
    """The exit code of a program, its standard output, and on one line its errors.

    Raises StorageError when it is missing or hangs.
    """
    environment = {**os.environ, "LC_ALL": "C", "PATH": search_path()}
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    stdin = pipe if given else null
    try:
        with _handed_over(argv) as (words, descriptors):
            # AnsibleModule.run_command has no limit of time, and this room knows no AnsibleModule.
            # pylint: disable-next=ansible-bad-function
            process = subprocess.Popen(
                words,
                stdin=stdin,
                stdout=pipe,
                stderr=pipe,
                env=environment,
                cwd=directory or None,
                start_new_session=True,
                pass_fds=descriptors,
            )
    except FileNotFoundError:
        raise StorageError(f"{argv[0]} is not installed on this host, and is needed for: {spoken(argv)}") from None
    try:
        output, errors = _communicate(process, given.encode() or None, timeout, heard)
    except subprocess.TimeoutExpired:
        raise StorageError(f"{spoken(argv)} did not end within {timeout} s and was {_end(process)}") from None
    except BaseException:
        if timeout is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate()
        else:
            _end(process)
        raise
    return process.returncode, output.decode(errors="replace"), b" ".join(errors.split()).decode(errors="replace")


@contextlib.contextmanager
def _handed_over(argv: Sequence[Word]) -> Iterator[tuple[list[str], list[int]]]:
    """The words with paths in place of what is secret, and the descriptors of these: files in memory, without a name.

    systemd-cryptenroll takes no pipe.
    """
    descriptors: list[int] = []

    def hand_over(word: Word) -> str:
        if not isinstance(word, Secret):
            return word
        descriptor = os.memfd_create("secret")
        descriptors.append(descriptor)
        os.fchmod(descriptor, 0o400)
        os.write(descriptor, word.value.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        return f"/dev/fd/{descriptor}"

    try:
        yield [hand_over(word) for word in argv], descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _communicate(
    process: subprocess.Popen[bytes], given: bytes | None, timeout: int | None, heard: Heard | None
) -> tuple[bytes, bytes]:
    limit = None if timeout is None else time.monotonic() + timeout
    while heard:
        try:
            return process.communicate(given, timeout=_HEARD)
        except subprocess.TimeoutExpired as late:
            given = None
            if limit is not None and limit - time.monotonic() < _HEARD:
                break
            heard((late.output or b"").decode(errors="replace"))
    return process.communicate(given, timeout=None if limit is None else max(limit - time.monotonic(), 0))


def _end(process: subprocess.Popen[bytes]) -> str:
    """Kill a program and what it started. What waits in the kernel for a device that does not answer, nothing ends."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=_DYING)
    except subprocess.TimeoutExpired:
        return "told to; it waits in the kernel for a device that does not answer"
    return "killed"


def wait_until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Poll a cheap condition. Raises StorageError that says what it waited for."""
    limit = time.monotonic() + timeout
    pause = _POLL
    while not condition():
        if time.monotonic() > limit:
            raise StorageError(f"waited {timeout:g} s {what}")
        time.sleep(pause)
        # What takes a day need not be asked for twenty times a second.
        pause = min(pause * 1.05, 1.0)


def read_text(path: str) -> str:
    """A small kernel attribute, stripped; empty where it does not exist or cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
