# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LUKS: what an encrypted container needs to be as it is wanted.

A container is known by its name (what it is open as, else what crypttab calls it), or by its device.
"""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Plan, new_uuid
from ...document.luks import Luks
from ...document.names import check_name
from ..actions import Claim, DropBackup
from ..devices import Content, Device
from ..findings import of_devices, told
from ..host import Host, replace_item
from ..layer import Found, Reported
from ..safety import DECRYPTION, blank, check_boot, emptied, is_own, take, wipe_steps
from ..unfinished import anew, begun, forget, intent, same_uuid
from . import decrypt, in_place, keys, plain, tokens, volume_key
from .crypttab import CRYPTTAB, line_of, lines, moves, of_container, with_option
from .health import of_container as findings_of
from .making import OFFSETS, new_container, new_options
from .opening import open_container
from .read import PATIENCE, backup_path, beginning_path
from .state import Container, mapper_path
from .steps import Steps, close, container_on, replace_container, signature, step, with_container, write_line

BY_DEVICE = False


def references(want: Luks) -> tuple[str, ...]:
    """What has to be resolved to plan this container."""
    return (*((want.device,) if want.device else ()), mapper_path(want.name))


def plan(host: Host, want: Luks, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    if plain.is_meant(host, want):
        return plain.plan(host, want, allow)
    container = _find(host, want)
    if want.state == "absent":
        return _absent(host, want, container, allow)
    steps: Steps = ()
    if container:
        steps, host, container = in_place.end(host, want, container)
    if want.state == "decrypted":
        made = decrypt.plan(host, want, container)
        return made._replace(steps=(*steps, *made.steps))
    carried = None
    if in_place.holds_data(host, want):
        more, host, container, carried = in_place.encrypt(host, want)
        steps += more
    elif container is None or _is_half_made(host, want, container.device):
        more, host, container = _create(host, want, allow)
        steps += more
    else:
        _check_fixed(want, container)
    if container.header.reencryption or in_place.changes(want, container):
        # Its keys stay as they are until all data is encrypted by one.
        more, host, container = _keep(host, want, container)
        steps += more
        if want.state == "present":
            more, host, container = open_container(host, want, container)
            steps += more
        if carried:
            more, host = in_place.put_to_use(host, want, container, carried)
            steps += more
        for part in (in_place.finish, in_place.reencrypt, in_place.finish):
            more, host, container = part(host, want, container)
            steps += more
    for part in (_label, volume_key.name, keys.add, tokens.add, _keep, tokens.remove, keys.remove, keys.back_up):
        more, host, container = part(host, want, container)
        steps += more
    more, host = forget(host, in_place.thing(want))
    steps += more
    pending: tuple[str, ...] = ()
    if want.state == "closed":
        more, host, container = close(host, want, container, f"luks {want.name} cannot be closed")
    else:
        more, host, container = open_container(host, want, container)
        steps += more
        more, host, pending = _grow(host, want, container)
    return Plan(steps + more, host, pending_reboot=pending, warnings=_warnings(host, want, container))


def _find(host: Host, want: Luks) -> Container | None:
    """The container that is meant: by its name, or (while nothing else has that) by its device."""
    named = [container for container in host.containers if container.name == want.name]
    if len(named) > 1:
        paths = " and ".join(container.device for container in named)
        raise Refused(
            f"luks {want.name}: {paths} hold copies of one container (UUID {named[0].uuid}), and nothing says which is "
            "newer; one was to be here. Find out which is wanted, and disconnect the other"
        )
    device = host.find(want.device) if want.device else None
    if want.device and device is None and want.state not in ("absent", "decrypted"):
        raise StorageError(f"luks {want.name}: there is no block device {want.device} on this host")
    there = container_on(host, device.path) if device else None
    found = named[0] if named else None
    if found and device and found is not there:
        raise Refused(
            f"luks {want.name}: it is on {found.device}, not on {device.path} as wanted; a container cannot move to "
            "another device"
        )
    other = host.find(mapper_path(want.name))
    if other and not found:
        raise Refused(f"luks {want.name}: {mapper_path(want.name)} is there, and is no LUKS container; choose another")
    if found or there is None:
        return found
    if there.mapped:
        raise Refused(
            f"luks {want.name}: the container on {there.device} is open as {there.name}. Name that, or close it first"
        )
    if line_of(host, there.name):
        raise Refused(f"luks {want.name}: {CRYPTTAB} calls the container on {there.device} {there.name}. Name that")
    # Closed, and called nothing by anybody, it is called as the document says.
    return there._replace(name=want.name)


def _check_fixed(want: Luks, container: Container) -> None:
    """Raises Refused for what is fixed when a container is made, StorageError for a header that is damaged."""
    header = container.header
    if header.damaged and not header.keyslots:
        raise StorageError(
            f"luks {want.name}: {container.device}: {header.damaged}, and nothing was done with it. A backup of the "
            "header brings it back; leave the container open if it is"
        )
    if want.type and want.type != container.type:
        raise Refused(
            f"luks {want.name}: type of the container on {container.device} is {container.type}, and {want.type} is "
            "wanted; it is fixed when the container is made"
        )
    for option in in_place.changes(want, container):
        if not want.in_place and not header.reencryption:
            raise Refused(
                f"luks {want.name}: {option} of the container on {container.device} is {getattr(header, option)}, and "
                f"{getattr(want, option)} is wanted. Set in_place to have all data encrypted anew, where it is"
            )


def _create(host: Host, want: Luks, allow: bool) -> tuple[Steps, Host, Container]:
    if want.state == "closed":
        raise StorageError(f"luks {want.name} does not exist, and state closed makes none; say state present")
    device_name, key = want.device, want.key
    if device_name is None or key is None:
        missing = [word for word, value in (("device", device_name), ("key_file or passphrase", key)) if value is None]
        raise StorageError(f"luks {want.name} does not exist, and to create it, say also: {', '.join(missing)}")
    check_name(want.name, "luks", 127)
    keys.check_file(host, want, key)
    device = host.device(device_name, f"luks {want.name}")
    _check_line(host, want, device)
    kind = want.type or "luks2"
    if device.size and device.size <= OFFSETS[kind]:
        raise StorageError(f"luks {want.name}: {device.path} is too small for the header of a container")
    thing = _creation(want.name)
    taken = (
        wipe_steps([(device, host.content(device.path)[device.path])], lost=False)
        if _is_half_made(host, want, device.path)
        else take(host, device, f"luks {want.name}", "device", allow)
    )
    uuid = new_uuid(f"luks-{want.name}")
    argv = ("cryptsetup", "luksFormat", "--batch-mode", *new_options(want, kind, uuid))
    made = step(
        "format",
        want.name,
        f"{host.shown(device.path)} as a {kind} container",
        Command((*argv, *keys.stretching(want.pbkdf), "--key-file", key.word, device.path), timeout=PATIENCE),
        claims=(blank(device),),
        flush=(device.path,),
        intent=intent(thing, uuid, device.path),
    )
    container = new_container(want, kind, uuid, device, "new")
    host = anew(host.with_content(device.path, signature(container)), thing)
    host = with_container(host, container, key)
    kept, host, container = keys.back_up(host, want, container, always=True)
    return (*taken, made, *kept), host, container


def _check_line(host: Host, want: Luks, device: Device) -> None:
    """Raises Refused where a boot would open the device under another name, by its path."""
    for line in lines(host.files.get(CRYPTTAB)):
        if line.uuid or line.is_random or not line.is_opened or line.name == want.name:
            continue
        meant = host.find(line.device) if line.device.startswith("/") else None
        if line.device in device.part_tags or (meant and meant.path == device.path):
            raise Refused(
                f"luks {want.name}: {CRYPTTAB} has {line.name} for {line.device}, so a boot would open {device.path} "
                f"as {line.name}. Take that line out, or call the container {line.name}"
            )


def _creation(name: str) -> str:
    return f"luks {name}"


def _is_half_made(host: Host, want: Luks, path: str) -> bool:
    """Whether all that a device holds is what a crash left of a container that had no key yet: nobody wrote to it."""
    record = begun(host, _creation(want.name))
    container = container_on(host, path)
    if record is None or (container and (container.mapped or container.header.keyslots)):
        return False
    signatures = host.content(path)[path].signatures
    return [one.type for one in signatures] == ["crypto_LUKS"] and same_uuid(record.uuid, signatures[0].uuid)


def _label(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    if want.label is None or want.label == container.header.label:
        return (), host, container
    if container.header.version == 1:
        raise Refused(f"luks {want.name}: label, and the container on {container.device} is luks1, which has none")
    before, host, container = keys.back_up(host, want, container, always=True)
    argv = ("cryptsetup", "config", "--batch-mode", "--label", want.label, container.device)
    set_label = step(
        "label",
        want.name,
        f'"{want.label}"',
        Command(argv),
        claims=keys.claims(host, container),
        flush=(container.device,),
    )
    header = container.header._replace(label=want.label, digest="labelled")
    host, container = replace_container(host, container, container._replace(header=header))
    return (*before, set_label), host, container


def _keep(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """crypttab opens it at boot, or does not.

    What is there and is not to be opened by a boot needs no line, unless it is closed: nothing else would keep its
    name.
    """
    found = line_of(host, want.name)
    if found and found.uuid not in ("", container.uuid.lower()):
        raise Refused(
            f"luks {want.name}: {CRYPTTAB} has {want.name} for {found.device}, and {container.device} holds the "
            f"container {container.uuid}. Take that line out, or choose another name"
        )
    opened = want.state == "present" and want.open_at_boot is not False
    closes = want.state == "closed" and container.mapped
    if found is None and not opened and not container.is_planned and not closes:
        return (), host, container
    line = found or of_container(want.name, container.uuid)
    if moves(line.device):
        line = line._replace(device=of_container(want.name, container.uuid).device)
    line = tokens.with_tokens(want, container, line)
    by_token = tokens.opens_by_token(want, container, line)
    if want.key and want.key.file and want.key.file != line.key_file and not by_token:
        keys.check_file(host, want, want.key)
        keys.check_unlocks(host, want, container, want.key)
        line = line._replace(key=want.key.file)
    options = with_option(line.options, "noauto", not opened)
    options = with_option(options, "nofail", None if want.boot_required is None else not want.boot_required)
    options = with_option(options, "discard", want.allow_discards)
    steps, host = write_line(host, want.name, line._replace(options=options), container)
    return steps, host, container


def _grow(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, tuple[str, ...]]:
    """A container spans its device; a mapping that is open has the size of when it was opened."""
    device, inside = host.devices[container.device], host.devices[container.mapped]
    sector = container.header.sector_size
    size = (device.size - container.header.offset) // sector * sector
    if not inside.kernel or container.header.reencryption or size <= inside.size:
        return (), host, ()
    key = keys.key_of(host, want)
    if key is None:
        waits = f"luks {want.name}: {device.path} grew, which {want.name} has once it is opened anew, or with its key"
        return (), host, (waits,)
    argv = ("cryptsetup", "resize", "--batch-mode", "--key-file", key.word, want.name)
    grown = step("grow", want.name, f"to the end of {device.path}", Command(argv, timeout=PATIENCE))
    return (grown,), host.with_size(inside.path, size), ()


def _warnings(host: Host, want: Luks, container: Container) -> tuple[str, ...]:
    to_come = tuple(
        f"luks {want.name}: {host.key_file(key.file)}, and this task would fail unless one before it puts it there"
        for key in (want.key, want.new_key)
        if key and keys.is_to_come(host, key)
    )
    wrong = [*of_devices(host, container.device), *findings_of(host, container)]
    return (*to_come, *told(f"luks {want.name}", *wrong))


def _absent(host: Host, want: Luks, container: Container | None, allow: bool) -> Plan:
    """Closed, its keys erased, the header wiped, and forgotten by crypttab, in this order."""
    steps: Steps = ()
    line = line_of(host, want.name)
    uuids = [line.uuid] if line and line.uuid else []
    if container:
        what = f"luks {want.name} cannot be removed"
        device = host.devices[container.device]
        if not container.mapped:
            is_own(host, device, what, allow=False)
        check_boot(host, device.path, Content((signature(container),)), what)
        more, host = _empty(host, container, what, allow, _is_half_made(host, want, container.device))
        steps += more
        seen = bool(container.mapped)
        more, host, container = close(host, want, container, what)
        steps += more
        if container.header.keyslots:
            erase = Command(("cryptsetup", "erase", "--batch-mode", device.path))
            unseen = () if seen else (f"{device.path}: all that luks {want.name} holds, unseen",)
            claim = Claim(device.path, device.identity, None)
            steps += (
                step("erase", want.name, "its keyslots", erase, claims=(claim,), flush=(device.path,), destroys=unseen),
            )
        claim = Claim(device.path, device.identity, None)
        wipe = Command(("wipefs", "--all", device.path))
        steps += (step("wipe", want.name, f"its header on {device.path}", wipe, claims=(claim,), flush=(device.path,)),)
        host = host.with_content(device.path)
        host = host._replace(containers=replace_item(host.containers, container))
        uuids.append(container.uuid)
    more, host = write_line(host, want.name, None) if line else ((), host)
    steps += more
    for uuid in dict.fromkeys(uuids):
        path = backup_path(uuid)
        if host.backup(path):
            steps += (step("remove", want.name, f"the backup of its header {path}", DropBackup(path)),)
            host = host._replace(backups={**host.backups, path: None})
    dropped, host = _drop_beginning(host, want, container, allow)
    for thing in (_creation(want.name), in_place.thing(want)):
        more, host = forget(host, thing, (container.mapped,) if container else ())
        steps += more
    return Plan(steps + dropped, host)


def _drop_beginning(host: Host, want: Luks, container: Container | None, allow: bool) -> tuple[Steps, Host]:
    """Without what a crash left in the clear. Raises Refused where that is needed, or ``allow`` is not given."""
    path = beginning_path(want.name)
    if not host.is_kept(path):
        return (), host
    what = f"luks {want.name} cannot be removed"
    if any(record.thing.startswith(f"{DECRYPTION}{want.name}") for record in host.unfinished):
        raise Refused(f"{what}: its decryption was interrupted, which needs {path}. Have that end first (decrypted)")
    record = begun(host, in_place.thing(want)) if container is None else None
    if not host.may_lose(container.device if container else "", allow):
        why = (
            f"and a crash interrupted the encryption of {record.devices[0]}, which a task with in_place ends"
            if record
            else "which a crash left"
        )
        raise Refused(
            f"{what}: {path} has the beginning of what was encrypted, in the clear, {why}. Set allow_destroy to remove "
            "that"
        )
    lost = f"{path}: the beginning of {record.devices[0] if record else 'what was encrypted'}, in the clear"
    dropped = step("remove", want.name, f"{path}, which a crash left", DropBackup(path), destroys=(lost,))
    return (dropped,), host._replace(kept={**host.kept, path: False})


def _empty(host: Host, container: Container, what: str, allow: bool, half_made: bool) -> tuple[Steps, Host]:
    """The steps after which nothing is in it. Raises Refused where it may hold data, and ``allow`` is not given."""
    if not container.mapped:
        if not half_made and not host.may_lose(container.device, allow):
            raise Refused(
                f"{what}: it is closed, so nobody can see what it holds. Open it (state: present) first, or set "
                "allow_destroy to destroy whatever it holds."
            )
        return (), host
    return emptied(host, host.devices[container.mapped], what, allow)


def dump(host: Host, container: Container) -> dict[str, Any]:
    """A container as an item of the document. No key is in it but the path of the file that crypttab names."""
    header, line = container.header, line_of(host, container.name)
    item = {
        "name": container.name,
        "device": host.stable(container.device),
        "type": container.type,
        "cipher": header.cipher or None,
        "key_size": header.key_size or None,
        "hash": header.hash or None,
        "sector_size": header.sector_size,
        "volume_key": header.volume_key or None,
        "label": header.label or None,
        "key_file": (line.key_file or None) if line else None,
        **tokens.dump(container, line),
        "allow_discards": "discard" in line.options if line else None,
        "open_at_boot": bool(line and line.is_opened) if container.mapped else None,
        "boot_required": line.is_required if line and line.is_opened else None,
        "state": "present" if container.mapped else "closed",
    }
    if container.header.version == 1:
        item["sector_size"] = None
    return {word: value for word, value in item.items() if value is not None}


def status(host: Host, container: Container) -> dict[str, Any]:
    """How a container does, beyond what a document says."""
    inside = host.devices.get(container.mapped)
    header = container.header
    return {
        "device": container.mapped,
        "size": inside.size if inside else 0,
        "uuid": container.uuid,
        "keyslots": list(header.keyslots),
        "tokens": [header.tokens[number].type for number in sorted(header.tokens)],
        "reencryption": header.reencryption,
    }


def device_paths(want: Luks) -> dict[str, str]:
    """The device that it is, by the name that the document has for it."""
    return {want.name: mapper_path(want.name)}


def called(host: Host, want: Luks) -> str:
    """The name of what is on its device, else its own."""
    device = host.find(want.device) if want.device else None
    there = container_on(host, device.path) if device else None
    return there.name if there and want.type != "plain" else want.name


def made_of(host: Host, want: Luks, _role: str) -> tuple[str, ...]:
    """The device that it is on already."""
    known = [(one.name, one.device) for one in host.containers] + [(one.name, one.device) for one in host.plains]
    return tuple(device for name, device in known if name == want.name and device)


def facts(host: Host, want: Luks) -> dict[str, Any]:
    """What the module returns of the wanted container."""
    random = next((one for one in plain.managed(host) if one.name == want.name), None)
    if random:
        return {"luks": plain.dump(host, random), "status": plain.status(host, random)}
    found = next((one for one in host.containers if one.name == want.name), None)
    return {"luks": dump(host, found) if found else None, "status": status(host, found) if found else None}


def survey(host: Host) -> list[Reported]:
    """All that there are, each as an item of the document and how it does."""
    found = [Reported(dump(host, container), status(host, container)) for container in host.containers]
    return [*found, *plain.survey(host)]


def present(host: Host) -> list[Found]:
    """All that there are, and the word that takes each away."""
    found = [
        Found(
            container.name,
            Luks(container.name, device=container.device, state="absent"),
            (container.mapped or container.device,),
        )
        for container in host.containers
    ]
    return [*found, *plain.present(host)]
