# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations that are interrupted, each with what there is before it.

In device names, `{HDD1}` is the disk of that serial, and `{smallest}` and `{largest}` are such network volumes of the
drive. `{thumbprint}` is that of the Tang server.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.tokens import TANG, TANG_SERVER, TPM, TPM_IN_SOFTWARE

Task = tuple[str, dict[str, Any]]

#: A small partition on each disk: emulated, rebuilding whole disks takes minutes.
PARTITIONED = """
for disk in {HDD1} {HDD2} {HDD3} {HDD4} {HDD5}; do printf 'label: gpt\\nsize=100M\\n' | sfdisk --quiet $disk; done
udevadm settle
"""
#: A tree on a filesystem straight on the device, and where it is mounted to be compared.
FILL = """
mkdir -p /root/tree && mount {device} /root/tree && mkdir /root/tree/some
for name in a some/b some/c; do head -c 8M /dev/urandom > /root/tree/$name; done
cd /root/tree && md5sum a some/* > /root/sums && cd / && umount /root/tree && sync
"""
CHECK = "mkdir -p /root/tree && mount {device} /root/tree && cd /root/tree && md5sum --quiet --check /root/sums"
DONE = "cd / && umount /root/tree"
MD, BCACHE, LV = "/dev/md0", "/dev/bcache/by-label/cached", "/dev/data/data"
VAULT = "/dev/mapper/vault"
OPENED = f"""
printf first > /root/first
cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 {{HDD1}}-part1 /root/first
cryptsetup open --key-file /root/first {{HDD1}}-part1 vault && mkfs.ext4 -q {VAULT}
"""


TPM2 = {"device": TPM, "pcrs": [7]}
SERVER = {"url": TANG, "thumbprint": "{thumbprint}"}


class Operation(NamedTuple):
    """One task on what ``before`` and ``prepare`` (a script) made.

    ``data`` is the device with the filesystem whose files have to survive (empty: there is nothing to lose),
    ``mounted`` where a module mounts it, ``reopen`` what makes them readable again. ``then`` follows ``prepare``.
    ``boot`` brings back devices that a boot does not have.
    ``modes`` are those beside *ordered* and *killed*; ``middle`` is what the power also goes in the midst of.
    """

    name: str
    task: Task
    before: tuple[Task, ...] = ()
    prepare: str = ""
    data: str = ""
    mounted: str = ""
    then: tuple[Task, ...] = ()
    reopen: Task | None = None
    modes: tuple[str, ...] = ()
    middle: str = ""
    boot: tuple[Task, ...] = ()


def raid(**words: Any) -> Task:
    return "raid", {"name": "md0", **words}


def bcache(**words: Any) -> Task:
    return "bcache", {"name": "cached", **words}


def drive(**words: Any) -> Task:
    return "lvm_drive", {"name": "data", **words}


def luks(**words: Any) -> Task:
    # Measuring how long a key takes would take longer than all else.
    quick = {"algorithm": "pbkdf2", "iteration_count": 1000}
    return "luks_device", {"name": "vault", "device": "{HDD1}", "passphrase": "first", "pbkdf": quick, **words}


def layout(**sections: Any) -> Task:
    return "layout", sections


def parts(*numbers: int) -> list[str]:
    return [f"{{HDD{number}}}-part1" for number in numbers]


def on_array(name: str, task: Task, *before: Task, prepare: str = "", **more: Any) -> Operation:
    """With files on a filesystem straight on the array."""
    fill = f"mkfs.ext4 -q {MD}" + FILL.format(device=MD)
    return Operation(name, task, before, fill + prepare, data=MD, **more)


def on_bcache(name: str, task: Task, *before: Task, prepare: str = "", **more: Any) -> Operation:
    # Behind the filesystem is room for what is written to have dirty data.
    fill = f"mkfs.ext4 -q {BCACHE} 90M" + FILL.format(device=BCACHE)
    return Operation(name, task, before, fill + prepare, data=BCACHE, **more)


def on_luks(name: str, task: Task, *then: Task, more: str = "") -> Operation:
    fill = f"mkfs.ext4 -q {VAULT}" + FILL.format(device=VAULT)
    return Operation(name, task, (luks(),), fill + more, data=VAULT, then=then, reopen=luks())


def on_drive(name: str, task: Task, *before: Task, prepare: str = "", **more: Any) -> Operation:
    """With files on the drive's own filesystem, mounted on /srv."""
    fill = """
mkdir /srv/some; for name in a some/b some/c; do head -c 8M /dev/urandom > /srv/$name; done
cd /srv && md5sum a some/* > /root/sums && cd / && sync
"""
    return Operation(name, task, before, fill + prepare, data=LV, mounted="/srv", **more)


def volumes(initial: str, used: int | None = None, **policy: Any) -> Task:
    """The network volumes of a drive, which are files of the host, by the usage of 300 MiB."""
    usage = None if used is None else {"size": 300 << 20, "used": used << 20}
    words = {"initial_size": initial, "cooldown": "0", **policy}
    return "drive_volumes", {"name": "data", "provider": {"name": "loop"}, "policy": words, "usage": usage}


def elastic(name: str, changed: Task, task: Task, *, initial: str = "320M", **more: Any) -> Operation:
    """The host's part of a pass over an elastic drive, once the provider has done ``changed``."""
    made = drive(devices=["{largest}"], mount_point="/srv", size="100%")
    begin = (volumes(initial), made)
    return on_drive(name, task, *begin, then=(changed,), boot=(volumes(initial),), **more)


# With larger chunks such small members have no room to grow over more devices.
RAID5 = raid(level="5", chunk_size="64K", devices=parts(1, 2, 3), wait=True)
RAID6 = raid(level="6", chunk_size="64K", devices=parts(1, 2, 3, 4), wait=True)
RAID10 = raid(level="10", devices=parts(1, 2, 3, 4), wait=True)
RAID1 = raid(level="1", devices=parts(1, 2), wait=True)
CACHED = bcache(backing_device="{HDD1}", cache_device="{SSD1}", cache_mode="writeback", sequential_cutoff="0")
DRIVE = drive(devices=["{HDD1}"], mount_point="/srv")
EXT4 = drive(devices=["{HDD1}"], mount_point="/srv", filesystem="ext4")
SEVERAL = drive(
    devices=["{HDD1}"],
    mount_point="/srv",
    subvolumes=[{"name": "home", "mount_point": "/mnt/home"}, {"name": "log"}],
    bind_mounts=[{"source": "/srv/kept", "mount_point": "/mnt/kept", "mount_options": "ro"}],
)
TWO = drive(devices=["{HDD1}", "{HDD2}"], mount_point="/srv", size="300M")

#: The largest document: a mirror and a RAID 6 of partitions, two bcaches on one cache set, three drives, swap.
STACK = layout(
    partitions=[
        {"name": f"leg{number}", "device": f"{{HDD{number}}}", "size": "100M", "type": "raid"} for number in range(1, 7)
    ],
    raids=[
        {"name": "md1", "level": "1", "devices": ["leg1", "leg2"]},
        {"name": "md6", "level": "6", "devices": ["leg3", "leg4", "leg5", "leg6"]},
    ],
    bcaches=[
        {"name": "small", "backing_device": "md1", "cache_device": "{SSD1}", "cache_mode": "writeback"},
        {"name": "large", "backing_device": "md6", "cache_device": "{SSD1}"},
    ],
    drives=[
        {
            "name": "one",
            "devices": ["small"],
            "volumes": [{"name": "srv", "filesystem": "ext4", "mount_point": "/srv"}],
        },
        {"name": "two", "devices": ["large"], "volumes": [{"name": "data", "mount_point": "/srv/data"}]},
        {"name": "three", "devices": ["{SSD2}"], "volumes": [{"name": "lower", "size": "50%", "filesystem": "ext4"}]},
    ],
    filesystems=[{"device": "three/lower", "mount_point": "/srv/data/lower"}],
    wait=True,
)

OPERATIONS = (
    Operation("raid: create", RAID5, modes=("volatile",)),
    on_array("raid: stop", raid(state="stopped"), RAID5, reopen=raid()),
    on_array("raid: start", raid(), RAID5, then=(raid(state="stopped"),)),
    Operation(
        "raid: remove", raid(state="absent", allow_destroy=True), (RAID5,), f"mkfs.ext4 -q {MD}", modes=("volatile",)
    ),
    on_array("raid: a member of a RAID 5 replaced", raid(devices=parts(1, 2, 4), wait=True), RAID5),
    on_array(
        "raid: a failed member replaced",
        raid(devices=parts(1, 2, 4), wait=True),
        RAID5,
        prepare=f"mdadm {MD} --fail $(readlink -e {{HDD3}}-part1)",
    ),
    on_array(
        "raid: a removed member comes back",
        raid(devices=parts(1, 2, 3), wait=True),
        RAID5,
        prepare=f"mdadm {MD} --fail $(readlink -e {{HDD3}}-part1); mdadm {MD} --remove $(readlink -e {{HDD3}}-part1)",
    ),
    on_array("raid: a member of a RAID 6 leaves", raid(devices=parts(1, 2, 3), wait=True), RAID6),
    on_array("raid: spares exchanged", raid(spare_devices=parts(5)), RAID5, then=(raid(spare_devices=parts(4)),)),
    on_array("raid: RAID 5 grows by a device", raid(devices=parts(1, 2, 3, 4), wait=True), RAID5, middle="reshape"),
    on_array(
        "raid: RAID 1 becomes RAID 5", raid(level="5", devices=parts(1, 2, 3), wait=True), RAID1, middle="reshape"
    ),
    on_array(
        "raid: RAID 10 grows by a device", raid(devices=parts(1, 2, 3, 4, 5), wait=True), RAID10, middle="reshape"
    ),
    on_array("raid: chunk size of a RAID 10", raid(chunk_size="64K", wait=True), RAID10, middle="reshape"),
    on_array("raid: a bitmap", raid(bitmap="internal"), RAID5),
    on_array(
        "raid: RAID 5 shrinks by a device",
        raid(devices=parts(1, 2, 4), spare_devices=[], allow_shrink=True, wait=True),
        raid(level="5", chunk_size="64K", devices=parts(1, 2, 3, 4), wait=True),
        prepare=f"e2fsck -fp {MD}; resize2fs {MD} 150M",
        middle="reshape",
    ),
    on_array(
        "raid: less of each member", raid(size="80M", allow_shrink=True), RAID5, prepare=f"resize2fs -f {MD} 150M"
    ),
    on_array(
        "raid: a mirror loses a member", raid(devices=parts(1, 2)), raid(level="1", devices=parts(1, 2, 3), wait=True)
    ),
    on_array(
        "raid: a device moves to another array",
        layout(
            raids=[
                {"name": "md1", "level": "1", "devices": parts(3, 4)},
                {"name": "md0", "level": "1", "devices": parts(1, 2)},
            ],
            allow_destroy=["md0", "md1"],
            wait=True,
        ),
        raid(level="1", devices=parts(1, 2, 3), wait=True),
    ),
    Operation("bcache: create", CACHED, modes=("volatile",)),
    on_bcache("bcache: a cache added", CACHED, bcache(backing_device="{HDD1}")),
    on_bcache("bcache: another cache", bcache(cache_device="{SSD2}"), CACHED, middle="detach"),
    on_bcache("bcache: no cache any more", bcache(cache_device=""), CACHED, middle="detach"),
    on_bcache("bcache: tunables", bcache(writeback_percent=20, io_error_limit=16, cache_mode="writearound"), CACHED),
    Operation(
        "bcache: remove",
        bcache(state="absent", allow_destroy=True),
        (CACHED,),
        f"mkfs.ext4 -q {BCACHE}",
        modes=("volatile",),
    ),
    Operation("luks: create", luks(), modes=("volatile",)),
    on_luks("luks: a key added", luks(new_passphrase="second")),
    on_luks("luks: a key removed", luks(remove_passphrase="second"), luks(new_passphrase="second")),
    on_luks("luks: close", luks(state="closed")),
    on_luks("luks: open", luks(), luks(state="closed")),
    Operation(
        "luks: encrypt in place",
        luks(device="{HDD1}-part1", in_place=True),
        prepare="mkfs.ext4 -q {HDD1}-part1" + FILL.format(device="{HDD1}-part1"),
        data=VAULT,
    ),
    on_luks("luks: encrypt anew", luks(in_place=True, cipher="aes-cbc-essiv:sha256", key_size=256)),
    on_luks("luks: another key for the data", luks(in_place=True, volume_key="two"), luks(volume_key="one")),
    Operation(
        "luks: decrypt",
        luks(device="{HDD1}-part1", state="decrypted"),
        prepare=OPENED + FILL.format(device=VAULT),
        data="{HDD1}-part1",
    ),
    on_luks("luks: a TPM enrolled", luks(tpm2=TPM2), more=TPM_IN_SOFTWARE),
    on_luks("luks: a TPM leaves", luks(tpm2={"state": "absent"}), luks(tpm2=TPM2), more=TPM_IN_SOFTWARE),
    on_luks("luks: bound to a Tang server", luks(tang=[SERVER]), more=TANG_SERVER),
    on_luks(
        "luks: from one Tang server to another",
        luks(tang=[{**SERVER, "url": "http://localhost"}]),
        luks(tang=[SERVER]),
        more=TANG_SERVER,
    ),
    on_luks("luks: bound to no Tang server", luks(tang=[]), luks(tang=[SERVER]), more=TANG_SERVER),
    Operation(
        "luks: swap with a new key",
        layout(
            luks=[{"name": "swap0", "device": "{HDD1}", "type": "plain", "key_file": "/dev/urandom"}],
            filesystems=[{"device": "swap0", "type": "swap"}],
        ),
    ),
    Operation("luks: remove", luks(state="absent", allow_destroy=True), (luks(),), f"mkfs.ext4 -q {VAULT}"),
    Operation("drive: create", DRIVE, modes=("volatile",)),
    Operation("drive: create xfs", drive(devices=["{HDD1}"], mount_point="/srv", filesystem="xfs")),
    on_drive("drive: a device more", drive(devices=["{HDD1}", "{HDD2}"], size="100%", mount_point="/srv"), DRIVE),
    on_drive("drive: offline", drive(state="offline"), DRIVE, reopen=DRIVE),
    on_drive("drive: online", DRIVE, DRIVE, then=(drive(state="offline"),)),
    on_drive(
        "drive: a device less",
        drive(devices=["{HDD2}"], mount_point="/srv", size="300M"),
        TWO,
        modes=("volatile",),
        middle="pvmove",
    ),
    on_drive("drive: btrfs shrinks", drive(size="300M", mount_point="/srv", allow_shrink=True), DRIVE),
    on_drive(
        "drive: ext4 shrinks", drive(size="200M", mount_point="/srv", allow_shrink=True, allow_offline=True), EXT4
    ),
    Operation(
        "drive: two volumes and swap",
        drive(
            devices=["{HDD1}"],
            volumes=[
                {"name": "data", "mount_point": "/srv"},
                {"name": "logs", "size": "100M", "filesystem": "ext4", "mount_point": "/srv/logs"},
                {"name": "swap", "size": "64M", "filesystem": "swap"},
            ],
        ),
    ),
    Operation("drive: create with subvolumes and a bind mount", SEVERAL),
    on_drive(
        "drive: remove a subvolume",
        drive(
            subvolumes=[{"name": "home", "state": "absent"}],
            bind_mounts=[{"source": "/srv/some", "mount_point": "/mnt/some"}],
            allow_destroy=True,
        ),
        SEVERAL,
    ),
    on_drive(
        "drive: ext4 with a bind mount shrinks",
        drive(size="200M", mount_point="/srv", allow_shrink=True, allow_offline=True),
        drive(
            devices=["{HDD1}"],
            mount_point="/srv",
            filesystem="ext4",
            bind_mounts=[{"source": "/srv/kept", "mount_point": "/mnt/kept"}],
        ),
    ),
    Operation("drive: remove", drive(state="absent", allow_destroy=True), (DRIVE,), modes=("volatile",)),
    elastic(
        "elastic: a volume that grew",
        volumes("320M", 290),
        drive(devices=["{largest}"], mount_point="/srv", size="100%"),
    ),
    elastic(
        "elastic: a volume more",
        volumes("320M", 290, grow_in_place=False),
        drive(devices=["{smallest}", "{largest}"], mount_point="/srv", size="100%"),
    ),
    elastic(
        "elastic: replaced by a smaller volume",
        volumes("320M", 60),
        drive(devices=["{smallest}"], mount_point="/srv", size="100%", allow_shrink=True),
        initial="640M",
        middle="pvmove",
    ),
    Operation("layout: a whole stack", STACK),
)
