"""The Updater of diagnostic_updater, or else our own, which has no parameters."""

try:
    from diagnostic_updater import Updater
except ImportError:
    from loftr_ros.ros.compat.plain_diagnostics import Updater

__all__ = ["Updater"]
