# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets that one deadline and one size limit apply to, however slowly or endlessly a server sends."""

from __future__ import annotations

import contextlib
import imaplib
import math
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

TOTAL_TIMEOUT_FACTOR = 4  # a whole exchange may take this many times the timeout
MAX_RESPONSE_BYTES = 4 * 1024 * 1024  # ten mails of 256 KiB, or a hundred headers of 16 KiB, and room to spare


class TooLargeError(Exception):
    """A server sends more than anybody asked for."""


class ExchangeLimits:
    """What is left of the time and the size that an exchange with a server may take."""

    def __init__(self, timeout: float) -> None:
        """Limit exchanges with a server.

        Args:
            timeout: seconds without a byte before the server is given up.
        """
        self._timeout = timeout
        self._deadline = math.inf
        self._bytes = MAX_RESPONSE_BYTES

    @contextlib.contextmanager
    def exchange(self, seconds: float | None = None) -> Iterator[None]:
        """Limit what is done inside to so many seconds, or to a multiple of the timeout; within an outer limit."""
        outer = self._deadline
        within = TOTAL_TIMEOUT_FACTOR * self._timeout if seconds is None else seconds
        self._deadline, self._bytes = min(outer, time.monotonic() + within), MAX_RESPONSE_BYTES
        try:
            yield
        finally:
            self._deadline = outer

    def seconds_to_wait(self) -> float:
        """Return how long to wait for the next byte; raises TimeoutError when time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        return min(self._timeout, left)

    def count(self, received: int) -> None:
        """Count bytes that were received; raises TooLargeError beyond the limit."""
        self._bytes -= received
        if self._bytes < 0:
            raise TooLargeError


if TYPE_CHECKING:
    _Base = socket.socket
else:
    _Base = object


class _Limited(_Base):
    """What a socket has to do before and after it waits for the other side."""

    limits: ExchangeLimits

    def _begin(self) -> None:
        if self.gettimeout() != 0:  # else it does not wait at all
            self.settimeout(self.limits.seconds_to_wait())

    def recv(self, *args: Any) -> bytes:
        self._begin()
        received = super().recv(*args)
        self.limits.count(len(received))
        return received

    def recv_into(self, *args: Any) -> int:
        self._begin()
        received = super().recv_into(*args)
        self.limits.count(received)
        return received

    def sendall(self, *args: Any) -> None:
        self._begin()
        super().sendall(*args)


class LimitedImap(imaplib.IMAP4):
    """A connection to a mail server whose socket is limited, before and after TLS begins."""

    def __init__(self, host: str, port: int, limits: ExchangeLimits, context: ssl.SSLContext | None) -> None:
        """Connect, and read the greeting.

        Args:
            context: for TLS from the start; None to begin without.
        """
        self._limits = limits
        self._context = context
        super().__init__(host, port, timeout=limits.seconds_to_wait())

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout)
        if self._context:
            return limit_tls(self._context, self._limits).wrap_socket(plain, server_hostname=self.host)
        limited: socket.socket = type("LimitedSocket", (_Limited, socket.socket), {"limits": self._limits})(
            fileno=plain.detach()
        )
        limited.settimeout(timeout)
        return limited


def limit_tls(context: ssl.SSLContext, limits: ExchangeLimits) -> ssl.SSLContext:
    """Return the context, whose sockets are limited from now on."""
    context.sslsocket_class = type("LimitedTlsSocket", (_Limited, ssl.SSLSocket), {"limits": limits})
    return context
