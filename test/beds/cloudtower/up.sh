#!/usr/bin/env bash
# Installs the SDK of CloudTower from PyPI into an environment of its own, unless it is there. Needs Python 3 with venv.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"
. "$here/../venv.sh"

mkdir -p "$BED"
if ! make_venv "$BED/venv" "$here/requirements.txt" >"$BED/pip.log" 2>&1; then
  tail -n 20 "$BED/pip.log" >&2
  exit 1
fi
