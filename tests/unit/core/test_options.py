# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say to options that do not fit: real modules, which stop before they look at anything."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from ansible.module_utils import basic

from ansible_collections.strata.storage.plugins.modules import layout


def said(module: str, **options: Any) -> str:
    """What a module says that fails."""
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.strata.storage.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(done.stdout)
    assert result["failed"]
    return str(result["msg"])


def test_all_errors_of_a_document_at_once_each_with_its_item() -> None:
    found = said(
        "layout",
        disks=[{"name": "slow", "count": "two"}, {"name": "fast"}],
        raids=[
            {"name": "md0", "levl": "1", "devices": ["sda"], "chunk_size": "5X"},
            {"name": "md1", "level": "7"},
            {"name": "md2", "chunk_size": "5X"},
            {"level": "1"},
            {"name": "md3", "level": "1"},
        ],
        drives=[
            {"name": "data", "volumes": [{"name": "a", "filesystem": "xsf"}, {"name": "b", "filesystm": "xfs"}]},
            {"name": "more", "volumes": [{"name": "c", "size": "0%"}, {"name": "d", "mount_point": "srv"}]},
        ],
    ).splitlines()
    # The rest of that is Ansible's, and another text in each of its versions.
    assert found.pop(1).startswith("disks[0] slow: argument 'count' is of type ")
    assert found == [
        "10 errors:",
        "raids[0] md0: levl is no option. Did you mean level?",
        "raids[1] md1: value of level must be one of: 0, 1, 4, 5, 6, 10, got: 7",
        "raids[3]: missing required arguments: name",
        "drives[0] data: volumes[0] a: value of filesystem must be one of: btrfs, ext2, ext3, ext4, f2fs, swap, vfat, "
        "xfs, none, got: xsf. Did you mean xfs?",
        "drives[0] data: volumes[1] b: filesystm is no option. Did you mean filesystem?",
        # Those of items that fit the argument spec.
        "disks[1] fast: say what they are: serial, wwn, model, rotational, min_size, max_size, transport",
        "raids[2] md2: chunk_size: '5X' is not a size; write bytes, 10G or 10GiB (1024-based), 10GB (1000-based) or "
        "50%",
        "drives[1] more: volumes[0] c: size: 0% is no share; it has to be more than 0%, and at most 100%",
        "drives[1] more: volumes[1] d: mount_point 'srv' is not an absolute path",
    ]


def test_a_module_that_takes_no_options_says_so() -> None:
    assert said("layout_info", gather="health") == "gather is no option; there are none"


def test_items_with_errors_are_not_missed_by_others() -> None:
    """What refers to them is right; two of one name are wrong all the same."""
    words: dict[str, Any] = {
        "raids": [{"name": "md0", "levl": "1"}, {"name": "md1", "level": "1"}, {"name": "md1", "level": "1"}],
        "drives": [{"name": "data", "devices": ["md0"]}, {"name": "more", "volumes": [{"name": "c", "size": "0"}]}],
    }
    assert said("layout", **words).splitlines()[1:] == [
        "raids[0] md0: levl is no option. Did you mean level?",
        "drives[1] more: volumes[0] c: size: 0 is not a positive size",
        "raids: md1 is named twice; make one item of both",
    ]


def test_the_only_error_of_what_fits_the_argument_spec_has_its_item() -> None:
    twice = {"name": "md1", "level": "1", "devices": ["sdb", "sdb"]}
    assert said("layout", raids=[{"name": "md0", "levl": "1"}, twice]).splitlines()[1:] == [
        "raids[0] md0: levl is no option. Did you mean level?",
        "raids[1] md1: sdb is named twice",
    ]


@pytest.mark.parametrize(
    ("module", "options", "expected"),
    [
        ("raid", {"name": "md0", "devises": ["sdb"]}, "devises is no option. Did you mean devices?"),
        ("raid", {"name": "md0", "level": "7"}, "value of level must be one of: 0, 1, 4, 5, 6, 10, got: 7"),
        (
            "raid",
            {"name": "md0", "state": "abset"},
            "value of state must be one of: present, stopped, absent, got: abset. Did you mean absent?",
        ),
        ("raid", {}, "missing required arguments: name"),
        ("raid", {"name": "md0", "zzz": 1}, "zzz is no option; there are allow_destroy, allow_shrink, "),
        ("bcache", {"name": "c", "cache_mode": "writebak"}, "Did you mean writeback?"),
        ("luks_device", {"name": "v", "pbkdf": {"memroy": 5}}, "pbkdf: memroy is no option. Did you mean memory?"),
        ("lvm_drive", {"name": "d", "volumes": [{"name": "a", "filesystem": "EXT4"}]}, "volumes[0] a: .* mean ext4?"),
        ("rbd_image", {"name": "a", "size": "1G", "feature": []}, "feature is no option. Did you mean features?"),
        ("rbd_images", {"images": [{"name": "a"}, {"name": "b", "sise": "1G"}]}, "images[1] b: sise .* mean size?"),
        ("rbd_map", {"image": "a", "stat": "absent"}, "stat is no option. Did you mean state?"),
        (
            "drive_volumes",
            {"name": "d", "provider": {"name": "awz"}},
            "provider: value of name must be one of: .* mean aws?",
        ),
        ("drive_volumes", {"name": "d", "policy": {"grow_abov": 1}}, "policy: grow_abov is no .* mean grow_above?"),
        ("cinder_volume", {"name": "d", "sizes": "1G"}, "sizes is no option. Did you mean size?"),
        (
            "maas_storage",
            {"raids": [{"name": "md0", "level": "4"}]},
            "raids[0] md0: value of level must be one of: 0, 1, 5",
        ),
        ("maas_storage", {"raids": [{"name": "md0", "chunk_sise": "4"}]}, "raids[0] md0: chunk_sise is no option"),
    ],
)
def test_the_word_that_was_meant(module: str, options: dict[str, Any], expected: str) -> None:
    first, *rest = expected.split(" .* ")
    text = said(module, **options)
    assert first in text
    assert all(part in text for part in rest)


@pytest.mark.parametrize(
    ("module", "options", "expected"),
    [
        ("rbd_image", {"name": "a", "features": "layering, exclusive-lok"}, "got: exclusive-lok. Did you mean exclus"),
        ("rbd_images", {"images": [{"name": "a", "features": "layering, locks"}]}, "got: locks"),
        ("cinder_backend_info", {"gather": "stats, volums"}, "got: volums. Did you mean volumes?"),
        ("raid", {"name": "md0", "devices": "sdb, sdb"}, "array md0: sdb is named twice"),
        ("layout", {"drives": [{"name": "d", "devices": "sdb , sdb"}]}, "drive d: sdb is named twice"),
        ("maas_storage", {"raids": [{"name": "a", "devices": "x, x"}, {"levl": 1}]}, "raids[0] a: x is named twice"),
    ],
)
def test_a_blank_after_a_comma_is_no_part_of_an_element(module: str, options: dict[str, Any], expected: str) -> None:
    assert expected in said(module, **options)


def test_errors_of_a_region_and_of_its_items_at_once() -> None:
    text = said(
        "maas_storage",
        raids=[{"name": "md0", "levl": "1"}, {"name": "md1", "devices": ["a", "a"]}],
        drives=[{"name": "d", "volumes": [{"name": "a", "state": "absent"}, {"name": "b", "size": "5X"}]}],
        filesystems=[{"device": "a", "typ": "xfs"}],
    )
    assert [line.partition(";")[0] for line in text.splitlines()[1:]] == [
        "raids[0] md0: levl is no option. Did you mean level?",
        "filesystems[0] a: typ is no option. Did you mean type?",
        "raids[1] md1: a is named twice",
        "drives[0] d: volumes[1] b: size: '5X' is not a size",
    ]


def test_a_secret_in_an_option_that_nobody_knows_is_not_repeated() -> None:
    assert "hunter2" not in said("luks_device", name="vault", pass_phrase="hunter2")


def test_no_error_of_the_options_is_kept_for_later() -> None:
    """A module that fits fails with its own words."""
    assert "is not an absolute path" in said("lvm_drive", name="data", mount_point="srv")


def test_a_linter_that_puts_a_class_of_its_own_in_place_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule ``args`` of ansible-lint calls a module's main, and relies on this to have nothing done."""

    class Stops(Exception):
        pass

    class Linters(basic.AnsibleModule):
        def __init__(self, *_args: Any, **_more: Any) -> None:
            raise Stops

    monkeypatch.setattr(basic, "AnsibleModule", Linters)
    with pytest.raises(Stops):
        layout.main()
