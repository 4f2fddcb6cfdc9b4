#!/usr/bin/env bash
# Builds the programs of the bed from the Go module proxy; go/ says which releases. The first build takes minutes, and the
# releases are in the name of a stamp, so that a bed of other releases builds anew. Needs Go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"

KUBERNETES_PROGRAMS='kube-apiserver kube-controller-manager kube-scheduler kubectl'

build() {
  local stamp
  stamp=$BIN/$(cat "$here"/go/*/go.mod | sha256sum | cut -c 1-16).built
  if [ -e "$stamp" ]; then return 0; fi
  rm -f "$BIN"/*.built
  local program
  build_program etcd go.etcd.io/etcd/server/v3
  for program in $KUBERNETES_PROGRAMS; do build_program kubernetes "k8s.io/kubernetes/cmd/$program" "$program"; done
  build_program kwok sigs.k8s.io/kwok/cmd/kwok
  copy_stages
  touch "$stamp"
}

build_program() { # MODULE PACKAGE [NAME]
  local module=$1 package=$2 name=${3:-$1}
  printf '[%3d s] building %s\n' "$SECONDS" "$name"
  (cd "$here/go/$module" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
    go build -trimpath -ldflags "-s -w $(version_flags "$module")" -o "$BIN/$name" "$package")
}

# What an API server says of its release, which kubectl and controllers go by.
version_flags() { # MODULE
  [ "$1" = kubernetes ] || return 0
  local version at=k8s.io/component-base/version
  version=$(cd "$here/go/kubernetes" && go list -m -f '{{.Version}}' k8s.io/kubernetes)
  echo "-X $at.gitVersion=$version -X $at.gitMajor=1 -X $at.gitMinor=$(echo "$version" | cut -d . -f 2)"
}

# The program kwok has no stages of its own: nodes and pods would stay as they are created.
copy_stages() {
  local stages name
  stages=$(cd "$here/go/kwok" && go mod download -json sigs.k8s.io/kwok | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/kustomize/stage
  for name in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease \
    pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
    cat "$stages/$name.yaml"
    printf '\n---\n'
  done >"$BIN/kwok-stages.yaml"
}

mkdir -p "$BIN"
build
