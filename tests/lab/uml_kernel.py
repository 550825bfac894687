# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel of User Mode Linux: Debian's package, fetched and verified by apt, unpacked into the cache.

Nothing is installed, and apt's own sources and lists are not touched.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from pathlib import Path

from .errors import LabError
from .image import ARCHITECTURE, cache_directory, cached, locked, progress, run

SUITE = "testing"
"""Debian's releases up to 13 have versions that die on processors with large registers (AVX-512, AMX)."""
MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PACKAGES = ("user-mode-linux", "libc6")
"""The program, and the C library that it needs: this host's may be an older one."""
PREFIX = "uml-kernel-"
MADE = "-2"
"""Behind the version of what is in the cache: another one for each way in which it is made."""
BENCHMARK = re.compile(rb"(\x48\x83[\xe8-\xef])\x10(?=[\x48-\x4f]\x39.\x79)", re.DOTALL)
"""jiffies minus 16, compared with what they were: the two loops of raid6_select_algo, and nothing else."""


class Kernel:
    """An unpacked kernel: the program `linux`, `config`, and its `modules`, all below one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def package_version(self) -> str:
        return self.directory.name.removeprefix(PREFIX).removesuffix(MADE)

    @property
    def version(self) -> str:
        """What `uname -r` says."""
        (found,) = (path.name for path in (self.directory / "modules").iterdir())
        return found


def find() -> Kernel | None:
    """Return the newest kernel in the cache."""
    found = [Kernel(path) for path in cache_directory().glob(f"{PREFIX}*{MADE}")]
    return max(
        found, key=lambda kernel: [int(part) for part in re.findall(r"\d+", kernel.package_version)], default=None
    )


def ensure() -> Kernel:
    """Return the newest kernel in the cache; fetch one if there is none. Raises LabError."""
    with locked(cache_directory() / ".uml-kernel.lock", "another process that fetches the kernel of User Mode Linux"):
        kernel = find()
        return kernel or fetch()


def fetch() -> Kernel:
    """Fetch the kernel that Debian has now. Raises LabError."""
    progress(f"fetching the kernel of User Mode Linux from Debian {SUITE} (38 MB)")
    if not KEYRING.exists():
        raise LabError(f"{KEYRING} is missing; the host needs the packages in {Path(__file__).parent / 'packages.txt'}")
    scratch = cache_directory() / ".uml-kernel"
    shutil.rmtree(scratch, ignore_errors=True)
    for part in ("lists/partial", "archives/partial", "packages"):
        (scratch / part).mkdir(parents=True)
    log = scratch / "log"
    mirror = os.environ.get("LAB_MIRROR") or MIRROR
    (scratch / "sources.list").write_text(f"deb [signed-by={KEYRING} arch={ARCHITECTURE}] {mirror} {SUITE} main\n")
    settings = {
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Languages": "none",
        "APT::Architecture": ARCHITECTURE,
        "APT::Sandbox::User": "",
        "APT::Update::Post-Invoke-Success": "",
        "Dir::Cache": str(scratch),
        "Dir::Etc::SourceList": str(scratch / "sources.list"),
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": str(scratch / "lists"),
        "Dir::State::Status": "/dev/null",
    }
    apt = ["apt-get", "-qq", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
    run([*apt, "update"], log, scratch)
    run([*apt, "download", *PACKAGES], log, scratch / "packages")
    packages = {path.name.partition("_")[0]: path for path in (scratch / "packages").glob("*.deb")}
    version = packages[PACKAGES[0]].name.split("_")[1]

    def unpack(directory: Path) -> None:
        tree = scratch / "tree"
        for name in PACKAGES:
            run(["dpkg-deb", "--extract", str(packages[name]), str(tree)], log, scratch)
        shutil.copytree(tree / "usr/lib/uml/modules", directory / "modules")
        shutil.copytree(tree / "usr/lib/x86_64-linux-gnu", directory / "lib", ignore=shutil.ignore_patterns("gconv"))
        program = (tree / "usr/bin/linux.uml").read_bytes()
        (directory / "linux").write_bytes(with_a_short_benchmark(program))
        (directory / "linux").chmod(0o755)
        (directory / "config").write_bytes(
            gzip.decompress((tree / "usr/share/doc/user-mode-linux/config.gz").read_bytes())
        )
        # Below its final name: the program executes itself again, so that it cannot be started through its loader.
        library = cache_directory() / f"{PREFIX}{version}{MADE}" / "lib"
        loader = ["--set-interpreter", str(library / "ld-linux-x86-64.so.2"), "--set-rpath", str(library)]
        run(["patchelf", *loader, str(directory / "linux")], log, scratch)

    directory = cached(f"{PREFIX}{version}{MADE}", unpack)
    shutil.rmtree(scratch)
    return Kernel(directory)


def with_a_short_benchmark(program: bytes) -> bytes:
    """Have the kernel choose its RAID 6 algorithm in a tenth of a second, instead of nine: a quarter of all of a boot.

    It measures each for 16 ticks of its clock, and now for one. A program that looks otherwise stays as it is.
    """
    found = len(BENCHMARK.findall(program))
    return BENCHMARK.sub(lambda match: match[1] + b"\1", program) if found == 2 else program
