# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan reads like."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.plan import (
    Command,
    Edit,
    MakeDirectory,
    Plan,
    Step,
    Wait,
    Write,
    both,
    dump_steps,
    kernel_name,
    new_uuid,
    placeholder,
)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (Command(("mdadm", "--stop", "/dev/md0")), "mdadm --stop /dev/md0"),
        (Write("/sys/x", "1"), "echo 1 > /sys/x"),
        (Edit("/etc/fstab", "a\nb\n", "b\nc\n"), "edit /etc/fstab: -a +c"),
        (Edit("/etc/fstab", None, "a\n"), "edit /etc/fstab: +a"),
        (MakeDirectory("/srv"), "mkdir -p /srv"),
        (Wait("/dev/md0"), "wait for /dev/md0"),
        (Wait("/sys/state", ("clean", "dirty")), "wait for /sys/state to be clean or dirty"),
        (Wait("/sys/md", gone=True), "wait until /sys/md is gone"),
    ],
)
def test_action_as_a_sentence(action: Any, sentence: str) -> None:
    assert str(action) == sentence


def test_step_as_a_module_returns_it() -> None:
    step = Step(
        "wipe",
        "device",
        "/dev/sdb",
        "an ext4 filesystem",
        (Command(("wipefs", "/dev/sdb")),),
        destroys=("/dev/sdb: an ext4 filesystem",),
    )
    assert str(step) == "wipe device /dev/sdb: an ext4 filesystem"
    assert dump_steps((step,)) == [
        {
            "action": "wipe",
            "kind": "device",
            "name": "/dev/sdb",
            "detail": "an ext4 filesystem",
            "commands": ["wipefs /dev/sdb"],
            "destroys": ["/dev/sdb: an ext4 filesystem"],
        }
    ]


def test_placeholders_hold_no_white_space() -> None:
    names = (placeholder("filesystem-uuid", "/dev/data/srv"), new_uuid("raid/md0"), kernel_name("/dev/md/data"))
    assert names == ("<filesystem-uuid:/dev/data/srv>", "<uuid:raid/md0>", "<kernel-name:/dev/md/data>")
    assert not any(c.isspace() for name in names for c in name)


def test_one_plan_after_the_other() -> None:
    first = Plan((), 1, ("a",), ("b",), ("c",), ("d",), ("e",))
    second = Plan((), 2, ("f",), ("g",), ("c", "h"), ("i",), ("j",))
    assert both(first, second) == Plan((), 2, ("a", "f"), ("b", "g"), ("c", "h"), ("d", "i"), ("e", "j"))
