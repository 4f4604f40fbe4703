"""A device on PyPI gmqtt. Usage: gmqtt_device.py MODE HOST PORT VERSION TRANSPORT CA; as paho_device.py, but for WebSockets."""

import asyncio
import json
import os
import ssl
import sys

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

MODE, HOST, PORT, VERSION, TRANSPORT, CA = sys.argv[1:7]
FIVE = VERSION == "5"


def say(**event):
    print(json.dumps(event), flush=True)


def new_client(will=None):
    client = gmqtt.Client("gmqtt-device", clean_session=True, will_message=will)
    client.set_auth_credentials("device", os.environ["LINCHPIN_TOKEN"])
    return client


async def connect(client):
    context = ssl.create_default_context(cafile=CA) if TRANSPORT == "tls" else False
    await client.connect(HOST, int(PORT), ssl=context, version=MQTTv50 if FIVE else MQTTv311, keepalive=30)


async def use():
    heard = asyncio.Queue()
    client = new_client()
    client.on_message = lambda _c, topic, payload, _q, _p: heard.put_nowait((topic, payload)) or 0
    subscribed = asyncio.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    await connect(client)

    async def expect(topic, payload=None):
        found = await asyncio.wait_for(heard.get(), 10)
        assert found[0] == topic and payload in (None, found[1]), (found, topic, payload)
        return found[1]

    client.subscribe("downlink/#", qos=1)
    await asyncio.wait_for(subscribed.wait(), 10)
    # The same event may come once a second, and this program is run several times.
    await asyncio.sleep(1.2)
    firmware = {"tmpl": "TMPLlinchpin", "ver": "1.2.3", "build": "Nov 29 2026", "type": "TMPLlinchpin", "rxbuff": 2048}
    client.publish("info/mcu", json.dumps(firmware), qos=1)
    client.publish("ds/Slider", "77", qos=1)
    client.publish("batch_ds", json.dumps({"Message": "gmqtt", "Counter": 5}), qos=1)
    client.publish("ds/Switch", "1", qos=2)
    client.publish("ds/Slider/prop/color", "#0000ff", qos=1)
    client.publish("event/hot", "by gmqtt", qos=1)
    client.publish("meta/Hotspot Name", "cellar", qos=1)
    client.publish("get/ds", "Slider,Message,Counter,Switch", qos=0)
    await expect("downlink/ds/Slider", b"77")
    await expect("downlink/ds/Message", b"gmqtt")
    await expect("downlink/ds/Counter", b"5")
    await expect("downlink/ds/Switch", b"1")
    client.publish("get/meta", "Hotspot Name", qos=0)
    await expect("downlink/meta/Hotspot Name", b"cellar")
    client.publish("get/utc/all/json", "", qos=0)
    assert "iso8601" in json.loads(await expect("downlink/utc/all/json"))
    # What is not taken is said in words; gmqtt has no call for the reason of a PUBACK.
    client.publish("ds/Slider", "fast", qos=0)
    assert (await expect("downlink/diag")).startswith(b"E0803")
    # The last answer must not come behind the close of TLS.
    await asyncio.sleep(0.3)
    await client.disconnect()


async def wait():
    will = gmqtt.Message("ds/V9", "by will", qos=1) if MODE == "will" else None
    client = new_client(will)
    client.set_config({"reconnect_retries": -1, "reconnect_delay": 1})
    client.on_connect = lambda client, *_: client.subscribe("downlink/#", qos=0)
    client.on_subscribe = lambda *_: say(event="ready")
    client.on_message = lambda _c, topic, payload, _q, _p: (
        say(event="message", topic=topic, payload=payload.decode("utf-8", "replace")) or 0
    )
    client.on_disconnect = lambda *_: say(event="gone")
    loop = asyncio.get_running_loop()
    over = loop.run_in_executor(None, sys.stdin.read)
    try:
        await connect(client)
    except gmqtt.mqtt.handler.MQTTConnectError as error:
        say(event="refused", code=error._code)
    await over


asyncio.run(use() if MODE == "use" else wait())
