"""Ask the node, in order, and print each answer in a line: control.py reset save_trajectory max_speed=2.0 ...

A name is a service of type std_srvs/Trigger, NAME=VALUE a parameter; values are written as in YAML.
"""

import sys

import rclpy
import yaml
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger


def call(kind, name, request):
    client = node.create_client(kind, name)
    assert client.wait_for_service(timeout_sec=30), name
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=30)
    return future.result()


rclpy.init()
node = rclpy.create_node("control")
for order in sys.argv[1:]:
    name, is_parameter, value = order.partition("=")
    if is_parameter:
        parameter = Parameter(name, value=yaml.safe_load(value)).to_parameter_msg()
        (answer,) = call(
            SetParameters, "/loftr/vo/set_parameters", SetParameters.Request(parameters=[parameter])
        ).results
        print(answer.successful, answer.reason)
    else:
        answer = call(Trigger, f"/loftr/{name}", Trigger.Request())
        print(answer.success, answer.message)
rclpy.shutdown()
