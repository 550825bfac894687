# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that adopt.yml writes files and compares hosts with."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.shapes import shapes
from ansible_collections.strata.storage.plugins.filter.variables_file import variables_file
from tests.hostile import TEXTS

HOSTILE = [*TEXTS, "two\nlines\n"]


def test_texts_come_back_as_they_were_and_none_runs(tmp_path: Path) -> None:
    """Through Ansible itself, as a variable of a host."""
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "hosts").write_text(
        "node ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
    )
    more = {"none": None, "size": 1 << 40, "on": True}
    written = variables_file({"texts": HOSTILE, "more": more}, ["a", "b\nc", *HOSTILE])
    assert written.startswith("# a\n# b\n# c\n")
    (tmp_path / "host_vars/node.yml").write_text(written)
    out = tmp_path / "out.json"
    task = {"ansible.builtin.copy": {"content": "{{ [texts, more] | to_json }}", "dest": str(out)}}
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "node", "gather_facts": False, "tasks": [task]}]))
    command = ["ansible-playbook", "-i", str(tmp_path / "hosts"), str(tmp_path / "play.yml")]
    done = subprocess.run(
        command, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(out.read_text()) == [HOSTILE, {"none": None, "size": 1 << 40, "on": True}]


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="takes variables by name"):
        variables_file(["a"])
    with pytest.raises(AnsibleFilterError, match="cannot represent"):
        variables_file({"a": object()})


def document(disks: int = 2, level: str = "1", uuid: str = "a", **drive: Any) -> dict[str, Any]:
    return {
        "raids": [
            {
                "name": "md0",
                "level": level,
                "devices": [f"/dev/disk/by-id/ata-{uuid}{disk}-part1" for disk in range(disks)],
                "uuid": uuid,
            }
        ],
        "drives": [{"name": "data", "devices": ["md0"], "volumes": [{"name": "srv", "mount_point": "/srv", **drive}]}],
    }


def test_hosts_that_are_built_alike() -> None:
    found = shapes(
        {
            "nas1": document(uuid="a"),
            "nas2": document(uuid="b"),
            "nas3": document(3, "5", "c", filesystem="xfs"),
            "nas4": {"raids": []},
        }
    )
    assert found == [
        {"hosts": ["nas1", "nas2"], "differs": []},
        {
            "hosts": ["nas3"],
            "differs": [
                "raids md0: level is 5 instead of 1",
                "raids md0: devices is 3 × partition 1 of a disk instead of 2 × partition 1 of a disk",
                "drives data srv: filesystem is xfs instead of not set",
            ],
        },
        {"hosts": ["nas4"], "differs": ["raids md0: not here", "drives data: not here", "drives data srv: not here"]},
    ]


def test_items_without_names_are_told_apart() -> None:
    disks = [{"device": f"/dev/disk/by-id/ata-{number}", "type": kind} for number, kind in enumerate(("ext4", "xfs"))]
    (_common, other) = shapes({"a": {"filesystems": disks[:1]}, "b": {"filesystems": disks}})
    assert other == {"hosts": ["b"], "differs": ["filesystems a disk (2): only here"]}


def test_no_hosts_and_no_documents() -> None:
    assert shapes({}) == []
    with pytest.raises(AnsibleFilterError, match="documents by the names of hosts"):
        shapes({"a": []})


@pytest.mark.parametrize("text", TEXTS)
def test_differences_are_lines_of_text(text: str) -> None:
    """They go to a terminal."""
    found = {host: {"drives": [{"name": text, "label": f"{text}{host}"}]} for host in ("a", "b")}
    for shape in shapes(found):
        assert all(line.isprintable() for line in shape["differs"])
