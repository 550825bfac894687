# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an approval has to be, and a document, without a job."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.document import document
from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused
from ansible_collections.strata.storage.plugins.plugin_utils.approval import VARIABLE, find

WRONG: tuple[Any, ...] = (None, "", [None], {})
WHOLE: dict[str, Any] = {"digest": "a" * 64, "mode": "merge", "allow_destroy": [], "until": "2999-01-01 00:00:00 UTC"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "is no dictionary"),
        (None, "is no dictionary"),
        ([], "is no dictionary"),
        ([{"node1": WHOLE}], "is no dictionary"),
        ({}, "is not among the hosts whose plan was approved (none)"),
        ({"node1": None}, "is incomplete"),
        ({"node1": []}, "is incomplete"),
        ({"node1": {}}, "is incomplete"),
        *(({"node1": {**WHOLE, name: wrong}}, "is incomplete") for name in WHOLE for wrong in WRONG),
        ({"node1": {**WHOLE, "until": "2999-01-01"}}, "is incomplete"),
        ({"node1": {**WHOLE, "until": 3e9}}, "is incomplete"),
    ],
)
def test_what_is_no_approval_is_refused(given: Any, said: str) -> None:
    with pytest.raises(Refused) as refused:
        find({VARIABLE: given}, "node1")
    assert said in str(refused.value)
    assert "Nothing was done" in str(refused.value)
    assert find({VARIABLE: {"node1": WHOLE}}, "node1").digest == "a" * 64


@pytest.mark.parametrize(
    ("text", "otherwise", "said"),
    [
        ("", None, "there is no document: storage_layout_yaml is empty, and the host has no variable storage_layout"),
        ("raids: [{", None, "storage_layout_yaml is not YAML (line 1, column "),
        ("a\tb: \0", {}, "storage_layout_yaml is not YAML"),
        ("- raids", {}, "the document is a list; expected sections by name"),
        ("raids", {}, "the document is a text; expected sections by name"),
        ("", "md0", "the document is a text; expected sections by name"),
        ("raids: []\nraids: [{name: md0}]", None, "(line 2, column 1: raids is there twice)"),
        ("raids: [{name: a, name: b}]", None, "(line 1, column 19: name is there twice)"),
        ("raids: &r [*r]", None, "an alias (*) of something that it is itself in"),
        ("1: []", None, "a section called 1; expected names"),
        ("2024-01-01: []", None, "a section called 2024-01-01; expected names"),
    ],
)
def test_a_document_that_is_none_gets_a_sentence(text: str, otherwise: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError) as failed:
        document(text, otherwise)
    assert said in str(failed.value)


def test_texts_that_look_like_something_else() -> None:
    """As ansible-core hands on what AWX marks: a host and an item whose names are numbers."""
    found = find({VARIABLE: {12: {**WHOLE, "allow_destroy": [34]}}}, "12")
    assert found.allow_destroy == ("34",)


def test_the_text_counts_before_the_variable() -> None:
    assert document("raids: []", {"drives": []}) == {"raids": []}
    assert document("", {"drives": []}) == document("# none", {"drives": []}) == {"drives": []}
