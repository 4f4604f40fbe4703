"""The PyPI client blynk-library-python (import name BlynkLib) as the tests drive it.

Usage: python blynk_library_python_0_2_0.py HOST PORT, token in LINCHPIN_TOKEN.
"""

import os
import sys
import time

import BlynkLib

from puppet import Orders, say


def log(direction, command, message_id, _bar, *args):
    """The library keeps answers to itself, but logs them."""
    if direction == ">" and command == BlynkLib.MSG_RSP:
        say(event="response", id=message_id, status=args[0])


def log_line(*words):
    """Its log has lines of other shapes too."""
    if len(words) >= 4 and words[0] in "<>":
        log(*words)


device = BlynkLib.Blynk(os.environ["LINCHPIN_TOKEN"], server=sys.argv[1], port=int(sys.argv[2]), log=log_line)
device.on("connected", lambda ping: say(event="connected"))
device.on("disconnected", lambda: say(event="disconnected"))
device.on("V*", lambda pin, values: say(event="write", pin=int(pin), values=values))

orders = Orders({
    "write": lambda pin, values: device.virtual_write(pin, *values),
    "sync": lambda pins: device.sync_virtual(*pins),
    "property": lambda pin, name, values: device.set_property(pin, name, *values),
    "event": lambda code, text: device.log_event(code, text),
    "notify": lambda text: device.notify(text),
    "tweet": lambda text: device.tweet(text),
})
while orders.open:
    # Reconnecting is left to the program with this library.
    try:
        device.run()
        orders.carry_out()
    except OSError:
        device.disconnect()
    if device.state == BlynkLib.DISCONNECTED:
        device.conn.close()
        try:
            device.connect()
        except ValueError:
            time.sleep(1)
