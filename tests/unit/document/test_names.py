# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the names of items have in common."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document import bcache, drive, raid

KINDS = [pytest.param(kind.parse, id=name) for name, kind in (("raid", raid), ("bcache", bcache), ("drive", drive))]
Parse = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize("parse", KINDS)
@pytest.mark.parametrize("name", ["md0", "data", "a.b_c-d+1", "0", "_x", "A"])
def test_good_names(parse: Parse, name: str) -> None:
    assert parse({"name": name}).name == name


@pytest.mark.parametrize("parse", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "-x",
        "a/b",
        "/dev/md0",
        "a b",
        "a\tb",
        "a\nb",
        "md0\n",
        "ä",
        ":b",
        "a:",
        "a:b:c",
        "a=b",
        "a#b",
        "<x>",
        "a,b",
    ],
)
def test_bad_names(parse: Parse, name: str) -> None:
    with pytest.raises(StorageError, match="a name holds letters, digits"):
        parse({"name": name})


def test_only_an_array_is_called_as_another_hosts() -> None:
    assert raid.parse({"name": "old-host:data"}).name == "old-host:data"
    for parse in (bcache.parse, lambda item: drive.parse({**item, "volumes": None})):
        with pytest.raises(StorageError, match="a name holds letters, digits"):
            parse({"name": "a:b"})
    with pytest.raises(StorageError, match="at most 23 characters"):
        raid.parse({"name": "old-host:" + "x" * 24})


@pytest.mark.parametrize(
    ("parse", "longest"),
    [
        pytest.param(raid.parse, 32, id="raid"),
        pytest.param(bcache.parse, 31, id="bcache"),
        pytest.param(lambda item: drive.parse({**item, "volumes": None}), 127, id="drive"),
    ],
)
def test_names_are_as_long_as_superblocks_hold(parse: Parse, longest: int) -> None:
    assert parse({"name": "x" * longest}).name == "x" * longest
    with pytest.raises(StorageError, match=f"a name has at most {longest} characters"):
        parse({"name": "x" * (longest + 1)})
