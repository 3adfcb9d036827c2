"""From STRUCTURED to BUFFER, and the plan of its memory."""
