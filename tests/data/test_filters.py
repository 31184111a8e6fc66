"""Filters are read by a grammar, mean what docs/filters.md says, and their errors point at the place."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.errors import Problem, UsageError
from paretail.data import filters
from paretail.data.conditions import Among, Field, Not, Value, Within
from paretail.data.filter_checks import moment_ms
from paretail.data.filters import parse
from paretail.data.shelf import ItemDocument

from .shelves import conditions, documents, holds, shelf_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "filters.md"


def refusal(text: str) -> Problem:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def refusals(text: str) -> tuple[Problem, ...]:
    shelf = shelf_of({"i0": ItemDocument(brand="x")})
    with pytest.raises(UsageError) as caught:
        shelf.matching(parse(text))
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('category in ["shoes"] and price between 10 and 50 and not brand = "x"',
         'category = "shoes" and price between 10 and 50 and brand != "x"'),
        ("PRICE<3", "PRICE < 3"),
        ("price >= .5 Or price<=-2e3", "price >= 0.5 or price <= -2000"),
        ("a == 1 AND b <> 2", "a = 1 and b != 2"),
        ("a = 1 or b = 2 and c = 3", "a = 1 or b = 2 and c = 3"),
        ("(a = 1 or b = 2) and c = 3", "(a = 1 or b = 2) and c = 3"),
        ("((a = 1) and (b = 2)) and c = 3", "a = 1 and b = 2 and c = 3"),
        ("not (a = 1 and b = 2)", "not (a = 1 and b = 2)"),
        ("not not a = 1", "not a != 1"),
        ("not a is null", "not a is null"),
        ("a is not null and b is null", "a is not null and b is null"),
        ("a not in ['x', \"y\"] or a in []", 'a not in ["x", "y"] or a in []'),
        ("in_stock = True and vegan = FALSE", "in_stock = true and vegan = false"),
        ("`my col` = 1 and attributes.price = 'x' and Attributes . `in` = 2",
         '`my col` = 1 and attributes.price = "x" and attributes.`in` = 2'),
        ("`a``b` = 1 and größe = 2", "`a``b` = 1 and größe = 2"),
        (r"""a = 'it\'s' and b = "say \"hi\"" and c = "\u0041\n\ud83d\ude00" """,
         r'''a = "it's" and b = "say \"hi\"" and c = "A\n😀"'''),
    ],
)  # fmt: skip
def test_expressions_and_their_plain_form(text: str, plain: str) -> None:
    assert str(parse(text)) == plain
    assert parse(plain) == parse(text)
    assert parse(plain).condition == parse(text).condition


def test_what_is_read_is_a_frozen_tree() -> None:
    price = Within(Field("price"), Value("number", 10.0), Value("number", 50.0))
    assert parse("price between 10 and 50").condition == price
    assert parse('brand != "x"').condition == Not(Among(Field("brand"), (Value("text", "x"),)))
    assert parse("a = 1") != parse("a = true")
    assert parse("a = 1") is parse("a = 1")
    assert hash(parse("a=1")) == hash(parse("a = 1.0"))


@pytest.mark.parametrize(
    ("text", "column", "what", "expected"),
    [
        ("", 1, "the filter ends here", "Expected a field, `not` or `(`"),
        ("price betwen 10 and 50", 7, "`betwen` is not expected here", "`between`, `is`, `=`"),
        ("price between 10, 50", 17, "`,` is not expected here", "Expected `and`"),
        ("price <", 8, "the filter ends here", "Expected a text in quotes, a number or true or false"),
        ("brand = nike", 9, "`nike` is not expected here", "a text in quotes"),
        ("brand in ['a', 'b'", 19, "the filter ends here", "Expected `]` or `,`"),
        ("(a = 1", 7, "the filter ends here", "`)`"),
        ("a = 1)", 6, "`)` is not expected here", "`and`, `or` or the end"),
        ("brand = 'x", 9, "the ' that opens here is not closed", "Another '"),
        ("`my col = 3", 1, "the ` that opens here is not closed", "Another `"),
        ("a = 1 && b = 2", 7, "'&' means nothing here", "Expected `and`, `or` or the end"),
        (r"a = 'x\q'", 7, r"`\q` stands for nothing", "One of"),
        (r"a = '\ud800'", 5, "half a character", "Both halves"),
        ("a = 1e999", 5, "`1e999` is too large", "below 1e308"),
        ("and = 1", 1, "`and` is not expected here", "a field"),
    ],
)
def test_an_error_points_at_the_place(text: str, column: int, what: str, expected: str) -> None:
    problem = refusal(text)
    assert problem.code == "FILT-01"
    said, shown, caret = problem.found.split("\n")
    assert said.startswith(f"filter, column {column}: ")
    assert what in said
    assert expected in problem.expected
    assert shown == f"  {text}"
    assert caret == " " * (column + 1) + "^"


def test_a_word_that_resembles_one_of_the_language_is_told() -> None:
    assert refusal("price betwen 1 and 2").do == "Did you mean `between`?"
    assert refusal("price = 1 adn brand = 'x'").do == "Did you mean `and`?"


def test_long_texts_are_shown_around_the_place() -> None:
    text = " and ".join(["price < 3"] * 100) + " und brand = 'x'\n"
    _, shown, caret = refusal(text).found.split("\n")
    assert shown.startswith("  ...")
    assert len(shown) < 100
    assert shown[caret.index("^") :].startswith("und brand")


def test_bounds_of_length_depth_and_lists() -> None:
    parse("a = 1" + " " * (filters.MOST_CHARACTERS - 5))
    assert "4,001 characters" in refusal("a = 1" + " " * (filters.MOST_CHARACTERS - 4)).found
    parse("(" * 1900 + "a = 1" + ")" * 1900)
    assert "not closed" not in refusal("(" * 3999).found
    assert "too deep" in refusal("not " * 900 + "a = 1").found
    assert "too deep" in refusal("(a = 1 and (b = 2 or " * 100 + "c = 3" + "))" * 100).found
    assert "1,001 values" in refusal(f"a in [{','.join('1' * 1001)}]").found
    assert len(parse(f"a in [{','.join('1' * 1000)}]").condition.values) == 1000  # type: ignore[union-attr]


@given(st.text() | st.lists(st.sampled_from(
    ["a", "price", "`", '"', "'x'", "\\", "1", "-", "=", "!=", "<", "in", "[", "]", ",", "between", "and", "or", "not",
     "(", ")", "is", "null", "true", "attributes.", "`b c`", "\ud800", "\x00", " ", "\n"])).map(" ".join))  # fmt: skip
@settings(max_examples=150)
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        found = parse(text)
    except UsageError as error:
        told = error
    else:
        assert parse(str(found)).condition == found.condition
        assert str(parse(str(found))) == str(found)
        return
    assert told.problems[0].code == "FILT-01"
    str(told).encode()  # it can be sent


@given(st.dictionaries(st.sampled_from([f"i{n}" for n in range(8)]), documents(), min_size=1), st.data())
@settings(max_examples=150)
def test_filters_mean_what_a_few_lines_of_python_say(told: dict[str, ItemDocument], data: st.DataObject) -> None:
    shelf = shelf_of(told)
    for _ in range(3):
        wanted = parse(str(data.draw(conditions())))
        expected = [holds(wanted.condition, item_id, document) for item_id, document in told.items()]
        assert shelf.matching(wanted).tolist() == expected, str(wanted)


@given(conditions())
@settings(max_examples=150)
def test_what_is_written_out_reads_back(condition: object) -> None:
    once = parse(str(condition))
    assert parse(str(once)).condition == once.condition


def test_logic_has_two_values() -> None:
    items = {"i0": ItemDocument(brand="x", price_minor=999), "i1": ItemDocument(brand="y"), "i2": ItemDocument()}
    shelf = shelf_of(items)

    def listed(text: str) -> list[bool]:
        return shelf.matching(parse(text)).tolist()

    assert listed('brand = "x"') == [True, False, False]
    assert listed('brand != "x"') == listed('not brand = "x"') == listed('brand not in ["x"]') == [False, True, True]
    assert listed('brand != "x" and brand is not null') == [False, True, False]
    assert listed("price < 10") == [True, False, False]
    assert listed("not price < 10") == [False, True, True]
    assert listed("price is null") == [False, True, True]


def test_prices_are_exact_decimals() -> None:
    shelf = shelf_of({f"i{cents}": ItemDocument(price_minor=cents) for cents in range(30_000)})
    for asked in (19.99, 1.1, 0.29, 4.35, 299.99, 1.005):
        cents = asked * 100
        exact = int(np.floor(round(cents, 6)))
        assert shelf.matching(parse(f"price <= {asked}")).sum() == exact + 1
        assert shelf.matching(parse(f"price = {asked}")).sum() == (abs(cents - round(cents)) < 1e-6)
    assert shelf.matching(parse("price between 1e300 and 1e301")).sum() == 0
    assert shelf.matching(parse("price > -1e300")).sum() == 30_000
    assert shelf.matching(parse("price = -0.01")).sum() == 0


def test_categories_by_word_and_by_the_beginning_of_a_path() -> None:
    shelf = shelf_of({
        "i0": ItemDocument(category=["Shoes", "Men", "Boots"]), "i1": ItemDocument(category=["Coats", "Men"]),
        "i2": ItemDocument(category=["Shoes"]), "i3": ItemDocument(),
    })  # fmt: skip
    expected = {
        'category = "Men"': [True, True, False, False],
        'category = "Shoes > Men"': [True, False, False, False],
        'category in ["Coats>Men", "Boots"]': [True, True, False, False],
        'category = "Men > Boots"': [False] * 4,
        'category = "Shoes > Men > Boots > x"': [False] * 4,
        'category != "Shoes"': [False, True, False, True],
    }
    assert {text: shelf.matching(parse(text)).tolist() for text in expected} == expected


def test_moments_are_seconds_or_dates() -> None:
    shelf = shelf_of({"i0": ItemDocument(created_ts_ms=1_717_200_000_000), "i1": ItemDocument(created_ts_ms=1)})
    for asked in ("1717200000", '"2024-06-01"', '"2024-06-01T00:00:00Z"', '"2024-06-01T02:00+02:00"'):
        assert shelf.matching(parse(f"created = {asked}")).tolist() == [True, False]
        assert shelf.matching(parse(f"created < {asked}")).tolist() == [False, True]
    (problem,) = refusals('created > "yesterday"')
    assert (problem.code, problem.found[:17]) == ("FILT-03", "filter, column 11")


@given(st.text(alphabet="0123456789-:T+Z.W ", max_size=30) | st.datetimes().map(str))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    told = moment_ms(text)
    assert told is None or abs(told) < 3e14


def test_unknown_fields_are_told_with_the_nearest() -> None:
    (problem,) = refusals('colur = "red"')
    assert problem.code == "FILT-02"
    assert "there is no field colur" in problem.found
    assert "did you mean 'colour'?" in problem.expected
    assert "did you mean 'price'?" in refusals("PRICE < 3")[0].expected
    assert refusals("attributes.brand = 'x'")[0].found.startswith(
        "filter, column 12: there is no field attributes.brand"
    )
    assert [p.code for p in refusals("a = 1 or b = 2 or a = 3 or price = 'x'")] == ["FILT-02", "FILT-02", "FILT-03"]
    assert len(refusals(f"price in [{','.join(['true'] * 700)}]")) == 10
    assert len(refusals(" or ".join(f"nothing{n} = 1" for n in range(100)))) == 10


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ('price = "x"', 9, 'price is a number, but "x" is not'),
        ("brand < 3", 1, "brand is a text, which has no order"),
        ("brand = 3", 9, "brand is a text, but 3 is not"),
        ("brand in ['x', true]", 16, "brand is a text, but true is not"),
        ("in_stock = 1", 12, "in_stock is true or false, but 1 is not"),
        ("category between 'a' and 'b'", 1, "category is a list of texts, which has no order"),
        ("price between 1 and false", 21, "price is a number, but false is not"),
    ],
)
def test_values_of_another_type_are_told(text: str, column: int, what: str) -> None:
    (problem,) = refusals(text)
    assert problem.code == "FILT-03"
    assert problem.found.startswith(f"filter, column {column}: {what}\n")


def test_names_that_would_take_long_to_compare_do_not() -> None:
    text = " or ".join(f"{chr(97 + n) * 300} = 1" for n in range(12))
    started = time.perf_counter()
    refusals(text)
    assert time.perf_counter() - started < 1


def test_every_example_of_the_page_is_read() -> None:
    examples = re.findall(r"^```filter\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in examples for line in block.splitlines() if line]
    assert len(lines) > 10
    for line in lines:
        parse(line)
