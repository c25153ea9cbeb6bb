"""Print what the node /loftr/vo publishes, subscribes to, serves and calls, as JSON, once the graph is complete."""

import json
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
    if found == before and all(found[kind] for kind in ("publish", "subscribe", "reply")):
        break
    before = found
    time.sleep(1.0)
print(json.dumps({kind: sorted(names) for kind, names in found.items()}))
rclpy.shutdown()
