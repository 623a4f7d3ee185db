"""What a job does, in words."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from magi_desktop.state.jobs import ChunkInfo, JobState, Phase
from magi_desktop.translation import translated
from magi_engine.runtime.job.events import ChunkState, Stage

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
    """Which chunk is at which step."""
    chunk = current_chunk(job)
    if chunk is None:
        return _between_chunks(job)
    if chunk.state is ChunkState.DECODING:
        return translate("Progress", "Decoding chunk {}").format(chunk.index + 1)
    return translate("Progress", "Denoising chunk {chunk}, step {step} of {steps}").format(
        chunk=chunk.index + 1, step=chunk.step, steps=job.num_steps
    )


def _between_chunks(job: JobState) -> str:
    """Nothing is in work: before the first chunk, from one to the next, or after the last."""
    ready = sum(c.state is ChunkState.DONE for c in job.chunks)
    if ready == 0:
        return translate("Progress", "Starting")
    if ready == len(job.chunks) and not job.open_ended:
        return translate("Progress", "Completing the video")
    return translate("Progress", "Beginning chunk {}").format(ready + 1)


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
    """Chunks, pace and time left, as far as they are known."""
    if not job.phase.active or job.phase is Phase.PREPARING:
        return ""
    ready = sum(c.state is ChunkState.DONE for c in job.chunks)
    parts = [
        translate("Progress", "Chunks ready: {}").format(ready)
        if job.open_ended
        else translate("Progress", "Chunks ready: {ready} of {all}").format(
            ready=ready, all=len(job.chunks)
        )
    ]
    if job.eta_s is not None:
        parts.append(translate("Progress", "{} left").format(duration(job.eta_s)))
    if job.frames_per_second > 0:
        parts.append(translate("Progress", "{:.1f} frames/s").format(job.frames_per_second))
    if job.phase is Phase.RUNNING and job.next_chunk_s is not None:
        parts.append(translate("Progress", "next chunk in {}").format(duration(job.next_chunk_s)))
    if job.request is not None and job.request.quantised_attention:
        parts.append(translate("Progress", "8-bit attention"))
    return "  ·  ".join(parts)


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
