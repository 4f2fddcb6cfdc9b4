# Settings of the bed, for the scripts beside this one. Everything here can be set in the environment.

# State of the bed: programs, keys, data, logs and the ids of its processes.
export BED=${BED:-${XDG_CACHE_HOME:-$HOME/.cache}/haulout-beds/kubernetes}

# Ports, all on 127.0.0.1. A second bed on one machine needs others, and a BED of its own.
P_API=${P_API:-16443}
P_ETCD=${P_ETCD:-23790}
P_ETCD_PEER=${P_ETCD_PEER:-23791}
P_CONTROLLERS=${P_CONTROLLERS:-16444}
P_SCHEDULER=${P_SCHEDULER:-16445}
P_KWOK=${P_KWOK:-16446}

BIN=$BED/bin ETC=$BED/etc VAR=$BED/var LOG=$BED/log RUN=$BED/run

unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY KUBECONFIG
