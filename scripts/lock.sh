#!/usr/bin/env bash
# Resolves requirements.lock anew. No address of any registry goes into the file.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v uv >/dev/null; then
    echo "lock: uv is not installed; run: pip install uv" >&2
    exit 1
fi
uv pip compile pyproject.toml --extra dev --python-version 3.11 --upgrade --quiet \
    --generate-hashes --no-emit-index-url --no-annotate --no-header \
    --output-file requirements.lock
