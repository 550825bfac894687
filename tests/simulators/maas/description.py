# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The region's description of its API, from which python-libmaas makes its methods."""

from __future__ import annotations

import re
from typing import Any

from . import told

#: The names of resources, by the patterns of their paths.
_NAMES = {
    "version/": "Version",
    "users/": "Users",
    "machines/": "Machines",
    "machines/{system_id}/": "Machine",
    "nodes/{system_id}/": "Node",
    "nodes/{system_id}/blockdevices/": "BlockDevices",
    "nodes/{system_id}/blockdevices/{id}/": "BlockDevice",
    "nodes/{system_id}/blockdevices/{device_id}/partitions/": "Partitions",
    "nodes/{system_id}/blockdevices/{device_id}/partition/{id}": "Partition",
    "nodes/{system_id}/raids/": "Raids",
    "nodes/{system_id}/raid/{id}/": "Raid",
    "nodes/{system_id}/bcache-cache-sets/": "BcacheCacheSets",
    "nodes/{system_id}/bcache-cache-set/{id}/": "BcacheCacheSet",
    "nodes/{system_id}/bcaches/": "Bcaches",
    "nodes/{system_id}/bcache/{id}/": "Bcache",
    "nodes/{system_id}/volume-groups/": "VolumeGroups",
    "nodes/{system_id}/volume-group/{id}/": "VolumeGroup",
}
_ACTIONS = {"GET": "read", "POST": "create", "PUT": "update", "DELETE": "delete"}


def describe(base: str, routes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """``base`` is the region's URL, ``routes`` patterns of paths with what each takes, by method and op."""
    resources = []
    for path, name in _NAMES.items():
        plain = re.sub(r"\{\w+\}", "x", path)
        (handlers,) = (handlers for pattern, handlers in routes.items() if re.fullmatch(pattern, plain))
        actions = []
        for key in handlers:
            method, _space, operation = key.partition(" ")
            actions.append(
                {
                    "name": operation or _ACTIONS[method],
                    "method": method,
                    "op": operation or None,
                    "restful": not operation,
                    "doc": "",
                }
            )
        handler = {
            "name": f"{name}Handler",
            "path": f"{told.API}/{path}",
            "uri": f"{base}/api/2.0/{path}",
            "params": re.findall(r"\{(\w+)\}", path),
            "actions": actions,
            "doc": "",
        }
        anonymous = handler if name == "Version" else None
        resources.append({"name": f"{name}Handler", "anon": anonymous, "auth": handler})
    return {"doc": "MAAS API", "hash": "", "handlers": [], "resources": resources}
