# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the current version of a credential, and who may still use another one."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import (
    Delivery,
    delivery_to_public,
    merge_deliveries,
)

NOW, LATER = "2026-11-20T08:00:00Z", "2026-11-21T08:00:00Z"
CLEAR = {"version": 2, "updated": NOW}
CURRENT = Delivery(version=2, updated=NOW, format="env", encrypted=None, delivered=NOW, fingerprint="x")


def test_what_was_delivered_is_current_until_there_is_another_version() -> None:
    assert CURRENT.is_of(CLEAR)
    assert not CURRENT.is_of({**CLEAR, "version": 3})
    assert not CURRENT.is_of({**CLEAR, "updated": LATER})
    assert not CURRENT.is_of(None)


def test_who_was_given_the_user_on_standby_does_not_use_the_one_who_is_in_use() -> None:
    assert not dataclasses.replace(CURRENT, standby=True).is_of(CLEAR)


def test_who_was_not_restarted_may_still_use_what_the_file_held_before() -> None:
    assert not dataclasses.replace(CURRENT, settled=False).is_of(CLEAR)


def test_that_an_application_was_restarted_is_news() -> None:
    unsettled = dataclasses.replace(CURRENT, settled=False)
    assert merge_deliveries({"web1:/a": unsettled}, {"web1:/a": CURRENT}) == {"web1:/a": CURRENT}


def test_a_list_that_was_written_before_there_were_pairs_and_restarts_is_read() -> None:
    written: dict[str, Any] = {"version": 2, "updated": NOW, "format": "env", "encrypted": None, "delivered": NOW}
    assert Delivery(**written, fingerprint="x") == CURRENT
    assert delivery_to_public(CURRENT) == {**written, "standby": False, "settled": True, "mark": None}
