"""The encoder in numpy is the encoder of torch, for the newest token."""

import numpy as np
import pytest

from paretail.retrieve.sequences.forward import encoded, tokens_of
from paretail.retrieve.sequences.tokens import Tokens

torch = pytest.importorskip("torch")

from paretail.learn.encoders import Encoder, EncoderConfig, last_of  # noqa: E402


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("gap_buckets", [0, 5])
def test_the_newest_token_is_that_of_the_encoder(layers: int, gap_buckets: int) -> None:
    torch.manual_seed(layers)
    config = EncoderConfig(dim=12, layers=layers, heads=3, length=7, gap_buckets=gap_buckets)
    encoder = Encoder(config).eval()
    for param in encoder.parameters():
        torch.nn.init.normal_(param)
    rng = np.random.default_rng(0)
    items, kinds = (rng.standard_normal((n, 12)).astype(np.float32) for n in (9, 2))
    tokens = Tokens(*(rng.integers(most, size=(4, 6)) for most in (9, 2, 5)))
    weights = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    found = encoded(weights, 3, tokens_of(weights, items, kinds, tokens))

    real = torch.ones(4, 6, dtype=torch.bool)
    given = torch.from_numpy(items[tokens.item] + kinds[tokens.kind])
    whole = encoder(given, real, torch.from_numpy(tokens.gap) if gap_buckets else None)
    np.testing.assert_allclose(found, last_of(whole, real).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert found.dtype == np.float32
