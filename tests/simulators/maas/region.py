# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A region: its machines, its users and its scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .machine import Machine
from .parts import ApiError

SYSTEM_ID_CHARACTERS = "34678abcdefghkmnpqrstwxy"


@dataclass
class Version:
    """One version of a script."""

    id: int
    data: str
    comment: str | None = None


@dataclass
class Script:
    """A script of the region; ``versions`` has the newest last."""

    id: int
    name: str
    versions: list[Version]
    type: int = 2
    title: str = ""
    description: str = ""
    tags: list[str] = field(default_factory=list)
    timeout: str = "0:00:00"

    @property
    def data(self) -> str:
        return self.versions[-1].data


@dataclass
class User:
    name: str
    key: str
    admin: bool = True
    #: Whether the region itself keeps it, and not another service.
    local: bool = True


class Region:
    """All machines, and who may do what. ``ids`` are those that are given next, by kind."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.users: list[User] = []
        self.scripts: list[Script] = []
        #: What scripts said, by the machine's system_id and their names.
        self.script_output: dict[tuple[str, str], str] = {}
        self.pools = ["default"]
        self.zones = ["default"]
        #: What a machine gets once it was commissioned.
        self.default_layout = "flat"
        self.ids: dict[str, int] = {}

    def next_id(self, kind: str) -> int:
        number = self.ids.get(kind, 1)
        self.ids[kind] = number + 1
        return number

    def add_user(self, name: str, key: str, admin: bool = True) -> User:
        """``key`` is CONSUMER:TOKEN:SECRET."""
        user = User(name, key, admin)
        self.users.append(user)
        return user

    def add_machine(self, hostname: str, system_id: str = "", **more: Any) -> Machine:
        system_id = system_id or self._system_id()
        machine = Machine(self, system_id, hostname, **more)
        self.machines[system_id] = machine
        return machine

    def _system_id(self) -> str:
        number, drawn = len(self.machines), ""
        for _digit in range(6):
            number, rest = divmod(number, len(SYSTEM_ID_CHARACTERS))
            drawn = SYSTEM_ID_CHARACTERS[rest] + drawn
        return drawn

    def machine(self, system_id: str) -> Machine:
        if system_id not in self.machines:
            raise ApiError(404, "No Machine matches the given query.")
        return self.machines[system_id]
