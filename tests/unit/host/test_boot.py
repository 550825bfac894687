# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps about its arrays for the next boot."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.plan import Edit
from ansible_collections.strata.storage.plugins.module_utils.host.boot import ArrayLine, array_lines, persist
from ansible_collections.strata.storage.plugins.module_utils.host.host import Boot, Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount

from .hosts import CONF, DEBIAN, OTHER, UUID, a_host, mdadm_line, run

HEAD = "# mdadm.conf\nHOMEHOST <system>\nMAILADDR root\n"
MD0 = mdadm_line("/dev/md0")
DATA = mdadm_line("/dev/md/data", OTHER)
KEEP = ArrayLine("/dev/md0", UUID)
IGNORE = ArrayLine("<ignore>", UUID)
NO_BOOT = Boot()
SYNC = run("sync", "--file-system", "/boot")


def keeping(text: str | None, boot: Boot = NO_BOOT) -> Host:
    return a_host(files={CONF: text}, boot=boot)


def become(text: str | None, line: ArrayLine | None, uuid: str = UUID) -> str | None:
    """The file after md0 was persisted by that line, and once more."""
    steps, host = persist(keeping(text), "md0", "/dev/md0", uuid, line, "so")
    after = host.files[CONF]
    assert [step.actions for step in steps] == ([] if after == text else [(Edit(CONF, text, after or ""),)])
    assert persist(host, "md0", "/dev/md0", uuid, line, "so") == ((), host)
    return after


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [
        pytest.param("", KEEP, MD0, id="new"),
        pytest.param(None, KEEP, MD0, id="no file"),
        pytest.param(HEAD + DATA, KEEP, HEAD + DATA + MD0, id="beside others"),
        pytest.param("MAILADDR root", KEEP, "MAILADDR root\n" + MD0, id="no end of line"),
        pytest.param(HEAD + MD0 + DATA, KEEP, HEAD + MD0 + DATA, id="there already"),
        pytest.param(MD0 + DATA + MD0, KEEP, MD0 + DATA, id="twice"),
        pytest.param(mdadm_line("/dev/md0", OTHER), KEEP, MD0, id="other UUID"),
        pytest.param(mdadm_line("/dev/md127"), KEEP, MD0, id="other device"),
        pytest.param(mdadm_line("<ignore>"), KEEP, MD0, id="was ignored"),
        pytest.param(MD0, IGNORE, mdadm_line("<ignore>"), id="ignored from now on"),
        pytest.param(HEAD + MD0 + DATA, None, HEAD + DATA, id="removed"),
        pytest.param(MD0 + mdadm_line("<ignore>"), None, "", id="removed twice"),
        pytest.param(None, None, None, id="nothing to remove, no file"),
        pytest.param(HEAD + DATA, None, HEAD + DATA, id="nothing to remove"),
        pytest.param(f"array /dev/md0 uuid={UUID.upper()}\n", KEEP, f"array /dev/md0 uuid={UUID.upper()}\n", id="case"),
        pytest.param("# " + MD0, KEEP, "# " + MD0 + MD0, id="commented out"),
        pytest.param(mdadm_line("/dev/md10", OTHER), None, mdadm_line("/dev/md10", OTHER), id="md10 is not md1"),
    ],
)
def test_the_array_line(before: str | None, line: ArrayLine | None, after: str | None) -> None:
    assert become(before, line) == after


@pytest.mark.parametrize(
    "entry",
    [
        f"ARRAY /dev/md0 metadata=1.2 name=host:0 UUID={UUID} spares=1 # mine\n",
        f"ARRAY /dev/md0 metadata=1.2\n   UUID={UUID}\n\tspares=1\n",
        f"ARRAY /dev/md0 # mine\n   UUID={UUID} spares=1\n",
    ],
)
def test_the_users_own_line_stays_where_it_says_the_same(entry: str) -> None:
    assert become(HEAD + entry + DATA, KEEP) == HEAD + entry + DATA


def test_an_entry_goes_with_its_continuation_lines() -> None:
    entry = f"ARRAY /dev/md0 metadata=1.2\n   UUID={UUID}\n\tspares=1\n"
    assert become(HEAD + entry + DATA, None) == HEAD + DATA


def test_an_entry_is_known_by_its_path_where_the_uuid_is_not_known() -> None:
    assert become(MD0 + DATA, None, uuid="") == DATA


def test_array_lines() -> None:
    text = HEAD + MD0 + f"ARRAY UUID={OTHER}\nARRAY <ignore> UUID={UUID}\nARRAY /dev/md5 name=x\n#{MD0}"
    assert array_lines(keeping(text)) == (
        KEEP,
        ArrayLine("", OTHER),
        IGNORE,
        ArrayLine("/dev/md5", ""),
    )
    assert array_lines(keeping(None)) == ()


@pytest.mark.parametrize(
    ("tool", "rebuild"),
    [
        ("update-initramfs", run("update-initramfs", "-u", "-k", "all", timeout=900)),
        ("dracut", run("dracut", "--force", "--regenerate-all", timeout=900)),
    ],
)
def test_the_initramfs_is_rebuilt_after_the_line_changed(tool: str, rebuild: object) -> None:
    steps, host = persist(keeping("", DEBIAN._replace(tool=tool)), "md0", "/dev/md0", UUID, KEEP, "so")
    assert [step.actions for step in steps] == [(Edit(CONF, "", MD0),), (rebuild, SYNC)]
    assert persist(host, "md0", "/dev/md0", UUID, KEEP, "so") == ((), host)


@pytest.mark.parametrize(
    ("boot", "rebuilds"),
    [
        pytest.param(Boot("update-initramfs", built=100.0, changed=200.0), 1, id="stale"),
        pytest.param(Boot("update-initramfs", built=200.0, changed=100.0), 0, id="fresh"),
        pytest.param(Boot("", built=100.0, changed=200.0), 0, id="none"),
    ],
)
def test_a_stale_initramfs_is_rebuilt_once(boot: Boot, rebuilds: int) -> None:
    steps, host = persist(keeping(MD0, boot), "md0", "/dev/md0", UUID, KEEP, "so")
    assert [step.verb for step in steps] == ["rebuild"] * rebuilds
    assert persist(host, "md0", "/dev/md0", UUID, KEEP, "so")[0] == ()


@pytest.mark.parametrize(("points", "device"), [(("/",), "/dev/sdb"), (("/", "/boot"), "/dev/sdc"), ((), None)])
def test_the_new_image_reaches_its_place_on_the_disk(points: tuple[str, ...], device: str | None) -> None:
    mounts = tuple(Mount(f"/dev/sd{letter}", point, "ext4", "rw") for letter, point in zip("bc", points))
    host = a_host(files={CONF: ""}, boot=DEBIAN, mounts=mounts)
    steps, _host = persist(host, "md0", "/dev/md0", UUID, KEEP, "known")
    assert steps[-1].flush == ((device,) if device else ())
