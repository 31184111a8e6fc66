"""An architecture as a graph of parts: each is fed by earlier ones, all lead to the loss, all are drawn."""

from xml.etree import ElementTree

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paretail.search.picture import drawing, parts

from .test_space import WIDE


@given(st.integers(0, 10_000))
def test_every_part_leads_to_the_loss_and_is_drawn(seed: int) -> None:
    (point,) = WIDE.sample(np.random.default_rng(seed), 1)
    settings = WIDE.settings(point)
    found = parts(settings)
    feeds = np.zeros((len(found), len(found)), bool)
    for number, part in enumerate(found):
        feeds[list(part.fed_by), number] = True
    assert not np.tril(feeds).any()
    reach = np.linalg.matrix_power(np.eye(len(found), dtype=int) + feeds, len(found))
    assert (reach[:, -1] > 0).all()
    assert sum(part.kind == "layer" for part in found) == settings["depth"]
    root = ElementTree.fromstring(drawing(settings))
    assert len(root.findall("rect")) == len(found)
    assert len(root.findall("path")) == feeds.sum()
    boxes = {(box.get("x"), box.get("y")) for box in root.findall("rect")}
    assert len(boxes) == len(found)
