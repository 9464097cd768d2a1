"""The fault runner: phones with durable queues against real processes that are killed, and a checker that trusts neither.

`ground` starts the processes, `phones` and `doings` use them, `nemesis` hurts them, `checker` reads only the phones' logs,
the database and the photo folder; `run.play` joins them. Every choice comes from the seed.
"""
