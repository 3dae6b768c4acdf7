#!/usr/bin/env bash
# Installs this checkout's version beside those that are there, and makes it the one that is started:
#   deploy/install.sh [FOLDER]          the program alone, into FOLDER (/opt/secondread)
#   deploy/install.sh --switch VERSION [FOLDER]    back to a version that is there
# The program is in FOLDER/VERSION, FOLDER/current points to the one in force. A node that runs goes on
# with what it was started with until it is restarted. Needs Python 3.11+ with venv, and a package index.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

switch() {
  [ -x "$1/$2/bin/secondread" ] || { echo "there is no version $2 in $1" >&2; exit 2; }
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
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
pip_install() { "$1/bin/pip" install -q --disable-pip-version-check "${@:2}"; }

"$python" -m venv "$build/tools"
pip_install "$build/tools" --require-hashes -r "$root/deploy/requirements/build.txt"
"$build/tools/bin/python" -m build -q --wheel --no-isolation --outdir "$build/wheel" "$root"
wheel=$(ls "$build"/wheel/*.whl)
version=$(basename "$wheel" | cut -d- -f2)

# What is half installed is never switched to: a try that broke off begins anew.
rm -rf "$folder/$version.new"
mkdir -p "$folder"
"$python" -m venv "$folder/$version.new"
pip_install "$folder/$version.new" --require-hashes -r "$root/deploy/requirements/runtime.txt"
pip_install "$folder/$version.new" --no-deps "$wheel"
rm -rf "${folder:?}/$version"
mv "$folder/$version.new" "$folder/$version"
# Its commands name the folder that they were installed into.
grep -rl --binary-files=without-match --null "$folder/$version.new" \
  "$folder/$version/bin" "$folder/$version/pyvenv.cfg" \
  | xargs -0r sed -i "s|$folder/$version.new|$folder/$version|g"
"$folder/$version/bin/python" -m compileall -q "$folder/$version/lib" >/dev/null || true
switch "$folder" "$version"
