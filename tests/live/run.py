# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: check that the org is one to try things in, ask each question, put everything back, report."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Collection
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from tests.simulated_org.switches import Switches

from .calls import API_VERSION, Caller, Refusal
from .catalogue import ALL, UNANSWERABLE, Question
from .report import Answer, Report, is_value
from .scene import Scene, Unanswered
from .undo import UndoError, restore

_FIELDS = "Id, Name, IsSandbox, OrganizationType, InstanceName"


class WrongOrg(Exception):
    """An org in which nothing may be tried."""


def check_org(admin: Caller, given_id: str) -> dict[str, Any]:
    """Return what org it is; raises WrongOrg for a production org, and for another one than the owner names."""
    found = admin.query(f"SELECT {_FIELDS} FROM Organization")[0]  # noqa: S608
    org_id = str(found["Id"])
    if not (found["IsSandbox"] is True or found["OrganizationType"] == "Developer Edition"):
        raise WrongOrg(f"{org_id} is a production org ({found['OrganizationType']}): nothing is tried in it")
    if len(given_id) not in (15, 18) or given_id[:15] != org_id[:15]:
        wanted = f"not in {given_id}" if given_id else "and no org is named: --org ID"
        raise WrongOrg(f"the session is in the org {org_id}, {wanted}")
    return {
        "org": org_id[:15],
        "type": found["OrganizationType"],
        "sandbox": found["IsSandbox"],
        "instance": found["InstanceName"],
        "api_version": API_VERSION,
    }


def ask_all(
    scene: Scene, org: dict[str, Any], *, only: Collection[str] = (), say: Callable[[str], None] = lambda _line: None
) -> Report:
    """Ask each question and put the org back, however it ends.

    Args:
        only: names of questions; none: all.
    """
    answers: list[Answer] = []
    mask = scene.secrets.mask
    questions = [one for name, one in ALL.items() if not only or name in only]
    try:
        for question in questions:
            answer = Answer(**mask(dataclasses.asdict(_ask(scene, question))))
            say(f"{answer.name}: {answer.value if answer.answered else 'not answered: ' + answer.why}")
            answers.append(answer)
    except (KeyboardInterrupt, SystemExit):
        left = questions[len(answers) :]
        answers += [Answer(*_known(one), why="the run was ended before") for one in left]
    finally:
        problems = restore(scene.admin, scene.journal, scene.wait)
    hints = typing.get_type_hints(Switches)
    for name in [one for one in hints if one not in ALL and (not only or one in only)]:
        text, why = UNANSWERABLE.get(name, ("", "there is no question for it yet"))
        answers.append(Answer(name, text, "not asked", True, why=why))
    return Report(org, tuple(answers), tuple(mask(problems)))


def _known(question: Question) -> tuple[str, str, str, bool]:
    return question.name, question.text, question.fact, question.has_switch


def _ask(scene: Scene, question: Question) -> Answer:
    known = _known(question)
    try:
        for kind in question.needs:
            scene.require(kind)
        value = question.ask(scene)
    except Unanswered as exc:
        return Answer(*known, why=str(exc))
    except (Refusal, GatehouseError, UndoError) as exc:
        return Answer(*known, why=f"the org's answer was not expected: {exc}"[:400])
    except Exception as exc:
        # An answer of another form than any that is known, whose content may be a secret. The others are asked yet.
        return Answer(*known, why=f"the org's answer has a form that is not known ({type(exc).__name__})")
    if question.has_switch and not is_value(question.name, value):
        return Answer(*known, why=f"an answer that no switch has: {value}"[:400])
    return Answer(*known, value=value)
