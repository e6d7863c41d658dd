"""Who is told how the guard does, as the settings name them."""

from __future__ import annotations

from seawall.journal.store import Journal
from seawall.notify.messenger import messengers_of
from seawall.notify.outward import Outward, Told
from seawall.notify.pulse import pulse_path
from seawall.settings import Settings


def outward_of(settings: Settings, journal: Journal) -> Outward:
    """Everybody outside; raises SettingsError for a messenger that nobody knows."""
    told = Told(
        messengers=messengers_of(settings.notify.urls),
        heartbeat_url=settings.notify.heartbeat_url,
        metrics_port=settings.metrics.port,
        pulse=pulse_path(settings.journal.path),
    )
    account = f"{settings.account.address}/{settings.account.parent}"
    return Outward(journal, told, account=account)
