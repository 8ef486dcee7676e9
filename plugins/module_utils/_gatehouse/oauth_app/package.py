# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps as packages of metadata, and records of metadata as components. Pure.

Only elements that every version of the API since 60.0 takes are sent, in the order of the WSDL: in another order they
are refused, or dropped in silence (REPORTED, both). A record that was read is never sent back whole: some of its
elements make a package invalid, others would replace the consumer key.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .model import APP, GLOBAL, OAUTH, OAUTH_POLICY, PARENT, POLICY, Component

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
FILES = {
    APP: ("externalClientApps", "eca"),
    OAUTH: ("extlClntAppOauthSettings", "ecaOauth"),
    GLOBAL: ("extlClntAppGlobalOauthSets", "ecaGlblOauth"),
    OAUTH_POLICY: ("extlClntAppOauthPolicies", "ecaOauthPlcy"),
    POLICY: ("extlClntAppPolicies", "ecaPlcy"),
    "PermissionSet": ("permissionsets", "permissionset"),
}
# What may be sent. Left out are orgScopedExternalApp and oauthLink, which are the org's own; consumerKey,
# consumerSecret and what rotates them; and isNamedUserJwtEnabled of policies, which most versions refuse.
ELEMENTS: Mapping[str, Sequence[str]] = {
    APP: (
        "contactEmail",
        "contactPhone",
        "description",
        "distributionState",
        "iconUrl",
        "infoUrl",
        "isProtected",
        "label",
        "logoUrl",
        "managedType",
    ),
    OAUTH: (
        "areAttributesIncludedInAssetToken",
        "areCustomPermsIncludedInAssetToken",
        "assetTokenAudiences",
        "assetTokenSigningCertificate",
        "assetTokenValidity",
        "clientAssertionCertificate",
        "commaSeparatedCustomScopes",
        "commaSeparatedOauthScopes",
        "customAttributes",
        PARENT,
        "isFirstPartyAppEnabled",
        "label",
        "singleLogoutUrl",
        "trustedIpRanges",
    ),
    GLOBAL: (
        "callbackUrl",
        "certificate",
        PARENT,
        "idTokenConfig",
        "isClientCredentialsFlowEnabled",
        "isCodeCredFlowEnabled",
        "isCodeCredPostOnly",
        "isConsumerSecretOptional",
        "isDPopEnabled",
        "isDeviceFlowEnabled",
        "isEnforceRefreshTokenTTL",
        "isIntrospectAllTokens",
        "isNamedUserJwtEnabled",
        "isPkceRequired",
        "isRefreshTokenRotationEnabled",
        "isSecretRequiredForRefreshToken",
        "isSecretRequiredForTokenExchange",
        "isTokenExchangeEnabled",
        "label",
    ),
    OAUTH_POLICY: (
        "apexHandler",
        "clientCredentialsFlowUser",
        "commaSeparatedCustomScopes",
        "commaSeparatedPermissionSet",
        "commaSeparatedProfile",
        "customAttributes",
        "executeHandlerAs",
        PARENT,
        "guestJwtSessionTimeoutType",
        "guestJwtTimeout",
        "ipRelaxationPolicyType",
        "isClientCredentialsFlowEnabled",
        "isGuestCodeCredFlowEnabled",
        "isTokenExchangeFlowEnabled",
        "label",
        "namedUserJwtSessionTimeoutType",
        "namedUserJwtTimeout",
        "permittedUsersPolicyType",
        "policyAction",
        "refreshTokenPolicyType",
        "refreshTokenValidityPeriod",
        "refreshTokenValidityUnit",
        "requiredSessionLevel",
        "sessionTimeoutInMinutes",
        "singleLogoutUrl",
        "startUrl",
    ),
    POLICY: (
        PARENT,
        "isEnabled",
        "isMobilePluginEnabled",
        "isNotificationPluginEnabled",
        "isOauthPluginEnabled",
        "isPushPluginEnabled",
        "isSamlPluginEnabled",
        "label",
        "startPage",
        "startUrl",
    ),
    "PermissionSet": ("description", "hasActivationRequired", "label", "userPermissions"),
}


def write_package(version: str, components: Iterable[Component]) -> bytes:
    """Return the zip file that deploys these components."""
    given = list(components)
    files = {f"{FILES[one.kind][0]}/{one.name}.{FILES[one.kind][1]}": write_component(one) for one in given}
    return zip_files({"package.xml": manifest(version, given), **files})


def write_deletion(version: str, components: Iterable[Component]) -> bytes:
    """Return the zip file that deletes these components, all in one go."""
    return zip_files(
        {
            "package.xml": manifest(version, ()),
            "destructiveChangesPost.xml": manifest(version, list(components)),
        }
    )


def write_component(component: Component) -> str:
    """Return the file of a component."""
    body = "".join(
        component.nested.get(name) or f"<{name}>{escape(component.values[name])}</{name}>"
        for name in ELEMENTS[component.kind]
        if name in component.nested or name in component.values
    )
    return document(component.kind, body)


def parse_component(kind: str, record: ElementTree.Element) -> Component:
    """Return a component that was read."""
    values: dict[str, str] = {}
    nested: dict[str, str] = {}
    for child in record:
        name = _local_name(child)
        if len(child):
            nested[name] = nested.get(name, "") + _plain(child)
        elif child.text:
            values[name] = child.text.strip()
    return Component(kind, values.pop("fullName", ""), values, nested)


def permission_set_component(name: str, description: str, permissions: Sequence[str] = ()) -> Component:
    """Return a permission set as a component."""
    granted = "".join(
        f"<userPermissions><enabled>true</enabled><name>{one}</name></userPermissions>" for one in permissions
    )
    values = {"description": description, "label": name}
    return Component("PermissionSet", name, values, {"userPermissions": granted} if granted else {})


def manifest(version: str, components: Sequence[Component]) -> str:
    """Return the C(package.xml) that names components."""
    kinds = sorted({one.kind for one in components})
    types = "".join(
        "<types>"
        + "".join(f"<members>{escape(one.name)}</members>" for one in components if one.kind == kind)
        + f"<name>{kind}</name></types>"
        for kind in kinds
    )
    return document("Package", f"{types}<version>{version}</version>")


def document(root: str, body: str) -> str:
    """Return a file of metadata with that root and its content as XML."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{body}</{root}>\n'


def zip_files(files: Mapping[str, str]) -> bytes:
    """Return an archive of texts by path."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return written.getvalue()


def _plain(element: ElementTree.Element) -> str:
    """Return an element as XML without namespaces."""
    name = _local_name(element)
    inner = "".join(map(_plain, element)) if len(element) else escape(element.text or "")
    return f"<{name}>{inner}</{name}>"


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
