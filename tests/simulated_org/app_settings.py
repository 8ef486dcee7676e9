# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of an org that concern all its apps."""

from __future__ import annotations

from . import settings, soap
from .save import Change, Element, Failure, Saving, check_elements
from .state import Org


def render_external_client_apps(org: Org, name: str, version: float) -> str | None:
    shown = org.external_client_app_settings
    if version < 62:
        shown = {key: value for key, value in shown.items() if key != "enableClientSecretInRestApiAccess"}
    return soap.tag("fullName", "ExternalClientApp") + "".join(soap.tag(key, value) for key, value in shown.items())


def save_external_client_apps(saving: Saving, element: Element) -> Change:
    org = saving.caller.org
    values = _settings(element, settings.EXTERNAL_CLIENT_APP_SETTINGS, "ExternalClientAppSettings")
    changed = values.items() - org.external_client_app_settings.items()
    org.external_client_app_settings.update(values)
    return Change(changed=bool(changed))


def render_oauth(org: Org, name: str, version: float) -> str | None:
    blocked = str(not org.username_password_flow_enabled).lower()
    return soap.tag("fullName", "OauthOidc") + soap.tag("blockOAuthUnPwFlow", blocked)


def save_oauth(saving: Saving, element: Element) -> Change:
    org = saving.caller.org
    values = _settings(element, settings.OAUTH_SETTINGS, "OauthOidcSettings")
    before = org.username_password_flow_enabled
    org.username_password_flow_enabled = values.get("blockOAuthUnPwFlow", str(not before).lower()) != "true"
    return Change(changed=before != org.username_password_flow_enabled)


def _settings(element: Element, schema: dict[str, tuple[str, ...]], type_name: str) -> dict[str, str]:
    check_elements(element, {*schema, "fullName"}, type_name)
    values = {soap.local_name(one): soap.content(one).strip() for one in element if not soap.is_nil(one)}
    values.pop("fullName", None)
    wrong = settings.problem(schema, values)
    if wrong:
        raise Failure("FIELD_INTEGRITY_EXCEPTION", wrong)
    return values
