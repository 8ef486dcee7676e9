# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses that providers publish: fetch, read, filter, and doubt them.

A list of trusted ranges is no better than where it came from. So a document comes over verified TLS or from a file,
it is refused when any selected prefix cannot be read, and it can be held against a checksum or a pinned copy.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import ConnectionError as AnsibleConnectionError
from ansible.module_utils.urls import open_url

from ..deadline import call_within
from ..errors import GatehouseError, OptionError
from .collapse import merge_overlaps
from .model import MAX_DESCRIPTION, IpRange, parse_range

# Where each publisher keeps its document. Azure's has a new address every week, so there it must be given.
PUBLISHERS: Mapping[str, str] = {
    "aws": "https://ip-ranges.amazonaws.com/ip-ranges.json",
    "cloudflare": "https://api.cloudflare.com/client/v4/ips",
    "github": "https://api.github.com/meta",
    "google": "https://www.gstatic.com/ipranges/goog.json",
    "google_cloud": "https://www.gstatic.com/ipranges/cloud.json",
    "oracle": "https://docs.oracle.com/en-us/iaas/tools/public_ip_ranges.json",
    "salesforce": "https://ip-ranges.salesforce.com/ip-ranges.json",
}
# Azure's, the largest, has 4 MB.
MAX_BYTES = 32 * 1024 * 1024
MAX_SECONDS = 60.0


class FeedError(GatehouseError):
    """A published document that cannot be had, read or trusted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Prefix:
    """One published prefix, as text, and what its publisher says about it."""

    text: str
    services: tuple[str, ...] = ()
    region: str | None = None

    def __post_init__(self) -> None:
        for value in (self.text, *self.services, self.region or ""):
            if not isinstance(value, str):
                raise TypeError(f"{value!r} is not text")


def read_published(
    source: str,
    *,
    services: Sequence[str] = (),
    regions: Sequence[str] = (),
    family: int | None = None,
    sha256: str | None = None,
    pinned: str | None = None,
    max_change: float = 0.2,
    timeout: float = 10,
    ca_path: str | None = None,
) -> tuple[IpRange, ...]:
    """Read the selected ranges of one document, not collapsed, each described by its source.

    Args:
        source: a publisher's name, an https URL, or a file.
        services: any of these; empty means all. Regions likewise. Case does not matter.
        family: 4 or 6; by default both.
        sha256: the checksum that the document must have, in hexadecimal.
        pinned: a file with a document that was approved, to which the same filters apply.
        max_change: the share of its addresses by which the document may differ from the pinned one, each way.
        timeout: seconds without an answer.
        ca_path: a file of certificates to trust instead of the system's.

    Raises:
        OptionError: an option cannot be used, or a service or region is not in the document.
        FeedError: the document cannot be had, read or trusted.
    """
    content = load(source, timeout=timeout, ca_path=ca_path)
    label = source_name(source)
    if sha256 is not None:
        check_sha256(content, sha256, label)
    current = select_prefixes(parse(content, label), label, services=services, regions=regions, family=family)
    if pinned is not None:
        label_pinned = f"the pinned copy {source_name(pinned)}"
        approved = parse(_read_file(pinned), label_pinned)
        before = select_prefixes(approved, label_pinned, services=services, regions=regions, family=family)
        check_change(before, current, max_change, label)
    return current


def select_prefixes(
    prefixes: Sequence[Prefix],
    label: str,
    *,
    services: Sequence[str] = (),
    regions: Sequence[str] = (),
    family: int | None = None,
) -> tuple[IpRange, ...]:
    """Return the selected prefixes as ranges; arguments and errors are those of read_published()."""
    in_service = _known("service", services, {name for prefix in prefixes for name in prefix.services}, label)
    in_region = _known("region", regions, {prefix.region for prefix in prefixes if prefix.region}, label)
    description = ": ".join(filter(None, [label, ", ".join([*services, *regions])]))[:MAX_DESCRIPTION]
    # The same prefix stands under many services.
    texts = dict.fromkeys(
        prefix.text
        for prefix in prefixes
        if (not in_service or not in_service.isdisjoint(map(str.casefold, prefix.services)))
        and (not in_region or (prefix.region or "").casefold() in in_region)
    )
    found = []
    for text in texts:
        try:
            item = parse_range(text, description)
        except ValueError as exc:
            raise FeedError(f"{label}: {text[:80]!r} is not a usable prefix: {exc}") from None
        if family in (None, item.version):
            found.append(item)
    if not found:
        # Declared exactly, an empty list would remove every range of the org.
        raise FeedError(f"{label}: no prefix is left after service, region and family")
    return tuple(found)


def _known(option: str, wanted: Sequence[str], published: set[str], label: str) -> set[str]:
    names = {name.casefold() for name in published}
    for name in wanted:
        if name.casefold() not in names:
            has = ", ".join(sorted(published)[:20]) + (", ..." if len(published) > 20 else "") or "none at all"
            raise OptionError(option, f"{name!r} is not in the document of {label}, which has: {has}")
    return {name.casefold() for name in wanted}


def load(source: str, *, timeout: float = 10, ca_path: str | None = None) -> bytes:
    """Load the document of a publisher's name, an https URL, or a file.

    Raises:
        OptionError: another scheme, or a URL with a password in it.
        FeedError: it cannot be had, or is larger than 32 MiB, or takes longer than a minute.
    """
    source = PUBLISHERS.get(source, source)
    return _fetch(source, timeout, ca_path) if "://" in source else _read_file(source)


def _read_file(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        publisher = path.rpartition("/")[2].lower()
        hint = ""
        if publisher in PUBLISHERS:
            hint = f"; the publisher is called {publisher!r}"
        elif "/" not in path and "." not in path:
            hint = f"; the publishers are {', '.join(PUBLISHERS)}"
        raise FeedError(f"{path}: cannot be read: {exc.strerror}{hint}") from exc
    _check_size(path, content)
    return content


def source_name(source: str) -> str:
    """Return a short name: the publisher's, or the last part of URL or path."""
    return (
        source if source in PUBLISHERS else urllib.parse.urlsplit(source).path.rstrip("/").rpartition("/")[2] or source
    )


def _fetch(url: str, timeout: float, ca_path: str | None) -> bytes:
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as exc:
        raise OptionError("_terms", f"not a URL: {exc}") from None
    if "@" in parts.netloc:
        raise OptionError(parts.hostname or "_terms", "a URL must not hold a user name or password")
    if parts.scheme != "https" or not parts.hostname:
        raise OptionError(f"{parts.scheme}://{parts.netloc}{parts.path}", "only https URLs are fetched")
    name = f"https://{parts.netloc}{parts.path}"
    deadline = time.monotonic() + MAX_SECONDS

    def exchange() -> tuple[bytes, str | None]:
        # Redirects are not followed: one of them could lead through plain http.
        with open_url(
            url,
            timeout=timeout,
            ca_path=ca_path,
            validate_certs=True,
            follow_redirects="none",
            decompress=False,
            use_netrc=False,
            http_agent="gatehouse.salesforce",
        ) as response:
            return _read(name, response, deadline), response.headers.get("Content-Length")

    try:
        content, length = call_within(MAX_SECONDS, exchange)
    except urllib.error.HTTPError as exc:
        if 300 <= exc.code < 400:
            raise FeedError(f"{name}: moved to {exc.url}; give that address if you trust it") from exc
        raise FeedError(f"{name}: HTTP status {exc.code}") from exc
    except http.client.IncompleteRead as exc:
        raise FeedError(f"{name}: was cut short") from exc
    except http.client.HTTPException as exc:
        # What such an exception says may be anything that the server sent.
        raise FeedError(f"{name}: did not answer as a web server does ({type(exc).__name__})") from None
    except (OSError, AnsibleConnectionError) as exc:
        if isinstance(exc, TimeoutError) and time.monotonic() >= deadline:
            raise FeedError(f"{name}: took longer than {MAX_SECONDS:.0f} seconds") from None
        raise FeedError(f"{name}: cannot be fetched: {getattr(exc, 'reason', None) or exc}") from exc
    if length is not None and length != str(len(content)):
        raise FeedError(f"{name}: was cut short, {len(content)} of {length} bytes came")
    return content


def _read(name: str, response: http.client.HTTPResponse, deadline: float) -> bytes:
    content = bytearray()
    while chunk := response.read1(65536):
        content += chunk
        _check_size(name, content)
        if time.monotonic() > deadline:
            raise FeedError(f"{name}: took longer than {MAX_SECONDS:.0f} seconds")
    return bytes(content)


def _check_size(name: str, content: bytes | bytearray) -> None:
    if len(content) > MAX_BYTES:
        raise FeedError(f"{name}: is larger than {MAX_BYTES >> 20} MiB")


def check_sha256(content: bytes, expected: str, label: str) -> None:
    """Raise FeedError, telling the checksum found, unless the document is the one that was pinned."""
    found = hashlib.sha256(content).hexdigest()
    if found != expected.strip().lower():
        raise FeedError(f"{label}: its sha256 is {found}, not {expected}; look at what changed before you pin it")


def check_change(before: Iterable[IpRange], after: Iterable[IpRange], max_change: float, label: str) -> None:
    """Raise FeedError if more than a share of the addresses of a family came or went.

    Addresses are counted, not prefixes: one /8 more is a large change. What came and what went count separately, so
    that an exchange of everything does not pass as none.

    Args:
        max_change: the share of the former number of addresses, such as 0.2.
    """
    if not max_change >= 0:  # nan is neither
        raise OptionError("max_change", f"{max_change} is not 0 or more")
    before, after = tuple(before), tuple(after)
    counts = [_count(ranges) for ranges in (before, after, before + after)]
    for version in (4, 6):
        old, new, both = (count[version] for count in counts)
        for change, word in ((both - old, "gained"), (both - new, "lost")):
            if change > max_change * old:
                share = f"{change / old:.0%} of its" if old else "its first"
                raise FeedError(
                    f"{label}: {word} {share} IPv{version} addresses since the pinned copy, "
                    f"more than {max_change:.0%}; look at what changed before you pin it"
                )


def _count(ranges: Iterable[IpRange]) -> dict[int, int]:
    total = {4: 0, 6: 0}
    for group in merge_overlaps(ranges):
        total[group[0].version] += max(item.last for item in group) - group[0].first + 1
    return total


def parse(content: bytes, label: str) -> list[Prefix]:
    """Parse the prefixes of a document, whose shape shows the publisher.

    Raises:
        FeedError: it has no known shape.
    """
    problem = _not_a_document(content)
    if problem:
        raise FeedError(f"{label}: {problem}")
    try:
        text = content.decode("utf-8-sig").strip()
        if not text.startswith("{"):
            lines = (_COMMENT.sub("", line) for line in text.splitlines())
            return [Prefix(prefix) for line in lines for prefix in line.split()]
        document = json.loads(text)
        for key, reader in _READERS.items():
            if key in document:
                return list(reader(document))
    except (ValueError, RecursionError) as exc:
        raise FeedError(f"{label}: is not a JSON document") from exc
    except (KeyError, TypeError, AttributeError) as exc:
        raise FeedError(f"{label}: has not the shape that its publisher is known for ({exc!r})") from exc
    raise FeedError(f"{label}: is not a document of {', '.join(PUBLISHERS)} or Azure")


_COMMENT = re.compile(r"(?:^|\s)#.*")


def _not_a_document(content: bytes) -> str | None:
    """Return what is wrong with a document that is something else altogether, and what to do."""
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return "is empty"
    if start.startswith(b"\x1f\x8b"):
        return "is compressed by gzip; decompress it first"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in start:
        return "is not UTF-8 but probably UTF-16; convert it: iconv -f UTF-16 -t UTF-8"
    if start.startswith(b"<"):
        return "is an HTML or XML page, such as one of a proxy or a login, and no list of prefixes"
    if start.startswith(b"["):
        return "is a JSON list, a part of a document such as jq writes; keep the whole document, or text: jq -r '.[]'"
    if start.startswith(b'"'):
        return "has prefixes in quotes, as jq writes them; write them without: jq -r"
    return None


_PREFIX_KEYS = ("ip_prefix", "ipv6_prefix", "ipv4Prefix", "ipv6Prefix")


def _aws_google_salesforce(document: Mapping[str, Any]) -> Iterator[Prefix]:
    """Read what AWS, Google and Salesforce publish.

    An entry has one prefix, or one of each family; Salesforce's has a list, and names the cloud it runs in as provider.
    """
    for entry in [*document["prefixes"], *document.get("ipv6_prefixes", [])]:
        service = entry.get("service") or entry.get("provider")
        names = [name for name in _PREFIX_KEYS if name in entry] or ["ip_prefix"]
        for prefixes in (entry[name] for name in names):
            for text in [prefixes] if isinstance(prefixes, str) else prefixes:
                yield Prefix(text, (service,) if service else (), entry.get("region") or entry.get("scope"))


def _azure(document: Mapping[str, Any]) -> Iterator[Prefix]:
    """Match a service tag by its whole name, and by the part before the dot."""
    for tag in document["values"]:
        names = tuple(dict.fromkeys((tag["name"], tag["name"].partition(".")[0])))
        for text in tag["properties"]["addressPrefixes"]:
            yield Prefix(text, names, tag["properties"].get("region") or None)


def _oracle(document: Mapping[str, Any]) -> Iterator[Prefix]:
    for region in document["regions"]:
        for block in region["cidrs"]:
            yield Prefix(block["cidr"], tuple(block.get("tags", ())), region["region"])


def _cloudflare(document: Mapping[str, Any]) -> Iterator[Prefix]:
    yield from (Prefix(text) for key in ("ipv4_cidrs", "ipv6_cidrs") for text in document["result"][key])


def _github(document: Mapping[str, Any]) -> Iterator[Prefix]:
    """Read every list but that of SSH keys as prefixes of the service that it is named after."""
    for service, texts in document.items():
        if isinstance(texts, list) and service != "ssh_keys":
            yield from (Prefix(text, (service,)) for text in texts)


_READERS = {
    "prefixes": _aws_google_salesforce,
    "values": _azure,
    "regions": _oracle,
    "result": _cloudflare,
    "hooks": _github,
}
