# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt variable is an error, and what the specs, playbooks and roles name is known."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.variable_names import (
    PREFIXES,
    STRICT_HERE,
    SUFFIXES,
    require_known_names,
)
from tools.playbooks_page import PAGE, SPECS, page

ROOT = Path(__file__).resolve().parents[2]
ROLE_SPECS = sorted((ROOT / "roles").glob("*/meta/argument_specs.yml"))
BOOKS = sorted({*(ROOT / "playbooks").glob("*.yml")} - {*SPECS})


def options_of(path: Path) -> set[str]:
    specs = yaml.safe_load(path.read_text())["argument_specs"].values()
    return {name for spec in specs for name in spec["options"]}


def test_the_names_are_those_of_the_argument_specs() -> None:
    modules = [path.stem for path in (ROOT / "plugins" / "action").glob("*.py")]
    actions = [importlib.import_module(f"ansible_collections.gatehouse.salesforce.plugins.action.{m}") for m in modules]
    options = {f"gatehouse_salesforce_{name}" for action in actions for name in action.ActionModule.spec}
    described = options.union(*map(options_of, [*SPECS, *ROLE_SPECS]))
    assert described == {f"{prefix}{name}" for prefix, names in SUFFIXES.items() for name in names}


def test_playbooks_and_roles_hand_on_to_each_other_under_names_with_an_underscore() -> None:
    public = {f"{prefix}{name}" for prefix, names in SUFFIXES.items() for name in names}
    files = [*BOOKS, *(ROOT / "playbooks" / "tasks").glob("*.yml"), *(ROOT / "roles").glob("*/[tvd]*/*.yml")]
    setting = re.compile(rf"^ *(?:register: |loop_var: |)((?:{'|'.join(PREFIXES)})\w+)(?::|$)", re.MULTILINE)
    assert {name for file in files for name in setting.findall(file.read_text())} <= public


def test_each_playbook_with_variables_has_them_validated_before_its_first_task() -> None:
    for spec in SPECS:
        first = yaml.safe_load(spec.with_name(spec.name.replace(".meta", "")).read_text())[0]
        assert [first["validate_argspec"]] == list(yaml.safe_load(spec.read_text())["argument_specs"])


def test_the_page_of_the_playbooks_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run python -m tools.playbooks_page"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("rotate_maxage", "(did you mean rotate_max_age?)"),
        ("network_access_trusted_ip_range", "(did you mean network_access_trusted_ip_ranges?)"),
        ("credentials_declare", "(did you mean credentials_declared?)"),
        ("gatehouse_salesforce_pasword", "(did you mean gatehouse_salesforce_password?)"),
        ("app_credentials_target", "(did you mean app_credentials_targets?)"),
        ("network_access_offices", "but network_access_login_ip_ranges, network_access_state, "),
    ],
)
def test_a_misspelt_name_is_an_error_with_the_nearest_name(name: str, problem: str) -> None:
    with pytest.raises(OptionError) as failed:
        require_known_names({name: 1})
    assert str(failed.value).startswith(f"{name}: there is no such variable")
    assert problem in str(failed.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"rotate_max_age": "30d", "app_credentials_targets_billing": [], "offices": []},
        {"credentials_folder": "/srv", "export_date": "today"},  # somebody else's
        {"network_access_result": {"changed": False}},  # registered by a task
        {"_rotate_done": {}},
    ],
)
def test_these_are_no_misspelt_names(variables: dict[str, Any]) -> None:
    require_known_names(variables)


def test_in_a_playbook_every_name_with_its_prefix_has_to_be_one_of_its_variables() -> None:
    require_known_names({"rotate_days": 30})
    with pytest.raises(OptionError, match=r"rotate_days: there is no such variable, but rotate_credentials, "):
        require_known_names({"rotate_days": 30, STRICT_HERE: ["rotate_", "deliver_"]})
