# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers compared with recorded ones of real orgs, where recordings are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

from lxml import etree

from .wire import Wire

# Elements that later API versions added to what the recordings (API 23 and 28) hold.
SINCE_ADDED = {"chatterExternal", "orgDefaultCurrencyLocale"}


def outline(element: etree._Element, *, without: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """Depth, qualified name and prefix of each element, in order."""
    lines: list[str] = []

    def walk(one: etree._Element, depth: int) -> None:
        if etree.QName(one).localname in without:
            return
        lines.append(f"{depth} {one.prefix} {etree.QName(one).text}")
        for child in one:
            walk(child, depth + 1)

    walk(element, 0)
    return lines


def attributes(element: etree._Element) -> list[tuple[str, dict[str, str]]]:
    return [(str(one.tag), dict(one.attrib.items())) for one in element.iter() if one.attrib]


def read(path: Path) -> etree._Element:
    return etree.fromstring(path.read_bytes())


def test_login_success(wire: Wire, recordings: Path) -> None:
    for name in ("soapforce/login_response.xml", "metaforce/login/success.xml"):
        ours = wire.login(version="28.0").root
        assert outline(ours, without=SINCE_ADDED) == outline(read(recordings / name))
        assert ours.nsmap == read(recordings / name).nsmap
    assert attributes(ours) == attributes(read(recordings / "soapforce/login_response.xml"))


def test_user_info(wire: Wire, recordings: Path) -> None:
    ours = wire.call(wire.login().session, "<getUserInfo/>", service="u").root
    recorded = read(recordings / "soapforce/get_user_info_response.xml")
    assert outline(ours, without=SINCE_ADDED) == outline(recorded)


def texts(element: etree._Element) -> list[str]:
    return [(one.text or "").strip() for one in element.iter()]


def test_login_failure_word_for_word(wire: Wire, recordings: Path) -> None:
    ours, recorded = wire.login("bad").root, read(recordings / "metaforce/login/failure.xml")
    assert outline(ours) == outline(recorded)
    assert texts(ours) == texts(recorded)
    assert attributes(ours) == attributes(recorded)
    assert ours.nsmap == recorded.nsmap


def test_invalid_session_of_the_metadata_api_word_for_word(wire: Wire, recordings: Path) -> None:
    ours, recorded = wire.read("bad").root, read(recordings / "metaforce/foo/invalid_session.xml")
    assert outline(ours) == outline(recorded)
    assert texts(ours) == texts(recorded)
    assert ours.nsmap == recorded.nsmap


def test_expired_session_by_rest_word_for_word(wire: Wire, recordings: Path) -> None:
    ours = wire.query("bad", "SELECT Id FROM User")
    assert ours.json == json.loads((recordings / "restforce/expired_session_response.json").read_text())


def test_logins_by_an_app(wire: Wire, recordings: Path) -> None:
    wire.commands.add_app("key", consumer_secret="secret", approved_users=[wire.admin.username])
    wire.commands.set_switches(oauth_error_text="with_status", status_case="title")
    client = {"client_id": "key", "client_secret": "secret"}
    refresh_token = wire.commands.grant_refresh_token("key", wire.admin.username)
    user = {"username": wire.admin.username, "password": wire.admin.login_password}
    for name, form in {
        "auth_success_response": {"grant_type": "password", **client, **user},
        "auth_error_response": {"grant_type": "password", **client, **user, "password": "wrong"},
        "refresh_success_response": {"grant_type": "refresh_token", **client, "refresh_token": refresh_token},
        "refresh_error_response": {"grant_type": "refresh_token", **client, "refresh_token": "wrong"},
    }.items():
        recorded = json.loads((recordings / f"restforce/{name}.json").read_text())
        ours = json.loads(wire.send("POST", "/services/oauth2/token", urlencode(form)).body)
        if "error" in name:
            assert ours == recorded
        else:
            # What the recordings are too old to have.
            assert set(ours) - set(recorded) == {"token_type"}
            assert set(recorded) <= set(ours)


def test_versions_have_the_recorded_form(wire: Wire, recordings: Path) -> None:
    recorded = json.loads((recordings / "restforce/services_data_success_response.json").read_text())
    assert set(wire.rest("", "/services/data").json[0]) == set(recorded[0])


def test_a_retrieved_settings_file_can_be_sent_as_an_update(wire: Wire, recordings: Path) -> None:
    wire.commands.set_org(trusted_ranges=["192.0.2.1"])
    settings = read(recordings / "security-settings/universal-containers.Security.settings.xml")
    # A setting of its time that the schema of version 63 no longer has.
    retired = settings.find(".//{*}securityCentralKillSession")
    assert retired is not None
    retired.getparent().remove(retired)  # type: ignore[union-attr]
    body = "".join(etree.tostring(child, encoding="unicode") for child in settings)
    session = wire.login().session
    assert wire.update(session, body).text("success") == "true"
    assert wire.trusted_ranges() == []
    after = wire.read(session)
    for recorded in settings.iter():
        if len(recorded) == 0 and (recorded.text or "").strip():
            assert after.text(etree.QName(recorded).localname) == recorded.text


def test_the_token_mail_has_the_recorded_lines(wire: Wire, recordings: Path) -> None:
    wire.commands.reset_token(wire.admin.username)
    mail = wire.commands.mails()[0]
    ours = f"Subject: {mail['subject']}\n{mail['body']}"
    token = wire.sim.admin.security_token
    pattern = (recordings / "token-email/token-email.pattern.txt").read_text()
    expected = pattern.replace("integration@example.com", wire.admin.username)
    expected = expected.replace("FAKEfake0000FAKEfake00001", token)
    assert [line for line in expected.splitlines() if line and line not in ours] == []


def test_a_list_of_components(wire: Wire, recordings: Path) -> None:
    session = wire.login().session
    query = "<queries><type>{}</type></queries>"
    ours = wire.call(session, f"<listMetadata>{query.format('Profile')}</listMetadata>").root
    recorded = read(recordings / "metaforce/list_metadata/objects.xml")
    since, ended = {"manageableState"}, {"namespacePrefix"}
    assert outline(ours, without=since) == outline(recorded, without=ended)
    empty = wire.call(session, f"<listMetadata>{query.format('PermissionSet')}</listMetadata>").root
    assert outline(empty) == outline(read(recordings / "metaforce/list_metadata/no_result.xml"))
