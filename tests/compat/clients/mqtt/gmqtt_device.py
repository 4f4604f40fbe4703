"""A device on PyPI gmqtt. Usage: gmqtt_device.py HOST PORT VERSION TRANSPORT CA; the token is in LINCHPIN_TOKEN."""

import asyncio
import json
import os
import ssl
import sys

import gmqtt
from gmqtt.mqtt.constants import MQTTv311, MQTTv50

HOST, PORT, VERSION, TRANSPORT, CA = sys.argv[1:6]


async def main():
    heard = asyncio.Queue()
    client = gmqtt.Client("gmqtt-device", clean_session=True)
    client.set_auth_credentials("device", os.environ["LINCHPIN_TOKEN"])
    client.on_message = lambda _c, topic, payload, _q, _p: heard.put_nowait((topic, payload)) or 0
    subscribed = asyncio.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    context = ssl.create_default_context(cafile=CA) if TRANSPORT == "tls" else False
    version = MQTTv50 if VERSION == "5" else MQTTv311
    await client.connect(HOST, int(PORT), ssl=context, version=version, keepalive=30)

    async def expect(topic, payload):
        found = await asyncio.wait_for(heard.get(), 10)
        assert found == (topic, payload), (found, topic, payload)

    client.subscribe("downlink/#", qos=1)
    await asyncio.wait_for(subscribed.wait(), 10)
    client.publish("ds/Slider", "77", qos=1)
    client.publish("batch_ds", json.dumps({"Message": "gmqtt", "Counter": 5}), qos=1)
    client.publish("ds/Switch", "1", qos=2)
    client.publish("get/ds", "Slider,Message,Counter,Switch", qos=0)
    await expect("downlink/ds/Slider", b"77")
    await expect("downlink/ds/Message", b"gmqtt")
    await expect("downlink/ds/Counter", b"5")
    await expect("downlink/ds/Switch", b"1")
    # The last answer must not come behind the close of TLS.
    await asyncio.sleep(0.3)
    await client.disconnect()


asyncio.run(main())
