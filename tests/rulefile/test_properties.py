"""Sweeps: no text breaks the loader, no mutation of the shipped file loads silently."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seawall.errors import RuleFileError
from seawall.rulefile import CONSEQUENCE, Known, Loaded, differences, load, parse
from tests.rulefile.texts import DEMO, SHIPPED

TEXT = SHIPPED.read_text()
WHOLE = load(SHIPPED)
BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
FEW = settings(max_examples=40)  # each loads the whole shipped file
MARKETS = frozenset({"BTC-USD", "ETH-USD", "SOL-USD"})
KEY = re.compile(r'(?<=[\s{,])(?:[A-Za-z_]+|[A-Z]+-USD|"\*")(?=: )')
# A key and its value, where the value is one word, a list or a table on the same line.
PAIR = re.compile(r'(?<=[\s{,])[A-Za-z_]+: (?:\[[^\]\n]*\]|"[^"\n]*"|[\w$%.-]+)(?:, )?')


def keys() -> list[re.Match[str]]:
    """Every key of the shipped file outside comments and sentences."""
    found = []
    for match in KEY.finditer(TEXT):
        line = TEXT[TEXT.rfind("\n", 0, match.start()) + 1 : match.start()]
        if "#" not in line and 'why: "' not in line:
            found.append(match)
    return found


KEYS = keys()
PAIRS = [
    m for m in PAIR.finditer(TEXT) if "#" not in TEXT[TEXT.rfind("\n", 0, m.start()) : m.start()]
]


def loaded(text: str) -> Loaded | None:
    """What a text loads as; None where it is refused in the way that refusals are."""
    try:
        return parse(text, known=Known(markets=MARKETS, subaccounts=frozenset({0})))
    except RuleFileError as error:
        judge(error, text)
        return None


def judge(error: RuleFileError, text: str) -> None:
    """A refusal names at least one fault, each within the file, and its consequence."""
    assert error.problems
    assert error.consequence == CONSEQUENCE
    for problem in error.problems:
        assert 1 <= problem.line <= len(BREAK.split(text)) + 1
        assert problem.column >= 1


def test_the_keys_that_are_mutated_are_the_keys_there_are() -> None:
    assert len(KEYS) > 200
    assert {"id", "trigger", "BTC-USD", '"*"', "max_slippage"} <= {m.group() for m in KEYS}


@FEW
@given(st.sampled_from(KEYS), st.data())
def test_a_misspelt_key_never_loads(key: re.Match[str], data: st.DataObject) -> None:
    word = key.group()
    at = data.draw(st.integers(0, len(word) - 1))
    how = data.draw(st.sampled_from(["drop", "double", "swap", "other"]))
    other = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz_"))
    wrong = {
        "drop": word[:at] + word[at + 1 :],
        "double": word[:at] + word[at] + word[at:],
        "swap": word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        "other": word[:at] + other + word[at + 1 :],
    }[how]

    if wrong in (word, ""):
        return
    assert loaded(TEXT[: key.start()] + wrong + TEXT[key.end() :]) is None


@FEW
@given(st.sampled_from(PAIRS))
def test_a_deleted_key_is_refused_or_said_in_words(pair: re.Match[str]) -> None:
    mutant = loaded(TEXT[: pair.start()] + TEXT[pair.end() :])

    if mutant is not None and mutant.digest != WHOLE.digest:
        assert differences(WHOLE.policy, mutant.policy) != ()


@FEW
@given(st.integers(0, len(TEXT.splitlines()) - 1))
def test_a_deleted_line_is_refused_or_said_in_words(number: int) -> None:
    lines = TEXT.splitlines(keepends=True)

    mutant = loaded("".join(lines[:number] + lines[number + 1 :]))

    if mutant is not None and mutant.digest != WHOLE.digest:
        assert differences(WHOLE.policy, mutant.policy) != ()


@FEW
@given(st.integers(0, len(TEXT)), st.integers(0, 40), st.text(max_size=4))
def test_a_file_cut_or_overwritten_anywhere_loads_or_is_refused(
    start: int, length: int, inserted: str
) -> None:
    mutant = loaded(TEXT[:start] + inserted + TEXT[start + length :])

    if mutant is not None and mutant.digest != WHOLE.digest:
        assert differences(WHOLE.policy, mutant.policy) != ()


@given(st.text())
@example("\t")
@example("%YAML 1.1 1.2\n---\n")
@example("{" * 5_000)
@example("- " * 5_000)
@example("? [a]\n: b")
@example("&a [*a]")
@example("rules: !!binary x")
@example('"\\UFFFFFFFF"')
@example('"\\xZZ"')
@example("\ufeffrules:")
@example("rules: |9\n x")
@example("\ud800")
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    assert loaded(text) is None


WORDS = st.sampled_from(
    ["rules:", "- id: a", "levels:", "trigger:", "do:", "[", "]", "{", "}", "notify", "reduce:",
     "scope:", "markets:", "scenarios:", "twin-gap:", "BTC-USD:", "-10%", '"> 12%"', "\n", "\n  ",
     "\n    ", ",", "limits:", "derive_caps:", "account:", "float:", "null", "~", "1", "share:",
     "measure:", "drawdown", "fatal_move", "caps:", "*a", "&a", "why:", "|", ">", "!t", "---\n"]
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=25))
def test_no_shuffle_of_its_own_words_raises_anything_but_a_refusal(words: list[str]) -> None:
    loaded(" ".join(words))


@settings(max_examples=50)
@given(raw=st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(raw)

    with pytest.raises(RuleFileError):
        load(path)


def test_the_demo_rules_survive_their_own_mutants() -> None:
    text = DEMO.read_text()

    for number in range(len(text.splitlines())):
        lines = text.splitlines(keepends=True)
        loaded("".join(lines[:number] + lines[number + 1 :]))
