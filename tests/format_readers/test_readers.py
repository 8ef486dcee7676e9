# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that we did not write read what was stored, whatever is in it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dotenv
import pytest
from hypothesis import HealthCheck, given, settings

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import formats
from tests.format_readers import install
from tests.format_readers.cases import CASES, EXAMPLES, KEY, PRINTABLE, credential, rendered, secrets
from tests.format_readers.process import Process
from tests.unit.test_formats_light_readers import READERS, VECTORS, decrypt
from tools.formats_page import PAGE, page

Reader = Callable[[str], Process]


def airflow_variable(text: str) -> tuple[str, str]:
    """The one variable in an environment file."""
    ((name, value),) = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False).items()
    return name, str(value)


def read_dataloader(reader: Reader, found: Mapping[str, str]) -> Mapping[str, str]:
    """With the password decrypted as Java does."""
    (password,) = reader("jdk").ask("decrypt", KEY.decode(), found["sfdc.password"])
    return {**found, "sfdc.password": password}


def properties(reader: Reader, text: str) -> Mapping[str, str]:
    return reader("jdk").pairs("properties", text)


def read_odbc(reader: Reader, text: str) -> Mapping[str, str]:
    libraries = ":".join(str(path) for path in install.odbc())
    return reader("python").pairs("odbc", text, "Salesforce", libraries, "LogonID", "Password", "SecurityToken")


def read_data_factory(reader: Reader, text: str) -> Mapping[str, str]:
    found = reader("python").pairs("data-factory", text)
    return {**found, "security_token": found["securityToken"]}


DEVART = ("User Id", "Password", "Security Token")
JAVA_PROPERTIES = ("properties", "mulesoft_properties", "kafka_connect", "talend", "camel")
PARSERS: dict[tuple[str, str], Callable[[Reader, str], Mapping[str, Any]]] = {
    **{(name, "java.util.Properties"): properties for name in JAVA_PROPERTIES},
    ("ant", "Ant"): lambda reader, text: reader("ant").pairs("read", text, "sf.username", "sf.password"),
    ("gobblin", "Commons Configuration"): lambda reader, text: reader("commons").pairs("read", text),
    ("dataloader_properties", "java.util.Properties, the JDK's AES"): lambda reader, text: read_dataloader(
        reader, properties(reader, text)
    ),
    ("dataloader_process", "Spring, the JDK's AES"): lambda reader, text: read_dataloader(
        reader, reader("spring").pairs("read", text)
    ),
    ("node_env", "dotenv for node"): lambda reader, text: reader("node").pairs("dotenv", text),
    **{
        (name, "Airflow"): lambda reader, text: reader("python").pairs("airflow-environment", *airflow_variable(text))
        for name in ("airflow_uri", "airflow_json")
    },
    ("airflow_connections", "Airflow"): lambda reader, text: reader("python").pairs(
        "airflow-file", text, "salesforce_default"
    ),
    ("dlt", "dlt"): lambda reader, text: reader("python").pairs("dlt", text),
    ("django", "Django"): lambda reader, text: reader("python").pairs("django", text),
    ("embulk", "SnakeYAML"): lambda reader, text: reader("yaml").pairs("read", text),
    ("logstash", "lscl"): lambda reader, text: reader("python").pairs("logstash", text),
    ("adf", "azure-mgmt-datafactory"): read_data_factory,
    ("datadirect_odbc_ini", "unixODBC"): read_odbc,
    ("devart", "ADO.NET (Mono)"): lambda reader, text: reader("dotnet").pairs("read", text.rstrip("\n"), *DEVART),
    ("airbyte", "specification of source-salesforce"): lambda reader, text: reader("python").pairs("airbyte", text),
    ("singer", "tap-salesforce"): lambda reader, text: reader("python").pairs("singer", text),
}
BY_COMMAND = {
    ("docker_env", "docker"),
    ("kubernetes", "kubectl"),
    ("systemd_credential", "systemd-creds"),
    ("sfdx_url", "@salesforce/core"),
}
each_reader = pytest.mark.parametrize(("name", "program"), PARSERS, ids=lambda part: part)


@each_reader
@pytest.mark.parametrize("value", EXAMPLES)
def test_what_is_read_is_what_was_stored(reader: Reader, name: str, program: str, value: str) -> None:
    CASES[name].check(name, lambda text: PARSERS[name, program](reader, text), value, value)


@each_reader
def test_every_printable_character_is_read_alone_at_the_start_and_at_the_end(
    reader: Reader, name: str, program: str
) -> None:
    for char in PRINTABLE.strip():
        CASES[name].check(name, lambda text: PARSERS[name, program](reader, text), char, f"{char}token{char}")


@each_reader
@given(password=secrets, token=secrets)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_stored_is_read(reader: Reader, name: str, program: str, password: str, token: str) -> None:
    CASES[name].check(name, lambda text: PARSERS[name, program](reader, text), password, token)


def test_java_and_python_read_each_others_ciphers(reader: Reader) -> None:
    for plain, sealed in VECTORS:
        assert reader("jdk").ask("decrypt", KEY.decode(), sealed) == [plain]
    for plain in EXAMPLES:
        (sealed,) = reader("jdk").ask("encrypt", KEY.decode(), plain)
        assert decrypt(sealed) == plain


def test_the_salesforce_cli_parses_the_sfdx_url(reader: Reader) -> None:
    text = rendered(credential("refresh_token", password="1234.5_6-"), "sfdx_url")
    assert reader("node").pairs("sfdx-url", text) == {
        "clientId": "key",
        "clientSecret": "1234.5_6-",
        "refreshToken": "5Aep861.refresh",
        "loginUrl": "https://acme.my.salesforce.com",
    }


@pytest.mark.parametrize(("place", "expected"), [("acme", "login"), ("acme--dev.sandbox", "test")])
def test_the_singer_tap_logs_in_where_its_org_does(reader: Reader, place: str, expected: str) -> None:
    connection = dataclasses.replace(credential("refresh_token"), login_url=f"https://{place}.my.salesforce.com")
    found = reader("python").pairs("singer", rendered(connection, "singer"))
    assert found["url"] == f"https://{expected}.salesforce.com/services/oauth2/token"


def test_azure_knows_each_key_of_the_linked_service_with_oauth(reader: Reader) -> None:
    found = reader("python").pairs("data-factory", rendered(credential("client_credentials"), "adf"))
    assert (found["clientId"], found["clientSecret"]) == ("key", "password")


class Daemon(BaseHTTPRequestHandler):
    """As much of Docker's daemon as it takes to be asked for a container."""

    asked: list[dict[str, Any]] = []

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self._answer(200)

    do_GET = do_HEAD

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(json.loads(body))
        self._answer(500)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Mapping[str, str]]]:
    """What the docker command sends to its daemon for an environment file."""
    if shutil.which("docker") is None:
        pytest.skip("reader docker: it is not installed")
    folder = tmp_path_factory.mktemp("docker")
    with ThreadingHTTPServer(("127.0.0.1", 0), Daemon) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            **os.environ,
            "DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}",
            "DOCKER_CONFIG": str(folder),
            "DOCKER_TLS_VERIFY": "",
        }

        def read(text: str) -> Mapping[str, str]:
            file = folder / "env"
            file.write_text(text)
            Daemon.asked.clear()
            done = subprocess.run(
                ["docker", "create", "--pull", "never", "--env-file", str(file), "image"],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert Daemon.asked, done.stderr
            return dict(item.split("=", 1) for item in Daemon.asked[0]["Env"])

        yield read
        server.shutdown()


@pytest.mark.parametrize("value", [*EXAMPLES, *"'\"\\$#=`"])
def test_docker_reads_what_was_stored(docker: Callable[[str], Mapping[str, str]], value: str) -> None:
    CASES["docker_env"].check("docker_env", docker, value, value)


def kubectl(text: str) -> Mapping[str, Any]:
    """What kubectl makes of a manifest, by its own types and without a cluster."""
    done = subprocess.run(
        ["kubectl", "annotate", "--local", "-f", "-", "read=yes", "-o", "json"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert (found["kind"], found["metadata"]["name"]) == ("Secret", "salesforce")
    return dict(found["stringData"])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="reader kubectl: it is not installed")
@pytest.mark.parametrize("value", EXAMPLES)
def test_kubectl_reads_what_was_stored(value: str) -> None:
    CASES["kubernetes"].check("kubernetes", kubectl, value, value)


@pytest.mark.skipif(shutil.which("systemd-creds") is None, reason="reader systemd-creds: it is not installed")
@pytest.mark.parametrize("value", EXAMPLES)
def test_systemd_gives_a_service_what_was_stored(tmp_path: Path, value: str) -> None:
    def read(text: str) -> Mapping[str, str]:
        file = tmp_path / "salesforce"
        file.write_text(text)
        file.chmod(0o400)
        environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)}
        command = ["systemd-creds", "cat", "salesforce", "--newline=no"]
        return {"": subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()}

    CASES["systemd_credential"].check("systemd_credential", read, value, value)


def test_a_reader_that_cannot_be_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    with pytest.raises(install.Absent, match="^java is not installed"):
        install.java("JdkReader")
    with pytest.raises(install.Absent, match="^node is not installed"):
        install.node()


def test_the_page_tells_what_has_read_each_format_here() -> None:
    assert PAGE.read_text() == page(formats, {*READERS, *PARSERS, *BY_COMMAND}), "run python -m tools.formats_page"
