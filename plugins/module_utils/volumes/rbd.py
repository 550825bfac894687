# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a Ceph pool, mapped by the kernel of the host itself, by Ceph's command ``rbd``.

An image is named by its client token, and gets its tag, which is metadata, in a second call: one that a crash left
without it is found by its name. An image that has snapshots cannot be removed. It goes to the pool's trash, which keeps
them: a copy would take as long as all of its data, and their space a second time, before the drive may shrink.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import time
from collections.abc import Iterator
from email.utils import parsedate
from typing import Any

from ..core.command import ask_command, read_text
from ..core.errors import StorageError
from ..core.execute import flush
from .provider import TAG, Adopt, Attach, Create, Resize, TakeSnapshot, token_prefix
from .remote import ApiError, check_this_host, passing
from .state import Limits, Snapshot, Volume

MiB = 1 << 20
#: What each kernel since Linux 4.9 can map, whatever the cluster gives a new image.
_FEATURES = "layering,exclusive-lock"
_SECTOR = 512
_GONE, _EXISTS, _NOT_EMPTY = "2", "17", "39"
_KEY = "; check client and keyring, and the caps of that client"
_HINTS = {"1": _KEY, "13": _KEY, "16": "; find out who uses it, and run this again once nobody does"}
#: How much longer than it is told to wait for an answer the command may take.
_SLACK = 30


class Rbd:
    """A pool, or a namespace of one. Each command has a time limit."""

    example = ""

    def __init__(self, options: dict[str, Any]) -> None:
        if not options["pool"]:
            raise StorageError("provider: rbd needs pool; give it")
        for name in ("pool", "namespace"):
            if set(options[name] or "") & set("/@"):
                raise StorageError(f"provider: {name}: {options[name]} holds a / or @, and no name of Ceph's does")
        self._place = "/".join(part for part in (options["pool"], options["namespace"]) if part)
        self._in = tuple(f"--{name}={options[name]}" for name in ("pool", "namespace") if options[name])
        who = (("id", options["client"]), ("keyring", options["keyring"]), ("conf", options["conf"]))
        self._who = tuple(f"--{name}={value}" for name, value in who if value)
        for name in ("keyring", "conf"):
            if options[name] and not os.access(options[name], os.R_OK):
                raise StorageError(f"provider: {name}: {options[name]} is not there, or may not be read")
        patience = options["request_timeout"]
        self._limits = (f"--client_mount_timeout={patience}", f"--rados_osd_op_timeout={patience}")
        self._patience, self._timeout = 2 * patience + _SLACK, options["wait_timeout"]
        self._map_options = options["map_options"] or ()

    def tagged(self, drive: str) -> list[Volume]:
        # Each image has to be asked for its metadata.
        mapped = self._mapped()
        found = [self._volume(name, mapped) for name in self._images() if self._tag(name) == drive]
        return sorted((one for one in found if one), key=lambda one: (one.created, one.id))

    def loose(self, drive: str) -> list[Volume]:
        prefix = self._name(token_prefix(drive))
        found = [self.one(name) for name in self._images() if name.startswith(prefix) and not self._tag(name)]
        return [one for one in found if one]

    def one(self, volume: str) -> Volume | None:
        return self._volume(volume, self._mapped())

    def zone(self, machine: str) -> str:
        check_this_host(machine, "rbd")
        return ""

    def limits(self, volume_type: str) -> Limits:
        if volume_type:
            raise StorageError(f"policy: volume_type: {volume_type} was given, and the provider rbd has no types")
        return Limits(smallest=16 * MiB, granularity=MiB)

    def make(self, action: Create) -> str:
        # The name of an image in the trash, with its snapshots, is not used again.
        used = {str(told["name"]) for told in self._trash()}
        names = (action.token + (f"-{life}" if life else "") for life in itertools.count())
        volume = self._name(next(name for name in names if name not in used))
        words = ("create", f"--size={action.size // MiB}M", f"--image-feature={_FEATURES}", volume)
        with passing(_EXISTS):
            self._ask(*words)
        if self.one(volume) is None:
            # A run that was cut off left a part of it.
            self._ask("rm", "--no-progress", volume)
            self._ask(*words)
        self.tag(Adopt(action.drive, volume))
        return volume

    def tag(self, action: Adopt) -> None:
        self._ask("image-meta", "set", action.volume, TAG, action.drive)

    def names(self, _machine: str) -> tuple[str, ...]:
        # The kernel chooses.
        return ("",)

    def link(self, action: Attach, _name: str) -> None:
        # Asked twice, the kernel would map it twice.
        if action.volume not in self._mapped():
            options = (f"--options={','.join(self._map_options)}",) if self._map_options else ()
            self._ask("device", "map", *options, action.volume)

    def unlink(self, volume: Volume) -> None:
        for name, device in self._devices():
            if name == volume.id:
                self._run("device", "unmap", device)

    def enlarge(self, action: Resize) -> None:
        self._ask("resize", "--no-progress", f"--size={action.size // MiB}M", action.volume)

    def snapshots(self, drive: str) -> list[Snapshot]:
        prefix = token_prefix(drive)
        found = [(name, self._tell("snap", "ls", name)) for name in self._images()]
        for told in self._trash():
            kept = self._tell("snap", "ls", *self._in, f"--image-id={told['id']}")
            found.append((self._name(str(told["name"])), kept))
        names = [(image, str(told["name"])) for image, kept in found for told in kept]
        return [Snapshot(f"{image}@{name}", image, name) for image, name in names if name.startswith(prefix)]

    def save(self, action: TakeSnapshot) -> None:
        device = self._mapped().get(action.volume)
        flush((device,) if device else ())
        with passing(_EXISTS):
            self._ask("snap", "create", "--no-progress", f"{action.volume}@{action.token}")

    def remove(self, volume: str) -> None:
        with passing(_GONE):
            try:
                self._ask("rm", "--no-progress", volume)
            except ApiError as error:
                if error.code != _NOT_EMPTY:
                    raise
                self._ask("trash", "mv", volume)

    # --- commands

    def _volume(self, volume: str, mapped: dict[str, str]) -> Volume | None:
        try:
            told = self._tell("info", volume)
            watchers = self._tell("status", volume)["watchers"]
        except ApiError as error:
            if error.code != _GONE:
                raise
            return None
        device = mapped.get(volume, "")
        number = device[len("/dev/rbd") :]
        own = read_text(f"/sys/bus/rbd/devices/{number}/client_addr")
        machine, link = holder(device, own, [str(watcher["address"]) for watcher in watchers])
        seen = int(read_text(f"/sys/class/block/rbd{number}/size") or 0) * _SECTOR
        return Volume(
            volume,
            int(told["size"]),
            state="in-use" if machine else "available",
            machine=machine,
            link=link,
            # The kernel is told by the cluster, a moment later.
            resizing=bool(device) and seen < int(told["size"]),
            created=_time(told["create_timestamp"]),
            device=device,
        )

    def _name(self, image: str) -> str:
        return f"{self._place}/{image}"

    def _images(self) -> list[str]:
        return [self._name(str(name)) for name in self._tell("ls", *self._in)]

    def _trash(self) -> list[dict[str, Any]]:
        return list(self._tell("trash", "ls", *self._in))

    def _tag(self, volume: str) -> str:
        """The drive that an image says it is of; empty where it says nothing, or was removed a moment ago."""
        told: dict[str, str] = {}
        with passing(_GONE):
            told = self._tell("image-meta", "list", volume) or told
        return str(told.get(TAG, ""))

    def _mapped(self) -> dict[str, str]:
        """The device of each image that this kernel has mapped, by the image's name. No snapshots."""
        return dict(self._devices())

    def _devices(self) -> Iterator[tuple[str, str]]:
        for told in json.loads(self._run("device", "list", "--format=json") or "[]"):
            if told["snap"] == "-":
                parts = (told["pool"], told.get("namespace") or "", told["name"])
                yield "/".join(part for part in parts if part), str(told["device"])

    def _tell(self, *words: str) -> Any:
        """What a command says; an empty list where that is nothing."""
        return json.loads(self._ask(*words, "--format=json").strip() or "[]")

    def _ask(self, *words: str) -> str:
        """A command to the cluster. Each can be sent again. Raises ApiError with the number of its error."""
        return self._run(*words, *self._who, *self._limits)

    def _run(self, *words: str) -> str:
        changes = words[:1] in (("rm",), ("resize",))
        code, output, errors = ask_command(("rbd", *words), self._timeout if changes else self._patience)
        if code:
            what = " ".join(("rbd", *(word for word in words if not word.startswith("-"))))
            # Its last words say what was wrong; what libraries log before them holds times and addresses.
            reason = errors.rpartition("rbd: ")[2] or f"it failed with status {code}"
            raise ApiError(f"{what}: {reason}{_HINTS.get(str(code), '')}", str(code))
        return output


def _time(text: str) -> float:
    """The time that ``rbd`` tells, which is local, and in English whatever the locale of this process."""
    moment = parsedate(text)
    return time.mktime(moment) if moment else 0.0


def holder(device: str, own: str, watchers: list[str]) -> tuple[str, str]:
    """The machine that has an image, and how far: this host, or else the address of a client.

    ``own`` is the address that this kernel's client has for the image, if it is mapped as ``device``.
    """
    here = socket.gethostname()
    others = [address for address in watchers if address != own]
    foreign = next((address for address in others if not _is_of_this_host(address)), "")
    if foreign:
        return foreign, "attached"
    if device:
        return here, "attached"
    # The cluster forgets the client of a host that lost its power half a minute later.
    return (here, "detaching") if others else ("", "")


def _is_of_this_host(address: str) -> bool:
    """If a client's address, such as 192.0.2.1:0/1234, is one of this host's."""
    ip = address.rpartition("/")[0].rpartition(":")[0].strip("[]")
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((ip, 0))
        except OSError:
            return False
        return True
