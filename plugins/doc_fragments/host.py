# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for the storage of a host take beside their words."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  allow_destroy:
    description:
      - Devices whose content may be destroyed, as a list of paths (best C(/dev/disk/by-id)), serial numbers or WWNs.
        A disk stands for its partitions too. A device that is not named here is refused if it holds anything.
      - V(true) permits the task to destroy all that is in the way, for instance a filesystem on a device that is to
        become part of something else, what is on an item that is removed, and old bytes that surface in a new item.
        Name devices where you can, so that a wrong device is still refused.
      - Without it, whatever holds a signature is refused, and the error names the device and what was found on it.
      - A device that is in use (mounted, held by something else) is refused either way.
    type: raw
    default: false
"""

    EXPECT = r"""
options:
  expect:
    description:
      - Devices that a task before this one makes, or makes larger, each as that task returns it in C(provides).
      - In check mode, where they are not there yet, they are taken for there and blank, and where they are smaller, for
        as large as that. It changes nothing else.
    type: list
    elements: dict
    suboptions:
      path:
        description: The device's path.
        type: str
        required: true
      size:
        description: Its size.
        type: str
        required: true
"""

    LOCK = r"""
options:
  lock_timeout:
    description: How many seconds to wait for another task that works on this host's storage.
    type: int
    default: 60
requirements:
  - Linux, and root on the managed host (C(become)).
  - C(wipefs) and C(udevadm), which every distribution has.
"""

    WAITING = r"""
options:
  wait:
    description: Wait for a resync, recovery, reshape or scrub to end, and do what is left to do then.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait for that at most. What is going on goes on when the task gives up.
    type: int
    default: 86400
"""
