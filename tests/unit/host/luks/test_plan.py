# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for LUKS containers, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.luks import Key, Luks, parse
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.health import health
from ansible_collections.strata.storage.plugins.module_utils.host.host import Boot, Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.luks import plan as luks
from ansible_collections.strata.storage.plugins.module_utils.host.luks.crypttab import CRYPTTAB
from ansible_collections.strata.storage.plugins.module_utils.host.luks.read import (
    backup_path,
    beginning_path,
    by_crypttab,
    read_containers,
)
from ansible_collections.strata.storage.plugins.module_utils.host.luks.state import Container, Header
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid

from ..hosts import EXT4, GiB, MiB, a_host, commands, destroyed, disk, disks, outline, settle

SDB, SDC = "/dev/sdb", "/dev/sdc"
UUID = "1f0c2c3e-0d8f-4a8e-9d7c-1d2b0d7f5a10"
OTHER = "2f0c2c3e-0d8f-4a8e-9d7c-1d2b0d7f5a10"
OFFSET = 16 * MiB
VAULT = "/dev/mapper/vault"
HEADER = Header(2, UUID, "", "aes-xts-plain64", 512, "sha256", 512, OFFSET, (0,), digest="now")
FILE = Key(file="/etc/keys/vault")
LINE = f"vault UUID={UUID} /etc/keys/vault luks,nofail\n"
BACKUP = backup_path(UUID)
BEGINNING = beginning_path("vault")
SIGNED = Content((Signature("crypto_LUKS", UUID),))
BLANK = a_host(
    *disks("bc"),
    files={CRYPTTAB: None},
    key_files={FILE.file: ""},
    backups={backup_path("<uuid:luks-vault>"): None},
    kept={BEGINNING: False},
)


def want(**words: Any) -> Luks:
    return parse({"name": "vault", **words})


def passphrase(text: str) -> Key:
    key = want(passphrase=text).key
    assert key is not None
    return key


def a_container(header: Header = HEADER, opened: bool = True, crypttab: str = LINE, **more: Any) -> Host:
    """A host with one on sdb, and a key file that opens its first keyslot."""
    backups = {BACKUP: None, **more.pop("backups", {})}
    keyslots = {(SDB, FILE): 0, (SDB, passphrase("wrong")): None, **more.pop("keyslots", {})}
    key_files = {FILE.file: "", "/k2": "", **more.pop("key_files", {})}
    files = {CRYPTTAB: crypttab, **more.pop("files", {})}
    more.setdefault("kept", {BEGINNING: False})
    parts: dict[str, Any] = {"backups": backups, "keyslots": keyslots, "key_files": key_files, "files": files, **more}
    contents = {SDB: SIGNED, **parts.pop("contents", {})}
    below = disk(SDB, holders=(("/dev/dm-0",) if opened else ()))
    inside = (disk("/dev/dm-0", 10 * GiB - OFFSET, link=VAULT),) if opened else ()
    host = a_host(below, disk(SDC), *inside, contents=contents, **parts)
    name = "vault" if opened or crypttab else f"luks-{header.uuid}"
    return host._replace(containers=(Container(SDB, header, name, "/dev/dm-0" if opened else ""),))


def test_a_new_one() -> None:
    plan = settle(luks, BLANK, want(device="sdb", key_file=FILE.file, label="data", cipher="aes-xts-plain64"))
    assert outline(plan) == ["format luks vault", "back up luks vault", "persist luks vault", "open luks vault"]
    uuid = "<uuid:luks-vault>"
    assert commands(plan) == [
        "cryptsetup luksFormat --batch-mode --type luks2 "
        f"--uuid {uuid} --cipher aes-xts-plain64 --label data --key-file /etc/keys/vault /dev/sdb",
        f"edit {CRYPTTAB}",
        "cryptsetup open --batch-mode --key-file /etc/keys/vault /dev/sdb vault",
    ]
    assert plan.after.files[CRYPTTAB] == f"vault UUID={uuid} /etc/keys/vault luks,nofail\n"
    assert plan.after.devices[VAULT].size == 10 * GiB - OFFSET
    assert plan.after.devices[SDB].holders == (VAULT,)
    assert plan.after.content(VAULT)[VAULT] == Content()


def test_a_new_one_by_a_passphrase() -> None:
    plan = settle(luks, BLANK, want(device="sdb", passphrase="correct horse", type="luks1", allow_discards=True))
    assert "horse" not in str(plan)
    assert plan.after.files[CRYPTTAB] == "vault UUID=<uuid:luks-vault> none luks,nofail,discard\n"
    assert commands(plan)[-1] == (
        "cryptsetup open --batch-mode --allow-discards --key-file <secret:luks-vault-passphrase> /dev/sdb vault"
    )
    assert plan.after.devices[VAULT].size == 10 * GiB - 2 * MiB


def test_in_check_mode_a_key_file_may_be_about_to_come() -> None:
    missing = "there is no key file /etc/keys/vault on this host"
    host = BLANK._replace(key_files={FILE.file: missing}, check_mode=True)
    plan = settle(luks, host, want(device="sdb", key_file=FILE.file))
    assert plan.steps == settle(luks, BLANK, want(device="sdb", key_file=FILE.file)).steps
    assert plan.warnings == (f"luks vault: {missing}, and this task would fail unless one before it puts it there",)
    coming = a_container(key_files={"/k2": missing}, check_mode=True)
    assert "add luks vault" in outline(luks.plan(coming, want(new_key_file="/k2"), False))
    empty = BLANK._replace(key_files={FILE.file: "the key file /etc/keys/vault is empty"}, check_mode=True)
    with pytest.raises(StorageError, match="is empty"):
        luks.plan(empty, want(device="sdb", key_file=FILE.file), False)


def test_a_new_one_that_no_boot_opens() -> None:
    plan = settle(luks, BLANK, want(device="sdb", key_file=FILE.file, open_at_boot=False))
    assert plan.after.files[CRYPTTAB] == "vault UUID=<uuid:luks-vault> /etc/keys/vault luks,nofail,noauto\n"


def test_how_keys_are_stretched() -> None:
    pbkdf = {"algorithm": "argon2id", "iteration_time": 0.25, "memory": 65536, "parallel": 2}
    plan = settle(luks, BLANK, want(device="sdb", key_file=FILE.file, pbkdf=pbkdf))
    assert "--pbkdf argon2id --iter-time 250 --pbkdf-memory 65536 --pbkdf-parallel 2" in commands(plan)[0]


@pytest.mark.parametrize(
    ("host", "words", "message"),
    [
        (BLANK, {}, "does not exist, and to create it, say also: device, key_file or passphrase"),
        (BLANK, {"device": "sdb"}, "to create it, say also: key_file or passphrase"),
        (BLANK, {"device": "sdq", "key_file": FILE.file}, "there is no block device sdq"),
        (BLANK, {"device": "sdb", "key_file": FILE.file, "state": "closed"}, "state closed makes none"),
        (
            BLANK._replace(key_files={FILE.file: "there is no key file /etc/keys/vault"}),
            {"device": "sdb", "key_file": FILE.file},
            "luks vault: there is no key file /etc/keys/vault",
        ),
        (
            a_host(disk(SDB, 16 * MiB), files={CRYPTTAB: None}, key_files={FILE.file: ""}),
            {"device": "sdb", "key_file": FILE.file},
            "/dev/sdb is too small",
        ),
        (a_container(opened=False, crypttab=""), {"device": "sdb"}, "it is closed, and to open it, say also: key_file"),
        (a_container(opened=False), {"passphrase": "wrong"}, "the passphrase unlocks no keyslot of the container"),
        (a_container(), {"new_passphrase": "x", "passphrase": "wrong"}, "the passphrase unlocks no keyslot"),
        (
            a_container(Header(2, UUID, damaged="both copies of its header are damaged")),
            {},
            "both copies of its header are damaged, and nothing was done with it",
        ),
    ],
)
def test_what_cannot_be(host: Host, words: dict[str, Any], message: str) -> None:
    known = {(SDB, passphrase("x")): None}
    with pytest.raises(StorageError, match=message):
        luks.plan(host._replace(keyslots={**host.keyslots, **known}), want(**words), False)


HELD = BLANK.with_content(SDB, EXT4)


@pytest.mark.parametrize(
    ("host", "words", "message"),
    [
        (HELD, {"device": "sdb", "key_file": FILE.file}, "refused as luks vault: it holds an ext4 filesystem"),
        (a_container(), {"device": "sdc"}, "it is on /dev/sdb, not on /dev/sdc as wanted"),
        (a_container(), {"name": "other", "device": "sdb"}, "is open as vault. Name that, or close it first"),
        (
            a_container(opened=False),
            {"name": "other", "device": "sdb", "key_file": FILE.file},
            "/etc/crypttab calls the container on /dev/sdb vault. Name that",
        ),
        (a_container(), {"cipher": "serpent-xts-plain64"}, "cipher of the container on /dev/sdb is aes-xts-plain64"),
        (a_container(), {"type": "luks1"}, "type of the container on /dev/sdb is luks2, and luks1 is wanted"),
        (a_container(), {"key_size": 256}, "key_size of the container on /dev/sdb is 512"),
        (a_container(HEADER._replace(version=1)), {"label": "x"}, "is luks1, which has none"),
        (
            a_container(crypttab=LINE.replace(UUID, OTHER)),
            {},
            f"/etc/crypttab has vault for UUID={OTHER}, and /dev/sdb holds the container {UUID}",
        ),
        (BLANK.with_device(disk(VAULT), VAULT), {"device": "sdb", "key_file": FILE.file}, "is no LUKS container"),
    ],
)
def test_what_is_refused(host: Host, words: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        luks.plan(host, want(**words), False)


def test_copies_of_one() -> None:
    host = a_container()
    host = host._replace(containers=(*host.containers, host.containers[0]._replace(device=SDC, mapped="")))
    with pytest.raises(Refused, match="/dev/sdb and /dev/sdc hold copies of one container"):
        luks.plan(host, want(), False)


def test_what_a_device_holds_goes_with_permission() -> None:
    plan = settle(luks, HELD, want(device="sdb", key_file=FILE.file), allow=True)
    assert outline(plan)[:2] == ["wipe device /dev/sdb", "format luks vault"]
    assert destroyed(plan) == [f'/dev/sdb: an ext4 filesystem labelled "backup" (UUID {EXT4.uuid})']


def test_one_that_is_open_needs_no_key() -> None:
    assert settle(luks, a_container(), want()).steps == ()
    assert settle(luks, a_container(), want(device="sdb", key_file=FILE.file, cipher="aes-xts-plain64")).steps == ()


def test_what_there_is_can_be_given_back() -> None:
    for host in (a_container(), a_container(opened=False, crypttab=LINE.replace("nofail", "nofail,noauto"))):
        (reported,) = luks.survey(host)
        assert settle(luks, host, parse(reported.item)).steps == ()


def test_one_that_was_opened_by_hand_can_be_given_back() -> None:
    host = a_container(crypttab="")
    (reported,) = luks.survey(host)
    assert reported.item["open_at_boot"] is False
    assert settle(luks, host, parse(reported.item)).steps == ()
    assert outline(settle(luks, host, want())) == ["persist luks vault"]


def test_one_that_is_closed_is_opened_by_crypttabs_key() -> None:
    plan = settle(luks, a_container(opened=False), want())
    assert outline(plan) == ["open luks vault"]
    assert plan.after.content(VAULT)[VAULT].signatures == (Signature("unseen"),)


def test_one_that_nobody_calls_anything_gets_the_name() -> None:
    host = a_container(opened=False, crypttab="# nothing\n")
    host = host._replace(containers=(host.containers[0]._replace(name=f"luks-{UUID}"),))
    plan = settle(luks, host, want(device="sdb", key_file=FILE.file))
    assert outline(plan) == ["persist luks vault", "open luks vault"]
    assert plan.after.files[CRYPTTAB] == f"# nothing\n{LINE}"


def test_a_line_with_a_kernel_name_gets_the_uuid() -> None:
    # Names such as sdb are other disks' after a boot, which would not open the container then.
    line = "vault /dev/sdb /etc/keys/vault luks,tries=3\n"
    plan = settle(luks, a_container(crypttab=line), want(device="sdb"))
    assert outline(plan) == ["persist luks vault"]
    assert plan.after.files[CRYPTTAB] == f"vault UUID={UUID} /etc/keys/vault luks,tries=3\n"
    new = settle(luks, BLANK._replace(files={CRYPTTAB: line}), want(device="sdb", key_file=FILE.file))
    assert new.after.files[CRYPTTAB] == "vault UUID=<uuid:luks-vault> /etc/keys/vault luks,tries=3\n"
    lasting = line.replace("/dev/sdb", "/dev/disk/by-id/wwn-0x5")
    assert settle(luks, a_container(crypttab=lasting), want(device="sdb")).steps == ()


@pytest.mark.parametrize("line", ["old /dev/sdb /etc/keys/old luks\n", "old PARTUUID=4c8a none luks,nofail\n"])
def test_a_device_that_a_boot_opens_under_another_name_is_refused(line: str) -> None:
    host = BLANK.with_device(disk(SDB, part_uuid="4c8a"))._replace(files={CRYPTTAB: line})
    message = (
        f"crypttab has old for {line.split()[1]}, so a boot would open /dev/sdb as old. Take that line out, or call"
    )
    with pytest.raises(Refused, match=message):
        settle(luks, host, want(device="sdb", key_file=FILE.file))
    never = host._replace(files={CRYPTTAB: line.replace("luks", "luks,noauto")})
    assert settle(luks, never, want(device="sdb", key_file=FILE.file)).steps


def test_a_line_of_the_users_keeps_its_words() -> None:
    line = f"vault\t/dev/disk/by-uuid/{UUID} /etc/keys/vault luks,tries=3,x-initrd.attach\n"
    assert settle(luks, a_container(crypttab=line), want(device="sdb")).steps == ()
    plan = settle(luks, a_container(crypttab=line), want(boot_required=False, allow_discards=True))
    assert plan.after.files[CRYPTTAB] == (
        f"vault /dev/disk/by-uuid/{UUID} /etc/keys/vault luks,tries=3,x-initrd.attach,nofail,discard\n"
    )


def test_another_key_file_for_the_boot_is_tried_first() -> None:
    host = a_container(keyslots={(SDB, Key("/k2")): None})
    with pytest.raises(StorageError, match="the key file /k2 unlocks no keyslot"):
        luks.plan(host, want(key_file="/k2"), False)
    host = a_container(keyslots={(SDB, Key("/k2")): 0})
    assert settle(luks, host, want(key_file="/k2")).after.files[CRYPTTAB] == LINE.replace("/etc/keys/vault", "/k2")


def test_what_the_root_is_on_gets_a_new_initramfs() -> None:
    root = (Mount("/dev/dm-0", "/", "ext4", "rw"),)
    host = a_container(mounts=root, boot=Boot("update-initramfs", 200.0, 100.0))
    assert outline(settle(luks, host, want(allow_discards=True))) == [
        "persist luks vault",
        "rebuild initramfs update-initramfs",
    ]


def test_closed() -> None:
    plan = settle(luks, a_container(), want(state="closed"))
    assert outline(plan) == ["persist luks vault", "close luks vault"]
    assert plan.after.files[CRYPTTAB] == LINE.replace("nofail", "nofail,noauto")
    assert plan.after.devices[SDB].holders == ()
    opened = settle(luks, plan.after, want())
    assert opened.after.files[CRYPTTAB] == LINE


def test_what_is_closed_keeps_its_name() -> None:
    """Opened by hand, nothing but the open container knew it."""
    plan = settle(luks, a_container(crypttab=""), want(state="closed"))
    assert plan.after.files[CRYPTTAB] == f"vault UUID={UUID} none luks,nofail,noauto\n"
    nobodys = a_container(opened=False, crypttab="")
    assert settle(luks, nobodys, want(device="sdb", state="closed")).steps == ()


def test_what_is_in_use_is_not_closed() -> None:
    host = a_container(mounts=(Mount("/dev/dm-0", "/srv", "ext4", "rw"),))
    with pytest.raises(Refused, match=r"cannot be closed: /dev/dm-0 is mounted on /srv. Take away what uses it first"):
        luks.plan(host, want(state="closed"), True)


def test_it_grows_with_its_device() -> None:
    host = a_container()
    grown = host.with_size(SDB, 20 * GiB)
    plan = settle(luks, grown, want())
    assert commands(plan) == ["cryptsetup resize --batch-mode --key-file /etc/keys/vault vault"]
    assert plan.after.devices["/dev/dm-0"].size == 20 * GiB - OFFSET


def test_it_grows_with_the_next_boot_where_no_key_is_known() -> None:
    grown = a_container(crypttab=LINE.replace("/etc/keys/vault", "none")).with_size(SDB, 20 * GiB)
    plan = settle(luks, grown, want())
    assert plan.steps == ()
    assert plan.pending_reboot == (
        "luks vault: /dev/sdb grew, which vault has once it is opened anew, or with its key",
    )


def test_a_new_key() -> None:
    host = a_container(keyslots={(SDB, passphrase("new")): None})
    plan = settle(luks, host, want(new_passphrase="new"))
    assert outline(plan) == ["back up luks vault", "add luks vault", "back up luks vault"]
    assert commands(plan) == [
        "cryptsetup luksAddKey --batch-mode --key-file /etc/keys/vault /dev/sdb <secret:luks-vault-new_passphrase>"
    ]
    assert plan.after.containers[0].header.keyslots == (0, 1)


def test_a_key_that_it_has_is_not_added_again() -> None:
    host = a_container(keyslots={(SDB, passphrase("new")): 3})
    assert settle(luks, host, want(new_passphrase="new")).steps == ()


TWO_KEYS = a_container(HEADER._replace(keyslots=(0, 1)), keyslots={(SDB, passphrase("old")): 1})


def test_a_key_leaves_and_the_backup_is_made_anew() -> None:
    plan = settle(luks, TWO_KEYS, want(remove_passphrase="old"))
    assert outline(plan) == ["back up luks vault", "remove luks vault", "back up luks vault"]
    assert commands(plan) == ["cryptsetup luksKillSlot --batch-mode --key-file /etc/keys/vault /dev/sdb 1"]
    assert plan.after.keyslot(SDB, passphrase("old")) is None


def test_a_keyslot_leaves() -> None:
    assert commands(settle(luks, TWO_KEYS, want(remove_keyslot=1)))[0].endswith("/dev/sdb 1")
    assert settle(luks, TWO_KEYS, want(remove_keyslot=7)).steps == ()


def test_the_last_key_stays() -> None:
    with pytest.raises(Refused, match=r"is what keyslot 0 of /dev/sdb holds, which was to be removed. Nothing was"):
        luks.plan(a_container(), want(remove_keyslot=0), True)
    same = a_container(keyslots={(SDB, passphrase("same")): 0})
    with pytest.raises(Refused, match="Name a key that stays"):
        luks.plan(same, want(passphrase="same", remove_key_file=FILE.file), True)


def test_a_key_leaves_only_once_another_one_was_tried() -> None:
    with pytest.raises(StorageError, match="the passphrase unlocks no keyslot"):
        luks.plan(TWO_KEYS, want(passphrase="wrong", remove_passphrase="old"), True)
    host = TWO_KEYS._replace(files={**TWO_KEYS.files, CRYPTTAB: LINE.replace("/etc/keys/vault", "none")})
    with pytest.raises(StorageError, match="say also one that stays, which is tried before"):
        luks.plan(host, want(remove_passphrase="old"), True)


def test_the_key_of_the_boot_stays() -> None:
    with pytest.raises(Refused, match="/etc/crypttab opens it at boot by /etc/keys/vault, which is what keyslot 0"):
        luks.plan(TWO_KEYS, want(passphrase="old", remove_key_file=FILE.file), False)


def test_the_key_of_the_boot_is_changed_for_another_in_one_task() -> None:
    host = a_container(keyslots={(SDB, Key("/k2")): 1})
    host = host._replace(containers=(host.containers[0]._replace(header=HEADER._replace(keyslots=(0, 1))),))
    plan = settle(luks, host, want(key_file="/k2", remove_key_file=FILE.file))
    assert outline(plan) == ["persist luks vault", "back up luks vault", "remove luks vault", "back up luks vault"]


def test_a_removal_that_was_cut_short_is_ended() -> None:
    """The key was wiped, so that it opens nothing, and the slot was still listed."""
    record = Unfinished("/r", "remove luks vault: keyslot 1", f"keyslot of luks {UUID}", "1", (SDB,), (SDB,))
    host = TWO_KEYS._replace(unfinished=(record,), keyslots={**TWO_KEYS.keyslots, (SDB, passphrase("old")): None})
    assert "remove luks vault" in outline(luks.plan(host, want(remove_passphrase="old"), False))
    ended = host._replace(containers=(host.containers[0]._replace(header=HEADER),))
    assert outline(luks.plan(ended, want(remove_passphrase="old"), False)) == [
        f"forget record keyslot of luks {UUID}",
    ]


def test_a_backup_is_kept_up() -> None:
    old = a_container(backups={BACKUP: HEADER._replace(digest="before")})
    assert outline(settle(luks, old, want())) == ["back up luks vault"]
    assert settle(luks, a_container(backups={BACKUP: HEADER}), want()).steps == ()
    moving = a_container(HEADER._replace(reencryption="encrypt"), backups={BACKUP: HEADER._replace(digest="before")})
    assert settle(luks, moving, want()).steps == ()


def test_a_label() -> None:
    plan = settle(luks, a_container(), want(label="data"))
    assert outline(plan) == ["back up luks vault", "label luks vault", "back up luks vault"]
    assert commands(plan) == ["cryptsetup config --batch-mode --label data /dev/sdb"]


def test_removed() -> None:
    plan = settle(luks, a_container(backups={BACKUP: HEADER}), want(state="absent"))
    assert outline(plan) == [f"{verb} luks vault" for verb in ("close", "erase", "wipe", "persist", "remove")]
    assert plan.after.files[CRYPTTAB] == ""
    assert plan.after.containers == ()
    assert plan.after.content(SDB)[SDB] == Content()


def test_what_holds_something_is_removed_with_permission() -> None:
    host = a_container(contents={"/dev/dm-0": Content((EXT4,))})
    with pytest.raises(Refused, match=r'/dev/dm-0 holds an ext4 filesystem labelled "backup" .*Set allow_destroy'):
        luks.plan(host, want(state="absent"), False)
    assert destroyed(settle(luks, host, want(state="absent"), allow=True))[0].startswith("/dev/dm-0: an ext4")


def test_what_is_closed_is_removed_with_permission() -> None:
    with pytest.raises(Refused, match="it is closed, so nobody can see what it holds"):
        luks.plan(a_container(opened=False), want(state="absent"), False)
    plan = settle(luks, a_container(opened=False), want(state="absent"), allow=True)
    assert destroyed(plan) == ["/dev/sdb: all that luks vault holds, unseen"]


def test_what_a_boot_waits_for_is_not_removed() -> None:
    host = a_container(crypttab=LINE.replace(",nofail", ""))
    message = "/dev/sdb is what /etc/crypttab opens as vault, and the next boot would wait for that in vain"
    with pytest.raises(Refused, match=message):
        luks.plan(host, want(state="absent"), True)
    closed = a_container(opened=False, crypttab=LINE.replace(",nofail", ""))
    with pytest.raises(Refused, match=message):
        raid.plan(closed, Raid("md0", "1", ("sdb", "sdc")), True)


def test_erased_keyslots_are_no_permission() -> None:
    """A backup of the header may have them."""
    with pytest.raises(Refused, match="it is closed, so nobody can see what it holds"):
        luks.plan(a_container(HEADER._replace(keyslots=()), opened=False), want(state="absent"), False)


def test_what_is_gone_leaves_crypttab() -> None:
    host = BLANK._replace(files={**BLANK.files, CRYPTTAB: LINE}, backups={BACKUP: HEADER})
    plan = settle(luks, host, want(state="absent"))
    assert outline(plan) == ["persist luks vault", "remove luks vault"]
    assert settle(luks, BLANK, want(state="absent")).steps == ()


def test_a_creation_that_was_cut_short() -> None:
    """Formatted, and without a key: nobody can have written to it."""
    record = Unfinished("/r", "format luks vault", "luks vault", UUID, (SDB,), (SDB,))
    host = a_container(HEADER._replace(keyslots=()), opened=False, crypttab="", unfinished=(record,))
    host = host._replace(backups={**host.backups, **BLANK.backups})
    plan = settle(luks, host, want(device="sdb", key_file=FILE.file))
    assert outline(plan)[:2] == ["wipe device /dev/sdb", "format luks vault"]
    assert destroyed(plan) == []
    unknown = host._replace(unfinished=(record._replace(uuid=OTHER),))
    with pytest.raises(StorageError, match="the key file /etc/keys/vault unlocks no keyslot"):
        luks.plan(unknown._replace(keyslots={(SDB, FILE): None}), want(device="sdb", key_file=FILE.file), True)


LEFT = {BEGINNING: True}
ENCRYPTION = Unfinished("/r", "create luks vault", "encryption of vault", UUID, (SDB,), (SDB,))


def test_what_a_crash_left_in_the_clear_goes_last() -> None:
    host = a_container(opened=False, kept=LEFT, unfinished=(ENCRYPTION,))
    plan = settle(luks, host, want(state="absent"), allow=True)
    assert outline(plan)[-1] == "remove luks vault"
    assert destroyed(plan)[-1] == f"{BEGINNING}: the beginning of what was encrypted, in the clear"
    with pytest.raises(Refused, match="has the beginning of what was encrypted, in the clear, which a crash left"):
        luks.plan(a_container(kept=LEFT), want(state="absent"), False)
    gone = BLANK._replace(kept=LEFT)
    with pytest.raises(Refused, match="Set allow_destroy to remove that"):
        luks.plan(gone, want(state="absent"), False)
    assert outline(settle(luks, gone, want(state="absent"), allow=True)) == ["remove luks vault"]


def test_what_is_needed_to_undo_a_crash_stays() -> None:
    begun = BLANK._replace(kept=LEFT, unfinished=(ENCRYPTION,))
    with pytest.raises(Refused, match="interrupted the encryption of /dev/sdb, which a task with in_place ends"):
        luks.plan(begun, want(state="absent"), False)
    decrypting = ENCRYPTION._replace(thing="decryption of vault: its header")
    with pytest.raises(Refused, match="its decryption was interrupted, which needs"):
        luks.plan(BLANK._replace(kept=LEFT, unfinished=(decrypting,)), want(state="absent"), True)


def test_mode_exact_names_all() -> None:
    (found,) = luks.present(a_container())
    assert (found.name, found.devices) == ("vault", ("/dev/dm-0",))


@pytest.mark.parametrize(
    ("host", "problems"),
    [
        (a_container(), []),
        (a_container(crypttab=""), ["not in crypttab"]),
        (a_container(HEADER._replace(keyslots=())), ["no key"]),
        (a_container(HEADER._replace(damaged="its first header is damaged")), ["header"]),
        (a_container(HEADER._replace(reencryption="encrypt")), ["encrypt"]),
        (a_container(boot=Boot(opens_containers=False)), ["no generator"]),
        (a_container(crypttab="vault /dev/sdb /etc/keys/vault luks"), ["kernel name"]),
        (a_container(crypttab="vault /dev/disk/by-id/wwn-0x5 /etc/keys/vault luks"), []),
    ],
)
def test_health(host: Host, problems: list[str]) -> None:
    assert [finding.problem for finding in health(host, {})] == problems


def test_crypttab_may_name_a_container_in_many_ways() -> None:
    parted = disk(SDB, part_uuid="4c8a", part_name="secret")
    text = f"# x\n\na UUID={UUID.upper()}\nb {SDC} none\nc PARTUUID=4c8a\nd LABEL=data\ne PARTLABEL=secret - luks\n"
    header = HEADER._replace(label="data")
    named = by_crypttab(text, {SDB: parted, SDC: disk(SDC)}, {"/dev/sdd": header})
    assert {key: line.name for key, line in named.items()} == {UUID: "a", SDC: "b", SDB: "c", "/dev/sdd": "d"}


def test_a_closed_container_is_called_as_the_line_with_its_uuid_says() -> None:
    # A path in a line of years ago may be another device by now.
    named = by_crypttab(f"old {SDB} none\n{LINE}", {SDB: disk(SDB)}, {SDB: HEADER})
    (container,) = read_containers({SDB: HEADER}, {}, named)
    assert container.name == "vault"
