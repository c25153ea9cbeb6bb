"""Print "ready" when diagnostics come, and level and message when they say each TEXT in turn: diagnosed.py TEXT ..."""

import sys
import time
from collections import deque

import rclpy
from diagnostic_msgs.msg import DiagnosticArray

rclpy.init()
node = rclpy.create_node("diagnosed")
heard = deque()
node.create_subscription(DiagnosticArray, "/diagnostics", lambda message: heard.append(message.status[0]), 100)


def wait_for(text):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.1)
        while heard:
            status = heard.popleft()
            if text in status.message:
                return status
    sys.exit(f"nothing said {text}")


wait_for("")
print("ready", flush=True)
for text in sys.argv[1:]:
    status = wait_for(text)
    print(status.level[0], status.message, flush=True)
rclpy.shutdown()
