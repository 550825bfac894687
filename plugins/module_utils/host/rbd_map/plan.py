# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RBD images mapped by the kernel: words, and what one needs to be mapped now and at each boot, or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ...core.errors import Refused, StorageError, Unread
from ...core.files import place_line
from ...core.plan import Command, Edit, Plan, Step, Wait
from ...document.sizes import parse_bytes, show_size
from ..host import Host
from ..safety import check_unused
from .state import Mapped

RBDMAP = "/etc/ceph/rbdmap"
_LINKS = "/dev/rbd"
SERVICE = "rbdmap.service"
#: ``rbd`` gives up sooner, as it is told to.
_TIMEOUT = 120
#: How much longer than ``rbd`` is told to wait it may take to be asked.
_SLACK = 30
OPTIONS: dict[str, dict[str, Any]] = {
    "image": {"type": "str", "required": True},
    "snapshot": {"type": "str"},
    "read_only": {"type": "bool"},
    "options": {"type": "list", "elements": "str"},
    "persistent": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_CLIENT = "client."
_PARAMETER = re.compile(r"([\w-]+)(?:=('[^']*'|[^,]*))?(?:,|$)")


class Wanted(NamedTuple):
    """A wanted mapping. ``options`` and ``read_only`` None: leave them as they are.

    ``who`` are the options of the ``rbd`` command that say which cluster and user it is: name and value. ``expected``
    is the size of an image that is only to be made (None: it is there).
    """

    spec: str
    read_only: bool | None = None
    options: tuple[str, ...] | None = None
    persistent: bool = True
    who: tuple[tuple[str, str], ...] = ()
    conf: str = ""
    connect_timeout: int = 10
    operation_timeout: int = 60
    state: str = "present"
    expected: int | None = None

    @property
    def name(self) -> str:
        """What the host's lock, and a plan, call it."""
        return self.spec

    @property
    def link(self) -> str:
        """The path that udev gives it."""
        return f"{_LINKS}/{self.spec}"


class Line(NamedTuple):
    """A line of rbdmap: its parameters, and the kernel's options among them."""

    spec: str
    parameters: tuple[tuple[str, str], ...]
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        parameters = [f"{name}={value}" for name, value in self.parameters]
        if self.options:
            parameters.append(f"options='{','.join(self.options)}'")
        return f"{self.spec}\t{','.join(parameters)}"


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what cannot be mapped."""
    image, snapshot = params["image"], params["snapshot"] or ""
    for what, name in (
        ("image", image),
        ("snapshot", snapshot),
        ("pool", params["pool"]),
        ("namespace", params["namespace"]),
    ):
        if any(character in name for character in "/@ \t,'#"):
            raise StorageError(f"{what} {name!r}: rbdmap cannot tell a name with /, @, a comma, a quote or space")
        if not name.isprintable():
            raise StorageError(f"{what} {name!r}: it holds control characters")
    # Without a pool, the namespace would be taken for one.
    for what in ("image", "pool", "client", "cluster"):
        if not params[what]:
            raise StorageError(f"{what} is empty")
    if params["client"].startswith(_CLIENT):
        raise StorageError(f"client {params['client']}: it is said without {_CLIENT}")
    for what in ("connect_timeout", "operation_timeout"):
        if params[what] < 1:
            raise StorageError(f"{what} is a number of seconds, at least 1")
    spec = "/".join(part for part in (params["pool"], params["namespace"], image) if part)
    options = None if params["options"] is None else tuple(params["options"])
    for option in options or ():
        if option in ("ro", "rw"):
            raise StorageError(f"options: {option} is said by read_only")
        if not option or any(character in option for character in ",' \t"):
            raise StorageError(f"options: {option!r} is not one option")
    named = [option.partition("=")[0] for option in options or ()]
    for name in named:
        if named.count(name) > 1:
            raise StorageError(f"options: {name} is said more than once")
    if snapshot and params["read_only"] is False:
        raise StorageError(f"{spec}@{snapshot}: a snapshot can only be mapped read-only")
    who = [("id", params["client"]), ("keyring", params["keyring"]), ("conf", params["conf"])]
    if params["cluster"] != "ceph":
        who.append(("cluster", params["cluster"]))
    expected = {item["path"]: parse_bytes(item["size"], "expect: size") for item in params["expect"] or ()}
    whole = f"{spec}@{snapshot}" if snapshot else spec
    return Wanted(
        whole,
        True if snapshot else params["read_only"],
        options,
        params["persistent"],
        tuple((name, value) for name, value in who if value),
        params["conf"] or f"/etc/ceph/{params['cluster']}.conf",
        params["connect_timeout"],
        params["operation_timeout"],
        params["state"],
        expected.get(f"{_LINKS}/{whole}"),
    )


def references(_want: Wanted) -> Iterable[str]:
    return ()


def plan(host: Host, want: Wanted, _allow: object) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    found = _find(host, want)
    if want.state == "absent":
        return _absent(host, want, found)
    line = _line(host, want)
    options = _wanted_options(want, line, found)
    kept = options if want.persistent else None
    if found and not _differs(found, options):
        return Plan(*_persist(host, want, kept))
    steps: tuple[Step, ...] = ()
    if found:
        steps, host = _unmap(host, want, found, f"to map it anew with {' '.join(options) or 'no options'}")
    size = _check_image(host, want)
    argv = ("rbd", "device", "map", want.spec, *_who(want), *(("--options", ",".join(options)) if options else ()))
    detail = f"{show_size(size)}, {' '.join(options)}" if options else show_size(size)
    step = Step("map", "image", want.spec, detail, (Command(argv, _TIMEOUT), Wait(want.link)))
    host = host._replace(mapped=(*_mappings(host), Mapped("", want.spec, _fsid(host, want), options, "ro" in options)))
    # What cannot be mapped now is not left in rbdmap, for the next boot to fail at.
    more, host = _persist(host, want, kept)
    return Plan((*steps, step, *more), host)


def facts(host: Host, want: Wanted) -> dict[str, Any]:
    """What the module returns of the mapping."""
    found = _find(host, want)
    line = _line(host, want)
    return {
        "mapping": found
        and {
            "device": want.link,
            "spec": found.spec,
            "read_only": found.read_only,
            "options": [option for option in found.options if option not in ("ro", "rw")],
            "persistent": bool(line),
        },
        "provides": found and {"path": want.link, "size": _size(host, want, found)},
    }


def _size(host: Host, want: Wanted, found: Mapped) -> int:
    device = host.devices.get(found.device)
    return device.size if device else want.expected or host.images[want.spec].size


def _mappings(host: Host) -> tuple[Mapped, ...]:
    if host.mapped is None:
        raise Unread("mapped")
    return host.mapped


def _find(host: Host, want: Wanted) -> Mapped | None:
    fsid = _fsid(host, want)
    return next(
        (one for one in _mappings(host) if one.spec == want.spec and fsid in ("", one.fsid)),
        None,
    )


def _fsid(host: Host, want: Wanted) -> str:
    """The cluster that the configuration names; empty where it does not."""
    match = re.search(r"^\s*fsid\s*=\s*(\S+)", host.file(want.conf) or "", re.M)
    return match.group(1) if match else ""


def _who(want: Wanted) -> tuple[str, ...]:
    return tuple(word for name, value in want.who for word in (f"--{name}", value))


def _check_image(host: Host, want: Wanted) -> int:
    """The image's size. Raises StorageError where it is not there, or this kernel cannot map it."""
    if want.expected is not None:
        return want.expected
    if want.spec not in host.images:
        argv = ("rbd", "info", "--format", "json", want.spec, *_who(want))
        limits = (f"--client_mount_timeout={want.connect_timeout}", f"--rados_osd_op_timeout={want.operation_timeout}")
        longest = want.connect_timeout + want.operation_timeout + _SLACK
        raise Unread("image", (want.spec, str(longest), *argv, *limits))
    image = host.images[want.spec]
    if image.unsupported:
        raise StorageError(
            f"{want.spec}: this kernel cannot map an image with {' '.join(image.unsupported)}; disable that first "
            "(rbd_image: features)"
        )
    return image.size


def _wanted_options(want: Wanted, line: Line | None, found: Mapped | None) -> tuple[str, ...]:
    """All options of the mapping, as it is to be."""
    known = line.options if line else found.options if found else ()
    options = want.options if want.options is not None else tuple(one for one in known if one not in ("ro", "rw"))
    read_only = ("ro" in known) if want.read_only is None else want.read_only
    return (*options, "ro") if read_only else options


def _differs(found: Mapped, options: tuple[str, ...]) -> bool:
    return found.read_only != ("ro" in options) or set(found.options) - {"ro", "rw"} != set(options) - {"ro"}


def _entries(host: Host) -> list[tuple[str, Line | None]]:
    text = host.file(RBDMAP) or ""
    return [(raw, _parse(raw)) for raw in text.splitlines(keepends=True)]


def _parse(raw: str) -> Line | None:
    words = raw.partition("#")[0].split(None, 1)
    if not words:
        return None
    pairs = [(name, value.strip("'")) for name, value in _PARAMETER.findall(words[1].strip() if words[1:] else "")]
    options = next((value for name, value in pairs if name == "options"), "")
    spec = words[0] if "/" in words[0] else f"rbd/{words[0]}"
    others = tuple((name, value) for name, value in pairs if name != "options")
    return Line(spec, others, tuple(option for option in options.split(",") if option))


def _line(host: Host, want: Wanted) -> Line | None:
    return next((line for _raw, line in _entries(host) if line and line.spec == want.spec), None)


def _same(one: Line | None, other: Line | None) -> bool:
    """Whether two lines say the same, in whatever order."""
    if one is None or other is None:
        return False
    return set(one.parameters) == set(other.parameters) and set(one.options) == set(other.options)


def _persist(host: Host, want: Wanted, options: tuple[str, ...] | None) -> tuple[tuple[Step, ...], Host]:
    """The steps after which rbdmap has that image with these options (None: has it not), and is done at each boot."""
    wanted = None if options is None else Line(want.spec, want.who, options)
    before = host.files.get(RBDMAP)
    after = place_line(
        ((raw, line is not None and line.spec == want.spec, _same(line, wanted)) for raw, line in _entries(host)),
        str(wanted) if wanted else None,
    )
    steps: tuple[Step, ...] = ()
    if after != (before or ""):
        detail = f"in {RBDMAP}" if wanted else f"no longer in {RBDMAP}"
        steps += (Step("persist", "image", want.spec, detail, (Edit(RBDMAP, before, after),)),)
        host = host.with_file(RBDMAP, after)
    if wanted and not host.has_service(SERVICE):
        command = Command(("systemctl", "enable", SERVICE))
        steps += (Step("enable", "service", SERVICE, f"so that each boot maps what is in {RBDMAP}", (command,)),)
        host = host._replace(services={**host.services, SERVICE: True})
    return steps, host


def _unmap(host: Host, want: Wanted, found: Mapped, detail: str) -> tuple[tuple[Step, ...], Host]:
    device = host.devices.get(found.device)
    if device:
        check_unused(host, device, f"{want.spec}: refused to unmap", "Put it out of use first.")
        content = host.content(device.path)[device.path]
        if content.busy:
            raise Refused(f"{want.spec}: refused to unmap: something has {device.path} open. Put it out of use first.")
    command = Command(("rbd", "device", "unmap", found.device), _TIMEOUT)
    step = Step("unmap", "image", want.spec, detail, (command, Wait(found.device, gone=True)))
    return (step,), host._replace(mapped=tuple(one for one in _mappings(host) if one is not found))


def _absent(host: Host, want: Wanted, found: Mapped | None) -> Plan:
    steps: tuple[Step, ...] = ()
    while found:
        more, host = _unmap(host, want, found, found.device)
        steps += more
        found = _find(host, want)
    more, host = _persist(host, want, None)
    return Plan(steps + more, host)
