# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts, now and at each boot."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Edit, MakeDirectory, Plan
from ansible_collections.strata.storage.plugins.module_utils.document.drive import Volume
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import Use
from ansible_collections.strata.storage.plugins.module_utils.host.actions import MountOn, ReloadMounts
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount import plan as mount
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.options import shown
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.perform import HANDLERS

from ..hosts import a_host, commands, disk, outline

DEVICE = "/dev/dm-0"
TARGET = mount.Target("volume", "data/srv", DEVICE, DEVICE, "xfs", ("UUID=1234", "LABEL=srv", "/dev/mapper/data-srv"))
MOUNTED = Mount(DEVICE, "/srv", "xfs", "rw,relatime")
OURS = "defaults,nofail,x-systemd.device-timeout=300s"
ROOT = "# <file system> <mount point>\nUUID=root / ext4 errors=remount-ro 0 1\n\n"


def a_mount_host(fstab: str = "", *mounts: Mount, directory: bool | None = True, **more: Any) -> Host:
    return a_host(
        disk(DEVICE), disk("/dev/dm-1"), files={FSTAB: fstab}, mounts=mounts, directories={"/srv": directory}, **more
    )


def mounting(host: Host, **words: Any) -> Plan:
    want = Use(**{"mount_point": "/srv", **words})
    plan = mount.mount(host, want, TARGET)
    assert mount.mount(plan.after, want, TARGET).steps == ()
    return plan


def test_the_root_has_one_line() -> None:
    host = a_mount_host("UUID=1234 / xfs defaults 0 1\n", MOUNTED._replace(mount_point="/"))
    assert mounting(host, mount_point="/").steps == ()
    assert (
        mounting(host, mount_point="/", mount_options="noatime").after.files[FSTAB] == "UUID=1234 / xfs noatime 0 1\n"
    )


def test_a_new_mount() -> None:
    plan = mounting(a_mount_host(ROOT, directory=None))
    line = f"UUID=1234 /srv xfs {OURS} 0 0\n"
    assert [step.actions for step in plan.steps] == [
        (MakeDirectory("/srv"),),
        (Edit(FSTAB, ROOT, ROOT + line), ReloadMounts()),
        (MountOn("xfs", "defaults", DEVICE, "/srv"),),
    ]
    assert outline(plan) == ["create directory /srv", "persist mount data/srv", "mount volume data/srv"]
    assert plan.steps[-1].undo == (Edit(FSTAB, ROOT + line, ROOT), ReloadMounts())
    assert plan.after == a_mount_host(ROOT + line, MOUNTED, covered=("/srv",))._replace(users={})


def test_no_fstab_yet() -> None:
    plan = mounting(a_mount_host()._replace(files={FSTAB: None}))
    assert plan.steps[0].actions[0] == Edit(FSTAB, None, f"UUID=1234 /srv xfs {OURS} 0 0\n")


def test_only_ext4_is_checked_at_boot() -> None:
    plan = mount.mount(a_mount_host(), Use(mount_point="/srv"), TARGET._replace(type="ext4"))
    assert plan.after.files[FSTAB] == f"UUID=1234 /srv ext4 {OURS} 0 2\n"


def test_an_option_of_a_bind_mount_is_an_option_of_any_other() -> None:
    line = f"UUID=1234 /srv xfs noatime,x-systemd.requires-mounts-for=/x,{OURS.partition(',')[2]} 0 0\n"
    made = mounting(a_mount_host(line, MOUNTED._replace(options="rw,noatime")), mount_options="noatime")
    assert made.after.files[FSTAB] == f"UUID=1234 /srv xfs noatime,{OURS.partition(',')[2]} 0 0\n"


def test_without_a_mount_point_nothing_is_mounted() -> None:
    assert mounting(a_mount_host(), mount_point=None).steps == ()


@pytest.mark.parametrize(
    ("fstab", "words", "after"),
    [
        pytest.param("", {"mount_options": "noatime"}, "noatime,nofail,x-systemd.device-timeout=300s", id="new"),
        pytest.param("", {"mount_options": ""}, "nofail,x-systemd.device-timeout=300s", id="new, no options"),
        pytest.param("", {"boot_required": True}, "defaults", id="new, required"),
        pytest.param("", {"mount_options": "nofail", "boot_required": True}, "defaults", id="required wins"),
        pytest.param(
            "", {"mount_options": "x-systemd.device-timeout=5"}, "x-systemd.device-timeout=5,nofail", id="own time"
        ),
        pytest.param("noatime", {}, "noatime", id="omitted is unchanged"),
        pytest.param("noatime,nofail", {}, "noatime,nofail", id="omitted is unchanged, not required"),
        pytest.param("defaults", {"mount_options": "noatime"}, "noatime", id="stays required"),
        pytest.param(
            "nofail", {"mount_options": "ro"}, "ro,nofail,x-systemd.device-timeout=300s", id="stays not required"
        ),
        pytest.param(
            "ro", {"boot_required": False}, "ro,nofail,x-systemd.device-timeout=300s", id="required no longer"
        ),
        pytest.param(OURS, {"boot_required": True}, "defaults", id="required from now on"),
        pytest.param(OURS, {"boot_required": False}, OURS, id="not required already"),
    ],
)
def test_options(fstab: str, words: dict[str, Any], after: str) -> None:
    before = f"UUID=1234 /srv xfs {fstab} 0 0\n" if fstab else ""
    plan = mounting(a_mount_host(before, MOUNTED), **words)
    assert plan.after.files[FSTAB] == f"UUID=1234 /srv xfs {after} 0 0\n"


@pytest.mark.parametrize(
    "line",
    [
        "UUID=1234 /srv xfs noatime 0 0\n",
        'UUID="1234"\t/srv  xfs\tnoatime\n',
        "LABEL=srv /srv xfs noatime 1 2\n",
        "/dev/mapper/data-srv /srv xfs noatime 0 0",
        "UUID=1234 /srv auto noatime 0 0\n",
        "UUID=1234 /srv ext4,xfs noatime 0 0\n",
        "UUID=1234 /srv xfs\n",
    ],
)
def test_a_line_that_says_what_is_wanted_stays_byte_for_byte(line: str) -> None:
    odd = "/dev/sdz1 /old\n   # note\nnonsense\n\ttmpfs /tmp tmpfs\n"
    assert mounting(a_mount_host(ROOT + odd + line, MOUNTED)).steps == ()


def test_a_line_that_changes_keeps_its_place_its_spec_and_its_numbers() -> None:
    before = ROOT + "LABEL=srv /srv xfs defaults 1 2\ntmpfs /tmp tmpfs\n"
    plan = mounting(a_mount_host(before, MOUNTED), mount_options="noatime")
    assert plan.after.files[FSTAB] == ROOT + "LABEL=srv /srv xfs noatime 1 2\ntmpfs /tmp tmpfs\n"


def test_a_file_without_an_end_of_line_gets_one() -> None:
    plan = mounting(a_mount_host("tmpfs /tmp tmpfs", MOUNTED))
    assert plan.after.files[FSTAB] == f"tmpfs /tmp tmpfs\nUUID=1234 /srv xfs {OURS} 0 0\n"


@pytest.mark.parametrize("point", ["/with space", "/with\ttab", "/back\\slash", "/back\\040slash", "/a#b"])
def test_odd_mount_points_are_escaped_and_found_again(point: str) -> None:
    host = a_mount_host()._replace(directories={point: True})
    text = mounting(host, mount_point=point).after.files[FSTAB]
    assert text is not None
    assert len(text.split()) == 6


def test_other_mounts_of_the_same_filesystem_keep_their_lines() -> None:
    home = "UUID=1234 /home btrfs subvol=home 0 0\n"
    srv = "UUID=1234 /srv btrfs subvol=srv 0 0\n"
    target = TARGET._replace(type="btrfs")
    plan = mount.mount(a_mount_host(home + srv), Use(mount_point="/srv"), target)
    assert plan.after.files[FSTAB] == home + srv
    assert outline(plan) == ["mount volume data/srv"]


@pytest.mark.parametrize(
    ("before", "after", "remounts"),
    [
        ("defaults", "noatime", True),
        ("noatime", "noatime,x-systemd.automount", False),
        ("defaults", "defaults,nofail", False),
    ],
)
def test_remounted_only_when_the_kernel_would_notice(before: str, after: str, remounts: bool) -> None:
    mounted = MOUNTED._replace(options=shown(before))
    plan = mounting(a_mount_host(f"UUID=1234 /srv xfs {before} 0 0\n", mounted), mount_options=after)
    assert commands(plan)[1:] == (["mount -o remount /srv"] if remounts else [])


@pytest.mark.parametrize(
    ("host", "said"),
    [
        pytest.param(
            a_mount_host("", MOUNTED._replace(mount_point="/old"), MOUNTED._replace(mount_point="/bind")),
            "is mounted on /old and /bind, and /srv is wanted",
            id="mounted twice",
        ),
        pytest.param(
            a_mount_host("", MOUNTED._replace(mount_point="/old"), Mount("/dev/dm-1", "/old/in", "ext4", "rw")),
            "/dev/dm-1 is mounted on /old/in, inside it; unmount that first",
            id="something inside",
        ),
        pytest.param(
            a_mount_host("", Mount("/dev/dm-1", "/srv", "ext4", "rw,relatime")),
            r"/dev/dm-1 \(ext4\) is mounted on /srv; choose another mount_point",
            id="taken",
        ),
        pytest.param(
            a_mount_host("UUID=x /srv ext4\n"), "already mounts UUID=x on /srv; take that line out", id="line"
        ),
        pytest.param(a_mount_host("UUID=x /srv/ ext4\n"), "already mounts UUID=x on /srv", id="line with a slash"),
        pytest.param(a_mount_host(directory=False), "/srv is not an empty directory", id="not empty"),
    ],
)
def test_refused(host: Host, said: str) -> None:
    with pytest.raises(Refused, match=f"^volume data/srv: .*{said}"):
        mounting(host)


def test_the_directory_is_looked_at_only_when_it_matters() -> None:
    with pytest.raises(Unread, match="directories /srv"):
        mounting(a_mount_host()._replace(directories={}))
    assert mounting(a_mount_host("UUID=1234 /srv xfs\n", MOUNTED)._replace(directories={})).steps == ()


def test_a_mount_point_behind_a_link_is_what_it_leads_to() -> None:
    host = a_mount_host(real={"/srv": "/big"})._replace(directories={"/big": True})
    plan = mounting(host)
    assert commands(plan) == [f"edit {FSTAB}", f"mount --types xfs --options defaults {DEVICE} /big"]
    assert plan.after.files[FSTAB] == f"UUID=1234 /big xfs {OURS} 0 0\n"
    mounted = MOUNTED._replace(mount_point="/big")
    by_link = a_mount_host("UUID=1234 /srv/ xfs noauto 0 0\n", mounted, real={"/srv": "/big"})
    assert mounting(by_link).steps == mounting(by_link, mount_point="/big").steps == ()
    with pytest.raises(Unread, match="directories /usual"):
        mounting(by_link, mount_point="/usual")


@pytest.mark.parametrize(
    "spec",
    ["PARTUUID=a-1", "/dev/disk/by-partlabel/own", "/dev/disk/by-path/pci-1", "/dev/data/../data/srv", "LABEL=srv",
     "/dev/disk/by-label/srv", "/dev/disk/by-uuid/1234"],
)  # fmt: skip
def test_every_way_to_name_a_device(spec: str) -> None:
    device = {"PARTUUID=a-1": "/dev/disk/by-partuuid/a-1"}.get(spec, spec)
    line = f"{spec} /srv xfs noatime 0 0\n"
    host = a_mount_host(line, MOUNTED._replace(options="rw,noatime"), links={device: DEVICE})
    assert mounting(host).steps == ()
    assert mounting(host, mount_options="nodev", boot_required=True).after.files[FSTAB] == line.replace(
        "noatime", "nodev"
    )
    if "by-path" in spec:
        with pytest.raises(Refused, match="already mounts /dev/disk/by-path/pci-1 on /srv"):
            mounting(a_mount_host(line, links={device: "/dev/dm-1"}))


def test_a_link_of_udev_that_is_late_is_no_evidence() -> None:
    host = a_mount_host("LABEL=old /srv xfs\n", links={"/dev/disk/by-label/old": DEVICE})
    with pytest.raises(Refused, match="already mounts LABEL=old on /srv"):
        mounting(host)


def test_an_offline_volume_owns_the_line_on_its_mount_point_that_leads_nowhere() -> None:
    unseen = TARGET._replace(type="<filesystem-type:/dev/data/srv>", specs=("UUID=<filesystem-uuid:/dev/data/srv>",))
    host = a_mount_host("LABEL=gone /srv xfs noatime 0 0\n")
    assert outline(mount.mount(host, Use(mount_point="/srv"), unseen)) == [
        "persist mount data/srv",
        "mount volume data/srv",
    ]
    other = host._replace(links={**host.links, "/dev/disk/by-label/gone": "/dev/dm-1"})
    with pytest.raises(Refused, match="already mounts LABEL=gone on /srv"):
        mount.mount(other, Use(mount_point="/srv"), unseen)


AUTOFS = Mount("systemd-1", "/srv", "autofs", "rw,relatime")


def test_an_automount_is_mounted_only_where_that_is_needed() -> None:
    line = "UUID=1234 /srv xfs noatime,x-systemd.automount 0 0\n"
    host = a_mount_host(line, virtual=(AUTOFS,))._replace(directories={})
    assert mounting(host).steps == ()
    plan = mount.mount(host, Use(mount_point="/srv"), TARGET, now=True)
    assert commands(plan) == ["systemctl start srv.mount"]
    over = a_mount_host(line, MOUNTED._replace(options="rw,noatime"), virtual=(AUTOFS._replace(hidden=True),))
    assert mounting(over).steps == ()
    assert commands(mount.unmount(over, TARGET)) == ["umount /srv", "systemctl stop srv.automount", f"edit {FSTAB}"]
    with pytest.raises(Refused, match=r"systemd-1 \(autofs\) is mounted on /srv; choose"):
        mounting(a_mount_host(virtual=(AUTOFS,)))


@pytest.mark.parametrize(
    ("point", "name"), [("/", "-"), ("/srv", "srv"), ("/a-b/c d", "a\\x2db-c\\x20d"), ("/é", "\\xc3\\xa9")]
)
def test_names_of_units(point: str, name: str) -> None:
    assert mount.unit(point, "mount") == f"{name}.mount"


@pytest.mark.parametrize(
    ("before", "in_effect", "after", "command"),
    [
        ("noexec,noatime", "rw,noexec,noatime", "defaults", "mount -o remount,exec,relatime /srv"),
        ("noatime", "rw,noatime", "nodev", "mount -o remount,relatime /srv"),
        ("user", "rw,nosuid,nodev,noexec,relatime", "user,exec", "mount -o remount,exec /srv"),
        ("noatime", "rw,noatime", "noatime,ro", "mount -o remount /srv"),
        ("noatime", "rw,nodiratime,noatime", "noatime", "mount -o remount,diratime /srv"),
        ("defaults", "rw", "defaults", "mount -o remount,relatime /srv"),
        ("defaults", "ro,relatime", "defaults", ""),
    ],
)
def test_flags_that_are_no_longer_wanted_are_taken_back(before: str, in_effect: str, after: str, command: str) -> None:
    host = a_mount_host(f"UUID=1234 /srv xfs {before} 0 0\n", MOUNTED._replace(options=in_effect))
    assert commands(mounting(host)) == []
    plan = mounting(host, mount_options=after)
    assert commands(plan)[-1:] == ([command] if command else [])
    assert "persist mount data/srv" in outline(plan) or before == after


def test_options_of_the_filesystem_that_are_no_longer_wanted() -> None:
    fstab = "UUID=1234 /srv {} discard,commit=30 0 0\n"
    mounted = MOUNTED._replace(type="ext4", filesystem_options="rw,discard,commit=30")
    refusals = {("ext4", "nodiscard"): "", ("xfs", "nodiscard"): "", ("ext4", "commit=5"): ""}
    host = a_mount_host(fstab.format("ext4"), mounted, refusals=refusals)
    target = TARGET._replace(type="ext4")
    plan = mount.mount(host, Use(mount_point="/srv", mount_options="commit=30"), target)
    assert commands(plan)[-1] == "mount -o remount,nodiscard /srv"
    with pytest.raises(Refused, match="commit=30 is in effect on /srv, and ext4 gives it up only with an unmount"):
        mount.mount(host, Use(mount_point="/srv", mount_options="discard"), target)
    plan = mount.mount(host, Use(mount_point="/srv", mount_options="discard,commit=5"), target)
    assert commands(plan)[-1] == "mount -o remount /srv"
    with pytest.raises(Refused, match="discard is in effect on /srv, and xfs gives it up only with an unmount"):
        mounting(host.with_file(FSTAB, fstab.format("xfs")), mount_options="commit=30")


def test_options_that_the_kernel_does_not_know() -> None:
    refusals = {("xfs", "nosuch"): "xfs: Unknown parameter 'nosuch'", ("xfs", "logbufs=8"): ""}
    host = a_mount_host(refusals=refusals)
    with pytest.raises(StorageError, match="mount option nosuch is not one of xfs, by the kernel: xfs: Unknown"):
        mounting(host, mount_options="noatime,nosuch")
    assert mounting(host, mount_options="logbufs=8,x-systemd.before=a.service,X-mine,_netdev").steps
    with pytest.raises(Unread, match="refusals xfs other=1"):
        mounting(host, mount_options="other=1")
    known = a_mount_host("UUID=1234 /srv xfs other=1 0 0\n", MOUNTED)
    assert mounting(known, mount_options="other=1").steps == ()


def test_options_without_a_mount_point() -> None:
    line = "UUID=1234 /srv xfs defaults 0 0\n"
    plan = mounting(a_mount_host(line, MOUNTED), mount_point=None, mount_options="noatime", boot_required=True)
    assert commands(plan) == [f"edit {FSTAB}", "mount -o remount /srv"]
    assert mounting(a_mount_host(line, MOUNTED), mount_point=None, boot_required=False).steps
    waiting = a_mount_host(line, virtual=(AUTOFS,))
    assert outline(mounting(waiting, mount_point=None, boot_required=False)) == ["persist mount data/srv"]
    for host, said in (
        (a_mount_host(), "boot_required needs mount_point, since it is mounted nowhere"),
        (a_mount_host("", MOUNTED, MOUNTED._replace(mount_point="/b")), "since it is mounted on /srv and /b"),
        (a_mount_host("", MOUNTED._replace(mount_point="/")), "it is the host's own root"),
    ):
        with pytest.raises(StorageError, match=f"volume data/srv: {said}|{said}"):
            mounting(host, mount_point=None, boot_required=True)


TMPFS = Mount("tmpfs", "/srv", "tmpfs", "rw")
EXPORT = MOUNTED._replace(mount_point="/export", part=True)
BIND = "/srv/export /export none bind 0 0\n"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (a_mount_host(virtual=(TMPFS,)), r"tmpfs \(tmpfs\) is mounted on /srv; choose another mount_point"),
        (a_mount_host("", MOUNTED._replace(hidden=True), virtual=(TMPFS,)), "unmount that first, since it hides this"),
        (a_mount_host("", EXPORT._replace(mount_point="/srv")), "a directory of /dev/dm-0 is mounted on /srv; choose"),
    ],
)
def test_what_is_mounted_there_is_not_mounted_over(host: Host, said: str) -> None:
    with pytest.raises(Refused, match=said):
        mounting(host)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (a_mount_host("", MOUNTED, EXPORT), r"on /export as well \(a bind mount, now\), which would be left empty"),
        (a_mount_host(BIND, MOUNTED), r"on /export as well \(a bind mount, by /etc/fstab\)"),
        (
            a_mount_host("", MOUNTED, users={"/srv": "process 7 (sleep)"}),
            r"/srv is in use by process 7 \(sleep\); stop",
        ),
        (a_mount_host("", MOUNTED._replace(hidden=True), virtual=(TMPFS,)), "tmpfs is mounted on /srv, over it"),
        (
            a_mount_host("", MOUNTED, virtual=(TMPFS._replace(mount_point="/srv/a"),)),
            "tmpfs is mounted on /srv/a, insi",
        ),
    ],
)
def test_what_cannot_be_unmounted_or_would_be_left_empty(host: Host, said: str) -> None:
    with pytest.raises(Refused, match=said):
        mount.unmount(host, TARGET)


def test_a_btrfs_on_several_devices_is_mounted() -> None:
    both = (MOUNTED._replace(type="btrfs"), MOUNTED._replace(type="btrfs", device="/dev/dm-1"))
    host = a_mount_host("UUID=1234 /srv btrfs defaults 0 0\n", *both)
    assert mount.mount(host, Use(mount_point="/srv"), TARGET._replace(type="btrfs")).steps == ()


def test_unmounting_takes_the_line_out_last() -> None:
    line = f"UUID=1234 /srv xfs {OURS} 0 0\n"
    host = a_mount_host(f"{ROOT}{line}LABEL=srv /mnt xfs\ntmpfs /tmp tmpfs\n", MOUNTED)
    plan = mount.unmount(host, TARGET)
    assert outline(plan) == ["unmount volume data/srv", "persist mount data/srv"]
    assert commands(plan) == ["umount /srv", f"edit {FSTAB}"]
    assert plan.after == a_mount_host(f"{ROOT}tmpfs /tmp tmpfs\n", users={"/srv": ""}, uncovered=("/srv",))
    assert mount.unmount(plan.after, TARGET).steps == ()


def test_unmounting_from_several_places_is_done_backwards() -> None:
    plan = mount.unmount(a_mount_host("", MOUNTED, MOUNTED._replace(mount_point="/srv/again")), TARGET)
    assert commands(plan) == ["umount /srv/again", "umount /srv"]


def test_a_line_of_swap_keeps_what_it_says() -> None:
    target = TARGET._replace(type="swap")
    host = a_mount_host("UUID=1234 swap swap sw,pri=5 0 0\n", swaps=(DEVICE,))
    assert mount.enable_swap(host, Use("swap"), target).steps == ()
    plan = mount.enable_swap(host, Use("swap", mount_options="pri=6", boot_required=True), target)
    assert plan.after.files[FSTAB] == "UUID=1234 swap swap pri=6 0 0\n"


def test_what_is_mounted_inside_keeps_it_mounted() -> None:
    with pytest.raises(Refused, match=r"data/srv: /dev/dm-1 is mounted on /srv/inside, inside it; unmount that first"):
        mount.unmount(a_mount_host("", MOUNTED, Mount("/dev/dm-1", "/srv/inside", "xfs", "rw,relatime")), TARGET)


def test_a_name_that_only_begins_alike_is_not_inside() -> None:
    plan = mount.unmount(a_mount_host("", MOUNTED, Mount("/dev/dm-1", "/srv2", "xfs", "rw,relatime")), TARGET)
    assert commands(plan) == ["umount /srv"]


def test_two_volumes_with_one_mount_point() -> None:
    with pytest.raises(StorageError, match="drive data: /srv is the mount_point of two volumes"):
        mount.check_mount_points((Volume("a", mount_point="/srv"), Volume("b", mount_point="/srv")), "data")
    mount.check_mount_points((Volume("a"), Volume("b")), "data")


MOUNTING = f"mount --types xfs --options noatime {DEVICE} /srv"
OLD = "UUID=1234 /old/ xfs noatime 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "steps"),
    [
        ((MOUNTED._replace(mount_point="/old"),), ["umount /old", f"edit {FSTAB}", MOUNTING]),
        # Where a crash came after the first step, or nobody mounted it since the boot.
        ((), [f"edit {FSTAB}", MOUNTING]),
    ],
)
def test_another_mount_point_moves(mounts: tuple[Mount, ...], steps: list[str]) -> None:
    plan = mounting(a_mount_host(ROOT + OLD, *mounts))
    assert commands(plan) == steps
    assert plan.after.files[FSTAB] == ROOT + OLD.replace("/old/", "/srv")
    assert plan.after.mounted(DEVICE) == ("/srv",)


def test_it_moves_to_a_line_of_its_own() -> None:
    there = "UUID=1234 /srv xfs ro 0 0\n"
    plan = mounting(a_mount_host(OLD + there, MOUNTED._replace(mount_point="/old")))
    assert commands(plan) == ["umount /old", f"edit {FSTAB}", MOUNTING.replace("noatime", "ro")]
    assert plan.after.files[FSTAB] == there


def test_lines_for_other_places_stay_where_there_are_many() -> None:
    many = "UUID=1234 /a xfs ro 0 0\nUUID=1234 /b xfs ro 0 0\n"
    plan = mounting(a_mount_host(many))
    assert str(plan.after.files[FSTAB]).startswith(many)


def test_the_root_stays_where_it_is() -> None:
    host = a_mount_host(ROOT, MOUNTED._replace(mount_point="/"))
    for point in ("/srv", ""):
        with pytest.raises(Refused, match="is mounted on /, the host's own root, which is never unmounted"):
            mounting(host, mount_point=point)


def test_an_empty_mount_point_unmounts() -> None:
    plan = mounting(a_mount_host(ROOT + OLD, MOUNTED._replace(mount_point="/old")), mount_point="")
    assert sorted(commands(plan)) == [f"edit {FSTAB}", "umount /old"]
    assert (plan.after.files[FSTAB], plan.after.mounts) == (ROOT, ())
    assert mounting(a_mount_host(ROOT), mount_point="").steps == ()


def test_a_mount_that_fails_is_told() -> None:
    with pytest.raises(StorageError, match=r"mount --types ext4 --options defaults /dev/none /none failed with status"):
        HANDLERS.perform[MountOn](MountOn("ext4", "defaults", "/dev/none", "/none"))
