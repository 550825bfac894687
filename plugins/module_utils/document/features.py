# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The features of RBD images, by the names that the ``rbd`` command has for them, in the order of their bits."""

from __future__ import annotations

FEATURES = (
    *("layering", "striping", "exclusive-lock", "object-map", "fast-diff", "deep-flatten", "journaling", "data-pool"),
    *("operations", "migrating", "non-primary"),
)
