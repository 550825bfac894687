# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the document, each documented once: flat (one item, a module's own options) and nested (a section)."""

from __future__ import annotations

from textwrap import indent

_RAID = r"""
name:
  description:
    - The array's name. V(md0), or any other C(md) with a number, is C(/dev/md0); another name is C(/dev/md/NAME).
    - That of another host's array may be C(HOST:NAME), as mdadm calls it.
  type: str
  required: true
level:
  description:
    - RAID level. Needed to create an array.
    - An array that exists changes in place from V(1), of two devices, to V(5), and, with
      C(allow_unprotected_reshape), from V(5) to V(6) and back.
  type: str
  choices: ['0', '1', '4', '5', '6', '10']
devices:
  description:
    - The active members, as paths (any link below C(/dev) will do) or kernel names. Needed to create an array.
    - A device that is new in the list fills a missing place, else takes the place of a member that is no longer listed
      (which stays in until the new one is whole), else the array grows by it.
    - A member that is no longer listed and that nothing replaces leaves only where the array stays redundant, or,
      with C(allow_shrink), makes it smaller.
  type: list
  elements: str
spare_devices:
  description:
    - Devices that stand by to take over from a member that fails. Others that do are taken out.
  type: list
  elements: str
write_mostly_devices:
  description: Members of a RAID 1, also listed in C(devices), that are read from only where no other member can be.
  type: list
  elements: str
discard_devices:
  description:
    - Devices of the array whose own version of its data is given up. Needed only where members ran apart, each without
      the other, so that two versions of the data exist. Without it such a start is refused, and both versions stay.
    - Those that are also listed in C(devices) are cleared, and rebuilt from the others. Where the array is
      removed, a copy of a member, or a device with a version of its own, is cleared too.
    - Name them for the one run that needs it, and take them out again.
  type: list
  elements: str
chunk_size:
  description:
    - How much is written to one member before the next one's turn, for example V(512K). New arrays get mdadm's default.
    - That of a RAID 10 of a near layout can be changed, and, with C(allow_unprotected_reshape), that of levels V(4),
      V(5) and V(6).
  type: str
layout:
  description:
    - How data and parity go around the members. Of a RAID 5 or 6 V(left-symmetric), V(left-asymmetric),
      V(right-symmetric) or V(right-asymmetric). Of a RAID 10 V(n), V(o) or V(f) (near, offset, far) and the number of
      copies, for example V(n2). New arrays get mdadm's default. Fixed when the array is made.
  type: str
size:
  description:
    - How much is used of each member, for example V(500G). New arrays use all of the smallest one.
    - With V(max), the array grows to all that its members have room for, once they have become larger.
    - Less than is in use needs C(allow_shrink).
  type: str
metadata:
  description: Version of the superblock. New arrays get V(1.2).
  type: str
  choices: ['0.90', '1.0', '1.1', '1.2']
bitmap:
  description:
    - Write-intent bitmap. New arrays with redundancy get an internal one where the members have 100 GiB or more.
  type: str
  choices: [none, internal]
consistency_policy:
  description:
    - What keeps the members consistent after a crash, which says the same as C(bitmap) in other words.
      V(bitmap) is an internal one, V(resync) none.
  type: str
  choices: [resync, bitmap]
uuid:
  description:
    - UUID of the array, in any grouping of its 32 hexadecimal digits. New arrays get a random one.
    - It says which array is meant where several carry one name.
  type: str
allow_shrink:
  description:
    - Whether the array may come to hold less, by a smaller C(size), or (levels V(4), V(5) and V(6)) by fewer
      C(devices). What it no longer needs becomes a spare.
    - Refused where what is on the array does not fit into what would be left. It has to be one filesystem or one
      physical volume straight on the array, since only these say how much they use.
  type: bool
allow_unprotected_reshape:
  description:
    - Whether an array may be reshaped where data is lost if the host goes down (power, crash, reset) before the reshape
      has ended. That is so where as many members' worth of data is left as before, which are another C(chunk_size) of
      levels V(4), V(5) and V(6), and levels V(5) to V(6) and back. Measured with Linux 6.1 and mdadm 4.2.
    - Also where an array of level V(4), V(5) or V(6) shall span more devices and has too little room before its data,
      as on small devices with large chunks; the risk then is one of its first moments.
    - Have a backup, and say C(wait) to know when it is over.
  type: bool
state:
  description:
    - V(present) is an array that runs, under its name, also after a reboot.
    - V(stopped) is one that does not run, also after a reboot, and keeps its data.
    - V(absent) is none; its former members are blank. An array that holds anything needs O(allow_destroy).
  type: str
  choices: [present, stopped, absent]
  default: present
"""

_BCACHE = r"""
name:
  description: The label of the backing device, which udev shows as C(/dev/bcache/by-label/NAME). At most 31 bytes.
  type: str
  required: true
backing_device:
  description: The slow device, as a path or a kernel name. Needed to create a bcache.
  type: str
cache_device:
  description:
    - The fast device. Several bcaches may name the same one, and share its cache set.
    - Omitted for a new one, there is no cache yet. The empty string means no cache.
    - Another device than before takes the old one's place, once all dirty data was written back.
      A cache set that no bcache uses any more is removed.
    - Where the device with the cache set is lost, another one, or none, takes its place. Dirty data that was only there
      is lost then, which needs O(allow_destroy).
  type: str
cache_mode:
  description: What the cache does with writes. New ones get V(writethrough).
  type: str
  choices: [writethrough, writeback, writearound, none]
bucket_size:
  description:
    - Size of a bucket of the cache, a power of two. Fixed when the cache is made.
    - New caches get V(512K), or less where the cache device is too small for that.
  type: str
block_size:
  description:
    - Smallest unit of reading and writing, a power of two from 512 bytes to 4 KiB. Fixed when the devices are made.
  type: str
sequential_cutoff:
  description: Reads and writes in sequence of more than this go past the cache, for example V(4M). V(0) means none do.
  type: str
writeback_percent:
  description: How much of the cache the background writing lets be dirty, from 0 (nothing) to 40.
  type: int
writeback_delay:
  description: How many seconds dirty data waits before it is written back.
  type: int
readahead_cache_policy:
  description: Whether what is read ahead goes into the cache, all of it or only metadata.
  type: str
  choices: [all, meta-only]
stop_when_cache_set_failed:
  description: Whether a cache that fails stops the cached device always, or (V(auto)) only where it holds dirty data.
  type: str
  choices: [auto, always]
io_error_limit:
  description: How many errors of the cache device there may be before it is given up. For all that share the cache.
  type: int
discard:
  description: Whether buckets are discarded (TRIM) before they are used again. For all that share the cache.
  type: bool
replacement_policy:
  description: Which bucket goes first where there is no room left. For all that share the cache.
  type: str
  choices: [lru, fifo, random]
allow_offline:
  description:
    - Whether what is above may be unmounted and deactivated for a moment, and back again. That is needed where the
      backing device grew, or where a cache that was lost gets no other in its place.
  type: bool
state:
  description:
    - V(present) is a cached device that works, under its name, also after a reboot.
    - V(absent) is none. Dirty data is written back first. The cache set goes with the last bcache that used it.
      A bcache that holds anything needs O(allow_destroy).
  type: str
  choices: [present, absent]
  default: present
"""

_VOLUME = r"""
size:
  description:
    - Size of the logical volume, as bytes, V(10G), V(10GB), V(50%) of the volume group, or V(100%) of all that is free.
      LVM's own V(50%VG) and V(100%FREE) mean the same.
    - Omitted, a volume that exists keeps its size, and a new one gets all that is free. To have it grow with the
      drive's devices, say V(100%). Its filesystem is grown together with it.
    - A smaller size than it has needs C(allow_shrink) of the drive.
    - The size of a volume that is not linear (C(raid1), C(thin), …), or that has a snapshot, is not changed.
  type: str
filesystem:
  description:
    - What to format a new volume with. New ones get V(btrfs). One that is there already stays.
    - Omitted, a volume that exists keeps what it holds, whatever that is. It is never formatted then, also where it
      looks blank.
    - V(swap) is a swap area, in use now and after each boot.
    - V(none) leaves the volume to something else, for example a LUKS container. The drive neither formats it nor mounts
      it.
    - V(vfat) and V(f2fs) keep their size where their device grows, and do not shrink. Their label changes only while
      they are not mounted.
  type: str
  choices: [btrfs, ext2, ext3, ext4, f2fs, swap, vfat, xfs, none]
"""

_LABEL = r"""
label:
  description:
    - Label of the filesystem. The empty string means none.
    - Where fstab names the filesystem by its label and that changes, fstab names it by UUID from then on.
  type: str
"""

_MOUNT = r"""
mount_point:
  description:
    - Where to mount it, now and at each boot. The directory is made where it is missing, and must be empty.
    - A path through symbolic links means the directory that they lead to.
    - If it is mounted elsewhere, it moves, and its line in fstab keeps its options. The empty string unmounts it and
      removes that line.
  type: path
mount_options:
  description:
    - Mount options, separated by commas. New mounts get V(defaults).
    - Options in effect that are no longer wanted are taken back by a remount. Options that take an unmount are refused.
    - Options that begin with C(x-), such as C(x-systemd.automount), are written to fstab as they are.
    - Without C(mount_point), they are those of the mount that there is.
  type: str
boot_required:
  description:
    - If true, the host does not boot when this mount is missing. By default it does (C(nofail) in fstab), and mounts
      the device when it comes, within 300 seconds.
    - A service that needs the mount then has to say so, by C(RequiresMountsFor=) in its unit.
  type: bool
mount_owner:
  description:
    - Owner of what is mounted, as the name or number of a user. It is the owner of the top directory of the filesystem,
      so it stays with it wherever that is mounted; the directory below the mount is left alone.
    - The task checks it in each run, and sets it where it is another one. Omitted, it stays. No info module returns it.
    - With C(x-systemd.automount), a task sets it only while the filesystem is mounted.
  type: str
mount_group:
  description: Group of what is mounted, as C(mount_owner).
  type: str
mount_mode:
  description:
    - Mode of what is mounted, as C(mount_owner), as octal digits in quotes, such as V('0755') or V('2775').
  type: raw
"""

_PART_MOUNT = r"""
mount_options:
  description: Mount options, as C(mount_options) of the filesystem.
  type: str
boot_required:
  description: If true, the host does not boot when this mount is missing.
  type: bool
mount_owner:
  description: Owner of the directory that is mounted, as the name or number of a user.
  type: str
mount_group:
  description: Group of the directory that is mounted.
  type: str
mount_mode:
  description: Mode of the directory that is mounted, as octal digits in quotes.
  type: raw
"""

_SUBVOLUME = r"""
name:
  description: Path of the subvolume from the top level of the filesystem, such as V(@home) or V(srv/www).
  type: str
  required: true
mount_point:
  description:
    - Where to mount it, now and at each boot, by C(subvol=) in fstab. Omitted, its mounts stay as they are.
    - The empty string unmounts it and removes its line.
  type: path
"""

_SUBVOLUME_STATE = r"""
state:
  description:
    - V(present) is a subvolume. A new one is empty; missing directories on its path are created.
    - V(absent) deletes it with all that it holds, which needs C(allow_destroy). It is refused while there are other
      subvolumes in it, and of the default subvolume.
  type: str
  choices: [present, absent]
  default: present
"""

_BIND = r"""
source:
  description:
    - Directory to show, as an absolute path below a mount point of this filesystem. It is created where it is missing.
    - What is mounted inside it is not shown.
  type: path
  required: true
mount_point:
  description: Where to show it, now and at each boot.
  type: path
  required: true
"""

_BIND_STATE = r"""
state:
  description:
    - V(present) is a bind mount, with a line in fstab.
    - V(absent) is none. The directory and its files stay.
  type: str
  choices: [present, absent]
  default: present
"""

_MKFS = r"""
mkfs_options:
  description:
    - More options for the program that makes the filesystem (C(mkfs.xfs), C(mkswap)), such as V(-m reflink=0). They are
      split into words as a shell would do it.
    - They are used when a filesystem is made, and change none that is there. Label and UUID are given by the module.
  type: str
"""

_LUKS = r"""
name:
  description:
    - Name of the open container, C(/dev/mapper/NAME).
    - A container is found by it while it is open, and else by the line of C(/etc/crypttab) with that name.
  type: str
  required: true
device:
  description:
    - Device that holds the container, as a path or a kernel name. Needed to create one, and to take over one that is
      neither open nor in C(/etc/crypttab).
  type: str
passphrase:
  description:
    - Passphrase that opens the container. Programs receive it through a descriptor. It is in no plan, log or command
      line.
    - The line of C(/etc/crypttab) then names no key, and the console asks for the passphrase at boot. The boot does not
      wait for that unless C(boot_required) is true.
  type: str
key_file:
  description:
    - Path of a file on the host whose content, all of it, opens the container. C(/etc/crypttab) names it, so that the
      container opens at boot.
    - The file has to exist. The module does not make it.
    - Without C(key_file) and C(passphrase), the key file of C(/etc/crypttab) is used.
    - V(/dev/urandom) is a new key at each boot, for C(type) V(plain) only.
  type: path
  aliases: [keyfile]
new_passphrase:
  description: Another passphrase that opens the container. It gets a keyslot if it opens none yet.
  type: str
new_key_file:
  description: Another key file that opens the container, as C(new_passphrase).
  type: path
  aliases: [new_keyfile]
remove_passphrase:
  description:
    - Passphrase that no longer opens the container. Its keyslot is erased.
    - A key that stays is tried first, C(new_passphrase) or C(new_key_file) if given, else C(passphrase) or C(key_file).
      The task is refused if that opens no other keyslot.
  type: str
remove_key_file:
  description: Key file that no longer opens the container, as C(remove_passphrase). The file itself stays.
  type: path
  aliases: [remove_keyfile]
remove_keyslot:
  description:
    - Number of a keyslot to erase, as C(remove_passphrase), for a key that nobody knows any more. The token that is for
      this keyslot alone goes with it.
  type: int
tpm2:
  description:
    - TPM 2.0 of the host that opens a V(luks2) container at boot, as C(systemd-cryptenroll) enrols it. Omitted, TPMs
      that are enrolled stay as they are.
    - To enrol one, give also C(passphrase) or C(key_file). It keeps opening the container. The line of C(/etc/crypttab)
      then says C(tpm2-device=) and names no key file. The console asks for the passphrase if the TPM does not open it.
    - Needs systemd 252 or newer, and tpm2-tss. Refused for the container of the root filesystem.
  type: dict
  suboptions:
    device:
      description:
        - TPM to use, V(auto), a path such as V(/dev/tpmrm0), or a TCTI of tpm2-tss such as V(swtpm:). New ones get
          V(auto). It is an option of C(/etc/crypttab).
      type: str
    pcrs:
      description:
        - Numbers of the PCRs whose present values the key is bound to. With other values, the TPM does not open the
          container. V([]) is none. New ones get V([7]), the state of Secure Boot.
        - With other numbers than before, a new key is enrolled, and the old one leaves after that.
      type: list
      elements: int
    state:
      description:
        - V(present) enrols a TPM.
        - V(absent) removes all TPMs from the container. A C(passphrase) or C(key_file) that stays is tried first.
      type: str
      choices: [present, absent]
      default: present
tang:
  description:
    - Tang servers, each of which opens a V(luks2) container at boot, by clevis. V([]) is none. Omitted, servers that it
      is bound to stay as they are.
    - To bind a server, give also C(passphrase) or C(key_file). It keeps opening the container. The server has to
      answer, and is asked for the new key before the container changes. The line of C(/etc/crypttab) then says
      C(_netdev) and names no key file. The console asks for the passphrase if no server answers.
    - A server that is not listed is removed. A C(passphrase) or C(key_file) that stays is tried first. Bindings by
      other pins of clevis (C(tpm2), C(sss)) stay.
    - Needs clevis with its unit C(clevis-luks-askpass.path), which is enabled. Refused for the container of the root
      filesystem.
  type: list
  elements: dict
  suboptions:
    url:
      description: URL of the server.
      type: str
      required: true
    thumbprint:
      description:
        - Thumbprint of a key by which the server signs, as C(tang-show-keys) says on the server. An answer that this
          key did not sign is refused.
        - With another one than before, the container is bound to the server anew. The old binding leaves after that.
      type: str
      required: true
      aliases: [thp]
type:
  description:
    - Format. New containers get V(luks2). Fixed when the container is made.
    - V(plain) is swap with a new key at each boot, by the C(key_file) V(/dev/urandom). A boot encrypts the device anew
      and makes an empty swap area on it, so that nothing it held can be read again. It has no header and no keyslots.
      C(/etc/crypttab) names the device by a path that stays with it. A device without such a path is refused, and so is
      anything but swap in it.
  type: str
  choices: [luks1, luks2, plain]
cipher:
  description:
    - Cipher of the data, for example V(aes-xts-plain64). New containers get cryptsetup's default. It changes with
      C(in_place) only.
  type: str
key_size:
  description:
    - Size of the volume key in bits, for example V(512). New containers get cryptsetup's default. It changes with
      C(in_place) only.
  type: int
  aliases: [keysize]
hash:
  description:
    - Hash of keyslots and digests, for example V(sha256). New containers get cryptsetup's default. It changes with
      C(in_place) only.
  type: str
sector_size:
  description:
    - Unit of encryption in bytes, V(512), V(1024), V(2048) or V(4096), of V(luks2). New containers get cryptsetup's
      default. It changes with C(in_place) only.
  type: int
volume_key:
  description:
    - A name for the key that the data of a V(luks2) container is encrypted with, for example V(2026-11). The first name
      is given to the key that is there. Another name later has all data encrypted anew with a new key (C(in_place)), as
      after somebody may have had a copy of the old one, such as a backup of the header and its passphrase.
    - The name is kept in the header. It opens nothing, and is no secret.
  type: str
pbkdf:
  description: How keys are derived that a task adds. Omitted, cryptsetup measures what this host can do.
  type: dict
  suboptions:
    algorithm:
      description: Function. V(luks1) has V(pbkdf2) only.
      type: str
      choices: [argon2i, argon2id, pbkdf2]
    iteration_time:
      description: Time that opening the container may take on this host, in seconds. Excludes C(iteration_count).
      type: float
    iteration_count:
      description: Number of iterations, without a measurement.
      type: int
    memory:
      description: Memory that it needs, in KiB.
      type: int
    parallel:
      description: Number of threads.
      type: int
label:
  description: Label in the header of a V(luks2) container. At most 47 bytes; empty for none.
  type: str
allow_discards:
  description:
    - If true, blocks that are no longer used are discarded on the device below, from the next time that the container
      is opened. Whoever has the disk can then see which blocks are free.
  type: bool
open_at_boot:
  description:
    - If V(false), a boot does not open the container (C(noauto) in C(/etc/crypttab)).
    - Omitted or V(true), a boot does.
  type: bool
boot_required:
  description:
    - If true, a boot waits for the container, and stops in an emergency shell without it. New lines of
      C(/etc/crypttab) say C(nofail).
  type: bool
in_place:
  description:
    - If true, a device that holds a filesystem is encrypted where it is, and its data stays. Otherwise such a device is
      refused. The header needs 32 MiB behind the filesystem, so that V(btrfs), V(ext2), V(ext3) and V(ext4) shrink
      first where they span the device. Of the other types, the device has to be larger by so much.
    - If true, a V(luks2) container with one keyslot is encrypted anew if its C(cipher), C(key_size), C(hash),
      C(sector_size) or C(volume_key) is another one than wanted.
    - The container is open, and its filesystem mounted, while the data is encrypted. The task ends once all of it is. A
      task that was interrupted goes on where it stopped when it runs again.
    - Until there is a header, the first 32 MiB of the device are in C(/var/lib/strata-storage/luks), unencrypted.
  type: bool
allow_offline:
  description:
    - Whether what is mounted may be unmounted, until the container around it is open (C(in_place)), or until all of it
      is decrypted.
  type: bool
state:
  description:
    - V(present) opens the container, now and at boot, and creates it on a device that holds nothing.
    - V(closed) closes it, also at boot. Its data stay.
    - V(decrypted) moves its data, in the clear, to the beginning of the device, and leaves no container. The filesystem
      is out of use meanwhile (C(allow_offline)). A task that was interrupted goes on when it runs again, with the key.
    - V(absent) closes it, erases all keyslots, and leaves the device blank. Nobody can read the data after that, also
      with a passphrase. A container that is closed, or that holds anything, needs O(allow_destroy).
  type: str
  choices: [present, closed, decrypted, absent]
  default: present
"""

_DRIVE = r"""
name:
  description: The drive's name, which is that of its volume group.
  type: str
  required: true
devices:
  description:
    - The devices that the drive is made of, as paths or kernel names. Needed to create a drive.
    - More of them than before make the drive grow while it is in use, and so does one that has become larger.
    - One that the drive was given and that is no longer listed is emptied (C(pvmove)), leaves the group and is blank
      then. That is refused before anything is moved where what it holds does not fit on the others.
  type: list
  elements: str
remove_foreign_devices:
  description: Whether physical volumes leave the group too that somebody else put there, where they are not listed.
  type: bool
allow_shrink:
  description:
    - Whether volumes may become smaller. The filesystem shrinks first, V(btrfs) while it is mounted, V(ext2), V(ext3)
      and V(ext4) while it is not; the others cannot.
  type: bool
allow_offline:
  description: Whether a volume may be unmounted for as long as its V(ext4) is checked and shrunk, or its swap remade.
  type: bool
"""

_VOLUME_STATE = r"""
state:
  description:
    - V(present) is a volume that is active, formatted and mounted as its words say.
    - V(absent) removes this volume alone. One that holds anything needs C(allow_destroy).
  type: str
  choices: [present, absent]
  default: present
"""

_DRIVE_STATE = r"""
state:
  description:
    - V(online) is a drive whose volume is active, formatted, mounted and in fstab by UUID.
    - V(offline) is one that is unmounted and not active, also after a reboot, and keeps its data.
    - V(absent) is none; its former devices are blank. A drive that holds anything needs O(allow_destroy).
  type: str
  choices: [online, offline, absent]
  default: online
"""

_VOLUME_NAME = r"""
volume_name:
  description: Name of the logical volume. By default that of the drive. For several of them say C(volumes) instead.
  type: str
"""

_FILESYSTEM = r"""
device:
  description: The device that carries it.
  type: str
  required: true
type:
  description:
    - What to format the device with. Needed to make one. One that is there already stays, where it is of that type.
    - V(swap) is a swap area, in use now and after each boot.
    - V(vfat) and V(f2fs) keep their size where their device grows, and do not shrink. Their label changes only while
      they are not mounted.
  type: str
  choices: [btrfs, ext2, ext3, ext4, f2fs, swap, vfat, xfs]
"""

_FILESYSTEM_STATE = r"""
state:
  description:
    - V(present) is a filesystem on all of its device, mounted and in fstab by UUID where it has a mount point.
    - V(absent) is none, and a blank device. It needs the device in O(allow_destroy).
  type: str
  choices: [present, absent]
  default: present
"""

_PARTITION = r"""
name:
  description:
    - Its name in the GPT, by which it is known, and which udev shows as C(/dev/disk/by-partlabel/NAME). At most 36
      letters, digits and any of C(_ . + -). Other disks may have partitions of the same name.
    - With C(number), or a partition as C(device), it is only what the document calls it; the one in the table stays.
  type: str
  required: true
device:
  description:
    - The device that it is a part of. A blank device gets a GPT.
    - Or the partition itself, by its path. So a partition that another program made, without a name or in an MBR, is
      addressed, grown or removed. In an MBR no new one is made.
  type: str
  required: true
number:
  description: Its number in the table, by which it is known then, whatever its name there is. It never changes.
  type: int
size:
  description:
    - Size, as bytes, V(10G), V(10GB), V(50%) of the device, or V(100%) of what is free, rounded up to MiB. A new
      partition gets the largest free space, if it is not said.
    - A larger size than it has makes it grow, in use, where there is room behind it. A smaller one is refused.
    - Where the device grew, the copy of the GPT moves to its new end first.
  type: str
type:
  description: What the GPT says that it is for. New ones get V(linux).
  type: str
  choices: [linux, swap, lvm, raid, efi]
state:
  description:
    - V(present) is a partition.
    - V(absent) is none, and with the last one no partition table. One that holds anything needs O(allow_destroy).
  type: str
  choices: [present, absent]
  default: present
"""

_DISKS = r"""
name:
  description: What the items of the document call them. V(NAME) is all of them, V(NAME[0]) the first.
  type: str
  required: true
serial:
  description: Serial number.
  type: str
wwn:
  description: World Wide Name, with or without C(naa.), C(eui.) or C(0x) before it.
  type: str
model:
  description: Model, as the disk says it.
  type: str
rotational:
  description: Whether it is a spinning disk.
  type: bool
min_size:
  description: The least size, for example V(4TB).
  type: str
max_size:
  description: The largest size.
  type: str
transport:
  description: How it is connected, V(sata), V(sas), V(nvme), V(usb), V(virtio), V(iscsi), V(fc) or V(mmc).
  type: str
count:
  description: How many. One, if it is not said.
  type: int
allow_data:
  description:
    - If true, disks are chosen after the blank ones that hold something, and are free. To destroy that, it also takes
      O(allow_destroy).
    - Not needed where the entry names its disk, by C(serial) or C(wwn).
  type: bool
"""

_NAME = r"""
name:
  description: Name of the logical volume.
  type: str
  required: true
"""


def _flat(*words: str) -> str:
    return "options:\n" + indent("".join(words), "  ")


def _section(name: str, description: str, *words: str) -> str:
    head = f"{name}:\n  description: {description}\n  type: list\n  elements: dict\n  suboptions:\n"
    return head + indent("".join(words), "    ")


_USE = "".join(
    (
        _LABEL,
        _MOUNT,
        _section(
            "subvolumes",
            "Subvolumes of a V(btrfs). Others that it has stay, snapshots among them.",
            _SUBVOLUME,
            _PART_MOUNT,
            _SUBVOLUME_STATE,
        ),
        _section(
            "bind_mounts",
            "Directories of the filesystem to show in other places too.",
            _BIND,
            _PART_MOUNT,
            _BIND_STATE,
        ),
        _MKFS,
    )
)


class ModuleDocFragment:
    """``raid``, ``bcache`` and ``drive`` are one item, ``raids``, ``bcaches`` and ``drives`` sections of the document.

    The annotations are for ansible-test, which takes a plain assignment for a literal.
    """

    RAID: str = _flat(_RAID)
    BCACHE: str = _flat(_BCACHE)
    LUKS_DEVICE: str = _flat(_LUKS)
    DRIVE: str = _flat(
        _DRIVE,
        _VOLUME_NAME,
        _VOLUME,
        _USE,
        _section("volumes", "Several volumes, each with its own words.", _NAME, _VOLUME, _USE, _VOLUME_STATE),
        _DRIVE_STATE,
    )

    DISKS: str = _flat(
        _section(
            "disks",
            "Names for disks that are chosen by what they are. Those that the document's items are made of already are "
            "chosen first, then blank ones, always in the same order. Disks that hold anything are chosen only where "
            "the entry says so, and disks that others use never.",
            _DISKS,
        )
    )
    PARTITIONS: str = _flat(_section("partitions", "Parts of devices. New ones are made in a GPT.", _PARTITION))
    RAIDS: str = _flat(_section("raids", "Arrays.", _RAID))
    BCACHES: str = _flat(_section("bcaches", "Cached devices.", _BCACHE))
    LUKS: str = _flat(_section("luks", "Encrypted containers.", _LUKS))
    DRIVES: str = _flat(
        _section(
            "drives",
            "Drives.",
            _DRIVE,
            _VOLUME_NAME,
            _VOLUME,
            _USE,
            _section("volumes", "Several volumes, each with its own words.", _NAME, _VOLUME, _USE, _VOLUME_STATE),
            _DRIVE_STATE,
        )
    )
    FILESYSTEMS: str = _flat(
        _section(
            "filesystems",
            "Filesystems and swap areas on any device. Each is known by its device.",
            _FILESYSTEM,
            _USE,
            _FILESYSTEM_STATE,
        )
    )
