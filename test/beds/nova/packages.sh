# The Debian packages of the bed.

PACKAGES="mariadb-server-core mariadb-client-core rabbitmq-server uwsgi-core uwsgi-plugin-python3
  keystone placement-api glance-api glance-common neutron-server neutron-common
  nova-common nova-conductor nova-scheduler python3-pymysql python3-openstackclient"
