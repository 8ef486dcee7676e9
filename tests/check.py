# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the stages of C(make check), C(make test) and C(make test-all), each with its time, or those that are named.

Stages of one process run side by side, and show what they print when they have ended.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.processes import COLLECTIONS, ROOT, find_python, link_collection

PROGRAMS = Path(sys.executable).parent
# A copy, because ansible-test resolves links and then finds itself outside a collections folder.
COPY = ROOT / "build" / "copy" / "ansible_collections" / "gatehouse" / "salesforce"
ARTIFACT = ROOT / "build" / "artifact"
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
PIP_VERSIONS = ("25_2", "24_2", "21_3_1", "20_3_4")
# The supported versions of ansible-core beside the one of tests/requirements.txt, and the Pythons that they run on.
# A release candidate is taken until there is a release.
OTHER_CORES = {
    "2.20": ("ansible-core~=2.20.0", "python3.12", "python3.13", "python3.14"),
    "2.22": ("ansible-core~=2.22.0rc1", "python3.13", "python3.14"),
}


def run(*command: str | Path, cwd: Path = ROOT, programs: Path = PROGRAMS, collections: Path = COLLECTIONS) -> None:
    """Run a command with the programs of a virtual environment, by default this one; raises CalledProcessError."""
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, **IMPORTER, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    subprocess.run([str(part) for part in command], cwd=cwd, env=env, check=True)


def pytest(*arguments: str, workers: int = 3, programs: Path = PROGRAMS) -> None:
    """Run tests, some of which wait, so that there are more workers than processors."""
    shared = ("-q", "-n", str(workers), "--dist", "worksteal")
    run(programs / "python", "-m", "pytest", *shared, *arguments, programs=programs)


def style() -> None:
    """Check Python with ruff and black, and YAML with yamllint."""
    run("ruff", "check", ".")
    run("black", "--check", "--quiet", ".")
    run("yamllint", "--strict", ".")


def types() -> None:
    """Check the types of the plugins and of the tests with mypy."""
    package = "ansible_collections.gatehouse.salesforce.plugins"
    run("mypy", "--config-file", ROOT / "pyproject.toml", "-p", package, cwd=COLLECTIONS)
    run("mypy", "-p", "tests")


def unit_tests() -> None:
    """Test pure parts, stores, and the simulated org by itself."""
    pytest("tests/unit")


def quick_plays() -> None:
    """Run the plays that need no Ansible, by calling what their tasks call."""
    pytest("-m", "not ansible and not servers", "--engine=direct", "tests/integration")


def tests() -> None:
    """Run unit tests, and playbooks and foreign clients against the simulated org; by Ansible what needs it."""
    pytest("--durations=8", "--engine=direct", "tests/unit", "tests/integration")


def kills() -> None:
    """Kill four times as many rotations and writes as in other runs."""
    pytest("--thorough", "-k", "kill", "tests/unit/test_store_file.py", "tests/integration/test_rotation_kills.py")


def format_readers() -> None:
    """Have every format of an application's configuration read back by the program that reads it."""
    pytest("tests/format_readers", workers=2)


def rulebooks() -> None:
    """Run the sources of events and the rulebooks by ansible-rulebook."""
    pytest("tests/rulebooks", workers=1)


def targets() -> None:
    """Deliver to clusters and secret managers by the collections of others."""
    pytest("tests/targets", workers=2)


def browser() -> None:
    """Open the page of a report in Chromium."""
    pytest("tests/browser", workers=1)


def sanity() -> None:
    """Run ansible-test sanity, without ignore entries."""
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in PIP_VERSIONS:
        script = cache / f"get_pip_{version}.py"
        if not script.exists():
            script.write_text(BOOTSTRAP_PIP)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    run("ansible-test", "sanity", "--color", "no", "--python", python, cwd=COPY)


def lint() -> None:
    """Run ansible-lint at profile production."""
    run("ansible-lint", cwd=COPY, collections=COPY.parents[2])


def docs() -> None:
    """Check the documentation with antsibull-docs, and build the reference."""
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", COPY, collections=COPY.parents[2])
    run(sys.executable, "-m", "tools.reference")


def artifact() -> None:
    """Build the artifact, and import it as Galaxy does."""
    shutil.rmtree(ARTIFACT, ignore_errors=True)
    run("ansible-galaxy", "collection", "build", "--output-path", ARTIFACT, cwd=COPY)
    (built,) = ARTIFACT.glob("*.tar.gz")
    run(sys.executable, "-m", "galaxy_importer.main", built, cwd=ARTIFACT)


def environments() -> None:
    """Install the other versions of ansible-core."""
    for core in OTHER_CORES:
        _environment(core)


def ansible_2_20() -> None:
    """Run on ansible-core 2.20 what may differ there."""
    _test_on("2.20", "every_core")


def ansible_2_22() -> None:
    """Run on ansible-core 2.22 what may differ there, and by it the plays that the other tests ran without Ansible.

    Both ways have to give the same results. Kills are of processes that run without it.
    """
    _test_on("2.22", "every_core or direct")


# Each is a row of groups; the stages of a group run side by side.
TARGETS = {
    "check": (("style", "types"), ("unit_tests",), ("quick_plays",)),
    "test": (("style", "types"), ("tests",)),
    "rest": (
        ("sanity", "lint", "docs", "artifact", "environments"),
        ("kills", "browser"),
        ("rulebooks",),
        ("format_readers",),
        ("targets",),
        ("ansible_2_20",),
        ("ansible_2_22",),
    ),
}


def _environment(core: str) -> Path | None:
    """Return the programs of a virtual environment with this version; None where no Python runs it."""
    requirement, *names = OTHER_CORES[core]
    python = find_python(*names)
    if python is None:
        print(f"ansible-core {core} is NOT TESTED: there is no {' or '.join(names)}", flush=True)
        return None
    venv = ROOT / f".venv-{core}"
    wanted = ROOT / "tests" / "requirements" / "pytest.txt"
    newest = max(file.stat().st_mtime for file in (wanted, ROOT / "requirements.txt"))
    ready = venv / "ready"
    if not ready.exists() or ready.stat().st_mtime < newest:
        run(python, "-m", "venv", "--clear", venv)
        quiet = ("--quiet", "--disable-pip-version-check")
        run(venv / "bin" / "python", "-m", "pip", "install", *quiet, "--requirement", wanted, requirement)
        ready.touch()
    return venv / "bin"


def _test_on(core: str, marked: str) -> None:
    programs = _environment(core)
    if programs is not None:
        run(programs / "ansible", "--version")
        pytest("-m", marked, "-k", "not kill", "--engine=ansible", programs=programs)


def _copy_collection() -> None:
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


def _run_group(names: Sequence[str]) -> dict[str, float]:
    """Run stages side by side, each in a process of its own, and return their seconds; a single one prints as it goes.

    Raises CalledProcessError when one fails.
    """

    def run_stage(name: str) -> float:
        title = f"== {name}: {globals()[name].__doc__.splitlines()[0]}"
        started = time.monotonic()
        if alone:
            print(title, flush=True)
        command = [sys.executable, "-m", "tests.check", "--stage", name]
        output = None if alone else subprocess.PIPE
        done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True, check=False)
        if not alone:
            print(f"{title}\n{done.stdout}", end="", flush=True)
        if done.returncode:
            print(f"== {name} FAILED after {time.monotonic() - started:.0f} s", flush=True)
        done.check_returncode()
        return time.monotonic() - started

    alone = len(names) == 1
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(run_stage, names), strict=True))


def main(names: Sequence[str]) -> int:
    """Run the stages of a target, or those that are named; stop after the first group with one that fails."""
    if names[0] == "--stage":
        try:
            globals()[names[1]]()
        except subprocess.CalledProcessError:
            return 1
        return 0
    link_collection()
    _copy_collection()
    times: dict[str, float] = {}
    groups = TARGETS[names[0]] if names[0] in TARGETS else [(name,) for name in names]
    for group in groups:
        if group is groups[-1]:
            # Now, since pytest's own closing lines are to be the last.
            print("\n".join(f"{name:20} {seconds:6.0f} s" for name, seconds in times.items()), flush=True)
        try:
            times |= _run_group(group)
        except subprocess.CalledProcessError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
