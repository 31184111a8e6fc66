"""Graph networks as models: choosing settings, and serving without torch."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from paretail.core.progress import silent
from paretail.retrieve.base import Question, reads_traits
from paretail.retrieve.choose import choose
from paretail.retrieve.models import model
from paretail.retrieve.net.choosing import _Search
from paretail.retrieve.spec import GraphModelSpec

from ..net.worlds import graph

QUESTION = Question("purchase", False, ("purchase",))


def test_choosing_finds_the_epochs_and_keeps_what_is_given() -> None:
    given = {"dim": 8, "batch_size": 100, "lr": 0.03, "temperature": 0.2}
    choice = choose(model("lightgcn"), graph(), QUESTION, given, 0, 0.001, silent)
    assert isinstance(choice.config, GraphModelSpec)
    assert {name: getattr(choice.config, name) for name in given} == given
    assert 1 <= choice.config.epochs <= 8
    assert choice.metrics["target"]["tried"] == 1
    assert "NDCG@20" in choice.figure
    longer = choose(model("lightgcn"), graph(), QUESTION, {**given, "epochs": 2}, 0, 30.0, silent)
    assert longer.config.model_dump()["epochs"] == 2
    assert longer.metrics["target"]["tried"] > 1


def test_choosing_lifts_biases_where_lists_gain_and_never_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"dim": 8, "batch_size": 100, "lr": 0.03, "epochs": 1}
    liked = {0.0: 0.1, 0.2: 0.3, 0.4: 0.5, 0.6: 0.4}
    monkeypatch.setattr(_Search, "_ndcg", lambda search, network: np.full(9, liked[network.spec.bias_lift]))
    lifts = [
        choose(model("lightgcn"), graph(), QUESTION, given | more, 0, 0.001, silent).config.bias_lift
        for more in ({}, {"bias_lift": 0.0}, {"bias": False})
    ]
    assert lifts == [0.4, 0.0, 0.0]


def test_a_bundle_of_sums_is_read_and_asked_without_torch(tmp_path: Path) -> None:
    fitted = model("lightgcn").fit(graph(), GraphModelSpec(dim=8, epochs=1), 0)
    np.savez(tmp_path / "arrays.npz", **fitted.arrays())
    asked = (
        "import sys, numpy as np\n"
        "from paretail.retrieve.models import model\n"
        "from paretail.data.types import History\n"
        "arrays = dict(np.load(sys.argv[1]))\n"
        "one = History(np.array([0, 1]), np.array([3], np.int32), np.zeros(1, np.uint8), np.zeros(1, np.int64),\n"
        "              np.ones(1, np.float32), ('purchase',), 'none')\n"
        "lightgcn = model('lightgcn')\n"
        "scores = lightgcn.from_arrays(arrays, lightgcn.config_type(dim=8, epochs=1)).score(one)\n"
        "print(scores.shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked, str(tmp_path / "arrays.npz")], capture_output=True, text=True)
    assert done.stdout == "(1, 40) False\n", done.stderr


SMALL: dict[str, Any] = {"dim": 8, "epochs": 1}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lightgcn", SMALL),
        ("lightgcn", {**SMALL, "attributes": True}),
        ("gcn", SMALL),
        ("hetero", SMALL),
        ("content", {"dim": 8}),
        ("hybrid", {"members": {"popular": {}, "knn": {}}}),
        ("hybrid", {"members": {"popular": {}, "content": {"dim": 8}}}),
    ],
    ids=str,
)
def test_a_model_says_that_it_reads_traits_where_scores_follow_from_them(name: str, settings: dict[str, Any]) -> None:
    """Or somebody known by a profile alone would be told that their list is the popular one."""
    kind = model(name)
    fitted = kind.fit(graph(), kind.config_type.parse(settings), 0)
    alone = replace(graph().history, about={})
    follows = not np.allclose(fitted.score(graph().history), fitted.score(alone))
    assert reads_traits(fitted) == follows
