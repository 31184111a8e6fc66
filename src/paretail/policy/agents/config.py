"""Settings of the agents."""

from typing import Literal

from pydantic import Field

from paretail.core.config import Config


class AgentConfig(Config):
    """What all agents have in common: what they remember of a session, and how large their networks are."""

    dim: int = Field(64, ge=1, description="Width of the hidden layers.")
    components: int = Field(24, ge=1, description="Principal components of the item vectors that are kept.")
    groups: int = Field(24, ge=0, description="Groups of like items, where the vectors name no categories; 0: none.")
    decays: tuple[float, float, float, float] = Field(
        (1.0, 0.95, 0.8, 0.5),
        description="How much of what was shown and clicked is remembered a step later, each way.",
    )
    kept: int = Field(320, ge=1, description="Slots of the past that are remembered item by item.")
    encoder: Literal["none", "gru", "transformer"] = Field(
        "none", description="A learned encoder of the last `window` steps, beside the fixed decays."
    )
    window: int = Field(16, ge=1, description="Steps that the encoder reads.")
    goals: int = Field(0, ge=0, description='Goals in `info["goals"]` whose weights the agent is told; 0: the reward.')
    discount: float = Field(0.98, ge=0, lt=1, description="What the reward of the next step counts.")
    lr: float = Field(0.0, ge=0, description="Learning rate of Adam; 0: .001 for few items (up to 32), .0003 for many.")
    clip: float = Field(0.5, gt=0, description="Bound of the norm of the gradients.")
    probe: int = Field(1000, ge=1, description="Steps of random slates that an agent begins with.")
    probe_share: float = Field(0.05, gt=0, le=1, description="The probe takes at most this share of the first steps.")
    response_lr: float = Field(1e-3, gt=0, description="Learning rate of the model of clicks.")
    response_passes: float = Field(4.0, ge=0, description="How often the model of clicks sees a step that was played.")
    response_decay: float = Field(1.0, ge=0, description="Weight decay of the model of clicks.")
    response_past: int = Field(32_768, ge=0, description="Newest steps from which the model of clicks learns.")
    fade: float = Field(
        0.5,
        ge=0,
        description="How much the logit of a click falls with each slot of a group, in one of the policies tried.",
    )
    trial: int = Field(10_000, ge=0, description="Steps by which the policy to begin with is found, at most.")
    trial_share: float = Field(0.3, ge=0, lt=1, description="The trials take at most this share of the first steps.")
    settle: int = Field(5000, ge=0, description="Steps by which ways to act are compared in the end, at most.")
    settle_share: float = Field(0.1, ge=0, lt=1, description="The comparison takes at most this share of the steps.")
    greedy: bool = Field(
        False, description="In the end only ways to act without chance are compared: those that a service can follow."
    )
    minutes: float = Field(0.0, ge=0, description="Learning ends after this time, too; 0: it does not.")


class PPOConfig(AgentConfig):
    """Settings of `SlatePPO`."""

    round_steps: int = Field(1024, ge=8, description="Steps of all lanes together between two updates.")
    epochs: int = Field(0, ge=0, description="Passes over a round; 0: 8 for few items, 4 for many.")
    batch_size: int = Field(256, ge=1, description="Steps of a minibatch.")
    gae: float = Field(0.95, ge=0, le=1, description="λ of generalised advantage estimation.")
    ratio_clip: float = Field(0.2, gt=0, description="How far the ratio of probabilities may go from 1.")
    entropy: float = Field(0.001, ge=0, description="What a nat of entropy of a slot counts in the loss.")
    value: float = Field(0.5, ge=0, description="What the loss of the value counts.")
    others: float = Field(
        0.3,
        ge=0,
        le=1,
        description="What others of the slate brought at once counts so much for a slot; 1: PPO as it is.",
    )
    target_kl: float = Field(0.03, gt=0, description="A round's epochs end where the policy moved so far.")
    sharpness: float = Field(8.0, gt=0, description="What a logit of the model of clicks counts in the first policy.")


class ReinforceConfig(AgentConfig):
    """Settings of `SlateReinforce`."""

    round_steps: int = Field(1024, ge=8, description="Steps of all lanes together between two updates.")
    entropy: float = Field(0.001, ge=0, description="What a nat of entropy of a slot counts in the loss.")
    value: float = Field(0.5, ge=0, description="What the loss of the baseline counts.")
    sharpness: float = Field(3.0, gt=0, description="What a logit of the model of clicks counts in the first policy.")


class DQNConfig(AgentConfig):
    """Settings of `SlateDQN`."""

    choice: Literal["sum", "one"] = Field(
        "sum", description="Value of a slate: the sum over its slots, or SlateQ's mean over the one item chosen."
    )
    replay: int = Field(50_000, ge=100, description="Steps that are kept for learning.")
    batch_size: int = Field(128, ge=1, description="Steps of a minibatch.")
    round_steps: int = Field(256, ge=8, description="Steps of all lanes together between two rounds of updates.")
    updates: int = Field(0, ge=0, description="Optimiser steps of a round; 0: by the number of items.")
    target_rounds: int = Field(2, ge=1, description="Rounds after which the target network becomes the current one.")
    n_step: int = Field(3, ge=1, description="Rewards that are summed before a value is believed.")
    explore: float = Field(0.05, ge=0, le=1, description="Share of slots drawn at random in the end.")
    explore_share: float = Field(0.3, gt=0, le=1, description="Share of the steps over which exploring falls to it.")
    warm: int = Field(300, ge=0, description="Optimiser steps of values alone, on what the trials played.")
    noise: float = Field(0.03, ge=0, description="Noise of exploring slates, in chances of a click of what is liked.")
    hold: float = Field(
        3000.0,
        ge=0,
        description="What the variance over items of what Q says beside the model of clicks costs, by steps.",
    )
    decay: float = Field(1.0, ge=0, description="Weight decay of the advantages, where there is a model of clicks.")
    dueling: bool = Field(True, description="Value of the state and advantage of items apart.")
    double: bool = Field(True, description="The target's action is the current network's.")
