# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that Ansible is told of, so that it does not print them."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.secret import mask


def test_values_are_masked_where_core_can(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    stand_in = ModuleType("ansible.module_utils.secrets")
    stand_in.register_secrets = registered.extend  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    mask(["one", "", "two"])
    assert registered == ["one", "two"]
    monkeypatch.setitem(sys.modules, stand_in.__name__, None)
    mask(["three"])
