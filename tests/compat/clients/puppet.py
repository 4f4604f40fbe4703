"""Orders as JSON lines on stdin, what happens as JSON lines on stdout: what both Python clients share."""

import json
import queue
import sys
import threading


def say(**event):
    """Tell the test what happened."""
    print(json.dumps(event), flush=True)


class Orders:
    """The test's orders, read on a thread of their own because both clients poll."""

    def __init__(self, actions):
        self._actions = actions
        self._waiting = queue.SimpleQueue()
        self.open = True
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in sys.stdin:
            self._waiting.put(json.loads(line))
        self._waiting.put(None)

    def carry_out(self):
        """Carry out the orders that have come; `open` is false once the test has closed stdin."""
        while not self._waiting.empty():
            order = self._waiting.get()
            if order is None:
                self.open = False
                return
            self._actions[order.pop("order")](**order)
