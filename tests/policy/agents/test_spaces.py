"""What agents do not read is said, not guessed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

pytest.importorskip("torch")

from paretail.policy.agents import AgentError, SlatePPO

BOX = spaces.Box(0, 1, (2,))


@pytest.mark.parametrize("seen", [-1, 5, 7])
def test_a_category_that_the_space_has_not_is_refused(seen: int) -> None:
    agent = SlatePPO(spaces.Discrete(5), np.eye(4), 1)
    assert agent.act(4) in range(4)
    with pytest.raises(AgentError, match=f"holds {seen}(.|\\n)*AGENT-03"):
        agent.act(seen)


def test_an_observation_without_a_number_is_told_once() -> None:
    with pytest.raises(AgentError, match="the observation is one that holds nan"):
        SlatePPO(BOX, np.eye(4), 1).act(np.array([np.nan, 0]))


def test_vectors_of_words_are_refused() -> None:
    words: Any = np.array([["a", "b"]])
    with pytest.raises(AgentError, match="AGENT-07"):
        SlatePPO(BOX, words, 1)


@pytest.mark.parametrize("part", ["config", "space", "slots"])
def test_a_manifest_that_lacks_a_part_is_refused(part: str, tmp_path: Path) -> None:
    file = SlatePPO(BOX, np.eye(4), 1, {"dim": 8}).save(tmp_path / "agent") / "manifest.json"
    told = json.loads(file.read_text())
    del told[part]
    file.write_text(json.dumps(told))
    with pytest.raises(AgentError, match=f"lacks .{part}"):
        SlatePPO.load(tmp_path / "agent")
