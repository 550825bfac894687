# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which histories there are: hypothesis puts them together, and makes one that breaks something shorter."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.tokens import FLUSH, TANG, TPM

from .world import SERIALS, World

HDDS = [f"{{{serial}}}" for serial in SERIALS if serial.startswith("HDD")]
DISKS = st.sampled_from(HDDS)
PAIRS = st.permutations(HDDS).map(lambda disks: disks[:2])
SOME = st.integers(2, 4).flatmap(lambda count: st.permutations(HDDS).map(lambda disks: disks[:count]))
KINDS = st.sampled_from(["ext4", "ext4", "btrfs", "btrfs", "f2fs", "vfat"])
LABELS = st.sampled_from(["old", "srv", "backup"])
POINTS = st.sampled_from(["/srv", "/m1"])
ALLOW = st.sampled_from([None, None, None, True])
ARRAYS = st.sampled_from(["md0", "md1"])
DEVICES = st.one_of(DISKS, st.sampled_from(["/dev/md0", "/dev/byhand/lv", *(f"{disk}-part1" for disk in HDDS[:2])]))


def present(**words: Any) -> dict[str, Any]:
    """The words of a task that are said."""
    return {word: value for word, value in words.items() if value not in (None, "")}


class Machine(RuleBasedStateMachine):
    """A walk; whoever runs it says where, by ``make``."""

    make: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.world: World = type(self).make()

    def teardown(self) -> None:
        if not self.world.broken:
            self.world.do("end")

    # What a host has lived through before we come

    @initialize(pair=PAIRS, bitmap=st.sampled_from(["internal", "none"]), kind=KINDS, past=st.integers(0, 5))
    def begin(self, pair: list[str], bitmap: str, kind: str, past: int) -> None:
        """A mirror with a file, a disk with a filesystem of its own, a table, a group, or nothing."""
        one = pair[0]
        do = self.world.do
        if past == 0:
            do("shell", command=mirror(pair, bitmap, "1.2"))
            do("filesystem", device="/dev/md0", kind=kind, label="srv", point="/m1", spec="")
            do("shell", command="umount /m1; mdadm --stop /dev/md0")
        elif past == 1:
            do("filesystem", device=one, kind=kind, label="backup", point="/m1", spec="LABEL")
        elif past == 2:
            do("shell", command=table(one))
            do("filesystem", device=f"{one}-part1", kind=kind, label="backup", point="/m1", spec="")
            do("shell", command="umount /m1")
        elif past == 3:
            do("shell", command=group(one))
            do("filesystem", device="/dev/byhand/lv", kind=kind, label="srv", point="/m1", spec="UUID")
        elif past == 4:
            do("task", module="raid", arguments={"name": "md0", "level": "1", "devices": pair, "wait": True})
            drive = {"name": "data", "devices": ["/dev/md0"], "filesystem": kind, "mount_point": "/srv"}
            do("task", module="lvm_drive", arguments=drive)
            do("file", point="/srv")

    @rule(point=POINTS)
    def writes(self, point: str) -> None:
        self.world.do("file", point=point)

    @rule(device=DEVICES, kind=KINDS, label=LABELS, point=POINTS, spec=st.sampled_from(["", "LABEL", "UUID", "path"]))
    def filesystem(self, device: str, kind: str, label: str, point: str, spec: str) -> None:
        self.world.do("filesystem", device=device, kind=kind, label=label, point=point, spec=spec)

    @rule(pair=PAIRS, bitmap=st.sampled_from(["internal", "none"]), metadata=st.sampled_from(["1.2", "1.0", "0.90"]))
    def mirror_by_hand(self, pair: list[str], bitmap: str, metadata: str) -> None:
        self.world.do("shell", command=mirror(pair, bitmap, metadata))

    @rule()
    def everything_is_put_away(self) -> None:
        self.world.do(
            "shell",
            command="umount /srv /m1; vgchange -an; cryptsetup close vault; mdadm --stop --scan; udevadm settle",
        )

    @rule(device=DISKS)
    def half_alone(self, device: str) -> None:
        self.world.do("shell", command="umount /srv /m1; vgchange -an; mdadm --stop --scan; udevadm settle")
        self.world.do("alone", device=device, name="md0", point="/m1")

    @rule(device=DISKS)
    def fails(self, device: str) -> None:
        self.world.do("shell", command=f"mdadm /dev/md0 --fail {device}; mdadm /dev/md0 --remove {device}")

    @rule(device=DISKS)
    def incremental(self, device: str) -> None:
        self.world.do("shell", command=f"mdadm --incremental {device}")

    @rule(device=DISKS)
    def partitioned(self, device: str) -> None:
        self.world.do("shell", command=table(device))

    @rule(device=DEVICES)
    def group_by_hand(self, device: str) -> None:
        self.world.do("shell", command=group(device))

    @rule(device=DEVICES, opened=st.booleans())
    def container_by_hand(self, device: str, opened: bool) -> None:
        self.world.do("shell", command=container(device, opened))

    @rule(how=st.sampled_from([f"systemd-cryptenroll --tpm2-device={TPM}", "systemd-cryptenroll --recovery-key"]))
    def enrolled_by_hand(self, how: str) -> None:
        device = "$(cryptsetup status vault | sed -n 's/^ *device: *//p')"
        self.world.do(
            "shell", command=f"printf first > /run/first; {how} --unlock-key-file=/run/first {device}; {FLUSH}"
        )

    @rule(kind=st.sampled_from(["-s -n snap -L 20M byhand/lv", "--thinpool pool -L 32M byhand"]))
    def of_others(self, kind: str) -> None:
        self.world.do("shell", command=f"lvcreate --yes {kind}")

    @rule(device=DISKS)
    def wiped(self, device: str) -> None:
        self.world.do("wipe", serial=device.strip("{}"))

    @rule(pair=PAIRS)
    def cloned(self, pair: list[str]) -> None:
        one, two = pair
        self.world.do("overwrite", serial=two.strip("{}"), command=f"dd if={one} of={two} bs=1M conv=notrunc,fsync")

    @rule(device=DISKS)
    def beginning_saved(self, device: str) -> None:
        self.world.do("shell", command=f"dd if={device} of=/root/old-$(basename {device}) bs=1M count=2")

    @rule(device=DISKS)
    def beginning_put_back(self, device: str) -> None:
        old = f"/root/old-$(basename {device})"
        command = f"[ ! -e {old} ] || dd if={old} of={device} bs=1M conv=notrunc,fsync"
        self.world.do("overwrite", serial=device.strip("{}"), command=command)

    @rule(serial=st.sampled_from(SERIALS))
    def pulled(self, serial: str) -> None:
        self.world.do("pull", serial=serial)

    @rule(serial=st.sampled_from(SERIALS), sector=st.sampled_from([512, 4096]), blank=st.booleans())
    def inserted(self, serial: str, sector: int, blank: bool) -> None:
        self.world.do("insert", serial=serial, sector=sector, blank=blank)

    @rule(serial=st.sampled_from(SERIALS), sector=st.sampled_from([512, 4096]), blank=st.booleans())
    def exchanged(self, serial: str, sector: int, blank: bool) -> None:
        self.world.do("pull", serial=serial)
        self.world.do("insert", serial=serial, sector=sector, blank=blank)

    @rule(serial=st.sampled_from(SERIALS), size_mib=st.sampled_from([150, 159]))
    def a_smaller_one(self, serial: str, size_mib: int) -> None:
        self.world.do("pull", serial=serial)
        self.world.do("insert", serial=serial, blank=True, size_mib=size_mib)

    @rule(serial=st.sampled_from(SERIALS))
    def grows(self, serial: str) -> None:
        self.world.do("grow", serial=serial, size_mib=240)

    @rule(point=POINTS)
    def forgotten_by_fstab(self, point: str) -> None:
        self.world.do("shell", command=f"sed -i '\\,{point} ,d' /etc/fstab; systemctl daemon-reload")

    @rule(point=POINTS, lasting=st.booleans())
    def shown_elsewhere(self, point: str, lasting: bool) -> None:
        """Somebody shows a directory of what is mounted in another place."""
        line = f"echo '{point}/inner /m2 none bind,nofail 0 0' >> /etc/fstab; systemctl daemon-reload; " * lasting
        shown = f"mkdir -p {point}/inner /m2; {line}mount --bind {point}/inner /m2"
        self.world.do("shell", command=f"if findmnt {point}; then {shown}; fi")

    @rule(cleanly=st.booleans())
    def boots(self, cleanly: bool) -> None:
        self.world.do("reboot", cleanly=cleanly)

    # Tasks of ours

    @rule(
        name=ARRAYS,
        level=st.sampled_from(["1", "1", "1", "5", "0", "6", "10", None]),
        devices=st.one_of(SOME, st.none()),
        spare_devices=st.one_of(st.none(), DISKS.map(lambda disk: [disk])),
        wait=st.booleans(),
        allow_destroy=ALLOW,
        state=st.sampled_from(["present", "present", "present", "stopped", "absent"]),
    )
    def raid(self, **words: Any) -> None:
        self.world.do("task", module="raid", arguments=asked("present", words))

    @rule(
        devices=st.one_of(st.just(["/dev/md0"]), DISKS.map(lambda disk: [disk]), PAIRS, st.none()),
        filesystem=st.one_of(KINDS, st.none()),
        size=st.sampled_from([None, "100%", "100M", "140M"]),
        label=st.one_of(st.none(), LABELS),
        mount_point=st.sampled_from(["/srv", "/m1", None]),
        name=st.sampled_from(["data", "data", "byhand"]),
        allow_destroy=ALLOW,
        state=st.sampled_from(["online", "online", "online", "offline", "absent"]),
    )
    def drive(self, **words: Any) -> None:
        self.world.do("task", module="lvm_drive", arguments=asked("online", words))

    @rule(
        device=st.one_of(DEVICES, st.none()),
        passphrase=st.sampled_from(["first", "first", "second", None]),
        new_passphrase=st.sampled_from([None, None, "second"]),
        remove_passphrase=st.sampled_from([None, None, "second", "first"]),
        open_at_boot=st.sampled_from([None, None, False]),
        tpm2=st.sampled_from([None, None, None, {"device": TPM}, {"device": TPM, "pcrs": [7]}, {"state": "absent"}]),
        tang=st.sampled_from([None, None, None, [{"url": TANG, "thumbprint": "{thumbprint}"}], []]),
        allow_destroy=ALLOW,
        state=st.sampled_from(["present", "present", "present", "closed", "absent"]),
    )
    def luks(self, **words: Any) -> None:
        """A container in which nothing is written: what is in a closed one, nobody finds on the disks."""
        if words["tpm2"]:
            self.world.do("shell", command=FLUSH)
        arguments = {"name": "vault", "pbkdf": QUICK, **asked("present", words)}
        self.world.do("task", module="luks_device", arguments=arguments)

    @rule(pair=PAIRS, kind=KINDS, label=st.one_of(st.none(), LABELS), allow=st.sampled_from([None, None, ["md0"]]))
    def layout_on_a_mirror(self, pair: list[str], kind: str, label: str | None, allow: list[str] | None) -> None:
        volume = present(name="srv", filesystem=kind, label=label, mount_point="/srv")
        words = present(
            raids=[{"name": "md0", "level": "1", "devices": pair}],
            drives=[{"name": "data", "devices": ["md0"], "volumes": [volume]}],
            allow_destroy=allow,
        )
        self.world.do("task", module="layout", arguments=words)

    @rule(count=st.integers(2, 4), level=st.sampled_from(["1", "5"]), allow=st.sampled_from([None, None, ["md1"]]))
    def layout_of_any_disks(self, count: int, level: str, allow: list[str] | None) -> None:
        words = present(
            disks=[{"name": "any", "rotational": True, "count": count}],
            raids=[{"name": "md1", "level": level, "devices": ["any"]}],
            allow_destroy=allow,
        )
        self.world.do("task", module="layout", arguments=words)

    @rule(device=DEVICES, label=LABELS, point=POINTS, kind=KINDS)
    def layout_of_a_filesystem(self, device: str, label: str, point: str, kind: str) -> None:
        words = {"filesystems": [{"device": device, "type": kind, "label": label, "mount_point": point}]}
        self.world.do("task", module="layout", arguments=words)

    @rule(device=DEVICES, point=POINTS, kind=KINDS, subvolume=st.sampled_from(["one", "in/one"]), gone=st.booleans())
    def layout_of_several_mounts(self, device: str, point: str, kind: str, subvolume: str, gone: bool) -> None:
        state = "absent" if gone else "present"
        item: dict[str, Any] = {"device": device, "type": kind, "mount_point": point}
        item["bind_mounts"] = [{"source": f"{point}/inner", "mount_point": "/m2", "state": state}]
        if kind == "btrfs":
            item["subvolumes"] = [{"name": subvolume, "mount_point": "/m3", "state": state}]
        self.world.do("task", module="layout", arguments={"filesystems": [item]})

    @rule(device=DISKS, size=st.sampled_from(["60M", "100%"]), name=st.sampled_from(["p1", "p2"]))
    def layout_of_a_partition(self, device: str, size: str, name: str) -> None:
        words = {"partitions": [{"name": name, "device": device, "size": size}]}
        self.world.do("task", module="layout", arguments=words)

    @rule(pair=PAIRS, kind=KINDS, milliseconds=st.integers(100, 3000))
    def killed(self, pair: list[str], kind: str, milliseconds: int) -> None:
        words = {
            "raids": [{"name": "md0", "level": "1", "devices": pair}],
            "drives": [{"name": "data", "devices": ["md0"], "filesystem": kind, "mount_point": "/srv"}],
        }
        self.world.do("killed", module="layout", arguments=words, milliseconds=milliseconds)


def asked(made: str, words: dict[str, Any]) -> dict[str, Any]:
    """The words of a task. What is not to be in the state ``made`` is only named, and none of its parts are said."""
    said = present(**words)
    return said if words["state"] == made else {key: said[key] for key in said.keys() & _ABSENT}


QUICK = {"algorithm": "pbkdf2", "iteration_count": 1000}
_ABSENT = {"name", "state", "allow_destroy"}


def mirror(pair: list[str], bitmap: str, metadata: str) -> str:
    """A mirror by hand, if its disks are blank."""
    return (
        f"wipefs {pair[0]} {pair[1]} | grep -q . || mdadm --create /dev/md0 --run --level=1 --raid-devices=2 "
        f"--bitmap={bitmap} --metadata={metadata} {'' if metadata == '0.90' else '--name=md0'} {pair[0]} {pair[1]}; "
        "udevadm settle"
    )


def container(device: str, opened: bool) -> str:
    quick = "--batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
    opening = f"; echo -n first | cryptsetup open --key-file - {device} vault" if opened else ""
    return f"wipefs {device} | grep -q . || {{ echo -n first | cryptsetup luksFormat {quick} {device} -{opening}; }}"


def table(disk: str) -> str:
    written = f"printf 'label: gpt\\nsize=70M, name=p1\\n' | sfdisk --quiet {disk}; udevadm settle"
    return f"wipefs {disk} | grep -q . || {written}"


def group(device: str) -> str:
    return f"wipefs {device} | grep -q . || {{ vgcreate byhand {device} && lvcreate --yes -n lv -L 112M byhand; }}"
