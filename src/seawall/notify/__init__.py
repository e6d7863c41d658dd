"""What the guard tells the world about itself, and never waits for.

messenger   one address that messages go to, spoken to through Apprise
outward     the one place where the daemon says how a tick went
courier     messages from the journal to the messengers, each delivery a row
heartbeat   a URL that is called with the journal's head while ticks succeed
pulse       a small file that says when the last tick succeeded; `seawall health` reads it
systemd     the service manager's watchdog
metrics     Prometheus, on loopback
"""
