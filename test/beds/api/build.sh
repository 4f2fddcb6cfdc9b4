#!/usr/bin/env bash
# Installs schemathesis from PyPI into an environment of its own, unless it is there. Needs Python 3 with venv.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../venv.sh"

make_venv "${BED:-${XDG_CACHE_HOME:-$HOME/.cache}/haulout-beds/api}/venv" "$here/requirements.txt"
