# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host does with the file of an application, where no playbook can show it."""

from __future__ import annotations

import ast
import errno
import os
import shlex
import stat
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import fingerprint
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host import app_file
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host.app_file import AppFile
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task import options
from ansible_collections.gatehouse.salesforce.plugins.modules import app_credential

NOBODY = 0xFFFFFFFF
CONTEXTS = ("seuser", "serole", "setype", "selevel")


class Failed(Exception):
    """The module has ended."""


class Module:
    """As much of an AnsibleModule as is needed, on a host with SELinux."""

    check_mode = False

    def __init__(self, dest: Path, **params: Any) -> None:
        given = {"wanted": fingerprint(b"CANARY"), "content": "CANARY"}
        defaults = {name: option.get("default") for name, option in app_file.FILE.items()}
        self.params = {**defaults, "dest": str(dest), "format_options": given, **params}
        self.steps: list[tuple[Any, ...]] = []

    def fail_json(self, msg: str) -> None:
        raise Failed(msg)

    def run_command(self, command: str, *, handle_exceptions: bool) -> tuple[int, str, str]:
        assert not handle_exceptions, "Ansible's own message says nothing"
        return subprocess.run(shlex.split(command), check=False).returncode, "", ""

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

    def set_fs_attributes_if_different(self, arguments: dict[str, Any], _changed: bool, *_diff: Any) -> bool:
        self.steps.append(("attributes", self._which(arguments["path"]), arguments["secontext"]))
        return False

    def _which(self, path: str) -> str:
        return "file" if path == self.params["dest"] else "new file"


def ensure(module: Module) -> dict[str, Any]:
    return AppFile(module).ensure()


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


class TestOwner:
    """The owner and the group of the file stay as they are, unless others are asked for."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """A file of somebody else."""
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        path = tmp_path / "app.env"
        path.write_text("old")
        os.chown(path, 65534, 65533)
        return path

    def test_they_stay_also_where_another_than_root_may_keep_them(
        self, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        ensure(Module(target))
        assert (target.stat().st_uid, target.stat().st_gid) == (65534, 65533)

    def test_where_they_cannot_be_kept_the_old_file_stays_as_its_application_could_not_read_the_new_one(
        self, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_path: Path, uid: int, gid: int) -> None:
            if (uid, gid) != (-1, -1):
                raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "chown", refuse)
        with pytest.raises(Failed, match="65534.*65533.*become"):
            ensure(Module(target))
        assert target.read_text() == "old" and list(target.parent.iterdir()) == [target]
        ensure(Module(target, owner="0", group="0"))
        assert target.read_text() == "CANARY"

    def test_who_has_put_a_file_where_everybody_may_is_not_given_the_secret(self, target: Path) -> None:
        target.parent.chmod(0o1777)
        with pytest.raises(Failed, match="owner"):
            ensure(Module(target))
        assert target.read_text() == "old"
        ensure(Module(target, owner="nobody"))
        assert target.read_text() == "CANARY"


class TestAccessControlList:
    """Applications that read a file by its access control list go on doing so."""

    # Of its user, of user 1, of its group, the mask, and of all others, each with what they may do.
    ENTRIES = ((0x01, 6, NOBODY), (0x02, 4, 1), (0x04, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 4, NOBODY))

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """A file that user 1 and all others may read."""
        path = tmp_path / "app.env"
        path.write_text("old")
        packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in self.ENTRIES)
        try:
            os.setxattr(path, app_file.ACL, packed)
        except OSError:
            pytest.skip("there are no access control lists here, so that they are kept is NOT TESTED")
        return path

    def test_it_stays_and_never_opens_the_new_file_to_more_than_the_mode_does(
        self, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []

        def set_mode(arguments: dict[str, Any], _changed: bool, *_diff: Any) -> bool:
            path = Path(arguments["path"])
            seen.append(path.read_text())
            path.chmod(int(arguments["mode"], 8))
            return False

        module = Module(target, mode="0640")
        monkeypatch.setattr(module, "set_fs_attributes_if_different", set_mode)
        ensure(module)
        assert seen == [""], "there is nothing to read yet"
        assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("CANARY", 0o640)
        assert struct.pack("<HHI", 0x02, 4, 1) in os.getxattr(target, app_file.ACL)

    def test_where_everybody_may_put_a_file_none_is_taken_over(self, target: Path) -> None:
        target.parent.chmod(0o1777)
        ensure(Module(target, mode="0640"))
        assert target.read_text() == "CANARY" and app_file.ACL not in os.listxattr(target)


def test_a_file_in_a_folder_that_may_not_be_searched_is_not_taken_for_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(Path, "exists", lambda _self: False)  # as Python 3.14 has it then
    with pytest.raises(PermissionError):
        ensure(Module(tmp_path / "app.env", state="absent"))


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENOENT, "folder"), (errno.EACCES, "become"), (errno.EBUSY, "mount")]
)
def test_what_the_system_refuses_is_told_with_what_to_do(number: int, hint: str) -> None:
    told = app_file.refusal(OSError(number, os.strerror(number)))
    assert told.startswith(os.strerror(number)) and hint in told


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="validate: 'nonexistent-command %s' cannot be run: No such file"):
        ensure(Module(tmp_path / "app.env", validate="nonexistent-command %s"))
    assert list(tmp_path.iterdir()) == []


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
        ensure(Module(target, backup=True))
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_the_module_reads_as_the_oldest_python_that_hosts_may_have_does() -> None:
    for module in (app_file, app_credential):
        ast.parse(Path(str(module.__file__)).read_text(), feature_version=(3, 8))


def test_module_and_action_have_the_same_options_of_the_store() -> None:
    wanted = {
        name: {key: value for key, value in option.items() if key != "fallback"}
        for name, option in options.STORE.items()
    }
    assert wanted == app_credential.STORE
