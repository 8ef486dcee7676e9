# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All checks, stage by stage, each with its time: C(make test) runs this module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.processes import find_python

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
BIN = Path(sys.executable).parent
COLLECTIONS = BUILD / "collections"
PACKAGE = "ansible_collections.gatehouse.salesforce"
# A copy, because ansible-test resolves links and then finds itself outside a collections folder.
COPY = BUILD / "copy" / "ansible_collections" / "gatehouse" / "salesforce"
ARTIFACT = BUILD / "artifact"
# ansible-lint runs on its own.
IMPORTER = {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false", "GALAXY_IMPORTER_LOG_LEVEL_MAIN": "WARNING"}

# ansible-test fetches pip before its first virtual environment; the wheel inside Python serves as well.
BOOTSTRAP_PIP = """import ensurepip, pathlib, runpy, sys
wheel = next((pathlib.Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
sys.path.insert(0, str(wheel))
ignored = {"--no-python-version-warning", "--no-setuptools", "--no-wheel"}
sys.argv[1:] = ["install", "--upgrade", *(arg for arg in sys.argv[1:] if arg not in ignored)]
runpy.run_module("pip", run_name="__main__")
"""
# Tests of what does not touch Ansible, or only in ways that others try on each ansible-core already.
SAME_ON_EVERY_ANSIBLE = (
    "unit/simulator/*",
    "unit/test_formats*",
    "unit/test_hostile_answers.py",
    "unit/test_login.py",
    "unit/test_mailbox.py",
    "unit/test_own_password.py",
    "unit/test_store*",
    "unit/test_token_mail.py",
    "unit/test_token_reset.py",
    "integration/test_deployment.py",
    "integration/test_diagnosis.py",
    "integration/test_guard.py",
    "integration/test_headroom.py",
    "integration/test_leader_kill.py",
    "integration/test_lint_options.py",
    "integration/test_login_flows.py",
    "integration/test_login_history_info.py",
    "integration/test_mailbox.py",
    "integration/test_network_access_info.py",
    "integration/test_rotation_kills.py",
    "integration/test_simulated_org_clients.py",
    "integration/test_trouble.py",
)
PIP_VERSIONS = ("25_2", "24_2", "21_3_1", "20_3_4")


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> None:
    """Run a command in the environment of this Python; raises CalledProcessError."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), **environment}
    subprocess.run([str(part) for part in command], cwd=cwd, env=env, check=True)


def link_collection() -> None:
    """Make the checkout importable as ansible_collections.gatehouse.salesforce."""
    link = COLLECTIONS / "ansible_collections" / "gatehouse" / "salesforce"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)


def copy_collection() -> None:
    """Copy what belongs to the collection to where ansible-test, ansible-lint and antsibull-docs want it."""
    shutil.rmtree(COPY.parents[2], ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)
    # A repository of its own, or the tools would find ours above it, in which build/ is ignored.
    run("git", "init", "--quiet", cwd=COPY)


def python_style() -> None:
    """Ruff, black and mypy over all Python."""
    run("ruff", "check", ".")
    run("black", "--check", "--quiet", ".")
    run("mypy", "--config-file", ROOT / "pyproject.toml", "-p", f"{PACKAGE}.plugins", cwd=COLLECTIONS)
    run("mypy", "-p", "tests")


def unit_tests() -> None:
    """Pure parts, stores, and the simulated org by itself."""
    run(sys.executable, "-m", "pytest", "-q", "-n", "4", "--dist", "worksteal", "tests/unit")


def integration_tests() -> None:
    """Playbooks and foreign clients against the simulated org."""
    shared = ("-n", "2", "--dist", "worksteal", "--durations", "8")
    run(sys.executable, "-m", "pytest", "-q", *shared, "tests/integration")


def readers() -> None:
    """Every format of an application's configuration, read back by the program that reads it."""
    run(sys.executable, "-m", "pytest", "-q", "-n", "2", "tests/format_readers")


def sanity() -> None:
    """ansible-test sanity, without ignore entries."""
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in PIP_VERSIONS:
        script = cache / f"get_pip_{version}.py"
        if not script.exists():
            script.write_text(BOOTSTRAP_PIP)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    run("ansible-test", "sanity", "--color", "no", "--python", python, cwd=COPY)


def lint() -> None:
    """ansible-lint at profile production, documentation by antsibull-docs, and the artifact by Galaxy's importer."""
    collections = str(COPY.parents[2])
    run(
        "ansible-lint",
        "--offline",
        "--profile",
        "production",
        "--strict",
        cwd=COPY,
        ANSIBLE_COLLECTIONS_PATH=collections,
    )
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", COPY, ANSIBLE_COLLECTIONS_PATH=collections)
    run(sys.executable, "-m", "tools.reference")
    shutil.rmtree(ARTIFACT, ignore_errors=True)
    run("ansible-galaxy", "collection", "build", "--output-path", ARTIFACT, cwd=COPY)
    (artifact,) = ARTIFACT.glob("*.tar.gz")
    run(sys.executable, "-m", "galaxy_importer.main", artifact, cwd=ARTIFACT, **IMPORTER)


def other_ansible() -> None:
    """What may differ on the other supported ansible-core, where a Python for it is installed."""
    python = find_other_python()
    if python is None:
        print("no other Python is installed, so only one ansible-core was tested")
        return
    venv = ROOT / f".venv-{python.name}"
    ready = venv / "ready"
    wanted = ROOT / "tests" / "requirements.txt"
    newest = max(file.stat().st_mtime for file in (wanted, ROOT / "requirements.txt"))
    if not ready.exists() or ready.stat().st_mtime < newest:
        run(python, "-m", "venv", "--clear", venv)
        run(venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", wanted)
        ready.touch()
    path = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
    run(venv / "bin" / "ansible", "--version", PATH=path)
    ignored = [f"--ignore-glob=*/{name}" for name in SAME_ON_EVERY_ANSIBLE]
    run(venv / "bin" / "python", "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *ignored, PATH=path)


def find_other_python() -> Path | None:
    """A Python on the other side of 3.12 than this one, where ansible-core changes."""
    names = ["python3.13", "python3.14", "python3.12"] if sys.version_info < (3, 12) else ["python3.11"]
    return find_python(*names)


STAGES: tuple[Callable[[], None], ...] = (
    python_style,
    unit_tests,
    integration_tests,
    readers,
    lint,
    sanity,
    other_ansible,
)


def main(wanted: list[str]) -> int:
    """Run the stages named, or all; stop at the first that fails."""
    link_collection()
    copy_collection()
    times: list[tuple[str, float]] = []
    for stage in STAGES:
        if wanted and stage.__name__ not in wanted:
            continue
        print(f"== {stage.__name__}: {(stage.__doc__ or '').splitlines()[0]}", flush=True)
        started = time.monotonic()
        try:
            stage()
        except subprocess.CalledProcessError as exc:
            print(
                f"== {stage.__name__} FAILED after {time.monotonic() - started:.0f} s (exit {exc.returncode})",
                flush=True,
            )
            return 1
        times.append((stage.__name__, time.monotonic() - started))
        print(f"== {stage.__name__} ok, {times[-1][1]:.0f} s", flush=True)
    print("\n".join(f"{name:20} {seconds:6.0f} s" for name, seconds in times))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
