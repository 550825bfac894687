# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was taken away is gone, and the rest is not."""

from __future__ import annotations

from typing import Any


def test_gone(host: Any) -> None:
    assert not host.package("dosfstools").is_installed
    assert host.package("mdadm").is_installed
