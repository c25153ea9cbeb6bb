"""Sets of messages, and why there are none; with a node of paper, and both synchronizers."""

from types import SimpleNamespace

import pytest
from builtin_interfaces.msg import Time
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from loftr_ros.ros.messages.stamp_order import Order
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.camera_subscriber import CameraInput
from loftr_ros.ros.sensors.streams import streams


class PaperNode:
    """Takes the place of the node: keeps the callbacks of the subscriptions, and knows of publishers."""

    def __init__(self):
        self.callbacks, self.publishers, self.told = {}, {}, []

    def create_subscription(self, _, topic, callback, profile, event_callbacks):
        self.callbacks[topic] = callback
        self.profile, self.events = profile, event_callbacks
        return topic

    def destroy_subscription(self, topic):
        del self.callbacks[topic]

    def count_publishers(self, topic):
        return len(self.publishers.get(topic, []))

    def get_publishers_info_by_topic(self, topic):
        kind = f"sensor_msgs/msg/{'CompressedImage' if topic.endswith('compressed') else 'Image'}"
        profiles = [QoSProfile(depth=1, reliability=r) for r in self.publishers.get(topic, [])]
        return [
            SimpleNamespace(qos_profile=profile, topic_type=kind, node_namespace="/", node_name=f"camera{index}")
            for index, profile in enumerate(profiles)
        ]

    def create_timer(self, period, callback, clock):
        self.follow = callback

    def destroy_timer(self, timer):
        self.follow = None

    def get_logger(self):
        return SimpleNamespace(warning=lambda text: setattr(self, "warned", text), info=self.told.append)


class Camera:
    """An input of a mode, and all that came of it."""

    def __init__(self, mode, **options):
        self.node, self.sets, self.ignored = PaperNode(), [], []
        parameters = VoParameters(mode=mode, **options)
        self.input = CameraInput(
            self.node, parameters, streams(parameters, "/{}".format), self.sets.append, self.ignored.append
        )

    def put(self, topic, stamp_ms):
        sec, ms = divmod(stamp_ms, 1000)
        header = Header(stamp=Time(sec=sec, nanosec=ms * 10**6))
        kind = CameraInfo if topic.endswith("info") else Image
        self.node.callbacks[topic](kind(header=header))

    @property
    def stamps(self):
        return [[i.header.stamp.sec * 1000 + i.header.stamp.nanosec // 10**6 for i in s.images] for s in self.sets]


@pytest.fixture
def camera(filters, monkeypatch):
    monkeypatch.setattr("loftr_ros.ros.sensors.camera_subscriber.message_filters", filters)
    return Camera


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr("loftr_ros.ros.sensors.camera_subscriber.time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def test_images_wait_for_the_calibration_which_may_come_once(camera):
    mono = camera("mono")
    mono.put("/image", 1000)
    assert mono.sets == []
    mono.put("/camera_info", 0)
    mono.put("/image", 1100)
    assert mono.stamps == [[1000], [1100]]
    mono.input.close()
    assert mono.node.callbacks == {}


def test_depth_needs_no_calibration_of_its_own(camera):
    rgbd = camera("rgbd")
    assert set(rgbd.node.callbacks) == {"/image", "/depth/image", "/camera_info"}
    for topic in ("/camera_info", "/depth/image", "/image"):
        rgbd.put(topic, 1000)
    assert rgbd.stamps == [[1000, 1000]]
    assert len(rgbd.sets[0].infos) == 1


def test_what_is_not_later_is_ignored_and_told(camera):
    mono = camera("mono")
    mono.put("/camera_info", 0)
    for stamp in (5000, 5000, 4900, 5100, -1):
        mono.put("/image", stamp)
    assert mono.stamps == [[5000], [5100]]
    assert mono.ignored == [Order.DUPLICATE, Order.STALE, Order.STALE]
    assert {s.epoch for s in mono.sets} == {0}


@pytest.mark.parametrize("sync", ["exact", "approximate"])
def test_a_pair_is_found_again_when_time_jumps_back(camera, sync):
    pair = camera("stereo", sync=sync, queue_size=3)
    sides = ("/left/image", "/right/image")
    for side in sides:
        pair.put(side.replace("image", "camera_info"), 0)
    for stamp in (9000, 9100, 9200, 9300):
        for side in sides[: 2 if stamp == 9000 else 1]:  # the right image of the others is lost
            pair.put(side, stamp)
    for stamp in (1000, 1100):
        for side in sides:
            pair.put(side, stamp)
    assert pair.stamps == [[9000, 9000], [1000, 1000], [1100, 1100]]
    assert [s.epoch for s in pair.sets] == [0, 1, 1]
    assert pair.ignored == []


def test_an_error_of_the_taker_locks_nothing(camera, monkeypatch):
    """message_filters never releases its lock after an exception in its callback."""
    pair = camera("stereo")
    taken = []
    monkeypatch.setattr(pair.input, "_deliver", lambda messages: taken.append(messages) or 1 / (len(taken) - 1))
    for side in ("left", "right"):
        pair.put(f"/{side}/camera_info", 0)
    pair.put("/left/image", 1000)
    with pytest.raises(ZeroDivisionError):
        pair.put("/right/image", 1000)
    for side in ("left", "right"):
        pair.put(f"/{side}/image", 1100)
    assert len(taken) == 2


@pytest.mark.parametrize(
    ("options", "publishers", "sentence"),
    [
        ({}, {}, "no image on /image for 5 s: it has 0 publishers; start the camera, or set image_topic"),
        (
            {"qos": "reliable"},
            {"/image": [ReliabilityPolicy.BEST_EFFORT]},
            "no image on /image for 5 s: it has 1 publisher (best effort) and qos is reliable; set qos to auto",
        ),
        (
            {},
            {"/image": [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT]},
            "it has 2 publishers (reliable, best effort) but no message arrives; check the camera and the network",
        ),
        (
            {"image_transport": "compressed"},
            {"/image": [ReliabilityPolicy.RELIABLE]},
            "no image on /image/compressed for 5 s: nobody publishes it, but /image is there; "
            "set image_transport to raw",
        ),
        (
            {"image_topic": "cam/compressed"},
            {"/cam/compressed": [ReliabilityPolicy.RELIABLE]},
            "its images are compressed; set image_topic to /cam and image_transport to compressed",
        ),
        (
            {"qos": "sensor_data"},
            {"/image": [ReliabilityPolicy.RELIABLE]},
            "it has 1 publisher (reliable) and qos is sensor_data, which loses large images; set qos to auto",
        ),
    ],
)
def test_silence_is_explained(clock, options, publishers, sentence):
    mono = Camera("mono", **options)
    mono.node.publishers = publishers
    assert mono.input.error() is None
    clock.seconds += 5.1
    assert sentence in mono.input.error()


def test_a_missing_calibration_is_explained(clock):
    mono = Camera("mono")
    clock.seconds += 5.1
    mono.put("/image", 1000)
    assert mono.input.error() == (
        "images arrive but no camera info on /camera_info: it has 0 publishers; "
        "publish the calibration there, or remap the topic"
    )
    mono.put("/camera_info", 0)
    assert mono.input.error() is None


@pytest.mark.parametrize(
    ("sync", "gap_ms", "advice"),
    [
        ("exact", 33, "33.0 ms apart: set sync to approximate and sync_slop to more than 0.0330, or synchronize"),
        ("approximate", 33, "33.0 ms apart: set sync_slop to more than 0.0330, or synchronize the cameras"),
        ("exact", 500_000, "apart: let both be stamped by one clock"),
    ],
)
def test_the_gap_between_left_and_right_is_told(camera, clock, sync, gap_ms, advice):
    pair = camera("stereo", sync=sync)
    for side in ("left", "right"):
        pair.put(f"/{side}/camera_info", 0)
    clock.seconds += 5.1
    for stamp in (1000, 1100):
        pair.put("/left/image", stamp)
        pair.put("/right/image", stamp + gap_ms)
    assert pair.sets == []
    problem = pair.input.error()
    assert problem.startswith("images arrive on /left/image and /right/image but no two stamps agreed for 5 s")
    assert advice in problem


def test_images_that_best_effort_loses_are_no_matter_of_synchronization(camera, clock):
    pair = camera("stereo", qos="sensor_data")
    pair.node.publishers = {f"/{side}/image": [ReliabilityPolicy.RELIABLE] for side in ("left", "right")}
    for side in ("left", "right"):
        pair.put(f"/{side}/camera_info", 0)
    clock.seconds += 5.1
    pair.put("/left/image", 1000)
    pair.put("/right/image", 1100)
    assert pair.input.error().endswith(
        "the publishers are reliable and qos is sensor_data, which loses large images; set qos to auto"
    )


def test_stamps_that_stand_still_are_told(clock):
    mono = Camera("mono")
    mono.put("/camera_info", 0)
    mono.put("/image", 0)
    clock.seconds += 5.1
    mono.put("/image", 0)
    assert mono.input.error() == (
        "images arrive on /image but no stamp was later than 0.000 s for 5 s: let the driver stamp each image"
    )


def test_a_publisher_that_nothing_comes_from_is_logged():
    mono = Camera("mono", qos="reliable")
    assert mono.node.profile.reliability is ReliabilityPolicy.RELIABLE
    mono.node.events.incompatible_qos(SimpleNamespace(last_policy_kind=QoSPolicyKind.RELIABILITY))
    assert "a publisher of /camera_info offers another RELIABILITY than requested" in mono.node.warned


def test_the_subscription_follows_what_the_publishers_offer():
    reliable, best_effort = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
    mono = Camera("mono")
    asked = []
    for offers in ([], [reliable], [reliable, best_effort], [best_effort], [], [reliable, reliable]):
        mono.node.publishers = {"/camera_info": offers}
        mono.node.follow()
        asked.append(mono.node.profile.reliability)
    assert asked == [reliable, reliable, best_effort, best_effort, best_effort, reliable]
    assert mono.node.told == [
        "subscribed to /camera_info as reliable: its publishers offer reliable",
        "subscribed to /camera_info as best effort: its publishers offer reliable, best effort",
        "subscribed to /camera_info as reliable: its publishers offer reliable, reliable",
    ]
    assert len(mono.node.callbacks) == 2
    mono.input.close()
    assert (mono.node.callbacks, mono.node.follow) == ({}, None)


def test_several_publishers_of_one_topic_are_named(camera):
    seen = camera("stereo")
    assert seen.input.other_publishers() is None
    seen.node.publishers = {"/right/camera_info": [ReliabilityPolicy.RELIABLE] * 2}
    assert seen.input.other_publishers() == (
        "2 nodes publish /right/camera_info (/camera0, /camera1): end all but one, or give each its own namespace"
    )


def test_stamps_that_no_message_holds_are_ignored(camera):
    """Nanoseconds of more than a second carry over, and the sum may exceed the 32 bits of the seconds."""
    seen = camera("mono")
    seen.put("/camera_info", 0)
    largest = 2**31 - 1
    for sec, nanosec in ((1, 10**9 + 5), (largest, 10**9), (largest, 2**32 - 1), (largest, 10**9 - 1)):
        seen.node.callbacks["/image"](Image(header=Header(stamp=Time(sec=sec, nanosec=nanosec))))
    assert [nanoseconds(s.images[0].header.stamp) for s in seen.sets] == [2 * 10**9 + 5, 2**31 * 10**9 - 1]
    assert seen.ignored == [Order.STALE, Order.STALE]
