# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says is what the argument specs take."""

from __future__ import annotations

import importlib
from typing import Any, Callable

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.strata.storage.plugins.doc_fragments import (
    approval,
    attributes,
    cinder,
    document,
    host,
    rbd,
    volumes,
)
from ansible_collections.strata.storage.plugins.module_utils.cinder import (
    backend as cinder_backend,
    info as cinder_info,
    snapshot as cinder_snapshot,
    volume as cinder_volume,
)
from ansible_collections.strata.storage.plugins.module_utils.document import (
    bcache,
    document as words,
    drive,
    luks,
    raid,
)
from ansible_collections.strata.storage.plugins.module_utils.host import task
from ansible_collections.strata.storage.plugins.module_utils.host.rbd_map import plan as krbd
from ansible_collections.strata.storage.plugins.module_utils.rbd import (
    export,
    group,
    import_,
    migration,
    mirror_image,
    mirror_pool,
    namespace,
    options as image,
    pool,
    snapshot,
    trash,
)
from ansible_collections.strata.storage.plugins.module_utils.volumes import task as drive_volumes
from ansible_collections.strata.storage.plugins.plugin_utils.approval import PlanApproval

PLUGINS = "ansible_collections.strata.storage.plugins"
FRAGMENTS = {
    "approval": approval,
    "attributes": attributes,
    "cinder": cinder,
    "document": document,
    "host": host,
    "rbd": rbd,
    "volumes": volumes,
}
KEPT = ("type", "choices", "default", "required", "elements")
Spec = dict[str, dict[str, Any]]
Parse = Callable[[dict[str, Any]], Any]

ITEMS: dict[str, tuple[Spec, Parse]] = {
    "raid": (raid.OPTIONS, raid.parse),
    "bcache": (bcache.OPTIONS, bcache.parse),
    "luks_device": (luks.OPTIONS, luks.parse),
    "lvm_drive": (drive.OPTIONS, drive.parse),
}
RBD: dict[str, Spec] = {
    "rbd_image": image.OPTIONS,
    "rbd_images": {"images": {"type": "list", "elements": "dict", "options": image.OPTIONS, "required": True}},
    "rbd_snapshot": snapshot.OPTIONS,
    "rbd_group": group.OPTIONS,
    "rbd_namespace": namespace.OPTIONS,
    "rbd_pool": pool.OPTIONS,
    "rbd_trash": trash.OPTIONS,
    "rbd_export": export.OPTIONS,
    "rbd_import": import_.OPTIONS,
    "rbd_migration": migration.OPTIONS,
    "rbd_mirror_pool": mirror_pool.OPTIONS,
    "rbd_mirror_image": mirror_image.OPTIONS,
    "rbd_map": {**krbd.OPTIONS, **task.EXPECT, **task.LOCK},
    "rbd_info": {"images": {"type": "list", "elements": "str"}},
}
VOLUMES: dict[str, Spec] = {"drive_volumes": drive_volumes.OPTIONS, "drive_volumes_info": drive_volumes.INFO}
CINDER: dict[str, Spec] = {
    "cinder_volume": {**cinder_backend.CONNECTION, **cinder_volume.OPTIONS},
    "cinder_snapshot": {**cinder_backend.CONNECTION, **cinder_snapshot.OPTIONS},
    "cinder_backend_info": cinder_info.OPTIONS,
}
USAGE: Spec = {
    "name": {"type": "str", "required": True},
    "volumes": {"type": "list", "elements": "dict", "default": []},
    "wait_timeout": {"type": "int", "default": 60},
}
OTHERS = {"layout", "layout_info", "maas_storage", "maas_storage_info", "maas_layout_script"}
SPECS: dict[str, Spec] = {
    **{name: {**spec, **task.OPTIONS} for name, (spec, _parse) in ITEMS.items()},
    "raid": {**raid.OPTIONS, **raid.ACTS, **task.WAITING, **task.OPTIONS},
    **{f"{name}_info": {"name": {"type": "str"}} for name in ITEMS},
    **{
        name: {**(image.OF_POOL if name in ("rbd_pool", "rbd_namespace") else image.CONNECTION), **spec}
        for name, spec in RBD.items()
    },
    **VOLUMES,
    **CINDER,
    "drive_usage_info": USAGE,
    "plan_approval": PlanApproval.SPEC,
}


def fragment(name: str) -> dict[str, Any]:
    module, _dot, section = name.removeprefix("strata.storage.").partition(".")
    text = getattr(FRAGMENTS[module].ModuleDocFragment, section.upper() or "DOCUMENTATION")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def module(name: str) -> Any:
    return importlib.import_module(f"{PLUGINS}.modules.{name}")


def documented_options(name: str) -> dict[str, Any]:
    documentation = yaml.safe_load(module(name).DOCUMENTATION)
    options = dict(documentation.get("options") or {})
    for used in documentation["extends_documentation_fragment"]:
        assert not options.keys() & fragment(used)["options"].keys()
        options.update(fragment(used)["options"])
    return options


def as_spec(options: dict[str, Any], nested: str) -> Spec:
    return {
        name: {key: option[key] for key in KEPT if key in option}
        | ({"options": as_spec(option[nested], nested)} if nested in option else {})
        for name, option in options.items()
    }


def texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    return [text for value in node for text in texts(value)] if isinstance(node, list) else [str(node)]


@pytest.mark.parametrize("name", SPECS)
def test_documented_options_are_those_of_the_module(name: str) -> None:
    assert as_spec(documented_options(name), "suboptions") == as_spec(SPECS[name], "options")


@pytest.mark.parametrize("section", words.OPTIONS)
def test_documented_sections_are_those_of_the_document(section: str) -> None:
    documented = as_spec(fragment(f"document.{section}")["options"], "suboptions")
    assert documented == as_spec({section: words.OPTIONS[section]}, "options")


@pytest.mark.parametrize("name", SPECS)
def test_documentation_is_whole(name: str) -> None:
    documentation = yaml.safe_load(module(name).DOCUMENTATION)
    assert documentation["module"] == name
    assert documentation["short_description"]
    assert documentation["version_added"]
    assert all(option["description"] for option in documented_options(name).values())
    fragments = documentation["extends_documentation_fragment"]
    assert "strata.storage.attributes" in fragments
    # The group is for the options that all of its modules take.
    assert ("strata.storage.attributes.actiongroup_rbd" in fragments) == (name in RBD)
    assert ("strata.storage.attributes.actiongroup_volumes" in fragments) == (name in VOLUMES)
    assert ("strata.storage.attributes.actiongroup_cinder" in fragments) == (name in CINDER)
    of_host = name not in RBD | VOLUMES | CINDER | {"plan_approval": {}} and not name.endswith("_info")
    assert ("strata.storage.attributes.actiongroup_host" in fragments) == of_host
    assert {f"strata.storage.{used}" for used in SPECS.keys() | OTHERS} >= {
        link["module"] for link in documentation["seealso"]
    }


@pytest.mark.parametrize("name", SPECS)
def test_returned_keys_are_documented_and_none_is_a_method_of_dict(name: str) -> None:
    returned = yaml.safe_load(module(name).RETURN)
    assert all(value["description"] and value["returned"] and value["type"] for value in returned.values())
    assert not returned.keys() & set(dir(dict))


@pytest.mark.parametrize("name", SPECS)
def test_examples_are_accepted(name: str) -> None:
    examples = yaml.safe_load(module(name).EXAMPLES)
    assert examples
    assert any(f"strata.storage.{name}" in task_ for task_ in examples)
    for task_ in examples:
        ours = [action.rpartition(".")[2] for action in task_ if action.startswith("strata.storage.")]
        for used in ours:
            given = task_[f"strata.storage.{used}"] or {}
            # A list that a template makes is not there yet.
            arguments = {
                name: [] if str(value).startswith("{{") and SPECS[used].get(name, {}).get("type") == "list" else value
                for name, value in given.items()
            }
            result = ArgumentSpecValidator(SPECS[used]).validate(arguments)
            assert result.error_messages == [], task_["name"]
        if name in ITEMS:
            arguments = task_[f"strata.storage.{name}"]
            assert ITEMS[name][1](result.validated_parameters).name == arguments["name"]


@pytest.mark.parametrize("name", ITEMS)
def test_samples_of_facts_can_be_given_back(name: str) -> None:
    sample = yaml.safe_load(module(name).RETURN)[name.removeprefix("lvm_").removesuffix("_device")]["sample"]
    spec = words.OPTIONS["drives"]["options"] if name == "lvm_drive" else ITEMS[name][0]
    result = ArgumentSpecValidator(spec).validate(sample)
    assert result.error_messages == []
    assert sample.keys() <= spec.keys()
    ITEMS[name][1](result.validated_parameters)


@pytest.mark.parametrize("name", ITEMS)
def test_texts_are_sentences(name: str) -> None:
    for option in documented_options(name).values():
        assert all(text.rstrip(")").endswith((".", ":")) for text in texts(option["description"]))
