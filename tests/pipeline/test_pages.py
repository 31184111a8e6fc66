"""The pages of reports: titles and remarks are text, not HTML, but for what stands in backticks."""

from paretail.pipeline.pages import listed, opening


def test_remarks_are_escaped_and_backticks_are_code() -> None:
    lines = ['set `[rank] order = "model"` & <see>', "a lone ` stays"]
    assert listed(lines) == (
        "<ul><li>set <code>[rank] order = &quot;model&quot;</code> &amp; &lt;see&gt;</li><li>a lone ` stays</li></ul>"
    )
    assert (listed([]), listed([], "nothing")) == ("", "<ul><li>nothing</li></ul>")


def test_a_title_is_escaped_in_both_places() -> None:
    page = opening("A & B", "p{margin:0}")
    assert page.count("A &amp; B") == 2
    assert "p{margin:0}</style><h1>" in page
