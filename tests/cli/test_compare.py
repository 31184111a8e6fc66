"""`paretail compare`: one line a model, the best first; one that fails says why and harms no other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ..trained import DemoShop, paretail, parts

MEMBER = """
from paretail.retrieve.models.popular import Popular
class Broken(Popular):
    @classmethod
    def fit(cls, graph, config, seed):
        raise RuntimeError("no luck today")
"""


def test_models_are_told_best_first_with_costs(shop: DemoShop, tmp_path: Path) -> None:
    config, out = shop.config_with(tmp_path / "shop.toml"), tmp_path / "report"
    asked = ("--models", "popular,knn,blend", "--budget", "6s", "-k", 10, "--out", out)
    done = paretail("compare", "--config", config, *asked, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["k"], found["target"], len(found["models"])) == (10, "purchase", 3)
    ndcg = {
        one["name"]: next(
            row["mean"] for row in one["report"]["rows"] if (row["metric"], row["segment"]) == ("ndcg", "all")
        )
        for one in found["models"]
    }
    assert list(ndcg.values()) == sorted(ndcg.values(), reverse=True)
    best = found["models"][0]
    assert best["behind"] == [0, 0]
    for one in found["models"]:
        assert one["behind"][0] == pytest.approx(ndcg[best["name"]] - ndcg[one["name"]], abs=1e-9)
        assert one["train_seconds"] > 0
        assert 50 < one["peak_mib"] < 4000
        assert 0 < one["p50_ms"] <= one["p99_ms"]
    assert json.loads((out / "compare.json").read_text()) == found
    page = (out / "compare.html").read_text()
    assert page.count("<circle") == 3
    assert f"{ndcg['blend']:.4f}" in page
    assert not parts(tmp_path)


def test_a_model_that_fails_says_why(shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_models.py").write_text(MEMBER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.syspath_prepend(tmp_path)
    config = shop.config_with(tmp_path / "shop.toml")
    done = paretail("compare", "--config", config, "--models", "their_models:Broken,popular", "--budget", "2s")
    assert done.code == 0, done.err
    assert "their_models:Broken: RuntimeError: no luck today" in done.out
    assert "popular" in done.out.split("their_models:Broken")[0]


@pytest.mark.parametrize(("models", "code"), [("popular,blnd", "RETR-01"), ("knn", "CLI-05"), ("knn", "CONF-03")])
def test_wrong_input_is_refused_before_anything_is_trained(
    shop: DemoShop, tmp_path: Path, models: str, code: str
) -> None:
    more = {"CLI-05": ("-k", 0), "CONF-03": ("--budget", "soon")}.get(code, ())
    done = paretail("compare", "--config", shop.config_with(tmp_path / "shop.toml"), "--models", models, *more)
    assert done.code != 0
    assert f"({code})" in done.err


def test_people_without_events_are_asked_apart(tmp_path: Path) -> None:
    rng, day = np.random.default_rng(0), 86_400
    known = [(f"u{u}", f"i{u % 4 * 5 + int(item)}", 100 * day * n // 6 + u) for u in range(120) for n in range(6)
             for item in rng.integers(0, 5, 1)]  # fmt: skip
    new = [(f"n{u}", "i7", 95 * day + u) for u in range(60)]
    last = [(f"u{u}", f"i{u % 4 * 5 + int(rng.integers(5))}", 95 * day + u) for u in range(120)]
    often = [(f"u{u}", "i7", day + u) for u in range(120)]
    rows = [(user, item, "buy", 1_700_000_000 + ts) for user, item, ts in (*known, *new, *last, *often)]
    pl.DataFrame(rows, ["user_id", "item_id", "event", "ts"], orient="row").write_csv(tmp_path / "events.csv")
    (tmp_path / "shop.toml").write_text(
        '[data]\nevents = "events.csv"\ntime = "seconds"\n[goal]\nrepeat = true\n'
        '[model]\nname = "hybrid"\n[model.settings.members]\npopular = {}\nknn = {}\n'
    )
    out = tmp_path / "report"
    done = paretail(
        "compare", "--config", tmp_path / "shop.toml", "--models", "knn,hybrid", "--budget", "2s", "--out", out
    )
    assert done.code == 0, done.err
    found = json.loads((out / "compare.json").read_text())
    assert (found["users"], found["new_users"]) == (120, 60)
    assert {one["name"] for one in found["models"]} == {"knn", "hybrid"}
    assert [one["new_users"] for one in found["models"]] == [[1.0, 0.0]] * 2  # all bought what most had
    assert "60 new users besides" in (out / "compare.html").read_text()
    for one in found["models"]:
        assert_told(one, done.out, (out / "compare.html").read_text())


def assert_told(one: dict[str, Any], table: str, page: str) -> None:
    """Check that the terminal's table and the page tell a model's figures and costs, in the order of the headings."""
    headings = ["light", "new", "users", "new", "items", "coverage", "train", "memory", "p50", "p99"]
    (line,) = (line.split() for line in table.splitlines() if line.split()[:1] == ["model"])
    assert line[-len(headings) :] == headings
    rows = {(row["metric"], row["segment"]): row for row in one["report"]["rows"]}
    ndcg, coverage = rows["ndcg", "all"], rows["catalogue_coverage", "all"]
    figure = f"{ndcg['mean']:.4f} ± {(ndcg['high'] - ndcg['low']) / 2:.4f}"
    cells = (
        f"{rows['ndcg', 'light']['mean']:.4f}", f"{one['new_users'][0]:.4f}", "-", f"{coverage['mean']:.4f}",
        f"{one['train_seconds']:.1f} s", f"{one['peak_mib']:,.0f} MiB", f"{one['p50_ms']:.1f} ms",
        f"{one['p99_ms']:.1f} ms",
    )  # fmt: skip
    (line,) = (line.split() for line in table.splitlines() if line.split()[:1] == [one["name"]])
    assert " ".join(line).startswith(f"{one['name']} {figure} ")
    assert " ".join(line).endswith(" ".join(cells))
    (row,) = (row for row in page.split("<tr>") if row.startswith(f"<td>{one['name']}</td>"))
    assert f"<td>{figure}</td>" in row
    assert "".join(f"<td>{cell}</td>" for cell in cells) in row
