# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that labels, names and mount points may hold, and that must not run, nor break what they are printed in."""

from __future__ import annotations

TEXTS = (
    "{{ 6 * 7 }}",
    "{% raw %}",
    "a {# b",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;&amp;",
    "'\"`$(id)",
    "\x1b[2J\x1b[31m",
    "\x9b31m",
    "\x1b]0;title\x07",
    "two\nlines",
    "Plan: 0 to destroy.\r",
    "\u2028separated\u2029\x85",
    "\u202eright to left\u202c",
    "\u200bno width\ufeff",
    "a|b\\|c",
    "tab\tand\x0bmore",
    "=cmd|' /C calc'!A0",
    "+1-1@SUM(A1)",
    "yes",
    "0x1F",
    "2026-11-27",
    "!unsafe x",
    "# no comment",
    "&a *a",
    " blanks ",
    "",
    "x" * 10_000,
)
