# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the guest: what a module would do, up to the given number of steps. Prints the steps that were done.

Where a file for marks is given, what is going to be done is written there before it is.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute, perform_actions
from ansible_collections.strata.storage.plugins.module_utils.host.perform import HANDLERS
from ansible_collections.strata.storage.plugins.module_utils.host.read import read
from ansible_collections.strata.storage.plugins.module_utils.host.task import look

_UTILS = "ansible_collections.strata.storage.plugins.module_utils"
#: Where a module's words are parsed, and where they are planned.
_WORDS = {
    "lvm_drive": ("drive", "lvm.plan"),
    "luks_device": ("luks", "luks.plan"),
    "layout": ("document", "layout"),
}


def marked(do: Any, path: str) -> Any:
    """What does an action, said before."""

    def run(action: Any) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(descriptor, f"{action}\n".encode()[:4000])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        do(action)

    return run


def main() -> None:
    """Rounds as in core/run.py: what was set going may call for more steps once it has ended."""
    module, item, most, *marks = json.load(sys.stdin)
    handlers = (
        HANDLERS._replace(perform={kind: marked(do, *marks) for kind, do in HANDLERS.perform.items()})
        if marks
        else HANDLERS
    )
    words, plans = _WORDS.get(module, (module, f"{module}.plan"))
    document = importlib.import_module(f"{_UTILS}.document.{words}")
    planner = importlib.import_module(f"{_UTILS}.host.{plans}")
    want = document.parse(item)
    done: list[str] = []
    while len(done) < most:
        plan = look(
            read(planner.references(want)), lambda host: planner.plan(host, want, item.get("allow_destroy", ()))
        )
        steps = plan.steps[: most - len(done)]
        if steps:
            execute(steps, handlers)
            done += [str(step) for step in steps]
        elif plan.waits and item.get("wait"):
            perform_actions(plan.waits, handlers)
        else:
            break
    print(json.dumps(done))


main()
