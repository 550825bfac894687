# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems that are mounted in several places, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import MakeDirectory, Plan
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import parse
from ansible_collections.strata.storage.plugins.module_utils.host.actions import DeleteSubvolume, MakeSubvolume, MountOn
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem import plan as planner
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem, Subvolume
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount import plan as mount
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB, Line, lines
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.pause import pause
from ansible_collections.strata.storage.plugins.module_utils.host.survey import document
from ansible_collections.strata.storage.plugins.module_utils.host.tree import tree

from ..hosts import GiB, a_host, commands, destroyed, disk, outline

SDB = "/dev/sdb"
UUID = "0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a"
OURS = "nofail,x-systemd.device-timeout=300s"
FOUND = Filesystem("btrfs", UUID, "", 10 * GiB)
SRV = Mount(SDB, "/srv", "btrfs", "rw,noatime", root="/@srv")
HOME = Mount(SDB, "/home", "btrfs", "rw,relatime", root="/@home")
WWW = Mount(SDB, "/var/www", "btrfs", "rw,relatime", part=True, root="/@srv/www")
LINES = (
    f"UUID={UUID} /srv btrfs subvol=/@srv,noatime,nofail 0 0\n"
    f"UUID={UUID} /home btrfs subvolid=257,nofail 0 0\n"
    "/srv/www /var/www none bind,nofail 0 0\n"
)
EXT4 = Filesystem("ext4", UUID, "", 10 * GiB)
PLAIN = Mount(SDB, "/srv", "ext4", "rw,relatime")
PART = Mount(SDB, "/var/www", "ext4", "rw,relatime", part=True, root="/www")


def a_btrfs(*mounts: Mount, fstab: str = "", found: Filesystem = FOUND, **more: Any) -> Host:
    return a_host(
        SDB,
        filesystems={SDB: found},
        contents={SDB: Content((Signature(found.type, UUID),))},
        mounts=mounts,
        files={FSTAB: fstab},
        directories={**dict.fromkeys(("/srv", "/home", "/var/www", "/again"), True), **more.pop("directories", {})},
        **more,
    )


def by_hand(**more: Any) -> Host:
    """Two subvolumes, one by its number, and a directory of one."""
    return a_btrfs(SRV, HOME, WWW, fstab=LINES, **more)


def plan(host: Host, allow: bool = False, **words: Any) -> Plan:
    want = parse({"device": "sdb", **words})
    made = planner.plan(host, want, allow)
    again = planner.plan(made.after, want, allow)
    assert again.steps == (), [str(step) for step in again.steps]
    return made


def refused(host: Host, said: str, allow: bool = False, **words: Any) -> None:
    with pytest.raises(StorageError, match=said):
        planner.plan(host, parse({"device": "sdb", **words}), allow)


def test_subvolumes_of_a_blank_device() -> None:
    blank = a_host(SDB, filesystems={SDB: None}, directories={"/srv": True, "/srv/home": None})
    wanted = [{"name": "/@home/", "mount_point": "/srv/home", "mount_options": "noatime"}, {"name": "@home/x"}]
    made = plan(blank, type="btrfs", mount_point="/srv", subvolumes=wanted)
    assert outline(made) == [
        "format filesystem /dev/sdb",
        "create subvolume @home of /dev/sdb",
        "create subvolume @home/x of /dev/sdb",
        "persist mount /dev/sdb",
        "mount filesystem /dev/sdb",
        "create directory /srv/home",
        "persist mount @home of /dev/sdb",
        "mount subvolume @home of /dev/sdb",
    ]
    assert made.steps[1].actions == (MakeSubvolume(SDB, "@home"),)
    assert lines(made.after.files[FSTAB])[1].options == f"noatime,subvol=@home,{OURS}"
    assert made.steps[-1].actions == (MountOn("btrfs", "noatime,subvol=@home", SDB, "/srv/home"),)


def test_what_is_mounted_is_not_asked_for() -> None:
    """An unchanged task reads nothing more of a btrfs."""
    subvolumes = [{"name": "@srv", "mount_point": "/srv"}, {"name": "@home", "mount_point": "/home"}]
    binds = [{"source": "/srv/www", "mount_point": "/var/www"}]
    assert plan(by_hand(), type="btrfs", subvolumes=subvolumes, bind_mounts=binds).steps == ()
    with pytest.raises(Unread, match="subvolumes"):
        planner.plan(by_hand(), parse({"device": "sdb", "subvolumes": [{"name": "new"}]}), False)


def test_what_was_gathered_changes_nothing() -> None:
    (item,) = document(by_hand(spaces={}))["filesystems"]
    assert item["subvolumes"] == [
        {"name": "@srv", "mount_point": "/srv", "mount_options": "noatime,nofail", "boot_required": False},
        {"name": "@home", "mount_point": "/home", "mount_options": "nofail", "boot_required": False},
    ]
    assert item["bind_mounts"] == [
        {"source": "/srv/www", "mount_point": "/var/www", "mount_options": "nofail", "boot_required": False}
    ]
    assert "mount_point" not in item
    assert planner.plan(by_hand(), parse({**item, "device": "sdb"}), False).steps == ()


def test_a_diff_shows_the_options_of_each_mount() -> None:
    (branch,) = tree(by_hand(), findings=False)
    assert branch["options"] == [
        "/srv: subvol=/@srv,noatime,nofail",
        "/home: subvolid=257,nofail",
        "/var/www: bind,nofail",
    ]
    assert branch["mount_points"] == ["/srv", "/home", "/var/www"]


def test_options_do_not_lose_the_subvolume() -> None:
    """The next boot would mount something else there."""
    host = a_btrfs(SRV, HOME, fstab="".join(LINES.splitlines(keepends=True)[:2]))
    for words in (
        {"mount_point": "/srv", "mount_options": "nodev"},
        {"subvolumes": [{"name": "@srv", "mount_point": "/srv", "mount_options": "nodev"}]},
    ):
        made = plan(host, **words)
        assert lines(made.after.files[FSTAB])[0].options == f"nodev,subvol=/@srv,{OURS}"
        assert commands(made)[1] == "mount -o remount,relatime /srv"
    said = "subvolume @srv of /dev/sdb is mounted on /srv; choose another"
    refused(host, said, mount_point="/srv", mount_options="subvol=@home")
    refused(host, said, mount_point="/srv", subvolumes=[])


def test_a_subvolume_moves_and_the_others_stay() -> None:
    host = a_btrfs(SRV, HOME, fstab="".join(LINES.splitlines(keepends=True)[:2]))
    made = plan(host, subvolumes=[{"name": "@home", "mount_point": "/again"}])
    assert outline(made) == [
        "unmount subvolume @home of /dev/sdb",
        "persist mount @home of /dev/sdb",
        "mount subvolume @home of /dev/sdb",
    ]
    # Until it is mounted again, nobody can tell which one is meant by a number.
    assert lines(made.after.files[FSTAB])[1] == Line(f"UUID={UUID}", "/again", "btrfs", "subvol=@home,nofail")
    known = host._replace(subvolumes={SDB: (Subvolume(256, "@srv"), Subvolume(257, "@home"))})
    away = plan(known, subvolumes=[{"name": "@home", "mount_point": ""}])
    assert outline(away) == ["unmount subvolume @home of /dev/sdb", "persist mount @home of /dev/sdb"]
    assert away.after.mounted(SDB) == ("/srv",)
    # Nobody says which of them would move.
    refused(host, "is mounted on /srv and /home, and /again is wanted", mount_point="/again")
    one = a_btrfs(SRV)
    refused(one, "subvolume @srv of /dev/sdb is mounted on /srv, and /etc/fstab has no line", mount_point="/again")


def test_a_subvolume_is_deleted_with_permission() -> None:
    there = (Subvolume(256, "@srv"), Subvolume(257, "@home", True), Subvolume(258, "@srv/snapshot"))
    host = a_btrfs(SRV, fstab=LINES.splitlines(keepends=True)[0], subvolumes={SDB: there})
    gone = [{"name": "@srv", "state": "absent"}]
    refused(host, r"it holds other subvolumes \(@srv/snapshot\), which may be snapshots", True, subvolumes=gone)
    gone.append({"name": "@srv/snapshot", "state": "absent"})
    refused(host, "what it holds would be lost. Set allow_destroy", subvolumes=gone)
    made = plan(host, True, subvolumes=gone)
    assert outline(made) == [
        "delete subvolume @srv/snapshot of /dev/sdb",
        "unmount subvolume @srv of /dev/sdb",
        "persist mount @srv of /dev/sdb",
        "delete subvolume @srv of /dev/sdb",
    ]
    assert made.steps[-1].actions == (DeleteSubvolume(SDB, "@srv"),)
    assert destroyed(made) == [f"subvolume {name} of /dev/sdb and what it holds" for name in ("@srv/snapshot", "@srv")]
    refused(host, "it is the default subvolume", True, subvolumes=[{"name": "@home", "state": "absent"}])
    assert plan(host, subvolumes=[{"name": "none", "state": "absent"}]).steps == ()


def test_only_btrfs_has_subvolumes() -> None:
    host = a_btrfs(PLAIN, found=EXT4)
    refused(host, "it holds ext4, and only btrfs has subvolumes, such as new", subvolumes=[{"name": "new"}])
    refused(host, "it is to be ext4, and only btrfs has subvolumes", type="ext4", subvolumes=[{"name": "new"}])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"subvolumes": [{"name": name}]}, "is no path from the top level")
        for name in ("", "/", "a//b", "../a", "a,b", "a b", "a/.")
    ]
    + [
        ({"subvolumes": [{"name": "a"}, {"name": "/a"}]}, "a is the name of two subvolumes"),
        (
            {"mount_point": "/srv", "subvolumes": [{"name": "a", "mount_point": "/srv"}]},
            "/srv is the mount_point of two mounts",
        ),
        ({"subvolumes": [{"name": "a", "mount_options": "subvol=b"}]}, "mount_options has subvol=b, which name says"),
        ({"type": "swap", "bind_mounts": [{"source": "/a", "mount_point": "/b"}]}, "swap, which has no bind_mounts"),
        ({"bind_mounts": [{"source": "a", "mount_point": "/b"}]}, "source 'a' of a bind mount is not an absolute path"),
        ({"bind_mounts": [{"source": "/a", "mount_point": ""}]}, "mount_point is empty"),
        ({"bind_mounts": [{"source": "/a", "mount_point": "/a/"}]}, "source and mount_point are one directory"),
        ({"bind_mounts": [{"source": "/a", "mount_point": "/b", "mount_options": "rbind"}]}, "mount_options has rbind"),
    ],
)
def test_words_that_cannot_be(words: dict[str, Any], said: str) -> None:
    refused(a_btrfs(), said, **words)


def test_a_bind_mount_comes_after_what_it_shows() -> None:
    host = a_btrfs(found=EXT4, directories={"/srv/www": None})
    made = plan(host, mount_point="/srv", bind_mounts=[{"source": "/srv/www", "mount_point": "/var/www"}])
    assert outline(made) == [
        "persist mount /dev/sdb",
        "mount filesystem /dev/sdb",
        "create directory /srv/www",
        "persist mount /srv/www",
        "mount directory /srv/www",
    ]
    assert made.steps[2].actions == (MakeDirectory("/srv/www"),)
    line = "/srv/www /var/www none defaults,bind,x-systemd.requires-mounts-for=/srv,nofail 0 0"
    assert str(lines(made.after.files[FSTAB])[1]) == line
    assert made.steps[-1].actions == (MountOn("none", "defaults,bind", "/srv/www", "/var/www"),)


def test_a_bind_mount_alone_is_mounted_anew() -> None:
    host = a_btrfs(
        PLAIN,
        PART,
        fstab=f"UUID={UUID} /srv ext4 noatime 0 2\n/srv/www /var/www none bind,nodev,nofail 0 0\n",
        found=EXT4,
    )
    bind = {"source": "/srv/www", "mount_point": "/var/www"}
    made = plan(host, bind_mounts=[bind | {"mount_options": "ro"}])
    assert lines(made.after.files[FSTAB])[1].options == "ro,bind,nofail"
    assert commands(made)[-1] == "mount -o remount,bind,dev /var/www"
    refused(host, "commit=5 is an option of a filesystem", bind_mounts=[bind | {"mount_options": "commit=5"}])
    kept = host.with_file(FSTAB, host.files[FSTAB].replace("nodev", "commit=5"))  # type: ignore[union-attr]
    assert plan(kept, bind_mounts=[bind | {"mount_options": "commit=5,nofail"}]).steps == ()
    other = bind | {"source": "/srv/other", "state": "absent"}
    assert plan(host, bind_mounts=[bind, other]).steps == ()
    gone = plan(host, bind_mounts=[bind | {"state": "absent"}])
    assert outline(gone) == ["unmount directory /srv/www", "persist mount /srv/www"]
    assert gone.after.files[FSTAB] == f"UUID={UUID} /srv ext4 noatime 0 2\n"
    busy = host._replace(users={**host.users, "/var/www": "process 7 (sleep)"})
    refused(busy, r"/var/www is in use by process 7 \(sleep\)", bind_mounts=[bind | {"state": "absent"}])


def test_a_directory_that_is_not_of_the_filesystem() -> None:
    host = a_btrfs(PLAIN, found=EXT4, virtual=(Mount("server:/x", "/srv/nfs", "nfs4", "rw"),))
    for source, said in (
        ("/etc", "it lies on nothing, not"),
        ("/srv/nfs/x", "server:/x, which is mounted on /srv/nfs"),
    ):
        refused(host, said, bind_mounts=[{"source": source, "mount_point": "/var/www"}])
    linked = a_btrfs(PLAIN, found=EXT4, directories={"/srv/link": False}, real={"/srv/link": "/srv/www"})
    refused(linked, "say /srv/www, which it leads to", bind_mounts=[{"source": "/srv/link", "mount_point": "/var/www"}])


def test_all_of_a_filesystem_in_two_places() -> None:
    """By a bind mount of fstab, by a second line, and by hand."""
    line = f"UUID={UUID} /srv ext4 nofail 0 2\n"
    again = PLAIN._replace(mount_point="/again")
    bound = a_btrfs(PLAIN, again, fstab=f"{line}/srv /again none bind,nofail 0 0\n", found=EXT4)
    (item,) = document(bound._replace(spaces={}))["filesystems"]
    assert [(one["source"], one["mount_point"]) for one in item["bind_mounts"]] == [("/srv", "/again")]
    assert planner.plan(bound, parse({**item, "device": "sdb"}), False).steps == ()
    refused(bound, r"shown on /again as well \(a bind mount, now\)", mount_point="")
    for text in (f"{line}{line.replace('/srv', '/again')}", line):
        host = a_btrfs(PLAIN, again, fstab=text, found=EXT4)
        assert plan(host, mount_point="/srv").steps == ()
        refused(host, "is mounted on /srv and /again, and /home is wanted", mount_point="/home")
        away = plan(host, mount_point="")
        assert [command for command in commands(away) if command.startswith("umount")] == [
            "umount /again",
            "umount /srv",
        ]
        assert away.after.files[FSTAB] == ""


def test_all_mounts_go_with_the_filesystem_or_none() -> None:
    refused(by_hand(), r"shown on /var/www as well \(a bind mount, now\).* with state absent does", mount_point="")
    made = planner.plan(by_hand(), parse({"device": "sdb", "state": "absent"}), True)
    assert [command for command in commands(made) if command.startswith("umount")] == [
        "umount /var/www",
        "umount /home",
        "umount /srv",
    ]
    assert made.after.files[FSTAB] == ""
    assert made.after.mounts == ()
    only_at_boot = by_hand()._replace(mounts=(SRV, HOME))
    refused(only_at_boot, r"shown on /var/www as well \(a bind mount, by /etc/fstab\)", mount_point="")
    assert planner.plan(only_at_boot, parse({"device": "sdb", "state": "absent"}), True).after.files[FSTAB] == ""


def test_what_is_put_out_of_use_for_a_moment_comes_back_as_it_was() -> None:
    host = a_btrfs(SRV, HOME, WWW._replace(options="ro,relatime"), fstab=LINES)
    down, up = pause(host, host.devices[SDB], "it")
    assert [str(step.actions[0]) for step in down] == ["umount /var/www", "umount /home", "umount /srv"]
    assert [step.actions for step in up] == [
        (MountOn("btrfs", "subvol=/@srv,noatime", f"UUID={UUID}", "/srv"),),
        (MountOn("btrfs", "subvolid=257", f"UUID={UUID}", "/home"),),
        (MountOn("none", "bind,ro", "/srv/www", "/var/www"),),
    ]


@pytest.mark.parametrize(
    "mounted", [SRV._replace(root="/@other"), HOME, WWW._replace(root="/@srv/other")], ids=["named", "default", "bind"]
)
def test_what_no_line_would_bring_back_is_not_put_out_of_use(mounted: Mount) -> None:
    fstab = LINES.replace("subvolid=257,", "")
    mounts = [SRV, mounted] if mounted.part else [mounted]
    host = a_btrfs(*mounts, fstab=fstab, subvolumes={SDB: (Subvolume(257, "@home"),)})
    with pytest.raises(StorageError, match=f"no line by which {SDB} is mounted on {mounted.mount_point}"):
        pause(host, host.devices[SDB], "it")


def test_a_default_subvolume_comes_back_by_a_line_that_names_none() -> None:
    fstab = f"UUID={UUID} /home btrfs nofail 0 0\n"
    host = a_btrfs(HOME, fstab=fstab, subvolumes={SDB: (Subvolume(257, "@home", True),)})
    assert [str(step.actions[0]) for step in pause(host, host.devices[SDB], "it").up] == [
        f"mount --types btrfs --options defaults UUID={UUID} /home"
    ]
    assert plan(host, mount_point="/home", subvolumes=[]).steps == ()


def test_it_grows_where_it_can_be_written_to() -> None:
    small = EXT4._replace(size=5 * GiB)
    host = a_btrfs(PLAIN, PART._replace(options="ro,relatime"), found=small)
    assert outline(plan(host)) == ["grow filesystem /dev/sdb"]
    assert plan(a_btrfs(PLAIN._replace(options="ro"), PART._replace(options="ro"), found=small)).steps == ()
    first = a_btrfs(SRV._replace(options="ro"), HOME, found=FOUND._replace(size=5 * GiB))
    assert first.work_point(SDB) == "/home"


def test_a_directory_on_the_way_through_mounts() -> None:
    host = by_hand()
    assert mount.on_mount(host, "/srv/www/x") == (SRV, "/@srv/www/x")
    assert mount.on_mount(host, "/var/www/x") == (WWW, "/@srv/www/x")
    assert mount.on_mount(host, "/home") == (HOME, "/@home")
    assert mount.on_mount(host, "/etc") == (None, "")
    assert disk(SDB).path == SDB
