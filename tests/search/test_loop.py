"""The loop: promotes the best, tells what it foretells, stops as asked, and goes on exactly where it was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from math import nan
from pathlib import Path

import numpy as np
import pytest

from paretail.core.errors import UsageError
from paretail.search.journal import Journal
from paretail.search.loop import FEWEST_MINUTES, Loop, Plan, name_of
from paretail.search.trial import Job

from .made_up import SPACE, Lab, search


def test_each_round_is_screened_and_its_best_trained_in_full(tmp_path: Path) -> None:
    lab = Lab()
    found = search(tmp_path, lab)
    assert (found.stopped, len(found.trials), len(found.best)) == ("trials", 30, 30)
    assert [job.share for job in lab.done] == [1.0, *([0.25] * 6 + [1.0] * 2) * 5]
    for number in range(5):
        here = [one for one in found.trials if one.round == number]
        kept = [one.screened["ndcg"] for one in here if one.whole and one.screened]
        left = [one.screened["ndcg"] for one in here if not one.whole and one.screened]
        assert min(kept) >= max(left)
    assert found.best[-1] == max(one.whole["ndcg"] for one in found.whole if one.whole)
    assert [one.number for one in found.trials] == list(range(1, 31))


def test_of_several_goals_the_most_accurate_of_a_round_is_trained_in_full_and_first(tmp_path: Path) -> None:
    goals = ("accuracy", "latency", "memory")
    loop = Loop(SPACE, None, Lab(), Journal.open(tmp_path / "e", "x"), Plan(goals))  # type: ignore[arg-type]
    fast, light = {"ndcg": 0.1, "p99_ms": 1.0, "memory_mib": 9.0}, {"ndcg": 0.1, "p99_ms": 9.0, "memory_mib": 1.0}
    best, failed = {"ndcg": 0.3, "p99_ms": 5.0, "memory_mib": 5.0}, {"failed": "no luck"}
    assert loop._promoted([failed, fast, light, best, failed, {**best, "ndcg": 0.2}]) == [3, 1]
    assert loop._promoted([failed, {**best, "p99_ms": None}]) == []


def test_without_screening_all_that_is_trained_counts_and_nothing_is_trained_twice(tmp_path: Path) -> None:
    lab = Lab(worth=lambda job: nan if job.settings["dim"] == 32 else 0.5)
    found = search(tmp_path, lab, trials=12, screen=1.0)
    assert [job.share for job in lab.done] == [1.0] * 13
    assert len(found.whole) == sum(not one.failed for one in found.trials) > 4


def test_what_was_only_screened_is_told_as_it_would_have_ended(tmp_path: Path) -> None:
    told: dict[object, float] = {}

    class Spy:
        figures, alarms = {}, ()

        def __init__(self) -> None:
            self.asked = 0

        def ask(self, count: int) -> list[object]:
            self.asked += 1
            return list(SPACE.sample(np.random.default_rng(self.asked), count))

        def tell(self, architectures: list[object], scores: list[float]) -> None:
            told.update(zip(architectures, scores, strict=True))

    lab = Lab()
    found = Loop(SPACE, Spy(), lab, Journal.open(tmp_path / "e", "x"), Plan(trials=12)).run()  # type: ignore[arg-type]
    for one in found.trials:
        whole = lab.measured(Job("graph", SPACE.settings(one.architecture)))["ndcg"]
        assert told[one.architecture] == pytest.approx(whole)


def test_what_was_foretold_is_told_again_as_ratios_are_known_better(tmp_path: Path) -> None:
    told: list[dict[object, float]] = []

    class Spy:
        figures, alarms = {}, ()

        def ask(self, count: int) -> list[object]:
            return list(SPACE.sample(np.random.default_rng(len(told)), count))

        def tell(self, architectures: list[object], scores: list[float]) -> None:
            told.append(dict(zip(architectures, scores, strict=True)))

    class Learning(Lab):
        def measured(self, job: Job) -> dict[str, object]:
            found = super().measured(job)
            return found | {"ndcg": found["ndcg"] * (1 + len(self.done) / 100 if job.share == 1 else 1)}

    loop = Loop(SPACE, Spy(), Learning(), Journal.open(tmp_path / "e", "x"), Plan(trials=18))  # type: ignore[arg-type]
    found = loop.run()
    screened = [[one for one in found.trials if one.round <= number and not one.whole] for number in range(3)]
    assert [len(one) for one in told] == [6, 6 + len(screened[0]), 6 + len(screened[1])]
    ratio = np.median([one.whole["ndcg"] / one.screened["ndcg"] for one in found.whole if one.whole and one.screened])
    for one in screened[2]:
        assert one.screened
        assert told[2][one.architecture] == pytest.approx(ratio * one.screened["ndcg"])


def test_what_was_behind_in_screening_is_not_told_ahead_of_what_was_trained(tmp_path: Path) -> None:
    told: dict[object, float] = {}

    class Spy:
        figures, alarms = {}, ()

        def ask(self, count: int) -> list[object]:
            return list(SPACE.sample(np.random.default_rng(len(told)), count))

        def tell(self, architectures: list[object], scores: list[float]) -> None:
            told.update(zip(architectures, scores, strict=True))

    class Falling(Lab):
        def measured(self, job: Job) -> dict[str, object]:
            found = super().measured(job)  # later rounds gain less by training: the median ratio promises too much
            return found | {"ndcg": found["ndcg"] * (2 - len(self.done) / 20 if job.share == 1 else 1)}

    loop = Loop(SPACE, Spy(), Falling(), Journal.open(tmp_path / "e", "x"), Plan(trials=18))  # type: ignore[arg-type]
    found = loop.run()
    for number in range(3):
        here = [one for one in found.trials if one.round == number]
        worst = min(one.whole["ndcg"] for one in here if one.whole)
        assert all(told[one.architecture] <= worst for one in here if not one.whole)


def test_a_goal_that_nothing_is_measured_in_is_refused_before_any_trial(tmp_path: Path) -> None:
    lab = Lab()
    with pytest.raises(UsageError, match=r"--goals diversity: .*Categories of the items.*SRCH-23"):
        search(tmp_path, lab, goals=("accuracy", "diversity"))
    assert [job.share for job in lab.done] == [1.0]


def test_what_time_cut_short_is_trained_again_where_there_is_more(tmp_path: Path) -> None:
    class Hasty(Lab):
        def measured(self, job: Job) -> dict[str, object]:
            cut = job.minutes is not None and job.share == 1 and job.minutes < 5
            return super().measured(job) | ({"stopped": "minutes", "ndcg": 0.01} if cut else {})

    first = search(tmp_path, Hasty(), seconds=480.0, trials=12)
    assert all(one.whole["ndcg"] == 0.01 for one in first.whole if one.whole)
    lab = Hasty()
    assert search(tmp_path, lab, seconds=480.0, trials=12).trials == first.trials
    assert not lab.done
    more = search(tmp_path, lab, seconds=4800.0, trials=12)
    assert more.trials == search(tmp_path / "new", Hasty(), seconds=4800.0, trials=12).trials
    assert lab.done


def test_a_trial_that_fails_is_told_so_and_never_chosen(tmp_path: Path) -> None:
    found = search(tmp_path, Lab(worth=lambda job: nan if job.settings["loss"] == "bpr" else job.settings["dim"] / 128))
    failed = [one for one in found.trials if one.failed]
    assert failed
    assert all(one.settings["loss"] == "bpr" and one.whole is None for one in failed)
    assert len(found.whole) < len(found.trials)


def test_a_crash_is_tried_again_and_not_kept(tmp_path: Path) -> None:
    class Crashing(Lab):
        def measured(self, job: Job) -> dict[str, object]:
            return (
                {"failed": "its process ended with -9", "crashed": True}
                if len(self.done) < 5
                else super().measured(job)
            )

    first, lab = search(tmp_path, Crashing()), Lab()
    assert [one.failed for one in first.trials[:3]] == ["its process ended with -9"] * 3
    again = search(tmp_path, lab)
    assert lab.done
    assert not [one for one in again.trials if one.failed]


def test_a_search_ends_at_its_target_or_without_gain(tmp_path: Path) -> None:
    assert search(tmp_path / "a", Lab(worth=lambda job: 0.5), target=0.4).stopped == "target"
    found = search(tmp_path / "b", Lab(worth=lambda job: 0.5), patience=7)
    assert (found.stopped, len(found.trials)) == ("patience", 12)


def test_the_budget_counts_what_earlier_runs_took(tmp_path: Path) -> None:
    first = search(tmp_path, Lab(pause=0.02), seconds=0.5)
    assert first.stopped == "budget"
    assert 6 <= len(first.trials) < 30
    again = search(tmp_path, Lab(pause=0.02), seconds=0.5)
    assert (again.evaluated, len(again.trials)) == (0, len(first.trials))
    more = search(tmp_path, Lab(), seconds=100.0)
    assert len(more.trials) == 30
    assert [one.architecture for one in more.trials[: len(first.trials)]] == [one.architecture for one in first.trials]


def test_a_budget_for_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SRCH-16"):
        search(tmp_path, Lab(pause=0.05), seconds=0.01)


def test_a_budget_in_which_no_round_fits_is_told_after_the_baselines(tmp_path: Path) -> None:
    class Slow(Lab):
        def measured(self, job: Job) -> dict[str, object]:
            return super().measured(job) | {"seconds": 0.05}

    lab = Slow(pause=0.05)
    with pytest.raises(UsageError, match=r"the next round would take about 0 s.*SRCH-16"):
        search(tmp_path, lab, seconds=0.1)
    assert [job.minutes for job in lab.done] == [FEWEST_MINUTES]  # the baseline, and nothing after it


@pytest.mark.parametrize("goals", [("accuracy",), ("accuracy", "latency")])
def test_a_second_run_repeats_nothing_and_ends_alike(tmp_path: Path, goals: tuple[str, ...]) -> None:
    first, lab = search(tmp_path, Lab(), goals=goals), Lab()
    again = search(tmp_path, lab, goals=goals)
    assert not lab.done
    assert again.trials == first.trials


def test_killed_in_the_middle_nothing_is_repeated_and_the_end_is_the_same(tmp_path: Path) -> None:
    def start(folder: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.search.made_up", str(tmp_path / folder), "auto"]
        root = Path(__file__).parents[2]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root / "src")}
        )

    whole, killed = start("whole"), start("killed")
    path = tmp_path / "killed" / "evaluations.jsonl"
    for _ in range(1200):
        if path.exists() and path.read_bytes().count(b"\n") > 20:
            break
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    known = [json.loads(line)["key"] for line in path.read_bytes().split(b"\n")[1:-1] if b'"key"' in line]
    assert 10 < len(known) < 40
    expected = json.loads(whole.communicate()[0])
    resumed = json.loads(start("killed").communicate()[0])
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines() if '"key"' in line]
    assert len(keys) == len(set(keys))
    assert resumed["new"] == expected["new"] - len(known)
    assert (resumed["best"], resumed["trials"]) == (expected["best"], expected["trials"])


def test_an_architecture_is_named_by_what_people_ask_for() -> None:
    assert name_of(SPACE.settings((0,) * len(SPACE.fields))) == "lightgcn x 2, softmax, cosine, dim 64"
    assert name_of(SPACE.settings((1,) + (0,) * (len(SPACE.fields) - 1))).startswith("no graph, ")
