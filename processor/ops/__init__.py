"""An operator's commands: replay, dead-letters, rebuild and audit."""
