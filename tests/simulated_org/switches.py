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
    # The code of a login at version 65 and above: REPORTED once, with a text of its own.
    login_v65: Literal["INVALID_OPERATION", "UNSUPPORTED_API_VERSION"] = "INVALID_OPERATION"
    # Two wordings of SOAP login that is off are REPORTED.
    soap_login_off_text: Literal["SOAP API login", "SOAP API login()"] = "SOAP API login"
    # Whether an org with SOAP login off looks at the credentials first: UNKNOWN.
    soap_login_off_check: Literal["first", "last"] = "first"
    # The code of a login through a host that the org does not allow: UNKNOWN.
    wrong_host_code: Literal["INVALID_LOGIN", "LOGIN_DURING_RESTRICTED_DOMAIN"] = "INVALID_LOGIN"
    # `faultcode` is seen as `sf:CODE` and bare.
    faultcode: Literal["prefixed", "bare"] = "prefixed"
    # LoginHistory's text for a refused address: both are seen.
    restricted_ip_status: Literal["Restricted IP", "Failed: IP Restricted"] = "Restricted IP"
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
    # What the token endpoint says of login hours: UNKNOWN; of old it had one text for hours and addresses.
    oauth_hours_text: Literal["invalid login hours", "ip restricted", "ip restricted or invalid login hours"] = (
        "invalid login hours"
    )
    # Whether an app that relaxes IP restrictions makes the security token unnecessary: UNKNOWN.
    relaxed_app_needs_token: bool = True
    # Whether a refresh leaves a row in LoginHistory: REPORTED that it may not.
    refresh_recorded: bool = False
    # A refresh token that was exchanged for another one: UNKNOWN how it answers when it is shown again.
    exchanged_refresh_token: Literal["refused", "accepted_for_a_minute", "revokes_all"] = "refused"
    # A client credentials request that names a scope: REPORTED as refused.
    client_credentials_scope: Literal["refused", "ignored"] = "refused"

    # -- sessions ----------------------------------------------------------------------------------------------------
    invalid_session_text: Literal["short", "long"] = "short"
    # The code for a request from outside the profile's ranges under enforceIpRangesEveryRequest: UNKNOWN.
    enforced_range_code: Literal["INVALID_SESSION_ID", "LOGIN_DURING_RESTRICTED_DOMAIN"] = "INVALID_SESSION_ID"

    # Access tokens that are JWTs, at SOAP services before version 68: REPORTED as refused; code and text UNKNOWN.
    jwt_token_by_soap: Literal["INVALID_SESSION_ID", "INVALID_OPERATION", "accepted"] = "INVALID_SESSION_ID"

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
    # Audit rows of trusted ranges: the Action of a new one is REPORTED x1, the rest INVENTED after the profile texts.
    trusted_range_audit: Literal["createIpWhiteList", "addresses", "no_addresses", "none"] = "createIpWhiteList"
    # A list that is replaced: rows for what differs, or for all of the old list and all of the new one. UNKNOWN.
    replaced_list_audit: Literal["difference", "all"] = "difference"
    # Whether *Use Any API Auth* is there in orgs of older releases: UNKNOWN. Unknown ones are refused (REPORTED).
    use_any_api_auth_exists: bool = True
    # Permissions that need others are refused without them (REPORTED for some; that all behave so: UNKNOWN).
    permission_dependencies: Literal["refused", "accepted"] = "refused"
    # A deployment of a permission set without a permission that it has: UNKNOWN whether that goes.
    permission_left_out: Literal["kept", "removed"] = "kept"
    # How long a deployment takes.
    deploy_seconds: float = 0.0
    # A deletion of what is not there: a warning that does not count, or (by the documents) one that counts as an error.
    deploy_missing_deletion: Literal["warning", "error"] = "warning"

    # -- External Client Apps ----------------------------------------------------------------------------------------
    # How an org without them answers to their types: UNKNOWN.
    eca_off: Literal["not_available", "unknown_type"] = "not_available"
    # What writing them needs beside the permission to change metadata: REPORTED x3 that nothing (CONFIRMED text: more).
    eca_permission: Literal["metadata", "ExternalClientAppAdmin"] = "metadata"
    # createMetadata and its kin: REPORTED x1 to work for all, x1 more for policies.
    eca_crud: Literal["all", "policies", "refused"] = "all"
    # A check only of components whose app is in the same package: REPORTED x2 to work, not seen by itself.
    eca_check_of_new_app: Literal["accepted", "refused"] = "accepted"
    # Elements in a wrong order: refused, or dropped in silence (REPORTED conflict).
    eca_wrong_order: Literal["refused", "dropped"] = "refused"
    # Elements that a later write leaves out fall back to their defaults (REPORTED of an upsert).
    eca_left_out: Literal["reset", "kept"] = "reset"
    # A certificate that a later write leaves out: REPORTED as cleared.
    eca_certificate_left_out: Literal["cleared", "kept"] = "cleared"
    # A certificate on read: REPORTED x1 against x1.
    eca_certificate_read: Literal["pem", "body", "absent"] = "pem"
    # Policies that the org makes itself: REPORTED x5; their names, where made by pages of Setup, are others.
    eca_default_policies: Literal["made", "none"] = "made"
    eca_default_policy_names: Literal["default_policy", "setup"] = "default_policy"
    # A policy of another name than the org's own: UNKNOWN when it is kept, replaces the org's, or is a duplicate.
    eca_own_policy_name: Literal["same_package", "replaces", "refused"] = "same_package"
    # Whether a write without `isEnabled` is refused, as the WSDL has it (REPORTED conflict).
    eca_enabled_required: bool = True
    # Another consumer key for an app that has one: REPORTED as success that changes nothing.
    eca_other_key: Literal["ignored", "refused"] = "ignored"
    # What a consumer key consists of: letters and digits CONFIRMED of connected apps, other characters REPORTED x1.
    eca_key_format: Literal["any", "alphanumeric"] = "any"
    # A consumer key that an app has already (texts of connected apps, and of other types, REPORTED).
    eca_key_taken: Literal["The consumer key is already taken.", "duplicate value found"] = (
        "The consumer key is already taken."
    )
    # A consumer secret in a package: REPORTED x1 to bring none that works.
    eca_given_secret: Literal["ignored", "used"] = "ignored"
    # The secret on read: absent or masked (REPORTED).
    eca_secret_read: Literal["absent", "masked"] = "absent"
    # Minutes until the token endpoint knows a new app (REPORTED: 1 to 30), or a change of one (UNKNOWN).
    eca_known_after: float = 0.0
    eca_change_after: float = 0.0
    # The answer until then: all of them REPORTED.
    eca_not_yet: Literal["invalid_client_id", "app_not_found", "invalid assertion", "not approved"] = (
        "invalid_client_id"
    )
    # A local app at the login hosts: refused in two wordings, or taken (REPORTED, in other orgs).
    eca_at_login_host: Literal["app_not_found", "not installed", "accepted"] = "app_not_found"
    # An app that is switched off: INVALID_CLIENT or INVALID_GRANT (CONFIRMED as either; texts INVENTED).
    eca_disabled: Literal["invalid_client", "invalid_grant"] = "invalid_client"
    # JWT bearer without the scope RefreshToken: REPORTED x2 as refused.
    eca_refresh_scope_needed: bool = True
    # What the list of permission sets takes: names (REPORTED x4), though the guide says ids (CONFIRMED text).
    eca_permission_sets: Literal["names", "ids", "both"] = "names"
    # Order and spelling of that list on read: UNKNOWN.
    eca_permission_sets_read: Literal["as_sent", "sorted"] = "as_sent"
    # A later write of the policy without the list: REPORTED x1 that it may drop the grant.
    eca_grant_left_out: Literal["dropped", "kept"] = "dropped"
    # Whether the list makes rows of SetupEntityAccess (REPORTED x1), and ends those that were made by REST (UNKNOWN).
    eca_grant: Literal["same_rows", "own_rows", "no_rows"] = "same_rows"
    # `sessionTimeoutInMinutes` in a policy: taken by two, refused to one (REPORTED conflict).
    eca_session_timeout: Literal["accepted", "refused"] = "accepted"
    # `isPkceRequired` may become true whatever is sent (REPORTED x1).
    eca_pkce: Literal["as_sent", "always"] = "as_sent"
    # Whether the user of client credentials must be API Only: CONFIRMED text against REPORTED x2.
    eca_run_as_api_only: bool = False
    # Whether naming the app alone deletes it (REPORTED x1; UNKNOWN), and whether deleteMetadata does (UNKNOWN).
    eca_delete_alone: Literal["accepted", "refused"] = "accepted"
    eca_delete_metadata: Literal["accepted", "refused"] = "refused"
    # Names and consumer keys of deleted apps: UNKNOWN whether they can be used again.
    eca_name_again: Literal["accepted", "refused"] = "accepted"
    eca_key_again: Literal["accepted", "refused"] = "refused"
    # Consumer secrets by REST while the setting is off: three wordings are REPORTED.
    eca_secrets_off: Literal["not currently enabled", "feature is not enabled", "not enabled for this user"] = (
        "not currently enabled"
    )
    # Whether a session of a SOAP login may read them: UNKNOWN.
    eca_secrets_session: Literal["any", "by_app"] = "any"
    # Whether an app without any login is in the list of apps with usage: UNKNOWN.
    eca_usage: Literal["all", "used"] = "all"
    # Whether a staged pair can log in before it is rotated: UNKNOWN; after it the old one can, for a while (days).
    eca_staged_pair: Literal["live", "after_rotation"] = "live"
    eca_rotated_pair_days: float = 30.0
    # `url` of a staged pair: its own (REPORTED) or the consumer's (CONFIRMED text).
    eca_staged_url: Literal["staged", "consumer"] = "staged"
    # Staging without any body: REPORTED to hang, where the documents say that there is none.
    eca_stage_without_body: Literal["accepted", "hangs"] = "accepted"

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
