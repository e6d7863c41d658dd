"""Several values in one text of the environment or of a secret file."""

from __future__ import annotations

import pytest

from seawall.listed import listed


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("one:443, two:443", ("one:443", "two:443")),
        ("", ()),
        ("[::1]:9090,[::1]:9091", ("[::1]:9090", "[::1]:9091")),
        ('["json://one/token"]', ("json://one/token",)),
        (' ["mailto://u:p@x?to=a,b", "json://two"] ', ("mailto://u:p@x?to=a,b", "json://two")),
    ],
)
def test_commas_or_a_json_list_separate_values(text: str, values: tuple[str, ...]) -> None:
    assert listed(text) == values


def test_what_is_no_text_stays_as_it_is() -> None:
    assert listed(["a,b"]) == ["a,b"]


def test_a_list_that_does_not_end_is_refused_without_its_words() -> None:
    with pytest.raises(ValueError, match="begins as a JSON list and is none") as caught:
        listed('["json://one/s3cret"')

    assert "s3cret" not in str(caught.value)
