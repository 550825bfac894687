# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of LUKS containers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.luks import Key, Pbkdf, Tang, Tpm2, parse


def test_a_container() -> None:
    want = parse({"name": "vault", "device": "md0", "key_file": "/etc/keys/vault", "pbkdf": {"iteration_time": 0.5}})
    assert (want.name, want.device, want.key, want.state) == ("vault", "md0", Key("/etc/keys/vault"), "present")
    assert want.pbkdf == Pbkdf(iteration_time=0.5)


def test_a_tpm_and_tang_servers() -> None:
    servers = [{"url": "http://tang1:8080/", "thumbprint": "A" * 27}]
    want = parse({"name": "vault", "tpm2": {"pcrs": [7, 0, 7]}, "tang": servers})
    assert want.tpm2 == Tpm2(None, (0, 7), "present")
    assert want.tang == (Tang("http://tang1:8080", "A" * 27),)
    assert parse({"name": "vault"}).tang is None
    assert parse({"name": "vault", "tang": []}).tang == ()


def test_a_passphrase_is_printed_nowhere() -> None:
    want = parse({"name": "vault", "passphrase": "correct horse", "new_passphrase": "battery"})
    assert want.key is not None
    assert want.key.secret is not None
    assert want.key.secret.value == "correct horse"
    assert "horse" not in f"{want} {want!r} {want.key} {want.key.secret}"
    assert str(want.key.secret) == "<secret:luks-vault-passphrase>"
    assert want.key != want.new_key


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"name": "a b"}, "a name holds letters"),
        ({"name": "control"}, "the device mapper has /dev/mapper/control for itself"),
        ({"device": ""}, "device is empty"),
        ({"passphrase": "x", "key_file": "/k"}, "passphrase and key_file are both given"),
        ({"passphrase": ""}, "passphrase is empty"),
        ({"passphrase": "x" * 4097}, "passphrase has more than 4096 bytes"),
        ({"key_file": "keys/vault"}, "key_file 'keys/vault' is no absolute path"),
        ({"key_file": "/etc/my keys"}, "no absolute path without white space"),
        ({"key_file": "/k", "remove_key_file": "/k"}, "the key file /k is to unlock it, and to be removed"),
        ({"passphrase": "x", "remove_passphrase": "x"}, "the passphrase is to unlock it, and to be removed"),
        ({"new_key_file": "/k", "remove_key_file": "/k"}, "is to be added, and to be removed"),
        ({"remove_key_file": "/k", "remove_keyslot": 1}, "say remove_keyslot or the key to remove, not both"),
        ({"sector_size": 500}, "sector_size 500 is not one of 512, 1024, 2048, 4096"),
        ({"key_size": 100}, "key_size 100 is no number of bits"),
        ({"key_size": -8}, "key_size -8 is no number of bits"),
        ({"label": "x" * 48}, "has more than 47 bytes"),
        ({"label": "a\nb"}, "or what cannot be printed"),
        ({"type": "luks1", "label": "x"}, "label is of luks2 only"),
        ({"type": "luks1", "sector_size": 4096}, "sector_size is of luks2 only"),
        ({"type": "luks1", "pbkdf": {"algorithm": "argon2id"}}, "luks1 has pbkdf2 only"),
        ({"pbkdf": {"iteration_count": 0}}, "pbkdf.iteration_count 0 is not above 0"),
        ({"pbkdf": {"iteration_count": 4, "iteration_time": 1}}, "exclude each other"),
        ({"pbkdf": {"algorithm": "pbkdf2", "memory": 32}}, "pbkdf2 takes no pbkdf.memory"),
        ({"open_at_boot": False, "boot_required": True}, "boot_required, and open_at_boot is false"),
        ({"state": "closed", "new_key_file": "/k"}, "new_key beside state closed"),
        ({"tpm2": {"device": "/dev/tpm rm0"}}, "tpm2.device '/dev/tpm rm0' is neither auto, nor a path, nor a TCTI"),
        ({"tpm2": {"device": "swtpm:port=1,host=b"}}, "without blanks and commas"),
        ({"tpm2": {"pcrs": [7, 24]}}, "tpm2.pcrs 24 is no PCR; they are 0 to 23"),
        ({"tpm2": {}, "type": "luks1"}, "tpm2 is of luks2 only"),
        ({"tpm2": {}, "state": "closed"}, "tpm2 beside state closed"),
        ({"tang": [], "type": "plain"}, "tang beside type plain"),
        ({"tang": [{"url": "tang1", "thumbprint": "A" * 43}]}, "tang.url 'tang1' is no http or https URL"),
        ({"tang": [{"url": "http://a'b", "thumbprint": "A" * 43}]}, "is no http or https URL"),
        (
            {"tang": [{"url": "http://a", "thumbprint": "any"}]},
            "tang.thumbprint 'any' is not what `tang-show-keys` says",
        ),
        ({"tang": [{"url": f"http://a{end}", "thumbprint": "A" * 43} for end in ("", "/")]}, "tang has http://a twice"),
        ({"type": "plain", "key_file": "/k"}, "the key file /k beside type plain, which is for swap with a new key"),
        ({"type": "plain", "passphrase": "x"}, "the passphrase beside type plain"),
        ({"type": "plain", "label": "x"}, "label beside type plain, which has no header"),
        ({"type": "plain", "pbkdf": {"memory": 32}}, "pbkdf beside type plain"),
        ({"type": "plain", "state": "decrypted"}, "state decrypted beside type plain"),
        ({"key_file": "/dev/urandom"}, "the key file /dev/urandom is another key at each boot, and only type plain"),
        ({"state": "absent", "remove_keyslot": 0}, "remove_keyslot beside state absent"),
    ],
)
def test_what_cannot_be(words: dict[str, Any], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        parse({"name": "vault", **words})
