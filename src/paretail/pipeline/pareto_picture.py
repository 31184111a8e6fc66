"""A front as a PNG picture, for slides and tickets; needs matplotlib, which the extra `plots` installs."""

from itertools import combinations
from pathlib import Path

from paretail.core.errors import need_extra
from paretail.core.files import atomic_file
from paretail.pipeline.pareto import Front

#: The colours of the page.
ON, OFF, TODAY = "#1b7f79", "#b8c9c7", "#d0542c"


def check_there() -> None:
    """Raise MissingExtraError (POL-10) where matplotlib is not installed."""
    do = "Install it: pip install 'paretail[plots]', or leave out --png"
    need_extra("POL-10", ("matplotlib",), "A picture (PNG) needs the extra `plots`", do)


def write_png(found: Front, path: Path) -> None:
    """Write a picture of each pair of goals, whole or not at all."""
    check_there()
    from matplotlib.figure import Figure

    pairs = list(combinations(found.goals, 2))
    figure = Figure(figsize=(5 * len(pairs), 4), layout="constrained")
    for axes, (across, up) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        for is_front, colour in ((False, OFF), (True, ON)):
            some = [point.values for point in found.points if point.is_front == is_front]
            axes.scatter([v[across] for v in some], [v[up] for v in some], s=18, color=colour,
                         label="on the front" if is_front else "beaten")  # fmt: skip
        axes.scatter([found.today[across]], [found.today[up]], s=120, marker="*", color=TODAY, label="today", zorder=3)
        axes.set_xlabel(f"{across} ({found.units[across]})")
        axes.set_ylabel(f"{up} ({found.units[up]})")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, fontsize=8)
    with atomic_file(path) as aside:
        figure.savefig(aside, format="png", dpi=150)
