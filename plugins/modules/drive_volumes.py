#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drive_volumes
short_description: Network volumes of a drive, which grow and shrink with its use
version_added: 0.1.0
description:
  - Keeps the network volumes that a drive is made of. Creates them, attaches them to a machine, resizes, detaches and
    deletes them.
  - If O(usage) is given, decides by O(policy) whether the drive grows or shrinks. Each decision comes with its reason.
  - Runs where the provider's API is reached, for instance on the controller. The credentials stay there.
    With providers V(loop) and V(rbd) it runs on the host itself, as root.
  - Never removes a volume that holds data of a drive. A volume that is to go is returned in RV(leaving). Once
    M(strata.storage.lvm_drive) has emptied it on the host, name it in O(emptied) of another task.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.volumes
  - strata.storage.volumes.provider
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_volumes
requirements:
  - For provider V(aws), the Python package C(boto3) (1.44 was tested) and Python 3.10 or newer.
  - For provider V(gcp), the Python package C(google-api-python-client) (2.202 was tested).
  - For provider V(openstack), the Python package C(openstacksdk) (4.22 was tested) and Python 3.11 or newer.
  - For provider V(outscale), the Python package C(osc-sdk-python) (0.42 was tested) and Python 3.10 or newer.
  - For provider V(loop), C(losetup) of util-linux.
  - For provider V(rbd), the C(rbd) command (Debian's ceph-common), and a kernel with the module C(rbd).
notes:
  - A volume belongs to a drive by its tag C(osc.bsud.drive-name), which is that of BSUd. A drive that BSUd made is
    known as it stands. With V(loop), a volume belongs to the drive whose directory it is in.
  - Two runs that see the same volumes ask for the same new volume, by its client token. The provider makes it once.
  - With V(aws), the credentials need C(ec2:DescribeVolumes), C(ec2:DescribeVolumesModifications),
    C(ec2:DescribeInstances), C(ec2:CreateVolume), C(ec2:CreateTags), C(ec2:AttachVolume), C(ec2:DetachVolume),
    C(ec2:ModifyVolume) and C(ec2:DeleteVolume). With O(snapshot), also C(ec2:CreateSnapshot) and
    C(ec2:DescribeSnapshots).
  - Snapshots of several volumes are made one after the other. While the drive is in use, they are not of one moment.
    With V(loop), the copy of a volume that is written to meanwhile is not of one moment either. Before O(state=absent),
    the drive is offline, and they are.
  - AWS limits how often a volume may be modified. If it refuses a growth in place for that reason, or since an
    earlier one is not over yet, the drive grows by another volume in the same run.
  - With V(gcp), the label C(osc-bsud-drive-name) of a disk is its tag, so the name of a drive must fit into a label. A
    disk's ID is its name, and O(machine) is the name of the instance. The host finds a disk as
    C(/dev/disk/by-id/google-NAME), by the name of its device. IOPS and throughput are not set.
  - With V(openstack), a volume's metadata are its tags. Cinder has no client tokens, so two controllers that work on
    one drive at the same time may make two volumes. Both carry the tag. A new volume is made in the zone of the machine
    if Cinder has a zone of that name. Volumes that are in use grow with Cinder's API 3.42 or newer.
  - The providers V(aws), V(gcp), V(openstack) and V(outscale) were tested against simulators that are held to what is
    published of the APIs. They were not run against the real ones. With V(outscale), growth of a volume that is in use
    (C(UpdateVolume)) is part of that. If your account does not permit it, set C(grow_in_place) of O(policy) to
    V(false).
  - With V(rbd), the tag is in an image's metadata, and each run asks each image of the pool for it. So give drives a
    namespace or a pool of their own. An image that is open elsewhere is refused with the address of that client. The
    key of C(profile rbd) that M(strata.storage.rbd_map) needs on the host is enough.
  - With V(rbd), a snapshot is one of the image. An image that has snapshots cannot be removed, so it goes to the trash
    of the pool instead, with all of its data, until M(strata.storage.rbd_trash) restores or removes it. So it does if
    somebody else made the snapshots. A machine that restarts has no images mapped until the next run maps them.
  - Provider V(loop) keeps no tags, and a machine that restarts has no loop devices until the next run attaches them.
seealso:
  - module: strata.storage.drive_volumes_info
  - module: strata.storage.lvm_drive
"""

EXAMPLES = r"""
- name: The volumes of a drive, attached
  strata.storage.drive_volumes:
    name: scratch
    machine: i-12345678
    provider: {name: outscale, region: eu-west-2}
    policy: {initial_size: 10G, max_total_size: 2T}
  delegate_to: localhost

- name: Grown, if it is nearly full
  strata.storage.drive_volumes:
    name: scratch
    machine: i-12345678
    provider: {name: outscale, region: eu-west-2}
    policy: {grow_above: 85%, shrink_below: 40%, cooldown: 1h, volume_type: io1, iops_per_gib: 50}
    usage: {size: 10737418240, used: 9663676416}
    history: {samples: [[1800000000.0, 8589934592]], changes: [1799990000.0]}
  delegate_to: localhost

- name: Volumes of AWS, with IOPS and throughput
  strata.storage.drive_volumes:
    name: scratch
    machine: i-0123456789abcdef0
    provider: {name: aws, region: eu-west-1}
    policy: {initial_size: 100G, iops_per_gib: 50, throughput: 250}
  delegate_to: localhost

- name: Persistent disks of Google Cloud
  strata.storage.drive_volumes:
    name: scratch
    machine: web-1
    provider: {name: gcp, project: example-project, zone: europe-west1-b}
    policy: {initial_size: 50G, volume_type: pd-ssd}
  delegate_to: localhost

- name: Volumes of OpenStack, by a cloud of clouds.yaml
  strata.storage.drive_volumes:
    name: scratch
    machine: 6c2dbd21-8f2c-4f3a-9f0e-2d7b3e6f0a11
    provider: {name: openstack, cloud: production}
    policy: {initial_size: 50G}
  delegate_to: localhost

- name: Images of a Ceph pool, on the host itself
  strata.storage.drive_volumes:
    name: scratch
    provider: {name: rbd, pool: vms, namespace: web1, client: web1, map_options: [ms_mode=prefer-crc]}
    policy: {initial_size: 50G}

- name: A volume that the host has emptied, deleted
  strata.storage.drive_volumes:
    name: scratch
    machine: i-12345678
    provider: {name: outscale, region: eu-west-2}
    emptied: [vol-12345678]
  delegate_to: localhost

- name: Files of the host, without an account
  strata.storage.drive_volumes:
    name: scratch
    provider: {name: loop, directory: /var/lib/volumes}
    policy: {initial_size: 1G}

- name: Everything deleted, also the data, after a snapshot
  strata.storage.drive_volumes:
    name: scratch
    machine: i-12345678
    provider: {name: outscale, region: eu-west-2}
    state: absent
    members: [vol-12345678]
    snapshot: true
    allow_destroy: true
  delegate_to: localhost
"""

RETURN = r"""
volumes:
  description: The volumes of the drive, the oldest first. In check mode, those that there would be.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The provider's ID of the volume. With V(loop), the path of the file, with V(rbd), the image
        as C(POOL/NAMESPACE/IMAGE).
      type: str
      returned: always
    size:
      description: Its size in bytes.
      type: int
      returned: always
    type:
      description: Its type, or null.
      type: str
      returned: always
    iops:
      description: The IOPS that were asked for, or null.
      type: int
      returned: always
    throughput:
      description: The throughput that was asked for, or null.
      type: int
      returned: always
    state:
      description: Its state at the provider.
      type: str
      returned: always
    machine:
      description: The machine that it is attached to, or null.
      type: str
      returned: always
    device:
      description: Its path on the host, where the provider knows it; else null.
      type: str
      returned: always
    serials:
      description: The serial numbers by which the host may know it.
      type: list
      elements: str
      returned: always
leaving:
  description: IDs of the volumes that the policy wants to remove. The host empties them first.
  returned: success
  type: list
  elements: str
removal:
  description: The steps that a later task does for them, once they are in O(emptied), as in RV(plan).
  returned: success
  type: list
  elements: dict
snapshots:
  description:
    - Snapshots that the module made of the drive's volumes, if O(snapshot) is true. In check mode also those that it
      would make.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The provider's ID of the snapshot. With V(loop), the path of the copy, with V(rbd), the
        image and the snapshot of it.
      type: str
      returned: always
    volume:
      description: ID of the volume.
      type: str
      returned: always
    state:
      description: V(completed), V(error), or a state on the way.
      type: str
      returned: always
provides:
  description:
    - Paths and sizes of the volumes that stay, which M(strata.storage.lvm_drive) takes as C(expect) in check mode.
  returned: success
  type: list
  elements: dict
decision:
  description: What the policy decided.
  returned: success
  type: dict
  contains:
    reason:
      description: Why, in a sentence.
      type: str
      returned: always
    warning:
      description: What is needed and cannot be done, or null.
      type: str
      returned: always
    moves:
      description: The changes, each with C(action) (C(grow), C(add) or C(remove)), C(volume), C(size) and C(reason).
      type: list
      elements: dict
      returned: always
    recommended:
      description: The changes that the policy's C(mode), or its daily budget, does not permit.
      type: list
      elements: dict
      returned: always
history:
  description: What a later run takes as O(history).
  returned: success
  type: dict
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

from ..module_utils.core.module import storage_module
from ..module_utils.volumes.task import OPTIONS, ensure


def main() -> None:
    ensure(storage_module(argument_spec=OPTIONS, supports_check_mode=True))


if __name__ == "__main__":
    main()
