"""The layouts of data sets by their names."""

from __future__ import annotations

from loftr_ros.sequences.datasets import euroc, kitti, tum
from loftr_ros.sequences.datasets.icl_nuim import ICL_NUIM
from loftr_ros.sequences.datasets.kitti_raw import KITTI_RAW
from loftr_ros.sequences.datasets.layout import Layout
from loftr_ros.sequences.datasets.openloris import OPENLORIS
from loftr_ros.sequences.datasets.replica import REPLICA
from loftr_ros.sequences.datasets.scannet import SCANNET
from loftr_ros.sequences.datasets.seven_scenes import SEVEN_SCENES
from loftr_ros.sequences.datasets.tartanair import TARTANAIR
from loftr_ros.sequences.datasets.tum_vi import TUM_VI

# Those whose calibration may be missing, and guessed.
WITHOUT_CALIBRATION = ("TUM RGB-D",)
# A folder has the first layout that fits.
DATASETS: dict[str, Layout] = {
    "KITTI raw": KITTI_RAW,
    "TUM-VI": TUM_VI,
    "ICL-NUIM": ICL_NUIM,
    "TartanAir": TARTANAIR,
    "7-Scenes": SEVEN_SCENES,
    "ScanNet": SCANNET,
    "Replica": REPLICA,
    "OpenLORIS": OPENLORIS,
    "KITTI odometry": Layout(kitti.is_kitti, lambda path, o: kitti.open_kitti(path, o.mode), kitti.EXPECTED_FILES),
    "EuRoC": Layout(euroc.is_euroc, lambda path, o: euroc.open_euroc(path, o.mode), euroc.EXPECTED_FILES),
    "TUM RGB-D": tum.TUM_RGBD,
}
