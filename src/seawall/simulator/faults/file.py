"""Fault files, and the words of `--faults`: a file, or `seed:7`.

```yaml
faults:
  - {kind: node_frozen, first: 120, last: 180}
  - {kind: answer_lost, when: reduce, first: 0, last: 1}
  - {kind: oracle_wrong, first: 300, last: 360, amount: "-0.10", ticker: ETH-USD}
```

Blocks count from the first one that is played, or from what the fault waits for.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from seawall.errors import OperatorError, PriceFileError, Problem
from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.schedule import Fault, Faults, random_faults

SEED = "seed:"
SEEDED_BLOCKS = 600
KEYS = ("kind", "first", "last", "when", "ticker", "amount", "seconds", "blocks")


def faults_of(words: str) -> Faults:
    """The schedule that `--faults` names; raises OperatorError."""
    if words.startswith(SEED):
        seed = words.removeprefix(SEED)
        if not seed.isdecimal():
            raise OperatorError(f"--faults {words!r}: expected a file, or seed:7")
        return random_faults(int(seed), SEEDED_BLOCKS)
    return load_faults(Path(words))


def load_faults(file: Path) -> Faults:
    """Read a fault file; raises PriceFileError with every problem, its line and its remedy."""
    try:
        root = YAML(pure=True).compose(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PriceFileError(f"{file}: cannot be read ({error}): give a fault file") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise PriceFileError(f"{place} {error.problem}: not YAML") from error
    reader = _Reader(str(file))
    faults = reader.faults(root)
    if reader.problems:
        raise PriceFileError("\n".join(str(problem) for problem in reader.problems))
    return faults


def read_rows(file: str, node: Node) -> tuple[Faults, tuple[Problem, ...]]:
    """Faults written as a list inside another file, and what is wrong with it."""
    reader = _Reader(file)
    if not isinstance(node, SequenceNode):
        reader.complain(node, "expected a list of faults")
        return Faults(), tuple(reader.problems)
    return reader.rows(node), tuple(reader.problems)


class _Reader:
    """Turns YAML nodes into faults and collects what is wrong on the way."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.problems: list[Problem] = []

    def faults(self, root: Node | None) -> Faults:
        rows = None
        if isinstance(root, MappingNode):
            rows = next((v for k, v in root.value if k.value == "faults"), None)
        if not isinstance(rows, SequenceNode):
            self.complain(root, "expected `faults:` with a list below it")
            return Faults()
        return self.rows(rows)

    def rows(self, listed: SequenceNode) -> Faults:
        """The faults of a list."""
        found = [self._fault(row) for row in listed.value]
        return Faults(faults=tuple(one for one in found if one is not None))

    def _fault(self, row: Node) -> Fault | None:
        if not isinstance(row, MappingNode):
            self.complain(row, "expected a fault such as {kind: gate_up, first: 10, last: 60}")
            return None
        words: dict[str, ScalarNode] = {}
        for key, value in row.value:
            if key.value not in KEYS:
                known = ", ".join(KEYS)
                self.complain(key, f"`{key.value}`: unknown key, expected one of {known}")
            elif not isinstance(value, ScalarNode):
                self.complain(value, f"`{key.value}`: expected one word or number")
            else:
                words[key.value] = value
        for needed in ("kind", "first"):
            if needed not in words:
                self.complain(row, f"`{needed}` is missing")
        return self._typed(row, words)

    def _typed(self, row: Node, words: Mapping[str, ScalarNode]) -> Fault | None:
        before = len(self.problems)
        kind = self._kind(words["kind"]) if "kind" in words else None
        when = self._when(words["when"]) if "when" in words else When.START
        first = self._whole(words["first"]) if "first" in words else 0
        last = self._whole(words["last"]) if "last" in words else first
        if last < first:
            self.complain(row, f"last {last} is before first {first}")
        amount = self._amount(words["amount"]) if "amount" in words else None
        seconds = self._seconds(words["seconds"], kind) if "seconds" in words else None
        blocks = self._whole(words["blocks"]) if "blocks" in words else None
        if kind is None or len(self.problems) > before:
            return None
        return Fault(
            kind=kind,
            first=first,
            last=last,
            when=when,
            ticker=str(words["ticker"].value) if "ticker" in words else None,
            amount=amount,
            seconds=seconds,
            blocks=blocks,
        )

    def _kind(self, node: ScalarNode) -> FaultKind | None:
        if node.value not in tuple(FaultKind):
            self.complain(node, f"`{node.value}`: expected one of {', '.join(FaultKind)}")
            return None
        return FaultKind(node.value)

    def _when(self, node: ScalarNode) -> When:
        if node.value not in tuple(When):
            self.complain(node, f"`{node.value}`: expected one of {', '.join(When)}")
            return When.START
        return When(node.value)

    def _whole(self, node: ScalarNode) -> int:
        digits = str(node.value).replace("_", "")
        if not digits.isdecimal():
            self.complain(node, f"`{node.value}`: expected a whole number of at least 0")
            return 0
        return int(digits)

    def _seconds(self, node: ScalarNode, kind: FaultKind | None) -> int:
        digits = str(node.value).replace("_", "")
        if kind is FaultKind.CLOCK_SKEW and digits.startswith("-") and digits[1:].isdecimal():
            return int(digits)  # a clock may be early
        return self._whole(node)

    def _amount(self, node: ScalarNode) -> Decimal:
        try:
            found = Decimal(str(node.value))
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite() or found <= -1:
            self.complain(node, f"`{node.value}`: expected a fraction above -1, such as -0.10")
            return Decimal(0)
        return found

    def complain(self, node: Node | None, message: str) -> None:
        """Note a problem with its place."""
        line, column = (
            (1, 1) if node is None else (node.start_mark.line + 1, node.start_mark.column + 1)
        )
        self.problems.append(Problem(file=self._file, line=line, column=column, message=message))
