# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host does with the file of an application, where no playbook can show it."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils import host_file, options
from ansible_collections.gatehouse.salesforce.plugins.module_utils.deliveries import fingerprint
from ansible_collections.gatehouse.salesforce.plugins.module_utils.host_file import HostFile
from ansible_collections.gatehouse.salesforce.plugins.modules import app_credential

CONTEXTS = ("seuser", "serole", "setype", "selevel")


class Module:
    """As much of an AnsibleModule as is needed, on a host with SELinux."""

    check_mode = False

    def __init__(self, dest: Path, **params: Any) -> None:
        given = {"wanted": fingerprint(b"CANARY"), "content": "CANARY"}
        defaults = {name: option.get("default") for name, option in host_file.FILE.items()}
        self.params = {**defaults, "dest": str(dest), "format_options": given, **params}
        self.steps: list[tuple[Any, ...]] = []

    def selinux_enabled(self) -> bool:
        return True

    def selinux_context(self, path: str) -> list[str]:
        return ["of", "the", "old", Path(path).name]

    def selinux_default_context(self, path: str) -> list[str]:
        return ["of", "the", "policy", Path(path).name]

    def set_context_if_different(self, path: str, context: list[str], _changed: bool) -> None:
        self.steps.append(("context", self._which(path), context))

    def load_file_common_arguments(self, params: dict[str, Any], path: str) -> dict[str, Any]:
        return {"path": path, "secontext": [params[name] for name in CONTEXTS], "mode": params["mode"]}

    def set_fs_attributes_if_different(self, arguments: dict[str, Any], _changed: bool) -> bool:
        self.steps.append(("attributes", self._which(arguments["path"]), arguments["secontext"]))
        return False

    def _which(self, path: str) -> str:
        return "file" if path == self.params["dest"] else "new file"


def ensure(module: Module) -> dict[str, Any]:
    return HostFile(module).ensure()


class TestSELinux:
    """There is no SELinux where these tests run, so that what is asked of Ansible's own functions is looked at."""

    def test_a_new_file_gets_the_context_of_the_policy_and_then_what_is_asked_for(self, tmp_path: Path) -> None:
        module = Module(tmp_path / "app.env", setype="httpd_config_t")
        ensure(module)
        assert module.steps == [
            ("context", "new file", ["of", "the", "policy", "app.env"]),
            ("attributes", "new file", [None, None, "httpd_config_t", None]),
        ]

    def test_a_file_that_is_replaced_keeps_its_context(self, tmp_path: Path) -> None:
        (tmp_path / "app.env").write_text("old")
        module = Module(tmp_path / "app.env", selevel="s0:c1")
        ensure(module)
        assert module.steps[0] == ("context", "new file", ["of", "the", "old", "app.env"])

    def test_a_file_that_is_as_wanted_gets_what_is_asked_for(self, tmp_path: Path) -> None:
        (tmp_path / "app.env").write_text("CANARY")
        module = Module(tmp_path / "app.env", seuser="system_u")
        assert ensure(module)["held"] == "wanted"
        assert module.steps == [("attributes", "file", ["system_u", None, None, None])]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_is_interrupted_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "app.env"
    target.write_text("old")

    def refuse(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, refuse)
    with pytest.raises(OSError, match="No space left"):
        ensure(Module(target))
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_the_module_reads_as_the_oldest_python_that_hosts_may_have_does() -> None:
    for module in (host_file, app_credential):
        ast.parse(Path(str(module.__file__)).read_text(), feature_version=(3, 8))


def test_module_and_action_have_the_same_options_of_the_store() -> None:
    wanted = {
        name: {key: value for key, value in option.items() if key != "fallback"}
        for name, option in options.STORE.items()
    }
    assert wanted == app_credential.STORE
