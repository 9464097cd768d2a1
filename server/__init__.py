"""The Tocsin server.

app.py joins everything; config.py holds every setting; engines.py opens a database; db.py is the unit of work, turns.py who writes when;
statements.py what runs with every fact; clock.py the time; cli.py the commands, running.py what starts the
processes, standby.py how a killed one is replaced.
domain/ is what the organisation does (tables and verbs), planning/ the plan language, api/ JSON over HTTP,
delivery/ how a message leaves the building, exports/ documents and pictures that leave it.
"""
