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
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.shapes import shapes
from ansible_collections.strata.storage.plugins.filter.variables_file import variables_file
from ansible_collections.strata.storage.plugins.module_utils.document.document import SECTIONS
from tests.hostile import TEXTS
from tests.tools.checkout import ROOT as CHECKOUT

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


def test_all_sections_that_are_read_are_planned() -> None:
    (play,) = yaml.safe_load((CHECKOUT / "playbooks/adopt.yml").read_text())
    (planned,) = (words for task in play["tasks"] if (words := task.get("strata.storage.layout")))
    assert tuple(planned) == SECTIONS


@pytest.mark.parametrize(
    ("inventory", "words", "said"),
    [
        ("node,", {}, "The inventory is no file that it could be written beside. Set storage_directory"),
        ("node,", {"storage_directory": ""}, "Set storage_directory"),
        (".node,", {"storage_directory": "/nowhere"}, "The name of a host must not hold a slash"),
    ],
)
def test_where_the_files_go_is_known_before_anything_is_read(
    inventory: str, words: dict[str, Any], said: str, tmp_path: Path
) -> None:
    given = {"storage_hosts": "all", "ansible_connection": "local", **words}
    command = ["ansible-playbook", "-i", inventory, "playbooks/adopt.yml", "--extra-vars", json.dumps(given)]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stdout, done.stdout
    assert "ok=0" in done.stdout
