# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drive in the cloud that a test asks for: ``cloud``, which a module or a parameter sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .clouds import KINDS, Drive


@pytest.fixture
def drive(cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kind = KINDS[cloud]
    with kind.serve() as server:
        yield Drive(kind, server)
        assert server.broken == []
