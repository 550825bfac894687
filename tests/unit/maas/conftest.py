# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulators.maas import Region, Server

from .region import KEY, Maas


@pytest.fixture
def maas() -> Iterator[Maas]:
    region = Region()
    region.add_user("admin", KEY)
    region.add_user("somebody", "other:token:secret", admin=False)
    with Server(region) as server:
        yield Maas(server)
        assert server.broken == []
