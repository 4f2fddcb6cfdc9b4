#!/usr/bin/env bash
# Builds vcsimx and govc. Needs Go; the first build fetches govmomi, later ones take a second when nothing has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"

mkdir -p "$BED/bin"
cd "$here"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$BED/bin/" ./vcsimx ./govc
