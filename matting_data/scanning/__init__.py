"""From found inputs to checked and judged records; label evidence, and the audit of what was kept."""
