# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name that a document gives to the key by which the data of a container is encrypted.

A token keeps it, which opens nothing. Before all data is encrypted anew, the token gets the new name, with the old one
and the digest of the key that goes: wherever a crash comes, the digest of the key that is there tells which name holds.
"""

from __future__ import annotations

import json
from typing import Any

from ...core.errors import Refused
from ...core.plan import Command
from ...document.luks import Luks
from ..host import Host
from . import keys
from .header import VOLUME_KEY
from .state import Container, VolumeKey
from .steps import Steps, replace_container, step


def name(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """The key that a container has gets its first name."""
    if want.volume_key is None or container.header.volume_key == want.volume_key:
        return (), host, container
    if container.header.version == 1:
        raise Refused(
            f"luks {want.name}: volume_key, and the container on {container.device} is luks1, which cannot keep one"
        )
    before, host, container = keys.back_up(host, want, container, always=True)
    steps, host, container = record(host, want, container, VolumeKey(want.volume_key))
    return (*before, *steps), host, container


def replaced(want: Luks, container: Container) -> VolumeKey:
    """What is recorded before another key takes the place of the one that is there."""
    header = container.header
    return VolumeKey(want.volume_key or "", was=header.volume_key, replaces=header.key_digest)


def record(host: Host, want: Luks, container: Container, known: VolumeKey) -> tuple[Steps, Host, Container]:
    """The step after which a header has that name, and no other one."""
    if [one._replace(token=None) for one in container.header.named] == [known]:
        return (), host, container
    words: dict[str, Any] = {"type": VOLUME_KEY, "keyslots": [], **known._asdict()}
    del words["token"]
    take = Command(("cryptsetup", "token", "import", container.device), input=json.dumps(words))
    drop = tuple(
        Command(("cryptsetup", "token", "remove", "--token-id", str(one.token), container.device))
        for one in container.header.named
    )
    claims = keys.claims(host, container)
    detail = f'its volume key as "{known.name}"' + (f', which follows on "{known.was}"' if known.was else "")
    named = step("name", want.name, detail, take, *drop, claims=claims, flush=(container.device,))
    header = container.header._replace(named=(known,), digest=f"named {known.name}")
    host, container = replace_container(host, container, container._replace(header=header))
    return (named,), host, container
