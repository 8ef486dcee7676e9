# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: what each switch of the simulated org is in a real one, in JSON and Markdown, without a secret."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from tests.simulated_org.switches import Switches

_HINTS = typing.get_type_hints(Switches)


@dataclass(frozen=True)
class Answer:
    """What became of one question.

    Attributes:
        value: the value of the switch, or of a question without one, what the org says; None: not answered.
        why: why it is not answered.
    """

    name: str
    text: str
    fact: str
    has_switch: bool
    value: Any = None
    why: str = ""

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return self.value is not None

    @property
    def is_default(self) -> bool:
        """Whether the simulated org does so by default."""
        return self.has_switch and self.value == getattr(Switches(), self.name)


def is_value(switch: str, value: Any) -> bool:
    """Whether a switch may have a value."""
    hint = _HINTS[switch]
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return isinstance(value, (int, float)) and isinstance(value, bool) == (hint is bool)


@dataclass(frozen=True)
class Report:
    """All answers of one run."""

    org: Mapping[str, Any]
    answers: tuple[Answer, ...]
    problems: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "org": dict(self.org),
            "answers": [dataclasses.asdict(one) for one in self.answers],
            "problems": list(self.problems),
        }

    @property
    def switches(self) -> dict[str, Any]:
        """The switches that are answered, as the simulated org takes them."""
        return {one.name: one.value for one in self.answers if one.has_switch and one.answered}

    def as_json(self) -> str:
        """Return it as JSON; C(switches) can be given to a simulated org."""
        return json.dumps({**self.as_data(), "switches": self.switches}, indent=2) + "\n"

    def as_markdown(self) -> str:
        """Return it as a page."""
        answered = [one for one in self.answers if one.answered]
        lines = [
            "# What a real org answers",
            "",
            *(f"- {name}: {value}" for name, value in self.org.items()),
            f"- answered: {len(answered)} of {len(self.answers)} questions",
            "",
            "## Answers",
            "",
            "| subject | question | switch or name | answer | default of the simulated org |",
            "|---|---|---|---|---|",
            *(
                f"| {one.fact} | {one.text} | `{one.name}` | {_cell(one.value)} | {_default(one)} |"
                for one in sorted(answered, key=lambda one: one.fact)
            ),
            "",
            "## Not answered",
            "",
            "| question | switch or name | why |",
            "|---|---|---|",
            *(f"| {one.text} | `{one.name}` | {_cell(one.why)} |" for one in self.answers if not one.answered),
        ]
        if self.problems:
            lines += ["", "## Not put back", "", *(f"- {one}" for one in self.problems)]
        return "\n".join(lines) + "\n"


def _default(answer: Answer) -> str:
    if not answer.has_switch:
        return ""
    return "the same" if answer.is_default else f"**{_cell(getattr(Switches(), answer.name))}**"


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
