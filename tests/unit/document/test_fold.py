# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many items as one plan. The state here is the set of devices that somebody holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.faults import Faults, SeveralFaults
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan, Step
from ansible_collections.strata.storage.plugins.module_utils.document import fold
from ansible_collections.strata.storage.plugins.module_utils.document.references import Node, Reference

State = frozenset[str]


def item(name: str, *devices: str) -> Node:
    return Node(f"raids: {name}", (name,), tuple(Reference(text, f"raids: {name}: devices") for text in devices))


def change(node: Node, after: State) -> Plan:
    return Plan((Step("change", "raid", node.names[0], "", ()),), after)


def planner(takes: dict[str, str], releases: dict[str, str] | None = None) -> Callable[[State, Node], Plan]:
    """What plans items that take a device, which must be free, and that release one."""

    def plan(held: State, node: Node) -> Plan:
        name = node.names[0]
        if takes.get(name) == "nothing":
            raise StorageError(f"there is no device for {name}")
        if takes.get(name) in held:
            raise Refused(f"{takes[name]} is in use")
        return change(node, held - {(releases or {}).get(name, "")} | {takes.get(name, name)})

    return plan


def made(held: set[str], nodes: list[Node], plan: Callable[[State, Node], Plan], failed: tuple[Node, ...] = ()) -> Plan:
    known = {name: node for node in nodes for name in node.names}
    return fold.made(Plan((), State(held)), nodes, plan, known, Faults(), {*failed})


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps]


def test_what_another_item_holds_waits_until_that_was_planned() -> None:
    first, second, third = item("md0"), item("md1"), item("top", "md0")
    plan = planner({"md0": "sdc", "md1": "sdd"}, {"md1": "sdc"})
    planned = made({"sdc"}, [first, second, third], plan)
    assert names(planned) == ["md1", "md0", "top"]
    assert planned.after == {"sdc", "sdd", "top"}


def test_what_waits_for_each_other_is_refused_with_each_reason() -> None:
    nodes = [item("md0"), item("md1"), item("top", "md0"), item("free")]
    with pytest.raises(Refused) as caught:
        made({"sdc", "sdd"}, nodes, planner({"md0": "sdc", "md1": "sdd"}))
    assert str(caught.value).splitlines() == ["2 errors:", "raids: md0: sdc is in use", "raids: md1: sdd is in use"]


def test_an_error_is_told_once_and_not_of_what_is_made_of_that_item() -> None:
    nodes = [item("md0"), item("top", "md0"), item("md1"), item("left", "gone")]
    with pytest.raises(SeveralFaults) as caught:
        made({"sdc"}, nodes, planner({"md0": "nothing", "md1": "nothing"}))
    assert [fault.place for fault in caught.value.faults] == ["raids: md0", "raids: md1"]


def test_what_failed_before_is_left_out() -> None:
    nodes = [item("md0"), item("top", "md0"), item("md1")]
    assert names(made(set(), nodes, planner({}), (nodes[0],))) == ["md1"]


def test_a_holder_goes_before_what_it_holds_in_whichever_order_they_are_written() -> None:
    def plan(left: State, node: Node) -> Plan:
        if any(reference.text in left for reference in node.references):
            raise Refused(f"{node.names[0]} is held")
        return change(node, left - {node.names[0]})

    held = [item("md0", "cached"), item("cached", "data"), item("data")]
    whole, refused = fold.removed(Plan((), State({"md0", "cached", "data"})), held, plan)
    assert names(whole) == ["data", "cached", "md0"]
    assert refused == []

    whole, refused = fold.removed(Plan((), State({"md0", "cached", "other"})), [*held[:1], item("data", "other")], plan)
    assert names(whole) == []
    assert [(node.names[0], str(error)) for node, error in refused] == [
        ("md0", "md0 is held"),
        ("data", "data is held"),
    ]


def test_names_that_a_permission_may_mean() -> None:
    called = fold.by_name(["raids: md0", "drives: md0", "bcaches: cached", "filesystems: cached", "cache_sets: md0"])
    assert called == {"md0": ["raids: md0", "drives: md0"], "cached": ["bcaches: cached"]}
    assert fold.call(called, "raids: md0") == "raids: md0"
    assert fold.call(called, "bcaches: cached") == fold.call(called, "filesystems: cached") == "cached"
    assert fold.is_allowed("raids: md0", ("drives: md0", "raids: md0"))
    assert fold.is_allowed("raids: md0", ("md0",))
    assert not fold.is_allowed("raids: md0", ("drives: md0",))
    fold.check_permitted(called, ("raids: md0", "cached"))
    with pytest.raises(Refused, match=r"md0 may mean raids: md0 and drives: md0\. .*such as 'raids: md0'"):
        fold.check_permitted(called, ("md0",))


def test_what_mode_exact_would_remove_needs_a_permission() -> None:
    fold.check_others(["raids: md0"], ("md0",))
    with pytest.raises(Refused, match=r"would remove: raids: md1\. .* add them to allow_destroy$"):
        fold.check_others(["raids: md0", "raids: md1"], ("md0",))
    with pytest.raises(Refused, match=r"add them to allow_destroy, which loses raids: md0 as well; and more$"):
        fold.check_others(["raids: md0"], (), lambda places: [f"{place} as well" for place in places] + ["and more"])


def test_an_error_that_asks_for_a_permission_names_the_item() -> None:
    assert fold.permitted_by_name("Set allow_destroy, or set allow_destroy", "md0") == (
        "Add md0 to allow_destroy, or add md0 to allow_destroy"
    )
