"""What takes long on the way to the first frame: the node answers meanwhile, and says what it waits for."""


def test_the_node_answers_while_it_looks_and_says_why_it_takes_none(ros, program):
    node = ros.node(autostart="false", image_topic="''", input_timeout=3.0)
    listener = ros.start(
        program("diagnosed.py"), "looking for a publishing mono camera", "no mono camera is publishing",
        "2 mono cameras are publishing, /front/image, /rear/image: set image_topic to one", "waiting for images",
    )  # fmt: skip
    assert listener.stdout.readline() == "ready\n"
    code, said, errors = ros.run(program("transitions.py"), "configure", "activate", "deactivate", "activate")
    assert code == 0, errors
    labels = ["configure True inactive", "activate True active", "deactivate True inactive", "activate True active"]
    assert said.split("\n")[:-1] == labels
    assert max(map(float, errors.split()[1:])) < 1, errors  # seconds; configuring may take one more
    assert listener.stdout.readline() == "0 looking for a publishing mono camera\n"
    assert listener.stdout.readline().startswith("2 no mono camera is publishing")
    both = ros.start(program("cameras.py"), "/front", "/rear")
    assert listener.stdout.readline().startswith("2 2 mono cameras are publishing, /front/image, /rear/image")
    said = ros.run(program("control.py"), "reset")[1]
    assert said.startswith("False no odometry is running: 2 mono cameras"), said
    ros.stop(both)
    ros.start(program("cameras.py"), "/front")
    assert listener.stdout.readline() == "0 waiting for images\n"
    code, errors = ros.stop(node)
    assert (code, "discovered /front/image, the only mono camera that is publishing" in errors) == (0, True)


def test_a_network_that_cannot_be_loaded_is_the_answer_to_configure(ros, program):
    node = ros.node(autostart="false", checkpoint="no_such_file.safetensors")
    listener = ros.start(program("diagnosed.py"), "no_such_file.safetensors")
    assert listener.stdout.readline() == "ready\n"
    code, said, errors = ros.run(program("transitions.py"), "configure")
    assert (code, said) == (0, "configure False unconfigured\n"), errors
    assert listener.communicate(timeout=120)[0].startswith("2 ")
    assert ros.stop(node)[0] == 0


def test_a_network_that_takes_long(ros, program):
    node = ros.start(program("slow_network.py"), "--ros-args", "-p", "autostart:=false")
    listener = ros.start(program("diagnosed.py"), "loading the network", "waiting for images")
    assert listener.stdout.readline() == "ready\n"
    code, said, errors = ros.run(program("transitions.py"), "configure", "activate")
    assert (code, said) == (0, "configure True inactive\nactivate True active\n")
    assert max(map(float, errors.split())) < 2.5, errors
    assert listener.communicate(timeout=120)[0] == "0 loading the network\n0 waiting for images\n"
    code, said, _ = ros.run(program("transitions.py"), "deactivate", "cleanup", "configure", "cleanup", "configure")
    assert said.count("True") == 5
    assert ros.stop(node)[0] == 0


def test_a_network_that_turns_out_late_to_be_missing(ros, program):
    name = "no_such_file.safetensors"
    node = ros.start(program("slow_network.py"), "--ros-args", "-p", f"checkpoint:={name}", "-p", "image_topic:=''")
    _, errors = node.communicate(timeout=120)
    assert node.returncode == 2
    assert errors.split("\n")[-2].startswith("vo_node: error: ")
    assert name in errors.split("\n")[-2]

    options = ("-p", f"checkpoint:={name}", "-p", "autostart:=false")
    node = ros.start(program("slow_network.py"), "--ros-args", *options)
    listener = ros.start(program("diagnosed.py"), name)
    assert listener.stdout.readline() == "ready\n"
    assert ros.run(program("transitions.py"), "configure")[1] == "configure True inactive\n"
    assert listener.communicate(timeout=120)[0].startswith("2 ")
    assert ros.run(program("transitions.py"), "activate")[1] == "activate False inactive\n"
    assert ros.stop(node)[0] == 0
