"""Turning noise into chunks of latents: schedules, windows, guidance and the loop itself."""
