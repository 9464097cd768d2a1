"""How a message leaves the building: the worker and its channels."""
