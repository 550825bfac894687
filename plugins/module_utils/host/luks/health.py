# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with LUKS containers."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import CRITICAL, NOTICE, WARNING, Finding
from ..host import Host
from .crypttab import CRYPTTAB, line_of, lines, moves
from .header import TPM2
from .state import Container, Plain


def health(host: Host) -> Iterator[Finding]:
    for container in host.containers:
        yield from of_container(host, container)
    for plain in host.plains:
        yield from of_plain(host, plain)


def of_plain(host: Host, plain: Plain) -> Iterator[Finding]:
    """What each boot encrypts with a new key."""
    line = line_of(host, plain.name)
    if line and moves(line.device):
        problem = f"{CRYPTTAB} has {plain.name} on {line.device}, which may be another device after a boot"
        meaning = "A boot destroys what the device of that name holds."
        remedy = "A luks task with its name has the line say what stays with the device."
        yield Finding(CRITICAL, plain.mapped or plain.device, plain.name, "kernel name", problem, meaning, remedy)
    held = host.contents.get(plain.device)
    if not plain.mapped and held and held.signatures:
        problem = f"{plain.device} holds what the next boot destroys, by {CRYPTTAB}"
        remedy = f"Take the line of {plain.name} out of {CRYPTTAB} (state absent), if it is needed."
        yield Finding(CRITICAL, plain.device, plain.name, "overwritten", problem, "It is lost then.", remedy)


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
    for number, token in header.tokens.items():
        if not token.keyslots:
            meaning = "It opens nothing."
            remedy = "A luks task that says tpm2 or tang removes those of their kind; else `cryptsetup token remove`."
            yield found(WARNING, "token", f"its token {number} ({token.type}) has no keyslot", meaning, remedy)
    line = line_of(host, container.name)
    if line and line.value("tpm2-device") and not any(one.type == TPM2 for one in header.tokens.values()):
        meaning = "A boot asks for a passphrase instead."
        remedy = "A luks task that says tpm2 enrols one."
        yield found(WARNING, "no token", f"{CRYPTTAB} opens it by a TPM2, and none is enrolled", meaning, remedy)
    if header.is_to_be_ended:
        done = f"{header.reencryption}: all of it is, and its header does not say so, since a crash interrupted the end"
        meaning = 'Its data is whole. cryptsetup may refuse to open it, by "No usable keyslot is available".'
        remedy = "A luks task with its key_file or passphrase ends what is left, in the header alone."
        yield found(WARNING, header.reencryption, done, meaning, remedy)
    elif header.reencryption:
        meaning = "It can be used meanwhile, once it is open; a part of its data is as before."
        remedy = "`cryptsetup reencrypt --resume-only` goes on where that stopped."
        yield found(WARNING, header.reencryption, f"it is on its way ({header.reencryption})", meaning, remedy)
    if line and moves(line.device):
        problem = f"{CRYPTTAB} has it on {line.device}, which may be another device after a boot"
        meaning = "A boot may not open it, or open another container in its place."
        remedy = "A luks task with its name has the line say its UUID."
        yield found(WARNING, "kernel name", problem, meaning, remedy)
    known = [line for line in lines(host.files.get(CRYPTTAB)) if line.name == container.name]
    if container.mapped and not known:
        meaning = "The next boot does not open it."
        yield found(NOTICE, "not in crypttab", f"{CRYPTTAB} does not have it", meaning)
    elif known and known[0].is_opened and not host.boot.opens_containers:
        meaning = "The next boot does not open it."
        remedy = "Install the package systemd-cryptsetup."
        yield found(WARNING, "no generator", f"nothing at boot reads {CRYPTTAB}", meaning, remedy)
