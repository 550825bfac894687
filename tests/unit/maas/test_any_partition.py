# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitions by any of their names, MAAS's own among them: no run loses what the first plan did not say."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from hypothesis import Phase, given, settings, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StepFailed, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.maas import layout
from ansible_collections.strata.storage.plugins.module_utils.maas.document import parse
from ansible_collections.strata.storage.plugins.module_utils.maas.identity import computed
from ansible_collections.strata.storage.plugins.module_utils.maas.perform import handlers
from ansible_collections.strata.storage.plugins.module_utils.maas.read import read
from tests.simulators.maas import Region

from .test_any_cut import Fragile, a_region

SIZES = ("10GB", "20GB", "30GB")
HAND_MADE, OWN = "", "own"


class Case(dict[str, Any]):
    """Who made the partitions of sdb, and a task for them, which says names by what they stand for."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 4))
    places = [f"sdb-part{number}" for number in draw(st.permutations(range(1, count + 1)))]
    made = [draw(st.sampled_from([HAND_MADE, f"{OWN}{number}", places[number]])) for number in range(count)]

    def name() -> Any:
        """A place, or a number: the UUID of the partition that was made so, or ``OWN`` and its number."""
        kind = draw(st.sampled_from(["place", "uuid", "own"]))
        number = draw(st.integers(0, count))
        if kind == "place":
            return f"sdb-part{number + 1}"
        return min(number, count - 1) if kind == "uuid" else f"{OWN}{min(number, count - 1)}"

    partitions = []
    for _number in range(draw(st.integers(0, 3))):
        size = draw(st.sampled_from([None, *SIZES]))
        state = draw(st.sampled_from(["present", "absent", "absent"]))
        partitions.append({"name": name(), "device": "sdb", "size": size, "state": state})
    filesystems = []
    for number in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(["ext4", "xfs"]))
        filesystems.append({"device": name(), "type": kind, "mount_point": f"/new{number}"})
    return Case(
        bios=draw(st.booleans()),
        made=made,
        partitions=partitions,
        filesystems=filesystems,
        exact=draw(st.booleans()),
        allow=[name() for _number in range(draw(st.integers(0, 4)))],
        all_named=draw(st.booleans()),
    )


def made_so(case: Case) -> Region:
    region = a_region()
    (node,) = region.machines.values()
    node.bios_boot_method = "pxe" if case["bios"] else "uefi"
    for number in range(len(case["made"])):
        use = {"device": f"p{number}", "type": "xfs", "label": f"L{number}", "mount_point": f"/{number}"}
        part = {"name": f"p{number}", "device": "sdb", "size": SIZES[number % 3]}
        run(region, {"partitions": [part], "filesystems": [use]}, ())
    for made, name in zip(node.device("sdb").partitions, case["made"]):
        made.uuid = computed(node.system_id, name) if name else str(uuid.uuid4())
    return region


def task(case: Case, region: Region) -> tuple[dict[str, Any], tuple[str, ...]]:
    (node,) = region.machines.values()
    uuids = [part.uuid for part in node.device("sdb").partitions]

    def named(name: Any) -> str:
        return uuids[name] if isinstance(name, int) else str(name)

    words: dict[str, Any] = {"mode": "exact" if case["exact"] else "merge"}
    if case["partitions"] or case["exact"]:
        words["partitions"] = [{**item, "name": named(item["name"])} for item in case["partitions"]]
    words["filesystems"] = [{**item, "device": named(item["device"])} for item in case["filesystems"]]
    allow = [named(name) for name in case["allow"]]
    if case["all_named"]:
        allow = [item["name"] for item in words.get("partitions", ())]
        allow += [item["device"] for item in words["filesystems"]]
    return words, tuple(allow)


def planned(region: Region, words: dict[str, Any], allow: tuple[str, ...]) -> Plan:
    client: Any = Fragile(region, -1)
    return layout.plan(read(client, "node1"), parse(words), allow)


def labels(region: Region) -> set[str | None]:
    """The filesystems that are there, of those that were to begin with."""
    (node,) = region.machines.values()
    return {part.filesystem.label for part in node.device("sdb").partitions if part.filesystem} - {"", None}


def run(region: Region, words: dict[str, Any], allow: tuple[str, ...], changes: int = -1) -> bool:
    """Whether it came to its end. Raises StorageError for a refusal."""
    client: Any = Fragile(region, changes)
    steps = planned(region, words, allow).steps
    try:
        execute(steps, handlers(client))
    except StepFailed:
        assert client.left == 0
        return False
    return True


@settings(max_examples=1000, deadline=None, phases=(Phase.reuse, Phase.generate))
@given(case=cases())
def test_no_run_loses_what_the_first_plan_did_not_say(case: Case) -> None:
    region = made_so(case)
    words, allow = task(case, region)
    try:
        plan = planned(region, words, allow)
    except StorageError:
        return
    said = " ".join(lost for step in plan.steps for lost in step.destroys)
    before = labels(region)
    told = {label for label in before if f"'{label}'" in said}
    for changes in (-1, *range(30)):
        cut = copy.deepcopy(region)
        ended = run(cut, words, allow, changes)
        for _again in range(3):
            try:
                ended = run(cut, words, allow)
            except StorageError:
                assert not ended, "a task that ended well is refused the second time"
                break
            finally:
                assert before - labels(cut) <= told, f"cut after {changes}"
        if ended:
            assert planned(cut, words, allow).steps == ()
        if changes >= sum(len(step.actions) for step in plan.steps):
            break
