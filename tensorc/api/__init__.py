"""What users call: from what the doors build to what runs."""
