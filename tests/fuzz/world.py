# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with a history: what happens to it, tasks of ours, and what must hold after each task.

What holds is found out by the system's own tools and by the disks themselves, never by our modules. `events` is what
happened so far, to be done again by `replay`; `transcript` is the same for people, as commands that they can type.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tests.integration.modules import ModuleFailed, result_of
from tests.integration.node import MODULES, PYTHON, WITH_MODULES, Node
from tests.lab import CommandError, Disk, Hardware, LabError
from tests.tokens import TANG_SERVER, THUMBPRINT, TPM_IN_SOFTWARE

from .files import Version, found_on, holds

#: Small, since most of a walk's time goes into resyncs.
HARDWARE = Hardware(
    disks=(*(Disk(f"HDD{number}", 160, 7200) for number in range(1, 6)), Disk("SSD1", 128, 1)), memory_mib=768
)
SERIALS = tuple(disk.serial for disk in HARDWARE.disks)
SECONDS = 120
"""Longer than that no task takes here."""
#: What md does by itself has ended; it waits for ever where an array waits for its first write.
_SETTLED = """
for md in /sys/block/md*/md; do
  [ -e "$md" ] && [ "$(cat $md/array_state)" != read-auto ] || continue
  md=${md%/md}; timeout 60 mdadm --wait /dev/${md##*/}
done
"""
_WATCHED = "/etc/fstab /etc/mdadm/mdadm.conf /etc/crypttab /etc/udev/rules.d/70-strata-*"
_LOOK = r"""
sync; echo 3 > /proc/sys/vm/drop_caches
findmnt --real --noheadings --raw --output TARGET,SOURCE | while read -r target source; do
  for file in "$target"/fuzz-*; do
    [ -f "$file" ] && printf 'file %s %s\n' "${file##*/}" "$(md5sum < "$file" 2>/dev/null | cut -c 1-32)"
  done
done
"""
_IDLE = r"""
for disk in /sys/block/sd*; do
  name=${disk##*/}
  busy=
  for part in "$disk" "$disk/$name"*; do
    if [ -d "$part/holders" ] && [ -n "$(ls -A "$part/holders")" ]; then busy=yes; fi
    if grep -q "^/dev/${part##*/} " /proc/mounts /proc/swaps; then busy=yes; fi
  done
  [ -n "$busy" ] || echo "$(tr -cd 'A-Z0-9' < "$disk/device/vpd_pg80")"
done
"""
#: What is on each disk: devices made of it, and the names of arrays and groups that it is part of.
_ON_DISKS = r"""
for disk in /sys/block/sd*; do
  node=/dev/${disk##*/}
  echo "$(tr -cd 'A-Z0-9' < "$disk/device/vpd_pg80")" $(lsblk --noheadings --raw --output NAME "$node") \
    $(mdadm --examine "$node"* 2>/dev/null | sed -n 's/^ *Name ://p') $(pvs --noheadings -o vg_name "$node" 2>/dev/null)
done
"""
_SICK = r"""
for member in /sys/block/md*/md/dev-*; do
  [ -d "$member" ] || continue
  state=$(cat "$member/state")
  bad=$(cat "$member/bad_blocks" 2>/dev/null | head -n 1)
  case "$state" in *write_error*|*want_replacement*|*faulty*) echo "$member is $state" ;; esac
  [ -z "$bad" ] || echo "$member has bad blocks: $bad"
done
"""


_SCRUB = r"""
for md in /sys/block/md*/md; do
  case $(cat "$md/level" 2>/dev/null) in raid1|raid4|raid5|raid6|raid10) ;; *) continue ;; esac
  [ "$(cat "$md/degraded") $(cat "$md/sync_action")" = "0 idle" ] || continue
  case $(cat "$md/array_state") in clean|active|active-idle) ;; *) continue ;; esac
  echo check > "$md/sync_action"
  until [ "$(cat "$md/sync_action")" = idle ]; do sleep 0.1; done
  # A member that was pulled fails only now, and nothing was compared.
  [ "$(cat "$md/degraded")" = 0 ] || continue
  found=$(cat "$md/mismatch_cnt")
  [ "$found" = 0 ] || echo "$md: $found sectors differ"
done
"""


class Broken(AssertionError):
    """Something that must hold does not; ``kind`` tells failures of one sort from others."""

    def __init__(self, kind: str, detail: str, transcript: list[str]) -> None:
        super().__init__(kind, detail, transcript)  # all of them: it is sent from one process to another
        self.kind = kind

    def __str__(self) -> str:
        kind, detail, transcript = self.args
        return f"{kind}: {detail}\n" + "\n".join(transcript)


class Look(NamedTuple):
    """What a host was like: which versions can be read or found, and what was written to disks that nobody uses."""

    readable: frozenset[Version]
    survive: frozenset[Version]
    idle: frozenset[str]
    written: dict[str, int]
    files: str


class World:
    """One host from blank disks on."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.lab = node.lab
        self.broken = False
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.transcript: list[str] = []
        self._known: dict[str, Version] = {}
        self._kept: set[Version] = set()
        self._held: dict[str, set[Version]] = {}
        self.lab.reset(WITH_MODULES)
        self._run("modprobe raid1; sysctl -qw dev.raid.speed_limit_min=400000 dev.raid.speed_limit_max=4000000")
        self._run(TPM_IN_SOFTWARE + TANG_SERVER)
        self._thumbprint = self._run(THUMBPRINT)

    # What walks are made of

    def do(self, event: str, **words: Any) -> None:
        """Have something happen, and remember that."""
        self.events.append((event, words))
        getattr(self, event)(**words)

    def replay(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        for event, words in events:
            self.do(event, **words)

    # What happens to hosts

    def shell(self, command: str) -> str:
        """Somebody types a command; `{HDD1}` is a disk. What it says when it fails is not our concern."""
        typed = self._named(command)
        self.transcript.append(f"# {typed}")
        try:
            return self.node.guest.run(typed, check=False, timeout=SECONDS).stdout.strip()
        except subprocess.TimeoutExpired:
            return ""

    def take(self, command: str) -> None:
        """The same, with a command that may take away what fstab names: then no boot is to wait for that."""
        self.shell(command)
        self._wait_for_nothing()

    def wipe(self, serial: str) -> None:
        """Somebody gives a disk up: what no other one holds may be overwritten from then on, though it can be read."""
        device = f"{{{serial}}}"
        self.take(f"umount /srv /m1; wipefs --all {device}* 2>/dev/null")
        if not self._run(self._named(f"[ -b {device} ] && wipefs --noheadings {device} || echo none"), check=False):
            mine = self.lab.directory / "disks" / self.lab.media[serial].file
            self._kept -= holds(mine) - found_on([path for path in self._media() if path != mine])

    def overwrite(self, serial: str, command: str) -> None:
        """The same, with a command that writes to a disk, if nobody uses it: below an array, nobody can see that."""
        if serial in self._idle():
            self.take(command)

    def _wait_for_nothing(self) -> None:
        if self._run(r"grep -E ' /(srv|m1) ' /etc/fstab | grep -v nofail", check=False):
            self.shell(r"sed -i '/ \/\(srv\|m1\) /{/nofail/!s/defaults/&,nofail/}' /etc/fstab; systemctl daemon-reload")

    def filesystem(self, device: str, kind: str, label: str, point: str, spec: str) -> None:
        """Somebody makes a filesystem on what is blank, mounts it, by fstab if ``spec`` says how, with a file on it."""
        names = {
            "ext4": "mkfs.ext4 -q -F -L",
            "btrfs": "mkfs.btrfs -q -f -L",
            "f2fs": "mkfs.f2fs -q -f -l",
            "vfat": "mkfs.vfat -I -n",
        }
        if self._run(self._named(f"[ -b {device} ] && wipefs --noheadings {device} || echo none"), check=False):
            return
        self.shell(f"{names[kind]} {label} {device}; mkdir -p {point}")
        if not self._run(self._named(f"wipefs --noheadings {device}"), check=False):
            return
        if spec:
            value = {"LABEL": f"LABEL={label}", "UUID": f"UUID=$(blkid -p -s UUID -o value {device})", "path": device}
            self.shell(f"echo {value[spec]} {point} {kind} defaults 0 2 >> /etc/fstab; systemctl daemon-reload")
        if (
            len(
                self._run(
                    f"blkid --cache-file /dev/null --match-token LABEL={label} --output device", check=False
                ).split()
            )
            > 1
        ):
            # A boot takes one of them, and does not end where that is of another type.
            self._wait_for_nothing()
        self.shell(f"mount {device} {point}")
        self.file(point)

    def file(self, point: str) -> None:
        """A file of ours is written anew where something is mounted, in place of the one that is there."""
        if not self._run(f"findmnt --noheadings --output FSTYPE {point}", check=False):
            return
        there = self._run(f"cd {point} && md5sum fuzz-* 2>/dev/null", check=False).split()
        old = self._known.get(there[0]) if there else None
        files = {version.file for version in self._known.values()}
        number = old.file if old else max(files, default=-1) + 1
        last = max((version.version for version in self._known.values() if version.file == number), default=-1)
        version = Version(number, last + 1)
        self.transcript.append(f"# write version {version.version} of {point}/{version.name}")
        content = version.content()
        written = f"base64 --decode > {point}/{version.name} && sync && md5sum < {point}/{version.name}"
        said = self.node.guest.run(written, check=False, timeout=SECONDS, input=base64.b64encode(content).decode())
        checksum = hashlib.md5(content).hexdigest()
        if said.stdout.startswith(checksum):
            self._known[checksum] = version
            self._kept = {one for one in self._kept if one != old} | {version}

    def alone(self, device: str, name: str, point: str) -> None:
        """A half of a mirror is started alone, written to, and stopped."""
        self.shell(f"mdadm --assemble --run /dev/{name} {device}; udevadm settle; mount /dev/{name} {point}")
        self.file(point)
        self.shell(f"umount {point}; mdadm --stop /dev/{name}")

    def pull(self, serial: str) -> None:
        if serial not in self.pulled():
            self.transcript.append(f"# pull {serial}")
            self.lab.pull_disk(serial)
            self._wait_for_nothing()

    def insert(self, serial: str, sector: int = 512, blank: bool = False, size_mib: int | None = None) -> None:
        """A disk comes back, behind a controller that shows it with these sectors; or another one in its place."""
        if serial in self.pulled():
            more = " blank" if blank else "" + (f" of {size_mib} MiB" if size_mib else "")
            self.transcript.append(f"# insert {serial}{more}, with sectors of {sector} bytes")
            self.lab.insert_disk(serial, new=blank, size_mib=size_mib, sector=sector)
            self._run("udevadm settle")

    def grow(self, serial: str, size_mib: int) -> None:
        if serial in self.pulled():
            return
        if int(self._run(self._named(f"blockdev --getsize64 {{{serial}}}"))) < size_mib << 20:
            self.transcript.append(f"# {serial} grows to {size_mib} MiB")
            self.lab.grow_disk(serial, size_mib)

    def reboot(self, cleanly: bool) -> None:
        """The host boots again, and is there."""
        self.transcript.append("# systemctl reboot" if cleanly else "# power cut")
        try:
            if cleanly:
                self.lab.reboot()
            else:
                self.lab.power_cut()
        except LabError as error:
            self._broken("the host does not boot", str(error))

    # Tasks of ours

    def task(self, module: str, arguments: dict[str, Any]) -> None:
        """A task in check mode, really, and once more; and all that must hold."""
        given = {word: self._filled(value) for word, value in arguments.items()}
        self.transcript.append(f"{module}: {json.dumps(given)}")
        before = self._start()
        named = self._disks_of(arguments)
        checked, refused = self._module(module, given, check=True)
        self._unchanged(before, "check mode")
        done, refused_really = self._module(module, given, check=False)
        if done is None or checked is None:
            if refused != refused_really and checked is None:
                self._broken("the real run goes on where check mode refuses", f"{refused} / {refused_really}")
            # What an array that has to be started holds, is seen once it runs: check mode says that it stops there.
            if done is None and checked is not None and not checked.get("in_progress"):
                self._broken("check mode passes and the real run fails", f"{refused_really}")
            if checked is None:
                self._unchanged(before, "a refusal")
            else:
                self._after(before, named, bool(arguments.get("allow_destroy")))
            return
        if checked["plan"] != done["plan"][: len(checked["plan"])]:
            self._broken("the real plan is another one", f"{checked['plan']} / {done['plan']}")
        self._after(before, named, bool(arguments.get("allow_destroy")))
        again, refused_again = self._module(module, given, check=False)
        going = done.get("in_progress") or done.get("pending")
        if again is None:
            self._broken("the second run fails", str(refused_again))
        elif again["changed"] and not going:
            self._broken("the second run changes something", str(again["plan"]))
        sick = self._run(_SICK)
        if sick and not again["plan"] and not _warned(again, done):
            self._broken("ok over a sick member", sick)

    def killed(self, module: str, arguments: dict[str, Any], milliseconds: int) -> None:
        """A task is killed in its midst."""
        given = {word: self._filled(value) for word, value in arguments.items()}
        self.transcript.append(f"{module}: {json.dumps(given)}, killed after {milliseconds} ms")
        before = self._start()
        named = self._disks_of(arguments)
        command = f"timeout --signal=KILL {milliseconds / 1000} {PYTHON} -m {MODULES}.{module}"
        self.node.guest.run(command, check=False, timeout=SECONDS, input=json.dumps({"ANSIBLE_MODULE_ARGS": given}))
        self._after(before, named, bool(arguments.get("allow_destroy")))

    def end(self) -> None:
        """What must hold in the end: the host boots, and mirrors whose halves are both in use hold the same."""
        self._run(_SETTLED, check=False)
        self._scrub()
        before = self._start()
        self.reboot(cleanly=False)
        self._after(before, set(SERIALS), False, "a boot")

    # How it is found out

    def pulled(self) -> set[str]:
        return set(self.lab.status().pulled)

    def _module(self, module: str, given: dict[str, Any], check: bool) -> tuple[dict[str, Any] | None, str]:
        try:
            return self._asked(module, {**given, "_ansible_check_mode": check, "_ansible_diff": True}), ""
        except ModuleFailed as error:
            said = str(error)
            if "Traceback" in str(error.result):
                self._broken("traceback", said)
            self.transcript.append(f"  -> {said}")
            return None, said
        except AssertionError as error:
            self._broken("traceback", str(error))
        except (TimeoutError, LabError) as error:
            self._broken("no end", f"{type(error).__name__}: {error}")

    def _asked(self, module: str, given: dict[str, Any]) -> dict[str, Any]:
        answer = self.node.asked(module, given, SECONDS)
        return result_of(module, answer)

    def _start(self) -> Look:
        """What there is before a task. What was lost until then, somebody else did."""
        found = self._look()
        self._kept = set(found.survive)
        return found

    def _scrub(self) -> None:
        """Halves of a mirror that are both in use hold the same, and parity is that of what is there."""
        said = self._run(_SCRUB, check=False)
        if said:
            self._broken("members differ", said)

    def _look(self) -> Look:
        readable = set()
        for line in self._run(_LOOK, check=False).splitlines():
            # A file that cannot be read has no checksum.
            name, _, checksum = line.removeprefix("file ").partition(" ")
            if not checksum:
                continue
            version = self._known.get(checksum)
            if version is None and any(one.name == name for one in self._kept):
                self._broken("a file holds what nobody wrote", name)
            if version is not None:
                readable.add(version)
        survive = (readable | found_on(self._media())) & self._kept
        return Look(frozenset(readable), frozenset(survive), self._idle(), self._written(), self._files())

    def _idle(self) -> frozenset[str]:
        return frozenset(line.split()[0] for line in self._run(_IDLE, check=False).splitlines() if line.strip())

    def _media(self) -> list[Path]:
        disks = self.lab.directory / "disks"
        return [path for path in disks.iterdir() if path.name not in ("table", "mark", "up")]

    def _written(self) -> dict[str, int]:
        media = self.lab.media
        return {
            serial: (self.lab.directory / "disks" / medium.file).stat().st_mtime_ns for serial, medium in media.items()
        }

    def _files(self) -> str:
        return self._run(f"cat {_WATCHED} 2>/dev/null | md5sum")

    def _unchanged(self, before: Look, after_what: str) -> None:
        """Nothing at all was written to disks that nobody uses, and no file is another one."""
        now = self._written()
        written = [serial for serial in sorted(before.idle) if now[serial] != before.written[serial]]
        if written:
            self._broken(f"{after_what} writes", f"to {' '.join(written)}")
        if self._files() != before.files:
            self._broken(f"{after_what} writes", "to configuration files")
        self._after(before, set(), False, after_what)

    def _after(self, before: Look, named: set[str], allowed: bool, what: str = "a task") -> None:
        """No version of a file is lost that nobody gave up, and nothing was written to disks that were not named."""
        now = self._look()
        lost = before.survive - now.survive
        permitted = set().union(*(self._held[serial] for serial in named)) if allowed else set()
        if lost - permitted:
            self._broken(f"{what} loses files", ", ".join(f"{one.name} version {one.version}" for one in sorted(lost)))
        self._kept -= lost
        written = [
            serial for serial in sorted(before.idle & now.idle - named) if now.written[serial] != before.written[serial]
        ]
        if written and what != "a boot":
            self._broken(f"{what} writes to disks that it does not name", " ".join(written))

    def _disks_of(self, arguments: dict[str, Any]) -> set[str]:
        """The disks that a task names, and those of the arrays and groups that it names; and what they hold now."""
        said = json.dumps(arguments)
        named = set(re.findall(r"(?:HDD|SSD)\d", said))
        names = set(re.findall(r'"name": "([a-z0-9]+)"', said))
        for line in self._run(_ON_DISKS, check=False).splitlines():
            serial, *words = re.findall(r"\w+", line)
            if names & set(words):
                named.add(serial)
        media = self.lab.media
        self._held = {serial: holds(self.lab.directory / "disks" / media[serial].file) for serial in SERIALS}
        return named

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._named(value)
        if isinstance(value, list):
            return [self._filled(part) for part in value]
        return {word: self._filled(part) for word, part in value.items()} if isinstance(value, dict) else value

    def _named(self, text: str) -> str:
        text = text.replace("{thumbprint}", self._thumbprint)
        return re.sub(r"\{((?:HDD|SSD)\d)\}", lambda match: self.node.disk(match[1]), text)

    def _run(self, command: str, check: bool = True) -> str:
        try:
            return self.node.guest.run(command, check=check, timeout=SECONDS).stdout.strip()
        except (CommandError, LabError, subprocess.TimeoutExpired) as error:
            self._broken("the host does not answer", str(error))

    def _broken(self, kind: str, detail: str) -> NoReturn:
        self.broken = True
        raise Broken(kind, detail, self.transcript)


def _warned(*results: dict[str, Any]) -> bool:
    return any(result.get("warnings") or result.get("health") for result in results)
