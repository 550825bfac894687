# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What decides which image and which snapshot of the cache a lab takes."""

from __future__ import annotations

import lzma
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import image
from tests.lab.hardware import Disk, Hardware
from tests.lab.qemu import snapshot_key


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A copy of the recipe to change."""
    copy = tmp_path / "recipe"
    shutil.copytree(image.RECIPE, copy)
    return copy


def test_key_is_stable(recipe: Path) -> None:
    assert image.recipe_key("bookworm", recipe) == image.recipe_key("bookworm")


def test_key_depends_on_all_of_the_recipe(recipe: Path) -> None:
    keys = {image.recipe_key("bookworm", recipe), image.recipe_key("trixie", recipe)}
    with (recipe / "packages.txt").open("a") as file:
        file.write("hello\n")
    keys.add(image.recipe_key("bookworm", recipe))
    (recipe / "root" / "etc" / "motd").write_text("")
    keys.add(image.recipe_key("bookworm", recipe))
    (recipe / "setup.sh").chmod(0o644)
    keys.add(image.recipe_key("bookworm", recipe))
    assert len(keys) == 5


def test_mirror_only_if_given() -> None:
    target = Path("root.tar")
    assert image.mmdebstrap_command("trixie", target)[-2:] == ["trixie", "root.tar"]
    assert image.mmdebstrap_command("trixie", target, mirror="mirror")[-3:] == ["trixie", "root.tar", "mirror"]


def test_packages_are_names_alone() -> None:
    packages = image.guest_packages("trixie")
    assert set(packages) - set(image.guest_packages("bookworm")) == {"systemd-cryptsetup"}
    assert {"mdadm", "lvm2", "bcache-tools"} <= set(packages)
    assert not [package for package in packages if package != package.strip() or "#" in package]


def test_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(directory: Path) -> None:
        (directory / "part").write_text("")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        image.cached("thing", fail)
    assert [path.name for path in image.cache_directory().iterdir()] == [".thing.lock"]


def test_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built: list[Path] = []
    for _round in range(2):
        directory = image.cached("thing", built.append)
        assert directory == tmp_path / "strata-storage" / "lab" / "thing"
    assert len(built) == 1


def test_snapshot_depends_on_image_hardware_accelerator_and_qemu() -> None:
    hardware = Hardware()
    small = replace(hardware, disks=(Disk("HDD1", 64, 7200),))
    keys = {
        snapshot_key("image", hardware, "tcg", "7.2"),
        snapshot_key("other", hardware, "tcg", "7.2"),
        snapshot_key("image", small, "tcg", "7.2"),
        snapshot_key("image", hardware, "kvm", "7.2"),
        snapshot_key("image", hardware, "tcg", "8.0"),
    }
    assert len(keys) == 5


def test_a_kernel_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packed = tmp_path / "vmlinuz"
    packed.write_bytes(b"loader" + lzma.compress(b"\x7fELF kernel") + b"rest")
    unpacked = image.unpacked_kernel(packed)
    assert unpacked.read_bytes() == b"\x7fELF kernel"
    assert image.unpacked_kernel(packed) == unpacked
    packed.write_bytes(b"packed otherwise")
    assert image.unpacked_kernel(packed) == packed


def test_what_nobody_uses_leaves_the_cache_when_something_new_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = ("image-bookworm-1", "ready-1", "kernel-1", "uml-kernel-7.2", "image-bookworm-2", "image-trixie-1")
    cache = image.cache_directory()
    for name in names:
        image.cached(name, lambda directory: (directory / "file").write_text("x"))
    for name in names:
        os.utime(cache / name, (0, 0))
    assert image.cached("image-bookworm-2", lambda _directory: pytest.fail("made anew")) == cache / "image-bookworm-2"
    os.utime(cache / "image-trixie-1", (time.time() - 6 * 86400,) * 2)
    image.cached("image-bookworm-3", lambda _directory: None)
    left = {path.name for path in cache.iterdir() if path.is_dir()}
    assert left == {"uml-kernel-7.2", "image-bookworm-2", "image-trixie-1", "image-bookworm-3"}
