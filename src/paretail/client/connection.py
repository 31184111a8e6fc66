"""Connection: where a client asks, with which key, and how long it waits; checked before anything is sent."""

import re
import ssl
from collections.abc import Iterator
from functools import cache
from math import inf
from typing import Any
from urllib.parse import urlsplit

import httpx

from paretail import __version__
from paretail.core.errors import Problem, UsageError

#: What a header may hold. A key with a line end would stand, whole, in the error of the library below.
_KEY = re.compile(r"[\x21-\x7e]+")


def settings(address: str, key: str | None, timeout: float, retries: int) -> dict[str, Any]:
    """Return what httpx needs; raises UsageError (CLNT-03), which tells neither a key nor a password."""
    if problems := [Problem("CLNT-03", *told) for told in _wrong(address, key, timeout, retries)]:
        raise UsageError(problems)
    headers = {"content-type": "application/json", "user-agent": f"paretail/{__version__}"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return {"base_url": address, "headers": headers, "timeout": timeout, "verify": _certificates()}


@cache
def _certificates() -> ssl.SSLContext:
    """Return who is trusted; reading it takes 20 ms, so all clients of a process share it."""
    return httpx.create_ssl_context()


def _wrong(address: str, key: str | None, timeout: float, retries: int) -> Iterator[tuple[str, str, str]]:
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_address = is_address and address.isprintable() and " " not in address
    except ValueError:
        yield "the address cannot be read", "Such as http://127.0.0.1:8000", "Correct the address"
        return
    if parts.username or parts.password:
        yield "a name or a password in the address", "An address alone", "Give the API key as `key`"
    elif not is_address or parts.query or parts.fragment:
        yield f"address {address!r}", "Such as http://127.0.0.1:8000, without ? or #", "Correct the address"
    if key is not None and not _KEY.fullmatch(key):
        yield "an API key with characters that no key has", "What paretail keys create showed", "Look for line ends"
    if not 0 < timeout < inf:
        yield f"timeout = {timeout!r}", "Seconds, more than 0", "Correct the time-out"
    if retries < 0:
        yield f"retries = {retries!r}", "0 or more", "Correct the count"
