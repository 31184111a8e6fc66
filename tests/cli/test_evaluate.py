"""`paretail evaluate` prints a table for people and one JSON document for machines."""

import json
from pathlib import Path
from typing import Any

from ..trained import DemoShop, paretail


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_json(shop: DemoShop) -> None:
    done = paretail("evaluate", "--bundle", shop.bundle, "--holdout", shop.holdout, "--json", "-k", 5, "-k", 10)
    told = strict(done.out)
    assert done.code == 0
    assert (told["target"], told["mode"]) == ("purchase", "none")
    assert list(told["reports"]) == ["this bundle", "popular"]
    rows = told["reports"]["this bundle"]["rows"]
    assert {row["k"] for row in rows} == {5, 10}
    main = {row["metric"]: row for row in rows if row["segment"] == "all" and row["k"] == 10}
    assert {"recall", "ndcg", "hr", "mrr", "map", "catalogue_coverage", "gini", "novelty", "diversity"} <= set(main)
    for name in ("recall", "ndcg", "hr"):
        row = main[name]
        assert 0 <= row["low"] <= row["mean"] <= row["high"] <= 1
        assert row["n"] == told["users"]
    assert {row["segment"] for row in rows} > {"all", "cold", "light", "heavy"}


def test_a_table_for_people(shop: DemoShop) -> None:
    done = paretail(
        "evaluate", "--bundle", shop.bundle, "--holdout", shop.holdout, "-k", 10, "--against", "popular,knn"
    )
    assert done.code == 0
    assert "held-out purchase pairs, full ranking" in done.out
    for model in ("this bundle", "popular", "knn"):
        (line,) = [line for line in done.out.splitlines() if line.strip().startswith(f"{model} ")]
        assert "±" in line
    assert max(map(len, done.out.splitlines())) <= 120


def test_without_baselines(shop: DemoShop) -> None:
    done = paretail("evaluate", "--bundle", shop.bundle, "--holdout", shop.holdout, "--against", "none", "--json")
    told = strict(done.out)
    assert list(told["reports"]) == ["this bundle"]
    assert {row["k"] for row in told["reports"]["this bundle"]["rows"]} == {10, 20}


def test_another_question(shop: DemoShop) -> None:
    asked = {}
    for exclude in ("none", "buy", "all"):
        done = paretail("evaluate", "--bundle", shop.bundle, "--holdout", shop.holdout, "--against", "none", "--json",
                        "--exclude", exclude)  # fmt: skip
        told = strict(done.out)
        asked[told["mode"]] = told["pairs"]
    assert list(asked) == ["none", "target", "all"]
    assert asked["none"] > asked["target"] > asked["all"] > 0


def test_nothing_to_ask(shop: DemoShop, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("visitor_id,sku,action,timestamp\nu00000001,i00000001,pv,2025-11-01T00:00:00Z\n")
    done = paretail("evaluate", "--bundle", shop.bundle, "--holdout", tmp_path / "h.csv")
    assert (done.code, "(EVAL-04)" in done.err) == (1, True)
