# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partition tables as they are read, from images."""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host.partition import table as partition_table
from ansible_collections.strata.storage.plugins.module_utils.host.partition.state import Part, Table
from ansible_collections.strata.storage.plugins.module_utils.host.partition.table import (
    Gpt,
    erase_headers,
    headers,
    read_gpt,
    read_table,
    unseen_tables,
)

MiB = 1 << 20
SIZE = 64 * MiB
NAMES = {1: "one", 2: "", 5: "größer"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image1x"
    path.write_bytes(b"")
    os.truncate(path, SIZE)
    return path


@pytest.fixture
def descriptor(image: Path) -> Iterator[int]:
    opened = os.open(image, os.O_RDWR)
    yield opened
    os.close(opened)


UUIDS = {number: f"{number:08x}-0000-4000-8000-000000000000" for number in NAMES}


TYPES = dict.fromkeys(NAMES, "21686148-6449-6e6f-744e-656564454649")


def put_gpt(descriptor: int, sector: int, place: int, entries: int, other: int, length: int = 128) -> None:
    """A header at a byte, its entries at another, and in it where the other header is."""
    header = b"EFI PART" + bytes(24) + struct.pack("<Q", other // sector) + bytes(32)
    os.pwrite(descriptor, header + struct.pack("<QII", entries // sector, 128, length), place)
    for number, name in NAMES.items():
        uuids = uuid.UUID(TYPES[number]).bytes_le + uuid.UUID(UUIDS[number]).bytes_le
        entry = uuids + bytes(24) + name.encode("utf-16-le").ljust(72, b"\0")
        os.pwrite(descriptor, entry, entries + (number - 1) * length)


@pytest.mark.parametrize("length", [128, 256])
@pytest.mark.parametrize("sector", [512, 4096])
def test_the_names_of_partitions(descriptor: int, sector: int, length: int) -> None:
    """Of another sector size there is nothing to be seen."""
    put_gpt(descriptor, sector, sector, 2 * sector, SIZE - sector, length)
    assert read_gpt(descriptor, sector, SIZE) == Gpt(SIZE - sector, 128, NAMES, UUIDS, TYPES)
    assert read_gpt(descriptor, 4608 - sector, SIZE) is None


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_table_of_which_only_the_copy_is_left(descriptor: int, sector: int) -> None:
    put_gpt(descriptor, sector, SIZE - sector, SIZE - sector - (16 << 10), sector)
    assert read_gpt(descriptor, sector, SIZE) == Gpt(SIZE - sector, 128, NAMES, UUIDS, TYPES)


def test_a_table_that_is_none(descriptor: int) -> None:
    os.pwrite(descriptor, b"EFI PART" + bytes(64) + struct.pack("<QII", 2, 1 << 31, 128), 512)
    assert read_gpt(descriptor, 512, SIZE) is None


@pytest.mark.parametrize("place", [512, 4096, SIZE - 512, SIZE - 4096])
def test_headers_of_any_sectors(image: Path, descriptor: int, place: int) -> None:
    sector = min(place, SIZE - place)
    assert (unseen_tables(str(image), False), headers(descriptor, SIZE)) == ([], [])
    os.pwrite(descriptor, b"EFI PART", place)
    assert unseen_tables(str(image), False) == [sector]
    assert headers(descriptor, SIZE) == [(sector, place)]
    erase_headers(str(image))
    assert headers(descriptor, SIZE) == []
    assert os.pread(descriptor, SIZE, 0) == bytes(SIZE)


def test_a_device_without_room_for_any(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(bytes(512))
    assert unseen_tables(str(path), False) == []


@pytest.fixture
def told(image: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The table of the image, where sfdisk says that."""

    def read(*parts: dict[str, Any], **table: Any) -> Table | None:
        said = json.dumps({"partitiontable": {**table, "partitions": parts}}) if table else ""
        monkeypatch.setattr(partition_table, "run_command", lambda _argv, accepts: said)
        return read_table(str(image))

    return read


@pytest.mark.parametrize("sector", [512, 4096])
def test_one_that_grew_and_one_that_was_cut_off(descriptor: int, told: Any, sector: int) -> None:
    last = (SIZE - sector - (16 << 10)) // sector - 1
    words = {"label": "gpt", "sectorsize": sector, "firstlba": MiB // sector, "lastlba": last}
    put_gpt(descriptor, sector, sector, 2 * sector, SIZE - sector)
    table = told({"node": "/dev/sdb1", "start": MiB // sector, "size": 8, "type": "L", "name": "one"}, **words)
    assert (table.start, table.end, table.limit, table.slots) == (MiB, SIZE - sector - (16 << 10), 0, 128)
    assert table.parts == (Part(1, MiB, 8 * sector, "L", ('name="one"',)),)
    os.ftruncate(descriptor, 2 * SIZE)
    assert told(**words) == table._replace(parts=(), limit=2 * SIZE - sector - (16 << 10))
    os.ftruncate(descriptor, SIZE // 2)
    assert told(**words).limit == SIZE // 2 - sector - (16 << 10)


def test_an_mbr(told: Any) -> None:
    table = told(
        {"node": "/dev/sdb1", "start": 63, "size": 2048, "type": "83", "bootable": True},
        {"node": "/dev/sdb2", "start": 4096, "size": 2048, "type": "f"},
        label="dos",
        sectorsize=512,
    )
    assert (table.label, table.end, table.limit, table.slots) == ("dos", SIZE, 0, 4)
    assert table.parts == (
        Part(1, 63 * 512, MiB, "linux", ("bootable",)),
        Part(2, 2 * MiB, MiB, "f"),
    )


def test_none(told: Any) -> None:
    assert told() is None
