# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw what ansible-playbook prints on a terminal, in its colours, as docs/images/*.svg.

`python -m tests.tools.screenshots`. Each is a real run on a machine of the lab, or of three names of that machine.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.lab import Lab
from tests.tools.checkout import ROOT

IMAGES = ROOT / "docs/images"
COLUMNS = 120
LARGEST = 150_000
DISKS = ("HDD1", "HDD2", "HDD3", "HDD4")
#: A font of the reader's, since a picture that fetches one tells somebody who looks at it.
FONT = re.compile(r"@font-face \{[^}]*\}\s*")
FETCHES = re.compile(r"""url\(["']?http|(?:href|src)=["']?http""")
ERASED = "\r\x1b[K"


def printed(inventory: Path, *tasks: Mapping[str, Any], arguments: tuple[str, ...] = (), **settings: str) -> str:
    """What a terminal shows of a play."""
    with tempfile.TemporaryDirectory() as scratch:
        play = {"name": "Storage", "hosts": "all", "gather_facts": False, "tasks": tasks}
        book = Path(scratch) / "storage.yml"
        book.write_text(yaml.safe_dump([play], sort_keys=False))
        command = ["ansible-playbook", "--inventory", str(inventory), str(book), *arguments]
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "ANSIBLE_FORCE_COLOR": "1", **settings}
        with subprocess.Popen(command, cwd=scratch, env=environment, stdout=theirs, stderr=theirs, stdin=theirs) as run:
            os.close(theirs)
            said = bytearray()
            while True:
                try:
                    more = os.read(ours, 65536)
                except OSError:  # the terminal is closed
                    break
                said += more
            os.close(ours)
    if run.returncode:
        sys.exit(said.decode())
    return said.decode().replace("\r\n", "\n")


def picture(name: str, command: str, text: str) -> None:
    """Draw a command and what it prints."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(text.strip("\n")))
    drawn = FONT.sub("", console.export_svg(title="strata.storage", theme=MONOKAI))
    if len(drawn) > LARGEST or FETCHES.search(drawn):
        sys.exit(f"{name}: the picture is too large, or fetches something")
    (IMAGES / f"{name}.svg").write_text(drawn)


def frames(text: str, count: int) -> str:
    """Some of the states of a bar that is drawn in one place, under each other."""
    drawn = [frame.split("\n")[0] for frame in text.split(ERASED) if " %" in frame]
    return "\n".join(drawn[:: max(1, len(drawn) // count)][:count])


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with Lab("screenshots", owned=True) as lab, tempfile.TemporaryDirectory() as scratch:
        guest = lab.guest
        disks = {name: guest.disk(name) for name in DISKS}
        guest.run(f"mkfs.ext4 -q -L backup {disks['HDD2']}; udevadm settle")
        mirror = {"name": "md0", "level": "1", "devices": [disks["HDD1"], disks["HDD2"]]}
        drive = {"name": "data", "devices": ["md0"], "filesystem": "xfs", "mount_point": "/srv"}
        layout = {"raids": [mirror], "drives": [drive], "allow_destroy": [disks["HDD2"]]}
        task = {"name": "A mirror on /srv", "strata.storage.layout": layout}
        picture(
            "check",
            "ansible-playbook storage.yml --check --diff",
            printed(lab.inventory_path, task, arguments=("--check", "--diff")),
        )

        # The same machine under three names, of which one takes a disk that holds something.
        known = yaml.safe_load(lab.inventory_path.read_text())["all"]["hosts"]["lab"]
        blank = {**known, "second": disks["HDD3"], "lost": []}
        hosts = {"nas1": blank, "nas2": blank, "nas3": {**blank, "second": disks["HDD2"], "lost": [disks["HDD2"]]}}
        several = Path(scratch) / "hosts.json"
        several.write_text(json.dumps({"all": {"hosts": hosts}}))
        mirror = {**mirror, "devices": [disks["HDD1"], "{{ second }}"]}
        task = {**task, "strata.storage.layout": {**layout, "raids": [mirror], "allow_destroy": "{{ lost }}"}}
        text = printed(several, task, arguments=("--check",), ANSIBLE_STDOUT_CALLBACK="strata.storage.plan")
        picture("plan", "ANSIBLE_STDOUT_CALLBACK=strata.storage.plan ansible-playbook storage.yml --check", text)

        guest.run("sysctl -q dev.raid.speed_limit_max=12000 dev.raid.speed_limit_min=12000")
        waits = {"name": "md0", "level": "1", "devices": [disks["HDD3"], disks["HDD4"]], "wait": True}
        text = printed(lab.inventory_path, {"name": "A mirror, in step", "strata.storage.raid": waits})
        picture("progress", "ansible-playbook storage.yml", frames(text, 6))


if __name__ == "__main__":
    main()
