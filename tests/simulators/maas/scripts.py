# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts of the region, with their versions: by the published API and its examples, not by recordings."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

import yaml

from . import told
from .forms import Form
from .parts import ApiError
from .region import Script, Version
from .request import Answer, Request

_TYPES = {"commissioning": 0, "testing": 2, "release": 3}
_TYPE_NAMES = {0: "Commissioning script", 2: "Testing script", 3: "Release script"}
#: The label of the hardware type that a script has unless it says another one, and tags that it then cannot have.
_NODE, _NOT_ITS_OWN = "node", ("destructive", "cpu", "memory", "storage", "network", "gpu")
_METADATA = re.compile(r"# -+ Start MAAS 1\.0 script metadata -+\n(.*?)# -+ End MAAS 1\.0 script metadata", re.S)
#: What a form and a script's own metadata may both say, and must then say alike.
_OWN = ("name", "title", "description", "script_type")


def _told(one: Script, whole: bool) -> dict[str, Any]:
    history = []
    for version in reversed(one.versions):
        told_of: dict[str, Any] = {"id": version.id, "comment": version.comment, "created": ""}
        if whole:
            told_of["data"] = b64encode(version.data.encode()).decode()
        history.append(told_of)
    return {
        "id": one.id,
        "name": one.name,
        "title": one.title,
        "description": one.description,
        "tags": list(one.tags),
        "type": one.type,
        "type_name": _TYPE_NAMES[one.type],
        "timeout": one.timeout,
        "history": history,
        "default": False,
        "resource_uri": f"{told.API}/scripts/{one.name}",
    }


def _whole(request: Request) -> bool:
    return request.query.get("include_script", ["false"])[-1].lower() not in ("", "0", "false")


def _script(request: Request, name: str) -> Script:
    for one in request.region.scripts:
        if name in (one.name, str(one.id)):
            return one
    raise ApiError(404, "No Script matches the given query.")


def list_scripts(request: Request) -> Answer:
    wanted = [name for names in request.query.get("filters", ()) for name in names.split(",")]
    kinds = [_TYPES[name] for name in request.query.get("type", ()) if name in _TYPES]
    return [
        _told(one, _whole(request))
        for one in request.region.scripts
        if (not wanted or {one.name, *one.tags} & {*wanted}) and (not kinds or one.type in kinds)
    ]


def read_script(request: Request, name: str) -> Answer:
    return _told(_script(request, name), _whole(request))


def create_script(request: Request) -> Answer:
    request.check_admin()
    given = _given(request.form, None)
    for field in ("name", "script"):
        if not given.get(field):
            request.form.add(field, "This field is required.")
    request.form.check()
    if any(one.name == given["name"] for one in request.region.scripts):
        raise ApiError(400, {"name": ["Script with this Name already exists."]})
    made = Script(request.region.next_id("script"), given["name"], [])
    request.region.scripts.append(made)
    return _save(request, made, given)


def update_script(request: Request, name: str) -> Answer:
    request.check_admin()
    found = _script(request, name)
    given = _given(request.form, found)
    request.form.check()
    return _save(request, found, given)


def _given(form: Form, found: Script | None) -> dict[str, str]:
    """The fields, those of the script's own metadata among them. What is wrong is noted in the form."""
    given = {field: form.text(field) for field in form.fields if field != "script"}
    given["script_type"] = given.pop("type", given.get("script_type", ""))
    if "script" not in form.fields:
        if "comment" in given:
            form.add("comment", '"comment" may only be used when specifying a "script" as well.')
        return given
    script = given["script"] = form.fields["script"][-1]
    if not script.startswith("#!/"):
        form.add("script", "Must start with shebang.")
    match = _METADATA.search(script)
    own = yaml.safe_load(match.group(1).replace("#", "")) if match else {}
    for field in _OWN:
        if field in own:
            if given.get(field) not in ("", None, own[field]):
                form.add(field, "May not override values defined in embedded YAML.")
            given[field] = own[field]
    # Tags and the time limit are the user's once the script is there.
    for field in ("tags", "timeout"):
        if field in own and found is None and field not in given:
            given[field] = own[field] if isinstance(own[field], str) else ",".join(own[field])
    if given["script_type"] and given["script_type"] not in _TYPES:
        form.add("script_type", f"'{given['script_type']}' is no type of script.")
    return given


def _save(request: Request, one: Script, given: dict[str, str]) -> Answer:
    if "script" in given:
        number = request.region.next_id("version")
        one.versions.append(Version(number, given["script"], given.get("comment") or None))
    if given["script_type"]:
        one.type = _TYPES[given["script_type"]]
    one.name = given.get("name", one.name)
    one.title, one.description = given.get("title", one.title), given.get("description", one.description)
    one.timeout = given.get("timeout", one.timeout)
    if "tags" in given:
        one.tags = [tag.strip() for tag in given["tags"].split(",") if tag.strip()]
    # As Script.save() of MAAS does; no script here is of another hardware type, or says that it is destructive.
    one.tags = [tag for tag in one.tags if tag not in _NOT_ITS_OWN]
    if _NODE not in one.tags:
        one.tags.append(_NODE)
    return _told(one, False)


def delete_script(request: Request, name: str) -> Answer:
    request.check_admin()
    request.region.scripts.remove(_script(request, name))
    return None


def revert_script(request: Request, name: str) -> Answer:
    """To one of its versions, by its number: those after it are forgotten."""
    request.check_admin()
    found, to = _script(request, name), request.form.text("to")
    numbers = [str(version.id) for version in found.versions]
    if to not in numbers:
        raise ApiError(400, f"{to} is not in the script's history.")
    del found.versions[numbers.index(to) + 1 :]
    return _told(found, False)
