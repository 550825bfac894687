#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cinder_volume
short_description: A volume of a storage array, by a driver of Cinder, without OpenStack
version_added: 0.1.0
description:
  - Creates, clones, adopts, grows, attaches, detaches and deletes a volume of a storage system that Cinder has a driver
    for. No service of Cinder runs. The driver runs in the task, by cinderlib.
  - Runs on the host that the volume is for. What is only created or deleted may be so from another host that has the
    database.
author:
  - the strata.storage authors (@strata-storage)
options:
  name:
    description:
      - Name of the volume. Two volumes of one name are an error, unless O(id) says which is meant.
      - A new volume gets an ID that follows from O(backend.name) and the name, so the same task finds it again.
    type: str
  id:
    description: ID (UUID) of the volume. One of O(name) and O(id) is required.
    type: str
  size:
    description:
      - Size of the volume, rounded up to whole GiB, as Cinder counts. A volume that is smaller grows, in place and in
        use. A volume that is larger is an error, also where only the backend knows that it is.
      - Needed to create one, unless it has a source, whose size is the default.
    type: str
  pool:
    description: Pool of a new volume. The first one of the backend by default.
    type: str
  description:
    description: Description of the volume.
    type: str
  extra_specs:
    description:
      - Specs that the driver reads when it creates the volume, by their names. Those of its source by default. They
        cannot be changed later.
    type: dict
  qos_specs:
    description: Limits that the driver or the host enforces. As O(extra_specs), they are those of the creation.
    type: dict
  source_volume:
    description: Name or ID of a volume of the same backend that a new volume is a copy of.
    type: str
  source_snapshot:
    description:
      - Name or ID of a snapshot of the same backend that a new volume is a copy of. With O(source_volume), a snapshot
        of that volume.
    type: str
  host:
    description:
      - Name of the host whose connection O(state=detached) ends. This host by default, which lets go of its device
        first.
      - Another host is not asked, so this is for one that is down for good. What it has not written is lost, and where
        it is alive, two hosts may write to the volume. So O(allow_destroy) is needed, and it is refused while the
        backend says that the volume is in use. The drivers V(rbd) and V(lvm) can tell.
    type: str
  manage:
    description:
      - If true, and the database has no such volume, the backend's volume of this name is adopted with its data. The
        driver renames it as Cinder names volumes. M(strata.storage.cinder_backend_info) tells what can be adopted. The
        driver has to be able to list what is there.
      - This also takes back a volume whose database was lost.
    type: bool
    default: false
  allow_destroy:
    description:
      - If true, O(state=absent) deletes the volume and its data, and so does another state with a volume in error.
      - It also lets O(host) end the connection of another host.
    type: bool
    default: false
  state:
    description:
      - State of the volume. V(present) has it exist. V(attached) has it as a block device of this host, too, and
        returns its path. V(detached) has it exist, and this host not connected to it.
      - V(absent) deletes it. Refused where it has snapshots, or is attached anywhere.
    type: str
    choices: [present, absent, attached, detached]
    default: present
extends_documentation_fragment:
  - strata.storage.cinder
  - strata.storage.cinder.database
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_cinder
requirements:
  - For V(attached), root, and what the driver's protocol needs on the host. For V(rbd) that is the C(rbd) command
    (Debian's ceph-common), and a kernel with the module C(rbd). For V(lvm), or another driver with iSCSI, it is
    C(open-iscsi) and C(lsscsi). V(lvm) also needs the directory C(/etc/target), which C(targetcli-fb) has.
notes:
  - With V(rbd) and V(lvm), the backend is asked, too. A volume that only the database has is refused. So is the
    attachment or deletion of a volume that is in use without a connection in the database.
  - The device is not there after a reboot, until the task runs again. Mount what is on it with C(noauto) or C(nofail).
  - A creation that is cut off is finished by the same task where the driver can list what is on the backend. Else the
    driver says that the volume is there already, and O(manage) adopts nothing, since it cannot be found.
seealso:
  - module: strata.storage.cinder_snapshot
  - module: strata.storage.cinder_backend_info
  - module: strata.storage.lvm_drive
"""

EXAMPLES = r"""
- name: A volume of a Ceph cluster
  strata.storage.cinder_volume:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    name: db
    size: 200G
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: A copy of how it was
  strata.storage.cinder_volume:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    name: db-test
    source_volume: db
    source_snapshot: before-upgrade
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: One that was made by hand, adopted
  strata.storage.cinder_volume:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    name: by-hand
    manage: true
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: A volume as a device of this host, with the database elsewhere
  strata.storage.cinder_volume:
    backend:
      name: ceph
      driver: rbd
      options: {rbd_pool: volumes, rbd_keyring_conf: /etc/ceph/ceph.client.admin.keyring}
    persistence: {url: "{{ vault_cinder_database }}"}
    name: db
    size: 200G
    state: attached
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: A volume of LVM as a device of this host, over iSCSI
  strata.storage.cinder_volume:
    backend: {name: lvm, driver: lvm, options: {volume_group: cinder-volumes}}
    name: scratch
    size: 10G
    state: attached
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: Let go of by a host that is down for good
  strata.storage.cinder_volume:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    name: db
    state: detached
    host: web9
    allow_destroy: true
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: Deleted, with its data
  strata.storage.cinder_volume:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    name: db-test
    state: absent
    allow_destroy: true
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python
"""

RETURN = r"""
volume:
  description: The volume, or null. In check mode, as it would be.
  returned: success
  type: dict
  contains:
    id:
      description: Its ID. On the backend it is called C(volume-ID).
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    size:
      description: Its size in bytes.
      type: int
      returned: always
    status:
      description: Its status, such as C(available) or C(in-use).
      type: str
      returned: always
    pool:
      description: The pool that it is in, or null.
      type: str
      returned: always
    description:
      description: Its description.
      type: str
      returned: always
    extra_specs:
      description: The specs that it was created with.
      type: dict
      returned: always
    qos_specs:
      description: The limits that it was created with.
      type: dict
      returned: always
    source:
      description: ID of the volume or snapshot that it was made from, or null.
      type: str
      returned: always
    snapshots:
      description: Its snapshots, as M(strata.storage.cinder_snapshot) returns them.
      type: list
      elements: dict
      returned: always
    connections:
      description: The hosts that are connected to it. Nothing of it is secret.
      type: list
      elements: dict
      returned: always
      contains:
        id:
          description: ID of the connection.
          type: str
          returned: always
        host:
          description: Name of the host.
          type: str
          returned: always
        protocol:
          description: Protocol, such as C(iscsi) or C(rbd), or null.
          type: str
          returned: always
        device:
          description: Path of the device on that host, or null.
          type: str
          returned: always
device:
  description:
    - Path of the device on this host, or null. It is one that stays with the device, such as that of its WWN, and not
      the kernel's name. In check mode, a path that stands for it where it is not there yet.
  returned: success
  type: str
provides:
  description: Devices that a next task may expect in check mode, such as M(strata.storage.lvm_drive) by its C(expect).
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the device.
      type: str
      returned: always
    size:
      description: Its size in bytes.
      type: str
      returned: always
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
"""

from ..module_utils.cinder.backend import CONNECTION
from ..module_utils.cinder.modules import volume
from ..module_utils.cinder.task import ensure
from ..module_utils.cinder.volume import OPTIONS, REQUIRED
from ..module_utils.core.module import storage_module


def main() -> None:
    spec = {**CONNECTION, **OPTIONS}
    ensure(storage_module(argument_spec=spec, required_one_of=REQUIRED, supports_check_mode=True), volume)


if __name__ == "__main__":
    main()
