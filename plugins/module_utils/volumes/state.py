# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network volumes, how full a drive of them is, and what a provider permits, as data. Sizes in bytes."""

from __future__ import annotations

from typing import NamedTuple

GiB = 1 << 30
DAY = 86400.0


class Volume(NamedTuple):
    """A volume of a drive. ``iops`` and ``throughput`` 0: not set by anyone.

    ``machine`` is the machine that it is attached to (empty: none), and ``link`` how far the attachment is.
    ``fixed`` says why it cannot be resized in place at the moment (empty: it can), and ``resizing`` that it does not
    have the size yet that was asked for. ``created`` in seconds since 1970.
    ``device`` is its path on the host, where the provider knows it; ``serials`` are what else the host may know it by.
    ``percent`` is how far its resize has come, where the provider tells it.
    """

    id: str
    size: int
    type: str = ""
    iops: int = 0
    throughput: int = 0
    state: str = "in-use"
    machine: str = ""
    link: str = ""
    zone: str = ""
    fixed: str = ""
    resizing: bool = False
    created: float = 0.0
    device: str = ""
    serials: tuple[str, ...] = ()
    percent: float | None = None


class Snapshot(NamedTuple):
    """A snapshot of a volume. It is one for each ``token``; its ``state`` is completed, error, or one on the way.

    ``percent`` is how far it has come, where the provider tells it.
    """

    id: str
    volume: str
    token: str
    state: str = "completed"
    percent: float | None = None


class Usage(NamedTuple):
    """How full the filesystem of a drive is. ``inodes`` 0: the filesystem has no fixed number of them.

    ``size`` is what can be filled, as df counts; ``total_size`` also has what cannot (0: the same). ``shrinks`` false:
    it cannot be made smaller.
    """

    size: int
    used: int
    inodes: int = 0
    inodes_used: int = 0
    total_size: int = 0
    shrinks: bool = True


class Sample(NamedTuple):
    """How much was used at a time, in seconds since 1970."""

    time: float
    used: int


class History(NamedTuple):
    """What earlier passes saw and did: samples of the usage, and the times of changes, each the oldest first."""

    samples: tuple[Sample, ...] = ()
    changes: tuple[float, ...] = ()


class Limits(NamedTuple):
    """What a provider permits a volume of one type. 0: no limit.

    ``largest_iops`` and ``largest_throughput`` are 0 where volumes have no such setting. ``iops_per_throughput`` are
    the IOPS that a MiB per second needs; ``needs_iops`` says that no volume is made without IOPS. ``granularity`` is
    what sizes are a multiple of; ``in_place`` says that a volume that is in use can grow.
    """

    smallest: int = GiB
    largest: int = 0
    granularity: int = GiB
    attachments: int = 0
    in_place: bool = True
    smallest_iops: int = 0
    largest_iops: int = 0
    iops_per_gib: int = 0
    smallest_throughput: int = 0
    largest_throughput: int = 0
    iops_per_throughput: int = 0
    needs_iops: bool = False


class Cloud(NamedTuple):
    """What a provider has of a drive. ``machine`` is the one that it is for, in ``zone``.

    ``orphans`` were made for the drive and do not carry its tag: a crash came between the two. ``snapshots`` are those
    that were made of its volumes, as far as they were asked for.
    """

    drive: str
    machine: str
    zone: str
    volumes: tuple[Volume, ...]
    orphans: tuple[Volume, ...]
    limits: Limits
    snapshots: tuple[Snapshot, ...] = ()
