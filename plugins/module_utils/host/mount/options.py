# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount options as words: whose they are, and what is in effect."""

from __future__ import annotations

#: What mount(8) or the kernel does for any filesystem, by the key.
_GENERAL = (
    "async atime noatime auto noauto bind comment context defaults defcontext dev nodev diratime nodiratime "
    "dirsync exec noexec fscontext group helper iversion noiversion lazytime nolazytime loop loud mand nomand "
    "move _netdev nofail nosymfollow offset owner private rbind relatime norelatime remount ro rootcontext "
    "rprivate rshared rslave runbindable rw shared silent sizelimit slave strictatime nostrictatime suid "
    "nosuid symfollow sync uhelper unbindable user nouser users"
)
#: What a mount has or has not, beside how it keeps the time of access.
_FLAGS = ("nodev", "nodiratime", "noexec", "nosuid", "nosymfollow")
_ACCESS = ("noatime", "relatime", "strictatime")
_IMPLIED = {
    "atime": ("relatime",),
    "defaults": ("suid", "dev", "exec"),
    "group": ("nosuid", "nodev"),
    "owner": ("nosuid", "nodev"),
    "user": ("noexec", "nosuid", "nodev"),
    "users": ("noexec", "nosuid", "nodev"),
}


#: What says which part of a filesystem is mounted, and not how: of a btrfs, and of a bind mount.
_SUBVOLUME = ("subvol", "subvolid")
_BIND = ("bind", "rbind", "x-systemd.requires-mounts-for")


def part_words(options: str) -> tuple[str, ...]:
    """Those that say which part of a filesystem is mounted."""
    keys = _BIND if {"bind", "rbind"}.intersection(words(options)) else _SUBVOLUME
    return tuple(word for word in words(options) if word.partition("=")[0] in keys)


def words(options: str) -> tuple[str, ...]:
    return tuple(word for word in options.split(",") if word)


def is_read_only(options: str) -> bool:
    return "ro" in words(options)


def kernel_words(options: str) -> tuple[str, ...]:
    """Those that are not only about the boot."""
    return tuple(word for word in words(options) if word != "nofail" and not word.startswith("x-"))


def words_of_filesystem(options: str) -> tuple[str, ...]:
    """Those that the filesystem itself has to know."""
    general = _GENERAL.split()
    return tuple(
        word
        for word in words(options)
        if word.partition("=")[0] not in general and not word.startswith(("x-", "X-", "verity."))
    )


def flags(options: str, access: str = "relatime") -> frozenset[str]:
    """The flags of a mount with these options; ``access`` is how it keeps the time of access where they do not say."""
    found: set[str] = set()
    for word in words(options):
        for one in _IMPLIED.get(word, (word,)):
            if one in _FLAGS:
                found.add(one)
            else:
                found.discard(f"no{one}")
            if one in _ACCESS:
                access = one
    return frozenset((*found, access))


def shown(options: str) -> str:
    """How the kernel tells the flags of a mount that has these options."""
    return ",".join(("ro" if is_read_only(options) else "rw", *sorted(flags(options) - {"strictatime"})))


def in_effect(told: str) -> frozenset[str]:
    """The flags of a mount as the kernel tells them.

    Read-only is none of them: a filesystem in error makes itself read-only, and should stay so.
    """
    return flags(told, access="strictatime")


def taking_back(told: str, wanted: str) -> tuple[str, ...]:
    """The words that take back flags in effect which the wanted options neither have nor name the opposite of."""
    gone = in_effect(told) - flags(wanted)
    (access,) = flags(wanted).intersection(_ACCESS)
    # The kernel keeps all that is about the time of access, unless it is told one of them.
    changes = gone.intersection(("nodiratime", *_ACCESS)) and access not in words(wanted)
    return (*(flag[2:] for flag in sorted(gone) if flag in _FLAGS), *((access,) if changes else ()))
