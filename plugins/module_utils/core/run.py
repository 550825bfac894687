# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline of every module: read, plan, and (past the one gate) apply, read and plan again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, NoReturn, TypeVar

from ansible.module_utils.basic import AnsibleModule

from .errors import Outdated, Refused, StepFailed, StorageError, Unread, sentence
from .plan import LATER, Plan, Step, digest, dump_steps
from .text import printable

if TYPE_CHECKING:
    from .execute import Handlers

#: How often what was set going may call for more steps: a change of level, say, takes three rounds at most.
_ROUNDS = 5
#: How often one and the same thing is read for a question that asks for it again.
_ASKED = 5

Answer = TypeVar("Answer")

#: What a module takes whose plan can be approved. ``expected`` reads it.
EXPECTED: dict[str, dict[str, Any]] = {
    "expected_plan": {"type": "str"},
    "approval": {"type": "str", "choices": ["request", "require"]},
    "approval_lifetime": {"type": "int"},
}


def expected(params: dict[str, Any]) -> str | None:
    """The digest that the plan must have, as ``Pipeline`` takes it.

    Raises Refused where the controller did not take ``approval`` out, so that nobody looked after it.
    """
    if params.get("approval"):
        raise Refused(
            f"approval is {params['approval']}, which the controller looks after, and it did not. Nothing was done. "
            "Run the module as a task of Ansible"
        )
    return (params["expected_plan"] or "").lower() if "expected_plan" in params else None


class Pipeline(NamedTuple):
    """What a backend puts under ``run``.

    ``read`` gathers a state and ``read_more`` adds what a planner asked for (both change nothing), ``plan`` is pure,
    ``facts`` tells a state to the user, and ``diff`` what of it a diff shows (text, or facts, or what ``draw`` makes
    texts of, for the states before and after), ``handlers`` loads what does the steps, ``lock`` keeps others out
    meanwhile, and can be left and entered again. ``replan`` plans once steps were done, where an act (a scrub) must not
    be planned again; ``wait`` is how many seconds to wait for what is in progress (None: not at all). ``expected`` is
    the digest that the plan must have (empty: any; None: nobody asks for one), and ``machine`` what tells the machine
    of a state from all others in it. ``title`` is what a diff calls it. ``later`` are those of LATER that a task always
    returns, also where there is nothing to tell.
    """

    read: Callable[[], Any]
    read_more: Callable[[Any, Unread], Any]
    plan: Callable[[Any], Plan]
    facts: Callable[[Any], dict[str, Any]]
    handlers: Callable[[], Handlers]
    lock: Callable[[], AbstractContextManager[None]]
    replan: Callable[[Any], Plan] | None = None
    wait: int | None = None
    diff: Callable[[Any], Any] | None = None
    draw: Callable[[Any, Any], tuple[str, ...]] | None = None
    title: str = ""
    expected: str | None = None
    machine: Callable[[Any], str] = lambda _state: ""
    later: tuple[str, ...] = ()


def answer(
    state: Any, read_more: Callable[[Any, Unread], Any], question: Callable[[Any], Answer]
) -> tuple[Any, Answer]:
    """The answer to a pure question about a state, and the state with all that the question needed to know.

    Raises StorageError where reading does not make it known.
    """
    asked: list[str] = []
    while True:
        try:
            return state, question(state)
        except Unread as need:
            if asked.count(str(need)) == _ASKED:
                raise StorageError(f"{need} was read {_ASKED} times, and is asked for again") from None
            asked.append(str(need))
            state = read_more(state, need)


def survey(pipeline: Pipeline, again: bool = False) -> tuple[Any, Plan]:
    """Read, and plan; where the planner needs to know more, read that too and plan again."""
    return answer(pipeline.read(), pipeline.read_more, (again and pipeline.replan) or pipeline.plan)


def run(module: AnsibleModule, pipeline: Pipeline) -> NoReturn:
    """Do what the module was asked, and exit."""
    result: dict[str, Any] = {"changed": False, "plan": []}
    try:
        lock = pipeline.lock()
        with lock:
            _read_plan_apply(module, pipeline, lock, result)
    except StepFailed as error:
        result.update(
            changed=error.changed or bool(result.get("done")), done=result.get("done", []) + dump_steps(error.done)
        )
        module.fail_json(msg=sentence(error), **result)
    except Exception as error:  # a user reads sentences, whatever goes wrong
        module.fail_json(msg=sentence(error), **result)
    module.exit_json(**result)


def _read_plan_apply(
    module: AnsibleModule, pipeline: Pipeline, lock: AbstractContextManager[None], result: dict[str, Any]
) -> None:
    def look(state: Any) -> tuple[Plan, dict[str, Any], tuple[Any, Any]]:
        """All that is said before anything is done. What it needs to know is read of the host as it is now."""
        planned = pipeline.plan(state)
        facts = pipeline.facts(planned.after)
        shown = (_shown(pipeline, state), _shown(pipeline, planned.after, facts)) if module._diff else (None, None)
        return planned, facts, shown

    state, (plan, after, (before, shown)) = answer(pipeline.read(), pipeline.read_more, look)
    result["plan"] = dump_steps(plan.steps)
    if module._diff:
        # Also for a run that fails: what it was about to do.
        result["diff"] = _diff(pipeline, result, before, shown)
    if pipeline.expected is not None:
        result["plan_digest"] = digest(plan.steps, pipeline.machine(state))
        # Where nothing is left to do, nothing has to be approved: the same job may run again.
        if plan.steps and pipeline.expected not in ("", result["plan_digest"]):
            raise Refused(
                f"the plan is not the expected one: its digest is {result['plan_digest']}, not {pipeline.expected}. "
                "The host, or what is wanted, is not what it was then; nothing was done. Look at the new plan"
            )
    _check_steps(plan.steps)
    if not module.check_mode:
        state, plan = _apply(pipeline, lock, state, plan, result)
        state, after = answer(state, pipeline.read_more, pipeline.facts)
        if module._diff:
            _state, shown = answer(state, pipeline.read_more, lambda known: _shown(pipeline, known, after))

    destroyed = [data for step in result["plan"] for data in step["destroys"]]
    lost = f"{'this would destroy' if module.check_mode else 'destroyed'}: {'; '.join(destroyed)}"
    for warning in (
        *([lost] if destroyed else ()),
        *plan.warnings,
        *(f"not done yet: {deferred}" for deferred in plan.pending),
    ):
        module.warn(printable(warning))
    result["changed"] = bool(result["plan"])
    told = {word: list(getattr(plan, word)) for word in LATER}
    result.update(after, **{word: said for word, said in told.items() if said or word in pipeline.later})
    if module._diff:
        result["diff"] = _diff(pipeline, result, before, shown)


def _apply(
    pipeline: Pipeline, lock: AbstractContextManager[None], state: Any, plan: Plan, result: dict[str, Any]
) -> tuple[Any, Plan]:
    """Do the plan, and what is to be done once that which it set going has ended, if it has by then.

    Others may work on the host while this waits, so all is read and planned again after a wait.
    """
    if not plan.steps and (pipeline.wait is None or not plan.waits):
        return state, plan
    from .execute import outlasting

    with outlasting():
        return _do_rounds(pipeline, lock, state, plan, result)


def _do_rounds(
    pipeline: Pipeline, lock: AbstractContextManager[None], state: Any, plan: Plan, result: dict[str, Any]
) -> tuple[Any, Plan]:
    for _round in range(_ROUNDS):
        waits = plan.waits if pipeline.wait is not None else ()
        if not plan.steps and not waits:
            return state, plan
        from .execute import execute, perform_actions

        handlers = pipeline.handlers()
        if plan.steps:
            try:
                execute(plan.steps, handlers)
            except StepFailed as error:
                # Nobody has approved another plan.
                if pipeline.expected or not _outdated(error):
                    raise
                state, plan = _anew(pipeline, plan.steps, error, result)
                continue
            result.update(changed=True, done=result.get("done", []) + dump_steps(plan.steps))
        goes_on = bool(plan.in_progress)
        state, plan = survey(pipeline, again="done" in result)
        if pipeline.wait is not None and plan.waits:
            goes_on = True
            lock.__exit__(None, None, None)
            perform_actions(tuple(wait._replace(timeout=pipeline.wait) for wait in plan.waits), handlers)
            lock.__enter__()
            perform_actions(tuple(action for wait in plan.waits for action in getattr(wait, "then", ())), handlers)
            state, plan = survey(pipeline, again="done" in result)
        if plan.steps and not goes_on:
            break
        if plan.steps and pipeline.expected:
            left = "; ".join(str(step) for step in plan.steps)
            return state, plan._replace(
                in_progress=(*plan.in_progress, f"not in the expected plan, so not done: {left}")
            )
        _check_steps(plan.steps)
        result["plan"] += dump_steps(plan.steps)
    if plan.steps:
        raise StorageError("every step was done, but this did not hold: " + "; ".join(str(step) for step in plan.steps))
    return state, plan


def _outdated(error: StepFailed) -> bool:
    reason: BaseException | None = error
    while isinstance(reason, StepFailed):
        reason = reason.__cause__
    return isinstance(reason, Outdated)


def _anew(pipeline: Pipeline, steps: tuple[Step, ...], error: StepFailed, result: dict[str, Any]) -> tuple[Any, Plan]:
    """The plan after a step that could not be done as things are. Raises the error where it is the same plan again."""
    state, plan = survey(pipeline)
    if plan.steps == tuple(step for step in steps if step not in error.done):
        raise error
    if error.done:
        result.update(changed=True, done=result.get("done", []) + dump_steps(error.done))
    result["plan"] = result["plan"][: -len(steps)] + dump_steps(error.done + plan.steps)
    _check_steps(plan.steps)
    return state, plan


def _check_steps(steps: tuple[Step, ...]) -> None:
    """Raises StorageError for what this host lacks for the steps, or does not let them do."""
    if not steps:
        return
    from .execute import check_files, missing_programs

    check_files(steps)
    missing = missing_programs(steps)
    if missing:
        raise StorageError(f"not installed on this host, and needed for this: {', '.join(missing)}")


def _shown(pipeline: Pipeline, state: Any, facts: dict[str, Any] | None = None) -> Any:
    """What a diff shows of a state. ``facts`` are those of it, where somebody asked for them already."""
    if pipeline.diff is not None:
        return pipeline.diff(state)
    known = pipeline.facts(state) if facts is None else facts
    # Without how it does (a resync's progress is not a difference that a task made), and what only the next task needs.
    return {key: value for key, value in known.items() if key not in ("status", "provides")}


def _diff(pipeline: Pipeline, result: dict[str, Any], before: Any, after: Any) -> list[dict[str, Any]]:
    """A diff as Ansible prints it: the plan, and what there is before and after."""
    if pipeline.draw is not None:
        before, after = pipeline.draw(before, after)
    states = {"before": before, "after": after}
    if not result["plan"]:
        return [states]
    from .plan_text import counted, draw

    if pipeline.title:
        steps = counted(len(result["plan"]), "step")
        states.update(before_header=f"{pipeline.title}: now", after_header=f"{pipeline.title}: after {steps}")
    return [{"prepared": draw(pipeline.title or "Plan", result)}, states]
