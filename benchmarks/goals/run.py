"""Slates for goals: what they truly bring, how far dials and budgets miss, against evolution, and what they cost.

    PARETAIL_WORLD=.../world.py PARETAIL_DATA=.../data python benchmarks/goals/run.py
        [slates dials retail front latency served forecasts released] [--seeds 1 2 3 4 5]

`slates`: init, train and `recommend --settings` as they come on planted shops, judged by `score_slates.py` beside
`world.py`, which knows what each slate truly brings and shares no code with us. `dials`: shares of the range and
budgets asked for on the training log and achieved on requests of the held-out days, by the model's own scores and, of
budgets, by the truth. `front`: 91 weightings of three goals against NSGA-II with 20 and 200 times as many slates.
`retail`: dials of Online Retail, trained on all days of its training events but the last 28, asked for on those.
`latency`: goals on 500 candidates, by themselves; `served`: what they add to an answer of the service. `forecasts`,
`released`: see visited.py, 60 settings in 20 shops, and the gate's verdicts on 8 settings a shop.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

from paretail.core.clock import DAY_MS  # noqa: E402
from paretail.data.types import History  # noqa: E402
from paretail.moo.hypervolume import hypervolume  # noqa: E402
from paretail.moo.scalarise import lattice  # noqa: E402
from paretail.pipeline.holdout import read_events  # noqa: E402
from paretail.pipeline.ranking import CANDIDATES  # noqa: E402
from paretail.pipeline.recommend import joined  # noqa: E402
from paretail.pipeline.recommender import Recommender  # noqa: E402
from paretail.pipeline.requests import SEGMENTS, Requests  # noqa: E402
from paretail.pipeline.steering import Steering  # noqa: E402
from paretail.policy.dials import Dials  # noqa: E402
from paretail.policy.exposure import Exposures  # noqa: E402
from paretail.policy.goals import parse  # noqa: E402
from paretail.policy.objectives import objective  # noqa: E402
from paretail.policy.pool import Pool, Wares  # noqa: E402
from paretail.policy.slate import compose  # noqa: E402

SIZE = {"users": 2000, "items": 600, "impressions": 1_000_000}
GOALS = ("clicks", "purchases", "revenue", "profit", "diversity")
SHARES = tuple(round(0.1 * step, 1) for step in range(11))
BUDGETS = (2, 5, 10)
#: Shops that are visited for forecasts.
VISITED = range(20)
K = 10
#: Requests of a segment of users on held-out days that are judged at most.
MOST_LATER = 1024


class Later(NamedTuple):
    """Requests of a segment on held-out days: dials measured on them, who asked, and when."""

    dials: Dials
    people: pl.Series
    moment_ms: NDArray[np.int64]


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--keep", type=Path, help="a folder of worlds and bundles by seed, to be used again")
    asked = parser.parse_args()
    world = Path(os.environ.get("PARETAIL_WORLD", ""))
    for part in asked.parts:
        if part in ("slates", "dials", "served") and not world.is_file():
            print(f"{part} skipped: PARETAIL_WORLD does not name the script that writes planted shops")
            continue
        seeds = list(VISITED) if part == "forecasts" else asked.seeds
        about = harness.circumstances() | {"seeds": seeds}
        with tempfile.TemporaryDirectory() as folder:
            rows = PARTS[part](world, seeds, asked.keep or Path(folder))
        if not rows:
            print(f"{part} skipped: PARETAIL_DATA does not hold online_retail")
            continue
        harness.record(HERE, part, about, rows)


def _slates(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        shop = _shop(world, seed, keep)
        (shop / "settings.txt").write_text("\n".join(f"{goal}={share:.2f}" for goal in GOALS for share in SHARES))
        used = harness.meter([*PARETAIL, "recommend", "--bundle", "bundle", "--settings", "settings.txt", "-k", str(K),
                              "--exclude", "none", "--out", "slates.parquet"], shop)  # fmt: skip
        told = _judged(world, shop)
        settings = {one["setting"]: one for one in told if "setting" in one}
        goals = {one["goal"]: one for one in told if "goal" in one}
        clicks = goals["clicks"]
        kept = (settings["diversity=1.00"]["clicks"] - clicks["random"]) / (clicks["highest"] - clicks["random"])
        rows.append({
            "world": f"seed {seed}", **{f"{goal} share": one["share"] for goal, one in goals.items()},
            "falls": sum(one["falls"] for one in goals.values()), "clicks kept at diversity 1": round(kept, 3),
            "out of stock": sum(one["out_of_stock"] for one in settings.values()), **used.cost(),
        })  # fmt: skip
    means = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0] if name != "world"}
    return [*rows, {"world": f"mean of {len(seeds)}", **means}]


PARETAIL = [sys.executable, "-m", "paretail"]


def _shop(world: Path, seed: int, keep: Path) -> Path:
    """Return the folder of a planted shop with a bundle trained by defaults; one that is there is used again."""
    shop = keep / f"seed-{seed}"
    if not (shop / "truth.json").exists():
        size = [word for name, value in SIZE.items() for word in (f"--{name}", str(value))]
        subprocess.run([sys.executable, world, shop, "--seed", str(seed), *size], check=True, capture_output=True)
    if not (shop / "bundle").exists():
        tables = [f"--{name}={name}.parquet" for name in ("events", "items", "users")]
        for command in (["init", *tables, "--out", "shop.toml"], ["train", "--config", "shop.toml", "--out", "bundle"]):
            subprocess.run([*PARETAIL, *command], cwd=shop, check=True, capture_output=True)
    return shop


def _judged(world: Path, shop: Path) -> list[dict[str, Any]]:
    judge = [sys.executable, str(world.parent / "score_slates.py"), "slates.parquet", "."]
    told = subprocess.run(judge, cwd=shop, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in told.splitlines()]


def _dials(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    """Return how far dials and budgets miss on requests of the held-out days, in points of the range or of today."""
    rows = []
    for seed in seeds:
        shop = _shop(world, seed, keep)
        recommender = Recommender.load(shop / "bundle")
        steering, later = recommender.steering, _later(recommender, shop / "holdout.parquet")
        whole = [_budget(world, shop, steering, later, percent) for percent in BUDGETS]
        missed, raw = _missed(steering, later, GOALS)
        rows.append({
            "world": f"seed {seed}", "dial miss, mean (points)": round(float(np.mean(missed)), 2),
            "dial miss, largest": round(max(missed), 2), "raw weight miss, mean": round(float(np.mean(raw)), 1),
            "budget miss, largest (points)": round(max(one for one, _ in whole), 2),
            "by the truth": round(max(true for _, true in whole), 2),
        })  # fmt: skip
    return rows


def _missed(steering: Steering, later: Mapping[str, Later], goals: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return by how many points of the range dials miss on later requests, and raw weights of the same shares."""
    missed, raw = [], []
    for segment in ("light", "heavy"):
        asked, there = steering.dials(segment, K), later[segment].dials
        for goal in goals:
            curve = there.curve(goal)
            for share in SHARES:
                achieved = curve.share(there.brought(asked.setting(parse(f"{goal}={share}")).weights, goal))
                missed.append(100 * abs(achieved - share))
                others = [name for name in steering.base if name != goal]
                parts = {name: (1 - share) / len(others) for name in others} | {goal: share}
                raw.append(100 * abs(curve.share(there.brought(asked.weights(parts), goal)) - share))
    return missed, raw


#: Goals that Online Retail has; it tells no categories, margins or clicks.
OF_RETAIL, DAYS = ("purchases", "revenue", "distance", "novelty", "coverage"), 28


def _retail(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    """Return how far dials miss on the last days of the training events; nothing where the set is not there."""
    data = Path(os.environ.get("PARETAIL_DATA", "")) / "online_retail"
    if not data.is_dir():
        return []
    shop = keep / "retail"
    if not (shop / "bundle").exists():
        _train_retail(data, shop)
    recommender = Recommender.load(shop / "bundle")
    steering, later = recommender.steering, _later(recommender, shop / "later.parquet")
    rows = {goal: {"goal": goal} for goal in OF_RETAIL if goal in steering.available}
    for when in ("", ", refitted"):
        later = _refitted(steering, later) if when else later
        for goal, row in rows.items():
            missed, raw = _missed(steering, later, [goal])
            row |= {f"mean{when}": round(float(np.mean(missed)), 2), f"largest{when}": round(max(missed), 2)}
            row |= {} if when else {"raw weight, mean": round(float(np.mean(raw)), 1)}
    told: dict[str, Any] = {"goal": "all"}
    for name in next(iter(rows.values())):
        if name != "goal":
            of_all = [row[name] for row in rows.values()]
            told[name] = max(of_all) if "largest" in name else round(float(np.mean(of_all)), 2)
    return [*rows.values(), told]


def _train_retail(data: Path, shop: Path) -> None:
    shop.mkdir(parents=True, exist_ok=True)
    events = pl.read_parquet(data / "events.parquet")
    is_later = events["ts"] >= int(events["ts"].max()) - DAYS * 86_400  # type: ignore[arg-type]  # seconds
    events.filter(~is_later).write_parquet(shop / "events.parquet")
    events.filter(is_later).write_parquet(shop / "later.parquet")
    tables = ["--events=events.parquet", *(f"--{name}={data / name}.parquet" for name in ("items", "users"))]
    init = ["init", *tables, "--kind", "buy=purchase", "--out", "shop.toml"]
    for command in (init, ["train", "--config", "shop.toml", "--out", "bundle", "--budget", "60s"]):
        subprocess.run([*PARETAIL, *command], cwd=shop, check=True, capture_output=True)


def _forecasts(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    """Return how often the intervals of forecasts hold what settings bring in the visited shop."""
    from visited import held

    return held(len(seeds), tuple(round(step / 11, 2) for step in range(12)))


def _released(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    """Return which settings the gate ships in visited shops, by what they are truly worth."""
    from visited import released

    return released(seeds)


def _budget(world: Path, shop: Path, steering: Steering, later: Mapping[str, Later],
            percent: int) -> tuple[float, float]:  # fmt: skip
    """Return by how many points of today's revenue a budget is missed over all requests: by the model, by the truth."""
    told, true = np.zeros(2), np.zeros(2)
    for segment in ("light", "heavy"):
        asked, (there, people, _) = steering.dials(segment, K), later[segment]
        both = asked.setting(parse(f"maximise=diversity,revenue>=-{percent}%")).weights, asked.today.weights
        told += [len(people) * there.brought(weights, "revenue") for weights in both]
        true += [len(people) * _truth(world, shop, there, people, weights) for weights in both]
    return tuple(abs(100 * (spent / today - 1) + percent) for spent, today in (told, true))  # type: ignore[return-value]


def _later(recommender: Recommender, holdout: Path) -> dict[str, Later]:
    """Return the newest requests of the held-out days, each as of its day."""
    events = read_events(holdout, recommender.manifest.config)
    users = events.frame["user_id"].unique().sort()
    history = joined(recommender.history_of(users), recommender.history_from(events, users))
    steering = Steering.of(recommender)
    asked = Requests.of_days(history, steering.median, MOST_LATER, np.random.default_rng(0))
    first = int(events.frame["ts_ms"].min()) - DAY_MS  # type: ignore[arg-type]  # times are there
    known, rows = asked.known(history), recommender.users.rows(users)[asked.user]
    lists = recommender.recommend(known, CANDIDATES, ["none"], allowed=recommender.in_stock)
    pool = steering.pool(known, rows, lists, asked.moment_ms)
    found = {}
    for number, name in enumerate(SEGMENTS):
        mine = np.flatnonzero((asked.segment == number) & (asked.moment_ms > first))
        dials = Dials(pool.rows(mine), steering.available, steering.base, K)
        found[name] = Later(dials, users.gather(pl.Series(asked.user[mine])), asked.moment_ms[mine])
    return found


def _refitted(steering: Steering, later: Mapping[str, Later]) -> dict[str, Later]:
    """Measure dials anew on the first half of later requests, as a service does; return the second half."""
    halves = {name: one.moment_ms < np.median(one.moment_ms) for name, one in later.items()}
    steering.refit({name: one.dials.sample.rows(np.flatnonzero(halves[name])) for name, one in later.items()})
    found = {}
    for name, (there, people, moment_ms) in later.items():
        rows = np.flatnonzero(~halves[name])
        dials = Dials(there.sample.rows(rows), there.goals, there.base, K)
        found[name] = Later(dials, people.gather(pl.Series(rows)), moment_ms[rows])
    return found


def _truth(world: Path, shop: Path, dials: Dials, people: pl.Series, weights: Mapping[str, float]) -> float:
    """Return the true revenue of slates, by the script that planted the shop."""
    sys.path.insert(0, str(world.parent))
    import world as planted  # type: ignore[import-not-found]  # the judge's own

    known = {**np.load(shop / "truth_users.npz"), **np.load(shop / "truth_items.npz")}
    names = Recommender.load(shop / "bundle").items
    places = compose(dials.sample, dials.goals, weights, K)
    items = names.names(dials.sample.items(places).ravel()).str.slice(1).cast(pl.Int64).to_numpy()
    users = np.repeat(people.str.slice(1).cast(pl.Int64).to_numpy(), K)
    click, purchase, value = planted.truth(known, users, items)
    seen = np.tile(planted.BIAS, len(people))
    return float((click * purchase * value * seen).sum() / len(people))


CANDS, THREE = 200, ("clicks", "revenue", "diversity")


def _front(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    """Return the volumes of 91 composed slates and of fronts evolved over slates, of one user's candidates a seed."""
    from paretail.moo.evolve import evolve

    goals = {name: objective(name) for name in THREE}
    weightings = lattice(3, 12)
    rows = []
    for seed in range(10):
        pool = _made(1, CANDS, seed)
        wide = {size: pool.rows(np.zeros(size, int)) for size in (1, len(weightings))}
        best = [float(goals[g].value(pool, compose(pool, goals, {g: 1.0}, K))[0]) for g in THREE]
        rng = np.random.default_rng(seed)
        chance = np.array([rng.permutation(CANDS)[:K] for _ in range(500)], np.int32)
        low = _values(pool, goals, chance).mean(0)
        span = np.array(best) - low
        weights = {g: weightings[:, n] / span[n] for n, g in enumerate(THREE)}
        ours = (_values(pool, goals, compose(wide[len(weightings)], goals, weights, K)) - low) / span
        row: dict[str, Any] = {"seed": seed, "volume of 91 settings": round(hypervolume(ours, np.zeros(3)), 4)}
        for ordered in (False, True):

            def worth(
                keys: np.ndarray[Any, Any], pool: Pool = pool, low: Any = low, span: Any = span, aid: bool = ordered
            ) -> Any:
                places = np.argsort(-keys, axis=1, kind="stable")[:, :K].astype(np.int32)
                return (_values(pool, goals, _seen_first(pool, places) if aid else places) - low) / span

            for times in (20, 200):
                found = evolve(worth, np.zeros(CANDS), np.ones(CANDS), 3, "nsga2", 100, times * len(weightings), seed)
                told = f"over NSGA-II, {times} times" + (", its slates ordered" if ordered else "")
                row[told] = round(row["volume of 91 settings"] / hypervolume(found.gains, np.zeros(3)), 3)
        rows.append(row)
    means = {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0] if name != "seed"}
    return [*rows, {"seed": "mean", **means}]


def _seen_first(pool: Pool, places: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return slates in their better order: what is clicked and paid for most goes first."""
    worth = pool.p_click[0] * (1 + pool.p_purchase[0] * pool.order_value[0] / pool.order_value[0].mean())
    order = np.argsort(-worth[places], axis=1, kind="stable")
    return np.take_along_axis(places, order, 1)


def _values(pool: Pool, goals: Any, places: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    many = pool.rows(np.zeros(len(places), int))
    return np.stack([goal.value(many, places) for goal in goals.values()], axis=1)


def _made(users: int, cands: int, seed: int) -> Pool:
    """Return candidates whose liking, price and category go together as in a shop: some categories suit a user."""
    rng = np.random.default_rng(seed)
    category = rng.integers(0, 20, cands).astype(np.int32)
    liking = rng.normal(size=(users, 20))[:, category] + 0.6 * rng.normal(size=(users, cands))
    price = np.exp(rng.normal(8, 0.7, cands))
    p_click, p_purchase = 1 / (1 + np.exp(2.6 - liking)), 1 / (1 + np.exp(1.9 - 0.7 * liking))
    wares = Wares(
        labels={"category": category}, parents=np.arange(cands, dtype=np.int32),
        margin=rng.uniform(0.1, 0.6, cands).astype(np.float32), kept=np.ones(cands, np.float32),
        seen_by=np.full(cands, 0.1, np.float32), created_ts_ms=np.zeros(cands, np.int64),
        vectors=np.zeros((cands, 4), np.float32),
    )  # fmt: skip
    item_idx = np.tile(np.arange(cands, dtype=np.int32), (users, 1))
    none = np.zeros(0)
    events = none.astype(np.int32), none.astype(np.uint8), none.astype(np.int64), none.astype(np.float32)
    nothing = History(np.zeros(users + 1, np.int64), *events, ("view",), "clock")
    value = np.tile(price, (users, 1)).astype(np.float32)
    attention = 1 / (1 + 0.35 * np.arange(cands))
    click, purchase = p_click.astype(np.float32), p_purchase.astype(np.float32)
    return Pool(item_idx, click, purchase, value, wares, attention, nothing, 0, Exposures.none(cands))


def _latency(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    """Return what composing a slate for goals costs, in process, one thread: run with OMP_NUM_THREADS=1."""
    goals = {name: objective(name) for name in GOALS}
    pool, rows = _made(1, 500, 0), []
    cases = {
        "clicks, revenue": {"clicks": 1.0, "revenue": 1e-4},
        "clicks, revenue, diversity": {"clicks": 1.0, "revenue": 1e-4, "diversity": 0.3},
        "five goals": {"clicks": 1.0, "purchases": 1.0, "revenue": 1e-4, "profit": 1e-4, "diversity": 0.3},
    }  # fmt: skip
    for name, weights in cases.items():
        took = []
        for _ in range(2000):
            started = time.perf_counter()
            compose(pool, goals, weights, K)
            took.append(1e3 * (time.perf_counter() - started))
        p50, p99 = np.percentile(took, [50, 99])
        rows.append({"goals": name, "p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)})
    return rows


def _served(world: Path, seeds: list[int], keep: Path) -> list[dict[str, Any]]:
    """One shop suffices."""
    run = [sys.executable, str(HERE / "served.py"), str(_shop(world, seeds[0], keep) / "bundle")]
    env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return list(json.loads(subprocess.run(run, env=env, check=True, capture_output=True, text=True).stdout))


PARTS = {"slates": _slates, "dials": _dials, "retail": _retail, "front": _front, "latency": _latency, "served": _served,
         "forecasts": _forecasts, "released": _released}  # fmt: skip

if __name__ == "__main__":
    main()
