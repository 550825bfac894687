# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kind of machine a lab is, and what becomes of a kernel that does not work or cannot be had."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.lab import Hardware, LabError, accelerator, kinds, uml_kernel
from tests.lab.image import Image
from tests.lab.uml_kernel import Kernel
from tests.lab.write_log import Recorder

IMAGE = Image(Path("image-bookworm-0123"))


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host without KVM where user mode works, and nothing is known yet; return where its answers are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LAB_MACHINE", raising=False)
    monkeypatch.setattr(accelerator, "choose", lambda image: "tcg")
    monkeypatch.setattr(kinds, "reason_against", lambda: "")
    monkeypatch.setattr(kinds, "probe", lambda: "")
    (tmp_path / "uml-kernel-7.2um1-2/modules/7.2.7").mkdir(parents=True)
    monkeypatch.setattr(uml_kernel, "ensure", lambda: Kernel(tmp_path / "uml-kernel-7.2um1-2"))
    return tmp_path / "strata-storage/lab/uml.json"


def test_what_works_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kinds.choose(IMAGE) == "uml"
    monkeypatch.setattr(kinds, "reason_against", lambda: "it needs root")
    assert kinds.choose(IMAGE) == "qemu"
    monkeypatch.setattr(kinds, "reason_against", lambda: "")
    monkeypatch.setattr(accelerator, "choose", lambda image: "kvm")
    assert kinds.choose(IMAGE) == "qemu"
    monkeypatch.setenv("LAB_MACHINE", "uml")
    assert kinds.choose(IMAGE) == "uml"


def test_an_unknown_kind() -> None:
    with pytest.raises(LabError, match="'vmware' is no kind of machine: qemu, uml"):
        kinds.machine("vmware", IMAGE, Hardware())


def test_a_kernel_is_tried_once(
    monkeypatch: pytest.MonkeyPatch, host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[str] = []

    def probe() -> str:
        tried.append("")
        return "it dies"

    monkeypatch.setattr(kinds, "probe", probe)
    assert [kinds.choose(IMAGE), kinds.choose(IMAGE)] == ["qemu", "qemu"]
    assert len(tried) == 1
    assert "7.2.7 does not work here: software emulation instead (it dies)" in capsys.readouterr().err
    # Another image is another thing to try, and so is this one after the host's next boot.
    assert kinds.choose(Image(Path("image-trixie-4567"))) == "qemu"
    host.write_text(json.dumps({**json.loads(host.read_text()), "host": "another boot"}))
    kinds.choose(IMAGE)
    assert len(tried) == 3
    # A failure may be that of a busy host.
    os.utime(host, (0, 0))
    kinds.choose(IMAGE)
    assert len(tried) == 4


def test_what_is_asked_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "reason_against", lambda: "it needs root")
    with pytest.raises(LabError, match="no machine in user mode here: it needs root"):
        kinds.machine("uml", IMAGE, Hardware())
    monkeypatch.undo()
    monkeypatch.setenv("LAB_ACCELERATOR", "hvf")
    with pytest.raises(LabError, match="LAB_ACCELERATOR is 'hvf', which is neither kvm nor tcg"):
        accelerator.choose(IMAGE)


def test_no_kernel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def nowhere() -> Kernel:
        raise LabError("apt-get failed: no such host")

    monkeypatch.setattr(uml_kernel, "ensure", nowhere)
    assert kinds.choose(IMAGE) == "qemu"
    said = capsys.readouterr().err
    assert "no kernel of User Mode Linux: software emulation instead (apt-get failed: no such host)" in said


@pytest.mark.skipif(not uml_kernel.KEYRING.exists(), reason="make unit installs no packages of the system")
def test_a_mirror_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_MIRROR", "http://127.0.0.1:9/debian")
    with pytest.raises(LabError, match="apt-get failed"):
        uml_kernel.fetch()
    assert not list((tmp_path / "strata-storage/lab").glob("uml-kernel-*"))


def test_the_newest_kernel_is_taken(tmp_path: Path) -> None:
    cache = tmp_path / "strata-storage/lab"
    cache.mkdir(parents=True)
    assert uml_kernel.find() is None
    for version in ("7.2um1", "7.10um1", "6.12um1"):
        (cache / f"uml-kernel-{version}-2").mkdir()
    (cache / "uml-kernel-7.3um1-1").mkdir()
    found = uml_kernel.find()
    assert found is not None
    assert found.package_version == "7.10um1"


def test_a_shorter_benchmark_or_none_other() -> None:
    loop = b"\x49\x8b\x12\x48\x83\xea\x10\x4c\x39\xda\x79\x44"
    other = b"\x48\x83\xea\x10\xc3"
    program = loop + other + loop
    assert uml_kernel.with_a_short_benchmark(program) == program.replace(b"\xea\x10\x4c", b"\xea\x01\x4c")
    assert uml_kernel.with_a_short_benchmark(loop + other) == loop + other


def test_another_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(LabError, match="x86_64 only, and not on riscv64"):
        Recorder(tmp_path)
