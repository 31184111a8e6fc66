"""The gate: who may ask what, and how often."""

import time
from collections.abc import Callable
from math import ceil

from paretail.core.errors import Problem
from paretail.data.stores.base import Key
from paretail.serve.endpoints import Endpoint
from paretail.serve.errors import RefusedError
from paretail.serve.keys import KeyRing

_CHALLENGE = [("www-authenticate", 'Bearer realm="paretail"')]


class Gate:
    """Lets requests in; called by the event loop alone."""

    def __init__(self, keys: KeyRing, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._rate, self._clock = keys, rate, clock
        self._buckets: dict[str, Bucket] = {}

    def admit(self, endpoint: Endpoint, told: dict[bytes, bytes]) -> list[tuple[str, str]]:
        """Return the headers that the answer needs; raises RefusedError with KEYS-02, KEYS-03 or KEYS-04."""
        if endpoint.scope is None:
            return []
        if not self._keys.needed:
            _refuse_foreign_pages(told)
            return []
        key = self._known(told)
        if endpoint.scope not in key.scopes:
            found = f"the key {key.name!r} has the scope {', '.join(key.scopes)}"
            do = f"Use another, or make one: paretail keys create --store STORE --name NAME --scope {endpoint.scope}"
            raise RefusedError(Problem("KEYS-03", found, f"{endpoint.name} needs the scope {endpoint.scope}", do))
        return self._counted(key)

    def _known(self, told: dict[bytes, bytes]) -> Key:
        given = told.get(b"authorization", b"")
        text = given[7:].strip() if given[:7].lower() == b"bearer " else told.get(b"x-api-key", b"")
        if not text:
            expected = "The header Authorization: Bearer KEY"
            raise RefusedError(Problem("KEYS-02", "no API key", expected, "Send a key of this service"), _CHALLENGE)
        key = self._keys.find(text.decode("latin-1"))
        if key is None:
            do = "List the keys with: paretail keys list --store STORE"
            raise RefusedError(
                Problem("KEYS-02", "the API key is unknown or revoked", "A key of this service", do), _CHALLENGE
            )
        return key

    def _counted(self, key: Key) -> list[tuple[str, str]]:
        rate = key.rate or self._rate
        bucket = self._buckets.get(key.key_id)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[key.key_id] = Bucket(rate, self._clock())
        wait = bucket.take(self._clock())
        headers = bucket.headers()
        if wait:
            found = f"more than {rate:g} requests a second with the key {key.name!r}"
            raise RefusedError(
                Problem("KEYS-04", found, f"At most {rate:g} a second", "Wait as long as Retry-After tells"),
                [("retry-after", str(ceil(wait))), *headers],
            )
        return headers


def _refuse_foreign_pages(told: dict[bytes, bytes]) -> None:
    """Refuse what a page of another site makes a browser ask: without keys, an address inside is no protection."""
    if told.get(b"sec-fetch-site", b"none") in (b"cross-site", b"same-site"):
        expected = "A page of the same origin, or a program"
        do = "Ask from your own server, or create an API key: paretail keys create --help"
        raise RefusedError(Problem("KEYS-07", "a page of another site asks", expected, do))


class Bucket:
    """A token bucket: `rate` tokens a second, at most one second's worth and at least one."""

    def __init__(self, rate: float, now: float) -> None:
        self.rate, self.size = rate, max(rate, 1.0)
        self._tokens, self._at = self.size, now

    def take(self, now: float) -> float:
        """Take a token and return 0, or return how many seconds it takes until there is one."""
        self._tokens = min(self.size, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self.rate
        self._tokens -= 1.0
        return 0.0

    def headers(self) -> list[tuple[str, str]]:
        """Return limit, what remains of it, and the seconds until it is whole again."""
        return [
            ("ratelimit-limit", str(int(self.size))),
            ("ratelimit-remaining", str(int(self._tokens))),
            ("ratelimit-reset", str(ceil((self.size - self._tokens) / self.rate))),
        ]
