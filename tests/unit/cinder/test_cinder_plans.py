# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for volumes of arrays as values, without a backend: what they hold, and what is refused."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.cinder import snapshot, volume
from ansible_collections.strata.storage.plugins.module_utils.cinder.actions import (
    Attach,
    Create,
    Delete,
    DeleteSnapshot,
    Describe,
    Detach,
    Extend,
    Manage,
    ManageSnapshot,
    Record,
    Recover,
    Release,
    Rescan,
    TakeSnapshot,
)
from ansible_collections.strata.storage.plugins.module_utils.cinder.backend import (
    CONNECTION,
    check_options,
    parse,
    parse_gib,
    remedy,
    snapshot_id,
    strings,
    volume_id,
)
from ansible_collections.strata.storage.plugins.module_utils.cinder.library import _reason, faults
from ansible_collections.strata.storage.plugins.module_utils.cinder.state import (
    GIB,
    Array,
    Connection,
    Snapshot,
    Stranger,
    Use,
    Volume,
)
from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan

ID = volume_id("ceph", "db")
DB = Volume(ID, "db", 2 * GIB, pool="fast")
NIGHTLY = Snapshot(snapshot_id(ID, "nightly"), ID, "nightly", 2 * GIB)
HERE = Connection("1", ID, "web1", "rbd", "/dev/rbd0", here=True, there=True, seen=2 * GIB)
ELSEWHERE = Connection("2", ID, "web2", "rbd", "/dev/rbd0")


def array(*volumes: Volume, **more: Any) -> Array:
    """A backend of which all is read, and whose volumes are as the database has them, and used by nobody."""
    named = [(f"volume-{one.id}", one.size) for one in volumes]
    named += [(str(one), one.size) for one in more.get("strangers") or ()]
    uses = tuple((name, Use(size)) for name, size in named)
    known = {"strangers": (), "strange_snapshots": (), "uses": uses, **more}
    return Array("ceph", "web1", ("fast", "slow"), volumes, **known)


def actions(planned: Plan) -> list[Any]:
    return [action for step in planned.steps for action in step.actions]


def planned(found: Array, want: Any) -> list[Any]:
    """What is done; and what it leads to needs nothing more."""
    kind = snapshot if isinstance(want, snapshot.Wanted) else volume
    made = kind.plan(found, want)
    assert kind.plan(made.after, want).steps == ()
    return actions(made)


def Wanted(name: str = "db", **more: Any) -> volume.Wanted:
    return volume.Wanted(name, **more)


def test_an_id_is_the_same_each_time_and_another_one_elsewhere() -> None:
    """It is what tasks find their volumes by, so it stays what it is for good."""
    assert ID == "0170ba52-c552-5b38-87e8-cb45f0248e5d"
    assert volume_id("other", "db") != ID != volume_id("ceph", "db2")


def test_a_new_one() -> None:
    assert planned(array(), Wanted(size=2 * GIB)) == [Create(ID, "db", 2, checked=True)]
    words: dict[str, Any] = {"size": GIB, "pool": "slow", "description": "d", "extra_specs": (("a", "b"),)}
    assert planned(array(), Wanted(**words)) == [Create(ID, "db", 1, "slow", "d", (("a", "b"),), checked=True)]
    # What the driver cannot list may be there: then a creation that is cut off is not taken away.
    assert planned(array(lists=False), Wanted(size=GIB)) == [Create(ID, "db", 1)]


def test_what_is_there_is_asked_for_before_a_creation() -> None:
    with pytest.raises(Unread, match="strangers"):
        volume.plan(array(strangers=None), Wanted(size=GIB))
    assert volume.plan(array(DB, strangers=None), Wanted(size=2 * GIB)) == Plan((), array(DB, strangers=None))


def test_data_of_a_lost_database_is_never_made_anew() -> None:
    there = Stranger((("source-name", f"volume-{ID}"),), 2 * GIB)
    with pytest.raises(Refused, match="and the database does not"):
        volume.plan(array(strangers=(there,)), Wanted(size=2 * GIB))
    found = array(strangers=(there,))
    assert planned(found, Wanted(size=2 * GIB, manage=True)) == [Manage(ID, "db", there.reference)]


def test_growing_describing_and_what_cannot_be() -> None:
    want = Wanted(size=4 * GIB, description="new")
    assert planned(array(DB), want) == [Extend(ID, 4), Describe(ID, "new")]
    for words, said in (
        ({"size": GIB}, "volumes do not become smaller"),
        ({"pool": "slow"}, "it is in pool fast, slow is wanted"),
        ({"extra_specs": (("a", "b"),)}, "its extra_specs are {}"),
        ({"qos_specs": (("a", "b"),)}, "its qos_specs are {}"),
        ({"name": "other", "id": ID}, "is called db, and names are kept"),
    ):
        with pytest.raises(StorageError, match=said):
            volume.plan(array(DB), Wanted(**words))
    warned = volume.plan(array(DB._replace(connections=(ELSEWHERE,))), Wanted(size=4 * GIB))
    assert "web2 may see its new size only once" in warned.warnings[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "a new volume needs a size"),
        ({"size": GIB, "pool": "none"}, "has no pool none; it has fast slow"),
        ({"size": GIB, "source_volume": "db"}, "size is 1 GiB, and its source has 2 GiB"),
        ({"source_volume": "nothing"}, "has no volume nothing to make it from"),
        ({"source_snapshot": "nothing"}, "backend ceph has no snapshot nothing"),
        ({"source_volume": "db", "pool": "slow"}, "its source is in pool fast"),
        ({"source_volume": "broken"}, "its source broken is in status error"),
        ({"name": "", "id": volume_id("ceph", "x")}, "a new one needs a name"),
        ({"name": "twice"}, "2 volumes of backend ceph have this name"),
        ({"size": GIB, "name": "renamed"}, "is that of volume x, which was given another name"),
    ],
)
def test_what_cannot_be_made(words: dict[str, Any], said: str) -> None:
    broken = Volume(volume_id("ceph", "broken"), "broken", GIB, "error")
    twice = [Volume(volume_id("ceph", str(number)), "twice", GIB) for number in range(2)]
    other = Volume(volume_id("ceph", "renamed"), "x", GIB)
    with pytest.raises(StorageError, match=said):
        volume.plan(array(DB, broken, *twice, other), Wanted(**{"name": "new", **words}))


def test_copies() -> None:
    source = DB._replace(snapshots=(NIGHTLY,), extra_specs=(("a", "b"),))
    new = volume_id("ceph", "copy")
    specs: dict[str, Any] = {"extra_specs": (("a", "b"),), "checked": True}
    want = Wanted("copy", source_volume="db")
    assert planned(array(source), want) == [Create(new, "copy", 2, source_volume=ID, **specs)]
    want = Wanted("copy", source_snapshot="nightly", size=3 * GIB)
    assert planned(array(source), want) == [Create(new, "copy", 3, source_snapshot=NIGHTLY.id, **specs)]
    copy = Volume(new, "copy", 2 * GIB, pool="fast", source=ID)
    with pytest.raises(StorageError, match="it was made from"):
        volume.plan(array(source, copy), Wanted("copy", source_snapshot="nightly"))
    # Its source may go.
    assert planned(array(copy), Wanted("copy", source_volume="db")) == []
    double = Volume(volume_id("ceph", "two"), "two", GIB, snapshots=(NIGHTLY._replace(id="x", volume="y"),))
    with pytest.raises(StorageError, match="2 snapshots are called nightly"):
        volume.plan(array(source, double), Wanted("copy", source_snapshot="nightly"))


def test_deleting() -> None:
    gone = Wanted(state="absent", allow_destroy=True)
    assert planned(array(DB), gone) == [Delete(ID)]
    assert planned(array(), gone) == []
    for found, want, said in (
        (DB, Wanted(state="absent"), "set allow_destroy"),
        (DB._replace(snapshots=(NIGHTLY,)), gone, r"it has snapshots \(nightly\)"),
        (DB._replace(connections=(ELSEWHERE,)), gone, "it is attached to web2"),
    ):
        with pytest.raises(Refused, match=said):
            volume.plan(array(found), want)


def test_what_a_crash_left() -> None:
    begun = DB._replace(status="creating")
    cut_off = Delete(ID, cut_off=True)
    assert planned(array(begun), Wanted(size=2 * GIB)) == [cut_off, Create(ID, "db", 2, checked=True)]
    assert planned(array(begun), Wanted(state="absent")) == [cut_off]
    # It could not be extended: it is whole.
    half = DB._replace(status="error", recoverable=True)
    assert planned(array(half), Wanted(size=4 * GIB)) == [Recover(ID), Extend(ID, 4)]
    assert planned(array(half), Wanted()) == [Recover(ID)]
    with pytest.raises(Refused, match="set allow_destroy"):
        volume.plan(array(half), Wanted(state="absent"))


@pytest.mark.parametrize("status", ["deleting", "error_deleting"])
def test_a_deletion_that_did_not_end_is_not_taken_for_a_volume(status: str) -> None:
    found = array(DB._replace(status=status))
    with pytest.raises(Refused, match="its data may be incomplete"):
        volume.plan(found, Wanted())
    assert planned(found, Wanted(state="absent", allow_destroy=True)) == [Delete(ID)]


def test_one_in_error_is_not_made_anew_without_permission() -> None:
    found = array(DB._replace(status="error"))
    with pytest.raises(Refused, match="or a whole volume with data"):
        volume.plan(found, Wanted(size=GIB))
    want = Wanted(size=GIB, allow_destroy=True)
    made = volume.plan(found, want)
    assert actions(made) == [Delete(ID), Create(ID, "db", 1, checked=True)]
    assert made.steps[0].destroys == ("volume db: 2 GiB, whatever is on it",)
    with pytest.raises(Refused, match="it has snapshots"):
        volume.plan(array(DB._replace(status="error", snapshots=(NIGHTLY,))), want)
    with pytest.raises(Refused, match="its status is maintenance"):
        volume.plan(array(DB._replace(status="maintenance")), want)


def test_attaching() -> None:
    want = Wanted(size=2 * GIB, state="attached")
    assert planned(array(), want) == [Create(ID, "db", 2, checked=True), Attach(ID)]
    assert planned(array(DB._replace(connections=(HERE,))), want) == []
    stale = DB._replace(connections=(HERE._replace(seen=GIB),))
    assert planned(array(stale), want) == [Rescan(ID)]
    # Who only wants the volume wants nothing of this host.
    assert planned(array(stale), want._replace(state="present")) == []
    lost = HERE._replace(there=False)
    assert planned(array(DB._replace(connections=(lost,))), want) == [Attach(ID)]
    with pytest.raises(Refused, match="it is attached to web2"):
        volume.plan(array(DB._replace(connections=(ELSEWHERE,))), want)
    made = volume.plan(array(), want)
    device = f"/dev/disk/by-id/cinder-{ID}"
    assert volume.facts(made.after, want)["provides"] == [{"path": device, "size": str(2 * GIB)}]


def test_detaching() -> None:
    want = Wanted(state="detached")
    assert planned(array(DB._replace(connections=(HERE,))), want) == [Detach(ID)]
    assert planned(array(DB), want) == []
    # It is another host's.
    assert planned(array(DB._replace(connections=(ELSEWHERE,))), want) == []
    with pytest.raises(Refused, match="/dev/rbd0 is mounted, or held by something"):
        volume.plan(array(DB._replace(connections=(HERE._replace(busy=True),))), want)


def test_what_only_the_backend_knows() -> None:
    """Its size, where the driver would cut it off; who uses it; and that it is gone."""
    name = f"volume-{ID}"
    with pytest.raises(Unread, match=f"use {name}"):
        volume.plan(array(DB, uses=()), Wanted(size=3 * GIB))
    grown = array(DB, uses=((name, Use(4 * GIB)),))
    assert planned(grown, Wanted(size=4 * GIB)) == [Record(ID, 4)]
    assert planned(grown, Wanted(size=5 * GIB)) == [Record(ID, 4), Extend(ID, 5)]
    with pytest.raises(StorageError, match="the backend has 4 GiB of it, the database 2 GiB"):
        volume.plan(grown, Wanted(size=3 * GIB))
    here = DB._replace(connections=(HERE,))
    assert planned(array(here, uses=grown.uses), Wanted(size=4 * GIB, state="attached")) == [Record(ID, 4), Rescan(ID)]
    # A driver that cannot tell is taken at the database's word.
    assert planned(array(DB, uses=((name, Use()),)), Wanted(size=3 * GIB)) == [Extend(ID, 3)]

    used = array(DB, uses=((name, Use(2 * GIB, ("web9",))),))
    words: dict[str, Any]
    for words in ({"state": "attached"}, {"state": "absent", "allow_destroy": True}):
        with pytest.raises(Refused, match="web9 use it on the backend, and the database has no connection"):
            volume.plan(used, Wanted(**words))
    assert planned(used, Wanted(state="detached")) == []
    offered = DB._replace(offered=True)
    assert planned(array(offered), Wanted(state="detached")) == [Detach(ID)]
    with pytest.raises(Refused, match="refused to detach: web9 use it"):
        volume.plan(array(offered, uses=used.uses), Wanted(state="detached"))

    gone = array(DB._replace(there=False, connections=(HERE._replace(there=False),)))
    for words in ({}, {"size": 3 * GIB}, {"state": "attached"}):
        with pytest.raises(Refused, match=f"backend ceph has no {name}"):
            volume.plan(gone, Wanted(**words))
    with pytest.raises(Refused, match=f"backend ceph has no {name}"):
        snapshot.plan(gone, snapshot.Wanted("db", "nightly"))
    for source in ({"source_volume": "db"}, {"source_snapshot": "nightly"}):
        with pytest.raises(Refused, match=f"its source db: the database has it, and backend ceph has no {name}"):
            volume.plan(array(DB._replace(there=False, snapshots=(NIGHTLY,))), Wanted("copy", **source))
    # Each way out of that is open, one after the other.
    assert planned(gone, Wanted(state="detached")) == [Detach(ID)]
    deleted = Wanted(state="absent", allow_destroy=True)
    assert planned(array(DB._replace(there=False)), deleted) == [Delete(ID)]


def test_a_host_that_is_down_for_good() -> None:
    want = Wanted(state="detached", host="web2", allow_destroy=True)
    found = array(DB._replace(connections=(ELSEWHERE,)))
    assert planned(found, want) == [Release(ID, "2")]
    assert planned(array(DB._replace(connections=(HERE,))), want) == []
    assert planned(array(DB._replace(connections=(HERE,))), want._replace(host="web1")) == [Detach(ID)]
    with pytest.raises(Refused, match="See to it that it is down, and set allow_destroy"):
        volume.plan(found, want._replace(allow_destroy=False))
    with pytest.raises(Refused, match="web9 use it on the backend, so that host may still write"):
        volume.plan(found._replace(uses=((f"volume-{ID}", Use(2 * GIB, ("web9",))),)), want)


def test_a_backend_that_was_renamed() -> None:
    other = DB._replace(id="3f0e3c8e-0f4e-4a7e-9d55-6d0f0c7a9d11")
    found = array(elsewhere=(("old", other),))
    with pytest.raises(Refused, match=f"holds volume-{other.id}, .*If the backend was renamed, name it old again"):
        volume.plan(found, Wanted(size=GIB))
    assert planned(found, Wanted("another", size=GIB)) == [
        Create(volume_id("ceph", "another"), "another", 1, checked=True)
    ]
    assert planned(found, Wanted(id=ID, size=GIB)) == [Create(ID, "db", 1, checked=True)]


def test_adopting() -> None:
    there = Stranger((("source-name", "by-hand"),), 2 * GIB)
    new = volume_id("ceph", "by-hand")
    found = array(strangers=(there,))
    want = Wanted("by-hand", manage=True, size=3 * GIB)
    assert planned(found, want) == [Manage(new, "by-hand", there.reference), Extend(new, 3)]
    for state, words, said in (
        (array(), {}, "has nothing of this name"),
        (array(lists=False), {}, "cannot list what could be adopted"),
        (array(strangers=(there._replace(obstacle="volume in use"),)), {}, "cannot be adopted: volume in use"),
        (found, {"size": GIB}, "volumes do not become smaller"),
        (found, {"pool": "none"}, "has no pool none"),
        (array(strangers=(there, there._replace(reference=(("x", f"volume-{new}"),)))), {}, "may be meant; rename one"),
    ):
        with pytest.raises(StorageError, match=said):
            volume.plan(state, Wanted("by-hand", manage=True, **words))


def test_adopting_snapshots() -> None:
    want = snapshot.Wanted("db", "by-hand", manage=True)
    new = snapshot_id(ID, "by-hand")
    there = Stranger((("source-name", "by-hand"),), 2 * GIB, source=f"volume-{ID}")
    assert planned(array(DB, strange_snapshots=(there,)), want) == [ManageSnapshot(new, ID, "by-hand", there.reference)]
    # LVM's driver puts something before the name that it gave.
    lost = there._replace(reference=(("source-name", f"_snapshot-{new}"),))
    assert planned(array(DB, strange_snapshots=(lost,)), want) == [ManageSnapshot(new, ID, "by-hand", lost.reference)]
    with pytest.raises(Refused, match="manage true takes it as it is"):
        snapshot.plan(array(DB, strange_snapshots=(lost,)), want._replace(manage=False))
    for found, said in (
        (array(DB), "has nothing of this name"),
        (array(DB, strange_snapshots=(there._replace(source="volume-of-another"),)), "has nothing of this name"),
        (array(DB, lists_snapshots=False), "cannot list what could be adopted"),
        (array(DB, strange_snapshots=(there, lost)), "may be meant; rename one of them"),
        (array(DB, strange_snapshots=(there._replace(obstacle="in use"),)), "cannot be adopted: in use"),
    ):
        with pytest.raises((StorageError, Refused), match=said):
            snapshot.plan(found, want)
    # Names of volumes are what they are.
    assert not Stranger((("source-name", "_db"),), GIB).named("db")


def test_errors_of_programs_are_told_without_what_they_were_given() -> None:
    """Drivers give them passwords, and some of them repeat these."""
    said = (
        "Unexpected error while running command.\nCommand: env LC_ALL=C cinder-rtstool create /dev/x s3cret\n"
        "Exit code: 1\nStdout: 's3cret'\nStderr: 'Traceback of s3cret\\n  File\\nRTSLibError: no dbroot\\n'"
    )
    assert _reason(RuntimeError(f"No target. {said}")) == (
        "No target. cinder-rtstool failed (exit code 1): RTSLibError: no dbroot"
    )
    silent = said.partition("Stdout")[0] + "Stdout: ''\nStderr: ''"
    assert _reason(RuntimeError(silent)) == "cinder-rtstool failed (exit code 1): it said nothing"
    missing = RuntimeError("Failed")
    missing.__context__ = FileNotFoundError(2, "No such file or directory", "lsscsi")
    assert _reason(missing) == "the program lsscsi is not there, or what it runs with is not"


def test_errors_of_databases_are_told_without_their_statements() -> None:
    """The values may be what a connection carries."""
    said = "(sqlite3.OperationalError) database or disk is full"
    hint = "(Background on this error at: https://example.com/e3q8)"
    flush = "(raised as a result of Query-invoked autoflush; consider using a block if this flush is premature)"
    statement = f"[SQL: INSERT INTO t VALUES (?)]\n[parameters: ('s3cret',)]\n{hint}"
    for more in (f"{flush} {said}\n{statement}", f"{said}\n{hint}", f"{said} DETAIL:  Failing row contains (s3cret)."):
        assert _reason(RuntimeError(more)) == said


def test_connections_say_whether_a_volume_is_in_use() -> None:
    """A task that was cut off may have written the one, and not the other."""
    stale = DB._replace(status="in-use")
    assert stale.with_connections(()) == DB
    assert DB.with_connections((HERE,)).status == "in-use"
    assert DB._replace(status="deleting").with_connections((HERE,)).status == "deleting"


def test_texts_that_not_each_database_keeps() -> None:
    long = "x" * 256
    given = dict.fromkeys(volume.OPTIONS) | {"name": "db", "state": "present"}
    for words in ({"description": long}, {"extra_specs": {"tier": long}}, {"qos_specs": {long: "1"}}):
        with pytest.raises(StorageError, match="255"):
            volume.parse({**given, **words})
    assert volume.parse({**given, "description": long[1:]}).description == long[1:]
    with pytest.raises(StorageError, match="snapshot nightly: description: it has 256 characters, and may have 255"):
        snapshot.parse({"volume": "db", "name": "nightly", "description": long})


def test_snapshots() -> None:
    new, want = snapshot_id(ID, "nightly"), snapshot.Wanted("db", "nightly")
    assert planned(array(DB), want) == [TakeSnapshot(new, ID, "nightly", checked=True)]
    assert planned(array(DB), want._replace(volume=ID)) == [TakeSnapshot(new, ID, "nightly", checked=True)]
    taken = array(DB._replace(snapshots=(NIGHTLY,)))
    assert planned(taken, want) == []
    assert planned(taken, want._replace(description="d")) == [Describe(NIGHTLY.id, "d", snapshot=True)]
    gone = want._replace(state="absent", allow_destroy=True)
    assert planned(taken, gone) == [DeleteSnapshot(NIGHTLY.id)]
    assert planned(array(DB), gone) == planned(array(), gone) == []
    begun = array(DB._replace(snapshots=(NIGHTLY._replace(status="creating"),)))
    cut_off = DeleteSnapshot(new, cut_off=True)
    assert planned(begun, want) == [cut_off, TakeSnapshot(new, ID, "nightly", checked=True)]
    assert planned(begun, want._replace(state="absent")) == [cut_off]
    with pytest.raises(Unread, match="snapshots"):
        snapshot.plan(array(DB, strange_snapshots=None), want)
    strange = Stranger((("source-name", f"snapshot-{new}"),), GIB)
    for found, wanted, said in (
        (array(), want, "has no volume db"),
        (taken, want._replace(state="absent"), "set allow_destroy"),
        (array(DB._replace(snapshots=(NIGHTLY._replace(status="error"),))), want, "nothing can be restored from it"),
        (array(DB._replace(status="error")), want, "its volume is in status error"),
        (array(DB, strange_snapshots=(strange,)), want, "Is it the right database"),
        (array(DB._replace(snapshots=(NIGHTLY, NIGHTLY._replace(id="x")))), want, "2 snapshots of this volume"),
    ):
        with pytest.raises(StorageError, match=said):
            snapshot.plan(found, wanted)


def words(**more: Any) -> dict[str, Any]:
    known = {name: option.get("default") for name, option in CONNECTION.items()}
    return {**known, "backend": {"name": "ceph", "driver": "rbd", "options": {}}, **more}


def test_the_words_of_a_backend() -> None:
    want = parse(words())
    assert want.driver == "cinder.volume.drivers.rbd.RBDDriver"
    assert want.options["rbd_ceph_conf"] == "/etc/ceph/ceph.conf"
    assert want.database == "/var/lib/strata-storage/cinder/cinder.sqlite"
    assert want.lock == "/var/lib/strata-storage/cinder/locks/ceph.strata.lock"
    given = words(backend={"name": "a", "driver": "x.Y", "options": {"a": 1}}, persistence={"url": "postgresql://a/b"})
    assert parse(given).is_url
    assert parse(given)[:4] == ("a", "x.Y", {"a": 1}, ())
    for wrong, said in (
        ({"backend": {"name": "a b", "driver": "rbd", "options": {}}}, "no slash and no space"),
        ({"backend": {"name": "a", "driver": "rdb", "options": {}}}, "rdb is neither the path of a class"),
        ({"connect_timeout": 0}, "at least 1"),
        ({"persistence": {"url": "/var/db"}}, "url is no URL"),
        ({"persistence": {"path": "db.sqlite"}}, "persistence: path: db.sqlite has no / at its start"),
        ({"state_path": "cinder"}, "state_path: cinder has no /"),
        ({"file_locks_path": "locks"}, "file_locks_path: locks has no /"),
    ):
        with pytest.raises(StorageError, match=said):
            parse(words(**wrong))


def test_the_words_of_a_volume() -> None:
    given: dict[str, Any] = dict.fromkeys(volume.OPTIONS)
    given.update(name="db", size="100GB", extra_specs={"b": True, "a": 1}, state="present")
    want = volume.parse(given)
    assert want.size == 94 * GIB
    assert want.extra_specs == (("a", "1"), ("b", "True"))
    assert parse_gib("1G") == GIB
    for wrong, said in (
        ({"name": ""}, "1 to 255 printable characters"),
        ({"id": "x"}, "'x' is no UUID"),
        ({"size": "50%"}, "not a percentage"),
        ({"manage": True, "source_volume": "a"}, "what is adopted has no source"),
    ):
        with pytest.raises(StorageError, match=said):
            volume.parse({**given, **wrong})


def test_a_typo_is_an_error_with_the_nearest_option() -> None:
    check_options(["rbd_pool"], ["rbd_pool", "rbd_user"])
    with pytest.raises(StorageError, match=r"no option rbd_pol\. Did you mean rbd_pool"):
        check_options(["rbd_pol"], ["rbd_pool", "rbd_user"])


@pytest.mark.parametrize(
    ("driver", "options", "said", "expected"),
    [
        (
            "rbd",
            {"rbd_pool": "volumes"},
            "[errno 2] RADOS object not found (error opening pool 'volumes')",
            "the cluster has no pool volumes; create it, or name another by rbd_pool",
        ),
        (
            "rbd",
            {"rbd_user": "cinder"},
            "[errno 13] RADOS permission denied (error connecting to the cluster)",
            "the cluster did not let client.cinder in; its keyring was to be where /etc/ceph/ceph.conf says, else "
            "/etc/ceph/ceph.client.cinder.keyring. Copy it there, or name another user by rbd_user",
        ),
        (
            "rbd",
            {},
            "[errno 2] RADOS object not found (error calling conf_read_file)",
            "there is no configuration of Ceph /etc/ceph/ceph.conf on this host; copy it there, or name another file "
            "by rbd_ceph_conf",
        ),
        (
            "rbd",
            {"rbd_keyring_conf": "/etc/ceph/none"},
            'Value "/etc/ceph/none" is not valid for configuration option "rbd_keyring_conf"',
            "there is no keyring /etc/ceph/none on this host; copy it there, or name another file by rbd_keyring_conf",
        ),
        ("rbd", {}, "[errno 110] RADOS timed out (error connecting to the cluster)", ""),
        (
            "lvm",
            {"volume_group": "arrays"},
            "vgs failed (exit code 5): Cannot process volume group arrays",
            "this host has no volume group arrays; make it, or name another by volume_group",
        ),
        ("cinder.volume.drivers.x.Driver", {}, "error opening pool", ""),
        (
            "cinder.volume.drivers.rbd.RBDDriver",
            {},
            "error opening pool",
            "the cluster has no pool rbd; create it, or name another by rbd_pool",
        ),
    ],
)
def test_what_to_do_where_a_driver_does_not_start(driver: str, options: Any, said: str, expected: str) -> None:
    given = {"name": "ceph", "driver": driver, "options": options}
    assert remedy(parse(words(backend=given)), said) == expected


def test_what_ansible_hides() -> None:
    assert list(strings({"a": ["x", {"b": 5}], "c": None, "d": True, "e": ""})) == ["x", "5"]


def test_what_is_wrong_with_the_packages() -> None:
    installed = {"cinderlib": "5.2.0", "cinder": "23.5.0", "SQLAlchemy": "1.4.54", "oslo.versionedobjects": "3.8.0"}

    def version_of(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    assert faults(version_of) == []
    installed.update({"SQLAlchemy": "2.0.1", "cinder": "29.0.0", "oslo.versionedobjects": "3.12.0"})
    del installed["cinderlib"]
    assert faults(version_of) == [
        "cinderlib is not installed",
        "cinder is 29.0.0, and has to be 23",
        "SQLAlchemy is 2.0.1, and has to be 1.4",
        "oslo.versionedobjects is 3.12.0, and has to be older than 3.9",
    ]
