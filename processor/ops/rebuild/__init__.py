"""S7: decides the log again, a part of the payments at a time, and compares the stored rows."""
