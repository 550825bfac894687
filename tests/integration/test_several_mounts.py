# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filesystems that are mounted in several places: subvolumes, bind mounts, and what others mounted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from .node import Node


def steps(result: dict[str, Any]) -> list[str]:
    return [f"{step['action']} {step['kind']}" for step in result["plan"]]


def places(node: Node) -> dict[str, str]:
    """What is mounted of the disks of a lab, by mount point."""
    rows = node.run("findmnt --real --noheadings --list --output TARGET,SOURCE").splitlines()
    return {point: source for point, source in map(str.split, rows) if point.startswith(("/srv", "/home", "/var/www"))}


def fstab(node: Node) -> list[str]:
    return node.run("cat /etc/fstab").splitlines()[5:]


def round_trip(node: Node) -> dict[str, Any]:
    """A document as it was read back changes nothing."""
    layout: dict[str, Any] = node.module("layout_info")["layout"]
    document = {section: layout[section] for section in ("drives", "filesystems")}
    # The lab's own.
    document["filesystems"] = [item for item in layout["filesystems"] if item.get("mount_point") != "/boot"]
    node.unchanged("layout", **document)
    return document


def test_subvolumes_from_a_blank_disk_to_none(node: Node) -> None:
    disk = node.disk("HDD1")
    subvolumes: list[dict[str, Any]] = [
        {"name": "/@home", "mount_point": "/srv/home", "mount_options": "noatime", "mount_mode": "0711"},
        {"name": "var/log", "mount_point": "/srv/log"},
        {"name": "@home/kept"},
    ]
    item: dict[str, Any] = {"device": disk, "type": "btrfs", "mount_point": "/srv", "subvolumes": subvolumes}
    made = node.converge("layout", filesystems=[item])
    assert steps(made) == [
        "format filesystem",
        *["create subvolume"] * 3,
        *("persist mount", "mount filesystem"),
        *("create directory", "persist mount", "mount subvolume", "set subvolume"),
        *("create directory", "persist mount", "mount subvolume"),
    ]
    node.run("echo here > /srv/home/file; btrfs subvolume snapshot -r /srv/home /srv/home/kept/snapshot; sync")
    node.lab.reboot()
    node.guest.until("findmnt /srv/log")
    kernel = node.run(f"readlink -f {disk}")
    there = {"/srv": kernel, "/srv/home": f"{kernel}[/@home]", "/srv/log": f"{kernel}[/var/log]"}
    assert places(node) == there
    assert node.run("cat /srv/home/file; stat --format %a /srv/home").split() == ["here", "711"]
    node.unchanged("layout", filesystems=[item])
    (found,) = round_trip(node)["filesystems"]
    assert [(one["name"], one["mount_point"]) for one in found["subvolumes"]] == [
        ("@home", "/srv/home"),
        ("var/log", "/srv/log"),
    ]
    assert (found["mount_point"], found["subvolumes"][0]["mount_options"]) == (
        "/srv",
        "noatime,nofail,x-systemd.device-timeout=300s",
    )

    moved = subvolumes[0] | {"mount_point": "/home2", "mount_options": "nodev"}
    done = node.converge("layout", filesystems=[item | {"subvolumes": [moved]}])
    assert steps(done)[:2] == ["unmount subvolume", "persist mount"]
    assert places(node)["/home2"] == f"{kernel}[/@home]"
    assert "noatime" not in node.run("findmnt --noheadings --output OPTIONS /home2")

    gone = [{"name": name, "state": "absent"} for name in ("@home", "@home/kept", "var/log")]
    without = node.refusal("layout", filesystems=[item | {"subvolumes": gone}])
    assert f"Add {disk} to allow_destroy" in without or "it holds other subvolumes" in without
    said = node.refusal("layout", filesystems=[item | {"subvolumes": gone}], allow_destroy=[disk])
    assert "it holds other subvolumes (@home/kept/snapshot)" in said
    gone.append({"name": "@home/kept/snapshot", "state": "absent"})
    removed = node.converge("layout", filesystems=[item | {"subvolumes": gone}], allow_destroy=[disk])
    assert steps(removed).count("delete subvolume") == 4
    assert places(node) == {"/srv": kernel}
    assert node.run("btrfs subvolume list /srv") == ""
    assert len(fstab(node)) == 1


@pytest.mark.further
def test_a_subvolume_is_planned_by_what_an_unmounted_disk_holds(node: Node) -> None:
    disk = node.disk("HDD2")
    node.run(
        f"mkfs.btrfs --quiet {disk}; mkdir /top; mount {disk} /top; mkdir -p /top/a/b;"
        "for name in a/b/c a/b/c/d $(seq --format n%g 300); do btrfs subvolume create /top/$name; done > /dev/null;"
        "btrfs subvolume delete /top/n7; umount /top; udevadm settle"
    )
    item: dict[str, Any] = {"device": disk, "type": "btrfs"}
    names = ["a/b/c", "a/b/c/d", "n1", "n7", "n300", "a/b"]
    checked = node.check("layout", filesystems=[item | {"subvolumes": [{"name": name} for name in names[:-1]]}])
    assert [step["name"].split()[0] for step in checked["plan"]] == ["n7"]
    with pytest.raises(Exception, match="a/b"):
        # A directory in the way.
        node.module("layout", filesystems=[item | {"subvolumes": [{"name": "a/b"}]}])
    node.module("layout", filesystems=[item | {"mount_point": "/srv"}])
    checked = node.check("layout", filesystems=[item | {"subvolumes": [{"name": name} for name in names[:-1]]}])
    assert [step["name"].split()[0] for step in checked["plan"]] == ["n7"]
    node.run("btrfs subvolume set-default /srv/n1")
    gone = item | {"subvolumes": [{"name": "n1", "state": "absent"}]}
    assert "it is the default subvolume" in node.refusal("layout", filesystems=[gone], allow_destroy=[disk])
    held = item | {"subvolumes": [{"name": "a/b/c", "state": "absent"}]}
    assert "(a/b/c/d)" in node.refusal("layout", filesystems=[held], allow_destroy=[disk])


def test_a_drive_with_subvolumes_and_bind_mounts(node: Node) -> None:
    volume: dict[str, Any] = {
        "name": "srv",
        "size": "300M",
        "filesystem": "btrfs",
        "subvolumes": [{"name": "@www", "mount_point": "/srv/www"}, {"name": "@home", "mount_point": "/home2"}],
        "bind_mounts": [{"source": "/srv/www/html", "mount_point": "/var/www", "mount_options": "ro"}],
    }
    words: dict[str, Any] = {"name": "data", "devices": node.disks("HDD1"), "volumes": [volume]}
    node.converge("lvm_drive", **words)
    line = next(line for line in fstab(node) if " /var/www " in line)
    assert line == "/srv/www/html /var/www none ro,bind,x-systemd.requires-mounts-for=/srv/www,nofail 0 0"
    device = "/dev/mapper/data-srv"
    there = {"/srv/www": f"{device}[/@www]", "/home2": f"{device}[/@home]", "/var/www": f"{device}[/@www/html]"}
    assert places(node) == there
    assert node.run("touch /var/www/file 2>&1 || true").endswith("Read-only file system")
    node.run("echo text > /srv/www/html/file; sync")
    round_trip(node)
    node.lab.reboot()
    node.guest.until("findmnt /var/www && findmnt /home2")
    assert places(node) == there
    assert node.run("cat /var/www/file") == "text"
    node.unchanged("lvm_drive", **words)
    assert round_trip(node)["drives"][0]["volumes"][0]["bind_mounts"] == [
        {
            "source": "/srv/www/html",
            "mount_point": "/var/www",
            "mount_options": "ro,nofail",
            "boot_required": False,
        }
    ]
    usage = [one["mount_point"] for one in node.module("layout_info")["usage"] if one["name"] == "data/srv"]
    assert len(usage) == 1

    # All of the filesystem stays writable where a part of it is mounted anew.
    writable = {"source": "/srv/www/html", "mount_point": "/var/www", "mount_options": "nodev"}
    changed = node.converge("lvm_drive", **words | {"volumes": [volume | {"bind_mounts": [writable]}]})
    assert steps(changed) == ["persist mount", "remount directory"]
    node.run("touch /var/www/other /srv/www/other")
    node.converge("lvm_drive", **words)
    node.run("touch /srv/www/third; ! touch /var/www/third")
    grown = node.converge("lvm_drive", **words | {"volumes": [volume | {"size": "400M"}]})
    assert steps(grown) == ["extend volume", "grow volume"]
    volume["size"] = "400M"

    alone = {"name": "data", "volumes": [{"name": "srv"}], "state": "offline"}
    assert "a directory of it is shown on /var/www" in node.refusal("lvm_drive", **alone)
    node.converge("lvm_drive", **words | {"state": "offline"})
    assert (places(node), fstab(node)) == ({}, [])
    node.converge("lvm_drive", **words)
    assert places(node) == there
    assert node.run("cat /var/www/file") == "text"
    node.converge(
        "lvm_drive",
        name="data",
        devices=words["devices"],
        volumes=[{"name": "srv"}],
        state="absent",
        allow_destroy=True,
    )
    assert (places(node), fstab(node)) == ({}, [])


def test_bind_mounts_of_an_ext4_that_shrinks(node: Node) -> None:
    words: dict[str, Any] = {
        "name": "data",
        "devices": node.disks("HDD1"),
        "size": "200M",
        "filesystem": "ext4",
        "mount_point": "/srv",
        "bind_mounts": [
            {"source": "/srv/www", "mount_point": "/var/www"},
            {"source": "/srv/home", "mount_point": "/home2", "mount_owner": "daemon", "mount_mode": "0700"},
        ],
    }
    node.converge("lvm_drive", **words)
    node.run("echo text > /srv/www/file; mount -o remount,bind,ro /var/www")
    before = node.run("cat /etc/fstab; stat --format %a%U /srv/home")
    assert before.endswith("700daemon")
    there = places(node)
    smaller = {"size": "100M", "allow_shrink": True, "allow_offline": True}
    shrunk = node.converge("lvm_drive", **words | smaller)
    assert steps(shrunk).count("unmount mount") == 3
    assert (places(node), node.run("cat /etc/fstab; stat --format %a%U /srv/home")) == (there, before)
    # As somebody left it.
    assert node.run("findmnt --noheadings --output OPTIONS /var/www").startswith("ro,")
    assert node.run("findmnt --noheadings --output OPTIONS /home2").startswith("rw,")
    words["size"] = "100M"
    gone = [words["bind_mounts"][0] | {"state": "absent"}]
    node.converge("lvm_drive", **words | {"bind_mounts": gone})
    assert node.run("cat /srv/www/file") == "text"
    assert "/var/www" not in places(node)
    busy = [words["bind_mounts"][1] | {"state": "absent"}]
    node.run("cd /home2 && setsid sleep 1000 > /dev/null 2>&1 < /dev/null &")
    node.guest.until("[ $(readlink /proc/$(pgrep -x sleep)/cwd) = /home2 ]")
    assert "/home2 is in use by process" in node.refusal("lvm_drive", **words | {"bind_mounts": busy})
    for wrong, said in (
        ({"source": "/etc", "mount_point": "/var/www"}, "not on volume data/data"),
        ({"source": "/srv/www", "mount_point": "/home2"}, "a directory of"),
        (
            {"source": "/srv/www", "mount_point": "/var/www", "mount_options": "commit=5"},
            "is an option of a filesystem",
        ),
    ):
        assert said in node.refusal("lvm_drive", **words | {"bind_mounts": [wrong]}), wrong
    node.run("ln -s /srv/www /srv/link")
    linked = [{"source": "/srv/link", "mount_point": "/var/www"}]
    assert "say /srv/www, which it leads to" in node.refusal("lvm_drive", **words | {"bind_mounts": linked})


def by_hand(node: Node) -> tuple[str, str]:
    """A btrfs of which somebody mounted two subvolumes, one twice, and a directory; the device and its UUID."""
    disk = node.disk("HDD2")
    node.run(
        f"mkfs.btrfs --quiet {disk}; udevadm settle; mkdir -p /srv /home2 /top /var/www; mount {disk} /top;"
        "btrfs subvolume create /top/@srv; btrfs subvolume create /top/@home; mkdir /top/@srv/www; umount /top"
    )
    uuid = node.run(f"blkid --output value --match-tag UUID {disk}")
    lines = (
        f"UUID={uuid} /srv btrfs subvol=@srv,noatime,nofail 0 0",
        f"UUID={uuid} /home2 btrfs subvolid=257,nofail 0 0",
        "/srv/www /var/www none bind,nofail 0 0",
    )
    node.run("".join(f"echo '{line}' >> /etc/fstab; " for line in lines))
    node.run("systemctl daemon-reload; mount /srv; mount /home2; mount /var/www")
    return disk, uuid


@pytest.mark.further
def test_what_somebody_mounted_in_several_places(node: Node) -> None:
    disk, uuid = by_hand(node)
    there, lines = places(node), fstab(node)
    item: dict[str, Any] = {"device": disk, "type": "btrfs"}
    (found,) = round_trip(node)["filesystems"]
    assert [(one["name"], one["mount_point"]) for one in found["subvolumes"]] == [("@srv", "/srv"), ("@home", "/home2")]
    assert [one["mount_point"] for one in found["bind_mounts"]] == ["/var/www"]
    for point in ("/srv", "/home2"):
        node.unchanged("layout", filesystems=[item | {"mount_point": point}])
    node.unchanged("layout", filesystems=[item | {"subvolumes": [{"name": "@home", "mount_point": "/home2"}]}])
    said = node.refusal("layout", filesystems=[item | {"mount_point": "/third"}])
    assert "is mounted on /srv and /home2, and /third is wanted" in said
    said = node.refusal("layout", filesystems=[item | {"mount_point": "/srv", "subvolumes": []}])
    assert "subvolume @srv of" in said
    said = node.refusal("layout", filesystems=[item | {"mount_point": "/srv", "mount_options": "subvol=@home"}])
    assert "subvolume @srv of" in said
    assert (places(node), fstab(node)) == (there, lines)
    # The part that a line mounts is no option of the mount.
    node.converge("layout", filesystems=[item | {"mount_point": "/srv", "mount_options": "nodev"}])
    assert fstab(node)[0].startswith(f"UUID={uuid} /srv btrfs nodev,subvol=@srv,nofail")
    node.run("sync")
    node.lab.reboot()
    node.guest.until("findmnt /var/www && findmnt /home2")
    assert places(node).keys() == there.keys()
    said = node.refusal("layout", filesystems=[item | {"mount_point": ""}])
    assert "a directory of it is shown on /var/www as well (a bind mount, now)" in said
    assert "is in use" not in said
    gone = node.converge("layout", filesystems=[item | {"state": "absent"}], allow_destroy=[disk])
    assert steps(gone)[:3] == ["unmount filesystem"] * 3
    assert (places(node), fstab(node)) == ({}, [])


@pytest.mark.further
def test_what_is_mounted_in_several_places_is_encrypted_where_it_is(node: Node) -> None:
    disk, _uuid = by_hand(node)
    node.run("echo text > /var/www/file; mount -o remount,bind,ro /home2; sync")
    there, lines = places(node), fstab(node)
    words: dict[str, Any] = {
        "name": "vault",
        "device": disk,
        "in_place": True,
        "passphrase": "correct horse",
        "pbkdf": {"algorithm": "pbkdf2", "iteration_count": 1000},
    }
    said = node.refusal("luks_device", **words)
    assert "it is mounted on /srv and /home2 and /var/www. Set allow_offline" in said
    node.module("luks_device", **words, allow_offline=True)
    kernel = node.run(f"readlink -f {disk}")
    assert places(node) == {point: source.replace(kernel, "/dev/mapper/vault") for point, source in there.items()}
    assert fstab(node) == lines
    assert node.run("cat /var/www/file") == "text"
    assert node.run("findmnt --noheadings --output OPTIONS /home2").startswith("ro,")
    assert node.run("findmnt --noheadings --output OPTIONS /srv").startswith("rw,noatime")
