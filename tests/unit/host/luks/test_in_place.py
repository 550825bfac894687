# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that encrypt what a device holds where it is, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.luks import Key, parse
from ansible_collections.strata.storage.plugins.module_utils.host.actions import PutBack, SaveBeginning
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.health import health
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.luks import plan as luks
from ansible_collections.strata.storage.plugins.module_utils.host.luks.crypttab import CRYPTTAB
from ansible_collections.strata.storage.plugins.module_utils.host.luks.read import BACKUPS, backup_path
from ansible_collections.strata.storage.plugins.module_utils.host.luks.state import Container, Header, Token, VolumeKey
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount

from ..hosts import EXT4, MiB, a_host, commands, destroyed, disk, outline, settle, the_step

SDB, SDC = "/dev/sdb", "/dev/sdc"
SIZE = 1024 * MiB
VAULT = "/dev/mapper/vault"
FILE = Key(file="/etc/keys/vault")
SAVED = f"{BACKUPS}/vault.beginning"
LINE = f"UUID={EXT4.uuid} /srv ext4 defaults 0 2\n"
WORDS = {"device": "sdb", "key_file": FILE.file, "in_place": True}
HEADER = Header(2, "1f0c", "", "aes-xts-plain64", 512, "sha256", 512, 16 * MiB, (0,), digest="now")


def a_filesystem(kind: str = "ext4", size: int = SIZE, mounted: bool = False, **more: Any) -> Host:
    """A host with one on sdb, which fstab mounts."""
    on_disk = Signature(kind, EXT4.uuid, "backup")
    parts: dict[str, Any] = {
        "contents": {SDB: Content((on_disk,))},
        "filesystems": {SDB: Filesystem(kind, EXT4.uuid, "backup", size)},
        "mounts": (Mount(SDB, "/srv", kind, "rw"),) if mounted else (),
        "key_files": {FILE.file: ""},
        "backups": {backup_path("<uuid:luks-vault>"): None},
        **more,
    }
    files = {CRYPTTAB: None, FSTAB: LINE.replace("ext4", kind), **parts.pop("files", {})}
    device = disk(SDB, SIZE, **parts.pop("device", {}))
    return a_host(device, disk(SDC), files=files, **parts)


def plan(host: Host, **words: Any) -> Any:
    return luks.plan(host, parse({"name": "vault", **WORDS, **words}), False)


def test_a_filesystem_that_leaves_room() -> None:
    want = parse({"name": "vault", **WORDS, "cipher": "aes-xts-plain64", "label": "enc"})
    made = settle(luks, a_filesystem(size=SIZE - 32 * MiB), want)
    assert outline(made) == [
        *("save luks vault", "create luks vault", "persist luks vault", "open luks vault"),
        *("encrypt luks vault", "grow luks vault", "back up luks vault"),
    ]
    assert commands(made) == [
        "cryptsetup reencrypt --batch-mode --encrypt --init-only --type luks2 --uuid <uuid:luks-vault> "
        "--cipher aes-xts-plain64 --label enc --reduce-device-size 32M --key-file /etc/keys/vault /dev/sdb",
        f"edit {CRYPTTAB}",
        "cryptsetup open --batch-mode --key-file /etc/keys/vault /dev/sdb vault",
        "cryptsetup reencrypt --batch-mode --resume-only --key-file /etc/keys/vault /dev/sdb",
        "cryptsetup resize --batch-mode --key-file /etc/keys/vault vault",
    ]
    assert destroyed(made) == []
    assert the_step(made, "save").actions == (SaveBeginning(SDB, SAVED, 32 * MiB),)
    assert made.after.devices[VAULT].size == SIZE - 16 * MiB
    assert made.after.filesystem(VAULT).size == SIZE - 32 * MiB


def test_one_that_is_mounted_is_so_again_while_it_is_encrypted() -> None:
    host = a_filesystem(mounted=True)
    with pytest.raises(Refused, match=r"it is mounted on /srv\. Set allow_offline"):
        plan(host)
    made = settle(luks, host, parse({"name": "vault", **WORDS, "allow_offline": True}))
    assert outline(made)[:5] == [
        *("unmount mount /srv", "check filesystem /dev/sdb", "shrink filesystem /dev/sdb", "save luks vault"),
        "create luks vault",
    ]
    assert outline(made).index("mount luks vault") == outline(made).index("encrypt luks vault") - 1
    assert "resize2fs /dev/sdb 1015808K" in commands(made)
    assert made.after.mounted(VAULT) == ("/srv",)
    assert made.after.mounted(SDB) == ()


def test_btrfs_shrinks_before_it_is_unmounted() -> None:
    made = plan(a_filesystem("btrfs", mounted=True), allow_offline=True)
    assert outline(made)[:2] == ["shrink filesystem /dev/sdb", "unmount mount /srv"]
    with pytest.raises(StorageError, match="btrfs shrinks only while it is mounted; mount it first"):
        plan(a_filesystem("btrfs"))


@pytest.mark.parametrize(
    ("host", "words", "message"),
    [
        (a_filesystem("xfs"), {}, "xfs cannot shrink. Make the device larger by so much"),
        (a_filesystem(), {"key_file": None}, "to encrypt /dev/sdb in place, say also: key_file or passphrase"),
        (a_filesystem(), {"type": "luks1"}, "in_place makes a luks2 container that is open, and type luks1 is wanted"),
        (a_filesystem(), {"state": "closed"}, "and state closed is wanted"),
        (a_filesystem(device={"read_only": True}), {}, "cannot be encrypted in place: it is read-only"),
        (a_filesystem("swap"), {}, "holds a swap area labelled .* only a filesystem on one device"),
        (
            a_filesystem(filesystems={SDB: Filesystem("ext4", EXT4.uuid, size=SIZE, damaged=True)}),
            {},
            "errors were found in it; have it checked first",
        ),
        (
            a_filesystem(filesystems={SDB: Filesystem("btrfs", EXT4.uuid, size=SIZE, devices=2)}),
            {},
            "only a filesystem on one device",
        ),
        (
            a_filesystem(contents={SDB: Content((EXT4, Signature("linux_raid_member")))}),
            {},
            "holds .* and membership of a RAID array",
        ),
        (
            a_filesystem(files={FSTAB: "/dev/sdb /srv ext4 defaults 0 2\n"}),
            {},
            "mounts it on /srv by /dev/sdb, which is not where its filesystem is then; have that line say UUID=",
        ),
        (a_filesystem(), {"in_place": False}, "holds an ext4 filesystem labelled"),
    ],
)
def test_what_is_refused(host: Host, words: dict[str, Any], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        plan(host, **words)


def interrupted(**more: Any) -> Host:
    """A host whose power went while the header was written."""
    record = Unfinished("/r/1.json", "create luks vault: …", "encryption of vault", "1f0c", (SDB,), ("serial sdb",))
    container = Container(SDB, HEADER._replace(reencryption="encrypt"), "luks-1f0c")
    parts: dict[str, Any] = {
        "contents": {SDB: Content((Signature("crypto_LUKS", "1f0c"),))},
        "filesystems": {SDB: None, SAVED: Filesystem("ext4", EXT4.uuid, "backup", SIZE - 32 * MiB)},
        "unfinished": (record,),
        **more,
    }
    containers = parts.pop("containers", (container,))
    return a_filesystem(**parts)._replace(containers=containers)


@pytest.mark.parametrize("containers", [(), None])
def test_a_header_that_a_crash_cut_short_is_taken_back(containers: Any) -> None:
    host = interrupted() if containers is None else interrupted(containers=containers)
    made = settle(luks, host, parse({"name": "vault", **WORDS}))
    assert outline(made)[:3] == ["restore luks vault", "save luks vault", "create luks vault"]
    assert the_step(made, "restore").actions == (PutBack(SAVED, SDB),)


def test_nothing_is_put_back_over_a_container_that_was_used() -> None:
    moved = Container(SDB, HEADER._replace(reencryption="encrypt", moved=((0, False), (1, True))), "luks-1f0c")
    keyslots = {(SDB, FILE): 0}
    made = plan(interrupted(containers=(moved,), keyslots=keyslots, backups={backup_path("1f0c"): None}))
    assert outline(made)[:3] == ["persist luks vault", "open luks vault", "encrypt luks vault"]
    assert "forget record encryption of vault" in outline(made)
    gone = interrupted(filesystems={SDB: None, SAVED: None})
    with pytest.raises(StorageError, match=r"holds no filesystem\. Nothing was changed"):
        plan(gone)


def a_container(**header: Any) -> Host:
    below, inside = disk(SDB, SIZE, holders=("/dev/dm-0",)), disk("/dev/dm-0", SIZE - 16 * MiB, link=VAULT)
    host = a_host(
        below,
        inside,
        contents={SDB: Content((Signature("crypto_LUKS", "1f0c"),))},
        files={CRYPTTAB: "vault UUID=1f0c /etc/keys/vault luks,nofail\n"},
        key_files={FILE.file: ""},
        keyslots={(SDB, FILE): 0},
        backups={backup_path("1f0c"): HEADER},
    )
    return host._replace(containers=(Container(SDB, HEADER._replace(**header), "vault", "/dev/dm-0"),))


def test_another_cipher() -> None:
    made = settle(luks, a_container(), parse({"name": "vault", "cipher": "serpent-xts-plain64", "in_place": True}))
    assert outline(made) == ["prepare luks vault", "reencrypt luks vault", "back up luks vault"]
    assert commands(made) == [
        "cryptsetup reencrypt --batch-mode --init-only --cipher serpent-xts-plain64 --key-file /etc/keys/vault "
        "/dev/sdb",
        "cryptsetup reencrypt --batch-mode --resume-only --key-file /etc/keys/vault /dev/sdb",
    ]
    assert the_step(made, "prepare").detail == "cipher aes-xts-plain64 -> serpent-xts-plain64"


def test_the_first_name_is_that_of_the_key_that_is_there() -> None:
    """Without a key, and without a word about data that moves."""
    made = settle(luks, a_container(), parse({"name": "vault", "volume_key": "one"}))
    assert outline(made) == ["name luks vault", "back up luks vault"]
    assert commands(made) == [
        """echo '{"type": "strata-volume-key", "keyslots": [], "name": "one", "was": "", "replaces": ""}' | """
        "cryptsetup token import /dev/sdb"
    ]


ONE, TWO = VolumeKey("one", token=3), VolumeKey("two", was="one", replaces="old", token=4)


@pytest.mark.parametrize("named", [(ONE,), (ONE, TWO), (TWO,)], ids=["before", "half recorded", "recorded"])
def test_another_key_wherever_a_crash_came(named: tuple[VolumeKey, ...]) -> None:
    host = a_container(named=named, key_digest="old")
    assert luks.dump(host, host.containers[0])["volume_key"] == "one"
    with pytest.raises(Refused, match="volume_key of the container on /dev/sdb is one, and two is wanted"):
        luks.plan(host, parse({"name": "vault", "volume_key": "two"}), False)
    made = settle(luks, host, parse({"name": "vault", "volume_key": "two", "in_place": True}))
    recorded = [] if named == (TWO,) else ["name luks vault"]
    assert outline(made) == [*recorded, "prepare luks vault", "reencrypt luks vault", "back up luks vault"]
    assert the_step(made, "prepare").detail == "volume_key one -> two"
    if recorded:
        record, *gone = commands(made)[: 1 + len(named)]
        assert '"name": "two", "was": "one", "replaces": "old"' in record
        assert gone == [f"cryptsetup token remove --token-id {one.token} /dev/sdb" for one in named]


def test_another_key_is_there() -> None:
    host = a_container(named=(TWO,), key_digest="new")
    assert luks.plan(host, parse({"name": "vault", "volume_key": "two"}), False).steps == ()
    with pytest.raises(Refused, match="volume_key of the container on /dev/sdb is two"):
        luks.plan(host, parse({"name": "vault", "volume_key": "one"}), False)


def test_luks1_has_no_name_for_its_key() -> None:
    with pytest.raises(Refused, match="is luks1, which cannot keep one"):
        luks.plan(a_container(version=1), parse({"name": "vault", "volume_key": "one"}), False)
    for words in ({"type": "luks1"}, {"type": "plain"}, {}):
        with pytest.raises(StorageError, match="volume_key"):
            parse({"name": "vault", "volume_key": "" if not words else "one", **words})


@pytest.mark.parametrize("words", [{}, {"in_place": True}, {"state": "closed"}])
@pytest.mark.parametrize("mode", ["encrypt", "reencrypt"])
def test_a_header_that_alone_says_that_data_moves_is_ended(mode: str, words: dict[str, Any]) -> None:
    host = a_container(reencryption=mode, moved=((0, True),), damaged="its first header is damaged")
    made = settle(luks, host, parse({"name": "vault", **words}))
    assert outline(made)[:2] == ["end luks vault", "back up luks vault"]
    assert list(map(str, the_step(made, "end").actions)) == [
        f"cryptsetup luksHeaderBackup /dev/sdb --header-backup-file {backup_path('1f0c')}",
        "both copies of the header of /dev/sdb, once cryptsetup open --test-passphrase --batch-mode --key-file "
        "/etc/keys/vault took the key with it",
    ]
    (finding,) = [one for one in health(host, {}) if one.problem == mode]
    assert (finding.severity, "a crash interrupted the end" in finding.detail) == ("warning", True)


def test_what_else_is_wanted_follows_the_end_of_a_move() -> None:
    host = a_container(reencryption="reencrypt", moved=((0, True),))
    want = parse({"name": "vault", "cipher": "serpent-xts-plain64", "in_place": True})
    assert outline(settle(luks, host, want))[2:] == ["prepare luks vault", "reencrypt luks vault", "back up luks vault"]
    assert outline(settle(luks, host, parse({"name": "vault", "state": "decrypted"})))[0] == "end luks vault"


def test_a_header_is_ended_with_a_key_that_opens_it_alone() -> None:
    host = a_container(reencryption="reencrypt", moved=((0, True),))
    keyless = host._replace(files={CRYPTTAB: f"vault UUID={host.containers[0].uuid} none luks,nofail\n", FSTAB: ""})
    assert outline(plan(keyless, key_file=None, in_place=False)) == []
    wrong = host._replace(keyslots=dict.fromkeys(host.keyslots))
    with pytest.raises(StorageError, match="unlocks no keyslot"):
        plan(wrong)


def test_what_was_begun_goes_on_and_what_else_is_wanted_follows() -> None:
    want = parse({"name": "vault", "cipher": "serpent-xts-plain64", "in_place": True})
    made = settle(luks, a_container(reencryption="reencrypt"), want)
    assert outline(made)[:3] == ["reencrypt luks vault", "back up luks vault", "prepare luks vault"]
    assert outline(plan(a_container(reencryption="reencrypt"), in_place=False)) == []


@pytest.mark.parametrize(
    ("host", "words", "message"),
    [
        (a_container(), {"in_place": False}, "cipher of the container on /dev/sdb is aes-xts-plain64, .* Set in_place"),
        (a_container(keyslots=(0, 1)), {}, "keyslots 0 1 hold one each. Remove all but one"),
        (a_container(tokens={0: Token("clevis")}), {}, "keyslots 0 hold one each, with tokens"),
        (a_container(version=1), {}, "the container is luks1"),
        (a_container(reencryption="decrypt"), {}, "cannot go on: it is being decrypted"),
        (a_container()._replace(files={CRYPTTAB: None, FSTAB: ""}), {"key_file": None}, "say also key_file"),
    ],
)
def test_another_cipher_is_refused(host: Host, words: dict[str, Any], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        plan(host, cipher="serpent-xts-plain64", **words)
