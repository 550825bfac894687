# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted containers on a real kernel, with the system's own cryptsetup and systemd."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.tokens import FLUSH, TANG, TANG_SERVER, THUMBPRINT, TPM, TPM_IN_SOFTWARE, TPM_OF_THE_KERNEL

from .modules import ModuleFailed
from .node import MODULES, PYTHON, Node

KEY = "/etc/keys/vault"
PASSPHRASE = "correct 'horse' $battery \\n"
BACKUPS = "/var/lib/strata-storage/luks"
#: cryptsetup measures for many seconds else, and takes as long to open it.
QUICK = {"algorithm": "pbkdf2", "iteration_count": 1000}


def with_keys(node: Node) -> None:
    node.run("mkdir -m 0700 -p /etc/keys")
    for name in ("vault", "other"):
        node.run(f"umask 077; head -c 64 /dev/urandom > /etc/keys/{name}")


def vault(node: Node, **more: Any) -> dict[str, Any]:
    return {"name": "vault", "device": node.disk("HDD1"), "key_file": KEY, "pbkdf": QUICK, **more}


def opens(node: Node, key: str, device: str) -> bool:
    """Whether cryptsetup itself takes a key."""
    code = node.guest.run(f"cryptsetup open --test-passphrase --batch-mode --key-file {key} {device}", check=False)
    return code.returncode == 0


def test_the_life_of_a_container(node: Node) -> None:
    with_keys(node)
    made = node.converge("luks_device", **vault(node, label="data"))
    assert made["luks"]["label"] == "data"
    uuid = made["status"]["uuid"]
    assert node.run("cat /etc/crypttab") == f"vault UUID={uuid} {KEY} luks,nofail"
    assert node.run(f"stat --format '%a %U' {BACKUPS} {BACKUPS}/{uuid}.header") == "700 root\n400 root"
    node.run("mkfs.ext4 -q /dev/mapper/vault && mount /dev/mapper/vault /mnt && echo kept > /mnt/file")

    node.lab.reboot()
    node.run("systemctl start systemd-cryptsetup@vault && mount /dev/mapper/vault /mnt")
    node.unchanged("luks_device", **vault(node))
    (item,) = node.module("luks_device_info")["luks"]
    node.unchanged("luks_device", **item)
    assert "cannot be closed" in node.refusal("luks_device", name="vault", state="closed")
    node.run("umount /mnt")
    node.converge("luks_device", name="vault", state="closed")
    assert node.run("ls /dev/mapper") == "control"

    node.lab.reboot()
    assert node.run("ls /dev/mapper || true") in ("", "control")
    assert "so nobody can see what it holds" in node.refusal("luks_device", name="vault", state="absent")
    node.converge("luks_device", name="vault")
    assert node.run("mount /dev/mapper/vault /mnt && cat /mnt/file && umount /mnt") == "kept"
    assert "holds an ext4 filesystem" in node.refusal("luks_device", name="vault", state="absent")
    gone = node.converge("luks_device", name="vault", state="absent", allow_destroy=["/dev/mapper/vault"])
    assert [step["action"] for step in gone["plan"]] == ["wipe", "close", "erase", "wipe", "persist", "remove"]
    assert node.signatures(node.disk("HDD1")) == [""]
    assert node.run(f"cat /etc/crypttab; ls {BACKUPS}") == ""


@pytest.mark.further
def test_keys_come_and_go(node: Node) -> None:
    with_keys(node)
    device = node.disk("HDD1")
    node.module("luks_device", **vault(node))
    node.run(f"printf %s '{PASSPHRASE.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}' > /run/passphrase")

    added = node.converge("luks_device", name="vault", new_passphrase=PASSPHRASE, pbkdf=QUICK)
    assert added["status"]["keyslots"] == [0, 1]
    assert "horse" not in str(added)
    assert opens(node, "/run/passphrase", device)
    assert "names no key" not in node.run("cat /etc/crypttab")

    # By the passphrase, the key of the boot is replaced, and then the passphrase leaves.
    replaced = {"name": "vault", "passphrase": PASSPHRASE, "pbkdf": QUICK}
    node.converge("luks_device", **replaced, new_key_file="/etc/keys/other")
    assert "opens it at boot by /etc/keys/vault" in node.refusal("luks_device", **replaced, remove_key_file=KEY)
    node.converge("luks_device", name="vault", key_file="/etc/keys/other", remove_key_file=KEY)
    assert not opens(node, KEY, device)
    last = node.converge("luks_device", name="vault", remove_passphrase=PASSPHRASE)
    assert last["status"]["keyslots"] == [2]
    assert "names a key that stays".lower() not in str(last)
    refused = node.refusal("luks_device", name="vault", remove_keyslot=2)
    assert "which was to be removed. Nothing was changed. Name a key that stays" in refused

    # What was removed does not live on in the backup of the header.
    (backup,) = node.run(f"ls {BACKUPS}/*").split()
    assert [opens(node, key, backup) for key in ("/etc/keys/other", KEY, "/run/passphrase")] == [True, False, False]

    node.run(f"cryptsetup close vault && cryptsetup erase --batch-mode {device}")
    assert not opens(node, "/etc/keys/other", device)
    node.run(f"cryptsetup luksHeaderRestore --batch-mode {device} --header-backup-file {backup}")
    assert node.converge("luks_device", name="vault")["status"]["keyslots"] == [2]


def test_no_secret_is_seen(node: Node) -> None:
    """By what the kernel is asked to execute, the journal, and what the module says."""
    with_keys(node)
    words = vault(node, key_file=None, passphrase="correct-horse", new_passphrase="battery-staple")
    strace = (
        "strace --follow-forks --seccomp-bpf --quiet=all -s 4096 -e trace=execve,open,openat,unlink -v -o /run/trace"
    )
    made = node.module("luks_device", prefix=strace, **words)
    trace = node.guest.read("/run/trace")
    assert "luksFormat" in trace
    assert "luksAddKey" in trace
    told = f"{made} {trace} {node.run('journalctl --boot --no-pager; cat /etc/crypttab')}"
    assert "correct-horse" not in told
    assert "battery-staple" not in told
    assert "<secret:luks-vault-new_passphrase>" in str(made["plan"])
    assert node.run("grep -rl correct-horse /run /var/lib/strata-storage /tmp --exclude=trace || true") == ""


@pytest.mark.further
def test_it_grows_with_its_disk(node: Node) -> None:
    with_keys(node)
    before = node.module("luks_device", **vault(node))["status"]["size"]
    node.run("mkfs.ext4 -q /dev/mapper/vault")
    node.lab.grow_disk("HDD1", 700)
    grown = node.converge("luks_device", **vault(node))
    assert grown["status"]["size"] == before + (188 << 20)
    node.run("fsck.ext4 -fn /dev/mapper/vault")


def test_a_filesystem_is_encrypted_where_it_is(node: Node) -> None:
    """As an operator has it: mounted by fstab, as large as its disk. It is mounted again while it is encrypted."""
    with_keys(node)
    device = node.disk("HDD1")
    node.run(f"mkfs.ext4 -q -L backup {device} && mkdir -p /srv/data")
    node.run("echo 'LABEL=backup /srv/data ext4 defaults,nofail 0 2' >> /etc/fstab && systemctl daemon-reload")
    node.run("mount /srv/data && head -c 100M /dev/urandom > /srv/data/file")
    sums = node.run("sha256sum /srv/data/file")
    words = vault(node, in_place=True)
    assert "it is mounted on /srv/data. Set allow_offline" in node.refusal("luks_device", **words)
    made = node.converge("luks_device", **words, allow_offline=True)
    assert made["status"]["reencryption"] == ""
    assert node.run("findmnt --noheadings --output SOURCE /srv/data") == "/dev/mapper/vault"
    assert node.run("sha256sum /srv/data/file") == sums
    assert node.run(f"ls {BACKUPS}") == f"{made['status']['uuid']}.header"
    assert opens(node, KEY, f"{BACKUPS}/{made['status']['uuid']}.header")

    # What is free behind the filesystem is its own again, once that is asked for.
    grown = node.converge("layout", filesystems=[{"device": "/dev/mapper/vault", "mount_point": "/srv/data"}])
    assert [step["action"] for step in grown["plan"]] == ["grow"]

    assert "Set in_place" in node.refusal("luks_device", **{**words, "in_place": False}, cipher="aes-cbc-essiv:sha256")
    anew = node.converge("luks_device", **words, cipher="aes-cbc-essiv:sha256", key_size=256, sector_size=4096)
    assert (anew["luks"]["cipher"], anew["luks"]["key_size"]) == ("aes-cbc-essiv:sha256", 256)
    node.lab.reboot()
    # The boot does not wait for it: this waits for what the boot has begun.
    assert node.run("systemctl start srv-data.mount && sha256sum /srv/data/file") == sums
    node.unchanged("luks_device", **words)


@pytest.mark.further
def test_a_container_is_decrypted_where_it_is(node: Node) -> None:
    """Killed while data moves, it looks blank to everybody, and goes on."""
    with_keys(node)
    node.module("luks_device", **vault(node))
    node.run("mkfs.ext4 -q -L data /dev/mapper/vault && mkdir -p /srv/data")
    node.run("echo 'LABEL=data /srv/data ext4 defaults,nofail 0 2' >> /etc/fstab && systemctl daemon-reload")
    node.run("mount /srv/data && head -c 100M /dev/urandom > /srv/data/file")
    sums = node.run("sha256sum /srv/data/file")
    words = vault(node, state="decrypted", allow_offline=True)
    words.pop("pbkdf")
    begin(node, words, "pgrep --full reencrypt.--[r]esume-only")
    node.run("pkill -KILL --full 'luks_[d]evice'; pkill -KILL --full 'cryptsetup [r]e'; true")
    mirror = {"name": "md0", "level": "1", "devices": node.disks("HDD1", "HDD2"), "allow_destroy": True}
    assert "whose decryption was interrupted" in node.refusal("raid", **mirror)
    node.lab.reboot()
    node.converge("luks_device", **words)
    assert node.run("mountpoint -q /srv/data || mount /srv/data; sha256sum /srv/data/file") == sums
    assert node.run(f"cat /etc/crypttab; ls {BACKUPS}") == ""
    node.run(f"umount /srv/data && fsck.ext4 -fn {node.disk('HDD1')}")


def test_the_end_of_a_change_of_cipher_is_interrupted(node: Node) -> None:
    """cryptsetup has erased the old key then, and refuses to open the container without it."""
    with_keys(node)
    node.module("luks_device", **vault(node))
    node.run("mkfs.ext4 -q /dev/mapper/vault && mount /dev/mapper/vault /mnt && head -c 100M /dev/urandom > /mnt/file")
    sums = node.run("sha256sum /mnt/file")
    node.run("umount /mnt")
    node.module("luks_device", name="vault", state="closed")
    device = node.disk("HDD1")
    node.guest.write(
        "/root/interrupted",
        "cryptsetup reencrypt --batch-mode --cipher aes-cbc-essiv:sha256 --key-size 256 --pbkdf pbkdf2 "
        f"--pbkdf-force-iterations 1000 --key-file {KEY} {device} & "
        f"until head -c 16384 {device} | grep -q '\"keyslots\":\\[\\]'; do kill -0 $! || exit 1; done; kill -KILL $!",
    )
    node.run("sh /root/interrupted", timeout=300)
    assert not opens(node, KEY, device)
    (finding,) = [one for one in node.module("layout_info")["health"] if one["problem"] == "reencrypt"]
    assert "A luks task with its key_file or passphrase" in finding["remedy"]
    assert "unlocks no keyslot" in node.refusal("luks_device", **vault(node, key_file="/etc/keys/other"))
    done = node.converge("luks_device", **vault(node))
    assert [step["action"] for step in done["plan"]] == ["end", "back up", "persist", "open"]
    assert node.run("mount /dev/mapper/vault /mnt && sha256sum /mnt/file") == sums
    assert node.module("luks_device_info")["luks"][0]["cipher"] == "aes-cbc-essiv:sha256"


@pytest.mark.further
def test_a_volume_with_xfs_is_encrypted_by_the_document_of_its_host(node: Node) -> None:
    """xfs cannot shrink, so the volume grows, and the filesystem once all of it is encrypted."""
    with_keys(node)
    before = {
        "drives": [
            {
                "name": "data",
                "devices": node.disks("HDD1"),
                "volumes": [{"name": "srv", "size": "320M", "filesystem": "xfs", "mount_point": "/srv"}],
            }
        ]
    }
    node.converge("layout", **before)
    node.run("head -c 100M /dev/urandom > /srv/file")
    sums = node.run("sha256sum /srv/file")
    drive = {**before["drives"][0], "volumes": [{"name": "srv", "size": "400M", "filesystem": "none"}]}
    container = {"name": "vault", "device": "data/srv", "key_file": KEY, "pbkdf": QUICK}
    after = {
        "drives": [drive],
        "luks": [{**container, "in_place": True, "allow_offline": True}],
        "filesystems": [{"device": "vault", "type": "xfs", "mount_point": "/srv"}],
        "mode": "exact",
    }
    assert "is mounted on /srv" in node.refusal("layout", **{**after, "luks": [container]})
    node.converge("layout", **after)
    assert node.run("findmnt --noheadings --output SOURCE /srv") == "/dev/mapper/vault"
    assert node.run("sha256sum /srv/file") == sums
    node.lab.reboot()
    assert node.run("systemctl start srv.mount && sha256sum /srv/file") == sums
    node.unchanged("layout", **after)


@pytest.mark.further
def test_what_a_lost_connection_interrupts_goes_on(node: Node) -> None:
    """The module is told to end, is killed, and cryptsetup itself is killed, while data moves."""
    with_keys(node)
    device = node.disk("HDD1")
    words = vault(node, in_place=True)
    fill = f"mkfs.ext4 -q {device} 400M && mount {device} /mnt && head -c 300M /dev/urandom > /mnt/file"
    read = "sha256sum < /mnt/file && umount /mnt"

    sums = node.run(f"{fill} && {read}")
    begin(node, words)
    node.run("kill -INT $(cat /run/task.pid)")
    node.guest.until("! kill -0 $(cat /run/task.pid) 2> /dev/null")
    node.unchanged("luks_device", **words)
    assert node.run(f"mount /dev/mapper/vault /mnt && {read}") == sums

    # What a module that was killed has begun goes on, and the next one waits for it.
    node.module("luks_device", **words, state="absent", allow_destroy=True)
    sums = node.run(f"{fill} && {read}")
    begin(node, words)
    node.run("kill -KILL $(cat /run/task.pid)")
    assert "encrypt" in [step["action"] for step in node.converge("luks_device", **words)["plan"]]
    assert node.run(f"mount /dev/mapper/vault /mnt && {read}") == sums

    # Killed itself, cryptsetup leaves what only a boot takes away.
    node.module("luks_device", **words, state="absent", allow_destroy=True)
    sums = node.run(f"{fill} && {read}")
    begin(node, words)
    node.run("pkill -KILL --full 'cryptsetup [r]eencrypt'")
    node.guest.until("! kill -0 $(cat /run/task.pid) 2> /dev/null")
    with pytest.raises(ModuleFailed, match="Restart this host"):
        node.module("luks_device", **words)
    node.lab.power_cut()
    node.converge("luks_device", **words)
    assert node.run(f"mount /dev/mapper/vault /mnt && {read}") == sums


def begin(node: Node, words: dict[str, Any], moves: str = "dmsetup ls | grep -q hotzone") -> None:
    """Start a task, until data moves."""
    node.guest.write("/run/task.json", json.dumps({"ANSIBLE_MODULE_ARGS": words}))
    module = f"env --default-signal=INT {PYTHON} -m {MODULES}.luks_device < /run/task.json > /run/task.out 2>&1"
    node.run(f"{module} & echo $! > /run/task.pid")
    node.run(f"timeout 60 sh -c 'until {moves}; do sleep 0.05; done'")


@pytest.mark.further
def test_the_data_gets_another_key(node: Node) -> None:
    with_keys(node)
    device = node.disk("HDD1")

    def key() -> str:
        """As the kernel does not show it: by what the header knows of it."""
        (digest,) = json.loads(node.run(f"cryptsetup luksDump --dump-json-metadata {device}"))["digests"].values()
        return str(digest["digest"])

    node.converge("luks_device", **vault(node, volume_key="one"))
    node.run("mkfs.ext4 -q /dev/mapper/vault && mount /dev/mapper/vault /mnt && head -c 32M /dev/urandom > /mnt/file")
    node.run("md5sum /mnt/file > /root/sum")
    before = key()
    assert "volume_key of the container on" in node.refusal("luks_device", **vault(node, volume_key="two"))
    made = node.converge("luks_device", **vault(node, volume_key="two", in_place=True))
    assert [step["action"] for step in made["plan"]] == ["name", "prepare", "reencrypt", "back up"]
    assert key() != before
    assert made["luks"]["volume_key"] == "two"
    node.unchanged("luks_device", **made["luks"])
    assert opens(node, KEY, device)
    node.run("md5sum --quiet --check /root/sum && umount /mnt")
    assert opened_by_boot(node)


@pytest.mark.further
def test_a_drive_moves_onto_an_encrypted_device(node: Node) -> None:
    """As the guide has it, while the drive is in use."""
    with_keys(node)
    volume = {"name": "srv", "size": "320M", "filesystem": "xfs", "mount_point": "/srv"}
    drive = {"name": "data", "devices": node.disks("HDD2"), "volumes": [volume]}
    node.module("layout", drives=[drive])
    node.run("head -c 32M /dev/urandom > /srv/file && md5sum /srv/file > /root/sum")
    luks = [{"name": "vault", "device": node.disk("HDD1"), "key_file": KEY, "pbkdf": QUICK}]
    node.converge("layout", luks=luks, drives=[{**drive, "devices": ["vault"]}])
    assert node.run("md5sum --quiet --check /root/sum && findmnt --noheadings --output FSTYPE /srv") == "xfs"
    assert node.run("pvs --noheadings --options pv_name").strip() == "/dev/mapper/vault"
    assert node.signatures(node.disk("HDD2")) == [""]


def test_layers_above_and_below_in_one_document(node: Node) -> None:
    """A mirror under it and a drive on it; another one on a volume, below swap; taken away again as a whole."""
    with_keys(node)
    document: dict[str, Any] = {
        "raids": [{"name": "md0", "level": "1", "devices": node.disks("HDD1", "HDD2")}],
        "luks": [
            {"name": "vault", "device": "md0", "key_file": KEY, "pbkdf": QUICK},
            {"name": "inner", "device": "data/swap", "passphrase": PASSPHRASE, "pbkdf": QUICK, "open_at_boot": False},
        ],
        "drives": [
            {
                "name": "data",
                "devices": ["vault"],
                "volumes": [
                    {"name": "srv", "size": "200M", "filesystem": "ext4", "mount_point": "/srv"},
                    {"name": "swap", "size": "100M", "filesystem": "none"},
                ],
            }
        ],
        "filesystems": [{"device": "inner", "type": "swap"}],
    }
    node.converge("layout", **document)
    assert node.run("findmnt --noheadings --output FSTYPE /srv") == "ext4"
    assert "/dev/dm-" in node.run("swapon --noheadings --show=NAME")
    found = node.module("layout_info")
    assert [finding["problem"] for finding in found["health"] if finding["problem"] != "syncing"] == []
    node.unchanged("layout", **{section: items for section, items in found["layout"].items() if items})

    items = [{"device": "inner", "state": "absent"}]
    absent = {
        "raids": [{"name": "md0", "state": "absent"}],
        "luks": [{"name": name, "state": "absent"} for name in ("vault", "inner")],
        "drives": [{"name": "data", "state": "absent"}],
        "filesystems": items,
    }
    node.converge("layout", **absent, allow_destroy=["inner", "vault", "data", "md0"])
    assert node.signatures(*node.disks("HDD1", "HDD2")) == ["", ""]
    assert node.run("cat /etc/crypttab; grep -c /srv /etc/fstab || true") == "0"


@pytest.mark.further
def test_what_others_made(node: Node) -> None:
    """Opened by a desktop under its UUID, without crypttab; its header damaged; its keyslots erased."""
    with_keys(node)
    device = node.disk("HDD1")
    quick = "--batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
    node.run(f"cryptsetup luksFormat {quick} --key-file {KEY} {device}")
    uuid = node.run(f"cryptsetup luksUUID {device}")
    node.run(f"cryptsetup open --key-file {KEY} {device} luks-{uuid} && mkfs.ext4 -q /dev/mapper/luks-{uuid}")
    assert f"is open as luks-{uuid}" in node.refusal("luks_device", **vault(node))
    document = node.module("layout_info")["layout"]
    node.unchanged("layout", **{section: items for section, items in document.items() if items})

    node.converge("luks_device", name=f"luks-{uuid}", state="closed")
    assert node.run("cat /etc/crypttab") == f"luks-{uuid} UUID={uuid} none luks,nofail,noauto"
    node.run("rm /etc/crypttab")
    assert "holds a LUKS container" in node.refusal("raid", name="md0", level="1", devices=node.disks("HDD1", "HDD2"))
    node.converge("luks_device", **vault(node))
    assert node.signatures("/dev/mapper/vault") == ["ext4"]

    # The first copy of the header, with the container open: cryptsetup itself takes the second one.
    node.run(f"dd if=/dev/urandom of={device} bs=1 seek=5000 count=100 conv=notrunc status=none; sync")
    (finding,) = node.module("layout_info")["health"]
    assert (finding["problem"], finding["severity"]) == ("header", "warning")
    node.unchanged("luks_device", name="vault")
    node.run("cryptsetup close vault")
    assert node.module("luks_device", name="vault")["luks"]["state"] == "present"

    node.run(f"cryptsetup erase --batch-mode {device}")
    (finding,) = node.module("layout_info")["health"]
    assert (finding["problem"], finding["severity"]) == ("no key", "critical")
    node.run("cryptsetup close vault")
    assert "unlocks no keyslot" in node.refusal("luks_device", **vault(node))
    assert "holds a LUKS container" in node.refusal("raid", name="md0", level="1", devices=node.disks("HDD1", "HDD2"))
    assert "so nobody can see what it holds" in node.refusal("luks_device", **vault(node, state="absent"))


@pytest.mark.further
def test_luks1_and_words_for_a_new_one(node: Node) -> None:
    with_keys(node)
    words = vault(node, type="luks1", cipher="aes-cbc-essiv:sha256", key_size=256, hash="sha512", open_at_boot=False)
    made = node.converge("luks_device", **words)
    found = {word: made["luks"][word] for word in ("type", "cipher", "key_size", "hash", "open_at_boot")}
    assert found == {word: words[word] for word in found}
    node.converge("luks_device", **words, new_passphrase=PASSPHRASE)
    node.lab.reboot()
    assert node.run("ls /dev/mapper || true") in ("", "control")
    node.converge("luks_device", name="vault", open_at_boot=False)
    node.module("luks_device", name="vault", state="absent", allow_destroy=True)

    second = node.converge("luks_device", **vault(node, device=node.disk("HDD2"), sector_size=4096))
    assert node.run(f"blockdev --getss {second['status']['device']}") == "4096"


@pytest.mark.further
def test_a_boot_asks_for_a_passphrase_and_does_not_wait(node: Node) -> None:
    node.converge("luks_device", **vault(node, key_file=None, passphrase=PASSPHRASE))
    node.lab.reboot()
    assert node.run("ls /dev/mapper || true") in ("", "control")
    assert "to open it, say also: key_file or passphrase" in node.refusal("luks_device", name="vault")
    assert "unlocks no keyslot" in node.refusal("luks_device", name="vault", passphrase=f"{PASSPHRASE} ")
    node.converge("luks_device", name="vault", passphrase=PASSPHRASE)


@pytest.mark.further
def test_swap_with_a_new_key_at_each_boot(node: Node) -> None:
    """On a volume, beside one that somebody has on a disk by the kernel's name; taken away again."""
    item = {"name": "swap0", "device": "data/swap", "type": "plain", "key_file": "/dev/urandom"}
    document: dict[str, Any] = {
        "drives": [
            {
                "name": "data",
                "devices": node.disks("HDD1"),
                "volumes": [{"name": "swap", "size": "200M", "filesystem": "none"}],
            }
        ],
        "luks": [item],
        "filesystems": [{"device": "swap0", "type": "swap"}],
    }
    node.converge("layout", **document)
    line = "/dev/urandom swap,cipher=aes-xts-plain64,size=512,nofail"
    assert node.run("cat /etc/crypttab") == f"swap0 /dev/data/swap {line}"
    assert node.run("grep swap /etc/fstab").startswith("/dev/mapper/swap0 none swap ")
    key = node.run("dmsetup table --showkeys swap0")

    node.lab.reboot()
    node.run("systemctl start dev-mapper-swap0.swap")
    assert "/dev/dm-" in node.run("swapon --noheadings --show=NAME")
    assert node.run("dmsetup table --showkeys swap0") != key
    node.unchanged("layout", **document)
    found = node.module("layout_info")
    assert found["layout"]["luks"][0]["type"] == "plain"
    node.unchanged("layout", **{section: items for section, items in found["layout"].items() if items})
    mirror = {"raids": [{"name": "md0", "level": "1", "devices": ["/dev/mapper/swap0", node.disk("HDD2")]}]}
    assert "is in use as swap" in node.refusal("layout", **mirror, allow_destroy=["md0"])

    # Nothing that holds content is given to it, and its line keeps others off its device.
    disk = node.disk("HDD2")
    node.run(f"mkfs.ext4 -q -L kept {disk}")
    second = {**item, "name": "swap1", "device": disk}
    assert "holds an ext4 filesystem" in node.refusal("luks_device", **second)
    kernel = node.run(f"readlink -f {disk}")
    node.run(f"echo 'swap1 {kernel} {line}' >> /etc/crypttab")
    problems = {(one["problem"], one["severity"]) for one in node.module("layout_info")["health"]}
    assert {("kernel name", "critical"), ("overwritten", "critical")} <= problems
    assert "holds an ext4 filesystem" in node.refusal("luks_device", **second)
    refused = node.refusal("raid", name="md0", level="1", devices=[disk, node.disk("HDD3")], allow_destroy=True)
    assert "which each boot encrypts with a new key" in refused
    node.converge("luks_device", **second, allow_destroy=True)
    assert node.run("tail -n 1 /etc/crypttab").split()[1].startswith("/dev/disk/by-id/")

    assert "is in use as swap" in node.refusal("luks_device", name="swap0", state="absent")
    node.converge("luks_device", name="swap1", state="absent")
    absent = {
        "drives": [{"name": "data", "state": "absent"}],
        "luks": [{"name": "swap0", "state": "absent"}],
        "filesystems": [{"device": "/dev/mapper/swap0", "state": "absent"}],
    }
    node.converge("layout", **absent, allow_destroy=["/dev/mapper/swap0", "data"])
    assert node.signatures(node.disk("HDD1")) == [""]
    assert node.run("cat /etc/crypttab; grep -c swap /etc/fstab || true") == "0"


def opened_by_boot(node: Node) -> bool:
    """Whether a boot opens it without a word from anybody."""
    node.lab.reboot()
    node.run("timeout 60 systemctl start systemd-cryptsetup@vault")
    return node.run("ls /dev/mapper") == "control\nvault"


def test_a_tpm_opens_it_at_boot(node: Node) -> None:
    with_keys(node)
    device = node.disk("HDD1")
    node.module("luks_device", **vault(node))
    node.module("luks_device", name="vault", new_passphrase=PASSPHRASE, pbkdf=QUICK)
    tpm2 = {"device": TPM, "pcrs": [7]}
    assert "there is no TPM 2.0 on this host" in node.refusal("luks_device", name="vault", tpm2={"device": "auto"})
    node.run(TPM_IN_SOFTWARE)
    made = node.converge("luks_device", name="vault", passphrase=PASSPHRASE, tpm2=tpm2)
    assert (made["status"]["keyslots"], made["status"]["tokens"]) == ([0, 1, 2], ["systemd-tpm2"])
    uuid = made["status"]["uuid"]
    assert node.run("cat /etc/crypttab") == f"vault UUID={uuid} none luks,nofail,tpm2-device=swtpm:"
    node.run("mv /etc/keys/vault /root/key")
    assert opened_by_boot(node)
    (item,) = node.module("luks_device_info")["luks"]
    assert item["tpm2"] == {**tpm2, "state": "present"}
    node.unchanged("luks_device", **item)

    # Other PCRs; with another value in one of them it does not open, and the key that stays does.
    again = {"name": "vault", "passphrase": PASSPHRASE, "tpm2": {"pcrs": [7, 16]}}
    assert node.converge("luks_device", **again)["status"]["keyslots"] == [0, 1, 3]
    node.run("cryptsetup close vault")
    attach = f"/lib/systemd/systemd-cryptsetup attach vault {device} none tpm2-device=swtpm:,headless=true"
    node.run(f"{FLUSH} && {attach} && cryptsetup close vault && {FLUSH}")
    node.run(f"tpm2_pcrextend --tcti swtpm: 16:sha256={'1'.zfill(64)}")
    assert node.guest.run(attach, check=False).returncode != 0
    node.module("luks_device", name="vault", key_file="/root/key")
    assert node.run("cat /etc/crypttab").split()[2] == "none"

    assert "say also key_file or passphrase" in node.refusal("luks_device", name="vault", tpm2={"state": "absent"})
    gone = node.converge("luks_device", name="vault", key_file="/root/key", tpm2={"state": "absent"})
    assert (gone["status"]["keyslots"], gone["status"]["tokens"]) == ([0, 1], [])
    assert node.run("cat /etc/crypttab") == f"vault UUID={uuid} /root/key luks,nofail"


@pytest.mark.further
@pytest.mark.debian_kernel
def test_the_kernel_s_tpm_opens_it_at_boot(node: Node) -> None:
    """By its resource manager, which is what `auto` means on hosts."""
    with_keys(node)
    node.module("luks_device", **vault(node))
    node.module("luks_device", name="vault", new_passphrase=PASSPHRASE, pbkdf=QUICK)
    node.run(TPM_OF_THE_KERNEL)
    made = node.converge("luks_device", name="vault", passphrase=PASSPHRASE, tpm2={"device": "auto"})
    assert (made["status"]["keyslots"], made["status"]["tokens"]) == ([0, 1, 2], ["systemd-tpm2"])
    uuid = made["status"]["uuid"]
    assert node.run("cat /etc/crypttab") == f"vault UUID={uuid} none luks,nofail,tpm2-device=auto"
    node.run("mv /etc/keys/vault /root/key")
    assert opened_by_boot(node)
    (item,) = node.module("luks_device_info")["luks"]
    assert item["tpm2"] == {"device": "auto", "pcrs": [7], "state": "present"}
    # cryptsetup itself takes any key then.
    assert opens(node, "/etc/hostname", node.disk("HDD1"))
    wrong = {"name": "vault", "key_file": "/etc/hostname"}
    assert "unlocks no keyslot" in node.refusal("luks_device", **wrong, remove_keyslot=1)
    assert "unlocks no keyslot" in node.refusal("luks_device", **wrong, new_passphrase="more")
    node.unchanged("luks_device", **item)
    gone = node.converge("luks_device", name="vault", key_file="/root/key", tpm2={"state": "absent"})
    assert (gone["status"]["keyslots"], gone["status"]["tokens"]) == ([0, 1], [])


@pytest.mark.further
def test_what_systemd_cryptenroll_left(node: Node) -> None:
    """Somebody enrolled a TPM by hand, and a recovery key, and took a keyslot away from its token."""
    with_keys(node)
    device = node.disk("HDD1")
    node.module("luks_device", **vault(node))
    node.run(TPM_IN_SOFTWARE)
    enrol = f"systemd-cryptenroll --unlock-key-file={KEY} {device}"
    node.run(f"{enrol} --recovery-key && {enrol} --tpm2-device=swtpm: --tpm2-pcrs=7")
    (item,) = node.module("luks_device_info")["luks"]
    assert "tpm2" not in item
    assert [step["action"] for step in node.converge("luks_device", **item)["plan"]] == ["back up"]
    node.converge("luks_device", name="vault", tpm2={"device": TPM})
    assert opened_by_boot(node)

    node.run(f"cryptsetup luksKillSlot --batch-mode --key-file {KEY} {device} 2")
    problems = [finding["problem"] for finding in node.module("layout_info")["health"]]
    assert problems == ["token"]
    mended = node.converge("luks_device", **vault(node, tpm2={"device": TPM}))
    assert mended["status"]["tokens"] == ["systemd-recovery", "systemd-tpm2"]
    gone = node.converge("luks_device", **vault(node, tpm2={"state": "absent"}))
    assert (gone["status"]["keyslots"], gone["status"]["tokens"]) == ([0, 1], ["systemd-recovery"])

    node.run(f"{FLUSH} && NEWPIN=1234 {enrol} --tpm2-device=swtpm: --tpm2-with-pin=yes")
    assert "its TPM2 asks for a PIN" in node.refusal("luks_device", **vault(node, tpm2={"device": TPM}))


def with_tang(node: Node) -> str:
    """A Tang server in the guest, and the thumbprint of its key."""
    node.run(TANG_SERVER)
    return node.run(THUMBPRINT)


@pytest.mark.further
def test_a_tang_server_opens_it_at_boot(node: Node) -> None:
    with_keys(node)
    device = node.disk("HDD1")
    node.module("luks_device", **vault(node))
    node.module("luks_device", name="vault", new_passphrase=PASSPHRASE, pbkdf=QUICK)
    server = {"url": TANG, "thumbprint": "A" * 43}
    words: dict[str, Any] = {"name": "vault", "passphrase": PASSPHRASE}
    with pytest.raises(ModuleFailed, match="Unable to fetch advertisement"):
        node.module("luks_device", **words, tang=[server])
    server["thumbprint"] = with_tang(node)
    with pytest.raises(ModuleFailed, match="Unable to fetch advertisement"):
        node.module("luks_device", **words, tang=[{**server, "thumbprint": "A" * 43}])
    assert node.module("luks_device_info")["status"]["vault"]["keyslots"] == [0, 1]

    made = node.converge("luks_device", **words, tang=[server])
    assert (made["status"]["keyslots"], made["status"]["tokens"]) == ([0, 1, 2], ["clevis"])
    uuid = made["status"]["uuid"]
    assert node.run("cat /etc/crypttab") == f"vault UUID={uuid} none luks,nofail,_netdev"
    assert node.run(f"clevis luks list -d {device}") == '2: tang \'{"url":"http://127.0.0.1"}\''
    assert node.guest.run(f"clevis luks report -q -d {device} -s 2", check=False).returncode == 0
    node.run(f"clevis luks pass -d {device} -s 2 > /run/pass")
    assert opens(node, "/run/pass", device)
    node.run("rm /run/pass && mv /etc/keys/vault /root/key")
    assert opened_by_boot(node)
    (item,) = node.module("luks_device_info")["luks"]
    assert item["tang"] == [server]
    node.unchanged("luks_device", **item)

    # The server gets other keys: the new one is bound to before the old one leaves.
    node.run("cd /var/lib/tang && for key in *.jwk; do mv $key .$key; done && /usr/libexec/tangd-keygen /var/lib/tang")
    node.run("chown _tang:_tang /var/lib/tang/*.jwk")
    assert node.guest.run(f"clevis luks report -q -d {device} -s 2", check=False).returncode != 0
    rotated = {**server, "thumbprint": node.run(THUMBPRINT)}
    assert rotated != server
    both = [rotated, {**rotated, "url": "http://localhost"}]
    assert node.converge("luks_device", **words, tang=both)["status"]["keyslots"] == [0, 1, 3, 4]
    assert opened_by_boot(node)

    assert "say also key_file or passphrase" in node.refusal("luks_device", name="vault", tang=[])
    gone = node.converge("luks_device", name="vault", key_file="/root/key", tang=[])
    assert (gone["status"]["keyslots"], gone["status"]["tokens"]) == ([0, 1], [])


@pytest.mark.further
def test_what_clevis_left(node: Node) -> None:
    """Somebody bound it by hand, to a server and by another pin."""
    with_keys(node)
    device = node.disk("HDD1")
    node.module("luks_device", **vault(node))
    server = {"url": TANG, "thumbprint": with_tang(node)}
    node.run("printf staple > /run/key")
    node.module("luks_device", **vault(node, new_key_file="/run/key"))
    config = json.dumps({"url": server["url"], "thp": server["thumbprint"]})
    bind = f"clevis luks bind -d {device} -k /run/key"
    node.run(f"{bind} tang '{config}' && {bind} sss '{json.dumps({'t': 1, 'pins': {'tang': [json.loads(config)]}})}'")
    (item,) = node.module("luks_device_info")["luks"]
    assert "tang" not in item
    assert [step["action"] for step in node.converge("luks_device", **item)["plan"]] == ["back up"]
    taken = node.converge("luks_device", name="vault", tang=[server])
    assert [step["action"] for step in taken["plan"]] == ["enable", "persist"]
    assert opened_by_boot(node)
    gone = node.converge("luks_device", **vault(node, tang=[]))
    assert (gone["status"]["keyslots"], gone["status"]["tokens"]) == ([0, 1, 3], ["clevis"])
