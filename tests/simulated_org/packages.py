# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages as zip files: manifests and the files that they name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from . import soap
from .components import TYPES, Type
from .errors import ClientFault
from .save import Element

MANIFEST = "package.xml"
# In the order in which they are carried out, before and after what the package brings.
DESTRUCTIVE = {
    "destructiveChangesPre.xml": False,
    "destructiveChanges.xml": False,
    "destructiveChangesPost.xml": True,
}
LARGEST = 39 * 1024 * 1024
MOST_FILES = 10_000


class PackageProblem(Exception):
    """A file of a package, and what is wrong with it."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(problem)
        self.file = file
        self.problem = problem


@dataclass(frozen=True)
class Component:
    """One component of a package; one to be deleted has no element."""

    kind: Type
    name: str
    path: str
    element: Element | None = None


@dataclass(frozen=True)
class Package:
    """What a package holds, in the order in which it is worked through."""

    version: float
    before: tuple[Component, ...]
    components: tuple[Component, ...]
    after: tuple[Component, ...]


def read(data: bytes) -> Package:
    """Take a zip apart; raises PackageProblem."""
    files = _unpack(data)
    if MANIFEST not in files:
        raise PackageProblem(MANIFEST, "No package.xml found")  # CONFIRMED by a recording
    manifest = _parse(MANIFEST, files[MANIFEST])
    version = float((soap.child_text(manifest, "version") or "64.0").strip())
    deleted: dict[bool, list[Component]] = {False: [], True: []}
    for name, after in DESTRUCTIVE.items():
        if name in files:
            named = _members(_parse(name, files[name]))
            deleted[after] += [Component(kind, member, name) for kind, member in named]
    order = {kind.name: place for place, kind in enumerate(TYPES)}
    present = [one for kind, member in _members(manifest) for one in _component(files, kind, member)]
    return Package(
        version,
        tuple(sorted(deleted[False], key=lambda one: -order[one.kind.name])),
        tuple(sorted(present, key=lambda one: order[one.kind.name])),
        tuple(sorted(deleted[True], key=lambda one: -order[one.kind.name])),
    )


def _unpack(data: bytes) -> dict[str, bytes]:
    """Return the files by path below the package's folder, which may have any name or none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir()]
            if len(entries) > MOST_FILES or sum(one.file_size for one in entries) > 10 * LARGEST:
                raise PackageProblem(MANIFEST, "The package is over the limit of 10,000 files or 390 MB")
            files = {one.filename: archive.read(one) for one in entries}
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError):
        raise PackageProblem("", "The zip file is not valid") from None
    roots = [name.removesuffix(MANIFEST) for name in files if name.rpartition("/")[2] == MANIFEST]
    root = min(roots, key=len, default="")
    return {name.removeprefix(root): content for name, content in files.items() if name.startswith(root)}


def _parse(name: str, content: bytes) -> Element:
    try:
        return soap.parse_xml(content)
    except ClientFault as exc:
        raise PackageProblem(name, f"Error parsing file: {exc}") from None


def _members(manifest: Element) -> Iterator[tuple[Type, str]]:
    """Return the types and members of a manifest."""
    for types in manifest:
        if soap.local_name(types) != "types":
            continue
        package_name = (soap.child_text(types, "name") or "").strip()
        known = [one for one in TYPES if one.package_name == package_name]
        if not known:
            raise PackageProblem(MANIFEST, f"Unknown type name '{package_name}' specified in package.xml")
        for member in (one.strip() for one in soap.child_texts(types, "members")):
            kind = next((one for one in known if one.member in ("", member)), None)
            if kind is None and member != "*":
                raise PackageProblem(MANIFEST, f"Entity of type '{package_name}' named '{member}' cannot be found")
            for one in known if member == "*" else [kind or known[0]]:
                yield one, member


def _component(files: Mapping[str, bytes], kind: Type, member: str) -> Iterator[Component]:
    """Read the file of a member, or with `*` all of its type; names of files may be encoded (REPORTED of a tab)."""
    for path, content in files.items():
        folder, _slash, file = path.rpartition("/")
        if folder != kind.folder or not file.endswith(f".{kind.suffix}"):
            continue
        name = file.removesuffix(f".{kind.suffix}")
        mine = kind.member in ("", name) and member in ("*", name, unquote(name))
        if mine:
            element = _parse(path, content)
            if soap.local_name(element) != kind.name:
                raise PackageProblem(path, f"Error parsing file: root element is no {kind.name}")
            named = name if member == "*" else member
            _name(element, named)
            yield Component(kind, named, path, element)
            if member != "*":
                return
    if member != "*" and not any(path == kind.path(member) for path in files):
        # REPORTED form.
        what = f"An object '{member}' of type {kind.package_name}"
        problem = f"{what} was named in package.xml, but was not found in zipped directory"
        raise PackageProblem(MANIFEST, problem)


def _name(element: Element, name: str) -> None:
    """Name a component as its file is named."""
    for child in [one for one in element if soap.local_name(one) == "fullName"]:
        element.remove(child)
    full_name = etree.Element(f"{{{soap.METADATA}}}fullName")
    full_name.text = name
    element.insert(0, full_name)


def write(version: float, files: Iterable[tuple[Type, str, str]]) -> bytes:
    """Make a zip of these components (type, name, elements) and their manifest, below the folder `unpackaged`."""
    entries: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for kind, name, body in files:
        content = body.replace(soap.tag("fullName", name), "", 1)
        entries[kind.path(name)] = _document(kind.name, content)
        members.setdefault(kind.package_name, []).append(name)
    types = "".join(
        f"<types>{''.join(soap.tag('members', one) for one in sorted(named))}{soap.tag('name', kind)}</types>"
        for kind, named in sorted(members.items())
    )
    entries[MANIFEST] = _document("Package", f"{types}<version>{version:.1f}</version>")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in entries.items():
            archive.writestr(f"unpackaged/{path}", text)
    return written.getvalue()


def _document(root: str, body: str) -> str:
    element = etree.fromstring(f'<{root} xmlns="{soap.METADATA}" xmlns:xsi="{soap.XSI}">{body}</{root}>'.encode())
    etree.indent(element, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{etree.tostring(element, encoding="unicode")}\n'
