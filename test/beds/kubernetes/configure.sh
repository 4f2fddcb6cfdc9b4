# Keys, tokens and the kubeconfig of the bed.

configure() {
  mkdir -p "$ETC" "$VAR" "$LOG" "$RUN"
  [ -e "$ETC/sa.pub" ] || configure_service_accounts
  [ -e "$ETC/apiserver.crt" ] || configure_certificates
  [ -e "$ETC/tokens.csv" ] || configure_tokens
  configure_audit
  cat >"$BED/kubeconfig" <<Y
apiVersion: v1
kind: Config
clusters: [{name: bed, cluster: {server: "https://127.0.0.1:$P_API", certificate-authority: "$ETC/ca.crt"}}]
users:
  - {name: admin, user: {token: "$(token_of admin)"}}
  - {name: haulout, user: {token: "$(token_of haulout)"}}
contexts:
  - {name: admin, context: {cluster: bed, user: admin}}
  - {name: haulout, context: {cluster: bed, user: haulout}}
current-context: admin
Y
}

# Of somebody who may do everything, and of somebody who may do what roles say.
configure_tokens() {
  (
    umask 077
    echo "$(openssl rand -hex 16),admin,admin,\"system:masters\""
    echo "$(openssl rand -hex 16),haulout,haulout"
  ) >"$ETC/tokens.csv"
}

token_of() { # USER
  grep ",$1," "$ETC/tokens.csv" | cut -d , -f 1
}

# Whole objects of what a maintenance writes; of all else that it was asked, and by whom.
configure_audit() {
  cat >"$ETC/audit.yaml" <<Y
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: None
    resources: [{group: coordination.k8s.io}, {group: events.k8s.io}, {group: '', resources: [events, nodes/status, pods/status]}]
  - level: RequestResponse
    verbs: [create, update, patch, delete]
    resources: [{group: lcm.mirantis.com}, {group: '', resources: [nodes, pods/eviction]}]
  - level: Metadata
Y
}

configure_service_accounts() {
  openssl genrsa -out "$ETC/sa.key" 2048 2>/dev/null
  openssl rsa -in "$ETC/sa.key" -pubout -out "$ETC/sa.pub" 2>/dev/null
}

configure_certificates() {
  (
    cd "$ETC"
    printf 'subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default.svc' >names
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 3650 -subj /CN=haulout-bed 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -keyout apiserver.key -out apiserver.csr -subj /CN=kube-apiserver 2>/dev/null
    openssl x509 -req -in apiserver.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile names \
      -out apiserver.crt 2>/dev/null
  )
}
