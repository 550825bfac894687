# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that says all that is wrong with its options."""

from __future__ import annotations

from typing import Any, Callable, NoReturn

from ansible.module_utils import basic

from .lists import with_lists


def storage_module(parse: Callable[[dict[str, Any]], Any] | None = None, **kwargs: Any) -> basic.AnsibleModule:
    """An AnsibleModule that tells all errors of its options, each with its item, and the word that was meant.

    ``parse`` makes sense of a document's items, each of them by itself: the errors of those that fit the argument spec
    are told together with the errors of those that do not.
    """

    # Derived here, and not once for all: ansible-lint puts a class of its own there, which stops before anything is
    # done.
    class Told(basic.AnsibleModule):
        fits = False

        def __init__(self) -> None:
            begin: Any = super().__init__
            begin(**kwargs)
            self.fits = True

        def _load_params(self) -> None:
            load: Any = super()._load_params
            load()
            self.params = with_lists(self.argument_spec, self.params)
            self.given = {word: value for word, value in self.params.items() if not word.startswith("_ansible_")}

        def fail_json(self, msg: str, **more: Any) -> NoReturn:
            if not self.fits and hasattr(self, "validation_result"):
                from .options import told

                msg = told(self, self.given, parse) or msg
            super().fail_json(msg=msg, **more)

    return Told()
