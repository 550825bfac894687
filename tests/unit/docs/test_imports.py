# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports go one way, also those inside functions: docs/architecture.md says which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

UTILS = Path(__file__).parents[3] / "plugins" / "module_utils"
#: What may be imported from where; the backends are above these two, and do not know each other.
RANKS = {"core": 0, "document": 1}
BACKEND = 2


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(UTILS).with_suffix("").parts)


def imported(name: str, file: Path, known: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*name.split(".")[: -node.level], *(node.module.split(".") if node.module else ())]
            found = {".".join(base), *(".".join((*base, alias.name)) for alias in node.names)}
            yield from found & known


def graph() -> dict[str, set[str]]:
    files = {name_of(file): file for file in UTILS.rglob("*.py")}
    assert len(files) > 100
    return {name: set(imported(name, file, set(files))) for name, file in files.items()}


def test_no_module_imports_itself_by_others() -> None:
    order = list(TopologicalSorter(graph()).static_order())
    assert order.index("core.plan") < order.index("host.layout")


def test_what_is_below_knows_nothing_of_what_is_above() -> None:
    for name, others in graph().items():
        package = name.partition(".")[0]
        for other in {other.partition(".")[0] for other in others} - {package}:
            assert RANKS.get(other, BACKEND) < RANKS.get(package, BACKEND), f"{name} imports {other}"
