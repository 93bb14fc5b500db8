"""The webhook of every event type, and its documented effect."""
