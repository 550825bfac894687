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

WRONG: tuple[Any, ...] = (None, "", [1], {})
WHOLE: dict[str, Any] = {"digest": "0" * 64, "mode": "merge", "allow_destroy": [], "until": "2999-01-01T00:00:00+00:00"}


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
    assert find({VARIABLE: {"node1": WHOLE}}, "node1").digest == "0" * 64


@pytest.mark.parametrize(
    ("text", "otherwise", "said"),
    [
        ("", None, "there is no document: storage_layout_yaml is empty, and the host has no variable storage_layout"),
        ("raids: [{", None, "storage_layout_yaml is not YAML (line 1, column "),
        ("a\tb: \0", {}, "storage_layout_yaml is not YAML"),
        ("- raids", {}, "the document is a list; expected sections by name"),
        ("raids", {}, "the document is a text; expected sections by name"),
        ("", "md0", "the document is a text; expected sections by name"),
    ],
)
def test_a_document_that_is_none_gets_a_sentence(text: str, otherwise: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError) as failed:
        document(text, otherwise)
    assert said in str(failed.value)


def test_the_text_counts_before_the_variable() -> None:
    assert document("raids: []", {"drives": []}) == {"raids": []}
    assert document("", {"drives": []}) == document("# none", {"drives": []}) == {"drives": []}
