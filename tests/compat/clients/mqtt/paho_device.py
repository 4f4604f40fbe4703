"""A device on PyPI paho-mqtt.

Usage: paho_device.py MODE HOST PORT VERSION TRANSPORT CA; MODE is use, wait or will, VERSION 4 or 5, TRANSPORT tcp, tls,
ws or wss. The token is in LINCHPIN_TOKEN. `use` checks what it does and ends with 0; the others say what happens, one line
of JSON each, until their input ends.
"""

import json
import os
import queue
import sys
import time

import paho.mqtt.client as mqtt

MODE, HOST, PORT, VERSION, TRANSPORT, CA = sys.argv[1:7]
FIVE = VERSION == "5"


def say(**event):
    print(json.dumps(event), flush=True)


class Device:
    def __init__(self):
        transport = "websockets" if TRANSPORT.startswith("ws") else "tcp"
        protocol = mqtt.MQTTv5 if FIVE else mqtt.MQTTv311
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, transport=transport, protocol=protocol)
        self.client.username_pw_set("device", os.environ["LINCHPIN_TOKEN"])
        if transport == "websockets":
            self.client.ws_set_options(path="/mqtt")
        if TRANSPORT in ("tls", "wss"):
            self.client.tls_set(ca_certs=CA)
        self.heard, self.answers = queue.Queue(), queue.Queue()
        self.client.on_message = lambda _c, _u, message: self.heard.put((message.topic, message.payload))
        self.client.on_publish = lambda _c, _u, mid, code, _p: self.answers.put((mid, code.value))
        self.logins = queue.Queue()
        self.client.on_connect = lambda _c, _u, _f, code, _p: self.logins.put(code)
        self.subscribed = queue.Queue()
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.subscribed.put([code.value for code in codes])

    def start(self, keepalive=45):
        self.client.connect(HOST, int(PORT), keepalive=keepalive)
        self.client.loop_start()
        code = self.logins.get(timeout=20)
        assert not code.is_failure, code

    def confirm(self, topic, payload):
        """Publish at QoS 1; the reason of the answer."""
        sent = self.client.publish(topic, payload, qos=1)
        while True:
            mid, code = self.answers.get(timeout=10)
            if mid == sent.mid:
                return code

    def expect(self, topic, payload=None):
        found, body = self.heard.get(timeout=10)
        assert found == topic, (found, topic, body)
        assert payload is None or body == payload, (topic, body, payload)
        return body


def use():
    device = Device()
    device.start()
    device.client.subscribe("downlink/#", qos=1)
    assert device.subscribed.get(timeout=10) == [1]
    device.client.subscribe("foreign/#")
    assert device.subscribed.get(timeout=10) == [0x87 if FIVE else 0x80]
    # The same event may come once a second, and this program is run several times.
    time.sleep(1.2)
    firmware = {"tmpl": "TMPLlinchpin", "ver": "1.2.3", "build": "Nov 29 2026", "type": "TMPLlinchpin", "rxbuff": 2048}
    assert device.confirm("info/mcu", json.dumps(firmware)) == 0
    for topic, payload in (
        ("ds/Slider", "512"),
        ("ds/Message", "grüße"),
        ("batch_ds", json.dumps({"Temperature": 21.5, "Switch": True, "Mode": 2})),
        ("ds/Slider/prop/color", "#ff0000"),
        ("ds/Slider/prop/label", "x"),
        ("ds/Slider/prop/label/erase", ""),
        ("event/hot", "by paho"),
        ("meta/Hotspot Name", "shed"),
    ):
        assert device.confirm(topic, payload) == 0, topic
    sent = device.client.publish("ds/Counter", "7", qos=2)
    sent.wait_for_publish(10)
    assert sent.is_published()
    device.client.publish("get/ds", "Slider, Counter")
    device.expect("downlink/ds/Slider", b"512")
    device.expect("downlink/ds/Counter", b"7")
    device.client.publish("get/ds/all", "")
    names = [device.heard.get(timeout=10)[0] for _ in range(4)]
    assert names == ["downlink/ds/" + name for name in ("Slider", "Message", "Switch", "Mode")], names
    device.client.publish("get/meta", "Hotspot Name")
    device.expect("downlink/meta/Hotspot Name", b"shed")
    device.client.publish("get/utc/all/json", "")
    clock = json.loads(device.expect("downlink/utc/all/json"))
    assert set(clock) == {"tz_name", "tz_rule", "tz_offset", "dst_offset", "time", "iso8601"}, clock
    at = clock["time"]
    assert device.confirm("ds/Temperature/timestamped_batch", json.dumps([[at - 9000, 20.5], [at, 22.5]])) == 0
    device.client.publish("get/ds", "Temperature")
    device.expect("downlink/ds/Temperature", b"22.5")
    if FIVE:
        assert device.confirm("ds/Slider", "fast") == 0x99
        assert device.confirm("ds/Nothing", "1") == 0x90
    else:
        assert device.confirm("ds/Slider", "fast") == 0
        assert device.expect("downlink/diag").startswith(b"E0803")
    assert device.confirm("ds/Message/erase", "") == 0
    device.client.publish("get/ds", "Message,Slider")
    device.expect("downlink/ds/Slider", b"512")
    device.client.disconnect()
    device.client.loop_stop()


def wait():
    device = Device()
    device.client.reconnect_delay_set(1, 2)
    device.client.on_connect = lambda _c, _u, _f, code, _p: (
        device.client.subscribe("downlink/#", qos=0) if not code.is_failure else None,
        say(event="refused" if code.is_failure else "login", code=code.value),
    )
    device.client.on_subscribe = lambda *_: say(event="ready")
    device.client.on_message = lambda _c, _u, message: say(
        event="message", topic=message.topic, payload=message.payload.decode("utf-8", "replace")
    )
    device.client.on_disconnect = lambda _c, _u, _f, code, _p: say(event="gone", code=code.value)
    if MODE == "will":
        device.client.will_set("ds/V9", "by will", qos=1)
    device.client.connect(HOST, int(PORT), keepalive=45)
    device.client.loop_start()
    sys.stdin.read()


use() if MODE == "use" else wait()
