# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SecuritySettings beside the ranges: names in schema order, defaults and allowed values (CONFIRMED)."""

from __future__ import annotations

BOOLEAN: tuple[str, ...] = ("false", "true")
TEXT: tuple[str, ...] = ()

COMPLEXITY = (
    "NoRestriction",
    "AlphaNumeric",
    "SpecialCharacters",
    "UpperLowerCaseNumeric",
    "UpperLowerCaseNumericSpecialCharacters",
    "Any3UpperLowerCaseNumericSpecialCharacters",
)
EXPIRATION_DAYS = {"ThirtyDays": 30, "SixtyDays": 60, "NinetyDays": 90, "SixMonths": 182, "OneYear": 365, "Never": 0}
LOCKOUT_MINUTES = {"FifteenMinutes": 15, "ThirtyMinutes": 30, "SixtyMinutes": 60, "Forever": 0}
MAX_ATTEMPTS = {"ThreeAttempts": 3, "FiveAttempts": 5, "TenAttempts": 10, "NoLimit": 0}
TIMEOUT_MINUTES = {
    "TwentyFourHours": 1440,
    "TwelveHours": 720,
    "EightHours": 480,
    "FourHours": 240,
    "TwoHours": 120,
    "NinetyMinutes": 90,
    "SixtyMinutes": 60,
    "ThirtyMinutes": 30,
    "FifteenMinutes": 15,
}

# Each entry: allowed values (none: any text).
SECURITY_FLAGS = {
    "canUsersGrantLoginAccess": BOOLEAN,
    "enableAdminLoginAsAnyUser": BOOLEAN,
    "enableAuditFieldsInactiveOwner": BOOLEAN,
    "enableAuraSecureEvalPref": BOOLEAN,
    "enableCoepHeader": BOOLEAN,
    "enableCoopHeader": BOOLEAN,
    "enableCrossOrgRedirects": BOOLEAN,
    "enablePermissionsPolicy": BOOLEAN,
    "enableRequireHttpsConnection": BOOLEAN,
    "redirectBlockModeEnabled": BOOLEAN,
    "sendCspForUncommonClients": BOOLEAN,
}
PASSWORD_POLICIES: dict[str, tuple[str, ...]] = {
    "apiOnlyUserHomePageURL": TEXT,
    "complexity": COMPLEXITY,
    "expiration": tuple(EXPIRATION_DAYS),
    "historyRestriction": TEXT,
    "lockoutInterval": tuple(LOCKOUT_MINUTES),
    "maxLoginAttempts": tuple(MAX_ATTEMPTS),
    "minimumPasswordLength": TEXT,
    "minimumPasswordLifetime": BOOLEAN,
    "obscureSecretAnswer": BOOLEAN,
    "passwordAssistanceMessage": TEXT,
    "passwordAssistanceURL": TEXT,
    "questionRestriction": ("None", "DoesNotContainPassword"),
}
SESSION_SETTINGS: dict[str, tuple[str, ...]] = {
    "allowUserAuthenticationByCertificate": BOOLEAN,
    "allowUserCertBasedAuthenticationWithOcspValidation": BOOLEAN,
    "canConfirmEmailChangeInLightningCommunities": BOOLEAN,
    "canConfirmIdentityBySmsOnly": BOOLEAN,
    "disableTimeoutWarning": BOOLEAN,
    "enableBuiltInAuthenticator": BOOLEAN,
    "enableCSPOnEmail": BOOLEAN,
    "enableCSRFOnGet": BOOLEAN,
    "enableCSRFOnPost": BOOLEAN,
    "enableCacheAndAutocomplete": BOOLEAN,
    "enableClickjackNonsetupSFDC": BOOLEAN,
    "enableClickjackNonsetupUser": BOOLEAN,
    "enableClickjackNonsetupUserHeaderless": BOOLEAN,
    "enableClickjackSetup": BOOLEAN,
    "enableCoepHeader": BOOLEAN,
    "enableContentSniffingProtection": BOOLEAN,
    "enableCoopHeader": BOOLEAN,
    "enableLightningLogin": BOOLEAN,
    "enableLightningLoginOnlyWithUserPerm": BOOLEAN,
    "enableMFADirectUILoginOptIn": BOOLEAN,
    "enableOauthCorsPolicy": BOOLEAN,
    "enablePermissionsPolicy": BOOLEAN,
    "enablePostForSessions": BOOLEAN,
    "enableSMSIdentity": BOOLEAN,
    "enableU2F": BOOLEAN,
    "enforceIpRangesEveryRequest": BOOLEAN,
    "enforceUserDeviceRevoked": BOOLEAN,
    "forceLogoutOnSessionTimeout": BOOLEAN,
    "forceRelogin": BOOLEAN,
    "grantCameraAccess": TEXT,
    "grantMicrophoneAccess": TEXT,
    "hasRetainedLoginHints": BOOLEAN,
    "hasUserSwitching": BOOLEAN,
    "hstsOnForcecomSites": BOOLEAN,
    "identityConfirmationOnEmailChange": BOOLEAN,
    "identityConfirmationOnTwoFactorRegistrationEnabled": BOOLEAN,
    "lockSessionsToDomain": BOOLEAN,
    "lockSessionsToIp": BOOLEAN,
    "lockerServiceAPIVersion": TEXT,
    "lockerServiceCSP": BOOLEAN,
    "lockerServiceNext": BOOLEAN,
    "lockerServiceNextControl": BOOLEAN,
    "logoutURL": TEXT,
    "redirectBlockModeEnabled": BOOLEAN,
    "redirectionWarning": BOOLEAN,
    "referrerPolicy": BOOLEAN,
    "referrerPolicyDirective": TEXT,
    "requireHttpOnly": BOOLEAN,
    "sendCspForUncommonClients": BOOLEAN,
    "sessionTimeout": tuple(TIMEOUT_MINUTES),
    "sidToken3rdPartyAuraApp": BOOLEAN,
    "skipSFAWhenMFADirectUILogin": BOOLEAN,
    "terminateUserSessionsWhenAdminResetsPassword": BOOLEAN,
    "useEAPIRateLimitForConnectAPI": BOOLEAN,
    "useLocalStorageForLogoutUrl": BOOLEAN,
    "welcomeEmailTemplateId": TEXT,
}

EXTERNAL_CLIENT_APP_SETTINGS = {
    "enableClientSecretInRestApiAccess": BOOLEAN,
    "enableConsumerSecretApiAccess": BOOLEAN,
    "enablePackageEcaOauthFromDevOrg": BOOLEAN,
}
OAUTH_SETTINGS = {
    "blockOAuthUnPwFlow": BOOLEAN,
    "blockOAuthUsrAgtFlow": BOOLEAN,
    "isPkceRequired": BOOLEAN,
    "oAuthCdCrdtFlowEnable": BOOLEAN,
}

DEFAULT_EXTERNAL_CLIENT_APP_SETTINGS = dict.fromkeys(EXTERNAL_CLIENT_APP_SETTINGS, "false")
DEFAULT_FLAGS = {"canUsersGrantLoginAccess": "true", "enableAdminLoginAsAnyUser": "false"}
DEFAULT_PASSWORD_POLICIES = {
    "complexity": "AlphaNumeric",
    "expiration": "NinetyDays",
    "historyRestriction": "3",
    "lockoutInterval": "FifteenMinutes",
    "maxLoginAttempts": "TenAttempts",
    "minimumPasswordLength": "8",
    "minimumPasswordLifetime": "false",
    "obscureSecretAnswer": "false",
    "questionRestriction": "DoesNotContainPassword",
}
DEFAULT_SESSION_SETTINGS = {
    "disableTimeoutWarning": "false",
    "enableCSRFOnGet": "true",
    "enableCSRFOnPost": "true",
    "enforceIpRangesEveryRequest": "false",
    "forceLogoutOnSessionTimeout": "false",
    "lockSessionsToDomain": "true",
    "lockSessionsToIp": "false",
    "requireHttpOnly": "false",
    "sessionTimeout": "TwoHours",
}


def problem(schema: dict[str, tuple[str, ...]], values: dict[str, str]) -> str | None:
    """What is wrong with these values, if anything."""
    for name, value in values.items():
        if name not in schema:
            return f"unknown setting {name}"
        if schema[name] and value not in schema[name]:
            return f"invalid value {value!r} for {name}"
    return None
