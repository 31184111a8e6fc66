"""Agents that learn over sessions: `SlatePPO`, `SlateDQN` and `SlateReinforce`, for any gymnasium environment;
`SlateCQL`, `SlateBCQ` and `SlateIQL` from logged sessions.

    agent = SlatePPO(env.observation_space, item_vectors, slate_size=10)
    agent.learn(env, steps=100_000, seed=0)
    agent.reset()                              # an episode begins
    rows = agent.act(observation)              # item rows, best position first

Needs the extras `learn` (LEARN-01) and `agents` (AGENT-01).
"""

import paretail.learn  # noqa: F401  # says which extra is missing where torch is (LEARN-01)
from paretail.core.errors import ParetailError, need_extra

need_extra(
    "AGENT-01", ("gymnasium",), "Agents need the extras `learn` and `agents`",
    "Install them: pip install 'paretail[learn,agents]'",
)  # fmt: skip


class AgentError(ParetailError):
    """An agent cannot be made, learn or act as it was asked to."""


from paretail.policy.agents.bcq import BCQConfig, SlateBCQ  # noqa: E402  # AgentError stands first
from paretail.policy.agents.config import DQNConfig, PPOConfig, ReinforceConfig  # noqa: E402  # AgentError stands first
from paretail.policy.agents.cql import CQLConfig, SlateCQL  # noqa: E402
from paretail.policy.agents.dqn import SlateDQN  # noqa: E402
from paretail.policy.agents.iql import IQLConfig, SlateIQL  # noqa: E402
from paretail.policy.agents.ppo import SlatePPO  # noqa: E402
from paretail.policy.agents.reinforce import SlateReinforce  # noqa: E402

#: Agents by name.
AGENTS: dict[str, type[SlatePPO] | type[SlateDQN] | type[SlateReinforce]] = {
    "ppo": SlatePPO,
    "dqn": SlateDQN,
    "reinforce": SlateReinforce,
}
#: Agents that learn from logs, by name.
FROM_LOGS: dict[str, type[SlateCQL] | type[SlateBCQ] | type[SlateIQL]] = {
    "cql": SlateCQL,
    "bcq": SlateBCQ,
    "iql": SlateIQL,
}

__all__ = [
    "AGENTS", "FROM_LOGS", "AgentError", "BCQConfig", "CQLConfig", "DQNConfig", "IQLConfig", "PPOConfig",
    "ReinforceConfig", "SlateBCQ", "SlateCQL", "SlateDQN", "SlateIQL", "SlatePPO", "SlateReinforce",
]  # fmt: skip
