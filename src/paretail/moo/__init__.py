"""Several objectives at once: Pareto sets, volumes, scalarisation, evolution, directions that suit several gradients.

Pure functions on small arrays. Objectives are always maximised and called gains, losses are always minimised; the sign
flips in `sign.gains` and nowhere else. What concerns gradients sees their Gram matrix alone, `gram[i, j] = <g_i, g_j>`,
and answers with weights: the direction is sum_i w_i g_i, down which all losses go together.
"""
