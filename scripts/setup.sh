#!/usr/bin/env bash
# Builds .venv in the checkout from requirements.lock. A stamp named after everything that the result
# depends on makes a second run return at once; a run that was cut short leaves none and starts anew.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=".venv/.ready-$(cat requirements.lock pyproject.toml <(pwd -P) | cksum | tr ' ' '-')"
[ -e "$stamp" ] && exit 0

say() { echo "setup: $*" >&2; }

python=""
for candidate in python3.11 python3.12 python3; do
    # A version manager may put a name on PATH that runs nothing.
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "no Python 3.11 or 3.12 found on PATH; install one (3.13 is not supported by dydx-v4-client)"
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    say "$python cannot make virtual environments; install its venv package (Debian: apt install $python-venv)"
    exit 1
fi

rm -f .venv/.ready-*
usable='import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 13) and sys.prefix == sys.argv[1]))'
if ! .venv/bin/python -c "$usable" "$(pwd -P)/.venv" 2>/dev/null || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
say "installing from requirements.lock (about half a minute the first time)"
export PIP_DISABLE_PIP_VERSION_CHECK=1
# The lock is complete: --no-deps keeps pip from asking for a newer release of what an extra names.
.venv/bin/python -m pip install --quiet --no-deps --require-hashes --only-binary :all: --requirement requirements.lock
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
.venv/bin/python -m compileall -q src  # once, also where Python is told to write no bytecode
touch "$stamp"
say "ready"
