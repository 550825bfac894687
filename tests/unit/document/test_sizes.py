# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as users write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import (
    Percent,
    parse_bytes,
    parse_size,
    show_size,
)

LETTERS = "KMGTPE"
quick = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (512, 512),
        ("512", 512),
        ("512B", 512),
        ("10K", 10 << 10),
        ("10KiB", 10 << 10),
        ("10kib", 10 << 10),
        ("10KB", 10_000),
        ("10 gb", 10 * 10**9),
        (" 10G ", 10 << 30),
        ("1.5G", 3 << 29),
        ("1.5TB", 1_500_000_000_000),
        ("2E", 2 << 60),
        ("50%", Percent(50)),
        ("33.3 %", Percent(33.3)),
        ("100%", Percent(100)),
    ],
)
def test_what_sizes_mean(text: str | int, size: object) -> None:
    assert parse_size(text) == size


NO_SIZES = (
    *("", "G", "ten", "-1", "-1G", "0", "0G", "0.1", "1,5G", "10 G B", "10Gi", "10iB", "1e3", "1_000", "0x10", "0%"),
    *("101%", "-5%", "%", "10G%", "1..5G", "10X", "None", "inf", "8.5", "8.0 B"),
    *(pytest.param("9" * 5000, id="huge"), pytest.param("9" * 400 + ".5G", id="huge-fraction")),
)


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(StorageError, match=r"^volume_size: ") as error:
        parse_size(text, "volume_size")
    assert text in str(error.value)


def test_a_share_is_no_amount_of_bytes() -> None:
    assert parse_bytes("4K") == 4096
    with pytest.raises(StorageError, match="chunk_size: 50% must be an amount of bytes, not a percentage"):
        parse_bytes("50%", "chunk_size")


@pytest.mark.parametrize(
    ("share", "whole", "part"), [(50, 1001, 500), (100, 7, 7), (33.3, 1000, 333), (50, 2**60 + 2, 2**59 + 1)]
)
def test_a_share_of_something(share: float, whole: int, part: int) -> None:
    assert Percent(share).of(whole) == part


@quick
@given(number=st.integers(1, 2**70), letter=st.sampled_from(["", *LETTERS]), form=st.sampled_from(["", "iB", "B"]))
def test_integers_are_exact(number: int, letter: str, form: str) -> None:
    base = 1000 if form == "B" else 1024
    text = f"{number}{letter}{form if letter else ''}"
    assert parse_size(text) == number * base ** (LETTERS.index(letter) + 1 if letter else 0)
    assert parse_size(text.lower()) == parse_size(text)


@quick
@given(st.integers(1, 100))
def test_shares_read_as_they_were_written(share: int) -> None:
    assert parse_size(str(Percent(share))) == Percent(share)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (10 << 30, "10 GiB"),
        (16_000_900_661_248, "14.6 TiB"),
        (1023 << 20, "1023 MiB"),
        (int(999.9 * 1024), "1000 KiB"),
        ((1 << 30) - 8192, "1 GiB"),
        (3 << 60, "3 EiB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert show_size(size) == text


@quick
@given(st.integers(1, 2**63))
def test_sizes_for_people_are_near_enough_and_can_be_read_back(size: int) -> None:
    assert abs(parse_bytes(show_size(size)) - size) <= size * 0.006
