# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release of Ceph that the tests run on: the host's own, or with ``CEPH=16``, ``18`` or ``20`` that of a Debian.

Such a release, its Python with the bindings included, is unpacked once into the cache. Its programs see their own
``/usr`` in place of the host's, and all else as it is.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from tests.lab.image import cached, progress, run

#: The Debian that has each.
SUITES = {"16": "bookworm", "18": "trixie", "20": "forky"}
_MMDEBSTRAP = (
    "mmdebstrap",
    "--variant=extract",
    "--format=directory",
    # The last two are essential, which --variant=extract takes for there: rbd calls date, and we setpriv.
    "--include=ceph-common,ceph-mgr,ceph-mon,ceph-osd,python3-rados,python3-rbd,rbd-mirror,coreutils,util-linux",
    # Debian 12 has packages that unpack into /lib, which is the host's when only /usr is replaced.
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    "--skip=output/dev",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    # A mirror's copy of testing may be older than testing says that it is good for. Its signature counts as ever.
    '--aptopt=Acquire::Check-Valid-Until "false"',
)
_ENTER = """\
#!/bin/sh
exec unshare --mount {options} sh -c 'mount --bind "$0" /usr && exec "$@"' "${{0%/*}}/root/usr" "$@"
"""
_PYTHON = """\
#!/bin/sh
exec "${0%/*}/enter" /usr/bin/python3 "$@"
"""


@cache
def home() -> Path | None:
    """Where the release is that ``CEPH`` names. None: the host's own is meant."""
    wanted = os.environ.get("CEPH")
    if not wanted:
        return None
    if wanted not in SUITES:
        raise RuntimeError(f"CEPH={wanted}: expected one of {' '.join(SUITES)}, or nothing for the host's own")
    suite = SUITES[wanted]
    parts = (suite, *_MMDEBSTRAP, _ENTER, _PYTHON)
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cached(f"{suite}-{key}", lambda directory: _make(suite, directory), part="ceph")


def entered() -> tuple[str, ...]:
    """What goes before a command of the release."""
    there = home()
    return (str(there / "enter"),) if there else ()


def python() -> str:
    """The Python that has the bindings."""
    there = home()
    return str(there / "python3") if there else "/usr/bin/python3"


def _make(suite: str, directory: Path) -> None:
    progress(f"unpacking Ceph of Debian {suite}, which takes about a minute (log: {directory / 'build.log'})")
    run([*_MMDEBSTRAP, suite, str(directory / "root")], directory / "build.log", directory)
    options = "" if os.geteuid() == 0 else "--map-root-user"
    for name, text in (("enter", _ENTER.format(options=options)), ("python3", _PYTHON)):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
