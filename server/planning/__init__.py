"""The plan language: text to typed rules, lint, simulation and the library."""
