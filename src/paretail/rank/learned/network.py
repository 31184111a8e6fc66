"""The ranker's network: vectors of users and items that are Gaussians, features through a sharing architecture.

    p_u = A s_u + a_u,   q_i = B s_i + b_i                  s: columns of `rank/sides.py`; A, a, B, b Gaussian
    η_t(u, i, x) = c_t + Σ_k w_tk p_uk q_ik + (u's and i's own bias) + slope_ut · price_i + g_t · net_t(x)
    P(click at position j) = P(seen at j) σ(η_click),   P(cart or purchase | click) = σ(η_t)
    log value = log price_i + η_value + ε,   ε ~ N(0, σ²)

Click reads the first `dim` columns with w = 1. What follows a click reads them too, each task through its own w, so
that tastes learned from many clicks carry over to the few purchases, as far as they do (`relations`), and the other
columns with w = 1. What is paid reads none: it is the item's price and the user's habit. With `shared_vectors = false`
each task has columns of its own. P(seen at 1) = 1, P(seen at j) is learned.

Loss: (-E log-likelihood + KL) / examples. A step costs what its batch costs, and one pass over the tables.

Sources: Y. Koren, R. Bell, C. Volinsky, "Matrix factorization techniques for recommender systems", 2009,
doi:10.1109/MC.2009.263; D. Agarwal, B.-C. Chen, "Regression-based latent factor models", KDD 2009,
doi:10.1145/1557019.1557029 (vectors start from known columns); M. Richardson, E. Dominowska, R. Ragno, "Predicting
clicks", WWW 2007, doi:10.1145/1242572.1242643 (the examination of positions). Gaussians: see `gaussian.py` beside.
Deviations: 1. The networks of features are points, held by a Gaussian prior whose precision grows with the log. 2. The
entire space: what follows a click is weighed by p_click to the power -`click_power`, since clicks are no fair sample of
what could be shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from paretail.core.errors import ConfigError, Problem
from paretail.learn.step import Losses
from paretail.rank import earlier
from paretail.rank.config import RankConfig
from paretail.rank.learned import relations
from paretail.rank.learned.gaussian import Gaussian, expected
from paretail.rank.learned.recent import Recent, Sequences
from paretail.rank.sharing import sharing_settings
from paretail.rank.spaces import Followed, space_settings
from paretail.rank.tables import Tables, Users

#: Positions beyond this one are seen like it.
POSITIONS: Final = 50
#: At this, P(seen) is 1 to eight digits.
SURELY_SEEN: Final = -20.0
#: Guards of the value: the deviation of its logarithm, and how far that may lie from the price's.
SIGMA: Final = (0.05, 2.0)
FARTHEST: Final = 5.0
#: Where logits start: of a click, and of what follows one.
FIRST: Final = {"click": -2.5, "value": 0.0}
OTHERS: Final = -1.0
SMALL: Final = 1e-6
#: Tasks of which each holds the next.
FUNNEL: Final = ("click", "cart", "purchase")
#: Impressions for which `net_precision` is told.
MILLION: Final = 1_000_000

Vector = Float[Tensor, " batch"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some examples; labels are NaN where nothing is known, `log_value` is the paid value over the item's price.

    `standing` is the row of each in the columns of users; `moment` in `RankNet.told`, without recent events nothing;
    `place` is that among all examples, the oldest at 0.
    """

    user: Int[Tensor, " batch"]
    standing: Int[Tensor, " batch"]
    item: Int[Tensor, " batch"]
    position: Int[Tensor, " batch"]
    weight: Vector
    features: Float[Tensor, "batch features"]
    price: Vector
    moment: Int[Tensor, " batch"]
    labels: Mapping[str, Vector]
    place: Int[Tensor, " batch"]


@dataclass(frozen=True)
class Answered:
    """Of a task that may follow a click: from which place on nothing is known of it, and clicks for one that tells."""

    until: int
    times: float = 1.0


@dataclass(frozen=True, eq=False)
class Beliefs:
    """Mean and variance of each task's logit (of `value`: of its logarithm), their covariance with the first task's,

    and the tensors that the tasks share: columns of vectors, and what the architecture says. `whole` are those and the
    rows that hold these columns beside each task's own biases and slopes.
    """

    mean: Mapping[str, Vector]
    variance: Mapping[str, Vector]
    together: Mapping[str, Vector]
    shared: Sequence[Tensor] = field(default=())
    whole: Sequence[Tensor] = field(default=())
    penalty: Tensor = field(default_factory=lambda: torch.zeros(()))


@dataclass(frozen=True)
class Sizes:
    """How many users, standings of users, items, columns of their sides, and features there are."""

    users: int
    standings: int
    items: int
    user_sides: int
    item_sides: int
    features: int


class RankNet(nn.Module):
    """See the module. Buffers hold the columns and the numbers of examples of users and items; `examples` is all.

    Users have a row of columns for each of their standings (`rank/standings.py`), which `user_of` ties to them.
    """

    def __init__(self, config: RankConfig, tasks: Sequence[str], sizes: Sizes) -> None:
        super().__init__()
        self.config, self.tasks = config, tuple(tasks)
        every = len(self.tasks)
        columns = config.dim + config.own_dim
        self.columns = columns
        self.user_own = Gaussian(sizes.users, columns + 2 * every, 0.05)
        self.user_side = Gaussian(sizes.user_sides, columns + 2 * every, 0.1)
        self.item_own = Gaussian(sizes.items, columns + every, 0.05)
        self.item_side = Gaussian(sizes.item_sides, columns + every, 0.1)
        self.mix = nn.Parameter(torch.ones(every, columns))
        self.bias = nn.Parameter(torch.tensor([FIRST.get(task, OTHERS) for task in self.tasks]))
        self.slope = nn.Parameter(torch.zeros(every))
        self.unseen = nn.Parameter(torch.zeros(POSITIONS))
        self.log_sigma = nn.Parameter(torch.tensor(-0.7))
        sharing, wanted = sharing_settings(config.sharing, config.sharing_settings)
        self.net = sharing(wanted, self.tasks, sizes.features)
        self.gain = nn.Parameter(torch.full((every,), 0.3))
        space, asked = space_settings(config.space, config.space_settings)
        follow = [task for task in self.tasks if task not in FIRST and "click" in self.tasks]
        self.spaces = nn.ModuleDict({task: space(asked, sizes.features) for task in follow})
        self.recent = Recent(config.recent, columns) if config.recent else None
        self.retrieved: tuple[str, ...] = earlier.NAMES  # the retriever's columns, where the settings ask for them
        self.told: Sequences | None = None  # the recent events of the moments that are learned from
        self.examples = 1
        self.answered: dict[str, Answered] = {}  # without: all answers are known
        self.anchors: dict[str, Tensor] = {}  # where the prior of the network's weights lies; 0 without
        learned, fixed = _masks(config, self.tasks)
        facts = {
            "learned": learned, "fixed": fixed,
            "user_columns": torch.zeros(sizes.standings, sizes.user_sides), "user_counts": torch.ones(sizes.users),
            "user_of": torch.zeros(sizes.standings, dtype=torch.int64),
            "item_columns": torch.zeros(sizes.items, sizes.item_sides), "item_counts": torch.ones(sizes.items),
        }  # fmt: skip
        for name, tensor in facts.items():
            self.register_buffer(name, tensor, persistent=False)

    def beliefs(self, user: tuple[Tensor, Tensor], item: tuple[Tensor, Tensor], features: Tensor,
                price: Tensor) -> Beliefs:  # fmt: skip
        """Return what is believed of pairs, given means and variances `[pairs, columns + ...]` of both ends."""
        (p, p_var), (q, q_var), k, every = user, item, self.columns, len(self.tasks)
        u, i = p[:, :k], q[:, :k]  # a balancer weighs gradients here: the rest of a row is some task's own
        both = u * i
        spread = p_var[:, :k] * i**2 + u**2 * q_var[:, :k] + p_var[:, :k] * q_var[:, :k]
        mix = self.weights()
        out = self.net(features)
        x = torch.stack([out.logits[task] for task in self.tasks], 1) * self.gain
        biases = p[:, k : k + every] + q[:, k:]
        slopes = self.slope + p[:, k + every :]
        mean = self.bias + both @ mix.T + biases + slopes * price[:, None] + x
        variance = (
            spread @ (mix**2).T + p_var[:, k : k + every] + q_var[:, k:] + p_var[:, k + every :] * price[:, None] ** 2
        )
        together = spread @ (mix * mix[0]).T
        of_mean, of_variance, of_both = (
            dict(zip(self.tasks, one.unbind(1), strict=True)) for one in (mean, variance, together)
        )
        return Beliefs(of_mean, of_variance, of_both, (u, i, *out.shared), (p, q, *out.shared), out.penalty)

    def weights(self) -> Float[Tensor, "tasks columns"]:
        """Return the weight w_tk that each task gives to each column."""
        return self.mix * self.get_buffer("learned") + self.get_buffer("fixed")

    def users(self, rows: Int[Tensor, " asked"], sides: Float[Tensor, "asked columns"]) -> tuple[Tensor, Tensor]:
        """Return means and variances of users; row -1 is somebody of whom only the columns are known."""
        known = (rows >= 0)[:, None]
        mean, variance = self.user_own.of(rows.clamp(min=0))
        prior = (2 * self.user_own.log_prior).exp()
        mean, variance = torch.where(known, mean, 0.0), torch.where(known, variance, prior)
        return mean + sides @ self.user_side.mean, variance + sides**2 @ self.user_side.variance

    def items(self) -> tuple[Tensor, Tensor]:
        """Return means and variances of all items."""
        sides = self.get_buffer("item_columns")
        return (self.item_own.mean + sides @ self.item_side.mean,
                self.item_own.variance + sides**2 @ self.item_side.variance)  # fmt: skip

    def seen(self, position: Int[Tensor, " batch"]) -> Vector:
        """Return log P(seen at that position); position 0, unknown, is seen like the average of the first ten."""
        later = -functional.softplus(self.unseen[1:])
        log_seen = torch.cat([later[:9].mean()[None], torch.zeros(1), later])
        return log_seen[position.clamp(max=POSITIONS)]

    def see_everything(self) -> None:
        """Take all that was shown as seen: where no position is logged nothing tells how much was not."""
        nn.init.constant_(self.unseen, SURELY_SEEN)

    def see_beyond(self, logged: int) -> None:
        """See positions behind the last logged one, of which nothing was learned, like that one."""
        with torch.no_grad():
            beyond = self.unseen[max(logged, 1) :]
            beyond[beyond == 0] = self.unseen[logged - 1] if logged > 1 else SURELY_SEEN

    def loss(self, batch: Batch) -> Losses:
        """Return the loss of each task a row of the batch, and the KL as the penalty."""
        batch = replace(batch, features=self.inputs(batch))
        user, item = self._end("user", batch.standing), self._end("item", batch.item)
        told = self.beliefs(user, item, batch.features, batch.price)
        losses = {task: self._task_loss(task, told, batch) for task in self.tasks}
        penalty = told.penalty + self.net.disorder(self._funnel(told))
        scales = {task: self.config.weight_of(task) for task in self.tasks}
        return Losses(losses, told.shared, self._held() / self.examples + penalty, scales, told.whole)

    def _funnel(self, told: Beliefs) -> dict[str, Vector]:
        """Return the probability of each step of the funnel over all that is shown at the first position."""
        p = {
            task: expected(torch.sigmoid, told.mean[task], told.variance[task]) for task in FUNNEL if task in self.tasks
        }
        return {task: p[task] if task == "click" else p.get("click", 1.0) * p[task] for task in p}

    def inputs(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """Return what the network of the features reads of examples: the features, and what was turned to last."""
        if self.recent is None or self.told is None:
            return batch.features
        moments, place = torch.unique(batch.moment, return_inverse=True)
        with torch.no_grad():
            vectors = self.items()[0][:, : self.columns]
        return torch.cat([batch.features, self.recent(self.told.at(moments), place, vectors, batch.item)], 1)

    def _end(self, end: str, rows: Int[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        """Return means and variances of the users, by their standings, or items of a batch."""
        own: Gaussian = getattr(self, f"{end}_own")
        side: Gaussian = getattr(self, f"{end}_side")
        distinct, place = torch.unique(rows, return_inverse=True)
        mean, variance = own.of(self.get_buffer("user_of")[distinct] if end == "user" else distinct)
        known = functional.embedding(distinct, self.get_buffer(f"{end}_columns"))
        mean, variance = mean + known @ side.mean, variance + known**2 @ side.variance
        return functional.embedding(place, mean), functional.embedding(place, variance)

    def _task_loss(self, task: str, told: Beliefs, batch: Batch) -> Tensor:
        """Return the weighted loss of one task, a row of the batch; of the rows that know nothing 0."""
        mean, variance, label = told.mean[task], told.variance[task], batch.labels[task]
        rows = len(label)
        if task == "click":
            total = (self._clicks(mean, variance, batch) * batch.weight).sum()
            return total * self.config.weight_of(task) / rows
        there = label.isfinite()
        fair = self._fair(told, batch, there)
        if task == "value":
            losses = gaussian_loss(label[there], mean[there], variance[there], self.log_sigma) * fair
            total = losses.sum() if len(losses) else mean.sum() * 0.0
        else:
            click = told.mean["click"], told.variance["click"]
            seen = self.seen(batch.position).exp()
            known = self.answered.get(task, Answered(int(batch.place.max()) + 1))
            total = self.spaces[task](
                Followed(*click, mean, variance, seen, label, batch.weight, fair, batch.features,
                         batch.labels["click"] > 0, batch.place < known.until, known.times)
            )  # fmt: skip
        return total * self.config.weight_of(task) / rows

    def _clicks(self, mean: Vector, variance: Vector, batch: Batch) -> Vector:
        seen, label = self.seen(batch.position), batch.labels["click"]

        def loss(eta: Tensor) -> Tensor:
            log_p = functional.logsigmoid(eta) + seen
            return -(label * log_p + (1 - label) * torch.log1p(-log_p.exp().clamp(max=1 - SMALL)))

        return expected(loss, mean, variance)

    def _fair(self, told: Beliefs, batch: Batch, there: Tensor) -> Vector:
        """Return the weights of clicked examples, of mean 1: the rarer a click the more it stands for."""
        weight = batch.weight[there]
        if "click" in told.mean:
            weight = weight * told.mean["click"].detach()[there].sigmoid().clamp(min=1e-3) ** -self.config.click_power
        return weight / weight.mean()

    def _held(self) -> Tensor:
        """Return the KL of all tables, and the priors of their spreads and of the features' network."""
        tables = (self.user_own, self.item_own, self.user_side, self.item_side)
        parts = [table.divergence() + table.hold() for table in tables]
        weights = [((param - self.anchors.get(name, 0.0)) ** 2).sum()
                   for name, param in self.net.named_parameters() if name.endswith("weight")]  # fmt: skip
        precision = self.config.net_precision * self.examples / MILLION
        held = torch.stack(parts).sum() + 0.5 * precision * torch.stack(weights).sum()
        return held + 0.5 * self.config.relation * relations.penalty(self._own()) if self.config.relation else held

    def _own(self) -> Float[Tensor, "numbers tasks"]:
        """Return what each task has for itself above what is shared: its weights of columns, and its head's."""
        heads = torch.stack([self.net.last[task].get_parameter("weight").squeeze(0) for task in self.tasks], 1)
        return torch.cat([self.weights().T, heads])

    def _power(self) -> Float[Tensor, " columns"]:
        """Return how much each column moves logits of weight 1: the mean square over users, times that over items."""
        k = self.columns
        users = self.user_own.mean[self.get_buffer("user_of")] + self.get_buffer("user_columns") @ self.user_side.mean
        return users[:, :k].pow(2).mean(0) * self.items()[0][:, :k].pow(2).mean(0)

    @torch.no_grad()
    def covariance(self) -> Float[Tensor, "tasks tasks"]:
        """Return the learned covariance Ω of the tasks: of weights that they give to columns, by these columns' power.

        As in `relations`, columns that have vanished say nothing. A head's numbers are its own tower's, and say nothing
        beside another's. What `[rank] relation` holds in training is all weights as they are, those of heads too.
        """
        return relations.covariance((self.weights() * self._power().sqrt()).T)

    @torch.no_grad()
    def tables(self) -> Tables:
        """Return the numbers of a network that is trained, for answers."""
        mean, variance = self.items()
        fixed = torch.stack([self.bias, self.slope, self.gain]).numpy()
        own, prior = self.user_own, (2 * self.user_own.log_prior).exp()
        users = Users(own.mean.detach().numpy(), own.log_spread.detach().numpy(), prior.numpy(),
                      (self.user_side.mean.detach().numpy(), self.user_side.variance.numpy()))  # fmt: skip
        ends = mean.numpy(), variance.numpy()
        return Tables(self.net.served(), self.weights().numpy(), fixed, ends, users, float(self.log_sigma))

    @torch.no_grad()
    def relations(self) -> Float[Tensor, "tasks tasks"]:
        """Return how alike the tasks' tastes are: the correlation of their logits over users and items, -1 to 1.

        Of Σ_k w_tk p_k q_k with the variances that the columns have among users and items.
        """
        mix = self.weights()
        covariance = (mix * self._power()) @ mix.T
        length = covariance.diagonal().clamp(min=SMALL**2).sqrt()
        return covariance / length[:, None] / length

    @torch.no_grad()
    def settle(self) -> None:
        """Forget what noise left in rows that had no example, and numbers that the priors have all but removed.

        Those end as denormals, with which a product of 500 x 32 numbers takes .25 ms instead of .012.
        """
        for param in self.parameters():
            param[param.abs() < SMALL**2] = 0.0
        for table, counts in ((self.user_own, "user_counts"), (self.item_own, "item_counts")):
            table.forget(torch.nonzero(self.get_buffer(counts) == 0).squeeze(1))


def readers(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the tasks that read columns: what is paid is the item's price and the user's habit, and few examples."""
    return tuple(task for task in tasks if task != "value")


def _masks(config: RankConfig, tasks: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return which weights of columns are learned, and the fixed ones, `[tasks, columns]` each.

    Raises ConfigError (CONF-03) where each task is to have columns of its own, and there are fewer than tasks.
    """
    shape, those = (len(tasks), config.dim + config.own_dim), readers(tasks)
    if not config.shared_vectors and shape[1] < len(those):
        found = f"[rank] dim + own_dim = {shape[1]} with shared_vectors = false"
        expected = f"Expected {len(those)} or more, a column at least for each of {', '.join(those)}"
        raise ConfigError(Problem("CONF-03", found, expected, "Raise dim, or let tasks share the columns"))
    learned, fixed = torch.zeros(shape), torch.zeros(shape)
    for place, task in enumerate(tasks):
        if task not in those:
            continue
        if not config.shared_vectors:
            fixed[place, those.index(task) :: len(those)] = 1.0
        elif task == "click":
            fixed[place, : config.dim] = 1.0
        else:
            learned[place, : config.dim] = 1.0
            fixed[place, config.dim :] = 1.0
    return learned, fixed


def gaussian_loss(label: Vector, mean: Vector, variance: Vector, log_sigma: Tensor) -> Vector:
    """Return -E log N(label; η, σ²) for η ~ N(mean, variance), σ clipped to SIGMA; constants make its least value 0."""
    sigma = log_sigma.exp().clamp(*SIGMA)
    off = (label.clamp(-FARTHEST, FARTHEST) - mean) ** 2 + variance
    return (sigma / SIGMA[0]).log() + 0.5 * off / sigma**2


def state_of(net: RankNet) -> dict[str, Any]:
    """Return all parameters as arrays."""
    state = {name: tensor for name, tensor in net.state_dict().items() if not name.endswith(".log_drift")}
    return {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
