# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How ssh reaches a guest, in the network of this process or in that of another one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.dial import dial
from tests.lab.guest import DIAL, Access


def test_ssh_trusts_the_pinned_key_alone() -> None:
    command = Access("127.0.0.1", 2200, Path("client"), Path("known")).ssh("id", "-u", user="operator")
    assert command[:3] == ["ssh", "-F", "none"]
    assert {"StrictHostKeyChecking=yes", "UserKnownHostsFile=known", "IdentityFile=client"} <= set(command)
    assert command[-3:] == ["operator@127.0.0.1", "id", "-u"]


def test_ssh_ends_where_the_guest_hangs() -> None:
    command = Access("127.0.0.1", 2200, Path("client"), Path("known")).ssh()
    assert {"ServerAliveInterval=15", "ServerAliveCountMax=3"} <= set(command)


def test_ssh_is_carried_into_another_network() -> None:
    command = Access("10.0.2.15", 22, Path("client"), Path("known"), Path("lab/process")).ssh()
    (proxy,) = (word for word in command if word.startswith("ProxyCommand="))
    assert proxy.endswith(f"{DIAL} lab/process 10.0.2.15 22")
    assert "ProxyUseFdpass=yes" in command


def test_dial_a_process(tmp_path: Path) -> None:
    """In its own network, which root alone may enter again."""
    file = tmp_path / "process"
    file.write_text(str(os.getpid()))
    if os.geteuid():
        with pytest.raises(PermissionError), socket.socket():
            dial(str(file), ("127.0.0.1", 9), 1)
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        address: tuple[str, int] = server.getsockname()
        with dial(str(file), address, 5) as connection:
            peer, _address = server.accept()
            with peer:
                peer.sendall(b"hello")
            assert connection.recv(9) == b"hello"
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [sys.executable, "-I", "-S", str(DIAL), str(file), *map(str, address)]
            subprocess.run(command, stdout=theirs.fileno(), check=True, timeout=30)
            _data, (descriptor,), _flags, _sender = socket.recv_fds(ours, 1, 1)
        with socket.socket(fileno=descriptor) as handed:
            assert handed.getpeername() == address
    with pytest.raises(ConnectionRefusedError):
        dial(str(file), address, 5)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        dial(str(file), address, 5)
