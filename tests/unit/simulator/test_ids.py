# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids in Salesforce's forms."""

from __future__ import annotations

import pytest

from tests.simulated_org import ids


@pytest.mark.parametrize(
    "long", ["00DA0000000YpZ4MAK", "00DU0000000AlbhMAC", "005U0000000FGpcIAG", "006A000000LZhwNIAT"]
)
def test_the_checksum_agrees_with_real_ids(long: str) -> None:
    assert ids.long_id(long[:15]) == long


def test_new_ids_are_long_prefixed_and_sorted_by_age() -> None:
    factory = ids.IdFactory()
    made = [factory.new(ids.LOGIN_HISTORY) for _unused in range(100)]
    assert made == sorted(made)
    assert all(one.startswith("0Ya") and ids.long_id(one) == one for one in made)


def test_a_session_id_names_its_org() -> None:
    organization = ids.IdFactory().new(ids.ORGANIZATION)
    assert ids.session_id(organization).startswith(f"{organization[:15]}!AQ")


def test_tokens_are_alphanumeric() -> None:
    assert ids.token().isalnum()
    assert ids.token() != ids.token()
