"""The digest a rule set is armed under changes with what is asked for, and nothing else."""

from __future__ import annotations

import json

import pytest

from seawall.rulefile import canonical_text, differences, load, parse
from tests.rulefile.texts import SHIPPED, TWIN_GAP, one_rule

BASE = one_rule(head=TWIN_GAP)


def test_comments_spelling_and_lines_do_not_change_a_digest() -> None:
    spelt = BASE.replace("$9_000", "$9000.00").replace("150bps", "1.5%").replace("-10%", "-1000bps")
    commented = "# a calm day\n\n" + BASE.replace("do:", "# loud enough?\n    do:")
    defaults = one_rule(head="version: 1\n" + TWIN_GAP + "price_band: 3%\n", for_="0s")

    digests = {parse(text).digest for text in (BASE, spelt, commented, defaults)}

    assert len(digests) == 1


def test_the_order_of_a_table_does_not_change_a_digest() -> None:
    turned = TWIN_GAP.replace('BTC-USD: -10%, "*": -15%', '"*": -15%, BTC-USD: -10%')

    assert parse(one_rule(head=turned)).digest == parse(BASE).digest


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("$9_000", "$9_000.01"),
        ('"> $', '">= $'),
        ("[notify]", "[page]"),
        ("[notify]", "[notify, page]"),
        ("id: gross", "id: gros"),
        ("Enough", "Plenty"),
        ("-15%", "-15.01%"),
        ("150bps", "151bps"),
        ("both_signs: true", "both_signs: false"),
        ("twin-gap", "twin-gaps"),
        ("gross_exposure", "net_exposure"),
    ],
)
def test_whatever_is_asked_for_changes_the_digest_and_is_said(right: str, wrong: str) -> None:
    old, new = parse(BASE), parse(BASE.replace(right, wrong))

    assert old.digest != new.digest
    assert differences(old.policy, new.policy) != ()


def test_the_canonical_text_is_stable_json_without_lines() -> None:
    text = canonical_text(load(SHIPPED).policy)

    again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert again == text
    assert '"line"' not in text


def test_the_digest_of_a_known_file_is_pinned() -> None:
    """A change here un-arms every rule set in the field: it needs a line in the changelog."""
    assert parse(BASE).digest == (
        "c4fd8a8e7cc6605a810e32506b37231ebe689501dd2645dad53f40a76dab3e8f"
    )
