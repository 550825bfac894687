# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migration of images: moved, imported, aborted, and cut off wherever it can be."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.ceph import Cluster
from tests.integration.modules import ModuleFailed

from .client import CHECKOUT, ENVIRONMENT, OPEN, PYTHON, Client, Server, holding
from .conftest import in_a_namespace

#: An image, as what is imported has it.
SERVED = bytes(4 << 20) + b"now" + bytes((4 << 20) - 3)
#: Calls librbd, and is killed: where the call tells how far it is, or as soon as something is there.
_CUT = f"""{OPEN}
import os, signal, threading, time
method, seen, *words = sys.argv[3:]
def die(*_said):
    os.kill(os.getpid(), signal.SIGKILL)
def keys(name):
    try:
        with rados.ReadOpCtx() as operation:
            found, _more = pool.get_omap_keys(operation, "", 1000)
            pool.operate_read_op(operation, name)
            return [key for key, _value in found]
    except rados.ObjectNotFound:
        return []
def trashed():
    return [key[3:] for key in keys("rbd_trash")]
def listed():
    return dict((one["name"], one["id"]) for one in rbd.RBD().list2(pool))
conditions = {{
    "trashed": lambda: trashed(),
    "unlisted": lambda: words[0] not in listed(),
    "said": lambda: [one for one in trashed() if "migration" in keys("rbd_header." + one)],
    "listed": lambda: words[1] in listed(),
    "made": lambda: keys("rbd_header." + listed().get(words[1], "")),
    "begun": lambda: "migration" in keys("rbd_header." + listed().get(words[1], "")),
}}
arguments = [words[0], pool, words[1]] if method == "prepare" else [words[1]]
options = {{}} if method == "prepare" else {{"on_progress": die}}
def call():
    getattr(rbd.RBD(), "migration_" + method)(pool, *arguments, **options)
if method == "prepare":
    threading.Thread(target=call, daemon=True).start()
    while not conditions[seen]():
        pass
    die()
call()
"""


def cut(ceph: Client, method: str, source: str, image: str, seen: str = "") -> None:
    ceph.python(_CUT, method, seen, source, image, expect=-signal.SIGKILL)


def source(ceph: Client, name: str = "src", **words: Any) -> dict[str, Any]:
    """An image with a snapshot, and how a task names it."""
    ceph.module("rbd_image", name=name, size="16M", metadata={"a": "1"}, **words)
    ceph.write(name, "one", 4 << 20)
    ceph.module("rbd_snapshot", image=name, name="s")
    ceph.write(name, "now", 4 << 20)
    return {"image": name}


def data(ceph: Client, name: str) -> str:
    return ceph.data(name, 3, 4 << 20)


def steps(result: dict[str, Any]) -> list[str]:
    return [step["action"] for step in result["plan"]]


def test_an_image_moves(ceph: Client) -> None:
    """Prepared, executed and committed one after the other; with all that it has."""
    words: dict[str, Any] = {"image": "dst", "source": source(ceph), "object_size": "8M"}
    ceph.module("rbd_group", name="g", images=["src"])
    made = ceph.converge("rbd_migration", state="prepared", **words)
    assert made["migration"]["source"] == {"pool": "rbd", "namespace": ceph.namespace, "image": "src"}
    assert made["migration"]["state"] == "prepared"
    assert data(ceph, "dst") == "now"
    ceph.unchanged("rbd_migration", **made["migration"])
    assert ceph.module("rbd_info")["migrations"] == [made["migration"]]
    assert "it is being migrated; commit or abort" in ceph.refusal("rbd_image", name="dst", state="absent")
    ceph.write("dst", "new", 8 << 20)
    ceph.converge("rbd_migration", state="executed", **words)
    assert "set allow_destroy" in ceph.refusal("rbd_migration", state="committed", **words)
    done = ceph.converge("rbd_migration", state="committed", allow_destroy=True, **words)
    assert done["plan"][0]["destroys"] == [f"rbd/{ceph.namespace}/src: the source, of which dst has all"]
    found = ceph.module("rbd_info")
    assert (found["images"][0]["name"], found["images"][0]["object_size"]) == ("dst", 8 << 20)
    assert (found["images"][0]["metadata"], found["status"]["dst"]["group"]) == ({"a": "1"}, "g")
    assert [one["name"] for one in found["status"]["dst"]["snapshots"]] == ["s"]
    assert (found["trash"], found["migrations"]) == ([], [])
    assert (data(ceph, "dst"), ceph.data("dst", 3, 8 << 20)) == ("now", "new")
    assert done["status"]["origin"] == f"migrated from rbd/{ceph.namespace}/src"
    for state in ("prepared", "executed"):
        ceph.unchanged("rbd_migration", state=state, **words)
    assert "cannot be aborted any longer" in ceph.refusal("rbd_migration", state="aborted", **words)


@pytest.mark.further
def test_to_another_pool_in_one_run_and_in_its_place(ceph: Client) -> None:
    ceph.cluster.pool("moved")
    words: dict[str, Any] = {"pool": "moved", "namespace": "", "image": "src", "state": "committed"}
    words["source"] = {"pool": "rbd", "namespace": ceph.namespace, **source(ceph)}
    done = ceph.converge("rbd_migration", allow_destroy=True, data_pool="rbd", **words)
    assert steps(done) == ["prepare", "mark", "execute", "commit"]
    assert ceph.rbd("ls") == []
    own: dict[str, Any] = {**words, "source": {"image": "src"}, "stripe_unit": "64K", "stripe_count": 4}
    done = ceph.converge("rbd_migration", allow_destroy=True, **own)
    found = ceph.module("rbd_info", pool="moved", namespace="")["images"][0]
    assert (found["stripe_unit"], found["stripe_count"]) == (64 << 10, 4)


@pytest.mark.further
def test_aborted(ceph: Client) -> None:
    words: dict[str, Any] = {"image": "dst", "source": source(ceph)}
    ceph.module("rbd_migration", state="executed", **words)
    assert "to abort its migration removes it" in ceph.refusal("rbd_migration", state="aborted", **words)
    with holding(ceph, "dst"):
        said = ceph.refusal("rbd_migration", state="aborted", allow_destroy=True, **words)
        assert "its migration cannot be aborted: it is open on" in said
    ceph.until_planned("rbd_migration", state="aborted", allow_destroy=True, **words)
    ceph.converge("rbd_migration", state="aborted", allow_destroy=True, **words)
    assert (ceph.rbd("ls"), data(ceph, "src")) == (["src"], "now")


@pytest.mark.parametrize("kind", ["raw", "qcow2", "native"])
@pytest.mark.first_case
def test_an_import(ceph: Client, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "image.raw"
    file.write_bytes(SERVED)
    given: dict[str, Any] = {"format": kind, "file": str(file)}
    if kind == "qcow2":
        given["file"] = str(tmp_path / "image.qcow2")
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(file), given["file"]], check=True)
    if kind == "native":
        source(ceph)
        ceph.module("rbd_snapshot", image="src", name="later")
        given = {"format": kind, "image": "src", "snapshot": "later"}
    words: dict[str, Any] = {"image": "dst", "import": given}
    made = ceph.converge("rbd_migration", state="prepared", **words)
    assert made["migration"]["source"] is None
    ceph.unchanged("rbd_migration", **made["migration"])
    assert data(ceph, "dst") == "now"
    ceph.write("dst", "new", 0)
    assert "with all of it that is not in what" in ceph.refusal("rbd_migration", state="aborted", **words)
    ceph.until_closed("dst")
    ceph.converge("rbd_migration", state="aborted", allow_destroy=True, **words)
    done = ceph.converge("rbd_migration", state="committed", **words)
    assert steps(done) == ["prepare", "mark", "execute", "commit"]
    assert data(ceph, "dst") == "now"
    if kind == "native":
        assert data(ceph, "src") == "now"


class Web(ThreadingHTTPServer):
    """Serves some bytes, in parts if it is asked for them and ``parts`` is set, and nothing by another name.

    ``certificate``: over TLS. ``secret``: as an object of S3, to whoever signs with that.
    """

    def __init__(self, served: bytes, certificate: Path | None = None, secret: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.served, self.parts, self.secret = served, True, secret
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server_port}/image"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def __enter__(self) -> Web:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def do_HEAD(self) -> None:
        if self._signed():
            self._answer(b"", len(self.server.served), {})
        else:
            self.send_error(403)

    def _signed(self) -> bool:
        """In version 2 of S3's way, which the gateway of Ceph has, too."""
        what = f"{self.command}\n\n\n{self.headers.get('Date')}\n{self.path}"
        digest = base64.b64encode(hmac.digest(self.server.secret.encode(), what.encode(), "sha1")).decode()
        return not self.server.secret or self.headers.get("Authorization") == f"AWS me:{digest}"

    def do_GET(self) -> None:
        whole = self.server.served
        if self.path != "/image":
            self.send_error(404)
        elif not self._signed():
            self.send_error(403)
        elif "Range" in self.headers and self.server.parts:
            first, last = (int(number) for number in self.headers["Range"].partition("=")[2].split("-"))
            part = whole[first : last + 1]
            said = {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(whole)}"}
            self._answer(part, len(part), said, HTTPStatus.PARTIAL_CONTENT)
        else:
            self._answer(whole, len(whole), {})

    def _answer(self, body: bytes, length: int, said: dict[str, str], status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), "Accept-Ranges": "bytes", **said}.items():
            self.send_header(name, value)
        self.end_headers()
        # Who sees that it is not a part leaves.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_said: Any) -> None:
        pass


@pytest.mark.further
def test_an_import_from_a_web_server(ceph: Client) -> None:
    with Web(SERVED) as web:
        words: dict[str, Any] = {"image": "dst", "import": {"format": "raw", "url": web.url}}
        web.parts = False
        assert "librbd needs parts" in ceph.refusal("rbd_migration", state="prepared", **words)
        web.parts = True
        for url, said in (
            (f"{web.url}s", "the server answers 404"),
            ("http://127.0.0.1:1/image", "Connection refused"),
            (web.url.replace("//", "//me:secret@"), "without a user and a password"),
            ("ftp://127.0.0.1/image", "url is one of http://"),
        ):
            wrong = {"image": "dst", "import": {"format": "raw", "url": url}}
            assert said in ceph.refusal("rbd_migration", state="prepared", **wrong)
        ceph.converge("rbd_migration", state="committed", **words)
        assert data(ceph, "dst") == "now"
        words["image"] = "gone"
        made = ceph.converge("rbd_migration", state="prepared", **words)
        ceph.unchanged("rbd_migration", **made["migration"])
        assert data(ceph, "gone") == "now"
    # Without the server, it cannot be opened; all else of the pool can.
    assert "it cannot be opened here" in ceph.refusal("rbd_migration", state="executed", **words)
    found = ceph.module("rbd_info")
    assert [one["name"] for one in found["images"]] == ["dst"]
    assert "cannot be opened here" in found["missing"][0]
    ceph.module("rbd_migration", state="aborted", allow_destroy=True, **words)
    assert ceph.rbd("ls") == ["dst"]
    # What was imported needs the server no longer.
    ceph.unchanged("rbd_migration", state="committed", **{**words, "image": "dst"})


@pytest.mark.further
def test_an_import_that_cannot_be_read(ceph: Client, tmp_path: Path) -> None:
    file = tmp_path / "image"
    words: dict[str, Any] = {"image": "dst", "import": {"format": "raw", "file": str(file)}}
    assert "is not there, or cannot be read" in ceph.refusal("rbd_migration", state="prepared", **words)
    of_directory = {**words, "import": {"format": "raw", "file": str(tmp_path)}}
    assert "it is no file, and no disk" in ceph.refusal("rbd_migration", state="prepared", **of_directory)
    file.write_bytes(bytes(1 << 20))
    ceph.module("rbd_migration", state="prepared", **words)
    file.rename(tmp_path / "away")
    assert "it cannot be opened here" in ceph.refusal("rbd_migration", state="executed", **words)
    assert "cannot be opened here" in ceph.module("rbd_info")["missing"][0]
    for state in ("absent", "present"):
        assert "commit or abort that first" in ceph.refusal("rbd_image", name="dst", size="8M", state=state)
    ceph.module("rbd_migration", state="aborted", allow_destroy=True, **words)
    assert ceph.rbd("ls") == []
    # What is no such file is told by librbd, and leaves nothing.
    (tmp_path / "away").rename(file)
    words["import"]["format"] = "qcow2"
    with pytest.raises(ModuleFailed, match="migration_prepare_import"):
        ceph.module("rbd_migration", state="prepared", **words)
    assert ceph.rbd("ls") == []


@pytest.mark.further
def test_an_import_over_tls(ceph: Client, tmp_path: Path) -> None:
    """Its certificate is looked at."""
    pem = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(pem), "-out", str(tmp_path / "server.crt")]
    subprocess.run(command, check=True, capture_output=True)
    with pem.open("a") as both:
        both.write((tmp_path / "server.crt").read_text())
    trusting = {**ENVIRONMENT, "SSL_CERT_FILE": str(tmp_path / "server.crt")}
    with Web(SERVED, pem) as web, Server(tmp_path, environment=trusting) as server:
        words: dict[str, Any] = {"image": "dst", "import": {"format": "raw", "url": web.url}, "state": "committed"}
        assert "certificate verify failed" in ceph.refusal("rbd_migration", **words)
        ceph.server = server
        ceph.converge("rbd_migration", **words)
    assert data(ceph, "dst") == "now"


def in_s3(url: str) -> dict[str, Any]:
    keys = {f"{word}_config_key": f"rbd/import/{word}" for word in ("access", "secret")}
    return {"image": "dst", "import": {"format": "raw", "url": url, **keys}, "state": "prepared"}


@pytest.mark.further
def test_an_import_of_an_object_that_is_signed_for(ceph: Client) -> None:
    """By the keys that the monitors have; the image, and what is told, only names them."""
    with Web(SERVED, secret="hidden") as web:
        words = in_s3(web.url)
        plain = {"format": "raw", "url": web.url}
        assert "the server answers 403" in ceph.refusal("rbd_migration", **{**words, "import": plain})
        for key in ("access", "secret"):
            assert f"config-key get rbd/import/{key}" in ceph.refusal("rbd_migration", **words)
            ceph.cluster.ceph("config-key", "set", f"rbd/import/{key}", "me")
        assert "the server answers 403" in ceph.refusal("rbd_migration", **words)
        ceph.cluster.ceph("config-key", "set", "rbd/import/secret", "hidden")
        made = ceph.converge("rbd_migration", **words)
        assert made["migration"]["import"]["secret_config_key"] == "rbd/import/secret"
        assert "hidden" not in json.dumps([made, ceph.module("rbd_info"), ceph.rbd("status", "rbd/dst")])
        ceph.unchanged("rbd_migration", **made["migration"])
        ceph.converge("rbd_migration", **{**words, "state": "committed"})
    assert data(ceph, "dst") == "now"
    for given, said in (
        ({"secret_config_key": None}, "also access_config_key and secret_config_key"),
        ({"url": "nbd://127.0.0.1/"}, "has a url of http:// or https://"),
        ({"url": None, "file": "/x"}, "takes file or url"),
    ):
        wrong = {**words, "image": "other", "import": {**words["import"], **given}}
        assert said in ceph.refusal("rbd_migration", **wrong)


@pytest.mark.further
def test_an_import_from_moto(ceph: Client) -> None:
    """Which is S3's API over HTTP, of somebody else."""
    for key in ("access", "secret"):
        ceph.cluster.ceph("config-key", "set", f"rbd/import/{key}", "me")
    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    try:
        address = "http://{}:{}".format(*s3.get_host_and_port())
        keys = {"aws_access_key_id": "me", "aws_secret_access_key": "me", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=address, **keys)
        client.create_bucket(Bucket="images")
        client.put_object(Bucket="images", Key="image.raw", Body=SERVED)
        assert "the server answers 404" in ceph.refusal("rbd_migration", **in_s3(f"{address}/images/none"))
        words = {**in_s3(f"{address}/images/image.raw"), "state": "committed"}
        if ceph.cluster.release < 20:
            assert "closes the connection after each answer" in ceph.refusal("rbd_migration", **words)
            return
        ceph.converge("rbd_migration", **words)
    finally:
        s3.stop()
    assert data(ceph, "dst") == "now"


@pytest.mark.further
def test_an_import_from_nbd(ceph: Client, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(SERVED)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words: dict[str, Any] = {"image": "dst", "state": "committed"}
    words["import"] = {"format": "raw", "url": f"nbd://127.0.0.1:{port}/it"}
    if ceph.cluster.release < 20:
        assert "takes librbd of Ceph 20" in ceph.refusal("rbd_migration", **words)
        return
    assert "Connection refused" in ceph.refusal("rbd_migration", **words)
    command = ["qemu-nbd", "--read-only", "--persistent", "--shared=9", "--format=raw", "--export-name=it"]
    command += [f"--port={port}", "--bind=127.0.0.1", str(tmp_path / "image")]
    with subprocess.Popen(command) as nbd:
        try:
            limit = time.monotonic() + 30
            while not listens(port):
                assert time.monotonic() < limit
                time.sleep(0.05)
            wrong = {**words["import"], "url": f"nbd://127.0.0.1:{port}/other"}
            with pytest.raises(ModuleFailed, match="migration_prepare_import"):
                ceph.module("rbd_migration", **{**words, "import": wrong})
            assert ceph.rbd("ls") == []
            made = ceph.converge("rbd_migration", **{**words, "state": "prepared"})
            ceph.unchanged("rbd_migration", **made["migration"])
            ceph.converge("rbd_migration", **words)
        finally:
            nbd.terminate()
    assert data(ceph, "dst") == "now"


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.further
def test_an_import_from_another_cluster(ceph: Client, tmp_path: Path) -> None:
    given = {"format": "native", "cluster": "there", "client": "admin", "pool": "rbd", "image": "src", "snapshot": "s"}
    words: dict[str, Any] = {"image": "dst", "import": given, "state": "committed"}
    home = {**ENVIRONMENT, "HOME": str(tmp_path)}
    with Server(tmp_path, environment=home) as server:
        ceph.server = server
        if ceph.cluster.release < 20:
            assert "takes librbd of Ceph 20" in ceph.refusal("rbd_migration", **words)
            return
        for word in ("cluster", "client", "pool"):
            wrong = {**words, "import": {**given, word: None}}
            assert "also cluster, client and pool" in ceph.refusal("rbd_migration", **wrong)
        assert "/etc/ceph/there.conf is not there" in ceph.refusal("rbd_migration", **words)
        with Cluster(size=256 << 20) as other:
            (tmp_path / ".ceph").mkdir()
            (tmp_path / ".ceph/there.conf").symlink_to(other.conf)
            there = Client(other, server, "")
            assert "opening there rbd/src@s: there is no such thing" in ceph.refusal("rbd_migration", **words)
            source(there)
            made = ceph.converge("rbd_migration", **{**words, "state": "prepared"})
            ceph.unchanged("rbd_migration", **made["migration"])
            ceph.converge("rbd_migration", **words)
            assert there.rbd("ls") == ["src"]
    assert ceph.rbd("ls") == ["dst"]


@pytest.mark.further
def test_an_import_that_was_cut_off(ceph: Client, tmp_path: Path) -> None:
    """What it leaves looks like an image, and holds nothing; an import of zeros does, too."""
    file = tmp_path / "image"
    file.write_bytes(bytes(1 << 20))
    words: dict[str, Any] = {"image": "dst", "import": {"format": "raw", "file": str(file)}, "state": "committed"}
    ceph.module("rbd_image", name="dst", size="1M", metadata={"of": "somebody"})
    assert "somebody gave it metadata" in ceph.refusal("rbd_migration", **words)
    ceph.module("rbd_image", name="dst", size="1M", metadata={"of": None})
    done = ceph.converge("rbd_migration", **words)
    assert steps(done) == ["remove", "prepare", "mark", "execute", "commit"]
    ceph.module("rbd_image", name="dst", state="absent")
    ceph.module("rbd_image", name="dst", size="1M")
    ceph.write("dst", "mine")
    assert "not known to be imported from" in ceph.refusal("rbd_migration", **words)
    assert ceph.data("dst", 4) == "mine"


@pytest.mark.further
def test_another_image_is_not_taken_for_the_migrated_one(ceph: Client) -> None:
    """Who is told that it is there may delete the source."""
    words: dict[str, Any] = {"image": "dst", "source": source(ceph), "state": "committed", "allow_destroy": True}
    ceph.module("rbd_image", name="dst", size="16M")
    assert "beside rbd/" in ceph.refusal("rbd_migration", **words)
    assert "nothing tells whether it was migrated" in ceph.refusal("rbd_migration", **{**words, "source": None})
    # A word that is misspelt, while the source is where it was.
    told = ceph.unchanged("rbd_migration", **{**words, "source": {"image": "scr"}})
    assert "whether it was migrated from" in str(told["warnings"])
    native = {**words, "source": None, "import": {"format": "native", "image": "src", "snapshot": "s"}}
    ceph.write("dst", "mine")
    assert "not known to be imported from" in ceph.refusal("rbd_migration", **native)
    ceph.module("rbd_image", name="dst", state="absent", allow_destroy=True)
    ceph.converge("rbd_migration", **native)
    assert "which was imported from" in ceph.refusal("rbd_migration", **{**words, "source": {"image": "scr"}})
    ceph.module("rbd_image", name="dst", state="absent", allow_destroy=True, purge_snapshots=True)
    # The rbd command leaves nothing to know it by, unless it is to commit what was prepared here.
    place = f"rbd/{ceph.namespace}"
    ceph.cluster.run("rbd", "migration", "prepare", f"{place}/src", f"{place}/dst")
    prepared = ceph.module("rbd_info")["migrations"][0]
    ceph.unchanged("rbd_migration", **prepared)
    assert steps(ceph.converge("rbd_migration", **words)) == ["execute", "mark", "commit"]
    # What is made of it is another image.
    ceph.module("rbd_image", name="clone", parent={"image": "dst", "snapshot": "s"})
    ceph.module("rbd_image", name="copy", copy_of={"image": "dst"})
    for name in ("clone", "copy"):
        told = ceph.unchanged("rbd_migration", **{**words, "image": name})
        assert "is not known" in str(told["warnings"])
        assert told["status"]["origin"] is None
    ceph.module("rbd_image", name="renamed", renamed_from="dst")
    assert not ceph.unchanged("rbd_migration", **{**words, "image": "renamed"}).get("warnings")
    ceph.module("rbd_image", name="src", size="1M")
    assert "and that one was migrated from" in ceph.refusal("rbd_migration", **{**words, "image": "renamed"})


@pytest.mark.further
def test_what_is_not_migrated(ceph: Client) -> None:
    words: dict[str, Any] = {"image": "dst", "state": "committed", "allow_destroy": True, "source": source(ceph)}
    with holding(ceph, "src"):
        assert "cannot be migrated: it is open on" in ceph.refusal("rbd_migration", **words)
    ceph.until_closed("src")
    ceph.module("rbd_image", name="clone", parent={"image": "src", "snapshot": "s"})
    assert "it has clones" in ceph.refusal("rbd_migration", **words)
    ceph.module("rbd_image", name="clone", flatten=True)
    assert "has one of this name already" in ceph.refusal("rbd_migration", **{**words, "image": "clone"})
    ceph.module("rbd_group", name="g", images=["src"], snapshots=[{"name": "gs"}])
    assert "snapshots that are not the user's" in ceph.refusal("rbd_migration", **words)
    native = {"format": "native", "image": "clone", "snapshot": "s"}
    for more, said in (
        ({"source": {"image": "none"}}, "there is no image rbd/"),
        ({"source": None}, "say source or import"),
        ({"source": {"image": "clone"}, "object_size": "1M"}, "cannot be smaller than those of"),
        ({"source": {"image": "clone"}, "features": ["exclusive-lock"]}, "needs feature layering"),
        ({"import": native}, "say one"),
        ({"source": None, "import": {**native, "file": "/x"}}, "takes image and snapshot"),
        ({"source": None, "import": {**native, "format": "raw"}}, "takes file"),
    ):
        assert said in ceph.refusal("rbd_migration", **{**words, **more}), said
    ceph.module("rbd_migration", image="other", source={"image": "clone"}, state="prepared")
    assert "it is being migrated from" in ceph.refusal("rbd_migration", **{**words, "image": "other"})


@pytest.mark.parametrize("method", ["execute", "commit", "abort"])
@pytest.mark.further
def test_cut_off_in_the_midst(ceph: Client, method: str) -> None:
    words: dict[str, Any] = {"image": "dst", "source": source(ceph), "allow_destroy": True}
    ceph.module("rbd_migration", state="prepared" if method == "execute" else "executed", **words)
    cut(ceph, method, "src", "dst")
    if method == "commit":
        # It is open until the watch of the one that died expires, and then an image that only half is there.
        assert "which may be at it still" in ceph.refusal("rbd_migration", state="committed", **words)
        ceph.until_planned("rbd_migration", state="committed", **words)
        assert "cannot be aborted any longer" in ceph.refusal("rbd_migration", state="aborted", **words)
        assert "so set allow_destroy" in ceph.refusal(
            "rbd_migration", state="committed", **{**words, "allow_destroy": False}
        )
    state = "aborted" if method == "abort" else "committed"
    ceph.until_planned("rbd_migration", state=state, **words)
    ceph.converge("rbd_migration", state=state, **words)
    left = "src" if method == "abort" else "dst"
    assert (ceph.rbd("ls"), ceph.module("rbd_info")["trash"]) == ([left], [])
    assert data(ceph, left) == "now"


#: What of a preparation is there when it is killed.
STAGES = ("trashed", "unlisted", "said", "listed", "made", "begun")


@pytest.mark.further
def test_a_preparation_that_was_cut_off(cluster: Cluster, server: Server) -> None:
    """Wherever that is: the same task goes on, and to abort it has the source back."""
    states = ("committed", "aborted")
    places = [(in_a_namespace(cluster, server), stage, state) for stage in STAGES for state in states]
    for one, stage, _state in places:
        source(one)
        cut(one, "prepare", "src", "dst", stage)
    for one, stage, state in places:
        words: dict[str, Any] = {"image": "dst", "source": {"image": "src"}, "allow_destroy": True, "state": state}
        one.until_planned("rbd_migration", **words)
        one.module("rbd_migration", **words)
        one.unchanged("rbd_migration", **words)
        left = "src" if state == "aborted" else "dst"
        assert (one.rbd("ls"), one.module("rbd_info")["trash"]) == ([left], []), (stage, state)
        assert data(one, left) == "now", (stage, state)


@pytest.mark.further
def test_a_destination_that_somebody_took_for_an_image(ceph: Client) -> None:
    """A preparation that was cut off leaves an empty one; what was written to it since then is not lost unasked."""
    words: dict[str, Any] = {"image": "dst", "source": source(ceph), "state": "prepared"}
    cut(ceph, "prepare", "src", "dst", "made")
    ceph.until_planned("rbd_migration", **words)
    assert ceph.module("rbd_info")["migrations"] == []
    ceph.write("dst", "mine")
    assert "somebody wrote to it since" in ceph.refusal("rbd_migration", **words)
    done = ceph.converge("rbd_migration", allow_destroy=True, **words)
    assert steps(done) == ["remove", "abort", "prepare", "mark"]
    assert done["plan"][0]["destroys"] == ["dst: 16 MiB, written since then"]
    assert data(ceph, "dst") == "now"


def test_a_module_that_is_killed_leaves_no_half_migration(ceph: Client) -> None:
    """Its call goes on without it."""
    source(ceph)
    given = {"conf": str(ceph.cluster.conf), "namespace": ceph.namespace, "image": "dst", "source": {"image": "src"}}
    given["state"] = "prepared"
    command = [PYTHON, str(CHECKOUT / "tests/integration/on_ceph/one_module.py"), "rbd_migration", json.dumps(given)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, start_new_session=True) as module:
        limit = time.monotonic() + 60
        while ceph.cluster.run("rbd", "ls", f"rbd/{ceph.namespace}").split() == ["src"]:
            assert time.monotonic() < limit
        os.killpg(module.pid, signal.SIGKILL)
    limit = time.monotonic() + 60
    while not [one for one in ceph.module("rbd_info")["migrations"] if one["state"] == "prepared"]:
        assert time.monotonic() < limit
        time.sleep(0.1)
    ceph.unchanged("rbd_migration", image="dst", source={"image": "src"}, state="prepared")


_TIMED = """
- hosts: localhost
  gather_facts: false
  tasks:
    - strata.storage.rbd_migration: "{{ words }}"
      timeout: 15
"""


@pytest.mark.further
@pytest.mark.parametrize("state", ["prepared", "committed"])
def test_ansible_ends_the_task_in_time(server: Server, tmp_path: Path, state: str) -> None:
    """Its keyword ``timeout`` ends the module while the cluster hangs; the call is made once that goes on."""
    with Cluster(size=256 << 20) as cluster:
        ceph = Client(cluster, server, "")
        words: dict[str, Any] = {"image": "dst", "source": source(ceph), "state": state, "allow_destroy": True}
        if state == "committed":
            ceph.module("rbd_migration", **{**words, "state": "executed"})
        (tmp_path / "timed.yml").write_text(_TIMED)
        told = json.dumps({"words": {**words, "conf": str(cluster.conf), "operation_timeout": 120}})
        command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", told]
        command += ["-e", f"ansible_python_interpreter={PYTHON}", str(tmp_path / "timed.yml")]
        # By CEPH_CONF in its environment, the process that calls is told from those of other tests.
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=cluster.environment
        ) as play:
            limit = time.monotonic() + 60
            while not calling(cluster):
                assert time.monotonic() < limit
            cluster.pause("osd")
            said, _errors = play.communicate(timeout=120)
        assert play.returncode, said
        assert "timed out" in said.lower() or "timeout" in said.lower(), said
        assert calling(cluster)
        cluster.go_on("osd")
        limit = time.monotonic() + 60
        while calling(cluster):
            assert time.monotonic() < limit
            time.sleep(0.1)
        ceph.unchanged("rbd_migration", **words)
        assert data(ceph, "dst") == "now"
        assert ceph.module("rbd_info")["trash"] == [] or state == "prepared"


def calling(cluster: Cluster) -> bool:
    """Whether there is a process that makes a call which outlives its module. It gets what to do by its input."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
            if b"rbd.perform import main" in line and str(cluster.home).encode() in (process / "environ").read_bytes():
                return True
        except OSError:
            continue
    return False


def test_from_the_file_that_ansible_ships(ceph: Client) -> None:
    """The process of its own finds what it needs there."""
    source(ceph)
    words = {"conf": str(ceph.cluster.conf), "namespace": ceph.namespace, "image": "dst", "source": {"image": "src"}}
    told = json.dumps({**words, "state": "committed", "allow_destroy": True})
    command = ["ansible", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={PYTHON}"]
    command += ["-m", "strata.storage.rbd_migration", "-a", told, "localhost"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ceph.rbd("ls") == ["dst"]
