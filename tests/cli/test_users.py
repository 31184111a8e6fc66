"""`paretail users import`."""

import json
from contextlib import closing
from pathlib import Path

from paretail.data.stores.embedded import EmbeddedStore

from ..trained import DemoShop, paretail


def test_the_users_of_a_shop(shop: DemoShop, tmp_path: Path) -> None:
    store = tmp_path / "store"
    done = paretail("users", "import", shop.folder / "users.csv", "--store", store, "--config", shop.config, "--json")
    told = json.loads(done.out)
    assert (done.code, told["read"], told["set"], told["quarantine"]) == (0, 300, 300, None)
    with closing(EmbeddedStore.open(store, create=False)) as opened:
        documents = {name: json.loads(body or b"") for name, body in opened.documents("users")}
    assert sorted(documents) == sorted(shop.users)
    assert all(document["user_id"] == name and document["attributes"] for name, document in documents.items())
