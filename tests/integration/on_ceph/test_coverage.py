# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/rbd-coverage.md says all of librbd, and the truth."""

from __future__ import annotations

import re
import subprocess

from .client import CHECKOUT, PYTHON

PAGE = (CHECKOUT / "docs/rbd-coverage.md").read_text()
_NAMES = """
import rbd
for kind in (rbd.RBD, rbd.Image, rbd.Group):
    for name in dir(kind):
        if not name.startswith("_"):
            print(kind.__name__, name)
print("version", rbd.RBD().version()[1])
for name in dir(rbd):
    if name.endswith("Iterator"):
        print("Iterators", name)
"""


def documented(release: int) -> dict[tuple[str, str], str]:
    """What a release has, and how it is reached."""
    found = {}
    for section in PAGE.split("\n## ")[1:]:
        kind = section.partition("\n")[0].strip("`").removeprefix("rbd.")
        rows = re.findall(r"^\| `(\w+)`(?: \((\d+)\))? \| (.+) \|$", section, re.M)
        found.update({(kind, name): how for name, since, how in rows if int(since or 0) <= release})
    return found


def test_every_call_is_on_the_page() -> None:
    said = subprocess.run([PYTHON, "-c", _NAMES], capture_output=True, text=True, check=True).stdout
    there = {tuple(line.split()) for line in said.splitlines()}
    (release,) = (int(number) for kind, number in there if kind == "version")
    calls = {one for one in there if one[0] not in ("Iterators", "version")}
    assert documented(release).keys() == calls
    assert len(calls) > 150
    iterators = PAGE.partition("## Iterators")[2]
    for kind, name in there:
        assert kind != "Iterators" or name in iterators or name.startswith("Mirror"), name


def test_what_it_says_is_reached_is_called() -> None:
    code = "".join(path.read_text() for path in (CHECKOUT / "plugins/module_utils/rbd").glob("*.py"))
    # These are put together from parts.
    made = {f"{prefix}_{end}" for prefix in ("config", "metadata", "pool_metadata") for end in ("set", "remove")}
    for (_kind, name), how in documented(99).items():
        used = name in made or re.search(rf"\.{name}\b|\"{name}\"", code) is not None
        assert used or how.startswith("no: "), name
    for prefix in ('f"{what}_{suffix}"', 'f"{prefix}_{suffix}"'):
        assert prefix in code
