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
from ..org.queries import is_developer_edition
from ..ranges.model import IpRange
from .audit_trail import RangeChange, is_about_login_ranges, login_range_changes, names_profile, trusted_range_changes
from .profiles import Profiles

BATCH = 10  # what one readMetadata call accepts
_LABELS = {name: label for label, name in METADATA_NAMES.items()}


def always_activates_devices(org: Org) -> bool:
    """Return whether the org is one of those without revenue, as far as it says: for a trial no field is known."""
    try:
        return is_developer_edition(org)
    except OrgError:
        return False


def login_ranges_of(
    org: Org, labels: Collection[str], profiles: Profiles | None = None
) -> dict[str, tuple[IpRange, ...]]:
    """Return the login ranges of profiles by their labels; none for a profile that cannot be read."""
    profiles = profiles or Profiles(org)
    names = {_name_of_label(profiles, label): label for label in labels if label}
    ranges: dict[str, tuple[IpRange, ...]] = dict.fromkeys(labels, ())
    return ranges | {names[record.full_name]: record.ranges for record in read_login_ranges(org, names)}


def _name_of_label(profiles: Profiles, label: str) -> str:
    """Return a metadata name; those of the two best known are not asked for."""
    match = None if label in METADATA_NAMES else profiles.labelled(label)
    return match.name if match else METADATA_NAMES.get(label, label)


def all_login_ranges(org: Org, profiles: Profiles) -> dict[str, tuple[IpRange, ...]]:
    """Return the login ranges of all profiles, by their labels where find() knows them by those."""
    names = {profile.name: profiles.display_name(profile) for profile in profiles.all}
    return {names[record.full_name]: record.ranges for record in read_login_ranges(org, names)}


def read_login_ranges(org: Org, names: Collection[str]) -> list[ReadRanges]:
    """Read the login ranges of those profiles that exist, by metadata name."""
    ordered, records = sorted(names), list[ReadRanges]()
    for start in range(0, len(ordered), BATCH):
        records += org.metadata(functools.partial(_read_batch, ordered[start : start + BATCH]))
    return [record for record in records if record.full_name in names]


def _read_batch(names: Sequence[str], api: MetadataApi) -> list[ReadRanges]:
    return api.read_login_ranges(names)


class TrustedRanges:
    """The org-wide list of Setup > Network Access."""

    kind = "trusted"
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
        """Accept any list, the empty one too."""

    def changes(self, rows: Iterable[Mapping[str, Any]]) -> list[RangeChange]:
        """Return the rows of the audit trail about it."""
        return trusted_range_changes(rows)


class LoginRanges:
    """The list of one profile, which denies every other address once it is not empty."""

    kind = "login"  # for all profiles alike, as one may have two names

    def __init__(self, org: Org, profile: str, profiles: Profiles | None = None, *, option: str = "profile") -> None:
        """Name the list by the metadata name or the label of its profile, which came by the option."""
        self._org = org
        self._option = option
        self._profile = profile.strip()
        if not self._profile:
            raise OptionError(option, "must not be empty")
        self.title = f"the login IP ranges of the profile {self._profile}"
        self._profiles = profiles or Profiles(org)
        self._full_name = ""

    @property
    def names(self) -> set[str]:
        """The metadata name and the label of the profile, and how it was named."""
        label = self.label
        return self._cheap_names | ({label} if label else set())

    @property
    def label(self) -> str | None:
        """The label of the profile; None where this user may not see it."""
        profile = self._profiles.find(self._full_name or self._profile)
        return profile.label if profile else None

    @property
    def _cheap_names(self) -> set[str]:
        """The names that are known without asking the org for its profiles."""
        return {self._profile, self._full_name, _LABELS.get(self._full_name, "")} - {""}

    def read(self) -> ReadRanges:
        """Read the list; raises OrgError when there is no such profile."""
        record = self._read(self._full_name or self._profile)
        if record is None and (match := self._profiles.find(self._profile)):
            record = self._read(match.name)
        if record is None:
            raise OrgError(
                f"{self._option}: the org has no profile {self._profile!r}, by its metadata name or label, or the user "
                "may not see it"
            )
        self._full_name = record.full_name
        return record

    def _read(self, name: str) -> ReadRanges | None:
        names = tuple(dict.fromkeys((name, METADATA_NAMES.get(name, name))))
        records = {record.full_name: record for record in self._org.metadata(lambda api: api.read_login_ranges(names))}
        return next((records[name] for name in names if name in records), None)

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
        """Return the rows of the audit trail about it."""
        listed = [row for row in rows if is_about_login_ranges(row)]
        # Only a row with an unknown name may be about this profile by its label.
        names = self._cheap_names
        if not all(names_profile(row, names) for row in listed):
            names = self.names
        return login_range_changes(listed, names)
