# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a task that is killed before or after something that it calls, or where that fails. Run where the modules are.

Arguments: the backend, as a task names it; ``driver``, or a class of cinderlib; its method; ``before``, ``after``,
``failing``, or ``overtaken`` (as ``before``, once another host has ended what the plan takes for cut off);
``volume`` or ``snapshot``; the task's own options.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.strata.storage.plugins.module_utils.cinder import library, modules, snapshot, volume
from ansible_collections.strata.storage.plugins.module_utils.cinder.actions import handlers
from ansible_collections.strata.storage.plugins.module_utils.cinder.backend import CONNECTION, parse
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.core.run import answer


def main() -> None:
    backend, place, method, when, kind, given = sys.argv[1:]
    spec = {**CONNECTION, **{"volume": volume, "snapshot": snapshot}[kind].OPTIONS}
    params = ArgumentSpecValidator(spec).validate({**json.loads(backend), **json.loads(given)}).validated_parameters
    want = parse(params)
    library.check_set()
    with library.opened(want, library.load_driver(want), read_only=False) as opened:
        owner = opened._backend.driver if place == "driver" else getattr(opened._objects, place)
        real = getattr(owner, method)

        def dying(*words: Any, **more: Any) -> None:
            if when == "after":
                real(*words, **more)
            if when == "failing":
                raise OSError("no room left")
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, method, dying)
        _state, plan = answer(opened.read(), opened.read_more, getattr(modules, kind)(params).plan)
        if when == "overtaken":
            for row in (*opened._rows.get_volumes(), *opened._rows.get_snapshots()):
                row._ovo.status = "available"
                row.save()
        try:
            execute(plan.steps, handlers(opened))
        except Exception as error:
            print(error)


main()
