# Requires python3 (3.10 or newer) with venv; everything else is installed into .venv.
#   make demo            render a loop through a room, play it to the node, evaluate the odometry
#   make test            format, lint, types, tests
#   make quick           format, lint, and the fast tests, in two minutes
#   make lint            format, lint, types
#   make docs            the documentation site, in out/docs
#   make test ROS=jazzy  with the ROS 2 wheels of Jazzy instead of Kilted, and the NumPy and OpenCV of Ubuntu 24.04
#   make fuzz            fuzzing, MINUTES=60; counts in out/fuzz
#   make faults          faults on real processes; a table in out/faults
#   make soak            full load, MINUTES=60; figures in out/soak
#   make audit           known vulnerabilities of the pinned dependencies; needs network access
#   make gpu             tests and benchmarks on an NVIDIA GPU, in nine minutes; without one, small on the CPU
# In a shell with a sourced ROS 2, it is used instead of the wheels.

PYTHON ?= python3
ROS ?= kilted
# Folders or files to test (default: all).
TESTS ?=
BIN := .venv/bin
# One thread per parallel test process.
PYTEST := OMP_NUM_THREADS=1 OPENCV_FOR_THREADS_NUM=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --no-header --durations 25
# One line per step; the output is shown only if it fails.
STEP := $(PYTHON) tools/step.py

MINUTES ?= 60

.PHONY: demo quick test pytest fuzz faults soak audit gpu docs lint format venv clean
.DEFAULT_GOAL := test

demo: venv
	@$(BIN)/loftr-ros demo --output out/demo

# Types are checked with Kilted only: the oldest NumPy, OpenCV and rclpy have few type hints.
# With --jobs 2 they are checked beside the tests.
test: $(if $(filter jazzy,$(ROS)),,lint) pytest

pytest: venv
	@$(PYTEST) $(TESTS)

quick: venv
	@$(STEP) "ruff check" $(BIN)/ruff check .
	@$(STEP) "ruff format --check" $(BIN)/ruff format --check .
	@$(PYTEST) -m "not slow"

docs: venv
	@$(STEP) "Sphinx" $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable .[docs]
	@$(STEP) "site in out/docs" $(BIN)/python -m sphinx -W --keep-going -q -b html docs out/docs

# One process each: the machine is the measure.
fuzz: venv
	@OMP_NUM_THREADS=1 LOFTR_ROS_FUZZ_MINUTES=$(MINUTES) LOFTR_ROS_FUZZ_OUTPUT=out/fuzz $(BIN)/python -m pytest --no-header test/fuzz
	@cat out/fuzz/cases.json

faults: venv
	@LOFTR_ROS_FAULTS=out/faults $(BIN)/python -m pytest --no-header test/ros/faults/test_faults.py test/ros/faults/test_kills.py
	@cat out/faults/faults.md

soak: venv
	@LOFTR_ROS_SOAK_MINUTES=$(MINUTES) LOFTR_ROS_SOAK_OUTPUT=out/soak $(BIN)/python -m pytest --no-header test/ros/faults/test_soak.py
	@cat out/soak/soak.json

audit: venv
	@$(STEP) "pip-audit" $(BIN)/python -m pip install --disable-pip-version-check pip-audit
	@$(BIN)/python -m pip_audit --requirement constraints.txt --no-deps --disable-pip --strict

# On a machine without ROS, pip or network: PYTHONPATH=. python3 bench/gpu.py --output out/gpu
gpu: venv
	@$(BIN)/python bench/gpu.py --output out/gpu

lint: venv
	@$(STEP) "ruff check" $(BIN)/ruff check .
	@$(STEP) "ruff format --check" $(BIN)/ruff format --check .
	@$(STEP) "mypy" $(BIN)/mypy
	@$(STEP) "mypy bench" $(BIN)/mypy bench/*.py
	@$(STEP) "mypy examples" $(BIN)/mypy examples/*.py

format: venv
	@$(STEP) "ruff check --fix" $(BIN)/ruff check --fix .
	@$(STEP) "ruff format" $(BIN)/ruff format .

venv:
	@$(PYTHON) tools/make_venv.py --ros $(ROS)

clean:
	@rm -rf .venv out build install log *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
