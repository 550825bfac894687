# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guest's disk image: built once per recipe, then taken from the cache; and files of other images."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError, tail

RECIPE = Path(__file__).parent / "recipe"
ARCHITECTURE = "amd64"
ROOT_MIB = 2560
BOOT_MIB = 256
KERNEL = "vmlinux"
KEPT_DAYS = 7
"""For so long the cache keeps what nobody uses: each change of the recipe makes 2 GB anew."""
XZ_MAGIC = b"\xfd7zXZ\0"
MMDEBSTRAP_OPTIONS = (
    "--variant=minbase",
    "--format=tar",
    "--skip=output/dev",
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
)
# Both file systems are made complete, so that no kernel thread initialises them behind a test's back.
ASSEMBLE = """
set -eu
mkdir -p root/dev boot
tar --extract --file=root.tar --directory=root --numeric-owner --same-permissions
mv root/boot/* boot/
cp -L boot/vmlinuz-* kernel
cp -L boot/initrd.img-* initrd
mke2fs -q -t ext4 -L root -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 -d root root.raw {root_mib}M
mke2fs -q -t ext4 -L boot -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 -d boot boot.raw {boot_mib}M
rm -rf root boot root.tar
"""


@dataclass(frozen=True)
class Image:
    """The files of one built image."""

    directory: Path

    @property
    def key(self) -> str:
        """Hash of the recipe."""
        return self.directory.name.rpartition("-")[2]

    @property
    def suite(self) -> str:
        """Debian's release."""
        return self.directory.name.split("-")[1]

    @property
    def root(self) -> Path:
        """Root file system."""
        return self.directory / "root.raw"

    @property
    def boot(self) -> Path:
        """File system of /boot."""
        return self.directory / "boot.raw"

    @property
    def kernel(self) -> Path:
        """Kernel of the first boot."""
        return self.directory / "kernel"

    @property
    def kernel_version(self) -> str:
        """What its kernel says of itself, such as `6.1.0-28-amd64`: where, Linux' x86 boot protocol tells."""
        with self.kernel.open("rb") as file:
            file.seek(0x20E)
            file.seek(0x200 + int.from_bytes(file.read(2), "little"))
            return file.read(80).split(b" ")[0].decode()

    @property
    def initrd(self) -> Path:
        """Initramfs of the first boot."""
        return self.directory / "initrd"

    @property
    def private_key(self) -> Path:
        """The client's ssh key, for root and for operator."""
        return self.directory / "client"

    @property
    def known_hosts(self) -> Path:
        """The guest's pinned host key, under the name `lab`."""
        return self.directory / "known_hosts"


def progress(message: str) -> None:
    """Tell the user on stderr what takes its time."""
    print(f"lab: {message}", file=sys.stderr, flush=True)


def cache_directory(part: str = "lab") -> Path:
    """Return the directory of everything that several labs, or other tests, share; create it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(base) / "strata-storage" / part
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def recipe_key(suite: str, recipe: Path = RECIPE) -> str:
    """Hash everything that decides what is in the image."""
    digest = hashlib.sha256()
    parts = [suite, ARCHITECTURE, *MMDEBSTRAP_OPTIONS, ASSEMBLE, str(ROOT_MIB), str(BOOT_MIB)]
    for path in sorted(path for path in recipe.rglob("*") if path.is_file()):
        parts += [str(path.relative_to(recipe)), oct(path.stat().st_mode & 0o111), path.read_text()]
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:16]


def guest_packages(suite: str, recipe: Path = RECIPE) -> list[str]:
    """Return the packages of the guest: those of all suites, and those of this one."""
    lists = [recipe / "packages.txt", recipe / f"packages-{suite}.txt"]
    lines = [line for path in lists if path.exists() for line in path.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def mmdebstrap_command(suite: str, target: Path, recipe: Path = RECIPE, mirror: str | None = None) -> list[str]:
    """Return the command that makes the root file system; without a mirror it uses its default one."""
    return [
        "mmdebstrap",
        *MMDEBSTRAP_OPTIONS,
        f"--architectures={ARCHITECTURE}",
        "--include=" + ",".join(guest_packages(suite, recipe)),
        # Before the kernel is installed, so that its initramfs is made once and as configured.
        f'--essential-hook=cp -rT --preserve=mode {recipe / "root"} "$1"',
        f'--customize-hook={recipe / "setup.sh"} "$1"',
        suite,
        str(target),
        *([mirror] if mirror else []),
    ]


@contextlib.contextmanager
def locked(path: Path, waiting_for: str) -> Iterator[None]:
    """Hold an exclusive lock on a file against other processes and threads."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for {waiting_for}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(name: str, build: Callable[[Path], object], part: str = "lab") -> Path:
    """Return the cache's directory of that name; `build` fills a temporary one if there is none yet."""
    cache = cache_directory(part)
    directory = cache / name
    if directory.is_dir():
        os.utime(directory)
        return directory
    with locked(cache / f".{name}.lock", f"another process that makes {name}"):
        if directory.is_dir():
            return directory
        for left_over in cache.glob(f".{name}.tmp-*"):
            shutil.rmtree(left_over)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=cache))
        try:
            build(temporary)
            temporary.rename(directory)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    forget_unused(cache)
    return directory


def forget_unused(cache: Path) -> None:
    """Remove images, and what was made of them, that nobody has asked for in KEPT_DAYS."""
    for path in cache.iterdir():
        if path.name.startswith(("image-", "ready-", "kernel-")):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - KEPT_DAYS * 86400:
                    progress(f"removing {path.name}, which nobody has used for {KEPT_DAYS} days")
                    shutil.rmtree(path)


def unpacked_kernel(kernel: Path) -> Path:
    """Return the kernel as QEMU starts it at once, where that is known how: unpacking it emulated takes seconds."""
    packed = kernel.read_bytes()
    start = packed.find(XZ_MAGIC)
    if start < 0:
        return kernel
    # QEMU finds the entry point in a note of the ELF file (CONFIG_PVH, which Debian sets).
    elf = lzma.LZMADecompressor().decompress(packed[start:])
    name = f"kernel-{hashlib.sha256(packed).hexdigest()[:16]}"
    return cached(name, lambda directory: (directory / KERNEL).write_bytes(elf)) / KERNEL


def find(suite: str) -> Image | None:
    """Return the image of a suite if it is in the cache."""
    directory = cache_directory() / f"image-{suite}-{recipe_key(suite)}"
    return Image(directory) if directory.is_dir() else None


def ensure(suite: str) -> Image:
    """Return the image of a suite; build it first (about two minutes) if it is not in the cache."""
    return Image(cached(f"image-{suite}-{recipe_key(suite)}", lambda directory: _build(suite, directory)))


def run(command: list[str], log: Path, directory: Path, environment: dict[str, str] | None = None) -> None:
    """Run one build command of at most 20 minutes; its output goes to the log, whose end is quoted if it fails."""
    with log.open("ab") as output:
        try:
            subprocess.run(
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=1200,
                check=True,
            )
        except FileNotFoundError as error:
            hint = Path(__file__).parent / "packages.txt"
            raise LabError(f"{command[0]} is not installed; the host needs the packages in {hint}") from error
        except subprocess.SubprocessError as error:
            raise LabError(f"{command[0]} failed: {error}\n{tail(log)}") from error


def copy(source: Path, target: Path) -> None:
    """Copy a file or a directory, by reference where the file system can, and without holes."""
    command = ["cp", "--recursive", "--reflink=auto", "--sparse=always", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{source} cannot be copied: {done.stderr.strip()}")


def newest_initramfs(disk: Path, directory: Path) -> tuple[str, Path]:
    """Read the newest kernel's initramfs off the disk of a machine that is off, as a boot loader would.

    Return that kernel's version, and the file. The file system's journal is not replayed: what was not yet in its
    place is not found.
    """
    listing = _debugfs(disk, "ls -p /")
    names = [line.split("/")[5] for line in listing.splitlines() if line.count("/") >= 6]
    versions = [name.removeprefix("initrd.img-") for name in names if name.startswith("initrd.img-")]
    complete = [version for version in versions if f"config-{version}" in names]
    if not complete:
        raise LabError(f"the guest is not bootable: no kernel with its initramfs in /boot\n{listing}")
    newest = max(complete, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])
    initrd = directory / "boot-initrd"
    read_out(disk, f"initrd.img-{newest}", initrd)
    return newest, initrd


def read_out(disk: Path, name: str, target: Path) -> None:
    """Copy a file out of the file system of a disk."""
    target.unlink(missing_ok=True)
    # There, since debugfs would take a path with a space for two.
    said = _debugfs(disk, f"dump /{name} {target.name}", target.parent)
    if not target.exists() or not target.stat().st_size:
        raise LabError(f"the guest is not bootable: {name} cannot be read from /boot\n{said}")


def _debugfs(disk: Path, request: str, directory: Path | None = None) -> str:
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    command = ["debugfs", "-c", "-R", request, str(disk.absolute())]
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )
    return done.stdout + done.stderr


def _build(suite: str, directory: Path) -> None:
    started = time.monotonic()
    progress(f"building the {suite} image, which takes about two minutes (log: {directory / 'build.log'})")
    log = directory / "build.log"
    for key, comment in (("client", "lab client"), ("host", "lab host")):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key], log, directory)
    (directory / "known_hosts").write_text(f"lab {(directory / 'host.pub').read_text()}")
    environment = {
        **os.environ,
        "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        # As texts: the hooks may run as another user of a user namespace, who cannot read our files.
        "LAB_CLIENT_KEY": (directory / "client.pub").read_text().strip(),
        "LAB_HOST_KEY": (directory / "host").read_text().strip(),
        "LAB_HOST_PUBLIC_KEY": (directory / "host.pub").read_text().strip(),
    }
    mirror = os.environ.get("LAB_MIRROR")
    run(mmdebstrap_command(suite, directory / "root.tar", mirror=mirror), log, directory, environment)
    script = ASSEMBLE.format(root_mib=ROOT_MIB, boot_mib=BOOT_MIB)
    as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", "--setuid=0", "--setgid=0"]
    run([*as_root, "sh", "-c", script], log, directory, environment)
    progress(f"built the {suite} image in {time.monotonic() - started:.0f} s")
