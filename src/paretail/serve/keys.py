"""API keys: made once, kept as a digest, compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from threading import Event, Thread
from typing import Any

import structlog

from paretail.core.clock import now_ms
from paretail.core.errors import Problem, UsageError, nearest
from paretail.data.stores.base import Key
from paretail.serve.scopes import SCOPES

#: `paretail_`, the key's id, and 43 characters that hold 256 random bits.
FORM = re.compile(r"paretail_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
MAX_NAME = 100
#: How long it takes at most until a service knows of a key that was made or revoked.
REFRESH_SECONDS = 1.0
_NO_DIGEST = hashlib.sha256(b"").hexdigest()

log = structlog.get_logger()


def new_key(name: str, scopes: Sequence[str], rate: float | None = None) -> tuple[str, Key]:
    """Return a new key: the text to be shown once, and what is kept of it; raises UsageError (KEYS-05)."""
    _check(name, scopes, rate)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return f"paretail_{key_id}_{secret}", Key(key_id, name, digest_of(secret), tuple(scopes), rate, now_ms())


def _check(name: str, scopes: Sequence[str], rate: float | None) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        expected = f"Expected {nearest(unknown[0], SCOPES)}"
        raise UsageError(Problem("KEYS-05", f"scope {unknown[0]!r} is unknown", expected, "Correct --scope"))
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        expected = f"A name of 1 to {MAX_NAME} characters that can be printed"
        raise UsageError(Problem("KEYS-05", f"name {name[:50]!r}", expected, "Correct --name"))
    if rate is not None and not 0 < rate < inf:
        raise UsageError(Problem("KEYS-05", f"rate {rate!r}", "Requests a second, more than 0", "Correct --rate"))


def described(key: Key) -> dict[str, Any]:
    """Return what may be told of a key."""
    return {
        "key_id": key.key_id, "name": key.name, "scopes": list(key.scopes), "rate": key.rate,
        "created": _time(key.created_ms), "revoked": None if key.revoked_ms is None else _time(key.revoked_ms),
    }  # fmt: skip


def _time(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def revoked(keys: Sequence[Key], told: str) -> Key:
    """Return the key whose id is `told`, or the one in force of that name, revoked now or, where it was, as it is.

    Raises UsageError where there is none, or more than one of that name (KEYS-06).
    """
    found = [key for key in keys if key.key_id == told] or [key for key in keys if key.name == told]
    found = [key for key in found if key.revoked_ms is None] or found
    if len(found) == 1:
        return found[0] if found[0].revoked_ms is not None else replace(found[0], revoked_ms=now_ms())
    do = "List them with: paretail keys list --store STORE"
    if found:
        several = f"Expected one of their ids: {', '.join(key.key_id for key in found)}"
        raise UsageError(Problem("KEYS-06", f"{len(found)} keys are named {told!r}", several, do))
    expected = f"Expected {nearest(told, {text for key in keys for text in (key.key_id, key.name)})}"
    raise UsageError(Problem("KEYS-06", f"no key {told!r}", expected, do))


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a key's secret part, in hex; 256 random bits need no slower hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyRing:
    """The keys of a store as a service knows them, read anew each second."""

    def __init__(self, read: Callable[[], list[Key]], always: bool) -> None:
        """Read the keys with `read`; `always`: a key is needed even where there is none."""
        self._read, self._always = read, always
        self._keys: dict[str, Key] = {}
        self._stop = Event()
        self.refresh()
        self._thread = Thread(target=self._watch, name="keys", daemon=True)
        self._thread.start()

    @property
    def needed(self) -> bool:
        """Whether a key is needed: where one was ever made, so that revoking the last one opens nothing."""
        return self._always or bool(self._keys)

    def find(self, text: str) -> Key | None:
        """Return the key of which `text` is the secret, None where there is none or it was revoked."""
        form = FORM.fullmatch(text)
        key = self._keys.get(form[1]) if form else None
        same = hmac.compare_digest(digest_of(form[2] if form else ""), key.digest if key else _NO_DIGEST)
        return key if key and same and key.revoked_ms is None else None

    def refresh(self) -> None:
        """Read the keys anew."""
        self._keys = {key.key_id: key for key in self._read()}

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(REFRESH_SECONDS):
            try:
                self.refresh()
            except Exception as error:  # the keys known so far go on
                log.error("keys_not_read", exc_info=error)
