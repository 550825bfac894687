# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every RBD module does around its planner."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ..core.errors import StorageError, sentence
from ..core.plan import Plan
from ..core.run import Pipeline, run
from . import connection
from .connection import Connection, connected

if TYPE_CHECKING:
    from ..core.execute import Handlers

#: The binding is part of the system's Python, whichever one Ansible was told to use.
_INTERPRETERS = ("/usr/bin/python3", "/usr/libexec/platform-python")


class Work(NamedTuple):
    """What a module brings: a reader, a pure planner, and the facts that it returns of a state.

    ``replan`` plans once the steps were done, where an act (a rollback) must not be planned again. ``wait``: for how
    many seconds to wait for what is in progress (None: not at all). ``later``: which of LATER the planner tells.
    """

    read: Callable[[Connection], Any]
    plan: Callable[[Any], Plan]
    facts: Callable[[Any], dict[str, Any]]
    replan: Callable[[Any], Plan] | None = None
    wait: int | None = None
    later: tuple[str, ...] = ()


def ensure(module: AnsibleModule, prepare: Callable[[], Work]) -> NoReturn:
    """Bring about what the module was asked for, and exit. ``prepare`` makes sense of the options, or raises."""
    _check_binding(module)
    try:
        work = prepare()
        with connected(module.params) as opened:
            _run(module, opened, work)
    except StorageError as error:
        module.fail_json(msg=sentence(error), changed=False)


def tell(module: AnsibleModule, facts: Callable[[Connection], dict[str, Any]]) -> NoReturn:
    """Return facts, and exit."""
    _check_binding(module)
    try:
        with connected(module.params) as opened:
            found = facts(opened)
    except StorageError as error:
        module.fail_json(msg=sentence(error), changed=False)
    module.exit_json(changed=False, **found)


def _check_binding(module: AnsibleModule) -> None:
    """Go on under a Python that has librbd's binding, or fail."""
    if connection.rbd is not None:
        return
    found = None if has_respawned() else probe_interpreters_for_module(list(_INTERPRETERS), "rbd")
    if found:
        respawn_module(found)
    module.fail_json(
        msg=f"{missing_required_lib('rbd')} It is Debian's package python3-rbd, and was looked for in "
        f"{' '.join(dict.fromkeys((sys.executable, *_INTERPRETERS)))}",
        changed=False,
    )


def _run(module: AnsibleModule, opened: Connection, work: Work) -> NoReturn:
    def handlers() -> Handlers:
        from .perform import handlers

        return handlers(opened, module.log)

    run(
        module,
        Pipeline(
            read=lambda: work.read(opened),
            read_more=lambda state, _need: state,
            plan=work.plan,
            facts=work.facts,
            handlers=handlers,
            lock=nullcontext,
            replan=work.replan,
            wait=work.wait,
            later=work.later,
        ),
    )
