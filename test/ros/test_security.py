"""The policy of SROS 2 is complete: it has the topics of all modes. test_control.py compares it with a running node."""

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


def test_the_policy_is_of_the_version_that_sros2_reads(policy_file):
    root = ElementTree.parse(policy_file).getroot()
    assert (root.tag, root.get("version")) == ("policy", "0.2.0")
    assert [profile.attrib for profile in root.iter("profile")] == [{"ns": "/loftr", "node": "vo"}]
