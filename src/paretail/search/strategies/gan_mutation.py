"""The discriminator without the generator: mutations of the best, of which those that are judged best are trained.

The critic of S. Rezaei et al., IJCAI 2021, arXiv:2105.09356, as in `strategies/gan.py`, with the candidates of C. White
et al., AAAI 2021, arXiv:1910.11858. Deviations: 1. the winners are told from the mutants of the last round.

Needs the extra `learn`.
"""

from paretail.search.strategies.gan import Gan, GanConfig


class GanMutationConfig(GanConfig):
    """Settings of the strategy `gan-mutation`."""

    generator: bool = False


class GanMutation(Gan):
    """Asks for the mutants that its discriminator likes."""

    name = "gan-mutation"
    config_type = GanMutationConfig
