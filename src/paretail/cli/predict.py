"""`paretail predict`: what pairs of users and items are worth, to a file."""

from pathlib import Path

from paretail.core.errors import Problem, UsageError


def levels(told: str | None) -> list[float]:
    """Return the quantiles that the command line gives; raises UsageError (RANK-14) for what is none."""
    words = [] if told is None else [word.strip() for word in told.split(",")]
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = [0.0]
    if not all(0 < level < 1 for level in found):
        expected = "Expected numbers between 0 and 1 with commas, such as 0.1,0.9"
        raise UsageError(Problem("RANK-14", f"--quantiles {told}", expected, "Correct them"))
    return found


def tasks_of(told: str | None) -> list[str]:
    """Return the tasks that the command line gives; raises UsageError (RANK-18) for what is none."""
    from paretail.core.errors import nearest
    from paretail.pipeline.predict import GIVEN_CLICK

    words = [] if told is None else [word.strip() for word in told.split(",")]
    for word in words:
        if word not in GIVEN_CLICK:
            found = f"--tasks {told}: there is no task {word!r} to add"
            raise UsageError(Problem("RANK-18", found, f"Expected {nearest(word, GIVEN_CLICK)}", "Correct it"))
    return list(dict.fromkeys(words))


def predict(
    *,
    bundle: Path,
    pairs: Path,
    out: Path,
    explain: Path | None = None,
    quantiles: str | None = None,
    tasks: str | None = None,
    json: bool = False,
) -> None:
    """Write predictions: user_id, item_id, p_click, p_purchase, expected_value.

    `p_click` is the probability of a click at the first position, `p_purchase` that of a purchase given a click,
    `expected_value` the money expected of showing the item there. Pairs keep their order.

    Parameters
    ----------
    bundle
        A bundle that was trained on a log with impressions.
    pairs
        A table (Parquet, CSV ...) with user_id and item_id; other columns are ignored.
    out
        The file to write, Parquet or CSV by its ending.
    explain
        Another file to write: for each pair and task what it comes from, in numbers and words.
    quantiles
        Quantiles of an order's value, given a purchase, with commas, such as `0.1,0.9`: a column each beside its mean.
    tasks
        Tasks of which a column is added, with commas: `long_view`, `favourite`, `cart`, each given a click.
    json
        Print a summary as JSON.
    """
    from paretail.cli.terminal import counted, print_json
    from paretail.cli.terminal import out as console
    from paretail.pipeline.predict import predict_to_file

    told = predict_to_file(bundle, pairs, out, explain, levels(quantiles), tasks_of(tasks))
    if json:
        print_json(told)
        return
    new = f" ({counted(told['new_users'], 'user')} not in the bundle)" if told["new_users"] else ""
    console.print(f"{counted(told['pairs'], 'pair')}{new} in {out} (model {told['version']})", soft_wrap=True)
    if explain is not None:
        console.print(f"Why, a row a pair and task: {explain}", soft_wrap=True)
