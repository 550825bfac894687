# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider behind an API: the order of its requests, and what is waited for. The requests are each provider's own."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Callable, Protocol, TypeVar

from ..core.command import wait_until
from ..core.errors import StorageError
from ..core.progress import Progress, reporter
from ..document.sizes import show_size
from .provider import Adopt, Attach, Create, Delete, Detach, Resize, TakeSnapshot
from .state import Cloud, Limits, Snapshot, Volume

ATTEMPTS = 5
_PAUSE = 0.25

Answer = TypeVar("Answer")


class ApiError(StorageError):
    """The API refused a request. ``code`` is its own word for the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NameTaken(ApiError):
    """Another volume of the machine has that device name."""


def refused(what: str, reason: str, details: str, code: str) -> ApiError:
    """``what`` is the call, and what it was about."""
    return ApiError(f"{what}: the API refused it with error {reason}" + (f": {details}" if details else ""), code)


def unaccepted(what: str, code: str) -> ApiError:
    return ApiError(f"{what}: the API does not accept the access key (error {code}); check access_key and region", code)


def no_answer(what: str, error: Exception) -> StorageError:
    return StorageError(f"{what}: no answer came ({type(error).__name__}); nothing is lost, run this again")


def no_machine(kind: str, machine: str, where: str) -> StorageError:
    return StorageError(f"machine: there is no {kind} {machine} in this {where}; give the ID of one that is there")


def check_this_host(machine: str, provider: str) -> None:
    """Raises StorageError where another machine is meant than the one that this runs on."""
    host = socket.gethostname()
    if machine != host:
        raise StorageError(
            f"machine: {machine} is not this host ({host}), and {provider} has volumes of this host only"
        )


def repeated(send: Callable[[], Answer], passes: Callable[[Exception], bool]) -> Answer:
    """What a request is answered with. It is sent again after errors that pass, a few times, with longer pauses."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return send()
        except Exception as error:
            if not passes(error):
                raise
        time.sleep(_PAUSE * 2**attempt)
    return send()


@contextlib.contextmanager
def passing(*codes: str) -> Iterator[None]:
    """An error that says that there is nothing left to do."""
    try:
        yield
    except ApiError as error:
        if error.code not in codes:
            raise


def _tell(what: str, percent: float | None) -> None:
    reporter().tell(lambda: Progress(what, percent))


class Api(Protocol):
    """The requests of one provider. Each can be sent again: it asks for a state, or has a client token."""

    #: What a machine's ID looks like. Empty: volumes are attached to the host that this runs on.
    example: str

    def tagged(self, drive: str) -> Sequence[Volume]:
        """The volumes that carry the tag of a drive, the oldest first, without those that are being deleted."""

    def loose(self, drive: str) -> Sequence[Volume]:
        """Volumes that were made for a drive and lack its tag. None where a volume is tagged as it is made."""

    def one(self, volume: str) -> Volume | None:
        """A volume by its ID."""

    def zone(self, machine: str) -> str:
        """The zone of a machine, which the volumes are read for next. Raises StorageError where there is none."""

    def limits(self, volume_type: str) -> Limits:
        """What is permitted. Raises StorageError for a type that is not there."""

    def make(self, action: Create) -> str:
        """Ask for a volume with its tag. Returns its ID."""

    def tag(self, action: Adopt) -> None:
        """Ask for the tag of a drive."""

    def names(self, machine: str) -> Sequence[str]:
        """Names for a device that are free at a machine. The kernel gives the device one of its own."""

    def link(self, action: Attach, name: str) -> None:
        """Ask for an attachment. Raises NameTaken."""

    def unlink(self, volume: Volume) -> None:
        """Ask for a detachment; one that is not attached is no error."""

    def enlarge(self, action: Resize) -> None:
        """Ask for a larger size. Raises Outdated where the volume cannot be changed at the moment."""

    def snapshots(self, drive: str) -> Sequence[Snapshot]:
        """The snapshots that carry the tag of a drive."""

    def save(self, action: TakeSnapshot) -> None:
        """Ask for a snapshot with the tag of its drive, unless there is one with that token."""

    def remove(self, volume: str) -> None:
        """Ask for a deletion; one that is gone is no error."""


class Remote:
    """A Provider over an Api. ``timeout`` bounds each wait, in seconds."""

    def __init__(self, api: Api, timeout: int) -> None:
        self._api, self._timeout = api, timeout

    def read(self, drive: str, machine: str, volume_type: str, snapshots: bool = False) -> Cloud:
        api = self._api
        machine = machine or ("" if api.example else socket.gethostname())
        if not machine:
            raise StorageError(
                f"drive {drive}: machine is not given; it is the ID of the machine, such as {api.example}"
            )
        limits, zone = api.limits(volume_type), api.zone(machine)
        kept = tuple(api.snapshots(drive)) if snapshots else ()
        return Cloud(drive, machine, zone, tuple(api.tagged(drive)), tuple(api.loose(drive)), limits, kept)

    def create(self, action: Create) -> str:
        name = self._api.make(action)
        self._wait(name, lambda one: one is not None and one.state != "creating", "created")
        self._wait_for_tag(action.drive, name)
        return name

    def adopt(self, action: Adopt) -> None:
        self._api.tag(action)
        self._wait_for_tag(action.drive, action.volume)

    def attach(self, action: Attach) -> None:
        self._wait(
            action.volume,
            lambda one: one is not None and one.state != "creating" and one.link != "detaching",
            "ready to be attached",
        )
        for name in self._api.names(action.machine):
            try:
                self._api.link(action, name)
                break
            except StorageError as error:
                # An earlier request whose answer was lost may have done it.
                one = self._api.one(action.volume)
                if one is not None and one.machine == action.machine:
                    break
                if not isinstance(error, NameTaken):
                    raise
        else:
            raise StorageError(f"{action.machine}: no device name is free for {action.volume}; detach another volume")
        self._wait(
            action.volume,
            lambda one: one is not None and one.machine == action.machine and one.link == "attached",
            f"attached to {action.machine}",
        )

    def detach(self, action: Detach) -> None:
        one = self._api.one(action.volume)
        if one is not None and one.link not in ("", "detaching"):
            self._api.unlink(one)
        self._wait(action.volume, lambda one: one is None or (not one.machine and one.state == "available"), "detached")

    def resize(self, action: Resize) -> None:
        one = self._api.one(action.volume)
        if one is None or one.size < action.size:
            self._api.enlarge(action)
        self._wait(
            action.volume,
            lambda one: one is not None and one.size >= action.size and not one.resizing,
            f"resized to {show_size(action.size)}",
        )

    def snapshot(self, action: TakeSnapshot) -> None:
        self._api.save(action)

        def complete() -> bool:
            found = next((one for one in self._api.snapshots(action.drive) if one.token == action.token), None)
            if found is not None and found.state == "error":
                raise StorageError(
                    f"{found.id}, the snapshot of {action.volume}, is in state error, so nothing was removed. Look at "
                    "it at the provider, delete it there, and run this again"
                )
            _tell(f"snapshot of {action.volume}", found.percent if found else None)
            return found is not None and found.state == "completed"

        wait_until(
            complete,
            self._timeout,
            f"for the snapshot of {action.volume}, and it is not complete; the next run goes on waiting for it",
        )

    def delete(self, action: Delete) -> None:
        self._api.remove(action.volume)
        self._wait(action.volume, lambda one: one is None, "deleted")

    def _wait(self, volume: str, reached: Callable[[Volume | None], bool], what: str) -> None:
        """Wait until a volume is as it should be. Raises StorageError when the time is over, or it is in error."""

        def done() -> bool:
            one = self._api.one(volume)
            if one is not None and one.state == "error":
                raise StorageError(
                    f"{one.id} is in state error, so it will not be {what}. Look at it at the provider; it keeps its "
                    "data until it is deleted there"
                )
            if one is not None and one.resizing:
                _tell(f"resize of {one.id}", one.percent)
            return reached(one)

        wait_until(done, self._timeout, f"until a volume was {what}, and it is not")

    def _wait_for_tag(self, drive: str, volume: str) -> None:
        wait_until(
            lambda: any(one.id == volume for one in self._api.tagged(drive)),
            self._timeout,
            f"for the tag of {volume}, and it is not there",
        )
