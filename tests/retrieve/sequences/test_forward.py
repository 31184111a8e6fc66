"""The compiled encoder is the encoder of torch, for the newest token of each user."""

import numpy as np
import pytest

from paretail.retrieve.sequences.forward import Reader
from paretail.retrieve.sequences.tokens import Sequences

torch = pytest.importorskip("torch")

from paretail.learn.encoders import Encoder, EncoderConfig, last_of  # noqa: E402

LENGTH, HEADS, DIM = 7, 3, 12


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("gap_buckets", [0, 5])
def test_the_newest_token_is_that_of_the_encoder(layers: int, gap_buckets: int) -> None:
    torch.manual_seed(layers)
    config = EncoderConfig(dim=DIM, layers=layers, heads=HEADS, length=LENGTH, gap_buckets=gap_buckets)
    encoder = Encoder(config).eval()
    for param in encoder.parameters():
        torch.nn.init.normal_(param)
    rng = np.random.default_rng(0)
    items, kinds = (rng.standard_normal((n, DIM)).astype(np.float32) for n in (9, 2))
    counts = np.array([3, 0, 10, 1, LENGTH])
    told = Sequences(np.append(0, np.cumsum(counts)), *(rng.integers(most, size=counts.sum()) for most in (9, 2, 5)))
    reader = Reader.of({name: tensor.numpy() for name, tensor in encoder.state_dict().items()}, items, kinds)
    found = reader.newest(told, HEADS, LENGTH)

    assert (found.shape, found.dtype) == ((5, DIM), np.float32)
    assert not found[1].any()
    for user in (0, 2, 3, 4):
        events = np.arange(told.indptr[user], told.indptr[user + 1])[None, -LENGTH:]
        tokens, real = told.at(events), torch.ones(events.shape, dtype=torch.bool)
        given = torch.from_numpy(items[tokens.item] + kinds[tokens.kind])
        whole = encoder(given, real, torch.from_numpy(tokens.gap) if gap_buckets else None)
        expected = last_of(whole, real).detach().numpy()[0]
        np.testing.assert_allclose(found[user], expected, rtol=1e-4, atol=1e-5)
