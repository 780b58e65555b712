"""A gateway as the vendors' Python sample makes one, driven from outside: one JSON object per line in and out."""

import json
import sys
import threading

import paho.mqtt.client as mqtt


told = threading.Lock()


def say(**what):
    # paho calls back on a thread of its own.
    with told:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def connect(port, client_id, token):
    client = mqtt.Client(client_id=client_id)
    client.username_pw_set(username="unused", password=token)
    client.on_connect = lambda _client, _data, _flags, code: say(event="connected", code=code)
    client.on_publish = lambda _client, _data, mid: say(event="published", mid=mid)
    client.on_subscribe = lambda _client, _data, mid, granted: say(event="subscribed", mid=mid, granted=list(granted))
    client.on_message = lambda _client, _data, message: say(
        event="message", topic=message.topic, qos=message.qos, text=message.payload.decode()
    )
    client.on_disconnect = lambda _client, _data, code: say(event="disconnected", code=code)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


client = None
for line in sys.stdin:
    order = json.loads(line)
    if order["do"] == "connect":
        client = connect(order["port"], order["clientId"], order["token"])
    elif order["do"] == "subscribe":
        _, mid = client.subscribe(order["topic"], qos=order["qos"])
        say(event="asked", topic=order["topic"], mid=mid)
    elif order["do"] == "publish":
        said = client.publish(order["topic"], order["text"], qos=1)
        say(event="asked", topic=order["topic"], mid=said.mid)
    elif order["do"] == "disconnect":
        client.disconnect()
        client.loop_stop()
