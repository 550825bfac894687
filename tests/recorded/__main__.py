# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make hosts in the lab and record them: `python -m tests.recorded [NAME …]`, all of HOSTS if none is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab.lab import Lab

HERE = Path(__file__).parent
# What the collection makes, one of each layer.
STACK = r"""
set -eu
echo secret > /etc/backup.key; chmod 600 /etc/backup.key
mdadm --create /dev/md/store --run --level=5 --raid-devices=3 --chunk=64 --assume-clean $HDD1 $HDD2 $HDD3
make-bcache -B /dev/md/store -C $SSD1 --bucket 128k --writeback
udevadm settle
until [ -e /sys/block/bcache0/bcache/cache ]; do sleep 0.1; done
vgcreate --yes data /dev/bcache0
lvcreate --yes --wipesignatures y --name srv --size 200M data
lvcreate --yes --wipesignatures y --name logs --size 100M data
lvcreate --yes --wipesignatures y --name swap --size 64M data
mkfs.btrfs -q -f /dev/data/srv; mkfs.ext4 -q -L logs /dev/data/logs; mkswap -q /dev/data/swap
sfdisk -q $HDD4 << EOF
label: gpt
size=64M, name=efi, type=uefi
name=backup
EOF
udevadm settle
mkfs.vfat $HDD4-part1 > /dev/null
cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $HDD4-part2 /etc/backup.key
uuid=$(cryptsetup luksUUID $HDD4-part2)
echo "backup UUID=$uuid /etc/backup.key luks,nofail" >> /etc/crypttab
cryptsetup open --key-file /etc/backup.key $HDD4-part2 backup
mkfs.ext4 -q /dev/mapper/backup
cat >> /etc/fstab << EOF
/dev/data/srv /srv btrfs defaults,nofail,noatime 0 0
/dev/data/logs /srv/logs ext4 defaults,nofail 0 2
/dev/data/swap none swap sw,nofail 0 0
/dev/mapper/backup /mnt ext4 defaults,nofail 0 2
EOF
mount /srv; mkdir /srv/logs; mount /srv/logs; mount /mnt; swapon -a
btrfs -q subvolume create /srv/home
mdadm --detail --scan >> /etc/mdadm/mdadm.conf; update-initramfs -u
"""
# What others left, and time.
PAST = r"""
set -eu
mdadm --create /dev/md/apart --run --level=1 --raid-devices=2 --assume-clean --bitmap=none $HDD1 $HDD2
mkfs.ext4 -q /dev/md/apart
mdadm --detail --scan >> /etc/mdadm/mdadm.conf; update-initramfs -u
mdadm -q --stop /dev/md/apart
for disk in $HDD1 $HDD2; do
    mdadm -q --assemble --run /dev/md/apart $disk
    mount /dev/md/apart /mnt; echo $disk > /mnt/last; umount /mnt
    mdadm -q --stop /dev/md/apart
done
mdadm --create /dev/md/weak --run --level=5 --raid-devices=3 --assume-clean $HDD3 $HDD4 $HDD5
mdadm -q /dev/md/weak --fail $HDD5 --remove $HDD5
vgcreate --yes left $HDD6 $SSD1
lvcreate --yes --name half --size 600M left
vgchange -q -a n left
wipefs --quiet --all $SSD1
pvscan --cache > /dev/null 2>&1 || true
make-bcache -B $SSD1
echo not-the-key | cryptsetup luksFormat --type luks1 --batch-mode --pbkdf-force-iterations 1000 $SSD2
echo "closed $SSD2 none luks,noauto" >> /etc/crypttab
cat >> /etc/fstab << EOF
UUID=0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a /gone xfs defaults,nofail 0 0
/dev/md/weak /weak ext4 defaults,nofail 0 2
EOF
udevadm settle
"""
HOSTS = {"stack": STACK, "past": PAST}


def main() -> None:
    with Lab("recorded", owned=True) as lab:
        for name in sys.argv[1:] or HOSTS:
            lab.reset()
            disks = "".join(f"{disk.serial}={lab.guest.disk(disk.serial)}\n" for disk in lab.hardware.disks)
            lab.guest.run(disks + HOSTS[name])
            playbook = [
                "ansible-playbook",
                "-i",
                str(lab.inventory_path),
                str(HERE / "record.yml"),
                "-e",
                f"recorded_as={name}",
            ]
            subprocess.run(playbook, check=True)


if __name__ == "__main__":
    main()
