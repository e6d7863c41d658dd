"""The command line as a whole: what ends how, and how fast it answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

from seawall import __version__, cli
from seawall.cli import VERBS, Verb, main
from seawall.errors import JournalBroken, NotArmed, OperatorError, SeawallError, VenueUnreachable

HEAVY = ("grpc", "v4_proto", "dydx_v4_client", "numpy", "sqlite3", "asyncio", "pydantic")


def code_of(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Makes `seawall audit` do something else."""

    def put(action: Callable[[], None]) -> None:
        app = typer.Typer()
        app.command()(action)
        stand_in = type(sys)("stand_in")
        stand_in.app = app  # type: ignore[attr-defined]  # a module made by hand
        monkeypatch.setattr(cli, "import_module", lambda _: stand_in)

    return put


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SeawallError("it failed"), 1),
        (JournalBroken(3, "is missing"), 1),
        (OperatorError("it failed"), 2),
        (NotArmed("it failed"), 3),
        (VenueUnreachable("it failed"), 4),
    ],
)
def test_an_error_is_one_line_on_stderr_and_the_exit_code_of_its_kind(
    verb: Callable[[Callable[[], None]], None],
    capsys: pytest.CaptureFixture[str],
    error: SeawallError,
    code: int,
) -> None:
    def act() -> None:
        raise error

    verb(act)

    assert code_of("audit") == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"seawall: {error}\n")


def test_every_line_of_a_longer_refusal_carries_our_name(
    verb: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def act() -> None:
        raise OperatorError("one\ntwo")

    verb(act)

    assert code_of("audit") == 2
    assert capsys.readouterr().err == "seawall: one\nseawall: two\n"


def test_an_interrupt_ends_with_130(verb: Callable[[Callable[[], None]], None]) -> None:
    def act() -> None:
        raise KeyboardInterrupt

    verb(act)

    assert code_of("audit") == 130


def test_what_went_well_ends_with_0(
    verb: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(lambda: typer.echo("done"))

    assert code_of("audit") == 0
    assert capsys.readouterr().out == "done\n"


def test_our_own_mistakes_are_not_dressed_up(verb: Callable[[Callable[[], None]], None]) -> None:
    def act() -> None:
        raise ZeroDivisionError

    verb(act)

    with pytest.raises(ZeroDivisionError):
        main(["audit"])


def test_an_unknown_verb_or_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("auditt") == 2
    assert "No such command" in capsys.readouterr().err
    assert code_of("--nope") == 2


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("--version") == 0
    assert capsys.readouterr().out == f"seawall {__version__}\n"


def test_help_names_every_verb_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("--help") == 0

    shown = capsys.readouterr().out
    for known in VERBS:
        assert known.name in shown
        assert known.help in shown


@pytest.mark.parametrize("known", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_help_with_an_example(
    known: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ("audit list", "audit show", "audit verify") if known.name == "audit" else (known.name,)

    for words in parts:
        assert code_of(*words.split(), "--help") == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert f"Example: seawall {words}" in shown
        assert "completion" not in shown


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom seawall.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )

    assert "heavy: []" in python("-c", script).stdout


def test_checking_a_file_needs_no_venue() -> None:
    script = (
        "import sys\nfrom seawall.cli import main\n"
        "try: main(['check', 'no-such-file.yaml'])\nexcept SystemExit as end: print(end.code)\n"
        "print('heavy:', [name for name in ('grpc', 'v4_proto') if name in sys.modules])"
    )

    done = python("-c", script)
    assert "heavy: []" in done.stdout, done.stderr
    assert "2" in done.stdout


def test_python_without_assertions_is_refused() -> None:
    done = python("-O", "-m", "seawall.cli", "--version")

    assert done.returncode == 2
    assert done.stderr.startswith("seawall: Python runs with -O")


def test_the_module_is_the_command() -> None:
    done = python("-m", "seawall.cli", "--version")

    assert (done.returncode, done.stdout) == (0, f"seawall {__version__}\n")


def test_a_reader_that_went_away_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m seawall.cli --help | true",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in done.stderr
