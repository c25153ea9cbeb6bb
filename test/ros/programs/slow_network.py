"""The node with a network that takes longer to load than `configure` waits."""

import time

from loftr_ros.ros import vo_node
from loftr_ros.ros.main import main

load_network = vo_node.load_network


def slowly(parameters):
    time.sleep(3)
    return load_network(parameters)


vo_node.load_network = slowly
main()
