# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two lists of IP ranges that an org has."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..errors import OptionError, OrgError
from ..org.client import Org
from ..org.metadata import METADATA_NAMES, MetadataApi, ReadRanges
from ..ranges.model import IpRange
from .audit_trail import RangeChange, login_range_changes, trusted_range_changes


def always_activates_devices(org: Org) -> bool:
    """Whether the org is one of those without revenue, as far as it tells: for a trial no field is known."""
    try:
        found = org.query("SELECT OrganizationType FROM Organization")
    except OrgError:
        return False
    return any(row.get("OrganizationType") == "Developer Edition" for row in found)


BATCH = 10  # what one readMetadata call accepts


def login_ranges_of(org: Org, profiles: Collection[str]) -> dict[str, tuple[IpRange, ...]]:
    """The login ranges of profiles by their labels; none for a profile that cannot be read."""
    by_name = {METADATA_NAMES.get(label, label): label for label in profiles if label}
    ranges: dict[str, tuple[IpRange, ...]] = dict.fromkeys(profiles, ())
    names = sorted(by_name)
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        for record in org.metadata(functools.partial(_read_login_ranges, batch)):
            if record.full_name in by_name:
                ranges[by_name[record.full_name]] = record.ranges
    return ranges


def _read_login_ranges(names: Sequence[str], api: MetadataApi) -> list[ReadRanges]:
    return api.read_login_ranges(names)


class TrustedRanges:
    """The org-wide list of Setup > Network Access."""

    title = "the trusted IP ranges"

    def __init__(self, org: Org) -> None:
        self._org = org

    def read(self) -> ReadRanges:
        """Read the list."""
        return self._org.metadata(lambda api: api.read_trusted_ranges())

    def write(self, ranges: Iterable[IpRange]) -> None:
        """Replace the list."""
        listed = tuple(ranges)
        self._org.metadata(lambda api: api.write_trusted_ranges(listed))

    def check(self, after: tuple[IpRange, ...]) -> None:
        """Any list can be reached, the empty one too."""

    def changes(self, rows: Iterable[Mapping[str, Any]]) -> list[RangeChange]:
        """The rows of the audit trail about it."""
        return trusted_range_changes(rows)


class LoginRanges:
    """The list of one profile, which denies every other address once it is not empty."""

    def __init__(self, org: Org, profile: str) -> None:
        self._org = org
        self._profile = profile.strip()
        if not self._profile:
            raise OptionError("profile", "must not be empty")
        self.title = f"the login IP ranges of the profile {self._profile}"
        self._full_name = ""

    @property
    def names(self) -> set[str]:
        """The label and the metadata name of the profile, as far as they are known."""
        labels = {label for label, name in METADATA_NAMES.items() if name == self._full_name}
        return {self._profile, self._full_name, *labels} - {""}

    def read(self) -> ReadRanges:
        """Read the list; the profile may be given by its label or its metadata name."""
        names = dict.fromkeys((METADATA_NAMES.get(self._profile, self._profile), self._profile))
        found = self._org.metadata(lambda api: api.read_login_ranges(tuple(names)))
        if not found:
            raise OrgError(
                f"profile: the org has no profile {self._profile!r}, or the user may not see it. A profile is "
                "named by its metadata name, which differs from its label for standard profiles"
            )
        self._full_name = found[0].full_name
        return found[0]

    def write(self, ranges: Iterable[IpRange]) -> None:
        """Replace the list, which must not be empty."""
        listed = tuple(ranges)
        self._org.metadata(lambda api: api.write_login_ranges(self._full_name, listed))

    def check(self, after: tuple[IpRange, ...]) -> None:
        """Refuse the empty list: Salesforce answers success to it and keeps the last ranges."""
        if not after:
            raise OptionError(
                "ranges",
                f"this would remove the last login IP range of the profile {self._profile}, which Salesforce does not "
                "do through its API, though it answers success. A person must delete it: Setup > Profiles > "
                f"{self._profile} > Login IP Ranges. After that the profile is not restricted at all",
            )

    def changes(self, rows: Iterable[Mapping[str, Any]]) -> list[RangeChange]:
        """The rows of the audit trail about it."""
        return login_range_changes(rows, self.names)
