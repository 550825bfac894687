# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report
short_description: Make a report over the storage of many hosts
version_added: 0.1.0
description:
  - Makes a report of what M(strata.storage.layout_info) returned on each host, and of what
    M(strata.storage.maas_storage_info) and M(strata.storage.rbd_info) returned, as data or as text.
  - Hosts without a result are in the report, with the reason.
  - The role strata.storage.report reads the hosts and writes these files.
author:
  - the strata.storage authors (@strata-storage)
positional: _input, format
options:
  _input:
    description: The results of M(strata.storage.layout_info), by the names of the hosts.
    type: dict
    required: true
  format:
    description:
      - V(data) returns the report as data. V(json) is the same as text.
      - V(html) is one page that needs nothing else, V(markdown) the same for people.
      - V(csv) is one table of it, V(metrics) is for the textfile collector of the Prometheus node exporter.
    type: str
    choices: [data, json, html, markdown, csv, metrics]
    default: data
  table:
    description: Table to write as CSV.
    type: str
    choices: [findings, unread, hosts, groups, filesystems, pools, machines]
    default: findings
  title:
    description: Title of the report.
    type: str
    default: Storage
  generated_at:
    description: When the hosts were read, as ISO 8601 in UTC. Now, if omitted.
    type: str
  groups:
    description: Groups with their hosts, as Ansible's variable C(groups) has them.
    type: dict
    default: {}
  maas:
    description: Results of M(strata.storage.maas_storage_info), by the names of the regions.
    type: dict
    default: {}
  pools:
    description: Results of M(strata.storage.rbd_info), by the names of the pools.
    type: dict
    default: {}
  previous:
    description:
      - The last report, as data or as the text of V(json).
      - Growth is the difference between what is used now and what was used then.
    type: raw
seealso:
  - module: strata.storage.layout_info
"""

EXAMPLES = r"""
- name: Read
  strata.storage.layout_info:
  register: found

- name: Write a page for this host alone
  ansible.builtin.copy:
    content: "{{ {inventory_hostname: found} | strata.storage.report('html', title='My host') }}"
    dest: "{{ inventory_hostname }}.html"
    mode: '0644'
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The report, a dictionary for V(data), else a text.
  type: raw
"""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.plugin_utils.report import html, markdown, metrics, sheet
from ansible_collections.strata.storage.plugins.plugin_utils.report.build import build
from ansible_collections.strata.storage.plugins.plugin_utils.report.tables import tables

_FORMATS = {
    "data": lambda made: made,
    "json": lambda made: json.dumps(made, indent=1) + "\n",
    "html": html.render,
    "markdown": markdown.render,
    "metrics": metrics.render,
}


def report(
    value: Any,
    format: str = "data",  # noqa: A002
    table: str = "findings",
    title: str = "Storage",
    generated_at: str | None = None,
    groups: Any = None,
    maas: Any = None,
    pools: Any = None,
    previous: Any = None,
) -> Any:
    for what, given in (("_input", value), ("groups", groups or {}), ("maas", maas or {}), ("pools", pools or {})):
        if not isinstance(given, Mapping):
            raise AnsibleFilterError(f"strata.storage.report: {what} has to be a dictionary")
    if format not in (*_FORMATS, "csv"):
        raise AnsibleFilterError(f"strata.storage.report: {format} is no format; use one of {', '.join(_FORMATS)}, csv")
    at = generated_at or datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        made = build(value, title, at, groups, maas, pools, _previous(previous))
        if format != "csv":
            return _FORMATS[format](made)
        known = tables(made)
        if table not in known:
            raise StorageError(f"{table} is no table of a report; use one of {', '.join(known)}")
        return sheet.render(known[table])
    except StorageError as error:
        raise AnsibleFilterError(f"strata.storage.report: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnsibleFilterError(
            f"strata.storage.report: a result is not what the info modules of this version return ({error!r})"
        ) from error


def _previous(given: Any) -> Mapping[str, Any] | None:
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else None
        except ValueError as error:
            raise StorageError(f"the last report is not JSON: {error}") from error
    if given is not None and not isinstance(given, Mapping):
        raise StorageError("the last report is not the data of one")
    return given


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"report": report}
