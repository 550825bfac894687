# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules of this collection can do, said once."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    platforms: linux
    support: full
"""

    ACTIONGROUP_CINDER = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/strata.storage.cinder) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - strata.storage.cinder
"""

    ACTIONGROUP_HOST = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/strata.storage.host) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - strata.storage.host
"""

    ACTIONGROUP_MAAS = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/strata.storage.maas) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - strata.storage.maas
"""

    ACTIONGROUP_RBD = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/strata.storage.rbd) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - strata.storage.rbd
"""

    ACTIONGROUP_VOLUMES = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/strata.storage.volumes) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - strata.storage.volumes
"""
