# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module rbd_map, shown as it goes on."""

from __future__ import annotations

from ansible_collections.strata.storage.plugins.plugin_utils.progress import Watched


class ActionModule(Watched):
    pass
