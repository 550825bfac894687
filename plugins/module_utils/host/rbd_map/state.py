# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mapped RBD images as data."""

from __future__ import annotations

from typing import NamedTuple


class Mapped(NamedTuple):
    """An RBD image that the kernel has mapped. ``spec`` is POOL[/NAMESPACE]/IMAGE[@SNAPSHOT].

    ``options`` are those that it was mapped with, ``fsid`` is its cluster's (empty: not known).
    """

    device: str
    spec: str
    fsid: str = ""
    options: tuple[str, ...] = ()
    read_only: bool = False


class RbdImage(NamedTuple):
    """What its cluster says of an RBD image. ``unsupported`` are the features that this kernel has not."""

    size: int
    unsupported: tuple[str, ...] = ()
