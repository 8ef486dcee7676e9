# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS, as moto plays it, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.support.hosts import wait_for_port
from tests.support.processes import free_port

REGION = "eu-central-1"


class Aws:
    """A server, the options that lead to it, and a client that may do everything."""

    def __init__(self, folder: Path, libraries: Path) -> None:
        self._folder, self._libraries = folder, libraries
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self.url = f"http://127.0.0.1:{self._port}"
        self.options = {
            "endpoint_url": self.url,
            "region": REGION,
            "access_key": "AKIAIOSFODNN7EXAMPLE",
            "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        }

    @property
    def _log(self) -> Path:
        return self._folder / "moto.log"

    def start(self) -> None:
        """Start it, with nothing in it."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        environment = {**os.environ, "PYTHONPATH": str(self._libraries)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, env=environment, stdout=log, stderr=log)
        wait_for_port("127.0.0.1", self._port, self._process, self._log)

    def stop(self) -> None:
        """Stop it, which forgets what it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def client(self, service: str = "secretsmanager", **options: str) -> Any:
        """Return boto3's client of a service."""
        import boto3

        given = {**self.options, **options}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=given["access_key"],
            aws_secret_access_key=given["secret_key"],
        )

    def count(self) -> int:
        """Return how many requests there were since the last call."""
        lines = self._log.read_text(errors="replace").splitlines()
        found = [line for line in lines[self._read :] if " HTTP/1.1" in line]
        self._read = len(lines)
        return len(found)

    @contextlib.contextmanager
    def permit(self, policy: dict[str, Any]) -> Iterator[dict[str, str]]:
        """Have it check who may do what, and give the options of a user with this policy.

        Of resources it compares nothing but C(*), so only the actions of the policy are put to the test.
        """
        statements = [{**statement, "Resource": "*"} for statement in policy["Statement"]]
        iam, user = self.client("iam"), f"user-{time.monotonic_ns()}"
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        document = json.dumps({**policy, "Statement": statements})
        iam.put_user_policy(UserName=user, PolicyName="gatehouse", PolicyDocument=document)
        self._check_from(0)
        try:
            yield {**self.options, "access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
        finally:
            self._check_from(10_000)

    def _check_from(self, action: int) -> None:
        requests.post(f"{self.url}/moto-api/reset-auth", data=str(action).encode(), timeout=10).raise_for_status()
