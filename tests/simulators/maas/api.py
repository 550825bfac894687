# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's endpoints, and who answers a request."""

from __future__ import annotations

import re
from typing import Callable

from . import bcaches, datastores, devices, filesystems, machines, raids, scripts, told, volume_groups
from .description import describe
from .parts import ApiError
from .request import Answer, Request

__all__ = ["ROUTES", "Request", "answer"]


def version(_request: Request) -> Answer:
    capabilities = [
        *("networks-management", "static-ipaddresses", "ipv6-deployment-ubuntu", "devices-management"),
        *("storage-deployment-ubuntu", "network-deployment-ubuntu", "bridging-interface-ubuntu"),
        *("bridging-automatic-ubuntu", "authenticate-api"),
    ]
    return {"capabilities": capabilities, "version": "3.6.5", "subversion": ""}


def description(request: Request) -> Answer:
    return describe(request.base, ROUTES)


def whoami(request: Request) -> Answer:
    if request.user is None:
        raise ApiError(401, "Forbidden")
    return {
        "is_superuser": request.user.admin,
        "username": request.user.name,
        "email": f"{request.user.name}@example.com",
        "is_local": request.user.local,
        "resource_uri": f"{told.API}/users/{request.user.name}/",
    }


Handler = Callable[..., Answer]
_NODE = "nodes/([^/]+)"
_ONE = "([^/]+)"
_DEVICE = f"{_NODE}/blockdevices/{_ONE}"
_ON_HOLDER: dict[str, Handler] = {
    "POST format": filesystems.format_,
    "POST unformat": filesystems.unformat,
    "POST mount": filesystems.mount,
    "POST unmount": filesystems.unmount,
    "POST add_tag": devices.add_tag,
    "POST remove_tag": devices.remove_tag,
}
_ON_PARTITION: dict[str, Handler] = {"GET": devices.read_partition, "DELETE": devices.delete_partition, **_ON_HOLDER}
_ON_MACHINE: dict[str, Handler] = {
    "GET": machines.read_machine,
    "POST set_storage_layout": machines.set_storage_layout,
    "POST restore_storage_configuration": machines.restore_storage,
    "POST mount_special": machines.mount_special,
    "POST unmount_special": machines.unmount_special,
    "POST release": machines.release,
    "POST lock": machines.lock,
    "POST unlock": machines.unlock,
    "POST commission": machines.commission,
}
_ON_VOLUME_GROUP: dict[str, Handler] = {
    "GET": volume_groups.read_volume_group,
    "PUT": volume_groups.update_volume_group,
    "DELETE": volume_groups.delete_volume_group,
    "POST create_logical_volume": volume_groups.create_volume,
    "POST delete_logical_volume": volume_groups.delete_volume,
}
#: Paths below the API's, and what each takes, by method and op.
ROUTES: dict[str, dict[str, Handler]] = {
    "version/": {"GET": version},
    "describe/": {"GET": description},
    "users/": {"GET whoami": whoami},
    "machines/": {"GET": machines.list_machines, "POST allocate": machines.allocate},
    "machines/([^/]+)/": _ON_MACHINE,
    f"{_NODE}/": {"GET": machines.read_machine},
    f"{_NODE}/blockdevices/": {"GET": devices.list_devices, "POST": devices.create_device},
    f"{_DEVICE}/": {
        "GET": devices.read_device,
        "PUT": devices.update_device,
        "DELETE": devices.delete_device,
        "POST set_boot_disk": devices.set_boot_disk,
        **_ON_HOLDER,
    },
    f"{_DEVICE}/partitions/": {"GET": devices.list_partitions, "POST": devices.create_partition},
    f"{_DEVICE}/partitions?/{_ONE}": _ON_PARTITION,
    f"{_NODE}/raids/": {"GET": raids.list_raids, "POST": raids.create_raid},
    f"{_NODE}/raid/{_ONE}/": {"GET": raids.read_raid, "PUT": raids.update_raid, "DELETE": raids.delete_raid},
    f"{_NODE}/bcache-cache-sets/": {"GET": bcaches.list_cache_sets, "POST": bcaches.create_cache_set},
    f"{_NODE}/bcache-cache-set/{_ONE}/": {
        "GET": bcaches.read_cache_set,
        "PUT": bcaches.update_cache_set,
        "DELETE": bcaches.delete_cache_set,
    },
    f"{_NODE}/bcaches/": {"GET": bcaches.list_bcaches, "POST": bcaches.create_bcache},
    f"{_NODE}/bcache/{_ONE}/": {
        "GET": bcaches.read_bcache,
        "PUT": bcaches.update_bcache,
        "DELETE": bcaches.delete_bcache,
    },
    f"{_NODE}/volume-groups/": {"GET": volume_groups.list_volume_groups, "POST": volume_groups.create_volume_group},
    f"{_NODE}/volume-groups?/{_ONE}/": _ON_VOLUME_GROUP,
    f"{_NODE}/vmfs-datastores/": {"GET": datastores.list_datastores, "POST": datastores.create_datastore},
    f"{_NODE}/vmfs-datastore/{_ONE}/": {
        "GET": datastores.read_datastore,
        "PUT": datastores.update_datastore,
        "DELETE": datastores.delete_datastore,
    },
    "scripts/": {"GET": scripts.list_scripts, "POST": scripts.create_script},
    f"scripts/{_ONE}": {
        "GET": scripts.read_script,
        "PUT": scripts.update_script,
        "DELETE": scripts.delete_script,
        "POST revert": scripts.revert_script,
    },
}
_ANONYMOUS = ("version/", "describe/")
_COMPILED = [(re.compile(pattern), handlers) for pattern, handlers in ROUTES.items()]


def answer(request: Request) -> Answer:
    """What the region says. Raises ApiError."""
    below = request.path.removeprefix(f"{told.API}/")
    for pattern, handlers in _COMPILED:
        match = pattern.fullmatch(below)
        if match is None:
            continue
        methods = sorted({key.split()[0] for key in handlers}, reverse=True)
        if request.method not in methods:
            raise ApiError(405, headers={"Allow": ", ".join(methods)})
        handler = handlers.get(" ".join(filter(None, (request.method, request.op))))
        if handler is None or (request.user is None and below == "machines/"):
            raise ApiError(400, f"Unrecognised signature: method={request.method} op={request.op}")
        if request.user is None and below not in _ANONYMOUS:
            raise ApiError(401, "Forbidden")
        return handler(request, *match.groups())
    raise ApiError(404, f"Unknown API endpoint: {request.path}.")
