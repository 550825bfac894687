# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drive of network volumes that are files of the guest: made, grown, shrunk, taken away."""

from __future__ import annotations

from typing import Any

from .node import RANDOM, Node

MiB = 1 << 20
PROVIDER = {"name": "loop", "directory": "/root/volumes"}
POLICY = {"initial_size": "320M", "cooldown": "0"}


class Elastic:
    """The three modules in the order that the role has them."""

    def __init__(self, node: Node, **policy: Any) -> None:
        self.node, self.policy = node, {**POLICY, **policy}

    def volumes(self, **words: Any) -> dict[str, Any]:
        return self.node.module("drive_volumes", name="data", provider=PROVIDER, **words)

    def usage(self, volumes: Any = ()) -> dict[str, Any]:
        return self.node.module("drive_usage_info", name="data", volumes=list(volumes))

    def reconcile(self) -> dict[str, Any]:
        """One pass."""
        made = self.volumes(policy=self.policy, usage=self.usage()["usage"])
        devices = self.usage(made["volumes"])["devices"]
        staying = [device for volume, device in devices.items() if volume not in made["leaving"]]
        host = self.node.module(
            "lvm_drive",
            name="data",
            devices=staying,
            filesystem="btrfs",
            size="100%",
            mount_point="/srv",
            allow_shrink=bool(made["leaving"]),
        )
        removed = self.volumes(emptied=made["leaving"])
        return {**made, "changed": made["changed"] or host["changed"] or removed["changed"]}

    def sizes(self) -> list[int]:
        found = self.node.module("drive_volumes_info", name="data", provider=PROVIDER)
        return sorted(volume["size"] // MiB for volume in found["volumes"])


def test_a_drive_grows_with_its_use_and_shrinks(node: Node) -> None:
    drive = Elastic(node)
    assert drive.reconcile()["changed"]
    assert drive.sizes() == [320]
    assert not drive.reconcile()["changed"]

    node.run(f"cp {RANDOM} /srv/kept && md5sum /srv/kept > /root/sum")
    # What does not fit is cut off: it is full then.
    node.run(f"for n in 1 2 3 4; do cp {RANDOM} /srv/file$n; done; sync", check=False)
    grown = drive.reconcile()
    assert grown["decision"]["moves"], grown["decision"]["reason"]
    (size,) = drive.sizes()
    assert size > 380
    assert int(node.run("findmnt --bytes --noheadings --output SIZE /srv")) > 370 * MiB
    assert not drive.reconcile()["changed"]

    node.run("rm /srv/file* && sync && btrfs filesystem sync /srv")
    shrunk = drive.reconcile()
    assert [move["action"] for move in shrunk["decision"]["moves"]] == ["add", "remove"]
    assert drive.sizes() == [320]
    assert not drive.reconcile()["changed"]
    assert node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"

    node.module("lvm_drive", name="data", state="absent", allow_destroy=True)
    drive.volumes(state="absent", allow_destroy=True)
    assert node.run("losetup --list; ls /root/volumes/data") == ""
