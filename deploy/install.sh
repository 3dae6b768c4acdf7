#!/usr/bin/env bash
# Installs this checkout beside the releases that are there, and makes it the one that is started:
#   deploy/install.sh [FOLDER]          the program alone, into FOLDER (/opt/secondread)
#   deploy/install.sh --switch RELEASE [FOLDER]    back to a release that is there
# A release is a version and its commit; it is in FOLDER/RELEASE, and FOLDER/current points to the one in
# force. A node that runs goes on with what it was started with until it is restarted. Needs Python 3.11+
# with venv, and a package index.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

switch() {
  [ -x "$1/$2/bin/secondread" ] || { echo "there is no release $2 in $1" >&2; exit 2; }
  ln -sfn "$2" "$1/next.$$" && mv -T "$1/next.$$" "$1/current" # at once: never without
  echo "in force: $("$1/current/bin/secondread" --version)"
}

if [ "${1:-}" = --switch ]; then
  switch "${3:-/opt/secondread}" "$2"
  exit
fi
folder=${1:-/opt/secondread}
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
version=$("$python" -c 'import sys, tomllib; print(tomllib.load(sys.stdin.buffer)["project"]["version"])' \
  <"$root/pyproject.toml")
# Without git, a checkout of another commit replaces what has its version.
commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)
release=$version${commit:+-$commit}
if [ -n "$commit" ] && [ -e "$folder/$release/complete" ]; then
  switch "$folder" "$release"
  exit
fi

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
pip_install() { "$1/bin/pip" install -q --disable-pip-version-check "${@:2}"; }

"$python" -m venv "$build/tools"
pip_install "$build/tools" --require-hashes -r "$root/deploy/requirements/build.txt"
"$build/tools/bin/python" -m build -q --wheel --no-isolation --outdir "$build/wheel" "$root"
# What is half installed is not in force, and a try that broke off begins anew.
rm -rf "${folder:?}/$release"
mkdir -p "$folder"
"$python" -m venv "$folder/$release"
pip_install "$folder/$release" --require-hashes -r "$root/deploy/requirements/runtime.txt"
pip_install "$folder/$release" --no-deps "$build"/wheel/*.whl
touch "$folder/$release/complete"
switch "$folder" "$release"
