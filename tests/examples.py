# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation shows: the blocks of its pages, and the examples of modules and filters."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from tests.tools.checkout import ROOT

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """One block of code."""

    where: str  # such as README.md:12
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """What is typed, of a console."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def pages() -> list[str]:
    """Every page of documentation, relative to the checkout."""
    places = [ROOT / name for name in ("docs", "roles", "playbooks", "tests/lab", "tests/integration")]
    found = [*ROOT.glob("*.md"), *(path for place in places for path in place.rglob("*.md"))]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page."""
    text = (ROOT / page).read_text()
    return [
        Block(f"{page}:{text.count(chr(10), 0, found.start()) + 1}", found.group(1), found.group(2))
        for found in _FENCED.finditer(text)
    ]


def of_plugins() -> list[Block]:
    """The EXAMPLES of all modules and filters."""
    return [
        Block(f"plugins/{path.parent.name}/{path.name}", "yaml", found.group(1))
        for path in sorted((ROOT / "plugins").glob("*/*.py"))
        if (found := re.search(r'^EXAMPLES = r"""\n(.*?)^"""', path.read_text(), re.M | re.S))
    ]


def plays(block: Block) -> list[dict[str, Any]]:
    """A block of YAML as plays; a list of tasks becomes one."""
    loaded = yaml.safe_load(block.text)
    if not isinstance(loaded, list):
        return []
    if any("hosts" in item for item in loaded):
        return loaded
    return [{"name": block.where, "hosts": "all", "become": True, "gather_facts": False, "tasks": loaded}]
