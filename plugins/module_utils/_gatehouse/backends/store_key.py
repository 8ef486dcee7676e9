# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, add and retire the keys of a store.

A key is taken out of its file only after nothing in the store needs it, so a run may end anywhere and the next one goes
on from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import CredentialNotFoundError, OptionError, StoreError
from ..files import file_lock
from ..store import Store
from ..store.keys import (
    OPTION,
    fernet_of,
    generate_key,
    key_path,
    key_texts,
    make_folder_of,
    new_key,
    plain_text,
    rewrite_keys,
)
from ..task.context import Task
from ..task.options import STORE, Spec

STATES = ("present", "added", "retired", "rotated")
SPEC: Spec = {"state": {"type": "str", "choices": list(STATES), "default": "present"}, **STORE}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Bring the keys into the state that the options name."""
    file = Path(os.path.realpath(key_path(task.store_options.key_file)))  # a link to it stays a link
    if options["state"] == "retired" and not file.exists():
        raise OptionError(OPTION, f"{file} does not exist")
    with contextlib.nullcontext() if task.check_mode else _alone(file):
        return _run(options, file, task)


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Lock the file of keys, as tasks for many hosts come at once."""
    make_folder_of(file)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # where no lock can be made, no key can be replaced either
            stack.enter_context(file_lock(file.with_name(f".{file.name}.lock")))
        yield


def _run(options: Mapping[str, Any], file: Path, task: Task) -> dict[str, Any]:
    state, made = options["state"], not file.exists()
    if made and task.check_mode:
        return _result(file, [], changed=True)
    if made:
        generate_key(file)
    added = not made and state in ("added", "rotated") and _add(file, task)
    resealed: list[str] = []
    retired = False
    if state in ("retired", "rotated") and not made:
        # In check mode no key was added, but each credential would have to be sealed again for it.
        outdated = _outdated(task, file) if not (added and task.check_mode) else task.store.all_names()
        resealed = outdated if task.check_mode else _reseal(task.store, outdated)
        retired = _retire(file, task) or (added and task.check_mode)
    return _result(file, key_texts(file), changed=made or added or bool(resealed) or retired, resealed=resealed)


def _add(file: Path, task: Task) -> bool:
    """Put a new key before the others, unless an earlier one has not been retired yet: then that is to be finished."""
    if len(key_texts(file)) > 1:
        return False
    text = plain_text(file)
    if text is None:
        raise OptionError(OPTION, f"{file} cannot be rewritten: it is a program or encrypted by Ansible Vault")
    if not task.check_mode:
        rewrite_keys(file, new_key() + b"\n" + text)
    return True


def _outdated(task: Task, file: Path) -> list[str]:
    """Return the credentials of which something was sealed with another key than the newest."""
    newest, *older = key_texts(file)
    store = task.store_options.open_with(fernet_of([newest]))
    return [name for name in store.all_names() if not _opens(store, name)] if older else []


def _opens(store: Store, name: str) -> bool:
    try:
        store.deliveries(name)
        store.history(name)
    except CredentialNotFoundError:
        return True
    except StoreError:
        return False
    return True


def _reseal(store: Store, names: list[str]) -> list[str]:
    done: list[str] = []
    try:
        for name in names:
            with contextlib.suppress(CredentialNotFoundError):  # it is gone, and who holds it has been sealed again
                store.reseal(name)
            done.append(name)
    except StoreError as exc:
        exc.result = {"resealed": done, "changed": bool(done)}
        raise
    return done


def _retire(file: Path, task: Task) -> bool:
    """Move all keys but the newest out of the file, to one beside it: a task that runs just now may have used them."""
    newest, *older = key_texts(file)
    text = plain_text(file)
    if not older or text is None:
        return False
    if not task.check_mode:
        task.store_options.open_notes().reseal()
        task.store.purge()
        aside = retired_file(file)
        before = aside.read_bytes() if aside.exists() else b""
        rewrite_keys(aside, b"\n".join(older) + b"\n" + before)
        kept = [line for line in text.splitlines(keepends=True) if line.strip() not in older]
        rewrite_keys(file, b"".join(kept))
    return True


def retired_file(file: Path) -> Path:
    """Return the file of retired keys."""
    return file.with_name(f"{file.name}.retired")


def _result(file: Path, keys: list[bytes], *, changed: bool, resealed: list[str] | None = None) -> dict[str, Any]:
    marks = [hashlib.sha256(key).hexdigest()[:16] for key in keys]
    return {
        "changed": changed,
        "file": str(file),
        "newest": marks[0] if marks else None,
        "older": marks[1:],
        "resealed": resealed or [],
        "retired_file": str(retired_file(file)) if retired_file(file).exists() else None,
    }
