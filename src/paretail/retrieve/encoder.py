"""Texts as vectors by a local sentence encoder: a folder that the library sentence-transformers wrote or can read.

Source: N. Reimers, I. Gurevych, "Sentence-BERT: sentence embeddings using Siamese BERT-networks", EMNLP 2019,
arXiv:1908.10084. The folder is read from this machine alone and asked once in training; a bundle needs neither it nor
the library. Deviations: null and blank texts are zeros; pooling is whatever the folder says.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import ConfigError, DataError, MissingExtraError, Problem

Dense = NDArray[np.float32]


def encoded(texts: pl.Series, folder: str) -> Dense:
    """Return `[texts, dim of the encoder]`; null and blank texts are zeros, equal texts alike.

    Raises ConfigError (CONT-01: no folder), MissingExtraError (CONT-02: no library), DataError (CONT-03: no vectors).
    """
    check_folder(folder)
    words = texts.str.strip_chars()
    there = (words.is_not_null() & (words != "")).fill_null(False)
    distinct = words.filter(there).unique(maintain_order=True)
    vectors = _vectors(folder, tuple(distinct.to_list()))
    out = np.zeros((len(texts), vectors.shape[1]), np.float32)
    rows = pl.DataFrame({"text": words.filter(there)}).join(
        pl.DataFrame({"text": distinct}).with_row_index("at"), on="text", how="left", maintain_order="left"
    )
    out[there.to_numpy()] = vectors[rows["at"].to_numpy()]
    return out


def check_folder(folder: str) -> None:
    """Raise ConfigError where there is no such folder: an encoder is never downloaded."""
    if not Path(folder).is_dir():
        raise ConfigError(
            Problem(
                "CONT-01",
                f"[model.settings] text_encoder = {folder!r} is no folder",
                "The folder of a sentence-transformers model on this machine",
                "Correct the path (absolute, or relative to where train runs), or fetch the model beforehand",
            )
        )


@lru_cache(maxsize=4)  # settings are tried on splits of one catalogue
def _vectors(folder: str, texts: tuple[str, ...]) -> Dense:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtraError(
            Problem(
                "CONT-02",
                f"[model.settings] text_encoder is set, and sentence_transformers cannot be imported ({error})",
                "The library that reads such a model",
                "Install it: pip install sentence-transformers; or remove text_encoder",
            )
        ) from None
    if not texts:
        return np.zeros((0, 0), np.float32)
    encoder = SentenceTransformer(folder, local_files_only=True)
    vectors = np.asarray(encoder.encode(list(texts), convert_to_numpy=True, show_progress_bar=False), np.float32)
    return _checked(vectors, len(texts), folder)


def _checked(vectors: Dense, texts: int, folder: str) -> Dense:
    found = None
    if vectors.ndim != 2 or len(vectors) != texts:
        found = f"an array of shape {vectors.shape} for {texts:,} texts"
    elif bad := int((~np.isfinite(vectors)).any(axis=1).sum()):
        found = f"{bad:,} of {texts:,} vectors with NaN or infinity"
    if found is not None:
        expected = "A finite vector of one length for each text"
        raise DataError(Problem("CONT-03", f"the encoder in {folder!r} returned {found}", expected, "Use another one"))
    return vectors
