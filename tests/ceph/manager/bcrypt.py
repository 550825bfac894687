# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing, in place of the bcrypt that Debian 13's ceph-mgr cannot load, so that it loads none of its modules either.

They import it for the passwords of the dashboard, which the tests do not have.
"""
