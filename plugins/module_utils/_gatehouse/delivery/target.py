# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a credential goes and how, as the options of a task or an item of the role say. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from ..credentials.deliveries import FILE, place_of
from ..errors import OptionError
from ..formats import obstacle
from ..host.app_file import ON_HOST

_MODE = re.compile(r"0?[0-7]{3}")
_OF_FILES = ("owner", "group", "seuser", "serole", "setype", "selevel", "validate", "backup", "encrypt", "encrypt_name")
_OF_SERVICES = ("target_options", "key", "restart", "tasks")
# Where ansible-galaxy installs them by default.
COLLECTIONS = "~/.ansible/collections/ansible_collections"


@dataclass(frozen=True, kw_only=True)
class Service:
    """What keeps credentials elsewhere than in files of hosts. The role has tasks of the same name for each.

    Attributes:
        form: how C(dest) is written.
        dest: what it must match.
        collection: whose modules the tasks call; None for those of the user.
        packages: what pip is to install for these, by the name under which it is imported.
        keyed: whether it keeps a text under each of several keys, or only one text; None when its tasks choose.
        restarts: whether its tasks can restart what reads it.
    """

    form: str
    dest: str = r"\S+"
    collection: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    keyed: bool | None = False
    restarts: bool = False


SERVICES = {
    "kv": Service(
        form="MOUNT/PATH",
        dest=r"[^/\s]+(/[^/\s]+)+",
        collection="community.hashi_vault",
        packages={"hvac": "hvac"},
        keyed=True,
    ),
    "kubernetes": Service(
        form="NAMESPACE/NAME of a Secret",
        dest=r"[-a-z0-9]+/[-.a-z0-9]+",
        collection="kubernetes.core",
        packages={"kubernetes": "kubernetes"},
        keyed=True,
        restarts=True,
    ),
    "aws_secrets_manager": Service(
        form="the name of a secret",
        dest=r"[-/_+=.@A-Za-z0-9]+",
        collection="community.aws",
        packages={"boto3": "boto3"},
    ),
    "azure_key_vault": Service(
        form="the vault's host, a slash and the name of a secret",
        dest=r"[-a-z0-9]+(\.[-a-z0-9]+)+/[-A-Za-z0-9]+",
        collection="azure.azcollection",
        # Its modules need all of these, whatever they do.
        packages={"azure.keyvault.secrets": f"-r {COLLECTIONS}/azure/azcollection/requirements.txt"},
    ),
    "google_secret_manager": Service(
        form="the name of a secret",
        dest=r"[-_A-Za-z0-9]+",
        collection="google.cloud",
        packages={"google.auth": "google-auth", "requests": "requests"},
    ),
    "tasks": Service(form="a name without blanks that tells it from others", keyed=None, restarts=True),
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """One place of one credential.

    Attributes:
        credential: the name of the stored credential.
        dest: the path on the host, where a C(~) is expanded, or the place in a service.
        kind: C(file), or the name of a service.
        format_options: what the format needs beside the credential, which may be secret.
        standby: write the user on standby of a pair.
        encrypted: the name under which the host encrypts the content; None when it does not.
        on_host: the options that the host gets as they are, such as C(owner).
        key: under which a service keeps the text; None when each member of the format's JSON object has its own.
        options: those of the modules that reach the service, which may be secret.
        restarts: what the service restarts by itself.
        tasks: the user's own file of tasks.
    """

    credential: str
    dest: str
    kind: str = FILE
    state: str = "present"
    format: str = "env"
    format_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    standby: bool = False
    encrypted: str | None = None
    on_host: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    restarts: tuple[str, ...] = ()
    tasks: str | None = None

    @property
    def place(self) -> str:
        """Its name among those of its host."""
        return place_of(self.kind, self.dest)

    @property
    def shown(self) -> str:
        """Its name for people, who have spelled the path of a file as they like."""
        return self.dest if self.kind == FILE else self.place

    @property
    def service(self) -> Service | None:
        """The service that it is in; None for a file."""
        return SERVICES.get(self.kind)

    def obstacles(self, flows: Sequence[str]) -> dict[str, str]:
        """Return why it cannot hold a credential of these flows, by flow; those that it can hold are left out."""
        if self.standby:
            return dict.fromkeys(flows, "it has the user on standby of a pair, and there is none in these flows")
        found = {flow: obstacle(flow, self.format, self.format_options) for flow in flows}
        return {flow: text for flow, text in found.items() if text}

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Target:
        """Read validated options; raises OptionError for values that no argument spec can refuse."""
        place = re.match("([a-z_]+)://", options["dest"])
        if options["state"] == "forgotten" and place:  # nothing but its name counts
            dest = options["dest"][place.end() :]
            return cls(credential=options["credential"], kind=place[1], dest=dest, state="forgotten")
        kind = options.get("target", FILE)
        for name in _OF_SERVICES if kind == FILE else _OF_FILES:
            if options.get(name):
                raise OptionError(name, "is not for a file" if kind == FILE else f"is for files, not for target {kind}")
        target = cls(
            credential=options["credential"],
            dest=options["dest"],
            kind=kind,
            state=options["state"],
            format=options["format"],
            format_options=options["format_options"],
            standby=options["standby"],
        )
        return target._of_file(options) if kind == FILE else target._of_service(options, SERVICES[kind])

    def _of_file(self, options: Mapping[str, Any]) -> Target:
        dest, mode, validate = options["dest"], options["mode"], options["validate"]
        if not dest.startswith(("/", "~")) or dest.endswith("/"):
            raise OptionError("dest", f"{dest!r} must be the absolute path of a file on the host")
        if _of_the_kernel(dest):
            raise OptionError("dest", f"{dest!r} is no place for a file: /dev (but /dev/shm), /proc and /sys are not")
        if not isinstance(mode, str) or not _MODE.fullmatch(mode):
            raise OptionError("mode", f"{mode!r} must be a quoted octal number of permissions, such as '0600'")
        if int(mode, 8) & 0o007 and not options["encrypt"]:
            raise OptionError("mode", f"{mode!r} would open the secret to everybody on the host")
        if validate and "%s" not in validate:
            raise OptionError("validate", "must contain %s, which stands for the new file")
        try:
            shlex.split(validate or "")
        except ValueError as exc:
            raise OptionError("validate", f"{validate!r} cannot be split into words: {exc}") from None
        encrypted = (options["encrypt_name"] or PurePosixPath(dest).name) if options["encrypt"] else None
        return replace(self, encrypted=encrypted, on_host={name: options[name] for name in ON_HOST})

    def _of_service(self, options: Mapping[str, Any], service: Service) -> Target:
        tasks, restart = options["tasks"], options["restart"]
        if not re.fullmatch(service.dest, self.dest):
            raise OptionError("dest", f"{self.dest!r} must be {service.form} for target {self.kind}")
        if options["key"] and service.keyed is False:
            raise OptionError("key", f"target {self.kind} keeps one text, without a key")
        if restart and not service.restarts:
            raise OptionError("restart", f"target {self.kind} restarts nothing; name the handlers that do in notify")
        if (service.collection is None) != bool(tasks):
            raise OptionError("tasks", "must be given for target tasks, and for no other one")
        if tasks and not posixpath.isabs(tasks):
            raise OptionError("tasks", f"{tasks!r} must be an absolute path, such as '{{{{ inventory_dir }}}}/{tasks}'")
        return replace(
            self, key=options["key"], options=options["target_options"], restarts=tuple(restart), tasks=tasks
        )


def _of_the_kernel(dest: str) -> bool:
    """Whether a path is below a folder of devices or of the kernel, where a file would be none that stays."""
    path = PurePosixPath("/", posixpath.normpath(dest).lstrip("/"))
    return (
        path.is_relative_to("/dev")
        and not path.is_relative_to("/dev/shm")  # noqa: S108 - which users may name
        or any(path.is_relative_to(folder) for folder in ("/proc", "/sys"))
    )
