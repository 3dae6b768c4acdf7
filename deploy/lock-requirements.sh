#!/usr/bin/env bash
# Resolves pyproject.toml to hash-pinned requirement files that name no package index.
# Needs `uv` on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
out=deploy/requirements
compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --no-emit-find-links --no-annotate "$@"
}
compile pyproject.toml -o "$out/runtime.txt"
compile --group build -c "$out/runtime.txt" -o "$out/build.txt"
compile --group dev -c "$out/runtime.txt" -c "$out/build.txt" -o "$out/dev.txt"
# For `make advisories`, in an environment of its own.
compile --group audit -c "$out/runtime.txt" -c "$out/dev.txt" -o "$out/audit.txt"
# Never installed by `make`: PyTorch, with what it needs for CUDA, is some gigabytes.
compile --group training -c "$out/runtime.txt" -c "$out/dev.txt" -o "$out/training.txt"
