# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for mirroring as values: no copy goes, and no write is lost, without permission."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.rbd import mirror_image, mirror_pool, schedules
from ansible_collections.strata.storage.plugins.module_utils.rbd.calls import Place
from ansible_collections.strata.storage.plugins.module_utils.rbd.state import (
    Image,
    Lock,
    Mirroring,
    MirrorPool,
    MirrorState,
    Parent,
    Schedule,
)

PLACE = Place("vms")
IMAGE = Image("one", "10", 8 << 20, 4 << 20, frozenset({"layering", "exclusive-lock"}), stripe_unit=4 << 20)
PARENT = Parent(PLACE, "golden", "s")
#: What takes a copy, or writes, away.
_LOSING = ("mirror_image_disable", "mirror_image_resync", "mirror_image_promote vms/one True")

states = st.builds(
    lambda mirroring, parent, locks, **more: MirrorState(
        PLACE, IMAGE._replace(mirroring=mirroring, parent=parent, locks=locks, watchers=("a",)), **more
    ),
    mirroring=st.one_of(st.none(), st.builds(Mirroring, st.sampled_from(["journal", "snapshot"]), st.booleans())),
    parent=st.sampled_from([None, PARENT]),
    locks=st.sampled_from([(), (Lock("client.1", "auto 1", "a"),), (Lock("client.1", "auto 1", "dead"),)]),
    pool_mode=st.sampled_from(["disabled", "image", "pool"]),
    peers=st.integers(0, 1),
    demoted=st.booleans(),
    remote_primary=st.booleans(),
    replaying=st.booleans(),
    parent_mirrored=st.booleans(),
    mirrored_clones=st.sampled_from([(), ("vms/two",)]),
)
wishes = st.builds(
    mirror_image.Wanted,
    image=st.just("one"),
    mode=st.sampled_from(["", "journal", "snapshot"]),
    role=st.sampled_from(["", "primary", "secondary"]),
    force_promote=st.booleans(),
    snapshot=st.booleans(),
    resynced=st.booleans(),
    allow_destroy=st.booleans(),
    wait=st.booleans(),
    state=st.sampled_from(["enabled", "enabled", "enabled", "disabled"]),
)


def calls(planned: Plan) -> list[str]:
    return [str(action) for step in planned.steps for action in step.actions]


def test_a_promotion_waits_for_no_copy() -> None:
    """The one after it would come later by that; and the cluster that is left may be away soon."""
    demoted = MirrorState(PLACE, IMAGE._replace(mirroring=Mirroring("snapshot", False)), "image", 1, demoted=True)
    promoted = mirror_image.plan(demoted, mirror_image.Wanted("one", role="primary", wait=True))
    assert (len(promoted.steps), promoted.waits) == (1, ())
    assert promoted.in_progress == ("image one: no peer has its copy, and follows it, yet",)
    again = mirror_image.plan(promoted.after, mirror_image.Wanted("one", role="primary", wait=True))
    assert (again.steps, again.waits) == ((), ())
    assert len(mirror_image.plan(promoted.after, mirror_image.Wanted("one", wait=True)).waits) == 1


@given(states, wishes)
def test_nothing_is_lost_without_permission(state: MirrorState, want: mirror_image.Wanted) -> None:
    try:
        planned = mirror_image.plan(state, want)
    except StorageError:
        return
    assert mirror_image.settled(planned.after, want).steps == ()
    for step in planned.steps:
        losing = any(str(action).startswith(_LOSING) for action in step.actions)
        assert losing == bool(step.destroys)
        assert not losing or want.allow_destroy
    assert not any("resync" in call for call in calls(planned)) or state.remote_primary
    if "mirror_image_demote vms/one" in calls(planned):
        assert state.image
        assert not [lock for lock in state.image.locks if lock.address in state.image.watchers]


def test_a_copy_that_syncs_anew_may_be_away() -> None:
    want = mirror_image.Wanted("one", resynced=True)
    assert mirror_image.settled(MirrorState(PLACE, None, "image"), want).in_progress
    with pytest.raises(StorageError, match="there is none in vms"):
        mirror_image.plan(MirrorState(PLACE, None, "image"), want)


def params(**words: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(mirror_pool.OPTIONS)
    return {**nothing, "namespace": "", "direction": "rx_tx", "create_token": False, **words}


def test_no_plan_shows_a_secret() -> None:
    token = {"fsid": "other", "client_id": "peer", "key": "sesame", "mon_host": "v2:10.0.0.1:3300"}
    text = base64.b64encode(json.dumps(token).encode()).decode()
    peer = {"site_name": "b", "client": "client.x", "mon_host": None, "key": "sesame", "direction": "rx_only"}
    here = MirrorPool(PLACE, "ours", "image", "a")
    for words in ({"token": text}, {"peers": [{**peer, "state": "present"}]}):
        planned = mirror_pool.plan(here, mirror_pool.parse(params(**words)))
        assert len(planned.steps) == 1
        for shown in (repr(planned), *calls(planned), json.dumps([step.dump() for step in planned.steps])):
            assert "sesame" not in shown
            assert text not in shown


def test_schedules_are_as_the_manager_writes_them() -> None:
    given_ = [{"interval": text, "start_time": None} for text in ("60", "90m", "24h", "2d", "60m")]
    assert schedules.parse(given_, "schedules") == (Schedule(60), Schedule(90), Schedule(1440), Schedule(2880))
    there = (Schedule(60), Schedule(90, "14:00:00"))
    changes = schedules.changes(schedules.TRASH, PLACE, (Schedule(60), Schedule(30)), there)
    assert [str(command) for _verb, _detail, command in changes] == [
        "rbd trash purge schedule add vms/ 30m",
        "rbd trash purge schedule remove vms/ 90m 14:00:00",
    ]
    assert schedules.changes(schedules.TRASH, PLACE, None, there) == ()
