"""Prometheus metrics on loopback: what a graph or an alert of the operator's own wants to know.

Numbers become floats here, on their way out; nothing is decided on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from seawall.decide.memory import Decision, Memory
from seawall.errors import SettingsError
from seawall.notify.courier import LaneState
from seawall.units import SECOND, Millis

LOOPBACK = "127.0.0.1"
PREFIX = "seawall"


class Metrics:
    """Every metric of one guard, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ticks = self._counter("ticks", "Ticks by result.", "result")
        self._messages = self._counter("messages", "Messages to people.", "urgency")
        self._actions = self._counter("actions", "Actions handed to the venue.", "kind")
        self._outcomes = self._counter("outcomes", "Actions by how they ended.", "ending")
        self._refusals = self._counter("refusals", "Actions that the last gate refused.", "code")
        self._succeeded = self._gauge(
            "last_successful_tick_timestamp_seconds", "When a tick last saw state and was recorded."
        )
        self._height = self._gauge("block_height", "Height of the newest state.")
        self._state_age = self._gauge("state_age_seconds", "Age of the newest state when it came.")
        self._measure = self._gauge(
            "measure", "Value of a rule's measure: fractions, dollars or counts.", "key"
        )
        self._level = self._gauge("level", "1 for the highest level not clear.", "key", "level")
        self._running = self._gauge("interventions_running", "Interventions under way.")
        self._pages = self._gauge("pages_standing", "Pages that nobody has acknowledged.")
        self._head = self._gauge("journal_head", "Number of the journal's last row.")
        self._spilling = self._gauge("journal_spilling", "1 while rows go to the spill file.")
        self._waiting = self._gauge("messages_waiting", "Messages not told yet.", "messenger")
        self._failures = self._gauge(
            "messenger_failures", "Failed deliveries in a row.", "messenger"
        )
        self._unknown = self._gauge("messengers_unknown", "Addresses that nobody knows.")

    def serve(self, port: int) -> int:
        """Answer on loopback in a thread, and give the port; raises SettingsError where taken."""
        try:
            server, _ = start_http_server(port, addr=LOOPBACK, registry=self.registry)
        except OSError as error:
            raise SettingsError(
                f"metrics.port: {port} cannot be used ({error.strerror}): choose another"
            ) from None
        return int(server.server_port)

    def note_tick(self, decision: Decision, memory: Memory, *, now: Millis, why_not: str) -> None:
        """Take in a tick; `why_not` says why it did not succeed and is empty where it did."""
        blind = "unrecorded" if not decision.blind else "blind"
        self._ticks.labels(blind if why_not else "ok").inc()
        if not why_not:
            self._succeeded.set(now / SECOND)
        self._height.set(decision.height)
        if decision.at is not None:
            self._state_age.set((decision.seen_at - decision.at) / SECOND)
        for message in decision.messages:
            self._messages.labels(message.urgency).inc()
        for numbered in decision.actions:
            self._actions.labels(type(numbered.action).__name__.lower()).inc()
        for outcome in decision.outcomes:
            self._outcomes.labels(outcome.ending).inc()
        if decision.has_new_refusal:
            for refusal in decision.refusals:
                self._refusals.labels(refusal.code).inc()
        self._note_readings(decision)
        self._running.set(len(memory.running))
        self._pages.set(sum(not page.is_acknowledged for page in memory.pages.values()))

    def note_journal(self, head: int, *, failure: str | None) -> None:
        """Take in the journal's head, and why rows go to the spill file where they do."""
        self._head.set(head)
        self._spilling.set(0 if failure is None else 1)

    def note_lanes(self, lanes: Iterable[LaneState]) -> None:
        """Take in how the messengers do."""
        for lane in lanes:
            self._waiting.labels(lane.name).set(lane.waiting)
            self._failures.labels(lane.name).set(lane.failures)

    def note_unknown(self, addresses: int) -> None:
        """Take in how many addresses of `notify.urls` are not known."""
        self._unknown.set(addresses)

    def _note_readings(self, decision: Decision) -> None:
        # A market that is no longer held, or a level that is clear again, must leave the page.
        self._measure.clear()
        self._level.clear()
        for reading in decision.readings:
            if isinstance(reading.value, Decimal | int):
                self._measure.labels(reading.key).set(float(reading.value))
            if reading.level:
                self._level.labels(reading.key, reading.level).set(1)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", words, labels, registry=self.registry)

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", words, labels, registry=self.registry)
