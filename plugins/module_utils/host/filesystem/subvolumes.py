# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the subvolumes of a btrfs (linux/btrfs_tree.h): of a mounted one the kernel is asked, else the disk is read.

Loaded only where a subvolume is to be made or deleted.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from ...core.errors import StorageError
from ..blocks import open_device
from .state import Subvolume

_ROOT_TREE, _CHUNK_TREE, _TOP, _DEFAULTS = 1, 3, 5, 6
_FIRST = 256  # the number of the first subvolume, and of the top directory in each
_INODE_REF, _DIR_ITEM, _ROOT_ITEM, _ROOT_REF, _CHUNK_ITEM = 12, 84, 132, 156, 228
_LAST = (1 << 64) - 1
_TREE_SEARCH = 0xD0009411
#: Profiles of block groups of which each copy is whole: none, DUP, RAID 1, RAID 1 of three or four copies.
_WHOLE = 0x20 | 0x10 | 0x200 | 0x400
_PROFILES = 0x7F8


class Item(NamedTuple):
    """An item of a tree: its key, and what it holds."""

    number: int
    kind: int
    offset: int
    data: bytes


class Trees(Protocol):
    """A btrfs as its trees."""

    def items(self, tree: int, number: int | None, kind: int) -> Iterator[Item]:
        """The items of that kind in a tree; ``number`` is the object that they are about (None: any)."""


def read_subvolumes(path: str, mount_point: str) -> tuple[Subvolume, ...]:
    """The subvolumes on a device; ``mount_point`` is empty where it is not mounted. Raises StorageError, OSError."""
    descriptor = os.open(mount_point, os.O_RDONLY | os.O_CLOEXEC) if mount_point else open_device(path)
    try:
        return subvolumes(Mounted(descriptor) if mount_point else OnDisk(descriptor, path))
    finally:
        os.close(descriptor)


def subvolumes(trees: Trees) -> tuple[Subvolume, ...]:
    """All that have a path from the top level."""
    inside = {item.offset: (item.number, *_name_of(item)) for item in trees.items(_ROOT_TREE, None, _ROOT_REF)}
    default = next((_target(item) for item in trees.items(_ROOT_TREE, _DEFAULTS, _DIR_ITEM)), _TOP)

    def path(number: int) -> str:
        outer, directory, name = inside[number]
        parts = [path(outer)] if outer != _TOP else []
        return "/".join((*parts, *_directories(trees, outer, directory), name))

    return tuple(Subvolume(number, path(number), number == default) for number in sorted(inside) if number >= _FIRST)


def _name_of(item: Item) -> tuple[int, str]:
    """The directory that a subvolume is in, and its name there."""
    directory, _sequence, length = struct.unpack_from("<QQH", item.data)
    return directory, item.data[18 : 18 + length].decode(errors="replace")


def _target(item: Item) -> int:
    """The subvolume that an entry of the directory of defaults leads to."""
    return int(struct.unpack_from("<Q", item.data)[0])


def _directories(trees: Trees, tree: int, number: int) -> list[str]:
    """The directories of a subvolume on the way to one of them."""
    names: list[str] = []
    while number != _FIRST:
        item = next(trees.items(tree, number, _INODE_REF))
        _index, length = struct.unpack_from("<QH", item.data)
        names.insert(0, item.data[10 : 10 + length].decode(errors="replace"))
        number = item.offset
    return names


class Mounted:
    """A btrfs that is mounted, as the kernel shows it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def items(self, tree: int, number: int | None, kind: int) -> Iterator[Item]:
        low, high = (0, _LAST) if number is None else (number, number)
        start = (low, kind, 0)
        while True:
            buffer = bytearray(4096)
            # The least and the greatest key, generations, kinds, and how many.
            struct.pack_into("=7Q3I", buffer, 0, tree, start[0], high, start[2], _LAST, 0, _LAST, start[1], kind, 4096)
            fcntl.ioctl(self._descriptor, _TREE_SEARCH, buffer)
            (count,) = struct.unpack_from("=I", buffer, 64)
            if not count:
                return
            place = 104
            for _each in range(count):
                _generation, found, offset, kind_found, length = struct.unpack_from("=3Q2I", buffer, place)
                place += 32
                start = (found, kind_found, offset)
                # The search goes by whole keys, and comes across other kinds on its way.
                if kind_found == kind:
                    yield Item(found, kind_found, offset, bytes(buffer[place : place + length]))
                place += length
            if start[2] < _LAST:
                start = (start[0], start[1], start[2] + 1)
            elif start[0] < high:
                start = (start[0] + 1, 0, 0)
            else:
                return


class OnDisk:
    """A btrfs that is not mounted, as it was when it was last written to."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor, self._path = descriptor, path
        block = os.pread(descriptor, 4096, 0x10000)
        self._device = struct.unpack_from("<Q", block, 201)[0]
        root, chunks = struct.unpack_from("<QQ", block, 80)
        self._size = struct.unpack_from("<I", block, 148)[0]
        (length,) = struct.unpack_from("<I", block, 160)
        self._chunks: list[tuple[int, int, bytes]] = []
        array, place = block[811 : 811 + length], 0
        while place < length:
            (start,) = struct.unpack_from("<Q", array, place + 9)
            data = array[place + 17 :]
            self._chunks.append((start, struct.unpack_from("<Q", data)[0], data))
            place += 17 + 48 + 32 * struct.unpack_from("<H", data, 44)[0]
        self._chunks = [
            (item.offset, struct.unpack_from("<Q", item.data)[0], item.data)
            for item in self._walk(chunks, (_FIRST, _CHUNK_ITEM, 0), (_FIRST, _CHUNK_ITEM, _LAST))
        ]
        self._roots = {_ROOT_TREE: root}

    def items(self, tree: int, number: int | None, kind: int) -> Iterator[Item]:
        if tree not in self._roots:
            self._roots[tree] = self._root_of(tree)
        low, high = (0, _LAST) if number is None else (number, number)
        for item in self._walk(self._roots[tree], (low, kind, 0), (high, kind, _LAST)):
            if item.kind == kind:
                yield item

    def _root_of(self, tree: int) -> int:
        newest = list(self._walk(self._roots[_ROOT_TREE], (tree, _ROOT_ITEM, 0), (tree, _ROOT_ITEM, _LAST)))[-1]
        return int(struct.unpack_from("<Q", newest.data, 176)[0])

    def _walk(self, block: int, low: tuple[int, int, int], high: tuple[int, int, int]) -> Iterator[Item]:
        node = os.pread(self._descriptor, self._size, self._physical(block))
        if struct.unpack_from("<Q", node, 48) != (block,):
            raise StorageError(f"{self._path}: its btrfs cannot be followed on the disk; mount it first")
        (count,) = struct.unpack_from("<I", node, 96)
        inner = bool(node[100])
        width = 33 if inner else 25
        keys = [_key(node, 101 + width * index) for index in range(count)]
        for index, key in enumerate(keys):
            place = 101 + width * index + 17
            if not inner:
                if low <= key <= high:
                    start, length = struct.unpack_from("<II", node, place)
                    yield Item(*key, node[101 + start : 101 + start + length])
            elif key <= high and (index + 1 == count or keys[index + 1] >= low):
                yield from self._walk(struct.unpack_from("<Q", node, place)[0], low, high)

    def _physical(self, block: int) -> int:
        for start, length, data in self._chunks:
            (kind,), (stripes,) = struct.unpack_from("<Q", data, 24), struct.unpack_from("<H", data, 44)
            if not start <= block < start + length or kind & _PROFILES & ~_WHOLE:
                continue
            for stripe in range(stripes):
                device, offset = struct.unpack_from("<QQ", data, 48 + 32 * stripe)
                if device == self._device:
                    return int(offset + block - start)
        raise StorageError(f"{self._path}: its btrfs has metadata that is not all on this device; mount it first")


def _key(node: bytes, place: int) -> tuple[int, int, int]:
    number, kind, offset = struct.unpack_from("<QBQ", node, place)
    return number, kind, offset
