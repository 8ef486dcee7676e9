# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application as one finds them: simple-salesforce, and its credential in the environment or in a JSON file.

It knows nothing of what writes its credential. Without C(--listen) it prints what it would show.
"""

from __future__ import annotations

import argparse
import html
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from simple_salesforce import Salesforce, SalesforceLogin, format_soql
from simple_salesforce.exceptions import SalesforceError


def from_environment() -> dict[str, str]:
    """Return what a file of the format env sets, as simple-salesforce takes it."""
    return {
        "username": os.environ["SALESFORCE_USERNAME"],
        "password": os.environ["SALESFORCE_PASSWORD"],
        "security_token": os.environ.get("SALESFORCE_SECURITY_TOKEN", ""),
        "scratch_url": f"https://{os.environ['SALESFORCE_HOST']}",
        "sf_version": os.environ["SALESFORCE_API_VERSION"],
    }


def from_file(path: Path) -> dict[str, str]:
    """Return what a file of the format json contains."""
    names = {"login_url": "scratch_url", "version": "sf_version"}
    return {names.get(name, name): value for name, value in json.loads(path.read_text()).items()}


def log_in(credential: dict[str, str]) -> tuple[Salesforce, str]:
    """Log in once, and give the org and a sentence about it."""
    session_id, instance = SalesforceLogin(**credential)
    org = Salesforce(session_id=session_id, instance=instance, version=credential["sf_version"])
    return org, describe(org, credential["username"])


def describe(org: Salesforce, username: str) -> str:
    """Who is logged in where, as the org says."""
    user = org.query(format_soql("SELECT Name FROM User WHERE Username = {}", username))["records"][0]
    company = org.query("SELECT Name FROM Organization")["records"][0]
    return f"logged in as {user['Name']} <{username}> to the org {company['Name']}"


def cause(problem: SalesforceError) -> str:
    """Return the code of an error. Its text may repeat what was sent."""
    return str(getattr(problem, "code", "") or type(problem).__name__)


class Site:
    """A page that shows who is logged in, asked anew each time."""

    def __init__(self, credential: dict[str, str]) -> None:
        """Log in. A refusal is kept and shown: to try again with the same secret would lock the user out."""
        self._username = credential["username"]
        self._org: Salesforce | None = None
        self._problem = ""
        try:
            self._org, _seen = log_in(credential)
        except SalesforceError as exc:
            self._problem = cause(exc)

    def __call__(self, _environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve the page by WSGI."""
        problem = self._problem
        if self._org is not None:
            try:
                status, text = "200 OK", describe(self._org, self._username)
            except SalesforceError as exc:
                problem = cause(exc)
        if problem:
            status, text = "503 Service Unavailable", f"{self._username} could not log in: {problem}"
        page = f"<!DOCTYPE html><title>Billing</title><p>{html.escape(text)}</p>\n".encode()
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))]
        start_response(status, headers)
        return [page]


def serve(credential: dict[str, str], place: str) -> None:
    """Serve the page at ADDRESS:PORT until the process is ended."""
    from cheroot.wsgi import Server

    address, _colon, port = place.rpartition(":")
    server = Server((address, int(port)), Site(credential), numthreads=2)
    server.start()


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="a JSON file with the credential (default: the environment)")
    parser.add_argument("--listen", metavar="ADDRESS:PORT", help="serve a page there")
    options = parser.parse_args()
    credential = from_file(options.file) if options.file else from_environment()
    if options.listen:
        serve(credential, options.listen)
    else:
        print(log_in(credential)[1])


if __name__ == "__main__":
    main()
