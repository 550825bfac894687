# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline of every module, with a lamp for a backend."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn, cast

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Outdated, Refused, StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.execute import PERFORM, Handlers
from ansible_collections.strata.storage.plugins.module_utils.core.plan import (
    Command,
    Edit,
    Plan,
    Step,
    digest,
    dump_steps,
)
from ansible_collections.strata.storage.plugins.module_utils.core.run import Pipeline, expected, run, survey


class Ended(Exception):
    pass


class Module:
    """What ``run`` uses of an AnsibleModule."""

    def __init__(self, check_mode: bool = False, diff: bool = True) -> None:
        self.check_mode = check_mode
        self._diff = diff
        self.warnings: list[str] = []
        self.failed = False
        self.result: dict[str, Any] = {}

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)

    def exit_json(self, **result: Any) -> NoReturn:
        self.result = result
        raise Ended

    def fail_json(self, **result: Any) -> NoReturn:
        self.failed = True
        self.exit_json(**result)


class Lamp(NamedTuple):
    lit: bool
    #: None until somebody looks.
    colour: str | None = None


class Switch(NamedTuple):
    lit: bool


class Lock:
    """Says when it is taken, and when it is let go; after some event others have it."""

    def __init__(self, events: list[str], kept_after: str | None = None) -> None:
        self.events = events
        self.kept_after = kept_after
        self.held = False

    def __enter__(self) -> None:
        if self.kept_after in self.events:
            raise StorageError("another task works on this")
        self.events.append("lock")
        self.held = True

    def __exit__(self, *_error: object) -> None:
        if self.held:
            self.events.append("unlock")
        self.held = False


class Backend:
    """A lamp that shall be lit, and red."""

    def __init__(self, lit: bool = False, works: bool = True, colour: str = "red") -> None:
        self.lit = lit
        self.works = works
        self.colour = colour
        self.events: list[str] = []
        self.warnings: tuple[str, ...] = ()
        self.extra: tuple[Step, ...] = ()

    def read(self) -> Lamp:
        self.events.append("read")
        return Lamp(self.lit)

    def read_more(self, state: Lamp, need: Unread) -> Lamp:
        self.events.append(f"read_more {need}")
        return state._replace(colour=self.colour)

    def plan(self, state: Lamp) -> Plan:
        if state.colour is None:
            raise Unread("colour", ("lamp",))
        if state.colour != "red":
            raise Refused(f"the lamp is {state.colour}")
        if state.lit:
            return Plan((), state, ("it warms up",), ("the other one",), self.warnings)
        return Plan((STEP, *self.extra), state._replace(lit=True), warnings=self.warnings)

    def facts(self, state: Lamp) -> dict[str, Any]:
        return {"lamp": {"lit": state.lit}, "status": {"reads": len(self.events)}}

    def switch(self, action: Switch) -> None:
        self.events.append("switch")
        if self.works:
            self.lit = action.lit

    def lock(self) -> Lock:
        return Lock(self.events)

    def pipeline(self) -> Pipeline:
        handlers = Handlers({**PERFORM, Switch: self.switch})
        parts = (self.read, self.read_more, self.plan, self.facts, lambda: handlers, self.lock)
        return Pipeline(*parts, later=("in_progress",))

    def run(self, check_mode: bool = False, **more: Any) -> Module:
        module = Module(check_mode)
        with pytest.raises(Ended):
            run(cast(AnsibleModule, module), self.pipeline()._replace(**more))
        return module


STEP = Step("light", "lamp", "one", "on", (Switch(True),))
PLAN = dump_steps((STEP,))
LOOK = ["read", "read_more colour lamp"]


def drawn(*later: str) -> str:
    lines = ["Plan: 1 step, nothing destroyed", "   1  light lamp one: on", *(f"      {told}" for told in later)]
    return "\n".join([*lines, "Plan: 0 to create, 1 to change, 0 to remove, 0 to destroy.", ""])


@pytest.mark.parametrize("expected", ["", digest((STEP,))])
def test_the_plan_that_was_expected(expected: str) -> None:
    module = Backend().run(expected=expected)
    assert (module.failed, module.result["changed"], module.result["plan_digest"]) == (False, True, digest((STEP,)))


def test_a_diff_is_for_who_asks_for_one() -> None:
    backend, module = Backend(), Module(diff=False)
    with pytest.raises(Ended):
        run(cast(AnsibleModule, module), backend.pipeline())
    assert module.result["changed"]
    assert "diff" not in module.result


def test_a_plan_that_was_done_before() -> None:
    """A job that is started again finds nothing to do."""
    module = Backend(lit=True).run(expected=digest((STEP,)))
    assert (module.failed, module.result["changed"], module.result["plan_digest"]) == (False, False, digest(()))


@pytest.mark.parametrize("check_mode", [False, True])
def test_another_plan_than_was_expected(check_mode: bool) -> None:
    backend = Backend()
    module = backend.run(check_mode, expected=digest(()))
    assert module.failed
    assert "the plan is not the expected one: its digest is" in module.result["msg"]
    assert (module.result["changed"], module.result["plan"], module.result["plan_digest"]) == (
        False,
        PLAN,
        digest((STEP,)),
    )
    assert "switch" not in backend.events


class Shy(Backend):
    """Its facts, or what of them a diff shows, need to know the colour, and its planner does not."""

    def __init__(self, asks: str) -> None:
        super().__init__()
        self.asks = asks

    def plan(self, state: Lamp) -> Plan:
        return Plan((), state) if state.lit else Plan((STEP,), state._replace(lit=True))

    def _shown(self, where: str, state: Lamp) -> dict[str, Any]:
        if where == self.asks and state.colour is None:
            raise Unread("colour", ("lamp",))
        return {"lamp": {"lit": state.lit, "colour": state.colour}}

    def facts(self, state: Lamp) -> dict[str, Any]:
        return self._shown("facts", state)

    def pipeline(self) -> Pipeline:
        return super().pipeline()._replace(diff=lambda state: self._shown("diff", state))


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("asks", ["facts", "diff"])
def test_what_facts_and_diff_need_is_read_as_for_a_planner(asks: str, check_mode: bool) -> None:
    shy = Shy(asks)
    module = shy.run(check_mode)
    assert not module.failed, module.result
    assert (module.result["plan"], module.result["diff"][-1]["after"]["lamp"]["colour"]) == (PLAN, "red")
    assert shy.events.count("read_more colour lamp") == (1 if check_mode else 2)


def test_what_reading_does_not_make_known_ends_in_a_sentence() -> None:
    module = Backend().run(read_more=lambda state, need: state)
    assert module.failed
    assert module.result["msg"] == "colour lamp was read 5 times, and is asked for again"


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("part", ["read", "plan", "facts", "diff", "lock"])
def test_an_error_that_nobody_expected_is_a_sentence_too(part: str, check_mode: bool) -> None:
    def broken(*_args: Any) -> NoReturn:
        raise KeyError("bulb")

    module = Backend().run(check_mode, **{part: broken})
    assert module.failed
    assert not module.result["changed"]
    assert module.result["msg"].startswith("unexpected KeyError (test_run.py, line ")
    assert module.result["msg"].endswith("): 'bulb'. This is an error of the module; please report it")


@pytest.mark.parametrize("part", ["replan", "facts"])
def test_an_error_that_nobody_expected_after_the_steps_tells_what_was_done(part: str) -> None:
    backend = Backend()

    def broken(state: Lamp) -> Any:
        if "switch" in backend.events:
            raise StopIteration
        return backend.facts(state)

    parts: dict[str, Any] = {part: broken}
    module = backend.run(**parts)
    assert module.failed
    assert (module.result["changed"], module.result["done"]) == (True, PLAN)
    assert module.result["msg"].startswith("unexpected StopIteration (test_run.py, line ")


def test_an_error_that_nobody_expected_within_a_step_tells_what_was_done() -> None:
    backend = Backend()
    backend.extra = (Step("tilt", "lamp", "one", "", ("no action",)),)
    module = backend.run()
    assert module.failed
    assert (module.result["changed"], module.result["done"]) == (True, PLAN)
    assert "tilt lamp one: : unexpected KeyError (execute.py, line " in module.result["msg"]


def test_survey_reads_what_the_planner_asks_for() -> None:
    backend = Backend()
    assert survey(backend.pipeline()) == (Lamp(False, "red"), Plan((STEP,), Lamp(True, "red")))
    assert backend.events == LOOK


def test_check_mode_stops_at_the_gate_and_tells_what_would_be() -> None:
    backend = Backend()
    module = backend.run(check_mode=True)
    assert backend.events == ["lock", *LOOK, "unlock"]
    assert not module.failed
    assert module.result == {
        "changed": True,
        "plan": PLAN,
        "diff": [{"prepared": drawn()}, {"before": {"lamp": {"lit": False}}, "after": {"lamp": {"lit": True}}}],
        "lamp": {"lit": True},
        "status": {"reads": 3},
        "in_progress": [],
    }


def test_a_real_run_does_the_same_plan_and_looks_again() -> None:
    backend = Backend()
    module = backend.run()
    assert backend.events == ["lock", *LOOK, "switch", *LOOK, "unlock"]
    assert module.result == {
        "changed": True,
        "plan": PLAN,
        "done": PLAN,
        "diff": [
            {"prepared": drawn("in progress, or planned later: it warms up", "with the next boot: the other one")},
            {"before": {"lamp": {"lit": False}}, "after": {"lamp": {"lit": True}}},
        ],
        "lamp": {"lit": True},
        "status": {"reads": 6},
        "in_progress": ["it warms up"],
        # Which this backend tells only where there is something.
        "pending_reboot": ["the other one"],
    }


@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_to_do_is_one_read_and_unchanged(check_mode: bool) -> None:
    backend = Backend(lit=True)
    module = backend.run(check_mode)
    assert backend.events == ["lock", *LOOK, "unlock"]
    assert (module.result["changed"], module.result["plan"], "done" in module.result) == (False, [], False)
    assert module.result["diff"][-1]["before"] == module.result["diff"][-1]["after"] == {"lamp": {"lit": True}}
    assert module.result["in_progress"] == ["it warms up"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_destroyed_is_marked_and_warned_of(check_mode: bool) -> None:
    backend = Backend()
    backend.extra = (STEP._replace(verb="smash", detail="", actions=(), destroys=("two: the old bulb",)),)
    module = backend.run(check_mode, title="house", draw=lambda before, after: (str(before), str(after)))
    shown, states = module.result["diff"]
    assert shown["prepared"].splitlines()[:4] == [
        "house: 2 steps, DESTROYS 1",
        "   1  light lamp one: on",
        "!  2  smash lamp one",
        "!     DESTROYS two: the old bulb",
    ]
    assert shown["prepared"].endswith("Plan: 0 to create, 1 to change, 0 to remove, 1 to destroy.\n")
    assert states == {
        "before_header": "house: now",
        "before": "{'lamp': {'lit': False}}",
        "after_header": "house: after 2 steps",
        "after": "{'lamp': {'lit': True}}",
    }
    assert module.warnings == [
        "this would destroy: two: the old bulb" if check_mode else "destroyed: two: the old bulb"
    ]


@pytest.mark.parametrize("check_mode", [False, True])
def test_each_warning_once(check_mode: bool) -> None:
    backend = Backend()
    backend.warnings = ("it flickers",)
    assert backend.run(check_mode).warnings == ["it flickers"]


def test_what_did_not_hold_is_a_failure() -> None:
    module = Backend(works=False).run()
    assert module.failed
    assert module.result["msg"] == "every step was done, but this did not hold: light lamp one: on"
    assert (module.result["changed"], module.result["done"]) == (True, PLAN)


def test_a_failing_step_returns_those_that_were_done() -> None:
    backend = Backend()
    backend.extra = (Step("break", "lamp", "one", "", (Command(("sh", "-c", "echo no >&2; exit 1")),)),)
    module = backend.run()
    assert module.failed
    assert module.result["msg"] == "break lamp one: : sh -c echo no >&2; exit 1 failed with status 1: no"
    assert (module.result["changed"], module.result["done"]) == (True, PLAN)
    assert module.result["plan"] == dump_steps((STEP, *backend.extra))


STUCK = Step("light", "lamp", "two", "by its switch", (Switch(False),))
PLUG = Step("light", "lamp", "two", "by its plug", (Switch(True),))


class Stubborn(Backend):
    """The second lamp's switch turns out to be stuck. ``instead`` is then planned."""

    def __init__(self, instead: Step) -> None:
        super().__init__()
        self.steps: tuple[Step, ...] = (STEP, STUCK)
        self.instead = instead

    def plan(self, state: Lamp) -> Plan:
        return Plan(self.steps, state)

    def switch(self, action: Switch) -> None:
        if not action.lit:
            self.steps = (self.instead,)
            raise Outdated("the switch is stuck")
        self.steps = self.steps if self.steps[0] == STEP else ()


def test_a_step_that_cannot_be_done_as_things_are_is_planned_anew() -> None:
    module = Stubborn(PLUG).run()
    assert not module.failed
    assert module.result["plan"] == module.result["done"] == dump_steps((STEP, PLUG))


def test_the_same_plan_again_is_a_failure() -> None:
    module = Stubborn(STUCK).run()
    assert module.failed
    assert module.result["msg"].endswith("the switch is stuck")
    assert (module.result["done"], module.result["plan"]) == (PLAN, dump_steps((STEP, STUCK)))


def test_another_plan_than_the_expected_one_is_not_done_instead() -> None:
    module = Stubborn(PLUG).run(expected=digest((STEP, STUCK)))
    assert module.failed
    assert module.result["msg"].endswith("the switch is stuck")
    assert module.result["done"] == PLAN


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_missing_program_is_found_before_anything_is_done(check_mode: bool) -> None:
    backend = Backend()
    backend.extra = (Step("polish", "lamp", "one", "", (Command(("no-such",)),)),)
    module = backend.run(check_mode)
    assert module.failed
    assert module.result["msg"] == "not installed on this host, and needed for this: no-such"
    assert (module.result["changed"], backend.lit) == (False, False)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_file_that_cannot_be_written_is_found_before_anything_is_done(check_mode: bool) -> None:
    backend = Backend()
    backend.extra = (Step("edit", "lamp", "one", "", (Edit("/proc/sys/lamp", None, "on"),)),)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_RDONLY))
        module = backend.run(check_mode)
    assert module.failed
    assert module.result["msg"].startswith("/proc/sys/lamp: Read-only file system, and this has to be written")
    assert (module.result["changed"], backend.lit) == (False, False)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_refusal_is_a_failure_that_changed_nothing(check_mode: bool) -> None:
    module = Backend(colour="blue").run(check_mode)
    assert module.failed
    assert module.result == {"msg": "the lamp is blue", "changed": False, "plan": []}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StorageError("locked"), "locked"),
        (PermissionError(13, "Permission denied", "/run/x"), "/run/x: Permission denied"),
    ],
)
def test_a_lock_that_is_not_to_be_had(error: Exception, message: str) -> None:
    backend = Backend()

    def lock() -> NoReturn:
        raise error

    backend.lock = lock  # type: ignore[method-assign]
    module = backend.run()
    assert module.failed
    assert (module.result["msg"], backend.events) == (message, [])


# What goes on after a step


class Wipe(NamedTuple):
    pass


class Warm(NamedTuple):
    timeout: int = 99

    @property
    def then(self) -> tuple[Wipe, ...]:
        return (Wipe(),)


class Heater(Backend):
    """Takes its time, and is to be polished once it is warm."""

    def __init__(self, wait: int | None, quick: bool = False) -> None:
        super().__init__()
        self.wait = wait
        self.warm = False
        self.quick = quick
        self.polished = False
        self.waited: list[int] = []

    def read(self) -> Lamp:
        self.events.append("read")
        return Lamp(self.lit, "red")

    def plan(self, state: Lamp) -> Plan:
        on_its_way = ("it warms up",)
        if not state.lit:
            return Plan((STEP,), state._replace(lit=True), on_its_way, waits=(Warm(),))
        if not self.warm:
            return Plan((), state, on_its_way, waits=(Warm(),))
        return Plan((), state) if self.polished else Plan((POLISH,), state)

    def switch(self, action: Switch) -> None:
        self.events.append("switch")
        if self.lit:
            self.polished = self.works
        else:
            self.warm = self.quick
        self.lit = action.lit

    def warm_up(self, action: Warm) -> None:
        self.events.append("wait")
        self.waited.append(action.timeout)
        self.warm = True

    def pipeline(self) -> Pipeline:
        handlers = Handlers({Switch: self.switch, Warm: self.warm_up, Wipe: lambda action: self.events.append("wipe")})
        return super().pipeline()._replace(handlers=lambda: handlers, wait=self.wait)


POLISH = Step("polish", "lamp", "one", "bright", (Switch(True),))


def test_what_is_on_its_way_is_left_to_itself() -> None:
    module = Heater(wait=None).run()
    assert (module.result["plan"], module.result["in_progress"]) == (PLAN, ["it warms up"])


def test_what_is_to_be_done_then_was_not_approved() -> None:
    heater = Heater(wait=7)
    module = heater.run(expected=digest((STEP,)))
    assert (module.failed, module.result["plan"], heater.polished) == (False, PLAN, False)
    assert module.result["in_progress"] == ["not in the expected plan, so not done: polish lamp one: bright"]


def test_waiting_and_what_is_to_be_done_then() -> None:
    heater = Heater(wait=7)
    module = heater.run()
    assert heater.waited == [7]
    assert not module.failed
    assert module.result["plan"] == module.result["done"] == dump_steps((STEP, POLISH))
    assert module.result["in_progress"] == []


def test_what_has_ended_by_the_time_that_is_looked_again_is_gone_on_with() -> None:
    module = Heater(wait=None, quick=True).run()
    assert module.result["plan"] == dump_steps((STEP, POLISH))


def test_others_may_work_during_a_wait_and_all_is_read_again_after_it() -> None:
    heater = Heater(wait=7)
    heater.run()
    locked = ["lock", "read", "switch", "read", "unlock", "wait", "lock", "wipe", "read", "switch", "read", "unlock"]
    assert heater.events == locked


def test_a_wait_that_fails_leaves_the_lock_free_and_tells_what_was_done() -> None:
    heater = Heater(wait=7)

    def never(action: Warm) -> None:
        raise StorageError("waited in vain")

    heater.warm_up = never  # type: ignore[method-assign]
    module = heater.run()
    assert heater.events == ["lock", "read", "switch", "read", "unlock"]
    assert (module.failed, module.result["msg"], module.result["done"]) == (True, "waited in vain", PLAN)


def test_a_lock_that_others_keep_after_a_wait() -> None:
    heater = Heater(wait=7)
    module = heater.run(lock=lambda: Lock(heater.events, kept_after="wait"))
    assert (module.failed, module.result["changed"], module.result["done"]) == (True, True, PLAN)
    assert module.result["msg"] == "another task works on this"


def test_waiting_for_what_others_began_is_no_change() -> None:
    heater = Heater(wait=7)
    heater.lit = heater.polished = True
    module = heater.run()
    assert (module.result["changed"], heater.waited) == (False, [7])


def test_check_mode_waits_for_nothing() -> None:
    heater = Heater(wait=7)
    assert heater.run(check_mode=True).result["plan"] == PLAN
    assert heater.waited == []


def test_what_does_not_hold_after_waiting_is_a_failure() -> None:
    heater = Heater(wait=7)
    heater.works = False
    module = heater.run()
    assert module.failed
    assert "this did not hold: polish lamp one: bright" in module.result["msg"]
    assert module.result["done"] == dump_steps((STEP, POLISH))


def test_an_act_is_planned_once() -> None:
    backend = Backend()
    settled = Plan((), Lamp(True, "red"))
    pipeline = backend.pipeline()._replace(plan=lambda state: Plan((STEP,), state), replan=lambda _state: settled)
    module = Module()
    with pytest.raises(Ended):
        run(cast(AnsibleModule, module), pipeline)
    assert (module.failed, module.result["plan"]) == (False, PLAN)


def test_an_act_that_had_to_wait_is_done_then() -> None:
    heater = Heater(wait=7)
    heater.lit = True
    module = heater.run(replan=lambda state: Plan((), state))
    assert module.result["plan"] == dump_steps((POLISH,))


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_deferred_is_returned_and_warned_of(check_mode: bool) -> None:
    module = Backend().run(check_mode, plan=lambda state: Plan((), state, pending=("it is polished later",)))
    assert (module.result["changed"], module.result["pending"]) == (False, ["it is polished later"])
    assert module.warnings == ["not done yet: it is polished later"]


@pytest.mark.parametrize("approval", ["request", "require"])
def test_a_module_does_not_run_without_the_guard_that_it_was_told_of(approval: str) -> None:
    """The controller takes the word out; where it is still there, nobody has compared anything."""
    with pytest.raises(Refused, match=f"approval is {approval}, which the controller looks after"):
        expected({"expected_plan": "0" * 64, "approval": approval})


def test_the_digest_that_a_plan_must_have() -> None:
    assert expected({"expected_plan": "AB", "approval": None}) == "ab"
    assert expected({"expected_plan": None}) == ""
    assert expected({}) is None
