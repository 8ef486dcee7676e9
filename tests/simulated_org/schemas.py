# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements of the metadata types of External Client Apps, in the order of the WSDL (CONFIRMED), and reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from . import soap
from .errors import ClientFault
from .save import Element, Failure

TEXT: tuple[str, ...] = ()
BOOLEAN = ("true", "false")
NUMBER = ("0",)
# With elements of its own; kept as it comes.
NESTED = ("<>",)

APP = "ExternalClientApplication"
OAUTH = "ExtlClntAppOauthSettings"
GLOBAL = "ExtlClntAppGlobalOauthSettings"
OAUTH_POLICY = "ExtlClntAppOauthConfigurablePolicies"
POLICY = "ExtlClntAppConfigurablePolicies"
PARENT = "externalClientApplication"
IP_RELAXATION = ("Enforce", "Bypass", "Bypass_2factor", "Enforce_RelaxRefresh")


@dataclass(frozen=True)
class Schema:
    """One type: its place in a package, and its elements with what each may hold."""

    name: str
    folder: str
    suffix: str
    elements: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...] = ()
    # Elements that exist in some versions only, first and last one.
    versions: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))
    # What an element holds that nobody has sent.
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


SCHEMAS = {
    one.name: one
    for one in (
        Schema(
            APP,
            "externalClientApps",
            "eca",
            {
                "contactEmail": TEXT,
                "contactPhone": TEXT,
                "description": TEXT,
                "distributionState": ("Local", "Packaged", "Managed", "AutoInstalled"),
                "iconUrl": TEXT,
                "infoUrl": TEXT,
                "isProtected": BOOLEAN,
                "label": TEXT,
                "logoUrl": TEXT,
                "managedType": ("Local", "Global"),
                "orgScopedExternalApp": TEXT,
            },
            defaults={"distributionState": "Local", "isProtected": "false"},
        ),
        Schema(
            OAUTH,
            "extlClntAppOauthSettings",
            "ecaOauth",
            {
                "areAttributesIncludedInAssetToken": BOOLEAN,
                "areCustomPermsIncludedInAssetToken": BOOLEAN,
                "assetTokenAudiences": TEXT,
                "assetTokenSigningCertificate": TEXT,
                "assetTokenValidity": NUMBER,
                "clientAssertionCertificate": TEXT,
                "commaSeparatedCustomScopes": TEXT,
                "commaSeparatedOauthScopes": TEXT,
                "customAttributes": NESTED,
                PARENT: TEXT,
                "isFirstPartyAppEnabled": BOOLEAN,
                "label": TEXT,
                "oauthLink": TEXT,
                "singleLogoutUrl": TEXT,
                "trustedIpRanges": NESTED,
            },
            required=(PARENT,),
        ),
        Schema(
            GLOBAL,
            "extlClntAppGlobalOauthSets",
            "ecaGlblOauth",
            {
                "callbackUrl": TEXT,
                "certificate": TEXT,
                "consumerKey": TEXT,
                "consumerSecret": TEXT,
                PARENT: TEXT,
                "idTokenConfig": NESTED,
                "isClientCredentialsFlowEnabled": BOOLEAN,
                "isCodeCredFlowEnabled": BOOLEAN,
                "isCodeCredPostOnly": BOOLEAN,
                "isConsumerSecretOptional": BOOLEAN,
                "isDPopEnabled": BOOLEAN,
                "isDeviceFlowEnabled": BOOLEAN,
                "isEnforceRefreshTokenTTL": BOOLEAN,
                "isIntrospectAllTokens": BOOLEAN,
                "isNamedUserJwtEnabled": BOOLEAN,
                "isPkceRequired": BOOLEAN,
                "isRefreshTokenRotationEnabled": BOOLEAN,
                "isSecretRequiredForRefreshToken": BOOLEAN,
                "isSecretRequiredForTokenExchange": BOOLEAN,
                "isTokenExchangeEnabled": BOOLEAN,
                "label": TEXT,
                "shouldRotateConsumerKey": BOOLEAN,
                "shouldRotateConsumerSecret": BOOLEAN,
            },
            required=(PARENT,),
            versions={
                "certificate": (60, 999),
                "isClientCredentialsFlowEnabled": (60, 999),
                # REPORTED of a retrieve at version 67; where they begin is UNKNOWN.
                "isDPopEnabled": (67, 999),
                "isEnforceRefreshTokenTTL": (67, 999),
            },
        ),
        Schema(
            OAUTH_POLICY,
            "extlClntAppOauthPolicies",
            "ecaOauthPlcy",
            {
                "apexHandler": TEXT,
                "clientCredentialsFlowUser": TEXT,
                "commaSeparatedCustomScopes": TEXT,
                "commaSeparatedPermissionSet": TEXT,
                "commaSeparatedProfile": TEXT,
                "customAttributes": NESTED,
                "executeHandlerAs": TEXT,
                PARENT: TEXT,
                "guestJwtSessionTimeoutType": TEXT,
                "guestJwtTimeout": NUMBER,
                "ipRelaxationPolicyType": TEXT,  # checked by itself, without case
                "isClientCredentialsFlowEnabled": BOOLEAN,
                "isGuestCodeCredFlowEnabled": BOOLEAN,
                "isNamedUserJwtEnabled": BOOLEAN,
                "isTokenExchangeFlowEnabled": BOOLEAN,
                "label": TEXT,
                "namedUserJwtSessionTimeoutType": TEXT,
                "namedUserJwtTimeout": NUMBER,
                "permittedUsersPolicyType": ("AllSelfAuthorized", "AdminApprovedPreAuthorized"),
                "policyAction": ("Block", "RaiseSessionLevel"),
                "refreshTokenPolicyType": ("Infinite", "Zero", "SpecificLifetime", "SpecificInactivity"),
                "refreshTokenValidityPeriod": NUMBER,
                "refreshTokenValidityUnit": TEXT,
                "requiredSessionLevel": ("LOW", "STANDARD", "HIGH_ASSURANCE"),
                "sessionTimeoutInMinutes": NUMBER,
                "singleLogoutUrl": TEXT,
                "startUrl": TEXT,
            },
            required=(PARENT,),
            versions={
                "isNamedUserJwtEnabled": (61, 63),
                "guestJwtSessionTimeoutType": (65, 999),
                "namedUserJwtSessionTimeoutType": (65, 999),
            },
            # REPORTED x3.
            defaults={
                "ipRelaxationPolicyType": "Enforce",
                "isClientCredentialsFlowEnabled": "false",
                "permittedUsersPolicyType": "AllSelfAuthorized",
                "refreshTokenPolicyType": "SpecificLifetime",
                "refreshTokenValidityPeriod": "365",
                "refreshTokenValidityUnit": "Days",
                "requiredSessionLevel": "STANDARD",
            },
        ),
        Schema(
            POLICY,
            "extlClntAppPolicies",
            "ecaPlcy",
            {
                PARENT: TEXT,
                "isEnabled": BOOLEAN,
                "isMobilePluginEnabled": BOOLEAN,
                "isNotificationPluginEnabled": BOOLEAN,
                "isOauthPluginEnabled": BOOLEAN,
                "isPushPluginEnabled": BOOLEAN,
                "isSamlPluginEnabled": BOOLEAN,
                "label": TEXT,
                "startPage": ("None", "Custom", "OAuth", "SAML"),
                "startUrl": TEXT,
            },
            required=(PARENT, "isEnabled"),
            # REPORTED x3.
            defaults={"isEnabled": "true", "isOauthPluginEnabled": "true"},
        ),
    )
}


def read(schema: Schema, element: Element, version: float, *, drop_misplaced: bool) -> dict[str, str]:
    """Read the values of a component; of elements in a wrong order, the later ones are refused or dropped in silence.

    Raises ClientFault or Failure. The texts are INVENTED for these types, after those of others.
    """
    names = list(schema.elements)
    values: dict[str, str] = {}
    last = 0
    for child in element:
        name = soap.local_name(child)
        if name == "fullName":
            continue
        first, final = schema.versions.get(name, (0, 999))
        if name not in schema.elements or soap.namespace(child) != soap.METADATA:
            raise _misplaced(child, schema.name)
        if not first <= version <= final:
            raise ClientFault(f"Property '{name}' not valid in version {version:.1f}")
        if names.index(name) < last:
            if drop_misplaced:
                continue
            raise _misplaced(child, schema.name)
        last = names.index(name)
        if not soap.is_nil(child):
            values[name] = _value(schema, name, child, values)
    return values


def _misplaced(child: Element, type_name: str) -> ClientFault:
    name = f"{{{soap.namespace(child)}}}{soap.local_name(child)}"
    return ClientFault(f"Element {name} invalid at this location in type {type_name}")


def _value(schema: Schema, name: str, child: Element, values: Mapping[str, str]) -> str:
    allowed = schema.elements[name]
    if allowed is NESTED:
        return values.get(name, "") + _plain(child)
    text = soap.content(child).strip()
    wrong = not text.lstrip("-").isdigit() if allowed is NUMBER else bool(allowed) and text not in allowed
    if allowed is BOOLEAN and text in ("0", "1"):
        return BOOLEAN[text == "0"]
    if wrong:
        raise Failure("INVALID_FIELD", f"'{text}' is not a valid value for the enum or type of {name}", [name])
    return text


def _plain(element: Element) -> str:
    """Write an element with its leaves, without prefixes."""
    name = soap.local_name(element)
    return (
        f"<{name}>{''.join(map(_plain, element))}</{name}>" if len(element) else soap.tag(name, soap.content(element))
    )


def render(schema: Schema, full_name: str, values: Mapping[str, str], version: float) -> str:
    """Write the elements in schema order, as far as the version has them."""
    shown = soap.tag("fullName", full_name)
    for name, allowed in schema.elements.items():
        first, final = schema.versions.get(name, (0, 999))
        value = values.get(name)
        if value is not None and first <= version <= final:
            shown += value if allowed is NESTED else soap.tag(name, value)
    return shown
