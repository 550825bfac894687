# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers that were tried: what they are asked beyond Cinder's interface, and what of them is put right.

Cinder's interface cannot say whether a volume is still there, how large it is, or who uses it. A database that is older
than its backend says so of none of these either.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from typing import Any, Callable

from .state import GIB, SNAPSHOT, VOLUME

#: Where the kernel shows what it offers over iSCSI.
_TARGETS = "/sys/kernel/config/target/iscsi"
#: What it says where no initiator is logged in.
_NOBODY = "No active iSCSI Session"


class Untried:
    """A driver of which nothing is known but Cinder's interface. Names are those on the backend."""

    #: Whether volumes are offered by this host's kernel, which forgets that with each boot.
    offers_here = False

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def names(self) -> frozenset[str] | None:
        """Volumes that are on the backend. None where the driver cannot tell."""
        return None

    def size(self, _name: str, /) -> int:
        """Size of a volume on the backend, in bytes, rounded up to GiB. 0 where the driver cannot tell."""
        return 0

    def users(self, _name: str, /) -> tuple[str, ...]:
        """Who uses a volume now, as the backend knows them."""
        return ()

    def is_offered(self, _name: str, /) -> bool:
        """Whether this host's kernel offers a volume."""
        return False

    def withdraw(self, _volume: Any, /) -> None:
        """Have this host's kernel offer a volume no longer."""


class Rbd(Untried):
    """Images of a pool of Ceph."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._rbd = import_module("cinder.volume.drivers.rbd")
        driver.delete_volume = self._with_references(driver.delete_volume)

    def names(self) -> frozenset[str] | None:
        with self._rbd.RADOSClient(self.driver) as client:
            return frozenset(map(str, self.driver.RBDProxy().list(client.ioctx)))

    def size(self, name: str, /) -> int:
        with self._rbd.RBDVolumeProxy(self.driver, name, read_only=True) as image:
            return -(-int(image.size()) // GIB) * GIB

    def users(self, name: str, /) -> tuple[str, ...]:
        with self._rbd.RBDVolumeProxy(self.driver, name, read_only=True) as image:
            return tuple(sorted(str(one["addr"]) for one in image.watchers_list()))

    def _with_references(self, delete: Callable[[Any], None]) -> Callable[[Any], None]:
        """Delete a volume, and the snapshot that a copy was made by. The driver of Cinder 23 mostly leaves it.

        Then the volume that was copied could not be deleted later, and a copy that was cut off not be made anew.
        """
        driver, rbd = self.driver, self._rbd

        def delete_volume(volume: Any) -> None:
            parent = snapshot = None
            gone = suppress(driver.rbd.ImageNotFound)
            if volume.source_volid and volume.name not in (self.names() or ()):
                with gone:
                    self._remove_snapshot(f"{VOLUME}{volume.source_volid}", f"{volume.name}.clone_snap")
            with gone, rbd.RBDVolumeProxy(driver, volume.name, read_only=True) as image:
                # One that was copied itself is kept by the driver, and so is what it depends on.
                if driver._find_clone_snap(image) is None:
                    _pool, parent, snapshot = driver._get_clone_info(image, volume.name)
            delete(volume)
            if parent is not None:
                with gone, rbd.RADOSClient(driver) as client:
                    driver._delete_clone_parent_refs(client, parent, snapshot)

        return delete_volume

    def _remove_snapshot(self, name: str, snapshot: str) -> None:
        """Remove the snapshot that a copy was to be made by, where a task was cut off before or after there was one."""
        with self._rbd.RBDVolumeProxy(self.driver, name) as image:
            if snapshot in (one["name"] for one in image.list_snaps()):
                if image.is_protected_snap(snapshot):
                    image.unprotect_snap(snapshot)
                image.remove_snap(snapshot)


class Lvm(Untried):
    """Logical volumes of a group of this host, offered by its kernel's own target."""

    offers_here = True

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._volumes, self._snapshots = driver.get_manageable_volumes, driver.get_manageable_snapshots
        driver.get_manageable_volumes, driver.get_manageable_snapshots = self._list_volumes, self._list_snapshots

    def names(self) -> frozenset[str] | None:
        return frozenset(str(one["name"]) for one in self.driver.vg.get_volumes())

    def size(self, name: str, /) -> int:
        # It has the size in GiB, with a fraction.
        return -(-int(float(self.driver.vg.get_volume(name)["size"]) * GIB) // GIB) * GIB

    def users(self, name: str, /) -> tuple[str, ...]:
        found = set()
        group = os.path.join(self._target(name), "tpgt_1")
        acls = os.path.join(group, "acls")
        with suppress(FileNotFoundError):
            for initiator in os.listdir(acls):
                with open(os.path.join(acls, initiator, "info"), encoding="utf-8") as info:
                    if _NOBODY not in info.read():
                        found.add(initiator)
        return tuple(sorted(found))

    def is_offered(self, name: str, /) -> bool:
        return os.path.isdir(self._target(name))

    def withdraw(self, volume: Any, /) -> None:
        if self.is_offered(volume.name):
            self.driver.target_driver.remove_iscsi_target(0, 0, volume.id, volume.name)

    def _target(self, name: str) -> str:
        return os.path.join(_TARGETS, f"{self.driver.configuration.target_prefix}{name}")

    # The driver takes its thin pool for a volume, and thin snapshots too.

    def _list_volumes(self, *words: Any) -> list[Any]:
        pool = f"{self.driver.configuration.volume_group}-pool"
        found = self._volumes(*words)
        return [one for one in found if not _is_snapshot(one) and one["reference"]["source-name"] != pool]

    def _list_snapshots(self, *words: Any) -> list[Any]:
        thin = [one for one in self._volumes(*words) if _is_snapshot(one)]
        for one in thin:
            origin = self.driver.vg.lv_get_origin(one["reference"]["source-name"])
            one["source_reference"] = {"source-name": origin}
        return [*thin, *self._snapshots(*words)]


def _is_snapshot(one: Any) -> bool:
    return str(one["reference"]["source-name"]).startswith(f"_{SNAPSHOT}")


_TRIED: dict[str, type[Untried]] = {
    "cinder.volume.drivers.rbd.RBDDriver": Rbd,
    "cinder.volume.drivers.lvm.LVMVolumeDriver": Lvm,
}


def known(name: str, driver: Any) -> Untried:
    """What is known of a driver, by its class."""
    return _TRIED.get(name, Untried)(driver)
