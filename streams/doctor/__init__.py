"""What Pressline needs, checked: what was seen, and what to do where something is missing."""
