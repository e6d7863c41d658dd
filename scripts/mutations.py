"""What a mutant is: one small wrong change to a source file, and how it gets into running code.

Changed: comparisons at their bound, == is in and not, + - * / // % & |, and/or, numbers by one,
True/False, conditions negated, min/max, any/all, roundings up and down, abs dropped, a value
returned as None, a statement left out, break and continue. Left alone: text for people (f-strings,
logging), annotations, bounds like 1e-6 that no float meets, and assertions, which tell of our own
faults and have no behaviour to test.
"""

from __future__ import annotations

import ast
import copy
import functools
import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

ROOT = Path(__file__).parents[1]
SHOWN_MOST = 70  # characters of the expression around a change

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
NAMES = {
    "min": "max", "any": "all", "round_up": "round_down", "ppm_up": "ppm_down",
    "quote_up": "quote_down", "minimum": "maximum", "floor": "ceil",
}  # fmt: skip
NAMES |= {new: old for old, new in NAMES.items()}
Step = tuple[str, int | None]  # a field of a node, and the place in it where it is a list


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change: where it is, how it reads, and what to do to the tree."""

    file: str
    function: str  # qualified name, or that of the class or constant
    line: int
    lines: range  # what a test must run to notice
    before: str
    after: str
    path: tuple[Step, ...]
    new: ast.AST
    is_assigned_once: bool  # by a module, a class or a default, at import

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a survivor is listed by: it outlives moved lines."""
        return self.file, self.function, self.before, self.after

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.before} → {self.after}"


def mutants_of(file: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a file, in order of lines."""
    found = list(_walk(file, ast.parse(source), (), []))
    yield from sorted(found, key=lambda one: one.line)


def _walk(
    file: str, node: ast.AST, path: tuple[Step, ...], above: list[ast.AST]
) -> Iterator[Mutant]:
    if _has_no_behaviour(node):
        return
    for new in _changes(node, above):
        yield _mutant(file, node, path, above, new)
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params", "pattern", "bases"):
            continue
        many = value if isinstance(value, list) else [value]
        for index, child in enumerate(many):
            if isinstance(child, ast.AST):
                step = (field, index if isinstance(value, list) else None)
                yield from _walk(file, child, (*path, step), [*above, node])


def _has_no_behaviour(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant(value=str())) | ast.keyword(arg="strict"):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log")))):
            return True
        case _:
            return False


def _changes(node: ast.AST, above: list[ast.AST]) -> Iterator[ast.AST]:
    """What a node may be replaced by."""
    yield from _of_statement(node, above)
    yield from _negated(node)
    match node:
        case ast.Compare(ops=ops):
            met = [n for n, side in enumerate(node.comparators) if not _is_hair(node.left, side)]
            yield from (_with(node, ops=_put(ops, n, OPERATORS[type(ops[n])]())) for n in met)
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op):
            if type(op) in OPERATORS and not _joins_types(op, above):
                yield _with(node, op=OPERATORS[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int() | float() as number):
            said = _said_by_a_comparison(node, above[-1])
            yield from (ast.Constant(value=number + by) for by in (1, -1) if by != said)
        case ast.Call(func=ast.Name(id="abs"), args=[only]):
            yield only
        case ast.Call(func=ast.Name(id="Decimal"), args=[ast.Constant(value=str() as text)]):
            yield _with(node, args=[ast.Constant(value=str(Decimal(text) + 1))])
        case ast.Call(func=ast.Name(id=name) as func) if name in NAMES:
            yield _with(node, func=_with(func, id=NAMES[name]))
        case ast.Call(func=ast.Attribute(attr=name) as func) if name in NAMES:
            yield _with(node, func=_with(func, attr=NAMES[name]))


def _is_hair(*sides: ast.expr) -> bool:
    """Whether a bound is a float like 1e-6: none that it is compared to is ever exactly that."""
    numbers = [side.value for side in sides if isinstance(side, ast.Constant)]
    return any(isinstance(number, float) and number % 1 for number in numbers)


def _said_by_a_comparison(number: ast.Constant, parent: ast.AST) -> int:
    """The step of a bound that `<` and `<=` swapped make as well, for integers; 0 for none."""
    if not isinstance(parent, ast.Compare) or number not in parent.comparators or _is_hair(number):
        return 0
    match parent.ops[parent.comparators.index(number)]:
        case ast.Lt() | ast.GtE():
            return 1
        case ast.LtE() | ast.Gt():
            return -1
        case _:
            return 0


def _of_statement(node: ast.AST, above: list[ast.AST]) -> Iterator[ast.AST]:
    """Statements left out, or done otherwise."""
    match node:
        case ast.Return(value=ast.AST() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(value=ast.Constant(value=None))
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Return(value=None):
            yield ast.Pass()
        case ast.Assign(targets=[target]) if _is_kept_without(target, above):
            yield ast.Pass()


def _negated(node: ast.AST) -> Iterator[ast.AST]:
    """Conditions that ask the opposite."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            if _is_negatable(test):
                yield _with(node, test=_not(test))
        case ast.comprehension(ifs=ifs):
            for index, one in enumerate(ifs):
                if _is_negatable(one):
                    yield _with(node, ifs=_put(ifs, index, _not(one)))
        case ast.match_case(guard=ast.expr() as guard) if _is_negatable(guard):
            yield _with(node, guard=_not(guard))


def _joins_types(op: ast.AST, above: list[ast.AST]) -> bool:
    """Whether `|` makes a union: at the top of a module or in isinstance."""
    call = above[-1]
    asks = isinstance(call, ast.Call) and ast.unparse(call.func) == "isinstance"
    return isinstance(op, ast.BitOr) and (len(above) == 2 or asks)


def _put(many: Sequence[object], index: int, one: object) -> list[object]:
    return [*many[:index], one, *many[index + 1 :]]


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(op=ast.Not(), operand=test)


def _is_negatable(test: ast.expr) -> bool:
    """Whether no other mutant says the same: `not x` is dropped, `==` is swapped."""
    if isinstance(test, ast.UnaryOp):
        return not isinstance(test.op, ast.Not)
    two_sided = ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn
    return not (isinstance(test, ast.Compare) and isinstance(test.ops[0], two_sided))


def _is_kept_without(target: ast.expr, above: list[ast.AST]) -> bool:
    """Whether a function can still run without an assignment: its target has a value before."""
    function = _function_in(above)
    if function is None or not isinstance(target, ast.Name):
        return function is not None and isinstance(target, ast.Attribute | ast.Subscript)
    if any(isinstance(n, ast.arg) and n.arg == target.id for n in ast.walk(function.args)):
        return True
    names = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == target.id]
    return any(isinstance(n.ctx, ast.Store) and n.lineno < target.lineno for n in names)


def _function_in(nodes: Sequence[ast.AST]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The outermost function, whose code holds that of all inside it."""
    return next((n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)), None)


def _mutant(
    file: str, node: ast.AST, path: tuple[Step, ...], above: list[ast.AST], new: ast.AST
) -> Mutant:
    located = next(n for n in (node, *reversed(above)) if hasattr(n, "lineno"))
    if isinstance(node, ast.comprehension | ast.match_case):
        located = node.target if isinstance(node, ast.comprehension) else node.body[0]
    before, after = _shown(node, above, path, new)
    function = _function_in(above)
    named = [n for n in above if isinstance(n, ast.ClassDef) or n is function]
    where = ".".join(getattr(one, "name", "") for one in named)
    return Mutant(
        file=file,
        function=where or "module",
        line=located.lineno,
        lines=_lines(node, above),
        before=before,
        after=after,
        path=path,
        new=new,
        is_assigned_once=function is None or function.args in above,
    )


def _shown(
    node: ast.AST, above: list[ast.AST], path: tuple[Step, ...], new: ast.AST
) -> tuple[str, str]:
    """The smallest telling piece of code around a change, and the same once changed."""
    if isinstance(node, ast.If | ast.While):
        return ast.unparse(node.test), ast.unparse(new.test)  # type: ignore[attr-defined]
    if isinstance(node, ast.match_case):
        return ast.unparse(node.guard), ast.unparse(new.guard)  # type: ignore[attr-defined, arg-type]
    old, shown = node, new
    for (field, index), parent in zip(reversed(path), reversed(above), strict=True):
        simple = isinstance(
            parent,
            ast.expr | ast.keyword | ast.comprehension | ast.Return | ast.Assign | ast.AnnAssign,
        )
        if isinstance(old, ast.stmt) or not simple:
            break
        if isinstance(parent, ast.expr | ast.stmt) and len(ast.unparse(parent)) > SHOWN_MOST:
            break
        value = shown if index is None else _put(getattr(parent, field), index, shown)
        old, shown = parent, _with(parent, **{field: value})
    before, after = (ast.unparse(ast.fix_missing_locations(n)).strip() for n in (old, shown))
    if isinstance(node, ast.Return) and len(before) > SHOWN_MOST:
        before = before[:SHOWN_MOST] + "…"
    return before, after


def _lines(node: ast.AST, above: list[ast.AST]) -> range:
    """The lines of the simple statement around a node, or of the head of a compound one."""
    chain = [n for n in (*above, node) if isinstance(n, ast.stmt | ast.match_case)]
    inner = chain[-1]
    if isinstance(inner, ast.match_case):
        return range(inner.pattern.lineno, inner.body[0].lineno)
    if isinstance(inner, ast.Match):
        return range(inner.lineno, inner.cases[0].pattern.lineno)
    assert isinstance(inner, ast.stmt)
    body: list[ast.stmt] = getattr(inner, "body", [])
    assert inner.end_lineno is not None
    return range(inner.lineno, body[0].lineno if body else inner.end_lineno + 1)


def apply(mutant: Mutant) -> None:
    """Put a mutant into the code of this process, which is good for nothing else afterwards."""
    tree = ast.parse((ROOT / mutant.file).read_text())
    nodes: list[ast.AST] = [tree]
    for field, index in mutant.path:
        value = getattr(nodes[-1], field)
        nodes.append(value if index is None else value[index])
    field, index = mutant.path[-1]
    if index is None:
        setattr(nodes[-2], field, mutant.new)
    else:
        getattr(nodes[-2], field)[index] = mutant.new
    ast.fix_missing_locations(tree)
    parts = Path(mutant.file).with_suffix("").parts[1:]
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    first = _function_in(nodes)
    if first is not None and first.args not in nodes:
        names = [n.name for n in nodes if isinstance(n, ast.ClassDef)] + [first.name]
        _function(module, names).__code__ = _code(compile(tree, mutant.file, "exec"), names)
        return
    changed: set[str] = set()
    for statement in tree.body:
        _reassign(module, module, statement, mutant.new, changed)


def _function(module: ModuleType, names: list[str]) -> FunctionType:
    found: object = module
    for name in names:
        found = vars(found)[name]
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, functools.cached_property):
        found = found.func
    found = inspect.unwrap(getattr(found, "__func__", found))  # type: ignore[arg-type]
    assert isinstance(found, FunctionType)
    return found


def _code(code: CodeType, names: list[str]) -> CodeType:
    for name in names:
        inner = [c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name]
        code = inner[0]
    return code


def _reassign(
    module: ModuleType, owner: object, statement: ast.stmt, new: ast.AST, changed: set[str]
) -> None:
    """Evaluate again what is assigned from a changed expression, wherever it has been copied to."""

    def is_stale(value: ast.AST | None) -> bool:
        parts = [] if value is None else ast.walk(value)
        return any(n is new or (isinstance(n, ast.Name) and n.id in changed) for n in parts)

    def fresh(value: ast.expr) -> object:
        return eval(compile(ast.Expression(value), "", "eval"), vars(module))

    match statement:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value)
            | ast.AnnAssign(target=ast.Name(id=name), value=value)
        ) if value is not None and is_stale(value):
            if owner is module:
                _rebind(name, vars(module)[name], fresh(value))
                changed.add(name)
            else:
                vars(owner)["__init__"].__kwdefaults__[name] = fresh(value)
        case ast.ClassDef(name=name, body=body):
            for inner in body:
                _reassign(module, vars(owner)[name], inner, new, changed)
        case ast.FunctionDef(name=name, args=args) | ast.AsyncFunctionDef(name=name, args=args):
            named = zip(args.kwonlyargs, args.kw_defaults, strict=True)
            stale = {a.arg: fresh(v) for a, v in named if v is not None and is_stale(v)}
            if stale:
                kept = vars(owner)[name]
                getattr(kept, "__func__", kept).__kwdefaults__.update(stale)
        case _:
            pass


def _rebind(name: str, old: object, new: object) -> None:
    for module in list(sys.modules.values()):
        if vars(module).get(name) is old:
            vars(module)[name] = new
