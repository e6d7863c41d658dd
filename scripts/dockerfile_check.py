"""Runs the steps of the Dockerfile in a plain directory, then what they build, without Docker.

A folder stands for the image's root, a fresh virtual environment for its Python. What only a
container has is left out by name: users and owners. Then the image's command guards an account of a
simulated venue on paper until its HEALTHCHECK says that it is well, and is stopped as Docker does.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEALTHY_WITHIN_S = 60
STOPPED_WITHIN_S = 30  # Docker kills after ten; a busy machine may need longer
STAND_INS = {
    "useradd": "exit 0",
    "install": 'exec /usr/bin/env -i PATH=/usr/bin:/bin install "${@/--owner=*/--verbose}"',
}


@dataclass
class Image:
    """What the steps have built so far."""

    root: Path
    workdir: Path
    environment: dict[str, str]
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def inside(self, path: str) -> Path:
        """The place that a path of the image has here."""
        if path.startswith("/"):
            return self.root / path.removeprefix("/")
        return self.workdir / path


def steps(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their words, continued lines joined."""
    joined = text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    pairs = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(name, words.strip()) for name, _, words in pairs]


def is_sent(name: str) -> bool:
    """Whether .dockerignore lets a file or folder of the checkout into the build."""
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    return allowed[0] == "*" and f"!{name.rstrip('/')}" in allowed


def copy(image: Image, words: str) -> None:
    """COPY: each source into the destination, a folder by its contents."""
    *sources, target = shlex.split(words)
    place = image.inside(target)
    for source in sources:
        if not is_sent(source):
            fail(f"COPY {source}: .dockerignore keeps it out of the build")
        origin = ROOT / source
        if origin.is_dir():
            shutil.copytree(origin, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            into = place / origin.name if target.endswith(("/", ".")) else place
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, into)


def carry_out(image: Image, name: str, words: str) -> None:
    """One instruction, except FROM."""
    match name:
        case "WORKDIR":
            image.workdir = image.inside(words)
            image.workdir.mkdir(parents=True, exist_ok=True)
        case "COPY":
            copy(image, words)
        case "RUN":
            subprocess.run(
                ["/bin/sh", "-c", words], cwd=image.workdir, env=image.environment, check=True
            )
        case "ENV":
            key, _, value = words.partition("=")
            image.environment[key] = str(image.inside(value)) if value[:1] == "/" else value
        case "VOLUME":
            if not image.inside(words).is_dir():
                fail(f"VOLUME {words}: no step makes it, so it would belong to root")
        case "HEALTHCHECK":
            image.healthcheck = json.loads(words[words.index("[") :])
        case "ENTRYPOINT":
            image.entrypoint = json.loads(words)
        case "CMD":
            image.command = json.loads(words)
        case "USER":
            pass
        case _:
            fail(f"{name}: an instruction that this check does not know")


def build(root: Path) -> Image:
    """The image, from a fresh virtual environment of the Python that FROM names."""
    tools = root / "tools"
    tools.mkdir()
    for name, script in STAND_INS.items():
        (tools / name).write_text(f"#!/bin/bash\n{script}\n")
        (tools / name).chmod(0o755)
    python = root / "python"
    venv.create(python, with_pip=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SEAWALL_")}
    environment = kept | {"PATH": f"{tools}:{python / 'bin'}:{os.environ['PATH']}"}
    image = Image(root=root, workdir=root, environment=environment)
    (first, base), *rest = steps((ROOT / "Dockerfile").read_text())
    ours = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    if (first, base) != ("FROM", ours):
        say(f"{first} {base}: checked with {ours} instead")
    for name, words in rest:
        say(f"{name} {words}")
        carry_out(image, name, words)
    return image


def try_out(image: Image) -> None:
    """Guard an account of a simulated venue until the health check is content, then stop."""
    seawall = [*image.entrypoint]
    venue = subprocess.Popen(
        [*seawall, "venue", "--json", "--leverage", "2x", "--speed", "1"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=image.workdir,
        env=image.environment,
    )
    try:
        assert venue.stdout is not None
        said = json.loads(venue.stdout.readline())
        environment = image.environment | {
            "SEAWALL_ACCOUNT__ADDRESS": said["accounts"][0]["address"],
            "SEAWALL_VENUE__CHAIN_ID": said["chain_id"],
            "SEAWALL_VENUE__NODES": said["node"],
            "SEAWALL_VENUE__INDEXERS": said["indexer"],
            "SEAWALL_VENUE__FEEDS": said["websocket"],
        }
        guard = subprocess.Popen([*seawall, *image.command], cwd=image.workdir, env=environment)
        try:
            wait_until_healthy(image, guard, environment)
            guard.send_signal(signal.SIGTERM)
            code = guard.wait(timeout=STOPPED_WITHIN_S)
        finally:
            guard.kill()
        if code != 0:
            fail(f"stopped with exit code {code}, 0 expected")
        if is_healthy(image, environment):
            fail("HEALTHCHECK is content with a guard that was stopped")
    finally:
        venue.terminate()


def wait_until_healthy(
    image: Image, guard: subprocess.Popen[bytes], environment: dict[str, str]
) -> None:
    """Wait for the health check; fail where the guard ends before or it takes too long."""
    until = time.monotonic() + HEALTHY_WITHIN_S
    while not is_healthy(image, environment):
        if guard.poll() is not None:
            fail(f"the guard ended with exit code {guard.returncode}")
        if time.monotonic() > until:
            fail(f"not healthy within {HEALTHY_WITHIN_S} s")
        time.sleep(0.5)


def is_healthy(image: Image, environment: dict[str, str]) -> bool:
    """Whether the image's health check is content."""
    asked = subprocess.run(
        image.healthcheck, cwd=image.workdir, env=environment, capture_output=True, check=False
    )
    return asked.returncode == 0


def say(words: str) -> None:
    """Progress, on stderr."""
    print(f"dockerfile-check: {words}", file=sys.stderr, flush=True)


def fail(words: str) -> None:
    """Say what is wrong and end."""
    say(words)
    sys.exit(1)


def main() -> None:
    """Build and try; the folder is removed whatever happens."""
    with tempfile.TemporaryDirectory(prefix="seawall-image-") as folder:
        image = build(Path(folder))
        say("the image's command against a simulated venue, until it is healthy")
        try_out(image)
    say("every step ran, the guard became healthy, and it stopped clean")


if __name__ == "__main__":
    main()
