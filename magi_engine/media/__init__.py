"""Reading images and videos as conditions, writing videos that grow chunk by chunk."""
