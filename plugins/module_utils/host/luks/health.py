# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with LUKS containers."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import CRITICAL, NOTICE, WARNING, Finding
from ..host import Host
from .crypttab import CRYPTTAB, lines
from .state import Container


def health(host: Host) -> Iterator[Finding]:
    for container in host.containers:
        yield from of_container(host, container)


def of_container(host: Host, container: Container) -> Iterator[Finding]:
    header = container.header

    def found(severity: str, *rest: str) -> Finding:
        return Finding(severity, container.mapped or container.device, container.name, *rest)

    if header.damaged:
        severity = WARNING if header.keyslots else CRITICAL
        meaning = "Without a whole header, nobody can open it again."
        remedy = "Leave it open while it is; `cryptsetup repair`, or a backup of the header, brings the header back."
        yield found(severity, "header", f"{container.device}: {header.damaged}", meaning, remedy)
    elif not header.keyslots:
        meaning = "Nobody can open it again once it is closed."
        remedy = "Copy its data while it is open." if container.mapped else "A backup of its header has its keys."
        yield found(CRITICAL, "no key", "no keyslot of it holds a key", meaning, remedy)
    if header.reencryption and header.is_all_moved:
        done = f"{header.reencryption}: all of it is, and its header does not say so, since a crash interrupted the end"
        meaning = "It is used as any other. Its keys and its label cannot change."
        remedy = "Once it is closed, a newer cryptsetup may end it by `cryptsetup reencrypt --resume-only`."
        yield found(NOTICE, header.reencryption, done, meaning, remedy)
    elif header.reencryption:
        meaning = "It can be used meanwhile, once it is open; a part of its data is as before."
        remedy = "`cryptsetup reencrypt --resume-only` goes on where that stopped."
        yield found(WARNING, header.reencryption, f"it is on its way ({header.reencryption})", meaning, remedy)
    known = [line for line in lines(host.files.get(CRYPTTAB)) if line.name == container.name]
    if container.mapped and not known:
        meaning = "The next boot does not open it."
        yield found(NOTICE, "not in crypttab", f"{CRYPTTAB} does not have it", meaning)
    elif known and known[0].is_opened and not host.boot.opens_containers:
        meaning = "The next boot does not open it."
        remedy = "Install the package systemd-cryptsetup."
        yield found(WARNING, "no generator", f"nothing at boot reads {CRYPTTAB}", meaning, remedy)
