"""A size's name is how many parameters it has with 12,000 items."""

import pytest

pytest.importorskip("torch")

from paretail.learn.encoders import Encoder, EncoderConfig
from paretail.retrieve.sequences.sizes import SIZES, SizeName


@pytest.mark.parametrize("name", list(SIZES))
def test_a_size_has_the_parameters_that_its_name_says(name: SizeName) -> None:
    size = SIZES[name]
    encoder = Encoder(EncoderConfig(dim=size.dim, layers=size.layers, heads=size.heads))
    count = 12_000 * size.dim + sum(param.numel() for param in encoder.parameters())
    assert count == pytest.approx(1e6 * float(name.removesuffix("M")), rel=0.15)
