"""What a training run did, as data and as a picture: figures of each epoch, and their curves in SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from math import isfinite
from typing import Any, Literal, Self

Stopped = Literal["epochs", "patience", "minutes"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 220, 64, 28, 34


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch, counted from 1; `loss` and `figures` are means over its steps, `metric` is its end's.

    Epoch 0 is the validation of the start. Seconds include what validation took.
    """

    epoch: int
    steps: int
    loss: float | None
    lr: float
    seconds: float
    metric: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A finished run: the model has the weights of `best_epoch`, or the last where nothing was validated."""

    epochs: tuple[Epoch, ...]
    best_epoch: int | None
    best_metric: float | None
    stopped: Stopped
    steps: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the run that `to_json` wrote."""
        return cls(**{**values, "epochs": tuple(Epoch(**epoch) for epoch in values["epochs"])})


def svg(run: Run, metric: str = "validation metric", loss: str = "loss") -> str:
    """Return the curves of loss and metric over epochs as one SVG picture; the best epoch is marked."""
    panels = [(loss, [(e.epoch, e.loss) for e in run.epochs if e.loss is not None])]
    if measured := [(e.epoch, e.metric) for e in run.epochs if e.metric is not None]:
        panels.append((metric, measured))
    height = HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="12" fill="currentColor">',
        f"<title>{escape(_told(run, metric))}</title>",
    ]
    span = [run.epochs[0].epoch, run.epochs[-1].epoch] if run.epochs else [1, 1]
    for row, (name, points) in enumerate(panels):
        parts += _panel(name, points, run.best_epoch, span, row * HEIGHT)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _told(run: Run, metric: str) -> str:
    told = f"Training: {sum(e.epoch > 0 for e in run.epochs)} epochs, stopped by {run.stopped}"
    return told if run.best_epoch is None else f"{told}; best {metric} {run.best_metric:.4g} in epoch {run.best_epoch}"


def _panel(
    name: str, points: Sequence[tuple[int, float]], best: int | None, span: Sequence[int], top: float
) -> list[str]:
    values = [value for _, value in points if isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    high = high if high > low else low + 1.0
    bottom, right = top + HEIGHT - BOTTOM, WIDTH - 16

    def x(epoch: float) -> float:
        return LEFT + (right - LEFT) * (epoch - span[0]) / max(1, span[1] - span[0])

    def y(value: float) -> float:
        return bottom - (bottom - top - TOP) * (value - low) / (high - low)

    line = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in points if isfinite(value))
    parts = [f'<text x="{LEFT}" y="{top + 16}" font-weight="bold">{escape(name)}</text>']
    parts += [_level(y(value), value, right) for value in (low, (low + high) / 2, high)]
    parts += [f'<text x="{x(e):.1f}" y="{bottom + 18}" text-anchor="middle">{e}</text>' for e in _ticks(*span)]
    if best is not None:
        parts.append(
            f'<line x1="{x(best):.1f}" x2="{x(best):.1f}" y1="{top + TOP}" y2="{bottom}" stroke="#d95f02" '
            'stroke-dasharray="4 3"/>'
        )
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1b7f79" stroke-width="2"/>')
    parts += [f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="2.5" fill="#1b7f79"/>' for p in line.split()]
    return parts


def _level(y: float, value: float, right: float) -> str:
    return (
        f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-opacity="0.2"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    )


def _ticks(first: int, last: int) -> list[int]:
    """Return up to nine epochs to name, the first and the last among them."""
    stride = max(1, -(-(last - first) // 8))
    return [*range(first, last - stride // 2, stride), last]
