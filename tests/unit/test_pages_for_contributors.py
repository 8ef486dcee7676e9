# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for contributors, against the tree that they describe."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.journal import (
    REQUESTED,
    REQUESTING,
    STORED,
)
from tests.simulated_org.switches import Switches

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [CONTRIBUTING, ARCHITECTURE, *(ROOT / name for name in ("SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md"))]
INVENTED = "changelogs/fragments/range-notation.yml"  # the file that a contributor would write


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_on_a_page_exists(page: Path) -> None:
    text = page.read_text()
    paths = re.findall(r"`((?:plugins|tests|docs|changelogs|roles|playbooks)/[\w./-]+)`", text)
    assert [path for path in paths if path != INVENTED and not (ROOT / path).exists()] == []
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_architecture_describes_every_package() -> None:
    table = ARCHITECTURE.read_text().split("## The packages")[1].split("\n## ")[0]
    described = set(re.findall(r"`([\w.]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))))
    folder = ROOT / "plugins" / "module_utils" / "_gatehouse"
    there = {path.name for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert described == there - {"__init__.py", "__pycache__"}


def test_the_switches_of_the_page_exist() -> None:
    table = CONTRIBUTING.read_text().split("| switch | plays |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert named and named <= {field.name for field in dataclasses.fields(Switches)}


def test_every_fragment_has_sections_of_the_changelog() -> None:
    config = yaml.safe_load((ROOT / "changelogs" / "config.yaml").read_text())
    sections = {name for name, _title in config["sections"]} | {
        config["prelude_section_name"],
        config["trivial_section_name"],
    }
    (example,) = re.findall(r"```yaml\n(.*?)```", CONTRIBUTING.read_text(), re.DOTALL)
    fragments = [example, *(path.read_text() for path in (ROOT / "changelogs" / "fragments").glob("*.yml"))]
    assert [set(yaml.safe_load(fragment)) - sections for fragment in fragments] == [set()] * len(fragments)


def test_the_workflow_builds_the_image_that_the_guide_describes() -> None:
    guide = yaml.safe_load((ROOT / "playbooks" / "example" / "execution-environment.yml").read_text())
    del guide["dependencies"]["galaxy"], guide["version"]  # the workflow installs the checkout
    (built,) = tomllib.loads((ROOT / "antsibull-nox.toml").read_text())["sessions"]["ee_check"][
        "execution_environments"
    ]
    assert built["config"] == guide


def test_the_states_of_a_rotation_are_the_steps_of_its_journal() -> None:
    states = set(re.findall(r"`step: (\w+)`", ARCHITECTURE.read_text()))
    assert states == {REQUESTING, REQUESTED, STORED}
