# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has an RBD image open. All else is tested on a real cluster: ``tests/integration/test_rbd_volumes.py``."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused
from ansible_collections.strata.storage.plugins.module_utils.volumes.drive import choose, parse, plan
from ansible_collections.strata.storage.plugins.module_utils.volumes.rbd import holder
from ansible_collections.strata.storage.plugins.module_utils.volumes.state import Cloud, Limits, Volume

HERE = socket.gethostname()
OWN, FOREIGN = "127.0.0.1:0/17", "198.51.100.7:0/17"


@pytest.mark.parametrize(
    ("device", "own", "watchers", "told"),
    [
        ("", "", [], ("", "")),
        ("/dev/rbd0", OWN, [OWN], (HERE, "attached")),
        # Before the power went, this host was another client, which the cluster still has.
        ("", "", [OWN], (HERE, "detaching")),
        ("", "", ["[::1]:0/17"], (HERE, "detaching")),
        ("/dev/rbd0", OWN, [OWN, "127.0.0.1:0/16"], (HERE, "attached")),
        ("", "", [FOREIGN], (FOREIGN, "attached")),
        ("/dev/rbd0", OWN, [OWN, FOREIGN], (FOREIGN, "attached")),
        ("", "", ["[2001:db8::7]:0/17"], ("[2001:db8::7]:0/17", "attached")),
    ],
)
def test_who_has_an_image_open(device: str, own: str, watchers: list[str], told: tuple[str, str]) -> None:
    assert holder(device, own, watchers) == told


def test_an_image_that_is_open_elsewhere_is_refused() -> None:
    machine, link = holder("", "", [FOREIGN])
    volume = Volume("rbd/one", 10 << 30, machine=machine, link=link)
    cloud = Cloud("data", HERE, "", (volume,), (), Limits())
    want = parse({"name": "data"})
    with pytest.raises(Refused, match=f"rbd/one is attached to {FOREIGN}, and not to {HERE}"):
        plan(cloud, want, choose(cloud, want, 0.0))
