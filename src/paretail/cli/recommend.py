"""`paretail recommend`: lists for users, to a file."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def recommend(
    *,
    bundle: Path,
    target: str | None = None,
    users: str = "all",
    out: Path,
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 20,
    exclude: str | None = None,
    history: Path | None = None,
    max_age_days: float | None = None,
    order: Literal["auto", "model", "value", "purchase", "cart", "click"] = "auto",
    goals: str | None = None,
    settings: Path | None = None,
    slate: Path | None = None,
    where: Annotated[str | None, Parameter(name="--filter")] = None,
    reasons: Annotated[bool, Parameter(negative="")] = False,
    json: bool = False,
) -> None:
    """Write the best items for users: user_id, rank (1, 2, 3 ...), item_id, score.

    Parameters
    ----------
    bundle
        The trained bundle.
    target
        What lists hold, where the shop has bundles of several: `item`, `category`, `brand` or `user`, as in `train`;
        by default what those of the bundle do. `item_id` is then the target's id.
    users
        `all` (training events and users file), a file of ids (Parquet, CSV, or a line an id), or one id.
    out
        The file to write, Parquet or CSV by its ending.
    k
        Length of each list.
    exclude
        Kinds whose items in a user's history are not recommended again, with commas; `all` or `none`. By default
        the target, or none where repeat purchases are wanted.
    history
        Events of users, known or new, that the bundle has not seen; same columns and words as in training.
    max_age_days
        Leave out items that have been sold for longer (`created`), counted from now; those that do not tell stay.
    order
        `model`: as the retriever scores; else its best are ranked by what the bundle's ranker expects: money, a
        purchase, a cart, a click. `auto`: in the order that `train` measured, where it was surely better, else `model`.
    goals
        Compose slates for goals: dials such as `revenue=0.5,diversity=0.2` (fractions of what is reachable), or
        `maximise=diversity,revenue>=-2%`, or `preset=NAME`.
    settings
        A file of such lines, one a setting; the output has a column `setting` that repeats the line.
    slate
        Rules of each slate in a JSON file, as `slate` of `POST /v1/recommend`: pins, caps, quotas, boosts, composition.
        Without `--goals` or `--settings` slates serve `[policy] base`, as the setting `today`.
    where
        Only items for which this is true, such as `category in ["shoes"] and price < 50`.
    reasons
        Tell why each item is in the list: `reason`, and `paths`, the strongest ways from the user to it with exact
        counts. Costs some 5 ms for a list of 20.
    json
        Print a summary as JSON.
    """
    from paretail.cli import goal_tables
    from paretail.cli.terminal import counted, print_json, progress
    from paretail.cli.terminal import out as console
    from paretail.core.errors import Problem, UsageError
    from paretail.pipeline.hard_rules import read
    from paretail.pipeline.recommend import recommend_to_file
    from paretail.pipeline.steered import TODAY, Settings
    from paretail.pipeline.targets import bundle_of

    ordered = order not in ("auto", "model")
    if (goals is not None) + (settings is not None) + ordered > 1 or (slate is not None and ordered):
        found = "--goals or --slate, --settings and --order given together"
        raise UsageError(Problem("CLI-26", found, "Expected one of them at most", "Leave out the others"))
    rules = None if slate is None else read(slate)
    wanted = Settings.of_line(goals) if goals is not None else Settings.of_file(settings) if settings else None
    wanted = Settings({TODAY: None}) if wanted is None and rules is not None else wanted
    kinds = None if exclude is None else [word.strip() for word in exclude.split(",")]
    with progress() as tell:
        told = recommend_to_file(
            bundle_of(bundle, target),
            users,
            out,
            k=k,
            exclude=kinds,
            history=history,
            max_age_days=max_age_days,
            order=order,
            settings=wanted,
            rules=rules,
            where=where,
            with_reasons=reasons,
            progress=tell,
        )
    if json:
        print_json(told)
    else:
        cold = f", {told['cold']:,} of them without history" if told["cold"] else ""
        done = f"{counted(told['users'], 'user')}{cold}: {counted(told['rows'], 'row')} in {out}"
        console.print(f"{done} (model {told['version']})", soft_wrap=True)
        if "remark" in told:
            console.print(told["remark"], soft_wrap=True)
        if "settings" in told:
            goal_tables.settings(console, told["settings"])
        if told["unused_history"]:
            unused = counted(told["unused_history"], "event")
            console.print(
                f"{unused} of --history not used: of users not asked for, or of items or kinds not in the bundle"
            )
