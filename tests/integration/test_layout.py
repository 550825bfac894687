# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole documents in one task, on a real kernel."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw

from .node import MODULES, PYTHON, RANDOM, Node

#: What somebody builds with the tools themselves.
BY_HAND = """
set -e
mdadm --create /dev/md0 --run --level=1 --raid-devices=2 {one} {two}
mdadm --detail --scan >> /etc/mdadm/mdadm.conf; update-initramfs -u
modprobe bcache
make-bcache --bucket 256k -B /dev/md0 -C {fast}
# udev does not always bring both up.
for device in /dev/md0 {fast}; do echo $device > /sys/fs/bcache/register || true; done 2> /dev/null
timeout 30 sh -c 'until grep -s -q -e clean -e dirty /sys/block/bcache0/bcache/state; do sleep 0.1; done'
vgcreate byhand /dev/bcache0
lvcreate --yes -n srv -L 300M byhand
mkfs.ext4 -q -L srv /dev/byhand/srv
mkdir -p /srv; echo "LABEL=srv /srv ext4 noatime,nofail 0 2" >> /etc/fstab; mount /srv
mkfs.xfs -q {three}; mkswap {four}
echo "UUID=$(blkid -s UUID -o value {four}) none swap sw 0 0" >> /etc/fstab; swapon -a
mdadm --wait /dev/md0 || true
echo kept > /srv/file; sync
"""

#: Runs a module, and says on standard error how many lines of ours that took: a measure that no other load disturbs.
_COUNT = """
import collections, json, runpy, sys, threading
taken = collections.Counter()
def count(frame, event, argument):
    if "ansible_collections" not in frame.f_code.co_filename:
        return None
    if event == "line":
        taken[f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_code.co_name}"] += 1
    return count
threading.settrace(count)
sys.settrace(count)
try:
    runpy.run_module(sys.argv.pop(), run_name="__main__", alter_sys=True)
finally:
    sys.settrace(None)
    print(json.dumps(taken), file=sys.stderr)
"""


@pytest.mark.further
def test_the_demos_stack(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    stack: dict[str, Any] = {
        "disks": [{"name": "fast", "serial": "SSD1"}],
        "raids": [{"name": "md0", "level": "5", "devices": [one, two, three]}],
        "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "fast", "cache_mode": "writeback"}],
        "drives": [
            {
                "name": "data",
                "devices": ["cached"],
                "volumes": [
                    {"name": "srv", "size": "50%", "mount_point": "/srv"},
                    {"name": "logs", "size": "100%", "filesystem": "ext4", "mount_point": "/srv/logs"},
                ],
            }
        ],
    }
    looked = node.module("layout", check=True, **stack)
    made = node.module("layout", **stack)
    assert made["plan"] == looked["plan"]
    assert made["plan"][-1]["detail"] == "/srv/logs"
    node.unchanged("layout", **stack)
    assert node.run("findmnt --noheadings --output FSTYPE,TARGET --target /srv/logs").split() == ["ext4", "/srv/logs"]
    node.run("echo kept > /srv/logs/file; sync")
    node.lab.reboot()
    node.unchanged("layout", **stack)
    assert node.run("cat /srv/logs/file") == "kept"

    found = node.module("layout_info")
    node.unchanged("layout", **found["layout"])
    drawn = draw(found["tree"]).splitlines()
    assert [line.split()[-1] for line in drawn if "/logs" in line] == ["/srv/logs"]
    assert [device["serial"] for device in found["unused"]] == ["HDD4", "HDD5", "HDD6", "SSD2"]
    assert {problem["problem"] for problem in found["health"]} <= {"syncing", "dirty"}

    gone: dict[str, Any] = {
        section: [{"name": stack[section][0]["name"], "state": "absent"}] for section in ("raids", "bcaches", "drives")
    }
    assert "add data to allow_destroy" in node.refusal("layout", **gone).lower()
    node.module("layout", **gone, allow_destroy=["md0", "cached", "data"])
    node.unchanged("layout", **gone)
    assert node.signatures(one) == node.signatures(node.disk("SSD1")) == [""]


@pytest.mark.further
def test_a_host_that_was_built_by_hand(node: Node) -> None:
    """What is read of it changes nothing; and then it is the document's like any other."""
    one, two, three, four = node.disks("HDD1", "HDD2", "HDD3", "HDD4")
    node.run(BY_HAND.format(one=one, two=two, three=three, four=four, fast=node.disk("SSD1")))
    found = node.module("layout_info")["layout"]
    assert {section: len(items) for section, items in found.items()} == {
        "raids": 1,
        "bcaches": 1,
        "luks": 0,
        "drives": 1,
        "partitions": 0,
        "filesystems": 3,
    }
    looked = node.module("layout", check=True, **found)
    assert [f"{step['action']} {step['detail']}" for step in looked["plan"]] == []
    found["drives"][0]["volumes"][0]["size"] = "400M"
    (xfs,) = [item for item in found["filesystems"] if item["type"] == "xfs"]
    xfs["mount_point"] = "/mnt/xfs"
    grown = node.converge("layout", **found)
    assert [step["action"] for step in grown["plan"]] == ["extend", "grow", "create", "persist", "mount"]
    assert node.run("cat /srv/file; findmnt -n -o FSTYPE /mnt/xfs") == "kept\nxfs"

    nothing: dict[str, Any] = {"raids": [], "bcaches": [], "drives": [], "mode": "exact"}
    assert "/dev/mapper/byhand-srv is in use (/srv)" in node.refusal("layout", **nothing)
    node.run("umount /srv")
    assert "would remove: drives: byhand, bcaches: bcache0, raids: md0. Name" in node.refusal("layout", **nothing)
    node.converge("layout", **nothing, allow_destroy=["byhand", "bcache0", "md0"])
    assert node.signatures(one, two, node.disk("SSD1")) == ["", "", ""]
    assert node.signatures(three) == ["xfs"]


@pytest.mark.further
def test_disks_by_what_they_are(node: Node) -> None:
    """The same ones, whatever the kernel calls them today, and only as was approved."""
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "rotational": True, "count": 3}, {"name": "fast", "rotational": False}],
        "raids": [{"name": "md0", "level": "5", "devices": ["slow"]}],
        "filesystems": [
            {"device": "md0", "type": "ext4", "mount_point": "/srv", "label": "srv"},
            {"device": "fast", "type": "swap"},
        ],
    }
    shuffle(node)
    planned = node.module("layout", check=True, **words)
    assert "the plan is not the expected one" in node.refusal("layout", **words, expected_plan="0" * 64)
    made = node.module("layout", **words, expected_plan=planned["plan_digest"], wait=True)
    assert made["plan"] == planned["plan"]
    names = node.run("ls /sys/block/md0/slaves")
    before = node.module("layout_info")["layout"]
    node.lab.reboot()
    assert node.run("ls /sys/block/md0/slaves") != names
    node.unchanged("layout", **words)
    assert node.module("layout_info")["layout"] == before


def shuffle(node: Node) -> None:
    """Have the kernel find the disks again, in the opposite order."""
    kernels = [
        node.guest.kernel_name(serial) for serial in [f"HDD{number}" for number in range(1, 7)] + ["SSD1", "SSD2"]
    ]
    addresses = [node.run(f"basename $(readlink /sys/block/{kernel}/device)").split(":") for kernel in kernels]
    for kernel in kernels:
        node.run(f"echo 1 > /sys/block/{kernel}/device/delete")
    for host, channel, target, _lun in reversed(addresses):
        node.run(f"echo {channel} {target} - > /sys/class/scsi_host/host{host}/scan")
    node.run("udevadm settle")


def test_changes_through_the_document(node: Node) -> None:
    """What the single modules change, several layers at once, while it is in use."""
    one, two, three, four = node.disks("HDD1", "HDD2", "HDD3", "HDD4")
    first, second = node.disks("SSD1", "SSD2")
    words: dict[str, Any] = {
        "raids": [{"name": "md0", "level": "1", "devices": [one, two]}],
        "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": first}],
        "drives": [
            {"name": "data", "devices": ["cached"], "volumes": [{"name": "srv", "size": "300M", "mount_point": "/srv"}]}
        ],
        "wait": True,
    }
    node.module("layout", **words)
    node.run(f"head -c 50M {RANDOM} > /srv/file; md5sum /srv/file > /root/sum; sync")

    words["raids"][0]["devices"] = [one, three]
    words["bcaches"][0].update(cache_device=second, cache_mode="writeback")
    words["drives"][0]["devices"] = ["cached", four]
    words["drives"][0]["volumes"][0]["size"] = "600M"
    words["drives"][0]["volumes"].append(
        {"name": "logs", "size": "100%", "filesystem": "ext4", "mount_point": "/srv/l"}
    )
    changed = node.converge("layout", **words)
    verbs = [f"{step['kind']} {step['action']}" for step in changed["plan"]]
    for verb in ("raid replace", "bcache attach", "drive extend", "volume extend", "volume create"):
        assert verb in verbs, verbs
    assert node.signatures(two, first) == ["", ""]

    words["bcaches"][0]["allow_offline"] = True
    words["drives"][0]["allow_shrink"] = True
    words["drives"][0]["volumes"] = [{"name": "srv", "size": "300M", "mount_point": "/srv"}]
    words["raids"][0].update(level="5", devices=[one, three, two])
    shrunk = node.module("layout", **words)
    verbs = [f"{step['kind']} {step['action']}" for step in shrunk["plan"]]
    assert verbs.count("raid grow") == 2
    assert "volume shrink" in verbs
    node.unchanged("layout", **words)
    node.run("md5sum --quiet --check /root/sum")


@pytest.mark.further
def test_many_devices(node: Node) -> None:
    """The work that a plan takes grows with the number of devices, and not with its square."""
    node.run(
        "modprobe loop; for n in $(seq 0 63); do truncate -s 64M /root/disk$n; losetup /dev/loop$n /root/disk$n; done"
    )
    node.guest.write("/run/count.py", _COUNT)

    def lines(count: int) -> Counter[str]:
        names = [f"m{index}" for index in range(count // 2)]
        raids = [
            {"name": name, "level": "1", "devices": [f"loop{2 * index}", f"loop{2 * index + 1}"]}
            for index, name in enumerate(names)
        ]
        filesystems = [{"device": name, "type": "ext4"} for name in names]
        given = {"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": True, "raids": raids, "filesystems": filesystems}}
        said = node.guest.run(f"{PYTHON} /run/count.py {MODULES}.layout", input=json.dumps(given))
        planned = json.loads(said.stdout)
        assert [step["action"] for step in planned["plan"]].count("format") == count // 2
        return Counter(json.loads(said.stderr))

    one, two, three = lines(16), lines(32), lines(64)
    first, second = two - one, three - two
    # Twice as many more devices are twice as much more work, and a little: mdadm.conf is written once for each array.
    assert second.total() < 2.3 * first.total(), sorted((second[name] - 2 * first[name], name) for name in second)[-8:]


@pytest.mark.further
def test_partitions(node: Node) -> None:
    """Made, grown while mounted, and gone; the others stay in use meanwhile."""
    words: dict[str, Any] = {
        "partitions": [
            {"name": "one", "device": node.disk("HDD1"), "size": "100M"},
            {"name": "other", "device": node.disk("HDD2"), "size": "100M", "type": "raid"},
            {"name": "memory", "device": node.disk("HDD2"), "size": "50M", "type": "swap"},
            {"name": "inner", "device": "md0", "size": "50%"},
        ],
        "raids": [{"name": "md0", "level": "1", "devices": ["other", node.disk("HDD3")]}],
        "filesystems": [
            {"device": "one", "type": "ext4", "mount_point": "/srv"},
            {"device": "memory", "type": "swap"},
            {"device": "inner", "type": "btrfs", "mount_point": "/srv/inner"},
        ],
    }
    words["filesystems"].pop()
    node.converge("layout", **words)
    assert node.run("lsblk --noheadings --output PARTLABEL | sort -u | xargs") == "inner memory one other"
    node.run("echo kept > /srv/file; sync")
    words["partitions"][0]["size"] = "100%"
    grown = node.converge("layout", **words)
    assert [step["action"] for step in grown["plan"]] == ["grow", "grow"]
    assert int(node.run("findmnt --noheadings --bytes --output SIZE /srv")) > 400 << 20
    node.lab.power_cut()
    node.unchanged("layout", **words)
    found = node.module("layout_info")
    assert {item["name"] for item in found["layout"]["partitions"]} == {"one", "other", "memory", "inner"}
    node.unchanged("layout", **found["layout"])
    assert node.run("cat /srv/file") == "kept"

    gone: dict[str, Any] = {
        "filesystems": [{"device": "one", "state": "absent"}, {"device": "memory", "state": "absent"}],
        "raids": [{"name": "md0", "state": "absent"}],
        "partitions": [{**partition, "state": "absent"} for partition in words["partitions"]],
    }
    refused = node.refusal("layout", **gone)
    assert "to allow_destroy to destroy that" in refused
    node.converge("layout", **gone, allow_destroy=["one", "memory", "md0"])
    assert node.signatures(*node.disks("HDD1", "HDD2", "HDD3")) == ["", "", ""]
