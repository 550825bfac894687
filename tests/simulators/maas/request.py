# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to a region, and whether its user and the machine's state permit it."""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from .forms import Form
from .machine import Machine
from .parts import ALLOCATED, READY, ApiError, Holder
from .region import Region, User

#: An answer: text, or what becomes JSON; None is none.
Answer = Union[str, dict[str, Any], list[Any], None]


class Request(NamedTuple):
    """One request: who makes it (None: nobody), what for, and with which fields."""

    region: Region
    user: User | None
    method: str
    path: str
    op: str | None
    query: dict[str, list[str]]
    form: Form
    base: str = ""

    @property
    def admin(self) -> bool:
        return self.user is not None and self.user.admin

    def check_admin(self) -> None:
        if not self.admin:
            raise ApiError(403)

    def machine(self, system_id: str) -> Machine:
        return self.region.machine(system_id)

    def structure(self, system_id: str, what: str) -> Machine:
        """The machine, if its structure may be changed; ``what`` begins the sentence that refuses it otherwise."""
        machine = self.machine(system_id)
        self.check_admin()
        if machine.status != READY:
            raise ApiError(409, what if "not Ready" in what else f"Cannot {what} because the machine is not Ready.")
        return machine

    def edit(self, system_id: str, what: str) -> Machine:
        """The machine, if its user may put it to use: an administrator, its owner, or anybody while it has none."""
        machine = self.machine(system_id)
        if not self.admin and (self.user is None or machine.owner not in (None, self.user.name)):
            raise ApiError(403)
        if machine.status not in (READY, ALLOCATED):
            raise ApiError(409, f"Cannot {what} is not Ready or Allocated.")
        return machine

    def use(self, system_id: str, operation: str, noun: str, machine_: str) -> Machine:
        """As ``edit``, where a Ready machine is the administrators' alone."""
        machine = self.edit(system_id, f"{operation} {noun} because the {machine_}")
        if machine.status == READY and not self.admin:
            raise ApiError(
                403, f"Cannot {operation} {noun} because you don't have the permissions on a Ready {machine_}."
            )
        return machine


def free_devices(machine: Machine) -> list[Holder]:
    return [one for one in machine.devices if not one.used]


def free_partitions(machine: Machine) -> list[Holder]:
    return [part for one in machine.devices for part in one.partitions if not part.used]
