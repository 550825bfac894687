# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power goes after each step of building the demo's stack: what is left is always something to go on from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .node import Node

#: Does what a module plans up to the first step that no cut has followed yet: what a boot undoes is done again.
ONE_STEP = """
import json, sys
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.document import {word} as word
from ansible_collections.strata.storage.plugins.module_utils.host import {word} as planner
from ansible_collections.strata.storage.plugins.module_utils.host.perform import HANDS
from ansible_collections.strata.storage.plugins.module_utils.host.read import read
from ansible_collections.strata.storage.plugins.module_utils.host.task import look

item, cuts = json.load(sys.stdin)
want = word.parse(item)
steps = look(read(planner.references(want)), lambda host: planner.plan(host, want, False)).steps
sentences = [str(step) for step in steps]
new = next((index for index, sentence in enumerate(sentences) if sentence not in cuts), len(steps) - 1)
execute(steps[: new + 1], HANDS)
print(json.dumps(sentences[new] if steps else None))
"""


def one_step(node: Node, word: str, item: dict[str, Any], cuts: list[str]) -> str | None:
    """The step that was done; None where there was none to do."""
    node.guest.write("/root/one_step.py", ONE_STEP.format(word=word))
    command = "PYTHONPATH=/usr/local/lib/strata python3 /root/one_step.py"
    said = node.guest.run(command, input=json.dumps([item, cuts])).stdout
    step: str | None = json.loads(said)
    return step


@pytest.mark.parametrize("mode", ["ordered"])
def test_the_stack_is_built_through_power_cuts(node: Node, mode: str) -> None:
    array = {"name": "md0", "level": "5", "devices": node.disks("HDD1", "HDD2", "HDD3")}
    cache = {
        "name": "cached",
        "backing_device": "/dev/md0",
        "cache_device": node.disk("SSD1"),
        "cache_mode": "writeback",
    }
    drive = {"name": "data", "devices": ["/dev/bcache/by-label/cached"], "mount_point": "/srv"}
    cuts: list[str] = []
    for module, word, item in (("raid", "raid", array), ("bcache", "bcache", cache), ("lvm_drive", "drive", drive)):
        while step := one_step(node, word, item, cuts):
            cuts.append(step)
            assert len(cuts) < 40, cuts
            node.lab.power_cut(mode)
        node.unchanged(module, **item)
    node.run("dd if=/dev/urandom of=/srv/file bs=1M count=20 status=none; sha256sum /srv/file > /srv/sum; sync /srv/*")
    node.lab.power_cut(mode)
    for module, item in (("raid", array), ("bcache", cache), ("lvm_drive", drive)):
        node.unchanged(module, **item)
    assert node.run("sha256sum --check /srv/sum") == "/srv/file: OK"
