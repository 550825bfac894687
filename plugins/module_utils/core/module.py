# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that says all that is wrong with its options."""

from __future__ import annotations

from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule


class StorageModule(AnsibleModule):
    """As AnsibleModule, which says the first error only, and neither in which item it is nor which word was meant.

    ``parse`` makes sense of a document's items, each of them by itself: the errors of those that fit the argument spec
    are told together with the errors of those that do not.
    """

    _fits = False

    def __init__(self, *args: Any, parse: Callable[[dict[str, Any]], Any] | None = None, **kwargs: Any) -> None:
        self._parse = parse
        begin: Any = super().__init__
        begin(*args, **kwargs)
        self._fits = True

    def _load_params(self) -> None:
        load: Any = super()._load_params
        load()
        self._given = {word: value for word, value in self.params.items() if not word.startswith("_ansible_")}

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        if not self._fits and hasattr(self, "validation_result"):
            from .options import told

            msg = told(self, self._given, self._parse) or msg
        super().fail_json(msg=msg, **kwargs)
