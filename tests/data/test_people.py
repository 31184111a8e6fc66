"""What is told of users is what the store has, whatever is in memory."""

import json
from pathlib import Path

from paretail.data.people import People
from paretail.data.stores.embedded import EmbeddedStore


def put(store: EmbeddedStore, user: str, **attributes: object) -> None:
    store.put("users", {user: json.dumps({"user_id": user, "attributes": attributes}).encode()})


def test_changes_are_heard_and_nobody_is_remembered_wrongly(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "store")
    people = People(store, 2)
    assert people.attributes("ann") is None
    put(store, "ann", country="DE")
    assert people.attributes("ann") is None  # not told yet
    people.changed(["ann"])
    assert people.attributes("ann") == {"country": "DE"}
    for user in ("bob", "eve", "zoe"):  # ann leaves memory and comes back from the store
        put(store, user, country="FR")
        assert people.attributes(user) == {"country": "FR"}
    assert people.attributes("ann") == {"country": "DE"}
    put(store, "ann", country="NL")
    people.forget_all()
    assert people.attributes("ann") == {"country": "NL"}
    store.put("users", {"ann": None})
    people.changed(["ann"])
    assert people.attributes("ann") is None
    store.close()


def test_what_was_read_while_it_changed_is_not_kept(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "store")
    put(store, "ann", country="DE")
    people = People(store, 2)
    read = store.document

    def meanwhile(kind: str, name: str) -> bytes | None:
        found = read(kind, name)  # type: ignore[arg-type]
        put(store, "ann", country="NL")
        people.changed(["ann"])
        return found

    store.document = meanwhile  # type: ignore[method-assign,assignment]
    assert people.attributes("ann") == {"country": "DE"}
    store.document = read  # type: ignore[method-assign]
    assert people.attributes("ann") == {"country": "NL"}
    store.close()
