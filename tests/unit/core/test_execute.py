# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The executor, on real files and real processes."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.command import read_text, run_command, wait_until
from ansible_collections.strata.storage.plugins.module_utils.core.errors import StepFailed, StorageError, sentence
from ansible_collections.strata.storage.plugins.module_utils.core.execute import (
    PERFORM,
    Handlers,
    Phases,
    Symbols,
    execute,
    flush,
    missing_programs,
)
from ansible_collections.strata.storage.plugins.module_utils.core.plan import (
    Command,
    Edit,
    MakeDirectory,
    Step,
    Wait,
    Write,
    kernel_name,
    new_uuid,
    placeholder,
)


class Note(NamedTuple):
    """Be heard, or fail with a word."""

    text: str
    fails: bool = False


class Record:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, action: Note) -> None:
        if action.fails:
            raise StorageError(f"{action.text} is broken.")
        self.notes.append(action.text)

    def run(self, *steps: Step, **kinds: Any) -> None:
        execute(steps, Handlers({**PERFORM, Note: self.note}, kinds))


@pytest.fixture
def record() -> Record:
    return Record()


def step(name: str, *actions: Any, **more: Any) -> Step:
    return Step("do", "thing", name, "so", actions, **more)


def perform(action: Any) -> None:
    execute((step("one", action),), Handlers(PERFORM))


# Symbols


def test_a_uuid_is_drawn_once_for_each_name() -> None:
    symbols = Symbols({})
    one, same, other = (symbols.text(new_uuid(name)) for name in ("a", "a", "b"))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one)
    assert one == same != other


def test_symbols_reach_into_nested_tuples_and_keep_their_types() -> None:
    symbols = Symbols({"name": str.upper})
    action = Command(("echo", "<name:a>", "x<name:b>y"), 7)
    assert symbols.resolve((action, ("<name:c>", None, 1))) == (Command(("echo", "A", "xBy"), 7), ("C", None, 1))
    assert isinstance(symbols.resolve((action,))[0], Command)


def test_one_placeholder_may_stand_in_the_name_of_another(tmp_path: Path) -> None:
    target = tmp_path / "bcache0"
    target.touch()
    (tmp_path / "dev").symlink_to(target)
    inner = placeholder("directory", "x")
    assert Symbols({"directory": lambda _: str(tmp_path)}).text(kernel_name(f"{inner}/dev")) == "bcache0"


@pytest.mark.parametrize("text", ["<ignore>", "<file system>", "<unknown:name>", "a < b: c > d", "plain"])
def test_other_angle_brackets_stay(text: str) -> None:
    assert Symbols({}).text(text) == text


# execute


def test_steps_are_done_in_order_claims_first(record: Record) -> None:
    record.run(
        step("one", Note("1"), Note("2"), claims=(Note("claim 1"),)), step("two", Note("3"), claims=(Note("claim 2"),))
    )
    assert record.notes == ["claim 1", "1", "2", "claim 2", "3"]


def test_undo_is_left_alone_when_all_goes_well(record: Record) -> None:
    record.run(step("one", Note("1"), undo=(Note("undo"),)))
    assert record.notes == ["1"]


def test_a_failing_claim_stops_before_anything_is_done(record: Record) -> None:
    with pytest.raises(StepFailed, match=r"^do thing one: so: sdb is broken\.$") as failed:
        record.run(step("one", Note("1"), claims=(Note("sdb", fails=True),), undo=(Note("undo"),)))
    assert record.notes == []
    assert (failed.value.done, failed.value.changed) == ((), False)


def test_a_failing_claim_later_on_leaves_what_was_done(record: Record) -> None:
    first = step("one", Note("1"))
    with pytest.raises(StepFailed) as failed:
        record.run(first, step("two", Note("2"), claims=(Note("sdb", fails=True),)), step("three", Note("3")))
    assert record.notes == ["1"]
    assert (failed.value.done, failed.value.changed) == ((first,), True)


def test_a_failing_step_names_itself_and_those_that_were_done(record: Record) -> None:
    first = step("one", Note("1"))
    with pytest.raises(StepFailed, match=r"^do thing two: so: it is broken\.$") as failed:
        record.run(first, step("two", Note("it", fails=True)), step("three", Note("3")))
    assert record.notes == ["1"]
    assert failed.value.done == (first,)


@pytest.mark.parametrize(("before", "changed"), [((), False), ((step("zero"),), True)])
def test_a_failing_step_that_is_undone_leaves_no_trace(record: Record, before: tuple[Step, ...], changed: bool) -> None:
    with pytest.raises(StepFailed) as failed:
        record.run(*before, step("one", Note("1"), Note("it", fails=True), undo=(Note("undo"),)))
    assert record.notes == ["1", "undo"]
    assert failed.value.changed is changed


def test_an_edit_that_fails_has_changed_nothing(tmp_path: Path) -> None:
    edit = Edit(str(tmp_path / "conf"), "what is not there", "new")
    for actions, changed in (((edit,), False), ((MakeDirectory(str(tmp_path / "made")), edit), True)):
        with pytest.raises(StepFailed, match="was changed by somebody else") as failed:
            execute((Step("edit", "file", "conf", "", actions),), Handlers(PERFORM))
        assert failed.value.changed is changed


def test_a_failing_step_without_undo_may_have_changed_something(record: Record) -> None:
    with pytest.raises(StepFailed) as failed:
        record.run(step("one", Note("it", fails=True)))
    assert failed.value.changed is True


def test_undo_that_fails_is_reported_too(record: Record) -> None:
    said = r"^do thing one: so: it is broken\. Taking it back failed too: undo is broken\.$"
    with pytest.raises(StepFailed, match=said) as failed:
        record.run(step("one", Note("it", fails=True), undo=(Note("undo", fails=True),)))
    assert failed.value.changed is True


class Lanes(Record):
    def run_at_once(self, *steps: Step) -> None:
        """Those that are called ``first`` before all others, and each of these beside the rest."""

        def phases(steps: tuple[Step, ...]) -> Phases:
            first = tuple(one for one in steps if one.name == "first")
            return (first,), tuple((one,) for one in steps if one.name != "first")

        execute(steps, Handlers({Note: self.note, Meet: self.meet}, placeholders=None, phases=phases))

    def meet(self, action: Meet) -> None:
        action.others.wait(30)
        self.notes.append("met")


class Meet(NamedTuple):
    """Wait for the others: who comes one after the other never meets."""

    others: threading.Barrier


def test_lanes_of_a_phase_are_done_at_once_and_phases_in_order() -> None:
    record, others = Lanes(), threading.Barrier(3)
    steps = [step(f"lane{number}", Meet(others)) for number in range(3)]
    record.run_at_once(*steps, step("first", Note("before")))
    assert record.notes == ["before", "met", "met", "met"]


def test_what_failed_in_lanes_is_all_told_with_what_was_done() -> None:
    record, others = Lanes(), threading.Barrier(2)
    fine = step("fine", Note("<uuid:stays>"))
    broken = [step(f"bad{number}", Meet(others), Note(f"part {number}", fails=True)) for number in range(2)]
    with pytest.raises(StepFailed) as failed:
        record.run_at_once(fine, *broken)
    assert "part 0 is broken" in str(failed.value)
    assert "part 1 is broken" in str(failed.value)
    assert set(failed.value.done) <= {fine}
    assert failed.value.changed
    assert "<uuid:stays>" in record.notes


def test_no_phase_begins_after_one_that_failed() -> None:
    record = Lanes()
    with pytest.raises(StepFailed):
        record.run_at_once(step("first", Note("it", fails=True)), step("other", Note("never")))
    assert record.notes == []


def test_symbols_are_the_same_in_all_parts_of_all_steps(record: Record) -> None:
    name = new_uuid("x")
    record.run(step("one", Note(name), claims=(Note(name),)), step("two", Note(name)))
    assert len(set(record.notes)) == 1 != len(record.notes)


def test_an_action_fails_as_a_sentence_not_a_traceback(record: Record, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StepFailed, match=r"file/sub: Not a directory$"):
        record.run(step("one", MakeDirectory(f"{tmp_path}/file/sub")))


def test_flush_writes_out_devices_and_ignores_those_that_are_gone(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.touch()
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(os.readlink(f"/proc/self/fd/{fd}")))
    record.run(step("one", flush=(f"{tmp_path}/missing", "<where:here>")), where=lambda name: f"{tmp_path}/{name}")
    assert flushed == [str(here)]


def test_flush_that_cannot_be_done_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        flush((f"{tmp_path}/file/x",))


def test_missing_programs_are_those_of_commands_only() -> None:
    steps = (step("one", Command(("sh", "-c", ":")), Command(("no-such-b",)), Write("/sys/x", "1")),)
    assert missing_programs((*steps, step("two", Command(("no-such-a", "no-such-c"))))) == ["no-such-a", "no-such-b"]


# Commands


def test_a_command_runs_in_the_c_locale_without_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run_command(("sh", "-c", "echo $LC_ALL; cat; echo äöü")) == "C\näöü\n"


def test_a_command_is_found_beside_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert missing_programs((step("one", Command(("sh",))),)) == []
    assert run_command(("sh", "-c", "echo found")) == "found\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo one >&2; echo two >&2; exit 3", "failed with status 3: one two"),
        ("echo only output; exit 1", "failed with status 1: only output"),
        ("kill -9 $$", "failed with status -9: "),
        ("printf '\\377' >&2; exit 1", "failed with status 1: \ufffd"),
    ],
)
def test_a_failing_command_says_what_it_said(script: str, said: str) -> None:
    with pytest.raises(StorageError) as error:
        run_command(("sh", "-c", script))
    assert str(error.value) == f"sh -c {script} {said}"


def test_a_missing_program_is_named() -> None:
    with pytest.raises(StorageError, match=r"^no-such is not installed on this host, and is needed for: no-such -x$"):
        run_command(("no-such", "-x"))


def test_a_command_that_hangs_is_killed() -> None:
    with pytest.raises(StorageError, match=r"^sleep 60 did not end within 0\.1 s and was killed$"):
        run_command(("sleep", "60"), timeout=0.1)  # type: ignore[arg-type]


def test_what_a_command_that_hangs_has_started_ends_with_it(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(StorageError, match="and was killed"):
        run_command(("sh", "-c", script), timeout=1)
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not read_text(f"/proc/{pid}/cmdline"), 5, "in vain")


def test_a_commands_time_limit_is_the_actions() -> None:
    action = Command((sys.executable, "-c", "import time; time.sleep(60)"), timeout=0)
    with pytest.raises(StepFailed, match="did not end within 0 s"):
        perform(action)


# Kernel attributes


def test_write_writes(tmp_path: Path) -> None:
    attribute = tmp_path / "attribute"
    attribute.touch()
    perform(Write(str(attribute), "value", done=f"{tmp_path}/done"))
    assert attribute.read_text() == "value"


def test_write_with_nothing_left_to_do(tmp_path: Path) -> None:
    (tmp_path / "done").touch()
    perform(Write(f"{tmp_path}/missing", "value", done=f"{tmp_path}/done"))
    assert not (tmp_path / "missing").exists()


def test_write_that_somebody_else_was_faster_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_late(*_args: object) -> int:
        (tmp_path / "done").symlink_to(tmp_path)
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "open", open_late)
    perform(Write(f"{tmp_path}/register", "value", done=f"{tmp_path}/done"))
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("done", [None, "/no/such/path"])
def test_write_that_fails_says_why(tmp_path: Path, done: str | None) -> None:
    with pytest.raises(StepFailed, match=f"writing 1 to {tmp_path}/missing failed: No such file or directory"):
        perform(Write(f"{tmp_path}/missing", "1", done))


# Files, directories, waits


def test_edit_and_make_directory(tmp_path: Path) -> None:
    perform(MakeDirectory(f"{tmp_path}/a/b"))
    perform(MakeDirectory(f"{tmp_path}/a/b"))
    perform(Edit(f"{tmp_path}/a/b/file", None, "text\n"))
    assert (tmp_path / "a/b/file").read_text() == "text\n"


def test_wait_comes_back_at_once_when_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("clean\n")
    start = time.monotonic()
    perform(Wait(f"{tmp_path}/state"))
    perform(Wait(f"{tmp_path}/state", ("dirty", "clean")))
    perform(Wait(f"{tmp_path}/other", gone=True))
    assert time.monotonic() - start < 0.04


def test_wait_until_something_appears(tmp_path: Path) -> None:
    timer = threading.Timer(0.1, (tmp_path / "path").touch)
    timer.start()
    perform(Wait(f"{tmp_path}/path"))
    timer.join()


@pytest.mark.parametrize(
    "wait",
    [
        Wait("PATH/missing", timeout=0),
        Wait("PATH/missing", ("clean",), timeout=0),
        Wait("PATH/state", ("clean", "dirty"), timeout=0),
        Wait("PATH/state", gone=True, timeout=0),
    ],
)
def test_wait_in_vain_says_for_what(tmp_path: Path, wait: Wait) -> None:
    (tmp_path / "state").write_text("inconsistent\n")
    wait = wait._replace(path=wait.path.replace("PATH", str(tmp_path)))
    with pytest.raises(StepFailed) as failed:
        perform(wait)
    assert str(failed.value) == f"do thing one: so: waited 0 s in vain for this: {wait}"


def test_wait_until_tries_once_more_after_the_time_is_up() -> None:
    answers = iter([False, True])
    wait_until(lambda: next(answers), 0.01, "for nothing")
    assert list(answers) == []


def test_read_text(tmp_path: Path) -> None:
    (tmp_path / "attribute").write_bytes(b" value \xff\n")
    assert read_text(f"{tmp_path}/attribute") == "value \ufffd"
    assert read_text(f"{tmp_path}/missing") == ""
    assert read_text(str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StorageError("So it is."), "So it is."),
        (FileNotFoundError(2, "No such file or directory", "/x"), "/x: No such file or directory"),
        (OSError(5, "Input/output error"), "the system: Input/output error"),
        (OSError("odd"), "odd"),
    ],
)
def test_errors_as_sentences(error: Exception, text: str) -> None:
    assert sentence(error) == text
