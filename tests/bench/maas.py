# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred machines of a MAAS region in one play: requests and seconds, beside python-libmaas reading the same."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.simulators.maas import Region, Server, libmaas
from tests.unit.maas.region import KEY, add_machine

CHECKOUT = Path(__file__).parents[2]
MACHINES = 100
FORKS = 20
READ = """
import sys
from maas.client import connect

client = connect(sys.argv[1] + "/", apikey=sys.argv[2])
for system_id in sys.argv[3:]:
    machine = client.machines.get(system_id)
    for kind in (machine.raids, machine.cache_sets, machine.bcaches):
        for one in kind:
            one.refresh()
"""


def main() -> None:
    region = Region()
    region.add_user("admin", KEY)
    for number in range(MACHINES):
        add_machine(region, f"node{number}")
    with Server(region) as server, tempfile.TemporaryDirectory() as scratch:
        play = _play(Path(scratch), server)
        for what in ("created", "unchanged"):
            _report(server, f"maas_storage, {what}", play)
        machines = list(region.machines)
        command = [libmaas.python(), "-W", "ignore", "-c", READ, server.url, KEY, *machines]
        _report(server, "python-libmaas, reading", command)


def _play(scratch: Path, server: Server) -> list[str]:
    (scratch / "inventory.json").write_text(
        json.dumps({"all": {"hosts": {machine.hostname: {} for machine in server.region.machines.values()}}})
    )
    (scratch / "key").write_text(KEY)
    return [
        *("ansible-playbook", "--forks", str(FORKS), "--inventory", str(scratch / "inventory.json")),
        *("--extra-vars", f"@{CHECKOUT / 'playbooks/examples/maas_cached_raid6.yml'}"),
        *("--extra-vars", f"maas_url={server.url} maas_api_key_file={scratch / 'key'}"),
        str(CHECKOUT / "playbooks/maas_layout.yml"),
    ]


def _report(server: Server, what: str, command: list[str]) -> None:
    server.log.clear()
    started = time.monotonic()
    subprocess.run(command, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    print(f"{what:26} {len(server.log):5} requests {seconds:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
