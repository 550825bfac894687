# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: shapes
short_description: Compare the storage of hosts
version_added: 0.1.0
description:
  - Takes the documents of hosts, as M(strata.storage.layout_info) returns them, and tells which hosts are built alike.
  - Which disks a host has, and UUIDs, make no difference. The number of disks does.
author:
  - the strata.storage authors (@strata-storage)
positional: _input
options:
  _input:
    description: The documents, by the names of the hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Which hosts are built alike
  ansible.builtin.debug:
    msg: "{{ documents | strata.storage.shapes }}"
"""

RETURN = r"""
_value:
  description: The shapes, the commonest first.
  type: list
  elements: dict
  contains:
    hosts:
      description: The hosts that have it.
      type: list
      elements: str
    differs:
      description: How it differs from the commonest one, a line each. Empty for that one.
      type: list
      elements: str
  sample:
    - hosts: [nas1, nas2, nas4]
      differs: []
    - hosts: [nas3]
      differs: ["raids md0: level is 6 instead of 5"]
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.core.text import printable

#: The options that an item is called by, the first that it has.
_NAMES = ("name", "mount_point", "device")
_PARTITION = re.compile(r"-part(\d+)$")


def shapes(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(document, Mapping) for document in value.values()):
        raise AnsibleFilterError("strata.storage.shapes takes documents by the names of hosts")
    hosts: dict[str, list[str]] = {}
    shape_of: dict[str, dict[str, Any]] = {}
    for host, document in value.items():
        shape = dict(_flat(document))
        key = json.dumps(shape, sort_keys=True, default=str)
        shape_of[key] = shape
        hosts.setdefault(key, []).append(str(host))
    ordered = sorted(hosts, key=lambda key: (-len(hosts[key]), sorted(hosts[key])))
    commonest = shape_of[ordered[0]] if ordered else {}
    return [
        {"hosts": sorted(hosts[key]), "differs": list(map(printable, _differences(shape_of[key], commonest)))}
        for key in ordered
    ]


def _flat(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each option of each item, by its place, and the place of each item."""
    for section, items in document.items():
        yield from _items(section, items)


def _items(where: str, items: Any) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for item in items:
        name = _name(item)
        seen[name] = seen.get(name, 0) + 1
        place = f"{where} {name}" + (f" ({seen[name]})" if seen[name] > 1 else "")
        yield place, True
        for option, value in item.items():
            if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
                yield from _items(place, value)
            elif option != "uuid":
                yield f"{place}: {option}", _alike(value)


def _name(item: Mapping[str, Any]) -> str:
    return next((str(_alike(item[option])) for option in _NAMES if item.get(option)), "")


def _alike(value: Any) -> Any:
    """What hosts with other disks have as well."""
    if isinstance(value, list):
        parts = [str(_alike(part)) for part in value]
        return [f"{parts.count(part)} × {part}" for part in sorted(set(parts))]
    if isinstance(value, str) and value.startswith("/dev/disk/"):
        partition = _PARTITION.search(value)
        return f"partition {partition[1]} of a disk" if partition else "a disk"
    return value


def _differences(shape: Mapping[str, Any], commonest: Mapping[str, Any]) -> Iterator[str]:
    for place in [*shape, *(place for place in commonest if place not in shape)]:
        item, _colon, option = place.partition(": ")
        if item not in shape or item not in commonest:
            if not option:
                yield f"{place}: only here" if place in shape else f"{place}: not here"
        elif shape.get(place) != commonest.get(place):
            yield f"{place} is {_show(shape.get(place))} instead of {_show(commonest.get(place))}"


def _show(value: Any) -> str:
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"shapes": shapes}
