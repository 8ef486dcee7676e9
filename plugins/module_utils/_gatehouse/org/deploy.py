# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy and read metadata components of any type, by the Metadata API over SOAP.

Source: the metadata WSDL, version 63.0.
"""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ..errors import NoResponseError, OrgError
from ..progress import Progress
from .client import Org
from .metadata import NAMESPACE, MetadataApi
from .retry import ReadRetry

T = TypeVar("T")
MAX_NAMES_PER_READ = 10
MAX_TYPES_PER_LIST = 3
POLL_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)  # before each look at a deployment; the last one repeats
RETRY_SECONDS = 60.0
_M = f"{{{NAMESPACE}}}"


@dataclasses.dataclass(frozen=True)
class Failure:
    """One component that a deployment could not write."""

    kind: str
    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.problem}" if self.kind else self.problem


class DeployError(OrgError):
    """A deployment failed as a whole; the org is as it was before.

    Attributes:
        failures: what the org says of each component.
    """

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__("the org refused the deployment: " + "; ".join(map(str, failures)))
        self.failures = tuple(failures)


@dataclasses.dataclass(frozen=True)
class DeployStatus:
    """How far a deployment is."""

    done: bool
    succeeded: bool
    status: str
    failures: tuple[Failure, ...]


class ComponentsApi(MetadataApi):
    """The calls of one session that work on components of any type."""

    def list_names(self, kinds: Sequence[str]) -> list[tuple[str, str]]:
        """Return the type and the full name of all components of up to three types."""
        queries = "".join(f"<queries><type>{escape(kind)}</type></queries>" for kind in kinds)
        version = self._url.rpartition("/")[2]
        answer, _date = self._call("listMetadata", f"{queries}<asOfVersion>{version}</asOfVersion>")
        rows = ((row.findtext(f"{_M}type") or "", row.findtext(f"{_M}fullName") or "") for row in answer)
        return [(kind, name) for kind, name in rows if kind in kinds and name]

    def read(self, kind: str, names: Sequence[str]) -> list[ElementTree.Element]:
        """Return those of up to ten components that exist."""
        full_names = "".join(f"<fullNames>{escape(name)}</fullNames>" for name in names)
        answer, _date = self._call("readMetadata", f"<type>{escape(kind)}</type>{full_names}")
        # What does not exist comes as an empty record, or as its name alone.
        return [record for record in answer.iterfind(f"{_M}result/{_M}records") if len(record) > 1]

    def start_deployment(self, package: bytes, *, check_only: bool) -> str:
        """Hand in a zip file; return the id of its deployment."""
        options = (
            f"<checkOnly>{str(check_only).lower()}</checkOnly><ignoreWarnings>true</ignoreWarnings>"
            "<rollbackOnError>true</rollbackOnError><singlePackage>true</singlePackage>"
        )
        zip_file = base64.b64encode(package).decode()
        content = f"<ZipFile>{zip_file}</ZipFile><DeployOptions>{options}</DeployOptions>"
        answer, _date = self._call("deploy", content)
        deployment = answer.findtext(f"{_M}result/{_M}id") or ""
        if not deployment.isalnum():
            raise OrgError("the org took the package without naming its deployment")
        return deployment

    def deployment_status(self, deployment: str) -> DeployStatus:
        """Return how far a deployment is."""
        content = f"<asyncProcessId>{deployment}</asyncProcessId><includeDetails>true</includeDetails>"
        answer, _date = self._call("checkDeployStatus", content)
        result = answer.find(f"{_M}result")
        if result is None:
            raise OrgError("the org did not return the status of the deployment")
        failures = [_failure(one) for one in result.iterfind(f"{_M}details/{_M}componentFailures")]
        problem = result.findtext(f"{_M}errorMessage")
        return DeployStatus(
            done=result.findtext(f"{_M}done") == "true",
            succeeded=result.findtext(f"{_M}success") == "true",
            status=(result.findtext(f"{_M}status") or "")[:40],
            failures=(*failures, *([Failure("", "", problem[:300])] if problem else [])),
        )

    def update_setting(self, kind: str, full_name: str, name: str, value: str) -> None:
        """Write one element of a component of settings; raises OrgError."""
        element = f"<{name}>{escape(value)}</{name}>"
        self._update(kind, f"<fullName>{escape(full_name)}</fullName>{element}")


def list_names(org: Org, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Return the type and the full name of all components of these types; raises OrgError."""
    batches = [kinds[start : start + MAX_TYPES_PER_LIST] for start in range(0, len(kinds), MAX_TYPES_PER_LIST)]
    return [row for batch in batches for row in call(org, lambda api, batch=batch: api.list_names(batch))]  # type: ignore[misc]


def read_components(org: Org, kind: str, names: Sequence[str]) -> Iterable[ElementTree.Element]:
    """Return those of the components that exist, read in batches as far as they are used; raises OrgError."""
    for start in range(0, len(names), MAX_NAMES_PER_READ):
        batch = names[start : start + MAX_NAMES_PER_READ]
        yield from call(org, lambda api, batch=batch: api.read(kind, batch))  # type: ignore[misc]


def deploy(org: Org, package: bytes, *, check_only: bool, seconds: float, progress: Progress) -> None:
    """Deploy a package as a whole, or have it checked, and wait for the end.

    Args:
        package: a zip file. It may be handed in more than once, when an answer is lost: it says how things shall be.
        check_only: the org says whether it would take the package, and changes nothing.
        seconds: how long to wait.
        progress: shows a person what is waited for.

    Raises:
        DeployError: the org refused it and is as before.
        NoResponseError: it was not done in time, or no answer came; whether it was carried out is not known.
        OrgError: the org took no package.
    """
    what = "check of the package" if check_only else "deployment"
    deployment = call(org, lambda api: api.start_deployment(package, check_only=check_only))
    started = time.monotonic()
    for number in range(10**9):
        time.sleep(POLL_SECONDS[min(number, len(POLL_SECONDS) - 1)])
        status = call(org, lambda api: api.deployment_status(deployment))
        if status.done:
            break
        elapsed = time.monotonic() - started
        if elapsed > seconds:
            problem = f"the {what} {deployment} is {status.status or 'not done'} after {elapsed:.0f} s"
            raise NoResponseError(f"{problem}; see Setup > Deployment Status, then run the task again")
        if number == len(POLL_SECONDS) - 1:
            progress.stage(f"the {what} {deployment} takes longer: waiting for up to {seconds:.0f} s")
        progress.poll(f"{what} {deployment}: {status.status} after {elapsed:.0f} s")
    if not status.succeeded:
        raise DeployError(status.failures or (Failure("", "", f"{status.status}, without a reason"),))


def update_setting(org: Org, kind: str, full_name: str, name: str, value: str) -> None:
    """Write one element of a component of settings, which may be done more than once; raises OrgError."""
    call(org, lambda api: api.update_setting(kind, full_name, name, value))


def call(org: Org, operation: Callable[[ComponentsApi], T]) -> T:
    """Return what an operation that is safe to repeat makes of a session; raises OrgError."""
    retry = ReadRetry(RETRY_SECONDS)
    return org.with_session(
        lambda transport, session, version: retry(lambda: operation(ComponentsApi(transport, session, version, retry)))
    )


def _failure(element: ElementTree.Element) -> Failure:
    texts = [(element.findtext(f"{_M}{name}") or "")[:300] for name in ("componentType", "fullName", "problem")]
    return Failure(texts[0], texts[1], texts[2] or "no reason given")
