# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several modules return is said in one text."""

from __future__ import annotations

import yaml

from tests.tools.returns import settled

SOURCE = '''RETURN = r"""
done:
  description: Otherwise.

  returned: never
status:
  description: Its own.
  contains:
    done:
      description: Its own too.
"""
main()
'''


def test_one_text_for_what_several_return() -> None:
    made = settled("raid", SOURCE)
    told = yaml.safe_load(made.split('"""')[1])
    assert told["done"]["returned"] == "when anything was done"
    assert told["status"] == {"description": "Its own.", "contains": {"done": {"description": "Its own too."}}}
    assert made.endswith('"""\nmain()\n')
    assert settled("raid", made) == made


def test_a_module_may_return_something_else_by_that_name() -> None:
    source = 'RETURN = r"""\nplan:\n  description: Those that were given.\n"""\n'
    assert settled("plan_approval", source) == source
    assert settled("raid", source) != source


def test_what_returns_nothing() -> None:
    assert settled("raid", "main()\n") == "main()\n"
