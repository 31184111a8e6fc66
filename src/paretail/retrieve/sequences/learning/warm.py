"""Warm start: training goes on from an earlier model, whose items and kinds may stand in other rows, or be gone."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretail.retrieve.fitting import WarmStart
from paretail.retrieve.models.sequence import Sequence
from paretail.retrieve.net.starting import rotation
from paretail.retrieve.sequences.learning.net import Net
from paretail.retrieve.sequences.start import explained


@torch.no_grad()
def take_over(net: Net, warm: WarmStart, known: NDArray[np.bool_], kinds: tuple[str, ...]) -> None:
    """Give `net` what the earlier model learned: items' vectors and biases, kinds, and the encoder.

    An item that has its first events now keeps the start of `net`, its vector turned into the earlier vectors'
    coordinates (`rotation`); one without events is what its attributes say. A model of another type or with vectors of
    another length is of no use, and changes nothing.
    """
    model = warm.model
    if not isinstance(model, Sequence) or model.items.shape[1] != net.own.shape[1]:
        return
    rows = warm.learned(dict.fromkeys(model.kinds, 1.0), known)["item"]
    there = rows >= 0
    old = np.zeros(len(known), bool)
    old[rows[there]] = True
    start, before = net.vectors(), torch.from_numpy(np.array(model.items[there], np.float32))
    vectors = (start @ rotation(start[torch.from_numpy(rows[there].astype(np.int64))], before)).numpy()
    vectors[rows[there]] = before.numpy()
    told, own = explained(vectors, net.start.marks, old & known)
    first = known & ~old
    own[first] = (vectors - net.start.marks @ told)[first]
    _put(net.own, own)
    _put(net.told, told)
    net.bias[torch.from_numpy(rows[there].astype(np.int64))] = torch.from_numpy(model.bias[there])
    for number, kind in enumerate(kinds):
        if kind in model.kinds:
            for tensor, name in ((net.kinds, "kinds/vectors"), (net.asked, "kinds/asked")):
                _put(tensor[number], model.arrays()[name][model.kinds.index(kind)])
    for name, tensor in net.encoder.state_dict().items():
        if name in model.encoder and model.encoder[name].shape == tuple(tensor.shape):
            _put(tensor, model.encoder[name])


def _put(tensor: Tensor, array: NDArray[np.float32]) -> None:
    tensor.copy_(torch.from_numpy(np.array(array)))
