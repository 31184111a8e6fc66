"""A blend's score and its parts, of one pass over its signals."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.ids import Vocabulary
from paretail.data.held import Mode
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.models.blend import Blend, BlendConfig, Mix
from paretail.retrieve.parts import parts_of, scored

from .histories import WEIGHTS, random_history

MIX = Mix(theta={"own|times": 1.0, "co target|short": 0.5, "pop day|then": 0.2}, kappa=10.0)


@pytest.mark.parametrize("mode", ["none", "target", "all"])
@pytest.mark.parametrize("nobody", [None, Mix(theta={"pop target|anyone": 1.0})])
def test_one_pass_says_what_two_say(monkeypatch: pytest.MonkeyPatch, mode: Mode, nobody: Mix | None) -> None:
    log = random_history(np.random.default_rng(0), 12, 20, 15)
    users, items = (Vocabulary.of(pl.Series([f"{n:02d}" for n in range(count)])) for count in (12, 20))
    config = BlendConfig(kind_weights=WEIGHTS, modes={mode: MIX}, nobody=nobody)
    blend = Blend.fit(ShopGraph({"user": users, "item": items}, log, {}), config, 0)
    asked, signal = list[str](), Blend.signal

    def counted(self: Blend, name: str, *rest: Any) -> Any:
        asked.append(name)
        return signal(self, name, *rest)

    for history in (log, log.where(log.user_idx > 1)):  # all have a past; two are new
        scores, parts = blend.score(history, None, mode), parts_of(blend, history, mode)
        asked.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Blend, "signal", counted)
            found = scored(blend, history, mode)
        np.testing.assert_array_equal(found[0], scores)
        assert list(found[1]) == list(parts)
        for name, told in parts.items():
            np.testing.assert_array_equal(found[1][name], told)
        if nobody is None or history is log:
            assert asked == list(MIX.theta)
