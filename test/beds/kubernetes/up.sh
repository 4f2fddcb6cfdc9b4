#!/usr/bin/env bash
# Builds and starts a real Kubernetes control plane without a container engine: etcd, kube-apiserver, controllers, scheduler,
# and kwok in the place of kubelets; with the kinds of MOSK's node maintenance and the role of its driver. What runs already
# is left as it is. Needs Go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in env ../processes configure services; do . "$here/$part.sh"; done

say() {
  printf '[%3d s] %s\n' "$SECONDS" "$*"
}

"$here/build.sh"
configure
for service in etcd kube-apiserver kube-controller-manager kube-scheduler kwok; do
  launch "$service"
  await_service "$service"
done
kubectl apply -f "$here/crds" >/dev/null
kubectl apply -f "$here/../../../deploy/mosk/role.yaml" >/dev/null
kubectl wait --for condition=established --timeout 60s -f "$here/crds" >/dev/null
say "the bed is up: export KUBECONFIG=$BED/kubeconfig; stop it with $here/down.sh"
