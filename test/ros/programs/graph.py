"""Print what the node /loftr/vo publishes, subscribes to, serves and calls, as JSON, once the graph is complete.

graph.py [TOPIC ...]: only once it subscribes to these.
"""

import json
import sys
import time

import rclpy

rclpy.init()
node = rclpy.create_node("graph")
deadline = time.monotonic() + 60
while ("vo", "/loftr") not in node.get_node_names_and_namespaces() and time.monotonic() < deadline:
    time.sleep(0.1)
before = None
while time.monotonic() < deadline:
    found = {
        "publish": dict(node.get_publisher_names_and_types_by_node("vo", "/loftr")),
        "subscribe": dict(node.get_subscriber_names_and_types_by_node("vo", "/loftr")),
        "reply": dict(node.get_service_names_and_types_by_node("vo", "/loftr")),
        "request": dict(node.get_client_names_and_types_by_node("vo", "/loftr")),
    }
    is_complete = all(found[kind] for kind in ("publish", "subscribe", "reply"))
    if found == before and is_complete and set(sys.argv[1:]) <= set(found["subscribe"]):
        break
    before = found
    time.sleep(1.0)
print(json.dumps({kind: sorted(names) for kind, names in found.items()}))
rclpy.shutdown()
