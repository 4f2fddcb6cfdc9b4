# Configuration files of the bed's services. Written anew by every up.sh, since they hold the ports.

configure() {
  mkdir -p "$ETC"/{keystone,placement,glance,neutron,nova}
  mkdir -p "$VAR"/{glance/images,neutron,nova}
  configure_mariadb
  configure_broker nova
  configure_keystone
  configure_placement
  configure_glance
  configure_neutron
  configure_nova
  configure_clients
}

database_url() { # NAME
  echo "mysql+pymysql://bed:bed@localhost/$1?unix_socket=$SOCKET&charset=utf8"
}

# The options of a [database] section.
database() { # NAME
  cat <<X
connection = $(database_url "$1")
max_pool_size = 5
max_overflow = 20
X
}

# The options with which services log in to call others.
login() {
  cat <<X
auth_url = http://127.0.0.1:$P_KEYSTONE/v3
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = service
username = svc
password = $PASSWORD
region_name = RegionOne
X
}

# The section with which an API checks the tokens of its callers: each again after so many seconds. Keystone is slow at it.
token_check() { # SECONDS
  cat <<X
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:$P_KEYSTONE
$(login)
token_cache_time = $1
service_token_roles_required = false
X
}

# Nothing in it has to survive a crash of the machine.
configure_mariadb() {
  cat >"$ETC/my.cnf" <<X
[mariadbd]
user=root
datadir=$VAR/mysql
socket=$SOCKET
pid-file=$RUN/mariadb.own
skip-networking
skip-name-resolve
skip-log-bin
innodb_flush_log_at_trx_commit=0
innodb_doublewrite=0
innodb_buffer_pool_size=64M
innodb_log_file_size=48M
performance_schema=OFF
max_connections=400
character-set-server=utf8
collation-server=utf8_general_ci
X
}

configure_keystone() {
  cat >"$ETC/keystone/keystone.conf" <<X
[DEFAULT]
use_stderr = true
[database]
$(database keystone)
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = $VAR/keystone/fernet
[credential]
key_repository = $VAR/keystone/credential
# Without it the check of a token takes a second. It is the memory of the one process that there is.
[cache]
enabled = true
backend = oslo_cache.dict
X
}

configure_placement() {
  cat >"$ETC/placement/placement.conf" <<X
[DEFAULT]
use_stderr = true
[api]
auth_strategy = keystone
[placement_database]
$(database placement)
[oslo_policy]
policy_file = $ETC/placement/policy.yaml
$(token_check 300)
X
  touch "$ETC/placement/policy.yaml"
}

configure_glance() {
  cp -f /usr/share/glance-common/glance-api-paste.ini "$ETC/glance/"
  cat >"$ETC/glance/glance-api.conf" <<X
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $P_GLANCE
workers = 0
use_stderr = true
enabled_backends = file:file
transport_url = fake://
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = $VAR/glance/images
[os_glance_staging_store]
filesystem_store_datadir = $VAR/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = $VAR/glance/tasks
[database]
$(database glance)
[paste_deploy]
flavor = keystone
config_file = $ETC/glance/glance-api-paste.ini
[oslo_concurrency]
lock_path = $VAR/glance/lock
$(token_check 300)
X
}

# Servers have no networks here; Nova asks neutron all the same. No agents, so no queue.
configure_neutron() {
  cat >"$ETC/neutron/neutron.conf" <<X
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $P_NEUTRON
state_path = $VAR/neutron
use_stderr = true
core_plugin = ml2
service_plugins =
auth_strategy = keystone
api_paste_config = /usr/share/neutron-common/api-paste.ini
transport_url = fake://
api_workers = 0
rpc_workers = 0
rpc_state_report_workers = 0
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[ml2]
type_drivers = local
tenant_network_types = local
mechanism_drivers =
extension_drivers =
[database]
$(database neutron)
[oslo_concurrency]
lock_path = $VAR/neutron/lock
[quotas]
quota_driver = neutron.db.quota.driver_nolock.DbQuotaNoLockDriver
$(token_check 300)
X
}

# Its API refuses a token soon after it was revoked: tests depend on it.
configure_nova() {
  cp -f /usr/share/nova-common/api-paste.ini "$ETC/nova/"
  cat >"$ETC/nova/nova.conf" <<X
[DEFAULT]
transport_url = rabbit://nova:nova@127.0.0.1:$P_AMQP/
host = controller
my_ip = 127.0.0.1
state_path = $VAR/nova
use_stderr = true
enabled_apis = osapi_compute
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = $P_NOVA
osapi_compute_workers = 1
# A dead compute is "down" after 12 s instead of a minute.
report_interval = 4
service_down_time = 12
periodic_fuzzy_delay = 2
update_resources_interval = 15
# For so long the scheduler believes that a server is still on the host that it has left alive, and keeps other members
# of its anti-affinity group away from there.
scheduler_instance_sync_interval = 10
resume_guests_state_on_host_boot = false
sync_power_state_interval = -1
heal_instance_info_cache_interval = -1
rootwrap_config = /etc/nova/rootwrap.conf
# A host is full when its memory is.
ram_allocation_ratio = 1.0
[api]
auth_strategy = keystone
[wsgi]
api_paste_config = $ETC/nova/api-paste.ini
[api_database]
$(database nova_api)
[database]
$(database nova)
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 15
[conductor]
workers = 1
[placement]
$(login)
[neutron]
$(login)
[glance]
api_servers = http://127.0.0.1:$P_GLANCE
[service_user]
send_service_user_token = false
[vnc]
enabled = false
[oslo_concurrency]
lock_path = $VAR/nova/lock
[oslo_messaging_notifications]
driver = noop
[oslo_policy]
policy_file = $ETC/nova/policy.yaml
[quota]
instances = -1
cores = -1
ram = -1
[workarounds]
skip_hypervisor_version_check_on_lm = true
$(token_check 5)
X
  touch "$ETC/nova/policy.yaml"
  local number
  for number in $(seq "$HOSTS"); do configure_compute "compute-$number"; done
}

configure_compute() { # NAME
  mkdir -p "$VAR/$1/instances"
  cat >"$ETC/nova/$1.conf" <<X
[DEFAULT]
host = $1
state_path = $VAR/$1
instances_path = $VAR/$1/instances
compute_driver = bed_driver.BedDriver
[oslo_concurrency]
lock_path = $VAR/$1/lock
X
}

# For clients: `openstack --os-cloud bed …` once the openrc is sourced.
configure_clients() {
  cat >"$BED/clouds.yaml" <<X
clouds:
  bed:
    auth:
      auth_url: http://127.0.0.1:$P_KEYSTONE/v3
      username: admin
      password: $PASSWORD
      project_name: admin
      user_domain_id: default
      project_domain_id: default
    region_name: RegionOne
    interface: public
    identity_api_version: 3
    # The newest that the command line client of this release speaks.
    compute_api_version: '2.92'
X
  echo "export OS_CLIENT_CONFIG_FILE=$BED/clouds.yaml OS_CLOUD=bed" >"$BED/openrc"
}
