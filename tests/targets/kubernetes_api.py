# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the Kubernetes API that deliveries use.

No API server can be had from the registries that these tests install from. This one checks each object that it gets,
and each that it returns, against the OpenAPI schemas that Kubernetes publishes; it asks for a token, permits what the
rules of a Role permit and no more, and keeps C(resourceVersion) as the real one does.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import referencing
import referencing.jsonschema

from tests.targets.service import Answer, Request, Service

VERSION = "1.37.0"
Object = dict[str, Any]
# Group and version, kind, and the singular name, by the name that stands in paths.
KINDS = {
    "secrets": ("v1", "Secret", "secret"),
    "deployments": ("apps/v1", "Deployment", "deployment"),
    "statefulsets": ("apps/v1", "StatefulSet", "statefulset"),
    "daemonsets": ("apps/v1", "DaemonSet", "daemonset"),
}
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
MERGE, STRATEGIC, APPLY = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
UNMANAGED = {
    ("apiVersion",),
    ("kind",),
    *(("metadata", name) for name in ("name", "namespace", "uid", "creationTimestamp", "resourceVersion")),
}
_PATH = re.compile(r"/apis?/(?P<version>v1|apps/v1)/namespaces/(?P<namespace>[^/]+)/(?P<kind>\w+)(?:/(?P<name>[^/]+))?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


class Refused(Exception):
    """A status of the API other than success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


class KubernetesApi(Service):
    """A cluster without nodes.

    Attributes:
        token: what a client authenticates with.
        rules: of the Role that the client has; None permits everything.
        objects: by plural name, namespace and name.
    """

    def __init__(self, schemas: Path) -> None:
        super().__init__()
        self.token = secrets.token_urlsafe(24)
        self.rules: list[Mapping[str, Any]] | None = None
        self.objects: dict[tuple[str, str, str], Object] = {}
        self._revision = 100
        # By object, and by manager: the paths of the fields that each one has set.
        self._managed: dict[tuple[str, str, str], dict[str, set[tuple[str, ...]]]] = {}
        self._folder = schemas / f"v{VERSION}-local-strict"
        definitions = json.loads((self._folder / "_definitions.json").read_text())
        self._registry: Any = referencing.Registry().with_resource(
            "/api/_definitions.json",
            referencing.Resource.from_contents(definitions, referencing.jsonschema.DRAFT202012),
        )
        self._validators: dict[str, Any] = {}

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The keys of a Secret as an application reads them."""
        data = self.objects["secrets", namespace, name].get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def add(self, plural: str, namespace: str, given: Mapping[str, Any]) -> None:
        """Add an object, or replace one, as somebody else would."""
        found = self._finished(plural, namespace, copy.deepcopy(dict(given)))
        request = Request("PUT", "", {"fieldManager": "somebody-else"}, {}, None)
        self._keep((plural, namespace, found["metadata"]["name"]), found, request)

    def answer(self, request: Request) -> Answer:
        """Answer as the API server of a cluster does."""
        try:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                raise Refused(401, "Unauthorized", "Unauthorized")
            found = self._discovery(request.path)
            if found is None:
                return self._of_object(request)
            return Answer(200, found)
        except Refused as exc:
            return Answer(exc.code, self._checked("status-meta-v1", exc.body))

    def _discovery(self, path: str) -> Object | None:
        if path == "/version":
            major, minor, _patch = VERSION.split(".")
            numbers = {"major": major, "minor": minor, "gitVersion": f"v{VERSION}"}
            others = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
            return self._checked("info-pkg-version", {**dict.fromkeys(others, ""), **numbers})
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if path == "/apis":
            version = {"groupVersion": "apps/v1", "version": "v1"}
            group = {"name": "apps", "versions": [version], "preferredVersion": version}
            return self._checked(
                "apigrouplist-meta-v1", {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}
            )
        if path in ("/api/v1", "/apis/apps/v1"):
            wanted = path.split("/", 2)[2]
            resources = [
                {
                    "name": plural,
                    "singularName": singular,
                    "namespaced": True,
                    "kind": kind,
                    "verbs": [*VERBS.values(), "list"],
                }
                for plural, (version, kind, singular) in KINDS.items()
                if version == wanted
            ]
            return self._checked(
                "apiresourcelist-meta-v1",
                {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": wanted, "resources": resources},
            )
        return None

    def _of_object(self, request: Request) -> Answer:
        match = _PATH.fullmatch(request.path)
        if match is None or KINDS.get(match["kind"], ("",))[0] != match["version"]:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        plural, namespace, name = match["kind"], match["namespace"], match["name"]
        self._permit(request.method, plural, name)
        dry = request.query.get("dryRun") == "All"
        if request.method == "POST":
            return self._create(plural, namespace, request, dry=dry)
        before = self.objects.get((plural, namespace, name))
        if request.headers.get("content-type") == APPLY:
            return self._apply((plural, namespace, name), request, dry=dry)
        if before is None:
            raise Refused(404, "NotFound", f'{plural} "{name}" not found')
        if request.method == "GET":
            return Answer(200, before)
        if request.method == "DELETE":
            if not dry:
                del self.objects[plural, namespace, name]
            return Answer(
                200, self._checked("status-meta-v1", {"kind": "Status", "apiVersion": "v1", "status": "Success"})
            )
        after = request.body if request.method == "PUT" else self._patched(before, request)
        return self._replace((plural, namespace, name), after, request, dry=dry)

    def _permit(self, method: str, plural: str, name: str | None) -> None:
        """Permit what a rule of the Role does; creating has no name that a rule could be about."""
        verb = VERBS[method] if name or method == "POST" else "list"
        group = "apps" if KINDS[plural][0].startswith("apps/") else ""
        for rule in self.rules if self.rules is not None else [{}]:
            names = rule.get("resourceNames")
            if (
                verb in rule.get("verbs", [verb])
                and plural in rule.get("resources", [plural])
                and group in rule.get("apiGroups", [group])
                and (not names or name in names)
            ):
                return
        raise Refused(403, "Forbidden", f'{plural} "{name}" is forbidden: cannot {verb} resource "{plural}"')

    def _create(self, plural: str, namespace: str, request: Request, *, dry: bool) -> Answer:
        name = request.body.get("metadata", {}).get("name", "")
        if (plural, namespace, name) in self.objects:
            raise Refused(409, "AlreadyExists", f'{plural} "{name}" already exists')
        made = self._finished(plural, namespace, request.body)
        if not dry:
            self._keep((plural, namespace, name), made, request)
        return Answer(201, made)

    def _replace(self, key: tuple[str, str, str], after: Object, request: Request, *, dry: bool) -> Answer:
        (plural, namespace, name), before = key, self.objects[key]
        metadata = after.get("metadata") or {}
        if metadata.get("resourceVersion", "") not in ("", before["metadata"]["resourceVersion"]):
            raise Refused(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {plural} "{name}": the object has been modified; please apply your '
                "changes to the latest version and try again",
            )
        if metadata.get("name") != name:
            raise Refused(400, "BadRequest", "the name of the object does not match the name on the URL")
        finished = self._finished(plural, namespace, after, before)
        if not dry:
            self._keep(key, finished, request)
        return Answer(200, finished)

    def _apply(self, key: tuple[str, str, str], request: Request, *, dry: bool) -> Answer:
        """Apply on the server: fields that this manager no longer sets go, and those of others are a conflict."""
        manager = request.query.get("fieldManager")
        if not manager:
            raise Refused(422, "Invalid", "PatchOptions is invalid: fieldManager: Required value")
        before, owners = self.objects.get(key), self._managed.get(key, {})
        wanted = _leaves(request.body)
        present = _leaves(before) if before else {}
        others = set().union(*(paths for name, paths in owners.items() if name != manager))
        conflicts = [path for path, value in wanted.items() if path in others and present.get(path) != value]
        if conflicts and request.query.get("force") != "true":
            where = ", ".join("." + ".".join(path) for path in conflicts)
            raise Refused(409, "Conflict", f"Apply failed with {len(conflicts)} conflicts: {where}")
        after = copy.deepcopy(before or {})
        for path in owners.get(manager, set()) - set(wanted) - others:
            _remove(after, path)
        finished = self._finished(key[0], key[1], _merge(after, request.body), before)
        if not dry:
            for paths in owners.values():
                paths.difference_update(conflicts)
            self._managed[key] = {**owners, manager: set(wanted)}
            self.objects[key] = finished
        return Answer(200 if before else 201, finished)

    def _keep(self, key: tuple[str, str, str], after: Object, request: Request) -> None:
        """Keep an object that was written otherwise than by applying; its writer manages the fields that changed."""
        present = _leaves(self.objects.get(key, {}))
        changed = {path for path, value in _leaves(after).items() if present.get(path) != value}
        owners = self._managed.setdefault(key, {})
        for paths in owners.values():
            paths -= changed
        manager = request.query.get("fieldManager") or request.headers.get("user-agent", "")
        owners.setdefault(manager, set()).update(changed)
        self.objects[key] = after

    def _patched(self, before: Object, request: Request) -> Object:
        kind = request.headers.get("content-type", "")
        if kind not in (MERGE, STRATEGIC):
            raise Refused(415, "UnsupportedMediaType", f"this server takes no {kind}")
        if kind == STRATEGIC and _has_list(request.body):
            raise Refused(415, "UnsupportedMediaType", "this server merges no lists strategically")
        return dict(_merge(before, request.body))

    def _finished(self, plural: str, namespace: str, given: Object, before: Object | None = None) -> Object:
        """Check an object, and fill in what the server does."""
        version, kind, _singular = KINDS[plural]
        given = copy.deepcopy(given)
        metadata = given.setdefault("metadata", {})
        if given.get("kind") != kind or given.get("apiVersion") != version:
            raise Refused(400, "BadRequest", f"the object provided is unrecognized: this path has {version} {kind}")
        self._validate(f"{kind.lower()}-{version.replace('/', '-')}", given)
        if not _NAME.fullmatch(metadata.get("name") or ""):
            raise Refused(422, "Invalid", f'{kind} "{metadata.get("name")}" is invalid: metadata.name')
        if metadata.get("namespace", namespace) != namespace:
            raise Refused(400, "BadRequest", "the namespace of the object does not match the namespace on the request")
        if kind == "Secret":
            _finish_secret(given)
        old = before["metadata"] if before else {}
        metadata |= {
            "namespace": namespace,
            "uid": old.get("uid") or str(uuid.uuid4()),
            "creationTimestamp": old.get("creationTimestamp") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resourceVersion": old.get("resourceVersion", ""),
        }
        if given != before:
            self._revision += 1
            metadata["resourceVersion"] = str(self._revision)
        return given

    def _validate(self, schema: str, given: Object) -> None:
        if schema not in self._validators:
            content = json.loads((self._folder / f"{schema}.json").read_text())
            self._validators[schema] = jsonschema.Draft202012Validator(content, registry=self._registry)
        found = next(iter(self._validators[schema].iter_errors(given)), None)
        if found is not None:
            where = ".".join(map(str, found.absolute_path))
            raise Refused(422, "Invalid", f"{given.get('kind')} is invalid: {where}: {found.validator}")

    def _checked(self, schema: str, given: Object) -> Object:
        self._validate(schema, given)
        return given


def _finish_secret(given: Object) -> None:
    """Move C(stringData) to C(data), and set the type."""
    data = dict(given.get("data") or {})
    for key, value in (given.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(value.encode()).decode()
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError):
            raise Refused(400, "BadRequest", f"Secret in version v1 cannot be handled: data.{key}") from None
        if not _KEY.fullmatch(key):
            raise Refused(422, "Invalid", f"Secret is invalid: data[{key}]")
    given["data"] = data
    given.setdefault("type", "Opaque")


def _merge(before: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(before) if isinstance(before, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _leaves(given: Mapping[str, Any], above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The fields that somebody has set, by path; what says which object it is, and what the server sets, is none."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in given.items():
        path = (*above, key)
        if path in UNMANAGED:
            continue
        found |= _leaves(value, path) if isinstance(value, Mapping) else {path: value}
    return found


def _remove(given: Any, path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        given = given.get(key, {})
    given.pop(path[-1], None)


def _has_list(given: Any) -> bool:
    values: Iterable[Any] = given.values() if isinstance(given, Mapping) else ()
    return isinstance(given, list) or any(map(_has_list, values))
