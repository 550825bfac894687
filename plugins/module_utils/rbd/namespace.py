# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces of a pool: words, and what one needs to be there, or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused
from ..core.plan import Plan, Step
from .calls import Call, Place
from .options import check_name
from .state import Namespaces

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


class Wanted(NamedTuple):
    name: str
    state: str = "present"


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what no namespace can be."""
    return Wanted(check_name("namespace", params["name"]), params["state"])


def plan(state: Namespaces, want: Wanted) -> Plan:
    """What it takes. Raises Refused where something is in the way."""
    there = want.name in state.names
    if there == (want.state == "present"):
        return Plan((), state)
    if there and state.contents:
        raise Refused(
            f"namespace {want.name} cannot be removed: it holds {', '.join(state.contents)}; remove these first"
        )
    verb, method, names = (
        ("remove", "namespace_remove", state.names - {want.name})
        if there
        else ("create", "namespace_create", state.names | {want.name})
    )
    step = Step(verb, "namespace", want.name, f"of pool {state.pool}", (Call(method, Place(state.pool), (want.name,)),))
    return Plan((step,), state._replace(names=names))
