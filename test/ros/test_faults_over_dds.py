"""No callback ends the node: what it raises is the answer to who called it, and a diagnostic."""


def answers(ros, program, name, *arguments):
    code, said, errors = ros.run(program(name), *arguments)
    assert code == 0, errors
    return said.split("\n")[:-1]


def listening(ros, program, *texts):
    """Start a program that prints the diagnostics with these texts, and hears from now on."""
    listener = ros.start(program("diagnosed.py"), *texts)
    assert listener.stdout.readline() == "ready\n"
    return listener


def test_a_trajectory_that_cannot_be_saved(ros, program, tmp_path, rendered):
    options = {"qos": "reliable", "process_every_frame": "true", "input_timeout": 60.0, "output_folder": tmp_path}
    node = ros.node(mode="stereo", trajectory_file="~nosuchuser/x", **options)
    play = ("loftr_ros.cli", "play", rendered.path, "--mode", "stereo", "--lockstep", "--frames", 2, "--timeout", 30)
    assert ros.run(*play)[0] == 0
    refused = f"trajectory_file is '~nosuchuser/x': it must be the name of a file in {tmp_path}."
    listener = listening(ros, program, refused)
    file = tmp_path / "saved.tum"
    assert answers(ros, program, "control.py", "save_trajectory") == [f"False {refused}"]
    assert listener.communicate(timeout=120)[0] == f"1 {refused}\n"
    orders = (f"trajectory_file={tmp_path}", "save_trajectory", f"trajectory_file={file}", "save_trajectory")
    _, second, _, third = answers(ros, program, "control.py", *orders)
    assert second == f"False {tmp_path} cannot be written: Is a directory; set the parameter trajectory_file"
    assert third == f"True wrote the last 2 poses to {file}"
    assert ros.stop(node)[0] == 0


def test_an_unlikely_calibration_is_told_once_in_the_log_and_in_the_diagnostics(ros, program, tmp_path, rendered):
    rows = (rendered.path / "calib.txt").read_text().replace(" 159.5 ", " 220.0 ")
    assert rows.count(" 220.0 ") == 2
    path = tmp_path / "sequences" / "00"
    path.mkdir(parents=True)
    (path / "calib.txt").write_text(rows)
    for name in ("image_0", "image_1", "times.txt"):
        (path / name).symlink_to(rendered.path / name)
    options = {"qos": "reliable", "process_every_frame": "true", "input_timeout": 60.0}
    node = ros.node(mode="stereo", **options)
    text = (
        "the principal point (220, 119.5) is far from the middle of the image of 320x240: "
        "K looks like one of images of about 440x239; use that of these images"
    )
    listener = listening(ros, program, text)
    play = ("loftr_ros.cli", "play", path, "--mode", "stereo", "--lockstep", "--frames", 3, "--timeout", 30)
    assert ros.run(*play)[0] == 0
    assert listener.communicate(timeout=120)[0] == f"1 {text}\n"
    code, errors = ros.stop(node)
    assert (code, errors.count(text)) == (0, 1)


def test_a_parameter_that_rclpy_cannot_read(ros, program):
    node = ros.node(autostart="false")
    text = "internal error, ValueError: 99 is not a valid Parameter.Type"
    listener = listening(ros, program, text)
    for _ in range(2):
        assert answers(ros, program, "odd_parameter.py") == [f"(False, '{text}')"]
    assert listener.communicate(timeout=120)[0] == f"2 {text}\n"
    assert answers(ros, program, "control.py", "max_speed=2.0") == ["True "]
    code, errors = ros.stop(node)
    assert (code, errors.count(text)) == (0, 1)


def test_a_transition_that_raises(ros, program):
    text = "internal error, RuntimeError: out of order"
    node = ros.start(program("faulty_node.py"), "--ros-args", "-p", "autostart:=false")
    listener = listening(ros, program, text)
    orders = ("configure", "cleanup", "configure", "activate")
    assert answers(ros, program, "transitions.py", *orders) == [
        "configure True inactive",
        "cleanup False unconfigured",
        "configure True inactive",
        "activate True active",
    ]
    assert listener.communicate(timeout=120)[0] == f"2 {text}\n"
    node.kill()


def test_a_subscription_that_raises(ros, program):
    text = "internal error, RuntimeError: out of order"
    node = ros.start(program("faulty_node.py"))
    assert answers(ros, program, "misbehave.py", "mono", text) == [text]
    assert answers(ros, program, "transitions.py", "deactivate") == ["deactivate True inactive"]
    node.kill()


def test_a_matcher_that_hangs(ros, program, rendered):
    options = {"mode": "stereo", "qos": "reliable", "process_every_frame": "true", "input_timeout": 2.0}
    arguments = [argument for option in options.items() for argument in ("-p", "{}:={}".format(*option))]
    node = ros.start(program("hanging_matcher.py"), "--ros-args", *arguments)
    listener = listening(ros, program, "a frame takes")
    play = ("loftr_ros.cli", "play", rendered.path, "--mode", "stereo", "--lockstep", "--frames", 3, "--timeout", 60)
    assert ros.run(*play)[0] == 0, "the frame that hung, and those after it, come all the same"
    level, text = listener.communicate(timeout=120)[0].split(" ", 1)
    assert level == "2"
    assert "hardly any odometry is published: check what else uses cpu" in text
    assert ros.stop(node)[0] == 0
