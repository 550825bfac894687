# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put record.py, the collection and what that needs of ansible-core into an archive, and print its path."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

import ansible

HERE = Path(__file__).resolve().parent
COLLECTION = "ansible_collections/strata/storage/plugins/module_utils"


def main() -> None:
    descriptor, archive = tempfile.mkstemp(suffix=".tar")
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as packed:
        packed.add(HERE / "record.py", "record.py")
        packed.add(HERE.parents[1] / "plugins" / "module_utils", COLLECTION)
        packed.addfile(tarfile.TarInfo("ansible/__init__.py"))
        for name in ("release.py", "module_utils"):
            packed.add(Path(ansible.__file__).parent / name, f"ansible/{name}")
    print(archive)


if __name__ == "__main__":
    main()
