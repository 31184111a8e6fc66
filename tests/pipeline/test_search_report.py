"""What a search tells of its choice, and of the way from the version that it publishes to a live service."""

import json
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from paretail.pipeline.search_page import page
from paretail.pipeline.search_report import Judged, Searched, as_text
from paretail.search.importance import Effect
from paretail.search.loop import Found, Tried
from paretail.search.picking import ahead, picked

from ..search.made_up import SPACE

USERS = np.linspace(0, 1, 200)


def measured(shift: float, **more: Any) -> dict[str, Any]:
    users = (USERS + shift + 0.1 * np.tile([1, -1], 100)).tolist()
    return {"ndcg": 0.5 + shift, "error": 0.02, "told": users, "apart": users, "p99_ms": 2.0, "memory_mib": 1.0,
            "seconds": 3.0, "epochs": 5, **more}  # fmt: skip


def trials() -> list[Tried]:
    points = SPACE.sample(np.random.default_rng(0), 3)
    made = [Tried(n, 0, point, SPACE.settings(point), measured(-0.1), None) for n, point in enumerate(points, 1)]
    return [
        replace(made[0], whole=measured(0.02)),
        made[1],
        replace(made[2], screened={"failed": "<no> luck", "seconds": 1.0}),
    ]


def searched(current: dict[str, Any] | None = None, goals: tuple[str, ...] = ("accuracy",)) -> Searched:
    made = trials()
    lightgcn = Tried(0, -1, None, made[0].settings, None, measured(0.0), "lightgcn")
    beside = [lightgcn] + ([] if current is None else [Tried(0, -1, None, {}, None, current, "current")])
    choice = picked(made, goals)
    rivals = [Judged(choice.chosen, None)]
    for one in beside:
        failed = one.whole is None or "failed" in one.whole
        rivals.append(Judged(one, None if failed else ahead(choice.chosen, one, "apart")))
    found = Found(made, [0.52, 0.52, 0.52], [{}], ["the share of new ones fell"], "trials", 61.0, 5)
    effects = (("dim", Effect(0.25, (0.1, 0.2, 0.3)), ("64", "32", "128")),)
    return Searched("auto", goals, 7, "target", "purchase", 200, 200, SPACE.size, found, choice, tuple(rivals), effects)


def test_a_version_goes_live_where_there_was_none_and_is_a_candidate_elsewhere() -> None:
    first = searched()
    assert (first.standing, first.steps) == ("It is the current version: there was none", ())
    candidate = replace(searched(measured(-0.05)), live=Path("my bundle"), bundle=Path("search/candidate"))
    assert candidate.standing == "It is a candidate: what my bundle serves did not change"
    assert candidate.steps[1] == "paretail bundles adopt search/candidate 'my bundle'"
    assert escape(candidate.steps[0]) in page(candidate)


def test_remarks_tell_the_choice_and_the_distance_from_each_rival() -> None:
    first, second = list(searched().remarks)
    assert first.startswith("Chosen: #1 (")
    assert "NDCG@20 0.5200 ± 0.0200 (200 users); 3 architectures tried, 1 trained in full" in first
    assert second == "Ahead of lightgcn by 0.0200 ± 0.0000, on 200 users that no choice was made by"
    assert list(searched(measured(-0.05)).remarks)[-1] == "Ahead of current by 0.0700 ± 0.0000, on 200 users"


def test_a_preset_that_nothing_beats_is_told_as_such() -> None:
    found = searched()
    preset = found.rivals[1].tried
    told = list(replace(found, picked=replace(found.picked, chosen=preset, front=(preset,))).remarks)
    assert told[1] == "No architecture that was tried is better than the preset lightgcn"


def test_a_rival_that_is_better_is_told_with_what_to_do() -> None:
    assert searched(measured(-0.05)).better is None
    better = searched(measured(0.05))
    assert list(better.remarks)[1].startswith("Better than what the search found is current, by more than one standard")
    assert list(better.remarks)[1].endswith(" error, on 200 users: leave it as it is")
    blend = replace(better.rivals[2], tried=replace(better.rivals[2].tried, called="blend"))
    assert '[model] name = "blend" in shop.toml, and paretail train' in (replace(better, rivals=(blend,)).better or "")


def test_json_has_no_single_users() -> None:
    told = json.loads(as_text(searched(measured(-0.05))))
    assert "told" not in json.dumps(told["rivals"])
    assert (told["current"], told["chosen"]["trained"]["ndcg"], told["front"]) == (True, 0.52, ["#1"])
    assert told["matters"][0] == {"field": "dim", "share": 0.25, "options": {"64": 0.1, "32": 0.2, "128": 0.3}}


@pytest.mark.parametrize("goals", [("accuracy",), ("accuracy", "latency")])
def test_the_page_is_well_formed_and_escapes(goals: tuple[str, ...]) -> None:
    text = page(searched({"failed": "a < b"}, goals))
    assert "&lt;no&gt; luck" in text
    assert "a &lt; b" in text
    assert ("The front" in text) == (len(goals) > 1)
    assert "the share of new ones fell" in text
    for part in text.split("<svg")[1:]:
        ElementTree.fromstring(f"<svg{part.split('</svg>')[0]}</svg>")
