# Settings of the bed, for the scripts beside this one. Everything here can be set in the environment.

# State of the bed: configuration, databases, logs and the ids of its processes.
export BED=${BED:-${XDG_CACHE_HOME:-$HOME/.cache}/haulout-beds/nova}
# How many nova-compute run. Fewer than last time leaves services behind that stay "down": wipe the bed instead.
HOSTS=${HOSTS:-6}

# Ports, all on 127.0.0.1. A second bed on one machine needs others, and a BED of its own.
P_KEYSTONE=${P_KEYSTONE:-15000}
P_PLACEMENT=${P_PLACEMENT:-18778}
P_GLANCE=${P_GLANCE:-19292}
P_NEUTRON=${P_NEUTRON:-19696}
P_NOVA=${P_NOVA:-18774}
P_AMQP=${P_AMQP:-25673}
P_ERLDIST=${P_ERLDIST:-25674}
P_EPMD=${P_EPMD:-14369}

# Of the users admin and svc. The bed listens on the loopback only.
PASSWORD=secret

ETC=$BED/etc VAR=$BED/var LOG=$BED/log RUN=$BED/run
SOCKET=$RUN/mariadb.sock

# Debian's programs need Debian's Python: no other one may stand before it.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset PYTHONPATH
export LANG=C.UTF-8 LC_ALL=C.UTF-8
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
