# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``disks``: names for disks that are chosen by what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.faults import Faults
from .names import check_name, plain_wwn
from .sizes import parse_bytes, show_size

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "serial": {"type": "str"},
    "wwn": {"type": "str"},
    "model": {"type": "str"},
    "rotational": {"type": "bool"},
    "min_size": {"type": "str"},
    "max_size": {"type": "str"},
    "transport": {"type": "str"},
    "count": {"type": "int"},
    "allow_data": {"type": "bool"},
}


#: What only a MAAS region knows of a disk.
MAAS_OPTIONS: dict[str, dict[str, Any]] = {
    "tags": {"type": "list", "elements": "str"},
    "id_path": {"type": "str"},
    "numa_node": {"type": "int"},
}

#: So many disks that nearly match are named in an error.
_TOLD = 4


class Disks(NamedTuple):
    """Wanted disks, so many of them. None: any will do. Sizes in bytes."""

    name: str
    serial: str | None = None
    wwn: str | None = None
    model: str | None = None
    rotational: bool | None = None
    min_size: int | None = None
    max_size: int | None = None
    transport: str | None = None
    number: int = 1
    tags: tuple[str, ...] | None = None
    id_path: str | None = None
    numa_node: int | None = None
    allow_data: bool = False

    @property
    def named(self) -> bool:
        """Whether it says which disk it is, and not what one is like."""
        return bool(self.serial or self.wwn or self.id_path)


class Candidate(NamedTuple):
    """A disk that may be chosen. ``free``: nobody uses it; ``holds``: what is on it, empty where it is blank.

    ``begun``: that is what was made of a blank disk and has nothing in it yet. ``shown`` is its path for people. One
    that is not ``readable`` is neither free nor blank.
    """

    path: str
    serial: str = ""
    wwn: str = ""
    model: str = ""
    rotational: bool = False
    size: int = 0
    transport: str = ""
    free: bool = True
    holds: str = ""
    begun: bool = False
    shown: str = ""
    tags: tuple[str, ...] = ()
    id_path: str = ""
    numa_node: int | None = None
    readable: bool = True

    @property
    def identity(self) -> str:
        """What does not change with the kernel's name."""
        return self.wwn or self.serial or self.path


def parse(item: Mapping[str, Any]) -> Disks:
    """Disks from an item of the document. Raises StorageError for what no disk can be."""
    name = check_name(str(item["name"]), "disks", longest=64)
    disks = Disks(
        name=name,
        serial=item.get("serial"),
        wwn=item.get("wwn"),
        model=item.get("model"),
        rotational=item.get("rotational"),
        min_size=_bytes(item, "min_size"),
        max_size=_bytes(item, "max_size"),
        transport=item.get("transport"),
        number=1 if item.get("count") is None else int(item["count"]),
        tags=None if item.get("tags") is None else tuple(item["tags"]),
        id_path=item.get("id_path"),
        numa_node=item.get("numa_node"),
        allow_data=bool(item.get("allow_data")),
    )
    if disks.number < 1:
        raise StorageError(f"disks {name}: count is {disks.number}, and must be at least 1")
    if disks.number > 1 and disks.named:
        raise StorageError(
            f"disks {name}: a serial, a wwn or an id_path is that of one disk, and count is {disks.number}"
        )
    if disks.min_size and disks.max_size and disks.min_size > disks.max_size:
        raise StorageError(f"disks {name}: min_size is larger than max_size")
    if disks == Disks(name, number=disks.number, allow_data=disks.allow_data):
        words = [word for word in OPTIONS if word not in ("name", "count", "allow_data")]
        raise StorageError(f"disks {name}: say what they are: {', '.join(words)}")
    return disks


def _bytes(item: Mapping[str, Any], option: str) -> int | None:
    return None if item.get(option) is None else parse_bytes(item[option], option)


def choose(
    wanted: tuple[Disks, ...], candidates: tuple[Candidate, ...], claims: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The paths of the disks for each name: those that its items are made of already, then blank ones.

    A disk that holds anything else is chosen only by an entry that names it, or that says so.

    ``claims`` are the paths that what a reference stands for (``slow``, ``slow[0]``) is made of; each keeps its place.
    Among equals the order is by identity (WWN, serial), so that it is the same whatever the kernel calls them today,
    and no disk is chosen twice. Raises StorageError where too few match.
    """
    matching = {
        disks.name: {candidate.path: candidate for candidate in candidates if matches(disks, candidate)}
        for disks in wanted
    }
    chosen: dict[str, list[str]] = {disks.name: [""] * disks.number for disks in wanted}
    taken: set[str] = set()

    def settle(disks: Disks, index: int, among: Iterable[Candidate]) -> None:
        left = [candidate for candidate in among if candidate.path not in taken]
        if left and not chosen[disks.name][index]:
            path = min(left, key=lambda candidate: (bool(candidate.holds), candidate.identity)).path
            chosen[disks.name][index] = path
            taken.add(path)

    def claimed(disks: Disks, reference: str) -> list[Candidate]:
        known = matching[disks.name]
        return [known[path]._replace(holds="") for path in claims.get(reference, ()) if path in known]

    for disks in wanted:
        for index in range(disks.number):
            settle(disks, index, claimed(disks, f"{disks.name}[{index}]"))
    for disks in wanted:
        for index in range(disks.number):
            settle(disks, index, claimed(disks, disks.name))
    faults = Faults()
    # Who names one disk goes before who would be content with any.
    for disks in sorted(wanted, key=lambda disks: not disks.named):
        any_content = disks.named or disks.allow_data
        free = [
            candidate
            for candidate in matching[disks.name].values()
            if candidate.free and (any_content or candidate.begun or not candidate.holds)
        ]
        for index in range(disks.number):
            settle(disks, index, free)
        if "" in chosen[disks.name]:
            others = [path for path in matching[disks.name] if path in taken and path not in chosen[disks.name]]
            near = [candidate for candidate in candidates if candidate.path not in matching[disks.name]]
            faults.add(StorageError(_too_few(disks, list(matching[disks.name].values()), others) + _near(disks, near)))
    faults.check()
    return {name: tuple(paths) for name, paths in chosen.items()}


def matches(disks: Disks, candidate: Candidate) -> bool:
    """Whether a disk is what is wanted, be it free or not."""
    return not misses(disks, candidate)


def misses(disks: Disks, candidate: Candidate) -> tuple[str, ...]:
    """What is wanted that a disk is not, by the words of the entry."""
    fits = {
        "serial": disks.serial in (None, candidate.serial),
        "wwn": disks.wwn is None or plain_wwn(disks.wwn) == plain_wwn(candidate.wwn),
        "model": disks.model in (None, candidate.model),
        "rotational": disks.rotational in (None, candidate.rotational),
        "min_size": disks.min_size is None or candidate.size >= disks.min_size,
        "max_size": disks.max_size is None or candidate.size <= disks.max_size,
        "transport": disks.transport in (None, candidate.transport),
        "tags": disks.tags is None or set(disks.tags) <= set(candidate.tags),
        "id_path": disks.id_path in (None, candidate.id_path),
        "numa_node": disks.numa_node is None or disks.numa_node == candidate.numa_node,
    }
    return tuple(word for word, fitting in fits.items() if not fitting)


def _too_few(disks: Disks, matching: list[Candidate], others: list[str]) -> str:
    """``others`` are those that other names got."""
    words = {
        word: value
        for word, value in disks._asdict().items()
        if value is not None and word not in ("name", "number", "allow_data")
    }
    said = ", ".join(f"{word}: {_exactly(value) if word.endswith('_size') else value}" for word, value in words.items())
    found = f"{len(matching)} match ({said})"
    used = [
        candidate.path
        for candidate in matching
        if not candidate.free and candidate.readable and candidate.path not in others
    ]
    dead = [candidate.path for candidate in matching if not candidate.readable and candidate.path not in others]
    why = [
        f"{' '.join(paths)} {what}"
        for paths, what in ((used, "in use by others"), (others, "chosen for others"), (dead, "cannot be read"))
        if paths
    ]
    short = f"disks {disks.name}: {disks.number} wanted, and {found}" + (f", {', '.join(why)}" if why else "")
    held = [
        f"{candidate.shown or candidate.path} holds {candidate.holds}"
        for candidate in matching
        if candidate.free and candidate.holds and candidate.path not in others
    ]
    if disks.named or disks.allow_data or not held:
        return short
    return (
        f"{short}. Only blank ones are chosen, and {'; '.join(held)}. Choose fewer, put blank disks in, or, where that "
        "is not needed any more, say allow_data in this entry and permit it by allow_destroy"
    )


def _near(disks: Disks, candidates: list[Candidate]) -> str:
    """The disks that match in all but the fewest words, and what they have instead."""
    if not candidates:
        return ""
    fewest = min(len(misses(disks, candidate)) for candidate in candidates)
    found = [candidate for candidate in candidates if len(misses(disks, candidate)) == fewest]
    told = []
    for candidate in found[:_TOLD]:
        missed = [word for word in misses(disks, candidate) if not word.endswith("_size")]
        has = [f"{word}: {getattr(candidate, word)}" for word in missed]
        has += [f"size: {show_size(candidate.size)}"] if len(missed) < fewest else []
        told.append(f"{candidate.path} ({', '.join(has)})")
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return f". Not among them: {', '.join(told)}{more}"


def _exactly(size: int) -> str:
    """With the decimal size beside the binary one where a user may have written that."""
    for power, letter in enumerate("TG"):
        unit = 1000 ** (4 - power)
        if size % unit == 0:
            return f"{size // unit} {letter}B, which is {show_size(size)}"
    return show_size(size)
