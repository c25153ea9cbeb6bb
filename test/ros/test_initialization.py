"""What ROS itself refuses at the start is a sentence, not a traceback: arguments, environment, security."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--params-file", "/no/such.yaml"), {}, "Couldn't parse params file: '--params-file /no/such.yaml'"),
        (("--remap", "image"), {}, "Couldn't parse remap rule: '--remap image'"),
        (("--no-such-flag",), {}, "after --ros-args, '--no-such-flag' is unknown"),
        ((), {"ROS_DOMAIN_ID": "abc"}, "ROS_DOMAIN_ID is not an integral number"),
        (
            (),
            {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"},
            "check ROS_SECURITY_KEYSTORE, and --enclave after --ros-args",
        ),
    ],
    ids=["parameter file", "remapping", "unknown flag", "domain", "security"],
)
def test_what_ros_refuses(ros, arguments, environment, said):
    ros.environment |= environment
    code, _, errors = ros.run("loftr_ros.ros.main", "--ros-args", *arguments)
    last = errors.rstrip().split("\n")[-1]
    assert (code, "Traceback" in errors) == (2, False), errors
    assert last.startswith("vo_node: error: ROS cannot start: ")
    assert said in last
    assert "/src/" not in last  # places in the source of ROS


def test_commands_say_it_too(ros, tmp_path):
    ros.environment["ROS_DOMAIN_ID"] = "abc"
    code, _, errors = ros.run("loftr_ros.cli", "record", "--output", tmp_path / "trajectory.tum")
    assert (code, errors.rstrip().split("\n")[-1]) == (
        2,
        "loftr-ros: error: ROS cannot start: ROS_DOMAIN_ID is not an integral number",
    )
