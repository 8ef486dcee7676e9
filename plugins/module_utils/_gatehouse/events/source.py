# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a source inside ansible-rulebook: an asyncio loop at the edge, and one thread for all that blocks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..credentials.credential import checked_name
from ..errors import GatehouseError, OptionError
from ..store.notes import Note, Notes
from ..task.context import Task
from ..task.options import STORE, Spec
from .memory import Cursor, Event, Memory, Seen, dump, parse

LOGGER = logging.getLogger("gatehouse.salesforce")
MAX_PAUSE = 60.0  # seconds between two looks at a server that cannot be reached
MIN_INTERVAL = 1.0
# What the administrator of ansible-rulebook may add to the arguments of any source.
OF_THE_RULEBOOK = ("feedback", "eda_feedback_queue")
T = TypeVar("T")


class Queue(Protocol):
    """The queue of ansible-rulebook."""

    async def put(self, event: Event) -> None: ...


class Watch:
    """What a source looks at. Its methods block, and are called one after the other."""

    def look(self, cursor: Cursor | None) -> Seen:
        """Return what has happened since; raises GatehouseError, and is then called again with the same cursor.

        Args:
            cursor: of the last look; None at the very first, which begins now.
        """
        raise NotImplementedError

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a look is worth it; raises GatehouseError."""
        time.sleep(seconds)

    def close(self) -> None:
        """Give up what is open; by default, nothing is."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One source.

    Attributes:
        name: of the plugin.
        interval: seconds between two looks, by default.
        spec: the options beside those of all sources.
        open: returns what to look at; raises OptionError.
    """

    name: str
    interval: float
    spec: Spec
    open: Callable[[Mapping[str, Any], Task], Watch]

    @property
    def full_spec(self) -> Spec:
        """All options."""
        return {
            "name": {"type": "str", "default": self.name},
            "interval": {"type": "float", "default": self.interval},
            "replay_seconds": {"type": "float", "default": 300.0},
            **self.spec,
            **STORE,
        }


class SupersededError(GatehouseError):
    """Another process watches under the same name."""


async def run_source(source: Source, queue: Queue, arguments: Mapping[str, Any]) -> None:
    """Hand over events until the task is cancelled.

    Raises:
        OptionError: the arguments, the store or its keys cannot be used.
        SupersededError: another process has started under the same name.
    """
    feedback = arguments.get("eda_feedback_queue")
    options = read_options(source, arguments)
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder:
        task = Task.read(options, check_mode=False, folder=Path(folder))
        watch = source.open(options, task)
        loop = _Loop(options, task.store_options.open_notes(), watch, queue, feedback, task.secrets.mask)
        try:
            await loop.run()
        finally:
            watch.close()


def read_options(source: Source, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Validate the arguments of a source; raises OptionError.

    A secret is taken from the environment only: ansible-rulebook shows rulebooks and their arguments.
    """
    given = {name: value for name, value in arguments.items() if name not in OF_THE_RULEBOOK}
    spec = source.full_spec
    _require_no_secrets(spec, given, "")
    validated = ArgumentSpecValidator(spec).validate(given)
    if validated.error_messages:
        raise GatehouseError("; ".join(validated.error_messages))
    options: dict[str, Any] = validated.validated_parameters
    checked_name(options["name"])
    if options["interval"] < MIN_INTERVAL:
        raise OptionError("interval", f"must be at least {MIN_INTERVAL:g} second")
    if options["replay_seconds"] < 0:
        raise OptionError("replay_seconds", "must not be negative")
    return options


def _require_no_secrets(spec: Spec, given: Mapping[str, Any], within: str) -> None:
    for name, option in spec.items():
        if option.get("no_log") and given.get(name):
            _fallback, variables = option.get("fallback", (None, []))
            way_out = f"set the environment variable {variables[0]}" if variables else "name a file or a variable"
            raise OptionError(f"{within}{name}", f"is a secret, which rulebooks would show; {way_out} instead")
        if option.get("options") and isinstance(given.get(name), Mapping):
            _require_no_secrets(option["options"], given[name], f"{within}{name}.")


class _Loop:
    """One run of a source."""

    def __init__(
        self,
        options: Mapping[str, Any],
        notes: Notes,
        watch: Watch,
        queue: Queue,
        feedback: asyncio.Queue[Event] | None,
        mask: Callable[[str], str],
    ) -> None:
        self._name = f"events-{options['name']}"
        self._interval: float = options["interval"]
        self._replay: float = options["replay_seconds"]
        self._notes = notes
        self._watch = watch
        self._queue = queue
        self._feedback = feedback
        self._mask = mask
        self._memory = Memory()
        self._handed_over: dict[str, float] = {}  # when, on the monotonic clock, by the event's id
        self._trouble = ""
        self._problems: tuple[str, ...] = ()

    async def run(self) -> None:
        await self._with_patience(self._begin)
        await self._hand_over(self._memory.pending, redelivered=True)
        while True:
            before = self._memory.pending
            await self._with_patience(self._look_and_store)
            known = {event["id"] for event in before}
            await self._hand_over([event for event in self._memory.pending if event["id"] not in known])
            try:
                await in_thread(self._watch.wait, self._interval)
            except OptionError:
                raise
            except GatehouseError as exc:
                self._report(exc)

    async def _with_patience(self, action: Callable[[], None]) -> None:
        """Do something that is repeated while a server is away, since what it does is stored or not done at all."""
        pause = 1.0
        while True:
            try:
                await in_thread(action)
            except (OptionError, SupersededError):
                raise
            except GatehouseError as exc:
                self._report(exc)
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE)
            else:
                if self._trouble:
                    LOGGER.warning("%s: works again", self._name)
                self._trouble = ""
                return

    def _report(self, error: GatehouseError) -> None:
        """Log each trouble once."""
        text = self._mask(str(error))
        if text != self._trouble:
            LOGGER.warning("%s: %s; tried again", self._name, text)
        self._trouble = text

    def _report_problems(self, problems: tuple[str, ...]) -> None:
        """Log what one look has found and the last one has not."""
        for problem in problems:
            if problem not in self._problems:
                LOGGER.warning("%s: %s", self._name, self._mask(problem))
        self._problems = problems

    def _begin(self) -> None:
        with self._notes.hold(self._name) as note:
            memory = dataclasses.replace(parse(note.read()), owner=secrets.token_hex(8))
            note.write(dump(memory))
        self._memory = memory

    def _look_and_store(self) -> None:
        seen = self._watch.look(self._memory.cursor)
        self._report_problems(tuple(seen.problems))
        begins = self._memory.cursor is None
        memory = self._memory.without(self._ended_ids()).after(seen)
        if memory != self._memory:
            with self._notes.hold(self._name) as note:
                self._store(note, memory)
            self._handed_over = {
                event["id"]: self._handed_over[event["id"]]
                for event in memory.pending
                if event["id"] in self._handed_over
            }
        self._memory = memory
        if begins:
            LOGGER.info("%s: begins to watch, and tells what happens from now on", self._name)

    def _store(self, note: Note, memory: Memory) -> None:
        if parse(note.read()).owner != memory.owner:
            raise SupersededError(
                f"another source has started under the name {self._name!r}; give each one its own name"
            )
        note.write(dump(memory))

    def _ended_ids(self) -> Collection[str]:
        """Return the ids of events that need not be handed over again."""
        if self._feedback is not None:
            return self._handed_over.keys()
        oldest = time.monotonic() - self._replay
        return {event for event, when in self._handed_over.items() if when <= oldest}

    async def _hand_over(self, events: Collection[Event], *, redelivered: bool = False) -> None:
        for event in events:
            # The rule engine takes this as the event's own id, and one that persists events knows it again.
            await self._queue.put({**event, "redelivered": redelivered, "meta": {"uuid": event["id"]}})
            if self._feedback is not None:
                await self._feedback.get()
            self._handed_over[event["id"]] = time.monotonic()


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Return what a function returns that blocks; a task that is cancelled meanwhile does not wait for its end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, problem: BaseException | None) -> None:
        if future.done():
            return
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result, problem = None, None
        try:
            result = function(*arguments)
        except BaseException as exc:
            problem = exc
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=work, daemon=True).start()
    return await future
