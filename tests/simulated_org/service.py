# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to an answer: which operation is it, who asks, which faults and hooks lie in its way."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import format_datetime

from . import deploys, login, metadata, oauth, pages, rest, soap
from .errors import LOGIN_FAULT, ApiError, ClientFault
from .faults import Fault, Faults, Hook, spoil
from .http import HTML, Outcome, Request, Response
from .journal import Journal
from .sessions import Caller, identify
from .state import State

# What follows the version may be an org's id, or what simple-salesforce puts there: `deployRequest/0Af…`.
_SOAP_PATH = re.compile(r"/services/Soap/([ucm])/(\d{1,3}(?:\.\d)?)(?:/[A-Za-z0-9]{0,18}){0,2}/?")
_REST_PATH = re.compile(r"/services/data/v(\d{1,3}\.0)/?(.*)")
_NAMESPACES = {"u": soap.PARTNER, "c": soap.ENTERPRISE, "m": soap.METADATA}

Handler = Callable[[], Response]


@dataclass(frozen=True)
class Operation:
    """What a request asks for, once its form is understood."""

    name: str
    run: Handler
    username: str | None = None
    refuse: Callable[[ApiError], Response] = rest.error_response


class Service:
    """All services of all orgs behind one entry point."""

    def __init__(self, state: State, faults: Faults, journal: Journal, run_hook: Callable[[Hook], None]) -> None:
        self.state = state
        self.faults = faults
        self.journal = journal
        self._run_hook = run_hook

    def handle(self, request: Request) -> Response:
        """Serve one request; the simulated clock gives the Date header."""
        started = time.perf_counter()
        deploys.advance(self.state)
        outcome = Outcome()
        operation = self._understand(request, outcome)
        outcome.operation, outcome.username = operation.name, operation.username
        fault = self.faults.take_fault(outcome)
        for hook in self.faults.take_hooks(outcome, "before"):
            self._run_hook(hook)
        response = self._answer(operation, fault, outcome)
        for hook in self.faults.take_hooks(outcome, "after"):
            self._run_hook(hook)
        now = self.state.clock.now()
        date = format_datetime(now.astimezone(datetime.UTC), usegmt=True)
        response = replace(response, headers=(*response.headers, ("Date", date)))
        self.journal.add(now.isoformat(), request, outcome, response, time.perf_counter() - started)
        return response

    @staticmethod
    def _answer(operation: Operation, fault: Fault | None, outcome: Outcome) -> Response:
        if fault is None:
            return operation.run()
        outcome.fault_injected = fault.kind
        real = operation.run() if fault.runs_operation else None
        if fault.kind == "error":
            outcome.result = fault.code
            return operation.refuse(ApiError(fault.code, fault.message))
        return spoil(fault, real)

    def _understand(self, request: Request, outcome: Outcome) -> Operation:
        soap_path = _SOAP_PATH.fullmatch(request.path)
        if soap_path:
            return self._understand_soap(request, outcome, soap_path[1], float(soap_path[2]))
        rest_path = _REST_PATH.fullmatch(request.path)
        if rest_path:
            return self._understand_rest(request, outcome, float(rest_path[1]), rest_path[2])
        if request.path == oauth.PATH:
            return self._understand_token(request, outcome)
        if request.path == oauth.USER_INFO:
            username = self._session_user(rest.bearer(request))
            return Operation("userInfo", lambda: self._rest(request, rest.LAST_VERSION, None, outcome), username)
        page = pages.operation(request.path)
        if page:
            username = pages.session_user(self.state, request)
            return Operation(page, lambda: pages.perform(self.state, request, outcome), username, pages.refusal)
        if request.path.rstrip("/") == "/services/data":
            return Operation("versions", rest.versions)
        outcome.result = "not found"
        return Operation("unknown", lambda: Response(404, b"<html><body>URL No Longer Exists</body></html>", HTML))

    # -- SOAP --------------------------------------------------------------------------------------------------------

    def _understand_soap(self, request: Request, outcome: Outcome, letter: str, version: float) -> Operation:
        if request.method != "POST":
            outcome.result = "method not allowed"
            return Operation("unknown", lambda: Response(405, b"", HTML, (("Allow", "POST"),)))
        try:
            call = soap.parse(request.body)
        except ClientFault as exc:
            outcome.result = "soapenv:Client"
            return Operation("unknown", lambda problem=exc: soap.client_fault(problem))  # type: ignore[misc]
        service = _NAMESPACES[letter]
        if call.namespace != service:
            outcome.result = "soapenv:Client"
            problem = ClientFault(f"No operation available for request {{{call.namespace}}}{call.operation}")
            return Operation("unknown", lambda: soap.client_fault(problem))
        username = self._username(call)
        return Operation(
            call.operation,
            lambda: self._soap(request, call, version, outcome),
            username,
            lambda error: self._fault(error, call, outcome),
        )

    def _fault(self, error: ApiError, call: soap.Call, outcome: Outcome) -> Response:
        if call.operation == "login":
            error.fault = LOGIN_FAULT
        return soap.fault(error, call.namespace, self._faultcode(outcome))

    def _username(self, call: soap.Call) -> str | None:
        if call.operation == "login":
            return (soap.child_text(call.element, "username") or "").strip()
        return self._session_user(call.header("SessionHeader", "sessionId"))

    def _session_user(self, session_id: str | None) -> str | None:
        session = self.state.sessions.get(session_id or "")
        org = None if session is None else self.state.orgs.get(session.org_id)
        user = None if session is None or org is None else org.users.get(session.user_id)
        return user.username if user else None

    def _soap(self, request: Request, call: soap.Call, version: float, outcome: Outcome) -> Response:
        try:
            if call.operation == "login" and call.namespace != soap.METADATA:
                return login.login(self.state, call, request, version, outcome)
            caller = self._soap_caller(request, call, version, outcome)
            serve = metadata.perform if call.namespace == soap.METADATA else login.perform
            return soap.answer(call.namespace, serve(self.state, call, caller))
        except ApiError as error:
            outcome.result = error.code
            return self._fault(error, call, outcome)
        except ClientFault as problem:
            outcome.result = "soapenv:Client"
            return soap.client_fault(problem)

    def _soap_caller(self, request: Request, call: soap.Call, version: float, outcome: Outcome) -> Caller:
        session_id = (call.header("SessionHeader", "sessionId") or "").strip()
        return identify(
            self.state,
            session_id,
            peer=request.peer,
            base_url=request.base_url,
            version=version,
            outcome=outcome,
            for_password=call.operation in login.FOR_PASSWORD,
        )

    def _faultcode(self, outcome: Outcome) -> soap.FaultCode:
        if outcome.org is None:
            user = self.state.usernames.get((outcome.username or "").lower())
            return self.state.orgs[user.org_id].switches.faultcode if user else "prefixed"
        return self.state.org(outcome.org).switches.faultcode

    # -- OAuth -------------------------------------------------------------------------------------------------------

    def _understand_token(self, request: Request, outcome: Outcome) -> Operation:
        form = oauth.form_of(request)
        return Operation(
            "token", lambda: self._token(request, form, outcome), oauth.username_of(form), refuse=oauth.refusal
        )

    def _token(self, request: Request, form: oauth.Form, outcome: Outcome) -> Response:
        try:
            return oauth.token(self.state, request, form, outcome)
        except ApiError as error:
            outcome.result = error.code
            return oauth.refusal(error)

    # -- REST --------------------------------------------------------------------------------------------------------

    def _understand_rest(self, request: Request, outcome: Outcome, version: float, path: str) -> Operation:
        name = rest.operation(path, request.method)
        username = self._session_user(rest.bearer(request))
        return Operation(name, lambda: self._rest(request, version, path, outcome), username)

    def _rest(self, request: Request, version: float, path: str | None, outcome: Outcome) -> Response:
        """What is below a version's resources; without a path, whose session it is."""
        password = path is not None and path.startswith("sobjects/User/") and "/password" in path
        single = False
        try:
            if not rest.FIRST_VERSION <= version <= rest.LAST_VERSION:
                raise ApiError("NOT_FOUND", "The requested resource does not exist")
            caller = identify(
                self.state,
                rest.bearer(request),
                peer=request.peer,
                base_url=request.base_url,
                version=version,
                outcome=outcome,
                rest=True,
                for_password=password,
            )
            single = password and caller.org.switches.password_errors == "object"
            return rest.user_info(caller) if path is None else rest.perform(self.state, request, caller, path)
        except ApiError as error:
            outcome.result = error.code
            return rest.error_response(error, single=single)
