"""360 degree videos: a sphere in every frame, seen by cameras in its middle, and what moves on it."""
