#!/usr/bin/env node
// A worker in Node: claims a run, builds and reports it, and waits for more.
// npm install pg; or, in Debian, node-pg

const { readFile } = require('node:fs/promises');
const { Client } = require('pg');

async function main() {
  const db = new Client();
  await db.connect();
  for (;;) {
    const claimed = await db.query("SELECT run_id, partitions[1] AS ref FROM databuild.claim('node', jobs => ARRAY['words'])");
    for (const { run_id: run, ref } of claimed.rows) {
      try {
        const text = await readFile('text' + ref.slice(5), 'utf8');
        await db.query('BEGIN'); // what is built and its success: both or neither
        await db.query('INSERT INTO words VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET words = excluded.words',
          [ref.slice(6), text.split(/\s+/).filter(Boolean).length]);
        await db.query('SELECT databuild.succeed($1)', [run]);
        await db.query('COMMIT');
      } catch (error) {
        await db.query('ROLLBACK');
        if (error.code === 'ENOENT') await db.query('SELECT databuild.miss($1, $2)', [run, ['text' + ref.slice(5)]]);
        else await db.query('SELECT databuild.fail($1, $2)', [run, error.message]);
      }
    }
    await db.query("CALL databuild.wait_work(ARRAY['words'])"); // at once if there is more
  }
}

main();
