"""JSON over HTTP: one file of schemas and views for each noun."""
