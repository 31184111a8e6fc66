"""A learned encoder of the last steps of a session: a GRU, or the Transformer that the other stations use.

    token_t = W [Σ_slots φ | Σ_slots click φ],   out = the state after the newest token

Read from the rows that the memory keeps, so that a step needs no unrolled state of its own. A step without a slate is
the token 0. Source of the GRU: K. Cho et al., 2014, arXiv:1406.1078. Deviations: it begins anew `window` steps back.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretail.learn.encoders import Encoder, EncoderConfig
from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.items import Items


class Window(nn.Module):
    """Encodes what was shown and clicked in the last `window` steps."""

    phi: Tensor

    def __init__(self, items: Items, slots: int, config: AgentConfig) -> None:
        super().__init__()
        self.slots, self.steps = slots, min(config.window, max(1, config.kept // slots))
        padded = torch.cat([torch.from_numpy(items.phi), torch.zeros(1, items.phi.shape[1])])
        self.register_buffer("phi", padded, persistent=False)
        self.token = nn.Linear(2 * items.phi.shape[1], config.dim)
        self.gru = nn.GRU(config.dim, config.dim, batch_first=True) if config.encoder == "gru" else None
        asked = EncoderConfig(dim=config.dim, layers=1, heads=2, dropout=0.0, length=self.steps)
        self.encoder = Encoder(asked) if config.encoder == "transformer" else None

    def forward(
        self, rows: Int[Tensor, "batch kept"], clicked: Int[Tensor, "batch kept"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the state after the newest step."""
        kept = self.steps * self.slots
        shown = self.phi[rows[:, :kept].long()].view(-1, self.steps, self.slots, self.phi.shape[1]).flip(1)
        done = clicked[:, :kept].float().view(-1, self.steps, self.slots).flip(1)
        tokens = self.token(torch.cat([shown.sum(2), (shown * done[..., None]).sum(2)], 2) / self.slots**0.5)
        real = (rows[:, : kept : self.slots] >= 0).flip(1)
        if self.gru is not None:
            out: Tensor = self.gru(tokens * real[..., None])[0][:, -1]
            return out
        assert self.encoder is not None
        encoded: Tensor = self.encoder(tokens, real)
        return encoded[:, -1]
