# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for keys that a TPM or a Tang server keeps, as values."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.luks import Key, parse
from ansible_collections.strata.storage.plugins.module_utils.host.health import health
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.luks import plan as luks
from ansible_collections.strata.storage.plugins.module_utils.host.luks.crypttab import CRYPTTAB
from ansible_collections.strata.storage.plugins.module_utils.host.luks.header import thumbprint, token_of
from ansible_collections.strata.storage.plugins.module_utils.host.luks.state import Header, Token
from ansible_collections.strata.storage.plugins.module_utils.host.luks.tokens import ASKPASS
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount

from ..hosts import commands, outline, settle
from .test_plan import BLANK, FILE, HEADER, LINE, SDB, UUID, a_container, want

URL, OTHER_URL = "http://tang1.example", "http://tang2.example"
THP, NEW_THP = "i4i46ycuvXcYCDAwJFIE0eJw1jegOANSAWq7Y_FWK70", "r7l_HFqz_BJfwH3GwkuQ4QZKEDVTBMbONPNGkHLTez4"
TPM2 = {"tpm2": {"device": None, "pcrs": [7], "state": "present"}}
NO_TPM2 = {"tpm2": {"state": "absent"}}
TANG = {"tang": [{"url": URL, "thumbprint": THP}]}
BY_TPM2 = f"vault UUID={UUID} none luks,nofail,tpm2-device=auto\n"
BY_TANG = f"vault UUID={UUID} none luks,nofail,_netdev\n"
OF_TPM2 = Token("systemd-tpm2", (1,), pcrs=(7,))
OF_TANG = Token("clevis", (1,), url=URL, thumbprints=(THP,))


def with_token(*tokens: Token, crypttab: str = LINE, **more: Any) -> Host:
    slots = {slot for token in tokens for slot in token.keyslots}
    header = HEADER._replace(keyslots=(0, *sorted(slots)), tokens=dict(enumerate(tokens)))
    return a_container(header, crypttab=crypttab, tpms={"auto": ""}, services={ASKPASS: True}, **more)


NONE = with_token()


def header_of(host: Host) -> Header:
    return host.containers[0].header


def test_a_tpm2_is_enrolled_before_a_boot_uses_it() -> None:
    plan = settle(luks, NONE, want(key_file=FILE.file, **TPM2))
    assert outline(plan) == [f"{verb} luks vault" for verb in ("back up", "enrol", "persist", "back up")]
    assert commands(plan) == [
        "systemd-cryptenroll --unlock-key-file /etc/keys/vault --tpm2-device=auto --tpm2-pcrs=7 /dev/sdb",
        f"edit {CRYPTTAB}",
    ]
    assert plan.after.files[CRYPTTAB] == BY_TPM2
    assert header_of(plan.after).keyslots == (0, 1)
    assert settle(luks, plan.after, want(key_file=FILE.file)).steps == ()


def test_the_key_of_an_enrolment_is_printed_nowhere() -> None:
    host = with_token(keyslots={(SDB, want(passphrase="correct horse").key): 0})
    plan = settle(luks, host, want(passphrase="correct horse", **TPM2))
    assert commands(plan)[0].startswith("systemd-cryptenroll --unlock-key-file <secret:luks-vault-passphrase>")
    assert "horse" not in str(plan)


def test_other_pcrs_come_before_the_old_ones_leave() -> None:
    host = with_token(OF_TPM2, crypttab=BY_TPM2)
    assert settle(luks, host, want(**TPM2)).steps == ()
    words = {"tpm2": {"pcrs": [7, 0]}}
    plan = settle(luks, host, want(key_file=FILE.file, **words))
    assert commands(plan) == [
        "systemd-cryptenroll --unlock-key-file /etc/keys/vault --tpm2-device=auto --tpm2-pcrs=0+7 /dev/sdb",
        "cryptsetup luksKillSlot --batch-mode --key-file /etc/keys/vault /dev/sdb 1",
        "cryptsetup token remove --token-id 0 /dev/sdb",
    ]
    assert [(token.pcrs, token.keyslots) for token in header_of(plan.after).tokens.values()] == [((0, 7), (2,))]


def test_one_that_somebody_enrolled_is_taken_over() -> None:
    plan = settle(luks, with_token(OF_TPM2), want(tpm2={}))
    assert outline(plan) == ["persist luks vault"]
    assert plan.after.files[CRYPTTAB] == BY_TPM2


def test_a_tpm2_leaves_once_crypttab_does_not_name_it() -> None:
    host = with_token(OF_TPM2, Token("systemd-fido2", (2,)), crypttab=BY_TPM2)
    plan = settle(luks, host, want(key_file=FILE.file, **NO_TPM2))
    assert outline(plan) == [f"{verb} luks vault" for verb in ("persist", "back up", "remove", "back up")]
    assert plan.after.files[CRYPTTAB] == f"vault UUID={UUID} /etc/keys/vault luks,nofail\n"
    assert header_of(plan.after).keyslots == (0, 2)
    assert [token.type for token in header_of(plan.after).tokens.values()] == ["systemd-fido2"]


def test_no_token_is_the_last_key() -> None:
    host = with_token(OF_TPM2, crypttab=BY_TPM2, keyslots={(SDB, Key("/k2")): 1})
    with pytest.raises(StorageError, match=r"to remove its token 0 \(systemd-tpm2\), say also key_file or passphrase"):
        luks.plan(host, want(**NO_TPM2), True)
    with pytest.raises(Refused, match="the key file /k2 is what keyslot 1 holds, which goes with its token 0"):
        luks.plan(host, want(key_file="/k2", **NO_TPM2), True)
    with pytest.raises(StorageError, match="say also one that stays, which is tried before"):
        luks.plan(host, want(remove_keyslot=0), True)
    with pytest.raises(StorageError, match="to enrol a TPM2, say also key_file or passphrase"):
        luks.plan(with_token(crypttab=BY_TANG), want(**TPM2), True)


def test_a_keyslot_leaves_with_its_token() -> None:
    plan = settle(luks, with_token(OF_TPM2), want(remove_keyslot=1))
    assert commands(plan)[1] == "cryptsetup token remove --token-id 0 /dev/sdb"
    assert header_of(plan.after).tokens == {}


@pytest.mark.parametrize(
    ("host", "words", "error", "message"),
    [
        (NONE._replace(tpms={"auto": "there is no TPM 2.0 on this host"}), TPM2, StorageError, "no TPM 2.0 on this"),
        (with_token(OF_TPM2._replace(pin=True)), TPM2, Refused, "its TPM2 asks for a PIN"),
        (with_token(crypttab=LINE.replace("luks,", "fido2-device=auto,")), TPM2, Refused, "opens it by fido2-device="),
        (NONE._replace(mounts=(Mount("/dev/dm-0", "/", "ext4", "rw"),)), TPM2, Refused, "the root of this host is on"),
        (NONE._replace(mounts=(Mount("/dev/dm-0", "/", "ext4", "rw"),)), TANG, Refused, "the root of this host is on"),
        (NONE._replace(keyslots={(SDB, FILE): None}), TPM2, StorageError, "the key file /etc/keys/vault unlocks no"),
    ],
)
def test_what_is_refused(host: Host, words: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        luks.plan(host, want(key_file=FILE.file, **words), True)


def test_what_a_crash_left_of_an_enrolment_goes_first() -> None:
    record = Unfinished("/r", "enrol luks vault", f"token of luks {UUID}", "1", (SDB,), (SDB,))
    host = with_token(unfinished=(record,))
    host = host._replace(containers=(host.containers[0]._replace(header=HEADER._replace(keyslots=(0, 1))),))
    plan = settle(luks, host, want(key_file=FILE.file, **TPM2))
    assert commands(plan)[0] == "cryptsetup luksKillSlot --batch-mode --key-file /etc/keys/vault /dev/sdb 1"
    assert header_of(plan.after).keyslots == (0, 1)
    whole = with_token(OF_TPM2, crypttab=BY_TPM2, unfinished=(record,))
    assert outline(settle(luks, whole, want(**TPM2))) == [f"forget record token of luks {UUID}"]


def test_a_tang_server_is_bound_before_a_boot_asks_it() -> None:
    host = with_token()._replace(services={ASKPASS: False})
    plan = settle(luks, host, want(key_file=FILE.file, **TANG))
    assert outline(plan) == [f"{verb} luks vault" for verb in ("enable", "back up", "bind", "persist", "back up")]
    (binding,) = [str(action) for step in plan.steps for action in step.actions if "clevis encrypt" in str(action)]
    assert binding == (
        f'clevis encrypt tang \'{{"url": "{URL}", "thp": "{THP}"}}\', cryptsetup luksAddKey --key-slot 1 --key-file '
        "/etc/keys/vault /dev/sdb, cryptsetup token import /dev/sdb"
    )
    assert plan.after.files[CRYPTTAB] == BY_TANG
    assert settle(luks, plan.after, want(key_file=FILE.file)).steps == ()


def test_the_backup_of_the_header_comes_last() -> None:
    """Also where several are added, or removed, in one task: each changes the header."""
    both = [{"url": URL, "thumbprint": THP}, {"url": OTHER_URL, "thumbprint": THP}]
    plan = settle(luks, NONE, want(key_file=FILE.file, tang=both, **TPM2))
    assert outline(plan)[-1] == "back up luks vault"
    assert header_of(plan.after).keyslots == (0, 1, 2, 3)
    gone = settle(luks, plan.after, want(key_file=FILE.file, tang=[], **NO_TPM2))
    assert [one for one in outline(gone) if one.startswith(("remove", "back"))][-2:] == [
        "remove luks vault",
        "back up luks vault",
    ]
    assert header_of(gone.after).keyslots == (0,)


def test_a_new_container_is_opened_by_a_tpm_from_the_start() -> None:
    host = BLANK._replace(tpms={"auto": ""})
    plan = settle(luks, host, want(device="sdb", key_file=FILE.file, tpm2={}))
    assert outline(plan)[:3] == ["format luks vault", "back up luks vault", "enrol luks vault"]
    assert plan.after.files[CRYPTTAB] == "vault UUID=<uuid:luks-vault> none luks,nofail,tpm2-device=auto\n"


def test_a_mount_that_a_boot_waits_for_before_there_is_a_network() -> None:
    host = NONE.with_file(FSTAB, "/dev/mapper/vault /srv ext4 defaults 0 2\n")
    host = host._replace(links={**host.links, "/dev/mapper/vault": "/dev/dm-0"})
    words = want(key_file=FILE.file, **TANG)
    with pytest.raises(Refused, match="mounts /srv from it, and a boot would wait for that before there is a network"):
        luks.plan(host, words, True)
    assert luks.plan(host, want(key_file=FILE.file, **TPM2), False).steps
    for options in ("_netdev", "nofail"):
        late = host.with_file(FSTAB, f"/dev/mapper/vault /srv ext4 {options} 0 2\n")
        assert "bind luks vault" in outline(luks.plan(late, words, False))


def test_a_servers_new_key_is_bound_before_the_old_one_leaves() -> None:
    host = with_token(OF_TANG, crypttab=BY_TANG)
    assert settle(luks, host, want(**TANG)).steps == ()
    plan = settle(luks, host, want(key_file=FILE.file, tang=[{"url": f"{URL}/", "thumbprint": NEW_THP}]))
    assert outline(plan) == [f"{verb} luks vault" for verb in ("back up", "bind", "back up", "remove", "back up")]
    assert [token.thumbprints for token in header_of(plan.after).tokens.values()] == [(NEW_THP,)]


def test_servers_that_are_not_listed_leave_and_other_pins_stay() -> None:
    sss, other = Token("clevis", (2,)), Token("clevis", (3,), url=OTHER_URL, thumbprints=(THP,))
    host = with_token(OF_TANG, sss, other, crypttab=BY_TANG)
    plan = settle(luks, host, want(key_file=FILE.file, **TANG))
    assert header_of(plan.after).keyslots == (0, 1, 2)
    plan = settle(luks, host, want(key_file=FILE.file, tang=[]))
    assert [token.keyslots for token in header_of(plan.after).tokens.values()] == [(2,)]
    assert plan.after.files[CRYPTTAB] == BY_TANG.replace("none", "/etc/keys/vault")


def test_a_token_without_a_keyslot_is_found_and_goes() -> None:
    host = with_token(OF_TPM2._replace(keyslots=()), crypttab=BY_TANG)
    assert [finding.problem for finding in health(host, {})] == ["token"]
    plan = settle(luks, host, want(**NO_TPM2))
    assert commands(plan) == ["cryptsetup token remove --token-id 0 /dev/sdb"]
    assert [one.problem for one in health(with_token(crypttab=BY_TPM2), {})] == ["no token"]


@pytest.mark.parametrize(
    "host",
    [
        with_token(OF_TPM2, crypttab=BY_TPM2),
        with_token(OF_TANG, crypttab=BY_TANG),
        with_token(OF_TPM2, crypttab=LINE),
        with_token(OF_TANG, crypttab=BY_TANG.replace(",_netdev", "")),
        with_token(OF_TPM2._replace(pin=True), crypttab=BY_TPM2),
    ],
)
def test_what_there_is_can_be_given_back(host: Host) -> None:
    (reported,) = luks.survey(host)
    assert settle(luks, host, parse(reported.item)).steps == ()


def test_tokens_as_they_are_written() -> None:
    """A key as `tang-show-keys` told of its thumbprint; the token of Debian 12's systemd; what cannot be understood."""
    x = "AJNs1PwCFt-YAb_13juXTb5WA9pGXJQfKJv0YdMnVDsctZZjrvTHHf8q3nWnMTjikLERGRep5aHWXp60bzWqagor"
    y = "AQHjzsKuNrovAd5Ddi1k3vEJq44TZHPlOuO75ZjJcEOC5Bs11Ahz5ZJ3lEJpD8ceJhxD2gW5gNam6trBScb33WJ8"
    key = {"alg": "ES512", "kty": "EC", "crv": "P-521", "x": x, "y": y, "key_ops": ["verify"]}
    assert thumbprint(key, "sha256") == THP
    exchange = {**key, "alg": "ECMR", "key_ops": ["deriveKey"]}
    clevis = {"pin": "tang", "tang": {"url": URL, "adv": {"keys": [exchange, key]}}}

    def sealed(words: Any) -> dict[str, Any]:
        protected = base64.urlsafe_b64encode(json.dumps({"clevis": words}).encode()).decode().rstrip("=")
        return {"type": "clevis", "keyslots": ["1"], "jwe": {"protected": protected}}

    assert token_of(sealed(clevis)) == Token("clevis", (1,), url=URL, thumbprints=(THP, thumbprint(key, "sha1")))
    assert token_of(sealed({"pin": "sss", "sss": {}})) == Token("clevis", (1,))
    assert token_of({"type": "clevis", "keyslots": [], "jwe": "?"}) == Token("clevis")
    words = {"type": "systemd-tpm2", "keyslots": ["1"], "tpm2-pcrs": [7], "tpm2-pcr-bank": "sha256", "tpm2-pin": False}
    assert token_of(words) == Token("systemd-tpm2", (1,), pcrs=(7,))
