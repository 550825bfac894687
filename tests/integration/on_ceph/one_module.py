# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one module in this process, which can be killed: ``one_module.py MODULE ARGUMENTS``."""

from __future__ import annotations

import json
import runpy
import sys

from ansible.module_utils import basic

basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[2])}).encode()
basic._ANSIBLE_PROFILE = "legacy"
module = sys.argv[1]
sys.argv = [module]
runpy.run_module(f"ansible_collections.strata.storage.plugins.modules.{module}", run_name="__main__", alter_sys=True)
