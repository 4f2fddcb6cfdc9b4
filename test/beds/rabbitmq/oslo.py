"""The other side of the tests: what the real libraries of Python make of notifications. Lines of JSON in and out.

    oslo.py listen URL EXCHANGE TOPIC [OPTION=VALUE...]  prints what a listener of oslo.messaging gets
    oslo.py notify URL EXCHANGE TOPIC [OPTION=VALUE...]  sends a payload from stdin with the notifier of oslo.messaging
    oslo.py text                                         prints str() of values on stdin, cut as Ceilometer cuts it
    oslo.py verify SECRET                                checks a webhook on stdin: {"headers": ..., "body": "..."}

OPTION is one of [oslo_messaging_rabbit], such as rabbit_quorum_queue.
"""

import json
import sys
import tempfile
import threading


# A listener takes several notifications at a time.
printing = threading.Lock()


def show(value):
    with printing:
        print(json.dumps(value), flush=True)


def make_transport(url, exchange, options):
    import oslo_messaging
    from oslo_config import cfg

    # As a service of OpenStack is configured.
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"[DEFAULT]\ncontrol_exchange = {exchange}\n")
        file.write("[oslo_messaging_rabbit]\n" + "\n".join(options) + "\n")
        file.flush()
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[file.name], default_config_dirs=[])
    return oslo_messaging.get_notification_transport(conf, url=url)


class Endpoint:
    """Takes notifications of priority INFO; the name of the method says so."""

    def info(self, ctxt, publisher_id, event_type, payload, metadata):
        show(
            {
                "publisher_id": publisher_id,
                "event_type": event_type,
                "payload": payload,
                "metadata": metadata,
            }
        )


def listen(url, exchange, topic, *options):
    import oslo_messaging

    listener = oslo_messaging.get_notification_listener(
        make_transport(url, exchange, options),
        [oslo_messaging.Target(topic=topic)],
        [Endpoint()],
        executor="threading",
    )
    listener.start()
    show("listening")
    threading.Event().wait()


def notify(url, exchange, topic, *options):
    import oslo_messaging

    notifier = oslo_messaging.Notifier(
        make_transport(url, exchange, options),
        publisher_id="fenix",
        driver="messagingv2",
        topics=[topic],
    )
    notifier.info({}, "maintenance.scheduled", json.load(sys.stdin))


def text():
    show([str(value)[:255] for value in json.load(sys.stdin)])


def verify(secret):
    from standardwebhooks.webhooks import Webhook

    post = json.load(sys.stdin)
    show(Webhook(secret).verify(post["body"], post["headers"]))


if __name__ == "__main__":
    COMMANDS = {"listen": listen, "notify": notify, "text": text, "verify": verify}
    COMMANDS[sys.argv[1]](*sys.argv[2:])
