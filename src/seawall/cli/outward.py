"""Who is told how the guard does, as the settings name them."""

from __future__ import annotations

import logging

from seawall.agent import told
from seawall.decide.memory import Message, Urgency
from seawall.errors import JournalUnwritable
from seawall.journal.store import Journal
from seawall.notify.messenger import messengers_of
from seawall.notify.outward import Outward, Told
from seawall.notify.pulse import pulse_path
from seawall.settings import Settings

log = logging.getLogger(__name__)

UNKNOWN = "guard/notify"  # what the page is about that says that an address is not known


def outward_of(settings: Settings, journal: Journal) -> Outward:
    """Everybody outside; an address that nobody knows is told to all others, and to the console."""
    messengers, faults = messengers_of(settings.notify.urls)
    whom = Told(
        messengers=messengers,
        unknown=len(faults),
        heartbeat_url=settings.notify.heartbeat_url,
        metrics_port=settings.metrics.port,
        pulse=pulse_path(settings.journal.path),
    )
    account = f"{settings.account.address}/{settings.account.parent}"
    outward = Outward(journal, whom, account=account)
    if faults:  # said once every messenger is there to hear it
        _tell(faults, len(messengers), journal)
    return outward


def _tell(faults: tuple[str, ...], others: int, journal: Journal) -> None:
    text = (
        f"{'; '.join(faults)}. The guard goes on without, and tells {others} other"
        f"{'' if others == 1 else 's'}; correct notify.urls, and start it again."
    )
    print(f"warning: {text}", flush=True)
    try:
        journal.append_all(told(Message(urgency=Urgency.PAGE, key=UNKNOWN, text=text)))
    except JournalUnwritable as error:
        log.error("unknown messenger not recorded: %s", error)
