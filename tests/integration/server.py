# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs beside what modules act on: forks a process for each module run, with what modules import loaded already.

Under software emulation those imports take a second, and everything that a module does much less.
Started as `server.py SOCKET [PACKAGE …]`, the packages being more that modules import; each connection sends one line
(module and arguments) and reads what the module prints. With STRATA_COVERAGE in the environment, which lines ran
follows: `modules.py` keeps that.
"""

from __future__ import annotations

import base64
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible.module_utils import basic

from ansible_collections.strata.storage.plugins.module_utils import core, document, host

MODULES = "ansible_collections.strata.storage.plugins.modules"


def run(connection: socket.socket) -> None:
    with connection.makefile("rb") as lines:
        module, arguments = json.loads(lines.readline())
    os.dup2(connection.fileno(), 1)
    os.dup2(connection.fileno(), 2)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    sys.argv = [module]
    with measured():
        runpy.run_module(f"{MODULES}.{module}", run_name="__main__", alter_sys=True)


@contextmanager
def measured() -> Iterator[None]:
    """With STRATA_COVERAGE, print the data of coverage.py behind what a module prints."""
    if "STRATA_COVERAGE" not in os.environ:
        yield
        return
    import coverage

    measuring = coverage.Coverage(
        data_file=None, config_file=False, branch=True, include=["*/plugins/*"], messages=False
    )
    measuring.set_option("run:disable_warnings", ["no-ctracer", "no-data-collected"])
    measuring.start()
    try:
        yield
    finally:
        measuring.stop()
        data = base64.b64encode(measuring.get_data().dumps()).decode()
        print(f"\nCOVERAGE {data}", flush=True)


def load() -> None:
    """Import what the modules of the host do, and what else is named."""
    if "STRATA_COVERAGE" in os.environ:
        importlib.import_module("coverage")
    for name in sys.argv[2:]:
        importlib.import_module(name)
    for package in (core, document, host):
        for top in map(Path, package.__path__):
            for file in top.rglob("*.py"):
                importlib.import_module(".".join((package.__name__, *file.relative_to(top).with_suffix("").parts)))


def main() -> None:
    load()
    # What it looks at in a process that was forked, the kernel would have to copy.
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{sys.argv[1]}.new")
    server.listen()
    # Who finds it finds somebody who listens.
    os.rename(f"{sys.argv[1]}.new", sys.argv[1])
    while True:
        connection, _address = server.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            server.close()
            run(connection)
            os._exit(0)
        connection.close()


main()
