# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commissioning scripts of a region that write a custom layout. The region keeps the former versions of each."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan
from .actions import Call, fields, step
from .client import Client, NotFound, of_the_form
from .document import CACHE_MODES, SPECIAL_TYPES, TYPES
from .state import User

#: Run after the script that tells of the hardware, and before the one after which MAAS reads the layout.
_NAME = re.compile(r"4[1-9]-[A-Za-z0-9][A-Za-z0-9_.-]*")
_COMMISSIONING = 0
_OURS = "# Made by strata.storage.maas_layout_script."
#: Scripts with this tag run only where somebody names them.
_NOT_BY_ITSELF = ("noauto",)
_END = "END_OF_LAYOUT"
#: MAAS tags a script by the hardware that it is for, this one with the first of these, and takes the others away.
_NODE, _TAKEN = "node", ("destructive", "cpu", "memory", "storage", "network", "gpu")

#: What each type of an entry has to have, and what it may have, as MAAS documents it.
_ENTRIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "disk": ((), ("boot", "ptable", "partitions")),
    "raid": (("level", "members"), ("spares", "fs")),
    "bcache": (("backing-device", "cache-device"), ("cache-mode", "fs")),
    "lvm": (("members",), ("volumes",)),
    "special": (("fs",), ()),
}
#: Values as MAAS's schema has them.
_CHOICES: dict[str, tuple[Any, ...]] = {
    "level": (0, 1, 5, 6, 10),
    "ptable": ("gpt", "mbr"),
    "cache-mode": CACHE_MODES,
    "boot": (True, False),
    "bootable": (True, False),
}
_TEXTS = ("size", "name", "device", "options", "backing-device", "cache-device")
_LISTS = ("partitions", "volumes", "members", "spares")
_ENTRY = re.compile("[a-zA-Z][a-zA-Z0-9_-]*")
_SIZE = re.compile(r"(?=.*[1-9])[0-9]+(\.[0-9]+)?[MGT]")
_PART = (("name", "size"), ("bootable", "fs"))


class Wanted(NamedTuple):
    """A wanted script. None: as it is; a new one gets tags by which it runs only where it is named."""

    name: str
    layout: Mapping[str, Any] | None = None
    tags: tuple[str, ...] | None = None
    comment: str | None = None
    state: str = "present"


class Script(NamedTuple):
    """``versions`` are the numbers and comments of all that the region keeps, the newest first."""

    name: str
    kind: int
    text: str
    tags: tuple[str, ...]
    versions: tuple[tuple[int, str], ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.kind == _COMMISSIONING and _OURS in self.text


def parse(words: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what cannot be."""
    name, tags, layout = words["name"], words["tags"], words["layout"]
    if not _NAME.fullmatch(name):
        raise StorageError(
            f"name: {name!r}: a script that writes a layout begins with 41- to 49-, so that MAAS runs it in time, and "
            "goes on with letters, digits and any of _ . -"
        )
    wrong = [tag for tag in tags or () if not tag or re.search(r"[\s,]", tag)]
    if wrong:
        raise StorageError(f"tags: {wrong[0]!r}: a tag is not empty, and has no white space and no comma")
    taken = [tag for tag in tags or () if tag in _TAKEN]
    if taken:
        raise StorageError(
            f"tags: {taken[0]}: MAAS takes this tag away from a script that writes a layout; leave it out"
        )
    if layout is not None:
        check_layout(layout)
    return Wanted(name, layout, None if tags is None else tuple(tags), words["comment"], words["state"])


def check_layout(layout: Mapping[str, Any]) -> None:
    """Raises StorageError for what is not of the form that MAAS documents: it says so only while it commissions."""
    _check_keys("layout", layout, ("layout", "mounts"), ())
    for section in ("layout", "mounts"):
        if not isinstance(layout[section], Mapping):
            raise StorageError(f"layout: {section} is no dictionary")
    entries = layout["layout"]
    below: dict[str, tuple[str, ...]] = {}
    for name, entry in entries.items():
        what = f"layout: {name}"
        kind = entry.get("type") if isinstance(entry, Mapping) else None
        if not isinstance(kind, str) or kind not in _ENTRIES:
            raise StorageError(f"{what}: its type is {kind!r}, and MAAS has {', '.join(_ENTRIES)}")
        needed, more = _ENTRIES[kind]
        _check_keys(what, entry, ("type", *needed), more)
        _check_values(what, entry, SPECIAL_TYPES if kind == "special" else TYPES)
        if not _ENTRY.fullmatch(str(name)):
            raise StorageError(f"{what}: a name has letters, digits, _ and -, a letter first")
        parts = (*entry.get("partitions", ()), *entry.get("volumes", ()))
        for part in parts:
            _check_keys(f"{what}: a part of it", part, *_PART)
            _check_values(f"{what}: {part['name']}", part, TYPES)
            if part["name"] in below or part["name"] in entries:
                raise StorageError(f"{what}: {part['name']} is the name of two things")
            below[part["name"]] = (name,)
        if entry.get("partitions") and "ptable" not in entry:
            raise StorageError(f"{what}: it has partitions, and ptable is missing; MAAS has gpt and mbr")
        single = [entry[key] for key in ("backing-device", "cache-device") if key in entry]
        # A disk that is used as a whole has no entry of its own.
        below[name] = (*entry.get("members", ()), *entry.get("spares", ()), *single)
    for name in below:
        _check_order(below, name, ())
    for point, mount in layout["mounts"].items():
        _check_keys(f"layout: {point}", mount, ("device",), ("options",))
        _check_values(f"layout: {point}", mount, ())
        if mount["device"] not in below:
            raise StorageError(f"layout: {point}: {mount['device']} is not in the layout")


def _check_values(what: str, found: Mapping[str, Any], types: tuple[str, ...]) -> None:
    """Raises StorageError for values of another kind than MAAS's schema has. Jinja makes texts of numbers."""
    choices: dict[str, tuple[Any, ...]] = {**_CHOICES, "fs": types}
    for key, value in found.items():
        if key in choices and not any(type(value) is type(one) and value == one for one in choices[key]):
            said = ", ".join(repr(one) for one in choices[key])
            raise StorageError(f"{what}: {key} is {value!r} ({type(value).__name__}), and MAAS has {said}")
        if key in _TEXTS and not isinstance(value, str):
            raise StorageError(f"{what}: {key} is {value!r}, and MAAS takes a text")
        if key in _LISTS and not isinstance(value, list):
            raise StorageError(f"{what}: {key} is {value!r}, and MAAS takes a list")
        if key in ("members", "spares") and not all(isinstance(one, str) for one in value):
            raise StorageError(f"{what}: {key} is {value!r}, and MAAS takes a list of names")
        if key == "size" and not _SIZE.fullmatch(value):
            raise StorageError(f"{what}: size is {value!r}; MAAS takes a number with M, G or T, such as 5G")


def _check_order(below: Mapping[str, tuple[str, ...]], name: str, above: tuple[str, ...]) -> None:
    """Raises StorageError for what is made of itself: MAAS would go on for ever."""
    if name in above:
        raise StorageError(f"layout: {name} is made of itself ({' of '.join((*above, name))})")
    for device in below.get(name, ()):
        _check_order(below, device, (*above, name))


def _check_keys(what: str, found: Any, needed: tuple[str, ...], more: tuple[str, ...]) -> None:
    if not isinstance(found, Mapping):
        raise StorageError(f"{what} is no dictionary")
    missing = [key for key in needed if key not in found]
    unknown = [str(key) for key in found if key not in needed + more]
    if missing or unknown:
        said = [
            f"{', '.join(keys)} {why}" for keys, why in ((missing, "is missing"), (unknown, "is not known")) if keys
        ]
        raise StorageError(f"{what}: {'; '.join(said)}; MAAS would refuse that while it commissions")


def read(client: Client, name: str) -> Script | None:
    try:
        told = client.get(f"scripts/{name}", f"reading script {name}", include_script="true")
    except NotFound:
        return None
    with of_the_form():
        history = told["history"]
        text = b64decode(history[0]["data"]).decode(errors="replace") if history else ""
        versions = tuple((one["id"], one["comment"] or "") for one in history)
        return Script(told["name"], told["type"], text, tuple(told["tags"]), versions)


def plan(there: Script | None, want: Wanted) -> Plan:
    if there and not there.is_ours:
        raise Refused(
            f"script {want.name}: the region has one of that name that this module did not make; choose another name"
        )
    if want.state == "absent":
        return _absent(there, want)
    if there is None:
        return _create(want)
    told: dict[str, Any] = {}
    changed, what = there, []
    if want.layout is not None and (text := body(want.name, want.layout)) != there.text:
        told.update(script=text, comment=want.comment)
        changed = changed._replace(text=text)
        what.append("another layout, as a new version")
    if want.tags is not None and {*want.tags, _NODE} != {*there.tags, _NODE}:
        told["tags"] = ",".join(want.tags)
        changed = changed._replace(tags=_with_node(want.tags))
        what.append(f"tags {' '.join(want.tags) or 'none'}")
    if not told:
        return Plan((), there)
    call = Call("PUT", f"scripts/{want.name}", fields(**told))
    return Plan((step("change", "script", want.name, ", ".join(what), call),), changed)


def checked_user(planned: Plan, user: User) -> Plan:
    """The plan itself. Raises Refused where the region would not let the user do it."""
    if user.local and not user.admin:
        raise Refused(
            f"the API key's user may not do that; administrators change scripts, and {user.name} is none: "
            f"{planned.steps[0]}. Give the key of one"
        )
    return planned


def _create(want: Wanted) -> Plan:
    if want.layout is None:
        raise StorageError(f"script {want.name} does not exist, and to create it, say also: layout")
    tags = _NOT_BY_ITSELF if want.tags is None else want.tags
    text = body(want.name, want.layout)
    given = fields(name=want.name, type="commissioning", tags=",".join(tags), comment=want.comment, script=text)
    one = step("create", "script", want.name, f"tags {' '.join(tags) or 'none'}", Call("POST", "scripts/", given))
    return Plan((one,), Script(want.name, _COMMISSIONING, text, _with_node(tags)))


def _with_node(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tags if _NODE in tags else (*tags, _NODE)


def _absent(there: Script | None, want: Wanted) -> Plan:
    if there is None:
        return Plan((), None)
    lost = f"script {want.name}: {len(there.versions)} versions of it"
    one = step(
        "remove", "script", want.name, "all its versions", Call("DELETE", f"scripts/{want.name}"), destroys=(lost,)
    )
    return Plan((one,), None)


def body(name: str, layout: Mapping[str, Any]) -> str:
    """The script. Each line of the layout begins with white space or a brace, so that none ends it too early."""
    text = json.dumps(layout, indent=2, sort_keys=True)
    return f"""#!/bin/sh
# --- Start MAAS 1.0 script metadata ---
# name: {name}
# title: Storage layout {name}
# script_type: commissioning
# timeout: 00:01:00
# --- End MAAS 1.0 script metadata ---
{_OURS}
set -e
cat > "$MAAS_STORAGE_CONFIG_FILE" << '{_END}'
{text}
{_END}
"""


def dump(there: Script | None) -> dict[str, Any]:
    """As the module returns it."""
    if there is None:
        return {"script": None}
    versions = [{"id": number, "comment": comment or None} for number, comment in there.versions]
    return {"script": {"name": there.name, "tags": list(there.tags), "versions": versions}}
