# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power goes again and again while the demo's stack is built: what is left is always something to go on from.

After each third step, since a boot costs as much as twenty tasks: `make crash-matrix` does it after each one.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from .node import RANDOM, Node

#: Does what a module plans up to the third step that was never done: what a boot undoes is done again.
SOME_STEPS = """
import json, sys
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.document import {word} as word
from ansible_collections.strata.storage.plugins.module_utils.host.{layer} import plan as planner
from ansible_collections.strata.storage.plugins.module_utils.host.perform import HANDLERS
from ansible_collections.strata.storage.plugins.module_utils.host.read import read
from ansible_collections.strata.storage.plugins.module_utils.host.task import look

item, done = json.load(sys.stdin)
want = word.parse(item)
steps = look(read(planner.references(want)), lambda host: planner.plan(host, want, False)).steps
sentences = [str(step) for step in steps]
new = next((index for index, sentence in enumerate(sentences) if sentence not in done), len(steps) - 1)
execute(steps[: new + 3], HANDLERS)
print(json.dumps(sentences[new : new + 3]))
"""


def some_steps(node: Node, word: str, item: dict[str, Any], done: list[str]) -> list[str]:
    """The steps that were done for the first time, or what a boot undid last; none where there was nothing to do."""
    node.guest.write("/root/some_steps.py", SOME_STEPS.format(word=word, layer={"drive": "lvm"}.get(word, word)))
    command = "PYTHONPATH=/usr/local/lib/strata python3 /root/some_steps.py"
    said = node.guest.run(command, input=json.dumps([item, done])).stdout
    steps: list[str] = json.loads(said)
    return steps


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
    done: list[str] = []
    for module, word, item in (("raid", "raid", array), ("bcache", "bcache", cache), ("lvm_drive", "drive", drive)):
        while steps := some_steps(node, word, item, done):
            done += steps
            if all(step.startswith("resume raid") for step in steps):
                # Each boot calls for that again, as long as the resync has not ended.
                break
            assert len(done) < 60, done
            node.lab.power_cut(mode)
        node.unchanged(module, **item)
    node.run(f"dd if={RANDOM} of=/srv/file bs=1M count=20 status=none; md5sum /srv/file > /srv/sum; sync /srv/*")
    node.lab.power_cut(mode)
    for module, item in (("raid", array), ("bcache", cache), ("lvm_drive", drive)):
        node.unchanged(module, **item)
    assert node.run("md5sum --check /srv/sum") == "/srv/file: OK"
