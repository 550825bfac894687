# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interrupts one operation at one place, goes on, and says whether all is as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.integration.node import MODULES, PYTHON, Node
from tests.tokens import THUMBPRINT

from .operations import CHECK, DONE, PARTITIONED, Operation, Task

_STEPS = (Path(__file__).parent / "steps.py").read_text()
RUN = f"{PYTHON} /root/steps.py"
_MODULE = f"{PYTHON} -m {MODULES}"
_ALL = 1000
#: Bytes per second, at which writing back the dirty data takes some ten seconds.
_DETACH_SPEED = 10 << 20
#: The loop devices of the guest, the smallest first.
_VOLUMES = (
    "for loop in $(losetup --noheadings --output NAME); do echo $(blockdev --getsz $loop) $loop; done"
    " | sort -n | cut -d' ' -f2"
)
_SERIALS = (*(f"HDD{number}" for number in range(1, 7)), "SSD1", "SSD2")
#: What makes it take long enough to be interrupted, and what tells that it is under way.
_MIDDLES = {
    "reshape": (
        "echo 4000 > /proc/sys/dev/raid/speed_limit_max",
        "grep -q reshape /sys/block/md0/md/sync_action && ! grep -q -e none -e '^0$' "
        "/sys/block/md0/md/reshape_position",
        "echo 200000 > /proc/sys/dev/raid/speed_limit_max",
    ),
    "detach": (
        "dd if=/dev/urandom of=/dev/bcache0 bs=64k seek=1600 count=1600 oflag=direct status=none; "
        "cat /sys/block/bcache0/bcache/dirty_data > /root/dirty",
        "left=$(cat /sys/block/bcache0/bcache/dirty_data) && [ $left != $(cat /root/dirty) ] && [ $left != 0.0k ]",
        "true",
    ),
    "pvmove": ("true", "dmsetup table | grep -q ' mirror '", "true"),
}


class Crash:
    """One operation in one lab, from a snapshot just before it."""

    def __init__(self, node: Node, operation: Operation) -> None:
        self.node = node
        self.operation = operation
        self.module = operation.task[0]

    @property
    def item(self) -> dict[str, Any]:
        """The words of the operation. Some devices have another name after a boot."""
        return self._resolved(self.operation.task)[1]

    def prepare(self) -> None:
        """Bring about what there is before the operation, and remember it."""
        node, operation = self.node, self.operation
        node.guest.write("/root/steps.py", _STEPS)
        node.run(self._text(PARTITIONED if "part1" in str(operation) else "true"))
        for task in operation.before:
            self._do(task)
        if operation.prepare:
            node.run("set -e\n" + self._text(operation.prepare), timeout=300)
        for task in operation.then:
            self._do(task)
        node.run("sync")
        node.lab.save("before-operation")
        self._boot()

    def steps(self) -> list[str]:
        """All the steps of the operation, in the order in which they are done."""
        done: list[str] = json.loads(self._interrupted_after(_ALL))
        self.go_on(unchanged_first=True)
        return done

    def after(self, step: int, mode: str) -> None:
        """Interrupted after so many steps: the power goes (`ordered`, `volatile`), or the process ends (`killed`)."""
        self._reset()
        self._interrupted_after(step)
        if mode != "killed":
            self.node.lab.power_cut(mode)
        self.go_on()

    def within(self, mode: str) -> None:
        """The power goes in the midst of what takes long."""
        node = self.node
        self._reset()
        slow, underway, fast = _MIDDLES[self.operation.middle]
        node.run(slow, timeout=300)
        if self.operation.middle == "detach":
            node.lab.throttle("HDD1", _DETACH_SPEED)
        given = json.dumps([self.module, self.item, _ALL])
        node.guest.write("/root/given", given)
        node.run(f"setsid sh -c '{RUN} < /root/given' > /dev/null 2>&1 < /dev/null &")
        node.guest.write("/root/underway", f"until {underway}; do sleep 0.02; done\n")
        node.run("timeout 120 sh /root/underway", timeout=150)
        node.lab.power_cut(mode)
        node.run(fast)
        self.go_on()

    def two(self) -> None:
        """Two tasks at the same moment: one waits for the other, or says who is at it."""
        node = self.node
        self._reset()
        node.guest.write("/root/given", json.dumps({"ANSIBLE_MODULE_ARGS": {**self.item, "lock_timeout": 120}}))
        one = f"{_MODULE}.{self.module} < /root/given"
        node.run(f"({one} > /root/one) & ({one} > /root/two) & wait", timeout=600)
        said = [json.loads(node.guest.read(f"/root/{name}")) for name in ("one", "two")]
        assert not any(result.get("failed") for result in said), said
        assert sorted(result["changed"] for result in said) == [False, True], said
        self.go_on(unchanged_first=True)

    def _interrupted_after(self, step: int) -> str:
        given = json.dumps([self.module, self.item, step])
        return self.node.guest.run(RUN, input=given, timeout=300).stdout

    def go_on(self, unchanged_first: bool = False) -> None:
        """The same task again comes to its end, and once more changes nothing; and no file has changed."""
        node, operation = self.node, self.operation
        self._boot()
        if not unchanged_first:
            node.module(self.module, **self.item)
        node.unchanged(self.module, **self.item)
        if operation.reopen:
            self._do(operation.reopen)
        if operation.mounted:
            node.run(f"cd {operation.mounted} && md5sum --quiet --check /root/sums")
        elif operation.data:
            node.run(self._text(CHECK.format(device=operation.data)))
            node.run(DONE)

    def _reset(self) -> None:
        self.node.lab.reset("before-operation")
        self._boot()

    def _boot(self) -> None:
        for task in self.operation.boot:
            self._do(task)

    def _do(self, task: Task) -> None:
        module, item = self._resolved(task)
        self.node.module(module, **item)

    def _text(self, text: str) -> str:
        for serial in _SERIALS:
            if f"{{{serial}}}" in text:
                text = text.replace(f"{{{serial}}}", self.node.disk(serial))
        for which, last in (("smallest", "head"), ("largest", "tail")):
            if f"{{{which}}}" in text:
                text = text.replace(f"{{{which}}}", self.node.run(f"{_VOLUMES} | {last} -1"))
        return text.replace("{thumbprint}", self.node.run(THUMBPRINT)) if "{thumbprint}" in text else text

    def _resolved(self, task: Task) -> Task:
        def resolved(value: Any) -> Any:
            if isinstance(value, str):
                return self._text(value)
            if isinstance(value, dict):
                return {word: resolved(part) for word, part in value.items()}
            return [resolved(part) for part in value] if isinstance(value, list) else value

        module, item = task
        return module, {word: resolved(value) for word, value in item.items()}
