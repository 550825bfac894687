# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run `ansible-test sanity`: `python -m tests.tools.sanity [SERIES …]`, every supported ansible-core if none is named.

ansible-test wants to stand in a directory named ansible_collections/strata/storage and follows no symbolic link to one,
so it works on a copy. It takes the Pythons that it finds on PATH. One that it cannot use costs no more than a warning
and would leave its half of the checks out: here each pair of CORES and REQUIRED has to have run, or it is an error.
With --ends, it is the newest core with the oldest and the newest Python here. With --lenient, pairs whose
Python is neither here nor to be had are named in lines that begin with NOT RUN.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.tools.checkout import CACHE, ROOT, mirror

REQUIRED = ("3.9", "3.10", "3.11", "3.12", "3.13")  # the Pythons that the modules run on, tested with each core
CORES = {  # that the collection supports, and what runs them
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13"),
    "2.21": ("3.12", "3.13"),
}
FETCH_SECONDS = 300
FETCHED = CACHE / "fetched-pythons"
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
    """The Pythons on this machine that really run; pyenv's and uv's own, and not the shims that stand in for them."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    kept = [*sorted(pyenv.glob("versions/*/bin"), reverse=True), *sorted(FETCHED.glob("*/bin"), reverse=True)]
    places = [*os.get_exec_path(), *map(str, kept)]
    search = os.pathsep.join(
        place for place in places if not place.endswith("/shims") and not place.startswith(f"{ROOT}/")
    )
    found = {}
    for version in REQUIRED:
        path = shutil.which(f"python{version}", path=search)
        if path and subprocess.run([path, "-c", "import ssl, venv"], capture_output=True, check=False).returncode == 0:
            found[version] = Path(path).resolve()
    return found


def have_pythons(lenient: bool) -> dict[str, Path]:
    """All that are required, or all that can be had; those that this machine lacks are fetched by uv."""
    found = find_pythons()
    missing = [version for version in REQUIRED if version not in found]
    if missing:
        print(f"fetching Python {', '.join(missing)}, which ansible-test runs the modules with", flush=True)
        with tempfile.TemporaryDirectory() as uv:
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", uv, "uv"], check=not lenient)
            fetch = [f"{uv}/bin/uv", "python", "install", "--no-bin", f"--install-dir={FETCHED}", *missing]
            # Where it has to ask a host that does not answer, or that it finds no address of, it would try for minutes.
            environment = {**os.environ, "UV_HTTP_RETRIES": "1"}
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(fetch, check=False, timeout=FETCH_SECONDS, env=environment)
        found = find_pythons()
        missing = [version for version in REQUIRED if version not in found]
    if missing and not lenient:
        raise SystemExit(
            f"these Pythons are missing, and cannot be fetched: {', '.join(missing)}. "
            "Put them on PATH, or into pyenv, and run this again"
        )
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
    # They are half of all lines, nobody imports them from the collection, and ruff and mypy have their say on them.
    for test in (tree / "tests").rglob("*.py"):
        test.unlink()
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
    # Its scripts run in that directory, and would import what else is there.
    scratch = HOME / "tmp"
    scratch.mkdir(exist_ok=True)
    path = os.pathsep.join(map(str, (core.bin, links, "/usr/local/bin", "/usr/bin", "/bin", f"{sys.prefix}/bin")))
    # Its test of the changelog does what lint's own does, and fails at what a library says while it is compiled.
    less = ("--skip-test", "changelog")
    done = subprocess.run(
        [core.bin / "ansible-test", "sanity", "--venv", "--color", "no", *less],
        cwd=tree,
        env={**os.environ, "HOME": str(HOME), "PATH": path, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    announced = re.findall(r'Running sanity test "import" on Python (\S+)', done.stdout)
    ran = [python for python in found if python in announced]
    left_out = [python for python in found if python not in announced]
    more = [python for python in core.pythons if python not in found]
    expected = re.compile(rf"WARNING: Skipping .* on Python ({'|'.join(more)}) because it could not be found")

    complaints = [line for line in done.stdout.splitlines() if not NOISE.match(line) and not expected.match(line)]
    complaints += [f"ERROR: ansible-test did not use Python {python}, which is {found[python]}" for python in left_out]
    summary = f"ansible-core {core.version} with Python {', '.join(ran) or 'none'}"
    if more:
        summary += f"; not tested: Python {', '.join(more)}"
    print("\n".join([*complaints, summary]), flush=True)
    skipped = any(line.startswith("WARNING: Skipping") for line in complaints)
    return done.returncode == 0 and not left_out and not skipped


def main() -> int:
    """Run with the ansible-core series that are named, or with all; 1 if a pair did not pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="*", help=f"only these: {', '.join(CORES)}")
    parser.add_argument("--pythons", action="store_true", help="only have the required Pythons here")
    parser.add_argument(
        "--ends",
        action="store_true",
        help="only the newest ansible-core that a Python here runs, with the oldest and the newest Python",
    )
    parser.add_argument("--lenient", action="store_true", help="a Python that cannot be had is no error")
    given = parser.parse_args()
    if unknown := sorted(set(given.series) - CORES.keys()):
        parser.error(f"no such ansible-core: {', '.join(unknown)}")
    HOME.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = have_pythons(given.lenient)
        wanted = given.series or list(CORES)
        runs = {series: next((found[one] for one in CORES[series] if one in found), None) for series in wanted}
        if given.ends:
            here = [series for series, python in runs.items() if python] or list(runs)
            runs = {here[-1]: runs[here[-1]]}
        for line in not_run(found, runs):
            print(line, flush=True)
        if given.pythons:
            return 0
        if given.ends:
            here = [version for version in REQUIRED if version in found]
            found = {version: found[version] for version in (*here[:1], *here[-1:])}
        tree, links = prepare(found)
        own = describe(Path(sys.prefix))
        cores = [
            own if own.version.startswith(f"{series}.") else install_core(series, python)
            for series, python in runs.items()
            if python
        ]
        results = [check(core, found, tree, links) for core in cores]
    return 0 if all(results) else 1


def not_run(found: dict[str, Path], runs: dict[str, Path | None]) -> list[str]:
    """Say which pairs of an ansible-core and a Python are left out."""
    missing = ", ".join(version for version in REQUIRED if version not in found)
    cores = ", ".join(series for series, python in runs.items() if python is None)
    lines = []
    if missing:
        lines.append(f"NOT RUN: ansible-test sanity on Python {missing}: not here, and not to be had")
    if cores:
        lines.append(f"NOT RUN: ansible-test sanity of ansible-core {cores}: none of its Pythons is here")
    return lines


if __name__ == "__main__":
    sys.exit(main())
