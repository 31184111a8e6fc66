import numpy as np
import polars as pl
import pytest

from paretail.data.features.content import content_of, known, standardised


def catalogue(items: int = 40) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    picture = rng.normal(5, [1, 10, 0, 2], (items, 4)).astype(np.float32)
    return pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(items)],
            "title": [None if n == 7 else f"cup {n % 5} of {'tea' if n % 2 else 'milk'}" for n in range(items)],
            "category": [[f"c{n % 3}"] for n in range(items)],
            "brand": [f"b{n % 4}" for n in range(items)],
            "colour": [("red", "blue")[n % 2] for n in range(items)],
            "sku": [f"X-{n}" for n in range(items)],
            "supplier_id": [f"s {n}" for n in range(items)],
            "about": [f"a cup number {n} for you" for n in range(items)],
            "picture": pl.Series([None if n < 3 else row for n, row in enumerate(picture.tolist())],
                                 dtype=pl.Array(pl.Float32, 4)),
            "weight": rng.random(items),
        }
    )  # fmt: skip


def test_titles_free_text_and_vectors_are_content_categories_codes_and_numbers_are_not() -> None:
    assert set(content_of(catalogue())) == {"title", "about", "picture"}


def test_missing_content_is_a_row_of_zeros_and_the_mean_of_the_rest() -> None:
    found = content_of(catalogue())
    assert np.flatnonzero(~known(found["picture"])).tolist() == [0, 1, 2]
    assert np.flatnonzero(~known(found["title"])).tolist() == [7]
    for matrix in found.values():
        assert matrix.dtype == np.float32
        np.testing.assert_allclose(matrix[known(matrix)].mean(axis=0), 0, atol=1e-5)
        assert (matrix[known(matrix)] ** 2).sum(axis=1).mean() == pytest.approx(1, rel=1e-4)


def test_each_number_of_a_vector_counts_alike_and_a_constant_one_not() -> None:
    picture = content_of(catalogue())["picture"]
    deviation = picture[known(picture)].std(axis=0)
    assert deviation[2] == 0
    np.testing.assert_allclose(deviation[[0, 1, 3]], np.sqrt(1 / 3), rtol=1e-4)


def test_another_column_changes_nothing_of_the_first() -> None:
    whole, less = content_of(catalogue()), content_of(catalogue().drop("picture", "brand"))
    assert np.array_equal(whole["title"], less["title"])


def test_what_tells_nothing_apart_is_no_content() -> None:
    same = catalogue().with_columns(title=pl.lit("a cup"), about=pl.lit(None, pl.String))
    assert set(content_of(same)) == {"picture"}
    assert content_of(pl.DataFrame({"item_id": ["a"]})) == {}
    assert content_of(catalogue().head(0)) == {}
    assert standardised(np.zeros((3, 2), np.float32)).shape == (3, 0)
