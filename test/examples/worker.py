#!/usr/bin/env python3
# A worker in Python: claims a run, builds and reports it, and waits for more.
# Debian: python3-psycopg

import psycopg

with psycopg.connect(autocommit=True) as db:
    while True:
        for run, ref in db.execute("SELECT run_id, partitions[1] FROM databuild.claim('python', jobs => ARRAY['words'])").fetchall():
            try:
                with db.transaction(), open("text" + ref[5:]) as text:  # what is built and its success: both or neither
                    db.execute("INSERT INTO words VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET words = excluded.words",
                               (ref[6:], len(text.read().split())))
                    db.execute("SELECT databuild.succeed(%s)", (run,))
            except FileNotFoundError:
                db.execute("SELECT databuild.miss(%s, %s)", (run, ["text" + ref[5:]]))
            except Exception as error:
                db.execute("SELECT databuild.fail(%s, %s)", (run, str(error)))
        db.execute("CALL databuild.wait_work(ARRAY['words'])")  # at once if there is more
