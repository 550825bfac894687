# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of BSUd: what it becomes, and what is refused of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.bsud_drives import bsud_drives
from ansible_collections.strata.storage.plugins.module_utils.volumes.policy import Policy, parse

AUTHENTICATION = {"access-key": "KEY", "secret-key": "SECRET"}
FULL = {
    "name": "example",
    "target": "offline",
    "mount-path": "/mnt/example",
    "disk-type": "io1",
    "disk-iops-per-gib": 50,
    "max-total-size-gib": 500,
    "initial-size-gib": 20,
    "max-bsu-count": 5,
    "max-used-space-perc": 80,
    "min-used-space-perc": 30,
    "disk-scale-factor-perc": 10,
}
LEAST = {"name": "data", "mount-path": "/data"}


def drives(*items: Any) -> list[dict[str, Any]]:
    return bsud_drives({"authentication": AUTHENTICATION, "drives": list(items)})


def test_each_word_has_its_place() -> None:
    assert drives(FULL) == [
        {
            "name": "example",
            "state": "offline",
            "mount_point": "/mnt/example",
            "policy": {
                "volume_type": "io1",
                "iops_per_gib": 50,
                "max_total_size": "500G",
                "initial_size": "20G",
                "max_volumes": 5,
                "grow_above": "80%",
                "shrink_below": "30%",
                "scale_factor": "10%",
            },
        }
    ]


def test_what_is_left_out_is_what_bsud_has() -> None:
    (drive,) = drives(LEAST)
    assert (drive["state"], drive["policy"]) == ("online", {"volume_type": "gp2"})
    assert parse(drive["policy"]) == Policy(volume_type="gp2")
    assert drives({**LEAST, "disk-type": "io1"})[0]["policy"] == {"volume_type": "io1", "iops_per_gib": 100}
    assert drives({**LEAST, "disk-iops-per-gib": 30})[0]["policy"] == {"volume_type": "gp2"}


def test_credentials_are_not_returned() -> None:
    assert "SECRET" not in str(drives(FULL))
    assert bsud_drives({"authentication": None, "drives": [LEAST]}) == drives(LEAST)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({**LEAST, "max-bsu-cout": 3}, "number 1: BSUd has no key max-bsu-cout. Did you mean max-bsu-count?"),
        ({**LEAST, "colour": 3}, "BSUd has no key colour; it has name, target, mount-path"),
        ({**LEAST, "target": "onlin"}, "drives: data: target is 'onlin'; .*Did you mean online"),
        ({**LEAST, "target": "delete"}, "data: target is delete, and a migration keeps all data. Nothing was done"),
        ({**LEAST, "disk-type": "gp9"}, "disk-type is 'gp9'; it must be one of standard, gp2, io1"),
        ({**LEAST, "mount-path": "data"}, "mount-path is 'data', and must be an absolute path"),
        ({"name": "data"}, "mount-path is None"),
        ({"mount-path": "/data"}, "number 1: it has no name"),
        ({**LEAST, "name": "a/b"}, "no slash"),
        ({**LEAST, "max-used-space-perc": 185}, "max-used-space-perc is 185; it must be a whole number from 0 to 100"),
        ({**LEAST, "initial-size-gib": "10"}, "initial-size-gib is '10'; it must be a whole number, not less than 0"),
        ({**LEAST, "max-bsu-count": True}, "max-bsu-count is True"),
        ("data", "number 1: it is no JSON object"),
    ],
)
def test_what_bsud_does_not_have_is_refused(item: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        drives(item)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ([], "the configuration: it is no JSON object"),
        ({"drive": [LEAST]}, "the configuration: BSUd has no key drive. Did you mean drives"),
        (
            {"authentication": {"acces-key": ""}, "drives": [LEAST]},
            "authentication: BSUd has no key acces-key. Did you mean access-key",
        ),
        ({"drives": []}, "drives: there is none"),
        ({"drives": [LEAST, LEAST]}, "data is there twice"),
    ],
)
def test_a_configuration_that_is_none_is_refused(config: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        bsud_drives(config)
