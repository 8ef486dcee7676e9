# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module access_report, as a playbook meets it."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from tests.support.plays import Playbooks
from tests.support.reports import invent_credential, invent_org


def write(playbook: Playbooks, *options: str, ok: bool = True, **arguments: Any) -> dict[str, Any]:
    given = {
        "dest": str(playbook.folder / "report"),
        "orgs": {"acme": invent_org("acme", 0, 9)},
        "credentials": [invent_credential("acme", 0)],
        **arguments,
    }
    return dict(playbook([{"gatehouse.salesforce.access_report": given}], *options, ok=ok).last)


def test_the_files_are_their_owner_s_alone_and_the_page_is_the_first(playbook: Playbooks) -> None:
    written = write(playbook)
    folder = playbook.folder / "report"
    assert {str(file) for file in folder.iterdir() if file.name != ".lock"} == set(written["files"])
    assert written["files"][0] == str(folder / "report.html")
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert (folder / "report.txt").read_text() == written["text"]
    assert json.loads((folder / "report.json").read_text())["findings"] == written["findings"]


def test_it_has_changed_where_its_findings_are_others(playbook: Playbooks) -> None:
    assert write(playbook)["changed"] is True
    assert write(playbook)["changed"] is False
    assert write(playbook, policy={"unused_range": "error"})["changed"] is True
    assert write(playbook, policy={"unused_range": "off"})["changed"] is True


def test_check_mode_finds_the_same_and_writes_nothing(playbook: Playbooks) -> None:
    checked = write(playbook, "--check", "--diff")
    assert checked["findings"] and checked["changed"] is True
    assert not (playbook.folder / "report").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"orgs": []}, "orgs: must be a dictionary of what org_access_info has returned"),
        ({"orgs": {"acme": 3}}, "orgs.acme: must be what org_access_info has returned"),
        ({"orgs": {"acme": {"access": {}, "msg": ""}}, "declared": {"amce": {}}}, "declared: 'amce' is not among orgs"),
        ({"credentials": [{}]}, "credentials[0]: is not what credential_info has returned"),
        ({"credentials": [3]}, "credentials[0]: is not what credential_info has returned"),
        ({"declared": {"acme": {"trusted_ip_ranges": ["x"]}}}, "acme: trusted_ip_ranges[0]: 'x' is not a usable range"),
        ({"declared": {"acme": 3}}, "orgs.acme: is not what org_access_info has returned"),
        ({"shared_ranges": ["x"]}, "shared_ranges[0]: 'x' is not a usable range"),
        ({"policy": {"wide": "off"}}, "policy: there is no rule 'wide'"),
        ({"dest": "/dev/null/report"}, "dest: "),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_and_nothing_is_written(
    playbook: Playbooks, arguments: dict[str, Any], problem: str
) -> None:
    assert write(playbook, ok=False, **arguments)["msg"].startswith(problem)
    assert not (playbook.folder / "report").exists()
