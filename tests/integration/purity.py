# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a run of a module changed anything, or could have: read from its system calls, and its children's.

An idle stack of md, bcache and LVM writes to its disks by itself, so that hashing disks would show nothing.
"""

from __future__ import annotations

import re

#: What opens something for writing, makes or removes a name, or changes a device.
TRACED = (
    "open,openat,creat,truncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,"
    "symlinkat,mknod,mknodat,chmod,fchmodat,chown,mount,umount2,swapon,swapoff,init_module,finit_module,execve,ioctl"
)

#: LVM and cryptsetup take their own locks, and ask device-mapper, which answers on a file opened for both.
_OPENED = re.compile(
    r"^(/dev/null|/dev/tty|/dev(/mapper(/control)?)?|/run/lock/lvm(/.*)?|/run/lvm(/.*)?|/run/cryptsetup(/.*)?|L_[0-9:]+|"
    r"/proc/self/.*)$"
)
#: A header in a file, or in memory, is opened by cryptsetup as its device would be, to be locked.
_HEADER = re.compile(r'"(/var/lib/strata-storage/luks/[^"]*|/proc/[0-9]+/fd/[0-9]+)", O_RDWR\|O_NONBLOCK\|O_CLOEXEC\)')
_COMMANDS = re.compile(
    r'\["wipefs", "--json", "--no-act", "[^"]+"\]|\["sfdisk", "--json", "[^"]+"\]|\["lvm", "(fullreport|pvs)", .*\]|'
    r'\["rbd", "info", .*\]|\["cryptsetup", "open", "--test-passphrase", .*\]'
)
_PYTHON = re.compile(r'^"[^"]*/(python3[^"]*|env|runuser)", ')
_IOCTLS = re.compile(
    r"BLKRRPART|BLKPG|BLKDISCARD|BLKSECDISCARD|BLKZEROOUT|BLKROSET|DM_DEV_CREATE|DM_DEV_REMOVE|DM_DEV_RENAME|"
    r"DM_DEV_SUSPEND|DM_TABLE_LOAD|DM_TABLE_CLEAR|DM_REMOVE_ALL|DM_TARGET_MSG|RUN_ARRAY|STOP_ARRAY|ADD_NEW_DISK|"
    r"SET_ARRAY_INFO|HOT_|BTRFS_IOC_(?!DEV_INFO|FS_INFO|TREE_SEARCH)|FIFREEZE|FITRIM"
)
_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)$")


def impurities(trace: str) -> list[str]:
    """The calls in an strace that a check run must not make, successful or not."""
    return [line for line in trace.splitlines() if _is_impure(line)]


def _is_impure(line: str) -> bool:
    match = _CALL.match(line)
    if not match:
        return False
    call, rest = match.groups()
    if call == "execve":
        return "ENOENT" not in rest and not _PYTHON.match(rest) and not _COMMANDS.search(rest)
    if call == "ioctl":
        return bool(_IOCTLS.search(rest))
    path = re.search(r'"([^"]*)"', rest)
    if path and _OPENED.match(path.group(1)):
        return False
    if _HEADER.search(rest):
        return False
    if call in ("open", "openat"):
        return bool(re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", rest))
    return True
