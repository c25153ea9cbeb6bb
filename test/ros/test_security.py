"""The policy of SROS 2 is complete: it has the topics of all modes. test_control.py compares it with a stereo node."""

import json
from xml.etree import ElementTree

from loftr_ros.messages.camera_choice import TOPICS_NEEDED
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.streams import streams


def test_the_policy_has_the_topics_of_all_modes_and_transports(policy):
    wanted = {"/loftr/wheel_odometry", "/tf", "/tf_static", "/clock"}
    for mode in TOPICS_NEEDED:
        for transport in ("raw", "compressed"):
            parameters = VoParameters(mode=mode, image_transport=transport)
            for stream in streams(parameters, lambda name: f"/loftr/{name}"):
                wanted |= {stream.topic, stream.info_topic} - {None}
    assert policy["subscribe"] == wanted
    assert policy["request"] == set()


def beyond(policy, ros, program, *topics, **parameters):
    """Return what a node with these parameters uses that the policy does not have, once it subscribes to the topics."""
    node = ros.node(**parameters)
    code, said, errors = ros.run(program("graph.py"), *topics)
    assert code == 0, errors
    graph = {kind: set(names) for kind, names in json.loads(said).items()}
    assert set(topics) <= graph["subscribe"]
    assert ros.stop(node)[0] == 0
    return {kind: names for kind in policy if (names := graph[kind] - policy[kind])}


def test_a_node_with_everything_that_parameters_add_keeps_to_the_policy(policy, ros, program):
    """Wheels, simulated time, another transport; no parameter adds a publisher or a service."""
    options = {"scale_source": "odometry", "image_transport": "compressed", "use_sim_time": "true"}
    topics = ("/loftr/image/compressed", "/loftr/wheel_odometry", "/clock")
    assert beyond(policy, ros, program, *topics, mode="mono", **options) == {}


def test_a_topic_beside_the_policy_is_found(policy, ros, program):
    topics = {"/elsewhere/image", "/elsewhere/camera_info"}
    assert beyond(policy, ros, program, *topics, mode="mono", image_topic="/elsewhere/image") == {"subscribe": topics}


def test_the_policy_is_of_the_version_that_sros2_reads(policy_file):
    root = ElementTree.parse(policy_file).getroot()
    assert (root.tag, root.get("version")) == ("policy", "0.2.0")
    assert [profile.attrib for profile in root.iter("profile")] == [{"ns": "/loftr", "node": "vo"}]
