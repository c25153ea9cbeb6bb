"""Set a parameter to a value of a type that does not exist, which rclpy cannot read; print the answer."""

import rclpy
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters

rclpy.init()
node = rclpy.create_node("odd_parameter")
client = node.create_client(SetParameters, "/loftr/vo/set_parameters")
assert client.wait_for_service(timeout_sec=30)
request = SetParameters.Request(parameters=[Parameter(name="max_speed", value=ParameterValue(type=99))])
future = client.call_async(request)
rclpy.spin_until_future_complete(node, future, timeout_sec=30)
print(*((result.successful, result.reason) for result in future.result().results))
rclpy.shutdown()
