# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of metadata as they are written here: elements in any order, right or wrong, and what became of them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.model import Component
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.package import (
    FILES,
    document,
    manifest,
    zip_files,
)

from .calls import API_VERSION, Caller, children, leaves

FOLDERS = {**FILES, "Profile": ("profiles", "profile")}
LONGEST_WAIT = 600.0  # seconds for a deployment


@dataclass(frozen=True)
class Part:
    """One component, with its elements in the order in which they are sent; nested ones as XML."""

    kind: str
    name: str
    elements: Sequence[tuple[str, str]] = ()
    nested: str = ""

    @property
    def body(self) -> str:
        """The elements as XML."""
        return self.nested + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in self.elements)

    def changed(self, **values: str | None) -> Part:
        """Return it with other values, in the order of the alphabet; None leaves an element out."""
        merged = {**dict(self.elements), **values}
        return Part(self.kind, self.name, sorted((name, value) for name, value in merged.items() if value is not None))


@dataclass(frozen=True)
class Deployed:
    """The end of a deployment; false where it failed."""

    success: bool
    problems: tuple[str, ...] = ()
    messages: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return self.success

    @property
    def problem(self) -> str:
        """What the org says against it."""
        return "; ".join(self.problems)


def deploy(
    caller: Caller,
    wait: Callable[[float], object],
    parts: Iterable[Part] = (),
    *,
    delete: Iterable[Part] = (),
    check_only: bool = False,
    ignore_warnings: bool = True,
) -> Deployed:
    """Deploy components or delete them, as a whole, and wait for the end; raises Refusal."""
    given, gone = list(parts), list(delete)
    files = {f"{FOLDERS[one.kind][0]}/{one.name}.{FOLDERS[one.kind][1]}": document(one.kind, one.body) for one in given}
    files["package.xml"] = _manifest(given)
    if gone:
        files["destructiveChangesPost.xml"] = _manifest(gone)
    options = {
        "checkOnly": check_only,
        "ignoreWarnings": ignore_warnings,
        "rollbackOnError": True,
        "singlePackage": True,
    }
    shown = "".join(f"<{name}>{str(value).lower()}</{name}>" for name, value in options.items())
    content = f"<ZipFile>{base64.b64encode(zip_files(files)).decode()}</ZipFile><DeployOptions>{shown}</DeployOptions>"
    found = leaves(caller.soap("m", "deploy", content))
    began = caller.date
    pause = 0.0
    while True:
        content = f"<asyncProcessId>{escape(found['id'])}</asyncProcessId><includeDetails>true</includeDetails>"
        root = caller.soap("m", "checkDeployStatus", content)
        status = children(root, "result")[0]
        if status.get("done") == "true":
            break
        if caller.date - began > LONGEST_WAIT:
            return Deployed(False, (f"not done after {LONGEST_WAIT:.0f} s",))
        pause = min(5.0, pause + 1.0)
        wait(pause)
    failures = children(root, "componentFailures")
    problems = [one.get("problem", "") for one in failures] or [status.get("errorMessage", "no reason given")]
    success = status.get("success") == "true" and status.get("status") == "Succeeded"
    messages = failures + children(root, "componentSuccesses")
    return Deployed(success, () if success else tuple(problems), messages, caller.date - began)


def _manifest(parts: Sequence[Part]) -> str:
    return manifest(API_VERSION, [Component(one.kind, one.name, {}) for one in parts])
