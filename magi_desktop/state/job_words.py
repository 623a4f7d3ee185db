"""What a job does, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from magi_desktop.state.jobs import ChunkInfo, JobState, Phase
from magi_desktop.translation import translated
from magi_engine.runtime.job.events import ChunkState, Stage

if TYPE_CHECKING:
    from magi_engine.runtime.planning.plan import JobPlan

translate = QCoreApplication.translate

_EXACT_S, _HOURS_S, _DAYS_S = 100, 10 * 3600, 100 * 3600


def job_sentence(job: JobState) -> str:
    """What the job does now, in words."""
    match job.phase:
        case Phase.IDLE:
            return ""
        case Phase.PREPARING:
            return stage_sentence(job.stage)
        case Phase.PAUSED:
            return translate("Progress", "Paused")
        case Phase.STOPPING:
            return translate("Progress", "Stopping after this step")
        case Phase.FINISHED:
            return translate("Progress", "Done in {}").format(duration(job.elapsed_s))
        case Phase.CANCELLED:
            return (
                translate("Progress", "Stopped; the video so far is kept")
                if job.path
                else translate("Progress", "Stopped")
            )
        case Phase.FAILED:
            return "" if job.error is None else translated(job.error.message)
        case Phase.RUNNING:
            return running_sentence(job)


def running_sentence(job: JobState) -> str:
    """Which part is at which step."""
    if job.stage is Stage.CONNECTING:
        return stage_sentence(job.stage)
    chunk = current_chunk(job)
    if chunk is None:
        return _between_chunks(job)
    if chunk.state is ChunkState.DECODING:
        return translate("Progress", "Finishing {part}").format(part=part_name(job, chunk.index))
    return translate("Progress", "Making {part}, step {step} of {steps}").format(
        part=part_name(job, chunk.index), step=chunk.step, steps=job.num_steps
    )


def _between_chunks(job: JobState) -> str:
    """Nothing is in work: before the first chunk, from one to the next, or after the last."""
    ready = sum(c.state is ChunkState.DONE for c in job.chunks)
    if ready == 0:
        return translate("Progress", "Starting")
    if ready == len(job.chunks) and not job.open_ended:
        return translate("Progress", "Completing the video")
    return translate("Progress", "Beginning {part}").format(part=part_name(job, ready))


def part_name(job: JobState, index: int) -> str:
    """A chunk for people: the second it is, where chunks are seconds."""
    if job.plan is not None and in_seconds(job.plan):
        return translate("Progress", "second {}").format(index + 1)
    return translate("Progress", "part {}").format(index + 1)


def in_seconds(plan: JobPlan) -> bool:
    """Whether each chunk is a second of the video: not at another rate, nor behind a clip, which
    has the beginning of the first one."""
    return plan.length.first_frames == plan.length.chunk_frames == plan.fps


def current_chunk(job: JobState) -> ChunkInfo | None:
    """The first chunk that is in work, or None."""
    chunks = [c for c in job.chunks if c.state in (ChunkState.DENOISING, ChunkState.DECODING)]
    # One may be decoded while the next ones are denoised, which is what takes long.
    chunks.sort(key=lambda chunk: chunk.state is ChunkState.DECODING)
    return chunks[0] if chunks else None


def stage_sentence(stage: Stage | None) -> str:
    """What is being prepared."""
    if stage is None:
        return translate("Progress", "Starting the engine")
    return translated(stage.sentence)


def figures(job: JobState) -> str:
    """What is ready, pace and time left, as far as they are known."""
    if not job.phase.active or job.phase is Phase.PREPARING:
        return ""
    fps = job.plan.fps if job.plan is not None else 0
    ready = translate("Progress", "{} s").format(figure(job.frames_done / fps if fps else 0))
    if job.num_frames is None or not fps:
        parts = [translate("Progress", "Ready: {}").format(ready)]
    else:
        whole = translate("Progress", "{} s").format(figure(job.num_frames / fps))
        parts = [translate("Progress", "Ready: {ready} of {all}").format(ready=ready, all=whole)]
    if job.eta_s is not None:
        parts.append(translate("Progress", "{} left").format(duration(job.eta_s)))
    if job.frames_per_second > 0:
        parts.append(translate("Progress", "{:.1f} frames/s").format(job.frames_per_second))
    if job.phase is Phase.RUNNING and job.next_chunk_s is not None:
        parts.append(translate("Progress", "more in {}").format(duration(job.next_chunk_s)))
    if job.request is not None and job.request.quantised_attention:
        parts.append(translate("Progress", "8-bit arithmetic"))
    return "  ·  ".join(parts)


def figure(value: float) -> str:
    """With three digits, or all that are before the point: 0.5, 12.3, 1250."""
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """A time span for people: 8 s, 2 min 05 s, 1 h 20 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return translate("Progress", "{} s").format(whole)
    if whole < 3600:
        return translate("Progress", "{m} min {s:02d} s").format(m=whole // 60, s=whole % 60)
    return translate("Progress", "{h} h {m:02d} min").format(h=whole // 3600, m=whole % 3600 // 60)


def percent_text(percent: float) -> str:
    """A share of a hundred: 40 %."""
    return translate("Progress", "{percent} %").format(percent=round(percent))


def rough_duration(seconds: float) -> str:
    """A time span that is only a guess: 8 s, 4 min, 1 h 20 min, 68 h, 27 days."""
    if seconds >= _DAYS_S:
        return translate("Progress", "{} days").format(round(seconds / 86400))
    if seconds >= _HOURS_S:
        return translate("Progress", "{} h").format(round(seconds / 3600))
    if not _EXACT_S <= seconds < 3600:
        return duration(seconds)
    return translate("Progress", "{} min").format(round(seconds / 60))
