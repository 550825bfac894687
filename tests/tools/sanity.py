# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run `ansible-test sanity` with every Python on this machine: `python -m tests.tools.sanity [--every-core]`.

ansible-test wants to stand in a directory named ansible_collections/strata/storage and follows no symbolic link to one,
so it works on a copy. It takes the Pythons that it finds on PATH. One that it cannot use costs no more than a warning
and would leave its half of the checks out: here a Python that is there and was not used is an error.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.tools.checkout import CACHE, ROOT, mirror

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")  # that the collection supports
CORES = {  # that it supports, and what runs them
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.12", "3.13", "3.14"),
}
HOME = CACHE / "home"  # ansible-test keeps its virtual environments below the home directory
NOISE = re.compile(
    r"Running sanity test|Installing requirements|WARNING: (Reviewing previous|Using locale)|\s*$"
    # what pip says
    r"|\s*(Building wheel|Collecting|Created wheel|Downloading|Getting requirements|Installing build"
    r"|Installing collected|Looking in|Preparing metadata|Processing|Stored in|Successfully|Using cached|━)"
)


class Core(NamedTuple):
    """An ansible-core, and the Pythons that it tests modules with."""

    version: str
    bin: Path
    pythons: tuple[str, ...]


def find_pythons() -> dict[str, Path]:
    """Every Python on this machine that really runs; pyenv's own, and not the shims that stand in for them."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    places = [*os.get_exec_path(), *map(str, sorted(pyenv.glob("versions/*/bin"), reverse=True))]
    search = os.pathsep.join(
        place for place in places if not place.endswith("/shims") and not place.startswith(f"{ROOT}/")
    )
    found = {}
    for version in PYTHONS:
        path = shutil.which(f"python{version}", path=search)
        if path and subprocess.run([path, "-c", "import ssl, venv"], capture_output=True, check=False).returncode == 0:
            found[version] = Path(path).resolve()
    return found


def describe(directory: Path) -> Core:
    """Ask the ansible-core that is installed in a virtual environment."""
    program = (
        "from ansible.release import __version__ as version\n"
        "from ansible_test._util.target.common.constants import *\n"
        "print(version, *REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS)"
    )
    python = directory / "bin" / "python"
    version, *pythons = subprocess.check_output([python, "-c", program], text=True).split()
    return Core(version, directory / "bin", tuple(pythons))


def install_core(series: str, python: Path) -> Core:
    """Return an ansible-core of that series from a virtual environment of its own."""
    directory = CACHE / "cores" / series
    if not (directory / "ready").exists():
        print(f"installing ansible-core {series}", flush=True)
        subprocess.run([python, "-m", "venv", "--clear", directory], check=True)
        subprocess.run([directory / "bin" / "pip", "install", "-q", f"ansible-core~={series}.0"], check=True)
        (directory / "ready").touch()
    return describe(directory)


def seed_pip(core: Core) -> None:
    """Put the script that installs pip where ansible-test looks before it downloads it from a host of its own."""
    (source,) = core.bin.parent.glob("lib/python3.*/site-packages/ansible_test/_internal/python_requirements.py")
    for version in set(re.findall(r"\bpip='([\d.]+)'", source.read_text())):
        script = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        if script.exists():
            continue
        script.parent.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"pip=={version}"]
        subprocess.run(download, cwd=script.parent, check=True, capture_output=True)
        script.write_text(
            "import os, sys\n"
            f"sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'pip-{version}-py3-none-any.whl'))\n"
            "from pip._internal.cli.main import main\n"
            "options = [word for word in sys.argv[1:] if word not in ('--no-setuptools', '--no-wheel')]\n"
            "sys.exit(main(['install', '--upgrade', '--force-reinstall'] + options))\n"
        )


def prepare(found: dict[str, Path]) -> tuple[Path, Path]:
    """Return the copy of the checkout, and a directory with exactly the Pythons that were found."""
    tree = CACHE / "trees" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12] / "ansible_collections/strata/storage"
    tree.mkdir(parents=True, exist_ok=True)
    mirror(tree, keep="tests/output/")
    links = CACHE / "pythons"
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir()
    for version, path in found.items():
        (links / f"python{version}").symlink_to(path)
    for name in (".config/pip", ".pip"):  # how this user reaches the package index
        if (Path.home() / name).is_dir() and not (HOME / name).is_symlink():
            (HOME / name).parent.mkdir(parents=True, exist_ok=True)
            (HOME / name).symlink_to(Path.home() / name)
    return tree, links


def check(core: Core, found: dict[str, Path], tree: Path, links: Path) -> bool:
    """Run the sanity tests under one core; print its complaints, and which Pythons took part."""
    seed_pip(core)
    path = os.pathsep.join(map(str, (core.bin, links, "/usr/local/bin", "/usr/bin", "/bin", f"{sys.prefix}/bin")))
    done = subprocess.run(
        [core.bin / "ansible-test", "sanity", "--venv", "--color", "no"],
        cwd=tree,
        env={**os.environ, "HOME": str(HOME), "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    pythons = [python for python in PYTHONS if python in core.pythons]
    absent = [python for python in pythons if python not in found]
    announced = re.findall(r'Running sanity test "import" on Python (\S+)', done.stdout)
    ran = [python for python in pythons if python in announced]
    left_out = [python for python in pythons if python in found and python not in announced]
    expected = re.compile(rf"WARNING: Skipping .* on Python ({'|'.join(absent)}) because it could not be found")

    complaints = [line for line in done.stdout.splitlines() if not NOISE.match(line) and not expected.match(line)]
    complaints += [f"ERROR: ansible-test did not use Python {python}, which is {found[python]}" for python in left_out]
    summary = f"ansible-core {core.version} with Python {', '.join(ran) or 'none'}"
    if absent:
        summary += f"; not on this machine: Python {', '.join(absent)}"
    print("\n".join([*complaints, summary]), flush=True)
    skipped = any(line.startswith("WARNING: Skipping") for line in complaints)
    return done.returncode == 0 and not left_out and not skipped


def main() -> int:
    """Run with the pinned ansible-core, or with every one that the collection supports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every-core", action="store_true", help="not only the ansible-core of .venv")
    every = parser.parse_args().every_core
    found = find_pythons()
    HOME.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree, links = prepare(found)
        cores = [describe(Path(sys.prefix))]
        others = [series for series in CORES if every and not cores[0].version.startswith(f"{series}.")]
        for series in others:
            controllers = [found[version] for version in CORES[series] if version in found]
            if controllers:
                cores.append(install_core(series, controllers[0]))
            else:
                print(f"ansible-core {series}: not run, no Python on this machine can run it")
        results = [check(core, found, tree, links) for core in cores]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
