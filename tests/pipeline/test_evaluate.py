"""A bundle is measured on what is held out, by numbers that can be counted by hand."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import ConfigError, DataError, UsageError
from paretail.pipeline.evaluate import Evaluation, evaluate_bundle
from paretail.pipeline.recommend import recommend_to_file

from ..trained import DemoShop


def question(shop: DemoShop, exclude: list[str]) -> dict[str, set[str]]:
    """What each user is asked for: held-out purchases of items that they did not have under the excluded kinds."""
    held = shop.events("holdout").filter(kind="purchase").select("visitor_id", "sku").unique()
    hidden = shop.events().filter(pl.col("kind").is_in(exclude)).select("visitor_id", "sku").unique()
    left = held.join(hidden, on=["visitor_id", "sku"], how="anti").group_by("visitor_id").agg("sku")
    return {user: set(items) for user, items in left.iter_rows()}


@pytest.mark.parametrize(
    ("exclude", "kinds"),
    [(["none"], []), (["buy"], ["purchase"]), (["purchase", "cart"], ["purchase", "cart"]),
     (["all"], ["purchase", "cart", "click", "view", "impression", "refund"])],
)  # fmt: skip
def test_figures_are_those_of_the_lists_that_recommend_writes(
    shop: DemoShop, tmp_path: Path, exclude: list[str], kinds: list[str]
) -> None:
    wanted = question(shop, kinds)
    found = evaluate_bundle(shop.bundle, shop.holdout, ks=[5, 10], exclude=exclude)
    assert (found.users, found.pairs) == (len(wanted), sum(map(len, wanted.values())))
    users = tmp_path / "users.txt"
    users.write_text("\n".join(wanted))
    recommend_to_file(shop.bundle, str(users), tmp_path / "r.parquet", k=10, exclude=exclude)
    lists = pl.read_parquet(tmp_path / "r.parquet")
    for k in (5, 10):
        hits, ndcg = [], []
        for user, items in wanted.items():
            ranked = lists.filter(pl.col("user_id") == user, pl.col("rank") <= k).sort("rank")["item_id"].to_list()
            gains = [1 / np.log2(place + 2) for place, item in enumerate(ranked) if item in items]
            hits.append(bool(gains))
            ndcg.append(sum(gains) / sum(1 / np.log2(place + 2) for place in range(min(k, len(items)))))
        report = found.reports["this bundle"]
        assert report.value("hr", k) == pytest.approx(np.mean(hits))
        assert report.value("ndcg", k) == pytest.approx(np.mean(ndcg))


def test_baselines_see_the_same_history_and_question(shop: DemoShop) -> None:
    found = evaluate_bundle(shop.bundle, shop.holdout, ks=[10], against=["popular", "knn"])
    assert list(found.reports) == ["this bundle", "popular", "knn"]
    users = {name: report.row("recall").n for name, report in found.reports.items()}
    assert set(users.values()) == {found.users}
    assert value(found, "this bundle") > value(found, "popular")


def value(found: Evaluation, name: str) -> float:
    mean = found.reports[name].value("ndcg", 10)
    assert mean is not None
    return mean


def holdout(shop: DemoShop, path: Path, *rows: tuple[str, str, str]) -> Path:
    frame = pl.DataFrame(rows, ["visitor_id", "sku", "action"], orient="row")
    frame.with_columns(timestamp=pl.lit("2025-11-01T00:00:00Z")).write_csv(path)
    return path


def test_items_that_the_bundle_does_not_know_stay_in_the_question(shop: DemoShop, tmp_path: Path) -> None:
    path = holdout(shop, tmp_path / "h.csv", ("u00000001", "brand new", "buy"), ("stranger", "brand new", "buy"))
    found = evaluate_bundle(shop.bundle, path, ks=[10])
    assert (found.users, found.pairs) == (2, 2)
    assert found.reports["this bundle"].value("recall", 10) == 0


def test_a_pair_that_was_had_is_no_question(shop: DemoShop, tmp_path: Path) -> None:
    bought = shop.events().filter(kind="purchase").row(0, named=True)
    path = holdout(shop, tmp_path / "h.csv", (bought["visitor_id"], bought["sku"], "buy"))
    assert evaluate_bundle(shop.bundle, path, exclude=["none"]).pairs == 1
    with pytest.raises(DataError, match=r"no purchase of the holdout is left to ask for.*EVAL-04"):
        evaluate_bundle(shop.bundle, path, exclude=["purchase"])


def test_a_holdout_without_the_target(shop: DemoShop, tmp_path: Path) -> None:
    path = holdout(shop, tmp_path / "h.csv", ("u00000001", "i00000001", "pv"))
    with pytest.raises(DataError, match="EVAL-04"):
        evaluate_bundle(shop.bundle, path)


def test_a_holdout_with_unknown_words(shop: DemoShop, tmp_path: Path) -> None:
    path = holdout(shop, tmp_path / "h.csv", ("u00000001", "i00000001", "bought"))
    with pytest.raises(DataError, match=r"'bought' \(1\).*CHECK-01"):
        evaluate_bundle(shop.bundle, path)


def test_what_is_wrong_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="CLI-05"):
        evaluate_bundle(tmp_path, tmp_path, ks=[10, 0])
    with pytest.raises(ConfigError, match=r"'poplar'.*RETR-01"):
        evaluate_bundle(tmp_path, tmp_path, against=["poplar"])
