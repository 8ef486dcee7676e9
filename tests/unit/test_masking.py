# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets do not show, in whatever form they come back."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.causes import ADVICE
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import MASK, mask

SECRET = 'Can&ary <1>/"q" ü'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        escape(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(f"{SECRET}~~~???".encode()).decode(),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
        html.escape(SECRET),
        SECRET + "Tok",
    ],
)
def test_plain_encoded_and_escaped_forms_are_masked(form: str) -> None:
    assert SECRET[:3] not in mask(f"before {form} after", [SECRET])
    assert mask(f"before {form}", [SECRET]).startswith(f"before {MASK}")


def test_structures_are_masked_through_and_other_values_kept() -> None:
    assert mask({"msg": ["x secret1"], "n": 3, "none": None}, ["secret1"]) == {
        "msg": [f"x {MASK}"],
        "n": 3,
        "none": None,
    }


def test_a_secret_inside_another_is_masked_with_the_longer_one_first() -> None:
    assert mask("passwordtoken password", ["password", "passwordtoken"]) == f"{MASK} {MASK}"


def test_a_very_short_value_is_not_masked_since_that_would_hide_everything() -> None:
    assert mask("a banana", ["a"]) == "a banana"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    masked = mask(before + secret + after, [secret])
    assert secret not in masked.replace(MASK, "") or secret in (before + after)


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
def test_a_secret_is_masked_wherever_it_stands_in_a_text_that_is_encoded(before: str, after: str) -> None:
    secret = "wJalrXUtnFEMI"
    masked = mask(base64.b64encode(f"{before}{secret}{after}".encode()).decode(), [secret])
    shown = masked.replace(MASK, "").rstrip("=")
    assert len(shown) <= len(base64.b64encode(f"{before}{after}".encode())) + 2


@pytest.mark.parametrize("secret", ["wrong", "test", "secret1", "changeme", "admin", "letmein", "1234"])
def test_a_common_word_as_a_secret_leaves_the_collections_own_advice_readable(secret: str) -> None:
    assert mask(dict(ADVICE), [secret]) == ADVICE
