# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Ceph cluster is reached, and the words of an RBD image, flat and nested."""

from __future__ import annotations

from textwrap import indent

_IMAGE = r"""
name:
  description: The image's name.
  type: str
  required: true
size:
  description:
    - How large it is to be, for example V(10G). Needed to create one that is no clone. Smaller than it is needs
      C(allow_shrink).
  type: str
features:
  description:
    - All features that it is to have, but for those that follow from how it was made (striping, data pool). Omitted
      means unchanged, for a clone or a copy those of what it is made of, and for another new one what the cluster's
      configuration says.
    - librbd turns V(exclusive-lock), V(object-map), V(fast-diff) and V(journaling) on and off, V(deep-flatten) only
      off, V(layering) neither. An object map that is turned on is built anew.
    - V(deep-flatten) cannot be put back, so leaving it out for an image that has it needs C(allow_destroy).
  type: list
  elements: str
  choices: [layering, exclusive-lock, object-map, fast-diff, deep-flatten, journaling]
journaling:
  description: Whether it has feature V(journaling), whatever other features it has.
  type: bool
object_size:
  description: The size of the objects that it consists of, a power of two from V(4K) to V(32M). Fixed once it is made.
  type: str
order:
  description: The same as a power of two, from V(12) to V(25). Says what C(object_size) says.
  type: int
stripe_unit:
  description: The size of a stripe's unit, which divides the object size. Goes with C(stripe_count). Fixed.
  type: str
stripe_count:
  description: Over how many objects a stripe goes. Fixed.
  type: int
data_pool:
  description:
    - The pool that its data is in, for example an erasure-coded one. Fixed. The pool of the image itself counts as
      none.
  type: str
metadata:
  description: Keys and values to keep with it. A value of V(null) takes the key away, and other keys stay.
  type: dict
config:
  description:
    - Settings of librbd that are its own, for example C(rbd_qos_iops_limit). A value of V(null) takes one away, and
      others stay. Names and values are checked before anything is done.
  type: dict
parent:
  description:
    - The snapshot that a new image is to be a clone of. One that is there already has to be a clone of it; where it is
      no clone (any longer), that is a warning.
  type: dict
  suboptions:
    pool:
      description: The snapshot's pool. That of the image, if it is not said.
      type: str
    namespace:
      description: The snapshot's namespace. That of the image, if neither it nor C(pool) is said.
      type: str
    image:
      description: The image that was snapshotted.
      type: str
      required: true
    snapshot:
      description: The snapshot's name.
      type: str
      required: true
clone_format:
  description:
    - The format of a new clone. V(1) needs a protected snapshot, which it then gets, and is for clients older than
      Ceph 13. V(2), if it is not said.
  type: int
  choices: [1, 2]
copy_of:
  description:
    - The image that a new one is to be a copy of, with its metadata and settings. An image that is there already is
      left as it is. Refused where it is open somewhere, unless C(snapshot) is given.
    - The copy has another name, which ends in C(.strata-copying), until it is whole. The next run removes what is left
      of one that was cut off.
  type: dict
  suboptions:
    pool:
      description: The pool of that image. That of the new one, if it is not said.
      type: str
    namespace:
      description: The namespace of that image. That of the new one, if neither it nor C(pool) is said.
      type: str
    image:
      description: The image's name.
      type: str
      required: true
    snapshot:
      description: A snapshot of it. Then the copy is what the image was when that was taken.
      type: str
    with_snapshots:
      description:
        - If true, its snapshots are copied too (with C(snapshot), those up to that one), and the copy of a clone is a
          clone.
      type: bool
encryption:
  description:
    - Encryption of the image by librbd, with a LUKS header in front of its data. C(cryptsetup) opens it where it is
      mapped.
    - An image with a header of that format is left as it is, whichever passphrase opens it. Another one is formatted,
      and loses all that it holds, which needs C(allow_destroy) if it holds anything.
    - C(size) is with the header, which takes 4 MiB (V(luks1)) or 16 MiB (V(luks2)). C(status.encryption) tells how much
      is left for data.
    - A clone gets an encryption of its own, whether what it is a clone of is encrypted or not. That takes Ceph 18, and
      a C(size) with room for the header. C(cryptsetup) does not open it until it is flattened.
  type: dict
  suboptions:
    format:
      description: Format of the header.
      type: str
      choices: [luks1, luks2]
      required: true
    passphrase:
      description: Passphrase that opens a new image. Goes to librbd, and on no command line.
      type: str
      required: true
    parent_passphrases:
      description:
        - Passphrases of what a clone is made of, from its parent up, as far as that is encrypted. Needed to verify, and
          to flatten.
      type: list
      elements: str
    verify:
      description: If true, the task fails where the passphrase does not open an image that is there. It takes seconds.
      type: bool
flatten:
  description:
    - Whether it is to have all data itself, and be a clone no longer. The image that it is a clone of may be in the
      trash.
  type: bool
sparsify:
  description:
    - Length of the runs of zeros that are given back to the cluster, a power of two from V(4K) to the object size. That
      is an act and not a condition, so the task is changed each time.
  type: str
snapshot_limit:
  description: How many snapshots it may have. V(0) is no limit.
  type: int
renamed_from:
  description: Its former name. Where there is nothing of the new name, what has this one gets it.
  type: str
allow_shrink:
  description: Whether it may become smaller, and what lies beyond be lost.
  type: bool
purge_snapshots:
  description: Whether V(absent) may remove its snapshots too, protected or not.
  type: bool
delay:
  description: With V(trashed), for how many seconds it cannot be removed from the trash.
  type: int
allow_trashed_namesake:
  description:
    - Whether one may be made while another of this name is in the trash. Without it that is refused, since an empty
      image in the place of one that went by mistake is seldom what was meant.
  type: bool
allow_destroy:
  description:
    - If true, a lock may be broken (C(break_lock)), feature V(deep-flatten) be taken away for good, and what an image
      holds be lost where it is formatted (C(encryption)).
  type: bool
break_lock:
  description:
    - Address of a client whose lock of the image is broken, as C(status.locked_by) tells it, for example
      V(10.0.0.7:0/3629244907). For a client that hangs; one that is dead holds nothing. Nothing happens if that client
      holds no lock.
    - The cluster no longer lets the client in (it is blocklisted), so that it cannot write once it goes on. What it did
      not write yet is lost, so this needs C(allow_destroy).
  type: str
state:
  description:
    - V(absent) removes it; refused where it has snapshots, clones or a lock, is open, in a group, or mirrored.
    - V(trashed) puts it in the trash; refused where it has a lock, is open, in a group, or mirrored.
    - An automatic lock (of feature V(exclusive-lock)) whose holder no longer has the image open is a dead client's, and
      counts for nothing.
  type: str
  choices: [present, absent, trashed]
  default: present
"""


class ModuleDocFragment:
    """The annotations are for ansible-test, which takes a plain assignment for a literal."""

    DOCUMENTATION = r"""
options:
  conf:
    description:
      - The cluster's configuration file. C(/etc/ceph/CLUSTER.conf) or C(~/.ceph/CLUSTER.conf), if it is not said.
    type: path
  cluster:
    description: The cluster's name.
    type: str
    default: ceph
  client:
    description: The user that connects, without C(client.).
    type: str
    default: admin
  keyring:
    description: The file with its key. Where the configuration says, if it is not said here.
    type: path
  pool:
    description: The pool.
    type: str
    default: rbd
  connect_timeout:
    description: For how many seconds to wait for the cluster's monitors.
    type: int
    default: 10
  operation_timeout:
    description: For how many seconds to wait for an answer of the cluster's OSDs, each time.
    type: int
    default: 60
"""

    NAMESPACE = r"""
options:
  namespace:
    description: The namespace in the pool. The one without a name, if it is not said.
    type: str
    default: ''
"""

    BINDING = r"""
options: {}
requirements:
  - librbd's binding for Python (Debian's python3-rbd), for the system's own Python. Under another one, the module goes
    on under the system's.
"""

    IMAGE: str = "options:\n" + indent(_IMAGE, "  ")

    IMAGES: str = "options:\n" + indent(
        "images:\n"
        "  description: The images, each in the words of M(strata.storage.rbd_image). Others stay as they are.\n"
        "  type: list\n  elements: dict\n  required: true\n  suboptions:\n" + indent(_IMAGE, "    "),
        "  ",
    )
