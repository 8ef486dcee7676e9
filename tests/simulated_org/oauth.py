# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OAuth token endpoint: password, JWT bearer, client credentials and refresh token."""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from . import app_clients, policy
from .apps import App
from .errors import ApiError
from .http import Outcome, Request, Response, json_response
from .login import password_expired, settle
from .policy import Attempt
from .sessions import EXPIRED_PASSWORD, digest
from .state import Org, State, User

PATH = "/services/oauth2/token"
USER_INFO = "/services/oauth2/userinfo"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SECRETS = ("password", "client_secret", "assertion", "refresh_token")
# REPORTED as "about 3 minutes"; clients are seen that send 5.
LONGEST_ASSERTION = datetime.timedelta(minutes=5)
MILLISECONDS_FROM = 1e11
FLOW_OFF = "Username-Password Flow Disabled"  # REPORTED, of LoginHistory
NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))

# LoginHistory's status to `error` and `error_description`; everything else is `authentication failure`.
ANSWERS = {
    "Restricted IP": ("invalid_grant", "ip restricted"),
    "Failed: IP Restricted": ("invalid_grant", "ip restricted"),
    "User is inactive": ("inactive_user", "user is inactive"),
    "Organization locked": ("inactive_org", "organization is locked, closed, or suspended"),
    "Login rate exceeded": ("rate_limit_exceeded", "number of logins exceeded"),
}

Form = Mapping[str, str]


def form_of(request: Request) -> Form:
    """The fields of the body; of a name that is given twice, the first."""
    try:
        fields = parse_qs(request.body.decode(), keep_blank_values=True)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def username_of(form: Form) -> str | None:
    """Whose login it is meant to be, as far as the request says so."""
    if "assertion" in form:
        return str(_unverified(form["assertion"]).get("sub", "")) or None
    return form.get("username")


def refusal(error: ApiError) -> Response:
    """A standard OAuth error (CONFIRMED); of an expired password, an array as REST gives it (REPORTED)."""
    if error.code == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD":
        return json_response([{"message": error.message, "errorCode": error.code}], 401)
    answer = json_response({"error": error.code, "error_description": error.message}, 400)
    return Response(answer.status, answer.body, answer.content_type, NO_STORE)


def token(state: State, request: Request, form: Form, outcome: Outcome) -> Response:
    """Exchange whatever the grant type takes for a session."""
    for name in SECRETS:
        if form.get(name):
            outcome.secrets[name] = digest(form[name])
    if request.method != "POST":
        raise ApiError("invalid_request", "must use HTTP POST")
    grant = GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        raise ApiError("unsupported_grant_type", "grant type not supported")
    with state.lock:
        return Exchange(state, request, form, outcome).answer(grant)


class Exchange:
    """One request at the token endpoint."""

    def __init__(self, state: State, request: Request, form: Form, outcome: Outcome) -> None:
        self.state, self.request, self.form, self.outcome = state, request, form, outcome
        self.now = state.clock.now()
        self.host = urlsplit(request.base_url).netloc

    def answer(self, grant: Callable[[Exchange], Response]) -> Response:
        found = grant(self)
        return Response(found.status, found.body, found.content_type, NO_STORE)

    # -- grants ------------------------------------------------------------------------------------------------------

    def password(self) -> Response:
        app = self._client()
        user = self.state.user_at(self.host, self.form.get("username", ""))
        if user is None:
            # UNKNOWN whether a real org leaves any row of it.
            raise ApiError("invalid_grant", "authentication failure")
        org = self._org(user)
        if not (org.username_password_flow_enabled and "password" in app.flows):
            self._record(user, app, FLOW_OFF, "OauthUsernamePassword")
            if org.switches.blocked_flow_error == "unsupported_grant_type":
                raise ApiError("unsupported_grant_type", "grant type not supported")
            raise self._failed(org, FLOW_OFF)
        self._let_in(user, app, "OauthUsernamePassword", secret=self.form.get("password", ""))
        self._require_approval(app, user, by_password=True)
        expired = password_expired(org, user, self.now)
        if expired and org.switches.oauth_expired_password == "refused":
            raise ApiError("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", EXPIRED_PASSWORD)
        return self._session(user, app, "id", "issued_at", "token_type", "signature", restricted=expired)

    def jwt_bearer(self) -> Response:
        assertion = self.form.get("assertion", "")
        app = self._app(str(_unverified(assertion).get("iss", "")))
        claims = self._verified(assertion, app)
        user = self.state.user_at(self.host, str(claims.get("sub", "")))
        if user is None:
            raise ApiError("invalid_grant", "user hasn't approved this consumer")
        org = self._org(user)
        if claims.get("aud") not in self._audiences(org):
            raise ApiError("invalid_grant", org.switches.jwt_audience_text)
        self._check_use(org, app, user)
        app_clients.check_scope(self.state.orgs[app.org_id], app)
        self._require_approval(app, user, by_password=False)
        # The LoginSubType of this flow is UNKNOWN.
        self._let_in(user, app, None)
        return self._session(user, app, "id", "scope", "token_type")

    def client_credentials(self) -> Response:
        app = self._client(basic=True)
        org = self.state.orgs[app.org_id]
        if "scope" in self.form and org.switches.client_credentials_scope == "refused":
            raise ApiError("invalid_request", "scope parameter not supported")
        if self.host != urlsplit(org.instance_url or "").netloc:
            raise ApiError("invalid_grant", "request not supported on this domain")
        user = self.state.usernames.get((app.run_as or "").lower())
        if user is None or "client_credentials" not in app.flows:
            raise ApiError("invalid_grant", "no client credentials user enabled")
        self._org(user)
        self._check_use(org, app, user)
        self._let_in(user, app, "OauthClientCredentials")
        return self._session(user, app, "id", "issued_at", "scope", "token_type", "signature")

    def refresh_token(self) -> Response:
        app = self._client(secret_needed=False)
        shown = self.form.get("refresh_token", "")
        username = app.refresh_tokens.get(shown) or self._exchanged(app, shown)
        if username is None or "refresh_token" not in app.flows:
            raise ApiError("invalid_grant", "expired access/refresh token")
        user = self.state.user(username)
        org = self._org(user)
        self._check_use(org, app, user)
        self._let_in(user, app, "OauthRefreshToken", recorded=org.switches.refresh_recorded)
        rotated = {}
        if app.rotates_refresh_tokens:
            rotated["refresh_token"] = new_refresh_token()
            app.refresh_tokens.pop(shown, None)
            app.refresh_tokens[rotated["refresh_token"]] = username
            app.exchanged_tokens[shown] = (self.now, username)
        return self._session(user, app, "id", "issued_at", "token_type", "signature", more=rotated)

    def _exchanged(self, app: App, shown: str) -> str | None:
        """Whose refresh token it was that was exchanged for another, as far as it still counts."""
        when, username = app.exchanged_tokens.get(shown, (self.now, None))
        if username is None:
            return None
        answer = self.state.orgs[app.org_id].switches.exchanged_refresh_token
        if answer == "revokes_all":
            for token, owner in list(app.refresh_tokens.items()):
                if owner == username:
                    del app.refresh_tokens[token]
        recent = self.now - when <= datetime.timedelta(minutes=1)
        return username if answer == "accepted_for_a_minute" and recent else None

    # -- who is asking -----------------------------------------------------------------------------------------------

    def _app(self, consumer_key: str) -> App:
        app = self.state.apps.get(consumer_key) or app_clients.find(self.state, consumer_key)
        if app is None:
            raise ApiError("invalid_client_id", "client identifier invalid")
        return app

    def _check_use(self, org: Org, app: App, user: User) -> None:
        """An External Client App is for its own org's users, at its own org's host."""
        own = self.state.orgs[app.org_id]
        app_clients.check_use(own, app, self.host, urlsplit(own.instance_url or "").netloc)
        if app.external is not None and user.org_id != app.org_id:
            raise ApiError("invalid_grant", app_clients.OTHER_ORG)

    def _client(self, *, basic: bool = False, secret_needed: bool = True) -> App:
        """The app that a key and a secret in the body name, or in a Basic header."""
        key, secret = self.form.get("client_id", ""), self.form.get("client_secret")
        header = self.request.headers.get("authorization", "")
        if basic and header.lower().startswith("basic "):
            key, secret = _basic(header[6:])
            self.outcome.secrets["client_secret"] = digest(secret)
        app = self._app(key)
        if secret is None and not secret_needed and not app.secret_for_refresh:
            return app
        if not hmac.compare_digest((secret or "").encode(), app.consumer_secret.encode()):
            raise ApiError("invalid_client", "invalid client credentials")
        return app

    def _org(self, user: User) -> Org:
        org = self.state.orgs[user.org_id]
        self.outcome.org, self.outcome.username = org.name, user.username
        return org

    def _audiences(self, org: Org) -> list[str]:
        """The login host, or the org's own host; Experience Cloud and government orgs want others."""
        if org.audiences:
            return list(org.audiences)
        login_host = "https://test.salesforce.com" if org.sandbox else "https://login.salesforce.com"
        return [login_host, self.request.base_url, (org.instance_url or self.request.base_url).rstrip("/")]

    def _verified(self, assertion: str, app: App) -> Mapping[str, Any]:
        """The claims of an assertion that the app's certificate vouches for."""
        invalid = ApiError("invalid_grant", "invalid assertion")  # REPORTED
        if "jwt_bearer" not in app.flows or not app.certificate:
            raise invalid
        certificate = x509.load_pem_x509_certificate(app.certificate.encode())
        key = certificate.public_key()
        valid = certificate.not_valid_before_utc <= self.now <= certificate.not_valid_after_utc
        if not isinstance(key, RSAPublicKey) or not valid:
            raise invalid
        # The claims are looked at here: by the simulated clock, and more leniently than by the standard.
        options: Any = {name: False for name in ("verify_exp", "verify_aud", "verify_iss", "verify_sub", "verify_iat")}
        try:
            claims = jwt.decode(assertion, key, algorithms=["RS256"], options=options)
            expires = float(claims["exp"])  # as a number or a text, in seconds or milliseconds
            seconds = expires / 1000 if expires > MILLISECONDS_FROM else expires
            left = datetime.datetime.fromtimestamp(seconds, datetime.UTC) - self.now
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError, OSError):
            raise invalid from None
        if left <= datetime.timedelta():
            raise ApiError("invalid_grant", "expired authorization code")  # REPORTED
        if left > LONGEST_ASSERTION:
            raise invalid
        return claims

    def _require_approval(self, app: App, user: User, *, by_password: bool) -> None:
        """Who may use the app is its administrator's to say, or the user's own; a password given is such a word."""
        if user.username in app.approved_users and user.org_id == app.org_id:
            return
        if app.permitted_users == "admin_approved":
            if app_clients.is_pre_authorised(self.state.orgs[app.org_id], app, user):
                return
            raise ApiError("invalid_app_access", "user is not admin approved to access this app")
        if not by_password:
            raise ApiError("invalid_grant", "user hasn't approved this consumer")

    # -- what becomes of it ------------------------------------------------------------------------------------------

    def _let_in(
        self, user: User, app: App, sub_type: str | None, *, secret: str | None = None, recorded: bool = True
    ) -> None:
        """Return if the user may log in by the app from here; raises ApiError."""
        org = self.state.orgs[user.org_id]
        relaxed = app.ip_relaxation == "relax"
        attempt = Attempt(secret, self.request.peer, self.now, self.host, relaxed=relaxed)
        verdict = settle(self.state, org, user, attempt, policy.judge_app)
        if verdict.status and recorded:
            self._record(user, app, verdict.status, sub_type)
        if not verdict.allowed:
            raise self._failed(org, verdict.status or "")

    @staticmethod
    def _failed(org: Org, status: str) -> ApiError:
        if status == "Restricted time":
            joint = "ip restricted or invalid login hours"
            with_status = org.switches.oauth_error_text == "with_status"
            return ApiError("invalid_grant", joint if with_status else org.switches.oauth_hours_text)
        error, text = ANSWERS.get(status, ("invalid_grant", "authentication failure"))
        if org.switches.oauth_error_text == "with_status":
            text = f"{text} - {status}" if status not in ANSWERS else text
            text = "ip restricted or invalid login hours" if text == "ip restricted" else text
        return ApiError(error, text)

    def _record(self, user: User, app: App, status: str, sub_type: str | None) -> None:
        self.state.record_login(
            user,
            self.request.peer,
            status,
            login_type="Oauth2",
            login_sub_type=sub_type,
            api_type=None,
            api_version=None,
            application=app.name,
            login_url=urlsplit(self.request.base_url).hostname or "",
        )

    def _session(
        self, user: User, app: App, *fields: str, restricted: bool = False, more: Mapping[str, str] | None = None
    ) -> Response:
        app_clients.count_login(self.state, app)
        session = self.state.open_session(
            user, self.request.peer, restricted=restricted, web=app.web, by_app=True, jwt=app.jwt_tokens
        )
        issued_at = str(int(self.now.timestamp() * 1000))
        identity = f"https://login.salesforce.com/id/{user.org_id}/{user.id}"
        signed = hmac.new(app.consumer_secret.encode(), f"{identity}{issued_at}".encode(), hashlib.sha256).digest()
        answer = {
            "id": identity,
            "issued_at": issued_at,
            "scope": app.scopes,
            "token_type": "Bearer",
            "signature": base64.b64encode(signed).decode(),
        }
        instance_url = (self.state.orgs[user.org_id].instance_url or self.request.base_url).rstrip("/")
        shown = {name: answer[name] for name in fields}
        return json_response({"access_token": session.id, "instance_url": instance_url, **shown, **(more or {})})


GRANTS: Mapping[str, Callable[[Exchange], Response]] = {
    "password": Exchange.password,
    JWT_BEARER: Exchange.jwt_bearer,
    "client_credentials": Exchange.client_credentials,
    "refresh_token": Exchange.refresh_token,
}


def grant_refresh_token(app: App, username: str) -> str:
    """What the web server flow leaves behind once a person has agreed."""
    value = new_refresh_token()
    app.refresh_tokens[value] = username
    app.approved_users.add(username)
    return value


def new_refresh_token() -> str:
    return f"5Aep{secrets.token_hex(20)}"


def _basic(value: str) -> tuple[str, str]:
    try:
        key, _colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return key, secret


def _unverified(assertion: str) -> Mapping[str, Any]:
    """The claims as they stand, to find out who asks."""
    try:
        return jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
