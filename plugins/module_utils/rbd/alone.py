# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that a process of their own does, over its own connection.

It goes on where the module is killed, and where librbd ends it, the module goes on. It is a new process, since librbd
hangs in one that was forked.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Callable

from ..core.errors import StorageError


def run_alone(params: Mapping[str, Any], action: Any, program: str) -> None:
    """Do an action, and wait for its end. ``program`` is the module whose ``main`` does it, by ``do_alone``.

    Raises StorageError with what went wrong.
    """
    command = [sys.executable, "-c", f"from {program} import main; main()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    # AnsibleModule.run_command would end it with the module.
    # pylint: disable-next=ansible-bad-function
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    ) as process:
        said, _errors = process.communicate(pickle.dumps((dict(params), action)))
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise StorageError(
            f"{action}: librbd ended the process with {name}. Run the task again: it finishes or undoes what is half "
            "done"
        )
    if process.returncode:
        raise StorageError(said.decode(errors="replace").strip() or f"{action}: the process for it did not start")


def do_alone(perform: Callable[[dict[str, Any], Any], None]) -> None:
    """What the process does: the action that it reads, over the connection that it reads the parameters of."""
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    params, action = pickle.load(sys.stdin.buffer)
    try:
        perform(params, action)
    except StorageError as error:
        # The module may be gone; then nobody reads this.
        sys.stdout.write(str(error))
        raise SystemExit(1) from None
