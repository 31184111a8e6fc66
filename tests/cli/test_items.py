"""`paretail items import`: good rows go in, bad ones aside, and a file that is refused leaves nothing behind."""

import json
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from paretail.data.documents import ItemDocument
from paretail.data.stores.embedded import EmbeddedStore

from ..trained import DemoShop, Done, paretail


def test_the_catalogue_of_a_shop(shop: DemoShop, tmp_path: Path) -> None:
    store = tmp_path / "store"
    done = paretail("items", "import", shop.folder / "items.csv", "--store", store, "--config", shop.config)
    assert (done.code, done.err) == (0, "")
    assert "items.csv: 100 rows read, 100 imported" in done.out
    assert "100 items set" in done.out.replace("\n", " ")
    with closing(EmbeddedStore.open(store, create=False)) as opened:
        documents = dict(opened.documents("items"))
    assert len(documents) == 100
    first = msgspec.json.decode(documents[min(documents)] or b"", type=ItemDocument)
    assert first.title is not None
    assert first.category is not None
    assert first.price_minor is not None
    assert first.price_minor > 0


def test_bad_rows_are_told_and_kept_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"i{n},{n}.5,red\n" for n in range(30))
    Path("items.csv").write_text("item_id,price,colour\n" + rows + "i5,1,blue\ni99,-4,blue\n")
    done = told(paretail("items", "import", "items.csv", "--store", "store", "--json"))
    assert (done["read"], done["imported"], done["set"]) == (32, 30, 30)
    assert done["quarantined"] == {"duplicate_id": 1, "negative_price": 1}
    assert (Path(str(done["quarantine"])) / "items.csv").read_text().count("\n") == 3
    assert ["CHECK-03" in str(done["warnings"]), "CHECK-07" in str(done["warnings"])] == [True, True]
    again = paretail("items", "import", "items.csv", "--store", "store")
    assert "1 in quarantine (duplicate_id), 1 in quarantine (negative_price)" in again.out
    assert "The rows in quarantine, each with its reason: quarantine/items-" in again.out
    assert again.err.count("warning: ") == 2


@pytest.mark.parametrize(
    ("content", "code", "problem"),
    [(None, 2, "CLI-20"), ("item_id,price\na,1\nb,-1\n", 1, "CHECK-07"), ("sku\na\n", 1, "DATA-09"),
     ("item_id,price,currency\na,1,USD\n", 1, "CHECK-09")],
)  # fmt: skip
def test_a_refused_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, code: int, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("items.csv").write_text(content)
    done = paretail("items", "import", "items.csv", "--store", "store")
    assert (done.code, done.out, problem in done.err) == (code, "", True)
    assert [path.name for path in tmp_path.iterdir()] == ([] if content is None else ["items.csv"])


def told(done: Done) -> dict[str, object]:
    assert done.code == 0, done.err
    found: dict[str, object] = json.loads(done.out)
    return found
