"""Keys are told once and kept as digests; the gate lets in who may, as often as they may."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import UsageError
from paretail.data.stores.base import Key
from paretail.serve.endpoints import ENDPOINTS
from paretail.serve.errors import RefusedError
from paretail.serve.gate import Bucket, Gate
from paretail.serve.keys import FORM, KeyRing, described, digest_of, new_key, revoked

RECOMMEND = next(endpoint for endpoint in ENDPOINTS if endpoint.path == "/v1/recommend")
LIVE = next(endpoint for endpoint in ENDPOINTS if endpoint.path == "/health/live")


@pytest.fixture
def ring() -> Any:
    """Return what makes a ring of keys; all are closed."""
    rings = []

    def make(*keys: Key, always: bool = False) -> KeyRing:
        rings.append(KeyRing(lambda: list(keys), always))
        return rings[-1]

    yield make
    for made in rings:
        made.close()


def admitted(gate: Gate, **headers: str) -> dict[str, str]:
    told = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return dict(gate.admit(RECOMMEND, told))


def test_a_key_is_long_and_its_own() -> None:
    made = [new_key("shop", ["recommend"]) for _ in range(50)]
    assert len({secret for secret, _ in made}) == len({key.key_id for _, key in made}) == 50
    for secret, key in made:
        form = FORM.fullmatch(secret)
        assert form
        assert form[1] == key.key_id
        assert key.digest == digest_of(form[2])
        assert form[2] not in repr(key) + str(described(key))


@pytest.mark.parametrize(
    ("name", "scopes", "rate", "found"),
    [("a", ["recomend"], None, "did you mean 'recommend'"), ("a", [""], None, "scope ''"),
     ("", ["read"], None, "name ''"),
     ("a\n", ["read"], None, "name 'a"), ("a" * 101, ["read"], None, "name 'a"), ("a", ["read"], 0.0, "rate 0.0"),
     ("a", ["read"], float("nan"), "rate nan"), ("a", ["read"], float("inf"), "rate inf")],
)  # fmt: skip
def test_what_is_no_key(name: str, scopes: list[str], rate: float | None, found: str) -> None:
    with pytest.raises(UsageError, match=rf"{found}.*KEYS-05"):
        new_key(name, scopes, rate)


def test_a_key_is_found_by_its_secret_alone(ring: Any) -> None:
    (secret, key), (other_secret, other) = new_key("a", ["read"]), new_key("b", ["read"])
    keys = ring(key, other)
    assert keys.find(secret) == key
    assert keys.find(other_secret) == other
    mixed = f"paretail_{key.key_id}_{other_secret[-43:]}"
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for text in ("", mixed, wrong, secret[:-1], secret + "A", " " + secret, secret.upper(), key.digest, key.key_id):
        assert keys.find(text) is None


@given(text=st.text())
def test_no_text_opens(text: str) -> None:
    keys = KeyRing(lambda: [new_key("a", ["read"])[1]], False)
    assert keys.find(text) is None
    keys.close()


def test_a_revoked_key_opens_nothing_and_neither_does_its_absence(ring: Any) -> None:
    secret, key = new_key("a", ["recommend"])
    gone = revoked([key], key.key_id)
    keys = ring(gone)
    assert keys.find(secret) is None
    assert keys.needed
    with pytest.raises(RefusedError, match="KEYS-02"):
        admitted(Gate(keys, 10))
    assert revoked([gone], key.key_id) == gone
    with pytest.raises(UsageError, match=r"no key 'zz'.*KEYS-06"):
        revoked([key], "zz")


def test_without_keys_all_is_open_unless_always(ring: Any) -> None:
    assert admitted(Gate(ring(), 10)) == {}
    with pytest.raises(RefusedError, match=r"no API key.*KEYS-02"):
        admitted(Gate(ring(always=True), 10))
    assert Gate(ring(always=True), 10).admit(LIVE, {}) == []


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
def test_a_page_of_another_site_is_refused_where_no_key_is_needed(ring: Any, site: str) -> None:
    gate = Gate(ring(), 10)
    if site in ("same-origin", "none"):
        assert admitted(gate, sec_fetch_site=site) == {}
    else:
        with pytest.raises(RefusedError, match="KEYS-07"):
            admitted(gate, sec_fetch_site=site)
    secret, key = new_key("a", ["recommend"])
    assert admitted(Gate(ring(key), 10), authorization=f"Bearer {secret}", sec_fetch_site=site)


def test_where_a_key_may_stand(ring: Any) -> None:
    secret, key = new_key("a", ["recommend"])
    gate = Gate(ring(key), 100)
    for headers in ({"authorization": f"Bearer {secret}"}, {"authorization": f"bearer  {secret}"},
                    {"x_api_key": secret}, {"authorization": "Basic dTpw", "x_api_key": secret}):  # fmt: skip
        assert admitted(gate, **headers)["ratelimit-limit"] == "100"
    for headers in ({"authorization": secret}, {"authorization": "Bearer "}, {"authorization": f"Basic {secret}"}, {}):
        with pytest.raises(RefusedError, match="KEYS-02") as error:
            admitted(gate, **headers)
        assert secret not in str(error.value)


def test_a_scope_that_lacks_is_named(ring: Any) -> None:
    secret, key = new_key("a", ["read", "events"])
    with pytest.raises(RefusedError, match=r"has the scope read, events.*needs the scope recommend.*KEYS-03") as error:
        admitted(Gate(ring(key), 10), authorization=f"Bearer {secret}")
    assert error.value.status == 403


def test_a_key_has_its_rate(ring: Any) -> None:
    now = [100.0]
    (secret, slow), (other, usual) = new_key("a", ["recommend"], 2.0), new_key("b", ["recommend"])
    gate = Gate(ring(slow, usual), 5.0, lambda: now[0])
    ask = {"authorization": f"Bearer {secret}"}
    assert admitted(gate, **ask) == {"ratelimit-limit": "2", "ratelimit-remaining": "1", "ratelimit-reset": "1"}
    assert admitted(gate, **ask)["ratelimit-remaining"] == "0"
    with pytest.raises(RefusedError, match=r"more than 2 requests a second.*KEYS-04") as error:
        admitted(gate, **ask)
    assert error.value.status == 429
    assert dict(error.value.headers) == {
        "retry-after": "1", "ratelimit-limit": "2", "ratelimit-remaining": "0", "ratelimit-reset": "1",
    }  # fmt: skip
    assert admitted(gate, authorization=f"Bearer {other}")["ratelimit-remaining"] == "4"
    now[0] += 0.5
    assert admitted(gate, **ask)["ratelimit-remaining"] == "0"
    now[0] += 3600
    assert admitted(gate, **ask)["ratelimit-remaining"] == "1"


def test_a_rate_below_one_gives_one_at_a_time() -> None:
    bucket = Bucket(0.25, 0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == pytest.approx(4.0)
    assert bucket.take(3.0) == pytest.approx(1.0)
    assert bucket.take(4.0) == 0.0
    assert dict(bucket.headers()) == {"ratelimit-limit": "1", "ratelimit-remaining": "0", "ratelimit-reset": "4"}


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 3), max_size=200))
def test_a_bucket_never_gives_more_than_its_rate(rate: float, waits: list[float]) -> None:
    bucket, now, given = Bucket(rate, 0.0), 0.0, 0
    for wait in waits:
        now += wait
        told = bucket.take(now)
        given += told == 0.0
        assert told == 0.0 or 0 < told <= 1 / rate + 1e-9
    assert given <= max(rate, 1.0) + now * rate + 1e-6


def test_a_ring_follows_the_store() -> None:
    keys: list[Key] = []
    ring = KeyRing(lambda: list(keys), False)
    secret, key = new_key("a", ["read"])
    assert not ring.needed
    keys.append(key)
    ring.refresh()
    assert (ring.needed, ring.find(secret)) == (True, key)
    keys[0] = replace(key, revoked_ms=1)
    ring.refresh()
    assert ring.find(secret) is None
    ring.close()


def test_times_are_told_for_people() -> None:
    told = described(replace(new_key("a", ["read"])[1], created_ms=1_700_000_000_123))
    assert told["created"] == "2023-11-14T22:13:20Z"
    assert re.fullmatch("[0-9a-f]{12}", told["key_id"])
