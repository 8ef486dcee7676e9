# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one line that Galaxy, C(ansible-doc -l) and search engines show of each plugin, module and role."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    source
    for pattern in ("plugins/*/*.py", "roles/*/meta/argument_specs.yml")
    for source in sorted(ROOT.glob(pattern))
    if "short_description:" in source.read_text()
]
# What a searcher types. A new verb is welcome here, as long as it is one that other collections use too.
VERBS = "Add|Check|Close|Copy|Create|List|Log in|Normalise|Read|Render|Roll|Rotate|Store|Write"


def test_every_module_plugin_and_role_has_one() -> None:
    names = {source.parent.name for source in SOURCES if source.suffix == ".py"}
    assert names == {"modules", "lookup", "filter", "inventory", "test"}
    modules = {source for source in ROOT.glob("plugins/modules/*.py") if source.name != "__init__.py"}
    assert modules <= set(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_it_begins_with_a_common_verb_and_fits_on_a_line(source: Path) -> None:
    for text in re.findall(r"short_description: (.+)", source.read_text()):
        assert re.match(rf"(?:{VERBS})\b", text), text
        assert len(text) <= 100 and not text.endswith("."), text


def test_no_package_is_required_twice() -> None:
    """A module's own requirements and those of its fragments are joined."""
    fragments: dict[str, list[str]] = {}  # those that are more than text
    for source in ROOT.glob("plugins/doc_fragments/*.py"):
        for name, text in re.findall(r'    ([A-Z]+) = r"""(.*?)"""', source.read_text(), re.DOTALL):
            part = "" if name == "DOCUMENTATION" else f".{name.lower()}"
            fragments[f"gatehouse.salesforce.{source.stem}{part}"] = yaml.safe_load(text).get("requirements", [])
    for source in ROOT.glob("plugins/*/*.py"):
        for text in re.findall(r'^DOCUMENTATION = r"""(.*?)"""', source.read_text(), re.DOTALL | re.MULTILINE):
            documented = yaml.safe_load(text)
            required = list(documented.get("requirements", []))
            for fragment in documented.get("extends_documentation_fragment", []):
                required += fragments.get(fragment, [])
            packages = [re.split("[, ]", requirement)[0] for requirement in required]
            assert len(packages) == len(set(packages)), source
