# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel tells of caches."""

from __future__ import annotations

from ansible_collections.strata.storage.plugins.module_utils.host.bcache import read


def test_the_chosen_value() -> None:
    assert read._chosen("writethrough [writeback] writearound none") == "writeback"
    assert read._chosen("plain") == "plain"
    assert read._chosen("") == ""
