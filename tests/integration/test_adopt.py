# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that was built by hand becomes a file of variables, which applied changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.lab import Guest, Lab

from .test_ansible import ansible

BY_HAND = """
mdadm --create /dev/md/old --run --quiet --level 1 --raid-devices 2 {0} {1}
mkfs.ext4 -q -L '{{{{ 6 * 7 }}}}' /dev/md/old
mkdir -p /srv /var/lib/pgsql
echo "UUID=$(blkid -s UUID -o value /dev/md/old) /srv ext4 defaults,noatime 0 2" >> /etc/fstab
vgcreate -q data {2}
lvcreate -q -n pg -L 300M data
mkfs.xfs -q /dev/data/pg
echo /dev/data/pg /var/lib/pgsql xfs nofail 0 0 >> /etc/fstab
systemctl daemon-reload
mount -a
mdadm --wait --quiet /dev/md/old || true
"""


@pytest.mark.further
def test_a_host_built_by_hand_is_taken_over(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    guest.run(BY_HAND.format(*(guest.disk(serial) for serial in ("HDD1", "HDD2", "HDD3"))))
    inventory = tmp_path / "inventory.yml"
    shutil.copy(lab.inventory_path, inventory)
    # What was there before is not to be hidden by the new directory.
    hidden = tmp_path / "host_vars/lab.yml"
    hidden.parent.mkdir()
    hidden.write_text("mine: 1\n")

    def run(playbook: str, *arguments: str, fails: bool = False) -> str:
        words = (f"playbooks/{playbook}.yml", "-e", "storage_hosts=lab", *arguments)
        return ansible(lab, "ansible-playbook", *words, fails=fails, inventory=inventory)

    assert "Move it there, as" in run("adopt", fails=True)
    own = tmp_path / "host_vars/lab"
    assert not own.exists()
    own.mkdir()
    hidden.rename(own / "main.yml")

    assert "storage.yml" in run("adopt", "--check")
    assert not (own / "storage.yml").exists()
    run("adopt")
    text = (own / "storage.yml").read_text()
    assert "!unsafe '{{ 6 * 7 }}'" in text
    assert "changed=0" in run("adopt")

    once = [line.removeprefix("# - ") for line in text.splitlines() if line.startswith("# - ")]
    assert [" ".join(step.split()[:2]) for step in once] == ["persist raid", "rebuild initramfs"]
    applied = run("layout", "-e", "storage_packages=false")
    assert all(step in applied for step in once), applied
    assert "changed=0" in run("layout", "-e", "storage_packages=false")
    assert guest.run("e2label /dev/md/old").stdout.strip() == "{{ 6 * 7 }}"

    guest.run("tune2fs -L other /dev/md/old; udevadm settle")
    (own / "storage.yml").write_text(text)
    assert "It was kept" in run("adopt", fails=True)
    assert (own / "storage.yml").read_text() == text
    run("adopt", "-e", "storage_replace=true")
    found = yaml.safe_load((own / "storage.yml").read_text())["storage_layout"]
    assert [one["label"] for one in found["filesystems"] if one["mount_point"] == "/srv"] == ["other"]
