# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of fstab, and how they name a device."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import Line, parse


def line(text: str) -> Line:
    ((_raw, found),) = parse(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("spec", "device", "tag"),
    [
        ("UUID=1234", "/dev/disk/by-uuid/1234", "UUID=1234"),
        ('"LABEL=a"', "/dev/disk/by-label/a", "LABEL=a"),
        ("LABEL=my\\040disk", "/dev/disk/by-label/my\\x20disk", "LABEL=my disk"),
        ("/dev/disk/by-label/my\\x20disk", "/dev/disk/by-label/my\\x20disk", "LABEL=my disk"),
        ("LABEL=größe/2", "/dev/disk/by-label/größe\\x2f2", "LABEL=größe/2"),
        ("PARTUUID=a-1", "/dev/disk/by-partuuid/a-1", "PARTUUID=a-1"),
        ("/dev/disk/by-partlabel/x", "/dev/disk/by-partlabel/x", "PARTLABEL=x"),
        ("/dev/mapper/data-srv", "/dev/mapper/data-srv", ""),
        ("server:/export", "server:/export", ""),
        ("tmpfs", "tmpfs", ""),
    ],
)
def test_how_a_line_names_its_device(spec: str, device: str, tag: str) -> None:
    found = line(f"{spec} /srv ext4 defaults 0 2\n")
    assert (found.device, found.tag) == (device, tag)


def test_places_and_bind_mounts() -> None:
    assert line("/a /b/c/ none rw,bind").place == "/b/c"
    assert line("/a / none rw,bind").place == "/"
    assert line("/a /b none rw,rbind").is_bind
    assert not line("/a /b none rw,xbind").is_bind
    assert [found for _raw, found in parse("# /a /b ext4\n\n/a /b\n")] == [None, None, None]
    assert parse(None) == []
