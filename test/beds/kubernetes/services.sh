# How each process of the bed is started.

launch() { # NAME
  case $1 in
    etcd)
      start etcd "$BIN/etcd" --data-dir "$VAR/etcd" --unsafe-no-fsync \
        --listen-client-urls "http://127.0.0.1:$P_ETCD" --advertise-client-urls "http://127.0.0.1:$P_ETCD" \
        --listen-peer-urls "http://127.0.0.1:$P_ETCD_PEER" \
        --initial-advertise-peer-urls "http://127.0.0.1:$P_ETCD_PEER" \
        --initial-cluster "default=http://127.0.0.1:$P_ETCD_PEER"
      ;;
    kube-apiserver)
      start kube-apiserver "$BIN/kube-apiserver" --etcd-servers "http://127.0.0.1:$P_ETCD" \
        --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$P_API" \
        --tls-cert-file "$ETC/apiserver.crt" --tls-private-key-file "$ETC/apiserver.key" \
        --client-ca-file "$ETC/ca.crt" --service-account-issuer https://kubernetes.default.svc \
        --service-account-key-file "$ETC/sa.pub" --service-account-signing-key-file "$ETC/sa.key" \
        --token-auth-file "$ETC/tokens.csv" --authorization-mode RBAC \
        --service-cluster-ip-range 10.0.0.0/24 --allow-privileged=true --endpoint-reconciler-type=none \
        --audit-policy-file "$ETC/audit.yaml" --audit-log-path "$LOG/audit.log" --audit-log-maxsize 10000 \
        --etcd-compaction-interval 0
      ;;
    # Nodes have their networks from nobody; and kwok does not always renew the lease of one that was made anew.
    kube-controller-manager)
      start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig "$BED/kubeconfig" \
        --leader-elect=false --bind-address 127.0.0.1 --secure-port "$P_CONTROLLERS" --cert-dir "$VAR/controllers" \
        --service-account-private-key-file "$ETC/sa.key" --root-ca-file "$ETC/ca.crt" \
        --controllers '*,-node-ipam-controller,-node-route-controller' --use-service-account-credentials=false \
        --node-monitor-grace-period=1h
      ;;
    kube-scheduler)
      start kube-scheduler "$BIN/kube-scheduler" --kubeconfig "$BED/kubeconfig" --leader-elect=false \
        --bind-address 127.0.0.1 --secure-port "$P_SCHEDULER" --cert-dir "$VAR/scheduler"
      ;;
    kwok)
      start kwok "$BIN/kwok" --kubeconfig "$BED/kubeconfig" --config "$BIN/kwok-stages.yaml" --manage-all-nodes=true \
        --node-lease-duration-seconds=40 --cidr=10.1.0.0/16 --node-ip=127.0.0.1 "--server-address=127.0.0.1:$P_KWOK"
      ;;
    *) echo "the bed has no service $1" >&2 && return 2 ;;
  esac
}

# Waits until a service that others call answers them.
await_service() { # NAME
  case $1 in
    etcd) until_succeeds port_open "$P_ETCD" ;;
    kube-apiserver) until_succeeds kubectl get --raw /readyz ;;
    kube-controller-manager) until_succeeds kubectl -n default get serviceaccount default ;;
  esac
}

kubectl() {
  "$BIN/kubectl" --kubeconfig "$BED/kubeconfig" "$@"
}
