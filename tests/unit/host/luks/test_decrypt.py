# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that decrypt a container where it is, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.luks import Key, parse
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid
from ansible_collections.strata.storage.plugins.module_utils.host.actions import PutBack
from ansible_collections.strata.storage.plugins.module_utils.host.devices import UNSEEN, Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.luks import plan as luks
from ansible_collections.strata.storage.plugins.module_utils.host.luks.crypttab import CRYPTTAB
from ansible_collections.strata.storage.plugins.module_utils.host.luks.read import BACKUPS, backup_path
from ansible_collections.strata.storage.plugins.module_utils.host.luks.state import Container, Header
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid

from ..hosts import EXT4, MiB, a_host, commands, destroyed, disk, outline, settle, the_step

SDB, SDC, INSIDE = "/dev/sdb", "/dev/sdc", "/dev/dm-0"
SIZE = 1024 * MiB
VAULT = "/dev/mapper/vault"
FILE = Key(file="/etc/keys/vault")
HEADER_FILE = f"{BACKUPS}/vault.decrypting"
BEGINNING = f"{BACKUPS}/vault.beginning"
BACKUP = backup_path("1f0c")
LINE = f"UUID={EXT4.uuid} /srv ext4 defaults 0 2\n"
HEADER = Header(2, "1f0c", "", "aes-xts-plain64", 512, "sha256", 512, 16 * MiB, (0,), digest="now")
WANT = parse({"name": "vault", "device": "sdb", "key_file": FILE.file, "state": "decrypted", "allow_offline": True})


def a_container(mounted: bool = True, opened: bool = True, fstab: str = LINE, **header: Any) -> Host:
    inside = (disk(INSIDE, SIZE - 16 * MiB, link=VAULT),) if opened else ()
    held = Content((Signature("crypto_LUKS", "1f0c"),))
    host = a_host(
        disk(SDB, SIZE, holders=(INSIDE,) if opened else ()),
        disk(SDC, SIZE),
        *inside,
        contents={SDB: held, **({INSIDE: Content((EXT4,))} if opened else {})},
        filesystems={INSIDE: Filesystem("ext4", EXT4.uuid, "backup", SIZE - 16 * MiB)} if opened else {},
        mounts=(Mount(INSIDE, "/srv", "ext4", "rw"),) if mounted and opened else (),
        files={CRYPTTAB: "vault UUID=1f0c /etc/keys/vault luks,nofail\n", FSTAB: fstab},
        key_files={FILE.file: ""},
        keyslots={(SDB, FILE): 0, (BACKUP, FILE): 0, (HEADER_FILE, FILE): 0},
        backups={BACKUP: HEADER, HEADER_FILE: None},
        links={VAULT: INSIDE} if opened else {},
    )
    container = Container(SDB, HEADER._replace(**header), "vault", INSIDE if opened else "")
    return host._replace(containers=(container,))


def interrupted(what: str, **more: Any) -> Host:
    """A host on which the power went while the header was taken, or while data moved."""
    record = Unfinished("/r/1.json", "…", f"decryption of vault{what}", "1f0c", (SDB,), ("serial sdb",))
    parts: dict[str, Any] = {"backups": {BACKUP: HEADER, HEADER_FILE: HEADER._replace(reencryption="decrypt")}, **more}
    host = a_container(opened=False)._replace(containers=(), unfinished=(record,), **parts)
    return host._replace(files={**host.files, CRYPTTAB: ""}, contents={SDB: Content(), SDC: Content()})


def plan(host: Host, **words: Any) -> Plan:
    return luks.plan(host, WANT._replace(**words), False)


def test_a_container_in_use() -> None:
    with pytest.raises(Refused, match=r"it is mounted on /srv\. Set allow_offline"):
        plan(a_container(), allow_offline=False)
    made = settle(luks, a_container(), WANT)
    assert outline(made) == [
        *("unmount mount /srv", "save luks vault", "close luks vault", "persist luks vault", "prepare luks vault"),
        *("decrypt luks vault", "mount mount /srv", "remove luks vault"),
    ]
    options = f"--batch-mode --header {HEADER_FILE} --key-file /etc/keys/vault /dev/sdb"
    assert commands(made)[3:6] == [
        f"cryptsetup reencrypt --batch-mode --decrypt --init-only --header {HEADER_FILE} "
        "--key-file /etc/keys/vault /dev/sdb",
        f"cryptsetup repair {options}",
        f"cryptsetup reencrypt --resume-only {options}",
    ]
    assert the_step(made, "prepare").flush == (SDB, HEADER_FILE, BACKUPS)
    assert destroyed(made) == []
    assert made.after.mounted(SDB) == ("/srv",)
    assert made.after.filesystem(SDB).type == "ext4"
    assert made.after.files[CRYPTTAB] == ""


def test_one_that_is_closed() -> None:
    made = settle(luks, a_container(opened=False), WANT)
    assert outline(made)[:3] == ["open luks vault", "save luks vault", "close luks vault"]
    assert made.after.contents[SDB] == UNSEEN


def test_the_header_comes_back_where_a_crash_interrupted_its_taking() -> None:
    made = settle(luks, interrupted(": its header"), WANT)
    assert outline(made)[:3] == ["restore luks vault", "open luks vault", "save luks vault"]
    assert commands(made)[0] == f"cryptsetup luksHeaderRestore --batch-mode /dev/sdb --header-backup-file {BACKUP}"
    gone = interrupted(": its header", backups={BACKUP: None, HEADER_FILE: None})
    with pytest.raises(StorageError, match=r"its backup .* is gone\. Nothing was changed"):
        plan(gone)


def test_data_that_moved_goes_on_by_its_file() -> None:
    made = settle(luks, interrupted(""), WANT)
    assert outline(made) == ["decrypt luks vault", "remove luks vault"]
    # All of it was decrypted, or cryptsetup says so, and the power went before that was on record.
    for header in (HEADER._replace(keyslots=()), HEADER._replace(reencryption="decrypt", moved=((0, True),))):
        ended = interrupted("", backups={BACKUP: HEADER, HEADER_FILE: header})
        assert the_step(settle(luks, ended, WANT), "decrypt").actions == (PutBack(BEGINNING, SDB),)
    gone = interrupted("", backups={BACKUP: HEADER, HEADER_FILE: None})
    with pytest.raises(StorageError, match="which says how far its decryption came, is gone"):
        plan(gone)


def test_nothing_is_left_to_do() -> None:
    done = a_container(opened=False)._replace(containers=())
    assert outline(plan(done)) == []
    left = done._replace(backups={HEADER_FILE: HEADER, BACKUP: HEADER})
    assert outline(settle(luks, left, WANT)) == ["remove luks vault"]


def test_what_is_decrypted_in_part_looks_blank_and_is_not_taken() -> None:
    host = interrupted("")
    with pytest.raises(Refused, match="holds the data of luks vault, whose decryption was interrupted"):
        raid.plan(host, Raid("md0", level="1", devices=("sdb", "sdc")), allow=True)


@pytest.mark.parametrize(
    ("host", "words", "message"),
    [
        (a_container(version=1), {}, "the container on /dev/sdb is luks1"),
        (a_container(reencryption="encrypt"), {}, r"is on its way \(encrypt\); have that end first"),
        (a_container(fstab="/dev/mapper/vault /srv ext4 defaults 0 2\n"), {}, "by /dev/mapper/vault, which is not"),
        (interrupted(""), {"key": None}, "to decrypt it, say also: key_file or passphrase"),
        (a_container()._replace(keyslots={(SDB, FILE): None}), {}, "unlocks no keyslot of the container"),
    ],
)
def test_what_is_refused(host: Host, words: dict[str, Any], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        plan(host, **words)
