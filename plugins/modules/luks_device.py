#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: luks_device
short_description: Encrypt block devices with LUKS
version_added: 0.1.0
description:
  - Creates LUKS containers, opens them now and at boot, changes their keys, grows them with their device, and takes
    them apart.
  - Passphrases are handed to programs through a descriptor. They are in no plan, result, log or command line.
  - The header of a container is backed up to C(/var/lib/strata-storage/luks/UUID.header) before it changes and again
    after that, for root alone. Whoever has that file and a passphrase of then can read the data. The backup is
    renewed after a key was removed, and removed with the container.
author:
  - the strata.storage authors (@strata-storage)
requirements:
  - C(cryptsetup) on the host, and C(systemd-cryptsetup) for containers that a boot opens. Debian 12 has the latter in
    its package C(systemd), Debian 13 in C(systemd-cryptsetup).
  - For C(tpm2) C(systemd-cryptenroll) of systemd 252 or newer, and tpm2-tss.
  - For C(tang) clevis, with its parts for LUKS and systemd.
extends_documentation_fragment:
  - strata.storage.document.luks_device
  - strata.storage.host
  - strata.storage.host.expect
  - strata.storage.host.lock
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_host
notes:
  - Trying a key takes as long as opening the container. It is done only where a task opens a container, names another
    C(key_file) for the boot, or changes keys. An open container whose task changes nothing needs no key.
seealso:
  - module: strata.storage.luks_device_info
  - module: strata.storage.layout
"""

EXAMPLES = r"""
- name: An encrypted array, opened at boot by a key file of the host
  strata.storage.luks_device:
    name: vault
    device: /dev/md0
    key_file: /etc/keys/vault

- name: A second key, for people
  strata.storage.luks_device:
    name: vault
    key_file: /etc/keys/vault
    new_passphrase: "{{ vault_passphrase }}"

- name: That passphrase leaves; the key file is tried before
  strata.storage.luks_device:
    name: vault
    key_file: /etc/keys/vault
    remove_passphrase: "{{ vault_passphrase }}"

- name: The TPM opens it at boot, while the state of Secure Boot is as it is now
  strata.storage.luks_device:
    name: vault
    key_file: /etc/keys/vault
    tpm2: {device: auto, pcrs: [7]}

- name: Either of two Tang servers opens it at boot, while it is in their network
  strata.storage.luks_device:
    name: vault
    key_file: /etc/keys/vault
    tang:
      - {url: "http://tang1.example.com", thumbprint: i4i46ycuvXcYCDAwJFIE0eJw1jegOANSAWq7Y_FWK70}
      - {url: "http://tang2.example.com", thumbprint: r7l_HFqz_BJfwH3GwkuQ4QZKEDVTBMbONPNGkHLTez4}

- name: Closed, also after a reboot
  strata.storage.luks_device:
    name: vault
    state: closed

- name: Removed, with all that it holds
  strata.storage.luks_device:
    name: vault
    device: /dev/md0
    state: absent
    allow_destroy: true
"""

RETURN = r"""
luks:
  description: The container, as an item of the document; none where it is absent.
  returned: success
  type: dict
  sample:
    name: vault
    device: /dev/md0
    type: luks2
    cipher: aes-xts-plain64
    key_size: 512
    hash: sha256
    sector_size: 512
    key_file: /etc/keys/vault
    allow_discards: false
    open_at_boot: true
    boot_required: false
    state: present
status:
  description: How the container does, sizes in bytes.
  returned: success
  type: dict
  sample:
    device: /dev/dm-0
    size: 1054859264
    uuid: 1f0c2c3e-0d8f-4a8e-9d7c-1d2b0d7f5a10
    keyslots: [0]
    tokens: []
    reencryption: ''
plan:
  description:
    - The steps, in order; in check mode what would be done, else what was planned and done. Each is as
      M(strata.storage.layout) returns it.
  returned: always
  type: list
  elements: dict
done:
  description: The steps that were done, also when a later one failed.
  returned: when anything was done
  type: list
  elements: dict
pending_reboot:
  description: What takes effect with the next boot.
  returned: success
  type: list
  elements: str
"""

from ..module_utils.core.module import storage_module
from ..module_utils.document import luks
from ..module_utils.host.luks import plan as planner
from ..module_utils.host.task import OPTIONS, ensure


def main() -> None:
    module = storage_module(argument_spec={**luks.OPTIONS, **OPTIONS}, supports_check_mode=True)
    ensure(module, luks.parse, planner.references, planner.plan, planner.facts, later=("pending_reboot",))


if __name__ == "__main__":
    main()
