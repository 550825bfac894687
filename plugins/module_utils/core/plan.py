# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as data: what is printed in check mode is what the executor does.

A step holds one mutation. That is what makes "cut the power after step n" a complete test, and what makes
the list of steps that were done a complete report.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import Any, NamedTuple


class Command(NamedTuple):
    """Run a program, without a shell, with ``LC_ALL=C`` and a time limit in seconds.

    ``accepts`` are the exit codes that mean success; ``input`` is what it reads. A word that is a ``Secret`` is printed
    as a placeholder, and handed over by a descriptor. ``timeout`` None: it takes as long as it takes, and is told to
    stop (SIGTERM), and waited for, where this process is interrupted. ``directory`` is where it works.
    """

    argv: tuple[Any, ...]
    timeout: int | None = 300
    accepts: tuple[int, ...] = (0,)
    input: str = ""
    directory: str = ""

    @property
    def programs(self) -> tuple[str, ...]:
        return self.argv[:1]

    def __str__(self) -> str:
        command = " ".join(map(str, self.argv))
        return f"echo {shlex.quote(self.input.strip())} | {command}" if self.input else command


class Write(NamedTuple):
    """Write a value into a kernel attribute (sysfs).

    ``done``: a path whose existence shows that there is nothing left to write, since udev may be faster.
    """

    path: str
    value: str
    done: str | None = None

    def __str__(self) -> str:
        return f"echo {self.value} > {self.path}"


class Edit(NamedTuple):
    """Replace a configuration file, atomically and whole; refused where it is no longer ``before``.

    None is a file that does not exist. Owner and mode are kept, and symbolic links followed.
    """

    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.after is None:
            return f"remove {self.path}"
        old, new = (dict.fromkeys((text or "").splitlines()) for text in (self.before, self.after))
        changes = [f"-{line}" for line in old if line not in new] + [f"+{line}" for line in new if line not in old]
        return f"edit {self.path}: {' '.join(changes)}"


class MakeDirectory(NamedTuple):
    """Create a directory and its missing parents."""

    path: str

    def __str__(self) -> str:
        return f"mkdir -p {self.path}"


class Wait(NamedTuple):
    """Wait until a path exists (or, with ``gone``, no longer does), or until it reads as one of ``values``.

    What does not exist reads as empty.
    """

    path: str
    values: tuple[str, ...] = ()
    gone: bool = False
    timeout: int = 120

    def __str__(self) -> str:
        if self.gone:
            return f"wait until {self.path} is gone"
        return f"wait for {self.path}" + (
            f" to be {' or '.join(value or 'gone' for value in self.values)}" if self.values else ""
        )


class Intent(NamedTuple):
    """What is put on record before a step begins that a power cut may leave half done, and taken off after its flush.

    ``thing`` names what the step makes, in a way that is the same after a reboot; ``uuid`` is the number that was drawn
    for it (empty: it has none), ``devices`` are where it works: each a path, and what the device is, whatever its path.
    ``last``: false where a later step of the same thing takes the record off. ``replaces`` is a thing whose record this
    one takes the place of (empty: none).
    """

    thing: str
    uuid: str
    devices: tuple[tuple[str, str], ...]
    last: bool = True
    replaces: str = ""


class Step(NamedTuple):
    """One mutation and what belongs to it.

    ``verb kind name: detail`` is the sentence. An action says in ``programs`` what it starts. ``claims`` are checked
    right before (identity, emptiness), ``flush`` are block devices to fsync right after, ``destroys`` says which data
    goes, ``undo`` is done if the step fails, so that a refused step leaves nothing behind. ``intent`` is kept on record
    meanwhile.
    """

    verb: str
    kind: str
    name: str
    detail: str
    actions: tuple[Any, ...]
    claims: tuple[Any, ...] = ()
    flush: tuple[str, ...] = ()
    destroys: tuple[str, ...] = ()
    undo: tuple[Any, ...] = ()
    intent: Intent | None = None

    def __str__(self) -> str:
        return f"{self.verb} {self.kind} {self.name}: {self.detail}"

    def dump(self) -> dict[str, Any]:
        """As a module returns it."""
        return {
            "action": self.verb,
            "kind": self.kind,
            "name": self.name,
            "detail": self.detail,
            "commands": [str(action) for action in self.actions],
            "destroys": list(self.destroys),
        }


#: What a plan tells beside its steps.
LATER = ("in_progress", "pending", "pending_reboot")


class Plan(NamedTuple):
    """Steps, and the state that they lead to.

    ``in_progress``, ``pending_reboot`` and ``warnings`` are sentences about what is on its way, waits for a reboot,
    or is wrong and not this plan's to mend: none is a step, and none makes a run changed. What is in progress may
    call for more steps once it has ended: ``pending`` says which, as far as they can be planned now. ``waits`` are the
    actions that wait for that, for a user who wants it. They change nothing, and others may work meanwhile; what an
    action has in ``then`` is done right after, with the lock.
    """

    steps: tuple[Step, ...]
    after: Any
    in_progress: tuple[str, ...] = ()
    pending_reboot: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    waits: tuple[Any, ...] = ()
    pending: tuple[str, ...] = ()


def both(first: Plan, second: Plan) -> Plan:
    """One plan after the other, which was made on the state that the first leads to."""
    return Plan(
        first.steps + second.steps,
        second.after,
        in_progress=first.in_progress + second.in_progress,
        pending_reboot=first.pending_reboot + second.pending_reboot,
        warnings=first.warnings + tuple(warning for warning in second.warnings if warning not in first.warnings),
        waits=first.waits + second.waits,
        pending=first.pending + second.pending,
    )


def placeholder(kind: str, name: str) -> str:
    """What the executor resolves when it comes to it. Holds no white space, so that it can stand in any file."""
    return f"<{kind}:{name}>"


def is_placeholder(text: str) -> bool:
    """Whether that is all that is known of it yet."""
    return text.startswith("<")


def new_uuid(name: str) -> str:
    """A placeholder for a random UUID: a plan stays the same each time it is made, the executor draws the number."""
    return placeholder("uuid", name)


def kernel_name(path: str) -> str:
    """A placeholder for the kernel's name of a device that may not exist before the plan runs."""
    return placeholder("kernel-name", path)


def dump_steps(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [step.dump() for step in steps]


def digest(steps: tuple[Step, ...], machine: str = "") -> str:
    """What is the same for the same steps on the same devices of the same machine, and for no others.

    Plans name what is random, or not made yet, by placeholders. A claim may say in ``lasting`` what of it counts.
    """
    told: list[Any] = [(step.dump(), [getattr(claim, "lasting", claim) for claim in step.claims]) for step in steps]
    told.append(machine)
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
