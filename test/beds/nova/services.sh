# How each process of the bed is started.

NOVA_CONF="--config-file $ETC/nova/nova.conf"
BED_SOURCES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

launch() { # NAME
  case $1 in
    mariadb) start mariadb /usr/sbin/mariadbd --defaults-file="$ETC/my.cnf" ;;
    epmd) launch_epmd ;;
    rabbitmq) launch_broker novabed@localhost ;;
    keystone)
      OS_KEYSTONE_CONFIG_FILES=$ETC/keystone/keystone.conf \
        launch_wsgi keystone "$P_KEYSTONE" /usr/bin/keystone-wsgi-public
      ;;
    placement)
      OS_PLACEMENT_CONFIG_DIR=$ETC/placement launch_wsgi placement "$P_PLACEMENT" /usr/bin/placement-api
      ;;
    glance) start glance glance-api --config-file "$ETC/glance/glance-api.conf" ;;
    neutron) start neutron neutron-server --config-file "$ETC/neutron/neutron.conf" ;;
    # shellcheck disable=SC2086
    nova-conductor | nova-scheduler) start "$1" "$1" $NOVA_CONF ;;
    # The package nova-api only adds a wrapper around the same entry point.
    # shellcheck disable=SC2086
    nova-api)
      start nova-api /usr/bin/python3 -c 'import sys; sys.argv[0] = "nova-api-os-compute"
from nova.cmd.api_os_compute import main; main()' $NOVA_CONF
      ;;
    # shellcheck disable=SC2086
    compute-*)
      start "$1" /usr/bin/python3 "$BED_SOURCES/nova-compute.py" $NOVA_CONF --config-file "$ETC/nova/$1.conf"
      ;;
    *) echo "the bed has no service $1" >&2 && return 2 ;;
  esac
}

# Waits until a service that others call answers them.
await_service() { # NAME
  case $1 in
    keystone) until_succeeds http_ok "http://127.0.0.1:$P_KEYSTONE/v3" ;;
    placement) until_succeeds http_ok "http://127.0.0.1:$P_PLACEMENT/" ;;
    nova-api) until_succeeds http_ok "http://127.0.0.1:$P_NOVA/" ;;
    rabbitmq) until_succeeds port_open "$P_AMQP" ;;
    mariadb) until_succeeds query 'select 1' ;;
  esac
}

http_ok() { # URL
  /usr/bin/python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=5)' "$1"
}

query() { # SQL
  mariadb --no-defaults --socket="$SOCKET" -u root -e "$1"
}

launch_wsgi() { # NAME PORT FILE
  start "$1" /usr/bin/uwsgi --plugin python3 --http-socket "127.0.0.1:$2" --wsgi-file "$3" \
    --master --processes 1 --threads 8 --enable-threads --lazy-apps --die-on-term --no-orphans \
    --buffer-size 65535 --disable-logging --add-header 'Connection: close'
}
