"""Composite alarms: the expression of their rule, and when their actions are held back.

Sources, Amazon CloudWatch user guide: "Create a composite alarm",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html,
"Suppressing composite alarm actions",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html,
and the grammar in the API reference of PutCompositeAlarm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))')
_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")


class AlarmRuleError(ValueError):
    """The expression is no alarm rule; the message says where."""


@dataclass(frozen=True)
class _Condition:
    """`ALARM("name")` and the like."""

    state: str
    alarm: str

    def holds(self, states: Mapping[str, str]) -> bool:
        return states.get(self.alarm) == self.state


@dataclass(frozen=True)
class _Constant:
    value: bool

    def holds(self, _states: Mapping[str, str]) -> bool:
        return self.value


@dataclass(frozen=True)
class _Not:
    operand: _Node

    def holds(self, states: Mapping[str, str]) -> bool:
        return not self.operand.holds(states)


@dataclass(frozen=True)
class _Junction:
    every: bool
    operands: tuple[_Node, ...]

    def holds(self, states: Mapping[str, str]) -> bool:
        holding = (operand.holds(states) for operand in self.operands)
        return all(holding) if self.every else any(holding)


_Node = _Condition | _Constant | _Not | _Junction


def state(rule: str, states: Mapping[str, str]) -> str:
    """The state of a composite alarm whose children, by name, are in these states.

    Raises AlarmRuleError.
    """
    return "ALARM" if _Parser(rule).parse().holds(states) else "OK"


def children(rule: str) -> tuple[str, ...]:
    """The names of the alarms a rule refers to, each once, in its order. Raises AlarmRuleError."""
    found: dict[str, None] = {}

    def walk(node: _Node) -> None:
        match node:
            case _Condition(alarm=alarm):
                found[alarm] = None
            case _Not(operand=operand):
                walk(operand)
            case _Junction(operands=operands):
                for operand in operands:
                    walk(operand)

    walk(_Parser(rule).parse())
    return tuple(found)


def name_of(reference: str) -> str:
    """An alarm's name, from its name or its ARN."""
    return reference.split(":alarm:", 1)[1] if reference.startswith("arn:") else reference


def suppressed_by(
    *,
    suppressor: str,
    changed: float,
    released: float | None,
    now: float,
    wait: float,
    extension: float,
) -> str | None:
    """What holds the actions of a composite alarm back, None where nothing does.

    Args:
        suppressor: the state of the suppressor alarm.
        changed: when the composite alarm changed its state, in seconds.
        released: when the suppressor last left ALARM; None where it never did.
        now: the time, in seconds.
        wait: ActionsSuppressorWaitPeriod, seconds.
        extension: ActionsSuppressorExtensionPeriod, seconds.

    Returns "Alarm", "ExtensionPeriod" or "WaitPeriod", as `actionsSuppressedBy` of an event.

    """
    if suppressor == "ALARM":
        return "Alarm"
    if released is not None and now < released + extension:
        return "ExtensionPeriod"
    if now < changed + wait:
        return "WaitPeriod"
    return None


class _Parser:
    """`NOT` binds closest, then `AND`, then `OR`."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._tokens: list[tuple[str, bool]] = []
        at = 0
        text = rule.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise AlarmRuleError(f"alarm rule {rule!r}: unexpected character {at}")
            bracket, quoted, word = found.groups()
            self._tokens.append((bracket or word or quoted, quoted is not None))
            at = found.end()
        self._at = 0

    def parse(self) -> _Node:
        try:
            node = self._disjunction()
        except RecursionError as error:
            raise AlarmRuleError("alarm rule: nested too deeply") from error
        if self._at != len(self._tokens):
            raise self._wrong()
        return node

    def _wrong(self) -> AlarmRuleError:
        seen = self._tokens[self._at][0] if self._at < len(self._tokens) else "its end"
        return AlarmRuleError(f"alarm rule {self._rule!r}: unexpected {seen}")

    def _takes(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (word, False):
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise self._wrong()

    def _disjunction(self) -> _Node:
        operands = [self._conjunction()]
        while self._takes("OR"):
            operands.append(self._conjunction())
        return operands[0] if len(operands) == 1 else _Junction(False, tuple(operands))

    def _conjunction(self) -> _Node:
        operands = [self._operand()]
        while self._takes("AND"):
            operands.append(self._operand())
        return operands[0] if len(operands) == 1 else _Junction(True, tuple(operands))

    def _operand(self) -> _Node:
        if self._takes("NOT"):
            return _Not(self._operand())
        if self._takes("("):
            node = self._disjunction()
            self._expect(")")
            return node
        for value in (True, False):
            if self._takes(str(value).upper()):
                return _Constant(value)
        for name in _STATES:
            if self._takes(name):
                self._expect("(")
                if self._at >= len(self._tokens) or self._tokens[self._at][0] in "()":
                    raise self._wrong()
                reference = self._tokens[self._at][0]
                self._at += 1
                self._expect(")")
                return _Condition(name, name_of(reference))
        raise self._wrong()
