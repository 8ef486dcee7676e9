# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions, by subject. Each is a function whose docstring is the question, and whose name is the switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.simulated_org.switches import Switches

from ..scene import Scene, Unanswered


@dataclass(frozen=True)
class Question:
    """One open question.

    Attributes:
        name: of the switch of the simulated org; of a question that has none, its own.
        text: the question.
        fact: what it is about, by the subject under which the answer is written down.
        needs: the kinds of change without which it is not asked.
        ask: returns the answer, or raises Unanswered; of a question without a switch, in the org's own words.
    """

    name: str
    text: str
    fact: str
    needs: tuple[str, ...]
    ask: Callable[[Scene], Any]

    @property
    def has_switch(self) -> bool:
        """Whether the answer is the value of a switch of the simulated org."""
        return hasattr(Switches(), self.name)


QUESTIONS: dict[str, Question] = {}


def question(fact: str, *needs: str) -> Callable[[Callable[[Scene], Any]], Callable[[Scene], Any]]:
    """Register a function as a question."""

    def register(ask: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
        text = " ".join((ask.__doc__ or "").split())
        QUESTIONS[ask.__name__] = Question(ask.__name__, text, fact, needs, ask)
        return ask

    return register


def one_of(given: str, *choices: str) -> str:
    """Return what was given if it is among the choices; raises Unanswered."""
    if given in choices:
        return given
    raise Unanswered(f"another answer than those that are known: {given[:120]}")
