#!/usr/bin/env bash
# Starts a real OpenStack control plane (Debian 12, release "Zed") without systemd: Keystone, Placement, Glance, Neutron,
# Nova, and HOSTS nova-compute whose hypervisor is bed_driver.py. What runs already is left as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in env ../processes ../rabbitmq/broker configure services; do . "$here/$part.sh"; done

say() {
  printf '[%3d s] %s\n' "$SECONDS" "$*"
}

create_databases() {
  local sql="CREATE USER IF NOT EXISTS bed@localhost IDENTIFIED BY 'bed';" name
  for name in keystone placement glance neutron nova nova_api nova_cell0; do
    sql="$sql CREATE DATABASE IF NOT EXISTS $name CHARACTER SET utf8; GRANT ALL ON $name.* TO bed@localhost;"
  done
  query "$sql"
}

migrate_keystone() {
  local manage="keystone-manage --config-file $ETC/keystone/keystone.conf" url=http://127.0.0.1:$P_KEYSTONE/v3
  mkdir -p "$VAR/keystone/fernet" "$VAR/keystone/credential"
  chmod 700 "$VAR"/keystone/*
  $manage db_sync
  $manage fernet_setup --keystone-user root --keystone-group root
  $manage credential_setup --keystone-user root --keystone-group root
  $manage bootstrap --bootstrap-password $PASSWORD --bootstrap-region-id RegionOne \
    --bootstrap-public-url $url --bootstrap-internal-url $url --bootstrap-admin-url $url
}

migrate_placement() {
  OS_PLACEMENT_CONFIG_DIR=$ETC/placement placement-manage --config-file "$ETC/placement/placement.conf" db sync
}

migrate_glance() {
  glance-manage --config-file "$ETC/glance/glance-api.conf" db_sync
}

migrate_neutron() {
  neutron-db-manage --config-file "$ETC/neutron/neutron.conf" upgrade heads
}

migrate_nova() {
  local manage="nova-manage $NOVA_CONF"
  $manage api_db sync
  $manage cell_v2 map_cell0
  $manage db sync
  # Reads the list to its end: a writer whose reader has gone fails.
  $manage cell_v2 list_cells | grep ' cell1 ' >/dev/null || $manage cell_v2 create_cell --name=cell1
}

migrate() { # SERVICE
  "migrate_$1" >"$LOG/migrate-$1.log" 2>&1
  touch "$VAR/$1.migrated"
}

migrate_databases() {
  local service pid pids=()
  for service in keystone placement glance neutron nova; do
    [ -e "$VAR/$service.migrated" ] && continue
    migrate $service &
    pids+=($!)
  done
  # By name: the services are children of this shell too.
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  for service in keystone placement glance neutron nova; do
    [ -e "$VAR/$service.migrated" ] || fail "the database of $service is not migrated, see $LOG/migrate-$service.log"
  done
}

fail() {
  echo "$*" >&2
  exit 1
}

bootstrap() { # STEP
  /usr/bin/python3 "$here/bootstrap.py" "$@"
}

mkdir -p "$ETC" "$VAR" "$LOG" "$RUN"
"$here/build.sh"
say 'packages are there'
export P_KEYSTONE P_PLACEMENT P_GLANCE P_NEUTRON P_NOVA PASSWORD HOSTS
configure

if [ ! -e "$VAR/mysql/mysql" ]; then
  mariadb-install-db --defaults-file="$ETC/my.cnf" --user=root --auth-root-authentication-method=socket \
    --skip-test-db >"$LOG/mariadb-install.log" 2>&1
fi
launch mariadb
launch epmd
launch rabbitmq
await_service mariadb
create_databases
migrate_databases
say 'databases are there'

launch keystone
launch placement
launch glance
launch neutron
for service in keystone placement rabbitmq; do await_service $service; done
bootstrap catalog
# These two, and the computes, end when what they call at their start does not answer.
launch nova-conductor
launch nova-scheduler
launch nova-api
for number in $(seq "$HOSTS"); do launch "compute-$number"; done
await_service nova-api
bootstrap computes
if [ "$(nova-manage $NOVA_CONF cell_v2 list_hosts 2>/dev/null | grep -c compute-)" -lt "$HOSTS" ]; then
  nova-manage $NOVA_CONF cell_v2 discover_hosts >"$LOG/discover.log" 2>&1
fi
bootstrap seed
for file in "$RUN"/*.pid; do
  name=$(basename "$file" .pid)
  alive "$name" || fail "$name has ended, see $LOG/$name.log"
done
say "the bed is up: . $BED/openrc; stop it with $here/down.sh"
