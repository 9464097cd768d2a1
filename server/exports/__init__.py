"""Documents, pictures and records that leave Tocsin."""
