# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers of other releases: the same playbooks, and nothing that a later release takes away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab import Guest, Lab
from tests.tools import sanity

from .test_ansible import ansible

WARNED = ("[DEPRECATION WARNING]", "[WARNING]: Deprecat")


def releases() -> dict[str, Path]:
    """Those that a Python of this machine runs, the newest first, each with the newest such Python."""
    found = sanity.find_pythons()
    runs = {series: [found[one] for one in pythons if one in found] for series, pythons in sanity.CORES.items()}
    return {series: pythons[-1] for series, pythons in reversed(runs.items()) if pythons}


PYTHONS = releases()


@pytest.mark.further
@pytest.mark.first_case
@pytest.mark.parametrize("series", PYTHONS)
def test_no_release_warns_of_what_is_deprecated(lab: Lab, guest: Guest, series: str, tmp_path: Path) -> None:
    """Roles, action plugins, filters and the callback; what is done, what is read, and what is refused."""
    core = sanity.install_core(series, PYTHONS[series])
    drive = {"name": "data", "devices": ["md0"], "filesystem": "xfs", "mount_point": "/srv"}
    mirror = {"name": "md0", "level": "1", "devices": [guest.disk("HDD1"), guest.disk("HDD2")]}
    words = {
        "storage_hosts": "lab",
        "storage_layout": {"raids": [mirror], "drives": [drive]},
        "storage_packages": False,
        "storage_directory": str(tmp_path),
    }

    def run(playbook: str, *arguments: str, fails: bool = False) -> str:
        given = (f"playbooks/{playbook}.yml", "--diff", "--extra-vars", json.dumps(words), *arguments)
        said = ansible(
            lab,
            str(core.bin / "ansible-playbook"),
            *given,
            fails=fails,
            ANSIBLE_DEPRECATION_WARNINGS="1",
            ANSIBLE_STDOUT_CALLBACK="strata.storage.plan",
        )
        assert not any(text in said for text in WARNED), said
        return said

    assert "1 host to change or changed" in run("layout")
    run("adopt")
    assert (tmp_path / "host_vars/lab/storage.yml").exists()
    words["storage_layout"] = {"raids": [{**mirror, "level": "9"}]}
    run("layout", "--check", fails=True)
