# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of permissions and what is made of it, files of permission sets, and what a user lacks."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.records import NEEDED_PERMISSION
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.permissions.check import (
    check_task,
    names_for,
    problems_of,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.permissions.model import (
    PermissionSet,
    known_set,
    make_plan,
    read_file,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.permissions.table import (
    LABELS,
    SETS,
    TASKS,
)
from ansible_collections.gatehouse.salesforce.plugins.modules import user_permission_info
from tools import permission_sets

NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
GRANTED = "<userPermissions><enabled>true</enabled><name>{}</name></userPermissions>"


def file(body: str, label: str = "<label>Reporting</label>") -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<PermissionSet {NAMESPACE}>{label}{body}</PermissionSet>'


def test_readme_and_files_agree_with_the_table() -> None:
    assert permission_sets.README.read_text() == permission_sets.readme(), "run python -m tools.permission_sets"
    made = permission_sets.files()
    assert {path: path.read_text() for path in permission_sets.FOLDER.iterdir()} == made


def test_a_file_is_what_the_module_deploys_without_one() -> None:
    for path, content in permission_sets.files().items():
        name = path.name.removesuffix(".permissionset-meta.xml")
        assert read_file(name, path.name, content) == known_set(name)


def test_no_set_has_more_than_its_tasks_need() -> None:
    for name, one in SETS.items():
        for permission in one.permissions:
            content = permission_sets.files()[permission_sets.FOLDER / f"{name}.permissionset-meta.xml"]
            reason = content.split(f"<name>{permission}</name>")[0].rsplit("<!-- ", 1)[1].split(" -->")[0]
            assert reason, permission
    assert set(SETS["Gatehouse_Integration"].permissions) == {"ApiEnabled"}
    assert not {"ManageUsers", "ModifyAllData"} & set(SETS["Gatehouse_Administrator"].permissions)


def test_errors_name_permissions_as_the_table_does() -> None:
    assert set(NEEDED_PERMISSION.values()) <= set(LABELS.values())


def test_the_module_documents_every_task() -> None:
    option = yaml.safe_load(user_permission_info.DOCUMENTATION)["options"]["tasks"]
    assert option["choices"] == option["default"] == list(TASKS)


def test_one_of_several_permissions_will_do() -> None:
    givers = {**dict.fromkeys(names_for(["ip_ranges"]), []), "ApiEnabled": ["by the profile X"]}
    missing = "Modify Metadata Through Metadata API Functions or Modify All Data"
    assert check_task("ip_ranges", givers)["missing"] == [missing]
    givers["ModifyAllData"] = ["by the profile X"]
    found = check_task("ip_ranges", givers)
    assert found["missing"] == found["unknown"] == []
    assert {"permission": "Manage IP Addresses", "when": "in Setup"} in found["conditional"]


def test_what_is_not_known_is_not_missing() -> None:
    assert check_task("oauth_login", {"ApiEnabled": None}) == {
        "task": "oauth_login",
        "missing": [],
        "conditional": [],
        "prevented_by": [],
        "unknown": ["API Enabled"],
    }


def test_a_permission_may_prevent_a_task() -> None:
    found = check_task("security_token", {"ApiUserOnly": ["by the permission set Y"]})
    assert found["prevented_by"] == ["API Only User"]
    assert problems_of(found) == ["security_token is prevented by API Only User"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("no XML", "is no XML"),
        (f"<Profile {NAMESPACE}/>", "is a file of Profile, not of PermissionSet"),
        (file("<objectPermissions/>"), "has objectPermissions, and only"),
        (file("<hasActivationRequired>true</hasActivationRequired>"), "requires an activation"),
        (file("", label=""), "has no label"),
        (file(GRANTED.format("Api Enabled")), "'Api Enabled' is not the name of a permission"),
    ],
)
def test_a_file_that_cannot_be_managed_whole_is_refused(content: str, problem: str) -> None:
    with pytest.raises(OptionError, match=f"src: Reporting.xml: (?:the file )?{problem}"):
        read_file("Reporting", "Reporting.xml", content)


def test_a_permission_that_is_off_in_a_file_is_not_granted() -> None:
    off = "<userPermissions><enabled>false</enabled><name>ApiEnabled</name></userPermissions>"
    assert read_file("R", "R", file(off + GRANTED.format("ViewSetup"))).permissions == {"ViewSetup"}


def test_users_are_compared_whatever_the_case_of_their_names() -> None:
    declared = PermissionSet(name="R", label="R")
    before = PermissionSet(name="R", label="R", users={"Ann@acme.example": "1", "ben@acme.example": "2"})
    plan = make_plan(before, declared, ["ann@ACME.example"], state="present")
    assert not plan.changed
    plan = make_plan(before, declared, ["ann@ACME.example", "eve@acme.example"], state="exact")
    assert (plan.added, plan.removed, plan.deploys) == (["eve@acme.example"], ["ben@acme.example"], False)
