# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for RBD as values: what they are made of, and that what they lead to needs nothing more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.core.secret import Secret
from ansible_collections.strata.storage.plugins.module_utils.rbd import group, image, namespace, pool, snapshot, trash
from ansible_collections.strata.storage.plugins.module_utils.rbd.calls import Call, Features, Place, bits, names
from ansible_collections.strata.storage.plugins.module_utils.rbd.luks import header_of
from ansible_collections.strata.storage.plugins.module_utils.rbd.options import FEATURES, NEEDS, Encryption, Wanted
from ansible_collections.strata.storage.plugins.module_utils.rbd.perform import _phases
from ansible_collections.strata.storage.plugins.module_utils.rbd.state import (
    Fill,
    Group,
    Groups,
    GroupSnapshot,
    Image,
    Lock,
    Luks,
    Member,
    Mirroring,
    Namespaces,
    Parent,
    Pool,
    Settings,
    Snapshot,
    Trash,
    Trashed,
)

PLACE = Place("rbd", "tenant")
DEFAULT = frozenset({"layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten"})
MIB = 1 << 20
PARENT = Parent(Place("rbd"), "golden", "one")
COPIED = Parent(Place("rbd"), "golden", "")
GOLDEN = Image("golden", "20", 4 * MIB, 4 * MIB, DEFAULT, snapshots=(Snapshot("one", 2 * MIB),))
#: What librbd lets an image have together.
SETS = [
    frozenset(some)
    for some in (
        {"layering"},
        {"layering", "deep-flatten"},
        {"layering", "exclusive-lock"},
        {"layering", "exclusive-lock", "journaling"},
        {"layering", "exclusive-lock", "object-map", "fast-diff"},
        DEFAULT | {"journaling"},
    )
]


def state(*images: Image, **more: Any) -> Pool:
    found = {one.name: one for one in images}
    return Pool(PLACE, found, features=DEFAULT, **more)


ONE = Image("one", "10", 64 * MIB, 4 * MIB, DEFAULT, stripe_unit=4 * MIB, children=())


def calls(planned: Plan) -> list[str]:
    return [str(action) for step in planned.steps for action in step.actions]


def test_a_new_image() -> None:
    want = Wanted("one", size=8 * MIB, features=frozenset({"layering"}), object_size=MIB, metadata={"a": "b"})
    planned = image.plan(state(), want)
    assert calls(planned) == [
        "create rbd/tenant one 8388608 old_format=False features=layering order=20",
        "metadata_set rbd/tenant/one a b",
    ]
    assert image.plan(planned.after, want).steps == ()


def test_what_is_as_wanted_needs_nothing() -> None:
    assert image.plan(state(ONE), Wanted("one", size=64 * MIB, features=DEFAULT)) == Plan((), state(ONE))
    assert image.plan(state(), Wanted("one", state="absent")).steps == ()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (ONE._replace(group="g"), "it is in group g"),
        (ONE._replace(mirroring=Mirroring("journal")), "it is mirrored"),
        (ONE._replace(mirroring=Mirroring("snapshot", primary=False)), "a copy that mirroring keeps"),
        (ONE._replace(watchers=("10.0.0.1:0/1",)), "it is open on 10.0.0.1:0/1"),
        (ONE._replace(locks=(Lock("client.1", "mine", "10.0.0.2:0/1", automatic=False),)), "locked by 10.0.0.2:0/1"),
    ],
)
@pytest.mark.parametrize("gone", ["absent", "trashed"])
def test_what_somebody_needs_stays(found: Image, said: str, gone: str) -> None:
    with pytest.raises(Refused, match=said):
        image.plan(state(found), Wanted("one", state=gone, purge_snapshots=True))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (ONE._replace(children=("rbd/two",)), r"it has clones \(rbd/two\)"),
        (ONE._replace(snapshots=(Snapshot("s", 1),)), r"it has snapshots \(s\)"),
        (ONE._replace(hidden=2), "it has 2 snapshots of a group or of mirroring"),
    ],
)
def test_what_holds_something_is_not_removed(found: Image, said: str) -> None:
    with pytest.raises(Refused, match=said):
        image.plan(state(found), Wanted("one", state="absent"))


def test_what_a_cut_off_removal_left() -> None:
    left = Image("one", "10", 0, 0, frozenset(), remains=True)
    assert calls(image.plan(state(left), Wanted("one", state="absent"))) == ["remove rbd/tenant one"]
    assert calls(image.plan(state(left), Wanted("one", state="trashed"))) == ["remove rbd/tenant one"]
    with pytest.raises(Refused, match="a removal of it was cut off"):
        image.plan(state(left), Wanted("one", size=MIB))


def test_many_protect_a_parent_once_and_first() -> None:
    """Whatever else is done side by side."""
    before = state(parents={PARENT: GOLDEN})
    wanted = [Wanted("other", size=MIB), *(Wanted(f"c{n}", parent=PARENT, clone_format=1) for n in range(2))]
    planned = image.plan_all(before, wanted)
    assert [step.verb for step in planned.steps] == ["create", "protect", "clone", "clone"]
    (first,), lanes = _phases(planned.steps)
    assert [step.verb for step in first] == ["protect", "clone", "clone"]
    assert [[step.name for step in lane] for lane in lanes] == [["other"]]


def test_what_belongs_to_an_image_keeps_its_order() -> None:
    snapshots = (Snapshot("a", MIB, protected=True), Snapshot("b", MIB))
    planned = image.plan_all(
        state(ONE._replace(snapshots=snapshots), ONE._replace(name="two")),
        [Wanted("one", purge_snapshots=True, state="absent"), Wanted("two", size=128 * MIB)],
    )
    _first, lanes = _phases(planned.steps)
    assert [[step.verb for step in lane] for lane in lanes] == [["unprotect", "remove", "remove", "remove"], ["resize"]]


pairs = st.dictionaries(st.sampled_from(["rbd_cache", "rbd_qos_iops_limit"]), st.sampled_from(["", "1", "2"]))
found_pairs = pairs.map(lambda some: {key: value for key, value in some.items() if value})
images = st.one_of(
    st.none(),
    st.builds(
        lambda size, features, metadata, config, parent, invalid, limit: ONE._replace(
            size=size * MIB,
            features=features,
            metadata=metadata,
            config=config,
            parent=parent,
            invalid=invalid and "object-map" in features,
            snapshot_limit=limit,
        ),
        st.integers(1, 4),
        st.sampled_from(SETS),
        found_pairs,
        found_pairs,
        st.sampled_from([None, PARENT]),
        st.booleans(),
        st.integers(0, 2),
    ),
)
wishes = st.builds(
    lambda size, features, journaling, metadata, config, origin, flatten, limit, shrink, destroy, state_: Wanted(
        "one",
        size=size and size * MIB,
        features=features,
        journaling=journaling,
        metadata=metadata,
        config=config,
        parent=origin if origin == PARENT else None,
        copy_of=origin if origin == COPIED else None,
        with_snapshots=flatten,
        flatten=flatten,
        snapshot_limit=limit,
        allow_shrink=shrink,
        allow_destroy=destroy,
        state=state_,
    ),
    st.one_of(st.none(), st.integers(1, 4)),
    st.one_of(st.none(), st.sampled_from(SETS)),
    st.sampled_from([None, True, False]),
    st.one_of(st.none(), pairs),
    st.one_of(st.none(), pairs),
    st.sampled_from([None, PARENT, COPIED]),
    st.booleans(),
    st.sampled_from([None, 0, 1]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["present", "present", "present", "absent", "trashed"]),
)


@given(images, wishes)
def test_what_a_plan_leads_to_needs_nothing_more(found: Image | None, want: Wanted) -> None:
    before = state(*([found] if found else []), parents={PARENT: GOLDEN, COPIED: GOLDEN})
    try:
        planned = image.plan(before, want)
    except StorageError:
        return
    assert image.plan(planned.after, want).steps == ()
    if found and not want.allow_shrink and want.state == "present":
        after = planned.after.images["one"]
        assert after
        assert after.size >= found.size
    needing = [feature for feature, _needed in NEEDS]
    for step in planned.steps:
        for action in step.actions:
            if action.method == "update_features":
                assert set(action.arguments[0].names) <= {*needing, "exclusive-lock", "deep-flatten", "journaling"}


def test_features_are_librbds_numbers() -> None:
    assert bits(("layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten")) == 61
    assert names(61) == DEFAULT
    assert set(FEATURES) < names((1 << 11) - 1)
    assert str(Features(("a", "b"))) == "a,b"


def test_a_call_reads_as_what_it_is() -> None:
    call = Call(
        "add_image",
        Place("rbd"),
        (Place("fast", "ns"), "one"),
        (("x", 1),),
        group="all",
        settings=(("rbd_cache", "false"),),
    )
    assert str(call) == "add_image rbd/all fast/ns one x=1 rbd_cache=false"


def test_snapshots() -> None:
    found = ONE._replace(snapshots=(Snapshot("a", MIB, protected=True, children=("rbd/c",)), Snapshot("b", MIB)))
    for words, said in (
        ({"name": "a", "state": "absent"}, "it is protected"),
        ({"name": "a", "state": "absent", "protected": False}, r"it has clones \(rbd/c\)"),
        ({"name": "a", "protected": False}, r"it has clones \(rbd/c\)"),
        ({"name": "a", "state": "rolled_back_to"}, "set allow_destroy"),
    ):
        with pytest.raises(Refused, match=said):
            snapshot.plan(state(found), snapshot.Wanted("one", **words))
    back = snapshot.Wanted("one", "a", allow_destroy=True, state="rolled_back_to")
    with pytest.raises(Refused, match="it is mirrored"):
        snapshot.plan(state(found._replace(mirroring=Mirroring("journal"))), back)
    planned = snapshot.plan(state(found), back)
    assert calls(planned) == ["rollback_to_snap rbd/tenant/one a"]
    assert snapshot.settled(planned.after, back).steps == ()


def test_groups() -> None:
    member = Member("rbd", "one")
    snapshots = (GroupSnapshot("s", members=(member,)),)
    there = Groups(PLACE, {"g": Group((member,), snapshots)}, {member: ONE._replace(mirroring=Mirroring("journal"))})
    with pytest.raises(Refused, match="rbd/one: it is mirrored"):
        group.plan(there, group.Wanted("g", rolled_back_to="s", allow_destroy=True))
    none = group.Wanted("g", members=())
    planned = group.plan(there, none)
    assert calls(planned) == ["remove_image rbd/tenant/g rbd/tenant one"]
    assert group.plan(planned.after, none).steps == ()


def test_namespaces_and_pools() -> None:
    there = Namespaces("rbd", frozenset({"a"}), ("image x",))
    with pytest.raises(Refused, match="it holds image x"):
        namespace.plan(there, namespace.Wanted("a", "absent"))
    planned = namespace.plan(there, namespace.Wanted("b"))
    assert planned.after.names == {"a", "b"}
    bare = Settings("vms", ())
    want = pool.Wanted({"rbd_cache": "true"}, {"a": ""})
    made = pool.plan(bare, want)
    assert calls(made) == ["pool_init vms False", "config_set vms rbd_cache true"]
    assert pool.plan(made.after, want).steps == ()


def test_trash() -> None:
    entries = (
        Trashed("1", "old", until=10, holds=()),
        Trashed("2", "kept", until=90, holds=()),
        Trashed("3", "mirrored", source="MIRRORING", until=10, holds=()),
        Trashed("4", "cloned", until=10, holds=(), clones=(("rbd/x", ""),)),
    )
    there = Trash(PLACE, entries, frozenset(), now=50)
    purged = trash.plan(there, trash.Wanted("purged"))
    assert calls(purged) == ["trash_remove rbd/tenant 1 False"]
    assert purged.warnings == ("image cloned stays in the trash, with clone rbd/x",)
    assert trash.plan(there, trash.Wanted("purged", expired_before=5)).steps == ()
    # Nothing is purged before its time, whatever the task says.
    assert calls(trash.plan(there, trash.Wanted("purged", expired_before=1000))) == ["trash_remove rbd/tenant 1 False"]


def test_the_trash_is_purged_until_a_pool_is_below_its_threshold() -> None:
    """The oldest first, each by what it stores in its own pool; and a clone before what it is a clone of."""
    entries = (
        Trashed(
            "1", "parent", until=1, holds=(), clones=(("rbd/clone (in the trash)", "2"),), stored=40, data_pool="rbd"
        ),
        Trashed("2", "clone", until=2, holds=(), stored=10, data_pool="rbd"),
        Trashed("3", "young", until=3, holds=(), stored=40, data_pool="rbd"),
        Trashed("4", "elsewhere", until=0, holds=(), stored=40, data_pool="ssd"),
    )
    fill = {"rbd": Fill(100, 100), "ssd": Fill(10, 90)}
    there = Trash(PLACE, entries, frozenset(), now=50, fill=fill)

    def going(threshold: float) -> list[tuple[str, int]]:
        want = trash.Wanted("purged", threshold=threshold)
        planned = trash.plan(there, want)
        assert trash.settled(planned.after, want).steps == ()
        return [(step.name, action.phase) for step in planned.steps for action in step.actions]

    assert going(0.5) == []
    assert going(0.47) == [("clone", 1)]
    assert going(0.4) == [("clone", 1), ("young", 1)]
    assert going(0.05) == [("elsewhere", 1), ("parent", 2), ("clone", 1), ("young", 1)]
    with pytest.raises(StorageError, match="does not tell how full pool ssd is"):
        trash.plan(there._replace(fill={"rbd": Fill(1, 1)}), trash.Wanted("purged", threshold=0.5))


HEADERED = st.builds(
    Luks, st.sampled_from(["", "luks1", "luks2"]), st.just(4 * MIB), st.booleans(), st.sampled_from([None, True, False])
)


@given(HEADERED, st.sampled_from(["luks1", "luks2"]), st.booleans(), st.sampled_from([None, 2, 64, 80]))
def test_nothing_is_formatted_away_without_permission(found: Luks, kind: str, allow: bool, size: int | None) -> None:
    passphrase = Secret("sesame")
    want = Wanted(
        "one",
        size=size and size * MIB,
        encryption=Encryption(kind, passphrase),
        allow_destroy=allow,
        allow_shrink=True,
    )
    before = state(ONE._replace(encryption=found._replace(blank=found.blank and not found.format)))
    try:
        planned = image.plan(before, want)
    except StorageError:
        return
    assert image.plan(planned.after, want).steps == ()
    assert "sesame" not in repr(planned) + repr(want) + str(calls(planned))
    formats = [step for step in planned.steps if step.verb == "encrypt"]
    assert bool(formats) == (found.format != kind)
    for step in formats:
        assert step.destroys or not found.format
        assert allow or not step.destroys


SESAME = Encryption("luks1", Secret("sesame"), parents=(Secret("open"),))
#: It begins with a header of its own, which its clones read through it.
SEALED = GOLDEN._replace(snapshots=(Snapshot("one", 24 * MIB),), encryption=Luks("luks2", 16 * MIB))


@pytest.mark.parametrize(("size", "fits"), [(12, True), (11, False), (None, True)])
def test_an_encrypted_clone_has_room_for_its_header(size: int | None, fits: bool) -> None:
    before = state(layers=True, parents={PARENT: SEALED})
    want = Wanted("one", size=size and size * MIB, parent=PARENT, encryption=SESAME, flatten=True, allow_shrink=True)
    if not fits:
        with pytest.raises(Refused, match=r"has 8 MiB of data.*set size to at least 12 MiB"):
            image.plan(before, want)
        return
    planned = image.plan(before, want)
    verbs = ["clone", *(["resize"] if size else []), "encrypt", "flatten"]
    assert [step.verb for step in planned.steps] == verbs
    (flatten,) = planned.steps[-1].actions
    assert isinstance(flatten, Call)
    assert flatten.unlock == SESAME.unlock
    assert "sesame" not in repr(planned) + str(calls(planned))
    assert image.plan(planned.after, want).steps == ()


def test_an_encrypted_clone_is_not_lost() -> None:
    """As a flattened one, a copy or an export, it could not be opened without its parent."""
    clone = ONE._replace(parent=PARENT, layered=True, encryption=Luks("luks1", 4 * MIB))
    for found, want, said in (
        (state(clone), Wanted("one", flatten=True), "could not be opened any more. Say encryption"),
        (
            state(clone._replace(encryption=Luks("luks1", 4 * MIB, opens=False))),
            Wanted("one", flatten=True, encryption=SESAME),
            "not with this passphrase",
        ),
        (
            state(parents={COPIED: clone}),
            Wanted("two", copy_of=COPIED),
            "a copy that is no clone could not be opened; set with_snapshots",
        ),
        (
            state(clone._replace(layered=False, encryption=Luks(blank=True)), layers=True),
            Wanted("one", encryption=SESAME),
            r"is to be there, and named \(parent\)",
        ),
        (
            state(parents={PARENT: SEALED}),
            Wanted("one", parent=PARENT, encryption=SESAME),
            "reads as noise before Ceph 18",
        ),
        (
            state(clone._replace(layered=False, encryption=Luks(blank=False)), layers=True, parents={PARENT: SEALED}),
            Wanted("one", parent=PARENT, encryption=SESAME),
            "it is not empty, and all that it holds would be lost",
        ),
    ):
        with pytest.raises(StorageError, match=said):
            image.plan(found, want)


def test_headers_of_luks() -> None:
    """As librbd writes them: a version, and where the data begins."""
    one = b"LUKS\xba\xbe\x00\x01" + bytes(96) + (8192).to_bytes(4, "big") + bytes(404)
    area = b'{"segments":{"0":{"offset":"16777216"}}}'
    two = b"LUKS\xba\xbe\x00\x02" + (8192).to_bytes(8, "big") + bytes(4080) + area.ljust(4096, b"\0")
    for content, said in (
        (one, ("luks1", 4 * MIB)),
        (two, ("luks2", 16 * MIB)),
        (two.replace(b"segments", b"fragment"), ("luks2", 0)),
        (b"LUKS" + bytes(508), ("", 0)),
        (b"", ("", 0)),
    ):
        assert header_of(lambda at, length, content=content: content[at : at + length]) == said  # type: ignore[misc]
