"""`paretail keys` creates, lists and revokes; a key is shown once."""

import json
from pathlib import Path

import pytest

from ..trained import paretail


def create(store: Path, *more: object) -> str:
    done = paretail("keys", "create", "--store", store, "--name", "shop", "--scope", "recommend,events", *more)
    assert done.code == 0, done.err
    assert done.err == ""
    return done.out


def test_a_key_is_shown_once_and_listed_without_its_secret(tmp_path: Path) -> None:
    store = tmp_path / "store"
    key = create(store).strip()
    key_id = key.split("_")[1]
    listed = paretail("keys", "list", "--store", store)
    header, line = listed.out.splitlines()
    assert header.split() == ["key_id", "name", "scopes", "rate", "created", "revoked"]
    assert line.startswith(f"{key_id}  shop  recommend,events        20")
    assert header.index("created") == line.index("20", len(key_id))
    assert key[-43:] not in listed.out


def test_as_json(tmp_path: Path) -> None:
    store = tmp_path / "store"
    made = json.loads(create(store, "--rate", 2.5, "--json"))
    key = made.pop("key")
    assert (made["name"], made["scopes"], made["rate"], made["revoked"]) == ("shop", ["recommend", "events"], 2.5, None)
    assert json.loads(paretail("keys", "list", "--store", store, "--json").out) == {"keys": [made]}
    revoked = json.loads(paretail("keys", "revoke", made["key_id"], "--store", store, "--json").out)
    assert revoked == made | {"revoked": revoked["revoked"]}
    assert revoked["revoked"] >= made["created"]
    assert key[-43:] not in str(revoked)


def test_a_revoked_key_stays_listed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, second = (create(store, "--rate", 5).split("_")[1] for _ in range(2))
    assert paretail("keys", "revoke", first, "--store", store).out == f"{first} is revoked\n"
    assert paretail("keys", "revoke", first, "--store", store).code == 0
    header, *lines = paretail("keys", "list", "--store", store).out.splitlines()
    assert [line.split()[0] for line in lines] == [first, second]
    assert [len(line) > header.index("revoked") for line in lines] == [True, False]
    assert all("  5/s  " in line for line in lines)


def test_a_name_does_as_well_where_one_key_in_force_has_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, second = (create(store).split("_")[1] for _ in range(2))
    done = paretail("keys", "revoke", "shop", "--store", store)
    assert (done.code, "(KEYS-06)" in done.err) == (2, True)
    assert f"2 keys are named 'shop'. Expected one of their ids: {first}, {second}" in done.err.replace("\n", " ")
    assert paretail("keys", "revoke", first, "--store", store).code == 0
    assert paretail("keys", "revoke", "shop", "--store", store).out == f"{second} is revoked\n"
    assert "2 keys are named" in paretail("keys", "revoke", "shop", "--store", store).err, "neither is in force"
    assert paretail("keys", "create", "--store", store, "--name", second, "--scope", "read").code == 0
    assert paretail("keys", "revoke", second, "--store", store).out == f"{second} is revoked\n", "an id goes first"
    assert json.loads(paretail("keys", "list", "--store", store, "--json").out)["keys"][-1]["revoked"] is None
    assert paretail("keys", "revoke", "shp", "--store", store).err.count("did you mean 'shop'?") == 1


def test_no_keys(tmp_path: Path) -> None:
    store = tmp_path / "store"
    paretail("keys", "revoke", create(store).split("_")[1], "--store", store)
    done = paretail("keys", "revoke", "none", "--store", store)
    assert (done.code, "(KEYS-06)" in done.err) == (2, True)


@pytest.mark.parametrize(
    "wrong", [["--scope", "recomend"], ["--scope", ""], ["--rate", "0"], ["--rate", "nan"], ["--name", " "]]
)
def test_what_is_no_key_leaves_no_store(tmp_path: Path, wrong: list[str]) -> None:
    given = {"--name": "shop", "--scope": "read", "--store": str(tmp_path / "store")} | dict([wrong])
    done = paretail("keys", "create", *(word for pair in given.items() for word in pair))
    assert (done.code, "(KEYS-05)" in done.err) == (2, True)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("verb", [["list"], ["revoke", "abc"]])
def test_what_is_no_store(tmp_path: Path, verb: list[str]) -> None:
    done = paretail("keys", *verb, "--store", tmp_path / "none")
    assert (done.code, "(STOR-" in done.err) == (1, True)
    assert not (tmp_path / "none").exists()
