"""Reading images and videos as conditions, writing videos that grow chunk by chunk."""

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

__all__ = [
    "FRAME_GROUP",
    "MAX_PART_S",
    "OFFICIAL_FRAMES",
    "PRESETS",
    "ClipPart",
    "ClipPartKind",
    "ClipPlan",
    "CropBox",
    "FitPolicy",
    "FrameWriter",
    "MediaInfo",
    "MediaKind",
    "UInt8Array",
    "WriteOptions",
    "export_video",
    "find_partials",
    "free_name",
    "iter_source_frames",
    "iter_stills",
    "open_writer",
    "plan_clip",
    "probe",
    "read_image",
    "read_metadata",
    "read_plan",
    "recover_partial",
]
