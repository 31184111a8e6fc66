"""Off-policy estimators against exact truth, how often their intervals hold it, and what a real log can tell.

    PARETAIL_DATA=... python benchmarks/offpolicy/run.py [PART ...]

- `accuracy`: mean relative error on `logistic` (10 seeds) and `digits` (20 seeds) of problems.py.
- `coverage`: the share of 200 other seeds whose 95 % interval holds the truth.
- `open_bandit`: the small sample of the Open Bandit Dataset from its policy `bts` to `random`, and from `random` to one
  that follows the clicks of each item; what the guards say of it.
- `slates`: 60 settings of dials in the shop of slate_shop.py, 20 seeds each; the share of the intervals that hold the
  truth, where no guard refuses.
- `release`: 400 bad and 400 good settings of releases.py before the gate, by the rows of their logs.
- `experiments`: as many experiments of 100,000 users, looked at 40 times.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
import releases  # noqa: E402
import slate_shop  # noqa: E402
from problems import PROBLEMS  # noqa: E402  # and its problems beside it
from scipy.special import betaincinv  # noqa: E402

from paretail.core.rng import rng_for  # noqa: E402
from paretail.evaluate.offpolicy.bounds import bernstein, bootstrap, t  # noqa: E402
from paretail.evaluate.offpolicy.estimate import estimate, judged  # noqa: E402
from paretail.evaluate.offpolicy.estimators import ESTIMATORS  # noqa: E402
from paretail.evaluate.offpolicy.guards import looked_at  # noqa: E402
from paretail.evaluate.offpolicy.logged import Logged  # noqa: E402
from paretail.evaluate.offpolicy.terms import Terms  # noqa: E402
from paretail.evaluate.release import gate  # noqa: E402

SEEDS, COVERED, RESAMPLES = {"logistic": 10, "digits": 20}, 200, 400
SLATES, SLATE_SEEDS = 10_000, 20
SETTINGS, LOGS, USERS, LOOKS = 400, (1000, 5000), 100_000, 40
Row = dict[str, Any]


def accuracy() -> list[Row]:
    """Return the mean relative error of each estimator."""
    rows = []
    for name, seeds in SEEDS.items():
        problem = PROBLEMS[name]()
        logs = [problem.log(rng_for("benchmarks/offpolicy/accuracy", seed)) for seed in range(seeds)]
        for estimator, build in ESTIMATORS.items():
            off = np.array([build(log).value for log in logs]) / problem.truth - 1
            error = f"{np.abs(off).mean():.2%} ± {np.abs(off).std() / seeds**0.5:.2%}"
            told = {"relative error": error, "bias": f"{off.mean():+.2%}"}
            rows.append({"problem": name, "seeds": seeds, "estimator": estimator, **told})
    return rows


def coverage() -> list[Row]:
    """Return how many of the intervals of each kind hold the truth, in percent."""
    rows = []
    for name in PROBLEMS:
        problem = PROBLEMS[name]()
        held: dict[str, list[list[bool]]] = {estimator: [] for estimator in ESTIMATORS}
        for seed in range(COVERED):
            log = problem.log(rng_for("benchmarks/offpolicy/coverage", seed))
            for estimator in ESTIMATORS:
                held[estimator].append(_held(log, estimator, problem.truth, seed))
        for estimator, found in held.items():
            shares = 100 * np.array(found, dtype=float).mean(axis=0)
            told = dict(zip(("t", "bootstrap", "bernstein"), map(float, shares), strict=False))
            rows.append({"problem": name, "seeds": COVERED, "estimator": estimator, **told})
    return rows


def _held(log: Logged, estimator: str, truth: float, seed: int) -> list[bool]:
    terms = ESTIMATORS[estimator](log)
    ends = [t(terms), bootstrap(terms, rng_for("benchmarks/offpolicy/bootstrap", seed), resamples=RESAMPLES)]
    return [low <= truth <= high for low, high in [*ends, *([bernstein(terms)] if terms.linear else [])]]


def open_bandit() -> list[Row]:
    """Return each estimate, or what refuses it."""
    folder = Path(os.environ.get("PARETAIL_DATA", "")) / "obd"
    if not folder.is_dir():
        print("open_bandit: PARETAIL_DATA does not hold obd")
        return []
    rows = []
    for shop in ("men", "women"):
        for source, goal in (("random", "clicked"), ("bts", "random")):
            log = _bandit(folder, shop, source)
            about = {"shop": shop, "policies": f"{source} -> {goal}"}
            rows += [about | _told(log, estimator) for estimator in ESTIMATORS]
    return rows


def _told(log: Logged, estimator: str) -> Row:
    found = estimate(log, estimator)
    seen = found.weights
    told: Row = {"estimator": estimator, "value": "refused", "interval": ", ".join(p.code for p in found.refused)}
    if not found.refused:
        told |= {"value": f"{found.value:.5f}", "interval": f"{found.low:.5f} to {found.high:.5f}"}
    return told | (
        {"effective size": round(seen.effective_sample_size), "largest": round(seen.largest, 1)} if seen else {}
    )


def _bandit(folder: Path, shop: str, source: str) -> Logged:
    """Return the log with smoothed click rates of the items of the other policy's log as predictions."""
    frame = pl.read_parquet(folder / f"{source}_{shop}.parquet")
    other = pl.read_parquet(folder / f"{'bts' if source == 'random' else 'random'}_{shop}.parquet")
    items = pl.read_parquet(folder / f"items_{shop}.parquet").height
    shown = np.bincount(other["item_id"].to_numpy(), minlength=items)
    clicks = np.bincount(other["item_id"].to_numpy(), other["click"].to_numpy(), items)
    rate = (clicks + 1) / (shown + 200)
    policy = rate / rate.sum() if source == "random" else np.full(items, 1 / items)
    item = frame["item_id"].to_numpy()
    flat = np.full(len(item), float(policy @ rate))
    click = frame["click"].to_numpy().astype(float)
    return Logged(click, frame["propensity_score"].to_numpy(), policy[item], rate[item], flat)


def slates() -> list[Row]:
    """Return how good each estimator of slates is over all settings and seeds, for each kind of client."""
    return [row for client in ("positions", "cascade") for row in _slates(client)]


def _slates(client: str) -> list[Row]:
    shop = slate_shop.SlateShop(client)
    asked = [shop.policy(dials) for dials in shop.settings]
    pseudo, truths = [shop.pseudo_weights(policy) for policy in asked], [shop.truth(policy) for policy in asked]
    found: dict[str, list[tuple[float, bool, float]]] = {}
    for seed in range(SLATE_SEEDS):
        log = shop.log(SLATES, rng_for(f"benchmarks/offpolicy/slates/{client}", seed))
        for policy, weights, truth in zip(asked, pseudo, truths, strict=True):
            for name, (terms, w) in slate_shop.estimates(log, shop.incumbent, policy, weights).items():
                told = judged(terms, looked_at(w))
                found.setdefault(name, []).append(
                    (told.value / truth - 1, told.low <= truth <= told.high, told.high - told.low)
                )
    return [
        {"client": client, "estimator": name, **_pooled(np.array(rows, dtype=float))} for name, rows in found.items()
    ]


def _pooled(rows: Any) -> Row:
    """Return the figures of estimates, each a relative error, whether its interval held, and its width."""
    kept = rows[~np.isnan(rows[:, 0])]
    error, held, width = np.abs(kept[:, 0]).mean(), kept[:, 1].mean(), kept[:, 2].mean()
    return {
        "estimates": len(rows), "refused": len(rows) - len(kept), "relative error": f"{error:.2%}",
        "bias": f"{kept[:, 0].mean():+.2%}", "t": float(round(100 * held, 1)), "width": f"{width:.4f}",
    }  # fmt: skip


def release() -> list[Row]:
    """Return what the gate says of bad and of good settings."""
    return [_gated(rows, kind) for rows in LOGS for kind in ("bad", "good")]


def _gated(rows: int, kind: str) -> Row:
    shop = releases.shop(rows)
    rng = rng_for(f"benchmarks/offpolicy/release/{rows}/{kind}", 0)
    verdicts = []
    for _ in range(SETTINGS):
        log = releases.candidate(shop, kind == "good", rng)[0].log(rng)
        seen = looked_at(log.weights, log.unsupported)
        verdicts.append(gate(ESTIMATORS["dr"](log), Terms.mean(log.reward), seen, releases.MARGIN).verdict)
    return {"rows": rows, "settings": kind, "n": SETTINGS, **_shipped(verdicts, "experiment", "keep")}


def experiments() -> list[Row]:
    """Return how experiments with bad and with good candidates end."""
    rows = []
    for kind in ("bad", "good"):
        rng = rng_for(f"benchmarks/offpolicy/experiments/{kind}", 0)
        ends = [releases.trial(kind == "good", USERS, LOOKS, rng) for _ in range(SETTINGS)]
        median = float(np.median([users for _, users in ends]))
        told = _shipped([verdict for verdict, _ in ends], "stop", "keep", "broken")
        rows.append({"rows": USERS, "settings": kind, "n": SETTINGS, **told, "median users": median})
    return rows


def _shipped(verdicts: list[str], *others: str) -> Row:
    """Return the share that ships with the upper end of its 95 % interval (Clopper, Pearson 1934), and other counts."""
    n, k = len(verdicts), verdicts.count("ship")
    upper = float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0
    told = {"ship": f"{k / n:.1%}", "upper bound": f"{upper:.1%}"}
    return told | {verdict: verdicts.count(verdict) for verdict in others}


PARTS = {
    "accuracy": accuracy,
    "coverage": coverage,
    "open_bandit": open_bandit,
    "slates": slates,
    "release": release,
    "experiments": experiments,
}


def main() -> None:
    """Run the parts that the arguments name, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    for part in parser.parse_args().parts or PARTS:
        about = harness.circumstances()
        if rows := PARTS[part]():
            harness.record(HERE, part, about, rows)
        for row in rows:
            print(row)


if __name__ == "__main__":
    main()
