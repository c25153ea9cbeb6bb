"""Ask the node for lifecycle transitions by name and print what came of each: transitions.py configure activate ..."""

import sys

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
    success = call(change, ChangeState.Request(transition=transition)).success
    print(name, success, call(state, GetState.Request()).current_state.label)
rclpy.shutdown()
