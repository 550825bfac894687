# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage of a host as SVG: disks at the bottom, what is made of them above, mounts and contents on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from markupsafe import Markup

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import show_size

from .text import cut

#: A box, whose size the style of the page has too, and what is between two of them, in pixels.
_WIDTH, _HEIGHT, _BETWEEN, _ABOVE = 128, 38, 10, 24
#: What fits into a box: characters of its two lines.
_NAME, _REST = 15, 19
#: Beside the colour, for those who do not see it.
_SIGNS = {"critical": "✖ ", "warning": "▲ ", "notice": "● "}


class Drawing(NamedTuple):
    """``markup`` is what goes into an ``svg`` of that size."""

    markup: Markup
    width: int
    height: int


@dataclass(eq=False)
class _Box:
    name: str
    rest: str
    style: str
    sign: str = ""
    level: int = 0
    x: float = 0
    below: list[_Box] = field(default_factory=list)
    above: list[_Box] = field(default_factory=list)

    def on(self, lower: _Box) -> None:
        if lower not in self.below:
            self.below.append(lower)
            lower.above.append(self)
        self.rise(lower.level + 1)

    def rise(self, level: int) -> None:
        if level > self.level:
            self.level = level
            for upper in self.above:
                upper.rise(level + 1)


def draw(tree: Sequence[Mapping[str, Any]]) -> Drawing:
    """Draw a tree as layout_info or maas_storage_info returns it. Raises StorageError for one that is in itself."""
    boxes = _boxes(tree)
    rows: dict[int, list[_Box]] = {}
    for box in boxes:
        rows.setdefault(box.level, []).append(box)
    for level in sorted(rows):
        _place(rows[level])
    top = max(rows, default=0)
    width = max((box.x for box in boxes), default=0) + _WIDTH
    markup = (
        Markup('<path d="{}"/>').format("".join(_lines(boxes, top))) if any(box.below for box in boxes) else Markup()
    )
    return Drawing(
        markup + Markup().join(_draw(box, top) for box in boxes), round(width), top * (_HEIGHT + _ABOVE) + _HEIGHT
    )


def _boxes(tree: Sequence[Mapping[str, Any]]) -> list[_Box]:
    """All boxes, each once, those that belong together beside each other."""
    boxes: dict[str, _Box] = {}

    def add(branch: Mapping[str, Any], *under: _Box) -> None:
        key = str(branch.get("device") or branch["name"])
        known = boxes.get(key)
        box = known or _of_branch(branch)
        boxes[key] = box
        if box in under:
            raise StorageError(f"the tree has {key} on top of itself")
        if under:
            box.on(under[-1])
        if known:
            return
        for child in branch.get("children") or ():
            add(child, *under, box)
        kind = str(branch.get("holds") or "")
        for point in branch.get("mount_points") or ():
            boxes[f"{key} on {point}"] = mount = _Box(
                cut(point, _NAME), cut(next(iter(kind.split()), "").rstrip(","), _REST), "m"
            )
            mount.on(box)
        if kind and not branch.get("mount_points"):
            boxes[f"{key} holds"] = content = _Box(cut(kind, _NAME), "", "x")
            content.on(box)

    for branch in tree:
        add(branch)
    found = list(boxes.values())
    order = {id(box): number for number, box in enumerate(found)}
    # A disk comes with the first of those that it shares something with.
    first = {id(box): min(order[id(low)] for low in _lowest(box)) for box in found}
    return sorted(found, key=lambda box: (min((first[id(up)] for up in _highest(box)), default=0), order[id(box)]))


def _lowest(box: _Box) -> Iterable[_Box]:
    return [box] if not box.below else [low for lower in box.below for low in _lowest(lower)]


def _highest(box: _Box) -> Iterable[_Box]:
    return [box] if not box.above else [high for upper in box.above for high in _highest(upper)]


def _of_branch(branch: Mapping[str, Any]) -> _Box:
    severity = str(branch.get("severity") or "")
    size = int(branch.get("size") or 0)
    used = branch.get("children") or branch.get("holds") or branch.get("mount_points")
    return _Box(
        name=cut(str(branch["name"]), _NAME - len(_SIGNS.get(severity, ""))),
        rest=cut(f"{branch['type']} {show_size(size) if size else ''}".strip(), _REST),
        style=severity[:1] if severity in _SIGNS else "" if used else "u",
        sign=_SIGNS.get(severity, ""),
    )


def _place(row: list[_Box]) -> None:
    """Each over the middle of what it lies on; those on the same beside each other, and none over another."""
    step = _WIDTH + _BETWEEN
    siblings: dict[tuple[int, ...], list[_Box]] = {}
    for box in row:
        siblings.setdefault(tuple(map(id, box.below)), []).append(box)
    for group in siblings.values():
        for number, box in enumerate(group):
            middle = sum(lower.x for lower in box.below) / len(box.below) if box.below else 0
            box.x = middle + (number - (len(group) - 1) / 2) * step if box.below else 0
    left = 0.0
    for box in sorted(row, key=lambda box: box.x):
        box.x = max(box.x, left)
        left = box.x + step


def _top(box: _Box, top: int) -> int:
    return (top - box.level) * (_HEIGHT + _ABOVE)


def _lines(boxes: Iterable[_Box], top: int) -> Iterable[str]:
    for box in boxes:
        for lower in box.below:
            begin, end = lower.x + _WIDTH / 2, box.x + _WIDTH / 2
            yield f"M{begin:.0f} {_top(lower, top)}L{end:.0f} {_top(box, top) + _HEIGHT}"


def _draw(box: _Box, top: int) -> Markup:
    form = '<g{} transform="translate({} {})"><rect/><text x="6" y="{}">{}</text>{}</g>'
    style = Markup(' class="{}"').format(box.style) if box.style else ""
    rest = Markup('<text class="r" x="6" y="30">{}</text>').format(box.rest) if box.rest else ""
    name = f"{box.sign}{box.name}"
    return Markup(form).format(style, round(box.x), _top(box, top), 16 if box.rest else 23, name, rest)
