# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap with a new key at each boot: a plain container, which is nothing but a line of crypttab.

There is no header, so nothing on the device tells what it is, and a boot destroys whatever the device holds that the
line names. So the line names the device by what stays with it, and is written once the device is blank.
"""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Plan, Wait
from ...document.luks import RANDOM, Luks
from ...document.names import check_name
from ..actions import OpenContainer
from ..boot import array_lines
from ..devices import Content, Device
from ..findings import of_devices, told
from ..host import Host, replace_item
from ..layer import Found, Reported
from ..safety import blank, check_boot, take
from .crypttab import CRYPTTAB, LASTING, Line, line_of, moves, with_option
from .health import of_plain
from .state import Plain, mapper_path
from .steps import Steps, close_mapping, step, write_line

#: What a boot and cryptsetup take by default differs from version to version, so the line says it.
_CIPHER, _KEY_SIZE = "aes-xts-plain64", 512


def is_meant(host: Host, want: Luks) -> bool:
    return want.type == "plain" or any(plain.name == want.name for plain in host.plains)


def plan(host: Host, want: Luks, allow: bool) -> Plan:
    """What it takes. ``allow``: the device may hold something, which is destroyed."""
    found = _find(host, want)
    if want.state == "absent":
        return _absent(host, want, found)
    line, device = _line(host, want, found)
    steps: Steps = ()
    opens = want.state == "present" and not (found and found.mapped)
    if opens or found is None:
        # Also where a line has it already: it may have been put to another use since, until the next boot.
        others = host._replace(plains=tuple(plain for plain in host.plains if plain is not found))
        steps = take(others, device, f"luks {want.name}", "device", allow)
        host = host.with_content(device.path)
    before = line_of(host, want.name)
    more, host = write_line(host, want.name, line)
    steps += more
    plain = found or Plain(want.name, device.path)
    host = host._replace(plains=replace_item(host.plains, found, plain))
    pending = _pending(host, want, plain, before, line)
    if opens:
        more, host = _open(host, want, plain, line)
    elif want.state == "closed" and plain.mapped:
        more, host = _close(host, want, plain, f"luks {want.name} cannot be closed")
    else:
        more = ()
    warnings = told(f"luks {want.name}", *of_devices(host, device.path), *of_plain(host, plain))
    return Plan(steps + more, host, pending_reboot=pending, warnings=warnings)


def _find(host: Host, want: Luks) -> Plain | None:
    """The line that is meant. Raises Refused where something else has the name, or the device."""
    what = f"luks {want.name}"
    found = next((plain for plain in host.plains if plain.name == want.name), None)
    if found and want.type not in (None, "plain"):
        raise Refused(f"{what}: {CRYPTTAB} gives it a new key at each boot (type plain), and {want.type} is wanted")
    if found and not found.swap:
        raise Refused(
            f"{what}: {CRYPTTAB} gives it a new key at each boot without the option swap, which is not managed here; "
            "that line was left as it is"
        )
    device = host.find(want.device) if want.device else None
    if found and device and device.path != found.device:
        there = found.device or "a device that is not here"
        raise Refused(
            f"{what}: {CRYPTTAB} has it on {there}, and {device.path} is wanted; remove it there first (state absent)"
        )
    if want.state == "absent" or found:
        return found
    if line_of(host, want.name):
        raise Refused(
            f"{what}: {CRYPTTAB} has {want.name} with a key that stays. Take that out, or choose another name"
        )
    if host.find(mapper_path(want.name)):
        raise Refused(f"{what}: {mapper_path(want.name)} is there, and is not of {CRYPTTAB}; choose another name")
    return None


def _line(host: Host, want: Luks, found: Plain | None) -> tuple[Line, Device]:
    """The line of crypttab that is wanted, and its device."""
    what = f"luks {want.name}"
    if found is None:
        given = {"device": want.device, "key_file": want.key}
        missing = [word for word, value in given.items() if value is None]
        if missing or want.state == "closed":
            also = f"say also: {', '.join(missing)}" if missing else "say state present"
            raise StorageError(f"{what} does not exist, and to create it, {also}")
        check_name(want.name, "luks", 127)
    if found and not found.device:
        raise StorageError(f"{what}: the device that {CRYPTTAB} has it on is not here")
    device = host.devices[found.device] if found else host.device(want.device or "", what)
    line = line_of(host, want.name) or Line(
        want.name,
        "",
        RANDOM[0],
        ("swap", f"cipher={want.cipher or _CIPHER}", f"size={want.key_size or _KEY_SIZE}", "nofail"),
    )
    if want.key:
        line = line._replace(key=want.key.file)
    options = line.options
    for word, value in (("cipher", want.cipher), ("size", want.key_size), ("sector-size", want.sector_size)):
        if value is not None and line.value(word) != str(value):
            options = (*(one for one in options if not one.startswith(f"{word}=")), f"{word}={value}")
    options = with_option(options, "noauto", want.state != "present" or want.open_at_boot is False)
    options = with_option(options, "nofail", None if want.boot_required is None else not want.boot_required)
    options = with_option(options, "discard", want.allow_discards)
    if not line.device or moves(line.device):
        line = line._replace(device=_lasting(host, want, device))
    return line._replace(options=options), device


def _lasting(host: Host, want: Luks, device: Device) -> str:
    """The path of a device by which a boot finds no other one. Raises Refused where there is none."""
    made = [line.device for line in array_lines(host)]
    # One that is only planned has no other path yet.
    made += [volume.device for group in (host.lvm.groups if host.lvm else ()) for volume in group.volumes]
    for path in (device.link, _part_link(host, device), want.device or "", device.path):
        if path.startswith(LASTING) or (path in made and not path.startswith("/dev/dm-")):
            return path
    raise Refused(
        f"luks {want.name}: {device.path} has no name that stays with it (in /dev/disk/by-id, or of the device "
        "mapper), and a boot would destroy what another device of this name holds. Have a partition or a volume for it"
    )


def _part_link(host: Host, device: Device) -> str:
    """The link that udev is going to have for a partition that is only planned; empty where that is not known."""
    link = host.stable(device.disk) if device.disk in host.devices else ""
    number = device.path[len(device.disk) :].lstrip("p")
    return f"{link}-part{number}" if link.startswith("/dev/disk/by-id/") and number.isdigit() else ""


def _open(host: Host, want: Luks, plain: Plain, line: Line) -> tuple[Steps, Host]:
    device = host.devices[plain.device]
    sector = line.value("sector-size")
    argv = (
        *("cryptsetup", "open", "--batch-mode", "--type", "plain", "--key-file", line.key),
        *("--cipher", line.value("cipher") or _CIPHER, "--key-size", line.value("size") or str(_KEY_SIZE)),
        *(("--sector-size", sector) if sector else ()),
        *(("--allow-discards",) if "discard" in line.options else ()),
        *(device.path, want.name),
    )
    path = mapper_path(want.name)
    detail = f"{host.shown(device.path)} as {path}, with a key of this boot"
    opened = step(
        "open", want.name, detail, OpenContainer(device.path, want.name, argv), Wait(path), claims=(blank(device),)
    )
    size = int(sector or device.sector)
    inside = Device(path, size=device.size, link=path, sector=size, physical=max(device.physical, size))
    host = host.with_device(inside, path)
    held = host.devices[device.path]._replace(holders=(path,))
    host = host._replace(devices={**host.devices, device.path: held})
    return (opened,), host._replace(plains=replace_item(host.plains, plain, plain._replace(mapped=path)))


def _close(host: Host, want: Luks, plain: Plain, what: str) -> tuple[Steps, Host]:
    steps, host = close_mapping(host, want, plain.mapped, plain.device, what)
    return steps, host._replace(plains=replace_item(host.plains, plain, plain._replace(mapped="")))


def _pending(host: Host, want: Luks, plain: Plain, before: Line | None, line: Line) -> tuple[str, ...]:
    """What takes effect with the next boot, since what is in use stays as it is."""
    if not plain.mapped:
        return ()
    pending = []
    for word in ("cipher", "size", "sector-size"):
        if before and before.value(word) != line.value(word):
            pending.append(f"luks {want.name}: {word} {line.value(word)}, since it is open")
    inside, device = host.devices[plain.mapped], host.devices[plain.device]
    if inside.size < device.size // inside.sector * inside.sector:
        pending.append(f"luks {want.name}: {device.path} grew, which {want.name} has after the next boot")
    return tuple(pending)


def _absent(host: Host, want: Luks, plain: Plain | None) -> Plan:
    """Closed, and forgotten by crypttab. Nothing is lost that a boot would not take."""
    steps: Steps = ()
    if plain is None:
        return Plan((), host)
    what = f"luks {want.name} cannot be removed"
    if plain.mapped:
        check_boot(host, plain.mapped, Content(), what)
        steps, host = _close(host, want, plain, what)
    more, host = write_line(host, want.name, None)
    return Plan(steps + more, host._replace(plains=tuple(one for one in host.plains if one.name != plain.name)))


def dump(host: Host, plain: Plain) -> dict[str, Any]:
    """As an item of the document."""
    line = line_of(host, plain.name) or Line(plain.name, plain.device)
    numbers = {"key_size": line.value("size"), "sector_size": line.value("sector-size")}
    return {
        "name": plain.name,
        "device": host.stable(plain.device) if plain.device else line.device,
        "type": "plain",
        **({"cipher": line.value("cipher")} if line.value("cipher") else {}),
        **{word: int(value) for word, value in numbers.items() if value.isdigit()},
        "key_file": line.key,
        "allow_discards": "discard" in line.options,
        "open_at_boot": line.is_opened,
        **({"boot_required": line.is_required} if line.is_opened else {}),
        "state": "present" if plain.mapped else "closed",
    }


def status(host: Host, plain: Plain) -> dict[str, Any]:
    """How it does; what a header would say is empty."""
    inside = host.devices.get(plain.mapped)
    return {
        "device": plain.mapped,
        "size": inside.size if inside else 0,
        "uuid": "",
        "keyslots": [],
        "tokens": [],
        "reencryption": "",
    }


def survey(host: Host) -> list[Reported]:
    return [Reported(dump(host, plain), status(host, plain)) for plain in managed(host)]


def present(host: Host) -> list[Found]:
    return [
        Found(plain.name, Luks(plain.name, type="plain", state="absent"), (plain.mapped or plain.name,))
        for plain in managed(host)
    ]


def managed(host: Host) -> list[Plain]:
    """Those that are swap, on a device that is here."""
    return [plain for plain in host.plains if plain.swap and plain.device]
