"""CloudWatch metric math over aligned series: the part of it that the templates use.

A series is a tuple of numbers, one a period, oldest first; None is a period without data. An
expression gives a series of the same length. Arithmetic on a missing value, and division by zero,
give no value. There are `+ - * / ^`, comparisons (1 or 0), `&&`, `||`, `AND`, `OR`, `IF`, `FILL`,
`SUM`, `AVG`, `MIN`, `MAX` and `PERIOD`.

The expression is parsed as a Python one, and only the nodes named here are walked: nothing is
executed. Source: Amazon CloudWatch user guide, "Using math expressions with CloudWatch metrics",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html.
"""

from __future__ import annotations

import ast
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Series = tuple[float | None, ...]
Value = float | Series | list[Series]

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_FUNCTIONS = frozenset(_STATISTICS) | {"IF", "FILL", "PERIOD"}
# CloudWatch's spelling of an operator, and Python's.
_SPELLINGS = (
    (r"\^", "**"),
    (r"&&", " and "),
    (r"\|\|", " or "),
    (r"\bAND\b", "and"),
    (r"\bOR\b", "or"),
    # `IF` is a Python keyword in lower case only, so it needs no change.
)


class MetricMathError(ValueError):
    """The expression is wrong, or uses what this module does not have; the message says what."""


@dataclass(frozen=True)
class _Scope:
    series: Mapping[str, Series]
    length: int
    period: float


def names(expression: str) -> frozenset[str]:
    """The ids of the queries that an expression refers to. Raises MetricMathError."""
    found = {node.id for node in ast.walk(_parse(expression)) if isinstance(node, ast.Name)}
    return frozenset(found - _FUNCTIONS - {"REPEAT"})


def evaluate(
    expression: str, series: Mapping[str, Series], *, length: int, period: float
) -> Series:
    """The series of an expression.

    Args:
        expression: metric math, as in a MetricDataQuery.
        series: the values of every id the expression refers to, each of `length` values.
        length: the number of periods.
        period: the length of a period in seconds, what `PERIOD` gives.

    Raises MetricMathError.

    """
    value = _value(_parse(expression), _Scope(series, length, period))
    if isinstance(value, list):
        raise MetricMathError(f"{expression!r} gives several time series, an alarm takes one")
    return _series(value, length)


def _parse(expression: str) -> ast.expr:
    text = expression.strip()
    for pattern, replacement in _SPELLINGS:
        text = re.sub(pattern, replacement, text)
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise MetricMathError(f"{expression!r} is no metric math expression") from error


def _value(node: ast.expr, scope: _Scope) -> Value:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            if name not in scope.series:
                raise MetricMathError(f"there is no query with the id {name!r}")
            return scope.series[name]
        case ast.List(elts=elements):
            return [_single(element, scope) for element in elements]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _map(operator.neg, _single(operand, scope))
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _ARITHMETIC:
            return _apply(_ARITHMETIC[type(kind)], left, right, scope)
        case ast.Compare(left=left, ops=[kind], comparators=[right]) if type(kind) in _COMPARISONS:
            compare = _COMPARISONS[type(kind)]
            return _apply(lambda a, b: float(compare(a, b)), left, right, scope)
        case ast.BoolOp(op=kind, values=operands):
            decide = all if isinstance(kind, ast.And) else any
            return _map(lambda *row: float(decide(row)), *(_single(o, scope) for o in operands))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, arguments, scope)
    raise MetricMathError(f"{ast.unparse(node)!r} is not supported")


def _call(name: str, arguments: list[ast.expr], scope: _Scope) -> Value:
    match name, arguments:
        case ("IF", [condition, then]):
            return _choose(condition, then, None, scope)
        case ("IF", [condition, then, otherwise]):
            return _choose(condition, then, otherwise, scope)
        case ("FILL", [metric, ast.Name(id="REPEAT")]):
            return _repeat(_single(metric, scope))
        case ("FILL", [metric, filler]):
            pairs = zip(_single(metric, scope), _single(filler, scope), strict=True)
            return tuple(fill if value is None else value for value, fill in pairs)
        case ("SUM" | "AVG" | "MIN" | "MAX", [argument]):
            return _statistic(_STATISTICS[name], _value(argument, scope))
        case ("PERIOD", [ast.Name()]):
            return float(scope.period)
    raise MetricMathError(f"{name} with {len(arguments)} arguments is not supported")


def _choose(
    condition: ast.expr, then: ast.expr, otherwise: ast.expr | None, scope: _Scope
) -> Series:
    missing: Series = (None,) * scope.length
    rows = zip(
        _single(condition, scope),
        _single(then, scope),
        missing if otherwise is None else _single(otherwise, scope),
        strict=True,
    )
    return tuple(None if test is None else yes if test else no for test, yes, no in rows)


def _repeat(series: Series) -> Series:
    filled: list[float | None] = []
    for value in series:
        filled.append(filled[-1] if value is None and filled else value)
    return tuple(filled)


def _statistic(function: Callable[[list[float]], float], value: Value) -> Value:
    """Over the series of an array, period by period; over the periods of a single series."""
    if isinstance(value, float):
        return value
    if isinstance(value, list):
        known = ([item for item in row if item is not None] for row in zip(*value, strict=True))
        return tuple(function(row) if row else None for row in known)
    values = [item for item in value if item is not None]
    return function(values) if values else (None,) * len(value)


def _apply(
    function: Callable[[float, float], float], left: ast.expr, right: ast.expr, scope: _Scope
) -> Series:
    return _map(function, _single(left, scope), _single(right, scope))


def _map(function: Callable[..., float], *series: Series) -> Series:
    return tuple(_or_none(function, row) for row in zip(*series, strict=True))


def _or_none(function: Callable[..., float], row: tuple[float | None, ...]) -> float | None:
    if any(value is None for value in row):
        return None
    try:
        value = function(*row)
    except (ZeroDivisionError, OverflowError):
        return None
    # A root of a negative number is no data point either.
    return None if isinstance(value, complex) else value


def _single(node: ast.expr, scope: _Scope) -> Series:
    value = _value(node, scope)
    if isinstance(value, list):
        raise MetricMathError(f"{ast.unparse(node)!r} is an array where one series is needed")
    return _series(value, scope.length)


def _series(value: float | Series, length: int) -> Series:
    return (value,) * length if isinstance(value, float) else value
