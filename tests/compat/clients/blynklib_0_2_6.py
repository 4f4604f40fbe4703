"""The PyPI client blynklib as the tests drive it.

Usage: python blynklib_0_2_6.py HOST PORT, token in LINCHPIN_TOKEN; with LINCHPIN_CA (PEM file) over TLS.
"""

import os
import sys

import blynklib

from puppet import Orders, say


class Device(blynklib.Blynk):
    """The library, telling of answers and connections too."""

    def process(self, msg_type, msg_id, msg_len, msg_args):
        if msg_type == self.MSG_RSP:
            say(event="response", id=msg_id, status=msg_len)
        super().process(msg_type, msg_id, msg_len, msg_args)

    def disconnect(self, err_msg=None):
        say(event="disconnected", text=str(err_msg))
        super().disconnect(err_msg)


device = Device(os.environ["LINCHPIN_TOKEN"], server=sys.argv[1], port=int(sys.argv[2]),
                ssl_cert=os.environ.get("LINCHPIN_CA"))


@device.handle_event("connect")
def connected():
    say(event="connected")


@device.handle_event("write V*")
def written(pin, values):
    say(event="write", pin=pin, values=values)


@device.handle_event("internal_rtc")
def clock(values):
    say(event="clock", values=values)


orders = Orders({
    "write": lambda pin, values: device.virtual_write(pin, *values),
    "sync": lambda pins: device.virtual_sync(*pins),
    "property": lambda pin, name, values: device.set_property(pin, name, *values),
    "email": lambda to, subject, text: device.email(to, subject, text),
    "notify": lambda text: device.notify(text),
    "tweet": lambda text: device.tweet(text),
    "clock": lambda: device.internal("rtc", "sync"),
})
while orders.open:
    device.run()
    orders.carry_out()
