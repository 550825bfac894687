# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of intent: on the disk before a step, off it after that, and kept where a step left half of a thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core import execute as executor
from ansible_collections.strata.storage.plugins.module_utils.core.errors import StepFailed, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.execute import PERFORM, Handlers, execute
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Edit, Intent, Step, new_uuid, placeholder
from ansible_collections.strata.storage.plugins.module_utils.core.record import (
    Record,
    put_on_record,
    read_records,
    take_off_record,
)

INTENT = Intent("raid md0", "u1", (("/dev/sdb", "serial 1"),))


class See(NamedTuple):
    """Look at what is on record, or fail."""

    fails: bool = False


class Watch:
    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.seen: list[tuple[Intent, ...]] = []

    def see(self, action: See) -> None:
        self.seen.append(self.known())
        if action.fails:
            raise StorageError("it is broken")

    def known(self) -> tuple[Intent, ...]:
        return tuple(record.intent for record in read_records(self.directory))

    def run(self, *steps: Step) -> None:
        identities = {"identity": lambda path: f"serial of {path}"}
        execute(steps, Handlers({**PERFORM, See: self.see}, identities, records=self.directory))


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(str(tmp_path / "records"))


def a_step(*actions: Any, **more: Any) -> Step:
    return Step("make", "thing", "one", "so", actions, **{"intent": INTENT, **more})


def test_it_is_there_while_the_step_is_done_and_not_after_it(watch: Watch) -> None:
    watch.run(a_step(See()))
    assert watch.seen == [(INTENT,)]
    assert watch.known() == ()


def test_claims_come_first(watch: Watch) -> None:
    with pytest.raises(StepFailed):
        watch.run(a_step(See(), claims=(See(fails=True),)))
    assert watch.seen == [()]
    assert watch.known() == ()


def test_placeholders_in_it_are_resolved_as_in_the_step(watch: Watch) -> None:
    identity = placeholder("identity", "/dev/sdb")
    watch.run(a_step(See(), intent=Intent(f"filesystem on {identity}", new_uuid("a"), (("/dev/sdb", identity),))))
    ((found,),) = watch.seen
    assert found.thing == "filesystem on serial of /dev/sdb"
    assert found.devices == (("/dev/sdb", "serial of /dev/sdb"),)
    assert len(found.uuid) == 36


def test_it_may_last_until_a_later_step(watch: Watch) -> None:
    watch.run(a_step(See(), intent=INTENT._replace(last=False)), a_step(See(), intent=None), a_step(See()))
    assert watch.seen == [(INTENT,)] * 3
    assert watch.known() == ()


def test_a_step_that_fails_takes_it_back_if_it_is_undone(watch: Watch) -> None:
    with pytest.raises(StepFailed):
        watch.run(a_step(See(), See(fails=True)))
    assert watch.known() == (INTENT,)
    with pytest.raises(StepFailed):
        watch.run(a_step(See(fails=True), undo=(See(),)))
    assert watch.known() == ()
    with pytest.raises(StepFailed, match="Taking it back failed too"):
        watch.run(a_step(See(fails=True), undo=(See(fails=True),)))
    assert watch.known() == (INTENT,)


def test_a_step_that_did_nothing_takes_it_back(watch: Watch, tmp_path: Path) -> None:
    with pytest.raises(StepFailed):
        watch.run(a_step(Edit(str(tmp_path / "file"), "other", "new")))
    assert watch.known() == ()


def test_it_is_gone_after_the_flush_only(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "flush", lambda _devices: watch.see(See()))
    watch.run(a_step())
    assert watch.seen == [(INTENT,)]


def test_a_new_one_of_the_same_thing_takes_the_place_of_the_old(tmp_path: Path) -> None:
    directory = str(tmp_path / "records")
    put_on_record(directory, "first", INTENT)
    put_on_record(directory, "second", INTENT._replace(uuid="u2"))
    put_on_record(directory, "third", INTENT._replace(thing="raid md/0"))
    assert [(record.step, record.intent.uuid) for record in read_records(directory)] == [
        ("third", "u1"),
        ("second", "u2"),
    ]
    put_on_record(directory, "fourth", INTENT._replace(thing="raid md/1", replaces="raid md/0"))
    assert [record.step for record in read_records(directory)] == ["fourth", "second"]
    put_on_record(directory, "third", INTENT._replace(thing="raid md/0", replaces="raid md/1"))
    take_off_record(directory, INTENT)
    take_off_record(directory, INTENT)
    assert [record.step for record in read_records(directory)] == ["third"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"step": "x"}', '{"step": 1, "thing": 1, "uuid": 1, "devices": [1]}'])
def test_one_that_cannot_be_understood_is_told_and_never_acted_on(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    (tmp_path / ".b.json.temporary").write_text("{}")
    assert read_records(str(tmp_path)) == (Record(str(tmp_path / "a.json"), "", Intent("", "", ())),)


def test_none(tmp_path: Path) -> None:
    assert read_records(str(tmp_path / "nowhere")) == ()
