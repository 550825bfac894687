# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the kernel has mapped of RBD, and asks a cluster about an image that is to be."""

from __future__ import annotations

import json
import os

from ...core.command import read_text, run_command
from ...core.errors import StorageError, Unread
from ...document.features import FEATURES
from ..host import Host
from ..sysfs import rbd_spec
from .state import Mapped, RbdImage

_BUS = "/sys/bus/rbd"
#: What says how to reach the cluster, and no user asked for.
_OWN = ("name=", "secret=", "key=")


def read_more(host: Host, need: Unread) -> Host:
    """The state with what a planner asked for."""
    if need.what == "mapped":
        return host._replace(mapped=_mapped())
    spec, seconds, *argv = need.names
    return host._replace(images={**host.images, spec: _image(spec, int(seconds), tuple(argv))})


def _mapped() -> tuple[Mapped, ...]:
    try:
        numbers = sorted(os.listdir(f"{_BUS}/devices"))
    except OSError:
        return ()
    return tuple(
        Mapped(
            f"/dev/rbd{number}",
            rbd_spec(number),
            read_text(f"{_BUS}/devices/{number}/cluster_fsid"),
            _options(read_text(f"{_BUS}/devices/{number}/config_info")),
            read_text(f"/sys/class/block/rbd{number}/ro") == "1",
        )
        for number in numbers
    )


def _options(info: str) -> tuple[str, ...]:
    """Of ``MONITORS OPTIONS POOL IMAGE SNAPSHOT``, those that somebody asked for."""
    words = info.split(" ")
    given = words[1].split(",") if len(words) > 1 else []
    return tuple(option for option in given if option and not option.startswith((*_OWN, "_pool_ns=")))


def _image(spec: str, seconds: int, argv: tuple[str, ...]) -> RbdImage:
    try:
        told = json.loads(run_command(argv, seconds))
    except StorageError as error:
        # Its last words say what was wrong; what libraries log before them holds times and addresses.
        raise StorageError(f"{spec}: cannot be mapped: {str(error).rpartition('rbd: ')[2]}") from None
    supported = int(read_text(f"{_BUS}/supported_features") or "0", 16)
    names = [name for bit, name in enumerate(FEATURES) if supported and not supported >> bit & 1]
    return RbdImage(told["size"], tuple(name for name in told["features"] if name in names))
