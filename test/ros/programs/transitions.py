"""Ask the node for lifecycle transitions by name and print what came of each: transitions.py configure activate ...

How many seconds each took goes to stderr.
"""

import sys
import time

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

rclpy.init()
node = rclpy.create_node("transitions")
change = node.create_client(ChangeState, "/loftr/vo/change_state")
state = node.create_client(GetState, "/loftr/vo/get_state")


def call(client, request):
    assert client.wait_for_service(timeout_sec=30), client.srv_name
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=30)
    return future.result()


for name in sys.argv[1:]:
    transition = Transition(id=getattr(Transition, f"TRANSITION_{name.upper()}"))
    assert change.wait_for_service(timeout_sec=30)
    began = time.monotonic()
    success = call(change, ChangeState.Request(transition=transition)).success
    print(f"{time.monotonic() - began:.2f}", file=sys.stderr)
    print(name, success, call(state, GetState.Request()).current_state.label)
rclpy.shutdown()
