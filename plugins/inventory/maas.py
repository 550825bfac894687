# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: maas
short_description: The machines of a MAAS region as an inventory
version_added: 0.1.0
description:
  - Makes a host of each machine that the API key's user sees, with what M(strata.storage.maas_storage) and the
    playbooks of this collection need to find it.
  - Each machine is in groups by its state, pool, zone and tags, for example C(status_ready), C(pool_default),
    C(zone_default) and C(tag_ssd). Where two names would share a group, as C(web-1) and C(Web_1) would, there is none,
    and a warning says so.
  - Takes a file whose name ends in C(maas.yml) or C(maas.yaml).
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.maas
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [strata.storage.maas]
  pools:
    description: Resource pools whose machines are taken. All, if it is omitted.
    type: list
    elements: str
  zones:
    description: Zones whose machines are taken. All, if it is omitted.
    type: list
    elements: str
  tags:
    description: Tags that a machine has to have, all of them.
    type: list
    elements: str
  states:
    description: States of machines that are taken, as MAAS names them, for example V(Ready). All, if it is omitted.
    type: list
    elements: str
  storage:
    description:
      - If true, each machine has its storage as a document in C(maas_layout), as M(strata.storage.maas_storage_info)
        returns it in C(layout). It takes more requests for machines with arrays, caches or volume groups.
      - Where one machine's storage cannot be read, a warning says so, and it has none.
    type: bool
    default: false
seealso:
  - module: strata.storage.maas_storage_info
  - module: strata.storage.maas_storage
"""

EXAMPLES = r"""
# A file maas.yml: the file servers that wait for their storage, with what they have now, asked for once an hour.
plugin: strata.storage.maas
url: https://maas.example.com:5443/MAAS
api_key_file: ~/.maas-key
pools: [fileservers]
states: [Ready, Allocated]
storage: true
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible-maas
cache_timeout: 3600
keyed_groups:
  - {key: maas_architecture, prefix: arch}
"""

import hashlib
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.inventory.group import to_safe_group_name
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.execute import in_parallel
from ansible_collections.strata.storage.plugins.module_utils.core.text import meant
from ansible_collections.strata.storage.plugins.module_utils.maas import survey
from ansible_collections.strata.storage.plugins.module_utils.maas.client import Client
from ansible_collections.strata.storage.plugins.module_utils.maas.read import complete
from ansible_collections.strata.storage.plugins.module_utils.maas.task import CONNECTION, connect

Machine = dict[str, Any]
#: What hosts are grouped by, and the variables that tell it.
_VARIABLES = {"status": "status", "pool": "pool", "zone": "zone", "tag": "tags"}


def _places(machine: Machine) -> list[tuple[str, str]]:
    """What a host is grouped by, as kind and name."""
    said = [(kind, machine[f"maas_{variable}"]) for kind, variable in _VARIABLES.items()]
    named = [(kind, name) for kind, value in said for name in (value if isinstance(value, list) else [value])]
    return [(kind, name) for kind, name in named if name]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "strata.storage.maas"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("maas.yml", "maas.yaml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        unknown = sorted(self._read_config_data(path).keys() - self.get_options().keys() - {"plugin"})
        if unknown:
            near = meant(unknown[0], self.get_options())
            raise AnsibleParserError(f"{path}: there is no option {', '.join(unknown)}{near}")
        try:
            client = connect({name: self.get_option(name) for name in CONNECTION})
            machines = self._machines(client, path, cache)
        except StorageError as error:
            raise AnsibleParserError(f"{path}: {error}") from error
        wanted = [machine for machine in machines if self._is_wanted(machine)]
        groups = self._groups(wanted)
        for machine in wanted:
            self._add(inventory, machine, groups)

    def _machines(self, client: Client, path: str, cache: bool) -> list[Machine]:
        """From the cache, of which each region, each of its users, and more or less of what is told has a part."""
        if not self.get_option("cache"):
            return self._read(client)
        asked = f"{client.base} {client.consumer} {'storage' if self.get_option('storage') else 'machines'}"
        key = f"{self.get_cache_key(path)}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"
        if not cache or key not in self._cache:
            self._cache[key] = self._read(client)
        found: list[Machine] = self._cache[key]
        return found

    def _read(self, client: Client) -> list[Machine]:
        told = client.get("machines/", "reading all machines")
        return in_parallel(lambda one: self._machine(client, one), told)

    def _machine(self, client: Client, told: dict[str, Any]) -> Machine:
        """What a host gets, by the names of its variables. Raises StorageError."""
        machine = {
            # What the playbooks call it by.
            "maas_machine": told["system_id"],
            "maas_hostname": told["hostname"],
            "maas_fqdn": told["fqdn"],
            "maas_status": told["status_name"],
            "maas_pool": (told.get("pool") or {}).get("name", ""),
            "maas_zone": (told.get("zone") or {}).get("name", ""),
            "maas_tags": sorted(told.get("tag_names") or ()),
            "maas_architecture": told.get("architecture") or "",
            "maas_ip_addresses": list(told.get("ip_addresses") or ()),
        }
        if self.get_option("storage"):
            try:
                machine["maas_layout"] = survey.facts(complete(client, told))["layout"]
            except StorageError as error:
                self.display.warning(f"{told['fqdn']}: its storage was not read: {error}")
        return machine

    def _is_wanted(self, machine: Machine) -> bool:
        def among(option: str, value: str) -> bool:
            wanted = self.get_option(option)
            return wanted is None or value in wanted

        states = self.get_option("states")
        return (
            among("pools", machine["maas_pool"])
            and among("zones", machine["maas_zone"])
            and (states is None or machine["maas_status"].lower() in [one.lower() for one in states])
            and set(self.get_option("tags") or ()) <= set(machine["maas_tags"])
        )

    def _groups(self, machines: list[Machine]) -> dict[tuple[str, str], str]:
        """What groups are called, by kind and name, without those that several names would share."""
        named: dict[str, set[tuple[str, str]]] = {}
        for machine in machines:
            for kind, name in _places(machine):
                group = to_safe_group_name(f"{kind}_{name}".lower(), force=True, silent=True)
                named.setdefault(group, set()).add((kind, name))
        for group, places in named.items():
            if len(places) > 1:
                kind, names = min(places)[0], ", ".join(sorted(name for _kind, name in places))
                self.display.warning(
                    f"{group}: there is no such group, since the {kind}s {names} would share "
                    f"it. Choose their hosts by maas_{_VARIABLES[kind]}, in `groups`"
                )
        return {place: group for group, places in named.items() for place in places if len(places) == 1}

    def _add(self, inventory: InventoryData, machine: Machine, groups: dict[tuple[str, str], str]) -> None:
        host = machine["maas_fqdn"]
        inventory.add_host(host)
        for name, value in machine.items():
            inventory.set_variable(host, name, wrap_var(value))
        if machine["maas_ip_addresses"]:
            inventory.set_variable(host, "ansible_host", wrap_var(machine["maas_ip_addresses"][0]))
        for place in _places(machine):
            if place in groups:
                inventory.add_child(inventory.add_group(groups[place]), host)
        strict = self.get_option("strict")
        added: Any = inventory.get_host(host)
        variables = added.get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
