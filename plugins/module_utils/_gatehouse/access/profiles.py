# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find profiles by their label or their metadata name.

Setup, users and the audit trail show labels; the Metadata API takes metadata names. They differ for standard profiles
(System Administrator is Admin) and wherever a label has characters that a metadata name encodes.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from ..org.client import Org
from ..org.metadata import METADATA_NAMES
from ..org.queries import profile_labels


class Profile(NamedTuple):
    """One profile. C(label) is None where this user may not see it."""

    name: str
    label: str | None


class Profiles:
    """The profiles of an org, read once, when they are first needed."""

    def __init__(self, org: Org) -> None:
        self._org = org

    @cached_property
    def all(self) -> tuple[Profile, ...]:
        """All profiles, by metadata name."""
        names = self._org.metadata(lambda api: api.list_profiles())
        labels = profile_labels(self._org)
        return tuple(
            Profile(name, labels.get(number)) for number, name in sorted(names.items(), key=lambda pair: pair[1])
        )

    def find(self, text: str) -> Profile | None:
        """Return the profile of that metadata name, else that label; None where there is none."""
        return self._named(text) or self.labelled(text)

    def labelled(self, label: str) -> Profile | None:
        """Return the profile of that label; None where there is none."""
        match = next((profile for profile in self.all if profile.label == label), None)
        return match or self._named(METADATA_NAMES.get(label, ""))

    def _named(self, name: str) -> Profile | None:
        return next((profile for profile in self.all if profile.name == name), None)

    def display_name(self, profile: Profile) -> str:
        """Return the label, or the metadata name where find() would take the label for something else."""
        return profile.label if profile.label and self.find(profile.label) == profile else profile.name
