# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group and mode of what is mounted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Command, Plan
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import Use, parse
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount import plan as mount
from ansible_collections.strata.storage.plugins.module_utils.host.mount.access import is_account, read_access
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Access, Mount

from ..hosts import a_host, disk, outline

DEVICE = "/dev/dm-0"
TARGET = mount.Target("volume", "data/srv", DEVICE, DEVICE, "xfs", ("UUID=1234",))
LINE = "UUID=1234 /srv xfs defaults,nofail,x-systemd.device-timeout=300s 0 0\n"
ROOTS = Access(("0", "root"), ("0", "root"), 0o755)
KNOWN = {"user www-data": True, "group www-data": True, "user nobody-here": False}
WANTED: dict[str, Any] = {"mount_owner": "www-data", "mount_group": "www-data", "mount_mode": 0o2775}


def host(mounted: bool = True, **more: Any) -> Host:
    return a_host(
        disk(DEVICE),
        **{
            "files": {FSTAB: LINE if mounted else ""},
            "mounts": (Mount(DEVICE, "/srv", "xfs", "rw,relatime"),) if mounted else (),
            "directories": {"/srv": True},
            "accesses": {"/srv": ROOTS} if mounted else {},
            "accounts": KNOWN,
            **more,
        },
    )


def planned(state: Host, target: mount.Target = TARGET, **words: Any) -> Plan:
    want = Use(**{"mount_point": "/srv", **words})
    plan = mount.mount(state, want, target)
    assert mount.mount(plan.after, want, target).steps == ()
    return plan


def test_a_new_mount_is_given_to_its_owner_once_it_is_mounted() -> None:
    plan = planned(host(mounted=False), **WANTED)
    assert outline(plan)[-2:] == ["mount volume data/srv", "set volume data/srv"]
    assert plan.steps[-1].detail == "/srv: owner www-data, group www-data, mode 2775"
    assert plan.steps[-1].actions == (
        Command(("chown", "www-data:www-data", "/srv")),
        Command(("chmod", "02775", "/srv")),
        Command(("sync", "/srv")),
    )


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        ({}, []),
        ({"mount_owner": "root"}, []),
        ({"mount_owner": "0", "mount_group": "root", "mount_mode": 0o755}, []),
        ({"mount_owner": "www-data"}, ["chown www-data /srv", "sync /srv"]),
        ({"mount_group": "www-data"}, ["chown :www-data /srv", "sync /srv"]),
        ({"mount_owner": "root", "mount_group": "33"}, ["chown :33 /srv", "sync /srv"]),
        ({"mount_mode": 0o700}, ["chmod 00700 /srv", "sync /srv"]),
    ],
)
def test_only_what_differs_is_set(words: dict[str, Any], commands: list[str]) -> None:
    assert [str(action) for step in planned(host(), **words).steps for action in step.actions] == commands


def test_the_mount_that_there_is_is_meant() -> None:
    assert outline(planned(host(), mount_point=None, mount_mode=0o700)) == ["set volume data/srv"]
    with pytest.raises(StorageError, match="mount_owner needs mount_point, since it is mounted nowhere"):
        planned(host(mounted=False), mount_point=None, mount_owner="root")


def test_what_is_asked_for_is_read() -> None:
    with pytest.raises(Unread, match="accesses /srv"):
        planned(host(accesses={}), mount_mode=0o755)
    with pytest.raises(Unread, match="accounts user www-data"):
        planned(host(accounts={}), mount_owner="www-data")
    dead = {("accesses", "/srv"): "Input/output error"}
    with pytest.raises(StorageError, match=r"/srv: its owner cannot be read \(Input/output error\)"):
        planned(host(accesses={}, unreadable=dead), mount_mode=0o755)


def test_what_cannot_be_given() -> None:
    missing: dict[str, Any] = {"mount_owner": "nobody-here"}
    said = "volume data/srv: mount_owner: this host has no user nobody-here; create it first, or say its number"
    with pytest.raises(StorageError, match=said):
        planned(host(), **missing)
    # A task before may be about to make it.
    assert planned(host(check_mode=True), **missing).steps
    with pytest.raises(StorageError, match="it is mounted read-only"):
        planned(host(), mount_options="ro", mount_mode=0o700)
    with pytest.raises(StorageError, match="vfat keeps no owner and no mode; say uid=, gid= and umask="):
        planned(host(mounted=False), TARGET._replace(type="vfat"), mount_owner="0")


def test_a_mount_that_waits_for_somebody_to_look_is_left_alone() -> None:
    waiting = host(mounts=(), virtual=(Mount("systemd-1", "/srv", "autofs", "rw"),), accesses={})
    assert planned(waiting, mount_owner="www-data").steps == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"mount_mode": 493}, r"mount_mode 493 is no mode; write it as three or four octal digits in quotes"),
        ({"mount_mode": "0789"}, "mount_mode '0789' is no mode"),
        ({"mount_mode": "u=rwx"}, "is no mode"),
        ({"mount_owner": ""}, "mount_owner '' is neither a name nor a number"),
        ({"mount_owner": "--reference=/etc/shadow"}, "is neither a name nor a number"),
        ({"mount_group": "a:b"}, "mount_group 'a:b' is neither"),
        ({"type": "swap", "mount_mode": "0700"}, "it is to be swap, which has no owner"),
        ({"mount_point": "", "mount_owner": "root"}, "mount_owner beside an empty mount_point"),
    ],
)
def test_words_that_mean_nothing(words: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse({"device": "sdb", **words})


def test_words_that_mean_something() -> None:
    use = parse({"device": "sdb", "mount_owner": "33", "mount_group": "DOM\\staff", "mount_mode": "755"}).use
    assert (use.mount_owner, use.mount_group, use.mount_mode) == ("33", "DOM\\staff", 0o755)


def test_what_a_directory_has(tmp_path: Path) -> None:
    tmp_path.chmod(0o2750)
    found = read_access(str(tmp_path))
    assert (found.owners[0], found.groups[0], found.mode) == (str(os.getuid()), str(os.getgid()), 0o2750)
    assert (is_account("user root"), is_account("group root"), is_account("user no-such-user")) == (True, True, False)
