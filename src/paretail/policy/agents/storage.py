"""Agents on disk: a folder with a manifest, weights and the state of learning; written aside, then moved to its place.

`manifest.json` says what agent it is, its settings and spaces, and the SHA-256 of the other file; `agent.safetensors`
holds item vectors, networks, optimisers and what the agent keeps to learn on. No pickle.
"""

import glob
import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from paretail.core.errors import Problem
from paretail.core.files import folder_aside, settle
from paretail.learn import LearnError, checkpoint
from paretail.policy.agents import AgentError
from paretail.policy.agents.feedback import Reading
from paretail.policy.agents.trials import Start

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

FORMAT: Final = "paretail-agent-2"
AgentType = TypeVar("AgentType", bound="Agent")


def save(agent: "Agent", folder: Path) -> Path:
    """Write the agent whole; an agent that stood there is replaced. Raises AgentError (AGENT-08) for an unmade one."""
    if not agent._made:
        raise AgentError(
            Problem("AGENT-08", "the agent has no networks yet", "Expected item vectors, or steps learned",
                    "Call learn(env, ...) first")
        )  # fmt: skip
    with folder_aside(folder.parent) as aside:
        checkpoint.save(aside / "agent.safetensors", _checkpoint(agent))
        digest = sha256((aside / "agent.safetensors").read_bytes()).hexdigest()
        manifest = {
            "format": FORMAT, "agent": agent.name, "config": agent.config.model_dump(), "slots": agent.slots,
            "single": agent.single, "space": to_json(agent.observation_space), "steps": agent.steps, "sha256": digest,
        }  # fmt: skip
        (aside / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _put_back(folder)
        old = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.old")
        if folder.exists():
            folder.rename(old)
        settle(aside, folder)
        shutil.rmtree(old, ignore_errors=True)
    return folder


def load(kind: type[AgentType], folder: Path) -> AgentType:
    """Read an agent of this class; where a `save` was stopped while it put the new one in its place, the one before."""
    _put_back(folder)
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        digest = sha256((folder / "agent.safetensors").read_bytes()).hexdigest()
        if manifest.get("format") != FORMAT or manifest.get("agent") != kind.name:
            raise _foreign(
                folder, f"it holds {manifest.get('agent')!r} of format {manifest.get('format')!r}", kind.name
            )
        if digest != manifest["sha256"]:
            raise _foreign(folder, "agent.safetensors is not the file that its manifest names", kind.name)
        kept = checkpoint.load(folder / "agent.safetensors")
        config = kind.Config.parse(_tuples(manifest["config"]), "manifest.json")
        agent = kind(space_of(manifest["space"]), kept.tensors["vectors"].numpy(), manifest["slots"], config)
    except KeyError as error:
        raise _foreign(folder, f"its manifest lacks {error}", kind.name) from None
    except (OSError, ValueError, LearnError) as error:
        raise _foreign(folder, str(error), kind.name) from None
    try:
        _take(agent, kept, manifest)
    except (KeyError, RuntimeError) as error:  # weights that are missing, too many or of another shape
        raise _foreign(folder, f"its weights are not those of this version's networks: {error}", kind.name) from None
    return agent


def _put_back(folder: Path) -> None:
    """Put back what stood in a folder before a save that was stopped."""
    before = [] if folder.exists() else sorted(folder.parent.glob(f".{glob.escape(folder.name)}.*.old"))
    if before:
        before[0].rename(folder)


def _checkpoint(agent: "Agent") -> checkpoint.Checkpoint:
    arrays, values = agent.extra()
    parts = {"eyes": agent.eyes, "response": agent.response, "networks": agent.networks}
    tensors: dict[str, Tensor] = {"vectors": _tensor(agent.vectors), "moments": _tensor(agent._moments)}
    for name, part in parts.items():
        tensors |= {f"{name}/{key}": value for key, value in part.state_dict().items()}
    optimisers = {"own": checkpoint.packed(agent.optimiser), "responses": checkpoint.packed(agent.response_optimiser)}
    for name, one in optimisers.items():
        tensors |= {f"optimiser-{name}/{key}": value for key, value in one.tensors.items()}
    tensors |= {f"extra/{key}": _tensor(value) for key, value in arrays.items()}
    for number, played in enumerate(agent._past):
        assert played.clicks is not None
        columns = {f"states/{key}": value for key, value in played.states.items()} | {
            "rows": played.rows, "clicks": played.clicks, "valid": played.valid.astype(np.int8)}  # fmt: skip
        tensors |= {f"past/{number}/{key}": _tensor(value) for key, value in columns.items()}
    state = {
        "optimisers": {name: one.state for name, one in optimisers.items()}, "extra": values, "past": len(agent._past),
        "reading": agent.reading.to_json() if agent.reading else None, "usual": agent.usual, "rounds": agent.rounds,
        "seconds": agent.seconds, "recent": agent.recent, "probed": agent.probed, "start": agent.start.to_json(),
        "way": agent.way,
        "aim": agent.aim_weights.tolist(),
    }  # fmt: skip
    return checkpoint.Checkpoint(tensors, state)


def _take(agent: "Agent", kept: checkpoint.Checkpoint, manifest: Mapping[str, Any]) -> None:
    state = kept.state
    for name, part in (("eyes", agent.eyes), ("response", agent.response), ("networks", agent.networks)):
        part.load_state_dict(kept.under(name))
    for name, one in (("own", agent.optimiser), ("responses", agent.response_optimiser)):
        checkpoint.unpack(one, checkpoint.Checkpoint(kept.under(f"optimiser-{name}"), state["optimisers"][name]))
    agent.reading = Reading(**state["reading"]) if state["reading"] else None
    agent._moments = kept.tensors["moments"].numpy()
    agent.usual, agent.rounds, agent.recent, agent.probed = (
        state["usual"], state["rounds"], state["recent"], state["probed"])  # fmt: skip
    agent.seconds, agent.steps, agent.single = state["seconds"], manifest["steps"], manifest["single"]
    agent.start, agent.way = Start(**state["start"]), state["way"]
    agent.aim_weights = np.asarray(state["aim"], np.float32)
    agent._past = [_past(kept.under(f"past/{number}")) for number in range(state["past"])]
    agent._acting = None
    agent.take({name: tensor.numpy() for name, tensor in kept.under("extra").items()}, state["extra"])


def _past(columns: Mapping[str, Tensor]) -> Any:
    from paretail.policy.agents.sessions import Round

    arrays = {name: tensor.numpy() for name, tensor in columns.items()}
    states = {name.removeprefix("states/"): value for name, value in arrays.items() if name.startswith("states/")}
    valid = arrays["valid"].astype(bool)
    none = np.zeros(valid.shape)
    return Round(
        states, none.astype(np.int64), arrays["rows"], none, arrays["clicks"], none, valid, valid, valid, valid
    )


def to_json(space: spaces.Space[Any]) -> dict[str, Any]:
    """Return an observation space as plain values."""
    if isinstance(space, spaces.Dict):
        return {"kind": "Dict", "parts": {key: to_json(part) for key, part in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"kind": "Tuple", "parts": [to_json(part) for part in space.spaces]}
    if isinstance(space, spaces.Discrete):
        return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "MultiDiscrete", "n": space.nvec.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "MultiBinary", "n": [int(size) for size in space.shape]}
    assert isinstance(space, spaces.Box)
    low, high = (np.asarray(bound, np.float64).ravel() for bound in (space.low, space.high))
    bounds = [[str(value) for value in (np.unique(b) if len(np.unique(b)) == 1 else b)] for b in (low, high)]
    return {"kind": "Box", "bounds": bounds, "shape": list(space.shape), "dtype": np.dtype(space.dtype).name}


def space_of(told: Mapping[str, Any]) -> spaces.Space[Any]:
    """Return the space that `to_json` told."""
    kind = told["kind"]
    if kind == "Dict":
        return spaces.Dict({key: space_of(part) for key, part in told["parts"].items()})
    if kind == "Tuple":
        return spaces.Tuple([space_of(part) for part in told["parts"]])
    if kind == "Discrete":
        return spaces.Discrete(told["n"], start=told["start"])
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(np.array(told["n"]))
    if kind == "MultiBinary":
        return spaces.MultiBinary(told["n"])
    shape, dtype = tuple(told["shape"]), np.dtype(told["dtype"])
    low, high = (np.broadcast_to(_bound(one), int(np.prod(shape))).reshape(shape) for one in told["bounds"])
    return spaces.Box(low.astype(dtype), high.astype(dtype), shape, dtype.type)


def _bound(told: list[str]) -> NDArray[np.float64]:
    values = np.array([float(value) for value in told])
    return values[0] if len(values) == 1 else values


def _tuples(config: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}


def _tensor(values: NDArray[np.generic]) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values))


def _foreign(folder: Path, found: str, name: str) -> AgentError:
    return AgentError(
        Problem("AGENT-10", f"{folder}: {found}", f"Expected a whole agent of the kind {name!r}, as `save` wrote it",
                "Learn it again, or load it by the class that its manifest names")
    )  # fmt: skip
