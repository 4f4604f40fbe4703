"""A device over WebSocket on PyPI wsproto: fragments, pings and the closing handshake, checked here.

Usage: wsproto_device.py HOST PORT, token in LINCHPIN_TOKEN. Ends with 0 when everything was as it should be.
"""

import os
import socket
import struct
import sys

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, Request
from wsproto.extensions import PerMessageDeflate

RESPONSE, PING, INTERNAL, HARDWARE, LOGIN = 0, 6, 17, 20, 29


class Device:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.wire = WSConnection(ConnectionType.CLIENT)
        self.stream = b""
        self.events = []

    def send(self, event):
        self.socket.sendall(self.wire.send(event))

    def next_event(self, kind):
        while True:
            for at, event in enumerate(self.events):
                if isinstance(event, kind):
                    return self.events.pop(at)
            data = self.socket.recv(4096)
            self.wire.receive_data(data or None)
            for event in self.wire.events():
                if isinstance(event, BytesMessage):
                    self.stream += event.data
                else:
                    self.events.append(event)

    def frame(self):
        """The next Blynk frame: command, id, third field, body."""
        while True:
            if len(self.stream) >= 5:
                command, number, third = struct.unpack(">BHH", self.stream[:5])
                end = 5 + (0 if command == RESPONSE else third)
                if len(self.stream) >= end:
                    body, self.stream = self.stream[5:end], self.stream[end:]
                    return command, number, third, body
            data = self.socket.recv(4096)
            assert data, "the server closed"
            self.wire.receive_data(data)
            for event in self.wire.events():
                if isinstance(event, BytesMessage):
                    self.stream += event.data
                else:
                    self.events.append(event)


def blynk(command, number, body=b""):
    return struct.pack(">BHH", command, number, len(body)) + body


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    device = Device(host, port)
    # Compression is offered and must be declined.
    device.send(Request(host=f"{host}:{port}", target="/websockets", extensions=[PerMessageDeflate()]))
    accepted = device.next_event((AcceptConnection, RejectConnection))
    assert isinstance(accepted, AcceptConnection), accepted
    assert not accepted.extensions and accepted.subprotocol is None, accepted

    login = blynk(LOGIN, 1, os.environ["LINCHPIN_TOKEN"].encode())
    for at, byte in enumerate(login):
        # One message of 37 fragments, with a ping in its middle.
        if at == 20:
            device.send(Ping(payload=b"in the middle"))
        device.send(BytesMessage(data=bytes([byte]), message_finished=at + 1 == len(login)))
    assert device.frame() == (RESPONSE, 1, 200, b"")
    assert device.next_event(Pong).payload == b"in the middle"

    # Two frames in one message, and one frame in two messages.
    info = blynk(INTERNAL, 2, b"ver\x001.0\x00buff-in\x004096\x00dev\x00wsproto")
    write = blynk(HARDWARE, 3, b"vw\x007\x00over a websocket")
    device.send(BytesMessage(data=info + write[:4]))
    device.send(BytesMessage(data=write[4:] + blynk(PING, 4)))
    assert device.frame() == (RESPONSE, 2, 200, b"")
    assert device.frame() == (RESPONSE, 4, 200, b"")

    device.send(CloseConnection(code=1000))
    assert device.next_event(CloseConnection).code == 1000
    assert device.socket.recv(1) == b"", "the server ends the connection"


main()
