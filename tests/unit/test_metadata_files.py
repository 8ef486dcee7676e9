# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranges in the files of a Salesforce CLI project, some of which somebody has prepared."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.filter.metadata_ranges import metadata_ranges
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import xml_files

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
SECURITY = f"""{HEAD}<SecuritySettings {NAMESPACE}>
    <networkAccess>
        <ipRanges>
            <description>Büro &amp; VPN {{{{ x }}}}</description>
            <end>198.51.100.255</end>
            <start>198.51.100.0</start>
        </ipRanges>
        <ipRanges><end>2001:db8::ff</end><start>2001:DB8:0:0::</start></ipRanges>
        <ipRanges><end>192.0.2.7</end><start>192.0.2.7</start></ipRanges>
    </networkAccess>
    <sessionSettings><sessionTimeout>TwoHours</sessionTimeout></sessionSettings>
</SecuritySettings>
"""
PROFILE = f"""{HEAD}<Profile {NAMESPACE}>
    <custom>true</custom>
    <loginIpRanges>
        <description>Build farm</description>
        <endAddress>203.0.113.31</endAddress>
        <startAddress>203.0.113.16</startAddress>
    </loginIpRanges>
    <userPermissions><enabled>true</enabled><name>ApiEnabled</name></userPermissions>
</Profile>
"""


def test_trusted_ranges_are_read_from_the_security_settings() -> None:
    assert metadata_ranges(SECURITY) == [
        {"range": "192.0.2.7"},
        {"range": "198.51.100.0/24", "description": "Büro & VPN {{ x }}"},
        {"range": "2001:db8::/120"},
    ]


def test_login_ranges_are_read_from_a_profile() -> None:
    assert metadata_ranges(PROFILE) == [{"range": "203.0.113.16/28", "description": "Build farm"}]


@pytest.mark.parametrize("kind", ["Profile", "SecuritySettings"])
def test_a_file_without_ranges_has_none(kind: str) -> None:
    assert metadata_ranges(f"{HEAD}<{kind} {NAMESPACE}/>") == []


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (SECURITY.replace("<SecuritySettings", f"{BOMB}<SecuritySettings").replace("Büro", "&b;"), "document type"),
        (SECURITY.replace("<SecuritySettings", f"{FILE}<SecuritySettings").replace("Büro", "&a;"), "document type"),
        (PROFILE.replace("Build farm", "&nbsp;"), "is no XML"),
        (PROFILE[:-20], "is no XML"),
        ("", "is no XML"),
        ("<a>" * 100_000, "is no XML"),
        (f"<PermissionSet {NAMESPACE}/>", "a file of PermissionSet has no IP ranges"),
        (PROFILE.replace("203.0.113.16", "somewhere"), "the range 'somewhere' to '203.0.113.31' cannot be read"),
        (PROFILE.replace("203.0.113.16", "203.0.113.99"), "its first address is higher"),
        (PROFILE.replace("<startAddress>203.0.113.16</startAddress>", ""), "cannot be read"),
        (["a list"], "must be the content of a file"),
    ],
)
def test_what_is_no_such_file_is_refused(content: Any, problem: str) -> None:
    with pytest.raises(AnsibleFilterError, match=problem):
        metadata_ranges(content)


def test_a_huge_file_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_files, "MAX_CHARACTERS", len(PROFILE))
    assert metadata_ranges(PROFILE)
    with pytest.raises(AnsibleFilterError, match=f"larger than {len(PROFILE)} characters"):
        metadata_ranges(f"{PROFILE} ")
