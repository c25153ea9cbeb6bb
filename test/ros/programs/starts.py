"""Start the node with one set of parameters after the other: starts.py '[["mode:=trio"], ...]'.

Prints [[exit code, stderr], ...].
Each start has to fail; the node would not end by itself.
"""

import json
import os
import sys
import tempfile

from loftr_ros.ros.node_process import run_node

ended = []
for parameters in json.loads(sys.argv[1]):
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)  # what ROS writes, too
        options = [word for parameter in parameters for word in ("-p", parameter)]
        code = run_node(["--ros-args", *options], lambda stop: None)
        sys.stderr.flush()
        file.seek(0)
        ended.append([code, file.read().decode()])
print(json.dumps(ended))
