# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches of an org: for everything that is not settled about Salesforce, both answers can be played.

Each switch says which fact is open (UNKNOWN) or only REPORTED; the first value named is the default.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from .addresses import Ipv4Notation, Ipv6Notation, LimitRegime


@dataclass(frozen=True)
class Switches:
    """Behaviour of one org."""

    # -- login -------------------------------------------------------------------------------------------------------
    # Whether profile ranges and hours are looked at before the password: REPORTED that they are.
    range_check: Literal["before_credentials", "after_credentials"] = "before_credentials"
    # A token appended where none is needed: accepted in practice, UNKNOWN by the documents.
    token_from_trusted: Literal["accepted", "refused"] = "accepted"
    # Wire code of the right password without a token: both are seen.
    missing_token: Literal["LOGIN_MUST_USE_SECURITY_TOKEN", "INVALID_LOGIN"] = "LOGIN_MUST_USE_SECURITY_TOKEN"
    # LoginHistory's text for a wrong token: that it is the one of a wrong password is an inference.
    wrong_token_status: Literal["Invalid password", "Failed: API security token required"] = "Invalid password"
    # Whether a missing token counts towards lockout (documented for identity prompts; for this case UNKNOWN).
    missing_token_counts: bool = False
    # A locked-out user: in practice INVALID_LOGIN; the code PASSWORD_LOCKOUT exists.
    lockout_code: Literal["INVALID_LOGIN", "PASSWORD_LOCKOUT"] = "INVALID_LOGIN"
    # Logins per user and hour (CONFIRMED 3,600); its wire code is UNKNOWN.
    login_rate: int = 3600
    rate_limit_code: Literal["INVALID_LOGIN", "REQUEST_LIMIT_EXCEEDED"] = "INVALID_LOGIN"
    # The answer to a login at version 65 and above: UNKNOWN.
    login_v65: Literal["INVALID_OPERATION", "UNSUPPORTED_API_VERSION"] = "INVALID_OPERATION"
    # Whether an org with SOAP login off looks at the credentials first: UNKNOWN.
    soap_login_off_check: Literal["first", "last"] = "first"
    # The code of a login through a host that the org does not allow: UNKNOWN.
    wrong_host_code: Literal["INVALID_LOGIN", "LOGIN_DURING_RESTRICTED_DOMAIN"] = "INVALID_LOGIN"
    # `faultcode` is seen as `sf:CODE` and bare.
    faultcode: Literal["prefixed", "bare"] = "prefixed"
    # LoginHistory capitalisation varies: `Invalid password`, `Invalid Password`.
    status_case: Literal["sentence", "title"] = "sentence"
    # Whether SOQL gives LoginType's value (`OtherApi`) or label (`Other Apex API`): UNKNOWN.
    login_type: Literal["label", "value"] = "label"
    # Repeated logins of one user may share one session (REPORTED).
    share_sessions: bool = False
    # *Use Any API Auth*: required of new orgs since Summer '26, of all with Winter '27.
    require_use_any_api_auth: bool = False

    # -- login by an app ---------------------------------------------------------------------------------------------
    # `authentication failure` alone (REPORTED, modern), or followed by LoginHistory's status (CONFIRMED, older).
    oauth_error_text: Literal["bare", "with_status"] = "bare"
    # The answer to the password flow where it is switched off: REPORTED as an authentication failure.
    blocked_flow_error: Literal["invalid_grant", "unsupported_grant_type"] = "invalid_grant"
    # An expired password: a session that may do nothing else, or (REPORTED by one client's tests) a refusal.
    oauth_expired_password: Literal["session", "refused"] = "session"
    # Both texts are seen for a wrong audience.
    jwt_audience_text: Literal["Audience validation failed", "audience is invalid"] = "Audience validation failed"
    # Whether an app that relaxes IP restrictions makes the security token unnecessary: UNKNOWN.
    relaxed_app_needs_token: bool = True
    # Whether a refresh leaves a row in LoginHistory: REPORTED that it may not.
    refresh_recorded: bool = False

    # -- sessions ----------------------------------------------------------------------------------------------------
    invalid_session_text: Literal["short", "long"] = "short"
    # The code for a request from outside the profile's ranges under enforceIpRangesEveryRequest: UNKNOWN.
    enforced_range_code: Literal["INVALID_SESSION_ID", "LOGIN_DURING_RESTRICTED_DOMAIN"] = "INVALID_SESSION_ID"

    # -- metadata ----------------------------------------------------------------------------------------------------
    # Notation and order of ranges on read: UNKNOWN.
    ipv4_notation: Ipv4Notation = "dotted"
    ipv6_notation: Ipv6Notation = "compressed"
    range_order: Literal["stored", "reversed", "shuffled"] = "stored"
    # Duplicates (UNKNOWN): kept as sent, silently dropped, or refused.
    duplicate_ranges: Literal["kept", "dropped", "refused"] = "kept"
    range_limits: LimitRegime = "total"
    # Longest description of a range: UNKNOWN, 255 is a guess; 0 means none.
    description_cap: int = 255
    # Status codes of bad ranges: UNKNOWN. `specific` uses INVALID_INET_ADDRESS and IP_RANGE_LIMIT_EXCEEDED of the enum.
    range_error_code: Literal["FIELD_INTEGRITY_EXCEPTION", "specific"] = "FIELD_INTEGRITY_EXCEPTION"
    # An empty `loginIpRanges` element: UNKNOWN.
    empty_login_ip_ranges: Literal["ignored", "refused", "removes"] = "ignored"
    # A non-empty list of loginIpRanges: REPORTED to replace; one note could mean that it merges.
    profile_ranges_write: Literal["replace", "merge"] = "replace"
    # Missing components: nil records (CONFIRMED) or only a full name (REPORTED).
    missing_component: Literal["nil", "full_name"] = "nil"
    # Missing permission is a fault or a status: UNKNOWN.
    insufficient_access: Literal["fault", "status"] = "fault"
    # Whether Metadata API writes of trusted ranges need *Manage IP Addresses* too: UNKNOWN. Same for profiles.
    manage_ip_addresses_checked: bool = False
    manage_profiles_checked: bool = False
    # `xsi:type` values may come prefixed.
    prefixed_types: bool = False
    # Audit rows of trusted ranges: Action names and texts UNKNOWN; `addresses` is INVENTED after the profile texts.
    trusted_range_audit: Literal["addresses", "no_addresses", "none"] = "addresses"

    # -- REST, queries and passwords ---------------------------------------------------------------------------------
    # What reading SetupAuditTrail needs (*View Setup Audit Trail* is REPORTED from Spring '27).
    audit_trail_permission: Literal["ViewSetup", "ViewSetupAuditTrail", "none"] = "ViewSetup"
    # SourceIp is marked filterable in one table and not in the other (CONFIRMED inconsistency).
    source_ip_filterable: bool = True
    query_batch_size: int = 2000
    # Whether setPassword by an administrator kills the token, and mails a new one: UNKNOWN.
    set_password_kills_token: bool = True
    token_mail: Literal["after_first_reset", "always", "never"] = "after_first_reset"
    # Documents show single objects as errors of the password resource; real REST errors are arrays.
    password_errors: Literal["array", "object"] = "array"
    # *Allow use of setPassword API for self-resets*.
    self_set_password: bool = True
    # Which password changeOwnPassword looks at first, when both are wrong: UNKNOWN.
    own_change_check: Literal["old_first", "new_first"] = "old_first"
    # Whether sessions outlive a change of the own password: UNKNOWN.
    own_change_sessions: Literal["kept", "others_ended", "ended"] = "kept"

    # -- pages that reset the security token ---------------------------------------------------------------------------
    # What makes the button: UNKNOWN. `button` is a script, as other pages of Setup have it.
    token_reset_page: Literal["form", "get_form", "link", "button"] = "form"
    # A GET of the second page resets (REPORTED); whether it may ask for a POST with a token against forgery: UNKNOWN.
    token_reset_csrf: Literal["none", "post"] = "none"
    # The answer to a reset: UNKNOWN. `other_words` is a page in which no machine can tell what has happened.
    token_reset_answer: Literal["page", "redirect", "other_words"] = "page"
    # Whether the audit trail tells of a reset: UNKNOWN, and its Action is INVENTED.
    token_reset_audit: Literal["none", "invented"] = "none"
    # Whether pages take a session of the API that did not come through frontdoor.jsp: REPORTED for some pages.
    page_session: Literal["bridged", "any"] = "bridged"
    # How a page sends somebody without a session to the login page.
    no_page_session: Literal["redirect", "script"] = "redirect"

    def changed(self, values: dict[str, Any]) -> Switches:
        """A copy with some switches set, names and values checked."""
        hints = typing.get_type_hints(Switches)
        for name, value in values.items():
            if name not in hints:
                raise ValueError(f"unknown switch {name!r}; there are {', '.join(sorted(hints))}")
            hint = hints[name]
            valid = value in get_args(hint) if get_origin(hint) is Literal else value.__class__ is hint
            if not valid:
                raise ValueError(f"switch {name} cannot be {value!r}: {get_args(hint) or hint.__name__}")
        return dataclasses.replace(self, **values)
