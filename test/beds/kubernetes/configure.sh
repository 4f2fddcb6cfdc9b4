# Keys, tokens and the kubeconfig of the bed.

configure() {
  mkdir -p "$ETC" "$VAR" "$LOG" "$RUN"
  [ -e "$ETC/sa.pub" ] || configure_service_accounts
  [ -e "$ETC/apiserver.crt" ] || configure_certificates
  [ -e "$ETC/tokens.csv" ] || (umask 077 && echo "$(openssl rand -hex 16),admin,admin,\"system:masters\"" >"$ETC/tokens.csv")
  cat >"$ETC/audit.yaml" <<Y
apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata}]
Y
  cat >"$BED/kubeconfig" <<Y
apiVersion: v1
kind: Config
clusters: [{name: bed, cluster: {server: "https://127.0.0.1:$P_API", certificate-authority: "$ETC/ca.crt"}}]
users: [{name: admin, user: {token: "$(cut -d , -f 1 "$ETC/tokens.csv")"}}]
contexts: [{name: bed, context: {cluster: bed, user: admin}}]
current-context: bed
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
