"""What a developer runs on one machine: the embedded stack, and a simulator that plays the platform."""
