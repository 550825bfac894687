# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drive in a simulated cloud, and the modules at work on it, over a real socket."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any, Callable, NamedTuple

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG
from ansible_collections.strata.storage.plugins.modules import drive_volumes, drive_volumes_info
from tests.simulators import aws, gcp, openstack, outscale
from tests.simulators.cloud import Cloud, Seen

GiB = 1 << 30
SECRET = "SECRETOFTHETESTS"
HALF, FULL, EMPTY = (
    {"size": 10 * GiB, "used": 5 * GiB},
    {"size": 10 * GiB, "used": 9 * GiB},
    {"size": 10 * GiB, "used": GiB},
)


class Kind(NamedTuple):
    """A provider, and its words for what all of them do."""

    name: str
    serve: Callable[[], Cloud]
    machines: Callable[[Cloud], tuple[str, str]]
    options: Callable[[Cloud], dict[str, Any]]
    create: tuple[str, ...]
    link: str
    type: str
    #: What is said of an answer that is a page.
    unread: str
    #: Whether a request for a volume may be sent again.
    tokens: bool = True
    #: Whether a request for a volume whose answers are all lost is found.
    found: bool = False
    #: Whether the host knows a volume by its path, and by no serial number.
    by_path: bool = False


def _keys(server: Any, key: str) -> dict[str, Any]:
    return {"region": "eu-west-1", "endpoint": server.endpoint, "access_key": key, "secret_key": SECRET}


KINDS = {
    "outscale": Kind(
        "outscale",
        outscale.Server,
        lambda _server: ("i-00000001", "i-00000002"),
        lambda server: {**_keys(server, outscale.KEY), "requests_per_second": 200},
        create=("CreateVolume", "CreateTags"),
        link="LinkVolume",
        type="gp2",
        unread="what is no JSON",
    ),
    "aws": Kind(
        "aws",
        aws.Server,
        lambda server: tuple(server.machines),  # type: ignore[attr-defined]
        lambda server: _keys(server, aws.KEY),
        create=("CreateVolume",),
        link="AttachVolume",
        type="gp3",
        unread="what is no answer of EC2",
    ),
    "gcp": Kind(
        "gcp",
        gcp.Server,
        lambda server: tuple(server.machines),  # type: ignore[attr-defined]
        lambda server: {
            "project": gcp.PROJECT,
            "zone": gcp.ZONE,
            "endpoint": server.endpoint,  # type: ignore[attr-defined]
            "session_token": gcp.KEY,
        },
        create=("disks.insert",),
        link="instances.attachDisk",
        type="pd-balanced",
        unread="what is no JSON",
        found=True,
    ),
    "openstack": Kind(
        "openstack",
        openstack.Server,
        lambda server: tuple(server.machines),  # type: ignore[attr-defined]
        lambda server: _keys(server, openstack.KEY),
        create=("create-volume",),
        link="attach",
        type="slow",
        unread="the cloud cannot be asked",
        tokens=False,
    ),
}


class Failed(Exception):
    """The module failed; ``result`` is what it returned."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class Drive:
    """A drive named scratch in a cloud, and the modules at work on it."""

    def __init__(self, kind: Kind, server: Any) -> None:
        self.kind, self.server, self.weather = kind, server, server.weather
        self.machine, self.other = kind.machines(server)

    @property
    def provider(self) -> dict[str, Any]:
        return {"name": self.kind.name, "request_timeout": 30, "wait_timeout": 30, **self.kind.options(self.server)}

    def run(self, check: bool = False, **words: Any) -> dict[str, Any]:
        """What ``drive_volumes`` returns. Raises Failed."""
        return self._run(drive_volumes.main, {"machine": self.machine, "_ansible_check_mode": check, **words})

    def info(self) -> dict[str, Any]:
        return self._run(drive_volumes_info.main, {"machine": self.machine})

    def settle(self, **words: Any) -> dict[str, Any]:
        """As ``run``, where check mode says the same before and asks for nothing."""
        before = len(self.server.calls())
        planned = self.run(check=True, **words)
        assert len(self.server.calls()) == before
        done = self.run(**words)
        assert (planned["plan"], planned["changed"]) == (done["plan"], done["changed"])
        return done

    def refused(self, said: str, **words: Any) -> None:
        """The module fails with that, before any call that changes something."""
        before = len(self.server.calls())
        with pytest.raises(Failed, match=said):
            self.run(**words)
        assert len(self.server.calls()) == before

    def away(self, **words: Any) -> dict[str, Any]:
        """The volumes deleted, by a host that knows all of them."""
        return self.run(**self.absent(), **words)

    def absent(self) -> dict[str, Any]:
        return {"state": "absent", "allow_destroy": True, "members": [volume.id for volume in self.volumes()]}

    def add(self, size: int = 10, drive: str = "scratch") -> str:
        """A volume as an earlier pass, or BSUd, leaves one."""
        name: str = self.server.add(size, {TAG: drive})
        return name

    def volumes(self) -> list[Seen]:
        found: list[Seen] = self.server.volumes()
        return found

    def sizes(self) -> list[int]:
        return sorted(volume.size for volume in self.volumes())

    def _run(self, main: Callable[[], None], words: dict[str, Any]) -> dict[str, Any]:
        said = io.StringIO()
        given = {"name": "scratch", "provider": self.provider, **words}
        with patch_module_args(given), contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            main()
        assert not [secret for secret in (SECRET, gcp.KEY) if secret in said.getvalue()]
        result: dict[str, Any] = json.loads(said.getvalue().splitlines()[-1])
        if result.get("failed"):
            raise Failed(result)
        return result
