"""The demo's Python device: unmodified blynklib, told only another server.

It doubles every number that the virtual device writes to its pin V10 and writes the result to the virtual device's pin
V11, over a bridge. Ends after COUNT numbers, or with status 1 when they do not come.
"""

import json
import sys
import time

import blynklib

READY_FILE, COUNT = sys.argv[1], int(sys.argv[2])
BRIDGE_PIN, BRIDGE_COMMAND = 65, 15

with open(READY_FILE, encoding="utf-8") as file:
    ready = json.load(file)
host, port = ready["plain"].rsplit(":", 1)
virtual_token, own_token = ready["devices"][1]["token"], ready["devices"][2]["token"]

# These are the lines that a program changes: the token and the server.
blynk = blynklib.Blynk(own_token, server=host, port=int(port))
doubled = []


def bridge(*fields):
    """blynklib has no call for bridges, but it packs and sends any message."""
    blynk.send(blynk._pack_msg(BRIDGE_COMMAND, BRIDGE_PIN, *fields))


@blynk.handle_event("connect")
def on_connect():
    print("python: logged in", flush=True)
    bridge("i", virtual_token)


@blynk.handle_event("write V10")
def on_number(_pin, values):
    number = int(values[0])
    print(f"python: got {number} on V10, sends {2 * number} to V11 of the virtual device", flush=True)
    bridge("vw", 11, 2 * number)
    blynk.virtual_write(1, number)
    doubled.append(number)


end = time.monotonic() + 20
while len(doubled) < COUNT and time.monotonic() < end:
    blynk.run()
# What was sent last is still on its way.
time.sleep(0.3)
sys.exit(0 if len(doubled) >= COUNT else 1)
