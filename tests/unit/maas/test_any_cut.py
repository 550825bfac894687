# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From any layout to any other, cut off after any request: the same task comes to the same end, and leaves nothing."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import Phase, given, settings, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StepFailed, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.maas import layout
from ansible_collections.strata.storage.plugins.module_utils.maas.document import parse
from ansible_collections.strata.storage.plugins.module_utils.maas.identity import is_ours
from ansible_collections.strata.storage.plugins.module_utils.maas.perform import handlers
from ansible_collections.strata.storage.plugins.module_utils.maas.read import read
from ansible_collections.strata.storage.plugins.module_utils.maas.stand_in import stand_ins
from ansible_collections.strata.storage.plugins.module_utils.maas.state import PARTITION, Machine
from tests.simulators.maas import Region

from .region import KEY, add_machine
from .test_any_layout import Direct, everything

DISKS = ("sda", "nvme0n1", "nvme1n1", "sdb", "sdc", "sdd", "sde")
TYPES = ("ext4", "xfs", "swap")


class Fragile(Direct):
    """A client whose connection is cut after so many changes."""

    def __init__(self, region: Region, changes: int) -> None:
        super().__init__(region)
        self.left = changes

    def request(self, method: str, path: str, purpose: str, fields: Any = (), query: Any = ()) -> Any:
        if method != "GET":
            if self.left == 0:
                raise StorageError("the connection is cut")
            self.left -= 1
        return super().request(method, path, purpose, fields, query)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Something that a machine may have; the boot disk is as good as any other, as a whole and in parts."""
    free = list(draw(st.permutations(DISKS)))
    tops: list[str] = []
    words: dict[str, Any] = {section: [] for section in ("partitions", "raids", "bcaches", "drives", "filesystems")}
    words["cache_sets"] = []
    for disk in free[: draw(st.integers(0, 2))]:
        free.remove(disk)
        sizes = draw(st.lists(st.sampled_from(["1GB", "2GB", "3GB"]), min_size=1, max_size=2))
        parts = [{"name": f"{disk}-{number}", "device": disk, "size": size} for number, size in enumerate(sizes)]
        words["partitions"] += parts
        tops += [part["name"] for part in parts]
    for number in range(draw(st.integers(0, 2))):
        spare = draw(st.booleans())
        level = draw(st.sampled_from(["0", "1", "5"]))
        count = {"0": 2, "1": 2, "5": 3}[level] + draw(st.integers(0, 1))
        if len(free) < count + 1:
            break
        devices = [free.pop() for _number in range(count)]
        spares = [free.pop()] if spare and level != "0" else []
        words["raids"].append({"name": f"md{number}", "level": level, "devices": devices, "spare_devices": spares})
        tops.append(f"md{number}")
    for number in range(draw(st.integers(0, 2))):
        if len(free) < 2:
            break
        shared = [one["cache_device"] for one in words["bcaches"]]
        cache: str = draw(st.sampled_from([free[0], *shared]))
        if cache == free[0]:
            free.pop(0)
        backing = draw(st.sampled_from([*tops, free[-1]]))
        (tops if backing in tops else free).remove(backing)
        words["bcaches"].append({"name": f"fast{number}", "backing_device": backing, "cache_device": cache})
        tops.append(f"fast{number}")
    if free and draw(st.integers(0, 3)) == 0:
        words["cache_sets"].append({"cache_device": free.pop()})
    if draw(st.booleans()) and tops + free:
        devices = draw(st.lists(st.sampled_from(tops + free), min_size=1, max_size=2, unique=True))
        tops, free = [one for one in tops if one not in devices], [one for one in free if one not in devices]
        sizes = draw(st.lists(st.sampled_from(["200MB", "20%", "40%"]), max_size=2))
        volumes = [
            {"name": f"v{number}", "size": size, "filesystem": draw(st.sampled_from(TYPES))}
            for number, size in enumerate(sizes)
        ]
        words["drives"].append({"name": "vg", "devices": devices, "volumes": volumes})
    for top in tops:
        if draw(st.booleans()):
            words["filesystems"].append({"device": top, "type": "ext4", "mount_point": f"/{top}"})
    return words


def names(words: dict[str, Any]) -> list[str]:
    return [
        item.get("name") or item.get("device") or item["cache_device"]
        for section, items in words.items()
        if isinstance(items, list)
        for item in items
    ]


def apply(region: Region, words: dict[str, Any], changes: int = -1) -> Machine | None:
    """Run a task until ``changes`` requests were sent. The machine, or None where it was cut off."""
    client: Any = Fragile(region, changes)
    machine = read(client, "node1")
    allow = (*names(words), *(everything(region) if words.get("mode") == "exact" else ()))
    plan = layout.plan(machine, parse(words), allow)
    try:
        execute(plan.steps, handlers(client))
    except StepFailed:
        if client.left:
            raise
        return None
    return read(client, "node1")


def whole(machine: Machine, words: dict[str, Any]) -> None:
    """Nothing is left of what a task did for a moment."""
    assert [str(step) for step in layout.plan(machine, parse(words), ()).steps] == []
    assert not any(one.remount for one in machine.devices.values())
    alone = {item["cache_device"] for item in words["cache_sets"]}
    used = {one.cache_set for one in machine.bcaches}
    idle = [machine.devices[one.device] for one in machine.cache_sets if one.id not in used]
    assert all(one.key in alone or one.disk in alone for one in idle)
    for one in machine.devices.values():
        assert not (one.marks and not one.member), f"{one.key} bears {one.marks}"


def outcome(machine: Machine) -> list[str]:
    """What a machine has, without numbers. A disk is one, whether it takes part itself or a partition stands for it."""

    def name(key: str) -> str:
        one = machine.devices[key]
        stands = key in stand_ins(machine) or (one.kind == PARTITION and machine.fills(one) and not is_ours(one))
        return one.disk if stands else f"part of {one.disk}" if one.disk else key

    def some(keys: tuple[str, ...]) -> list[str]:
        return sorted(map(name, keys))

    sets = {one.id: name(one.device) for one in machine.cache_sets}
    found: list[Any] = [(one.name, one.level, some(one.members), some(one.spares)) for one in machine.raids]
    found += [(one.name, name(one.backing), sets[one.cache_set]) for one in machine.bcaches]
    found += [(one.name, some(one.devices), sorted(one.volumes)) for one in machine.groups]
    for one in machine.devices.values():
        if one.filesystem:
            found.append((name(one.key), one.filesystem.type, one.filesystem.mount_point))
        if one.kind == PARTITION and is_ours(one):
            found.append((name(one.key), one.size, one.bootable))
    return sorted(map(repr, [*found, *sets.values()]))


def a_region() -> Region:
    region = Region()
    region.add_user("admin", KEY)
    add_machine(region, "node1", slow=4)
    return region


def instead(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """A document that says what of the first is absent beside the second, so that it need not be exact."""
    words = {section: list(items) for section, items in after.items()}
    named = [*names(after), *(item["cache_device"] for item in after["bcaches"])]
    for section, items in before.items():
        for item in items:
            if names({section: [item]})[0] not in named:
                words[section].append({**item, "state": "absent"})
    return words


# To shrink an example would take minutes.
@settings(max_examples=60, deadline=None, phases=(Phase.reuse, Phase.generate))
@given(before=documents(), after=documents(), exact=st.booleans())
def test_from_any_layout_to_any_other_with_any_cut(before: dict[str, Any], after: dict[str, Any], exact: bool) -> None:
    region = a_region()
    apply(region, {**before, "mode": "exact"})
    words = {**after, "mode": "exact"} if exact else instead(before, after)
    uncut = copy.deepcopy(region)
    try:
        expected = apply(uncut, words)
    except Refused:
        # What MAAS cannot change in place, or take away below something else, has to go first.
        after = {section: [] for section in after}
        words = {**after, "mode": "exact"} if exact else instead(before, after)
        expected = apply(uncut, words)
    assert expected is not None
    whole(expected, words)
    for changes in range(200):
        cut = copy.deepcopy(region)
        if apply(cut, words, changes) is not None:
            break
        machine = apply(cut, words)
        assert machine is not None
        whole(machine, words)
        assert outcome(machine) == outcome(expected), changes
