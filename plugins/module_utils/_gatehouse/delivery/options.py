# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the file of one application is to be, as the options of a task or an item of the role say. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..errors import OptionError
from ..formats import obstacle
from ..host.app_file import ON_HOST

_MODE = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """The options of app_credential but those of the store.

    Attributes:
        credential: the name of the stored credential.
        dest: the path on the host, where a C(~) is expanded.
        format_options: what the format needs beside the credential, which may be secret.
        standby: write the user on standby of a pair.
        encrypted: the name under which the host encrypts the content; None when it does not.
        on_host: the options that the host gets as they are, such as C(owner).
    """

    credential: str
    dest: str
    state: str = "present"
    format: str = "env"
    format_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    standby: bool = False
    encrypted: str | None = None
    on_host: Mapping[str, Any] = field(default_factory=dict)

    def obstacles(self, flows: Sequence[str]) -> dict[str, str]:
        """Return why the file cannot hold a credential of these flows, by flow; those that it can hold are left out."""
        if self.standby:
            return dict.fromkeys(flows, "it has the user on standby of a pair, and there is none in these flows")
        found = {flow: obstacle(flow, self.format, self.format_options) for flow in flows}
        return {flow: text for flow, text in found.items() if text}

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> FileOptions:
        """Read validated options; raises OptionError for values that no argument spec can refuse."""
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
        return cls(
            credential=options["credential"],
            dest=dest,
            state=options["state"],
            format=options["format"],
            format_options=options["format_options"],
            standby=options["standby"],
            encrypted=(options["encrypt_name"] or PurePosixPath(dest).name) if options["encrypt"] else None,
            on_host={name: options[name] for name in ON_HOST},
        )


def _of_the_kernel(dest: str) -> bool:
    """Whether a path is below a folder of devices or of the kernel, where a file would be none that stays."""
    path = PurePosixPath("/", posixpath.normpath(dest).lstrip("/"))
    return (
        path.is_relative_to("/dev")
        and not path.is_relative_to("/dev/shm")  # noqa: S108 - which users may name
        or any(path.is_relative_to(folder) for folder in ("/proc", "/sys"))
    )
