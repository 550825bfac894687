# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that a TPM or a Tang server keeps: systemd-cryptenroll and clevis hold them in tokens, each with a keyslot.

New ones come before old ones leave, and crypttab changes in between. None is the last key, since a passphrase or a key
file that stays is tried before each change.
"""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Command
from ...document.luks import Key, Luks, Tang
from ..actions import BindTang
from ..graph import below
from ..host import Host
from ..mount.fstab import FSTAB, lines
from ..unfinished import begun, forget, intent
from . import keys
from .crypttab import CRYPTTAB, Line, line_of
from .header import CLEVIS, TPM2
from .read import PATIENCE
from .state import Container, Token
from .steps import Steps, replace_container, step

#: Answers for a boot what asks for a passphrase, by clevis.
ASKPASS = "clevis-luks-askpass.path"
_AUTO = "auto"
#: What systemd-cryptenroll binds to by itself.
_PCRS = (7,)
_DEVICE = "tpm2-device"
_NETDEV = "_netdev"
_OTHERS = ("fido2-", "pkcs11-")


def add(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """The wanted TPM2 and Tang servers open the container."""
    steps, host, container = _drop_half_made(host, want, container)
    missing = _missing(want, container)
    enrolled = _is_enrolled(want, container)
    if (want.tpm2 and want.tpm2.state == "present") or want.tang:
        _check_boot(host, want, container)
    if want.tang and not host.has_service(ASKPASS):
        enable = Command(("systemctl", "enable", ASKPASS))
        steps += (step("enable", want.name, f"{ASKPASS}, by which a boot asks Tang servers", enable),)
        host = host._replace(services={**host.services, ASKPASS: True})
    if not missing and enrolled:
        return steps, host, container
    if not enrolled:
        more, host, container = _enrol(host, want, container)
        steps += more
    for server in missing:
        more, host, container = _bind(host, want, container, server)
        steps += more
    return steps, host, container


def remove(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """What is not wanted of them opens it no longer."""
    steps: Steps = ()
    for number, token in _unwanted(want, container):
        slots = [slot for slot in token.keyslots if slot in container.header.keyslots]
        kill: tuple[Any, ...] = ()
        if slots:
            key = _key(host, want, f"to remove its token {number} ({token.type})")
            slot_of_key = keys.check_unlocks(host, want, container, key)
            if slot_of_key in slots:
                raise Refused(
                    f"luks {want.name}: {key} is what keyslot {slot_of_key} holds, which goes with its token {number} "
                    f"({token.type}). Nothing was changed. Name a key that stays"
                )
            argv = ("cryptsetup", "luksKillSlot", "--batch-mode", "--key-file", key.word, container.device)
            kill = tuple(Command((*argv, str(slot)), timeout=PATIENCE) for slot in slots)
        before, host, container = keys.back_up(host, want, container, always=True)
        argv = ("cryptsetup", "token", "remove", "--token-id", str(number), container.device)
        removed = step(
            "remove",
            want.name,
            f"token {number} ({_called(token)})" + "".join(f", keyslot {slot}" for slot in slots),
            *kill,
            Command(argv),
            claims=keys.claims(host, container),
            flush=(container.device,),
        )
        left = tuple(slot for slot in container.header.keyslots if slot not in slots)
        tokens = {other: one for other, one in container.header.tokens.items() if other != number}
        header = container.header._replace(keyslots=left, tokens=tokens, digest=f"without token {number}")
        host, container = replace_container(host, container, container._replace(header=header))
        steps += (*before, removed)
    return steps, host, container


def with_tokens(want: Luks, container: Container, line: Line) -> Line:
    """The line of crypttab by which a boot opens a container by what is wanted.

    With a key file, or in its place, systemd would ask neither a TPM nor for what clevis answers.
    """
    options = line.options
    tpm2 = want.tpm2
    if tpm2:
        device = tpm2.device or line.value(_DEVICE) or _AUTO
        kept = tuple(one for one in options if not one.startswith("tpm2-"))
        wanted = (f"{_DEVICE}={device}",) if tpm2.state == "present" else ()
        options = options if wanted and wanted[0] in options else (*kept, *wanted)
    if want.tang and _NETDEV not in options:
        options = (*options, _NETDEV)
    line = line._replace(options=options)
    return line._replace(key="none") if opens_by_token(want, container, line) else line


def opens_by_token(want: Luks, container: Container, line: Line) -> bool:
    """Whether a boot opens it by a TPM or a Tang server, so that crypttab names no key file."""
    bound = any(token.url for token in container.header.tokens.values())
    by_tang = bool(want.tang) if want.tang is not None else bound and not line.key_file
    return bool(line.value(_DEVICE)) or by_tang


def dump(container: Container, line: Line | None) -> dict[str, Any]:
    """The words about them, where a boot uses them."""
    found: dict[str, Any] = {}
    if line is None or line.key_file:
        return found
    tokens = [token for token in container.header.tokens.values() if token.keyslots]
    tpm2 = next((token for token in tokens if token.type == TPM2 and not token.pin), None)
    if tpm2 and line.value(_DEVICE):
        found["tpm2"] = {"device": line.value(_DEVICE), "pcrs": list(tpm2.pcrs), "state": "present"}
    servers = {token.url: token.thumbprints for token in tokens if token.url and token.thumbprints}
    if servers and _NETDEV in line.options:
        found["tang"] = [{"url": url, "thumbprint": prints[0]} for url, prints in servers.items()]
    return found


def _called(token: Token) -> str:
    return f"{token.type}, {token.url}" if token.url else token.type


def _fits_tpm2(want: Luks, token: Token) -> bool:
    wanted = want.tpm2.pcrs if want.tpm2 else None
    return token.type == TPM2 and bool(token.keyslots) and wanted in (None, token.pcrs)


def _fits(server: Tang, token: Token) -> bool:
    return bool(token.keyslots) and token.url.rstrip("/") == server.url and server.thumbprint in token.thumbprints


def _is_enrolled(want: Luks, container: Container) -> bool:
    """Whether nothing is to be enrolled. Raises Refused for a TPM2 that asks for more than this module knows."""
    if want.tpm2 is None or want.tpm2.state == "absent":
        return True
    tokens = container.header.tokens.values()
    if any(token.type == TPM2 and token.pin for token in tokens):
        raise Refused(
            f"luks {want.name}: its TPM2 asks for a PIN, which this module does not enrol, and one without was wanted; "
            "nothing was changed. To give the PIN up, have tpm2 with state absent first"
        )
    return any(_fits_tpm2(want, token) for token in tokens)


def _missing(want: Luks, container: Container) -> list[Tang]:
    tokens = container.header.tokens.values()
    return [server for server in want.tang or () if not any(_fits(server, token) for token in tokens)]


def _unwanted(want: Luks, container: Container) -> list[tuple[int, Token]]:
    """The tokens of a kind that the task manages, without those that it wants. Others stay, and their keyslots."""

    def goes(token: Token) -> bool:
        if token.type == TPM2 and want.tpm2:
            return want.tpm2.state == "absent" or not _fits_tpm2(want, token)
        if token.type == CLEVIS and want.tang is not None:
            # Of another pin of clevis than tang, it is somebody's; without a keyslot, it is nobody's.
            managed = bool(token.url) or not token.keyslots
            return managed and not any(_fits(server, token) for server in want.tang)
        return False

    return [(number, token) for number, token in container.header.tokens.items() if goes(token)]


def _check_boot(host: Host, want: Luks, container: Container) -> None:
    """Raises Refused where a boot would not do it."""
    what = f"luks {want.name}"
    roots = [mount.device for mount in host.mounts if mount.mount_point in ("/", "/usr")]
    if container.mapped and container.mapped in below(host, *roots):
        raise Refused(
            f"{what}: the root of this host is on it, and whether its initramfs asks a TPM or a Tang server is not "
            "known here; nothing was changed. Leave tpm2 and tang out"
        )
    for mounted in lines(host.files.get(FSTAB)) if want.tang and container.mapped else ():
        device = host.links.get(mounted.device)
        early = mounted.is_required and _NETDEV not in mounted.options.split(",")
        if early and device and container.mapped in below(host, device):
            raise Refused(
                f"{what}: {FSTAB} mounts {mounted.mount_point} from it, and a boot would wait for that before there is "
                "a network, by which a Tang server is asked; nothing was changed. Add _netdev or nofail to its options "
                "first (mount_options)"
            )
    line = line_of(host, want.name)
    other = next((one for one in line.options if one.startswith(_OTHERS)), "") if line else ""
    if other:
        raise Refused(
            f"{what}: {CRYPTTAB} opens it by {other}, which this module does not manage, and tpm2 or tang was to; take "
            "that option out first"
        )


def _key(host: Host, want: Luks, purpose: str) -> Key:
    """A passphrase or key file that stays. Raises StorageError where there is none that opens it."""
    key = want.new_key or keys.key_of(host, want)
    if key is None:
        raise StorageError(f"luks {want.name}: {purpose}, say also key_file or passphrase, which stays")
    keys.check_file(host, want, key)
    return key


def _enrolment(container: Container) -> str:
    return f"token of luks {container.uuid}"


def _drop_half_made(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """Without the keyslot whose key nobody has, since a crash came before its token."""
    thing = _enrolment(container)
    record = begun(host, thing)
    if record is None or (want.tpm2 is None and want.tang is None):
        return (), host, container
    slot = int(record.uuid)
    held = slot in container.header.keyslots
    if not held or any(slot in token.keyslots for token in container.header.tokens.values()):
        forgotten, host = forget(host, thing)
        return forgotten, host, container
    key = _key(host, want, f"to remove keyslot {slot}, which a crash left without a token")
    if keys.check_unlocks(host, want, container, key) == slot:
        # Somebody gave it another key since.
        forgotten, host = forget(host, thing)
        return forgotten, host, container
    argv = ("cryptsetup", "luksKillSlot", "--batch-mode", "--key-file", key.word, container.device, str(slot))
    removed = step(
        "remove",
        want.name,
        f"keyslot {slot}, which a crash left without a token",
        Command(argv, timeout=PATIENCE),
        claims=keys.claims(host, container),
        flush=(container.device,),
        intent=intent(thing, str(slot), container.device),
    )
    left = tuple(number for number in container.header.keyslots if number != slot)
    header = container.header._replace(keyslots=left, digest="without half a token")
    host = host._replace(unfinished=tuple(one for one in host.unfinished if one is not record))
    host, container = replace_container(host, container, container._replace(header=header))
    return (removed,), host, container


def _enrol(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    tpm2 = want.tpm2
    line = line_of(host, want.name)
    device = (tpm2.device if tpm2 else None) or (line.value(_DEVICE) if line else "") or _AUTO
    problem = host.tpm(device)
    if problem:
        raise StorageError(f"luks {want.name}: {problem}; a TPM 2.0 was to open it. Nothing was changed")
    pcrs = tpm2.pcrs if tpm2 and tpm2.pcrs is not None else _PCRS
    key = _key(host, want, "to enrol a TPM2")
    argv = (
        *("systemd-cryptenroll", "--unlock-key-file", key.word, f"--tpm2-device={device}"),
        *(f"--tpm2-pcrs={'+'.join(map(str, pcrs))}", container.device),
    )
    told = f"the TPM2, bound to PCR {' '.join(map(str, pcrs))}" if pcrs else "the TPM2, bound to no PCR"
    token = Token(TPM2, pcrs=pcrs)
    return _added(host, want, container, key, "enrol", told, token, Command(argv, timeout=PATIENCE))


def _bind(host: Host, want: Luks, container: Container, server: Tang) -> tuple[Steps, Host, Container]:
    key = _key(host, want, f"to bind it to {server.url}")
    action = BindTang(container.device, _free(container), key.word, server.url, server.thumbprint)
    token = Token(CLEVIS, url=server.url, thumbprints=(server.thumbprint,))
    return _added(host, want, container, key, "bind", f"it to the Tang server {server.url}", token, action)


def _free(container: Container) -> int:
    taken = container.header.keyslots
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _added(
    host: Host, want: Luks, container: Container, key: Key, verb: str, detail: str, token: Token, action: Any
) -> tuple[Steps, Host, Container]:
    """The step after which there is a token with a keyslot of its own, and the state after it."""
    if not keys.is_to_come(host, key):
        keys.check_unlocks(host, want, container, key)
    before, host, container = keys.back_up(host, want, container, always=True)
    slot = _free(container)
    recorded = intent(_enrolment(container), str(slot), container.device)
    claims = keys.claims(host, container)
    made = step(verb, want.name, detail, action, claims=claims, flush=(container.device,), intent=recorded)
    header = container.header
    number = next(one for one in range(len(header.tokens) + 1) if one not in header.tokens)
    header = header._replace(
        keyslots=tuple(sorted((*header.keyslots, slot))),
        tokens={**header.tokens, number: token._replace(keyslots=(slot,))},
        digest=f"with a token for keyslot {slot}",
    )
    host, container = replace_container(host, container, container._replace(header=header))
    return (*before, made), host, container
