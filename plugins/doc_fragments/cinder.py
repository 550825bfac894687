# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a backend of Cinder's drivers is named, and where what is known of it is kept."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  backend:
    description: Backend, which is a storage system with the driver for it.
    type: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the backend. Volumes belong to it by this name, so it stays the same for good.
        type: str
        required: true
      driver:
        description:
          - Class of Cinder's driver, such as V(cinder.volume.drivers.rbd.RBDDriver).
            M(strata.storage.cinder_backend_info) lists those that there are.
          - V(rbd) stands for that class, with C(rbd_ceph_conf=/etc/ceph/ceph.conf), C(rbd_user=admin) and
            C(rados_connect_timeout=10), unless O(backend.options) say otherwise.
          - V(lvm) stands for V(cinder.volume.drivers.lvm.LVMVolumeDriver), with C(target_protocol=iscsi) and
            C(target_helper=lioadm).
        type: str
        required: true
      options:
        description:
          - Options of the driver, as Cinder's documentation has them. An option that the driver does not have is an
            error.
          - The values of those that the driver calls secret are in no log, result, diff or error. Before the driver is
            loaded, for instance where there is no such driver, that holds for all values.
        type: dict
        default: {}
"""

    DATABASE = r"""
options:
  persistence:
    description:
      - Database of the volumes, snapshots and connections. Without it, nobody knows which of the backend's volumes are
        whose, so keep it on a durable host, and back it up.
      - It may hold secrets of connections (CHAP).
    type: dict
    suboptions:
      path:
        description:
          - File of SQLite. It is created with mode 0600, and its directory, if it is missing, with mode 0700.
            C(cinder.sqlite) in O(state_path) by default.
        type: path
      url:
        description:
          - URL of a database, as SQLAlchemy takes it, such as V(postgresql://USER:PASSWORD@HOST/DATABASE).
        type: str
  state_path:
    description: Directory of what Cinder keeps on this host.
    type: path
    default: /var/lib/strata-storage/cinder
  file_locks_path:
    description:
      - Directory of locks. Tasks with the same O(backend.name) and the same directory wait for each other.
        C(locks) in O(state_path) by default.
    type: path
  connect_timeout:
    description: Time limit in seconds for the driver to start, and for the database to answer.
    type: int
    default: 60
  lock_timeout:
    description: Time in seconds to wait for another task that works on the same backend.
    type: int
    default: 60
requirements:
  - Python 3.11 or 3.12 with the packages of C(requirements-cinder.txt) of this collection. The role
    P(strata.storage.cinder_host#role) makes it, and C(ansible_python_interpreter) of the task names it.
  - What the driver needs. For V(rbd) that is C(python3-rados) and C(python3-rbd) for the same Python.
    For V(lvm) that is a volume group, C(lvm2) and C(thin-provisioning-tools).
notes:
  - cinderlib 5.2.0 (December 2023) is its last release. Its authors do not develop it any further.
  - Tasks for one backend run on one host at a time, since the locks are files.
"""
