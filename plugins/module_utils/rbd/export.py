# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of images to files: words, and what it takes to have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.sizes import show_size
from .calls import WriteFile
from .exports import check_path
from .options import check_name
from .state import ExportState

OPTIONS: dict[str, dict[str, Any]] = {
    "image": {"type": "str", "required": True},
    "snapshot": {"type": "str", "required": True},
    "from_snapshot": {"type": "str"},
    "path": {"type": "path", "required": True},
    "format": {"type": "int", "choices": [1, 2]},
    "allow_destroy": {"type": "bool", "default": False},
}


class Wanted(NamedTuple):
    """A wanted export: of a snapshot, of what changed since ``start`` if that is not empty.

    In ``format`` 2, with all snapshots before it, and what the image is like.
    """

    image: str
    snapshot: str
    start: str
    path: str
    allow_destroy: bool = False
    format: int = 1

    @property
    def name(self) -> str:
        return f"{self.image}@{self.snapshot}"


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what makes no sense together."""
    if params["format"] == 2 and params["from_snapshot"]:
        raise StorageError("format 2 has all snapshots that are older; leave from_snapshot out")
    return Wanted(
        check_name("image", params["image"]),
        check_name("snapshot", params["snapshot"]),
        params["from_snapshot"] or "",
        check_path(params["path"]),
        params["allow_destroy"],
        params["format"] or 1,
    )


def plan(state: ExportState, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    image = state.image
    if image is None:
        raise StorageError(f"image {want.image}: there is none in {state.place}")
    if image.layered:
        raise Refused(
            f"image {want.image}: it is a clone that is encrypted, and what is not its own could not be decrypted in "
            "an export; flatten it first (rbd_image, with encryption)"
        )
    known = [one.name for one in image.snapshots]
    for name in (want.snapshot, *([want.start] if want.start else [])):
        if name not in known:
            raise StorageError(f"image {want.image}: it has no snapshot {name}")
    if want.start and known.index(want.start) >= known.index(want.snapshot):
        raise StorageError(f"image {want.image}: snapshot {want.start} is not older than {want.snapshot}")
    if state.done:
        return Plan((), state)
    if state.taken and not want.allow_destroy:
        raise Refused(
            f"{want.path}: there is a file, which is not known to be this export of {want.name}; choose another path, "
            "or set allow_destroy to replace it"
        )
    left = max(state.stored - state.written, 0)
    if left > state.room:
        raise StorageError(
            f"{want.path}: there is room for {show_size(state.room)}, and the export takes {show_size(left)} more"
        )
    since = f", what changed since {want.start}" if want.start else ""
    if want.format == 2:
        since = f", with {known.index(want.snapshot)} older snapshots"
    going_on = f", {show_size(state.written)} of it are there" if state.written else ""
    action = WriteFile(
        state.place,
        want.image,
        want.snapshot,
        want.start,
        want.path,
        state.identity,
        replaces=want.allow_destroy,
        format=want.format,
    )
    lost = (f"{want.path}: the file that is there",) if state.taken else ()
    detail = f"to {want.path}{since}, {show_size(state.stored)}{going_on}"
    step = Step("export", "image", want.name, detail, (action,), destroys=lost)
    return Plan((step,), state._replace(done=True, taken=True, written=0))
