# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret is anywhere but where it belongs: the whole demo at C(-vvvv) with canaries."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest

from tests.demo.__main__ import SECRETS as DEMO_SECRETS
from tests.demo.__main__ import org_seed, prepare, run_application, run_playbook, run_report
from tests.simulated_org import SimulatedOrg
from tests.support.dovecot import Absent, dovecot
from tests.support.plays import Playbooks
from tests.support.rotations import USER, mailbox_option
from tests.support.stores import open_store

pytestmark = [pytest.mark.ansible(process=True), pytest.mark.every_core]

# Characters that each encoding changes, so that the forms differ.
SECRETS = {
    name: f"Canary{number:02}Token".ljust(25, "0") if name.endswith("token") else f'Canary&<{number:02}>+=%/ "ü'
    for number, name in enumerate(DEMO_SECRETS)
}


def forms(secret: str) -> set[str]:
    """A secret as it is, and as it would look after the usual encodings."""
    raw = secret.encode()
    # Base64 looks different at each of three offsets; the first and last characters depend on what is beside.
    shifted = {
        base64.b64encode(b"x" * offset + raw).decode()[4 if offset else 0 :].rstrip("=")[:-1] for offset in range(3)
    }
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        escape(secret),
        escape(secret, {'"': "&quot;"}),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        raw.hex(),
        *shifted,
    }


def all_forms(secrets: Iterable[str]) -> set[bytes]:
    return {form.encode() for secret in secrets for form in forms(secret)}


def canaries() -> set[bytes]:
    """All forms of passwords, tokens and their concatenations."""
    pairs = [
        secret + SECRETS[name.replace("password", "security_token")]
        for name, secret in SECRETS.items()
        if name.endswith("password")
    ]
    return all_forms([*SECRETS.values(), *pairs])


def found_in(content: bytes) -> list[bytes]:
    return [canary for canary in canaries() if canary in content]


@contextmanager
def watched_arguments() -> Iterator[set[bytes]]:
    """Looks at the arguments of every process, again and again, and gives all that it has seen."""
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def assert_clean(folder: Path, sim: SimulatedOrg, *outputs: str) -> None:
    """Nothing in the outputs, the request log, or any file but those that must hold secrets."""
    for output in outputs:
        assert not found_in(output.encode())
    assert not found_in(json.dumps(sim.control.requests(), ensure_ascii=False).encode())
    assert not found_in(json.dumps(sim.control.audit_trail(), ensure_ascii=False).encode())
    delivered = set((folder / "hosts").glob("*/*.*"))
    assert not delivered or all(found_in(path.read_bytes()) for path in delivered)
    belongs = {folder / "variables.json", *delivered}
    looked_at = [path for path in folder.rglob("*") if path.is_file() and path not in belongs]
    assert folder / "log" in looked_at and folder / "store" / "acme-billing.json" in looked_at
    for path in looked_at:
        assert not found_in(path.read_bytes()), path
        assert not found_in(str(path).encode()), path


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short name: Ansible makes a socket below it, whose path must not be over 107 characters."""
    with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
        yield Path(folder)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(org_seed(SECRETS)) as sim:
        prepare(tmp_path, {"url": sim.url, "ca_path": sim.ca_path}, SECRETS)
        yield sim


def environment(folder: Path) -> dict[str, str]:
    for name in ("tmp", "remote"):
        (folder / name).mkdir(exist_ok=True)
    return {
        "ANSIBLE_LOG_PATH": str(folder / "log"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
        "TMPDIR": str(folder / "tmp"),
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
        "ANSIBLE_DEBUG": "true",
    }


def test_the_canaries_are_seen_where_they_are() -> None:
    """The search itself must be able to fail."""
    secret = SECRETS["vault_acme_billing_password"] + SECRETS["vault_acme_billing_security_token"]
    for text in (secret, quote(secret), escape(secret), json.dumps(secret)):
        assert found_in(f"before {text} after".encode())
    for offset in range(3):
        assert found_in(base64.b64encode(b"y" * offset + secret.encode() + b"z"))


def test_the_whole_demo_at_full_verbosity_leaks_nothing(demo: SimulatedOrg, tmp_path: Path) -> None:
    with watched_arguments() as arguments:
        first = run_playbook(tmp_path, "-vvvv", "--diff", environment=environment(tmp_path))
        seen = run_application(tmp_path, demo.ca_path)
        second = run_playbook(tmp_path, "-vvvv", "--diff", environment=environment(tmp_path))
        checked = run_playbook(tmp_path, "-vvvv", "--diff", "--check", environment=environment(tmp_path))
        report = run_report(tmp_path, "-vvvv", "--diff", environment=environment(tmp_path))
    assert "portal@acme.example" in seen and "portal@acme.example" in (tmp_path / "report/report.json").read_text()
    assert any(b"ansible-playbook" in each for each in arguments)
    assert not found_in(b"\n".join(arguments))
    assert_clean(tmp_path, demo, first, second, checked, seen, report)


def test_failures_at_full_verbosity_leak_nothing(demo: SimulatedOrg, tmp_path: Path) -> None:
    limit = ("--limit", "acme,billing-1")
    run_playbook(tmp_path, "-vvvv", *limit, environment=environment(tmp_path))
    outputs = []
    demo.control.set_user("billing@acme.example", password="Another-1")  # noqa: S106
    variables = tmp_path / "variables.json"
    for fault in (None, {"kind": "html"}, {"kind": "status", "status": 500}, {"kind": "truncate"}, {"kind": "reset"}):
        demo.control.clear_faults()
        if fault:
            demo.control.inject(operation="login", times=None, **fault)
        changed = json.loads(variables.read_text()) | {
            "vault_acme_billing_security_token": "CanaryBillingToken0000002x"
        }
        variables.write_text(json.dumps(changed))
        outputs.append(run_playbook(tmp_path, "-vvvv", "--diff", *limit, ok=False, environment=environment(tmp_path)))
    # An org, or a liar in its place, that repeats what it was sent.
    echo = f"<faultstring>{SECRETS['vault_acme_billing_password']}</faultstring>"
    demo.control.clear_faults()
    demo.control.inject("status", operation="login", times=None, status=500, body=echo)
    outputs.append(run_playbook(tmp_path, "-vvvv", *limit, ok=False, environment=environment(tmp_path)))
    assert_clean(tmp_path, demo, *outputs)


def test_rotations_at_full_verbosity_leak_nothing(tmp_path: Path) -> None:
    """Nor does what can go wrong with them: what was made on the way is as secret as what was declared."""
    password, token, box = 'Canary&<1>+=%/ "ü', "CanaryToken00000000000001", "box@acme.example"
    try:
        with dovecot() as server, SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as sim:
            sim.control.add_user(USER, password, security_token=token, email=box, profile="Standard User")
            sim.control.set_user(USER, token_was_reset=True)
            sim.control.set_switches(token_reset_csrf="post")
            playbook = Playbooks(tmp_path, sim)
            playbook.variables |= {
                "gatehouse_salesforce_mailbox": {**mailbox_option(server, box), "on_success": "delete"},
                "user": {"username": USER, "password": password, "security_token": token},
                "received": "CanaryReceived00000000001",
            }
            made, outputs = leaky_rotations(playbook, sim)
            requests = json.dumps([sim.control.requests(), sim.control.audit_trail()], ensure_ascii=False)
            known = {password, token, server.password, "CanaryReceived00000000001"}
    except Absent as exc:
        pytest.skip(f"{exc}: rotations with a real mailbox are NOT TESTED")
    wanted = all_forms([*known, *made, password + token])
    assert len(made) >= 8
    assert b"TASK" in (tmp_path / "log").read_bytes()
    declared = (tmp_path / "variables.json").read_bytes()
    assert [form for form in wanted if form in declared]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "variables.json"]
    for content in [*(output.encode() for output in outputs), requests.encode(), *kept]:
        assert not [form for form in wanted if form in content]
        assert b"CONFIRMATIONTOKEN" not in content or content == requests.encode()


def leaky_rotations(playbook: Playbooks, sim: SimulatedOrg) -> tuple[set[str], list[str]]:
    """What rotations have made that is secret, and all that they said, in the log and in arguments too."""
    made, outputs = set[str](), []

    def run(arguments: dict[str, Any], *options: str, ok: bool = True, module: str = "security_token") -> None:
        task = {f"gatehouse.salesforce.{module}": {"name": "billing", **arguments}}
        env = {name: value for name, value in environment(playbook.folder).items() if name != "ANSIBLE_LOCAL_TEMP"}
        outputs.append(playbook([task], "-vvvv", "--diff", *options, ok=ok, env=env).output)
        user, stored = sim.state.user(USER), store.read("billing")
        made.update({user.password, str(user.security_token), f"{user.password}{user.security_token}"})
        made.update(stored.connection.secrets.values())

    store = open_store(str(playbook.folder / "store"), str(playbook.key_file))
    declared = {field: f"{{{{ user.{field} }}}}" for field in ("username", "password", "security_token")}
    with watched_arguments() as arguments:
        run(declared, module="credential")
        run({"force": True, "mail_timeout": 20})
        run({"force": True, "mail_timeout": 20, "method": "password"})
        run({"force": True, "method": "password"}, "--check")
        run({"new_token": "{{ received }}"}, ok=False)
        sim.control.inject("status", operation="login", status=500, body="<faultstring>x</faultstring>", times=None)
        run({"force": True, "mail_timeout": 20, "method": "password"}, ok=False)
        sim.control.clear_faults()
        run({"mail_timeout": 20})
        sim.control.inject("reset", operation="resetToken", executed=True)
        sim.control.set_mail(delay=60)
        run({"force": True, "mail_timeout": 0.2}, ok=False)
    return made, [*outputs, *(argument.decode(errors="replace") for argument in arguments)]
