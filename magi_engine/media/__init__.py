"""Reading images and videos as conditions, writing videos that grow chunk by chunk."""

# ruff: noqa: F401  (names for whoever imports them from here)

from magi_engine.media.clips import (
    FRAME_GROUP,
    MAX_PART_S,
    OFFICIAL_FRAMES,
    ClipPart,
    ClipPartKind,
    ClipPlan,
    iter_source_frames,
    plan_clip,
    read_plan,
)
from magi_engine.media.export import export_video
from magi_engine.media.fit import CropBox, FitPolicy, UInt8Array
from magi_engine.media.images import read_image
from magi_engine.media.info import MediaInfo, MediaKind, probe
from magi_engine.media.metadata import read_metadata
from magi_engine.media.output import open_writer, recover_partial
from magi_engine.media.stills import iter_stills
from magi_engine.media.targets import find_partials, free_name
from magi_engine.media.writer import PRESETS, FrameWriter, WriteOptions
