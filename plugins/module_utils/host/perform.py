# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How this host's actions are done."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import re
from typing import Callable

from ..core.command import ask_command, read_text, run_command, wait_until
from ..core.errors import Refused, StorageError
from ..core.execute import PERFORM, Handlers, Perform, flush
from ..core.files import make_directory, sync_directory
from ..core.plan import Write
from ..core.progress import Progress, reporter
from ..core.secret import Secret
from ..document.sizes import Percent, whole_mib
from .actions import (
    BackUpHeader,
    BindTang,
    Claim,
    DeleteSubvolume,
    Detached,
    DropBackup,
    DropStripes,
    DropVolume,
    EndMove,
    EraseTables,
    Grow,
    Idle,
    InGroup,
    Inspect,
    MakeSubvolume,
    MountOn,
    MoveAway,
    NoVolume,
    OpenContainer,
    PutBack,
    Rebuilt,
    Reencrypt,
    Rejoin,
    Relabel,
    Release,
    ReloadMounts,
    SaveBeginning,
    Spans,
    Unlabel,
    Vacate,
)
from .bcache.state import dirty_bytes
from .boot import colons
from .disks import identity
from .filesystem.read import read_filesystem
from .filesystem.state import Filesystem
from .filesystem.types.known import KNOWN
from .luks.ended import read_ended, with_header
from .luks.read import PATIENCE, left_behind, read_header_in
from .luks.state import Header
from .lvm.label import read_physical_volume
from .partition.table import erase_headers
from .probe import is_busy, read_contents
from .raid.read import is_reshaping, read_sync
from .read import RECORDS
from .sysfs import SYS, names_in

#: Bytes of the key that a Tang server keeps.
_KEY = 48
#: Where a cryptsetup that moves data holds a lock, by the UUID of the container.
_LOCKS = "/run/cryptsetup/LN_LUKS2-reencryption-"


def _claim(action: Claim) -> None:
    if not os.path.exists(action.path):
        raise StorageError(f"{action.path} is gone; run this again")
    kernel = os.path.basename(os.path.realpath(action.path))
    if action.identity and identity(kernel) != action.identity:
        raise StorageError(f"{action.path} is another device than a moment ago; nothing was written to it")
    if action.shared:
        return
    content = read_contents((action.path,))[action.path]
    if content.busy:
        raise StorageError(f"{action.path} was taken by somebody else meanwhile; nothing was written to it")
    if action.signatures is not None and content.signatures != action.signatures:
        found = " and ".join(signature.type for signature in content.signatures) or "nothing"
        raise StorageError(f"{action.path} holds {found} now, which is not what was planned with; run this again")


def _inspect(action: Inspect) -> None:
    signatures = read_contents((action.path,))[action.path].signatures
    if not signatures:
        return
    if not action.wipe:
        found = " and ".join(
            f"{signature.type}" + (f" (UUID {signature.uuid})" if signature.uuid else "") for signature in signatures
        )
        raise Refused(
            f"old bytes inside the new {action.path} form this: {found}. Nothing was written over them. "
            "Set allow_destroy to erase them"
        )
    _vacate(Vacate(action.path, ("wipefs", "--all", action.path)))
    erase_headers(action.path)


def _is_volume(path: str) -> bool:
    group, volume = path.split("/")[2:]
    chosen = f"vg_name={group} && lv_name={volume}"
    return bool(run_command(("lvm", "lvs", "--noheadings", "--options", "lv_name", "--select", chosen)).strip())


def _no_volume(action: NoVolume) -> None:
    if _is_volume(action.path):
        raise StorageError(f"{action.path} was made by somebody else meanwhile; run this again")


def _drop_volume(action: DropVolume) -> None:
    if _is_volume(action.path):
        run_command(("lvremove", "--yes", action.path))


def _unlabel(action: Unlabel) -> None:
    label = read_physical_volume(action.path)
    if label:
        # A vgremove that was cut short leaves the label in use by a group that is nowhere any more.
        forced = () if label.group or label.elsewhere else ("--force", "--force", "--yes")
        run_command(("pvremove", *forced, action.path))


def _in_group(action: InGroup) -> None:
    found = run_command(("lvm", "pvs", "--noheadings", "--options", "vg_name", *action.paths)).split()
    if found != [action.group] * len(action.paths):
        raise StorageError(f"{' '.join(action.paths)} are no longer in group {action.group}")


def _move_away(action: MoveAway) -> None:
    used = ("lvm", "pvs", "--noheadings", "--units", "b", "--nosuffix", "--options", "pv_used", action.path)
    if int(run_command(used).strip()):
        run_command(action.argv, action.timeout, heard=lambda said: _tell_moved(action.path, said))


def _tell_moved(path: str, said: str) -> None:
    """``said`` is what pvmove has printed, a line for each time that it looked (``/dev/sdb: Moved: 12.50%``)."""
    moved = re.findall(r"Moved: ([\d.]+)%", said)
    if moved:
        reporter().tell(lambda: Progress(f"move from {path}", float(moved[-1])))


def _mount_on(action: MountOn) -> None:
    try:
        run_command(action.argv)
    except StorageError:
        there = ("findmnt", "--noheadings", "--source", action.source, "--mountpoint", action.point)
        if ask_command(there)[0]:
            raise


#: In a mount namespace of its own, which ends with it: nobody else sees the top level, nor is it left mounted.
_AT_THE_TOP = ("unshare", "--mount", "--propagation", "private", "sh", "-euc")
_MAKE = """\
mount --types btrfs --options subvolid=5 "$1" /run
if ! btrfs subvolume show "/run/$2" > /dev/null 2>&1; then
    mkdir -p "$(dirname "/run/$2")"
    btrfs subvolume create "/run/$2"
fi
"""
_DELETE = """\
mount --types btrfs --options subvolid=5 "$1" /run
btrfs subvolume delete --commit-after "/run/$2"
"""


def _make_subvolume(action: MakeSubvolume) -> None:
    run_command((*_AT_THE_TOP, _MAKE, "subvolume", action.device, action.name))


def _delete_subvolume(action: DeleteSubvolume) -> None:
    run_command((*_AT_THE_TOP, _DELETE, "subvolume", action.device, action.name))


def _erase_tables(action: EraseTables) -> None:
    erase_headers(action.path)


def _vacate(action: Vacate) -> None:
    kernel = os.path.basename(os.path.realpath(action.path))

    def done() -> bool:
        run_command(("udevadm", "settle", "--timeout=30"))
        for holder in os.listdir(f"{SYS}/{kernel}/holders"):
            if action.array and holder == os.path.basename(os.path.realpath(action.array)):
                run_command(("mdadm", "--manage", action.array, "--remove", action.path))
                continue
            if not read_text(f"{SYS}/{holder}/dm/uuid").startswith("LVM-"):
                raise StorageError(f"{action.path} was taken by /dev/{holder} meanwhile")
            run_command(("lvm", "lvchange", "--activate", "n", f"/dev/mapper/{read_text(f'{SYS}/{holder}/dm/name')}"))
        try:
            run_command(action.command)
        except StorageError:
            if read_contents((action.path,))[action.path].busy:
                return False
            raise
        return True

    wait_until(done, 30, f"in vain for nobody to use {action.path}")


def _release(action: Release) -> None:
    def released() -> bool:
        run_command(("udevadm", "settle", "--timeout=30"))
        if os.path.exists(action.attribute):
            _PERFORM[Write](Write(action.attribute, "1"))
            return False
        return not is_busy(action.path)

    wait_until(released, 60, f"in vain for nobody to hold {action.path}")


def _drop_stripes(action: DropStripes) -> None:
    if action.idle and not _is_idle(_md(action.array)):
        return
    attribute = f"{_md(action.array)}/stripe_cache_size"
    size = read_text(attribute)
    if size:
        # No fewer than 17 are possible, and the longest unused go first: those 17 go once there are newer ones.
        for number in ("17", size, "17", size):
            _PERFORM[Write](Write(attribute, number))


def _rejoin(action: Rejoin) -> None:
    try:
        run_command(("mdadm", "--manage", action.array, "--re-add", action.path))
    except StorageError:
        run_command(("mdadm", "--zero-superblock", action.path))
        run_command(("mdadm", "--manage", action.array, "--add", action.path))


def _md(array: str) -> str:
    return f"{SYS}/{os.path.basename(os.path.realpath(array))}/md"


def _rebuilt(action: Rebuilt) -> None:
    md = _md(action.array)
    state = f"{md}/dev-{os.path.basename(os.path.realpath(action.path))}/state"

    def whole() -> bool:
        _tell_sync(action.array, md)
        states = read_text(state).split(",")
        if "faulty" in states or states == [""]:
            raise StorageError(f"{action.path} failed, or left {action.array}, while it was rebuilt")
        return "in_sync" in states and "replacement" not in states

    wait_until(whole, action.timeout, f"in vain for {action.path} to be whole in {action.array}; it goes on")


def _is_idle(md: str) -> bool:
    return read_text(f"{md}/sync_action") in ("", "idle", "frozen") and not is_reshaping(md)


def _idle(action: Idle) -> None:
    md = _md(action.array)

    def idle() -> bool:
        _tell_sync(action.array, md)
        return _is_idle(md)

    wait_until(idle, action.timeout, f"in vain for {action.array} to be idle; what it does goes on")


def _tell_sync(array: str, md: str) -> None:
    def measure() -> Progress:
        percent, speed, eta_seconds = read_sync(md)
        return Progress(
            f"{array.replace('/dev/', '', 1)}: {read_text(f'{md}/sync_action')}", percent, speed or None, eta_seconds
        )

    reporter().tell(measure)


def _detached(action: Detached) -> None:
    before = 0

    def written_back() -> bool:
        def measure() -> Progress:
            nonlocal before
            left = dirty_bytes(read_text(f"{action.base}/dirty_data"))
            before = max(before, left)
            percent = round(100 - 100 * left / before, 1) if before else None
            return Progress(f"{action.path}: written back", percent)

        reporter().tell(measure)
        return read_text(f"{action.base}/state") == "no cache"

    wait_until(written_back, action.timeout, f"in vain for this: {action}")


def _grow(action: Grow) -> None:
    run_command(KNOWN[action.type].grow(action.path, action.mount_point, action.number), timeout=3600)


def _relabel(action: Relabel) -> None:
    """Of a volume that was offline, the plan could not know which label it has."""
    if _filesystem(action.path).label == action.label:
        return
    known = KNOWN[action.type]
    kept = known.keeps_label(action.mount_point)
    if kept:
        raise StorageError(f"{action.path} {kept}")
    run_command(known.label(action.path, action.mount_point, action.label))


def _spans(action: Spans) -> None:
    found = read_filesystem(action.path, action.mount_point)
    if found is None or found.size > action.most:
        size = f"a {found.type} of {found.size} bytes" if found else "nothing that is known"
        raise StorageError(f"{action.path} holds {size}, and was to be cut off at {action.most} bytes; it was not")


def _back_up_header(action: BackUpHeader) -> None:
    def copy(fresh: str) -> None:
        run_command(("cryptsetup", "luksHeaderBackup", action.device, "--header-backup-file", fresh))

    _keep(action.path, copy)


def _save_beginning(action: SaveBeginning) -> None:
    def copy(fresh: str) -> None:
        with open(action.device, "rb") as device:
            saved = device.read(action.size)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
            file.write(saved)

    _keep(action.path, copy)


def _keep(path: str, copy: Callable[[str], None]) -> None:
    """Have a file for root alone, whole or as before; ``copy`` makes one of a name that no file has."""
    directory = os.path.dirname(path)
    make_directory(directory)
    os.chmod(directory, 0o700)
    fresh = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    copy(fresh)
    flush((fresh,))
    os.replace(fresh, path)
    sync_directory(directory)


def _put_back(action: PutBack) -> None:
    with open(action.path, "rb") as file:
        saved = file.read()
    descriptor = os.open(action.device, os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC)
    with open(descriptor, "wb") as device:
        device.write(saved)
        device.flush()
        os.fsync(descriptor)
    for left in glob.glob(f"{glob.escape(os.path.dirname(action.path))}/LUKS2-temp-*.new"):
        os.unlink(left)


def _open_container(action: OpenContainer) -> None:
    try:
        run_command(action.argv, PATIENCE)
    except StorageError:
        kernel = os.path.basename(os.path.realpath(f"/dev/mapper/{action.name}"))
        if os.path.basename(os.path.realpath(action.device)) not in names_in(f"{SYS}/{kernel}/slaves"):
            raise


def _bind_tang(action: BindTang) -> None:
    """As `clevis luks bind` does it, which knows no binary key files, and leaves a copy of the header in /tmp."""
    import secrets

    key = Secret(secrets.token_urlsafe(_KEY))
    sealed = run_command(("clevis", "encrypt", "tang", action.config), given=key.value).strip()
    if run_command(("clevis", "decrypt"), given=sealed).strip() != key.value:
        raise StorageError(f"{action.url} does not give back the key of {action.device}; nothing was changed")
    parts = dict(zip(("protected", "encrypted_key", "iv", "ciphertext", "tag"), sealed.split(".")))
    token = json.dumps({"type": "clevis", "keyslots": [str(action.slot)], "jwe": parts})
    options = ("--batch-mode", "--key-file", action.key)
    # It is no word of a person's, which would have to be stretched.
    quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-slot", str(action.slot))
    run_command(("cryptsetup", "luksAddKey", *options, *quick, action.device, key), PATIENCE)
    try:
        run_command(("cryptsetup", "token", "import", action.device), given=token)
    except StorageError:
        run_command(("cryptsetup", "luksKillSlot", *options, action.device, str(action.slot)), PATIENCE)
        raise


def _reencrypt(action: Reencrypt) -> None:
    path = action.header or action.device
    uuid = _encrypted(path).uuid

    def progress() -> Progress:
        header = _encrypted(path)
        return Progress(f"{header.reencryption or 'encrypt'} {action.device}", header.percent(_size(action.device)))

    _let_end(action.device, uuid)
    if _encrypted(path).reencryption:
        run_command(action.argv, timeout=None, heard=lambda _said: reporter().tell(progress))


def _let_end(device: str, uuid: str) -> None:
    """Wait for a cryptsetup that moves data: a module that was killed leaves its own to end."""
    with contextlib.suppress(FileNotFoundError), open(f"{_LOCKS}{uuid}", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    left = left_behind(uuid)
    if left:
        raise StorageError(
            f"{device}: cryptsetup was killed while it moved data, and left {' '.join(left)}. Nothing is lost. "
            "Restart this host, whose boot opens the container as it is, and run this again"
        )


def _end_move(action: EndMove) -> None:
    _let_end(action.device, _encrypted(action.device).uuid)
    ended = read_ended(action.device)
    if ended is None:
        return
    with with_header(action.device) as path:
        run_command((*action.argv, path), PATIENCE)
    size = len(ended.copies) // 2
    with open(os.open(action.device, os.O_WRONLY | os.O_CLOEXEC), "wb", buffering=0) as device:
        # One after the other: where the power goes, one of them is whole.
        for place in (0, size):
            device.seek(place)
            device.write(ended.copies[place : place + size])
            os.fsync(device.fileno())


def _size(path: str) -> int:
    with open(path, "rb") as device:
        return device.seek(0, os.SEEK_END)


def _encrypted(path: str) -> Header:
    header = read_header_in(path)
    if header is None:
        raise StorageError(f"{path} holds no LUKS container any more")
    return header


def _drop_backup(action: DropBackup) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(action.path)
    sync_directory(os.path.dirname(action.path))


def _reload(_action: ReloadMounts) -> None:
    if os.path.isdir("/run/systemd/system"):
        run_command(("systemctl", "daemon-reload"))


def _filesystem(path: str) -> Filesystem:
    found = read_filesystem(path)
    if found is None:
        raise StorageError(f"{path} holds no filesystem that could be mounted")
    return found


def _share(of: str) -> str:
    """So much of a volume group (``50%-of-data``) in bytes: whole extents, as for a group that is there already."""
    percent, _of, name = of.partition("%-of-")
    columns = ("vg_extent_count", "vg_extent_size")
    said = run_command(
        ("vgs", "--noheadings", "--units", "b", "--nosuffix", "--options", ",".join(columns), name)
    ).split()
    extents, size = int(said[0]), int(said[1])
    return str(Percent(float(percent)).of(extents * size) // size * size)


def _portion(of: str) -> str:
    """So much of a device (``50%-of-/dev/md0``) in MiB, as for one that is there already."""
    percent, _of, path = of.partition("%-of-")
    size = int(read_text(f"{SYS}/{os.path.basename(os.path.realpath(path))}/size") or 0) * 512
    return str(whole_mib(Percent(float(percent)).of(size)))


#: What is known of a volume that is offline only once it is active, and of a group or an array once it is made; a UUID
#: as mdadm writes it; what a device is that may not exist before the plan runs.
_PLACEHOLDERS: dict[str, Callable[[str], str]] = {
    "filesystem-uuid": lambda path: _filesystem(path).uuid,
    "filesystem-type": lambda path: _filesystem(path).type,
    "fsck-pass": lambda path: KNOWN[_filesystem(path).type].fsck_pass,
    "colons": colons,
    # Of a UUID, the number that a FAT has for one; and that as mkfs.vfat takes it.
    "volume-id": lambda uuid: f"{uuid[:4]}-{uuid[4:8]}".upper(),
    "digits": lambda uuid: uuid.replace("-", ""),
    "identity": lambda path: identity(os.path.basename(os.path.realpath(path)), lasting=True),
    "share": _share,
    "portion": _portion,
}
_PERFORM: dict[type, Perform] = {
    **PERFORM,
    Claim: _claim,
    Inspect: _inspect,
    EraseTables: _erase_tables,
    NoVolume: _no_volume,
    DropVolume: _drop_volume,
    Unlabel: _unlabel,
    InGroup: _in_group,
    MountOn: _mount_on,
    MakeSubvolume: _make_subvolume,
    DeleteSubvolume: _delete_subvolume,
    MoveAway: _move_away,
    Vacate: _vacate,
    Detached: _detached,
    Release: _release,
    DropStripes: _drop_stripes,
    Rejoin: _rejoin,
    Rebuilt: _rebuilt,
    Idle: _idle,
    Grow: _grow,
    Relabel: _relabel,
    Spans: _spans,
    BackUpHeader: _back_up_header,
    SaveBeginning: _save_beginning,
    PutBack: _put_back,
    OpenContainer: _open_container,
    BindTang: _bind_tang,
    Reencrypt: _reencrypt,
    DropBackup: _drop_backup,
    EndMove: _end_move,
    ReloadMounts: _reload,
}
HANDLERS = Handlers(_PERFORM, _PLACEHOLDERS, records=RECORDS)
