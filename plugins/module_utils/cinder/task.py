# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module for Cinder's drivers does around its planner."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..core.errors import StorageError, sentence
from ..core.lock import HostLock
from ..core.plan import Plan
from ..core.run import Pipeline, run
from ..core.secret import mask
from . import info
from .actions import handlers
from .backend import Wanted, parse, strings
from .library import Option, check_set, load_driver, make_private, opened, supported_drivers
from .state import Array


class Work(NamedTuple):
    """What a module brings: what the lock's holder is called, a pure planner, facts, and what of them a diff shows."""

    name: str
    plan: Callable[[Array], Plan]
    facts: Callable[[Array], dict[str, Any]]
    diff: Callable[[Array], Any] | None = None


def ensure(module: AnsibleModule, prepare: Callable[[Mapping[str, Any]], Work]) -> NoReturn:
    """Bring about what the module was asked for, and exit. ``prepare`` makes sense of the options, or raises."""
    with _failing(module):
        work = prepare(module.params)
        want, options = _loaded(module)
        with contextlib.ExitStack() as stack:
            lock = _lock(module, want, work.name)
            # A driver may change its backend's state when it starts, and the plan is made of what is read after that.
            with lock, _bounded(module, f"backend {want.name}"):
                library = stack.enter_context(opened(want, options, module.check_mode))
            run(
                module,
                Pipeline(
                    read=library.read,
                    read_more=library.read_more,
                    plan=work.plan,
                    facts=work.facts,
                    handlers=lambda: handlers(library),
                    lock=lambda: lock,
                    diff=work.diff,
                ),
            )


def tell(module: AnsibleModule) -> NoReturn:
    """Return what is read of a backend, and exit."""
    gather = module.params["gather"]
    found: dict[str, Any] = {}
    with _failing(module):
        if module.params["backend"] is None:
            others = sorted(set(gather) - {"drivers"})
            if others:
                raise StorageError(f"gather: {' '.join(others)} need backend")
            check_set()
        else:
            want, options = _loaded(module)
            with contextlib.ExitStack() as stack:
                stack.enter_context(_lock(module, want, ""))
                stack.enter_context(_bounded(module, f"backend {want.name}"))
                library = stack.enter_context(opened(want, options, read_only=True))
                found = info.told(library, want, options, gather, module.params["refresh"])
        if "drivers" in gather:
            found["drivers"] = supported_drivers()
    module.exit_json(changed=False, **found)


@contextmanager
def _failing(module: AnsibleModule) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # as in core/run.py
        module.fail_json(msg=sentence(error), changed=False)


def _loaded(module: AnsibleModule) -> tuple[Wanted, dict[str, Option]]:
    """The backend, and its driver's options. From then on only those values are hidden that the driver calls secret."""
    want = parse(module.params)
    given = module.params["backend"]["options"] or {}
    try:
        check_set()
    except StorageError:
        # The recipe has no value of an option in it, and is told whole, since nothing else of them is told either.
        module.params["backend"]["options"] = None
        module.no_log_values -= set(strings(given))
        raise
    options = load_driver(want)
    plain = {
        text for name, value in given.items() if name in options and not options[name].secret for text in strings(value)
    }
    secret = {
        text for name, value in given.items() if name not in options or options[name].secret for text in strings(value)
    }
    module.no_log_values -= plain - secret
    if want.is_url:
        passwords = _passwords(want.database)
        module.no_log_values.update(passwords)
        mask(passwords)
    return want, options


def _passwords(url: str) -> set[str]:
    """The password of a URL, as it stands there, and as it is: what a database says may hold it alone."""
    from urllib.parse import unquote, urlsplit

    with contextlib.suppress(ValueError):
        password = urlsplit(url).password
        if password:
            return {password, unquote(password)}
    return set()


def _lock(module: AnsibleModule, want: Wanted, name: str) -> HostLock:
    """One task at a time works on a backend."""
    read_only = module.check_mode or not name
    if not read_only:
        make_private(want.locks_path)
    return HostLock(
        f"{module._name} {name}".strip(), module.params["lock_timeout"], read_only=read_only, path=want.lock
    )


@contextmanager
def _bounded(module: AnsibleModule, what: str) -> Iterator[None]:
    """End this process where a driver, or a database, does not answer in time. None of them can be asked to stop."""
    seconds = module.params["connect_timeout"]

    def expire() -> None:
        with contextlib.suppress(SystemExit):
            module.fail_json(
                msg=f"{what}: it did not start within {seconds} s (connect_timeout), so it, or the database, does not "
                "answer. Nothing was done",
                changed=False,
            )
        sys.stdout.flush()
        os._exit(1)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
