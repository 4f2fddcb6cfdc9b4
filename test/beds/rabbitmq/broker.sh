# A RabbitMQ that a bed starts for itself. ETC, VAR, LOG and RUN are directories of the bed, P_AMQP, P_ERLDIST and P_EPMD
# its ports, on 127.0.0.1.

configure_broker() { # NAME, of user and password
  mkdir -p "$ETC/rabbit" "$VAR/rabbit"
  cat >"$ETC/rabbit/rabbitmq.conf" <<X
listeners.tcp.1 = 127.0.0.1:$P_AMQP
default_user = $1
default_pass = $1
loopback_users = none
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
X
  echo '[].' >"$ETC/rabbit/enabled_plugins"
  : >"$ETC/rabbit/env.conf"
}

launch_epmd() {
  start epmd /usr/bin/epmd -port "$P_EPMD" -address 127.0.0.1
}

launch_broker() { # NODE
  start rabbitmq env HOME="$VAR/rabbit" RABBITMQ_HOME_DIR= RABBITMQ_CONF_ENV_FILE="$ETC/rabbit/env.conf" \
    ERL_EPMD_PORT="$P_EPMD" ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_NODENAME="$1" RABBITMQ_NODE_PORT="$P_AMQP" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
    RABBITMQ_DIST_PORT="$P_ERLDIST" RABBITMQ_MNESIA_BASE="$VAR/rabbit/mnesia" \
    RABBITMQ_LOG_BASE="$LOG/rabbit" RABBITMQ_LOGS=- RABBITMQ_CONFIG_FILE="$ETC/rabbit/rabbitmq.conf" \
    RABBITMQ_CONFIG_FILES="$ETC/rabbit/conf.d" RABBITMQ_ADVANCED_CONFIG_FILE="$ETC/rabbit/advanced.config" \
    RABBITMQ_GENERATED_CONFIG_DIR="$VAR/rabbit/config" RABBITMQ_PID_FILE="$RUN/rabbitmq.own" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$ETC/rabbit/enabled_plugins" \
    'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}' \
    /usr/lib/rabbitmq/bin/rabbitmq-server
}
