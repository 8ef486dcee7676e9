# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of AWX's API that sets it up, on loopback, which refuses what AWX refuses."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

PACKAGE = "ansible==12.3.0"  # later ones have no awx.awx
TOKEN = "Example-Controller-Token-1"  # noqa: S105 - invented
IDENTIFIER = "^[a-zA-Z_]+[a-zA-Z0-9_]*$"
STRING = {"type": "string"}
# What AWX's fields CredentialTypeInputField and CredentialTypeInjectorField accept.
INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "required": {"type": "array", "items": STRING},
        "fields": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "label"],
                "properties": {
                    "type": {"enum": ["string", "boolean"]},
                    "format": {"enum": ["ssh_private_key", "url"]},
                    "choices": {"type": "array", "minItems": 1, "items": STRING, "uniqueItems": True},
                    "id": {"type": "string", "pattern": IDENTIFIER},
                    "label": STRING,
                    "help_text": STRING,
                    "multiline": {"type": "boolean"},
                    "secret": {"type": "boolean"},
                    "ask_at_runtime": {"type": "boolean"},
                    "default": {},
                },
            },
        },
    },
}
INJECTORS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "file": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {r"^template(\.[a-zA-Z_]+[a-zA-Z0-9_]*)?$": STRING},
        },
        "env": {"type": "object", "additionalProperties": False, "patternProperties": {IDENTIFIER: STRING}},
        "extra_vars": {"type": "object", "additionalProperties": False, "patternProperties": {IDENTIFIER: STRING}},
    },
}
QUESTIONS: Mapping[str, type] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}


class Refused(Exception):
    """What AWX answers with status 400."""


@dataclass
class Awx:
    """A controller, what it has, and what it was asked to change."""

    url: str
    tables: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    surveys: dict[int, dict[str, Any]] = field(default_factory=dict)
    associated: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def add(self, table: str, **values: Any) -> int:
        """Add a row, and return its id."""
        rows = self.tables.setdefault(table, {})
        number = len(rows) + 1
        url = f"/api/v2/{table}/{number}/"
        related = {"survey_spec": f"{url}survey_spec/"} if table == "job_templates" else {}
        rows[number] = {"id": number, "url": url, "type": table.removesuffix("s"), "related": related, **values}
        return number

    def row(self, table: str, name: str) -> dict[str, Any]:
        """Return the row of that name."""
        (found,) = (row for row in self.tables[table].values() if row["name"] == name)
        return found

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        """Return status and answer of a request; raises Refused."""
        parts = path.removeprefix("/api/v2/").strip("/").split("/")
        if method != "GET":
            self.changes.append(f"{method} {path}")
        if len(parts) == 1:
            return self._list(parts[0], query) if method == "GET" else self._create(parts[0], body)
        table, number = parts[0], int(parts[1])
        if number not in self.tables.get(table, {}):
            return 404, {"detail": "Not found."}
        if len(parts) == 2:
            return self._one(table, number, method, body)
        if parts[2] == "survey_spec":
            return self._survey(number, method, body)
        if parts[2] == "credentials":
            return self._associate((number, parts[2]), method, body)
        return 404, {"detail": "Not found."}

    def _list(self, table: str, query: Mapping[str, str]) -> tuple[int, Any]:
        wanted = {name: value for name, value in query.items() if not name.startswith("or__")}
        rows = self.tables.get(table, {}).values()
        found = [row for row in rows if all(str(row.get(name)) == value for name, value in wanted.items())]
        return 200, {"count": len(found), "next": None, "previous": None, "results": found}

    def _create(self, table: str, body: dict[str, Any]) -> tuple[int, Any]:
        if any(row["name"] == body.get("name") for row in self.tables.get(table, {}).values()):
            raise Refused({"__all__": [f"{table} with this name already exists."]})
        self._check(table, body)
        number = self.add(table, **body)
        return 201, self.tables[table][number]

    def _one(self, table: str, number: int, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        row = self.tables[table][number]
        if method == "PATCH":
            self._check(table, {**row, **body})
            row |= body
        return 200, row

    def _check(self, table: str, body: Mapping[str, Any]) -> None:
        if table == "credential_types":
            check_credential_type(body)
        if table == "job_templates":
            project = self.tables["projects"].get(body.get("project", 0))
            if project is None or body.get("inventory") not in self.tables["inventories"]:
                raise Refused({"project": ["A project and an inventory are needed."]})
            if body["playbook"] not in project["playbooks"]:
                raise Refused({"playbook": ["Playbook not found for project."]})
            if body.get("execution_environment") not in self.tables.get("execution_environments", {}):
                raise Refused({"execution_environment": ["does not exist"]})

    def _survey(self, number: int, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            check_survey(body)
            self.surveys[number] = body
        return 200, self.surveys.get(number, {})

    def _associate(self, place: tuple[int, str], method: str, body: dict[str, Any]) -> tuple[int, Any]:
        ids = self.associated.setdefault(place, [])
        if method == "GET":
            rows = [self.tables["credentials"][number] for number in ids]
            return 200, {"count": len(rows), "next": None, "results": rows}
        if body.get("disassociate"):
            ids.remove(body["id"])
        else:
            kind = self.tables["credentials"][body["id"]]["credential_type"]
            if any(self.tables["credentials"][number]["credential_type"] == kind for number in ids):
                raise Refused({"error": "Cannot assign multiple credentials of one type."})
            ids.append(body["id"])
        return 204, None


def check_credential_type(body: Mapping[str, Any]) -> None:
    """Raise Refused for inputs and injectors that AWX does not take."""
    inputs, injectors = body.get("inputs", {}), body.get("injectors", {})
    for name, schema in (("inputs", INPUTS), ("injectors", INJECTORS)):
        problems = [error.message for error in Draft4Validator(schema).iter_errors(body.get(name, {}))]
        if problems:
            raise Refused({name: problems})
    if body.get("kind") not in ("cloud", "net"):
        raise Refused({"kind": ["Must be 'cloud' or 'net'"]})
    ids = [each["id"] for each in inputs.get("fields", [])]
    if len(ids) != len(set(ids)) or "tower" in ids or set(inputs.get("required", [])) - set(ids):
        raise Refused({"inputs": ["duplicate, reserved or unknown fields"]})
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    files = {label.partition(".")[2]: "/runner/env/tmp" for label in injectors.get("file", {})}
    values: dict[str, Any] = {name: "EXAMPLE" for name in ids} | {"tower": {"filename": files}}
    for kind, templates in injectors.items():
        for name, template in templates.items():
            if kind == "env" and name.startswith("ANSIBLE_"):
                raise Refused({"injectors": [f"Environment variable {name} may affect Ansible configuration"]})
            try:
                environment.from_string(template).render(values)
            except TemplateError as exc:
                raise Refused({"injectors": [str(exc)]}) from None


def check_survey(body: Mapping[str, Any]) -> None:
    """Raise Refused for a survey that AWX does not take."""
    if not all(isinstance(body.get(name), str) for name in ("name", "description")):
        raise Refused({"error": "'name' and 'description' must be strings"})
    if not isinstance(body.get("spec"), list) or not body["spec"]:
        raise Refused({"error": "'spec' doesn't contain any items"})
    seen = set()
    for number, question in enumerate(body["spec"]):
        if {"type", "question_name", "variable", "required"} - set(question):
            raise Refused({"error": f"a part is missing from survey question {number}"})
        kind = QUESTIONS.get(question["type"])
        if kind is None or question["variable"] in seen or not re.fullmatch(r"\w+", question["variable"]):
            raise Refused({"error": f"type or variable of survey question {number}"})
        seen.add(question["variable"])
        default = question.get("default", "")
        if default != "" and (not isinstance(default, kind) or isinstance(default, bool)):
            raise Refused({"error": f"default of survey question {number} must be {kind}"})
        if question["type"].startswith("multi") and (
            not all(isinstance(each, str) for each in question.get("choices", [None]))
            or (default and default not in question["choices"])
        ):
            raise Refused({"error": f"choices of survey question {number}"})


@contextlib.contextmanager
def controller() -> Iterator[Awx]:
    """A controller with an organization, a project, an inventory, and nothing of Salesforce."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, answer = 401, {"detail": "Authentication credentials were not provided."}
            else:
                try:
                    status, answer = awx.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
                except Refused as exc:
                    status, answer = 400, exc.args[0]
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    awx = Awx(f"http://127.0.0.1:{server.server_port}")
    organization = awx.add("organizations", name="Acme")
    books = [f"salesforce/{name}.yml" for name in ("rotate", "deliver", "report", "drift")]
    awx.add("projects", name="Salesforce", organization=organization, playbooks=books)
    awx.add("inventories", name="Orgs", organization=organization)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield awx
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
