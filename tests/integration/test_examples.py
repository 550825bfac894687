# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows for a host, run in its order: with the lab's disks by other names, and small sizes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import examples
from tests.ceph import Cluster
from tests.examples import Block
from tests.lab import Guest, Lab
from tests.lab.fixtures import untouched

from .test_rbd_map import reach

BY_ID = {
    **{f"ata-ST4000VN008_WDH0000{number}": f"HDD{number}" for number in range(1, 7)},
    "nvme-eui.0025385b01412345": "SSD1",
    "nvme-eui.0025385b01412346": "SSD2",
}
BY_KERNEL = dict(zip("bcdefghi", ("HDD1", "HDD2", "HDD3", "HDD4", "HDD5", "HDD6", "SSD1", "SSD2"), strict=True))


class Reader:
    """Somebody who does what a page says, one block after the other."""

    def __init__(self, lab: Lab, guest: Guest, where: Path, blocks: list[Block]) -> None:
        self.guest = guest
        self.where = where
        # What is shown of a run is no part of it.
        self.left = [block for block in blocks if block.language not in ("text", "json")]
        self.kernel = BY_KERNEL
        self.part = ""  # of the disks by their ids
        self.defaults: dict[str, Any] = {}  # of modules, on this machine
        inventory = where / "inventory"
        inventory.mkdir(exist_ok=True)
        (inventory / "lab.yml").write_text(lab.inventory_path.read_text())
        (inventory / "groups").write_text("[fileservers]\nlab\n[web1]\nlab\n")
        self.environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_GATHERING": "explicit",
            "ANSIBLE_INVENTORY": str(inventory),
        }

    def here(self, text: str) -> str:
        """A text with this machine's disks and sizes."""
        for name, serial in BY_ID.items():
            text = text.replace(f"/dev/disk/by-id/{name}", self.guest.disk(serial) + self.part)
        text = re.sub(r"(/dev/)?\bsd([b-i])\b", lambda found: self.guest.disk(self.kernel[found.group(2)]), text)
        # Before the data of such small disks there is only room to grow by chunks that are small as well.
        text = re.sub(r"^( +)level: '5'$", r"\g<0>\n\1chunk_size: 64K", text, flags=re.MULTILINE)
        text = text.replace("4TB", "400MB").replace("400GB", "200MB").replace("S4EWNX0R", "SSD1")
        return re.sub(r"\b(\d+)G\b", lambda found: f"{int(found.group(1)) * 2}M", text)

    def play(self, *options: str, fails: bool = False, only: slice = slice(None)) -> str:
        """Run the next block of YAML, or some of its tasks."""
        block = self.left.pop(0)
        assert block.language == "yaml", block
        plays = examples.plays(block._replace(text=self.here(block.text)))
        if only != slice(None):
            plays[0]["tasks"] = plays[0]["tasks"][only]
        for play in plays:
            if play["hosts"] == "localhost":
                play["module_defaults"] = self.defaults
        book = self.where / "play.yml"
        book.write_text(yaml.safe_dump(plays, sort_keys=False))
        return self._run(["ansible-playbook", *options, str(book)], fails, block.where)

    def commands(self) -> list[str]:
        """Run what the next block types."""
        block = self.left.pop(0)
        assert block.commands, block
        return [self._run(shlex.split(self.here(command)), False, block.where) for command in block.commands]

    def skip(self, *languages: str) -> None:
        """Pass over what is not to be run."""
        for language in languages:
            assert self.left.pop(0).language == language

    def _run(self, command: list[str], fails: bool, where: str) -> str:
        # What Ansible has started ends with it, and is not let loose on the next test's guest.
        bounded = ["timeout", "--kill-after=10", "1200", *command]
        done = subprocess.run(
            bounded, cwd=self.where, env=self.environment, capture_output=True, text=True, check=False
        )
        said = (done.stdout + done.stderr).replace("\\n", "\n")
        assert (done.returncode != 0) == fails, f"{where}\n{said}"
        return said


@pytest.fixture
def read(lab: Lab, guest: Guest, tmp_path: Path) -> Any:
    """Open a page, or a module's examples."""

    def open_(page: str) -> Reader:
        if page.endswith(".md"):
            return Reader(lab, guest, tmp_path, examples.blocks(page))
        (block,) = [block for block in examples.of_plugins() if block.where == f"plugins/modules/{page}.py"]
        return Reader(lab, guest, tmp_path, [block])

    return open_


def test_readme(read: Any, lab: Lab, guest: Guest) -> None:
    reader = read("README.md")
    # Building and installing it is in test_ansible.
    reader.skip("console")
    reader.skip("console")
    reader.play("--check")
    (reader.where / "play.yml").rename(reader.where / "storage.yml")
    planned, done, found = reader.commands()
    assert "changed=1" in planned
    assert "changed=1" in done
    assert '"mount_point": "/srv/logs"' in found
    untouched(lab)
    assert all("CHANGED" in said for said in reader.commands())
    assert reader.guest.run("findmnt --noheadings --output SOURCE /srv").stdout.strip() == "/dev/mapper/data-data"
    assert reader.left == []


@pytest.mark.further
def test_first_array(read: Any, guest: Guest) -> None:
    reader = read("docs/guides/first-array.md")
    assert "wwn-0x" in reader.commands()[0]
    assert '"unused"' in reader.commands()[0]
    assert "create" in reader.commands()[0]
    assert "md0" not in guest.read("/proc/mdstat")
    assert "changed=2" in reader.play()
    # A month later, the first resync is done.
    guest.run("mdadm --wait /dev/md0", check=False)
    assert "changed=1" in reader.play()
    assert reader.left == []


def small_parts(guest: Guest) -> str:
    """Give each hard disk a small partition, so that resyncs are done soon. Returns what it is called by.

    Not for a reshape: one crept there, on a busy machine.
    """
    for number in range(1, 7):
        guest.run(f"echo 'size=96M' | sfdisk --quiet --label gpt {guest.disk(f'HDD{number}')}")
    guest.run("udevadm settle")
    return "-part1"


@pytest.mark.further
def test_replace_a_dead_disk(read: Any, lab: Lab, guest: Guest) -> None:
    part = small_parts(guest)
    disks = " ".join(guest.disk(f"HDD{number}") + part for number in (1, 2, 3))
    guest.run(f"mdadm --create /dev/md0 --run --level=5 --raid-devices=3 --force --name=md0 {disks}")
    guest.run("mkfs.ext4 -q /dev/md0 && mount /dev/md0 /mnt && echo kept > /mnt/file && sync")
    guest.run("mdadm --wait /dev/md0", check=False)
    reader = read("docs/guides/replace-a-dead-disk.md")
    reader.part = part
    health = reader.left[0]
    assert "changed=0" in reader.play()
    lab.pull_disk("HDD2")
    guest.run("echo more >> /mnt/file; sync")
    reader.left.insert(0, health)
    assert "problem: degraded" in reader.play(fails=True)
    assert "changed=1" in reader.play()
    assert guest.run("cat /mnt/file").stdout == "kept\nmore\n"
    assert "[UUU]" in guest.read("/proc/mdstat")
    assert "changed=1" in reader.play()
    assert "(S)" in guest.read("/proc/mdstat")
    lab.pull_disk("HDD3")
    guest.run("echo still >> /mnt/file; sync; udevadm settle")
    guest.run("mdadm --wait /dev/md0", check=False)
    assert "changed=1" in reader.play()
    assert "[UUU]" in guest.read("/proc/mdstat")
    assert "(S)" in guest.read("/proc/mdstat")
    assert guest.run("cat /mnt/file").stdout == "kept\nmore\nstill\n"
    assert reader.left == []
    reader.left.insert(0, health)
    assert "changed=0" in reader.play()


@pytest.mark.further
def test_cache_a_slow_array(read: Any, guest: Guest) -> None:
    reader = read("docs/guides/cache-a-slow-array.md")
    reader.play()
    guest.run("echo kept > /srv/file")
    reader.play()
    assert guest.read("/sys/block/bcache0/bcache/writeback_percent").strip() == "20"
    for _ssd in range(2):
        assert "changed=1" in reader.play()
    assert guest.run("wipefs --noheadings " + " ".join(guest.disk(f"SSD{number}") for number in (1, 2))).stdout == ""
    assert guest.read("/srv/file") == "kept\n"
    assert reader.left == []


@pytest.mark.further
def test_grow_and_shrink_a_drive(read: Any, guest: Guest) -> None:
    reader = read("docs/guides/grow-and-shrink-a-drive.md")

    def size() -> int:
        return int(guest.run("findmnt --noheadings --bytes --output SIZE /srv").stdout) >> 20

    reader.play()
    guest.run("echo kept > /srv/file")
    sizes = [size()]
    for _step in ("grow", "shrink"):
        reader.play()
        sizes.append(size())
    assert sizes[2] < 400 < sizes[0] < sizes[1]
    reader.play()
    assert guest.read("/srv/file") == "kept\n"
    assert guest.run("pvs --noheadings | wc -l").stdout.strip() == "1"
    assert "changed=4" in reader.play()
    assert guest.run("lvs --noheadings | wc -l").stdout.strip() == "1"
    assert "changed=3" in reader.play()
    assert guest.run("pvs --noheadings").stdout == ""
    assert reader.left == []


@pytest.mark.further
def test_several_mounts(read: Any, guest: Guest) -> None:
    reader = read("docs/guides/several-mounts.md")
    reader.play()
    for point, root in (("/srv/home", "/@home"), ("/var/log/app", "/@log")):
        assert guest.run(f"findmnt --noheadings --output FSROOT {point}").stdout.strip() == root
    guest.run("echo kept > /srv/home/file; ls -d /srv/@spare")
    reader.play()
    guest.run("[ ! -e /srv/@log ] && ! findmnt /var/log/app")
    assert guest.read("/srv/home/file") == "kept\n"
    reader.play()
    guest.run("echo page > /srv/web/html/page; ! touch /var/www/page")
    assert guest.read("/var/www/page") == "page\n"
    assert guest.run("stat --format %U /srv/web/spool").stdout == "www-data\n"
    assert reader.left == []


@pytest.mark.further
def test_elastic_drive(read: Any, guest: Guest) -> None:
    reader = read("docs/guides/elastic-drive.md")

    def size() -> int:
        return int(guest.run("stat --format=%s /var/lib/strata-storage/volumes/scratch/*").stdout) >> 20

    reader.play()
    assert size() == 320
    guest.run("echo kept > /srv/file")
    reader.play()
    assert size() == 480
    assert int(guest.run("findmnt --noheadings --bytes --output SIZE /srv").stdout) >> 20 > 470
    assert guest.read("/srv/file") == "kept\n"
    assert "changed=3" in reader.play()
    assert guest.run("vgs --noheadings").stdout == ""
    (kept,) = guest.run("ls /var/lib/strata-storage/volumes/scratch").stdout.split()
    assert kept.endswith(".snapshot")
    assert reader.left == []


@pytest.mark.further
def test_one_document(read: Any, guest: Guest) -> None:
    reader = read("docs/guides/one-document.md")
    assert "changed=1" in reader.play()
    assert "data/logs" in reader.play()
    (adopted,), (checked,) = reader.commands(), reader.commands()
    assert "lab" in adopted
    assert "changed=0" in checked
    played = reader.play()
    assert "changed=2" in played
    assert "create volume data/scratch: " in played
    assert guest.run("findmnt --noheadings --output FSTYPE /scratch").stdout.strip() == "ext4"
    assert reader.left == []


@pytest.mark.further
def test_rbd_from_zero(read: Any, guest: Guest) -> None:
    reader = read("docs/guides/rbd-from-zero.md")
    with Cluster() as cluster, reach(guest, cluster):
        cluster.pool("vms")
        reader.defaults = {"group/strata.storage.rbd": {"conf": str(cluster.conf)}}
        reader.play()
        assert cluster.run("rbd", "ls", "vms").split() == ["debian12", "web2"]
        # As a check: the role is for a cluster that speaks the older protocol too.
        assert "changed=3" in reader.play("--check", "--extra-vars", f"rbd_drive_admin_conf={cluster.conf}")
        for _ in ("the snapshot", "the way back", "the trash"):
            assert "changed=1" in reader.play()
        assert cluster.run("rbd", "trash", "ls", "vms").split()[1] == "web2"
    assert reader.left == []


@pytest.mark.further
def test_raid_examples(read: Any) -> None:
    reader = read("raid")
    # The second array is on other disks than the first.
    reader.kernel = {"b": "SSD1", "c": "SSD2", "d": "HDD6"}
    assert "changed=7" in reader.play()


@pytest.mark.further
def test_bcache_examples(read: Any, guest: Guest) -> None:
    disks = " ".join(guest.disk(f"HDD{number}") for number in (1, 2))
    guest.run(f"mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --bitmap=none --name=md0 {disks}")
    assert "changed=5" in read("bcache").play()


@pytest.mark.further
def test_lvm_drive_examples(read: Any, guest: Guest) -> None:
    assert "changed=8" in read("lvm_drive").play()
    assert guest.run("findmnt --noheadings --output FSTYPE /srv/log").stdout.strip() == "ext4"


@pytest.mark.further
def test_luks_examples(read: Any, guest: Guest) -> None:
    one, two = guest.disk("HDD1"), guest.disk("HDD2")
    guest.run(f"mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --assume-clean {one} {two}")
    guest.run("mkdir -m 0700 /etc/keys && umask 077 && head -c 64 /dev/urandom > /etc/keys/vault")
    assert "changed=3" in read("luks_device").play("--extra-vars", "vault_passphrase=staple", only=slice(0, 3))
    # test_luks.py has a TPM and Tang servers.
    assert "changed=2" in read("luks_device").play(only=slice(5, None))
    assert guest.run("wipefs --noheadings --output TYPE /dev/md0").stdout == ""
    assert "failed=0" in read("luks_device_info").play()


@pytest.mark.further
def test_layout_examples(read: Any, lab: Lab) -> None:
    assert "changed=1" in read("layout").play(only=slice(0, 1))
    reader = read("layout_info")
    (reader.where / "layouts").mkdir()
    assert "data/srv" in reader.play()
    assert "md0" in (reader.where / "layouts/lab.yml").read_text()
    for name in ("raid", "bcache", "lvm_drive"):
        assert "failed=0" in read(f"{name}_info").play()
    untouched(lab)
    assert "changed=4" in read("layout").play(only=slice(1, -1))
    untouched(lab)
    # As a check: test_luks.py has such a stack in earnest, and with a key that is tried faster.
    assert "changed=1" in read("layout").play("--check", only=slice(-1, None))


@pytest.mark.parametrize("role", ["host_layout", "raid_drive", "cached_drive"])
@pytest.mark.first_case
def test_roles(read: Any, guest: Guest, role: str) -> None:
    # As a check: their Molecule scenarios do such things in earnest.
    assert "changed=1" in read(f"roles/{role}/README.md").play("--check")
    assert guest.read("/proc/mdstat").partition("\n")[2].startswith("unused")


def test_safety(read: Any, guest: Guest) -> None:
    guest.run(f"mkfs.ext4 -q {guest.disk('HDD1')}")
    reader = read("docs/safety.md")
    assert "ext4 filesystem" in reader.play()
    assert guest.run(f"wipefs --noheadings --output TYPE {guest.disk('HDD1')}").stdout.strip() == "ext4"
    assert reader.left == []
