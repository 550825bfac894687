# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lab says about its machine on disk."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .process import Process

STATE = "state.json"


@dataclass(frozen=True)
class Medium:
    """The contents of a disk, and how it shows itself."""

    file: str
    sector: int = 512
    """Bytes of a sector."""
    optimal_io: int = 0
    """Bytes that are best read or written at a time, such as a stripe of a RAID controller; 0: it does not say."""


@dataclass
class State:
    """The machine that runs, or ran last, in a lab's directory."""

    key: str
    """Hash of everything that the machine's first boot depends on."""
    kind: str
    """`qemu` or `uml`."""
    machine: str
    """The machine and its kernel in a few words."""
    suite: str
    image: str
    """The directory of the image that it was made of, whatever the recipe says now."""
    process: Process
    port: int
    media: dict[str, Medium]
    """By serial, also of disks that are pulled."""
    pulled: list[str] = field(default_factory=list)
    pristine: bool = True
    """Whether its disks and its boot are those that it was started with, so that QEMU can save its state."""

    def save(self, directory: Path) -> None:
        """Write it, whole or not at all."""
        temporary = directory / f"{STATE}.tmp"
        temporary.write_text(json.dumps(dataclasses.asdict(self), indent=1))
        temporary.replace(directory / STATE)

    @classmethod
    def load(cls, directory: Path) -> State | None:
        """Read it; None if there is none, or another version of the lab wrote it."""
        try:
            data: dict[str, Any] = json.loads((directory / STATE).read_text())
            media = {serial: Medium(**medium) for serial, medium in data["media"].items()}
            return cls(**{**data, "process": Process(**data["process"]), "media": media})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def plugged(self) -> dict[str, Medium]:
        """The media of the disks that are in their places."""
        return {serial: medium for serial, medium in self.media.items() if serial not in self.pulled}
