# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand RBD images in one task, beside a bare loop over librbd's binding and the rbd command in a loop.

All three are processes of their own, from their start to their end, with the same cluster.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from tests.ceph import Cluster
from tests.integration.on_ceph.client import ENVIRONMENT, PYTHON

IMAGES = 1000
#: A command takes as long each time, so fewer tell as much.
COMMANDS = 100
_MODULE = "ansible_collections.strata.storage.plugins.modules.rbd_images"
_BARE = """
import rados, rbd, sys
what, count, conf = sys.argv[1], int(sys.argv[2]), sys.argv[3]
cluster = rados.Rados(conffile=conf)
cluster.connect()
pool = cluster.open_ioctx("rbd")
calls = rbd.RBD()
for number in range(count):
    name = f"bare{number}"
    if what == "created":
        calls.create(pool, name, 1 << 30, old_format=False)
        continue
    with rbd.Image(pool, name, read_only=True) as image:
        image.stat(), image.features(), image.id(), image.flags()
        dict(image.metadata_list()), image.group(), image.list_lockers(), list(image.list_snaps())
        list(image.watchers_list()), image.mirror_image_get_info(), image.get_snap_limit()
        try:
            image.get_parent_image_spec()
        except rbd.ImageNotFound:
            pass
pool.close()
cluster.shutdown()
"""


def main() -> None:
    with Cluster() as cluster:
        images = [{"name": f"ours{number}", "size": "1G"} for number in range(IMAGES)]
        given = {"conf": str(cluster.conf), "images": images, "pool": "rbd"}
        for what, command in (("created", ["create", "--size", "1G"]), ("unchanged", ["info"])):
            bare = _seconds([PYTHON, "-c", _BARE, what, str(IMAGES), str(cluster.conf)])
            ours = _seconds([PYTHON, "-m", _MODULE], given, what)
            started = time.monotonic()
            for number in range(COMMANDS):
                cluster.run("rbd", *command, f"rbd/commands{number}")
            commands = (time.monotonic() - started) * IMAGES / COMMANDS
            print(
                f"{IMAGES} images, {what:9}  bare loop {bare:5.2f} s  rbd_images {ours:5.2f} s = {ours / bare:.2f} x  "
                f"rbd command {commands:5.1f} s = {commands / bare:.1f} x (from {COMMANDS})",
                flush=True,
            )


def _seconds(command: list[str], arguments: dict[str, Any] | None = None, what: str = "") -> float:
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}) if arguments else None
    started = time.monotonic()
    done = subprocess.run(command, env=ENVIRONMENT, input=given, text=True, check=True, stdout=subprocess.PIPE)
    taken = time.monotonic() - started
    if arguments:
        assert json.loads(done.stdout)["changed"] == (what == "created")
    return taken


if __name__ == "__main__":
    main()
