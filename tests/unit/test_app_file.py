# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host does with the file of an application, where no playbook can show it."""

from __future__ import annotations

import ast
import errno
import fcntl
import os
import shlex
import stat
import struct
import subprocess
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import fingerprint
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host import app_file
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host.app_file import AppFile
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task import options
from ansible_collections.gatehouse.salesforce.plugins.modules import app_credential
from tests.support.file_races import races_lost

NOBODY = 0xFFFFFFFF
APPLICATION, OTHER = 65534, 65533
RACES = 20


class Failed(Exception):
    """The module has ended."""


class Module:
    """As much of an AnsibleModule as is needed, on a host whose policy names one context."""

    def __init__(self, dest: Path, *, selinux: bool = False, check_mode: bool = False, **params: Any) -> None:
        given = {"wanted": fingerprint(b"CANARY"), "content": "CANARY"}
        defaults = {name: option.get("default") for name, option in app_file.FILE.items()}
        self.params = {**defaults, "dest": str(dest), "_payload": given, **params}
        self.check_mode = check_mode
        self.selinux = selinux

    def fail_json(self, msg: str) -> None:
        raise Failed(msg)

    def run_command(self, command: str, *, handle_exceptions: bool) -> tuple[int, str, str]:
        assert not handle_exceptions, "Ansible's own message says nothing"
        return subprocess.run(shlex.split(command), check=False).returncode, "", ""

    def selinux_enabled(self) -> bool:
        return self.selinux

    def selinux_default_context(self, path: str) -> list[str]:
        return ["of", "the", "policy", Path(path).name]


def ensure(module: Module) -> dict[str, Any]:
    return AppFile(module).ensure()


class TestSELinux:
    """There is no SELinux where these tests run, but files have the attribute in which it keeps a context."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """A file with a context."""
        path = tmp_path / "app.env"
        path.write_text("old")
        try:
            os.setxattr(path, app_file.SELINUX, b"of:the:old:app.env\0")
        except OSError:
            pytest.skip("no context can be set here, so contexts are NOT TESTED")
        return path

    @staticmethod
    def context(path: Path) -> str:
        return os.getxattr(path, app_file.SELINUX).decode().rstrip("\0")

    def test_a_new_file_gets_the_context_of_the_policy_and_then_what_is_asked_for(self, target: Path) -> None:
        target.unlink()
        ensure(Module(target, selinux=True, setype="httpd_config_t"))
        assert self.context(target) == "of:the:httpd_config_t:app.env"

    def test_a_file_that_is_replaced_keeps_its_context(self, target: Path) -> None:
        ensure(Module(target, selinux=True, selevel="s0:c1"))
        assert self.context(target) == "of:the:old:s0:c1"

    def test_the_policys_part_is_set_where_it_is_asked_for(self, target: Path) -> None:
        ensure(Module(target, selinux=True, setype="_default"))
        assert self.context(target) == "of:the:policy:app.env"

    def test_a_file_that_is_as_wanted_gets_what_is_asked_for_and_check_mode_says_so(self, target: Path) -> None:
        target.write_text("CANARY")
        target.chmod(0o600)
        options: dict[str, Any] = {"selinux": True, "seuser": "system_u"}
        foreseen = ensure(Module(target, check_mode=True, **options))
        assert self.context(target) == "of:the:old:app.env"
        assert foreseen == ensure(Module(target, **options))
        assert (foreseen["status"], foreseen["changed"]) == ("current", True)
        assert foreseen["diff"]["after"] == {"secontext": ["system_u", "the", "old", "app.env"]}
        assert self.context(target) == "system_u:the:old:app.env"
        assert not ensure(Module(target, **options))["changed"]


class TestOwner:
    """The owner and the group of the file stay as they are, unless others are asked for."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """A file of an application's user in a folder of root's."""
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        path = tmp_path / "conf" / "app.env"
        path.parent.mkdir()
        path.write_text("old")
        os.chown(path, APPLICATION, OTHER)
        path.chmod(0o600)
        return path

    @staticmethod
    def owners(path: Path) -> tuple[int, int]:
        return path.stat().st_uid, path.stat().st_gid

    def test_they_stay(self, target: Path) -> None:
        ensure(Module(target))
        assert self.owners(target) == (APPLICATION, OTHER) and target.read_text() == "CANARY"

    def test_those_that_are_asked_for_are_set_and_check_mode_says_so(self, target: Path) -> None:
        ensure(Module(target, owner="root", group="0"))
        assert self.owners(target) == (0, 0)
        foreseen = ensure(Module(target, owner=str(APPLICATION), group=str(OTHER), mode="0640", check_mode=True))
        assert self.owners(target) == (0, 0)
        done = ensure(Module(target, owner=str(APPLICATION), group=str(OTHER), mode="0640"))
        assert done == foreseen
        assert done["diff"] == {
            "before": {"owner": 0, "group": 0, "mode": "0600"},
            "after": {"owner": APPLICATION, "group": OTHER, "mode": "0640"},
        }
        assert self.owners(target) == (APPLICATION, OTHER)

    @pytest.mark.parametrize(("option", "kind"), [("owner", "user"), ("group", "group")])
    def test_one_that_the_host_does_not_know_is_named(self, target: Path, option: str, kind: str) -> None:
        with pytest.raises(Failed, match=f"{option}: the host has no {kind} 'nobody-of-this-name'"):
            asked: dict[str, Any] = {option: "nobody-of-this-name"}
            ensure(Module(target, **asked))
        assert target.read_text() == "old" and list(target.parent.iterdir()) == [target]

    def test_where_they_cannot_be_kept_the_old_file_stays_as_its_application_could_not_read_the_new_one(
        self, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_descriptor: int, _uid: int, _gid: int) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "fchown", refuse)
        with pytest.raises(Failed, match="65534.*65533.*become"):
            ensure(Module(target))
        assert target.read_text() == "old" and list(target.parent.iterdir()) == [target]
        ensure(Module(target, owner="0", group="0"))
        assert target.read_text() == "CANARY"


class TestPlanted:
    """Where others may write, a file that was put there decides nothing about who can read the secret."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder that is made what each test needs."""
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        (tmp_path / "conf").mkdir()
        return tmp_path / "conf"

    @staticmethod
    def make(folder: Path, owner: int, mode: int, planted: tuple[int, int] | None) -> Path:
        target = folder / "app.env"
        if planted:
            target.write_text("old")
            target.chmod(0o600)
            os.chown(target, *planted)
        os.chown(folder, owner, owner)
        folder.chmod(mode)
        return target

    # The folders of attacks.md, and those that only members of a group may write.
    FOLDERS = ((0, 0o1777), (0, 0o777), (0, 0o775), (APPLICATION, 0o755))

    @pytest.mark.parametrize(("owner", "mode"), FOLDERS)
    def test_a_group_is_not_kept_where_another_owner_is_asked_for(self, folder: Path, owner: int, mode: int) -> None:
        target = self.make(folder, owner, mode, (APPLICATION, APPLICATION))
        with pytest.raises(Failed, match="belongs to group 65534.*give group"):
            ensure(Module(target, owner="root", mode="0640"))
        assert target.read_text() == "old"
        ensure(Module(target, owner="root", group="root", mode="0640"))
        assert TestOwner.owners(target) == (0, 0)

    @pytest.mark.parametrize(("owner", "mode"), FOLDERS)
    def test_one_that_contains_what_it_should_is_not_made_anothers_in_place(
        self, folder: Path, owner: int, mode: int
    ) -> None:
        """Who has planted it may have it open, and its group may read it."""
        target = self.make(folder, owner, mode, (APPLICATION, APPLICATION))
        target.write_text("CANARY")
        with pytest.raises(Failed, match="belongs to group 65534.*give group"):
            ensure(Module(target, owner="root", mode="0640"))
        planted = target.stat().st_ino
        asked: dict[str, Any] = {"owner": "root", "group": "root", "mode": "0640"}
        assert ensure(Module(target, **asked))["status"] == "other"
        assert TestOwner.owners(target) == (0, 0) and target.stat().st_ino != planted
        assert ensure(Module(target, **asked)) == {"status": "current", "changed": False}

    @pytest.mark.parametrize(("owner", "mode"), FOLDERS[:3])
    def test_an_owner_is_not_kept_where_strangers_may_put_files(self, folder: Path, owner: int, mode: int) -> None:
        target = self.make(folder, owner, mode, (APPLICATION, APPLICATION))
        with pytest.raises(Failed, match="belongs to user 65534.*give owner"):
            ensure(Module(target))
        assert target.read_text() == "old"
        target.write_text("CANARY")
        with pytest.raises(Failed, match="belongs to user 65534.*give owner"):
            ensure(Module(target))
        target.write_text("old")
        ensure(Module(target, owner="nobody"))
        assert target.read_text() == "CANARY"

    def test_a_file_of_roots_is_not_kept_for_a_group_that_its_folder_has_given_it(self, folder: Path) -> None:
        target = self.make(folder, APPLICATION, 0o755, (0, APPLICATION))
        with pytest.raises(Failed, match="belongs to group 65534.*give group"):
            ensure(Module(target, mode="0640"))

    def test_a_new_file_has_not_the_group_that_the_folder_of_another_user_hands_on(self, folder: Path) -> None:
        target = self.make(folder, APPLICATION, 0o2755, None)
        ensure(Module(target, mode="0640"))
        assert TestOwner.owners(target) == (0, os.getegid())

    def test_an_applications_own_file_in_its_own_folder_stays_as_it_is(self, folder: Path) -> None:
        target = self.make(folder, APPLICATION, 0o775, (APPLICATION, OTHER))
        ensure(Module(target, mode="0640"))
        assert TestOwner.owners(target) == (APPLICATION, OTHER) and target.read_text() == "CANARY"

    def test_a_new_file_of_the_folders_owner_has_the_group_that_the_folder_hands_on(self, folder: Path) -> None:
        target = self.make(folder, APPLICATION, 0o2755, None)
        ensure(Module(target, owner=str(APPLICATION), mode="0640"))
        assert TestOwner.owners(target) == (APPLICATION, APPLICATION)


class TestWay:
    """The path of the file leads where whoever runs the task has meant it to lead."""

    @pytest.fixture(autouse=True)
    def _root(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can make links of another user")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder of root's, and beside it the home of an application's user."""
        (tmp_path / "home").mkdir()
        os.chown(tmp_path / "home", APPLICATION, APPLICATION)
        (tmp_path / "etc").mkdir()
        return tmp_path / "etc"

    @staticmethod
    def link(path: Path, target: str | Path, owner: int) -> Path:
        path.symlink_to(target)
        os.lchown(path, owner, owner)
        return path

    def test_a_link_of_roots_is_followed(self, folder: Path) -> None:
        self.link(folder.parent / "home" / "conf", folder, 0)
        ensure(Module(folder.parent / "home" / "conf" / "app.env"))
        assert (folder / "app.env").read_text() == "CANARY"

    @pytest.mark.parametrize("target", ["/absolute", "../etc"])
    def test_a_users_link_to_a_folder_of_somebody_else_is_refused(self, folder: Path, target: str) -> None:
        self.link(folder.parent / "home" / "conf", folder if target == "/absolute" else target, APPLICATION)
        with pytest.raises(Failed, match="a link of user 65534"):
            ensure(Module(folder.parent / "home" / "conf" / "app.env", owner=str(APPLICATION)))
        assert list(folder.iterdir()) == []

    def test_a_users_link_to_a_folder_of_its_own_is_followed_as_releases_have_it(self, folder: Path) -> None:
        release = folder.parent / "home" / "releases" / "7"
        release.mkdir(parents=True)
        os.chown(release, APPLICATION, APPLICATION)
        self.link(folder.parent / "home" / "current", "releases/7", APPLICATION)
        ensure(Module(folder.parent / "home" / "current" / "app.env"))
        assert (release / "app.env").read_text() == "CANARY"

    def test_links_in_a_circle_are_an_error(self, folder: Path) -> None:
        self.link(folder / "a", "b", 0)
        self.link(folder / "b", "a", 0)
        with pytest.raises(OSError, match="Too many levels"):
            ensure(Module(folder / "a" / "app.env"))

    @pytest.mark.parametrize("owner", [0, APPLICATION])
    def test_a_command_looks_at_the_new_file_by_a_path_that_nobody_else_can_change(
        self, folder: Path, owner: int
    ) -> None:
        os.chown(folder, owner, owner)
        seen = folder.parent / "seen"
        ensure(Module(folder / "app.env", validate=f'sh -c \'echo "$0" > {seen}; cat "$0" >> {seen}\' %s'))
        path, content = seen.read_text().splitlines()
        assert content == "CANARY" and path.endswith("/app.env")
        assert path.startswith("/proc/") == (owner != 0)


class TestRaces:
    """Whoever owns the folder may replace anything in it while root writes there. The bench runs more of these."""

    @pytest.mark.parametrize("options", [{}, {"owner": "root", "group": "root"}], ids=["no owner", "owner root"])
    def test_the_owner_of_the_folder_wins_nothing(self, options: dict[str, str]) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can be raced against")
        with tempfile.TemporaryDirectory(prefix="races-", dir="/tmp") as folder:
            Path(folder).chmod(0o755)
            assert races_lost(Path(folder, "race"), RACES, **options) == 0

    @pytest.mark.parametrize("step", ["backup", "absent"])
    def test_a_file_that_is_swapped_after_it_was_read_is_left_as_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        target = tmp_path / "app.env"
        target.write_text("old")
        read = AppFile._status

        def swapped(self: AppFile) -> str:
            found = read(self)
            target.rename(tmp_path / "moved")
            target.write_text("swapped")
            return found

        monkeypatch.setattr(AppFile, "_status", swapped)
        given = {"wanted": fingerprint(b"CANARY"), "recorded": fingerprint(b"old"), "content": "CANARY"}
        options: dict[str, Any] = {"backup": True} if step == "backup" else {"state": "absent"}
        with pytest.raises(Failed, match="somebody has replaced the file meanwhile"):
            ensure(Module(target, _payload=given, **options))
        assert target.read_text() == "swapped"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["app.env", "moved"]

    def test_a_command_that_replaces_the_new_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Failed, match="somebody has replaced the file meanwhile"):
            ensure(Module(tmp_path / "app.env", validate="sed -i s/x/y/ %s"))
        assert list(tmp_path.iterdir()) == []


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
        set_mode = os.fchmod

        def look(descriptor: int, mode: int) -> None:
            seen.append(os.fstat(descriptor).st_size)
            set_mode(descriptor, mode)

        monkeypatch.setattr(os, "fchmod", look)
        ensure(Module(target, mode="0640"))
        assert set(seen[1:]) == {0}, "there is nothing to read yet"
        assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("CANARY", 0o640)
        assert struct.pack("<HHI", 0x02, 4, 1) in os.getxattr(target, app_file.ACL)

    def test_a_new_file_takes_none_from_the_folder_of_another_user(self, target: Path) -> None:
        target.unlink()
        entries = ((0x01, 7, NOBODY), (0x02, 7, 1), (0x04, 0, NOBODY), (0x10, 7, NOBODY), (0x20, 0, NOBODY))
        packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
        os.setxattr(target.parent, "system.posix_acl_default", packed)
        ensure(Module(target, mode="0640"))
        assert app_file.ACL in os.listxattr(target), "that of a folder of one's own is meant"
        target.unlink()
        os.chown(target.parent, APPLICATION, APPLICATION)
        ensure(Module(target, mode="0640"))
        assert app_file.ACL not in os.listxattr(target)

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


def test_of_a_file_of_any_size_no_more_is_read_than_a_credential_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "app.env"
    with target.open("wb") as opened:
        opened.truncate(3 * 2**30)  # with nothing in it
    tracemalloc.start()
    foreseen = ensure(Module(target, check_mode=True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert foreseen == {"status": "other", "changed": True}
    assert peak < 4 * app_file.MAX_READ


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_what_is_interrupted_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "app.env"
    target.write_text("old")

    def refuse(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match="No space left"):
        ensure(Module(target, backup=True))
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


class TestSecondLink:
    """A file that has two paths is not changed in place: the other path may be that of somebody else's file."""

    def test_a_file_with_the_wanted_content_is_replaced(self, tmp_path: Path) -> None:
        other, target = tmp_path / "other", tmp_path / "app.env"
        other.write_text("CANARY")
        other.chmod(0o644)
        target.hardlink_to(other)
        assert ensure(Module(target))["status"] == "other"
        assert stat.S_IMODE(other.stat().st_mode) == 0o644 and other.stat().st_nlink == 1
        assert ensure(Module(target)) == {"status": "current", "changed": False}

    def test_a_command_that_links_the_new_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Failed, match="second link"):
            ensure(Module(tmp_path / "app.env", validate=f"ln %s {tmp_path}/b"))
        assert not (tmp_path / "app.env").exists()


def test_a_command_does_not_change_the_mode(tmp_path: Path) -> None:
    ensure(Module(tmp_path / "app.env", validate="chmod 644 %s"))
    assert stat.S_IMODE((tmp_path / "app.env").stat().st_mode) == 0o600


def test_a_backup_is_open_to_no_more_than_the_new_file(tmp_path: Path) -> None:
    target = tmp_path / "app.env"
    target.write_text("old")
    target.chmod(0o666)
    backup = Path(ensure(Module(target, backup=True, mode="0640"))["backup_file"])
    assert (backup.read_text(), stat.S_IMODE(backup.stat().st_mode)) == ("old", 0o640)


@pytest.mark.parametrize("number", ["4294967295", "9" * 30])
@pytest.mark.parametrize("option", ["owner", "group"])
def test_a_number_that_is_no_id_is_refused(tmp_path: Path, option: str, number: str) -> None:
    asked: dict[str, Any] = {option: number}
    with pytest.raises(Failed, match=f"{option}: {number} is no id"):
        ensure(Module(tmp_path / "app.env", **asked))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["dest", "validate"])
def test_a_nul_character_is_refused(tmp_path: Path, option: str) -> None:
    module = Module(tmp_path / "app.env", validate="true %s")
    module.params[option] += "\0"
    with pytest.raises(Failed, match=f"{option}: contains a NUL"):
        ensure(module)


class TestKilled:
    """What a killed task leaves contains the secret: the next one for the file removes it."""

    def left(self, target: Path) -> Path:
        """Leave what a task leaves that is killed while a command looks at the new file."""
        child = os.fork()
        if child == 0:
            try:
                ensure(Module(target, validate=f"sh -c 'kill -9 {os.getpid()}; : %s'"))
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        (folder,) = target.parent.glob(".gatehouse-*")
        assert (folder / target.name).read_text() == "CANARY"
        return folder

    @pytest.mark.parametrize("state", ["present", "absent"])
    def test_the_next_task_removes_it(self, tmp_path: Path, state: str) -> None:
        folder = self.left(tmp_path / "app.env")
        ensure(Module(tmp_path / "app.env", check_mode=True))
        assert folder.exists()
        ensure(Module(tmp_path / "app.env", state=state))
        assert not folder.exists()

    def test_a_task_at_work_is_left_alone(self, tmp_path: Path) -> None:
        folder = self.left(tmp_path / "app.env")
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            ensure(Module(tmp_path / "app.env"))
            assert (folder / "app.env").read_text() == "CANARY"
        finally:
            os.close(descriptor)

    def test_a_task_locks_its_folder(self, tmp_path: Path) -> None:
        ensure(Module(tmp_path / "app.env", validate=f"sh -c '! flock -n {tmp_path}/.gatehouse-* true' %s"))
        assert (tmp_path / "app.env").read_text() == "CANARY"

    @pytest.mark.parametrize("odd", ["another file", "two files", "a link", "another user's"])
    def test_what_is_none_of_its_own_stays(self, tmp_path: Path, odd: str) -> None:
        folder = tmp_path / ".gatehouse-0123456789abcdef"
        real = tmp_path / "real" if odd == "a link" else folder
        real.mkdir()
        (real / ("x" if odd == "another file" else "app.env")).touch()
        if odd == "two files":
            (real / "x").touch()
        elif odd == "a link":
            folder.symlink_to(real)
        elif odd == "another user's":
            if os.geteuid() != 0:
                pytest.skip("only root can give a folder away")
            os.chown(real, APPLICATION, APPLICATION)
        files = sorted(real.iterdir())
        ensure(Module(tmp_path / "app.env"))
        assert sorted(real.iterdir()) == files


def test_the_module_reads_as_the_oldest_python_that_hosts_may_have_does() -> None:
    for module in (app_file, app_credential):
        ast.parse(Path(str(module.__file__)).read_text(), feature_version=(3, 8))


def test_module_and_action_have_the_same_options_of_the_store() -> None:
    wanted = {
        name: {key: value for key, value in option.items() if key != "fallback"}
        for name, option in options.STORE.items()
    }
    assert wanted == app_credential.STORE
