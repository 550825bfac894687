# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How actions on a machine are done."""

from __future__ import annotations

from typing import Any, Callable

from ..core.errors import StorageError
from ..core.execute import Handlers, Phases
from ..core.plan import Step
from .actions import AllUnchanged, Call, Only, Unchanged, in_use
from .client import Client, NotFound, RegionFailed

#: The fields that hold numbers of devices, and not what a user wrote.
_NUMBERS = (
    *("block_devices", "partitions", "spare_devices", "spare_partitions", "backing_device", "backing_partition"),
    *("cache_device", "cache_partition", "cache_set", "root_device"),
)


def handlers(client: Client) -> Handlers:
    numbers: dict[str, str] = {}

    def in_path(path: str) -> str:
        """With the numbers of what this run has made; the name of one may be a part of another's."""
        if "<" not in path:
            return path
        machine = path.split("/")[1]
        for name in sorted((name for name in list(numbers) if f":{machine}/" in name), key=len, reverse=True):
            path = path.replace(f"<{name}>", numbers[name])
        return path

    def call(action: Call) -> None:
        # A user's own texts may look like what stands for a number.
        given = tuple(
            (field, numbers.get(value[1:-1], value) if _is_number(field) else value) for field, value in action.fields
        )
        action = action._replace(path=in_path(action.path), fields=given)
        query = (("op", action.op),) if action.op else ()
        try:
            said = client.request(action.method, action.path, str(action), action.fields, query)
        except NotFound:
            if action.method != "DELETE":
                raise
            return
        if action.keeps:
            numbers[action.keeps] = str(said["id"])
            if "virtual_device" in said:
                numbers[f"device:{action.keeps.partition(':')[2]}"] = str(said["virtual_device"]["id"])

    def unchanged(action: Unchanged) -> None:
        found = client.get(action.path, f"looking at {action.name} once more")
        if found["used_for"] != action.used_for:
            raise StorageError(
                f"{action.name} was changed by somebody else meanwhile: {found['used_for']}, and not "
                f"{action.used_for}; run this again"
            )

    def all_unchanged(action: AllUnchanged) -> None:
        if in_use(client.get(action.path, f"looking at {action.name} once more")) != action.used:
            raise StorageError(f"{action.name} was changed by somebody else meanwhile; run this again")

    def only(action: Only) -> None:
        try:
            told = client.get(in_path(action.listed), f"looking whether {action.name} is the only one")
        except RegionFailed:
            # An orphan spoils the list.
            return
        same = [
            one["id"] for one in (told[action.inside] if action.inside else told) if one[action.word] == action.value
        ]
        if any(number < int(numbers[action.made]) for number in same):
            client.request("DELETE", in_path(action.path), f"taking {action.name} back")
            raise StorageError(f"{action.name} was made by somebody else at the same moment; run this again")

    does: dict[type, Callable[[Any], None]] = {
        Call: call,
        Unchanged: unchanged,
        AllUnchanged: all_unchanged,
        Only: only,
    }
    return Handlers(does, placeholders=None, phases=_phases)


def _is_number(field: str) -> bool:
    word = field.partition("_")[2] if field.startswith(("add_", "remove_")) else field
    return word in _NUMBERS


def _phases(steps: tuple[Step, ...]) -> Phases:
    """Machines do not depend on each other. A path begins with what kind of thing it is about, and which one."""
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        lanes.setdefault(step.actions[0].path.split("/")[1], []).append(step)
    return (tuple(tuple(lane) for lane in lanes.values()),)
