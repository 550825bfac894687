# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's command line: python -m tests.lab COMMAND."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

from . import image
from .errors import LabError
from .guest import CommandError
from .hardware import SECTORS
from .lab import Lab


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m tests.lab", description="A machine with disks, for tests.")
    top.add_argument("--name", default="default", help="which lab; several run beside each other (default: default)")
    top.add_argument("--machine", choices=["qemu", "uml"], help="kind of machine (default: LAB_MACHINE, or what works)")
    top.add_argument("--suite", default="bookworm", help="Debian release of the guest (default: bookworm)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("build", help="build the disk image, if the cache has none of this recipe")
    commands.add_parser("up", help="start the lab, or leave it alone if it runs")
    commands.add_parser("down", help="switch the lab off and forget its disks; logs stay")
    commands.add_parser("reset", help="put guest and disks back to how they were after the first boot")
    commands.add_parser("reboot", help="shut the guest down cleanly and boot its present kernel and initramfs")
    cut = commands.add_parser("power-cut", help="take the power away and boot from the disks as they are")
    cut.add_argument(
        "--mode",
        choices=["ordered", "volatile"],
        default="ordered",
        help="ordered: all completed writes are kept; volatile: what was not flushed is lost (default: ordered)",
    )
    cut.add_argument("--no-boot", dest="boot", action="store_false", help="leave the machine off; `boot` starts it")
    commands.add_parser("boot", help="switch on a machine that is off")
    ssh = commands.add_parser("ssh", help="run a command in the guest as root, or a shell")
    ssh.add_argument("--user", default="root", choices=["root", "operator"], help="who to be (default: root)")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="the command")
    commands.add_parser("inventory", help="print the path of an Ansible inventory with the host `lab`")
    pull = commands.add_parser("pull-disk", help="pull a disk out while it runs")
    pull.add_argument("serial", metavar="SERIAL", help="such as HDD1")
    insert = commands.add_parser("insert-disk", help="put a pulled disk in again")
    insert.add_argument("serial", metavar="SERIAL", help="such as HDD1")
    insert.add_argument("--new", action="store_true", help="a blank disk in its place")
    insert.add_argument("--size", type=int, metavar="MIB", help="a blank disk of that many MiB in its place")
    insert.add_argument("--sector", type=int, choices=SECTORS, help="shown with sectors of so many bytes")
    insert.add_argument("--optimal-io", type=int, metavar="BYTES", help="with this as its optimal I/O size")
    grow = commands.add_parser("grow-disk", help="make a disk larger while it runs")
    grow.add_argument("serial", metavar="SERIAL", help="such as HDD1")
    grow.add_argument("size", type=int, metavar="MIB", help="its new size")
    path = commands.add_parser("add-path", help="connect a disk a second time")
    path.add_argument("serial", metavar="SERIAL", help="such as HDD1")
    commands.add_parser("status", help="show what there is; return code 1 unless the lab is running")
    return top


def interrupt(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that nothing is left running."""
    raise KeyboardInterrupt


def show_status(lab: Lab) -> int:
    """Print the state of a lab."""
    status = lab.status()
    print(f"{status.name}: {status.condition} ({status.directory})")
    if status.pid is not None:
        print(f"{status.machine}; process {status.pid}")
    if status.pulled:
        print(f"pulled: {', '.join(status.pulled)}")
    return 0 if status.condition == "running" else 1


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the process's return code."""
    options = parser().parse_args(arguments)
    try:
        lab = Lab(options.name, suite=options.suite, kind=options.machine)
        if options.command == "build":
            print(image.ensure(options.suite).directory)
        elif options.command == "up":
            lab.up()
        elif options.command == "down":
            lab.down()
        elif options.command == "reset":
            lab.reset()
        elif options.command == "reboot":
            lab.reboot()
        elif options.command == "power-cut":
            lab.power_cut(options.mode, options.boot)
        elif options.command == "boot":
            lab.boot()
        elif options.command == "ssh":
            words = options.words[1:] if options.words[:1] == ["--"] else options.words
            # As ssh does: several words are one command line of the guest's shell.
            command = lab.guest.access.ssh(*words, user=options.user, tty=not words or sys.stdin.isatty())
            os.execvp(command[0], command)
        elif options.command == "inventory":
            print(lab.inventory_path)
        elif options.command == "pull-disk":
            lab.pull_disk(options.serial)
        elif options.command == "insert-disk":
            lab.insert_disk(
                options.serial,
                new=options.new,
                size_mib=options.size,
                sector=options.sector,
                optimal_io=options.optimal_io,
            )
        elif options.command == "grow-disk":
            lab.grow_disk(options.serial, options.size)
        elif options.command == "add-path":
            lab.add_path(options.serial)
        elif options.command == "status":
            return show_status(lab)
    except (LabError, CommandError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    sys.exit(main())
