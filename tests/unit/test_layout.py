# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom, and what Ansible sends to a managed host."""

from __future__ import annotations

import ast
import base64
import io
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.executor import module_common
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
CODE = PLUGINS / "module_utils" / "_gatehouse"
PACKAGE = "ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse"

COMMON = {
    "authorities",
    "deadline",
    "durations",
    "errors",
    "files",
    "libraries",
    "masking",
    "near_names",
    "progress",
    "text",
    "xml_files",
}
# Each package, and what it may import beside COMMON and itself; lower ones first.
MAY_IMPORT: dict[str, set[str]] = {
    "authorities": set(),
    "deadline": set(),
    "durations": set(),
    "errors": set(),
    "text": set(),
    "files": set(),
    "masking": set(),
    "near_names": set(),
    "progress": set(),
    "libraries": set(),
    "xml_files": set(),
    "auth": set(),
    "ranges": set(),
    "credentials": {"auth"},
    "formats": {"auth"},
    "mailbox": set(),
    "host": {"auth"},
    "org": {"auth", "ranges"},
    "oauth_app": {"auth", "org"},
    "store": {"credentials"},
    "permissions": {"org", "oauth_app"},
    "access": {"ranges", "org"},
    "report": {"auth", "ranges", "access"},
    "verification": {"auth", "ranges", "credentials", "org", "store", "access"},
    "delivery": {"credentials", "formats", "host", "store"},
    "task": {"auth", "credentials", "org", "store"},
    "rotation": {"auth", "credentials", "mailbox", "org", "oauth_app", "store", "access", "verification"},
    "events": {
        "auth",
        "ranges",
        "credentials",
        "mailbox",
        "org",
        "oauth_app",
        "store",
        "access",
        "verification",
        "task",
    },
}
# What Ansible sends to a managed host with each module, beside the module itself, and how many bytes that may be.
SHIPPED = {
    "login_check": (
        {
            "auth/connection.py",
            "auth/protocol.py",
            "backends/login_check.py",
            "errors.py",
            "host/login_probe.py",
            "task/options.py",
            "text.py",
        },
        45 * 1024,
    ),
    "app_credential": ({"host/app_file.py"}, 26 * 1024),
}
MAY_IMPORT["events"] = set(MAY_IMPORT) - {"formats", "host", "delivery", "report", "rotation"}
MAY_IMPORT["backends"] = set(MAY_IMPORT)


def imports_of(path: Path) -> Iterator[str]:
    """The parts of _gatehouse that a file imports, wherever in the file that stands."""
    depth = len(path.relative_to(CODE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level == depth:
            yield from [module.split(".")[0]] if module else [alias.name for alias in node.names]
        elif node.level == 0 and module.startswith(f"{PACKAGE}."):
            yield module.removeprefix(f"{PACKAGE}.").split(".")[0]


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part: str) -> None:
    files = [CODE / f"{part}.py"] if (CODE / f"{part}.py").exists() else sorted((CODE / part).rglob("*.py"))
    allowed = MAY_IMPORT[part] | (COMMON if part not in COMMON else {"errors"}) | {part}
    wrong = {(str(file.relative_to(CODE)), name) for file in files for name in imports_of(file) if name not in allowed}
    assert files and not wrong


def test_the_table_names_every_part() -> None:
    parts = {path.stem for path in CODE.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert parts == set(MAY_IMPORT)


def shipped(module: str) -> dict[str, int]:
    """The files of this collection that Ansible sends to a host with a module, and their bytes."""
    built = module_common.modify_module(
        module_name=f"gatehouse.salesforce.{module}",
        module_path=str(PLUGINS / "modules" / f"{module}.py"),
        module_args={},
        templar=Templar(loader=DataLoader()),
        task_vars={"ansible_python_interpreter": sys.executable},
    )
    encoded = max(re.findall(rb"[A-Za-z0-9+/=]{1000,}", built.b_module_data), key=len)
    prefix = "ansible_collections/gatehouse/salesforce/plugins/module_utils/_gatehouse/"
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded))) as archive:
        return {
            info.filename.removeprefix(prefix): info.file_size
            for info in archive.infolist()
            if info.filename.startswith(prefix)
        }


@pytest.mark.every_core
@pytest.mark.ansible
@pytest.mark.parametrize("module", SHIPPED)
def test_a_host_gets_only_what_runs_there(module: str) -> None:
    files, limit = shipped(module), SHIPPED[module][1]
    assert {name for name in files if not name.endswith("__init__.py")} == SHIPPED[module][0]
    assert sum(files.values()) <= limit
