# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module keeps, wherever it runs."""

from __future__ import annotations

import base64
import json
import os
import uuid
from typing import Any

import pytest


class ModuleFailed(Exception):
    """A module said `failed`; the message is its own."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


#: The variable that names the directory for what ran of the modules.
COVERAGE = "STRATA_COVERAGE"


def printed_of(answer: str) -> str:
    """What a module printed, of an answer of `server.py`. Keeps what ran of the modules, if that follows."""
    printed, _mark, measured = answer.partition("\nCOVERAGE ")
    if measured:
        from coverage import CoverageData

        data = CoverageData(f"{os.environ[COVERAGE]}/.coverage.{uuid.uuid4()}")
        data.loads(base64.b64decode(measured))
    return printed


def result_of(module: str, printed: str, errors: str = "") -> dict[str, Any]:
    """What a module said. Raises ModuleFailed."""
    try:
        result: dict[str, Any] = json.loads(printed)
    except ValueError:
        raise AssertionError(f"{module} gave no JSON: {printed}\n{errors}") from None
    if result.get("failed"):
        raise ModuleFailed(result)
    return result


class Modules:
    """Runs modules without a controller: the same files, the same arguments, the same answers."""

    def module(self, module: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """The result of a module. Raises ModuleFailed."""
        raise NotImplementedError

    def check(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        """A check run, shown to have changed nothing."""
        raise NotImplementedError

    def converge(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        """Check mode, the real run, which does what check mode said, and a second run, which does nothing."""
        checked = self.check(module, **arguments)
        result = self.module(module, **arguments)
        assert result["changed"]
        assert result["plan"] == checked["plan"]
        self.unchanged(module, **arguments)
        return result

    def unchanged(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        result = self.module(module, **arguments)
        assert (result["changed"], result["plan"]) == (False, [])
        return result

    def refusal(self, module: str, /, **arguments: Any) -> str:
        """Why a module refuses, the same in check mode, having changed nothing."""
        messages = []
        for check in (True, False):
            with pytest.raises(ModuleFailed) as failed:
                self.module(module, check=check, **arguments)
            assert not failed.value.result.get("changed")
            messages.append(str(failed.value))
        assert messages[0] == messages[1]
        return messages[0]
