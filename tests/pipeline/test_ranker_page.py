"""The page of a ranker says what its report says: plots, segments, revenue, relations; names are escaped."""

import re
from typing import Any

import pytest

from paretail.pipeline.ranker_page import page, plot

pytest.importorskip("torch")  # its curves come with the extra `learn`

TOLD: dict[str, Any] = {"predicted": [0.1, 0.3], "actual": [0.2, 0.3], "error": 0.05, "ratio": 0.8}
FACTS: dict[str, Any] = {
    "tasks": ["click", "value"],
    "config": {"sharing": "bottom", "balance": "weighted", "calibration": "isotonic", "calibration_by": "price",
               "relation": 2.5},
    "report": {
        "examples": 1000, "positives": {"click": 100, "value": 30}, "remarks": ["the task `cart` is left out"],
        "reliability": {"click": TOLD}, "calibrated": {"click": TOLD | {"error": 0.0123}},
        "segments": [
            {"task": "click", "by": "category", "segment": name, "rows": rows, "predicted": 0.3, "actual": actual,
             "se": se}
            for name, rows, actual, se in (("<a>", 50, 0.2, 0.01), ("b", 5, 0.2, 0.2), ("c", 1, 0.0, 0.2))
        ],
        "values": {"paid": 5000.0, "predicted": 4000.0, "se": 100.0, "segments": [
            {"by": "user", "segment": "new", "rows": 7, "purchases": 2, "predicted": 100.0, "paid": 0.0, "se": 0.0},
        ]},
        "relations": [[1.0, 0.0], [0.0, 0.0]], "covariance": [[0.64, -0.216], [-0.216, 0.36]],
        "control": 0.213,
        "curves": {"epochs": [{"epoch": 1, "steps": 1, "loss": 0.5, "lr": 0.1, "seconds": 1.0}], "best_epoch": None,
                   "best_metric": None, "stopped": "epochs", "steps": 1, "seconds": 1.0},
    },
}  # fmt: skip


def test_it_says_what_the_report_says() -> None:
    told = page("v1", FACTS, "EUR")
    rows = dict(re.findall(r"<tr><td>(.*?)</td>(.*?)</tr>", told))
    assert "0.0123" in rows["click"] or "0.0123" in told
    assert rows["&lt;a&gt;"] == '<td><span class="off">1.500</span> (50)</td>'
    assert rows["b"] == "<td>1.500 (5)</td>"  # so few may be off by chance
    assert rows["c"] == "<td>none happened (1)</td>"
    assert rows["all"].endswith('<td>40.00</td><td>50.00</td><td><span class="off">0.800</span></td>')
    assert rows["new"].endswith("<td>7</td><td>2</td><td>1.00</td><td>0.00</td><td>nothing paid</td>")
    assert "the task <code>cart</code> is left out" in told
    assert told.count("<svg") == 2
    assert "isotonic, by price" in told
    assert "over clicks, zeros included, would have found 21 % of it" in told


def test_the_covariance_of_tasks_is_a_matrix_with_its_numbers() -> None:
    told = page("v1", FACTS, "EUR").split("Covariance of tasks")[1]
    assert "learned with them, at strength 2.5" in told
    assert told.count("<th>click</th><th>value</th>") == 1
    cells = {name: re.findall(r">([-\d.]+)</td>", row) for name, row in
             re.findall(r"<tr><td>(click|value)</td>(.*?)</tr>", told)}  # fmt: skip
    assert cells == {"click": ["0.640", "-0.216"], "value": ["-0.216", "0.360"]}
    assert told.count('rgba(217,95,2,0.27)" title="correlation -0.45"') == 2
    free = page("v1", FACTS | {"config": FACTS["config"] | {"relation": 0.0}}, "EUR")
    assert "It held nothing: [rank] relation" in free


def test_segments_with_enough_positives_have_plots_of_their_own() -> None:
    curves = {"before": TOLD, "after": TOLD | {"error": 0.004}}
    rows = [row | (curves if row["segment"] == "<a>" else {}) for row in FACTS["report"]["segments"]]
    told = page("v1", FACTS | {"report": FACTS["report"] | {"segments": rows}}, "EUR")
    (fold,) = re.findall(r"<details open><summary>category</summary>(.*?)</details>", told)
    assert re.findall(r"<figcaption>(.*?)</figcaption>", fold) == ["&lt;a&gt;"]
    assert "off by 0.0500 before calibration, 0.0040 after" in fold
    assert "<details" not in page("v1", FACTS, "EUR")


def test_without_money_there_is_no_revenue() -> None:
    report = {name: value for name, value in FACTS["report"].items() if name != "values"}
    assert "Revenue" not in page("v1", FACTS | {"report": report}, "EUR")


def test_points_stand_where_they_belong() -> None:
    points = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', plot(TOLD, TOLD))
    assert len(points) == 4
    (x, y), (_, higher) = (tuple(map(float, point)) for point in points[:2])
    assert y > higher
    assert x == pytest.approx(52 + 240 * 0.1 / (0.3 * 1.05), abs=0.1)
