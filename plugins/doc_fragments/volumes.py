# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a drive's network volumes, and how their provider is reached."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description: Name of the drive.
    type: str
    required: true
  machine:
    description:
      - ID of the machine that the volumes are attached to, as the provider has it. Needed by all providers but V(loop)
        and V(rbd), which attach to the host that they run on. Volumes that are attached to another machine are refused.
    type: str
    default: ""
  policy:
    description:
      - Policy of the drive. It says when the drive grows and shrinks, and within which limits. The defaults are those
        of BSUd, where it has the option.
    type: dict
    suboptions:
      initial_size:
        description: Size of each volume of a new drive, and the least size of the drive. V(10G) by default.
        type: str
      max_total_size:
        description: Largest size of all volumes together. No limit by default.
        type: str
      max_volumes:
        description: Largest number of volumes. V(10) by default.
        type: int
      min_volumes:
        description: Smallest number of volumes. V(1) by default.
        type: int
      grow_above:
        description:
          - Share of the drive's bytes, or of its inodes, that is in use when the drive grows. V(85%) by default. Must
            be larger than O(policy.shrink_below).
        type: str
      shrink_below:
        description:
          - Share that is in use when the drive shrinks. V(40%) by default. After a shrink, the drive is at most as
            full as the middle between this and O(policy.grow_above).
        type: str
      scale_factor:
        description: Share of its size by which the drive grows at least. V(20%) by default.
        type: str
      headroom:
        description:
          - Space that stays free, as bytes (V(20G)) or as a percentage. The drive grows if less is free. None by
            default.
        type: str
      cooldown:
        description:
          - Time that passes between any change and a shrink, such as V(30m) or V(2h). V(1h) by default. Growth never
            waits.
        type: str
      max_changes_per_day:
        description:
          - Largest number of runs that change the drive within 24 hours. A change beyond it is recommended, with a
            warning. No limit by default. Needs O(history).
        type: int
      predict:
        description:
          - Time to look ahead. The drive grows if it would pass O(policy.grow_above) within that time, at the rate of
            growth of the last 24 hours. Not done by default. Needs O(history).
        type: str
      volume_type:
        description: Type of new volumes, as the provider calls it. V(gp3) by default for V(aws), V(pd-balanced) for
          V(gcp), V(gp2) for V(outscale), and the project's default for V(openstack).
        type: str
      iops_per_gib:
        description:
          - IOPS of a volume for each of its GiB, for the types that have this setting. The provider's limits are kept
            to. Types V(io1) and V(io2) need it.
        type: int
      throughput:
        description: Throughput of a volume in MiB per second, for the types that have this setting (V(gp3)).
        type: int
      allow_shrink:
        description: If false, the drive never shrinks. V(true) by default.
        type: bool
      grow_in_place:
        description: If false, the drive grows by additional volumes, and volumes are never resized. V(true) by default.
        type: bool
      prices:
        description:
          - Price of a GiB, and of one of its IOPS, for each volume type. The key is the type. The value has the keys
            C(gib) and C(iops).
        type: dict
      max_cost:
        description: Largest cost of all volumes, by O(policy.prices). No limit by default.
        type: float
      expand:
        description: Temporary expansion, for instance for a restore.
        type: dict
        suboptions:
          size:
            description: Size that the drive has at least, until the end.
            type: str
            required: true
          until:
            description: End of the expansion, such as V(2027-01-31T18:00:00+00:00).
            type: str
            required: true
      mode:
        description:
          - Handling of changes by usage. V(apply) makes them, V(recommend) only returns them, V(off) does not look for
            them. Creation and attachment do not depend on it. V(apply) by default.
        type: str
        choices: [apply, recommend, 'off']
  usage:
    description:
      - Usage of the drive's filesystem, as the host sees it. If it is omitted, the drive neither grows nor shrinks.
    type: dict
    suboptions:
      size:
        description: Bytes in use and bytes that are available, as C(df) counts.
        type: int
        required: true
      used:
        description: Bytes in use.
        type: int
        required: true
      inodes:
        description: Number of inodes. V(0) if the filesystem has no fixed number.
        type: int
        default: 0
      inodes_used:
        description: Inodes in use.
        type: int
        default: 0
      total_size:
        description:
          - Size of the filesystem in bytes, also of what cannot be filled. V(0) if it is the same as O(usage.size).
        type: int
        default: 0
      shrinks:
        description: If false, the filesystem cannot be made smaller (XFS).
        type: bool
        default: true
  history:
    description: History of the drive, as an earlier run returned it.
    type: dict
  emptied:
    description:
      - IDs of volumes that the host let go of, and that hold no data any more. They are detached and deleted. If it is
        given, also as an empty list, nothing is decided by usage.
    type: list
    elements: str
  members:
    description:
      - IDs of the volumes that the host knows as those of the drive, as M(strata.storage.drive_usage_info) returns
        them. O(state=absent) deletes only these. It refuses to do anything if another volume carries the tag of the
        drive.
    type: list
    elements: str
  snapshot:
    description:
      - If true, a snapshot of each volume is made before a volume leaves, by O(policy) or by O(state=absent). The task
        waits until it is complete, for O(provider.wait_timeout) at most. Another task for the same shrink makes no
        second one. Nothing deletes the snapshots, which carry the tag of the drive.
    type: bool
    default: false
  allow_destroy:
    description: If true, O(state=absent) deletes volumes and the data on them.
    type: bool
    default: false
  state:
    description:
      - State of the volumes. V(online) has them attached, and creates the first one. V(offline) has them detached.
        V(absent) deletes them.
      - The host takes the drive offline first.
    type: str
    choices: [online, offline, absent]
    default: online
  lock_timeout:
    description: Time in seconds to wait for another run that works on the same drive.
    type: int
    default: 60
"""

    PROVIDER = r"""
options:
  provider:
    description: Provider of the volumes, and how it is reached.
    type: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the provider. V(aws) has EBS volumes. V(gcp) has persistent disks of Google Cloud. V(loop) has
            files of the host. V(openstack) has volumes of
            Cinder, which Nova attaches. V(outscale) has volumes of Outscale's Block Storage Unit. V(rbd) has images of
            a Ceph pool, which the kernel of the host maps.
        type: str
        choices: [aws, gcp, loop, openstack, outscale, rbd]
        required: true
      directory:
        description: Directory of the files of V(loop). V(/var/lib/strata-storage/volumes) by default.
        type: path
      cloud:
        description:
          - Name of the cloud of V(openstack) in C(clouds.yaml). Without it and without O(provider.access_key), the
            C(OS_*) variables of the environment say which cloud it is.
        type: str
      project:
        description: ID of the project of V(gcp).
        type: str
      zone:
        description: Zone of the machine and the disks of V(gcp).
        type: str
      pool:
        description: Pool of the images of V(rbd).
        type: str
      namespace:
        description: Namespace of the images of V(rbd). The one without a name by default.
        type: str
      client:
        description: Ceph user of V(rbd), without C(client.). V(admin) by default.
        type: str
      keyring:
        description: File on the host with the key of that user. Where Ceph's configuration says by default.
        type: path
      conf:
        description: Ceph's configuration file on the host. V(/etc/ceph/ceph.conf) by default.
        type: path
      map_options:
        description:
          - Options of the kernel's client that images of V(rbd) are mapped with, such as V(ms_mode=prefer-crc). An
            image that is mapped already keeps its own.
        type: list
        elements: str
      region:
        description:
          - Region of V(outscale), else C(OSC_REGION) of the environment. Region of V(aws) and V(openstack),
            else what C(boto3) and C(openstacksdk) find in the environment and their files.
        type: str
      endpoint:
        description:
          - URL of the API, else C(OSC_ENDPOINT_API) of the environment for V(outscale), else that of the region. URL of
            Keystone for V(openstack), together with O(provider.access_key). With V(gcp), it includes C(/compute/v1/).
        type: str
      access_key:
        description:
          - Access key of V(outscale), else C(OSC_ACCESS_KEY) of the environment. Access key of V(aws), else the
            credentials that C(boto3) finds in the environment, its files, or as the role of the machine it runs on.
            ID of an application credential of V(openstack).
        type: str
      secret_key:
        description:
          - Secret of O(provider.access_key), and in its place what the same source has. For V(outscale) that is
            C(OSC_SECRET_KEY) of the environment.
        type: str
      session_token:
        description:
          - Session token of V(aws), for temporary credentials. Access token of V(gcp), else the application default
            credentials that C(google-auth) finds, such as the file that C(GOOGLE_APPLICATION_CREDENTIALS) names.
        type: str
      requests_per_second:
        description: Largest number of requests per second to V(outscale). V(5) by default, as its accounts have it.
        type: int
      request_timeout:
        description: Time limit of a request in seconds.
        type: int
        default: 30
      wait_timeout:
        description: Time limit in seconds for a volume to reach a state, such as attached.
        type: int
        default: 600
"""
