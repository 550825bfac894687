# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the options of a module, item by item; loaded only where something is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import ArgumentValueError, UnsupportedError

from .errors import StorageError, sentence
from .faults import Fault, Faults, place_of
from .text import meant

Spec = Mapping[str, Mapping[str, Any]]


def told(module: AnsibleModule, given: Mapping[str, Any], parse: Callable[[dict[str, Any]], Any] | None) -> str:
    """All errors of a module's options, a line for each; empty where this finds none.

    ``given`` are the options as they came. A module's own have null for what is missing.
    """
    try:
        check(module.argument_spec, given, module.params, parse, required_one_of=module.required_one_of)
    except StorageError as error:
        return sentence(error)
    return ""


def check(
    spec: Spec,
    given: Mapping[str, Any],
    validated: Mapping[str, Any],
    parse: Callable[[dict[str, Any]], Any] | None,
    **more: Any,
) -> None:
    """Raises StorageError for options that do not fit a spec, and with them for items that ``parse`` does not take."""
    faults = Faults()
    wrong = list(_faults(spec, given, **more))
    for fault in wrong:
        faults.add(StorageError(fault.text), fault.place)
    places = [fault.place for fault in wrong]
    if parse and wrong and "" not in places:
        with faults.of():
            parse({word: _without(word, value, places) for word, value in validated.items()})
    faults.check()


def _without(word: str, value: Any, places: list[str]) -> Any:
    """Items whose errors are known are none."""
    if not isinstance(value, list):
        return value
    owns = [place_of(word, index, item) for index, item in enumerate(value)]
    return [
        None if any(place == own or place.startswith(f"{own}: ") for place in places) else item
        for own, item in zip(owns, value)
    ]


def _faults(spec: Spec, given: Mapping[str, Any], place: str = "", **more: Any) -> Iterator[Fault]:
    # Without what is inside of items, of which the validator does not say in which of them it is.
    flat = {word: {key: said for key, said in about.items() if key != "options"} for word, about in spec.items()}
    result = ArgumentSpecValidator(flat, **more).validate(dict(given))
    values = result.validated_parameters
    known = [name for word, about in spec.items() for name in (word, *about.get("aliases", ()))]
    for word in sorted(given.keys() - set(known)):
        there = f"there are {', '.join(sorted(known))}" if known else "there are none"
        yield Fault(place, f"{word} is no option{meant(word, known) or f'; {there}'}")
    for error in result.errors:
        if not isinstance(error, (UnsupportedError, ArgumentValueError)):
            yield Fault(place, str(error))
    for word, about in spec.items():
        value, choices = values.get(word), about.get("choices")
        for one in value if isinstance(value, list) else (value,):
            if choices and one is not None and one not in choices:
                near = meant(str(one), map(str, choices))
                # As Ansible says it, which linters know.
                every = ", ".join(map(str, choices))
                yield Fault(place, f"value of {word} must be one of: {every}, got: {one}{near}")
        if "options" not in about:
            continue
        for index, item in enumerate(value if isinstance(value, list) else (value,)):
            if isinstance(item, Mapping):
                own = place_of(word, index, item) if isinstance(value, list) else word
                yield from _faults(about["options"], item, ": ".join(filter(None, (place, own))))
