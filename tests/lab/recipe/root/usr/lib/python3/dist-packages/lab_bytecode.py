# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep the bytecode of what comes in zip files, which Python compiles anew in each process.

Ansible sends a module so, with all that it imports; under software emulation compiling is a third of a task.
"""

from __future__ import annotations

import _imp
import contextlib
import marshal
import os
import types
import zipimport

KEPT = "/var/cache/lab-bytecode"

compile_source = zipimport._compile_source  # type: ignore[attr-defined]


def compiled(path: str, source: bytes) -> types.CodeType:
    """The code of a source text, compiled now or before; then it names the zip file of that time."""
    kept = f"{KEPT}/{_imp.source_hash(0, source).hex()}"
    with contextlib.suppress(OSError), open(kept, "rb") as file:
        known: types.CodeType = marshal.loads(file.read())
        return known
    code: types.CodeType = compile_source(path, source)
    with contextlib.suppress(OSError):
        with open(f"{kept}.{os.getpid()}", "wb") as new:
            new.write(marshal.dumps(code))
        os.rename(new.name, kept)
    return code


zipimport._compile_source = compiled  # type: ignore[attr-defined]
