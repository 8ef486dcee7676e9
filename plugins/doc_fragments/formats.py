# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the formats and their options, out of the table of formats."""

from __future__ import annotations

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import (
    ENCODERS,
    FORMATS,
    MAPPABLE_FIELDS,
)


def _formats_with(option: str) -> str:
    """Name the formats that have an option."""
    names = [f"O(format={name})" for name, known in FORMATS.items() if option in known.options]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


class ModuleDocFragment:
    """Which formats there are, and what they need besides the credential."""

    # With a type, as ansible-test reads assignments without one, and only literals.
    DOCUMENTATION: str = rf"""
options:
  format:
    description:
      - The application that reads it. The table of formats, with the file of each, is C(docs/formats.md) in this
        collection.
      - A format that has no place for what the credential logs in with, or whose reader would read some character as
        something else, is an error that names it.
    type: str
    choices: [{", ".join(FORMATS)}]
    required: true
  name:
    description:
      - What the credential is called in the file, in {_formats_with("name")}. Each has a default.
    type: str
  encryption_key:
    description:
      - The content of Data Loader's key file in Base64, as M(ansible.builtin.slurp) returns it, for
        {_formats_with("encryption_key")}. The same file must be where Data Loader runs.
    type: str
  encryption_key_file:
    description:
      - The path of that file where Data Loader runs. Without it Data Loader uses the one in its user's home.
    type: str
  fields:
    description:
      - For O(format=mapping), the names that the application reads, and what stands under each.
      - A field is one of {", ".join(f"V({field})" for field in MAPPABLE_FIELDS)}.
      - A secret that the credential does not log in with is refused, and so is a field that it does not have.
    type: dict
  encoder:
    description:
      - For O(format=mapping), how names and values are written. The default is V(env).
    type: str
    choices: [{", ".join(ENCODERS)}]
  constants:
    description:
      - For O(format=mapping), more names and their values, which are text, whole numbers or booleans and no secrets.
    type: dict
"""
