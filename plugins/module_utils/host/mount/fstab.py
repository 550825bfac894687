# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of fstab, and how they name a device."""

from __future__ import annotations

import re
from typing import NamedTuple

FSTAB = "/etc/fstab"
#: The tags of fstab, each with the directory of udev's links that say the same.
_TAGS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}
_LINK = re.compile(f"/dev/disk/({'|'.join(_TAGS.values())})/(.+)")


class Line(NamedTuple):
    """One mount of fstab."""

    spec: str
    mount_point: str
    type: str
    options: str
    dump: str = "0"
    check: str = "0"

    def __str__(self) -> str:
        return " ".join((self.spec, escape(self.mount_point), *self[2:]))

    @property
    def place(self) -> str:
        """Its mount point, without a slash at the end."""
        return self.mount_point.rstrip("/") or "/"

    @property
    def device(self) -> str:
        """The path that leads to its device: of a tag, udev's link."""
        spec = _unescape(self.spec)
        tag, _is, value = spec.partition("=")
        return f"/dev/disk/{_TAGS[tag]}/{_encode(value)}" if tag in _TAGS else spec

    @property
    def tag(self) -> str:
        """``UUID=…`` or another tag, also where it is written as udev's link; empty for any other path."""
        link = _LINK.fullmatch(self.device)
        if link is None:
            return ""
        tag = next(tag for tag, directory in _TAGS.items() if directory == link.group(1))
        return f"{tag}={_decode(link.group(2))}"

    @property
    def is_required(self) -> bool:
        """Whether a boot waits for it, and ends in an emergency shell without it."""
        return not {"nofail", "noauto"}.intersection(self.options.split(","))

    @property
    def subvolume(self) -> str:
        """The subvolume that it mounts, by its path or ``#NUMBER``; empty where it names none."""
        said = dict(word.partition("=")[::2] for word in self.options.split(","))
        if "subvol" in said:
            return said["subvol"].strip("/")
        return "" if said.get("subvolid", "5") in ("0", "5") else f"#{said['subvolid']}"

    @property
    def is_bind(self) -> bool:
        """Whether it shows a directory in another place."""
        return any(word in ("bind", "rbind") for word in self.options.split(","))


def parse(text: str | None) -> list[tuple[str, Line | None]]:
    """The lines of fstab's text with their ends, each with the mount that it is, if it is one."""
    return [(raw, _parse(raw)) for raw in (text or "").splitlines(keepends=True)]


def lines(text: str | None) -> list[Line]:
    """All that fstab's text mounts."""
    return [line for _raw, line in parse(text) if line]


def _parse(raw: str) -> Line | None:
    fields = raw.split()
    if len(fields) < 3 or fields[0].startswith("#"):
        return None
    options, dump, check = (*fields[3:6], *("defaults", "0", "0")[len(fields[3:6]) :])
    return Line(fields[0].replace('"', ""), _unescape(fields[1]), fields[2], options, dump, check)


def escape(text: str) -> str:
    return text.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")


def _unescape(text: str) -> str:
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _encode(value: str) -> str:
    """A label as udev writes it in the name of a link."""
    return re.sub(
        r"[^\w#+.:=@-]", lambda one: "".join(f"\\x{byte:02x}" for byte in one.group().encode()), value, flags=re.UNICODE
    )


def _decode(name: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code.group(1), 16)), name)
