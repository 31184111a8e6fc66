"""`paretail train --sweep` on a small shop, as a user runs it: table, JSON, page and what is printed agree."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from paretail.rank.balance import BALANCERS  # torch may be missing
from paretail.rank.spaces import SPACES

from ..rank.world import world
from ..trained import Done, paretail, written

SETTINGS = """
[model]
name = "popular"
[rank]
epochs = 1
dim = 2
own_dim = 1
sharing_settings = {dim = 4, layers = 1}
[rank.sweep]
impressions = 2500
epochs = 1
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, dict[str, Any], str]:
    """Return what was printed, the JSON and the page."""
    folder = tmp_path_factory.mktemp("swept")
    patch = pytest.MonkeyPatch()
    patch.setattr("paretail.rank.learned.sweep.ROUNDS", 3)
    config = written(world(users=40, items=20, requests=400).shop, folder, SETTINGS)
    done = paretail("train", "--config", config, "--out", folder / "bundle", "--sweep")
    patch.undo()
    assert done.code == 0, done.err
    (file,) = Path(folder / "bundle" / "reports").glob("*-sweep.json")
    return done, json.loads(file.read_text()), file.with_suffix(".html").read_text()


def test_the_table_has_all_that_is_promised(swept: tuple[Done, dict[str, Any], str]) -> None:
    _, told, _ = swept
    rows = {row["name"]: row for row in told["rows"]}
    weights = [row["weight"] for row in told["rows"] if row["kind"] == "weighted"]
    assert weights == pytest.approx([k / 20 for k in range(21)])
    assert {row["name"] for row in told["rows"] if row["kind"] == "method"} == set(BALANCERS) - {"weighted"}
    assert {row["name"] for row in told["rows"] if row["kind"] == "space"} == set(SPACES) - {"conditional"}
    assert told["failed"] == {}
    assert set(told["single"]) == {"click", "cart", "purchase", "value"}
    for row in rows.values():
        gains = {task: 1 - row["losses"][task] / told["single"][task] for task in told["single"]}
        assert row["gain"] == pytest.approx(gains)
        assert row["delta_m"] == pytest.approx(sum(gains.values()) / 4)
        assert row["hypervolume"] >= told["hypervolume"] - 1e-12 >= 0
        assert 0.2 < row["cost"] < 50
    swept_rows = [row for row in told["rows"] if row["kind"] == "weighted"]
    assert told["tuned"] == max(swept_rows, key=lambda row: row["delta_m"])["name"]
    assert told["plain"] == "weighted 0.50"
    assert rows["weighted 0.50"]["settings"]["weights"] == {"click": 1, "cart": 1, "purchase": 1, "value": 1}
    assert rows["weighted 0.00"]["gain"]["click"] < rows["weighted 1.00"]["gain"]["click"]  # they leave tasks out
    assert rows["weighted 0.00"]["gain"]["value"] > rows["weighted 1.00"]["gain"]["value"]


def test_dominated_is_said_where_it_is_so(swept: tuple[Done, dict[str, Any], str]) -> None:
    rows = {row["name"]: row for row in swept[1]["rows"]}
    dominated = {name: row["dominated_by"] for name, row in rows.items() if row["dominated_by"]}
    assert dominated
    for name, by in dominated.items():
        assert all(theirs >= own for theirs, own in zip(rows[by]["goals"], rows[name]["goals"], strict=True))
    for row in (row for row in rows.values() if row["dominated_by"] is None):
        assert not any(other["goals"] != row["goals"] and min(
            theirs - own for theirs, own in zip(other["goals"], row["goals"], strict=True)) >= 0
            for other in rows.values())  # fmt: skip


def test_terminal_page_and_json_agree(swept: tuple[Done, dict[str, Any], str]) -> None:
    done, told, page = swept
    printed = " ".join(done.out.split())
    chosen = f"Chosen: {told['chosen']}, since {told['reason']}."
    assert chosen in printed
    assert chosen in page
    rows = {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in
            re.findall(r"<tr><td>(.*?)</td>(.*?)</tr>", page)}  # fmt: skip
    assert {row["name"] for row in told["rows"]} | {"single-task"} == set(rows)
    single = " ".join(f"{told['single'][task]:.4f}" for task in ("click", "cart", "purchase", "value"))
    assert f"single-task +0.00 % {single}" in printed
    assert f"+0.00 % {single}" == " ".join(cell for cell in rows["single-task"] if cell)
    for row in told["rows"]:
        cells = rows[row["name"]]
        assert cells[0] == f"{100 * row['delta_m']:+.2f} %"
        assert cells[-2:] == [f"{row['cost']:.2f}", row["dominated_by"] or "none: front"]
        if row["kind"] != "weighted" or row["name"] in (told["plain"], told["tuned"]):
            assert f"{row['name']} {cells[0]}" in printed
    assert page.count("<circle") == 21
    for control in ("A control that must fail: least squares on log(1 + value)", "A control of purchases"):
        assert control in printed
        assert control in page
