# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""readMetadata and updateMetadata: what is replaced, what stays, what is refused."""

from __future__ import annotations

import pytest

from .wire import Wire

NONE = "<networkAccess/>"
HEADER = (
    '<AllOrNoneHeader xmlns="http://soap.sforce.com/2006/04/metadata"><allOrNone>true</allOrNone></AllOrNoneHeader>'
)


def network(*ranges: str) -> str:
    """`networkAccess` of ranges written `start end [description]`."""
    body = ""
    for one in ranges:
        start, end, *words = one.split(" ", 2)
        description = f"<description>{words[0]}</description>" if words else ""
        body += f"<ipRanges>{description}<end>{end}</end><start>{start}</start></ipRanges>"
    return f"<networkAccess>{body}</networkAccess>"


def login_ranges(*ranges: str) -> str:
    body = ""
    for one in ranges:
        start, end = one.split()
        body += f"<loginIpRanges><endAddress>{end}</endAddress><startAddress>{start}</startAddress></loginIpRanges>"
    return body


@pytest.fixture
def session(wire: Wire) -> str:
    return wire.login().session


class TestTrustedRanges:
    def test_a_list_replaces_the_whole_list(self, wire: Wire, session: str) -> None:
        wire.commands.set_org(trusted_ranges=["192.0.2.0/24", "198.51.100.0/24"])
        answer = wire.update(session, "<fullName>Security</fullName>" + network("203.0.113.7 203.0.113.7 HQ"))
        assert answer.text("success") == "true"
        assert wire.trusted_ranges() == [("203.0.113.7", "203.0.113.7", "HQ")]

    def test_an_empty_element_removes_every_range(self, wire: Wire, session: str) -> None:
        wire.commands.set_org(trusted_ranges=["192.0.2.0/24"])
        assert wire.update(session, NONE).text("success") == "true"
        assert wire.trusted_ranges() == []

    @pytest.mark.parametrize("body", ["", "<networkAccess xsi:nil='true'/>", "<passwordPolicies/>"])
    def test_without_the_element_ranges_stay(self, wire: Wire, session: str, body: str) -> None:
        wire.commands.set_org(trusted_ranges=["192.0.2.0/24"])
        assert wire.update(session, body).text("success") == "true"
        assert len(wire.trusted_ranges()) == 1

    def test_an_org_without_ranges_still_shows_the_element(self, wire: Wire, session: str) -> None:
        answer = wire.read(session)
        assert answer.text("networkAccess") == ""

    @pytest.mark.parametrize("name", ["Security", "*", "passwordPolicies", "anything"])
    def test_the_full_name_is_not_taken_strictly(self, wire: Wire, session: str, name: str) -> None:
        wire.commands.set_org(trusted_ranges=["192.0.2.0/24"])
        assert wire.read(session, "SecuritySettings", name).text("start") == "192.0.2.0"
        assert wire.update(session, f"<fullName>{name}</fullName>" + NONE).text("fullName") == name
        assert wire.trusted_ranges() == []

    def test_strings_are_trimmed_and_empty_descriptions_dropped(self, wire: Wire, session: str) -> None:
        body = (
            "<networkAccess><ipRanges><description>  two words </description><end> 192.0.2.9 </end>"
            "<start> 192.0.2.1</start></ipRanges><ipRanges><description> </description><end>192.0.2.99</end>"
            "<start>192.0.2.99</start></ipRanges></networkAccess>"
        )
        wire.update(session, body)
        assert wire.trusted_ranges() == [("192.0.2.1", "192.0.2.9", "two words"), ("192.0.2.99", "192.0.2.99", None)]

    def test_descriptions_survive_with_their_markup(self, wire: Wire, session: str) -> None:
        wire.update(session, network("192.0.2.1 192.0.2.1 R&amp;D &lt;Köln&gt;"))
        assert wire.read(session).text("description") == "R&D <Köln>"

    def test_descriptions_came_with_version_34(self, wire: Wire, session: str) -> None:
        wire.commands.set_org(trusted_ranges=[{"start": "192.0.2.1", "end": "192.0.2.1", "description": "x"}])
        assert wire.read(session, version="33.0").text("description") is None
        assert wire.read(session, version="34.0").text("description") == "x"

    @pytest.mark.parametrize(
        ("switches", "expected"),
        [
            ({}, ["192.0.2.1", "2001:db8::ab"]),
            ({"ipv6_notation": "upper"}, ["192.0.2.1", "2001:DB8::AB"]),
            ({"ipv6_notation": "expanded"}, ["192.0.2.1", "2001:0db8:0000:0000:0000:0000:0000:00ab"]),
            ({"ipv4_notation": "mapped"}, ["::ffff:192.0.2.1", "2001:db8::ab"]),
            ({"ipv4_notation": "mapped_hex"}, ["::ffff:c000:201", "2001:db8::ab"]),
            ({"range_order": "reversed"}, ["2001:db8::ab", "192.0.2.1"]),
        ],
    )
    def test_notation_and_order_on_read(
        self, wire: Wire, session: str, switches: dict[str, str], expected: list[str]
    ) -> None:
        wire.commands.set_org(trusted_ranges=["192.0.2.1", "2001:db8::ab"], switches=switches)
        assert wire.read(session).texts("start") == expected

    def test_shuffled_order_keeps_every_range(self, wire: Wire, session: str) -> None:
        addresses = [f"192.0.2.{number}" for number in range(50)]
        wire.commands.set_org(trusted_ranges=addresses, switches={"range_order": "shuffled"})
        shown = wire.read(session).texts("start")
        assert sorted(shown) == sorted(addresses)
        assert shown != addresses

    @pytest.mark.parametrize(
        ("ranges", "specific"),
        [
            (["192.0.2.9 192.0.2.1"], "INVALID_INET_ADDRESS"),
            (["192.0.2.9 2001:db8::1"], "INVALID_INET_ADDRESS"),
            (["fish chips"], "INVALID_INET_ADDRESS"),
            (["20.0.0.0 21.0.0.0"], "IP_RANGE_LIMIT_EXCEEDED"),
            ([f"192.0.2.1 192.0.2.1 {'x' * 256}"], "STRING_TOO_LONG"),
        ],
    )
    def test_a_bad_range_fails_and_changes_nothing(
        self, wire: Wire, session: str, ranges: list[str], specific: str
    ) -> None:
        wire.commands.set_org(trusted_ranges=["198.51.100.0/24"])
        answer = wire.update(session, network("192.0.2.100 192.0.2.100", *ranges))
        assert answer.ok
        assert (answer.text("success"), answer.text("statusCode")) == ("false", "FIELD_INTEGRITY_EXCEPTION")
        wire.commands.set_switches(range_error_code="specific")
        assert wire.update(session, network(*ranges)).text("statusCode") == specific
        assert [start for start, _end, _description in wire.trusted_ranges()] == ["198.51.100.0"]

    def test_a_range_without_an_end_fails(self, wire: Wire, session: str) -> None:
        answer = wire.update(session, "<networkAccess><ipRanges><start>192.0.2.1</start></ipRanges></networkAccess>")
        assert answer.text("success") == "false"

    @pytest.mark.parametrize(("switch", "count"), [("kept", 2), ("dropped", 1), ("refused", 0)])
    def test_duplicates(self, wire: Wire, session: str, switch: str, count: int) -> None:
        wire.commands.set_switches(duplicate_ranges=switch)
        wire.update(session, network("192.0.2.1 192.0.2.1", "192.0.2.1 192.0.2.1"))
        assert len(wire.trusted_ranges()) == count

    def test_overlaps_are_kept(self, wire: Wire, session: str) -> None:
        wire.update(session, network("192.0.2.0 192.0.2.99", "192.0.2.50 192.0.2.255"))
        assert len(wire.trusted_ranges()) == 2

    def test_elements_of_another_type_are_no_ranges(self, wire: Wire, session: str) -> None:
        body = network("192.0.2.1 192.0.2.1").replace("start>", "startAddress>")
        answer = wire.update(session, body)
        assert (answer.status, answer.text("faultcode")) == (500, "soapenv:Client")

    def test_a_thousand_ranges(self, wire: Wire, session: str) -> None:
        ranges = [f"192.0.{n // 250}.{n % 250} 192.0.{n // 250}.{n % 250} site {n}" for n in range(1000)]
        assert wire.update(session, network(*ranges)).text("success") == "true"
        assert len(wire.read(session).texts("start")) == 1000


class TestSettings:
    def test_part_of_a_group_is_changed_and_the_rest_stays(self, wire: Wire, session: str) -> None:
        wire.update(
            session,
            "<passwordPolicies><lockoutInterval>Forever</lockoutInterval></passwordPolicies>"
            "<sessionSettings><sessionTimeout>FourHours</sessionTimeout></sessionSettings>",
        )
        answer = wire.read(session)
        assert answer.text("lockoutInterval") == "Forever"
        assert answer.text("maxLoginAttempts") == "TenAttempts"
        assert answer.text("sessionTimeout") == "FourHours"

    def test_values_outside_the_enumeration_fail(self, wire: Wire, session: str) -> None:
        body = "<sessionSettings><sessionTimeout>Weekend</sessionTimeout></sessionSettings>"
        assert wire.update(session, body).text("statusCode") == "FIELD_INTEGRITY_EXCEPTION"
        assert wire.read(session).text("sessionTimeout") == "TwoHours"

    def test_enforcing_ranges_on_every_request_takes_five_at_most(self, wire: Wire, session: str) -> None:
        body = "<sessionSettings><enforceIpRangesEveryRequest>true</enforceIpRangesEveryRequest></sessionSettings>"
        wire.commands.set_profile("Standard", login_ip_ranges=[f"192.0.2.{number}" for number in range(6)])
        assert wire.update(session, body).text("statusCode") == "CANNOT_ENABLE_IP_RESTRICT_REQUESTS"
        wire.commands.set_profile("Standard", login_ip_ranges=["192.0.2.0/24"])
        assert wire.update(session, body).text("success") == "true"


class TestLoginIpRanges:
    def test_a_list_replaces_the_whole_list(self, wire: Wire, session: str) -> None:
        wire.commands.set_profile("Admin", login_ip_ranges=[f"192.0.2.{number}" for number in range(5)])
        wire.update(session, "<fullName>Admin</fullName>" + login_ranges("198.51.100.0 198.51.100.9"), kind="Profile")
        assert wire.login_ip_ranges() == [("198.51.100.0", "198.51.100.9")]

    def test_a_list_may_merge_instead(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(profile_ranges_write="merge")
        wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.1"])
        wire.update(session, "<fullName>Admin</fullName>" + login_ranges("192.0.2.2 192.0.2.2"), kind="Profile")
        assert [start for start, _unused in wire.login_ip_ranges()] == ["192.0.2.1", "192.0.2.2"]

    def test_the_last_range_cannot_be_removed_and_the_answer_says_success(self, wire: Wire, session: str) -> None:
        wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.1"])
        assert wire.update(session, "<fullName>Admin</fullName>", kind="Profile").text("success") == "true"
        assert len(wire.login_ip_ranges()) == 1
        assert wire.commands.audit_trail() == []

    @pytest.mark.parametrize(
        ("switch", "success", "left"), [("ignored", "true", 1), ("refused", "false", 1), ("removes", "true", 0)]
    )
    def test_an_empty_element(self, wire: Wire, session: str, switch: str, success: str, left: int) -> None:
        wire.commands.set_switches(empty_login_ip_ranges=switch)
        wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.1"])
        answer = wire.update(session, "<fullName>Admin</fullName><loginIpRanges/>", kind="Profile")
        assert (answer.text("success"), len(wire.login_ip_ranges())) == (success, left)

    def test_profiles_go_by_their_metadata_name_not_their_label(self, wire: Wire, session: str) -> None:
        assert wire.read(session, "Profile", "Admin").text("fullName") == "Admin"
        assert wire.read(session, "Profile", "System Administrator").text("fullName") is None
        answer = wire.update(session, "<fullName>System Administrator</fullName>", kind="Profile")
        assert answer.text("success") == "false"

    @pytest.mark.parametrize(("switch", "shown"), [("nil", None), ("full_name", "Nobody")])
    def test_a_missing_profile(self, wire: Wire, session: str, switch: str, shown: str | None) -> None:
        wire.commands.set_switches(missing_component=switch)
        answer = wire.read(session, "Profile", "Nobody", "Admin")
        assert len(list(answer.root.iter("{*}records"))) == 2
        assert answer.texts("fullName") == [name for name in (shown, "Admin") if name]

    def test_permissions_overlay(self, wire: Wire, session: str) -> None:
        body = (
            "<fullName>Standard</fullName><userPermissions><enabled>true</enabled><name>ViewSetup</name>"
            "</userPermissions><userPermissions><enabled>false</enabled><name>ApiEnabled</name></userPermissions>"
        )
        wire.update(session, body, kind="Profile")
        names = wire.read(session, "Profile", "Standard").texts("name")
        assert names == ["UseAnyApiAuth", "ViewSetup"]

    def test_an_empty_login_hours_element_deletes_the_hours(self, wire: Wire, session: str) -> None:
        wire.commands.set_profile("Admin", login_hours={day: [0, 1440] for day in range(7)})
        assert wire.read(session, "Profile", "Admin").text("mondayEnd") == "1440"
        wire.update(session, "<fullName>Admin</fullName><loginHours/>", kind="Profile")
        assert wire.read(session, "Profile", "Admin").text("loginHours") is None


class TestCalls:
    def test_each_component_is_saved_on_its_own(self, wire: Wire, session: str) -> None:
        answer = wire.update(session, "<fullName>Admin</fullName>" + login_ranges("192.0.2.1 192.0.2.1"),
                             "<fullName>Nobody</fullName>", kind="Profile")  # fmt: skip
        assert answer.texts("success") == ["true", "false"]
        assert len(wire.login_ip_ranges()) == 1

    def test_all_or_none(self, wire: Wire, session: str) -> None:
        answer = wire.update(session, "<fullName>Admin</fullName>" + login_ranges("192.0.2.1 192.0.2.1"),
                             "<fullName>Nobody</fullName>", kind="Profile", header=HEADER)  # fmt: skip
        assert answer.texts("success") == ["false", "false"]
        assert answer.texts("statusCode") == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_CROSS_REFERENCE_KEY"]
        assert wire.login_ip_ranges() == []

    def test_ten_components_at_most(self, wire: Wire, session: str) -> None:
        assert wire.read(session, "Profile", *["Admin"] * 10).ok
        assert wire.read(session, "Profile", *["Admin"] * 11).code == "EXCEEDED_ID_LIMIT"
        assert wire.update(session, *["<fullName>Admin</fullName>"] * 11, kind="Profile").code == "EXCEEDED_ID_LIMIT"

    def test_one_type_a_call_and_only_known_types(self, wire: Wire, session: str) -> None:
        body = '<updateMetadata><metadata xsi:type="Profile"/><metadata xsi:type="SecuritySettings"/></updateMetadata>'
        assert wire.call(session, body).code == "INVALID_TYPE"
        assert wire.read(session, "IPAddressRange").code == "INVALID_TYPE"

    def test_crud_calls_came_with_version_30(self, wire: Wire, session: str) -> None:
        assert wire.read(session, version="29.0").text("faultcode") == "soapenv:Client"
        assert wire.read(session, version="30.0").ok

    @pytest.mark.parametrize("form", ["fault", "status"])
    def test_without_modify_metadata(self, wire: Wire, form: str) -> None:
        wire.commands.set_switches(insufficient_access=form)
        wire.commands.add_user("plain@simulated.example", "Plain-Pony9", profile="Standard", security_token="t")
        session = wire.login("Plain-Pony9t", username="plain@simulated.example").session
        assert wire.read(session).code == "INSUFFICIENT_ACCESS"
        answer = wire.update(session, NONE)
        assert (answer.code, answer.text("statusCode")) in [
            ("INSUFFICIENT_ACCESS", None) if form == "fault" else (None, "INSUFFICIENT_ACCESS")
        ]

    @pytest.mark.parametrize("checked", [True, False])
    def test_permissions_of_the_setup_pages_may_be_checked_too(self, wire: Wire, session: str, checked: bool) -> None:
        wire.commands.set_switches(manage_ip_addresses_checked=checked, manage_profiles_checked=checked)
        wire.commands.set_profile("Admin", permissions=["ApiEnabled", "ModifyMetadata"])
        expected = "INSUFFICIENT_ACCESS" if checked else None
        assert wire.update(session, NONE).code == expected
        assert wire.update(session, "<fullName>Admin</fullName>", kind="Profile").code == expected

    def test_describe_metadata_calls_the_settings_settings(self, wire: Wire, session: str) -> None:
        answer = wire.call(session, "<describeMetadata><asOfVersion>64.0</asOfVersion></describeMetadata>")
        names = answer.texts("xmlName")
        assert {"ExternalClientApplication", "PermissionSet", "Profile", "Settings"} <= set(names)
        assert "SecuritySettings" not in names


class TestAuditTrail:
    def test_profile_ranges(self, wire: Wire, session: str) -> None:
        wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.1", "192.0.2.2"])
        body = "<fullName>Admin</fullName>" + login_ranges("192.0.2.2 192.0.2.2", "198.51.100.0 198.51.100.9")
        wire.update(session, body, kind="Profile")
        assert [(row["action"], row["display"]) for row in wire.commands.audit_trail()] == [
            ("loginIpRange", "Added Login Ip Range to System Administrator from 198.51.100.0 to 198.51.100.9"),
            (
                "deletedLoginIpRange_withProfile",
                "Deleted Login Ip Range to System Administrator from 192.0.2.1 to 192.0.2.1",
            ),
        ]
        assert {row["created_by_id"] for row in wire.commands.audit_trail()} == {
            wire.commands.user(wire.admin.username)["id"]
        }

    @pytest.mark.parametrize(
        ("switch", "expected"),
        [
            ("createIpWhiteList", ["Created Ip WhiteList from 192.0.2.1 to 192.0.2.1"]),
            ("addresses", ["Added Trusted IP Range from 192.0.2.1 to 192.0.2.1"]),
            ("no_addresses", ["Changed Network Access"]),
            ("none", []),
        ],
    )
    def test_trusted_ranges(self, wire: Wire, session: str, switch: str, expected: list[str]) -> None:
        wire.commands.set_switches(trusted_range_audit=switch)
        wire.update(session, network("192.0.2.1 192.0.2.1"))
        wire.update(session, network("192.0.2.1 192.0.2.1"))
        assert [row["display"] for row in wire.commands.audit_trail()] == expected

    def test_a_replaced_list_as_all_deleted_and_all_added(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(replaced_list_audit="all")
        wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.1", "192.0.2.2"])
        wire.commands.set_org(trusted_ranges=["192.0.2.7"])
        body = "<fullName>Admin</fullName>" + login_ranges("192.0.2.1 192.0.2.1", "192.0.2.2 192.0.2.2")
        wire.update(session, body, kind="Profile")
        wire.update(session, network("192.0.2.7 192.0.2.7", "192.0.2.8 192.0.2.8"))
        rows = [(row["action"], row["display"].split()[-1]) for row in wire.commands.audit_trail()]
        assert rows == [
            ("deletedLoginIpRange_withProfile", "192.0.2.1"),
            ("deletedLoginIpRange_withProfile", "192.0.2.2"),
            ("loginIpRange", "192.0.2.1"),
            ("loginIpRange", "192.0.2.2"),
            ("deleteIpWhiteList", "192.0.2.7"),
            ("createIpWhiteList", "192.0.2.7"),
            ("createIpWhiteList", "192.0.2.8"),
        ]
