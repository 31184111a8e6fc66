"""Trials on a small shop: what is measured, on which users, by workers that may die, alike at any number of them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import DataError
from paretail.data.types import EVENT_COLUMNS, Events, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.search import ground as module
from paretail.search.ground import Ground
from paretail.search.loop import Tried
from paretail.search.trial import Job, evaluate
from paretail.search.workers import Workers

pytest.importorskip("torch")
device = pytest.importorskip("paretail.learn.device")
QUESTION = Question("purchase", False, ("purchase", "view"), {})
SMALL = {"dim": 8, "epochs": 2, "negatives": 16, "weights": {"purchase": 1.0, "view": 0.3}}


def shop_of(users: int, seed: int = 0) -> Shop:
    """Two tastes: each user buys within one half of 40 items."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{user}", f"i{20 * (user % 2) + item}", kind, 86_400_000 * (1 + day))
        for user in range(users)
        for day, item in enumerate(rng.permutation(20)[:8]) for kind in ("view", "purchase")
    ]  # fmt: skip
    frame = pl.DataFrame(rows, ["user_id", "item_id", "kind", "ts_ms"], orient="row")
    rest = {name: pl.lit(None, dtype) for name, dtype in EVENT_COLUMNS.items() if name not in frame.columns}
    return Shop(Events(frame.with_columns(**rest).select(*EVENT_COLUMNS), "clock"))


def graph_of(users: int, seed: int = 0) -> ShopGraph:
    shop = shop_of(users, seed)
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.of(graph_of(120), QUESTION, 3)


@pytest.fixture(scope="module")
def folder(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "ground"
    ground.save(path)
    return path


def test_users_are_parted_and_a_ground_is_read_as_it_was_written(ground: Ground, folder: Path) -> None:
    assert (len(ground.told), len(ground.apart)) == (72, 48)
    assert not set(ground.told) & set(ground.apart)
    again = Ground.load(folder)
    assert again.fingerprint == ground.fingerprint
    assert again.question == ground.question
    assert (again.held.item_idx == ground.held.item_idx).all()
    assert set(ground.split.held.user_idx) == set(ground.told)


def test_models_choose_by_what_is_hidden_of_users_told_and_see_nothing_of_the_others(folder: Path) -> None:
    ground, whole = Ground.load(folder), np.diff(graph_of(120).history.indptr)
    shown, learned = (np.diff(one.history.indptr) for one in (ground.choosing[0], ground.graph))
    assert (shown[ground.told] == whole[ground.told]).all()
    assert (shown[ground.apart] == learned[ground.apart]).all()
    assert learned.sum() < shown.sum() < whole.sum()
    few = Ground.of(graph_of(40), QUESTION, 0)
    assert (np.diff(few.choosing[0].history.indptr) == 16).all()


@pytest.mark.parametrize("mode", ["none", "target", "all"])
def test_models_choose_for_what_lists_leave_out_in_validation(mode: Any) -> None:
    _, question = Ground.of(graph_of(40), QUESTION, 0, mode).choosing
    assert (question.mode, question.target, question.repeat) == (mode, "purchase", mode == "none")


def test_few_users_are_not_parted_and_none_is_an_error() -> None:
    few = Ground.of(graph_of(40), QUESTION, 0)
    assert few.apart is few.told
    with pytest.raises(DataError, match="SRCH-13"):
        Ground.of(graph_of(40).with_history(graph_of(40).history.where(np.zeros(640, bool))), QUESTION, 0)


def test_other_data_have_another_fingerprint(ground: Ground) -> None:
    assert Ground.of(graph_of(120), QUESTION, 3).fingerprint == ground.fingerprint
    assert Ground.of(graph_of(120, seed=1), QUESTION, 3).fingerprint != ground.fingerprint
    assert Ground.of(graph_of(120), QUESTION, 4).fingerprint != ground.fingerprint
    assert Ground.of(graph_of(120), QUESTION, 3, "all").fingerprint != ground.fingerprint


@pytest.mark.parametrize("part", ["held", "learned", "told"])
def test_another_split_of_the_same_data_has_another_fingerprint(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, honest = graph_of(20), module.held_out
    monkeypatch.setattr(module, "FEWEST_TO_PART", 1)
    was = Ground.of(graph, QUESTION, 3)

    def moved(*asked: Any) -> Any:
        split = honest(*asked)
        if part == "told":  # who is shown to the search is drawn next
            asked[-1].random()
        items, train = split.held.item_idx, split.train
        kept = np.arange(len(train.item_idx)) > 0 if part == "learned" else np.ones(len(train.item_idx), bool)
        held = replace(split.held, item_idx=items[::-1] if part == "held" else items)
        return replace(split, held=held, train=train.where(kept))

    monkeypatch.setattr(module, "held_out", moved)
    now = Ground.of(graph, QUESTION, 3)
    assert ((now.told == was.told).all(), len(now.told)) == (part != "told", len(was.told))
    assert now.fingerprint != was.fingerprint


def test_a_whole_training_tells_of_every_user_and_of_costs(ground: Ground) -> None:
    found = evaluate(ground, Job("graph", SMALL))
    assert len(found["told"]) == 72
    assert len(found["apart"]) == 48
    assert found["ndcg"] == pytest.approx(np.mean(found["told"]), abs=1e-5)
    assert found["ndcg"] == pytest.approx(max(found["curve"]), abs=1e-9)
    assert found["curve"][found["epochs"] - 1] == max(found["curve"])
    assert 0 < found["p50_ms"] <= found["p99_ms"] < 1000
    assert 0 < found["memory_mib"] < 1
    assert 0 < found["cold_recall"] <= 1
    assert 0.5 < found["coverage"] <= 1
    assert json.loads(json.dumps(found)) == found


def test_a_fit_that_ends_at_the_best_epoch_goes_as_the_whole_training_did(ground: Ground) -> None:
    found = evaluate(ground, Job("graph", SMALL | {"epochs": 4}))
    best = Tried(1, 0, None, SMALL | {"epochs": 4}, None, found | {"epochs": 2}).fitted
    assert (best["epochs"], best["lr_epochs"]) == (2, 4)
    assert evaluate(ground, Job("graph", best))["curve"] == found["curve"][:2]
    assert evaluate(ground, Job("graph", best | {"lr_epochs": None}))["curve"] != found["curve"][:2]


def test_screening_trains_less_and_tells_no_single_user(ground: Ground) -> None:
    found = evaluate(ground, Job("graph", SMALL | {"epochs": 4}, share=0.25))
    assert len(found["curve"]) == 1
    assert "told" not in found


def test_baselines_choose_their_settings_or_are_told_them(ground: Ground) -> None:
    found = evaluate(ground, Job("popular"))
    assert found["ndcg"] > 0
    tuned = evaluate(ground, Job("knn", seconds=0.5))
    assert tuned["ndcg"] > found["ndcg"]
    assert evaluate(ground, Job("knn", tuned["settings"]))["ndcg"] == tuned["ndcg"]


@pytest.mark.parametrize("settings", [{"dim": -1}, {"ids": False, "start": "random", "attributes": True}])
def test_a_model_that_fails_says_why(ground: Ground, settings: dict[str, Any]) -> None:
    found = evaluate(ground, Job("graph", SMALL | settings))
    assert set(found) == {"failed", "seconds", "cpu_seconds"}
    assert found["failed"]


def test_a_key_tells_all_that_matters_and_no_limit_of_time() -> None:
    assert Job("graph", {"a": 1, "b": 2}).key == Job("graph", {"b": 2, "a": 1}, minutes=3.0).key
    assert Job("knn", seconds=1.0).key != Job("knn", seconds=2.0).key
    assert len({Job("graph").key, Job("graph", seed=1).key, Job("graph", share=0.5).key, Job("knn").key}) == 4


def test_results_of_workers_come_in_order_and_are_those_of_one_process(folder: Path, ground: Ground) -> None:
    jobs = [Job("graph", SMALL | {"lr": lr}) for lr in (1e-3, 1e-2)] + [Job("popular")]
    ended: list[str] = []
    with Workers(folder, 2) as workers:
        side_by_side = workers.run(jobs, lambda job, one: ended.append(job.key))
    with device.threads(1):
        alone = [evaluate(ground, job) for job in jobs]
    found = [side_by_side, alone]
    same = ("ndcg", "told", "apart", "coverage", "epochs", "curve", "memory_mib")
    assert [{key: one.get(key) for key in same} for one in found[0]] == [
        {key: one.get(key) for key in same} for one in found[1]
    ]
    assert sorted(ended) == sorted(job.key for job in jobs)
    assert len({one["ndcg"] for one in found[0]}) == 3


def test_a_worker_that_dies_fails_its_trial_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os, sys\nfrom paretail.retrieve.models.popular import Popular\nclass Deadly(Popular):\n"
        "    @classmethod\n    def fit(cls, graph, config, seed):\n"
        "        print('out of luck', file=sys.stderr, flush=True)\n        os._exit(9)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with Workers(folder, 1) as workers:
        dead, alive = workers.run([Job("deadly:Deadly"), Job("popular")], lambda job, one: None)
    assert dead["crashed"]
    assert dead["failed"].startswith("its process ended with 9: ")
    assert dead["failed"].endswith("out of luck")
    assert alive["ndcg"] > 0


@pytest.mark.slow
def test_killed_with_a_worker_at_work_it_goes_on_and_leaves_no_process(folder: Path, tmp_path: Path) -> None:
    from .real_search import search

    root, path = Path(__file__).parents[2], tmp_path / "evaluations.jsonl"
    command = [sys.executable, "-m", "tests.search.real_search", str(folder), str(tmp_path)]
    killed = subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root / "src")})
    while killed.poll() is None and not (path.exists() and path.read_text().count('"key"') > 1):
        sleep(0.01)
    workers = _children(killed.pid)
    killed.kill()
    assert killed.wait() < 0
    known = [json.loads(line)["key"] for line in path.read_text().splitlines() if '"key"' in line]
    again = search(folder, tmp_path)
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines() if '"key"' in line]
    assert len(known) >= 2
    assert keys[: len(known)] == known
    assert len(keys) == len(set(keys)) == len(known) + again.evaluated == 6  # four screened, two of them in full
    assert len(again.whole) == 2
    assert len(workers) == 1
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]  # its standard input ended


def _children(parent: int) -> list[int]:
    return [int(stat.split(" ", 1)[0]) for stat in (path.read_text() for path in Path("/proc").glob("[0-9]*/stat"))
            if stat.rpartition(")")[2].split()[1] == str(parent)]  # fmt: skip


def test_an_interrupted_trial_is_no_result(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless.py").write_text(
        "import time\nfrom paretail.retrieve.models.popular import Popular\nclass Endless(Popular):\n"
        "    @classmethod\n    def fit(cls, graph, config, seed):\n        time.sleep(600)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    kept: list[Job] = []

    def interrupted(job: Job, found: dict[str, Any]) -> None:
        kept.append(job)
        raise KeyboardInterrupt

    began = monotonic()
    with Workers(folder, 2) as workers, pytest.raises(KeyboardInterrupt):
        workers.run([Job("popular"), Job("endless:Endless")], interrupted)
    assert kept == [Job("popular")]
    assert monotonic() - began < 300
