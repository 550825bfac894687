# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a task takes part in an approval."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  approval:
    description:
      - How the task takes part in an approval. The controller looks after it, before the module runs.
      - With V(request), the task publishes what its plan comes to as C(storage_approved), as C(set_stats) does, and
        adds the plan as text to the diff. A task that does what it plans takes this in check mode only. What is
        published holds, by host, C(digest), C(mode), C(allow_destroy), the date C(until), and how many steps there
        are (C(changes)), how many of them destroy data (C(destructive)), and how many things are planned only
        C(later).
      - With V(require), the task refuses a host that is not in the extra variable C(storage_approved). It also refuses
        where the approval is void by its date, or where C(mode), C(allow_destroy) or the plan are not those that were
        approved.
      - If it is omitted, the task does as with V(require) where there is an extra variable C(storage_approved).
      - Set it by C(module_defaults) of a play. Extra variables do not override those.
    type: str
    choices: [request, require]
  approval_lifetime:
    description: Number of seconds after V(request) when the approval becomes void. A day and an hour by default.
    type: int
"""
