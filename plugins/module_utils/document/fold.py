# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many items as one plan: each is planned on the state that those before it lead to.

The order is found: what is refused for what another item still holds is tried again once that was planned. And the
permissions of a document, which are about items by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, TypeVar

from ..core.errors import Refused, StorageError
from ..core.faults import Faults
from ..core.plan import Plan, both
from .references import Node

One = TypeVar("One")


def removed(
    whole: Plan, going: Sequence[One], plan: Callable[[Any, One], Plan]
) -> tuple[Plan, list[tuple[One, Refused]]]:
    """``whole`` and as much as goes after it, in as many rounds as that takes; and what does not, with the reasons."""
    while True:
        refused: list[tuple[One, Refused]] = []
        for one in going:
            try:
                whole = both(whole, plan(whole.after, one))
            except Refused as error:
                refused.append((one, error))
        if not refused or len(refused) == len(going):
            return whole, refused
        going = [one for one, _error in refused]


def made(
    whole: Plan,
    coming: Sequence[Node],
    plan: Callable[[Any, Node], Plan],
    known: Mapping[str, Node],
    faults: Faults,
    failed: set[Node],
) -> Plan:
    """``whole`` and what is to be there after it. What an item is made of comes before it; ``known`` are all by name.

    What is refused waits, with what is made of it, as long as others can be planned: one of these may let go of a
    device. Raises the errors of all that cannot be planned, after those in ``faults``. Items that are made of one of
    these, or of one that ``failed`` already, are left out.
    """
    left = [node for node in coming if node not in failed]
    while left:
        waiting: list[Node] = []
        refusals: list[tuple[Node, Refused]] = []
        for node in left:
            below = {known.get(reference.text) for reference in node.references}
            if below & failed:
                failed.add(node)
                continue
            if below.intersection(waiting):
                waiting.append(node)
                continue
            try:
                whole = both(whole, plan(whole.after, node))
            except Refused as error:
                refusals.append((node, error))
                waiting.append(node)
            except StorageError as error:
                faults.add(error, node.place)
                failed.add(node)
        if len(waiting) == len(left):
            # Each may be the reason for the others.
            for node, refusal in refusals:
                faults.add(_told(refusal, whole), node.place)
            break
        left = waiting
    faults.check()
    return whole


def _told(refusal: Refused, whole: Plan) -> Refused:
    """With what is done only later, which may be what an item is refused for."""
    if not whole.pending:
        return refusal
    waits = "; ".join(whole.pending)
    told = Refused(f"{refusal} What has to wait for now may change that: {waits}. Run this again then")
    told.place = refusal.place
    return told


def by_name(places: Iterable[str]) -> dict[str, list[str]]:
    """The places of items (``raids: md0``), by what ``allow_destroy`` may call them.

    What is known by its device alone is called as that is.
    """
    found: dict[str, list[str]] = {}
    for place in dict.fromkeys(places):
        section, _colon, name = place.partition(": ")
        if section not in ("filesystems", "cache_sets"):
            found.setdefault(name, []).append(place)
    return found


def call(called: Mapping[str, Sequence[str]], place: str) -> str:
    """What ``allow_destroy`` has to call an item, of those that ``by_name`` returned."""
    name = place.partition(": ")[2]
    return place if len(called.get(name, ())) > 1 and place in called[name] else name


def is_allowed(place: str, allow: tuple[str, ...]) -> bool:
    """By its name, or with its section before that, where another item has that name too."""
    return place in allow or place.partition(": ")[2] in allow


def check_permitted(called: Mapping[str, Sequence[str]], allow: tuple[str, ...]) -> None:
    """Raises Refused for a name that may mean several items, of those that ``by_name`` returned."""
    for name in allow:
        if len(called.get(name, ())) > 1:
            places = called[name]
            raise Refused(
                f"allow_destroy: {name} may mean {' and '.join(places)}. Nothing was changed. Say which one may lose "
                f"what it holds with its section, such as '{places[0]}'"
            )


def check_others(
    places: Iterable[str], allow: tuple[str, ...], held: Callable[[Sequence[str]], Sequence[str]] = lambda _places: ()
) -> None:
    """Raises Refused for what mode exact would remove without permission; ``held`` says what goes with it."""
    refused = [place for place in places if not is_allowed(place, allow)]
    if refused:
        lost = held(refused)
        raise Refused(
            f"not in the document, and mode exact would remove: {', '.join(refused)}. Name them in the document, or "
            f"add them to allow_destroy{', which loses ' if lost else ''}{'; '.join(lost)}"
        )


def permitted_by_name(text: str, name: str) -> str:
    """What an item's planner says about ``allow_destroy``, as it is for a document: there it is a list of names."""
    return text.replace("set allow_destroy", f"add {name} to allow_destroy").replace(
        "Set allow_destroy", f"Add {name} to allow_destroy"
    )
