"""What the organisation does: tables and verbs, without Flask, marshmallow or network."""
