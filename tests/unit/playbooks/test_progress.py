# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller makes of what a module tells of itself."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ansible_collections.strata.storage.plugins.action import cinder_volume
from ansible_collections.strata.storage.plugins.plugin_utils.progress import Lines, Told
from tests.tools.checkout import ROOT


def line(room: int = 0, **told: Any) -> str:
    found = Told.parse(json.dumps(told))
    assert found is not None
    return found.line(room)


def test_lines() -> None:
    assert line(what="md0: resync", percent=42.5, speed=180 << 20, eta_seconds=180) == (
        "md0: resync 42.5 %, 180 MiB/s, 3 min left"
    )
    assert line(what="create raid md0", step=2, steps=7, percent=None) == "step 2 of 7: create raid md0"
    assert line(what="move from /dev/sdb", step=1, steps=3, percent=0) == "step 1 of 3: move from /dev/sdb 0.0 %"
    assert line(room=42, what="md0: resync", percent=42.5) == "md0: resync [########............] 42.5 %"
    assert line(room=30, what="md0: resync", percent=42.5) == "md0: resync [###.....] 42.5 %"
    assert line(room=29, what="md0: resync", percent=42.5) == "md0: resync 42.5 %"
    assert line(what="md0: resync", percent=99.9, eta_seconds=0) == "md0: resync 99.9 %"


def test_the_bar_of_a_narrow_terminal_keeps_its_width_as_numbers_get_longer() -> None:
    room = 79 - len("web1 | raid | ")
    assert line(room=room, what="md0: recover", percent=0, speed=7886340, eta_seconds=100) == (
        "md0: recover [.................] 0.0 %, 7.52 MiB/s, 2 min left"
    )
    assert line(room=room, what="md0: recover", percent=37.5, speed=54945382, eta_seconds=2900) == (
        "md0: recover [######...........] 37.5 %, 52.4 MiB/s, 49 min left"
    )
    assert line(room=room, what="md0: recover", percent=100, speed=54945382) == (
        "md0: recover [####################] 100.0 %, 52.4 MiB/s"
    )


def test_each_module_that_plans_is_shown_as_it_goes_on_and_headed_by_the_host_of_the_inventory() -> None:
    plans = {
        path.stem
        for path in (ROOT / "plugins/modules").glob("*.py")
        if re.search(r'^RETURN = r"""\n(?:.*\n)*?plan:$', path.read_text(), re.M)
    }
    assert {"raid", "rbd_map", "rbd_pool"} < plans
    # It plans for a machine that is given, and changes nothing.
    plans.remove("maas_layout_script")
    assert plans <= {path.stem for path in (ROOT / "plugins/action").glob("*.py")}


@pytest.mark.parametrize(
    "text",
    ["", "cat: no such file", "{", "[]", "{}", '{"what": "a", "percent": "x"}', '{"what": "a", "steps": 2}'],
)
def test_anything_else_is_no_line(text: str) -> None:
    assert Told.parse(text) is None


def test_a_host_cannot_move_the_cursor_nor_say_more_than_a_line() -> None:
    told = Told.parse(
        '{"what": "\\u001b[2Jmd0\\n' + "x" * 999 + '", "percent": NaN, "speed": -1, "eta_seconds": 1e300}'
    )
    assert told is not None
    assert told.line().startswith("\\x1b[2Jmd0\\nxxx")
    assert len(told.line()) == 160
    assert (told.percent, told.speed, told.eta_seconds) == (None, None, None)


def test_no_flood() -> None:
    lines = Lines()
    near = Told("md0: resync", 1.0)
    assert lines.due(near, 5)
    assert not lines.due(near, 500), "it is where it was"
    assert not lines.due(near._replace(percent=10.9), 500)
    assert lines.due(near._replace(percent=11.0), 500)
    assert not lines.due(near._replace(percent=90.0), 529), "too soon"
    assert not lines.due(Told("md1: resync", 1.0), 529), "too soon"
    assert lines.due(Told("md1: resync", 1.0), 530)


def test_a_plan_is_headed_by_its_host_also_where_the_module_names_none() -> None:
    shown = cinder_volume.ActionModule.__new__(cinder_volume.ActionModule)
    shown._task = cast("Any", SimpleNamespace)(get_name=lambda: "A volume")
    step = {"action": "create", "kind": "volume", "name": "db", "detail": "1 GiB", "destroys": []}
    diff = [{"prepared": "Plan: 1 step, nothing destroyed\n"}, {"before": "", "after": "x"}]
    shown._name({"plan": [step], "diff": diff}, "web1")
    assert diff[0]["prepared"].startswith("web1: 1 step, nothing destroyed\n")
    assert diff[1]["after_header"] == "web1: after 'A volume' (1 step)"
