# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages for the tests of deployments, made without the product's own code."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import escape

from lxml import etree

from tests.simulated_org import soap

from .apps import key_pair
from .wire import Answer, Wire

FOLDERS = {
    "ExternalClientApplication": ("externalClientApps", "eca"),
    "ExtlClntAppOauthSettings": ("extlClntAppOauthSettings", "ecaOauth"),
    "ExtlClntAppGlobalOauthSettings": ("extlClntAppGlobalOauthSets", "ecaGlblOauth"),
    "ExtlClntAppOauthConfigurablePolicies": ("extlClntAppOauthPolicies", "ecaOauthPlcy"),
    "ExtlClntAppConfigurablePolicies": ("extlClntAppPolicies", "ecaPlcy"),
    "PermissionSet": ("permissionsets", "permissionset"),
    "Profile": ("profiles", "profile"),
    "ExternalClientAppSettings": ("settings", "settings"),
    "SecuritySettings": ("settings", "settings"),
}
APP, OAUTH, GLOBAL, OAUTH_POLICY, POLICY = tuple(FOLDERS)[:5]
NAMES = {
    APP: "Billing",
    OAUTH: "Billing_oauth",
    GLOBAL: "Billing_global",
    OAUTH_POLICY: "Billing_oauth_defaultPolicy",
    POLICY: "Billing_defaultPolicy",
}
Elements = Mapping[str, str]
Component = tuple[str, str, Elements | str]


def five(**changes: Elements) -> list[Component]:
    """The five components of an app `Billing` for JWT; a change replaces elements of a type (None: leaves one out)."""
    parent = {"externalClientApplication": "Billing"}
    elements: dict[str, dict[str, str]] = {
        APP: {"contactEmail": "ops@acme.example", "distributionState": "Local", "label": "Billing robots"},
        OAUTH: {"commaSeparatedOauthScopes": "Api, RefreshToken", **parent},
        GLOBAL: {"callbackUrl": "https://localhost/none", "certificate": key_pair()[1], **parent},
        OAUTH_POLICY: {
            "commaSeparatedPermissionSet": "Billing_access",
            **parent,
            "ipRelaxationPolicyType": "Enforce",
            "permittedUsersPolicyType": "AdminApprovedPreAuthorized",
        },
        POLICY: {**parent, "isEnabled": "true", "isOauthPluginEnabled": "true"},
    }
    for kind, values in changes.items():
        elements[kind] |= values
    return [(kind, NAMES[kind], one) for kind, one in elements.items()]


def xml(kind: str, elements: Elements | str) -> str:
    """A component's file; elements in alphabetical order, which is the schema's."""
    if isinstance(elements, str):
        body = elements
    else:
        body = "".join(f"<{name}>{escape(elements[name])}</{name}>" for name in sorted(elements) if elements[name])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind} xmlns="{soap.METADATA}">{body}</{kind}>'


def package(
    components: list[Component], *, delete: list[tuple[str, str]] | None = None, version: str = "66.0", folder: str = ""
) -> bytes:
    """A zip with these components, and a list of what goes afterwards."""
    files = {}
    for kind, name, elements in components:
        place, suffix = FOLDERS[kind]
        files[f"{place}/{name}.{suffix}"] = xml(kind, elements)
    files["package.xml"] = manifest([(kind, name) for kind, name, _unused in components], version)
    if delete:
        files["destructiveChangesPost.xml"] = manifest(delete, version)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path, text in files.items():
            archive.writestr(f"{folder}{path}", text)
    return written.getvalue()


def manifest(members: list[tuple[str, str]], version: str = "66.0") -> str:
    types = "".join(
        f"<types><members>{escape(name)}</members>"
        f"<name>{'Settings' if kind.endswith('Settings') and kind not in (OAUTH, GLOBAL) else kind}</name></types>"
        for kind, name in members
    )
    return f'<Package xmlns="{soap.METADATA}">{types}<version>{version}</version></Package>'


def deploy(wire: Wire, session: str, data: bytes, **options: bool) -> Answer:
    """Deploy by SOAP, and give back what the status says of it."""
    settings = {"rollbackOnError": True, "singlePackage": True, **options}
    listed = "".join(f"<{name}>{str(value).lower()}</{name}>" for name, value in settings.items())
    body = (
        f"<deploy><ZipFile>{base64.b64encode(data).decode()}</ZipFile><DeployOptions>{listed}</DeployOptions></deploy>"
    )
    return status(wire, session, wire.call(session, body, version="66.0").text("id") or "")


def status(wire: Wire, session: str, deploy_id: str) -> Answer:
    body = (
        f"<checkDeployStatus><asyncProcessId>{deploy_id}</asyncProcessId><includeDetails>true</includeDetails>"
        "</checkDeployStatus>"
    )
    return wire.call(session, body, version="66.0")


def problems(answer: Answer) -> dict[str, str]:
    """What is wrong with which component."""
    failures = answer.root.iter("{*}componentFailures")
    return {soap.child_text(one, "fullName") or "": soap.child_text(one, "problem") or "" for one in failures}


def read(wire: Wire, session: str, kind: str, name: str) -> dict[str, str]:
    """A component's elements; an empty mapping where there is none."""
    records = wire.read(session, kind, name, version="66.0").root.iter("{*}records")
    return {etree.QName(one).localname: soap.content(one) for record in records for one in record}
