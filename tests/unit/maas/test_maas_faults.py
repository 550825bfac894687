# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between a module and a region, each over a real socket."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.simulators.maas import Fault, Region, Server

from .region import KEY, Failed, Maas, add_machine
from .test_maas_layout import EMPTY, WHOLE, one_raid

MIRROR = one_raid("1", "sdb", "sdc")
SECRET = KEY.rsplit(":", maxsplit=1)[-1]


def failed(maas: Maas, said: str, **words: Any) -> dict[str, Any]:
    with pytest.raises(Failed, match=said) as error:
        maas.storage(**words)
    return error.value.result


def check_whole(maas: Maas) -> None:
    """Nothing is an orphan: what the region keeps of things whose devices are gone."""
    for group in maas.machine.groups:
        assert group.members, f"{group.type} {group.name} is over nothing"
        if group.type == "bcache":
            assert group.cache_set in maas.machine.cache_sets
    for cache_set in maas.machine.cache_sets:
        assert cache_set.device


# Reading is tried again


@pytest.mark.parametrize("what", ["cut-before", "cut-after", "truncated", "unavailable", "html", "busy"])
def test_reading_is_tried_again(maas: Maas, what: str) -> None:
    maas.storage(**MIRROR)
    maas.server.faults = [Fault(what, "GET", times=2, value=0)]
    assert not maas.storage(**MIRROR)["changed"]
    assert maas.server.faults[0].times == 0


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("cut-before", "reading machine node1: http://127.0.0.1:.* did not answer"),
        ("truncated", "reading machine node1: .* answered with what is no JSON, or only a part of it"),
        ("unavailable", "reading machine node1: the region failed with status 503"),
        ("html", "reading machine node1: the region failed with status 502$"),
        ("redirect", "redirects to http://127.0.0.1:1/elsewhere/; give the region's own URL"),
        ("error", "the region failed with status 500 .'NoneType' object has no attribute 'id'"),
    ],
)
def test_reading_in_vain(maas: Maas, what: str, said: str) -> None:
    maas.server.faults = [Fault(what, times=99, value=0)]
    result = failed(maas, said, **MIRROR)
    assert "<" not in result["msg"]
    assert not result["changed"]


def test_html_where_json_should_be(maas: Maas) -> None:
    maas.server.faults = [Fault("page", times=99)]
    failed(maas, "answered with HTML; is it the URL of a MAAS region", **MIRROR)


def test_a_region_that_is_slow(maas: Maas) -> None:
    maas.server.faults = [Fault("slow", "GET", times=1, value=1.5)]
    assert maas.storage(**MIRROR, timeout=1)["changed"]
    maas.server.faults = [Fault("slow", "GET", times=99, value=1.2)]
    failed(maas, "did not answer .*timed out", **MIRROR, timeout=1)


# Changing is not


@pytest.mark.parametrize(("what", "made"), [("cut-before", 0), ("cut-after", 1), ("truncated", 1)])
def test_a_change_without_an_answer_is_not_sent_twice(maas: Maas, what: str, made: int) -> None:
    maas.server.faults = [Fault(what, "POST", "raids/")]
    said = "so it may have been done" if what != "truncated" else "answered with what is no JSON"
    result = failed(maas, f"create raid md0: .*{said}", **MIRROR)
    assert result["changed"]
    assert len(maas.machine.groups) == made
    assert maas.storage(**MIRROR)["changed"] == (not made)
    assert len(maas.machine.groups) == 1


@pytest.mark.parametrize("what", ["busy", "unavailable"])
def test_a_change_that_the_region_put_off_is_sent_again(maas: Maas, what: str) -> None:
    maas.server.faults = [Fault(what, "POST", times=2, value=0)]
    assert maas.storage(**MIRROR)["changed"]
    maas.server.faults = [Fault(what, "DELETE", times=99, value=0)]
    failed(maas, "remove raid md0: .*status (409|503)", raids=[{"name": "md0", "state": "absent"}])


def test_a_bug_of_the_region_is_told_plainly(maas: Maas) -> None:
    maas.server.faults = [Fault("error", "POST", "raids/")]
    failed(maas, r"create raid md0: .*POST nodes/333333/raids/ .*: the region failed with status 500", **MIRROR)
    maas.server.faults = [Fault("html", "POST", "raids/")]
    failed(maas, "the region failed with status 502$", **MIRROR)


def test_what_was_done_before_is_told(maas: Maas) -> None:
    maas.server.faults = [Fault("error", "POST", "bcaches/")]
    result = failed(maas, "create bcache cached: ", **WHOLE)
    assert [one["kind"] for one in result["done"]] == ["partition", "partition", "raid", "cache set"]
    maas.storage(**WHOLE)


# Keys and clocks


def test_keys(maas: Maas, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key, said in (
        (
            "consumer:token:wrong",
            "the region does not accept the API key; name a file with a valid one by api_key_file",
        ),
        ("consumer:wrong:secret", "the region does not accept the API key"),
        ("wrong:token:secret", "the region does not accept the API key"),
        ("one:two", "an API key has three parts"),
    ):
        result = failed(maas, said, **MIRROR, api_key=key)
        assert SECRET not in str(result).replace(key, "")
    failed(maas, "api_key is not given, and neither is api_key_file; nor is MAAS_API_KEY set", **MIRROR, api_key=None)
    file = tmp_path / "key"
    failed(maas, f"api_key_file: {file}: No such file", **MIRROR, api_key=None, api_key_file=str(file))
    file.write_text(KEY + "\n")
    failed(maas, "api_key and api_key_file are both given", **MIRROR, api_key_file=str(file))
    assert maas.storage(**MIRROR, api_key=None, api_key_file=str(file))["changed"]
    monkeypatch.setenv("MAAS_API_KEY", KEY)
    assert not maas.storage(**MIRROR, api_key=None)["changed"]
    monkeypatch.setenv("MAAS_API_KEY_FILE", str(file))
    file.write_text("one:two:three")
    failed(maas, "does not accept the API key", **MIRROR, api_key=None)


def test_urls(maas: Maas, monkeypatch: pytest.MonkeyPatch) -> None:
    failed(maas, "url is not given, and MAAS_URL is not set", **MIRROR, url=None)
    failed(maas, "url: 'maas' is no http or https URL", **MIRROR, url="maas")
    failed(maas, "http://127.0.0.1:1/MAAS/api/2.0/ did not answer", **MIRROR, url="http://127.0.0.1:1/MAAS")
    failed(maas, "Unknown API endpoint", **MIRROR, url=maas.server.url.replace("/MAAS", "/other"))
    monkeypatch.setenv("MAAS_URL", f"{maas.server.url}/api/2.0/")
    assert maas.storage(**MIRROR, url=None)["changed"]


def test_a_clock_that_is_wrong(maas: Maas) -> None:
    now = maas.server.now
    maas.server.now = lambda: now() + 301
    failed(maas, "the clock here differs from the region's by more than it takes", **MIRROR)


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "certificate.pem"
    file.write_bytes(made.public_bytes(pem) + plain)
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[Maas]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    region = Region()
    region.add_user("admin", KEY)
    with Server(region, context) as server:
        yield Maas(server)


def test_certificates(secure: Maas, certificate: Path) -> None:
    failed(secure, "the certificate of https://.* was not accepted .*; name its authority by ca_path", **MIRROR)
    assert secure.server.log == []
    failed(
        secure,
        "ca_path: /nowhere: No such file or directory; it has to be a file with cert",
        **MIRROR,
        ca_path="/nowhere",
    )
    broken = certificate.with_name("broken.pem")
    broken.write_text("no certificate")
    failed(secure, "ca_path: .*/broken.pem: .*it has to be a file with certificates", **MIRROR, ca_path=str(broken))
    assert secure.storage(**MIRROR, ca_path=str(certificate))["changed"]
    assert not secure.storage(**MIRROR, validate_certs=False)["changed"]


# Others at work


@pytest.mark.parametrize(
    ("words", "meanwhile", "said"),
    [
        (
            {"raids": [{"name": "md0", "state": "absent"}]},
            lambda machine: machine.join(machine.add_group("lvm-vg", "d"), [machine.device("md0")], "lvm-pv"),
            "md0 was changed by somebody else meanwhile: LVM volume for d, and not Unused",
        ),
        (
            {"filesystems": [{"device": "sdd", "type": "xfs"}]},
            lambda machine: machine.join(machine.add_group("lvm-vg", "d"), [machine.device("sdd")], "lvm-pv"),
            "sdd was changed by somebody else meanwhile",
        ),
        (
            {"partitions": [{"name": "p", "device": "sdd"}]},
            lambda machine: machine.join(machine.add_group("lvm-vg", "d"), [machine.device("sdd")], "lvm-pv"),
            "sdd was changed by somebody else meanwhile",
        ),
        (
            {"raids": [{"name": "md1", "level": "1", "devices": ["sdd", "sde"]}]},
            lambda machine: machine.add_partition(machine.device("sdd"), 10**9),
            "the region refused it with status 400: block_devices: Select a valid choice",
        ),
    ],
)
def test_a_second_operator(maas: Maas, words: dict[str, Any], meanwhile: Any, said: str) -> None:
    """Somebody takes a device between what was read and the first request that changes something."""
    maas.storage(**MIRROR)
    before = len(maas.server.log)
    # Reading the machine, and the list of its arrays.
    maas.server.meanwhile = lambda count: meanwhile(maas.machine) if count == before + 2 else None
    result = failed(maas, said, **words)
    assert not result.get("done")
    maas.server.meanwhile = None
    check_whole(maas)


def test_an_orphan_that_somebody_left(maas: Maas) -> None:
    """The region fails to list bcaches as soon as one of them has lost its backing device; the others are read."""
    maas.storage(**one_raid("1", "sdb", "sdc"))
    words = {"name": "cached", "backing_device": "md0", "cache_device": "nvme0n1"}
    both = [words, {"name": "other", "backing_device": "sdd", "cache_device": "nvme0n1"}]
    maas.storage(bcaches=both)
    maas.machine.delete_group(next(group for group in maas.machine.groups if group.name == "md0"))
    assert not maas.storage(bcaches=both[1:])["changed"]
    (told,) = maas.info()["machines"]
    assert [one["name"] for one in told["layout"]["bcaches"]] == ["other"]
    assert [one["name"] for one in told["tree"] if one["type"] == "leftover"] == ["cached"]
    anew = [{**words, "backing_device": "sde"}]
    maas.refused("bcaches: cached: MAAS keeps something of that name whose disks have gone", bcaches=anew)
    maas.settle(bcaches=[{"name": "cached", "state": "absent"}])
    maas.settle(bcaches=anew)


# Interrupted after any request


def interrupted(maas: Maas, what: str, **words: Any) -> int:
    """Cut the task off at its first change, then at its second, and so on, until it comes to its end."""
    cuts = 0
    while True:
        # One change goes through each time, so that each run is cut one later than the last, in what is left.
        fault = Fault(what, "POST|PUT|DELETE")
        maas.server.faults = [fault]
        try:
            maas.storage(**words)
        except Failed:
            cuts += 1
            check_whole(maas)
            maas.server.faults = []
            assert maas.storage(check=True, **words)["changed"] or what == "cut-after"
            if what == "cut-before":
                one_more(maas, words)
            continue
        return cuts


def one_more(maas: Maas, words: dict[str, Any]) -> None:
    """Let one change through, and cut the next off."""
    maas.server.faults = [Fault("pass", "POST|PUT|DELETE"), Fault("cut-before", "POST|PUT|DELETE", times=99)]
    try:
        maas.storage(**words)
    except Failed:
        check_whole(maas)


@pytest.mark.parametrize("what", ["cut-before", "cut-after"])
def test_interrupted_after_any_request(maas: Maas, what: str) -> None:
    assert interrupted(maas, what, **WHOLE) >= 19
    assert not maas.storage(**WHOLE)["changed"]
    names = ["sda-part1", "sda-part2", "md0", "cached", "data", "sdg", "/tmp"]
    assert interrupted(maas, what, **EMPTY, mode="exact", allow_destroy=names) >= 12
    assert maas.machine.groups == []
    assert not any(device.used for device in maas.machine.devices)


def test_a_second_machine_is_left_alone(maas: Maas) -> None:
    other = add_machine(maas.region, "node2")
    maas.storage(**WHOLE)
    assert not any(device.used for device in other.devices)
