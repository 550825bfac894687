# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How actions on a machine are done."""

from __future__ import annotations

from ..core.errors import StorageError
from ..core.execute import Hands, Phases
from ..core.plan import Step
from .actions import Call, Unchanged
from .client import Client, NotFound

#: What is known by a number only once it is made.
_KINDS = ("device", "partition", "cache-set", "volume-group", "raid", "bcache", "volume", "datastore")


def hands(client: Client) -> Hands:
    numbers: dict[str, str] = {}

    def call(action: Call) -> None:
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

    placeholders = {kind: lambda name, kind=kind: numbers[f"{kind}:{name}"] for kind in _KINDS}
    return Hands({Call: call, Unchanged: unchanged}, placeholders, phases=_phases)


def _phases(steps: tuple[Step, ...]) -> Phases:
    """Machines do not depend on each other. A path begins with what kind of thing it is about, and which one."""
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        lanes.setdefault(step.actions[0].path.split("/")[1], []).append(step)
    return (tuple(tuple(lane) for lane in lanes.values()),)
