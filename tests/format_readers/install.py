# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install readers below build/format_readers, each once; raises Absent where that cannot be."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.support.processes import ROOT

FOLDER = ROOT / "build" / "format_readers"
HERE = Path(__file__).parent
# As it was before any test made it trust the simulated org alone; package registries have other authorities.
ENVIRONMENT = dict(os.environ)
NOTHING: Mapping[str, str] = MappingProxyType({})
ANT = ("ant",)
COMMONS = ("libcommons-configuration-java", "libcommons-lang-java", "libcommons-logging-java")
MONO = (
    "mono-runtime-sgen",
    "mono-runtime-common",
    "mono-mcs",
    "libmono-corlib4.5-dll",
    *(f"libmono-system{part}4.0-cil" for part in ("", "-core", "-data", "-xml")),
)
ODBC = {"libltdl": "libltdl7", "libodbcinst": "libodbcinst2"}
SPRING = ("libspring-core-java", "libspring-beans-java", "libcommons-logging-java")


class Absent(Exception):
    """A reader cannot be had on this machine, and why."""


def python() -> Path:
    """The Python of an environment with Airflow, dlt, Django and more."""
    wanted, alone = HERE / "requirements.txt", HERE / "alone.txt"
    folder = FOLDER / f"python{sys.version_info.major}.{sys.version_info.minor}"
    with once(folder, wanted, alone) as missing:
        if missing:
            _run(sys.executable, "-m", "venv", folder)
            pip = (folder / "bin/python", "-m", "pip", "install", "--quiet")
            _run(*pip, "--requirement", wanted)
            _run(*pip, "--no-deps", "--requirement", alone)
    return folder / "bin" / "python"


def node() -> Path:
    """A folder in which node finds jsforce, dotenv and the parts of the Salesforce CLI."""
    require("node", "npm")
    wanted = HERE / "node" / "package.json"
    folder = FOLDER / "node"
    with once(folder, wanted) as missing:
        if missing:
            shutil.copy2(wanted, folder)
            _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder)
    return folder


def java(main: str, *packages: str) -> list[str]:
    """The command that runs a class of the folder java, compiled with the libraries in packages of Debian."""
    require("java", "javac")
    libraries = [str(jar) for package in packages for jar in debian(package)]
    sources = sorted((HERE / "java").rglob("*.java"))
    folder = FOLDER / "java" / main
    with once(folder, *sources) as missing:
        if missing:
            path = ":".join([str(HERE / "java"), *libraries])
            _run("javac", "-d", folder, "-sourcepath", path, "-classpath", path, HERE / "java" / f"{main}.java")
    return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-classpath", ":".join([str(folder), *libraries]), main]


def dotnet(program: str) -> tuple[list[str | Path], dict[str, str]]:
    """The command that runs a program of the folder dotnet by Mono, and the environment that it needs."""
    root = unpacked(*MONO)
    libraries = root / "usr/lib/mono/4.5"
    environment = {"MONO_PATH": str(libraries), "MONO_CFG_DIR": str(root / "etc")}
    mono = root / "usr/bin/mono-sgen"
    source = HERE / "dotnet" / f"{program}.cs"
    folder = FOLDER / "dotnet" / program
    with once(folder, source) as missing:
        if missing:
            compiler = (mono, libraries / "mcs.exe", "-r:System.Data.dll", "-r:System.Core.dll")
            _run(*compiler, f"-out:{folder / 'program.exe'}", source, environment=environment)
    return [mono, folder / "program.exe"], environment


def debian(package: str) -> list[Path]:
    """The libraries in a package of Debian, which is unpacked and not installed."""
    folder = unpacked(package)
    return sorted(file for file in (folder / "usr/share/java").glob("*.jar") if not file.is_symlink()) or sorted(
        file for file in folder.rglob("*.jar") if not file.is_symlink()
    )


def odbc() -> list[Path]:
    """The library of unixODBC that reads C(odbc.ini), after the one that it needs."""
    return [
        library for name in ("libltdl", "libodbcinst") for library in unpacked(ODBC[name]).rglob(f"{name}.so.[0-9]")
    ]


def unpacked(*packages: str) -> Path:
    """The folder in which packages of Debian are unpacked, as if it were the root of a machine."""
    require("apt-get", "dpkg-deb")
    folder = FOLDER / "debian" / packages[0]
    with once(folder) as missing:
        if missing:
            try:
                _run("apt-get", "download", *packages, cwd=folder)
            except Absent:  # a list that is old names a file that is no longer there
                _run("apt-get", "--quiet", "update")
                _run("apt-get", "download", *packages, cwd=folder)
            for file in folder.glob("*.deb"):
                _run("dpkg-deb", "--extract", file, folder)
    return folder


def packages(interpreter: Path, wanted: Path) -> Path:
    """A folder with the packages of PyPI in a file of requirements, for a Python that needs no pip of its own."""
    folder = FOLDER / wanted.stem
    with once(folder, wanted) as missing:
        if missing:
            pip = (sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet", "--no-compile")
            _run(*pip, "--target", folder, "--requirement", wanted)
    return folder


def require(*programs: str) -> None:
    """Raise Absent unless these programs are installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise Absent(f"{program} is not installed")


@contextlib.contextmanager
def once(folder: Path, *wanted: Path) -> Iterator[bool]:
    """Whether the folder must be filled, which one process does and others wait for."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / "ready"
        missing = not ready.exists() or any(file.stat().st_mtime > ready.stat().st_mtime for file in wanted)
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        yield missing
        ready.touch()


def _run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] = NOTHING) -> None:
    parts = [str(part) for part in command]
    done = subprocess.run(
        parts, cwd=cwd, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Absent(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
