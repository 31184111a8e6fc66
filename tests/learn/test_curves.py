"""Curves: a run as data and as a picture."""

import json
from xml.etree import ElementTree

import pytest

from paretail.learn.curves import Epoch, Run, svg

SVG = "{http://www.w3.org/2000/svg}"
EPOCHS = (
    Epoch(0, 0, None, 0.0, 0.1, 0.05),
    Epoch(1, 8, 2.0, 0.1, 1.0, 0.1, {"grad_norm": 1.0}),
    Epoch(2, 8, 1.0, 0.05, 1.0),
    Epoch(3, 8, 0.5, 0.01, 1.0, 0.3),
)
RUN = Run(EPOCHS, 3, 0.3, "epochs", 24, 3.1)


def _lines(picture: str) -> list[list[tuple[float, float]]]:
    drawn = ElementTree.fromstring(picture).iter(f"{SVG}polyline")
    return [[tuple(map(float, point.split(","))) for point in line.get("points", "").split()] for line in drawn]


def test_a_run_survives_json() -> None:
    assert Run.of_json(json.loads(json.dumps(RUN.to_json()))) == RUN


def test_the_picture_has_a_curve_each_for_loss_and_metric() -> None:
    picture = svg(RUN, "recall@20 <held out>")
    loss, metric = _lines(picture)
    assert len(loss) == len(metric) == 3
    assert loss[0][1] < loss[1][1] < loss[2][1]  # down the page: the loss falls
    assert metric[0][1] > metric[1][1] > metric[2][1]
    assert loss[2][1] - loss[1][1] == pytest.approx((loss[1][1] - loss[0][1]) / 2, abs=0.2)
    assert loss[0][0] == metric[1][0]  # epoch 1 in both
    assert loss[-1][0] == metric[-1][0]
    assert (
        "<title>Training: 3 epochs, stopped by epochs; best recall@20 &lt;held out&gt; 0.3 in epoch 3</title>"
        in picture
    )


def test_without_validation_there_is_one_panel() -> None:
    run = Run((Epoch(1, 4, 1.0, 0.1, 1.0), Epoch(2, 4, 1.0, 0.1, 1.0)), None, None, "minutes", 8, 2.0)
    assert len(_lines(svg(run))) == 1
    assert "Training: 2 epochs, stopped by minutes</title>" in svg(run)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 30, 300])
def test_any_number_of_epochs_can_be_drawn(count: int) -> None:
    epochs = tuple(Epoch(number, 1, 1.0 / number, 0.1, 0.1, float(number)) for number in range(1, count + 1))
    picture = ElementTree.fromstring(svg(Run(epochs, count or None, float(count), "epochs", count, 1.0)))
    named = [text.text for text in picture.iter(f"{SVG}text") if text.get("text-anchor") == "middle"]
    assert len(named) <= 2 * 9
    assert len(set(named)) == len(named) / (2 if count else 1)
    assert str(count) in named or not count
    for point in [p for line in _lines(svg(Run(epochs, None, None, "epochs", count, 1.0))) for p in line]:
        assert 0 <= point[0] <= 640
        assert 0 <= point[1] <= 440
