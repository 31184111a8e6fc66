"""`paretail update` from end to end: new events in another file, a version that names its parent."""

import json
import shutil
from pathlib import Path

from paretail.pipeline.bundle import current, versions

from ..trained import DemoShop, paretail, parts


def test_new_events_make_a_version_that_names_its_parent(shop: DemoShop, tmp_path: Path) -> None:
    out = tmp_path / "b"
    config = shop.config_with(tmp_path / "shop.toml", "knn")
    assert paretail("train", "--config", config, "--out", out, "--budget", "1s").code == 0
    first = current(out)
    both = f'["{shop.folder / "events.csv.gz"}", "{shop.holdout}"]'
    config = shop.config_with(tmp_path / "later.toml", "knn", events=both)
    done = paretail("update", "--config", config, "--bundle", out, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["parent"], told["facts"]["parent"], told["version"]) == (first, first, current(out))
    assert told["facts"]["events"] == shop.events().height + shop.events("holdout").height
    again = paretail("update", "--config", config, "--bundle", out)
    assert (again.code, len(versions(out))) == (0, 2)
    assert f"Nothing is new; {told['version']} stays as it is" in again.out
    third = paretail("update", "--config", shop.config_with(tmp_path / "less.toml", "knn"), "--bundle", out)
    assert "older events came or went" in third.out
    assert current(out) in third.out
    assert not parts(tmp_path)


def test_what_cannot_be_updated_is_told(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml", "knn")
    shutil.copytree(shop.bundle, tmp_path / "b")
    cases = [(tmp_path / "none", config, "BNDL-01"), (tmp_path / "b", config, "UPDT-01"),
             (tmp_path / "b", tmp_path / "none.toml", "CONF-05")]  # fmt: skip
    for bundle, told, code in cases:
        done = paretail("update", "--config", told, "--bundle", bundle)
        assert (done.code, f"({code})" in done.err) == (1, True), done.err
    assert len(versions(tmp_path / "b")) == 1
